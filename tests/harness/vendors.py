"""The vendors in this process. They take messages, keep a ledger and answer in the format of each vendor.

`FakeVendors` stands behind the transport port; `serving` puts it on a port of 127.0.0.1. A `Vendor` reads a request and
builds an answer and decides nothing: `FakeVendors` decides by its moods, and the simulation by its schedule.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import ceil
from typing import Any, ClassVar, Final, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit
from zoneinfo import ZoneInfo

from werkzeug.formparser import parse_form_data
from werkzeug.test import EnvironBuilder

from sampai.domain.http import HttpRequest, HttpResponse, WebhookRequest
from sampai.domain.message import Channel
from sampai.domain.status import Status
from sampai.domain.times import from_text, to_text
from sampai.providers.registry import PROVIDERS
from sampai.services.ports.runtime import Clock
from sampai.services.ports.transport import NoResponse

ROOTS: Final = {
    "nomsa": "nomsa/v1",
    "smsnoc": "smsnoc/api/v3",
    "smspoh": "smspoh/api/rest",
    "nusasms": "nusasms",
}
"""The path of each vendor below an address that all vendors share."""

CREDENTIALS: Final = {
    "nomsa": {"api_key": "functional_v1_nomsa"},
    "smsnoc": {"api_token": "1|functional-token"},
    "smspoh": {"api_key": "functional-key", "api_secret": "functional-secret"},
    "nusasms": {"user": "functional-user", "password": "functional-password", "api_key": "functional-api-key"},
}

APPROVED: Final = "7e000000-0000-4000-8000-000000000001"
DOCUMENT: Final = "7e000000-0000-4000-8000-000000000002"
PENDING: Final = "7e000000-0000-4000-8000-000000000003"
TEMPLATES: Final = (
    {"id": APPROVED, "name": "otp_code", "header": None, "body": "Your OTP code is {{1}}", "status": "APPROVED"},
    {"id": DOCUMENT, "name": "bill", "header": {"format": "DOCUMENT"}, "body": "{{1}}: {{2}}", "status": "APPROVED"},
    {"id": PENDING, "name": "holiday", "header": None, "body": "Happy holidays, {{1}}", "status": "PENDING"},
)
CHANNEL: Final = "c0000000-0000-4000-8000-000000000001"

SMSNOC_PAGE: Final = 25

DHAKA, YANGON = timedelta(hours=6), timedelta(hours=6, minutes=30)


# --- requests and rows ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sent:
    """A message in a request to a vendor. `number` has digits only, or is the name of a list or conversation."""

    number: str
    text: str
    reference: str | None = None
    encryption_key: str | None = None
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """The meaning of a request: to send, to look a message up, to ask about the account, or else to list."""

    sent: tuple[Sent, ...] = ()
    looked_up: str | None = None
    question: str | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    """The filter and the page of a list."""


@dataclass(slots=True, kw_only=True)
class Row:
    """A message in a vendor's ledger. `taken_at` is None for a message that the vendor lists and never took."""

    vendor: "Vendor"
    provider_message_id: str
    sent: Sent
    created_at: datetime
    taken_at: datetime | None
    status: Status = Status.ACCEPTED
    word: str | None = None
    """The word that SMS NOC shows instead of its word for the status."""


class ListedRow(NamedTuple):
    """A row of a list, with the status that the vendor shows."""

    row: Row
    status: Status


# --- answers ----------------------------------------------------------------------------------------------------------


def json_response(status: int, document: Any, **headers: str) -> HttpResponse:
    return HttpResponse(
        status=status, headers={"content-type": "application/json", **headers}, body=json.dumps(document).encode()
    )


def nomsa_taken(provider_message_id: str = "145", **changes: Any) -> HttpResponse:
    return json_response(201, nomsa_row(provider_message_id, **changes))


def nomsa_row(provider_message_id: str = "145", **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": provider_message_id,
        "recipient": "+85591234510",
        "body": "Your code is 1234",
        "message_id": "MTPC-house",
        "created_at": "2026-11-21T10:00:00.100Z",
        "status": "UNSENT",
        "error_code": None,
        "accepted_at": "2026-11-21T10:00:00.200Z",
        "sent_at": None,
        "delivered_at": None,
        "errored_at": None,
    }
    return row | changes


