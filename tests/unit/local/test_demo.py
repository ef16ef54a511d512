"""The demo: its table of messages, its reaction to news, and its screen."""

import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console, RenderableType

from local.demo import screen
from local.demo.caller import Caller
from local.demo.messages import CASES, GROUPS, OPERATIONS, RECEIVED, REJECTED, Acceptance, Case, Moment, written
from local.demo.run import (
    BATCHED_OPERATIONS,
    MAX_SECONDS,
    QUIET_SECONDS,
    SHARE_SECONDS,
    STALL_SECONDS,
    Demo,
    cpu_share,
    slowness_of,
)
from local.demo.watch import AT_SENDER, FINAL, NO_CALL, Track, Verdict, Watch, objections, too_busy
from local.simulators.outcomes import OUTCOMES, Fault
from local.simulators.registry import VENDORS, load_vendors
from local.simulators.server import Simulators
from sampai.contract.request import InvalidRequest, SendRequest, parse_request
from sampai.domain import outcome
from sampai.domain.email_address import is_address
from sampai.domain.phone import country_of
from sampai.domain.status import Status

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
PLAIN = next(case for case in CASES if (case.vendor, case.name) == ("smspoh", "10 delivered"))
SILENT = next(case for case in CASES if case.name == "12 silent")
CONFLICT = next(case for case in CASES if case.end.status == REJECTED)
NOT_JSON = next(case for case in CASES if case.name == "not JSON")
PHONES = [case for case in CASES if case.inbound is not None]
REQUESTS = [case for case in CASES if case.inbound is None]
CALLS = {vendor: dict.fromkeys(operations, 1) for vendor, operations in OPERATIONS.items()}
MAGIC = [case for case in CASES if case.name[2] == " " and case.name[:2].isdigit()]
HOME = {"nomsa": "KH", "smsnoc": "BD", "philsms": "PH", "smspoh": "MM", "nusasms": "ID"}


def change(case: Case, sequence: int, status: str, previous: str | None, **fields: Any) -> dict[str, Any]:
    detail = {
        "message_id": case.message_id,
        "sequence": sequence,
        "status": status,
        "previous_status": previous,
        "source": "send",
        "failure": None,
    }
    return {"detail-type": "Message Status Changed", "detail": detail | fields}


def arrival(case: Case) -> dict[str, Any]:
    assert case.inbound is not None
    detail = {"sender": f"+{case.inbound['sender']}", "text": case.inbound["text"], "provider": "nusasms"}
    return {"detail-type": "Message Received", "detail": detail}


def rejection(message_id: str, reason: str = "id_conflict") -> dict[str, Any]:
    detail = {"message_id": message_id, "reason": reason, "detail": "message_id: already stands for another"}
    return {"detail-type": "Request Rejected", "detail": detail}


def course(case: Case, *statuses: str, source: str = "send") -> list[dict[str, Any]]:
    """Return the events of a message that goes through these statuses."""
    steps = enumerate(zip(statuses, [None, *statuses], strict=False), start=1)
    return [change(case, number, status, before, source=source) for number, (status, before) in steps]


def watched(*events: dict[str, Any], cases: tuple[Case, ...] = (PLAIN,)) -> Watch:
    """Return a watch over rows put at second 1 that heard one event a second from then on."""
    watch = Watch(cases)
    for track in watch.tracks:
        track.put_seconds = 1.0
    for second, event in enumerate(events, start=2):
        watch.hear(event, seconds=float(second))
    return watch


def heard(case: Case, *events: dict[str, Any]) -> Track:
    return watched(*events, cases=(case,)).tracks[0]


def shown(renderable: RenderableType, width: int) -> list[str]:
    console = Console(width=width, height=100, color_system=None, legacy_windows=False)
    with console.capture() as capture:
        console.print(renderable)
    return [line.rstrip() for line in capture.get().splitlines()]


# --- the table of messages --------------------------------------------------------------------------------------------


def test_every_magic_number_is_shown() -> None:
    assert {case.name[:2] for case in MAGIC} == OUTCOMES.keys()


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("status", ["delivered", "undelivered"])
def test_every_vendor_has_a_delivered_and_an_undelivered_message(vendor: str, status: str) -> None:
    assert any(case.vendor == vendor and case.end.status == status for case in CASES)


def test_every_final_status_is_shown() -> None:
    assert {case.end.status for case in CASES} == FINAL


def test_every_operation_of_every_vendor_is_shown() -> None:
    with Simulators(port=0) as simulators:
        vendors = simulators.vendors

    offered = {name: {route.operation for route in vendor.routes} for name, vendor in vendors.items()}
    for name in (name for name, vendor in load_vendors().items() if vendor.sends_receipts):
        offered[name].add("receipt")
    shown = {name: set(operations) for name, operations in OPERATIONS.items()}
    assert shown.pop("philsms") <= offered.pop("philsms")
    assert shown == offered


