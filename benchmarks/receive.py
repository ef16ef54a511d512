"""Receipts and polling: what one takes of DynamoDB, of the vendors and of the CPU.

What is counted is counted over a DynamoDB of this process (see `dynamo`); the CPU is that of the real handlers against
the local AWS, beside a bare POST and a handler that makes one conditional update for a receipt and nothing else.
"""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from typing import Any, Final
from urllib.parse import urlencode

import boto3

from benchmarks.dynamo import CountingDynamo
from benchmarks.growth import TABLES, VENDORS, accepted, correlation_of, in_batches
from benchmarks.harness import LAYER, YARDSTICKS, Sandbox, Stage, batch_of, medians, staged
from benchmarks.results import Figure
from local.stack.processes import DIRECT
from sampai.adapters.items import to_item
from sampai.adapters.store import DynamoStore
from sampai.domain.http import WebhookRequest
from sampai.domain.message import Channel, Message
from sampai.domain.status import Status
from sampai.domain.times import to_text
from sampai.services.webhook.service import Answer, WebhookService
from tests.fakes import START, FixedClock, FixedSecret, RecordingTelemetry
from tests.functional.sandbox import SETTINGS, read_event
from tests.functional.vendors import ROOTS
from tests.harness.application import SECRET, token_of
from tests.template import ROOT

RECEIPTS: Final = 200
"""In a round, of each kind."""

DUE: Final = 200
"""Messages that are due in a round, of each vendor."""

ROUNDS: Final = 7

_numbers = count(1)


def measure() -> list[Figure]:
    with staged() as stage:
        return [*_counts(), *_cpu_of_receipts(stage), *_polling(stage)]


# --- counted ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A receipt, what stands there when it comes, and how many items it changes."""

    what: str
    query: str
    provider: str = "smspoh"
    before: tuple[str, ...] = ()
    """Queries of the receipts that came before."""
    is_known: bool = True
    """Whether the sender has stored the vendor's id and claimed it."""
    changes: int = 1


SMSPOH: Final = "clientReference=m-1&messageId=smspoh-1&status="
NUSASMS: Final = "ref_no=nusasms-1&status="

CASES: Final = (
    Case(what="by our reference", query=SMSPOH + "Success"),
    Case(what="by our reference, again", query=SMSPOH + "Success", before=(SMSPOH + "Success",), changes=0),
    Case(what="by our reference, overtaken", query=SMSPOH + "Sent", before=(SMSPOH + "Success",), changes=0),
    Case(what="by our reference, stronger", query=SMSPOH + "Success", before=(SMSPOH + "Sent",)),
    Case(what="by our reference, before the vendor's answer", query=SMSPOH + "Success", is_known=False, changes=2),
    Case(what="by the vendor's id", provider="nusasms", query=NUSASMS + "DELIVERED"),
    Case(
        what="by the vendor's id, again",
        provider="nusasms",
        query=NUSASMS + "DELIVERED",
        before=(NUSASMS + "DELIVERED",),
        changes=0,
    ),
    Case(what="by the vendor's id, nobody's yet", provider="nusasms", query=NUSASMS + "DELIVERED", is_known=False),
    Case(
        what="by the vendor's id, nobody's yet, again",
        provider="nusasms",
        query=NUSASMS + "DELIVERED",
        before=(NUSASMS + "DELIVERED",),
        is_known=False,
        changes=0,
    ),
)


def count_case(case: Case) -> CountingDynamo:
    """Take in a receipt, and return the DynamoDB that has counted what it asked."""
    client = CountingDynamo(**TABLES)
    message = _sent(case.provider, number=1, at=START)
    if case.is_known:
        client.tables["correlations"].put(correlation_of(message))
    else:
        message = replace(message, status=Status.SENDING, provider_message_id=None)
    client.tables["messages"].put(to_item(message))
    clock = FixedClock(START)
    store = DynamoStore(client, messages_table="messages", correlations_table="correlations", clock=clock)
    service = WebhookService(
        messages=store,
        correlations=store,
        inbound_service=_no_arrivals,
        secret=FixedSecret(SECRET),
        clock=clock,
        telemetry=RecordingTelemetry(),
    )
    kind = "receipt" if case.provider == "smspoh" else "sms-receipt"
    for query in (*case.before, case.query):
        client.forget()
        request = WebhookRequest(method="GET", query=query)
        answer = service.handle(provider=case.provider, kind=kind, token=token_of(case.provider), request=request)
        if answer is not Answer.RECEIVED:
            raise AssertionError(f"{case.what}: {answer}")
    return client


def _counts() -> Iterator[Figure]:
    counted = {case: count_case(case) for case in CASES}
    for is_news, what in ((True, "changes something, ÷ the items that it changes"), (False, "changes nothing")):
        cases = [case for case in CASES if bool(case.changes) is is_news]
        worst = max(cases, key=lambda case: counted[case].writes / max(1, case.changes))
        yield Figure(
            key=f"receive.writes.{'news' if is_news else 'no-news'}",
            what=f"writes of a receipt that {what}, at most",
            value=counted[worst].writes / max(1, worst.changes),
            unit="",
            floor=int(is_news),
            goal=int(is_news),
            note=f"most: {worst.what}",
        )
    yield Figure(
        key="receive.requests",
        what="DynamoDB requests of a receipt, at most",
        value=max(client.requests.total() for client in counted.values()),
        unit="",
        note=" · ".join(f"{case.what} {client.requests.total()}" for case, client in counted.items()),
    )


