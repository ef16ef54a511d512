"""Receipts and polls: the calls to DynamoDB and vendors, and the CPU time.

`CountingDynamo` counts the requests. The CPU time is that of the real handlers on the local AWS, next to a bare POST
and a handler that makes one conditional update per receipt.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

from benchmarks.dynamo import CountingDynamo
from benchmarks.growth import TABLES, VENDORS, accepted_message, correlation_of, new_store, put_items
from benchmarks.harness import Harness, Sandbox, batch_of, measure_medians, receipt_event, start_harness
from benchmarks.results import Result, milliseconds
from sampai.adapters.items import to_item
from sampai.domain.http import WebhookRequest
from sampai.domain.message import Channel, Message
from sampai.domain.status import Status
from sampai.domain.times import to_text
from sampai.services.webhook.service import Answer, WebhookService
from tests.fakes import START, FixedClock, FixedSecret, RecordingTelemetry
from tests.harness.application import SECRET, token_of

RECEIPTS: Final = 200
"""Receipts of each kind per round."""

DUE: Final = 200
"""Due messages of each vendor per round."""

ROUNDS: Final = 7

_numbers = count(1)


def measure() -> list[Result]:
    with start_harness() as harness:
        return [*_count_receipts(), *_measure_receipts(harness), *_measure_polls(harness)]


# --- counts -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A receipt, the state before it, and the number of items that it changes."""

    name: str
    query: str
    provider: str = "smspoh"
    before: tuple[str, ...] = ()
    """Queries of earlier receipts."""
    is_id_stored: bool = True
    """Whether the sender has stored the vendor's id and its correlation."""
    changes: int = 1


_SMSPOH: Final = "clientReference=m-1&messageId=smspoh-1&status="
_SUCCESS, _SENT = f"{_SMSPOH}Success", f"{_SMSPOH}Sent"
_NUSASMS: Final = "ref_no=nusasms-1&status=DELIVERED"

CASES: Final = (
    Case(name="our reference", query=_SUCCESS),
    Case(name="our reference, repeated", query=_SUCCESS, before=(_SUCCESS,), changes=0),
    Case(name="our reference, older status", query=_SENT, before=(_SUCCESS,), changes=0),
    Case(name="our reference, newer status", query=_SUCCESS, before=(_SENT,)),
    Case(name="our reference, before the vendor's response", query=_SUCCESS, is_id_stored=False, changes=2),
    Case(name="vendor's id", provider="nusasms", query=_NUSASMS),
    Case(name="vendor's id, repeated", provider="nusasms", query=_NUSASMS, before=(_NUSASMS,), changes=0),
    Case(name="unknown vendor's id", provider="nusasms", query=_NUSASMS, is_id_stored=False),
    Case(
        name="unknown vendor's id, repeated",
        provider="nusasms",
        query=_NUSASMS,
        before=(_NUSASMS,),
        is_id_stored=False,
        changes=0,
    ),
)


def count_case(case: Case) -> CountingDynamo:
    """Process the receipts of a case, and return the DynamoDB that counted the requests of the last one."""
    client = CountingDynamo(**TABLES)
    message = _accepted_sms(case.provider, number=1, at=START)
    if case.is_id_stored:
        client.tables["correlations"].put(correlation_of(message))
    else:
        message = replace(message, status=Status.SENDING, provider_message_id=None)
    client.tables["messages"].put(to_item(message))
    clock, telemetry = FixedClock(START), RecordingTelemetry()
    store = new_store(client, clock, telemetry)
    service = WebhookService(
        messages=store,
        correlations=store,
        inbound_service=_reject_inbound,
        settings=_reject_settings,
        secret=FixedSecret(SECRET),
        clock=clock,
        telemetry=telemetry,
    )
    kind = "receipt" if case.provider == "smspoh" else "sms-receipt"
    for query in (*case.before, case.query):
        client.reset_counts()
        request = WebhookRequest(method="GET", query=query)
        answer = service.handle(provider=case.provider, kind=kind, token=token_of(case.provider), request=request)
        if answer is not Answer.RECEIVED:
            raise AssertionError(f"{case.name}: {answer}")
    return client


def _count_receipts() -> Iterator[Result]:
    counts = {case: count_case(case) for case in CASES}
    labels = {
        "news": "a receipt with a new status, ÷ the items that it changes",
        "no-news": "a receipt without a new status",
    }
    for key, label in labels.items():
        cases = [case for case in CASES if bool(case.changes) == (key == "news")]
        worst = max(cases, key=lambda case: counts[case].writes / max(1, case.changes))
        yield Result(
            key=f"receive.writes.{key}",
            label=f"writes of {label}, maximum",
            value=counts[worst].writes / max(1, worst.changes),
            unit="",
            floor=int(key == "news"),
            goal=int(key == "news"),
            note=f"most: {worst.name}",
        )
    requests = {case.name: client.requests.total() for case, client in counts.items()}
    yield Result(
        key="receive.requests",
        label="DynamoDB requests of a receipt, maximum",
        value=max(requests.values()),
        unit="",
        note=" · ".join(f"{name} {number}" for name, number in requests.items()),
    )


def _reject_inbound() -> Any:
    raise AssertionError("a receipt is not an inbound message")


def _reject_settings() -> Any:
    raise AssertionError("a receipt of a known provider needs no settings")


def _accepted_sms(provider: str, *, number: int, at: datetime) -> Message:
    """Return an accepted SMS. Its vendor's id consists of the provider's name and the number."""
    message = accepted_message(f"m-{number}", provider, at=at, due_at=at + timedelta(hours=1))
    return replace(message, channel=Channel.SMS)


# --- CPU time of receipts ---------------------------------------------------------------------------------------------


