"""The posts to the receiver of callbacks: answers, order, duplicates, gaps, outages, the last receive."""

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from sampai.domain.callback_progress import GAP_WAIT, CallbackProgress
from sampai.domain.callback_signature import sign
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.services.callback import EVENT_SECONDS, PAUSE, CallbackRecord, CallbackService
from sampai.services.ports.configuration import Secret
from sampai.services.ports.queue import Receipt
from sampai.services.ports.runtime import UnavailableError
from sampai.services.ports.transport import NOT_PUBLIC, NoResponse
from tests.fakes import (
    FixedClock,
    FixedSecret,
    InlinePool,
    InMemoryCallbackProgress,
    RecordingTelemetry,
    RecordingTransport,
    Reply,
)

URL = "https://shop.example/hooks?tenant=7"
KEYS = tuple(bytes([number]) * 32 for number in (1, 2))
MAX_RECEIVES = 100
LEASE = timedelta(seconds=90)

TAKEN = HttpResponse(status=204)
DOWN = HttpResponse(status=500)
SILENT = NoResponse(may_have_been_sent=True, why="timed out")


class RecordingCallbackQueue:
    def __init__(self) -> None:
        self.delays: dict[str, int] = {}
        """Seconds by receipt handle."""
        self.is_down = False

    def postpone(self, delays: Sequence[tuple[Receipt, int]]) -> None:
        if self.is_down:
            raise UnavailableError("down")
        self.delays = {receipt.handle: seconds for receipt, seconds in delays}


@dataclass
class Callbacks:
    """The service with fakes, in the sandbox of one worker."""

    replies: tuple[Reply, ...] = (TAKEN,)
    keys: tuple[bytes, ...] = KEYS
    progress: InMemoryCallbackProgress = field(default_factory=InMemoryCallbackProgress)
    clock: FixedClock = field(default_factory=FixedClock)

    def __post_init__(self) -> None:
        self.queue = RecordingCallbackQueue()
        self.telemetry = RecordingTelemetry()
        self.transport = RecordingTransport(*self.replies)
        self.secret = FixedSecret(Secret(callback_keys=self.keys))
        self.service = CallbackService(
            url=URL,
            progress=self.progress,
            queue=self.queue,
            transport=self.transport,
            secret=self.secret,
            clock=self.clock,
            telemetry=self.telemetry,
            new_pool=InlinePool,
            lease=LEASE,
            max_receives=MAX_RECEIVES,
        )

    def handle(self, *records: CallbackRecord, seconds_left: float = 60) -> list[str]:
        return self.service.handle(records, remaining=lambda: seconds_left)

    def posted(self) -> list[str]:
        return [request.headers["webhook-id"] for request in self.transport.requests]


def event(sequence: int, message_id: str = "m-1", receives: int = 1) -> CallbackRecord:
    detail = {"message_id": message_id, "sequence": sequence, "status": "sent", "occurred_at": "2026-11-21T10:00:00Z"}
    return record(f"{message_id}/{sequence}", "Message Status Changed", detail, receives)


def inbound(event_id: str) -> CallbackRecord:
    return record(event_id, "Message Received", {"text": "hello", "received_at": "2026-11-21T10:00:00Z"})


def record(record_id: str, kind: str, detail: dict[str, Any], receives: int = 1) -> CallbackRecord:
    envelope = {"id": record_id.replace("/", "-"), "source": "sampai", "detail-type": kind, "detail": detail}
    return CallbackRecord(
        record_id=record_id,
        body=json.dumps(envelope),
        receives=receives,
        receipt=Receipt(queue_name="callbacks", handle=record_id),
    )


def test_a_post_has_the_event_and_is_signed_with_every_key() -> None:
    callbacks = Callbacks()

    assert callbacks.handle(event(1)) == []

    (request,) = callbacks.transport.requests
    timestamp = int(callbacks.clock.now.timestamp())
    assert (request.method, request.url, request.response_limit) == ("POST", URL, 1024 * 1024)
    assert json.loads(request.body)["data"]["sequence"] == 1
    assert request.headers == {
        "Content-Type": "application/json",
        "webhook-id": "m-1/1",
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(KEYS, callback_id="m-1/1", timestamp=timestamp, body=request.body),
    }
    assert callbacks.telemetry.counts == {("CallbackPosted", None): 1}


