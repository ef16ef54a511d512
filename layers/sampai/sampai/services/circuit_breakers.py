"""Circuit breakers: stop calls to a provider that fails. Each sandbox has its own; a probe per minute is cheap."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sampai.domain.message import Channel
from sampai.domain.outcome import FailureScope, NotTaken, Outcome, Unknown
from sampai.providers.base import Provider, ProviderConfig

OPEN_FOR: Final = timedelta(seconds=60)

MAX_FAILURES: Final = 5
"""Consecutive calls without a usable answer that open the circuit."""


@dataclass(slots=True)
class _Circuit:
    """The failures of one provider on one channel."""

    config: ProviderConfig
    failures: int = 0
    open_until: datetime | None = None


class CircuitBreakers:
    def __init__(self) -> None:
        self._circuits: dict[tuple[str, Channel], _Circuit] = {}

    def is_open(self, provider: Provider, *, now: datetime) -> bool:
        """Return whether messages must avoid a provider. A change of its configuration closes the circuit."""
        circuit = self._circuits.get(_key_of(provider))
        if circuit is None or circuit.open_until is None or circuit.config != provider.config:
            return False
        return now < circuit.open_until

    def allow_request(self, provider: Provider, *, now: datetime) -> bool:
        """Return whether a message may be sent to a provider, and count it as the probe if the circuit was open.

        An open circuit allows one probe per minute, so ask only for a message that is then sent.
        """
        if self.is_open(provider, now=now):
            return False
        circuit = self._circuits.get(_key_of(provider))
        if circuit is not None and circuit.open_until is not None:
            circuit.open_until = now + OPEN_FOR
        return True

    def record_outcome(self, provider: Provider, outcome: Outcome, *, now: datetime) -> bool:
        """Record the outcome of a call and return whether it opened the circuit."""
        scope = outcome.scope if isinstance(outcome, NotTaken) else None
        if scope is FailureScope.INTERNAL:
            return False
        if not isinstance(outcome, Unknown) and scope not in (FailureScope.PROVIDER, FailureScope.CONNECTION):
            self._circuits.pop(_key_of(provider), None)
            return False
        circuit = self._circuits.get(_key_of(provider))
        if circuit is None or circuit.config != provider.config:
            circuit = self._circuits[_key_of(provider)] = _Circuit(provider.config)
        circuit.failures = MAX_FAILURES if scope is FailureScope.PROVIDER else circuit.failures + 1
        if circuit.failures < MAX_FAILURES:
            return False
        circuit.open_until = now + OPEN_FOR
        return True


def _key_of(provider: Provider) -> tuple[str, Channel]:
    return provider.name, provider.capabilities.channel
