"""The checks.

No vendor is called, whatever the settings: the test message has no recipient and no route, and it expires at the moment
it is scheduled for.
"""

import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final, TypeVar
from urllib.error import HTTPError
from urllib.parse import urlencode
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from local.stack.processes import DIRECT
from sampai.adapters.secret import parse_secret
from sampai.adapters.store import DynamoStore
from sampai.adapters.telemetry import PowertoolsTelemetry
from sampai.domain.failure import Reason
from sampai.domain.message import Channel, HistoryEntry, Message
from sampai.domain.status import Source, Status
from sampai.domain.webhook_token import webhook_token
from sampai.services.ports.correlations import correlation_key
from sampai.services.ports.messages import Insert, Replace
from sampai.services.ports.runtime import UnavailableError
from sampai_cli.listener import Event, Listener, listening
from sampai_cli.stack import Stack

TOTAL_SECONDS: Final = 280
"""For all checks together; what is left of five minutes is for the clean-up."""
AHEAD: Final = timedelta(seconds=90)
"""The follow-up, which runs every minute, must find the message before it is due."""
POLL_SECONDS: Final = 2
METRIC: Final = "WebhookReceived"
PROVIDER: Final = "smspoh"
"""Its receipts need no body. It need not be configured."""

T = TypeVar("T")