@pytest.mark.parametrize("case", MAGIC, ids=lambda c: f"{c.vendor} {c.name}")
def test_row_of_a_magic_number_agrees_with_the_simulator(case: Case) -> None:
    ending = case.name[:2]

    assert case.number.partition("@")[0].endswith(ending)
    assert is_address(case.number) or country_of(f"+{case.number}") == HOME[case.vendor]
    assert case.end.acceptances == OUTCOMES[ending].taken


def test_no_two_messages_share_an_id_or_a_text_to_one_number() -> None:
    ids = Counter(case.message_id for case in REQUESTS if case is not CONFLICT)

    assert max(ids.values()) == 1
    assert max(Counter((case.text_sha256, case.number) for case in REQUESTS).values()) == 1


def test_number_is_in_one_row_unless_its_phone_writes() -> None:
    writers = {case.inbound["sender"] for case in PHONES if case.inbound}
    numbers = Counter(case.number for case in REQUESTS if case is not CONFLICT and case.number)

    assert {number for number, count in numbers.items() if count > 1} <= writers


def test_requests_are_valid_bodies_for_the_queue() -> None:
    refused = {
        case.name for case in REQUESTS if isinstance(parse_request(written(case.request, NOW), now=NOW), InvalidRequest)
    }

    assert refused == {"two numbers in one", "not JSON"}


def test_times_count_from_when_a_request_is_put() -> None:
    request = written({"message_id": "m-1", "send_at": timedelta(seconds=8)}, NOW)

    assert json.loads(request) == {"message_id": "m-1", "send_at": "2026-11-21T10:00:08+00:00"}


def test_conflict_has_the_id_of_another_row_and_another_text() -> None:
    first = next(case for case in CASES if case.message_id == CONFLICT.message_id and case is not CONFLICT)
    requests = [parse_request(written(case.request, NOW), now=NOW) for case in (first, CONFLICT)]

    assert all(isinstance(request, SendRequest) for request in requests)
    assert requests[0] != requests[1]


def test_other_end_than_delivered_has_an_explanation_that_fits_its_column() -> None:
    good = ("delivered", "read", RECEIVED)
    assert {case.name for case in CASES if bool(case.end.why) == (case.end.status in good)} == set()
    assert max(len(case.end.why) for case in CASES) <= screen.WHY_WIDTH
    assert max(len(case.name) for case in CASES) <= screen.NAME_WIDTH


def test_the_demo_knows_the_statuses_of_the_stack() -> None:
    assert {status.value for status in Status if status.is_final} | {REJECTED, RECEIVED} == FINAL
    assert {status.value for status in Status if status.rank <= Status.SENDING.rank} == AT_SENDER
    assert screen.STYLES.keys() == {status.value for status in Status} | {REJECTED, RECEIVED}


def test_rows_are_grouped_by_what_they_show() -> None:
    assert {case.group: len(GROUPS[case.group]) for case in CASES} == {
        "Delivered": 18,
        "Many at once": 8,
        "WhatsApp": 7,
        "E-mail": 6,
        "From phones, and replies": 12,
        "Not delivered, or later": 11,
        "Unknown outcome": 10,
        "Repeated and canceled": 3,
        "Wrong requests": 5,
    }
    assert max(len(f"{title} 99/99") for title in GROUPS) <= screen.NAME_WIDTH


def test_group_with_an_unknown_outcome_has_every_lost_answer_of_a_text_message() -> None:
    lost = {ending for ending, outcome in OUTCOMES.items() if outcome.fault is not Fault.NONE}

    assert {case.name[:2] for case in GROUPS["Unknown outcome"]} == lost


# --- the order of the requests ----------------------------------------------------------------------------------------


def test_requests_without_a_condition_are_sent_first() -> None:
    assert {track.case.moment for track in Watch(CASES).due(0.0)} == {Moment.FIRST}


def test_request_is_sent_once() -> None:
    assert watched().due(0.0) == []


def test_request_that_needs_an_inbound_message_waits_for_all_of_them() -> None:
    waiting = next(case for case in CASES if case.moment is Moment.HEARD)
    watch = Watch((*PHONES, waiting))
    for track in watch.tracks[:-1]:
        track.put_seconds = 0.0

    dues = []
    for phone in PHONES:
        dues.append([track.case for track in watch.due(0.0)])
        watch.hear(arrival(phone), seconds=1.0)

    assert dues == [[]] * len(PHONES)
    assert [track.case for track in watch.due(0.0)] == [waiting]


