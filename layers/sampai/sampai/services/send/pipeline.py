"""Build the send service: give each stage its ports."""

from dataclasses import dataclass

from sampai.services.circuit_breakers import CircuitBreakers
from sampai.services.ports.attempts import AttemptLog
from sampai.services.ports.configuration import SecretSource
from sampai.services.ports.correlations import Correlations
from sampai.services.ports.eligibility import EligibilityReader
from sampai.services.ports.encryption_keys import EncryptionKeyStore
from sampai.services.ports.media import MediaStore
from sampai.services.ports.messages import Messages
from sampai.services.ports.queue import Queue
from sampai.services.ports.quotas import QuotaCounters
from sampai.services.ports.rate_limiter import RateLimiter
from sampai.services.ports.runtime import Clock, NewId, NewPool, Sleep
from sampai.services.ports.suppression_list import SuppressionList
from sampai.services.ports.telemetry import Telemetry
from sampai.services.ports.transport import Transport
from sampai.services.reports import Reports
from sampai.services.send.admitter import Admitter
from sampai.services.send.attachments import AttachmentStore
from sampai.services.send.attempts import Attempts
from sampai.services.send.carried_outcomes import CarriedOutcomes
from sampai.services.send.circuits import CircuitRecorder
from sampai.services.send.claims import Claims
from sampai.services.send.commands import Commands
from sampai.services.send.commits import Commits
from sampai.services.send.configuration import ConfigurationLoader
from sampai.services.send.dispatch import Dispatcher
from sampai.services.send.outbox import Outbox
from sampai.services.send.pacer import Pacer
from sampai.services.send.provider_calls import ProviderCalls
from sampai.services.send.quotas import Quotas
from sampai.services.send.redelivery import Redelivery
from sampai.services.send.releases import Releases
from sampai.services.send.results import Results
from sampai.services.send.service import SendService, Stages


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageStores:
    """Stores with an entry for each message."""

    messages: Messages
    correlations: Correlations
    media: MediaStore
    encryption_keys: EncryptionKeyStore
    attempts: AttemptLog


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientStores:
    """Stores with an entry for each recipient or provider."""

    eligibility: EligibilityReader
    suppression_list: SuppressionList
    quotas: QuotaCounters


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """The services of the process: time, ids, threads and telemetry."""

    clock: Clock
    sleep: Sleep
    new_id: NewId
    new_key: NewId
    """Returns a random encryption key."""
    new_pool: NewPool
    telemetry: Telemetry


def build_send_service(
    *,
    configuration: ConfigurationLoader,
    secret: SecretSource,
    per_message: MessageStores,
    per_recipient: RecipientStores,
    transport: Transport,
    limiter: RateLimiter,
    queue: Queue,
    outbox: Outbox,
    runtime: Runtime,
) -> SendService:
    clock, telemetry, messages = runtime.clock, runtime.telemetry, per_message.messages
    circuit_breakers = CircuitBreakers()
    attachments = AttachmentStore(
        media=per_message.media,
        encryption_keys=per_message.encryption_keys,
        new_key=runtime.new_key,
        telemetry=telemetry,
    )
    calls = ProviderCalls(transport=transport, attachments=attachments, clock=clock, telemetry=telemetry)
    reports = Reports(messages=messages, correlations=per_message.correlations, clock=clock, telemetry=telemetry)
    commits = Commits(messages=messages, sleep=runtime.sleep, telemetry=telemetry)
    results = Results(
        messages=messages,
        commits=commits,
        reports=reports,
        attachments=attachments,
        clock=clock,
        telemetry=telemetry,
    )
    stages = Stages(
        carried_outcomes=CarriedOutcomes(messages=messages, queue=queue, telemetry=telemetry),
        commands=Commands(
            messages=messages, suppression_list=per_recipient.suppression_list, clock=clock, telemetry=telemetry
        ),
        admitter=Admitter(
            messages=messages,
            eligibility=per_recipient.eligibility,
            circuit_breakers=circuit_breakers,
            new_id=runtime.new_id,
            new_key=runtime.new_key,
            telemetry=telemetry,
        ),
        quotas=Quotas(messages=messages, counters=per_recipient.quotas, clock=clock),
        pacer=Pacer(limiter=limiter, clock=clock, sleep=runtime.sleep, telemetry=telemetry),
        claims=Claims(messages=messages, commits=commits, attachments=attachments, clock=clock, telemetry=telemetry),
        dispatcher=Dispatcher(calls=calls, clock=clock, sleep=runtime.sleep, new_pool=runtime.new_pool),
        circuits=CircuitRecorder(circuit_breakers=circuit_breakers, secret=secret, clock=clock, telemetry=telemetry),
        results=results,
        releases=Releases(messages=messages, results=results, sleep=runtime.sleep),
        outbox=outbox,
        attempts=Attempts(log=per_message.attempts, clock=clock, telemetry=telemetry),
    )
    return SendService(
        configuration=configuration,
        stages=stages,
        redelivery=Redelivery(queue=queue, telemetry=telemetry),
        clock=clock,
        telemetry=telemetry,
    )
