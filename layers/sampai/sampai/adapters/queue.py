"""The two queues of the send function, on SQS."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from sampai.adapters.aws import unavailable
from sampai.services.ports import Resumption, UnavailableError

BATCH: Final = 10
"""SendMessageBatch takes ten messages."""

MAX_DELAY_SECONDS: Final = 900


class SqsQueue:
    """Implements `ports.Queue`."""

    def __init__(self, client: Any, *, send_url: str, urgent_url: str) -> None:
        self._client = client
        self._urls = {False: send_url, True: urgent_url}

    def put(self, resumptions: Sequence[Resumption]) -> None:
        """Queue the notes; every batch is tried before UnavailableError tells that some were not taken."""
        refused = sum(
            self._send(url, batch)
            for is_urgent, url in self._urls.items()
            for batch in _batches([r for r in resumptions if r.is_urgent is is_urgent])
        )
        if refused:
            raise UnavailableError(f"queue: {refused} not taken")

    def _send(self, url: str, batch: Sequence[Resumption]) -> int:
        """Return how many notes of the batch the queue did not take."""
        entries = [_entry(str(index), resumption) for index, resumption in enumerate(batch)]
        try:
            with unavailable("queue"):
                answer = self._client.send_message_batch(QueueUrl=url, Entries=entries)
        except UnavailableError:
            return len(batch)
        return len(answer.get("Failed", []))


def _entry(entry_id: str, resumption: Resumption) -> dict[str, Any]:
    entry = {
        "Id": entry_id,
        "MessageBody": json.dumps({"resume": resumption.message_id, "attempt": resumption.attempt}),
        "DelaySeconds": min(max(resumption.delay_seconds, 0), MAX_DELAY_SECONDS),
    }
    return entry if resumption.group is None else entry | {"MessageGroupId": resumption.group}


def _batches(resumptions: Sequence[Resumption]) -> Iterator[list[Resumption]]:
    rest = iter(resumptions)
    while batch := list(islice(rest, BATCH)):
        yield batch
