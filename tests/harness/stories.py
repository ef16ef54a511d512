"""Messages of every kind for the console, in the last hour: a story of each, and enough of them for charts."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from sampai.adapters.attempts import to_attempt_item
from sampai.adapters.items import to_item
from sampai.domain.failure import Failure, Reason
from sampai.domain.message import Category, Channel, HistoryEntry, Message, Text
from sampai.domain.status import Source, Status
from sampai.services.ports.attempts import AttemptRecord
from sampai_cli.stack import Stack

NUMBER: Final = "+85591234510"
TEXT: Final = "Your code is 1234"
ORDER: Final = "the-order"
SCRIPT: Final = "<script>alert(1)</script>"
"""A vendor's words that a page must not run."""

Steps = list[tuple[float, Status, Source]]
"""Seconds after the request, status, source."""

DELIVERED: Final[Steps] = [
    (0.0, Status.SENDING, Source.SEND),
    (0.4, Status.ACCEPTED, Source.SEND),
    (3.0, Status.SENT, Source.WEBHOOK),
    (8.0, Status.DELIVERED, Source.WEBHOOK),
]


def message(message_id: str, steps: Steps, *, began: datetime, **fields: Any) -> Message:
    """Return a message that went through some steps since it was requested."""
    history = tuple(
        HistoryEntry(status=status, at=began + timedelta(seconds=after), source=source)
        for after, status, source in steps
    )
    last = history[-1]
    is_open = not last.status.is_final
    defaults: dict[str, Any] = {
        "provider": "nomsa",
        "attempt": 1,
        "sequence": len(history),
        "recipient": NUMBER,
        "metadata": {"order": ORDER},
        "content": Text(text=TEXT) if last.status.may_be_sent else None,
        "attempted_at": next((entry.at for entry in history if entry.status is Status.SENDING), None),
        "due_at": last.at + timedelta(minutes=1) if is_open else None,
    }
    return Message(
        message_id=message_id,
        status=last.status,
        revision=len(history),
        created_at=began,
        updated_at=last.at,
        occurred_at=last.at,
        history=history,
        **defaults | fields,
    )


def stories(now: datetime) -> tuple[list[Message], list[AttemptRecord]]:
    """Return a message of each kind, and the failed attempts."""
    refusal = Failure(reason=Reason.INVALID_RECIPIENT, provider_code="34", detail="recipient: check it with its owner")
    began = now - timedelta(minutes=2)
    messages = [
        message("delivered-1", DELIVERED, began=began, category=Category.OTP),
        message(
            "refused-1",
            [(0.0, Status.SENDING, Source.SEND), (0.6, Status.FAILED, Source.SEND)],
            began=began + timedelta(seconds=5),
            provider="smspoh",
            failure=refusal,
        ),
        message(
            "failover-1",
            [
                (0.0, Status.SENDING, Source.SEND),
                (0.5, Status.QUEUED, Source.SEND),
                (2.0, Status.SENDING, Source.SEND),
                (2.3, Status.ACCEPTED, Source.SEND),
            ],
            began=began + timedelta(seconds=10),
            provider="nusasms",
            attempt=2,
        ),
        message(
            "unknown-1",
            [(0.0, Status.SENDING, Source.SEND), (10.0, Status.UNKNOWN, Source.SEND)],
            began=began + timedelta(seconds=15),
            provider="smsnoc",
        ),
        message(
            "canceled-1",
            [(0.0, Status.SCHEDULED, Source.SEND), (30.0, Status.CANCELED, Source.CALLER)],
            began=began + timedelta(seconds=20),
            provider=None,
            attempt=0,
        ),
        message(
            "undelivered-1",
            [*DELIVERED[:2], (40.0, Status.UNDELIVERED, Source.POLL)],
            began=began + timedelta(seconds=25),
            provider="smsnoc",
            failure=Failure(reason=Reason.UNREACHABLE, detail="the phone was off: send again under a new id"),
        ),
        message("whatsapp-1", [*DELIVERED, (20.0, Status.READ, Source.WEBHOOK)], began=began, channel=Channel.WHATSAPP),
    ]
    attempts = [
        _attempt(
            messages[1],
            "not_taken",
            0.05,
            0.55,
            http_status=400,
            reason=Reason.INVALID_RECIPIENT,
            provider_code="34",
            vendor_words=f'{{"message": "Invalid number […] {SCRIPT}"}}',
        ),
        _attempt(
            replace(messages[2], provider="smspoh", attempt=1),
            "not_taken",
            0.05,
            0.45,
            http_status=429,
            reason=Reason.RATE_LIMITED,
            detail="the vendor throttles: send more slowly",
            vendor_words="Too Many Requests",
        ),
        _attempt(messages[3], "unknown", 0.1, 10.0, detail="timed out"),
    ]
    return messages, attempts


def _attempt(of: Message, outcome: str, began: float, ended: float, **fields: Any) -> AttemptRecord:
    return AttemptRecord(
        message_id=of.message_id,
        attempt=of.attempt,
        attempt_id=f"a-{of.message_id}",
        provider=of.provider or "",
        outcome=outcome,
        claimed_at=of.created_at,
        began_at=of.created_at + timedelta(seconds=began),
        ended_at=of.created_at + timedelta(seconds=ended),
        **fields,
    )


def crowd(now: datetime, count: int) -> Iterator[Message]:
    """Yield messages of the last hour, for charts. The same number gives the same messages."""
    random = Random(4711)  # noqa: S311 - no secret
    for number in range(count):
        provider = random.choice(["nomsa", "nomsa", "smsnoc", "smspoh", "nusasms"])
        accepted = random.lognormvariate(-1, 0.5)
        arrived = accepted + random.lognormvariate(2, 1)
        end = random.choices([Status.DELIVERED, Status.UNDELIVERED, Status.SENT], [90, 6, 4])[0]
        steps: Steps = [
            (0.0, Status.SENDING, Source.SEND),
            (accepted, Status.ACCEPTED, Source.SEND),
            (arrived, end, Source.WEBHOOK),
        ]
        failure = Failure(reason=Reason.UNREACHABLE) if end is Status.UNDELIVERED else None
        began = now - timedelta(seconds=random.triangular(200, 3600, 1500))
        yield message(f"order-{number:04}", steps, began=began, provider=provider, failure=failure)


LETTERS: Final[list[Any]] = [
    {
        "message_id": "dead-1",
        "recipient": NUMBER,
        "content": {"type": "text", "text": TEXT},
        "category": "otp",
        "metadata": {"order": ORDER},
    },
    {"opt_in": NUMBER},
    {"cancel": "refused-1"},
    f"not JSON {SCRIPT}",
]


def fill(stack: Stack, *, now: datetime, count: int = 0) -> None:
    """Put the stories, dead letters and so many further messages into a stack."""
    messages, attempts = stories(now)
    dynamodb = stack.client("dynamodb")
    for each in [*messages, *crowd(now, count)]:
        dynamodb.put_item(TableName=stack.output("MessagesTableName"), Item=to_item(each))
    for attempt in attempts:
        dynamodb.put_item(TableName=stack.output("AttemptsTableName"), Item=to_attempt_item(attempt, now=now))
    for letter in LETTERS:
        body = letter if isinstance(letter, str) else json.dumps(letter)
        stack.client("sqs").send_message(QueueUrl=stack.output("DeadLetterQueueUrl"), MessageBody=body)
