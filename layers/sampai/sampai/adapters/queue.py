"""The two queues of the send function, on SQS."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from sampai.adapters.aws import unavailable
from sampai.services.ports.queue import WakeUp
from sampai.services.ports.runtime import UnavailableError

BATCH: Final = 10
"""SendMessageBatch takes ten messages."""

MAX_DELAY_SECONDS: Final = 900


class SqsQueue:
    """Implements `ports.Queue`."""

    def __init__(self, client: Any, *, send_url: str, urgent_url: str) -> None:
        self._client = client
        self._urls = {False: send_url, True: urgent_url}

    def put(self, wake_ups: Sequence[WakeUp]) -> None:
        """Queue the notes; every batch is tried before UnavailableError tells that some were not taken."""
        refused = sum(
            self._send(url, batch)
            for is_urgent, url in self._urls.items()
            for batch in _batches([r for r in wake_ups if r.is_urgent is is_urgent])
        )
        if refused:
            raise UnavailableError(f"queue: {refused} not taken")

    def _send(self, url: str, batch: Sequence[WakeUp]) -> int:
        """Return how many notes of the batch the queue did not take."""
        entries = [_entry(str(index), wake_up) for index, wake_up in enumerate(batch)]
        try:
            with unavailable("queue"):
                answer = self._client.send_message_batch(QueueUrl=url, Entries=entries)
        except UnavailableError:
            return len(batch)
        return len(answer.get("Failed", []))


def _entry(entry_id: str, wake_up: WakeUp) -> dict[str, Any]:
    entry = {
        "Id": entry_id,
        "MessageBody": json.dumps({"resume": wake_up.message_id, "attempt": wake_up.attempt}),
        "DelaySeconds": min(max(wake_up.delay_seconds, 0), MAX_DELAY_SECONDS),
    }
    return entry if wake_up.group is None else entry | {"MessageGroupId": wake_up.group}


def _batches(wake_ups: Sequence[WakeUp]) -> Iterator[list[WakeUp]]:
    rest = iter(wake_ups)
    while batch := list(islice(rest, BATCH)):
        yield batch