class CheckError(Exception):
    """A check does not hold. The text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    check: str
    holds: bool
    detail: str


class Smoke:
    """One run of the checks against a stack. `now` is its start."""

    def __init__(self, target: Stack, *, now: datetime) -> None:
        self._target = target
        self._now = now.replace(microsecond=0)
        self._until = time.monotonic() + TOTAL_SECONDS
        self._id = f"sampai-smoke-{uuid4().hex[:12]}"
        self._created = ExitStack()
        self._listener: Listener | None = None
        self._message = _message(self._id, now=self._now)

    def run(self, show: Callable[[Result], None]) -> bool:
        """Make the checks one after another, delete everything that they created, and say whether all hold."""
        checks: dict[str, Callable[[], str]] = {
            "rule and queue": self._listen,
            "PartiQL": self._check_partiql,
            "receipts": self._check_receipts,
            "wake-up": self._check_wakeup,
            "event": self._check_event,
            "metric": self._check_metric,
        }
        results = []
        try:
            for name, check in checks.items():
                results.append(_result(name, check))
                show(results[-1])
        finally:
            results.append(_result("clean-up", self._clean_up))
            show(results[-1])
        return all(result.holds for result in results)

    def _listen(self) -> str:
        pattern = {"source": ["sampai"], "detail": {"message_id": [self._id]}}
        bus = self._target.outputs["EventBusName"]
        listener = listening(self._target.client, name=self._id, bus=bus, pattern=pattern)
        self._listener = self._created.enter_context(listener)
        return "created"

    def _check_partiql(self) -> str:
        """Write as the functions write, down to the statements, and read it back."""
        store, before = self._store, self._message
        after = replace(before, revision=before.revision + 1, sender=None)
        self._created.callback(self._delete, "MessagesTable", "message_id", self._id)
        if not store.commit([Insert(message=before)])[0].done:
            raise CheckError("INSERT was refused")
        if not store.commit([Replace(before=before, message=after)])[0].done:
            raise CheckError("UPDATE with SET and REMOVE was refused")
        self._message = after
        if store.read([self._id]) != {self._id: after}:
            raise CheckError("the item is not as it was written")
        stale = Replace(before=before, message=replace(after, sender="stale"))
        if store.commit([stale])[0].current != after:
            raise CheckError("UPDATE of an old revision does not return the stored item")
        return "INSERT, SET and REMOVE in one UPDATE, and a condition that fails"

    def _check_receipts(self) -> str:
        secret_id = self._target.outputs["ProviderSecretArn"]
        secret = self._target.client("secretsmanager").get_secret_value(SecretId=secret_id)["SecretString"]
        token = webhook_token(parse_secret(secret).webhook_tokens[0], PROVIDER)
        self._created.callback(
            self._delete, "CorrelationsTable", "correlation_key", correlation_key(PROVIDER, Channel.SMS, self._id)
        )
        for sent, expected in ((uuid4().hex, 404), (token, 200)):
            if (status := self._report(sent)) != expected:
                raise CheckError(f"HTTP {status} in place of {expected}")
        return "404 with a wrong token, 200 with the right one"

    def _check_wakeup(self) -> str:
        """Make the message due for the follow-up, which queues its wake-up. When that comes, the message expires."""
        before = self._message
        due = replace(before, revision=before.revision + 1, due_at=self._now)
        if not self._store.commit([Replace(before=before, message=due)])[0].done:
            raise CheckError("the message could not be made due")
        message = self._wait(self._final_message, "the message is still scheduled: does the follow-up run?")
        end = message.history[-1]
        if message.attempt_id is not None:
            raise CheckError("the message was claimed for a vendor")
        if message.failure is None or message.failure.reason is not Reason.EXPIRED:
            raise CheckError(f"the message ended as {message.status}")
        if end.source is not Source.SEND:
            raise CheckError("the follow-up came too late to queue a wake-up; try again")
        late = (end.at - (message.send_at or end.at)).total_seconds()
        return f"follow-up, queue and send function; {late:.1f} s after the scheduled time"

    def _check_event(self) -> str:
        if self._listener is None:
            raise CheckError("there is no queue")
        left = max(0.0, min(60.0, self._until - time.monotonic()))
        if self._listener.wait_for(_tells_of_failure, seconds=left) is None:
            raise CheckError("no event says that the message failed")
        return "through the rule into the queue"

    def _check_metric(self) -> str:
        look = self._metric_in_log if self._target.is_local else self._metric_in_cloudwatch
        return self._wait(look, f"{METRIC} is missing")

    def _clean_up(self) -> str:
        self._created.close()
        return "everything was deleted again"

    @cached_property
    def _store(self) -> DynamoStore:
        return DynamoStore(
            self._target.client("dynamodb"),
            messages_table=self._target.resource("MessagesTable"),
            correlations_table=self._target.resource("CorrelationsTable"),
            clock=lambda: datetime.now(UTC),
            telemetry=PowertoolsTelemetry(service="smoke", level="ERROR", namespace="Sampai/smoke"),
        )

    def _delete(self, table: str, key: str, value: str) -> None:
        name = self._target.resource(table)
        self._target.client("dynamodb").delete_item(TableName=name, Key={key: {"S": value}})

    def _report(self, token: str) -> int:
        """Send a receipt for a vendor id that no message has, and return the HTTP status."""
        base, query = self._target.outputs["WebhookBaseUrl"], {"messageId": self._id, "status": "Delivered"}
        opener = DIRECT if self._target.is_local else urllib.request.build_opener()
        try:
            with opener.open(f"{base}/webhooks/{PROVIDER}/receipt/{token}?{urlencode(query)}", timeout=30) as answer:
                return int(answer.status)
        except HTTPError as error:
            return error.code

    def _final_message(self) -> Message | None:
        message = self._store.read([self._id]).get(self._id)
        return message if message is not None and message.status.is_final else None

    def _metric_in_cloudwatch(self) -> str | None:
        namespace = f"Sampai/{self._target.name}"
        answer = self._target.client("cloudwatch").get_metric_statistics(
            Namespace=namespace,
            MetricName=METRIC,
            StartTime=self._now - timedelta(minutes=1),
            EndTime=datetime.now(UTC) + timedelta(minutes=1),
            Period=60,
            Statistics=["Sum"],
        )
        return f"{METRIC} in {namespace}" if answer["Datapoints"] else None

    def _metric_in_log(self) -> str | None:
        answer = self._target.client("logs").filter_log_events(
            logGroupName=f"/aws/lambda/{self._target.name}/webhook",
            startTime=int(self._now.timestamp() * 1000),
            filterPattern=METRIC,
        )
        return f"{METRIC} in the log, of which the local AWS makes no metric" if answer["events"] else None

    def _wait(self, look: Callable[[], T | None], otherwise: str) -> T:
        """Return what `look` finds. Raises CheckError if that is nothing until the time of all checks is over."""
        while (found := look()) is None:
            if time.monotonic() > self._until:
                raise CheckError(otherwise)
            time.sleep(POLL_SECONDS)
        return found


def _message(message_id: str, *, now: datetime) -> Message:
    """Return a scheduled message that no function can send, due for the follow-up only when it is long over."""
    return Message(
        message_id=message_id,
        status=Status.SCHEDULED,
        revision=1,
        sequence=1,
        sender="smoke",
        send_at=now + AHEAD,
        expires_at=now + AHEAD,
        due_at=now + timedelta(hours=1),
        created_at=now,
        updated_at=now,
        occurred_at=now,
        history=(HistoryEntry(status=Status.SCHEDULED, at=now, source=Source.CALLER),),
    )


def _result(name: str, check: Callable[[], str]) -> Result:
    try:
        return Result(check=name, holds=True, detail=check())
    except CheckError as error:
        return Result(check=name, holds=False, detail=str(error))
    except (BotoCoreError, ClientError, UnavailableError, OSError) as error:
        return Result(check=name, holds=False, detail=f"{type(error).__name__}: {error}")


def _tells_of_failure(event: Event) -> bool:
    return bool(event["detail"]["status"] == Status.FAILED)
