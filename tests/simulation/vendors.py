"""The simulated vendors: what each took, and how it says so. They hold no opinion about what we should make of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from sampai.domain.http import HttpRequest, HttpResponse, WebhookRequest
from sampai.domain.message import Channel
from sampai.domain.status import Status
from tests.harness.application import nomsa_list, nomsa_row, nusasms_taken, smspoh_history, smspoh_row

JOURNEYS: Final[Mapping[str, tuple[tuple[float, Status], ...]]] = {
    "delivered": ((0, Status.ACCEPTED), (4, Status.SENT), (20, Status.DELIVERED)),
    "undelivered": ((0, Status.ACCEPTED), (4, Status.SENT), (20, Status.UNDELIVERED)),
    "late": ((0, Status.ACCEPTED), (70, Status.SENT), (500, Status.DELIVERED)),
    "never told": ((0, Status.ACCEPTED),),
}
"""How a taken message fares: what it is from how many seconds after it was taken."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One message as it stands in a request to a vendor. `number` is digits alone."""

    number: str
    text: str
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """What a request asks of a vendor: to send, to list, or to look one message up."""

    sent: tuple[Sent, ...] = ()
    looked_up: str | None = None


@dataclass(slots=True, kw_only=True)
class Row:
    """One message that a vendor keeps. `taken_at` is None for one that it shows and never took."""

    vendor: "Vendor"
    provider_message_id: str
    sent: Sent
    created_at: datetime
    taken_at: datetime | None
    journey: tuple[tuple[float, Status], ...]
    message_id: str
    """Ours, for the checkers alone: no vendor is told more than its request says."""
    reached: Status | None = None
    """What a receipt went out about; it may be ahead of the journey's times."""
    told: Status | None = None
    """The highest status that a receipt reported and we answered with 200."""

    def status_at(self, now: datetime) -> Status:
        age = (now - self.created_at).total_seconds()
        status = [status for after, status in self.journey if after <= age or after == 0][-1]
        return max(status, self.reached or status, key=lambda known: known.rank)


def _json(status: int, document: Any) -> HttpResponse:
    return HttpResponse(status=status, headers={"content-type": "application/json"}, body=json.dumps(document).encode())


GARBAGE: Final = HttpResponse(status=200, headers={"content-type": "text/html"}, body=b"<html>Welcome</html>")
BROKEN: Final = HttpResponse(status=503, body=b"upstream")


class Vendor:
    """What the vendors have in common. Each says the same things in its own words."""

    name: str
    host: str
    refusal: HttpResponse
    throttling = HttpResponse(status=429, headers={"retry-after": "7"}, body=b"{}")
    lockout = _json(401, {"code": "unauthenticated", "message": "…"})
    webhook: str | None = None
    """The kind of its receipts."""
    channel = Channel.SMS
    keeps_bare_rows = False
    """Whether it shows a row for what it did not take in the end."""

    def read(self, request: HttpRequest) -> Call:
        raise NotImplementedError

    def taken(self, rows: Sequence[Row], *, is_bulk: bool) -> HttpResponse:
        raise NotImplementedError

    def listed(self, rows: Sequence[Row], statuses: Sequence[Status]) -> HttpResponse:
        raise NotImplementedError

    def found(self, row: Row | None, status: Status) -> HttpResponse:
        raise NotImplementedError

    def receipt(self, row: Row, status: Status) -> WebhookRequest:
        raise NotImplementedError


class NomsaVendor(Vendor):
    name = "nomsa"
    host = "api.nomsa.gov.kh"
    refusal = _json(400, {"code": "invalid_recipient", "message": "…"})
    keeps_bare_rows = True
    _words: Final = {Status.SENT: "SENT", Status.DELIVERED: "DELIVERED", Status.UNDELIVERED: "ERROR"}

    def read(self, request: HttpRequest) -> Call:
        if request.method == "POST":
            document = json.loads(request.body)
            return Call(sent=(Sent(document["recipient"].removeprefix("+"), document["body"]),))
        tail = urlsplit(request.url).path.rpartition("/")[2]
        return Call(looked_up=None if tail == "sms" else tail)

    def taken(self, rows: Sequence[Row], *, is_bulk: bool) -> HttpResponse:
        return _json(201, self._row(rows[0], Status.ACCEPTED))

    def listed(self, rows: Sequence[Row], statuses: Sequence[Status]) -> HttpResponse:
        return nomsa_list(*(self._row(row, status) for row, status in zip(rows, statuses, strict=True)))

    def found(self, row: Row | None, status: Status) -> HttpResponse:
        return _json(404, {"code": "not_found"}) if row is None else _json(200, self._row(row, status))

    def _row(self, row: Row, status: Status) -> dict[str, Any]:
        return nomsa_row(
            row.provider_message_id,
            recipient=f"+{row.sent.number}",
            body=row.sent.text,
            created_at=row.created_at.isoformat(),
            accepted_at=row.taken_at.isoformat() if row.taken_at else None,
            status=self._words.get(status, "UNSENT"),
        )


