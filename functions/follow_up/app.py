"""Entry point for the schedule of the due messages."""

from typing import Any

from sampai.bootstrap import follow_up_service, telemetry
from sampai.environment import is_on_lambda

if is_on_lambda():
    # During the start Lambda provides a full CPU, and no event waits yet.
    follow_up_service()


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Process all due messages, and return their number."""
    with telemetry().invocation(context):
        followed_up = follow_up_service().run(remaining=lambda: context.get_remaining_time_in_millis() / 1000)
    return {"followed_up": followed_up}
