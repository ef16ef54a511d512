"""One run of the chaos on a stack that is up."""

import json
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
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
from tests.chaos.load import RECIPIENTS, Sent, messages, waves
from tests.chaos.nemesis import SECONDS, Nemesis, Victim, plan
from tests.chaos.verdict import Aftermath

OPERATORS_SETTINGS: Final = {"report_horizon_hours": 80 / 3600, "poll_seconds": [10, 20]}
"""The stack gives up after the first three waits of a refused message (5, 15 and 60 seconds), not after three days, and
looks again at every follow-up."""

VISIBILITY_SECONDS: Final = 35
"""What a dead function had taken comes back after this time, not after three minutes. AWS wants the function's
time-out at least; that it is shorter than the lease makes redelivery find live leases too."""

CUT_SHORT: Final = "errorMessage=Worker process died"
"""The words in the emulator's log when a process dies in the middle of an invocation for a queue or a stream."""

QUIET_SECONDS: Final = 240.0
"""How long what is left alone may take to end, unless a message waits longer by its own `due_at`."""
LATE_SECONDS: Final = 150.0
"""How long after that a message may need: until the next follow-up but one, and to tell of its end."""
MAX_QUIET_SECONDS: Final = 900.0
"""What is put off again and again is forgotten all the same. Longest waits a message that a vendor turns down just
before the horizon: five minutes, two more if its note is lost, and then the horizon once more."""

INBOUND_TRIES: Final = 4
STATE: Final = LOCAL / "chaos.ledger"
READ_AT_ONCE: Final = 100
QUEUES: Final = (SEND, URGENT)

VENDORS: Final = replace(SIMULATORS, arguments=(*SIMULATORS.arguments, "--state", str(STATE)))
"""The simulators with a memory."""


