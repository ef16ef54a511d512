"""Send: pass a batch of requests through the stages. No byte reaches a vendor before its claim is stored."""

from collections.abc import Sequence
from dataclasses import dataclass

from sampai.contract.request import parse_request
from sampai.services.deadline import Deadline
from sampai.services.ports.runtime import Clock, Remaining, UnavailableError
from sampai.services.ports.telemetry import Telemetry
from sampai.services.send.admitter import Admitter
from sampai.services.send.batch import Batch, Record
from sampai.services.send.circuits import CircuitRecorder
from sampai.services.send.claims import Claims
from sampai.services.send.commands import Commands
from sampai.services.send.configuration import ConfigurationLoader
from sampai.services.send.dispatch import Dispatcher
from sampai.services.send.outbox import Outbox
from sampai.services.send.pacer import Pacer
from sampai.services.send.quotas import Quotas
from sampai.services.send.results import Results


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """The stages of the pipeline, in their order."""

    commands: Commands
    admitter: Admitter
    quotas: Quotas
    pacer: Pacer
    claims: Claims
    dispatcher: Dispatcher
    circuits: CircuitRecorder
    results: Results
    outbox: Outbox


class SendService:
    def __init__(
        self, *, configuration: ConfigurationLoader, stages: Stages, clock: Clock, telemetry: Telemetry
    ) -> None:
        self.stages = stages
        self._configuration = configuration
        self._clock = clock
        self._telemetry = telemetry

    def prepare(self) -> None:
        """Load the configuration before the first batch arrives."""
        self._configuration.warm_up()

    def handle(self, records: Sequence[Record], *, remaining: Remaining) -> list[str]:
        """Process a batch and return the ids of the records that the queue must deliver again.

        `remaining` returns the seconds left to this invocation.
        """
        try:
            configuration = self._configuration.load()
        except UnavailableError as error:
            self._telemetry.error("no configuration", error=str(error))
            return [record.record_id for record in records]
        now = self._clock()
        batch = Batch(
            requests=[(record, parse_request(record.body, now=now)) for record in records],
            configuration=configuration,
            deadline=Deadline(remaining),
            started_at=now,
        )
        stages = self.stages
        stages.commands.execute(batch)
        stages.admitter.admit(batch)
        stages.quotas.enforce(batch)
        stages.pacer.reserve(batch)
        stages.claims.store(batch)
        stages.pacer.renew(batch)
        stages.dispatcher.dispatch(batch)
        stages.circuits.record(batch)
        stages.results.store(batch)
        stages.outbox.flush(batch)
        return [record.record_id for record in records if record.record_id in batch.unfinished]