def answer(status: int, retry_after: str | None = None) -> HttpResponse:
    return HttpResponse(status=status, headers={"retry-after": retry_after} if retry_after else {})


@pytest.mark.parametrize(
    ("reply", "delay"),
    [
        (answer(200), None),
        (answer(202), None),
        (answer(299), None),
        (answer(301), 8),
        (answer(307), 8),
        (answer(400), 8),
        (answer(401), 8),
        (answer(404), 8),
        (answer(408), 8),
        (answer(410), 8),
        (answer(425), 8),
        (answer(429), 8),
        (answer(429, "120"), 120),
        (answer(429, "1"), 8),
        (answer(503, "999999"), 3600),
        (answer(503, "soon"), 8),
        (answer(500), 8),
        (answer(599), 8),
        (SILENT, 8),
        (NoResponse(may_have_been_sent=False, why="refused"), 8),
        (NoResponse(may_have_been_sent=False, why=NOT_PUBLIC), 8),
    ],
    ids=str,
)
def test_only_a_2xx_ends_an_event_and_everything_else_is_tried_again(reply: Reply, delay: int | None) -> None:
    callbacks = Callbacks((reply,))

    unfinished = callbacks.handle(event(1, receives=3))

    assert unfinished == ([] if delay is None else ["m-1/1"])
    assert callbacks.queue.delays == ({} if delay is None else {"m-1/1": delay})
    assert callbacks.progress.stored["m-1"].concluded == (1 if delay is None else 0)
    assert callbacks.progress.stored["m-1"].leased_until is None


@pytest.mark.parametrize(("receives", "delay"), [(1, 2), (2, 4), (5, 32), (9, 512), (10, 900), (11, 900), (99, 900)])
def test_the_delay_doubles_up_to_a_quarter_of_an_hour(receives: int, delay: int) -> None:
    callbacks = Callbacks((DOWN,))

    callbacks.handle(event(1, receives=receives))

    assert callbacks.queue.delays == {"m-1/1": delay}


# --- order ------------------------------------------------------------------------------------------------------------


def test_the_events_of_a_message_in_one_batch_are_posted_in_order() -> None:
    callbacks = Callbacks()

    assert callbacks.handle(event(3), event(1), event(1, "m-2"), event(2)) == []

    assert [i for i in callbacks.posted() if i.startswith("m-1")] == ["m-1/1", "m-1/2", "m-1/3"]
    assert sorted(callbacks.posted()) == ["m-1/1", "m-1/2", "m-1/3", "m-2/1"]


def test_a_later_event_waits_until_the_earlier_one_is_posted() -> None:
    callbacks = Callbacks()

    assert callbacks.handle(event(2)) == ["m-1/2"]
    assert callbacks.handle(event(1)) == []
    assert callbacks.handle(event(2, receives=2)) == []

    assert callbacks.posted() == ["m-1/1", "m-1/2"]


def test_a_later_event_waits_while_the_earlier_one_fails_and_follows_when_the_receiver_recovers() -> None:
    callbacks = Callbacks((DOWN, DOWN, TAKEN))

    assert callbacks.handle(event(1), event(2)) == ["m-1/1", "m-1/2"]
    callbacks.clock.advance(hours=5)
    assert callbacks.handle(event(2, receives=20), event(1, receives=20)) == ["m-1/1", "m-1/2"]
    assert callbacks.handle(event(2, receives=21)) == ["m-1/2"]
    assert callbacks.handle(event(1, receives=21), event(2, receives=22)) == []

    assert callbacks.posted() == ["m-1/1", "m-1/1", "m-1/1", "m-1/2"]


