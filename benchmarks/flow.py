"""A message's whole way: sent, reported as delivered, told of in events; beside a bare POST that does none of it."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Final

from benchmarks.harness import TOKEN, YARDSTICKS, Sandbox, Stage, batch_of, medians, staged
from benchmarks.results import Figure
from sampai.domain.webhook_token import webhook_token

MESSAGES: Final = 100
"""In a round; a hundred items are read at once."""

ROUNDS: Final = 7

Item = dict[str, Any]

SEND_BATCH: Final = 10
"""The template's batch of requests, and of changes in the stream."""
STREAM_BATCH: Final = 100


def measure() -> list[Figure]:
    with staged() as stage, ExitStack() as stack:
        flow = Flow(
            stage,
            send=stack.enter_context(stage.sandbox("send")),
            webhook=stack.enter_context(stage.sandbox("webhook")),
            publish=stack.enter_context(stage.sandbox("publish")),
        )
        bare = stack.enter_context(stage.sandbox(f"{YARDSTICKS}bare_post"))
        works = {
            "send": flow.send,
            "receipt": flow.receive,
            "event": flow.publish,
            "bare": lambda: bare.call(batch_of(MESSAGES)).cpu_seconds / MESSAGES,
        }
        medians(works, rounds=1)
        spent = medians(works, rounds=ROUNDS)
    whole = spent["send"] + spent["receipt"] + spent["event"]
    figure = Figure(
        key="flow.cpu",
        what="CPU of send, receipt and event of a message ÷ bare POST in a session",
        value=whole / spent["bare"],
        floor=1.5,
        goal=8.0,
        note=" · ".join(f"{name} {seconds * 1000:.2f}" for name, seconds in spent.items()) + " ms",
    )
    return [figure, *_parts(spent)]


def _parts(spent: dict[str, float]) -> Iterator[Figure]:
    notes = {
        "send": f"batches of {SEND_BATCH}",
        "receipt": "a callback each, of SMSPoh",
        "event": f"three changes of a message, in batches of {STREAM_BATCH}",
    }
    for name, note in notes.items():
        what = f"{name} ÷ bare POST"
        yield Figure(key=f"flow.cpu.{name}", what=what, value=spent[name] / spent["bare"], note=note)


class Flow:
    """Sends messages, then reports them, then publishes what has changed: to be done in turn."""

    def __init__(self, stage: Stage, *, send: Sandbox, webhook: Sandbox, publish: Sandbox) -> None:
        self._stage = stage
        self._send = send
        self._webhook = webhook
        self._publish = publish
        self._message_ids: list[str] = []
        self._accepted: dict[str, Item] = {}

    def send(self) -> float:
        """Send some messages and return the CPU seconds of each, as the others do."""
        batches = [batch_of(SEND_BATCH) for _ in range(MESSAGES // SEND_BATCH)]
        self._message_ids = [json.loads(r["body"])["message_id"] for batch in batches for r in batch["Records"]]
        return self._send.call(*batches).cpu_seconds / MESSAGES

    def receive(self) -> float:
        self._accepted = self._items()
        receipts = [receipt_of(name, item["provider_message_id"]["S"]) for name, item in self._accepted.items()]
        spent = self._webhook.call(*receipts)
        assert [answer["statusCode"] for answer in spent.answers] == [200] * MESSAGES
        return spent.cpu_seconds / MESSAGES

    def publish(self) -> float:
        # The local AWS keeps no stream of what PartiQL writes, so it is made from what stands in the table.
        delivered = self._items()
        changes = [c for name, item in self._accepted.items() for c in changes_of(item, delivered[name])]
        batches = [{"Records": changes[at : at + STREAM_BATCH]} for at in range(0, len(changes), STREAM_BATCH)]
        spent = self._publish.call(*batches)
        assert sum(answer["published"] for answer in spent.answers) == 3 * MESSAGES
        return spent.cpu_seconds / MESSAGES

    def _items(self) -> dict[str, Item]:
        table = self._stage.deployment.messages
        keys = [{"message_id": {"S": message_id}} for message_id in self._message_ids]
        asked = {table: {"Keys": keys, "ConsistentRead": True}}
        answer = self._stage.deployment.client("dynamodb").batch_get_item(RequestItems=asked)
        return {item["message_id"]["S"]: item for item in answer["Responses"][table]}


def changes_of(accepted: Item, delivered: Item) -> list[dict[str, Any]]:
    """Return the changes that the stream of the table tells of a message: claimed, accepted, delivered."""
    history = {"L": accepted["history"]["L"][:1]}
    claimed = {**accepted, "status": {"S": "sending"}, "sequence": {"N": "1"}, "history": history}
    del claimed["provider_message_id"]
    return [
        {"eventName": "INSERT", "dynamodb": {"NewImage": claimed}},
        {"eventName": "MODIFY", "dynamodb": {"OldImage": claimed, "NewImage": accepted}},
        {"eventName": "MODIFY", "dynamodb": {"OldImage": accepted, "NewImage": delivered}},
    ]


def receipt_of(message_id: str, provider_message_id: str, *, status: str = "Delivered") -> dict[str, Any]:
    """Return what API Gateway makes of SMSPoh's callback."""
    return {
        "version": "2.0",
        "rawQueryString": f"messageId={provider_message_id}&status={status}&clientReference={message_id}"
        "&finishedAt=2026-11-21+16%3A30%3A04&updatedAt=2026-11-21+16%3A30%3A04",
        "headers": {"accept": "*/*", "content-length": "0", "user-agent": "vendor"},
        "requestContext": {"http": {"method": "GET", "path": "/webhooks/smspoh/receipt"}},
        "pathParameters": {"provider": "smspoh", "kind": "receipt", "token": webhook_token(TOKEN, "smspoh")},
        "isBase64Encoded": False,
    }
