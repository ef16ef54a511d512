"""One vendor call for several messages: who shares it, and what becomes of each."""

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
from tests.harness.application import House, lost, request, smspoh_history, smspoh_row, smspoh_taken, unreached
from tests.harness.sending import new_batch

# --- which messages share a call ------------------------------------------------------------------------------------


class Bulk(SupportsBatchSend):
    """A vendor that takes three numbers a call, where sender and text are the same. It names each message by its id."""

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


BULK, ITS_TWIN = (Bulk(ProviderConfig(base_url="https://bulk.example", credentials={})) for _ in range(2))


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
    """Return the messages of each call in order; a call of one by itself is marked as such."""
    said = [(json.loads(sent.body), sent.url.endswith("/one")) for sent in transport.requests]
    return [["alone", *names] if is_alone else names for names, is_alone in said]


SHARED: list[tuple[str, list[BatchItem], list[list[str]]]] = [
    ("one", [attempt(1)], [["alone", "m-1"]]),
    ("two", [attempt(1), attempt(2)], [["m-1", "m-2"]]),
    ("as many as a call takes", [attempt(n) for n in range(3)], [["m-0", "m-1", "m-2"]]),
    ("one more", [attempt(n) for n in range(4)], [["m-0", "m-1", "m-2"], ["alone", "m-3"]]),
    ("seven", [attempt(n) for n in range(7)], [["m-0", "m-1", "m-2"], ["m-3", "m-4", "m-5"], ["alone", "m-6"]]),
    (
        "two kinds, one after the other in turn",
        [attempt(n, sender="ab"[n % 2]) for n in range(4)],
        [["m-0", "m-2"], ["m-1", "m-3"]],
    ),
    (
        "transactional ones",
        [attempt(n, category=Category.TRANSACTIONAL) for n in (1, 2)],
        [["alone", "m-1"], ["alone", "m-2"]],
    ),
    ("one-time passwords", [attempt(n, category=Category.OTP) for n in (1, 2)], [["alone", "m-1"], ["alone", "m-2"]]),
    ("further attempts", [attempt(n, attempt=2) for n in (1, 2)], [["alone", "m-1"], ["alone", "m-2"]]),
    (
        "a further attempt among first ones",
        [attempt(1), attempt(2, attempt=2), attempt(3)],
        [["m-1", "m-3"], ["alone", "m-2"]],
    ),
    ("what the vendor takes alone", [attempt(n, sender="alone") for n in (1, 2)], [["alone", "m-1"], ["alone", "m-2"]]),
    (
        "one number three times",
        [attempt(n, recipient="+85591234510") for n in (1, 2, 3)],
        [["alone", "m-1"], ["alone", "m-2"], ["alone", "m-3"]],
    ),
    (
        "one number twice among others",
        [attempt(1), attempt(2), attempt(3, recipient="+85591234511"), attempt(4)],
        [["m-1", "m-2"], ["m-3", "m-4"]],
    ),
    ("two accounts", [attempt(1), attempt(2, provider=ITS_TWIN)], [["alone", "m-1"], ["alone", "m-2"]]),
]


@pytest.mark.parametrize(("attempts", "calls"), [s[1:] for s in SHARED], ids=[s[0] for s in SHARED])
def test_messages_share_a_call_and_each_gets_its_own_outcome(attempts: list[BatchItem], calls: list[list[str]]) -> None:
    transport = RecordingTransport(echo)

    outcomes = dispatch(dispatcher(transport), attempts)

    assert sorted(calls_of(transport)) == sorted(calls)
    assert outcomes == [Taken(provider_message_id=attempt.message.message_id) for attempt in attempts]


EXPIRED = NotTaken(reason=Reason.EXPIRED, is_final=True, scope=FailureScope.INTERNAL, detail="expires_at: has passed")


@pytest.mark.parametrize(
    ("late", "calls"),
    [({2}, [["m-1", "m-3"]]), ({1, 3}, [["alone", "m-2"]]), ({1, 2, 3}, [])],
    ids=["one of three", "two of three", "all"],
)
def test_what_may_not_be_sent_any_more_is_left_out(late: set[int], calls: list[list[str]]) -> None:
    transport = RecordingTransport(echo)
    attempts = [attempt(n, expires_at=START if n in late else None) for n in (1, 2, 3)]

    outcomes = dispatch(dispatcher(transport), attempts)

    assert calls_of(transport) == calls
    assert outcomes == [EXPIRED if n in late else Taken(provider_message_id=f"m-{n}") for n in (1, 2, 3)]


def not_called(detail: str) -> NotTaken:
    return NotTaken(reason=Reason.PROVIDER_ERROR, is_final=False, scope=FailureScope.INTERNAL, detail=detail)


NO_CONNECTION = replace(not_called("no connection: refused"), scope=FailureScope.CONNECTION)


