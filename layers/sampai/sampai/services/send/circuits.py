"""The stage after the calls: record their outcomes in the circuit breakers."""

from sampai.domain.outcome import FailureScope, NotTaken
from sampai.services.circuit_breakers import CircuitBreakers
from sampai.services.ports.configuration import SecretSource
from sampai.services.ports.runtime import Clock
from sampai.services.ports.telemetry import Telemetry
from sampai.services.send.batch import Batch
from sampai.services.send.results import outcome_fields


class CircuitRecorder:
    def __init__(
        self, *, circuit_breakers: CircuitBreakers, secret: SecretSource, clock: Clock, telemetry: Telemetry
    ) -> None:
        self._circuit_breakers = circuit_breakers
        self._secret = secret
        self._clock = clock
        self._telemetry = telemetry

    def record(self, batch: Batch) -> None:
        """Record each call once: messages of one call share the same outcome object."""
        calls = {
            id(item.outcome): (item.provider, item.outcome)
            for item in batch.items
            if item.provider is not None and item.outcome is not None
        }
        for provider, outcome in calls.values():
            if isinstance(outcome, NotTaken) and outcome.scope is FailureScope.PROVIDER:
                self._secret.refresh()  # the credentials may have been rotated
            if self._circuit_breakers.record_outcome(provider, outcome, now=self._clock()):
                self._telemetry.error("circuit opened", provider=provider.name, **outcome_fields(outcome))
                self._telemetry.count("CircuitOpened")