def test_phone_writes_again_until_its_message_is_heard() -> None:
    watch = Watch(PHONES[:2])
    for track in watch.tracks:
        track.put_seconds = 5.0
    watch.hear(arrival(PHONES[0]), seconds=6.0)

    dues = [[track.case for track in watch.due(seconds)] for seconds in (5.0, 65.0, 65.5)]

    assert dues == [[], [], [PHONES[1]]]


def test_a_conflict_waits_for_news_of_its_message() -> None:
    first = next(case for case in CASES if case.message_id == CONFLICT.message_id and case is not CONFLICT)
    watch = Watch((first, CONFLICT))
    watch.tracks[0].put_seconds = 0.0
    before = watch.due(0.0)

    watch.hear(change(first, 1, "sending", None), seconds=1.0)

    assert before == []
    assert [track.case for track in watch.due(0.0)] == [CONFLICT]


@pytest.mark.parametrize(
    ("status", "is_due"),
    [
        ("scheduled", False),
        ("sending", False),
        ("queued", False),
        ("unknown", True),
        ("accepted", True),
        ("failed", True),
    ],
)
def test_vendor_goes_out_of_order_only_when_no_request_is_left(status: str, is_due: bool) -> None:
    last = next(case for case in CASES if case.moment is Moment.LAST)
    watch = Watch((PLAIN, last))
    watch.tracks[0].put_seconds = 0.0

    watch.hear(change(PLAIN, 1, status, None), seconds=1.0)

    assert bool(watch.due(0.0)) == is_due


def test_a_cancel_follows_the_first_news_of_its_message() -> None:
    canceled = next(case for case in CASES if case.then)
    track = heard(canceled, change(canceled, 1, "scheduled", None))
    watch = Watch(())
    watch.tracks = [track]

    assert watch.due_again() == [track]
    track.is_second_put = True
    assert watch.due_again() == []


# --- the results ------------------------------------------------------------------------------------------------------


def test_message_with_the_expected_end_has_no_objection() -> None:
    track = heard(PLAIN, *course(PLAIN, "sending", "accepted", "delivered"))

    assert objections(track, acceptances=1, stored="delivered") == []
    assert (track.attempts, track.seconds, track.has_ended) == (1, 3.0, True)


@pytest.mark.parametrize(
    ("statuses", "acceptances", "stored", "objection"),
    [
        ([], 0, None, "nothing was heard of it"),
        (["sending", "unknown"], 1, "unknown", "unknown, not delivered"),
        (["sending", "queued", "sending", "delivered"], 1, "delivered", "2 attempts, not 1"),
        (["sending", "delivered"], 2, "delivered", "accepted 2 times, not 1"),
        (["sending", "delivered"], 0, "delivered", "accepted 0 times, not 1"),
        (["sending", "delivered"], 1, "sent", "the table says sent, the last event delivered"),
    ],
)
def test_unexpected_end_is_named(statuses: list[str], acceptances: int, stored: str | None, objection: str) -> None:
    track = heard(PLAIN, *course(PLAIN, *statuses))

    assert objections(track, acceptances=acceptances, stored=stored) == [objection]


def test_a_failure_must_have_the_reason_and_the_detail() -> None:
    case = next(case for case in CASES if case.name == "24 no credit")
    failure = {"reason": "expired", "provider_code": None, "detail": f"too late; {case.end.detail}"}
    events = [change(case, 1, "sending", None), change(case, 2, "failed", "sending", failure=failure)]
    other = {"reason": "blocked", "provider_code": None, "detail": None}
    others = [events[0], change(case, 2, "failed", "sending", failure=other)]

    assert objections(heard(case, *events), acceptances=0, stored="failed") == []
    assert objections(heard(case, *others), acceptances=0, stored="failed") == [
        "the reason is blocked, not expired",
        "the detail is: ",
    ]


def test_a_gap_in_the_events_is_an_objection() -> None:
    events = course(PLAIN, "sending", "accepted", "delivered")

    assert objections(heard(PLAIN, events[0], events[2]), acceptances=1, stored="delivered") == ["its events have gaps"]


def test_message_has_not_ended_while_an_event_is_on_its_way() -> None:
    first, second, third = course(PLAIN, "sending", "accepted", "delivered")

    ends = [heard(PLAIN, *events).has_ended for events in ([first, third], [first, third, second])]

    assert ends == [False, True]


def test_message_that_should_be_read_has_not_ended_when_it_is_delivered() -> None:
    case = next(case for case in CASES if case.end.status == "read")

    ends = [heard(case, *course(case, "sending", "accepted", *last)).has_ended for last in (["delivered"], ["read"])]

    assert ends == [False, True]


