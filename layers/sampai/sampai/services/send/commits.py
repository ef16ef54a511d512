"""Commits that outlast a short outage of the store and isolate a write that raises."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from sampai.services.ports.messages import Messages, Write, WriteResult
from sampai.services.ports.runtime import Sleep
from sampai.services.ports.telemetry import Telemetry

MAX_REPEATS: Final = 30
FIRST_PAUSE_SECONDS: Final = 0.1
MAX_PAUSE_SECONDS: Final = 1.0

MayRepeat = Callable[[Sequence[WriteResult | None]], bool]
"""Returns whether there is time for another commit, given the results so far."""


class Commits:
    def __init__(self, *, messages: Messages, sleep: Sleep, telemetry: Telemetry) -> None:
        self._messages = messages
        self._sleep = sleep
        self._telemetry = telemetry

    def commit(self, writes: Sequence[Write], *, may_repeat: MayRepeat) -> list[WriteResult | None]:
        """Commit writes and return their results in order. Repeat the writes without an answer while there is time.

        A write that was stored although its answer was lost is recognised when it is repeated. The result is None for a
        write that raised an error: it is a bug of ours and concerns that write alone.
        """
        results = self._commit_once(writes)
        for pause in _pauses():
            unanswered = [index for index, result in enumerate(results) if is_unanswered(result)]
            if not unanswered or not may_repeat(results):
                break
            self._sleep(pause)
            repeated = self._commit_once([writes[index] for index in unanswered])
            for index, result in zip(unanswered, repeated, strict=True):
                results[index] = result
        return results

    def _commit_once(self, writes: Sequence[Write]) -> list[WriteResult | None]:
        """Commit all writes at once, or each by itself if that raises an error."""
        if not writes:
            return []
        try:
            return list(self._messages.commit(writes))
        except Exception as error:
            if len(writes) > 1:
                return [result for write in writes for result in self._commit_once([write])]
            self._telemetry.error("write failed", kind=type(writes[0]).__name__, error=type(error).__name__)
            return [None]


def is_unanswered(result: WriteResult | None) -> bool:
    """Return whether the store did not respond to a write: it may or may not be stored."""
    return result is not None and not result.done and result.current is None


def _pauses() -> Iterator[float]:
    for repeat in range(MAX_REPEATS):
        yield min(FIRST_PAUSE_SECONDS * 2**repeat, MAX_PAUSE_SECONDS)
