"""The vendors as the services see them: they keep books of what they took, and answer as they are told to."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.status import Status
from sampai.domain.times import to_text
from sampai.providers.registry import PROVIDERS
from sampai.services.ports.runtime import Clock
from sampai.services.ports.transport import NoResponse

Fields = Mapping[str, Any]

WORDS: Final[Mapping[str, Mapping[Status, str]]] = {
    "nomsa": {
        Status.ACCEPTED: "UNSENT",
        Status.SENT: "SENT",
        Status.DELIVERED: "DELIVERED",
        Status.UNDELIVERED: "ERROR",
    },
    "smsnoc": {
        Status.ACCEPTED: "Queued",
        Status.SENT: "Enroute",
        Status.DELIVERED: "Delivered",
        Status.UNDELIVERED: "Undelivered",
    },
    "smspoh": {
        Status.ACCEPTED: "Accepted",
        Status.SENT: "Sent",
        Status.DELIVERED: "Success",
        Status.UNDELIVERED: "Expired",
    },
    "nusasms": {Status.ACCEPTED: "Q", Status.SENT: "S", Status.DELIVERED: "D", Status.UNDELIVERED: "F"},
}
"""How each vendor says a status."""

MOODS: Final = {
    "takes": True,
    "takes, and its answer is lost": True,
    "takes, and answers with a page": True,
    "takes, and answers 503": True,
    "takes, and the worker dies": True,
    "swallows the request": False,
    "cannot be reached": False,
    "throttles": False,
    "refuses": False,
    "knows no such account": False,
}
"""What a vendor may do with a request, and whether it takes the messages in it."""


class DeathError(BaseException):
    """The process is gone."""


@dataclass(slots=True, kw_only=True)
class Entry:
    """A message in a vendor's books."""

    provider: str
    provider_message_id: str
    number: str
    text: str
    reference: str | None
    taken_at: datetime
    status: Status = Status.ACCEPTED


@dataclass(kw_only=True)
class FakeVendors:
    """All vendors behind one transport, told apart by the host that is called."""

    clock: Clock
    on_send: Callable[[str, str], None] = lambda provider, text: None
    """Told of each message in a request before anything else happens to it: the provider and the text."""
    on_taken: Callable[[Entry], None] = lambda entry: None
    """Told of each message that was taken, before the request is answered."""
    ledger: list[Entry] = field(default_factory=list)
    moods: dict[str, str] = field(default_factory=dict)
    """By provider; without an entry it takes what it gets."""

    def __call__(self, request: HttpRequest) -> HttpResponse | NoResponse:
        provider = next(name for name in PROVIDERS if name in request.host)
        return self._asked(provider, request) if request.method == "GET" else self._sent(provider, request)

    def _sent(self, provider: str, request: HttpRequest) -> HttpResponse | NoResponse:
        wanted = _READERS[provider](request)
        for _, text, _ in wanted:
            self.on_send(provider, text)
        mood = self.moods.get(provider, "takes")
        taken = [self._enter(provider, *one) for one in wanted] if MOODS[mood] else []
        for entry in taken:
            self.on_taken(entry)
        if mood == "takes, and the worker dies":
            raise DeathError
        return _json(_outcome_fields(provider, request, taken)) if mood == "takes" else _ANSWERS[mood]

    def _enter(self, provider: str, number: str, text: str, reference: str | None) -> Entry:
        entry = Entry(
            provider=provider,
            provider_message_id=f"V-{len(self.ledger) + 1}",
            number=number,
            text=text,
            reference=reference,
            taken_at=self.clock(),
        )
        self.ledger.append(entry)
        return entry

    def _asked(self, provider: str, request: HttpRequest) -> HttpResponse | NoResponse:
        if self.moods.get(provider, "takes") == "cannot be reached":
            return NoResponse(may_have_been_sent=False, why="refused")
        entries = [entry for entry in self.ledger if entry.provider == provider]
        last = urlsplit(request.url).path.rpartition("/")[2]
        named = next((entry for entry in entries if entry.provider_message_id == last), None)
        rows = [_row(entry) for entry in entries]
        match provider, last:
            case (("nomsa" | "smsnoc"), "sms"):
                page = {"data": rows, "has_more": False}
                return _json(page if provider == "nomsa" else {"status": "success", "data": page | _LAST_PAGE})
            case "smspoh", "messages":
                return _json({"messages": rows, "limit": 100, "records": len(rows)})
        if named is None:
            return HttpResponse(status=404, body=b'{"error":true,"status":"error","message":"SMS info not found"}')
        return _json(_shown(named))