def test_order_and_repetition_of_the_events_change_nothing() -> None:
    events = course(PLAIN, "sending", "accepted", "delivered")

    track = heard(PLAIN, events[2], events[0], events[0], events[1])

    assert [news.status for news in track.news] == ["sending", "accepted", "delivered"]
    assert objections(track, acceptances=1, stored="delivered") == []


def test_a_rejection_is_news_of_the_conflict_and_not_of_its_message() -> None:
    first = next(case for case in CASES if case.message_id == CONFLICT.message_id and case is not CONFLICT)

    watch = watched(rejection(first.message_id or ""), cases=(first, CONFLICT))

    assert [track.status for track in watch.tracks] == [None, REJECTED]
    assert objections(watch.tracks[1], acceptances=0, stored="accepted") == []


def test_body_without_an_id_gets_the_id_of_the_queue() -> None:
    watch = Watch((NOT_JSON,))
    watch.tracks[0].message_id = "id-of-the-queue"
    failure = {"reason": "invalid_request", "provider_code": None, "detail": "body: not JSON in UTF-8"}

    watch.hear(rejection("id-of-the-queue", "invalid_request"), seconds=1.0)
    watch.hear(change(NOT_JSON, 1, "failed", None, message_id="id-of-the-queue", failure=failure), seconds=1.0)

    assert objections(watch.tracks[0], acceptances=0, stored="failed") == []
    assert (watch.events, watch.is_over) == (2, True)


def test_inbound_message_is_found_once_by_number_and_text() -> None:
    first, second, *_ = PHONES
    watch = watched(arrival(second), arrival(second), arrival(PHONES[-1]), cases=(first, second))

    assert [track.status for track in watch.tracks] == [None, RECEIVED]
    assert objections(watch.tracks[1], acceptances=0, stored=None) == []


def test_messages_to_different_numbers_are_counted_apart() -> None:
    one, other = [case for case in CASES if case.name.startswith("in a list of numbers")][:2]
    taken = {(one.text_sha256, one.number): 1, ("f00d", other.number): 1}

    assert (one.text_sha256, one.taken(taken), other.taken(taken)) == (other.text_sha256, 1, 0)


def test_verdict_names_rows_and_texts_that_were_not_sent() -> None:
    watch = watched(*course(PLAIN, "sending", "unknown"))
    taken = {(PLAIN.text_sha256, PLAIN.number): 1, ("f00d", "855"): 1}
    well = watched(*course(PLAIN, "sending", "delivered"))

    assert watch.verdict(taken, {PLAIN.message_id or "": "unknown"}, CALLS) == Verdict(
        wrong=("smspoh, 10 delivered: unknown, not delivered", "a vendor took what nobody sent: f00d")
    )
    assert (
        well.verdict({(PLAIN.text_sha256, PLAIN.number): 1}, {PLAIN.message_id or "": "delivered"}, CALLS) == Verdict()
    )


def test_verdict_names_an_operation_without_a_call() -> None:
    calls = {**CALLS, "smsnoc": {**CALLS["smsnoc"], "balance": 0}}

    assert Watch(()).verdict({}, {}, calls) == Verdict(wrong=("smsnoc: nobody called balance",))


# --- the screen -------------------------------------------------------------------------------------------------------

BOTH = (PLAIN, SILENT)
NEWS = [
    *course(PLAIN, "sending", "accepted", "delivered", source="webhook"),
    *course(SILENT, "sending", "accepted", "unconfirmed", source="sweep"),
]
TAKEN = Counter({(case.text_sha256, case.number): 1 for case in BOTH})


def test_a_wide_screen_has_a_line_for_each_row() -> None:
    assert shown(screen.table(watched(*NEWS, cases=BOTH).tracks, TAKEN, 120), 120) == [
        "  message                        vendor  status                                news by took   s as it should:",
        "✓ Delivered 1/1",
        "✓ 10 delivered                   smspoh  sending › accepted › delivered        webhook 1/1    3",
        "✓ Not delivered, or later 1/1",
        "✓ 12 silent                      smsnoc  sending › accepted › unconfirmed      sweep   1/1    6 "
        "the vendor stays silent",
    ]


def test_a_narrow_screen_puts_the_explanation_under_the_name() -> None:
    assert shown(screen.table(watched(*NEWS, cases=BOTH).tracks, TAKEN, 80), 80) == [
        "  message",
        "     as it should:               vendor  status                 news by took   s",
        "✓ Delivered 1/1",
        "✓ 10 delivered                   smspoh  sending › accepted ›   webhook 1/1    3",
        "                                         delivered",
        "✓ Not delivered, or later 1/1",
        "✓ 12 silent                      smsnoc  sending › accepted ›   sweep   1/1    6",
        "     the vendor stays silent             unconfirmed",
    ]