def nomsa_email_row(provider_message_id: str = "14", **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": provider_message_id,
        "from": "Nomsa <donotreply@mail.nomsa.gov.kh>",
        "recipient": "sok@example.com",
        "params": {"subject": "Your bill", "body": "<p>1234</p>"},
        "status": "ACCEPTED",
        "error_code": None,
        "error_sub_type": None,
        "accepted_at": "2026-11-21T10:00:00.200Z",
        "sent_at": None,
        "delivered_at": None,
        "opened_at": None,
        "created_at": "2026-11-21T10:00:00.100Z",
        "tag": None,
    }
    return row | changes


def nomsa_list(*rows: dict[str, Any]) -> HttpResponse:
    return json_response(200, {"has_more": False, "data": list(rows)})


def smspoh_taken(provider_message_id: str = "AA-1", reference: str = "m-1") -> HttpResponse:
    return json_response(201, {"messages": [smspoh_row(provider_message_id, reference)]})


def smspoh_row(provider_message_id: str, reference: str, status: str = "Accepted") -> dict[str, Any]:
    return {
        "messageId": provider_message_id,
        "message": "Your code is 1234",
        "to": "959777777710",
        "clientReference": reference,
        "createdAt": "2026-11-21 16:30:00",
        "status": status,
        "finishedAt": None,
    }


def smspoh_history(*rows: dict[str, Any]) -> HttpResponse:
    return json_response(200, {"messages": list(rows), "limit": 100, "records": len(rows), "start": 0})


def nusasms_taken(provider_message_id: str = "0017") -> HttpResponse:
    return json_response(200, {"results": [{"status": "0", "messageid": provider_message_id, "destination": "62"}]})


def unauthorized() -> HttpResponse:
    return json_response(401, {"code": "unauthenticated", "message": "…"})


def lost() -> NoResponse:
    return NoResponse(may_have_been_sent=True, why="timed out")


def unreached() -> NoResponse:
    return NoResponse(may_have_been_sent=False, why="refused")


GARBAGE: Final = HttpResponse(status=200, headers={"content-type": "text/html"}, body=b"<html>Welcome</html>")
BROKEN: Final = HttpResponse(status=503, body=b"upstream")


# --- the vendors ------------------------------------------------------------------------------------------------------


class Vendor:
    """One API of a vendor: its requests, and its words for the answers."""

    name: ClassVar[str]
    words: ClassVar[Mapping[Status, str]]
    refusal: ClassVar[HttpResponse]
    """Refuses a message for good."""
    late_refusal: ClassVar[HttpResponse] = BROKEN
    """Looks like a refusal or an error, and comes after the message was handed over."""
    webhook: ClassVar[str | None] = None
    """The kind of its receipts."""
    channel: ClassVar[Channel] = Channel.SMS
    keeps_bare_rows: ClassVar[bool] = False
    """Whether it lists a message that it did not take in the end."""

    def read(self, request: HttpRequest) -> Call:
        raise NotImplementedError

    def taken(self, rows: Sequence[Row], *, is_bulk: bool) -> HttpResponse:
        """Answer a send: all rows are accepted."""
        raise NotImplementedError

    def listed(self, query: Mapping[str, str], rows: Sequence[ListedRow]) -> HttpResponse:
        """Answer with one page of the rows that pass the filter. The rows come newest first."""
        raise NotImplementedError

    def found(self, row: Row | None, status: Status) -> HttpResponse:
        """Answer a look-up; None is a message that the vendor does not know."""
        raise NotImplementedError

    def told(self, question: str) -> HttpResponse:
        """Answer a question about the account."""
        raise NotImplementedError

    def throttled(self, number: str) -> HttpResponse:
        document = {"code": "rate_limit", "message": f"too many for {number}"}
        return json_response(429, document, **{"retry-after": "7"})

    def receipt(self, row: Row, word: str) -> WebhookRequest:
        """Build a receipt that reports a status by the vendor's word."""
        raise NotImplementedError