class Chaos:
    """Sends the load, has the nemesis at work meanwhile, waits until all is quiet and reads what is left."""

    def __init__(self, outputs: Mapping[str, Any], seed: int) -> None:
        self._outputs = outputs
        self._seed = seed
        self._caller = Caller(outputs)
        self._sqs, self._dynamodb = client("sqs"), client("dynamodb")
        self._table = outputs["MessagesTableName"]
        secret = client("secretsmanager").get_secret_value(SecretId=outputs["ProviderSecretArn"])["SecretString"]
        self._token = str(json.loads(secret)["webhook_tokens"][0])
        self._heard: dict[str, dict[int, str]] = {}
        self._heard_arrivals: set[str] = set()

    def run(self) -> Aftermath:
        """Return what the chaos leaves behind."""
        self._caller.change_settings(OPERATORS_SETTINGS)
        self._caller.check_accounts()
        for queue in QUEUES:
            attributes = {"VisibilityTimeout": str(VISIBILITY_SECONDS)}
            self._sqs.set_queue_attributes(QueueUrl=self._outputs[queue], Attributes=attributes)
        load = messages(self._seed)
        nemesis = self._nemesis()
        nemesis.start()
        arrivals = self._put(waves(self._seed, load), nemesis)
        nemesis.finish()
        print(f"{sum(nemesis.kills.values())} kills. Now all is left alone ...", flush=True)
        stored, dead_letters = self._quiet(load)
        return Aftermath(
            load=load,
            kills=nemesis.kills,
            cut_short=EMULATOR.log.read_text(errors="replace").count(CUT_SHORT),
            stored=stored,
            heard=self._heard,
            acceptances=self._caller.acceptances(),
            dead_letters=sorted(dead_letters),
            waiting=self._waiting(),
            arrivals=frozenset(arrivals),
            heard_arrivals=frozenset(self._heard_arrivals),
        )

    def _nemesis(self) -> Nemesis:
        at_home = ("--webhook-base", self._outputs["WebhookBaseUrl"], "--webhook-token", self._token)
        restarted = replace(VENDORS, arguments=(*VENDORS.arguments, *at_home))
        functions, name = client("lambda"), _resource("FollowUpFunction")
        return Nemesis(
            strikes=plan(self._seed),
            emulator=EMULATOR,
            servers={Victim.DYNAMODB: DYNAMODB, Victim.SIMULATORS: restarted},
            run_follow_up=lambda: functions.invoke(FunctionName=name, InvocationType="Event", Payload=b"{}"),
        )

    def _put(self, planned: Sequence[Sequence[Sent]], nemesis: Nemesis) -> list[str]:
        """Put the waves on the queues, spread over the time of the kills, while phones write to us.

        Returns the texts of the inbound messages that were answered with 200.
        """
        began = time.monotonic()
        with ThreadPoolExecutor(4) as phones:
            answered: list[Future[str | None]] = []
            for number, wave in enumerate(planned):
                time.sleep(max(0.0, began + SECONDS * number / len(planned) - time.monotonic()))
                for queue in QUEUES:
                    self._caller.put([json.dumps(s.request) for s in wave if s.queue == queue], queue=queue)
                answered.append(phones.submit(self._write_in, number))
                self._take_events()
                nemesis.check()
        return [text for each in answered if (text := each.result()) is not None]

    def _write_in(self, number: int) -> str | None:
        """Hand a message to the webhook as NusaSMS does, again if it is not taken. Return its text if it was."""
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

    def _quiet(self, load: Sequence[Sent]) -> tuple[dict[str, str], set[str]]:
        """Wait until every message is final or a dead letter and the queues are empty, or the time is up."""
        began, dead_letters = datetime.now(UTC), set[str]()
        until = began
        while True:
            time.sleep(2)
            self._take_events()
            dead_letters |= set(self._dead_letters())
            items = self._items([sent.message_id for sent in load])
            stored = {i: item["status"]["S"] for i, item in items.items()}
            ended = {i for i, status in stored.items() if status in FINAL} | dead_letters
            is_told = all(stored[i] in self._heard.get(i, {}).values() for i in stored)
            is_over = len(ended) >= len(load) and is_told and not any(self._waiting().values())
            until = max(until, patience(began, (item["due_at"]["S"] for item in items.values() if "due_at" in item)))
            if is_over or datetime.now(UTC) > until:
                return stored, dead_letters

    def _items(self, message_ids: Sequence[str]) -> dict[str, Any]:
        """Return what is stored of the messages, by id."""
        items = []
        for first in range(0, len(message_ids), READ_AT_ONCE):
            keys = [{"message_id": {"S": i}} for i in message_ids[first : first + READ_AT_ONCE]]
            found = self._dynamodb.batch_get_item(RequestItems={self._table: {"Keys": keys, "ConsistentRead": True}})
            items += found["Responses"][self._table]
        return {item["message_id"]["S"]: item for item in items}

    def _take_events(self) -> None:
        for event in self._caller.receive_events():
            detail = event["detail"]
            if event["detail-type"] == "Message Status Changed":
                self._heard.setdefault(detail["message_id"], {})[detail["sequence"]] = detail["status"]
            elif event["detail-type"] == "Message Received":
                self._heard_arrivals.add(detail["text"])

    def _dead_letters(self) -> Iterator[str]:
        """Yield the ids of the messages that dead letters are about, each letter once: it is deleted."""
        url = self._outputs["DeadLetterQueueUrl"]
        while letters := self._sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for letter in letters:
                body = json.loads(letter["Body"])
                yield body.get("message_id") or body["resume"]
                self._sqs.delete_message(QueueUrl=url, ReceiptHandle=letter["ReceiptHandle"])

    def _waiting(self) -> dict[str, int]:
        """Return how many messages are in each queue, hidden and delayed ones among them."""
        urls = {queue: self._outputs[queue] for queue in QUEUES} | {"PublishFailures": _resource("PublishFailures")}
        return {name: self._depth(url) for name, url in urls.items()}

    def _depth(self, url: str) -> int:
        names = [f"ApproximateNumberOfMessages{what}" for what in ("", "NotVisible", "Delayed")]
        found = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)


def patience(began: datetime, dues: Iterable[str]) -> datetime:
    """Return until when to wait for what was left alone at a time, given when it is to be looked at next."""
    latest = max((datetime.fromisoformat(due) for due in dues), default=began)
    quiet, late, most = (timedelta(seconds=s) for s in (QUIET_SECONDS, LATE_SECONDS, MAX_QUIET_SECONDS))
    return min(began + most, max(began + quiet, latest + late))


def servers() -> tuple[Server, ...]:
    """Return the servers of the stack, the simulators with an empty memory."""
    Path(STATE).unlink(missing_ok=True)
    return EMULATOR, DYNAMODB, VENDORS


def _resource(logical_id: str) -> str:
    found = client("cloudformation").describe_stack_resource(StackName=STACK_NAME, LogicalResourceId=logical_id)
    return str(found["StackResourceDetail"]["PhysicalResourceId"])