@pytest.mark.parametrize(
    ("statuses", "taken", "mark"), [(["sending"], 1, "·"), (["delivered"], 1, "✗"), (["sending", "delivered"], 2, "✗")]
)
def test_the_mark_of_a_row_is_its_verdict(statuses: list[str], taken: int, mark: str) -> None:
    tracks = [heard(PLAIN, *course(PLAIN, *statuses))]

    lines = shown(screen.table(tracks, {(PLAIN.text_sha256, PLAIN.number): taken}, 120), 120)

    assert [line[0] for line in lines[1:]] == [mark, mark]


def test_the_mark_of_a_group_is_that_of_its_worst_row() -> None:
    cases = GROUPS["Wrong requests"][:3]
    events = [change(case, 1, "failed", None, failure={"reason": case.end.reason}) for case in cases]
    wrong = [change(cases[0], 1, "delivered", None), *events[1:]]

    def heading(*heard: dict[str, Any]) -> str:
        tracks = watched(*heard, cases=tuple(replace(case, group="Wrong requests") for case in cases)).tracks
        return shown(screen.table(tracks, {}, 120, shows=lambda _: False), 120)[1]

    assert [heading(*each) for each in (events, events[1:], wrong, wrong[:1])] == [
        "✓ Wrong requests 3/3",
        "· Wrong requests 2/3",
        "✗ Wrong requests 3/3",
        "✗ Wrong requests 1/3",
    ]


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_no_line_is_wider_than_the_screen_and_no_word_is_cut(width: int) -> None:
    events = [event for case in CASES for event in course(case, "sending", "queued", "sending", case.end.status)]
    lines = shown(screen.table(watched(*events, cases=CASES).tracks, {}, width), width)

    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines)
    assert not re.search(r"(?m)^\S*(deliv|unconf|sendi)$", "\n".join(lines))


@pytest.mark.parametrize(
    ("height", "rows"),
    [
        (100, ["✓ Delivered 1/1", "✓ 10 delivered", "· Not delivered, or later 0/1", "· 12 silent"]),
        (11, ["✓ Delivered 1/1", "· Not delivered, or later 0/1", "· 12 silent"]),
        (10, ["✓ Delivered 1/1", "· Not delivered, or later 0/1"]),
    ],
)
def test_low_screen_leaves_out_rows_with_an_end_and_then_all_rows(height: int, rows: list[str]) -> None:
    watch = watched(*NEWS[:3], *NEWS[3:5], cases=BOTH)
    console = Console(width=120, height=height, color_system=None, legacy_windows=False)

    lines = shown(screen.live(watch, TAKEN, 10.0, console), 120)

    assert len(lines) < height
    assert [line[:32].rstrip() for line in lines[lines.index("") + 2 :]] == rows


@pytest.mark.parametrize(
    ("width", "statuses", "rows"),
    [(120, ["sending"], 3), (80, ["sending"], 2), (80, ["sending", "queued", "sending", "queued"], 1)],
)
def test_screen_that_is_too_low_for_all_unfinished_rows_shows_those_with_the_latest_news(
    width: int, statuses: list[str], rows: int
) -> None:
    cases = GROUPS["Delivered"][:6]
    events = [event for case in cases for event in course(case, *statuses)]
    console = Console(width=width, height=12, color_system=None, legacy_windows=False)

    lines = shown(screen.live(watched(*events, cases=tuple(cases)), {}, 10.0, console), width)

    vendors = [case.vendor for case in cases[-rows:]]
    assert len(lines) < console.height
    assert [line.split()[3] for line in lines if line.startswith("· 1")] == vendors


def test_screen_has_the_legend_and_the_progress_from_the_start() -> None:
    console = Console(width=120, height=20, color_system=None, legacy_windows=False)

    lines = shown(screen.live(watched(*NEWS[:3], cases=BOTH), TAKEN, 10.0, console, is_busy=True), 120)

    assert lines[:4] == [
        *screen.LEGEND.splitlines(),
        "━━━━━━━━━━           1 of 2 ended after 10 s; the slowest usually needs 190 s, longer on this busy computer",
    ]


@pytest.mark.parametrize("text", screen.LEGEND.splitlines())
def test_legend_fits_a_narrow_screen(text: str) -> None:
    assert len(text) <= 80


def test_screen_names_the_rows_that_it_waits_for() -> None:
    watch = watched(*course(PLAIN, "sending", "accepted"), cases=BOTH)

    assert screen.waiting(watch, 37.0).plain == (
        "1 wait to be sent, or for the vendor's answer; "
        "1 wait for a receipt, or for the follow-up, which runs every minute: next within 23 s"
    )