class Nomsa(Vendor):
    name = "nomsa"
    words: ClassVar = {
        Status.ACCEPTED: "UNSENT",
        Status.SENT: "SENT",
        Status.DELIVERED: "DELIVERED",
        Status.UNDELIVERED: "ERROR",
    }
    refusal = json_response(400, {"code": "invalid_recipient", "message": "…"})
    keeps_bare_rows = True

    def read(self, request: HttpRequest) -> Call:
        if request.method == "POST":
            document = json.loads(request.body)
            return Call(sent=(Sent(document["recipient"].removeprefix("+"), document["body"]),))
        return Call(looked_up=_last_part(request, unless="sms"), query=_query_of(request))

    def taken(self, rows: Sequence[Row], *, is_bulk: bool) -> HttpResponse:
        return json_response(201, self._row(rows[0], Status.ACCEPTED))

    def listed(self, query: Mapping[str, str], rows: Sequence[ListedRow]) -> HttpResponse:
        since, until = from_text(query["created_at[gte]"]), from_text(query["created_at[lte]"])
        found = [each for each in rows if since <= each.row.created_at <= until]
        offset, limit = int(query["offset"]), int(query["limit"])
        if not 1 <= limit <= 100:
            return json_response(400, {"code": "api_validation", "message": '"limit" is out of range'})
        page = [self._row(each.row, each.status) for each in found[offset : offset + limit]]
        return json_response(200, {"has_more": len(found) > offset + limit, "data": page})

    def found(self, row: Row | None, status: Status) -> HttpResponse:
        return json_response(404, {"code": "not_found"}) if row is None else json_response(200, self._row(row, status))

    def _row(self, row: Row, status: Status) -> dict[str, Any]:
        return nomsa_row(
            row.provider_message_id,
            recipient=f"+{row.sent.number}",
            body=row.sent.text,
            created_at=to_text(row.created_at),
            accepted_at=to_text(row.taken_at) if row.taken_at else None,
            status=self.words[status],
        )


class NomsaEmail(Nomsa):
    """The address of an e-mail is the number of its call, and its subject and body are the text."""

    channel = Channel.EMAIL
    words: ClassVar = {
        Status.ACCEPTED: "ACCEPTED",
        Status.SENT: "SENT",
        Status.DELIVERED: "DELIVERED",
        Status.READ: "OPENED",
        Status.UNDELIVERED: "BOUNCED",
    }

    def read(self, request: HttpRequest) -> Call:
        if request.method == "GET":
            return Call(looked_up=_last_part(request, unless="email"), query=_query_of(request))
        document = self._fields(request)
        return Call(sent=(Sent(document["recipient"], f"{document['subject']}\n{document['body']}"),))

    @staticmethod
    def _fields(request: HttpRequest) -> Mapping[str, str]:
        headers = {name.lower(): text for name, text in request.headers.items()}
        if not headers["content-type"].startswith("multipart/"):
            fields: Mapping[str, str] = json.loads(request.body)
            return fields
        builder = EnvironBuilder(method="POST", data=request.body, content_type=headers["content-type"])
        _, form, files = parse_form_data(builder.get_environ(), silent=False)
        for file in files.values():
            file.close()
        return form

    def _row(self, row: Row, status: Status) -> dict[str, Any]:
        subject, _, body = row.sent.text.partition("\n")
        return nomsa_email_row(
            row.provider_message_id,
            recipient=row.sent.number,
            params={"subject": subject, "body": body},
            created_at=to_text(row.created_at),
            accepted_at=to_text(row.taken_at) if row.taken_at else None,
            status=self.words[status],
        )


