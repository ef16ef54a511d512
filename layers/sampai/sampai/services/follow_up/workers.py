"""Share the due index among several workers: the schedule starts the first one, and that one starts the others."""

from collections.abc import Mapping
from typing import Any, Protocol

from sampai.services.ports.messages import ONLY_WORKER, Worker
from sampai.services.ports.runtime import UnavailableError
from sampai.services.ports.telemetry import Telemetry


class Starter(Protocol):
    """Starts another invocation of this function."""

    def start(self, event: Mapping[str, Any]) -> None:
        """Start an invocation with an event, without waiting for it. Raises UnavailableError."""
        ...


class Workers:
    def __init__(self, *, count: int, starter: Starter, telemetry: Telemetry) -> None:
        """`count` is the number of workers, from 1."""
        self._count = count
        self._starter = starter
        self._telemetry = telemetry

    def begin(self, event: Mapping[str, Any]) -> Worker:
        """Return the worker that an event starts. The event of the schedule starts the first one, and here the others.

        A worker that cannot be started is reported: its messages wait for the next run.
        """
        given = event.get("worker")
        if given is not None:
            return Worker(index=int(given["index"]), count=int(given["count"]))
        if self._count == 1:
            return ONLY_WORKER
        for index in range(1, self._count):
            try:
                self._starter.start({"worker": {"index": index, "count": self._count}})
            except UnavailableError as error:
                self._telemetry.error("worker not started", worker=index, error=str(error))
                self._telemetry.count("WorkerNotStarted")
        return Worker(index=0, count=self._count)
