"""The two queues of the send function, on SQS."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from sampai.adapters.aws import unavailable
from sampai.services.ports.queue import WakeUp
from sampai.services.ports.runtime import UnavailableError

MAX_BATCH_SIZE: Final = 10
"""The limit of SendMessageBatch."""

MAX_DELAY_SECONDS: Final = 900


class SqsQueue:
    """Implements `ports.queue.Queue`."""

    def __init__(self, client: Any, *, send_url: str, urgent_url: str) -> None:
        self._client = client
        self._urls = {False: send_url, True: urgent_url}

    def put(self, wake_ups: Sequence[WakeUp]) -> None:
        """Queue the wake-ups. Raise UnavailableError if some were refused, after all batches were tried."""
        refused = sum(
            self._send(url, batch)
            for is_urgent, url in self._urls.items()
            for batch in _batches([r for r in wake_ups if r.is_urgent is is_urgent])
        )
        if refused:
            raise UnavailableError(f"queue: {refused} not accepted")

    def _send(self, url: str, batch: Sequence[WakeUp]) -> int:
        """Send a batch, and return the number of refused wake-ups."""
        entries = [_to_entry(str(index), wake_up) for index, wake_up in enumerate(batch)]
        try:
            with unavailable("queue"):
                answer = self._client.send_message_batch(QueueUrl=url, Entries=entries)
        except UnavailableError:
            return len(batch)
        return len(answer.get("Failed", []))


def _to_entry(entry_id: str, wake_up: WakeUp) -> dict[str, Any]:
    entry = {
        "Id": entry_id,
        "MessageBody": json.dumps({"resume": wake_up.message_id, "attempt": wake_up.attempt}),
        "DelaySeconds": min(max(wake_up.delay_seconds, 0), MAX_DELAY_SECONDS),
    }
    return entry if wake_up.group is None else entry | {"MessageGroupId": wake_up.group}


def _batches(wake_ups: Sequence[WakeUp]) -> Iterator[list[WakeUp]]:
    rest = iter(wake_ups)
    while batch := list(islice(rest, MAX_BATCH_SIZE)):
        yield batch
