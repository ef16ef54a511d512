"""The requests and inbound messages of the demo, and the expected result of each.

The last two digits of a recipient select the behaviour of its vendor: docs/reference/magic-numbers.md.
"""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Any, Final

from local.simulators.ledger import text_sha256
from local.simulators.nusasms.official import DOCUMENT, ONE_PARAMETER, PENDING
from local.simulators.outcomes import OUTCOMES

SEND: Final = "SendQueueUrl"
URGENT: Final = "UrgentQueueUrl"

REJECTED: Final = "rejected"
"""Shown as a status, but is none: the request changed nothing and caused a `Request Rejected` event."""

RECEIVED: Final = "received"
"""Also no status: a message from a phone caused a `Message Received` event."""

_TWO_DAYS_AGO: Final = f"{datetime.now(UTC) - timedelta(days=2):%Y-%m-%d %H:%M:%S}"
"""Long enough ago that the conversation is closed, and recent enough that it is still stored."""

# Each row inserts its own digits, so no two messages share a number.
_RECIPIENTS: Final = {
    "nomsa": "+8559123{:02d}{}",
    "smsnoc": "+880174497{:02d}{}",
    "philsms": "+63917123{:02d}{}",
    "smspoh": "+95977777{:02d}{}",
    "nusasms": "+628123456{:02d}{}",
}
_ADDRESS: Final = "demo.{:02d}{}@example.com"

Acceptance = tuple[str, str]
"""An accepted message in the ledger: the digest of its text, and the digits of its number."""


class Moment(Enum):
    """The moment to put a request on its queue."""

    FIRST = auto()
    HEARD = auto()
    """After the events of all inbound messages, because these open conversations and stop promotions."""
    KNOWN = auto()
    """After the first event of the message with the same id."""
    LAST = auto()
    """After all other messages have been sent: an open circuit stops all calls to a vendor for a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The expected end of a message, and an explanation if it is not delivered.

    A reason of None is not checked. The failure's detail must contain `detail`.
    """

    status: str = "delivered"
    why: str = ""
    reason: str | None = None
    detail: str = ""
    attempts: int = 1
    acceptances: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row of the demo. A timedelta in a request is relative to the time at which it is put on the queue.

    `inbound` is a message from a phone, for the simulators' page `/_inbound`; such a row has no request.
    """

    name: str
    group: str = ""
    """The title under which the screen shows the row."""
    vendor: str = ""
    request: str | Mapping[str, Any] = ""
    inbound: Mapping[str, str] | None = None
    words: str | None = None
    """The text in the vendor's ledger, if it differs from the text of the request."""
    end: End
    queue: str = SEND
    times: int = 1
    moment: Moment = Moment.FIRST
    then: Mapping[str, Any] | None = None
    """A second request, put on the queue after the first event of the message."""

    @property
    def message_id(self) -> str | None:
        """The id in the request, or None; without one, the SQS message id is used."""
        return None if isinstance(self.request, str) else self.request["message_id"]

    @property
    def number(self) -> str:
        """The digits or the address of the recipient; empty if the request has no recipient."""
        return "" if isinstance(self.request, str) else self.request.get("recipient", "").removeprefix("+")

    @property
    def text_sha256(self) -> str:
        """The digest of the text in the vendors' ledger."""
        words = self.request if isinstance(self.request, str) else _words(self.request)
        return text_sha256(words if self.words is None else self.words)

    def taken(self, acceptances: Mapping[Acceptance, int]) -> int:
        """Return the number of times that vendors accepted this row's message."""
        own = ((digest, number) for digest, number in acceptances if digest == self.text_sha256)
        return sum(acceptances[each] for each in own if self.number in ("", each[1]))


def written(request: str | Mapping[str, Any], now: datetime) -> str:
    """Return the queue body of a request."""
    if isinstance(request, str):
        return request
    return json.dumps({name: _write_result(value, now) for name, value in request.items()})


