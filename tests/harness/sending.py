"""Build the send service on fakes, and the batches that its stages are tested with."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final, Protocol

from sampai.contract.request import parse_request
from sampai.services.deadline import Deadline
from sampai.services.ports.attempts import AttemptLog
from sampai.services.ports.configuration import Secret, SecretSource, SettingsSource
from sampai.services.ports.eligibility import EligibilityReader
from sampai.services.ports.encryption_keys import EncryptionKeyStore
from sampai.services.ports.media import MediaStore
from sampai.services.ports.quotas import QuotaCounters
from sampai.services.ports.runtime import Clock, NewId, Remaining, Sleep
from sampai.services.ports.suppression_list import SuppressionList
from sampai.services.ports.telemetry import Telemetry
from sampai.services.ports.transport import Transport
from sampai.services.routing import Routing
from sampai.services.send.batch import Batch, BatchItem, Record
from sampai.services.send.configuration import Configuration, ConfigurationLoader
from sampai.services.send.outbox import Outbox
from sampai.services.send.pipeline import MessageStores, RecipientStores, Runtime, build_send_service
from sampai.services.send.service import SendService
from tests.fakes import (
    START,
    FixedSettings,
    InlinePool,
    InMemoryRateLimiter,
    InMemoryStore,
    RecordingBus,
    RecordingQueue,
)

LEASE: Final = timedelta(seconds=60)
WEBHOOK_BASE_URL: Final = "https://hooks.example.net"

SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "routes": {"sms": {"TH": ["nomsa", "smspoh"]}},
    "providers": {"smsnoc": {"sender": "SampaiBD"}, "smspoh": {"sender": "Sampai"}},
}

SECRET: Final = Secret(
    webhook_tokens=("token-of-the-tests", "the-token-before"),
    credentials={
        "nomsa": {"api_key": "house_v1_nomsa"},
        "smsnoc": {"api_token": "1|house"},
        "smspoh": {"api_key": "house", "api_secret": "house"},
        "nusasms": {"api_key": "house", "user": "house", "password": "house"},
    },
)


class Directory(EligibilityReader, SuppressionList, QuotaCounters, Protocol):
    """The ports that the table of the directory implements for the send service."""


class Ports(Protocol):
    """The ports of a harness."""

    @property
    def store(self) -> InMemoryStore: ...
    @property
    def directory(self) -> Directory: ...
    @property
    def media(self) -> MediaStore: ...
    @property
    def encryption_keys(self) -> EncryptionKeyStore: ...
    @property
    def attempts(self) -> AttemptLog: ...
    @property
    def limiter(self) -> InMemoryRateLimiter: ...
    @property
    def queue(self) -> RecordingQueue: ...
    @property
    def bus(self) -> RecordingBus: ...
    @property
    def transport(self) -> Transport: ...
    @property
    def telemetry(self) -> Telemetry: ...


def new_sender(
    ports: Ports,
    *,
    settings: SettingsSource,
    secret: SecretSource,
    clock: Clock,
    sleep: Sleep,
    new_id: NewId,
    new_key: NewId,
) -> SendService:
    """Return the real send service on fakes, as `bootstrap` builds it on AWS."""
    return build_send_service(
        configuration=ConfigurationLoader(
            settings=settings, secret=secret, webhook_base_url=WEBHOOK_BASE_URL, lease=LEASE
        ),
        secret=secret,
        per_message=MessageStores(
            messages=ports.store,
            correlations=ports.store,
            media=ports.media,
            encryption_keys=ports.encryption_keys,
            attempts=ports.attempts,
        ),
        per_recipient=RecipientStores(
            eligibility=ports.directory, suppression_list=ports.directory, quotas=ports.directory
        ),
        transport=ports.transport,
        limiter=ports.limiter,
        queue=ports.queue,
        outbox=Outbox(queue=ports.queue, bus=ports.bus, telemetry=ports.telemetry),
        runtime=Runtime(
            clock=clock,
            sleep=sleep,
            new_id=new_id,
            new_key=new_key,
            new_pool=InlinePool,
            telemetry=ports.telemetry,
        ),
    )


def new_batch(
    *bodies: str,
    items: Iterable[BatchItem] = (),
    seconds_left: float = 30.0,
    remaining: Remaining | None = None,
    settings: dict[str, Any] | None = None,
    caller_id: str | None = None,
) -> Batch:
    """Return a batch of the records `r-1`, `r-2` …, or one with items, for the test of a stage."""
    current = FixedSettings(SETTINGS | (settings or {})).current()
    records = [
        Record(record_id=f"r-{number}", body=body, caller_id=caller_id) for number, body in enumerate(bodies, start=1)
    ]
    return Batch(
        requests=[(record, parse_request(record.body, now=START)) for record in records],
        configuration=Configuration(
            settings=current,
            routing=Routing(current, SECRET, webhook_base_url=WEBHOOK_BASE_URL),
            fingerprint_key=b"fingerprint-key-of-the-tests",
            lease=LEASE,
        ),
        deadline=Deadline(remaining or (lambda: seconds_left)),
        started_at=START,
        items=list(items),
    )