def _no_arrivals() -> Any:
    raise AssertionError("a receipt is no inbound message")


def _sent(provider: str, *, number: int, at: datetime) -> Message:
    """Return an accepted text message of which the vendor's id is the provider's name with the number."""
    message = accepted(f"m-{number}", provider, at=at, due_at=at + timedelta(hours=1))
    return replace(message, channel=Channel.SMS)


# --- CPU of receipts --------------------------------------------------------------------------------------------------


def _cpu_of_receipts(stage: Stage) -> Iterator[Figure]:
    with ExitStack() as stack:
        webhook = stack.enter_context(stage.sandbox("webhook"))
        post = stack.enter_context(stage.sandbox(f"{YARDSTICKS}bare_post"))
        table = _yardstick_table(stage)
        plain = stack.enter_context(_plain_sandbox(stage, table))
        receipts = _Receipts(stage, webhook, plain, table)
        works = {
            "post": lambda: post.call(batch_of(RECEIPTS)).cpu_seconds / RECEIPTS,
            **{f"{name}-{kind}": work for name in ("smspoh", "nusasms") for kind, work in receipts.works(name).items()},
            **{f"plain-{kind}": work for kind, work in receipts.works("plain").items()},
        }
        medians(works, rounds=1)
        spent = medians(works, rounds=ROUNDS)
    note = " · ".join(f"{name} {seconds * 1000:.2f}" for name, seconds in spent.items()) + " ms"
    for kind, what in (("news", "a receipt"), ("again", "a receipt that says nothing new")):
        for name, how in (("smspoh", "by our reference"), ("nusasms", "by the vendor's id")):
            for yardstick, beside in (("post", "bare POST"), (f"plain-{kind}", "one conditional update")):
                yield Figure(
                    key=f"receive.cpu.{name}.{kind}.{yardstick.partition('-')[0]}",
                    what=f"CPU of {what} {how} ÷ {beside}",
                    value=spent[f"{name}-{kind}"] / spent[yardstick],
                    floor=None if yardstick == "post" else 1,
                    note=note,
                )
                note = ""


@dataclass(frozen=True)
class _Receipts:
    """Makes messages, and brings each its receipt, and then the same once more."""

    stage: Stage
    webhook: Sandbox
    plain: Sandbox
    table: str

    def works(self, name: str) -> dict[str, Callable[[], float]]:
        """Return what brings news and what brings them again, of a vendor or to the yardstick; both tell the CPU."""
        events: list[Any] = []
        sandbox = self.plain if name == "plain" else self.webhook

        def bring() -> float:
            spent = sandbox.call(*events)
            if any(answer["statusCode"] != 200 for answer in spent.answers):
                raise AssertionError("a receipt was not taken in")
            return spent.cpu_seconds / RECEIPTS

        def bring_news() -> float:
            events[:] = self._events(name)
            return bring()

        return {"news": bring_news, "again": bring}

    def _events(self, name: str) -> list[Any]:
        provider = "smspoh" if name == "plain" else name
        numbers = [next(_numbers) for _ in range(RECEIPTS)]
        messages = [_sent(provider, number=number, at=datetime.now(UTC)) for number in numbers]
        if name == "plain":
            rows = [{"message_id": {"S": message.message_id}, "rank": {"N": "40"}} for message in messages]
            _put(self.stage, self.table, rows)
        else:
            _store(self.stage, messages)
        return [_receipt_of(message) for message in messages]


def _receipt_of(message: Message) -> Any:
    """Return the event by which the vendor reports that a message has arrived."""
    if message.provider == "smspoh":
        event = read_event("webhook/smspoh-receipt-get")
        said = {"messageId": message.provider_message_id, "clientReference": message.message_id}
    else:
        event = read_event("webhook/nusasms-receipt-get")
        said = {"ref_no": message.provider_message_id}
    query = {**event["queryStringParameters"], **said}
    return {**event, "queryStringParameters": query, "rawQueryString": urlencode(query)}


