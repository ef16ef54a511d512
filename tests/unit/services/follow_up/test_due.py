"""The due messages of a run: passes, and the messages that are kept until the vendors are asked."""

from dataclasses import replace
from datetime import timedelta

from benchmarks.growth import accepted_message
from sampai.domain.message import Message, Text
from sampai.domain.status import Status
from sampai.services.follow_up.due import DueMessages, alternate
from sampai.services.ports.messages import ONLY_WORKER, DueFamily
from tests.fakes import START, FixedClock, InMemoryStore, RecordingTelemetry


def new_due(store: InMemoryStore, max_kept: int) -> DueMessages:
    return DueMessages(
        messages=store,
        clock=FixedClock(),
        telemetry=RecordingTelemetry(),
        worker=ONLY_WORKER,
        remaining=lambda: 50.0,
        max_kept=max_kept,
    )


def test_kept_messages_with_content_and_those_beyond_the_memory_are_read_again() -> None:
    """Content may be large, and only a message that no vendor has named still has it."""
    named = [accepted_message(f"m-{n}", "nomsa", at=START, due_at=START) for n in range(5)]
    lost = replace(named[1], status=Status.UNKNOWN, provider_message_id=None, content=Text(text="Hello"))
    messages = [named[0], lost, *named[2:]]
    store = InMemoryStore()
    store.messages = {message.message_id: message for message in messages}
    due = new_due(store, max_kept=2)
    for read in due.passes(DueFamily.CLAIMED):
        due.keep(read)
    later = [replace(message, revision=9) for message in messages]
    store.messages = {message.message_id: message for message in later}

    kept = [message for messages in due.kept() for message in messages]

    assert kept == [later[1], later[3], later[4], messages[0], messages[2]]


def test_kept_message_that_is_not_due_any_more_is_left_out() -> None:
    lost = replace(accepted_message("m-1", "nomsa", at=START, due_at=START), content=Text(text="Hello"))
    store = InMemoryStore()
    store.messages = {"m-1": replace(lost, due_at=START + timedelta(hours=1))}
    due = new_due(store, max_kept=2)
    due.keep([lost])

    assert list(due.kept()) == [[]]


def test_passes_of_two_families_take_turns_until_both_are_over() -> None:
    first, second, third = ([accepted_message(f"m-{n}", "nomsa", at=START, due_at=START)] for n in range(3))
    longer: list[list[Message]] = [first, second]

    assert list(alternate(iter(longer), iter([third]))) == [first, third, second]
