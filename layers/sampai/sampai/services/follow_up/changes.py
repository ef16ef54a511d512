"""Store several changes at once."""

from collections.abc import Sequence

from sampai.services.ports.messages import Messages, Replace


def store_changes(messages: Messages, changes: Sequence[Replace]) -> set[str]:
    """Store the changes and return the ids of the messages that were stored.

    A message that another worker changed first stays as that worker left it.
    """
    results = messages.commit(changes)
    return {change.message.message_id for change, result in zip(changes, results, strict=True) if result.done}
