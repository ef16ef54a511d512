"""Entry point for the schedule of the account checks."""

from typing import Any

from sampai.bootstrap import monitor_service, telemetry
from sampai.environment import is_on_lambda

if is_on_lambda():
    # During the start Lambda provides a full CPU, and no event waits yet.
    monitor_service()


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Check the accounts at all vendors, and return the number of answered checks."""
    with telemetry().invocation(context):
        answered = monitor_service().run(remaining=lambda: context.get_remaining_time_in_millis() / 1000)
    return {"answered": answered}