class SmsNoc(Vendor):
    name = "smsnoc"
    words: ClassVar = {
        Status.ACCEPTED: "Queued",
        Status.SENT: "Enroute",
        Status.DELIVERED: "Delivered",
        Status.UNDELIVERED: "Undelivered",
    }
    refusal = json_response(200, {"status": "error", "message": "Number contains in the blacklist"})
    late_refusal = json_response(403, {"status": "error", "message": "Failed"})

    def read(self, request: HttpRequest) -> Call:
        if request.method == "POST":
            document = json.loads(request.body)
            if "contact_list_id" in document:
                return Call(sent=(Sent(document["contact_list_id"], document["message"], is_list=True),))
            return Call(sent=tuple(Sent(number, document["message"]) for number in document["recipient"].split(",")))
        last = _last_part(request, unless="sms")
        return Call(question=last) if last == "balance" else Call(looked_up=last, query=_query_of(request))

    def taken(self, rows: Sequence[Row], *, is_bulk: bool) -> HttpResponse:
        if rows[0].sent.is_list:
            campaign = {"uid": rows[0].provider_message_id, "campaign_name": "API_1795255200", "status": "queued"}
            return _success(campaign)
        data = [self._row(row, Status.ACCEPTED) for row in rows]
        return _success(data if is_bulk else data[0])

    def listed(self, query: Mapping[str, str], rows: Sequence[ListedRow]) -> HttpResponse:
        """Answer in pages of 25 rows. The times of the filter are in the zone that it names, and have no fractions."""
        zone = ZoneInfo(query["timezone"])
        since, until = (
            datetime.fromisoformat(query[bound]).replace(tzinfo=zone).astimezone(UTC)
            for bound in ("start_date", "end_date")
        )
        found = [each for each in rows if since <= each.row.created_at < until + timedelta(seconds=1)]
        number, last = int(query["page"]), max(1, ceil(len(found) / SMSNOC_PAGE))
        page = found[(number - 1) * SMSNOC_PAGE : number * SMSNOC_PAGE]
        return _success(
            {
                "current_page": number,
                "data": [self._row(each.row, each.status) for each in page],
                "last_page": last,
                "next_page_url": f"https://app.smsnoc.com/api/v3/sms?page={number + 1}" if number < last else None,
                "per_page": SMSNOC_PAGE,
                "total": len(found),
            }
        )

    def found(self, row: Row | None, status: Status) -> HttpResponse:
        if row is None:
            return json_response(200, {"status": "error", "message": "SMS info not found"})
        return _success(self._row(row, status))

    def told(self, question: str) -> HttpResponse:
        return _success({"remaining_balance": "৳1,092", "expired_on": "8th Sep 99, 4:44 PM"})

    def _row(self, row: Row, status: Status) -> dict[str, Any]:
        return {
            "uid": row.provider_message_id,
            "to": row.sent.number,
            "message": row.sent.text,
            "status": row.word or self.words[status],
            "created_at": _local(row.created_at, DHAKA),
        }


class SmsPoh(Vendor):
    name = "smspoh"
    words: ClassVar = {
        Status.ACCEPTED: "Accepted",
        Status.SENT: "Sent",
        Status.DELIVERED: "Success",
        Status.UNDELIVERED: "Expired",
    }
    refusal = json_response(201, {"messages": [{"status": False, "message": "Invalid Sender ID"}]})
    webhook = "receipt"

    def read(self, request: HttpRequest) -> Call:
        if request.method == "POST":
            document = json.loads(request.body)
            return Call(sent=tuple(self._sent(entry) for entry in document.get("messages", [document])))
        return Call(question=_last_part(request, unless="messages"), query=_query_of(request))

    def taken(self, rows: Sequence[Row], *, is_bulk: bool) -> HttpResponse:
        return json_response(201, {"messages": [self._row(row, Status.ACCEPTED) for row in rows]})

    def listed(self, query: Mapping[str, str], rows: Sequence[ListedRow]) -> HttpResponse:
        """Answer with whole days. For a page after the last one, the vendor's software returns the last one."""
        since, until, number = (query.get(n, "") for n in ("filterByCreatedDateFrom", "filterByCreatedDateTo", "to"))
        if query["limit"] not in ("20", "50", "100", "500", "1000"):
            return json_response(400, {"name": "Bad Request", "message": "limit", "code": 0, "status": 400})
        found = [
            each
            for each in rows
            if since <= _local(each.row.created_at, YANGON)[:10] <= until and number in ("", each.row.sent.number)
        ]
        limit = int(query["limit"])
        page = min(int(query["page"]), max(1, ceil(len(found) / limit)))
        shown = [self._row(each.row, each.status) for each in found[(page - 1) * limit : page * limit]]
        document = {"messages": shown, "limit": limit, "records": len(found), "start": (page - 1) * limit}
        return json_response(200, document)

    def told(self, question: str) -> HttpResponse:
        return json_response(200, {"balance": 1227748, "currency": "MMK"})

    def receipt(self, row: Row, word: str) -> WebhookRequest:
        fields = {"messageId": row.provider_message_id, "clientReference": row.sent.reference or "", "status": word}
        return WebhookRequest(method="GET", query=urlencode(fields))

    @staticmethod
    def _sent(entry: Mapping[str, Any]) -> Sent:
        number = entry["to"].removeprefix("+")
        return Sent(number, entry["message"], entry["clientReference"], entry.get("encryptKey"))

    def _row(self, row: Row, status: Status) -> dict[str, Any]:
        shown = smspoh_row(row.provider_message_id, row.sent.reference or "", self.words[status])
        shown |= {"to": row.sent.number, "message": row.sent.text, "createdAt": _local(row.created_at, YANGON)}
        if row.sent.encryption_key is not None:
            key = row.sent.encryption_key
            shown |= {"message": "SIVvhQHJ/E1nmcDCaVmM3g==", "encryptMessage": True, "encryptKey": key}
        return shown


