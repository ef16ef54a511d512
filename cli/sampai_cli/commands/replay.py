"""`sampai replay`: publish events again that callers missed."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Annotated, Final

import typer

from sampai.adapters.dynamo import Item
from sampai.adapters.events import EventBridgeBus
from sampai.adapters.inbox import from_inbox_item
from sampai.adapters.items import from_item
from sampai.adapters.reading import read_item
from sampai.contract.events import Event, message_received
from sampai.domain.times import from_text, to_text
from sampai_cli.commands.listing import UnitsOption
from sampai_cli.dead_letters import held
from sampai_cli.errors import CliError, InputError
from sampai_cli.lines import since as instant_of
from sampai_cli.messages import MAX_READ_UNITS, Search, read_items
from sampai_cli.past_events import events_of
from sampai_cli.run import Run, YesOption, command, now
from sampai_cli.telemetry import Notes

Window = tuple[datetime, datetime]
MARGIN: Final = timedelta(seconds=10)
"""The stream's times and ours differ."""

MAX_FAILURES: Final = 10_000

EVER: Final[Window] = (from_text("1970-01-01T00:00:00+00:00"), from_text("2999-01-01T00:00:00+00:00"))


def add_to(app: typer.Typer) -> None:
    @command(
        app,
        "events:PutEvents on the bus",
        "with --ids: dynamodb:BatchGetItem on MessagesTable; else dynamodb:Scan on MessagesTable",
        "with --gaps: cloudformation:DescribeStackResource on the stack; dynamodb:Scan on InboxTable; "
        "sqs:ReceiveMessage, sqs:ChangeMessageVisibility, sqs:DeleteMessage on PublishFailures",
    )
    def replay(
        run: Run,
        ids: Annotated[str | None, typer.Option(help="The message_ids, with commas between them.")] = None,
        since: Annotated[str | None, typer.Option(help="All changes since: 30m, 2h, 3d, or an RFC 3339 time.")] = None,
        gaps: Annotated[
            bool, typer.Option("--gaps", help="The events that Lambda gave up, also those of inbound messages.")
        ] = False,
        max_units: UnitsOption = MAX_READ_UNITS,
        yes: YesOption = False,
    ) -> None:
        """Publish events again, with the sequence that they had: callers drop those that they know.

        --since and --gaps read the table of messages; the command tells its price. --gaps takes the times of the lost
        events from the queue PublishFailures, and empties it when all are published.
        """
        if sum([ids is not None, since is not None, gaps]) != 1:
            raise InputError("Give one of --ids, --since and --gaps.")
        search = Search(run=run, max_units=max_units)
        if gaps:
            _replay_gaps(search, yes=yes)
            return
        windows = [EVER if since is None else (instant_of(since, now=now()), EVER[1])]
        _publish(search, _events(search, ids, windows), yes=yes)


def _replay_gaps(search: Search, *, yes: bool) -> None:
    run = search.run
    sqs, url = run.client("sqs"), run.stack.resource("PublishFailures")
    with held(sqs, url, limit=MAX_FAILURES) as failures:
        if not failures:
            run.say("No gaps: the queue PublishFailures is empty.")
            return
        windows = [_window(failure.body) for failure in failures]
        events = _events(search, None, windows) + list(_inbound_events(search, windows))
        _publish(search, events, yes=yes)
        for failure in failures:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=failure.handle)


def _window(body: str) -> Window:
    """Return the time of the records that a failure of Lambda names. Raises CliError."""
    try:
        batch = json.loads(body)["DDBStreamBatchInfo"]
        first, last = (from_text(batch[f"approximateArrivalOf{end}Record"]) for end in ("First", "Last"))
    except (ValueError, KeyError, TypeError):
        raise CliError(
            "The queue PublishFailures has an entry without the times of its records. Publish by time: --since."
        ) from None
    return first - MARGIN, last + MARGIN


def _events(search: Search, ids: str | None, windows: Sequence[Window]) -> list[Event]:
    """Return the events in some windows of time, those of one message in order."""
    if ids is not None:
        wanted = [each.strip() for each in ids.split(",") if each.strip()]
        items = read_items(search.run, wanted)
        if missing := set(wanted) - {item["message_id"]["S"] for item in items}:
            raise CliError(f"There is no message {', '.join(sorted(missing))}. Nothing was published.")
    else:
        earliest = to_text(min(first for first, _ in windows))
        items = [item for item in search.scan() if item.get("updated_at", {}).get("S", "") >= earliest]
    return [event for item in items for event in _events_of_item(search.run, item, windows)]


def _events_of_item(run: Run, item: Item, windows: Sequence[Window]) -> Iterator[Event]:
    message = read_item(item, from_item, table="messages", key="message_id", telemetry=Notes(run))
    for at, event in events_of(message) if message is not None else ():
        if _is_within(at, windows):
            yield event


def _inbound_events(search: Search, windows: Sequence[Window]) -> Iterator[Event]:
    for item in search.scan(table=search.run.stack.resource("InboxTable")):
        read = read_item(item, from_inbox_item, table="inbox", key="inbound_key", telemetry=Notes(search.run))
        if read is not None and _is_within(read[1], windows):
            yield message_received(read[0], now=read[1])


def _is_within(instant: datetime, windows: Sequence[Window]) -> bool:
    return any(first <= instant <= last for first, last in windows)


def _publish(search: Search, events: Sequence[Event], *, yes: bool) -> None:
    run = search.run
    if search.items:
        search.tell_price()
    if not search.is_complete:
        raise CliError("Nothing was published: the search reached its limit. Raise --max-units.")
    messages = len({event.detail["message_id"] for event in events if "message_id" in event.detail})
    if not events:
        run.say("No event of that time is stored.")
        return
    bus_name = run.stack.output("EventBusName")
    run.confirm(f"Publish {len(events)} events of {messages} messages on {bus_name} again?", yes=yes)
    events_client = run.client("events")
    bus = EventBridgeBus(events_client, bus_name=bus_name, telemetry=Notes(run), new_pool=ThreadPoolExecutor)
    bus.put(events)
    if run.as_json:
        run.print_json({"events": len(events), "messages": messages})
    else:
        run.say(f"Published {len(events)} events of {messages} messages.")