@pytest.mark.parametrize("again", [1, 2])
def test_an_event_that_was_posted_is_dropped(again: int) -> None:
    callbacks = Callbacks()
    callbacks.handle(event(1), event(2))

    assert callbacks.handle(event(again)) == []

    assert callbacks.posted() == ["m-1/1", "m-1/2"]


def test_two_workers_do_not_post_events_of_one_message_at_the_same_time() -> None:
    progress, clock = InMemoryCallbackProgress(), FixedClock()
    other = Callbacks(progress=progress, clock=clock)
    seen: list[list[str]] = []

    def while_the_first_posts(request: HttpRequest) -> HttpResponse:
        seen.append(other.handle(event(1, receives=2)))
        seen.append(other.handle(event(2)))
        return TAKEN

    worker = Callbacks((while_the_first_posts,), progress=progress, clock=clock)

    assert worker.handle(event(1)) == []
    assert seen == [["m-1/1"], ["m-1/2"]]
    assert other.posted() == []
    assert other.handle(event(1, receives=3), event(2, receives=2)) == []
    assert other.posted() == ["m-1/2"]


def test_two_workers_that_claim_at_the_same_time_post_once() -> None:
    progress = InMemoryCallbackProgress()
    first, second = Callbacks(progress=progress), Callbacks(progress=progress)
    load = progress.load

    def load_and_lose(message_id: str) -> CallbackProgress:
        progress.load = load  # type: ignore[method-assign]
        before = load(message_id)
        assert second.handle(event(1)) == []
        return before

    progress.load = load_and_lose  # type: ignore[method-assign]

    assert first.handle(event(1)) == ["m-1/1"]
    assert (first.posted(), second.posted()) == ([], ["m-1/1"])
    assert first.handle(event(1, receives=2)) == []
    assert first.posted() == []


def test_an_event_of_a_worker_that_died_is_posted_after_the_lease() -> None:
    callbacks = Callbacks()

    def die(request: HttpRequest) -> HttpResponse:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Callbacks((die,), progress=callbacks.progress).handle(event(1))

    assert callbacks.handle(event(1, receives=2), event(2)) == ["m-1/1", "m-1/2"]
    callbacks.clock.advance(seconds=LEASE.total_seconds())
    assert callbacks.handle(event(1, receives=3), event(2, receives=2)) == []
    assert callbacks.posted() == ["m-1/1", "m-1/2"]


def test_events_without_a_sequence_wait_for_nothing() -> None:
    callbacks = Callbacks((DOWN, TAKEN))

    assert callbacks.handle(inbound("e-1"), inbound("e-2")) == ["e-1"]

    assert callbacks.posted() == ["e-1", "e-2"]
    assert callbacks.progress.stored == {}


# --- gaps and ends ----------------------------------------------------------------------------------------------------


def test_an_event_that_does_not_arrive_is_skipped_after_a_while_and_posted_late_if_it_comes() -> None:
    callbacks = Callbacks()
    callbacks.handle(event(1))

    assert callbacks.handle(event(4), event(3)) == ["m-1/3", "m-1/4"]
    callbacks.clock.advance(seconds=GAP_WAIT.total_seconds())
    assert callbacks.handle(event(4, receives=9)) == ["m-1/4"]
    assert callbacks.handle(event(3, receives=9)) == []
    assert callbacks.handle(event(4, receives=10)) == []
    assert callbacks.handle(event(2)) == []
    assert callbacks.handle(event(2)) == []

    assert callbacks.posted() == ["m-1/1", "m-1/3", "m-1/4", "m-1/2"]
    assert ("warning", "callbacks skipped", {"message_id": "m-1", "before": 3}) in callbacks.telemetry.lines


def test_the_first_event_after_callbacks_were_turned_on_may_have_any_number() -> None:
    callbacks = Callbacks()

    assert callbacks.handle(event(7)) == ["m-1/7"]
    callbacks.clock.advance(seconds=GAP_WAIT.total_seconds())
    assert callbacks.handle(event(7, receives=9), event(8)) == []

    assert callbacks.posted() == ["m-1/7", "m-1/8"]