def _words(request: Mapping[str, Any]) -> str:
    """Return the text in a vendor's ledger: the caption of a file, the values of a template."""
    content = request["content"]
    match content["type"]:
        case "text":
            return str(content["text"])
        case "media":
            return str(content["caption"])
        case "email":
            return f"{content['subject']}\n{content['body']}"
    return "\n".join(content["parameters"]["body"])


def _write_result(value: Any, now: datetime) -> Any:
    return (now + value).isoformat() if isinstance(value, timedelta) else value


def _request(vendor: str, ending: str, line: int = 1, **fields: Any) -> dict[str, Any]:
    """Return a request with a unique id, number and text for each vendor, ending and line."""
    return {
        "message_id": f"demo-{vendor}-{line}{ending}",
        "recipient": _RECIPIENTS[vendor].format(line, ending),
        "content": {"type": "text", "text": f"Demo message {line}{ending} for {vendor}"},
        **fields,
    }


def _magic(vendor: str, ending: str, end: End, moment: Moment = Moment.FIRST, **fields: Any) -> Case:
    name = f"{ending} {OUTCOMES[ending].name}" + (f", {fields['channel']}" if "channel" in fields else "")
    return Case(name=name, vendor=vendor, request=_request(vendor, ending, **fields), end=end, moment=moment)


def _refused(name: str, vendor: str, line: int, why: str, reason: str, detail: str = "", **fields: Any) -> Case:
    """Return a row that fails before any vendor call."""
    end = End(status="failed", why=why, reason=reason, detail=detail, attempts=0, acceptances=0)
    return Case(name=name, vendor=vendor, request=_request(vendor or "nomsa", "10", line, **fields), end=end)


_DELIVERED: Final = End()
_RETRIED: Final = End(attempts=2)
_UNDELIVERED: Final = End(status="undelivered", why="the vendor reports it")
_SILENT: Final = End(status="unconfirmed", why="the vendor stays silent")
_NOTHING_TAKEN: Final = End(status="unconfirmed", why="no vendor accepted it", acceptances=0)
_NO_MEANS: Final = End(status="unconfirmed", why="the vendor has no list")
_BAD_NUMBER: Final = End(status="failed", why="the vendor reports it", reason="invalid_recipient", acceptances=0)
_BLACKLISTED: Final = End(status="failed", why="it is on the blacklist", reason="blocked", acceptances=0)
_NO_CREDIT: Final = End(
    status="failed",
    why="no credit, then too late",
    reason="expired",
    detail="last refusal: insufficient_credit",
    acceptances=0,
)
_SOON: Final = timedelta(seconds=50)
"""Less than the minute for which no credit stops a vendor, and long enough for one call on a busy computer."""
_FOR_ALL: Final = _request("nomsa", "10")
_CANCELED: Final = _request("nomsa", "10", 2, send_at=timedelta(minutes=10))

_WHATSAPP: Final[Mapping[str, Any]] = {"channel": "whatsapp"}
_OFFICIAL: Final[Mapping[str, Any]] = {"channel": "whatsapp_official"}
_PROMOTIONAL: Final[Mapping[str, Any]] = {"category": "promotional"}
_ROOM: Final = "a0000000-0000-4000-8000-000000000001"
_OLD_ROOM: Final = "a0000000-0000-4000-8000-000000000002"
_PICTURE: Final = b64encode(b"\x89PNG\r\n\x1a\n" + bytes(64)).decode()

_ATTACHMENT: Final = {"file_name": "picture.png", "content_base64": _PICTURE}

_SALE: Final = {"type": "text", "text": "Demo sale for smsnoc"}
_OTP: Final = {"category": "otp", "content": {"type": "text", "text": "Your code is 4712"}}
_FALLBACK: Final[Mapping[str, Any]] = {
    "template_id": ONE_PARAMETER.template_id,
    "parameters": {"body": ["Demo value 30 code"]},
}

_CAMPAIGN: Final = End(status="unconfirmed", why="lists have no receipts")
_READ: Final = End(status="read")


def _plain(name: str, vendor: str, line: int, **fields: Any) -> Case:
    return Case(name=name, vendor=vendor, request=_request(vendor, "10", line, **fields), end=_DELIVERED)


