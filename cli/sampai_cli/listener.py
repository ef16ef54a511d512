"""A temporary queue behind an event bus, to see which events come."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

POLL_SECONDS: Final = 2

Event = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Listener:
    """The events that have come so far, read from the queue at `url`."""

    sqs: Any
    url: str
    events: list[Event] = field(default_factory=list)

    def wait_for(self, matches: Callable[[Event], bool], *, seconds: float) -> Event | None:
        """Return the first event that matches, or None if none comes in time."""
        until = time.monotonic() + seconds
        while (found := next((event for event in self.events if matches(event)), None)) is None:
            if time.monotonic() > until:
                return None
            self._receive()
        return found

    def events_for(self, seconds: float) -> Iterator[Event]:
        """Yield each event when it comes, until the time is over."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._receive()
            events, self.events = self.events, []
            yield from events

    def _receive(self) -> None:
        answer = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=POLL_SECONDS)
        for message in answer.get("Messages", []):
            self.events.append(json.loads(message["Body"]))
            self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])


def new_name() -> str:
    """Return a name for a queue and a rule that nobody else has."""
    return f"sampai-tail-{uuid4().hex[:12]}"


@contextmanager
def listening(
    new_client: Callable[[str], Any], *, name: str, bus: str, pattern: Mapping[str, Any]
) -> Iterator[Listener]:
    """Collect the events of a bus that match a pattern. The queue and the rule, both called `name`, are deleted again.

    Raises botocore's ClientError and BotoCoreError, also for what cannot be deleted; the rest is deleted all the same.
    """
    sqs, rules = new_client("sqs"), new_client("events")
    with ExitStack() as created:
        # If the clean-up cannot run, the numbers and texts in the queue are gone within minutes.
        url = sqs.create_queue(QueueName=name, Attributes={"MessageRetentionPeriod": "300"})["QueueUrl"]
        created.callback(sqs.delete_queue, QueueUrl=url)
        queue_arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        rule_arn = rules.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern))["RuleArn"]
        created.callback(rules.delete_rule, Name=name, EventBusName=bus)
        policy = json.dumps(_allow_rule(queue_arn, rule_arn))
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        rules.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "queue", "Arn": queue_arn}])
        created.callback(rules.remove_targets, Rule=name, EventBusName=bus, Ids=["queue"])
        yield Listener(sqs=sqs, url=url)


def _allow_rule(queue_arn: str, rule_arn: str) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule_arn}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
