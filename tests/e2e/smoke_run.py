"""One run of the smoke test on the local stack, with a record of its AWS calls."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from local.smoke.checks import Result, Smoke
from local.stage import LOCAL, find
from sampai_cli.stack import Stack

ACTIONS: Final = {"dynamodb:BatchExecuteStatement": {"dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate"}}
"""Actions by call, if the names differ."""


@dataclass(kw_only=True)
class SmokeRun:
    """The results of the checks, and the actions of all calls."""

    results: list[Result] = field(default_factory=list)
    actions: set[str] = field(default_factory=set)


def run_smoke_test() -> SmokeRun:
    """Run every check once."""
    run = SmokeRun()
    Smoke(_recorded(find(LOCAL), run.actions), now=datetime.now(UTC)).run(run.results.append)
    return run


def _recorded(target: Stack, actions: set[str]) -> Stack:
    def recording(service: str) -> Any:
        client = target.client(service)

        def record(model: Any, **_: Any) -> None:
            actions.update(ACTIONS.get(f"{service}:{model.name}", {f"{service}:{model.name}"}))

        client.meta.events.register("before-call", record)
        return client

    return replace(target, client=recording)