def _media(line: int, **file: str) -> dict[str, Any]:
    return {"type": "media", "caption": f"Demo caption {line}", **file}


def _template(line: int, template_id: str, *values: str, **parameters: Any) -> dict[str, Any]:
    body = [f"Demo value {line} {value}" for value in values]
    return {
        "type": "template",
        "template_id": template_id,
        "recipient_name": "Sari",
        "parameters": {"body": body, **parameters},
    }


def _to_list(name: str, vendor: str, line: int, audience: str) -> Case:
    request = _request(vendor, "10", line, provider=vendor, audience={"lists": [audience]})
    del request["recipient"]
    return Case(name=name, vendor=vendor, request=request, end=_CAMPAIGN)


def _in_conversation(
    name: str, line: int, room_id: str, end: End = _DELIVERED, words: str | None = None, **fields: Any
) -> Case:
    request = _request("nusasms", "10", line, room_id=room_id, **_OFFICIAL, **fields)
    del request["recipient"]
    return Case(name=name, vendor="nusasms", request=request, end=end, moment=Moment.HEARD, words=words)


def _inbound(name: str, kind: str, line: int, text: str, **fields: str) -> Case:
    sender = _RECIPIENTS["nusasms"].format(line, "10").removeprefix("+")
    inbound = {"vendor": "nusasms", "kind": kind, "sender": sender, "text": text, **fields}
    end = End(status=RECEIVED, attempts=0, acceptances=0)
    return Case(name=name, vendor="nusasms", inbound=inbound, end=end)


def _email(name: str, line: int, end: End, **content: Any) -> Case:
    """Return a row with an e-mail. Its name begins with the magic number."""
    number = f"{line}{name[:2]}"
    fields = {"subject": f"Demo {number}", "body": f"<p>Demo e-mail {number}</p>", **content}
    recipient = _ADDRESS.format(line, name[:2])
    request = _request(
        "nomsa", name[:2], line, channel="email", recipient=recipient, content={"type": "email", **fields}
    )
    return Case(name=name, vendor="nomsa", request=request, end=end)


_WROTE_STOP: Final = 40

