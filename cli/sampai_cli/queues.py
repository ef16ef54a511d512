"""The depth of each queue."""

from dataclasses import dataclass

from sampai_cli.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """The entries of a queue, as SQS counts them: its counts may be a minute old."""

    waiting: int
    in_flight: int
    """Taken by a function, and not done yet."""
    delayed: int
    """Wake-ups of messages whose time has not come."""


_ATTRIBUTES = {
    "waiting": "ApproximateNumberOfMessages",
    "in_flight": "ApproximateNumberOfMessagesNotVisible",
    "delayed": "ApproximateNumberOfMessagesDelayed",
}


def queue_urls(run: Run) -> dict[str, str]:
    """Return the address of each queue of a stack by the name that a person knows. Raises CliError, ClientError."""
    return {
        "urgent": run.stack.output("UrgentQueueUrl"),
        "send": run.stack.output("SendQueueUrl"),
        "dead letters": run.stack.output("DeadLetterQueueUrl"),
        "lost events": run.stack.resource("PublishFailures"),
    }


def depth_of(run: Run, url: str) -> Depth:
    """Return the depth of a queue. Raises ClientError."""
    answer = run.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=list(_ATTRIBUTES.values()))
    return Depth(**{name: int(answer["Attributes"][attribute]) for name, attribute in _ATTRIBUTES.items()})
