"""`sampai report`: messages, outcomes, segments and cost, by provider, category or any other word."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Final

import typer

from sampai.domain.status import Status
from sampai.domain.times import to_text
from sampai_cli.commands.listing import UnitsOption
from sampai_cli.errors import InputError
from sampai_cli.lines import since as instant_of
from sampai_cli.messages import MAX_READ_UNITS, Search, number_of, text_of
from sampai_cli.run import Run, command, now

METADATA: Final = "metadata."
CURRENCY: Final = "currency"
_STORED_KEYS: Final = frozenset({"provider", "category", "channel", "status", "sender", "caller"})
KEYS: Final = _STORED_KEYS | {CURRENCY}
STORED: Final = ("created_at", "segments", "cost", "provider_message_id", "metadata", *sorted(_STORED_KEYS))

NONE: Final = "–"
UNREADABLE: Final = "unreadable"
"""In place of the currency of a cost that is no amount."""

_COST: Final = re.compile(
    r"(?P<before>[^\d\s-]+)?\s*(?P<amount>-?(?:\d{1,3}(?:,\d{2,3})*,\d{3}|\d+)(?:\.\d+)?)\s*(?P<after>[^\d\s-]+)?"
)
"""An amount, with a currency before or after it. A comma is a separator of thousands, or of lakhs: `1,25,000.50`."""

ARRIVED: Final = frozenset({Status.DELIVERED, Status.READ})
COUNTS: Final = ("messages", "accepted", "delivered", "undelivered", "failed", "open")
COLUMNS: Final = (*COUNTS, "delivered % of accepted", "segments", "cost")


@dataclass(slots=True)
class Sums:
    """The sums of one group of messages."""

    statuses: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    segments: int = 0
    costs: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    """By currency, or "" if the vendor names none. Of costs that are no amount, the number."""

    def add(self, item: Mapping[str, Any]) -> None:
        self.statuses[text_of(item, "status") or ""] += 1
        self.accepted += "provider_message_id" in item
        if "provider_message_id" in item:
            self.segments += number_of(item, "segments") or 0
        if cost := text_of(item, "cost"):
            amount, currency = read_cost(cost)
            self.costs[currency] += amount

    def row(self, *, has_currency: bool) -> dict[str, Any]:
        """Return the columns. `has_currency`: the group has one currency, and the cost is the amount alone."""
        delivered = sum(self.statuses[status] for status in ARRIVED)
        is_open = sum(count for status, count in self.statuses.items() if status in _OPEN)
        return {
            "messages": self.statuses.total(),
            "accepted": self.accepted,
            "delivered": delivered,
            "undelivered": self.statuses[Status.UNDELIVERED],
            "failed": self.statuses[Status.FAILED],
            "open": is_open,
            "delivered % of accepted": round(100 * delivered / self.accepted, 1) if self.accepted else None,
            "segments": self.segments,
            "cost": ", ".join(
                f"{amount:f}" if has_currency else f"{amount:f} {currency}".strip()
                for currency, amount in sorted(self.costs.items())
            )
            or None,
        }


_OPEN: Final = frozenset(status for status in Status if not status.is_final)


def read_cost(cost: str) -> tuple[Decimal, str]:
    """Return the amount and the currency in a vendor's words, such as `0.035 USD` or `BDT 1.20`.

    The currency is "" if there is none. A text that can be read in two ways counts as one unreadable cost.
    """
    found = _COST.fullmatch(cost.strip())
    if found is None or (found["before"] and found["after"]):
        return Decimal(1), UNREADABLE
    return Decimal(found["amount"].replace(",", "")), found["before"] or found["after"] or ""


def summarise(items: Iterable[Mapping[str, Any]], keys: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return a row for each combination of values, the largest group first."""
    groups: dict[tuple[str, ...], Sums] = {}
    for item in items:
        groups.setdefault(tuple(_value(item, key) for key in keys), Sums()).add(item)
    rows = [
        dict(zip(keys, values, strict=True)) | sums.row(has_currency=CURRENCY in keys)
        for values, sums in groups.items()
    ]
    return sorted(rows, key=lambda row: (-row["messages"], [row[key] for key in keys]))


def _value(item: Mapping[str, Any], key: str) -> str:
    if key == CURRENCY:
        cost = text_of(item, "cost")
        return NONE if cost is None else read_cost(cost)[1] or NONE
    if key.startswith(METADATA):
        item, key = item.get("metadata", {}).get("M", {}), key.removeprefix(METADATA)
    return text_of(item, key) or NONE


def add_to(app: typer.Typer) -> None:
    @command(app, "dynamodb:Scan on MessagesTable")
    def report(
        run: Run,
        since: Annotated[str, typer.Option(help="Requested since: 30m, 2h, 3d, or an RFC 3339 time.")] = "1d",
        by: Annotated[str, typer.Option(help=f"Groups: {', '.join(sorted(KEYS))}, metadata.KEY.")] = "provider",
        csv: Annotated[bool, typer.Option("--csv", help="Print CSV in place of a table.")] = False,
        max_units: UnitsOption = MAX_READ_UNITS,
    ) -> None:
        """Count messages, outcomes, segments and cost.

        Reads the whole table, whatever the time: a gigabyte costs about 130,000 read units, $0.02. The command stops
        at --max-units, and tells its price. Segments are those of the messages that a vendor accepted. A cost is the
        vendor's own word, where the vendor tells one; --by caller,currency has one currency in each row.
        """
        keys = tuple(key.strip() for key in by.split(","))
        if unknown := [key for key in keys if key not in KEYS and not key.startswith(METADATA)]:
            raise InputError(f"{unknown[0]!r} is no group. Use {', '.join(sorted(KEYS))} or metadata.KEY.")
        after = to_text(instant_of(since, now=now()))
        search = Search(run=run, max_units=max_units)
        items = (item for item in search.scan(STORED) if item.get("created_at", {}).get("S", "") >= after)
        rows = summarise(items, keys)
        if csv:
            run.print_csv(rows, *keys, *COLUMNS)
        else:
            run.show(rows, *keys, *COLUMNS)
        search.tell_price()
