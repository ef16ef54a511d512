"""Vendors with lists of any length, which show pages, newest first, as the real ones do.

`ListingVendors` is a transport; `python -m benchmarks.listing_vendor` serves it over HTTP: it prints its address,
`PUT /_known` with `{"vendor": [first, count, "2026-…"]}` tells it what it has taken.
"""

import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from heapq import merge
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from math import ceil, floor
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, urlsplit

from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.times import from_text, to_text
from sampai.services.ports.transport import NoResponse

ALWAYS: Final = datetime(9000, 1, 1, tzinfo=UTC)
DHAKA: Final = timezone(timedelta(hours=6))
YANGON: Final = timezone(timedelta(hours=6, minutes=30))

SMSNOC_PAGE: Final = 25
"""Rows of a page; what Laravel shows if nobody says otherwise is a guess."""

Entry = tuple[datetime, str]
"""When a vendor took a message, and its id there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """Messages that a vendor took at even intervals, and that nobody asks about."""

    name: str
    count: int
    since: datetime
    until: datetime

    def between(self, since: datetime, until: datetime) -> tuple[int, Iterator[Entry]]:
        """Return how many were taken between two instants, and which, the newest first."""
        if not self.count:
            return 0, iter(())
        step = (self.until - self.since) / self.count
        first = max(0, ceil((since - self.since) / step))
        last = min(self.count - 1, floor((until - self.since) / step))
        numbers = range(last, first - 1, -1)
        return len(numbers), ((self.since + number * step, f"{self.name}-{number}") for number in numbers)


@dataclass(kw_only=True)
class ListingVendors:
    """What each vendor has taken: `known` one by one, and a crowd. Every second one has arrived by now."""

    known: dict[str, list[Entry]] = field(default_factory=dict)
    crowds: dict[str, Crowd] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    """`list` and `look-up` of each vendor, such as `nomsa list`."""

    def take(self, vendor: str, *entries: Entry) -> None:
        self.known[vendor] = sorted([*self.known.get(vendor, ()), *entries])

    def call(self, request: HttpRequest, *, deadline_seconds: float) -> HttpResponse | NoResponse:
        """Answer as a transport."""
        status, document = self.answer(request.url)
        return HttpResponse(status=status, body=json.dumps(document).encode())

    def answer(self, url: str) -> tuple[int, Any]:
        """Return HTTP status and document for a URL of which the host or the path names the vendor."""
        address = urlsplit(url)
        place, query = address.netloc + address.path, {n: values[0] for n, values in parse_qs(address.query).items()}
        vendor = next(name for name in ("nomsa", "smsnoc", "smspoh", "nusasms") if name in place)
        is_list = place.rstrip("/").rpartition("/")[2] in ("sms", "messages")
        self.calls[f"{vendor} {'list' if is_list else 'look-up'}"] += 1
        name = f"_{vendor}_list" if is_list else f"_{vendor}"
        document: Any = getattr(self, name)(query if is_list else place.rpartition("/")[2])
        return 200, document

    def _page(self, vendor: str, since: datetime, until: datetime, offset: int, limit: int) -> tuple[int, list[Entry]]:
        """Return how many messages a vendor took between two instants, and a page of them."""
        known = [entry for entry in self.known.get(vendor, ()) if since <= entry[0] <= until]
        crowd = self.crowds.get(vendor, Crowd(name="", count=0, since=since, until=until))
        count, others = crowd.between(since, until)
        newest_first = merge(reversed(known), others, reverse=True)
        return len(known) + count, list(islice(newest_first, offset, offset + limit))

    # --- Nomsa ------------------------------------------------------------------------------------------------------

    def _nomsa_list(self, query: Mapping[str, str]) -> Any:
        since, until = (from_text(query[f"created_at[{bound}]"]) for bound in ("gte", "lte"))
        offset, limit = int(query["offset"]), int(query["limit"])
        count, page = self._page("nomsa", since, until, offset, limit)
        return {"has_more": count > offset + limit, "data": [_nomsa_row(name, at) for at, name in page]}

    def _nomsa(self, name: str) -> Any:
        return _nomsa_row(name, ALWAYS)

    # --- SMS NOC ----------------------------------------------------------------------------------------------------

    def _smsnoc_list(self, query: Mapping[str, str]) -> Any:
        since, until = (_local(query[bound], DHAKA) for bound in ("start_date", "end_date"))
        number = int(query["page"])
        count, page = self._page("smsnoc", since, until, (number - 1) * SMSNOC_PAGE, SMSNOC_PAGE)
        rows = [_smsnoc_row(name) for _, name in page]
        data = {"current_page": number, "data": rows, "last_page": ceil(count / SMSNOC_PAGE), "next_page_url": ""}
        return {"status": "success", "data": data}

    def _smsnoc(self, name: str) -> Any:
        return {"status": "success", "data": _smsnoc_row(name)}

    # --- SMSPoh -----------------------------------------------------------------------------------------------------

    def _smspoh_list(self, query: Mapping[str, str]) -> Any:
        since, until = (_local(f"{query[f'filterByCreatedDate{end}']} 00:00:00", YANGON) for end in ("From", "To"))
        limit, number = int(query["limit"]), int(query["page"])
        count, page = self._page("smspoh", since, until + timedelta(days=1), (number - 1) * limit, limit)
        rows = [_smspoh_row(name) for _, name in page]
        return {"messages": rows, "links": {}, "limit": limit, "records": count, "start": (number - 1) * limit}

    # --- NusaSMS, WhatsApp ------------------------------------------------------------------------------------------

    def _nusasms(self, name: str) -> Any:
        data = {"ref_no": name, "status": "D" if _has_arrived(name) else "Q", "delivered_date": "2026-11-21T17:00:03"}
        return {"error": False, "message": "Data message", "data": data}


def _has_arrived(name: str) -> bool:
    return int(name[-1]) % 2 == 0


def _nomsa_row(name: str, created_at: datetime) -> dict[str, Any]:
    at = to_text(created_at)
    arrived = at if _has_arrived(name) else None
    return {
        "id": name,
        "credentialsLabel": "bench",
        "recipient": "+85591234510",
        "body": "Your code is 1234. Do not tell it to anybody.",
        "message_id": "MTPC0123456789abcdef0123456789abcd",
        "created_at": at,
        "updated_at": at,
        "status": "DELIVERED" if arrived else "UNSENT",
        "error_code": None,
        "accepted_at": at,
        "sent_at": None,
        "delivered_at": arrived,
        "errored_at": None,
    }


def _smsnoc_row(name: str) -> dict[str, Any]:
    status = "Delivered" if _has_arrived(name) else "Enroute"
    text = "Your code is 1234. Do not tell it to anybody."
    return {"uid": name, "to": "8801744977910", "from": "Sampai", "message": text, "status": status, "cost": "1"}


def _smspoh_row(name: str) -> dict[str, Any]:
    return {
        "messageId": name,
        "message": "Your code is 1234. Do not tell it to anybody.",
        "to": "959777777710",
        # As it is sent: the message's own id.
        "clientReference": f"m-{name}",
        "createdAt": "2026-11-21 16:30:00",
        "status": "Success" if _has_arrived(name) else "Accepted",
        "finishedAt": None,
    }


def _local(text: str, zone: timezone) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=zone)


# --- over HTTP --------------------------------------------------------------------------------------------------------


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    vendors: ClassVar[ListingVendors] = ListingVendors()
    lock: ClassVar[threading.Lock] = threading.Lock()

    def do_GET(self) -> None:
        with self.lock:
            status, document = self.vendors.answer(self.path)
        self._say(status, document)

    def do_PUT(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.lock:
            calls = dict(self.vendors.calls)
            self.vendors.calls.clear()
            for vendor, (first, count, at) in told.items():
                self.vendors.known[vendor] = [(from_text(at), f"{vendor}-{n}") for n in range(first, first + count)]
        self._say(200, calls)

    def _say(self, status: int, document: Any) -> None:
        said = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


if __name__ == "__main__":
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server, suppress(KeyboardInterrupt):
        server.daemon_threads = True
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()
