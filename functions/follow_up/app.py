"""The door of the schedule."""

from typing import Any

from sampai.bootstrap import follow_up_service, telemetry


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Look after every message that is due, and tell how many there were."""
    with telemetry().invocation(context):
        followed_up = follow_up_service().run(remaining=lambda: context.get_remaining_time_in_millis() / 1000)
    return {"followed_up": followed_up}
