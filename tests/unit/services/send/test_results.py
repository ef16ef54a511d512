"""The result stage: every outcome is stored, also over a newer revision of its message."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sampai.domain.failure import Reason
from sampai.domain.message import Media, Message, apply_report, mark_unknown, requeue
from sampai.domain.outcome import NotTaken, Outcome, Taken, Unknown
from sampai.domain.report import Report
from sampai.domain.status import Source, Status
from sampai.services.ports.correlations import Correlation, LinkCorrelation
from sampai.services.ports.messages import Replace, Write
from sampai.services.ports.runtime import UnavailableError
from sampai.services.reports import Reports
from sampai.services.send.attachments import AttachmentStore
from sampai.services.send.batch import Batch, BatchItem
from sampai.services.send.commits import Commits
from sampai.services.send.results import Results
from tests.fakes import (
    START,
    FixedClock,
    InMemoryEncryptionKeys,
    InMemoryMedia,
    InMemoryStore,
    RecordingTelemetry,
)
from tests.harness.sending import new_batch
from tests.unit.services.send.items import claimed, draft, item_of, queued, sending_item

TAKEN = Taken(provider_message_id="v-1", provider_status="UNSENT")
LOST = Unknown(why="timed out")
THROTTLED = NotTaken(reason=Reason.RATE_LIMITED, is_final=False, provider_code="429", retry_after_seconds=7)
REFUSED = NotTaken(reason=Reason.INVALID_SENDER, is_final=True, provider_code="E1")
DELIVERED = Report(provider_message_id="v-1", status=Status.DELIVERED, provider_status="DELIVERED")


class Stage:
    """The stage on fakes, with the claims of its items stored."""

    def __init__(self, *items: BatchItem) -> None:
        self.store = InMemoryStore()
        self.store.messages = {item.message.message_id: item.message for item in items}
        self.media = InMemoryMedia()
        self.telemetry = RecordingTelemetry()
        self.seconds_left = 20.0
        self.batch = new_batch(items=items, remaining=lambda: self.seconds_left)
        clock = FixedClock()
        self.results = Results(
            messages=self.store,
            commits=Commits(messages=self.store, sleep=self.sleep, telemetry=self.telemetry),
            reports=Reports(messages=self.store, correlations=self.store, clock=clock, telemetry=self.telemetry),
            attachments=AttachmentStore(
                media=self.media,
                encryption_keys=InMemoryEncryptionKeys(),
                new_key=lambda: "key",
                telemetry=self.telemetry,
            ),
            clock=clock,
            telemetry=self.telemetry,
        )

    def sleep(self, seconds: float) -> None:
        self.seconds_left -= seconds

    def finish(self) -> Batch:
        self.results.store(self.batch)
        return self.batch

    def message(self) -> Message:
        return self.store.messages["m-1"]


OUTCOMES: list[tuple[str, Outcome, Status, int | None, str, dict[str, Any]]] = [
    ("accepted", TAKEN, Status.ACCEPTED, None, "SendAccepted", {"provider_message_id": "v-1"}),
    ("unknown", LOST, Status.UNKNOWN, None, "SendUnknown", {"why": "timed out"}),
    (
        "throttled",
        THROTTLED,
        Status.QUEUED,
        7,
        "SendRejected",
        {"reason": Reason.RATE_LIMITED, "provider_code": "429"},
    ),
    ("refused", REFUSED, Status.FAILED, None, "SendRejected", {"reason": Reason.INVALID_SENDER, "provider_code": "E1"}),
]


@pytest.mark.parametrize(
    ("outcome", "status", "wake_up", "metric", "fields"), [o[1:] for o in OUTCOMES], ids=[o[0] for o in OUTCOMES]
)
def test_an_outcome_is_stored_logged_and_counted(
    outcome: Outcome, status: Status, wake_up: int | None, metric: str, fields: dict[str, Any]
) -> None:
    item = sending_item(outcome=outcome)
    stage = Stage(item)

    batch = stage.finish()

    assert (stage.message().status, item.stored, batch.unfinished) == (status, stage.message(), set())
    assert [noted.delay_seconds for noted in batch.wake_ups] == ([] if wake_up is None else [wake_up])
    known = {"message_id": "m-1", "caller": None, "provider": "nomsa", "attempt": 1, "segments": 1}
    expected = known | {"outcome": type(outcome).__name__} | fields
    assert stage.telemetry.lines == [("info", "message attempted", expected)]
    assert stage.telemetry.counts == {(metric, "nomsa"): 1}


def test_all_outcomes_and_links_are_stored_in_one_commit() -> None:
    stage = Stage(sending_item("m-1", outcome=TAKEN), sending_item("m-2", outcome=LOST))

    stage.finish()

    assert [[type(write) for write in commit] for commit in stage.store.commits] == [
        [Replace, Replace, LinkCorrelation]
    ]
    assert stage.store.buffered == {"nomsa#sms#v-1": Correlation(key="nomsa#sms#v-1", message_id="m-1", attempt=1)}


def test_an_item_that_was_not_sent_is_left_alone() -> None:
    stage = Stage(item_of(draft(), queued()))

    stage.finish()

    assert (stage.message(), stage.telemetry.lines, stage.store.commits) == (queued(), [], [])


SENT = claimed()
EXPIRED_LEASE = mark_unknown(SENT, now=START, due_at=START, source=Source.SWEEP)
SUPERSEDED = replace(
    requeue(SENT, route=("nomsa",), failure=None, now=START, due_at=START, source=Source.SWEEP), attempt_id="a-2"
)
REPORTED = apply_report(SENT, DELIVERED, now=START, source=Source.WEBHOOK)

OVERTAKEN: list[tuple[str, Message, Outcome, Status]] = [
    ("accepted after its lease", EXPIRED_LEASE, TAKEN, Status.ACCEPTED),
    ("refused after its lease", EXPIRED_LEASE, REFUSED, Status.FAILED),
    ("unknown after its lease", EXPIRED_LEASE, LOST, Status.UNKNOWN),
    ("accepted after its report", REPORTED, TAKEN, Status.DELIVERED),
    ("refused after its report", REPORTED, REFUSED, Status.DELIVERED),
    ("accepted, but superseded", SUPERSEDED, TAKEN, Status.QUEUED),
    ("refused, but superseded", SUPERSEDED, REFUSED, Status.QUEUED),
]


@pytest.mark.parametrize(("current", "outcome", "status"), [o[1:] for o in OVERTAKEN], ids=[o[0] for o in OVERTAKEN])
def test_an_outcome_counts_for_a_newer_revision_of_the_same_attempt(
    current: Message, outcome: Outcome, status: Status
) -> None:
    stage = Stage(sending_item(outcome=outcome))
    stage.store.messages["m-1"] = current

    batch = stage.finish()

    assert (stage.message().status, batch.unfinished) == (status, set())
    if current is SUPERSEDED:
        assert stage.message() == SUPERSEDED


def test_an_outcome_that_is_applied_twice_plans_one_wake_up() -> None:
    stage = Stage(sending_item(outcome=THROTTLED))
    stage.store.messages["m-1"] = EXPIRED_LEASE

    batch = stage.finish()

    assert [(wake_up.attempt, wake_up.delay_seconds) for wake_up in batch.wake_ups] == [(2, 7)]
    assert stage.message().due_at == START + timedelta(seconds=7 + 120)


def test_an_outcome_without_an_answer_is_repeated_alone() -> None:
    items = [sending_item("m-1", outcome=TAKEN), sending_item("m-2", outcome=LOST)]
    stage = Stage(*items)
    stage.store.outages.append(Replace)

    stage.finish()

    assert [item.stored for item in items] == [stage.store.messages["m-1"], stage.store.messages["m-2"]]
    assert [len(commit) for commit in stage.store.commits] == [3, 1]


def test_outcomes_are_repeated_until_only_the_time_to_queue_them_is_left() -> None:
    item = sending_item(outcome=TAKEN)
    stage = Stage(item)
    stage.store.is_down = True

    batch = stage.finish()

    assert (item.stored, batch.unfinished) == (None, set())
    assert 6 <= stage.seconds_left < 7


def test_an_outcome_that_raises_leaves_the_others() -> None:
    items = [sending_item("m-1", outcome=THROTTLED), sending_item("m-2", outcome=LOST)]
    stage = Stage(*items)

    def refuse_the_first(writes: Sequence[Write]) -> None:
        if any(isinstance(write, Replace) and write.message.message_id == "m-1" for write in writes):
            raise OverflowError

    stage.store.before_commit = refuse_the_first

    stage.finish()

    assert [item.stored for item in items] == [None, stage.store.messages["m-2"]]


def test_reports_that_arrived_first_are_applied() -> None:
    stage = Stage(sending_item(outcome=TAKEN))
    stage.store.buffered["nomsa#sms#v-1"] = Correlation(key="nomsa#sms#v-1", reports=(DELIVERED,))

    stage.finish()

    assert stage.message().status is Status.DELIVERED
    assert stage.store.buffered["nomsa#sms#v-1"].message_id == "m-1"


def test_a_correlation_that_fails_is_logged_and_left_to_the_follow_up() -> None:
    stage = Stage(sending_item(outcome=TAKEN))
    stage.store.buffered["nomsa#sms#v-1"] = Correlation(key="nomsa#sms#v-1", reports=(DELIVERED,))

    def be_unavailable(key: str, message_id: str, attempt: int | None = None) -> Correlation:
        raise UnavailableError("down")

    stage.store.claim = be_unavailable  # type: ignore[method-assign]

    batch = stage.finish()

    assert (stage.message().status, batch.unfinished) == (Status.ACCEPTED, set())
    assert ("warning", "correlation incomplete", {"message_id": "m-1"}) in stage.telemetry.lines


def test_a_file_is_deleted_after_the_message_was_accepted() -> None:
    stage = Stage(sending_item(outcome=TAKEN, content=Media(media_key="m-1/a", size=1)))
    stage.media.files["m-1/a"] = b"1"

    stage.finish()

    assert stage.media.files == {}
