"""The two queues of the send function and the queue of the callbacks, on SQS."""

import json
from collections.abc import Sequence
from typing import Any, Final

from sampai.adapters.aws import unavailable
from sampai.adapters.batches import batches_of
from sampai.domain.outcome import NotTaken, Taken
from sampai.services.ports.queue import CarriedOutcome, QueueMessage, Receipt
from sampai.services.ports.runtime import UnavailableError

MAX_DELAY_SECONDS: Final = 900


class SqsQueue:
    """Implements `ports.queue.Queue`."""

    def __init__(self, client: Any, *, send_url: str, urgent_url: str) -> None:
        self._client = client
        self._urls = {False: send_url, True: urgent_url}

    def put(self, messages: Sequence[QueueMessage]) -> None:
        """Queue the messages. Raise UnavailableError if some were refused, after all batches were tried."""
        refused = sum(
            self._send(url, batch)
            for is_urgent, url in self._urls.items()
            for batch in batches_of([message for message in messages if message.is_urgent is is_urgent])
        )
        if refused:
            raise UnavailableError(f"queue: {refused} not accepted")

    def postpone(self, receipts: Sequence[Receipt], *, seconds: int) -> None:
        """Set the visibility timeout of received messages. Raise UnavailableError if some were refused."""
        refused = sum(
            _change_visibility(self._client, url, batch)
            for url in self._urls.values()
            for batch in batches_of([(r, seconds) for r in receipts if r.queue_name == url.rpartition("/")[2]])
        )
        if refused:
            raise UnavailableError(f"queue: {refused} not postponed")

    def _send(self, url: str, batch: Sequence[QueueMessage]) -> int:
        """Send a batch, and return the number of refused messages."""
        entries = [_to_entry(str(index), message) for index, message in enumerate(batch)]
        try:
            with unavailable("queue"):
                answer = self._client.send_message_batch(QueueUrl=url, Entries=entries)
        except UnavailableError:
            return len(batch)
        return len(answer.get("Failed", []))


class SqsCallbackQueue:
    """Implements `ports.callbacks.CallbackQueue`."""

    def __init__(self, client: Any, *, url: str) -> None:
        self._client = client
        self._url = url

    def postpone(self, delays: Sequence[tuple[Receipt, int]]) -> None:
        """Set the visibility timeouts. Raise UnavailableError if some were refused."""
        refused = sum(_change_visibility(self._client, self._url, batch) for batch in batches_of(delays))
        if refused:
            raise UnavailableError(f"queue: {refused} not postponed")


def _change_visibility(client: Any, url: str, batch: Sequence[tuple[Receipt, int]]) -> int:
    """Set the visibility timeout of each message of a batch, and return the number of refused changes."""
    entries = [
        {"Id": str(index), "ReceiptHandle": receipt.handle, "VisibilityTimeout": seconds}
        for index, (receipt, seconds) in enumerate(batch)
    ]
    try:
        with unavailable("queue"):
            answer = client.change_message_visibility_batch(QueueUrl=url, Entries=entries)
    except UnavailableError:
        return len(batch)
    return len(answer.get("Failed", []))


def to_body(message: QueueMessage) -> str:
    """Return the body of a queue message, as `contract.request` parses it."""
    if isinstance(message, CarriedOutcome):
        outcome = {"attempt_id": message.attempt_id, **_to_outcome(message.outcome)}
        return json.dumps({"outcome_of": message.message_id, **outcome})
    return json.dumps({"resume": message.message_id, "attempt": message.attempt})


def _to_outcome(outcome: Taken | NotTaken) -> dict[str, Any]:
    """Return an outcome without the vendor's own text, which may repeat a number, and without an encryption key."""
    fields: dict[str, Any]
    if isinstance(outcome, Taken):
        fields = {"provider_message_id": outcome.provider_message_id, "provider_status": outcome.provider_status}
        return {"taken": fields}
    fields = {
        "reason": outcome.reason,
        "is_final": outcome.is_final,
        "scope": outcome.scope.value,
        "provider_code": outcome.provider_code,
        "retry_after_seconds": outcome.retry_after_seconds,
    }
    return {"not_taken": fields}


def _to_entry(entry_id: str, message: QueueMessage) -> dict[str, Any]:
    entry = {
        "Id": entry_id,
        "MessageBody": to_body(message),
        "DelaySeconds": min(max(message.delay_seconds, 0), MAX_DELAY_SECONDS),
    }
    return entry if message.group is None else entry | {"MessageGroupId": message.group}
