"""Decisions about messages before they are stored."""

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sampai.domain.failure import Reason
from sampai.domain.message import Category, Message, requeue, schedule
from sampai.domain.outcome import FailureScope, NotTaken
from sampai.domain.status import Source, Status
from sampai.services.circuit_breakers import CircuitBreakers
from sampai.services.ports.eligibility import EligibilityData
from sampai.services.send.admission import AdmissionContext, Decision, admit, can_resume, defer_admission, start
from tests.fakes import START
from tests.harness.sending import LEASE, new_batch
from tests.unit.services.send.items import claimed, draft, provider, queued

MINUTE = timedelta(minutes=1)
LOCKED_OUT = NotTaken(reason=Reason.AUTHENTICATION, is_final=False, scope=FailureScope.PROVIDER)


def context(
    *,
    broken: Collection[str] = (),
    is_sending: bool = True,
    opted_out: Collection[str] = (),
    quiet: tuple[int, int] | None = None,
) -> AdmissionContext:
    """`quiet` has the hours of UTC in which Cambodia is quiet."""
    hours = {"KH": {"from": f"{quiet[0]:02}:00", "to": f"{quiet[1]:02}:00", "timezones": ["UTC"]}} if quiet else {}
    settings = new_batch(settings={"quiet_hours": hours}).configuration.settings
    circuit_breakers = CircuitBreakers()
    for name in broken:
        circuit_breakers.record_outcome(provider(name), LOCKED_OUT, now=START)
    return AdmissionContext(
        routing=new_batch().configuration.routing,
        circuit_breakers=circuit_breakers,
        eligibility=EligibilityData(opted_out=frozenset(opted_out)),
        now=START,
        lease=LEASE,
        is_sending=is_sending,
        quiet_hours=settings.quiet_hours_in_force(),
    )


def summary(decision: Decision) -> tuple[Status, str | None, int | None, str | None]:
    """Return the status, the provider to call, the delay of the wake-up and the reason of the failure."""
    return (
        decision.message.status,
        decision.provider.name if decision.provider else None,
        decision.wake_up.delay_seconds if decision.wake_up else None,
        decision.message.failure.reason if decision.message.failure else None,
    )


TWO = {"recipient": "+66812345678", "route": ("nomsa", "smspoh")}

PROMOTIONAL = {"category": Category.PROMOTIONAL}

ADMITTED: list[tuple[str, dict[str, Any], dict[str, Any], tuple[Status, str | None, int | None, str | None]]] = [
    ("sent at once", {}, {}, (Status.SENDING, "nomsa", None, None)),
    ("send_at has passed", {"send_at": START}, {}, (Status.SENDING, "nomsa", None, None)),
    ("scheduled soon", {"send_at": START + MINUTE}, {}, (Status.SCHEDULED, None, 60, None)),
    ("scheduled far ahead", {"send_at": START + 16 * MINUTE}, {}, (Status.SCHEDULED, None, None, None)),
    ("expired", {"expires_at": START}, {}, (Status.FAILED, None, None, "expired")),
    ("sending is disabled", {}, {"is_sending": False}, (Status.QUEUED, None, 60, None)),
    ("an open circuit", {}, {"broken": ["nomsa"]}, (Status.QUEUED, None, 60, None)),
    ("failover", TWO, {"broken": ["nomsa"]}, (Status.SENDING, "smspoh", None, None)),
    ("all circuits are open", TWO, {"broken": ["nomsa", "smspoh"]}, (Status.QUEUED, None, 60, None)),
    (
        "a provider that is off, and no other",
        {"route": ("acme",), "recipient": "+81312345678"},
        {},
        (Status.FAILED, None, None, "unroutable"),
    ),
    ("a provider that is off, and the present route", {"route": ("acme",)}, {}, (Status.SENDING, "nomsa", None, None)),
    (
        "opted out",
        {"category": Category.PROMOTIONAL},
        {"opted_out": ["+85591234510"]},
        (Status.FAILED, None, None, "opted_out"),
    ),
    ("quiet hours", PROMOTIONAL, {"quiet": (10, 11)}, (Status.SCHEDULED, None, None, None)),
    (
        "quiet hours of a message that is not promotional",
        {},
        {"quiet": (10, 11)},
        (Status.SENDING, "nomsa", None, None),
    ),
    ("quiet hours that are over", PROMOTIONAL, {"quiet": (9, 10)}, (Status.SENDING, "nomsa", None, None)),
    (
        "quiet hours at its send_at",
        PROMOTIONAL | {"send_at": START + 5 * MINUTE},
        {"quiet": (9, 11)},
        (Status.SCHEDULED, None, None, None),
    ),
    (
        "quiet hours under a stop",
        PROMOTIONAL,
        {"quiet": (10, 11), "is_sending": False},
        (Status.SCHEDULED, None, None, None),
    ),
    (
        "expired before the end of quiet hours",
        PROMOTIONAL | {"expires_at": START + 59 * MINUTE},
        {"quiet": (10, 11)},
        (Status.FAILED, None, None, "expired"),
    ),
    (
        "a one-time password to a number that opted out",
        {"category": Category.OTP},
        {"opted_out": ["+85591234510"]},
        (Status.SENDING, "nomsa", None, None),
    ),
]


