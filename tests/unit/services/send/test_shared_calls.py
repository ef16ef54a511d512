"""One vendor call for several messages: the messages that share it, and the outcome of each."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sampai.domain.failure import Reason
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.message import Category, Channel, Message, Text, claim
from sampai.domain.outcome import FailureScope, NotTaken, Outcome, Taken, Unknown
from sampai.domain.status import Status
from sampai.providers.base import Capabilities, Provider, ProviderConfig
from sampai.providers.features import SupportsBatchSend
from sampai.services.ports.runtime import NewPool
from sampai.services.ports.transport import NoResponse
from sampai.services.send.attachments import AttachmentStore
from sampai.services.send.batch import BatchItem
from sampai.services.send.dispatch import Dispatcher
from sampai.services.send.provider_calls import ProviderCalls
from tests.covers import covers
from tests.fakes import (
    START,
    FixedClock,
    InlinePool,
    InMemoryEncryptionKeys,
    InMemoryMedia,
    RecordingTelemetry,
    RecordingTransport,
    Reply,
)
from tests.harness.application import Application, lost, request, smspoh_history, smspoh_row, smspoh_taken, unreached
from tests.harness.sending import new_batch

# --- which messages share a call ------------------------------------------------------------------------------------


class Bulk(SupportsBatchSend):
    """A vendor that accepts three numbers of one sender in a call, and answers with the id of each message."""

    name = "bulk"
    capabilities = Capabilities(
        channel=Channel.SMS, countries=frozenset(), credentials=frozenset(), max_characters=160, max_batch_size=3
    )
    default_base_url = "https://bulk.example"

    def build_send(self, message: Message) -> HttpRequest:
        return HttpRequest.post_json(f"{self.default_base_url}/one", [message.message_id], headers={})

    def parse_send(self, response: HttpResponse) -> Outcome:
        return self._read(response)[0]

    def coalesce(self, message: Message) -> str | None:
        return None if message.sender == "alone" else message.sender

    def build_send_many(self, messages: Sequence[Message]) -> HttpRequest:
        if any(message.sender == "broken" for message in messages):
            raise ValueError("no request can be built")
        return HttpRequest.post_json(
            f"{self.default_base_url}/many", [message.message_id for message in messages], headers={}
        )

    def parse_send_many(self, response: HttpResponse, messages: Sequence[Message]) -> list[Outcome]:
        return self._read(response)

    @staticmethod
    def _read(response: HttpResponse) -> list[Outcome]:
        return [Taken(provider_message_id=name) for name in response.json()]


BULK, OTHER_ACCOUNT = (Bulk(ProviderConfig(base_url="https://bulk.example", credentials={})) for _ in range(2))


def attempt(number: int, *, provider: Provider = BULK, **changes: Any) -> BatchItem:
    values: dict[str, Any] = {
        "message_id": f"m-{number}",
        "status": Status.QUEUED,
        "category": Category.PROMOTIONAL,
        "recipient": f"+8559123451{number}",
        "sender": "shop",
        "content": Text(text="Half price"),
        "created_at": START,
        "updated_at": START,
        "occurred_at": START,
    }
    draft = Message(**values | changes)
    lease = timedelta(seconds=60)
    claimed = claim(draft, provider="bulk", attempt_id="a", now=START, lease=lease)
    return BatchItem(record_ids=[f"r-{number}"], before=claimed, provider=provider)


def echo(sent: HttpRequest) -> HttpResponse:
    return HttpResponse(status=200, body=sent.body)


def dispatcher(
    transport: RecordingTransport, telemetry: RecordingTelemetry | None = None, new_pool: NewPool = InlinePool
) -> Dispatcher:
    telemetry = telemetry or RecordingTelemetry()
    attachments = AttachmentStore(
        media=InMemoryMedia(), encryption_keys=InMemoryEncryptionKeys(), new_key=lambda: "key", telemetry=telemetry
    )
    calls = ProviderCalls(transport=transport, attachments=attachments, clock=FixedClock(), telemetry=telemetry)
    return Dispatcher(calls=calls, clock=FixedClock(), sleep=lambda seconds: None, new_pool=new_pool)


def dispatch(stage: Dispatcher, items: Sequence[BatchItem], *, seconds_left: float = 30.0) -> list[Outcome | None]:
    """Dispatch items and return their outcomes in order."""
    stage.dispatch(new_batch(items=items, seconds_left=seconds_left))
    return [item.outcome for item in items]


def calls_of(transport: RecordingTransport) -> list[list[str]]:
    """Return the messages of each call in order. A call for a single message starts with `alone`."""
    calls = [(json.loads(sent.body), sent.url.endswith("/one")) for sent in transport.requests]
    return [["alone", *names] if is_alone else names for names, is_alone in calls]


SHARED: list[tuple[str, list[BatchItem], list[list[str]]]] = [
    ("one message", [attempt(1)], [["alone", "m-1"]]),
    ("two messages", [attempt(1), attempt(2)], [["m-1", "m-2"]]),
    ("a full call", [attempt(n) for n in range(3)], [["m-0", "m-1", "m-2"]]),
    ("one more than a full call", [attempt(n) for n in range(4)], [["m-0", "m-1", "m-2"], ["alone", "m-3"]]),
    (
        "seven messages",
        [attempt(n) for n in range(7)],
        [["m-0", "m-1", "m-2"], ["m-3", "m-4", "m-5"], ["alone", "m-6"]],
    ),
    (
        "two senders in alternation",
        [attempt(n, sender="ab"[n % 2]) for n in range(4)],
        [["m-0", "m-2"], ["m-1", "m-3"]],
    ),
    (
        "transactional messages",
        [attempt(n, category=Category.TRANSACTIONAL) for n in (1, 2)],
        [["alone", "m-1"], ["alone", "m-2"]],
    ),
    ("one-time passwords", [attempt(n, category=Category.OTP) for n in (1, 2)], [["alone", "m-1"], ["alone", "m-2"]]),
    ("further attempts", [attempt(n, attempt=2) for n in (1, 2)], [["alone", "m-1"], ["alone", "m-2"]]),
    (
        "a further attempt among first attempts",
        [attempt(1), attempt(2, attempt=2), attempt(3)],
        [["m-1", "m-3"], ["alone", "m-2"]],
    ),
    (
        "messages that the provider sends alone",
        [attempt(n, sender="alone") for n in (1, 2)],
        [["alone", "m-1"], ["alone", "m-2"]],
    ),
    (
        "the same number three times",
        [attempt(n, recipient="+85591234510") for n in (1, 2, 3)],
        [["alone", "m-1"], ["alone", "m-2"], ["alone", "m-3"]],
    ),
    (
        "the same number twice among others",
        [attempt(1), attempt(2), attempt(3, recipient="+85591234511"), attempt(4)],
        [["m-1", "m-2"], ["m-3", "m-4"]],
    ),
    ("two accounts", [attempt(1), attempt(2, provider=OTHER_ACCOUNT)], [["alone", "m-1"], ["alone", "m-2"]]),
]


@pytest.mark.parametrize(("attempts", "calls"), [s[1:] for s in SHARED], ids=[s[0] for s in SHARED])
def test_messages_share_a_call_and_each_has_its_own_outcome(attempts: list[BatchItem], calls: list[list[str]]) -> None:
    transport = RecordingTransport(echo)

    outcomes = dispatch(dispatcher(transport), attempts)

    assert sorted(calls_of(transport)) == sorted(calls)
    assert outcomes == [Taken(provider_message_id=attempt.message.message_id) for attempt in attempts]


EXPIRED = NotTaken(reason=Reason.EXPIRED, is_final=True, scope=FailureScope.INTERNAL, detail="expires_at: has passed")


@pytest.mark.parametrize(
    ("expired", "calls"),
    [({2}, [["m-1", "m-3"]]), ({1, 3}, [["alone", "m-2"]]), ({1, 2, 3}, [])],
    ids=["one of three", "two of three", "all"],
)
def test_an_expired_message_is_left_out_of_the_call(expired: set[int], calls: list[list[str]]) -> None:
    transport = RecordingTransport(echo)
    attempts = [attempt(n, expires_at=START if n in expired else None) for n in (1, 2, 3)]

    outcomes = dispatch(dispatcher(transport), attempts)

    assert calls_of(transport) == calls
    assert outcomes == [EXPIRED if n in expired else Taken(provider_message_id=f"m-{n}") for n in (1, 2, 3)]


def not_called(detail: str) -> NotTaken:
    return NotTaken(reason=Reason.PROVIDER_ERROR, is_final=False, scope=FailureScope.INTERNAL, detail=detail)


NO_CONNECTION = replace(not_called("no connection: refused"), scope=FailureScope.CONNECTION)


UNCLEAR: list[tuple[str, Reply, Outcome]] = [
    ("no answer", lost(), Unknown(why="timed out")),
    ("no connection", unreached(), NO_CONNECTION),
    (
        "an answer that cannot be read",
        HttpResponse(status=200, body=b"<html>"),
        Unknown(why="unreadable answer, HTTP 200"),
    ),
    ("one outcome too few", HttpResponse(status=200, body=b'["m-1"]'), Unknown(why="1 outcomes for 2 messages")),
    (
        "one outcome too many",
        HttpResponse(status=200, body=b'["1", "2", "3"]'),
        Unknown(why="3 outcomes for 2 messages"),
    ),
    ("no outcomes", HttpResponse(status=200, body=b"[]"), Unknown(why="0 outcomes for 2 messages")),
]


@pytest.mark.parametrize(("reply", "outcome"), [f[1:] for f in UNCLEAR], ids=[f[0] for f in UNCLEAR])
def test_a_call_without_a_clear_answer_has_the_same_outcome_for_all_its_messages(
    reply: Reply, outcome: Outcome
) -> None:
    outcomes = dispatch(dispatcher(RecordingTransport(reply)), [attempt(1), attempt(2)])

    assert outcomes == [outcome, outcome]
    assert outcomes[0] is outcomes[1], "the circuit breaker counts one object as one call"


def test_no_call_starts_without_time_to_finish_it() -> None:
    transport = RecordingTransport(echo)

    outcomes = dispatch(dispatcher(transport), [attempt(1), attempt(2)], seconds_left=14.9)

    assert transport.requests == []
    assert outcomes == [not_called("no call was made: no time was left")] * 2


def test_a_request_that_cannot_be_built_fails_no_message() -> None:
    transport, telemetry = RecordingTransport(echo), RecordingTelemetry()

    outcomes = dispatch(dispatcher(transport, telemetry), [attempt(n, sender="broken") for n in (1, 2)])

    assert transport.requests == []
    assert outcomes == [not_called("no request could be built")] * 2
    assert [fields["message_ids"] for _, _, fields in telemetry.lines] == [["m-1", "m-2"]]


# --- through all services -------------------------------------------------------------------------------------------


def promotional(number: int, **changes: Any) -> str:
    text = {"type": "text", "text": f"Offer {number}"}
    changes = {"recipient": f"+95977777771{number}", "category": "promotional", "content": text} | changes
    return request(f"m-{number}", home="smspoh", **changes)


def bulk(*entries: dict[str, Any]) -> HttpResponse:
    return HttpResponse(status=201, body=json.dumps({"messages": entries}).encode())


def entry(number: int, **changes: Any) -> dict[str, Any]:
    row = smspoh_row(f"AA-{number}", f"m-{number}") | {"to": f"95977777771{number}", "message": f"Offer {number}"}
    return row | changes


def send_six(*replies: Reply) -> Application:
    app = Application(*replies)
    assert app.send(*(promotional(n) for n in range(6))) == []
    return app


def states(app: Application) -> dict[str, Status]:
    return {message_id: message.status for message_id, message in sorted(app.store.messages.items())}


def test_promotional_messages_share_a_call_with_a_reference_each() -> None:
    app = send_six(bulk(*(entry(n) for n in range(6))))

    (sent,) = app.transport.requests
    assert [m["clientReference"] for m in json.loads(sent.body)["messages"]] == [f"m-{n}" for n in range(6)]
    assert states(app) == {f"m-{n}": Status.ACCEPTED for n in range(6)}
    assert [app.message(f"m-{n}").provider_message_id for n in range(6)] == [f"AA-{n}" for n in range(6)]
    assert app.store.buffered.keys() == {f"smspoh#sms#AA-{n}" for n in range(6)}


@covers("I2")
def test_all_messages_of_a_shared_call_are_claimed_before_it() -> None:
    seen: list[set[Status]] = []

    def record_statuses(_: HttpRequest) -> HttpResponse:
        seen.append({message.status for message in app.store.messages.values()})
        return bulk(*(entry(n) for n in range(6)))

    app = Application(record_statuses)
    app.send(*(promotional(n) for n in range(6)))

    assert seen == [{Status.SENDING}]


def test_a_receipt_is_applied_to_its_message_of_a_shared_call() -> None:
    app = send_six(bulk(*(entry(n) for n in range(6))))

    app.receive(query="messageId=AA-4&clientReference=m-4&status=Success")
    app.receive(query="messageId=AA-2&status=Expired")

    expected = {f"m-{n}": Status.ACCEPTED for n in range(6)}
    assert states(app) == expected | {"m-4": Status.DELIVERED, "m-2": Status.UNDELIVERED}


@covers("I9")
def test_a_rejected_message_does_not_affect_the_others_of_its_call() -> None:
    refusal = {"status": False, "message": "Invalid Sender ID", "to": "959777777713"}
    app = send_six(bulk(*(refusal if n == 3 else entry(n) for n in range(6))))

    expected = {f"m-{n}": Status.ACCEPTED for n in range(6)}
    assert states(app) == expected | {"m-3": Status.FAILED}


@covers("V4", "I1")
def test_a_message_without_an_entry_becomes_unknown_and_is_not_resent() -> None:
    app = send_six(bulk(*(entry(n) for n in range(6) if n != 3)))
    expected = {f"m-{n}": Status.ACCEPTED for n in range(6)}
    assert states(app) == expected | {"m-3": Status.UNKNOWN}

    app.send(*(promotional(n) for n in range(6)), sender=app.new_sender())

    assert len(app.transport.requests) == 1


@pytest.mark.parametrize(
    "answer", [HttpResponse(status=422, body=b"{}"), unreached()], ids=["refused", "no connection"]
)
def test_after_a_rejected_call_each_message_is_sent_alone(answer: HttpResponse | NoResponse) -> None:
    app = send_six(answer)
    assert set(states(app).values()) == {Status.QUEUED}

    app.transport.replies = [_accept_one]
    app.clock.advance(minutes=1)
    app.resume()

    assert set(states(app).values()) == {Status.ACCEPTED}
    assert [sent.url.rpartition("/")[2] for sent in app.transport.requests] == ["bulk", *["send"] * 6]
    assert {message.attempt for message in app.store.messages.values()} == {2}


def _accept_one(sent: HttpRequest) -> HttpResponse:
    reference = json.loads(sent.body)["clientReference"]
    return smspoh_taken(f"AA-{reference}", reference)


def test_an_invalid_message_does_not_block_the_others_of_its_call() -> None:
    def answer(sent: HttpRequest) -> HttpResponse:
        is_bad = b"Offer 3" in sent.body
        return HttpResponse(status=422, body=b"{}") if is_bad else _accept_one(sent)

    app = send_six(answer)
    app.clock.advance(minutes=1)
    app.resume()

    assert states(app) == {f"m-{n}": Status.FAILED if n == 3 else Status.ACCEPTED for n in range(6)}


@pytest.mark.parametrize("listed_reference", [True, False], ids=["with references", "without references"])
def test_messages_with_a_lost_answer_are_found_in_the_list_of_the_vendor(listed_reference: bool) -> None:
    app = send_six(lost())
    assert set(states(app).values()) == {Status.UNKNOWN}
    changes: dict[str, Any] = {} if listed_reference else {"clientReference": None}
    app.transport.replies = [smspoh_history(*(entry(n, **changes) for n in range(5)))]

    app.clock.advance(seconds=60)
    app.follow_up()

    assert states(app) == {f"m-{n}": Status.UNKNOWN if n == 5 else Status.ACCEPTED for n in range(6)}
    assert [app.message(f"m-{n}").provider_message_id for n in range(5)] == [f"AA-{n}" for n in range(5)]


UNCLEAR_ANSWERS: list[tuple[str, Callable[[], HttpResponse]]] = [
    ("HTTP 500", lambda: HttpResponse(status=500)),
    ("HTML", lambda: HttpResponse(status=200, body=b"<html>")),
    ("no entries", lambda: bulk()),
    ("the same id for all", lambda: bulk(*(entry(n, messageId="AA") for n in range(6)))),
    ("entries to other numbers", lambda: bulk(*(entry(n, to=f"95988888880{n}") for n in range(6)))),
]


@pytest.mark.parametrize("answer", [w[1] for w in UNCLEAR_ANSWERS], ids=[w[0] for w in UNCLEAR_ANSWERS])
def test_an_unclear_answer_makes_every_message_unknown(answer: Callable[[], HttpResponse]) -> None:
    app = send_six(answer())

    app.clock.advance(hours=1)
    app.send(*(promotional(n) for n in range(6)), sender=app.new_sender())
    app.resume()

    assert set(states(app).values()) == {Status.UNKNOWN}
    assert len(app.transport.requests) == 1


def test_a_refused_account_queues_all_messages_and_stops_calls() -> None:
    app = send_six(HttpResponse(status=401, body=b"{}"))

    app.send(promotional(6), promotional(7))

    assert states(app) == {f"m-{n}": Status.QUEUED for n in range(8)}
    assert len(app.transport.requests) == 1
    assert app.telemetry.counts["CircuitOpened", None] > 0


def test_a_one_time_password_is_sent_outside_the_shared_call() -> None:
    app = Application(lambda sent: _accept_one(sent) if sent.url.endswith("/send") else bulk(entry(1), entry(2)))

    app.send(promotional(1), request("otp", home="smspoh", category="otp"), promotional(2))

    assert [sent.url.rpartition("/")[2] for sent in app.transport.requests] == ["bulk", "send"]
    assert set(states(app).values()) == {Status.ACCEPTED}


# --- threads --------------------------------------------------------------------------------------------------------


class StuckPool(InlinePool):
    """A pool that never finishes a call."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        return future


@pytest.mark.parametrize(
    ("pools", "made", "outcomes"),
    [
        ([InlinePool], 1, [NotTaken, Unknown]),
        ([StuckPool, InlinePool], 2, [Unknown, Unknown]),
    ],
    ids=["finished", "stuck"],
)
def test_threads_are_reused_for_the_next_batch_unless_one_is_stuck(
    pools: list[type[InlinePool]], made: int, outcomes: list[type[Outcome]]
) -> None:
    used: list[Executor] = []

    def new_pool(workers: int) -> Executor:
        used.append(pools[len(used)](workers))
        return used[-1]

    stage = dispatcher(RecordingTransport(lost()), new_pool=new_pool)
    got = dispatch(stage, [attempt(1)], seconds_left=2.0) + dispatch(stage, [attempt(2)])

    assert len(used) == made
    assert [type(outcome) for outcome in got] == outcomes
