"""The complete flow of a message: sent, reported as delivered, published as events. Measured next to a bare POST."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Final

from benchmarks.harness import Harness, Sandbox, batch_of, measure_medians, receipt_event, start_harness
from benchmarks.results import Result, milliseconds

MESSAGES: Final = 100
"""Messages per round: as many as one BatchGetItem reads."""

ROUNDS: Final = 7

SEND_BATCH: Final = 10
STREAM_BATCH: Final = 100
"""The batch sizes of the template: of requests, and of changes in the stream."""

Item = dict[str, Any]


def measure() -> list[Result]:
    with start_harness() as harness, ExitStack() as stack:
        flow = Flow(
            harness,
            send=stack.enter_context(harness.sandbox("send")),
            webhook=stack.enter_context(harness.sandbox("webhook")),
            publish=stack.enter_context(harness.sandbox("publish")),
        )
        bare = stack.enter_context(harness.baseline("bare_post"))
        tasks = {
            "send": flow.send,
            "receipt": flow.receive,
            "event": flow.publish,
            "bare": lambda: bare.invoke(batch_of(MESSAGES)).cpu_seconds / MESSAGES,
        }
        spent = measure_medians(tasks, rounds=ROUNDS)
    whole = spent["send"] + spent["receipt"] + spent["event"]
    result = Result(
        key="flow.cpu",
        label="CPU time of send, receipt and event of a message ÷ bare POST in a session",
        value=whole / spent["bare"],
        floor=1.5,
        goal=8.0,
        note=milliseconds(spent),
    )
    return [result, *_part_results(spent)]


def _part_results(spent: dict[str, float]) -> Iterator[Result]:
    notes = {
        "send": f"batches of {SEND_BATCH}",
        "receipt": "one callback of SMSPoh for each",
        "event": f"three changes of a message, in batches of {STREAM_BATCH}",
    }
    for name, note in notes.items():
        label = f"{name} ÷ bare POST"
        yield Result(key=f"flow.cpu.{name}", label=label, value=spent[name] / spent["bare"], note=note)


class Flow:
    """Sends messages, then delivers their receipts, then publishes the changes. Call the methods in this order.

    Each returns the CPU time per message in seconds.
    """

    def __init__(self, harness: Harness, *, send: Sandbox, webhook: Sandbox, publish: Sandbox) -> None:
        self._harness = harness
        self._send = send
        self._webhook = webhook
        self._publish = publish
        self._message_ids: list[str] = []
        self._accepted: dict[str, Item] = {}

    def send(self) -> float:
        batches = [batch_of(SEND_BATCH) for _ in range(MESSAGES // SEND_BATCH)]
        self._message_ids = [json.loads(r["body"])["message_id"] for batch in batches for r in batch["Records"]]
        return self._send.invoke(*batches).cpu_seconds / MESSAGES

    def receive(self) -> float:
        self._accepted = self._read_items()
        receipts = [
            receipt_event("smspoh-receipt-get", message_id=name, provider_message_id=item["provider_message_id"]["S"])
            for name, item in self._accepted.items()
        ]
        timing = self._webhook.invoke(*receipts)
        assert [response["statusCode"] for response in timing.responses] == [200] * MESSAGES
        return timing.cpu_seconds / MESSAGES

    def publish(self) -> float:
        # The local AWS writes no stream records for PartiQL, so build them from the items.
        delivered = self._read_items()
        changes = [c for name, item in self._accepted.items() for c in changes_of(item, delivered[name])]
        batches = [{"Records": changes[at : at + STREAM_BATCH]} for at in range(0, len(changes), STREAM_BATCH)]
        timing = self._publish.invoke(*batches)
        assert sum(response["published"] for response in timing.responses) == 3 * MESSAGES
        return timing.cpu_seconds / MESSAGES

    def _read_items(self) -> dict[str, Item]:
        table = self._harness.deployment.messages
        keys = [{"message_id": {"S": message_id}} for message_id in self._message_ids]
        request = {table: {"Keys": keys, "ConsistentRead": True}}
        response = self._harness.deployment.client("dynamodb").batch_get_item(RequestItems=request)
        return {item["message_id"]["S"]: item for item in response["Responses"][table]}


def changes_of(accepted: Item, delivered: Item) -> list[dict[str, Any]]:
    """Return the stream records of a message: claimed, accepted, delivered."""
    history = {"L": accepted["history"]["L"][:1]}
    claimed = {**accepted, "status": {"S": "sending"}, "sequence": {"N": "1"}, "history": history}
    del claimed["provider_message_id"]
    return [
        {"eventName": "INSERT", "dynamodb": {"NewImage": claimed}},
        {"eventName": "MODIFY", "dynamodb": {"OldImage": claimed, "NewImage": accepted}},
        {"eventName": "MODIFY", "dynamodb": {"OldImage": accepted, "NewImage": delivered}},
    ]
