"""Entry point for the schedule of the due messages."""

from typing import Any

from sampai.bootstrap import follow_up_service, follow_up_workers, telemetry
from sampai.environment import is_on_lambda

if is_on_lambda():
    # During the start Lambda provides a full CPU, and no event waits yet.
    follow_up_service()


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Process the due messages of one worker, and return their number. The schedule's event also starts the others."""
    with telemetry().invocation(context):
        worker = follow_up_workers(context.function_name).begin(event)
        followed_up = follow_up_service().run(
            remaining=lambda: context.get_remaining_time_in_millis() / 1000, worker=worker
        )
    return {"followed_up": followed_up}
