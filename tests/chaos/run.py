"""Run the chaos test once on a running stack."""

import json
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from local.demo.caller import Caller
from local.demo.messages import SEND, URGENT
from local.demo.watch import FINAL
from local.stack import DYNAMODB, EMULATOR, SIMULATORS
from local.stack.config import LOCAL, STACK_NAME
from local.stack.deployment import client
from local.stack.processes import DIRECT, Server
from sampai.domain.webhook_token import webhook_token
from tests.chaos.load import RECIPIENTS, LoadMessage, build_load, build_outage_load, plan_waves
from tests.chaos.nemesis import (
    KILL_PERIOD_SECONDS,
    STORE_STOPS,
    Nemesis,
    StoreStop,
    Target,
    plan_kills,
    stopped,
)
from tests.chaos.verdict import ChaosResult

OPERATORS_SETTINGS: Final = {"report_horizon_hours": 80 / 3600, "poll_seconds": [10, 20]}
"""A rejected message fails after its first three waits (5, 15 and 60 seconds) instead of after three days, and every
follow-up run polls."""

VISIBILITY_TIMEOUT_SECONDS: Final = 35
"""Records of a killed function return after this time, instead of after three minutes. AWS requires at least the
timeout of the function. It is shorter than the lease, so that redelivery also meets live leases."""

INTERRUPTED: Final = "errorMessage=Worker process died"
"""Text in the emulator's log when a process dies during an invocation for a queue or a stream."""

QUIET_SECONDS: Final = 420.0
"""Longest wait for all messages to become final after the last fault, unless the `due_at` of a message is later. If a
stop of the store meets the third delivery of a record, the record is postponed by five minutes."""
LATE_SECONDS: Final = 150.0
"""Extra time after such a `due_at`: two follow-up runs, and the publication of the final event."""
MAX_QUIET_SECONDS: Final = 900.0
"""Limit for messages that are deferred again and again. The longest wait is that of a message that a vendor rejects
just before the horizon: five minutes, two more if its wake-up is lost, and then the horizon once more."""

BEFORE_STOP_SECONDS: Final = 10.0
"""Time of the load before each stop of the store, so that calls are under way when it begins."""
INBOUND_TRIES: Final = 4
INBOUND_WORKERS: Final = 4
LEDGER_FILE: Final = LOCAL / "chaos.ledger"
BATCH_GET_SIZE: Final = 100
QUEUES: Final = (SEND, URGENT)

SIMULATORS_WITH_LEDGER: Final = replace(SIMULATORS, arguments=(*SIMULATORS.arguments, "--state", str(LEDGER_FILE)))
"""The simulators, with a ledger that survives a restart."""