class NusaSms(Vendor):
    """SMS, and the questions about the account."""

    name = "nusasms"
    words: ClassVar = {Status.ACCEPTED: "Q", Status.SENT: "S", Status.DELIVERED: "D", Status.UNDELIVERED: "F"}
    refusal = json_response(200, {"results": [{"status": "-13"}]})
    webhook = "sms-receipt"

    def read(self, request: HttpRequest) -> Call:
        if request.method == "GET":
            return Call(question=_last_part(request))
        fields = dict(parse_qsl(request.body.decode()))
        number = fields.get("GSM") or fields["group"]
        return Call(sent=(Sent(number, fields["SMSText"], is_list="GSM" not in fields),))

    def taken(self, rows: Sequence[Row], *, is_bulk: bool) -> HttpResponse:
        (row,) = rows
        if row.sent.is_list:
            campaign = f"Group-Api-Campaign-{row.provider_message_id}"
            return json_response(
                200, {"results": [{"status": "0", "campaign_name": campaign, "group": row.sent.number}]}
            )
        return nusasms_taken(row.provider_message_id)

    def told(self, question: str) -> HttpResponse:
        dates = {"sms_expired_date": "2099-12-31", "wa_expired_date": "2099-12-31"}
        data: Mapping[str, Any] = {
            "api_key": {"userid": "functional", "idPerson": 1, "idClient": 1},
            "balance": {"idClient": 1, "sms_balance": 4711, "wa_balance": 512.5, **dates},
            "templates": TEMPLATES,
            "channels": [{"id": CHANNEL, "webhook": None, "settings": None}],
        }
        return json_response(200, {"error": False, "message": "Data message", "data": data[question]})

    def receipt(self, row: Row, word: str) -> WebhookRequest:
        fields = {"ref_no": row.provider_message_id, "status": word, "err_code": "0"}
        return WebhookRequest(method="GET", query=urlencode(fields))


class NusaSmsWhatsApp(NusaSms):
    refusal = json_response(422, {"detail": [{"loc": ["body", "destination"], "msg": "…"}]})
    webhook = "whatsapp-receipt"
    channel = Channel.WHATSAPP

    def read(self, request: HttpRequest) -> Call:
        if request.method == "GET":
            return Call(looked_up=_last_part(request))
        document = json.loads(request.body)
        return Call(sent=(Sent(document["destination"], document.get("message") or document.get("caption", "")),))

    def taken(self, rows: Sequence[Row], *, is_bulk: bool) -> HttpResponse:
        data = {"ref_no": rows[0].provider_message_id}
        return json_response(201, {"error": False, "message": "Data message", "data": data})

    def found(self, row: Row | None, status: Status) -> HttpResponse:
        if row is None:
            return json_response(404, {"error": True, "message": "not found"})
        data = {"ref_no": row.provider_message_id, "status": self.words[status]}
        return json_response(200, {"error": False, "message": "Data message", "data": data})