def test_an_event_is_given_up_after_its_last_receive_and_the_next_one_follows() -> None:
    callbacks = Callbacks((DOWN, TAKEN))

    assert callbacks.handle(event(1, receives=MAX_RECEIVES), event(2, receives=50)) == ["m-1/1"]

    assert callbacks.posted() == ["m-1/1", "m-1/2"]
    assert callbacks.telemetry.counts["CallbackGivenUp", None] == 1
    given_up = {"message_id": "m-1", "sequence": 1}
    assert ("error", "callback given up", given_up) in callbacks.telemetry.lines


def test_an_event_that_was_given_up_is_posted_when_it_is_redriven() -> None:
    callbacks = Callbacks((DOWN, TAKEN))
    callbacks.handle(event(1, receives=MAX_RECEIVES), event(2))

    assert callbacks.handle(event(1)) == []
    assert callbacks.handle(event(1)) == []

    assert callbacks.posted() == ["m-1/1", "m-1/2", "m-1/1"]


def test_the_last_receive_waits_for_no_earlier_event_and_no_pause() -> None:
    callbacks = Callbacks((SILENT, TAKEN))
    callbacks.handle(inbound("e-1"))

    assert callbacks.handle(event(2, receives=MAX_RECEIVES)) == []
    assert callbacks.posted() == ["e-1", "m-1/2"]


# --- outages ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reply", [SILENT, answer(429), answer(503), answer(410)], ids=str)
def test_a_receiver_that_is_down_or_overloaded_gets_a_pause(reply: Reply) -> None:
    callbacks = Callbacks((reply, TAKEN))

    assert callbacks.handle(event(1, "a"), event(1, "b"), inbound("e-1")) == ["a/1", "b/1", "e-1"]
    assert callbacks.posted() == ["a/1"]
    callbacks.clock.advance(seconds=PAUSE.total_seconds())
    assert callbacks.handle(event(1, "a"), event(1, "b"), inbound("e-1")) == []


@pytest.mark.parametrize("reply", [answer(400), answer(500), answer(302)], ids=str)
def test_another_refusal_delays_its_own_message_alone(reply: Reply) -> None:
    callbacks = Callbacks((reply, TAKEN))

    assert callbacks.handle(event(1, "a"), event(2, "a"), event(1, "b"), event(2, "b")) == ["a/1", "a/2"]


def test_an_event_that_arrived_in_a_pause_is_not_skipped() -> None:
    callbacks = Callbacks((SILENT, TAKEN))
    callbacks.handle(inbound("e-1"), event(1), event(2))

    callbacks.clock.advance(seconds=GAP_WAIT.total_seconds())
    assert callbacks.handle(event(2, receives=9)) == ["m-1/2"]
    assert callbacks.handle(event(1, receives=9), event(2, receives=10)) == []
    assert callbacks.posted() == ["e-1", "m-1/1", "m-1/2"]


def test_without_a_usable_secret_events_wait_and_an_alarm_rings() -> None:
    callbacks = Callbacks(keys=())

    assert callbacks.handle(event(1), inbound("e-1")) == ["m-1/1", "e-1"]
    assert callbacks.posted() == []
    assert callbacks.telemetry.counts == {("CallbacksUnusable", None): 1}

    callbacks.secret.secret = Secret(callback_keys=KEYS)
    assert callbacks.handle(event(1), inbound("e-1")) == []
    assert callbacks.posted() == ["m-1/1", "e-1"]


def test_an_unavailable_secret_delays_events() -> None:
    callbacks = Callbacks()

    def current() -> Secret:
        raise UnavailableError("down")

    callbacks.secret.current = current  # type: ignore[method-assign]

    assert callbacks.handle(event(1), inbound("e-1")) == ["m-1/1", "e-1"]
    assert callbacks.posted() == []


def test_a_host_that_is_not_public_rings_an_alarm() -> None:
    callbacks = Callbacks((NoResponse(may_have_been_sent=False, why=NOT_PUBLIC),))

    assert callbacks.handle(event(1)) == ["m-1/1"]
    assert callbacks.telemetry.counts == {("CallbacksUnusable", None): 1, ("CallbackFailed", None): 1}


