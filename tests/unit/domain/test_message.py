"""The segments and the cost of a message, and the end of its content."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sampai.domain.failure import Failure, Reason
from sampai.domain.message import (
    Attachments,
    Channel,
    Content,
    Media,
    Message,
    Text,
    accept,
    apply_report,
    blank_message,
    claim,
    count_segments,
    end_hold,
    hold,
    hold_until,
    mark_unknown,
    note_cost,
    note_lookup,
    queue,
    requeue,
    schedule,
    time_waited,
)
from sampai.domain.report import Report
from sampai.domain.segments import Encoding
from sampai.domain.status import Source, Status
from tests.fakes import START

DRAFT = replace(blank_message("m-1", now=START), content=Text(text="a" * 161))
CLAIM: dict[str, Any] = {"provider": "smsnoc", "attempt_id": "a-1", "now": START, "lease": timedelta(seconds=60)}
CLAIMED = claim(DRAFT, **CLAIM)
ACCEPTED = accept(
    CLAIMED,
    provider_message_id="v-1",
    provider_status="Queued",
    cost="1.20",
    now=START,
    due_at=START,
    source=Source.SEND,
)

COUNTED: list[tuple[str, Channel, Content | None, tuple[int | None, Encoding | None]]] = [
    ("a text", Channel.SMS, Text(text="a" * 161), (2, Encoding.GSM7)),
    ("a text in Khmer", Channel.SMS, Text(text="ក"), (1, Encoding.UCS2)),
    ("no content", Channel.SMS, None, (None, None)),
    ("a text on WhatsApp", Channel.WHATSAPP, Text(text="Hi"), (None, None)),
    ("a caption on WhatsApp", Channel.WHATSAPP, Media(caption="Hi"), (None, None)),
]


@pytest.mark.parametrize(
    ("channel", "content", "expected"), [case[1:] for case in COUNTED], ids=[case[0] for case in COUNTED]
)
def test_only_the_text_of_an_sms_has_segments(
    channel: Channel, content: Content | None, expected: tuple[int | None, Encoding | None]
) -> None:
    counted = count_segments(replace(DRAFT, channel=channel, content=content))

    assert (counted.segments, counted.encoding) == expected


def test_claim_counts_a_message_that_the_previous_release_stored() -> None:
    assert (DRAFT.segments, CLAIMED.segments, CLAIMED.encoding) == (None, 2, Encoding.GSM7)


def report(status: Status | None, cost: str | None, provider_message_id: str = "v-1", word: str = "New") -> Report:
    return Report(provider_message_id=provider_message_id, status=status, provider_status=word, cost=cost)


COSTS: list[tuple[str, Message, Report, str | None]] = [
    ("a cost with a new status", ACCEPTED, report(Status.DELIVERED, "2.40"), "2.40"),
    ("no cost with a new status", ACCEPTED, report(Status.DELIVERED, None), "1.20"),
    ("a cost with an unknown word", ACCEPTED, report(None, "2.40"), "2.40"),
    ("a cost with the vendor's id", CLAIMED, report(Status.SENT, "2.40"), "2.40"),
    ("a cost and nothing else that is new", ACCEPTED, report(Status.ACCEPTED, "2.40"), "1.20"),
    ("a cost of another attempt", ACCEPTED, report(Status.DELIVERED, "2.40", "v-0"), "1.20"),
]


@pytest.mark.parametrize(("message", "given", "cost"), [case[1:] for case in COSTS], ids=[case[0] for case in COSTS])
def test_cost_of_a_report_is_kept_with_another_change(message: Message, given: Report, cost: str | None) -> None:
    assert apply_report(message, given, now=START, source=Source.WEBHOOK).cost == cost


def test_cost_alone_is_no_change() -> None:
    given = report(Status.ACCEPTED, "2.40")

    assert apply_report(ACCEPTED, given, now=START, source=Source.WEBHOOK) is ACCEPTED
    assert note_cost(ACCEPTED, given) == replace(ACCEPTED, cost="2.40")


FULL = replace(CLAIMED, provider_options={"smspoh": {"unicode": True}}, attachments=Attachments(file=b"%PDF"))
UNKNOWN = mark_unknown(FULL, now=START, due_at=START, source=Source.SEND)
TAKEN: dict[str, Any] = {"provider_message_id": "v-1", "provider_status": "New", "now": START, "due_at": START}

CONTENTS: list[tuple[str, Message, bool]] = [
    ("claimed", FULL, True),
    ("without a known outcome", UNKNOWN, True),
    (
        "named by a receipt with an unknown word, and without a known outcome",
        apply_report(UNKNOWN, report(None, None), now=START, source=Source.WEBHOOK),
        True,
    ),
    (
        "named by a receipt with an unknown word while its call is under way",
        apply_report(FULL, report(None, None), now=START, source=Source.WEBHOOK),
        True,
    ),
    (
        "queued again",
        requeue(UNKNOWN, route=("nomsa",), failure=None, now=START, due_at=START, source=Source.SWEEP),
        True,
    ),
    ("taken", accept(FULL, **TAKEN, source=Source.SEND), False),
    ("found in a list", accept(UNKNOWN, **TAKEN, source=Source.POLL), False),
    (
        "named by a receipt while its call is under way",
        apply_report(FULL, report(Status.SENT, None), now=START, source=Source.WEBHOOK),
        False,
    ),
    (
        "delivered",
        apply_report(FULL, report(Status.DELIVERED, None), now=START, source=Source.WEBHOOK),
        False,
    ),
]


@pytest.mark.parametrize(
    ("message", "keeps"), [case[1:] for case in CONTENTS], ids=[f"{case[0]}: {case[2]}" for case in CONTENTS]
)
def test_content_and_options_are_kept_exactly_while_the_message_may_be_sent_or_searched_for(
    message: Message, keeps: bool
) -> None:
    expected = (FULL.content, FULL.provider_options, FULL.attachments) if keeps else (None, {}, Attachments())

    assert (message.content, message.provider_options, message.attachments) == expected
    assert (message.segments, message.encoding) == (2, Encoding.GSM7)
    assert (message.due_at is None) == message.status.is_final


def test_cost_is_that_of_the_present_attempt() -> None:
    queued = requeue(
        ACCEPTED,
        route=("nomsa",),
        failure=Failure(reason=Reason.PROVIDER_ERROR),
        now=START,
        due_at=START,
        source=Source.SWEEP,
    )

    assert (ACCEPTED.cost, queued.cost, claim(queued, **CLAIM).cost) == ("1.20", "1.20", None)


def test_error_of_a_look_up_is_that_of_the_present_attempt() -> None:
    failed = note_lookup(ACCEPTED, "HTTP 401")

    assert (failed.lookup_error, failed.lookup_errors) == ("HTTP 401", 1)
    assert claim(failed, **CLAIM) == claim(ACCEPTED, **CLAIM)


# --- quiet hours ------------------------------------------------------------------------------------------------------

HOUR = timedelta(hours=1)
LATER, MORNING = START + HOUR, START + 11 * HOUR
WAITING = [
    ("new", DRAFT, schedule(replace(DRAFT, send_at=MORNING), now=LATER, due_at=MORNING)),
    (
        "scheduled",
        schedule(replace(DRAFT, send_at=LATER), now=START, due_at=LATER),
        replace(
            schedule(replace(DRAFT, send_at=LATER), now=START, due_at=LATER),
            revision=2,
            updated_at=LATER,
            send_at=MORNING,
            due_at=MORNING,
        ),
    ),
    (
        "queued",
        queue(DRAFT, now=START, due_at=LATER),
        replace(queue(DRAFT, now=START, due_at=LATER), revision=2, updated_at=LATER, held_since=LATER, due_at=MORNING),
    ),
    (
        "queued under a stop",
        hold(queue(DRAFT, now=START, due_at=LATER), now=START),
        replace(queue(DRAFT, now=START, due_at=LATER), revision=2, updated_at=LATER, held_since=START, due_at=MORNING),
    ),
]


@pytest.mark.parametrize(("message", "expected"), [w[1:] for w in WAITING], ids=[w[0] for w in WAITING])
def test_message_is_held_until_the_end_of_quiet_hours_without_a_step_back(message: Message, expected: Message) -> None:
    assert hold_until(message, send_at=MORNING, now=LATER, due_at=MORNING) == expected


def test_queued_message_has_not_waited_during_quiet_hours() -> None:
    held = hold_until(queue(DRAFT, now=START, due_at=LATER), send_at=MORNING, now=LATER, due_at=MORNING)

    assert time_waited(held, now=MORNING) == HOUR
    assert time_waited(end_hold(held, now=MORNING), now=MORNING + HOUR) == 2 * HOUR