class NusaSmsWhatsAppOfficial(NusaSmsWhatsApp):
    """The text of a message is the whole body: templates have no other."""

    webhook = "whatsapp-official-receipt"

    def read(self, request: HttpRequest) -> Call:
        if request.method == "GET":
            return Call(question=_last_part(request))
        body = request.body.decode("utf-8", "replace")
        is_reply = _last_part(request) == "reply"
        return Call(sent=(Sent("(a conversation)" if is_reply else json.loads(body)["destination"], body),))


_APIS: Final[Mapping[str, Vendor]] = {
    "nomsa": Nomsa(),
    "smsnoc": SmsNoc(),
    "smspoh": SmsPoh(),
    "nusasms": NusaSms(),
}
_WHATSAPP, _OFFICIAL, _EMAIL = NusaSmsWhatsApp(), NusaSmsWhatsAppOfficial(), NomsaEmail()

WORDS: Final = {name: vendor.words for name, vendor in _APIS.items()}
"""The word of each vendor for each status."""


def vendor_of(request: HttpRequest) -> Vendor:
    """Return the API that a request is for, by its host or by the first part of its path."""
    path = urlsplit(request.url).path
    if "/whatsapp/" in path:
        return _WHATSAPP
    if "/wa_official/" in path:
        return _OFFICIAL
    if "/transactional/email" in path:
        return _EMAIL
    return _APIS[next(name for name in PROVIDERS if name in request.host or path.startswith(f"/{name}/"))]


def _query_of(request: HttpRequest) -> Mapping[str, str]:
    return dict(parse_qsl(urlsplit(request.url).query))


def _last_part(request: HttpRequest, unless: str = "") -> str | None:
    """Return the last part of the path, or None if it is that of a list."""
    last = urlsplit(request.url).path.rpartition("/")[2]
    return None if last == unless else last


def _success(data: Any) -> HttpResponse:
    return json_response(200, {"status": "success", "data": data})


def _local(instant: datetime, offset: timedelta) -> str:
    """Return a time by the vendor's clock, without its zone."""
    return (instant.astimezone(UTC) + offset).strftime("%Y-%m-%d %H:%M:%S")


# --- all of them ------------------------------------------------------------------------------------------------------


class DeathError(BaseException):
    """The process is gone."""


MOODS: Final[Mapping[str, bool]] = {
    "takes": True,
    "takes, and its answer is lost": True,
    "takes, and answers with a page": True,
    "takes, and answers 503": True,
    "takes, and refuses": True,
    "takes, and the worker dies": True,
    "swallows the request": False,
    "cannot be reached": False,
    "throttles": False,
    "refuses": False,
    "knows no such account": False,
}
"""How a vendor may treat a request, and whether it takes the messages in it."""

_ANSWERS: Final[Mapping[str, HttpResponse | NoResponse]] = {
    "takes, and its answer is lost": lost(),
    "takes, and answers with a page": GARBAGE,
    "takes, and answers 503": BROKEN,
    "swallows the request": lost(),
    "cannot be reached": unreached(),
    "knows no such account": unauthorized(),
}


def _ignore(*_: object) -> None:
    pass


