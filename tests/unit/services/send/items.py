"""Messages and batch items for the tests of the stages."""

from datetime import timedelta
from typing import Any, Final

from sampai.domain.message import Message, Text, blank_message, claim, queue
from sampai.domain.outcome import Outcome
from sampai.providers.base import Provider
from sampai.services.send.batch import BatchItem
from tests.fakes import START
from tests.harness.sending import LEASE, new_batch

LATER: Final = START + timedelta(minutes=1)


def provider(name: str = "nomsa") -> Provider:
    found = new_batch().configuration.routing.provider(name, draft().channel)
    assert found is not None
    return found


def draft(message_id: str = "m-1", **changes: Any) -> Message:
    values: dict[str, Any] = {
        "recipient": "+85591234510",
        "content": Text(text="Your code is 1234"),
        "route": ("nomsa",),
        "fingerprint": f"digest of {message_id}",
    }
    message = blank_message(message_id, now=START)
    return Message(**{name: getattr(message, name) for name in Message.__slots__} | values | changes)


def queued(message_id: str = "m-1", **changes: Any) -> Message:
    """Return a message that waits for its first attempt."""
    return queue(draft(message_id, **changes), now=START, due_at=START)


def claimed(message_id: str = "m-1", *, attempt_id: str = "a-1", **changes: Any) -> Message:
    return claim(draft(message_id, **changes), provider="nomsa", attempt_id=attempt_id, now=START, lease=LEASE)


def item_of(before: Message, message: Message | None = None, *, record_id: str = "r-1") -> BatchItem:
    item = BatchItem(record_ids=[record_id], before=before)
    item.message = message or before
    return item


def sending_item(message_id: str = "m-1", *, outcome: Outcome | None = None, **changes: Any) -> BatchItem:
    """Return the item of a new message that is claimed for Nomsa."""
    number = message_id.rpartition("-")[2]
    item = item_of(draft(message_id, **changes), claimed(message_id, **changes), record_id=f"r-{number}")
    item.provider, item.outcome = provider(), outcome
    return item