_SILENCE: Final = NoResponse(may_have_been_sent=True, why="timed out")
_ANSWERS: Final[Mapping[str, HttpResponse | NoResponse]] = {
    "takes, and its answer is lost": _SILENCE,
    "takes, and answers with a page": HttpResponse(status=200, body=b"<html>Welcome</html>"),
    "takes, and answers 503": HttpResponse(status=503),
    "swallows the request": _SILENCE,
    "cannot be reached": NoResponse(may_have_been_sent=False, why="refused"),
    "throttles": HttpResponse(status=429, headers={"retry-after": "7"}),
    "refuses": HttpResponse(status=422),
    "knows no such account": HttpResponse(status=401),
}
_LAST_PAGE: Final = {"current_page": 1, "last_page": 1, "next_page_url": None}

Wanted = tuple[str, str, str | None]
"""Number (or list), text and reference of one message in a request."""


def _nomsa(request: HttpRequest) -> Sequence[Wanted]:
    document = json.loads(request.body)
    return [(document["recipient"], document["body"], None)]


def _smsnoc(request: HttpRequest) -> Sequence[Wanted]:
    document = json.loads(request.body)
    if "contact_list_id" in document:
        return [(document["contact_list_id"], document["message"], None)]
    return [(number, document["message"], None) for number in document["recipient"].split(",")]


def _smspoh(request: HttpRequest) -> Sequence[Wanted]:
    document = json.loads(request.body)
    return [(one["to"], one["message"], one["clientReference"]) for one in document.get("messages", [document])]


def _nusasms(request: HttpRequest) -> Sequence[Wanted]:
    path = urlsplit(request.url).path
    if path.startswith("/api/v3/sendsms"):
        form = dict(parse_qsl(request.body.decode()))
        return [(form.get("GSM") or form["group"], form["SMSText"], None)]
    said = request.body.decode("utf-8", "replace")
    if path.endswith("/reply"):
        return [("(a conversation)", said, None)]
    return [(json.loads(said)["destination"], said, None)]


_READERS: Final = {"nomsa": _nomsa, "smsnoc": _smsnoc, "smspoh": _smspoh, "nusasms": _nusasms}


def _outcome_fields(provider: str, request: HttpRequest, taken: Sequence[Entry]) -> Fields:
    """Return how a vendor says that it took messages."""
    rows = [_row(entry) for entry in taken]
    if provider == "smspoh":
        return {"messages": rows}
    if provider == "smsnoc":
        return {"status": "success", "data": rows[0] if len(rows) == 1 else rows}
    if provider == "nusasms" and "/sendsms/" in request.url:
        name = "campaign_name" if request.url.endswith("/group") else "messageid"
        return {"results": [{"status": "0", name: taken[0].provider_message_id}]}
    return _shown(taken[0])


def _shown(entry: Entry) -> Fields:
    """Return how a vendor shows one message by itself."""
    match entry.provider:
        case "smsnoc":
            return {"status": "success", "data": _row(entry)}
        case "nusasms":
            return {"error": False, "message": "ok", "data": _row(entry)}
    return _row(entry)


def _row(entry: Entry) -> Fields:
    """Return how a vendor lists a message, in its own clock's time."""
    word, number = WORDS[entry.provider][entry.status], entry.number.removeprefix("+")
    match entry.provider:
        case "nomsa":
            return {
                "id": entry.provider_message_id,
                "recipient": entry.number,
                "body": entry.text,
                "status": word,
                "created_at": to_text(entry.taken_at),
                "accepted_at": to_text(entry.taken_at),
            }
        case "smsnoc":
            return {
                "uid": entry.provider_message_id,
                "to": number,
                "message": entry.text,
                "status": word,
                "created_at": _local(entry.taken_at, minutes=360),
            }
        case "smspoh":
            return {
                "messageId": entry.provider_message_id,
                "to": number,
                "message": entry.text,
                "clientReference": entry.reference,
                "status": word,
                "createdAt": _local(entry.taken_at, minutes=390),
            }
    return {"ref_no": entry.provider_message_id, "destination": number, "status": word}


def _local(instant: datetime, *, minutes: int) -> str:
    return (instant.astimezone(UTC) + timedelta(minutes=minutes)).strftime("%Y-%m-%d %H:%M:%S")


def _json(document: Fields) -> HttpResponse:
    return HttpResponse(status=200, headers={"content-type": "application/json"}, body=json.dumps(document).encode())
