"""`sampai replay` builds the events of a message again as they were, and publishes those that are asked for."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from sampai.adapters.inbox import to_inbox_item
from sampai.contract.events import Event
from sampai.domain.inbound import Inbound
from sampai.domain.message import Channel, Message, accept, apply_report, blank_message, claim, mark_unknown, requeue
from sampai.domain.report import Report
from sampai.domain.status import Source, Status
from sampai.services.ports.messages import Insert, Replace
from sampai_cli.past_events import events_of
from tests.fakes import START, InMemoryStore
from tests.unit.cli.conftest import World

MINUTE = timedelta(minutes=1)


def life() -> tuple[Message, list[Event]]:
    """Return a message after two attempts, and the events that were published."""
    store = InMemoryStore()
    draft = replace(blank_message("otp-1", now=START), recipient="+85591234510", metadata={"order": "4711"})
    steps = [claim(draft, provider="smspoh", attempt_id="a-1", now=START, lease=MINUTE)]
    later = START + MINUTE
    steps.append(mark_unknown(steps[-1], now=later, due_at=later, source=Source.SWEEP))
    steps.append(requeue(steps[-1], route=(), failure=None, now=later, due_at=later, source=Source.SWEEP))
    steps.append(claim(steps[-1], provider="nomsa", attempt_id="a-2", now=later, lease=MINUTE))
    named = partial(accept, provider_message_id="n-1", provider_status=None, source=Source.SEND)
    steps.append(named(steps[-1], now=later, due_at=later))
    report = Report(provider_message_id="n-1", provider_status="failed", status=Status.UNDELIVERED)
    steps.append(apply_report(steps[-1], report, now=later + MINUTE, source=Source.POLL))
    store.commit([Insert(message=steps[0])])
    for before, after in pairwise(steps):
        store.commit([Replace(before=before, message=after)])
    return steps[-1], store.events


def test_events_of_the_latest_attempt_are_equal_and_those_before_have_the_same_sequence() -> None:
    message, published = life()

    again = [event for _, event in events_of(message)]

    assert again[3:] == published[3:]
    assert len(again) == 6
    forgotten = {"provider": None, "provider_message_id": None, "cost": None}
    assert [event.detail for event in again[:3]] == [{**event.detail, **forgotten} for event in published[:3]]


def test_a_long_history_lacks_its_middle_and_keeps_its_sequences() -> None:
    message, _ = life()
    cut = replace(message, sequence=106)

    assert [event.detail["sequence"] for _, event in events_of(cut)] == [1, 2, 3, 104, 105, 106]


class Bus:
    """Takes the events that a command publishes."""

    def __init__(self, world: World) -> None:
        self.details: list[Mapping[str, Any]] = []
        events = world.client("events")
        events.meta.events.register("provide-client-params.events.PutEvents", self._note)
        original = world.stack.client
        new_client = lambda service: events if service == "events" else original(service)  # noqa: E731
        world.stack = replace(world.stack, client=new_client)

    def _note(self, params: Mapping[str, Any], **_: Any) -> None:
        self.details += [json.loads(entry["Detail"]) for entry in params["Entries"]]

    @property
    def told(self) -> list[str]:
        return [f"{d['message_id']} {d['sequence']}" if "sequence" in d else d["text"] for d in self.details]


@pytest.fixture
def bus(world: World) -> Bus:
    return Bus(world)


OTP = [f"otp-1 {sequence}" for sequence in range(1, 7)]


def test_all_events_of_named_messages_are_published_in_order(world: World, bus: Bus) -> None:
    world.put(life()[0])

    result = world("replay", "--ids", "otp-1", "--yes")

    assert (result.exit_code, result.stdout) == (0, "Published 6 events of 1 messages.\n")
    assert bus.told == OTP


def test_events_since_a_time_are_published(world: World, bus: Bus) -> None:
    world.put(life()[0], replace(life()[0], message_id="old", updated_at=START - MINUTE))

    world("replay", "--since", "2026-11-21T10:02:00Z", "--yes")

    assert bus.told == OTP[-1:]


def test_gaps_are_published_by_the_times_of_the_lost_records(world: World, bus: Bus) -> None:
    world.put(life()[0])
    inbound = Inbound(provider="nusasms", channel=Channel.SMS, sender="+6281234567810", text="Hello")
    world.client("dynamodb").put_item(TableName="InboxTable", Item=to_inbox_item("k-1", inbound, START))
    unreadable = {"inbound_key": {"S": "k-0"}, "created_at": {"S": "yesterday"}}
    world.client("dynamodb").put_item(TableName="InboxTable", Item=unreadable)
    failures = world.stack.resource("PublishFailures")
    lost = {"approximateArrivalOfFirstRecord": "2026-11-21T10:00:00Z"}
    lost["approximateArrivalOfLastRecord"] = "2026-11-21T10:00:01Z"
    body = json.dumps({"DDBStreamBatchInfo": lost})
    world.client("sqs").send_message(QueueUrl=failures, MessageBody=body)

    result = world("replay", "--gaps", "--yes")

    assert (result.exit_code, bus.told) == (0, ["otp-1 1", "Hello"])
    assert "item unreadable: table inbox, error " in result.stderr
    assert world("replay", "--gaps", "--yes").stdout == "No gaps: the queue PublishFailures is empty.\n"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 2, "Give one of --ids, --since and --gaps.\n"),
        (["--ids", "otp-1", "--gaps"], 2, "Give one of --ids, --since and --gaps.\n"),
        (["--ids", "otp-1,nobody"], 1, "There is no message nobody. Nothing was published.\n"),
        (["--ids", "otp-1"], 1, "Nothing was changed: there is nobody to ask. Repeat the command with --yes.\n"),
    ],
)
def test_nothing_is_published_by_a_wrong_command(
    arguments: list[str], status: int, said: str, world: World, bus: Bus
) -> None:
    world.put(life()[0])

    result = world("replay", *arguments)

    assert (result.exit_code, result.stderr.endswith(said), bus.told) == (status, True, [])


def test_a_failure_without_times_stays_in_its_queue(world: World, bus: Bus) -> None:
    world.client("sqs").send_message(QueueUrl=world.stack.resource("PublishFailures"), MessageBody="{}")

    result = world("replay", "--gaps", "--yes")

    assert (result.exit_code, bus.told) == (1, [])
    assert result.stderr.startswith("The queue PublishFailures has an entry without the times of its records.")