def test_the_operations_are_shown_with_their_calls() -> None:
    lines = shown(screen.operations({"nomsa": {"send": 12}}), 120)

    assert lines[:3] == [
        "  vendor  operation                   calls",
        "✓ nomsa   send                           12",
        "✗ nomsa   list                            0",
    ]
    assert len(lines) == 1 + sum(map(len, OPERATIONS.values()))


def test_without_a_terminal_each_message_that_ended_is_a_line() -> None:
    assert shown(screen.line(heard(PLAIN, *NEWS[:3]), TAKEN, "12/80"), 120) == [
        "  12/80 ✓ smspoh  10 delivered                   sending › accepted › delivered, by webhook, 3 s, took 1/1"
    ]


def test_the_conclusion_sums_up() -> None:
    lines = shown(screen.conclusion(watched(*NEWS, cases=BOTH), TAKEN, CALLS, Verdict(), 120), 120)

    assert lines[-5:] == [
        "2 rows, 2 accepted by the vendors, 6 events",
        "the last word: 1 by webhook, 1 by sweep",
        "the slowest: smsnoc 12 silent, 6 s",
        "",
        "Every message ended as it should, and none was taken twice.",
    ]


@pytest.mark.parametrize(
    ("verdict", "ending"),
    [
        (Verdict(wrong=("nomsa, 10 delivered: unknown",)), ["Not as it should be:", "  nomsa, 10 delivered: unknown"]),
        (Verdict(excuse="This computer is too busy."), ["", "This computer is too busy."]),
        (
            Verdict(wrong=("nomsa, 10: twice",), excuse="This computer is too busy."),
            ["Not as it should be:", "  nomsa, 10: twice", "This computer is too busy."],
        ),
    ],
)
def test_conclusion_names_the_objections_and_the_excuse(verdict: Verdict, ending: list[str]) -> None:
    lines = shown(screen.conclusion(watched(*NEWS, cases=BOTH), TAKEN, CALLS, verdict, 120), 120)

    assert lines[-len(ending) :] == ending


def test_picture_shows_the_table_and_the_verdict_and_loads_nothing() -> None:
    drawing = screen.picture(watched(*NEWS, cases=BOTH), TAKEN, Verdict())

    texts = "".join(ElementTree.fromstring(drawing).itertext()).replace("\xa0", " ")  # noqa: S314
    assert "10 delivered" in texts
    assert "the vendor stays silent" in texts
    assert "Every message ended as it should, and none was taken twice." in texts
    assert "nomsa" not in texts
    assert re.findall(r"url\((?!#)|href=|@import", drawing) == []


def test_an_attempt_without_a_call_is_not_counted() -> None:
    watch = Watch([PLAIN])
    released = {"reason": "provider_error", "provider_code": None, "detail": f"{NO_CALL}: no time was left"}
    for event in [
        change(PLAIN, 1, "sending", None),
        change(PLAIN, 2, "queued", "sending", failure=released),
        change(PLAIN, 3, "sending", "queued"),
    ]:
        watch.hear(event, seconds=1.0)

    assert watch.tracks[0].attempts == 1
    assert outcome.NO_CALL == NO_CALL


def test_a_call_for_several_messages_is_optional_on_a_busy_computer() -> None:
    calls = {vendor: {name: 1 for name in names if name != "send_bulk"} for vendor, names in OPERATIONS.items()}
    del calls["philsms"]["list"]

    assert Watch(()).verdict({}, {}, calls) == Verdict(
        wrong=("philsms: nobody called list", "smspoh: nobody called send_bulk")
    )
    assert Watch(()).verdict({}, {}, calls, optional=BATCHED_OPERATIONS) == Verdict()


# --- a busy computer --------------------------------------------------------------------------------------------------

IDLE, SHARED_BY_FOUR = 1.0, 0.25