@dataclass(kw_only=True)
class FakeVendors:
    """All vendors. Ids are `nomsa-1`, `nomsa-2`, `smsnoc-1` …; lists have the filters and pages of the vendors."""

    clock: Clock = field(default=lambda: datetime(2026, 11, 21, 10, 0, tzinfo=UTC))
    moods: dict[str, str] = field(default_factory=dict)
    """By provider; without a mood a vendor takes every message."""
    late_refusal: HttpResponse | None = None
    """The answer of a vendor that takes and refuses; None: its own."""
    throttled_ending: str | None = None
    """The first send to a number with this ending is throttled."""
    nusasms_api_key: str | None = None
    """If it is set, NusaSMS refuses every other key."""
    on_send: Callable[[str, str], None] = _ignore
    """Called for each message in a request before anything else: with the provider and the text."""
    on_taken: Callable[[Row], None] = _ignore
    """Called for each message that was taken, before the request is answered."""
    ledger: list[Row] = field(default_factory=list)
    requests: list[HttpRequest] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    """Method and path of each request, without the query."""
    _taken: Counter[str] = field(default_factory=Counter)
    _throttled: set[str] = field(default_factory=set)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self._taken.update(row.vendor.name for row in self.ledger)

    def __call__(self, request: HttpRequest) -> HttpResponse | NoResponse:
        """Answer a request. Raises DeathError in the mood in which the worker dies."""
        with self._lock:
            self.requests.append(request)
            self.calls.append(f"{request.method} {urlsplit(request.url).path}")
            vendor = vendor_of(request)
            if self._is_foreign(vendor, request):
                return json_response(401, {"error": True, "message": "Unauthorized", "description": None})
            call = vendor.read(request)
            return self._send(vendor, call.sent) if call.sent else self._ask(vendor, call)

    def _send(self, vendor: Vendor, sent: Sequence[Sent]) -> HttpResponse | NoResponse:
        for each in sent:
            self.on_send(vendor.name, each.text)
        mood = self._mood(vendor, sent)
        rows = [self._take(vendor, each) for each in sent] if MOODS[mood] else []
        for row in rows:
            self.on_taken(row)
        match mood:
            case "takes":
                return vendor.taken(rows, is_bulk=len(rows) > 1)
            case "takes, and the worker dies":
                raise DeathError
            case "throttles":
                return vendor.throttled(sent[0].number)
            case "refuses":
                return vendor.refusal
            case "takes, and refuses":
                return self.late_refusal or vendor.late_refusal
        return _ANSWERS[mood]

    def _mood(self, vendor: Vendor, sent: Sequence[Sent]) -> str:
        ending = self.throttled_ending
        fresh = {each.number for each in sent if ending and each.number.endswith(ending)} - self._throttled
        self._throttled |= fresh
        return "throttles" if fresh else self.moods.get(vendor.name, "takes")

    def _take(self, vendor: Vendor, sent: Sent) -> Row:
        self._taken[vendor.name] += 1
        name, now = f"{vendor.name}-{self._taken[vendor.name]}", self.clock()
        row = Row(vendor=vendor, provider_message_id=name, sent=sent, created_at=now, taken_at=now)
        self.ledger.append(row)
        return row

    def _ask(self, vendor: Vendor, call: Call) -> HttpResponse | NoResponse:
        if self.moods.get(vendor.name) == "cannot be reached":
            return unreached()
        if call.question is not None:
            return vendor.told(call.question)
        rows = [row for row in self.ledger if row.vendor is vendor]
        if call.looked_up is None:
            return vendor.listed(call.query, newest_first([ListedRow(row, row.status) for row in rows]))
        row = next((row for row in rows if row.provider_message_id == call.looked_up), None)
        return vendor.found(row, row.status if row else Status.ACCEPTED)

    def _is_foreign(self, vendor: Vendor, request: HttpRequest) -> bool:
        """Whether a request comes with another key than the account's. SMS has a user and a password instead."""
        keys = [value for name, value in request.headers.items() if name.lower() == "apikey"]
        return vendor.name == "nusasms" and bool(keys) and self.nusasms_api_key not in (None, *keys)


def newest_first(rows: Sequence[ListedRow]) -> list[ListedRow]:
    return sorted(reversed(rows), key=lambda each: each.row.created_at, reverse=True)


def deliver(row: Row) -> None:
    """Deliver a message at once, as `on_taken` of vendors whose messages all arrive."""
    row.status = Status.DELIVERED


def base_urls(address: str) -> dict[str, str]:
    """Return the base address of each provider below an address that all vendors share."""
    return {name: f"{address}/{root}" for name, root in ROOTS.items()}


# --- on a socket ------------------------------------------------------------------------------------------------------


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    answer: Callable[[HttpRequest], HttpResponse | NoResponse]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        url = f"http://{headers.get('host', '')}{self.path}"
        answer = self.server.answer(HttpRequest(method=self.command, url=url, headers=headers, body=body))
        if isinstance(answer, NoResponse):
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Write nothing: the output of a test is the functions' own."""


@contextmanager
def serving(answer: Callable[[HttpRequest], HttpResponse | NoResponse]) -> Iterator[str]:
    """Answer HTTP requests on a free port of 127.0.0.1 until the block ends. Yield the address."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.answer = answer
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
