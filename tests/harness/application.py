"""The services on fakes that share one store, queue and bus."""

import json
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from sampai.domain.failure import Reason
from sampai.domain.http import HttpRequest, HttpResponse, WebhookRequest
from sampai.domain.message import Message
from sampai.domain.webhook_token import webhook_token
from sampai.services.follow_up.service import FollowUpService
from sampai.services.monitor import MonitorService
from sampai.services.ports.runtime import NewId
from sampai.services.ports.transport import NoResponse
from sampai.services.publish import PublishService
from sampai.services.send.batch import Record
from sampai.services.send.service import SendService
from sampai.services.webhook.inbound import InboundService
from sampai.services.webhook.service import Answer, WebhookService
from tests.fakes import (
    CountedIds,
    FixedClock,
    FixedSecret,
    FixedSettings,
    InlinePool,
    InMemoryAttempts,
    InMemoryDirectory,
    InMemoryEncryptionKeys,
    InMemoryInbox,
    InMemoryMedia,
    InMemoryRateLimiter,
    InMemoryStore,
    RecordingBus,
    RecordingQueue,
    RecordingTelemetry,
    RecordingTransport,
    Reply,
)
from tests.harness.sending import SECRET as SECRET
from tests.harness.sending import SETTINGS as SETTINGS
from tests.harness.sending import WEBHOOK_BASE_URL, new_sender
from tests.harness.vendors import (
    lost,
    nomsa_list,
    nomsa_row,
    nomsa_taken,
    nusasms_taken,
    smspoh_history,
    smspoh_row,
    smspoh_taken,
    unauthorized,
    unreached,
)

__all__ = [
    "RECIPIENTS",
    "SECRET",
    "SETTINGS",
    "Application",
    "by_host",
    "lost",
    "nomsa_list",
    "nomsa_row",
    "nomsa_taken",
    "nusasms_taken",
    "request",
    "smspoh_history",
    "smspoh_row",
    "smspoh_taken",
    "token_of",
    "unauthorized",
    "unreached",
]


def token_of(provider: str, secret_token: str = SECRET.webhook_tokens[0]) -> str:
    """Return the token in the webhook addresses of a provider."""
    return webhook_token(secret_token, provider)


RECIPIENTS = {
    "nomsa": "+85591234510",
    "smsnoc": "+8801744977910",
    "smspoh": "+959777777710",
    "nusasms": "+6281234567810",
}


def request(message_id: str | None = "m-1", home: str = "nomsa", **changes: Any) -> str:
    """Return the body of a send request to a number in the country of a provider."""
    document = {
        "message_id": message_id,
        "recipient": RECIPIENTS[home],
        "content": {"type": "text", "text": "Your code is 1234"},
    }
    return json.dumps({name: value for name, value in (document | changes).items() if value is not None})


class Application:
    """The services over the same fakes."""

    def __init__(
        self, *replies: Reply, settings: dict[str, Any] | None = None, store: InMemoryStore | None = None
    ) -> None:
        self.clock = FixedClock()
        self.ids = CountedIds()
        self.store = store or InMemoryStore()
        self.directory = InMemoryDirectory()
        self.inbox = InMemoryInbox()
        self.media = InMemoryMedia()
        self.encryption_keys = InMemoryEncryptionKeys()
        self.attempts = InMemoryAttempts()
        self.limiter = InMemoryRateLimiter()
        self.queue = RecordingQueue()
        self.bus = RecordingBus()
        self.transport = RecordingTransport(*(replies or (nomsa_taken(),)))
        self.settings = FixedSettings(SETTINGS | (settings or {}))
        self.secret = FixedSecret(SECRET)
        self.telemetry = RecordingTelemetry()
        self.seconds_left = 30.0
        self._record_ids = count(1)
        self._keys = count(1)
        self.sender = self.new_sender()
        self.inbound_service = InboundService(
            inbox=self.inbox,
            suppression_list=self.directory,
            conversations=self.directory,
            settings=self.settings,
            clock=self.clock,
            telemetry=self.telemetry,
        )
        self.receiver = WebhookService(
            messages=self.store,
            correlations=self.store,
            inbound_service=lambda: self.inbound_service,
            settings=lambda: self.settings,
            secret=self.secret,
            clock=self.clock,
            telemetry=self.telemetry,
        )
        self.monitor = MonitorService(
            catalogues=self.directory,
            transport=self.transport,
            settings=self.settings,
            secret=self.secret,
            clock=self.clock,
            telemetry=self.telemetry,
        )
        self.publisher = PublishService(
            bus=self.bus, media=self.media, encryption_keys=self.encryption_keys, telemetry=self.telemetry
        )
        self.follower = FollowUpService(
            messages=self.store,
            correlations=self.store,
            queue=self.queue,
            transport=self.transport,
            settings=self.settings,
            secret=self.secret,
            clock=self.clock,
            telemetry=self.telemetry,
            webhook_base_url=WEBHOOK_BASE_URL,
            new_pool=InlinePool,
            limiter=self.limiter,
            sleep=self.sleep,
        )

    def new_sender(self, new_id: NewId | None = None) -> SendService:
        """Return another sandbox of the send function."""
        return new_sender(
            self,
            settings=self.settings,
            secret=self.secret,
            clock=self.clock,
            sleep=self.sleep,
            new_id=new_id or self.ids,
            new_key=lambda: f"key-{next(self._keys)}",
        )

    def sleep(self, seconds: float) -> None:
        self.clock.advance(seconds=seconds)

    def send(self, *bodies: str, sender: SendService | None = None, caller_id: str | None = None) -> list[str]:
        """Deliver a batch and return the ids of the records that must come back: `r-1`, `r-2` … over all batches."""
        records = [Record(record_id=f"r-{next(self._record_ids)}", body=body, caller_id=caller_id) for body in bodies]
        started_at = self.clock.now
        return (sender or self.sender).handle(
            records, remaining=lambda: self.seconds_left - (self.clock.now - started_at).total_seconds()
        )

    def resume(self) -> list[str]:
        """Deliver the queued wake-ups."""
        bodies, self.queue.wake_ups = self.queue.bodies(), []
        return self.send(*bodies)

    def follow_up(self) -> int:
        return self.follower.run(remaining=lambda: 50.0)

    def receive(
        self, provider: str = "smspoh", kind: str = "receipt", token: str | None = None, **request: Any
    ) -> Answer:
        webhook = WebhookRequest(**{"method": "GET"} | request)
        given = token_of(provider) if token is None else token
        return self.receiver.handle(provider=provider, kind=kind, token=given, request=webhook)

    def message(self, message_id: str = "m-1") -> Message:
        return self.store.messages[message_id]

    def failure_reason(self, message_id: str = "m-1") -> Reason | None:
        failure = self.message(message_id).failure
        return failure.reason if failure else None

    def sequences(self, message_id: str = "m-1") -> list[int]:
        return [e.detail["sequence"] for e in self.store.events if e.detail["message_id"] == message_id]


def by_host(replies: dict[str, Sequence[Reply]]) -> Callable[[HttpRequest], HttpResponse | NoResponse]:
    """Answer each host with its own replies in turn, and repeat the last one."""
    queues = {host: list(answers) for host, answers in replies.items()}

    def reply(request: HttpRequest) -> HttpResponse | NoResponse:
        answers = queues[request.host]
        answer = answers[0] if len(answers) == 1 else answers.pop(0)
        return answer(request) if callable(answer) else answer

    return reply
