"""Which providers are out of order, on each channel. Kept by each sandbox: one call a minute is a cheap probe."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sampai.domain.outcome import FailureScope, NotTaken, Outcome, Unknown
from sampai.providers.base import Provider, ProviderConfig

OPEN_FOR: Final = timedelta(seconds=60)

MAX_FAILURES: Final = 5
"""Calls one after the other without an answer to go by, from which on a vendor counts as down."""


@dataclass(slots=True)
class _Circuit:
    config: ProviderConfig
    failures: int = 0
    open_until: datetime | None = None


class CircuitBreakers:
    def __init__(self) -> None:
        self._circuit_breakers: dict[type[Provider], _Circuit] = {}

    def is_open(self, provider: Provider, *, now: datetime) -> bool:
        """Whether messages keep away from a provider. A change of the account closes the circuit."""
        circuit = self._circuit_breakers.get(type(provider))
        if circuit is None or circuit.open_until is None or circuit.config != provider.config:
            return False
        return now < circuit.open_until

    def allow_request(self, provider: Provider, *, now: datetime) -> bool:
        """Let a message go to a provider: not for a minute after it proved out of order, then one to try it.

        To be asked for a message that goes there if it may: asking again may give another answer.
        """
        if self.is_open(provider, now=now):
            return False
        circuit = self._circuit_breakers.get(type(provider))
        if circuit is not None and circuit.open_until is not None:
            circuit.open_until = now + OPEN_FOR
        return True

    def record_outcome(self, provider: Provider, outcome: Outcome, *, now: datetime) -> bool:
        """Take in what an attempt came to, and return whether it opened the circuit."""
        scope = outcome.scope if isinstance(outcome, NotTaken) else None
        if scope is FailureScope.INTERNAL:
            return False
        if not isinstance(outcome, Unknown) and scope not in (FailureScope.PROVIDER, FailureScope.CONNECTION):
            self._circuit_breakers.pop(type(provider), None)
            return False
        circuit = self._circuit_breakers.get(type(provider))
        if circuit is None or circuit.config != provider.config:
            circuit = self._circuit_breakers[type(provider)] = _Circuit(provider.config)
        circuit.failures = MAX_FAILURES if scope is FailureScope.PROVIDER else circuit.failures + 1
        if circuit.failures < MAX_FAILURES:
            return False
        circuit.open_until = now + OPEN_FOR
        return True
