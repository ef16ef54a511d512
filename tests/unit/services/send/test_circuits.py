"""The outcome of each call goes to the circuit breakers once."""

from collections.abc import Sequence

import pytest

from sampai.domain.failure import Reason
from sampai.domain.outcome import FailureScope, NotTaken, Outcome, Taken, Unknown
from sampai.services.circuit_breakers import MAX_FAILURES, CircuitBreakers
from sampai.services.send.circuits import CircuitRecorder
from tests.fakes import START, FixedClock, FixedSecret, RecordingTelemetry
from tests.harness.sending import SECRET, new_batch
from tests.unit.services.send.items import draft, item_of, provider, queued, sending_item

LOST = [Unknown(why="timed out") for _ in range(MAX_FAILURES)]
LOCKED_OUT = NotTaken(reason=Reason.AUTHENTICATION, is_final=False, scope=FailureScope.PROVIDER, provider_code="401")

CALLS: list[tuple[str, Sequence[Outcome], bool, int]] = [
    ("one was accepted", [Taken(provider_message_id="1")], False, 0),
    ("the account was refused", [LOCKED_OUT], True, 1),
    ("five calls failed", LOST, True, 0),
    ("four calls failed", LOST[1:], False, 0),
    ("one call of five messages failed", [LOST[0]] * MAX_FAILURES, False, 0),
]


@pytest.mark.parametrize(("outcomes", "is_open", "refreshed"), [c[1:] for c in CALLS], ids=[c[0] for c in CALLS])
def test_calls_are_recorded(outcomes: Sequence[Outcome], is_open: bool, refreshed: int) -> None:
    circuit_breakers, secret, telemetry = CircuitBreakers(), FixedSecret(SECRET), RecordingTelemetry()
    recorder = CircuitRecorder(
        circuit_breakers=circuit_breakers, secret=secret, clock=FixedClock(), telemetry=telemetry
    )
    sent = [sending_item(f"m-{n}", outcome=outcome) for n, outcome in enumerate(outcomes)]

    recorder.record(new_batch(items=[*sent, item_of(draft("m-9"), queued("m-9"))]))

    assert circuit_breakers.is_open(provider(), now=START) is is_open
    assert secret.refreshed == refreshed
    assert telemetry.counts == ({("CircuitOpened", None): 1} if is_open else {})
    assert [line[:2] for line in telemetry.lines] == ([("error", "circuit opened")] if is_open else [])


def test_the_log_line_has_the_code_of_the_vendor() -> None:
    telemetry = RecordingTelemetry()
    recorder = CircuitRecorder(
        circuit_breakers=CircuitBreakers(), secret=FixedSecret(SECRET), clock=FixedClock(), telemetry=telemetry
    )

    recorder.record(new_batch(items=[sending_item(outcome=LOCKED_OUT)]))

    fields = {"provider": "nomsa", "reason": Reason.AUTHENTICATION, "provider_code": "401"}
    assert telemetry.lines == [("error", "circuit opened", fields)]