class Chaos:
    """Sends the load while the nemesis kills, waits until the stack is idle, and collects the result."""

    def __init__(self, outputs: Mapping[str, Any], seed: int) -> None:
        self._outputs = outputs
        self._seed = seed
        self._caller = Caller(outputs)
        self._sqs, self._dynamodb = client("sqs"), client("dynamodb")
        self._table = outputs["MessagesTableName"]
        secret = client("secretsmanager").get_secret_value(SecretId=outputs["ProviderSecretArn"])["SecretString"]
        self._token = str(json.loads(secret)["webhook_tokens"][0])
        self._event_statuses: dict[str, dict[int, str]] = {}
        self._published_inbound: set[str] = set()
        self._inbound_count = 0
        self._pool = ThreadPoolExecutor(INBOUND_WORKERS)
        self._posted: list[Future[str | None]] = []

    def run(self) -> ChaosResult:
        """Run the test and return its result."""
        self._caller.change_settings(OPERATORS_SETTINGS)
        self._caller.check_accounts()
        for queue in QUEUES:
            attributes = {"VisibilityTimeout": str(VISIBILITY_TIMEOUT_SECONDS)}
            self._sqs.set_queue_attributes(QueueUrl=self._outputs[queue], Attributes=attributes)
        load, outage_load = build_load(self._seed), build_outage_load(self._seed)
        nemesis = self._nemesis()
        nemesis.start()
        self._send_waves(plan_waves(self._seed, load), seconds=KILL_PERIOD_SECONDS, check=nemesis.check)
        nemesis.finish()
        print(f"{sum(nemesis.kills.values())} kills. Stopping DynamoDB ...", flush=True)
        sent_during_stops = self._stop_store(plan_waves(self._seed, outage_load))
        print("Waiting for the stack to become idle ...", flush=True)
        with self._pool:
            acknowledged_inbound = [text for each in self._posted if (text := each.result()) is not None]
        stored, dead_letters = self._wait_until_quiet([*load, *outage_load])
        return ChaosResult(
            load=[*load, *outage_load],
            outage_load=outage_load,
            sent_during_stops=sent_during_stops,
            submissions=self._caller.submissions(),
            kills=nemesis.kills,
            interrupted_invocations=EMULATOR.log.read_text(errors="replace").count(INTERRUPTED),
            stored=stored,
            event_statuses=self._event_statuses,
            acceptances=self._caller.acceptances(),
            dead_letters=sorted(dead_letters),
            queue_depths=self._queue_depths(),
            acknowledged_inbound=frozenset(acknowledged_inbound),
            published_inbound=frozenset(self._published_inbound),
        )

    def _nemesis(self) -> Nemesis:
        webhook_arguments = ("--webhook-base", self._outputs["WebhookBaseUrl"], "--webhook-token", self._token)
        restarted = replace(SIMULATORS_WITH_LEDGER, arguments=(*SIMULATORS_WITH_LEDGER.arguments, *webhook_arguments))
        functions, name = client("lambda"), _resource("FollowUpFunction")
        return Nemesis(
            planned_kills=plan_kills(self._seed),
            emulator=EMULATOR,
            servers={Target.DYNAMODB: DYNAMODB, Target.SIMULATORS: restarted},
            run_follow_up=lambda: functions.invoke(FunctionName=name, InvocationType="Event", Payload=b"{}"),
        )

    def _stop_store(self, waves: Sequence[Sequence[LoadMessage]]) -> dict[StoreStop, int]:
        """Spread the waves over the stops of the store and the time before each, and return the messages of each stop.

        The waves before a stop end with its beginning, so that it meets calls and writes that are under way.
        """
        counts, left = {}, list(waves)
        total = sum(BEFORE_STOP_SECONDS + stop.seconds for stop in STORE_STOPS)
        for stop in STORE_STOPS:
            before, during = (ceil(len(waves) * s / total) for s in (BEFORE_STOP_SECONDS, stop.seconds))
            first, second, left = left[:before], left[before : before + during], left[before + during :]
            self._send_waves(first, seconds=BEFORE_STOP_SECONDS)
            with stopped(DYNAMODB, stop):
                self._send_waves(second, seconds=stop.seconds)
            counts[stop] = sum(map(len, second))
        return counts

    def _send_waves(
        self, waves: Sequence[Sequence[LoadMessage]], *, seconds: float, check: Callable[[], None] = lambda: None
    ) -> None:
        """Put waves on the queues, the last one at the end of the time. Post one inbound message with each wave."""
        started_at = time.monotonic()
        for number, wave in enumerate(waves, start=1):
            time.sleep(max(0.0, started_at + seconds * number / len(waves) - time.monotonic()))
            for queue in QUEUES:
                self._caller.put([json.dumps(s.request) for s in wave if s.queue == queue], queue=queue)
            self._posted.append(self._pool.submit(self._post_inbound, self._inbound_count))
            self._inbound_count += 1
            self._receive_events()
            check()

    def _post_inbound(self, number: int) -> str | None:
        """Post an inbound message to the webhook as NusaSMS does, and retry. Return its text if the answer is 200."""
        text = f"Chaos from phone {number}"
        fields = {
            "id": str(number),
            "gateway_number": "6281100001111",
            "originator": RECIPIENTS["nusasms"].format(number, "90").removeprefix("+"),
            "receive_date": "2026-11-21 17:00:00",
            "msg": text,
        }
        url = f"{self._outputs['WebhookBaseUrl']}/webhooks/nusasms/sms-inbox/{webhook_token(self._token, 'nusasms')}"
        headers = {"content-type": "application/x-www-form-urlencoded"}
        for _ in range(INBOUND_TRIES):
            try:
                with DIRECT.open(urllib.request.Request(url, urlencode(fields).encode(), headers), timeout=15):
                    return text
            except OSError:
                time.sleep(1)
        return None

    def _wait_until_quiet(self, load: Sequence[LoadMessage]) -> tuple[dict[str, str], set[str]]:
        """Wait until the queues are empty and every message is final or a dead letter, or until the deadline."""
        started_at, dead_letters = datetime.now(UTC), set[str]()
        deadline = started_at
        while True:
            time.sleep(2)
            self._receive_events()
            dead_letters |= set(self._receive_dead_letters())
            items = self._read_items([sent.message_id for sent in load])
            stored = {i: item["status"]["S"] for i, item in items.items()}
            ended = {i for i, status in stored.items() if status in FINAL} | dead_letters
            is_published = all(stored[i] in self._event_statuses.get(i, {}).values() for i in stored)
            is_quiet = len(ended) >= len(load) and is_published and not any(self._queue_depths().values())
            dues = [item["due_at"]["S"] for item in items.values() if "due_at" in item]
            deadline = max(deadline, quiet_deadline(started_at, dues))
            if is_quiet or datetime.now(UTC) > deadline:
                return stored, dead_letters

    def _read_items(self, message_ids: Sequence[str]) -> dict[str, Any]:
        """Return the stored items of the messages, by message id."""
        items = []
        for first in range(0, len(message_ids), BATCH_GET_SIZE):
            keys = [{"message_id": {"S": i}} for i in message_ids[first : first + BATCH_GET_SIZE]]
            found = self._dynamodb.batch_get_item(RequestItems={self._table: {"Keys": keys, "ConsistentRead": True}})
            items += found["Responses"][self._table]
        return {item["message_id"]["S"]: item for item in items}

    def _receive_events(self) -> None:
        for event in self._caller.receive_events():
            detail = event["detail"]
            if event["detail-type"] == "Message Status Changed":
                self._event_statuses.setdefault(detail["message_id"], {})[detail["sequence"]] = detail["status"]
            elif event["detail-type"] == "Message Received":
                self._published_inbound.add(detail["text"])

    def _receive_dead_letters(self) -> Iterator[str]:
        """Yield the message ids of the dead letters, and delete the letters."""
        url = self._outputs["DeadLetterQueueUrl"]
        while letters := self._sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for letter in letters:
                body = json.loads(letter["Body"])
                yield body.get("message_id") or body.get("resume") or body["outcome_of"]
                self._sqs.delete_message(QueueUrl=url, ReceiptHandle=letter["ReceiptHandle"])

    def _queue_depths(self) -> dict[str, int]:
        """Return the number of messages in each queue, including hidden and delayed ones."""
        urls = {queue: self._outputs[queue] for queue in QUEUES} | {"PublishFailures": _resource("PublishFailures")}
        return {name: self._depth(url) for name, url in urls.items()}

    def _depth(self, url: str) -> int:
        names = [f"ApproximateNumberOfMessages{suffix}" for suffix in ("", "NotVisible", "Delayed")]
        found = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)


def quiet_deadline(started_at: datetime, dues: Iterable[str]) -> datetime:
    """Return when to stop waiting after the last fault, given the `due_at` of the messages that are not final."""
    latest = max((datetime.fromisoformat(due) for due in dues), default=started_at)
    quiet, late, limit = (timedelta(seconds=s) for s in (QUIET_SECONDS, LATE_SECONDS, MAX_QUIET_SECONDS))
    return min(started_at + limit, max(started_at + quiet, latest + late))


def servers() -> tuple[Server, ...]:
    """Delete the old ledger of the simulators and return the servers of the stack."""
    Path(LEDGER_FILE).unlink(missing_ok=True)
    return EMULATOR, DYNAMODB, SIMULATORS_WITH_LEDGER


def _resource(logical_id: str) -> str:
    found = client("cloudformation").describe_stack_resource(StackName=STACK_NAME, LogicalResourceId=logical_id)
    return str(found["StackResourceDetail"]["PhysicalResourceId"])