def plain_receipt(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Make one conditional update for a receipt, as plain as it can be: the measure that receipts are held against."""
    query = event["queryStringParameters"]
    with suppress(_client().exceptions.ConditionalCheckFailedException):
        _client().update_item(
            TableName=os.environ["YARDSTICK_TABLE"],
            Key={"message_id": {"S": query["clientReference"]}},
            UpdateExpression="SET #status = :status, #rank = :rank",
            ConditionExpression="#rank < :rank",
            ExpressionAttributeNames={"#status": "status", "#rank": "rank"},
            ExpressionAttributeValues={":status": {"S": query["status"]}, ":rank": {"N": "80"}},
        )
    return {"statusCode": 200, "body": "ok"}


@cache
def _client() -> Any:
    return boto3.client("dynamodb")


def _yardstick_table(stage: Stage) -> str:
    name = f"receipts-{next(_numbers)}"
    stage.deployment.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "message_id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "message_id", "KeyType": "HASH"}],
    )
    return name


@contextmanager
def _plain_sandbox(stage: Stage, table: str) -> Iterator[Sandbox]:
    environment = {**stage.deployment.environment("webhook"), "YARDSTICK_TABLE": table}
    with _process("benchmarks.sandbox", f"{__name__}:plain_receipt", environment=environment) as process:
        yield Sandbox(process)


# --- polling ----------------------------------------------------------------------------------------------------------

HOW: Final = {
    "nomsa": "Nomsa, list",
    "smsnoc": "SMS NOC, list",
    "smspoh": "SMSPoh, list",
    "nusasms": "WhatsApp, look-up",
}


def _polling(stage: Stage) -> Iterator[Figure]:
    with ExitStack() as stack:
        url = stack.enter_context(_listing_vendors())
        settings = {name: {"base_url": f"{url}/{ROOTS[name]}", **SETTINGS.get(name, {})} for name in VENDORS}
        parameter = f"settings-polling-{next(_numbers)}"
        stage.deployment.client("ssm").put_parameter(
            Name=parameter, Value=json.dumps({"providers": settings}), Type="String"
        )
        follow_up = stack.enter_context(stage.sandbox("follow_up", environment={"SETTINGS_PARAMETER": parameter}))
        post = stack.enter_context(stage.sandbox(f"{YARDSTICKS}bare_post"))
        calls: dict[str, int] = {}
        works = {"post": lambda: post.call(batch_of(DUE)).cpu_seconds / DUE}
        works |= {vendor: _look(stage, follow_up, url, vendor, calls) for vendor in VENDORS}
        medians(works, rounds=1)
        spent = medians(works, rounds=ROUNDS)
    note = " · ".join(f"{name} {seconds * 1000:.2f}" for name, seconds in spent.items()) + " ms"
    for vendor in VENDORS:
        yield Figure(
            key=f"follow-up.cpu.{vendor}",
            what=f"CPU of a message that is looked at ({HOW[vendor]}) ÷ bare POST",
            value=spent[vendor] / spent["post"],
            note=note,
        )
        note = ""
    for vendor in VENDORS:
        yield Figure(
            key=f"follow-up.calls.{vendor}",
            what=f"vendor calls, {DUE} due ({HOW[vendor]})",
            value=calls[vendor],
            unit="calls",
        )


def _look(stage: Stage, follow_up: Sandbox, url: str, vendor: str, calls: dict[str, int]) -> Callable[[], float]:
    """Return what makes messages of a vendor due, has them looked at and tells the CPU seconds of one."""

    def look() -> float:
        at = datetime.now(UTC) - timedelta(minutes=2)
        numbers = [next(_numbers) for _ in range(DUE)]
        # Looked at before, so that those which have not arrived come up again only when the bench is over.
        _store(stage, [replace(accepted(f"m-{n}", vendor, at=at, due_at=at), lookups=2) for n in numbers])
        _tell(url, {vendor: [numbers[0], DUE, to_text(at)]})
        spent = follow_up.call({})
        if spent.answers != [{"followed_up": DUE}]:
            raise AssertionError(f"{vendor}: {spent.answers}")
        calls[vendor] = sum(_tell(url, {}).values())
        return spent.cpu_seconds / DUE

    return look


@contextmanager
def _listing_vendors() -> Iterator[str]:
    with _process("benchmarks.listing_vendor", environment={}) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()


def _tell(url: str, known: dict[str, Any]) -> dict[str, int]:
    """Tell the vendors what they have taken, and return what they were asked since the last time."""
    request = urllib.request.Request(f"{url}/_known", data=json.dumps(known).encode(), method="PUT")
    with DIRECT.open(request) as answer:
        calls: dict[str, int] = json.load(answer)
    return calls


# --- shared -----------------------------------------------------------------------------------------------------------


def _store(stage: Stage, messages: Sequence[Message]) -> None:
    """Put messages into the table, and under their vendor's ids whose they are."""
    _put(stage, stage.deployment.messages, [to_item(message) for message in messages])
    correlations = stage.deployment.environment("webhook")["CORRELATIONS_TABLE"]
    _put(stage, correlations, [correlation_of(message) for message in messages])


def _put(stage: Stage, table: str, items: list[dict[str, Any]]) -> None:
    for batch in in_batches(items):
        requests = [{"PutRequest": {"Item": item}} for item in batch]
        stage.deployment.client("dynamodb").batch_write_item(RequestItems={table: requests})


@contextmanager
def _process(module: str, *arguments: str, environment: dict[str, str]) -> "Iterator[subprocess.Popen[str]]":
    given = {"PATH": os.environ["PATH"], "TZ": "UTC", "PYTHONPATH": f"{LAYER}{os.pathsep}{ROOT}", **environment}
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=given,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