def _measure_receipts(harness: Harness) -> Iterator[Result]:
    with ExitStack() as stack:
        webhook = stack.enter_context(harness.sandbox("webhook"))
        post = stack.enter_context(harness.baseline("bare_post"))
        plain = stack.enter_context(harness.baseline("plain_receipt"))
        tasks = {
            "post": lambda: post.invoke(batch_of(RECEIPTS)).cpu_seconds / RECEIPTS,
            **_receipt_tasks(harness, webhook, "smspoh"),
            **_receipt_tasks(harness, webhook, "nusasms"),
            **_receipt_tasks(harness, plain, "plain"),
        }
        spent = measure_medians(tasks, rounds=ROUNDS)
    note = milliseconds(spent)
    for kind, label in (("news", "a receipt"), ("again", "a repeated receipt")):
        for name, how in (("smspoh", "with our reference"), ("nusasms", "with the vendor's id")):
            for baseline, divisor in (("post", "bare POST"), (f"plain-{kind}", "one conditional update")):
                yield Result(
                    key=f"receive.cpu.{name}.{kind}.{baseline.partition('-')[0]}",
                    label=f"CPU time of {label} {how} ÷ {divisor}",
                    value=spent[f"{name}-{kind}"] / spent[baseline],
                    floor=None if baseline == "post" else 1,
                    note=note,
                )
                note = ""


def _receipt_tasks(harness: Harness, sandbox: Sandbox, name: str) -> dict[str, Callable[[], float]]:
    """Return two tasks: to deliver receipts of new messages, and to repeat them. Both return the CPU time of each."""
    events: list[Any] = []

    def deliver_again() -> float:
        timing = sandbox.invoke(*events)
        if any(response["statusCode"] != 200 for response in timing.responses):
            raise AssertionError("a receipt was refused")
        return timing.cpu_seconds / RECEIPTS

    def deliver_new() -> float:
        events[:] = _create_receipts(harness, name)
        return deliver_again()

    return {f"{name}-news": deliver_new, f"{name}-again": deliver_again}


def _create_receipts(harness: Harness, name: str) -> list[Any]:
    """Store messages of a vendor, or rows of the baseline (`plain`), and return a receipt for each."""
    provider = "smspoh" if name == "plain" else name
    numbers = [next(_numbers) for _ in range(RECEIPTS)]
    messages = [_accepted_sms(provider, number=number, at=datetime.now(UTC)) for number in numbers]
    if name == "plain":
        rows = [{"message_id": {"S": message.message_id}, "rank": {"N": "40"}} for message in messages]
        put_items(harness.deployment.client("dynamodb"), harness.baseline_environment["BASELINE_TABLE"], rows)
    else:
        _store(harness, messages)
    return [
        receipt_event(
            f"{provider}-receipt-get",
            message_id=message.message_id,
            provider_message_id=message.provider_message_id or "",
        )
        for message in messages
    ]


# --- CPU time of polls ------------------------------------------------------------------------------------------------

LABELS: Final = {
    "nomsa": "Nomsa, list",
    "smsnoc": "SMS NOC, list",
    "smspoh": "SMSPoh, list",
    "nusasms": "WhatsApp, look-up",
}


def _measure_polls(harness: Harness) -> Iterator[Result]:
    calls: dict[str, int] = {}
    with harness.sandbox("follow_up") as follow_up, harness.baseline("bare_post") as post:
        tasks = {vendor: _poll_task(harness, follow_up, vendor, calls) for vendor in VENDORS}
        tasks["post"] = lambda: post.invoke(batch_of(DUE)).cpu_seconds / DUE
        spent = measure_medians(tasks, rounds=ROUNDS)
    for vendor in VENDORS:
        yield Result(
            key=f"follow-up.cpu.{vendor}",
            label=f"CPU time of a polled message ({LABELS[vendor]}) ÷ bare POST",
            value=spent[vendor] / spent["post"],
            note=milliseconds(spent) if vendor == VENDORS[0] else "",
        )
    for vendor in VENDORS:
        yield Result(
            key=f"follow-up.calls.{vendor}",
            label=f"vendor calls, {DUE} due ({LABELS[vendor]})",
            value=calls[vendor],
            unit="calls",
        )


def _poll_task(harness: Harness, follow_up: Sandbox, vendor: str, calls: dict[str, int]) -> Callable[[], float]:
    """Return a task that follows up new due messages and returns the CPU time of each. It sets `calls[vendor]`."""

    def poll() -> float:
        at = datetime.now(UTC) - timedelta(minutes=2)
        numbers = [next(_numbers) for _ in range(DUE)]
        # After two earlier polls, so that the undelivered ones are not due again in a later round.
        messages = [accepted_message(f"m-{number}", vendor, at=at, due_at=at) for number in numbers]
        _store(harness, [replace(message, lookups=2) for message in messages])
        harness.vendor.set_messages({vendor: [numbers[0], DUE, to_text(at)]})
        harness.vendor.reset_counts()
        timing = follow_up.invoke({})
        if timing.responses != [{"followed_up": DUE}]:
            raise AssertionError(f"{vendor}: {timing.responses}")
        calls[vendor] = harness.vendor.polls()
        return timing.cpu_seconds / DUE

    return poll


def _store(harness: Harness, messages: Sequence[Message]) -> None:
    """Store messages and the correlations of their vendor's ids."""
    client, tables = harness.deployment.client("dynamodb"), harness.deployment.environment("webhook")
    put_items(client, tables["MESSAGES_TABLE"], [to_item(message) for message in messages])
    put_items(client, tables["CORRELATIONS_TABLE"], [correlation_of(message) for message in messages])
