"""Creates the services with their adapters, on first use and once per sandbox."""

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
from sampai.domain.recipient import keyed_digest
from sampai.environment import (
    CallbackEnvironment,
    Environment,
    FollowUpEnvironment,
    MonitorEnvironment,
    PublishEnvironment,
    SendEnvironment,
    WebhookEnvironment,
)

if TYPE_CHECKING:
    from sampai.adapters.directory import DynamoDirectory
    from sampai.adapters.events import EventBridgeBus
    from sampai.adapters.queue import SqsQueue
    from sampai.adapters.settings import SsmSettings
    from sampai.services.callback import CallbackService
    from sampai.services.follow_up.service import FollowUpService
    from sampai.services.follow_up.workers import Workers
    from sampai.services.monitor import MonitorService
    from sampai.services.publish import PublishService
    from sampai.services.send.service import SendService
    from sampai.services.webhook.inbound import InboundService
    from sampai.services.webhook.service import WebhookService


def clock() -> datetime:
    """Return the current time in milliseconds, the precision of the store."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def new_id() -> str:
    return uuid4().hex


def new_key() -> str:
    """Return an encryption key of 192 random bits, in 32 letters, digits, - and _."""
    return token_urlsafe(24)


@cache
def telemetry() -> PowertoolsTelemetry:
    environment = Environment.load()
    return PowertoolsTelemetry(
        service=environment.powertools_service_name,
        level=environment.powertools_log_level,
        namespace=environment.powertools_metrics_namespace,
    )


# A function imports only what it uses: pydantic, requests and the CA bundle cost a webhook more than all of its work.


@cache
def send_service() -> "SendService":
    from sampai.adapters.attempts import DynamoAttempts
    from sampai.adapters.encryption_keys import DynamoEncryptionKeys
    from sampai.adapters.media import DynamoMedia
    from sampai.adapters.rate_limiter import DynamoRateLimiter
    from sampai.adapters.transport import HttpTransport
    from sampai.services.send import pipeline
    from sampai.services.send.configuration import ConfigurationLoader
    from sampai.services.send.outbox import Outbox

    environment = SendEnvironment.load()
    store, directory = _store(environment), _directory(environment)
    dynamodb = _aws().client("dynamodb")
    return pipeline.build_send_service(
        configuration=ConfigurationLoader(
            settings=_settings(environment),
            secret=_secret(environment),
            webhook_base_url=environment.webhook_base_url,
            lease=timedelta(seconds=environment.lease_seconds),
        ),
        secret=_secret(environment),
        per_message=pipeline.MessageStores(
            messages=store,
            correlations=store,
            media=DynamoMedia(dynamodb, table=environment.media_table),
            encryption_keys=DynamoEncryptionKeys(
                dynamodb,
                table=environment.encryption_keys_table,
                retention=timedelta(days=environment.retention_days),
            ),
            attempts=DynamoAttempts(dynamodb, table=environment.attempts_table),
        ),
        per_recipient=pipeline.RecipientStores(eligibility=directory, suppression_list=directory, quotas=directory),
        transport=HttpTransport(),
        limiter=DynamoRateLimiter(dynamodb, table=environment.directory_table),
        queue=_queue(environment),
        outbox=Outbox(queue=_queue(environment), bus=_event_bus(environment), telemetry=telemetry()),
        runtime=pipeline.Runtime(
            clock=clock,
            sleep=time.sleep,
            new_id=new_id,
            new_key=new_key,
            new_pool=ThreadPoolExecutor,
            telemetry=telemetry(),
        ),
    )


@cache
def webhook_service() -> "WebhookService":
    from sampai.services.webhook.service import WebhookService

    environment = WebhookEnvironment.load()
    store = _store(environment)
    return WebhookService(
        messages=store,
        correlations=store,
        inbound_service=lambda: _inbound_service(environment),
        settings=lambda: _settings(environment),
        secret=_secret(environment),
        clock=clock,
        telemetry=telemetry(),
    )


@cache
def _inbound_service(environment: WebhookEnvironment) -> "InboundService":
    from sampai.adapters.inbox import DynamoInbox
    from sampai.services.webhook.inbound import InboundService

    directory = _directory(environment)
    return InboundService(
        inbox=DynamoInbox(_aws().client("dynamodb"), table=environment.inbox_table),
        suppression_list=directory,
        conversations=directory,
        settings=_settings(environment),
        clock=clock,
        telemetry=telemetry(),
    )


@cache
def follow_up_service() -> "FollowUpService":
    from sampai.adapters.rate_limiter import DynamoRateLimiter
    from sampai.adapters.transport import HttpTransport
    from sampai.services.follow_up.service import FollowUpService

    environment = FollowUpEnvironment.load()
    store = _store(environment)
    return FollowUpService(
        messages=store,
        correlations=store,
        queue=_queue(environment),
        transport=HttpTransport(),
        settings=_settings(environment),
        secret=_secret(environment),
        clock=clock,
        telemetry=telemetry(),
        webhook_base_url=environment.webhook_base_url,
        new_pool=ThreadPoolExecutor,
        limiter=DynamoRateLimiter(_aws().client("dynamodb"), table=environment.directory_table),
        sleep=time.sleep,
    )


@cache
def follow_up_workers(function_name: str) -> "Workers":
    """Return the workers of follow_up, which are invocations of the function of this name."""
    from sampai.adapters.invocations import LambdaStarter
    from sampai.services.follow_up.workers import Workers

    environment = FollowUpEnvironment.load()
    return Workers(
        # A worker without a shard would have nothing to do.
        count=min(environment.follow_up_workers, environment.due_shards),
        starter=LambdaStarter(_aws().deferred("lambda"), function_name=function_name),
        telemetry=telemetry(),
    )


@cache
def monitor_service() -> "MonitorService":
    from sampai.adapters.transport import HttpTransport
    from sampai.services.monitor import MonitorService

    environment = MonitorEnvironment.load()
    return MonitorService(
        catalogues=_directory(environment),
        transport=HttpTransport(),
        settings=_settings(environment),
        secret=_secret(environment),
        clock=clock,
        telemetry=telemetry(),
    )


@cache
def publish_service() -> "PublishService":
    from sampai.adapters.encryption_keys import DynamoEncryptionKeys
    from sampai.adapters.media import DynamoMedia
    from sampai.services.publish import PublishService

    environment = PublishEnvironment.load()
    dynamodb = _aws().deferred("dynamodb")
    return PublishService(
        bus=_event_bus(environment),
        media=DynamoMedia(dynamodb, table=environment.media_table),
        encryption_keys=DynamoEncryptionKeys(dynamodb, table=environment.encryption_keys_table),
        telemetry=telemetry(),
    )


@cache
def callback_service() -> "CallbackService":
    from sampai.adapters.callback_progress import DynamoCallbackProgress
    from sampai.adapters.queue import SqsCallbackQueue
    from sampai.adapters.transport import HttpTransport
    from sampai.domain.addresses import is_public
    from sampai.services.callback import CallbackService

    environment = CallbackEnvironment.load()
    return CallbackService(
        url=environment.callback_url,
        progress=DynamoCallbackProgress(_aws().client("dynamodb"), table=environment.callbacks_table, clock=clock),
        queue=SqsCallbackQueue(_aws().deferred("sqs"), url=environment.callback_queue_url),
        transport=HttpTransport(permits=None if environment.callback_to_private_addresses else is_public),
        secret=_secret(environment),
        clock=clock,
        telemetry=telemetry(),
        new_pool=ThreadPoolExecutor,
        lease=timedelta(seconds=environment.lease_seconds),
        max_receives=environment.max_receives,
    )


# --- adapters that several functions use ----------------------------------------------------------------------------


@cache
def _aws() -> Aws:
    return Aws()


@cache
def _store(environment: SendEnvironment | WebhookEnvironment | FollowUpEnvironment) -> DynamoStore:
    return DynamoStore(
        _aws().client("dynamodb"),
        messages_table=environment.messages_table,
        correlations_table=environment.correlations_table,
        clock=clock,
        telemetry=telemetry(),
        retention=timedelta(days=environment.retention_days),
        due_shards=environment.due_shards,
    )


@cache
def _directory(environment: SendEnvironment | WebhookEnvironment | MonitorEnvironment) -> "DynamoDirectory":
    from sampai.adapters.directory import DynamoDirectory

    secret = _secret(environment)
    return DynamoDirectory(
        _aws().client("dynamodb"),
        table=environment.directory_table,
        digest=lambda number: keyed_digest(number, secret.fingerprint_key()),
        telemetry=telemetry(),
    )


@cache
def _queue(environment: SendEnvironment | FollowUpEnvironment) -> "SqsQueue":
    from sampai.adapters.queue import SqsQueue

    return SqsQueue(
        _aws().deferred("sqs"), send_url=environment.send_queue_url, urgent_url=environment.urgent_queue_url
    )


@cache
def _event_bus(environment: SendEnvironment | PublishEnvironment) -> "EventBridgeBus":
    from sampai.adapters.events import EventBridgeBus

    return EventBridgeBus(
        _aws().deferred("events"),
        bus_name=environment.event_bus_name,
        telemetry=telemetry(),
        new_pool=ThreadPoolExecutor,
    )


ConfiguredEnvironment = SendEnvironment | WebhookEnvironment | FollowUpEnvironment | MonitorEnvironment


@cache
def _settings(environment: ConfiguredEnvironment) -> "SsmSettings":
    from sampai.adapters.settings import SsmSettings

    return SsmSettings(
        lambda: _aws().client("ssm"), name=environment.settings_parameter, clock=clock, telemetry=telemetry()
    )


@cache
def _secret(environment: ConfiguredEnvironment | CallbackEnvironment) -> SecretsManagerSecret:
    return SecretsManagerSecret(
        lambda: _aws().client("secretsmanager"),
        arn=environment.provider_secret_arn,
        # Send compares requests with this key, and send and webhook digest the numbers of opt-outs.
        fingerprint_arn=getattr(environment, "fingerprint_secret_arn", None),
        clock=clock,
        telemetry=telemetry(),
    )
