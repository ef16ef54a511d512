"""The claim stage: only a message that this batch has stored is sent by it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from sampai.contract.events import request_rejected
from sampai.domain.caller import Caller
from sampai.domain.failure import Failure, Reason
from sampai.domain.message import Attachments, Media, Message, fail, mark_unknown
from sampai.domain.outcome import Outcome
from sampai.domain.status import Source, Status
from sampai.services.ports.messages import Insert, Replace, Write, WriteResult
from sampai.services.send.attachments import AttachmentStore
from sampai.services.send.batch import Batch, BatchItem
from sampai.services.send.claims import Claims
from sampai.services.send.commits import Commits
from sampai.services.send.provider_calls import NO_TIME
from tests.fakes import (
    START,
    FixedClock,
    InMemoryEncryptionKeys,
    InMemoryMedia,
    InMemoryStore,
    RecordingTelemetry,
)
from tests.harness.application import Application, request
from tests.harness.sending import LEASE, new_batch
from tests.unit.services.send.items import claimed, draft, item_of, provider, queued, sending_item

DETAIL = "message_id: already stands for a different request"


class Stage:
    """The stage on fakes."""

    def __init__(self, *stored: Message) -> None:
        self.clock = FixedClock()
        self.store = InMemoryStore()
        self.store.messages = {message.message_id: message for message in stored}
        self.media = InMemoryMedia()
        self.telemetry = RecordingTelemetry()
        attachments = AttachmentStore(
            media=self.media,
            encryption_keys=InMemoryEncryptionKeys(),
            new_key=lambda: "key",
            telemetry=self.telemetry,
        )
        self.claims = Claims(
            messages=self.store,
            commits=Commits(messages=self.store, sleep=self.sleep, telemetry=self.telemetry),
            attachments=attachments,
            clock=self.clock,
            telemetry=self.telemetry,
        )

    def sleep(self, seconds: float) -> None:
        self.clock.advance(seconds=seconds)

    def claim(self, *items: BatchItem) -> Batch:
        ends_at = self.clock.now + timedelta(seconds=30)
        batch = new_batch(items=items, remaining=lambda: (ends_at - self.clock.now).total_seconds())
        self.claims.store(batch)
        return batch


def names(batch: Batch) -> list[str]:
    return [item.message.message_id for item in batch.items]


def test_all_decisions_are_stored_in_one_commit() -> None:
    stage = Stage(queued("m-2"))
    started = item_of(queued("m-2"), claimed("m-2"), record_id="r-2")
    started.message = replace(claimed("m-2"), revision=2)

    batch = stage.claim(sending_item("m-1"), started)

    assert [[type(write) for write in commit] for commit in stage.store.commits] == [[Insert, Replace]]
    assert (names(batch), batch.unfinished) == (["m-1", "m-2"], set())
    assert stage.store.messages == {"m-1": claimed("m-1"), "m-2": started.message}


EXISTING = [
    ("our own write, seen twice", claimed(), START, ["m-1"], set()),
    ("claimed by another worker", claimed(attempt_id="a-2"), START, [], {"r-1"}),
    ("its lease has expired", claimed(attempt_id="a-2"), START + LEASE, [], set()),
    ("queued", queued(), START, [], set()),
    ("accepted", replace(claimed(), status=Status.ACCEPTED), START, [], set()),
    ("a cancel without a request", replace(queued(), fingerprint=None, status=Status.CANCELED), START, [], set()),
]


@pytest.mark.parametrize(
    ("current", "now", "claimed_names", "unfinished"), [e[1:] for e in EXISTING], ids=[e[0] for e in EXISTING]
)
def test_a_request_for_an_existing_message_is_not_sent_again(
    current: Message, now: object, claimed_names: list[str], unfinished: set[str]
) -> None:
    stage = Stage(current)
    stage.clock.now = now  # type: ignore[assignment]

    batch = stage.claim(sending_item())

    assert (names(batch), batch.unfinished, batch.rejected) == (claimed_names, unfinished, [])


def test_a_message_with_an_expired_lease_becomes_unknown() -> None:
    current = claimed(attempt_id="a-2")
    stage = Stage(current)
    stage.clock.now = START + LEASE

    stage.claim(sending_item())

    assert stage.store.messages["m-1"] == mark_unknown(
        current, now=START + LEASE, due_at=START + LEASE, source=Source.SEND
    )


def test_an_expired_lease_that_cannot_be_stored_comes_back() -> None:
    stage = Stage(claimed(attempt_id="a-2"))
    stage.clock.now = START + LEASE
    stage.store.outages.append(Replace)

    assert stage.claim(sending_item()).unfinished == {"r-1"}


def test_a_different_request_under_the_same_id_is_rejected_and_its_caller_is_named() -> None:
    first, second = (Caller(id=f"AROA{name.upper()}", name=name) for name in ("payments", "shop"))
    stage = Stage(claimed(fingerprint="another digest", attempt_id="a-2", caller=first))

    batch = stage.claim(sending_item(caller=second))

    assert (names(batch), batch.unfinished) == ([], set())
    rejected = request_rejected("m-1", "id_conflict", DETAIL, caller=second)
    assert (batch.rejected, batch.rejected_records) == ([rejected], {"r-1"})
    assert stage.telemetry.lines == [("warning", "id conflict", {"message_id": "m-1", "caller": "shop"})]
    assert stage.store.messages["m-1"].caller == first


def test_a_waiting_message_that_another_worker_has_claimed_is_left_alone() -> None:
    stage = Stage(replace(claimed(attempt_id="a-2"), revision=2))
    item = item_of(queued(), replace(claimed(), revision=2))
    item.provider = provider()

    batch = stage.claim(item)

    assert (names(batch), batch.unfinished, batch.rejected) == ([], set(), [])
    assert stage.store.messages["m-1"].attempt_id == "a-2"


def test_a_claim_without_an_answer_is_repeated_alone() -> None:
    stage = Stage()
    stage.store.outages.append(Insert)

    batch = stage.claim(sending_item("m-1"), sending_item("m-2"))

    assert (names(batch), batch.unfinished) == (["m-1", "m-2"], set())
    assert [[write.message.message_id for write in commit] for commit in stage.store.commits] == [  # type: ignore[union-attr]
        ["m-1", "m-2"],
        ["m-1"],
    ]


def test_a_claim_that_the_store_never_answers_is_not_sent_and_keeps_no_other_from_it() -> None:
    stage = Stage()
    commit = stage.store.commit

    def lose_the_first(writes: Sequence[Write]) -> list[WriteResult]:
        written = commit(writes)
        lost = WriteResult(done=False)
        return [
            lost if isinstance(write, Insert) and write.message.message_id == "m-1" else result
            for write, result in zip(writes, written, strict=True)
        ]

    stage.store.commit = lose_the_first  # type: ignore[method-assign]

    first, second, scheduled = sending_item("m-1"), sending_item("m-2"), item_of(draft("m-1"), queued("m-1"))
    batch = stage.claim(first, second)

    assert (first.provider, first.outcome, first.is_claim_confirmed) == (None, NO_TIME, False)
    assert (second.outcome, second.is_claim_confirmed) == (None, True)
    assert batch.unfinished == set()
    assert batch.deadline.has_time_for_call()
    assert stage.claim(scheduled).affected_by_outage == {"r-1"}


OWN = [
    ("with its lease", claimed(), None),
    ("after its lease", mark_unknown(claimed(), now=START, due_at=START, source=Source.SWEEP), NO_TIME),
]


@pytest.mark.parametrize(("current", "outcome"), [o[1:] for o in OWN], ids=[o[0] for o in OWN])
def test_an_own_claim_is_recognised_by_its_attempt_whatever_else_was_stored(
    current: Message, outcome: Outcome | None
) -> None:
    stored = replace(current, metadata={"of": "a later release"}, attachments=Attachments())
    stage = Stage(stored)

    item = sending_item()
    batch = stage.claim(item)

    assert (names(batch), batch.unfinished) == (["m-1"], set())
    assert (item.message, item.outcome) == (stored, outcome)


@pytest.mark.parametrize("record_count", [1, 3])
def test_a_write_that_raises_comes_back_and_leaves_the_others(record_count: int) -> None:
    stage = Stage()

    def refuse_the_first(writes: Sequence[Write]) -> None:
        if any(isinstance(write, Insert) and write.message.message_id == "m-1" for write in writes):
            raise OverflowError

    stage.store.before_commit = refuse_the_first

    batch = stage.claim(*(sending_item(f"m-{number}") for number in range(1, record_count + 1)))

    assert names(batch) == ["m-2", "m-3"][: record_count - 1]
    assert (batch.unfinished, batch.affected_by_outage) == ({"r-1"}, set())
    assert ("error", "write failed", {"kind": "Insert", "error": "OverflowError"}) in stage.telemetry.lines


def test_a_message_comes_back_unclaimed_if_its_file_cannot_be_stored() -> None:
    stage = Stage()
    stage.media.is_down = True
    with_file = sending_item("m-1", content=Media(size=1), attachments=Attachments(file=b"1"))

    batch = stage.claim(with_file, sending_item("m-2"))

    assert (names(batch), batch.unfinished) == (["m-2"], {"r-1"})
    assert stage.store.messages.keys() == {"m-2"}


def test_the_file_of_a_request_that_came_twice_is_kept_for_the_first() -> None:
    stage = Stage()
    first, second = (sending_item("m-1", content=Media(size=1), attachments=Attachments(file=b"1")) for _ in range(2))
    second.message = replace(second.message, attempt_id="a-2")

    stage.claim(first)
    stage.claim(second)

    assert len(stage.media.files) == 1


FAILURES = [
    ("blocked", Reason.BLOCKED, {("MessageRejected", None): 1, ("MessageBlocked", None): 1}),
    ("expired", Reason.EXPIRED, {("MessageRejected", None): 1}),
]


@pytest.mark.parametrize(("reason", "counts"), [f[1:] for f in FAILURES], ids=[f[0] for f in FAILURES])
def test_a_message_that_failed_is_logged_once_it_is_stored(
    reason: Reason, counts: dict[tuple[str, str | None], int]
) -> None:
    stage = Stage()
    failed = fail(draft(), Failure(reason=reason, detail="why"), now=START, source=Source.SEND)

    stage.claim(item_of(draft(), failed))
    stage.claim(item_of(draft(), replace(failed, updated_at=START + timedelta(seconds=1))))

    assert stage.telemetry.counts == counts
    assert stage.telemetry.lines == [
        ("info", "message rejected", {"message_id": "m-1", "reason": reason, "detail": "why", "caller": None})
    ]


def test_record_that_repeats_an_unreadable_item_comes_back_and_its_neighbours_are_sent() -> None:
    app = Application()
    app.store.unreadable = {"m-5": START}

    returned = app.send(*[request(f"m-{n}") for n in range(10)])

    assert returned == ["r-6"]
    assert {m.status for m in app.store.messages.values()} == {Status.ACCEPTED}
    assert len(app.store.messages) == len(app.transport.requests) == 9


def test_message_that_cannot_be_stored_fails_alone() -> None:
    app = Application()
    app.store.unfit = {"m-5"}

    returned = app.send(*[request(f"m-{n}") for n in range(10)])

    assert returned == []
    assert len(app.transport.requests) == 9
    failed = app.message("m-5")
    assert (failed.status, app.failure_reason("m-5"), failed.recipient) == (
        Status.FAILED,
        Reason.INVALID_REQUEST,
        None,
    )
    assert failed.fingerprint is not None