@pytest.mark.parametrize(("changes", "given", "expected"), [a[1:] for a in ADMITTED], ids=[a[0] for a in ADMITTED])
def test_a_new_message_is_sent_scheduled_deferred_or_failed(
    changes: dict[str, Any], given: dict[str, Any], expected: tuple[Status, str | None, int | None, str | None]
) -> None:
    decision = admit(draft(**changes), attempt_id="a-1", context=context(**given))

    assert summary(decision) == expected


def test_a_claim_names_its_attempt_and_holds_for_the_lease() -> None:
    assert start(draft(), attempt_id="a-1", context=context()).message == claimed()


SCHEDULED = schedule(draft(send_at=START + MINUTE), now=START, due_at=START)
RETRIED = requeue(claimed(), route=("nomsa",), failure=None, now=START, due_at=START, source=Source.SEND)

RESUMED = [
    ("queued", queued(), {0}, START, True),
    ("a wake-up of another attempt", queued(), {1}, START, False),
    ("one of several wake-ups", queued(), {1, 0}, START, True),
    ("an old wake-up after a retry", RETRIED, {0, 1}, START, False),
    ("after a retry", RETRIED, {2}, START, True),
    ("scheduled, too early", SCHEDULED, {0}, START, False),
    ("scheduled, in time", SCHEDULED, {0}, START + MINUTE, True),
    ("in flight", claimed(), {1}, START, False),
]


@pytest.mark.parametrize(
    ("message", "attempts", "now", "expected"), [r[1:] for r in RESUMED], ids=[r[0] for r in RESUMED]
)
def test_a_wake_up_starts_only_the_attempt_that_it_names(
    message: Message, attempts: set[int], now: Any, expected: bool
) -> None:
    assert can_resume(message, attempts, now=now) is expected


DEFERRED = [
    ("new", draft(), Status.QUEUED, 60),
    ("waiting", queued(), Status.QUEUED, None),
    ("waiting, urgent", queued(expires_at=START + 3 * MINUTE), Status.QUEUED, 60),
    ("waiting, not urgent", queued(expires_at=START + 4 * MINUTE), Status.QUEUED, None),
    ("scheduled", SCHEDULED, Status.QUEUED, 60),
]


@pytest.mark.parametrize(("message", "status", "delay"), [d[1:] for d in DEFERRED], ids=[d[0] for d in DEFERRED])
def test_only_an_urgent_message_gets_another_wake_up(message: Message, status: Status, delay: int | None) -> None:
    decision = defer_admission(message, now=START, pause=MINUTE)

    assert summary(decision)[:3] == (status, None, delay)
    assert decision.message.due_at == START + MINUTE + timedelta(seconds=0 if delay is None else 120)


def test_a_deferral_of_a_queued_message_is_no_change_of_its_status() -> None:
    decision = defer_admission(queued(), now=START, pause=MINUTE)

    assert decision.message == replace(queued(), revision=2, due_at=START + MINUTE)
