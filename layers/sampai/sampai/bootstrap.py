"""The one place where services meet their adapters: lazily, once for each sandbox, from the environment."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cache
from secrets import token_urlsafe
from typing import TYPE_CHECKING
from uuid import uuid4

from sampai.adapters.aws import Aws
from sampai.adapters.secret import SecretsManagerSecret
from sampai.adapters.store import DynamoStore
from sampai.adapters.telemetry import PowertoolsTelemetry
from sampai.domain.phone import keyed_digest

if TYPE_CHECKING:
    from sampai.adapters.directory import DynamoDirectory
    from sampai.adapters.events import EventBridgeBus
    from sampai.adapters.queue import SqsQueue
    from sampai.adapters.settings import SsmSettings
    from sampai.services.follow_up.service import FollowUpService
    from sampai.services.monitor import MonitorService
    from sampai.services.send.service import SendService
    from sampai.services.webhook.inbound import InboundService
    from sampai.services.webhook.service import WebhookService


def clock() -> datetime:
    """Return the present instant as finely as the store keeps it, in milliseconds."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def new_id() -> str:
    return uuid4().hex


def new_key() -> str:
    """Return an encryption key of 192 random bits, in 32 letters, digits, - and _."""
    return token_urlsafe(24)


@cache
def telemetry() -> PowertoolsTelemetry:
    return PowertoolsTelemetry()


# A function imports only what it uses: pydantic and the CA bundle cost a webhook more than all of its work.


@cache
def send_service() -> "SendService":
    from sampai.adapters.encryption_keys import DynamoEncryptionKeys
    from sampai.adapters.media import DynamoMedia
    from sampai.adapters.rate_limiter import DynamoRateLimiter
    from sampai.adapters.transport import HttpTransport
    from sampai.services.send.service import SendService

    return SendService(
        messages=_store(),
        correlations=_store(),
        eligibility=_directory(),
        suppression_list=_directory(),
        quotas=_directory(),
        media=DynamoMedia(_aws().client("dynamodb"), table=os.environ["MEDIA_TABLE"]),
        encryption_keys=DynamoEncryptionKeys(_aws().client("dynamodb"), table=os.environ["ENCRYPTION_KEYS_TABLE"]),
        queue=_queue(),
        bus=event_bus(),
        transport=HttpTransport(),
        settings=_settings(),
        secret=_secret(),
        clock=clock,
        new_id=new_id,
        new_key=new_key,
        telemetry=telemetry(),
        webhook_base_url=os.environ["WEBHOOK_BASE_URL"],
        new_pool=ThreadPoolExecutor,
        limiter=DynamoRateLimiter(_aws().client("dynamodb"), table=os.environ["DIRECTORY_TABLE"]),
        sleep=time.sleep,
        lease=timedelta(seconds=int(os.environ["LEASE_SECONDS"])),
    )


@cache
def webhook_service() -> "WebhookService":
    from sampai.services.webhook.service import WebhookService

    return WebhookService(
        messages=_store(),
        correlations=_store(),
        inbound_service=_inbound_service,
        secret=_secret(),
        clock=clock,
        telemetry=telemetry(),
    )


@cache
def monitor_service() -> "MonitorService":
    from sampai.adapters.transport import HttpTransport
    from sampai.services.monitor import MonitorService

    return MonitorService(
        catalogues=_directory(),
        transport=HttpTransport(),
        settings=_settings(),
        secret=_secret(),
        clock=clock,
        telemetry=telemetry(),
    )


@cache
def follow_up_service() -> "FollowUpService":
    from sampai.adapters.transport import HttpTransport
    from sampai.services.follow_up.service import FollowUpService

    return FollowUpService(
        messages=_store(),
        correlations=_store(),
        queue=_queue(),
        transport=HttpTransport(),
        settings=_settings(),
        secret=_secret(),
        clock=clock,
        telemetry=telemetry(),
        webhook_base_url=os.environ["WEBHOOK_BASE_URL"],
        new_pool=ThreadPoolExecutor,
    )


@cache
def event_bus() -> "EventBridgeBus":
    from sampai.adapters.events import EventBridgeBus

    return EventBridgeBus(_aws().deferred("events"), bus_name=os.environ["EVENT_BUS_NAME"])


@cache
def _aws() -> Aws:
    return Aws()


@cache
def _store() -> DynamoStore:
    return DynamoStore(
        _aws().client("dynamodb"),
        messages_table=os.environ["MESSAGES_TABLE"],
        correlations_table=os.environ["CORRELATIONS_TABLE"],
        clock=clock,
    )


@cache
def _directory() -> "DynamoDirectory":
    from sampai.adapters.directory import DynamoDirectory

    return DynamoDirectory(
        _aws().client("dynamodb"),
        table=os.environ["DIRECTORY_TABLE"],
        digest=lambda number: keyed_digest(number, _secret().fingerprint_key()),
    )


@cache
def _inbound_service() -> "InboundService":
    from sampai.adapters.inbox import DynamoInbox
    from sampai.services.webhook.inbound import InboundService

    return InboundService(
        inbox=DynamoInbox(_aws().client("dynamodb"), table=os.environ["INBOX_TABLE"]),
        suppression_list=_directory(),
        conversations=_directory(),
        settings=_settings(),
        clock=clock,
        telemetry=telemetry(),
    )


@cache
def _queue() -> "SqsQueue":
    from sampai.adapters.queue import SqsQueue

    return SqsQueue(
        _aws().deferred("sqs"), send_url=os.environ["SEND_QUEUE_URL"], urgent_url=os.environ["URGENT_QUEUE_URL"]
    )


@cache
def _settings() -> "SsmSettings":
    from sampai.adapters.settings import SsmSettings

    return SsmSettings(
        lambda: _aws().client("ssm"), name=os.environ["SETTINGS_PARAMETER"], clock=clock, telemetry=telemetry()
    )


@cache
def _secret() -> SecretsManagerSecret:
    return SecretsManagerSecret(
        lambda: _aws().client("secretsmanager"),
        arn=os.environ["PROVIDER_SECRET_ARN"],
        # Only the send and webhook functions have it: they compare requests, or keep opt-outs.
        fingerprint_arn=os.environ.get("FINGERPRINT_SECRET_ARN"),
        clock=clock,
        telemetry=telemetry(),
    )
