"""The workers of follow_up: one starts the others, and each has its own share of the due index."""

from collections.abc import Mapping
from typing import Any

import pytest

from sampai.services.follow_up.workers import Workers
from sampai.services.ports.messages import ONLY_WORKER, Worker
from sampai.services.ports.runtime import UnavailableError
from tests.fakes import RecordingTelemetry

SCHEDULED = {"time": "2026-11-21T10:00:00Z"}


class RecordingStarter:
    """Keeps the events of the started invocations. The one with the index `broken` cannot be started."""

    def __init__(self, broken: int | None = None) -> None:
        self.events: list[Mapping[str, Any]] = []
        self._broken = broken

    def start(self, event: Mapping[str, Any]) -> None:
        if event["worker"]["index"] == self._broken:
            raise UnavailableError("throttled")
        self.events.append(event)


def event_of(index: int, count: int) -> dict[str, Any]:
    return {"worker": {"index": index, "count": count}}


@pytest.mark.parametrize(
    ("event", "count", "worker", "started"),
    [
        (SCHEDULED, 1, ONLY_WORKER, []),
        (SCHEDULED, 3, Worker(0, 3), [event_of(1, 3), event_of(2, 3)]),
        (event_of(2, 3), 3, Worker(2, 3), []),
        (event_of(2, 3), 8, Worker(2, 3), []),
    ],
    ids=["one worker", "first of three", "a started one", "started before the number was changed"],
)
def test_event_of_the_schedule_starts_the_other_workers(
    event: dict[str, Any], count: int, worker: Worker, started: list[dict[str, Any]]
) -> None:
    starter = RecordingStarter()

    assert Workers(count=count, starter=starter, telemetry=RecordingTelemetry()).begin(event) == worker

    assert starter.events == started


def test_worker_that_cannot_be_started_is_reported_and_the_others_start() -> None:
    starter, telemetry = RecordingStarter(broken=1), RecordingTelemetry()

    assert Workers(count=3, starter=starter, telemetry=telemetry).begin(SCHEDULED) == Worker(0, 3)

    assert starter.events == [event_of(2, 3)]
    assert telemetry.lines == [("error", "worker not started", {"worker": 1, "error": "throttled"})]
    assert telemetry.counts == {("WorkerNotStarted", None): 1}