class SlowStack(Caller):
    """A stack on which each message moves once in a while, on a clock that only the demo's sleep moves."""

    def __init__(self, *courses: tuple[Case, tuple[str, ...]], pause: float) -> None:
        self.now = 0.0
        self.settings: list[dict[str, Any]] = []
        self._pause = pause
        self._courses = courses
        self._sent: list[tuple[float, dict[str, Any]]] = []
        self._stored: dict[str, str] = {}

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def change_settings(self, changes: Mapping[str, Any]) -> None:
        self.settings.append({**changes, "after": self.now})
        if changes.keys() == {"report_horizon_hours"}:
            self._sent += [
                (self.now + self._pause, change(case, len(statuses) + 1, "unconfirmed", statuses[-1], source="sweep"))
                for case, statuses in self._courses
                if case.end.status == "unconfirmed"
            ]

    def check_accounts(self) -> float:
        return 0.0

    def put(self, bodies: Sequence[str], *, queue: str) -> list[str]:
        for case, statuses in self._courses if bodies else ():
            for number, event in enumerate(course(case, *statuses), start=1):
                self._sent.append((self.now + number * self._pause, event))
        return ["id"] * len(bodies)

    def receive_events(self) -> Iterator[dict[str, Any]]:
        self._sent.sort(key=lambda each: each[0])
        while self._sent and self._sent[0][0] <= self.now:
            _, event = self._sent.pop(0)
            self._stored[event["detail"]["message_id"]] = event["detail"]["status"]
            yield event

    def acceptances(self) -> Counter[Acceptance]:
        return Counter((case.text_sha256, case.number) for case, statuses in self._courses if "accepted" in statuses)

    def calls(self) -> dict[str, dict[str, int]]:
        return CALLS

    def statuses(self, message_ids: Set[str]) -> dict[str, str]:
        return self._stored


def run_demo(
    stack: SlowStack, share: float | Callable[[], float], *cases: Case, is_terminal: bool = False
) -> tuple[bool, list[str]]:
    """Return the result of a demo and the lines that it printed."""
    console = Console(
        width=120, height=20, file=io.StringIO(), color_system=None, legacy_windows=False, force_terminal=is_terminal
    )
    measure = share if callable(share) else lambda: share
    demo = Demo(stack, console, cases=cases, clock=stack.clock, sleep=stack.sleep, share=measure)
    result = demo.run()
    assert isinstance(console.file, io.StringIO)
    return result, console.file.getvalue().splitlines()


BOTH_ACCEPTED = ((PLAIN, ("sending", "accepted", "delivered")), (SILENT, ("sending", "accepted")))
ENDED_WELL = "Every message ended as it should, and none was taken twice."


@pytest.mark.parametrize("share", [IDLE, SHARED_BY_FOUR])
def test_demo_waits_as_long_as_messages_move(share: float) -> None:
    stack = SlowStack(*BOTH_ACCEPTED, pause=STALL_SECONDS - 1)

    result, lines = run_demo(stack, share, *BOTH)

    assert (result, lines[-1]) == (True, ENDED_WELL)
    assert stack.now > 3 * (STALL_SECONDS - 1)
    assert ("This computer is busy and works 4.0 times slower. So the demo takes longer." in lines) == (share < 1)


@pytest.mark.parametrize(("share", "events"), [(IDLE, 2), (SHARED_BY_FOUR, 3)])
def test_busy_computer_keeps_the_long_horizon_until_only_silence_is_left(share: float, events: int) -> None:
    stack = SlowStack(*BOTH_ACCEPTED, pause=10.0)

    run_demo(stack, share, *BOTH)

    first, second = stack.settings
    assert first == {"poll_seconds": [15, 30], "report_horizon_hours": 280 / 3600, "after": 0.0}
    assert second["report_horizon_hours"] == pytest.approx(40 / 3600)
    assert events * 10.0 < second["after"] <= events * 10.0 + 1


def test_demo_without_news_names_the_late_messages_on_an_idle_computer() -> None:
    stack = SlowStack((PLAIN, ("sending", "accepted")), (SILENT, ("sending", "accepted")), pause=1.0)

    result, lines = run_demo(stack, IDLE, *BOTH)

    assert (result, lines[-2:]) == (False, ["Not as it should be:", "  smspoh, 10 delivered: accepted, not delivered"])
    assert STALL_SECONDS < stack.now < STALL_SECONDS + 10


def test_log_has_the_legend_first_and_a_line_for_each_message_that_ended() -> None:
    _, lines = run_demo(SlowStack(*BOTH_ACCEPTED, pause=10.0), IDLE, *BOTH)

    ended = [line for line in lines if line[:7].strip().endswith("/2")]
    assert lines[:4] == [*screen.LEGEND.splitlines(), "0 of 2 ended after 0 s; the slowest usually needs 190 s"]
    assert [line[:20] for line in ended] == ["    1/2 ✓ smspoh  10", "    2/2 ✓ smsnoc  12"]
    assert [line for line in lines if "\x1b" in line or "\r" in line] == []


def test_terminal_is_drawn_at_once_and_then_once_a_second() -> None:
    result, lines = run_demo(SlowStack(*BOTH_ACCEPTED, pause=10.0), IDLE, *BOTH, is_terminal=True)

    drawn = [seconds for line in lines for seconds in re.findall(r"of 2 ended after (\d+) s", line)]
    assert (result, lines[-1]) == (True, ENDED_WELL)
    assert list(dict.fromkeys(drawn)) == [str(second) for second in range(int(drawn[-1]) + 1)]
    assert len(drawn) < 2 * len(set(drawn))


