"""`sampai list`: messages by status, provider and time."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from sampai_cli.messages import (
    LISTED,
    MAX_READ_UNITS,
    STORED,
    Search,
    is_final,
    new_filter,
    open_ids,
    read_items,
    row_of,
)
from sampai_cli.run import Run, command, now

UnitsOption = Annotated[
    int, typer.Option(min=1, help="Stop after this many read units of DynamoDB: 50,000 cost about $0.01.")
]
SinceOption = Annotated[str | None, typer.Option(help="Changed since: 30m, 2h, 3d, or an RFC 3339 time.")]


def add_to(app: typer.Typer) -> None:
    @command(
        app,
        "dynamodb:Scan on MessagesTable and its index due",
        "dynamodb:BatchGetItem on MessagesTable",
        name="list",
    )
    def list_messages(
        run: Run,
        status: Annotated[
            str | None,
            typer.Option(help="A status, or `open`: all that are not final."),
        ] = None,
        provider: Annotated[str | None, typer.Option(help="Name of a provider.")] = None,
        since: SinceOption = None,
        limit: Annotated[int, typer.Option(min=1, max=10_000, help="The most rows.")] = 50,
        max_units: UnitsOption = MAX_READ_UNITS,
    ) -> None:
        """List messages, the latest change first.

        Messages that are not final are found by the index, for next to nothing. Any other list reads the table: a
        gigabyte costs about 130,000 read units, $0.02. The command stops at --max-units, and tells its price.
        """
        wanted = new_filter(status=status, provider=provider, since=since, now=now())
        search = Search(run=run, max_units=max_units)
        rows = [row for row in _rows(search, status) if wanted.accepts(row)]
        rows.sort(key=lambda row: row["updated_at"] or "", reverse=True)
        run.show(rows[:limit], *LISTED)
        if len(rows) > limit:
            run.note(f"{len(rows) - limit} more messages: raise --limit.")
        search.tell_price()


def _rows(search: Search, status: str | None) -> Iterator[Mapping[str, Any]]:
    if status is None or is_final(status):
        yield from map(row_of, search.scan(STORED))
        return
    found = (row_of(item) for item in read_items(search.run, open_ids(search)))
    # The index may lag behind the table.
    yield from (row for row in found if not is_final(row["status"]))