FAILING: list[tuple[str, Reply, Outcome]] = [
    ("no answer", lost(), Unknown(why="timed out")),
    ("no connection", unreached(), NO_CONNECTION),
    (
        "an answer that cannot be read",
        HttpResponse(status=200, body=b"<html>"),
        Unknown(why="unreadable answer, HTTP 200"),
    ),
    ("an outcome too few", HttpResponse(status=200, body=b'["m-1"]'), Unknown(why="1 outcomes for 2 messages")),
    (
        "an outcome too many",
        HttpResponse(status=200, body=b'["1", "2", "3"]'),
        Unknown(why="3 outcomes for 2 messages"),
    ),
    ("no outcome", HttpResponse(status=200, body=b"[]"), Unknown(why="0 outcomes for 2 messages")),
]


@pytest.mark.parametrize(("reply", "outcome"), [f[1:] for f in FAILING], ids=[f[0] for f in FAILING])
def test_what_cannot_be_told_of_a_call_cannot_be_told_of_any_message_in_it(reply: Reply, outcome: Outcome) -> None:
    outcomes = dispatch(dispatcher(RecordingTransport(reply)), [attempt(1), attempt(2)])

    assert outcomes == [outcome, outcome]


def test_no_call_is_begun_without_time_to_end_it() -> None:
    transport = RecordingTransport(echo)

    outcomes = dispatch(dispatcher(transport), [attempt(1), attempt(2)], seconds_left=14.9)

    assert transport.requests == []
    assert outcomes == [not_called("no time was left for a call")] * 2


def test_a_request_that_cannot_be_built_is_final_for_nobody() -> None:
    transport, telemetry = RecordingTransport(echo), RecordingTelemetry()

    outcomes = dispatch(dispatcher(transport, telemetry), [attempt(n, sender="broken") for n in (1, 2)])

    assert transport.requests == []
    assert outcomes == [not_called("no request could be built")] * 2
    assert [fields["message_ids"] for _, _, fields in telemetry.lines] == [["m-1", "m-2"]]


# --- in the house ---------------------------------------------------------------------------------------------------


def promotional(number: int, **changes: Any) -> str:
    text = {"type": "text", "text": f"Offer {number}"}
    changes = {"recipient": f"+95977777771{number}", "category": "promotional", "content": text} | changes
    return request(f"m-{number}", home="smspoh", **changes)


def bulk(*entries: dict[str, Any]) -> HttpResponse:
    return HttpResponse(status=201, body=json.dumps({"messages": entries}).encode())


def entry(number: int, **changes: Any) -> dict[str, Any]:
    row = smspoh_row(f"AA-{number}", f"m-{number}") | {"to": f"95977777771{number}", "message": f"Offer {number}"}
    return row | changes


def house_of_six(*replies: Reply) -> House:
    house = House(*replies)
    assert house.send(*(promotional(n) for n in range(6))) == []
    return house


def states(house: House) -> dict[str, Status]:
    return {message_id: message.status for message_id, message in sorted(house.store.messages.items())}


def test_a_batch_of_promotional_messages_is_one_call_that_names_each_of_them() -> None:
    house = house_of_six(bulk(*(entry(n) for n in range(6))))

    (sent,) = house.transport.requests
    assert [m["clientReference"] for m in json.loads(sent.body)["messages"]] == [f"m-{n}" for n in range(6)]
    assert states(house) == {f"m-{n}": Status.ACCEPTED for n in range(6)}
    assert [house.message(f"m-{n}").provider_message_id for n in range(6)] == [f"AA-{n}" for n in range(6)]
    assert house.store.buffered.keys() == {f"smspoh#sms#AA-{n}" for n in range(6)}


@covers("I2")
def test_every_message_of_a_shared_call_is_claimed_before_it() -> None:
    seen: list[set[Status]] = []

    def look(_: HttpRequest) -> HttpResponse:
        seen.append({message.status for message in house.store.messages.values()})
        return bulk(*(entry(n) for n in range(6)))

    house = House(look)
    house.send(*(promotional(n) for n in range(6)))

    assert seen == [{Status.SENDING}]


def test_a_receipt_finds_its_message_among_those_of_a_shared_call() -> None:
    house = house_of_six(bulk(*(entry(n) for n in range(6))))

    house.receive(query="messageId=AA-4&clientReference=m-4&status=Success")
    house.receive(query="messageId=AA-2&status=Expired")

    expected = {f"m-{n}": Status.ACCEPTED for n in range(6)}
    assert states(house) == expected | {"m-4": Status.DELIVERED, "m-2": Status.UNDELIVERED}


@covers("I9")
def test_one_that_is_refused_leaves_its_neighbours_alone() -> None:
    refusal = {"status": False, "message": "Invalid Sender ID", "to": "959777777713"}
    house = house_of_six(bulk(*(refusal if n == 3 else entry(n) for n in range(6))))

    expected = {f"m-{n}": Status.ACCEPTED for n in range(6)}
    assert states(house) == expected | {"m-3": Status.FAILED}