LATE = "2 of 2 messages are late or ended in another way"


def test_demo_without_news_says_in_one_sentence_that_the_computer_is_too_busy() -> None:
    late = (PLAIN, ("sending",)), (SILENT, ("sending",))
    stack = SlowStack(*late, pause=1.0)

    result, lines = run_demo(stack, SHARED_BY_FOUR, *BOTH)

    assert (result, " ".join(lines[-2:])) == (False, too_busy(LATE))
    assert stack.now == pytest.approx(2 * STALL_SECONDS, abs=10)


@pytest.mark.parametrize("shares", [[0.25], [1.0, 0.25, 1.0], [1.0, 1.0, 0.25]])
def test_computer_that_is_busy_at_any_time_is_noticed(shares: list[float]) -> None:
    late = (PLAIN, ("sending",)), (SILENT, ("sending",))
    measured = iter(shares)

    _, lines = run_demo(SlowStack(*late, pause=1.0), lambda: next(measured, shares[-1]), *BOTH)

    assert " ".join(lines[-2:]) == too_busy(LATE)


def test_load_of_the_messages_themselves_does_not_make_the_computer_busy() -> None:
    stack = SlowStack((PLAIN, ("sending",) + ("accepted",) * 20 + ("delivered",)), pause=QUIET_SECONDS - 1)

    def share() -> float:
        return SHARED_BY_FOUR if 0 < stack.now < 21 * (QUIET_SECONDS - 1) else IDLE

    _, lines = run_demo(stack, share, PLAIN)

    assert "busy" not in "".join(lines)


BUSY_CALLS = {**CALLS, "smsnoc": {**CALLS["smsnoc"], "balance": 0}}


@pytest.mark.parametrize(
    ("statuses", "taken", "calls", "excused"),
    [
        ((), 0, CALLS, True),
        (("sending", "accepted"), 1, CALLS, True),
        (("sending", "accepted", "unconfirmed"), 1, CALLS, True),
        (("sending", "queued", "sending", "accepted", "delivered"), 1, CALLS, True),
        (("failed",), 0, CALLS, True),
        (("sending", "accepted", "delivered"), 1, BUSY_CALLS, True),
        (("sending", "accepted", "delivered"), 2, CALLS, False),
        (("sending", "accepted"), 2, CALLS, False),
    ],
)
def test_busy_computer_explains_everything_but_a_message_that_was_taken_too_often(
    statuses: tuple[str, ...], taken: int, calls: dict[str, dict[str, int]], excused: bool
) -> None:
    watch = watched(*course(PLAIN, *statuses))
    stored = {PLAIN.message_id or "": statuses[-1]} if statuses else {}

    verdicts = [
        watch.verdict({(PLAIN.text_sha256, PLAIN.number): taken}, stored, calls, is_busy=is_busy)
        for is_busy in (False, True)
    ]

    assert [verdict.is_good for verdict in verdicts] == [False, False]
    assert [bool(verdict.excuse) for verdict in verdicts] == [False, excused]
    assert (verdicts[1].wrong == ()) is excused


def test_busy_computer_explains_no_text_that_nobody_sent() -> None:
    assert Watch(()).verdict({("f00d", "855"): 1}, {}, CALLS, is_busy=True) == Verdict(
        wrong=("a vendor took what nobody sent: f00d",)
    )


def test_demo_ends_although_messages_never_stop_moving() -> None:
    restless = ("sending", "queued") * 10
    stack = SlowStack((PLAIN, restless), pause=STALL_SECONDS - 1)

    result, _ = run_demo(stack, IDLE, PLAIN)

    assert not result
    assert stack.now == pytest.approx(MAX_SECONDS, abs=1)


@pytest.mark.parametrize(
    ("probe_seconds", "share", "slowness"), [(0.1, 1.0, 1.0), (4.0, 1.0, 2.0), (0.1, 0.25, 4.0), (10.0, 0.25, 5.0)]
)
def test_slowness_follows_the_probe_and_the_share_of_a_core(
    probe_seconds: float, share: float, slowness: float
) -> None:
    assert slowness_of(probe_seconds, share) == slowness


def test_share_of_a_core_is_processor_time_per_second() -> None:
    ticks = iter(range(1000))

    def processor() -> float:
        return next(ticks) * SHARE_SECONDS / 10

    walls = iter([100.0, 100.0 + 4 * SHARE_SECONDS])

    assert cpu_share(lambda: next(walls), processor) == pytest.approx(0.25)
