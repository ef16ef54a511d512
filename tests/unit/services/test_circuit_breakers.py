"""A vendor that is out of order is left alone, but for one message a minute that tries it."""

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
from tests.harness.application import House, lost, nomsa_taken, request, smspoh_taken, unauthorized, unreached

MINUTE = timedelta(minutes=1)


def refused(scope: FailureScope) -> NotTaken:
    return NotTaken(reason=Reason.PROVIDER_ERROR, is_final=False, scope=scope)


OK: Outcome = Taken(provider_message_id="1")
LOST: Outcome = Unknown(why="timed out")
UNREACHED, LOCKED_OUT = refused(FailureScope.CONNECTION), refused(FailureScope.PROVIDER)
BAD_NUMBER, NO_CALL = refused(FailureScope.MESSAGE), refused(FailureScope.INTERNAL)


def nomsa(key: str = "key") -> Nomsa:
    return Nomsa(ProviderConfig(base_url="https://nomsa.example.net", credentials={"api_key": key}))


RUNS = [
    ("nothing has happened", [], True),
    ("one refusal of the account", [LOCKED_OUT], False),
    ("four calls without an answer", [LOST] * 4, True),
    ("five", [LOST] * 5, False),
    ("five without a connection", [UNREACHED] * 5, False),
    ("some of each", [LOST, UNREACHED, LOST, UNREACHED, LOST], False),
    ("an answer between", [LOST, LOST, LOST, OK, LOST, LOST], True),
    ("a refusal of a message between", [LOST, LOST, LOST, BAD_NUMBER, LOST, LOST], True),
    ("calls that were never made", [NO_CALL] * 9, True),
    ("calls that were never made between", [LOST, LOST, NO_CALL, LOST, LOST, NO_CALL, LOST], False),
]


@pytest.mark.parametrize(("outcomes", "allow_request"), [run[1:] for run in RUNS], ids=[run[0] for run in RUNS])
def test_a_circuit_opens_after_what_says_that_a_vendor_is_out_of_order(
    outcomes: list[Outcome], allow_request: bool
) -> None:
    circuit_breakers = CircuitBreakers()

    for outcome in outcomes:
        circuit_breakers.record_outcome(nomsa(), outcome, now=START)

    assert circuit_breakers.allow_request(nomsa(), now=START) is allow_request


@pytest.mark.parametrize("outcome", [LOST, UNREACHED, LOCKED_OUT], ids=["lost", "unreached", "account refused"])
def test_after_a_minute_one_message_tries_and_the_others_wait_for_what_it_learns(outcome: Outcome) -> None:
    circuit_breakers = CircuitBreakers()
    for _ in range(5):
        circuit_breakers.record_outcome(nomsa(), outcome, now=START)
    assert not circuit_breakers.allow_request(nomsa(), now=START + MINUTE - timedelta(milliseconds=1))

    assert [circuit_breakers.allow_request(nomsa(), now=START + MINUTE) for _ in range(3)] == [True, False, False]

    assert circuit_breakers.record_outcome(nomsa(), outcome, now=START + MINUTE)
    assert [circuit_breakers.allow_request(nomsa(), now=START + 2 * MINUTE) for _ in range(2)] == [True, False]
    assert not circuit_breakers.record_outcome(nomsa(), OK, now=START + 2 * MINUTE)
    assert all(circuit_breakers.allow_request(nomsa(), now=START + 2 * MINUTE) for _ in range(3))


def test_a_change_of_the_account_closes_a_circuit() -> None:
    circuit_breakers = CircuitBreakers()
    circuit_breakers.record_outcome(nomsa(), LOCKED_OUT, now=START)

    assert [circuit_breakers.allow_request(nomsa("another"), now=START) for _ in range(2)] == [True, True]


@covers("V8")
def test_a_vendor_that_does_not_answer_costs_no_more_than_five_messages_and_one_a_minute() -> None:
    house = House(lost())
    house.send(*(request(f"m-{n}", on_unknown="hold") for n in range(5)))
    house.send(*(request(f"m-{n}") for n in range(5, 15)))
    house.clock.advance(seconds=60)
    house.resume()

    found = [message.status for message in house.store.messages.values()]
    assert (found.count(Status.UNKNOWN), found.count(Status.QUEUED)) == (6, 9)

    house.transport.replies = [lambda _: nomsa_taken(str(len(house.transport.requests)))]
    for _ in range(3):
        house.clock.advance(seconds=60)
        house.follow_up()
        house.resume()
    waiting = [m.status for m in house.store.messages.values() if m.message_id not in {f"m-{n}" for n in range(6)}]
    assert set(waiting) == {Status.ACCEPTED}
    assert house.telemetry.counts["CircuitOpened", None] == 2


def test_many_messages_in_one_call_are_one_failure() -> None:
    house = House(unreached())

    house.send(
        *(request(f"m-{n}", "smspoh", recipient=f"+9597777777{n}", category="promotional") for n in range(10, 20))
    )
    house.send(request("m-1", "smspoh"))

    assert len(house.transport.requests) == 2
    assert ("CircuitOpened", None) not in house.telemetry.counts


def test_a_message_that_takes_another_provider_uses_up_no_trial() -> None:
    def answer(sent: HttpRequest) -> HttpResponse:
        return nomsa_taken(str(next(numbers))) if "nomsa" in sent.host else smspoh_taken("AA-1", "only-smspoh")

    numbers = count(1)
    house = House(unauthorized())
    house.send(request("first", "smspoh"))
    house.transport.replies = [answer]
    house.clock.advance(seconds=60)

    house.send(request("either", recipient="+66812345678"), request("only-smspoh", "smspoh"))

    assert house.message("either").provider == "nomsa"
    assert house.message("only-smspoh").status is Status.ACCEPTED
