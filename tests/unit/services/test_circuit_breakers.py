"""A circuit breaker stops calls to a vendor that does not respond; one probe per minute checks for recovery."""

from datetime import timedelta
from itertools import count

import pytest

from sampai.domain.failure import Reason
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.outcome import FailureScope, NotTaken, Outcome, Taken, Unknown
from sampai.domain.status import Status
from sampai.providers.base import ProviderConfig
from sampai.providers.nomsa.sms import Nomsa
from sampai.services.circuit_breakers import CircuitBreakers
from tests.covers import covers
from tests.fakes import START
from tests.harness.application import Application, lost, nomsa_taken, request, smspoh_taken, unauthorized, unreached

MINUTE = timedelta(minutes=1)


def rejected(scope: FailureScope) -> NotTaken:
    return NotTaken(reason=Reason.PROVIDER_ERROR, is_final=False, scope=scope)


OK: Outcome = Taken(provider_message_id="1")
LOST: Outcome = Unknown(why="timed out")
UNREACHED, LOCKED_OUT = rejected(FailureScope.CONNECTION), rejected(FailureScope.PROVIDER)
BAD_NUMBER, NO_CALL = rejected(FailureScope.MESSAGE), rejected(FailureScope.INTERNAL)


def nomsa(key: str = "key", name: str = "nomsa") -> Nomsa:
    return Nomsa(ProviderConfig(name=name, base_url="https://nomsa.example.net", credentials={"api_key": key}))


HISTORIES = [
    ("no calls", [], True),
    ("a rejected account", [LOCKED_OUT], False),
    ("four calls without an answer", [LOST] * 4, True),
    ("five calls without an answer", [LOST] * 5, False),
    ("five calls without a connection", [UNREACHED] * 5, False),
    ("three without an answer and two without a connection", [LOST, UNREACHED, LOST, UNREACHED, LOST], False),
    ("an answer in between", [LOST, LOST, LOST, OK, LOST, LOST], True),
    ("a rejected message in between", [LOST, LOST, LOST, BAD_NUMBER, LOST, LOST], True),
    ("calls that were not made", [NO_CALL] * 9, True),
    ("calls that were not made in between", [LOST, LOST, NO_CALL, LOST, LOST, NO_CALL, LOST], False),
]


@pytest.mark.parametrize(
    ("outcomes", "allow_request"), [run[1:] for run in HISTORIES], ids=[run[0] for run in HISTORIES]
)
def test_a_circuit_opens_after_five_failed_calls_or_a_refused_account(
    outcomes: list[Outcome], allow_request: bool
) -> None:
    circuit_breakers = CircuitBreakers()

    for outcome in outcomes:
        circuit_breakers.record_outcome(nomsa(), outcome, now=START)

    assert circuit_breakers.allow_request(nomsa(), now=START) is allow_request


@pytest.mark.parametrize("outcome", [LOST, UNREACHED, LOCKED_OUT], ids=["lost", "unreached", "account rejected"])
def test_an_open_circuit_allows_one_probe_per_minute(outcome: Outcome) -> None:
    circuit_breakers = CircuitBreakers()
    for _ in range(5):
        circuit_breakers.record_outcome(nomsa(), outcome, now=START)
    assert not circuit_breakers.allow_request(nomsa(), now=START + MINUTE - timedelta(milliseconds=1))

    assert [circuit_breakers.allow_request(nomsa(), now=START + MINUTE) for _ in range(3)] == [True, False, False]

    assert circuit_breakers.record_outcome(nomsa(), outcome, now=START + MINUTE)
    assert [circuit_breakers.allow_request(nomsa(), now=START + 2 * MINUTE) for _ in range(2)] == [True, False]
    assert not circuit_breakers.record_outcome(nomsa(), OK, now=START + 2 * MINUTE)
    assert all(circuit_breakers.allow_request(nomsa(), now=START + 2 * MINUTE) for _ in range(3))


def test_changed_credentials_close_a_circuit() -> None:
    circuit_breakers = CircuitBreakers()
    circuit_breakers.record_outcome(nomsa(), LOCKED_OUT, now=START)

    assert [circuit_breakers.allow_request(nomsa("another"), now=START) for _ in range(2)] == [True, True]


def test_two_providers_of_one_type_have_their_own_circuits() -> None:
    circuit_breakers = CircuitBreakers()
    circuit_breakers.record_outcome(nomsa(), LOCKED_OUT, now=START)

    other = nomsa(name="nomsa-2")
    assert [circuit_breakers.is_open(provider, now=START) for provider in (nomsa(), other)] == [True, False]
    assert not circuit_breakers.record_outcome(other, OK, now=START)
    assert circuit_breakers.is_open(nomsa(), now=START)


@covers("V8")
def test_a_vendor_outage_makes_at_most_five_messages_unknown_and_one_per_minute() -> None:
    app = Application(lost())
    app.send(*(request(f"m-{n}", on_unknown="hold") for n in range(5)))
    app.send(*(request(f"m-{n}") for n in range(5, 15)))
    app.clock.advance(seconds=60)
    app.resume()

    seen = [message.status for message in app.store.messages.values()]
    assert (seen.count(Status.UNKNOWN), seen.count(Status.QUEUED)) == (6, 9)

    app.transport.replies = [lambda _: nomsa_taken(str(len(app.transport.requests)))]
    for _ in range(3):
        app.clock.advance(seconds=60)
        app.follow_up()
        app.resume()
    waiting = [m.status for m in app.store.messages.values() if m.message_id not in {f"m-{n}" for n in range(6)}]
    assert set(waiting) == {Status.ACCEPTED}
    assert app.telemetry.counts["CircuitOpened", None] == 2


def test_a_failed_call_with_many_messages_is_one_failure() -> None:
    app = Application(unreached())

    app.send(*(request(f"m-{n}", "smspoh", recipient=f"+9597777777{n}", category="promotional") for n in range(10, 20)))
    app.send(request("m-1", "smspoh"))

    assert len(app.transport.requests) == 2
    assert ("CircuitOpened", None) not in app.telemetry.counts


def test_a_message_that_is_sent_by_another_provider_uses_no_probe() -> None:
    def answer(sent: HttpRequest) -> HttpResponse:
        return nomsa_taken(str(next(numbers))) if "nomsa" in sent.host else smspoh_taken("AA-1", "only-smspoh")

    numbers = count(1)
    app = Application(unauthorized())
    app.send(request("first", "smspoh"))
    app.transport.replies = [answer]
    app.clock.advance(seconds=60)

    app.send(request("either", recipient="+66812345678"), request("only-smspoh", "smspoh"))

    assert app.message("either").provider == "nomsa"
    assert app.message("only-smspoh").status is Status.ACCEPTED