@covers("V4", "I1")
def test_one_without_an_entry_is_unknown_and_is_not_sent_again() -> None:
    house = house_of_six(bulk(*(entry(n) for n in range(6) if n != 3)))
    expected = {f"m-{n}": Status.ACCEPTED for n in range(6)}
    assert states(house) == expected | {"m-3": Status.UNKNOWN}

    house.send(*(promotional(n) for n in range(6)), sender=house.new_sender())

    assert len(house.transport.requests) == 1


@pytest.mark.parametrize(
    "answer", [HttpResponse(status=422, body=b"{}"), unreached()], ids=["refused", "no connection"]
)
def test_after_a_call_that_was_turned_away_each_goes_alone(answer: HttpResponse | NoResponse) -> None:
    house = house_of_six(answer)
    assert set(states(house).values()) == {Status.QUEUED}

    house.transport.replies = [_taken_alone]
    house.clock.advance(minutes=1)
    house.resume()

    assert set(states(house).values()) == {Status.ACCEPTED}
    assert [sent.url.rpartition("/")[2] for sent in house.transport.requests] == ["bulk", *["send"] * 6]
    assert {message.attempt for message in house.store.messages.values()} == {2}


def _taken_alone(sent: HttpRequest) -> HttpResponse:
    reference = json.loads(sent.body)["clientReference"]
    return smspoh_taken(f"AA-{reference}", reference)


def test_a_bad_neighbour_holds_nobody_up_for_good() -> None:
    def answer(sent: HttpRequest) -> HttpResponse:
        is_bad = b"Offer 3" in sent.body
        return HttpResponse(status=422, body=b"{}") if is_bad else _taken_alone(sent)

    house = house_of_six(answer)
    house.clock.advance(minutes=1)
    house.resume()

    assert states(house) == {f"m-{n}": Status.FAILED if n == 3 else Status.ACCEPTED for n in range(6)}


@pytest.mark.parametrize("listed_reference", [True, False], ids=["with references", "without references"])
def test_a_lost_answer_is_found_in_the_vendors_list_each_for_its_own_message(listed_reference: bool) -> None:
    house = house_of_six(lost())
    assert set(states(house).values()) == {Status.UNKNOWN}
    changes: dict[str, Any] = {} if listed_reference else {"clientReference": None}
    house.transport.replies = [smspoh_history(*(entry(n, **changes) for n in range(5)))]

    house.clock.advance(seconds=15)
    house.follow_up()

    assert states(house) == {f"m-{n}": Status.UNKNOWN if n == 5 else Status.ACCEPTED for n in range(6)}
    assert [house.message(f"m-{n}").provider_message_id for n in range(5)] == [f"AA-{n}" for n in range(5)]


WHOLE: list[tuple[str, Callable[[], HttpResponse]]] = [
    ("HTTP 500", lambda: HttpResponse(status=500)),
    ("HTML", lambda: HttpResponse(status=200, body=b"<html>")),
    ("no entries", lambda: bulk()),
    ("one id for all", lambda: bulk(*(entry(n, messageId="AA") for n in range(6)))),
    ("entries to other numbers", lambda: bulk(*(entry(n, to=f"95988888880{n}") for n in range(6)))),
]


@pytest.mark.parametrize("answer", [w[1] for w in WHOLE], ids=[w[0] for w in WHOLE])
def test_an_answer_that_tells_nothing_leaves_every_message_unknown(answer: Callable[[], HttpResponse]) -> None:
    house = house_of_six(answer())

    house.clock.advance(hours=1)
    house.send(*(promotional(n) for n in range(6)), sender=house.new_sender())
    house.resume()

    assert set(states(house).values()) == {Status.UNKNOWN}
    assert len(house.transport.requests) == 1


def test_a_refused_account_keeps_all_waiting_and_takes_no_more_calls_for_a_minute() -> None:
    house = house_of_six(HttpResponse(status=401, body=b"{}"))

    house.send(promotional(6), promotional(7))

    assert states(house) == {f"m-{n}": Status.QUEUED for n in range(8)}
    assert len(house.transport.requests) == 1
    assert house.telemetry.counts["CircuitOpened", None] > 0


def test_one_time_passwords_pass_a_campaign_by() -> None:
    house = House(lambda sent: _taken_alone(sent) if sent.url.endswith("/send") else bulk(entry(1), entry(2)))

    house.send(promotional(1), request("otp", home="smspoh", category="otp"), promotional(2))

    assert [sent.url.rpartition("/")[2] for sent in house.transport.requests] == ["bulk", "send"]
    assert set(states(house).values()) == {Status.ACCEPTED}


# --- threads --------------------------------------------------------------------------------------------------------


class StuckPool(InlinePool):
    """Never finishes a call."""

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
    ids=["kept", "stuck"],
)
def test_threads_are_kept_from_batch_to_batch_unless_one_is_stuck(
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