GROUPS: Final[Mapping[str, Sequence[Case]]] = {
    "Delivered": (
        Case(name="10 delivered", vendor="nomsa", request=_FOR_ALL, end=_DELIVERED),
        _magic("smsnoc", "10", _DELIVERED),
        _magic("philsms", "10", _DELIVERED),
        _magic("smspoh", "10", _DELIVERED),
        _magic("nusasms", "10", _DELIVERED),
        _magic("smspoh", "13", _DELIVERED),
        _magic("nusasms", "14", _DELIVERED),
        _magic("nusasms", "26", _DELIVERED),
        _magic("nomsa", "28", _DELIVERED),
        _magic("smsnoc", "28", _DELIVERED),
        _magic("smsnoc", "31", _DELIVERED),
        Case(
            name="one-time password, urgent",
            vendor="nusasms",
            request=_request("nusasms", "10", 2, category="otp", content={"type": "text", "text": "Your code is 4711"}),
            queue=URGENT,
            end=_DELIVERED,
        ),
        Case(
            name="scheduled",
            vendor="smspoh",
            request=_request("smspoh", "10", 3, send_at=timedelta(seconds=25)),
            end=_DELIVERED,
        ),
        _plain("with the demo label", "nomsa", 5, sender="nomsa-sms-demo"),
        _plain("encrypted at the vendor", "smspoh", 14, provider_options={"smspoh": {"encrypt": True}}),
        _plain("as unicode", "smspoh", 15, provider_options={"smspoh": {"unicode": True}}),
        _plain("as a test", "smspoh", 16, provider_options={"smspoh": {"test": True}}),
        _plain("abroad", "smspoh", 17, provider="smspoh", recipient="+66812345710"),
    ),
    "Many at once": (
        *(_plain(f"in a list of numbers, {n}", "smsnoc", 10 + n, **_PROMOTIONAL, content=_SALE) for n in (1, 2, 3)),
        *(_plain(f"in bulk, {n}", "smspoh", 10 + n, **_PROMOTIONAL) for n in (1, 2, 3)),
        _to_list("to a contact list", "smsnoc", 14, "6415907d0d310"),
        _to_list("to a group", "nusasms", 14, "Example10"),
    ),
    "WhatsApp": (
        _magic("nusasms", "27", _READ, line=15, **_WHATSAPP),
        _magic("nusasms", "12", _SILENT, line=16, **_WHATSAPP),
        _plain(
            "picture by URL, whatsapp",
            "nusasms",
            17,
            content=_media(17, media_url="https://files.example/picture.png"),
            **_WHATSAPP,
        ),
        _plain(
            "picture in request, whatsapp",
            "nusasms",
            18,
            content=_media(18, media_base64=_PICTURE, file_name="picture.png"),
            **_WHATSAPP,
        ),
        _magic(
            "nusasms",
            "27",
            _READ,
            line=19,
            content=_template(19, ONE_PARAMETER.template_id, "code"),
            **_OFFICIAL,
        ),
        _plain(
            "template with a document",
            "nusasms",
            20,
            content=_template(
                20,
                DOCUMENT.template_id,
                "name",
                "number",
                header={"format": "DOCUMENT", "params": [{"key": "url", "value": "https://files.example/invoice.pdf"}]},
                buttons=[{"index": "0", "type": "url", "value": "/invoices/4711"}],
            ),
            **_OFFICIAL,
        ),
        _refused(
            "template not approved",
            "nusasms",
            21,
            "checked before sending",
            "template_rejected",
            content=_template(21, PENDING.template_id, "name"),
            **_OFFICIAL,
        ),
    ),
    "E-mail": (
        _email(
            "27 e-mail with a file, read",
            6,
            _READ,
            attachments=[{"file_name": "picture.png", "content_base64": _PICTURE}],
        ),
        _email("11 e-mail bounces", 7, _UNDELIVERED),
        _email("16 e-mail, answer lost", 8, _DELIVERED),
        _email("20 e-mail, throttled once", 9, _RETRIED),
        _email("21 e-mail on the blacklist", 10, _BLACKLISTED),
        _email("32 e-mail, complaint", 11, _DELIVERED),
    ),
    "From phones, and replies": (
        _inbound("an SMS comes in", "sms-inbox", 22, "When does the bank open?"),
        _inbound("a WhatsApp message comes in", "whatsapp-inbox", 23, "And on Sundays?"),
        _inbound("a conversation is opened", "whatsapp-official-inbox", 24, "Hello, is anybody there?", room_id=_ROOM),
        _inbound(
            "a conversation of two days ago",
            "whatsapp-official-inbox",
            25,
            "Hello from before",
            room_id=_OLD_ROOM,
            date=_TWO_DAYS_AGO,
        ),
        _inbound("STOP comes in", "sms-inbox", _WROTE_STOP, "Stop!"),
        _in_conversation("reply", 26, _ROOM),
        _in_conversation(
            "reply with a file", 27, _ROOM, content=_media(27, media_base64=_PICTURE, file_name="picture.png")
        ),
        _in_conversation(
            "reply with an address", 28, _ROOM, content=_media(28, media_url="https://files.example/song.mp3")
        ),
        _in_conversation(
            "reply after 24 hours",
            29,
            _OLD_ROOM,
            End(status="failed", why="the window is closed", reason="window_closed", attempts=0, acceptances=0),
        ),
        _in_conversation(
            "reply, else a template",
            30,
            _OLD_ROOM,
            provider_options={"nusasms": {"template": _FALLBACK}},
            words=_FALLBACK["parameters"]["body"][0],
        ),
        Case(
            name="promotion after STOP",
            vendor="nusasms",
            request=_request("nusasms", "10", _WROTE_STOP, **_PROMOTIONAL),
            end=End(status="failed", why="the phone wrote STOP", reason="opted_out", attempts=0, acceptances=0),
            moment=Moment.HEARD,
        ),
        Case(
            name="one-time password after STOP",
            vendor="nusasms",
            request=_request("nusasms", "10", _WROTE_STOP, message_id="demo-nusasms-otp-after-stop", **_OTP),
            end=_DELIVERED,
            moment=Moment.HEARD,
        ),
    ),
    "Not delivered, or later": (
        _magic("nomsa", "11", _UNDELIVERED),
        _magic("smsnoc", "11", _UNDELIVERED),
        _magic("philsms", "11", _UNDELIVERED),
        _magic("smspoh", "11", _UNDELIVERED),
        _magic("nusasms", "11", _UNDELIVERED),
        _magic("smsnoc", "12", _SILENT),
        _magic("nomsa", "20", _RETRIED),
        _magic("smsnoc", "21", _BAD_NUMBER),
        _magic("smsnoc", "24", _NO_CREDIT, Moment.LAST, expires_at=_SOON),
        _magic("nusasms", "24", _NO_CREDIT, Moment.LAST, expires_at=_SOON),
        _magic("smsnoc", "30", _UNDELIVERED),
    ),
    "Unknown outcome": (
        _magic("nomsa", "15", _DELIVERED),
        _magic("smsnoc", "16", _DELIVERED),
        _magic("nusasms", "16", _NO_MEANS),
        _magic("smspoh", "17", _NOTHING_TAKEN),
        _magic("smspoh", "18", _DELIVERED),
        _magic("nomsa", "19", _NOTHING_TAKEN),
        _magic("nomsa", "22", _DELIVERED),
        _magic("smsnoc", "23", _NOTHING_TAKEN),
        _magic("smspoh", "25", _DELIVERED),
        _magic("smsnoc", "29", _DELIVERED),
    ),
    "Repeated and canceled": (
        Case(
            name="requested five times", vendor="smspoh", request=_request("smspoh", "10", 2), times=5, end=_DELIVERED
        ),
        Case(
            name="another text, same id",
            vendor="nomsa",
            request=_FOR_ALL | {"content": {"type": "text", "text": "Other words"}},
            moment=Moment.KNOWN,
            end=End(status=REJECTED, why="the first one is kept", reason="id_conflict", attempts=0, acceptances=0),
        ),
        Case(
            name="scheduled, then canceled",
            vendor="nomsa",
            request=_CANCELED,
            then={"cancel": _CANCELED["message_id"]},
            end=End(status="canceled", why="its caller canceled it", attempts=0, acceptances=0),
        ),
    ),
    "Wrong requests": (
        _refused("expired", "smsnoc", 2, "too late to be sent", "expired", expires_at=timedelta(minutes=-1)),
        _refused(
            "161 characters",
            "nusasms",
            3,
            "the limit is 160",
            "too_long",
            content={"type": "text", "text": "x" * 161},
        ),
        _refused("to Thailand", "", 3, "there is no route", "unroutable", recipient="+66812345610"),
        _refused(
            "two numbers in one",
            "",
            4,
            "one number, one message",
            "invalid_request",
            "recipient: ",
            recipient="+85591230510,+85591230610",
        ),
        Case(
            name="not JSON",
            request="To +85591230710: this is not JSON",
            end=End(status="failed", why="the body is unreadable", reason="invalid_request", attempts=0, acceptances=0),
        ),
    ),
}
"""The rows of the demo by the title under which they are shown."""

CASES: Final = tuple(replace(case, group=title) for title, cases in GROUPS.items() for case in cases)

OPERATIONS: Final = {
    "nomsa": ("send", "list", "get", "email", "email_list", "email_get"),
    "smsnoc": ("send", "campaign", "list", "get", "balance"),
    "philsms": ("send", "list", "balance"),
    "smspoh": ("send", "send_bulk", "list", "balance", "receipt"),
    "nusasms": (
        "send",
        "group",
        "whatsapp_message",
        "whatsapp_media",
        "whatsapp_status",
        "whatsapp_official_broadcast",
        "whatsapp_official_reply",
        "whatsapp_official_templates",
        "whatsapp_official_channels",
        "api_key",
        "balance",
        "receipt",
    ),
}
"""All operations in the vendors' documents, by the names under which the simulators count calls.

PhilSMS has those of SMS NOC; its messages need only some of them.
"""
