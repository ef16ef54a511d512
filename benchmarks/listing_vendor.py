"""Vendors with message lists of any length, in pages, newest first. The real vendors' lists look the same.

`ListingVendors` is a transport for the services; `benchmarks.vendor` serves it over HTTP.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from heapq import merge
from itertools import islice
from math import ceil, floor
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.times import from_text, to_text
from tests.harness.vendors import json_response, nomsa_row, smspoh_row

DHAKA: Final = timezone(timedelta(hours=6))
YANGON: Final = timezone(timedelta(hours=6, minutes=30))

SMSNOC_PAGE: Final = 25
"""Rows per page. SMS NOC documents no number: this is a guess, the default of many Laravel applications."""

_TEXT: Final = "Your code is 1234. Do not tell it to anybody."
_LATER: Final = datetime(9000, 1, 1, tzinfo=UTC)

Entry = tuple[datetime, str]
"""The time at which a vendor accepted a message, and its id there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """Messages that a vendor accepted at even intervals, and that are not due."""

    name: str
    count: int
    since: datetime
    until: datetime

    def between(self, since: datetime, until: datetime) -> tuple[int, Iterator[Entry]]:
        """Return the number of messages between two times, and the messages, newest first."""
        if not self.count:
            return 0, iter(())
        step = (self.until - self.since) / self.count
        first = max(0, ceil((since - self.since) / step))
        last = min(self.count - 1, floor((until - self.since) / step))
        numbers = range(last, first - 1, -1)
        return len(numbers), ((self.since + number * step, f"{self.name}-{number}") for number in numbers)


@dataclass(kw_only=True)
class ListingVendors:
    """The accepted messages of each vendor: some by name, and a crowd. Every second one is delivered."""

    messages: dict[str, list[Entry]] = field(default_factory=dict)
    crowds: dict[str, Crowd] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    """By vendor and kind: `nomsa list`, `nomsa look-up`."""

    def add(self, vendor: str, entry: Entry) -> None:
        self.messages[vendor] = sorted([*self.messages.get(vendor, ()), entry])

    def call(self, request: HttpRequest, *, deadline_seconds: float) -> HttpResponse:
        """Respond as a transport."""
        return json_response(200, self.respond(request.url))

    def respond(self, url: str) -> Any:
        """Return the document for a URL that contains the vendor's name in its host or path."""
        address = urlsplit(url)
        place, query = address.netloc + address.path, {n: values[0] for n, values in parse_qs(address.query).items()}
        vendor = next(name for name in ("nomsa", "smsnoc", "smspoh", "nusasms") if name in place)
        last = place.rstrip("/").rpartition("/")[2]
        is_list = last in ("sms", "messages")
        self.calls[f"{vendor} {'list' if is_list else 'look-up'}"] += 1
        match vendor:
            case "nomsa":
                return self._nomsa_list(query) if is_list else _nomsa_row(last, _LATER)
            case "smsnoc":
                return {"status": "success", "data": self._smsnoc_list(query) if is_list else _smsnoc_row(last)}
            case "smspoh":
                return self._smspoh_list(query)
        return {"error": False, "message": "Data message", "data": _nusasms_row(last)}

    def _page(
        self, vendor: str, since: datetime, until: datetime, offset: int, limit: int, *, has_crowd: bool = True
    ) -> tuple[int, list[Entry]]:
        """Return the number of messages that a vendor accepted between two times, and a page of them."""
        messages = [entry for entry in self.messages.get(vendor, ()) if since <= entry[0] <= until]
        nobody = Crowd(name="", count=0, since=since, until=until)
        crowd = self.crowds.get(vendor, nobody) if has_crowd else nobody
        count, others = crowd.between(since, until)
        newest_first = merge(reversed(messages), others, reverse=True)
        return len(messages) + count, list(islice(newest_first, offset, offset + limit))

    def _nomsa_list(self, query: Mapping[str, str]) -> Any:
        since, until = (from_text(query[f"created_at[{bound}]"]) for bound in ("gte", "lte"))
        offset, limit = int(query["offset"]), int(query["limit"])
        count, page = self._page("nomsa", since, until, offset, limit)
        return {"has_more": count > offset + limit, "data": [_nomsa_row(name, at) for at, name in page]}

    def _smsnoc_list(self, query: Mapping[str, str]) -> Any:
        since, until = (_local(query[bound], DHAKA) for bound in ("start_date", "end_date"))
        number = int(query["page"])
        count, page = self._page("smsnoc", since, until, (number - 1) * SMSNOC_PAGE, SMSNOC_PAGE)
        rows = [_smsnoc_row(name) for _, name in page]
        return {"current_page": number, "data": rows, "last_page": ceil(count / SMSNOC_PAGE), "next_page_url": ""}

    def _smspoh_list(self, query: Mapping[str, str]) -> Any:
        since, until = (_local(f"{query[f'filterByCreatedDate{end}']} 00:00:00", YANGON) for end in ("From", "To"))
        limit, number = int(query["limit"]), int(query["page"])
        # The messages by name are to one number, and those of the crowd to others.
        until, has_crowd = until + timedelta(days=1), "to" not in query
        count, page = self._page("smspoh", since, until, (number - 1) * limit, limit, has_crowd=has_crowd)
        rows = [_smspoh_row(name) for _, name in page]
        return {"messages": rows, "links": {}, "limit": limit, "records": count, "start": (number - 1) * limit}


def _is_delivered(name: str) -> bool:
    return int(name[-1]) % 2 == 0


def _nomsa_row(name: str, created_at: datetime) -> dict[str, Any]:
    at = to_text(created_at)
    delivery = {"status": "DELIVERED", "delivered_at": at} if _is_delivered(name) else {}
    return nomsa_row(name, body=_TEXT, created_at=at, accepted_at=at, **delivery)


def _smsnoc_row(name: str) -> dict[str, Any]:
    status = "Delivered" if _is_delivered(name) else "Enroute"
    return {"uid": name, "to": "8801744977910", "from": "Sampai", "message": _TEXT, "status": status, "cost": "1"}


def _smspoh_row(name: str) -> dict[str, Any]:
    return smspoh_row(name, f"m-{name}", "Success" if _is_delivered(name) else "Accepted") | {"message": _TEXT}


def _nusasms_row(name: str) -> dict[str, Any]:
    return {
        "ref_no": name,
        "status": "D" if _is_delivered(name) else "Q",
        "delivered_date": "2026-11-21T17:00:03",
    }


def _local(text: str, zone: timezone) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=zone)