def test_an_outage_of_the_table_delays_events_and_not_those_without_a_place() -> None:
    callbacks = Callbacks()
    callbacks.progress.is_down = True

    assert callbacks.handle(event(1), inbound("e-1")) == ["m-1/1"]
    assert callbacks.posted() == ["e-1"]


def test_a_progress_that_cannot_be_read_stops_no_other_message() -> None:
    callbacks = Callbacks()
    load = callbacks.progress.load
    callbacks.progress.load = lambda message_id: load(message_id) if message_id != "a" else 1 / 0  # type: ignore

    assert callbacks.handle(event(1, "a"), event(1, "b")) == ["a/1"]
    assert callbacks.posted() == ["b/1"]


def test_an_event_whose_conclusion_was_not_stored_is_posted_again_with_the_same_id() -> None:
    callbacks = Callbacks()

    def take_and_go_down(request: HttpRequest) -> HttpResponse:
        callbacks.progress.is_down = True
        return TAKEN

    callbacks.transport.replies = [take_and_go_down, TAKEN]

    assert callbacks.handle(event(1)) == ["m-1/1"]
    callbacks.progress.is_down = False
    callbacks.clock.advance(seconds=LEASE.total_seconds())
    assert callbacks.handle(event(1, receives=2), event(2)) == []
    assert callbacks.posted() == ["m-1/1", "m-1/1", "m-1/2"]


def test_an_event_whose_lease_another_worker_has_by_now_comes_again() -> None:
    callbacks = Callbacks()

    def take_for_longer_than_the_lease(request: HttpRequest) -> HttpResponse:
        before = callbacks.progress.stored["m-1"]
        callbacks.progress.stored["m-1"] = replace(before, revision=before.revision + 1)
        return TAKEN

    callbacks.transport.replies = [take_for_longer_than_the_lease, TAKEN]

    assert callbacks.handle(event(1)) == ["m-1/1"]
    assert callbacks.progress.stored["m-1"].concluded == 0


@pytest.mark.parametrize(("seconds_left", "posted"), [(EVENT_SECONDS, ["m-1/1", "e-1"]), (EVENT_SECONDS - 1, [])])
def test_without_time_for_a_whole_post_none_begins(seconds_left: float, posted: list[str]) -> None:
    callbacks = Callbacks()

    unfinished = callbacks.handle(event(1), inbound("e-1"), seconds_left=seconds_left)

    assert callbacks.posted() == posted
    assert sorted([*unfinished, *posted]) == ["e-1", "m-1/1"]


def test_an_unreadable_event_stops_no_other_and_its_content_is_not_logged() -> None:
    callbacks = Callbacks()
    unreadable = replace(inbound("e-1"), body='{"text": "a secret text"}')

    assert callbacks.handle(unreadable, event(1)) == ["e-1"]
    assert callbacks.posted() == ["m-1/1"]
    assert callbacks.telemetry.counts["CallbackUnreadable", None] == 1
    assert "secret text" not in str(callbacks.telemetry.lines)


def test_a_queue_that_is_down_delays_by_its_visibility_timeout() -> None:
    callbacks = Callbacks((DOWN,))
    callbacks.queue.is_down = True

    assert callbacks.handle(event(1)) == ["m-1/1"]


@pytest.mark.parametrize("reply", [TAKEN, DOWN, SILENT, NoResponse(may_have_been_sent=False, why=NOT_PUBLIC)], ids=str)
def test_no_log_line_has_the_address_a_key_a_signature_or_the_content(reply: Reply) -> None:
    callbacks = Callbacks((reply,))
    callbacks.handle(event(1), inbound("e-1"), event(2, receives=MAX_RECEIVES))

    lines = str(callbacks.telemetry.lines)
    signatures = [request.headers["webhook-signature"] for request in callbacks.transport.requests]
    private = ["shop.example", "hello", *(b64encode(key).decode() for key in KEYS), *signatures]
    assert [text for text in private if text in lines] == []
