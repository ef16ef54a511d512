"""Send: pass a batch of requests through the stages. No byte reaches a vendor before its claim is stored."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sampai.contract.request import parse_request
from sampai.services.deadline import Deadline
from sampai.services.ports.runtime import Clock, Remaining, UnavailableError
from sampai.services.ports.telemetry import Telemetry
from sampai.services.send.admitter import Admitter
from sampai.services.send.attempts import Attempts
from sampai.services.send.batch import Batch, Record
from sampai.services.send.carried_outcomes import CarriedOutcomes
from sampai.services.send.circuits import CircuitRecorder
from sampai.services.send.claims import Claims
from sampai.services.send.commands import Commands
from sampai.services.send.configuration import Configuration, ConfigurationLoader
from sampai.services.send.dispatch import Dispatcher
from sampai.services.send.outbox import Outbox
from sampai.services.send.pacer import Pacer
from sampai.services.send.quotas import Quotas
from sampai.services.send.redelivery import Redelivery
from sampai.services.send.releases import Releases
from sampai.services.send.results import Results


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """The stages of the pipeline, in their order."""

    carried_outcomes: CarriedOutcomes
    commands: Commands
    admitter: Admitter
    quotas: Quotas
    pacer: Pacer
    claims: Claims
    dispatcher: Dispatcher
    circuits: CircuitRecorder
    results: Results
    releases: Releases
    outbox: Outbox
    attempts: Attempts


class SendService:
    def __init__(
        self,
        *,
        configuration: ConfigurationLoader,
        stages: Stages,
        redelivery: Redelivery,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self.stages = stages
        self._configuration = configuration
        self._redelivery = redelivery
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
        except Exception as error:  # a bug, too, must not turn the whole queue into dead letters
            text = str(error) if isinstance(error, UnavailableError) else type(error).__name__
            self._telemetry.error("no configuration", error=text)
            self._redelivery.postpone(records)
            return [record.record_id for record in records]
        batch = self._prepare_batch(records, configuration, Deadline(remaining))
        stages = self.stages
        stages.claims.store(batch)
        for stage in (
            stages.pacer.renew,
            stages.dispatcher.dispatch,
            stages.circuits.record,
            stages.results.store,
            stages.releases.store,
            stages.carried_outcomes.queue,
            stages.outbox.flush,
        ):
            self._run(stage, batch)
        self._redelivery.postpone(record for record in records if record.record_id in batch.affected_by_outage)
        stages.attempts.record(batch)  # last, because no message depends on it
        return [record.record_id for record in records if record.record_id in batch.unfinished]

    def _prepare_batch(self, records: Sequence[Record], configuration: Configuration, deadline: Deadline) -> Batch:
        """Pass records through the stages before the claim. If one of them breaks a stage, prepare each by itself.

        A record that breaks a stage by itself is delivered again, and ends as a dead letter.
        """
        now = self._clock()
        batch = Batch(requests=[], configuration=configuration, deadline=deadline, started_at=now)
        try:
            batch.requests = [(record, parse_request(record.body, now=now)) for record in records]
            self._run_stages_before_claim(batch)
        except Exception as error:
            batch = Batch(requests=[], configuration=configuration, deadline=deadline, started_at=now)
            if len(records) > 1:
                for record in records:
                    batch.add(self._prepare_batch([record], configuration, deadline))
            else:
                record_ids = [record.record_id for record in records]
                self._telemetry.error("record not prepared", record_ids=record_ids, error=type(error).__name__)
                batch.unfinished.update(record_ids)
        return batch

    def _run_stages_before_claim(self, batch: Batch) -> None:
        stages = self.stages
        stages.carried_outcomes.load(batch)
        stages.commands.execute(batch)
        stages.admitter.admit(batch)
        stages.quotas.enforce(batch)
        stages.pacer.reserve(batch)

    def _run(self, stage: Callable[[Batch], None], batch: Batch) -> None:
        """Run a stage after the claim. If it breaks, the later stages still handle the claimed messages."""
        try:
            stage(batch)
        except Exception as error:
            self._telemetry.error("stage failed", stage=stage.__qualname__, error=type(error).__name__)
            batch.unfinished.update(record_id for item in batch.items for record_id in item.record_ids)
            batch.unfinished |= batch.rejected_records