class SmsNocVendor(Vendor):
    name = "smsnoc"
    host = "app.smsnoc.com"
    refusal = _json(200, {"status": "error", "message": "The number is in the blacklist"})
    _words: Final = {
        Status.ACCEPTED: "Queued",
        Status.SENT: "Enroute",
        Status.DELIVERED: "Delivered",
        Status.UNDELIVERED: "Undelivered",
    }

    def read(self, request: HttpRequest) -> Call:
        if request.method == "POST":
            document = json.loads(request.body)
            return Call(sent=tuple(Sent(n, document["message"]) for n in document["recipient"].split(",")))
        tail = urlsplit(request.url).path.rpartition("/")[2]
        return Call(looked_up=None if tail == "sms" else tail)

    def taken(self, rows: Sequence[Row], *, is_bulk: bool) -> HttpResponse:
        data = [self._row(row, Status.ACCEPTED) for row in rows]
        return _json(200, {"status": "success", "data": data if is_bulk else data[0]})

    def listed(self, rows: Sequence[Row], statuses: Sequence[Status]) -> HttpResponse:
        data = [self._row(row, status) for row, status in zip(rows, statuses, strict=True)]
        return _json(200, {"status": "success", "data": {"data": data, "last_page": 1, "next_page_url": None}})

    def found(self, row: Row | None, status: Status) -> HttpResponse:
        if row is None:
            return _json(200, {"status": "error", "message": "SMS info not found"})
        return _json(200, {"status": "success", "data": self._row(row, status)})

    def _row(self, row: Row, status: Status) -> dict[str, Any]:
        return {
            "uid": row.provider_message_id,
            "to": row.sent.number,
            "message": row.sent.text,
            "status": self._words[status],
        }


class SmsPohVendor(Vendor):
    name = "smspoh"
    host = "v3.smspoh.com"
    refusal = _json(201, {"messages": [{"status": False, "message": "Invalid Sender ID"}]})
    webhook = "receipt"
    _words: Final = {
        Status.ACCEPTED: "Accepted",
        Status.SENT: "Sent",
        Status.DELIVERED: "Success",
        Status.UNDELIVERED: "Error",
    }

    def read(self, request: HttpRequest) -> Call:
        if request.method != "POST":
            return Call()
        document = json.loads(request.body)
        entries = document.get("messages", [document])
        return Call(sent=tuple(Sent(e["to"].removeprefix("+"), e["message"], e["clientReference"]) for e in entries))

    def taken(self, rows: Sequence[Row], *, is_bulk: bool) -> HttpResponse:
        return _json(201, {"messages": [self._row(row, Status.ACCEPTED) for row in rows]})

    def listed(self, rows: Sequence[Row], statuses: Sequence[Status]) -> HttpResponse:
        return smspoh_history(*(self._row(row, status) for row, status in zip(rows, statuses, strict=True)))

    def receipt(self, row: Row, status: Status) -> WebhookRequest:
        fields = {
            "messageId": row.provider_message_id,
            "clientReference": row.sent.reference,
            "status": self._words[status],
        }
        return WebhookRequest(method="GET", query=urlencode(fields))

    def _row(self, row: Row, status: Status) -> dict[str, Any]:
        said = smspoh_row(row.provider_message_id, row.sent.reference or "", self._words[status])
        return said | {"to": row.sent.number, "message": row.sent.text}


class NusaSmsVendor(Vendor):
    """SMS and WhatsApp of the same vendor, which tell their requests apart by the path."""

    name = "nusasms"
    host = "api.nusasms.com"
    refusal = _json(200, {"results": [{"status": "-13"}]})
    webhook = "sms-receipt"
    _words: Final = {Status.ACCEPTED: "Q", Status.SENT: "S", Status.DELIVERED: "D", Status.UNDELIVERED: "F"}

    def read(self, request: HttpRequest) -> Call:
        fields = parse_qs(request.body.decode())
        return Call(sent=(Sent(fields["GSM"][0], fields["SMSText"][0]),))

    def taken(self, rows: Sequence[Row], *, is_bulk: bool) -> HttpResponse:
        return nusasms_taken(rows[0].provider_message_id)

    def receipt(self, row: Row, status: Status) -> WebhookRequest:
        fields = {"ref_no": row.provider_message_id, "status": self._words[status], "err_code": "0"}
        return WebhookRequest(method="GET", query=urlencode(fields))


class NusaSmsWhatsAppVendor(NusaSmsVendor):
    refusal = _json(422, {"detail": [{"loc": ["body", "destination"], "msg": "…"}]})
    webhook = "whatsapp-receipt"
    channel = Channel.WHATSAPP

    def read(self, request: HttpRequest) -> Call:
        if request.method == "POST":
            document = json.loads(request.body)
            return Call(sent=(Sent(document["destination"], document.get("message") or document.get("caption", "")),))
        return Call(looked_up=urlsplit(request.url).path.rpartition("/")[2])

    def taken(self, rows: Sequence[Row], *, is_bulk: bool) -> HttpResponse:
        return _json(200, {"error": False, "data": {"ref_no": rows[0].provider_message_id}})

    def found(self, row: Row | None, status: Status) -> HttpResponse:
        if row is None:
            return _json(404, {"error": True, "message": "not found"})
        return _json(200, {"error": False, "data": {"ref_no": row.provider_message_id, "status": self._words[status]}})


_WHATSAPP: Final = NusaSmsWhatsAppVendor()
_BY_HOST: Final = {v.host: v for v in (NomsaVendor(), SmsNocVendor(), SmsPohVendor(), NusaSmsVendor())}


def vendor_of(request: HttpRequest) -> Vendor:
    """Return the vendor, and the channel of it, that a request is for."""
    return _WHATSAPP if "/whatsapp/" in request.url else _BY_HOST[request.host]
