"""The house, the real doors of its functions and the vendors, full of canaries; and what is done to them all."""

import importlib.util
import json
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from io import StringIO
from itertools import count, repeat
from types import ModuleType
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from sampai.adapters.inbox import to_inbox_item
from sampai.adapters.items import to_item, to_report_attribute
from sampai.adapters.telemetry import PowertoolsTelemetry
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.inbound import Conversation
from sampai.services.ports.configuration import Secret
from sampai.services.ports.messages import Insert, Replace
from sampai.services.ports.runtime import UnavailableError
from sampai.services.ports.transport import NoResponse
from tests.canary.canaries import value
from tests.canary.outside import Outside
from tests.fakes import START, RecordingTelemetry
from tests.functional.sandbox import Context
from tests.functional.vendors import APPROVED, CHANNEL, CREDENTIALS, DOCUMENT, ROOTS, Asked, Vendors
from tests.harness.application import House
from tests.template import ROOT

ADDRESS: Final = "https://vendors.example.org"
CONVERSATION: Final = "a4c1e7b2-5d0f-4c3a-9b8e-1f2d3c4b5a69"
CLOSED_ROOM: Final = "a4c1e7b2-5d0f-4c3a-9b8e-1f2d3c4b5a70"
SECRET: Final = Secret(
    webhook_tokens=(value("first token"), value("second token")),
    credentials={vendor: {name: value(f"{vendor} {name}") for name in names} for vendor, names in CREDENTIALS.items()},
)
SETTINGS: Final = {
    "routes": {"sms": {"TH": ["nomsa", "smspoh"]}},
    "providers": {
        "nomsa": {"base_url": f"{ADDRESS}/{ROOTS['nomsa']}"},
        "smsnoc": {"base_url": f"{ADDRESS}/{ROOTS['smsnoc']}", "sender": "SampaiBD"},
        "smspoh": {"base_url": f"{ADDRESS}/{ROOTS['smspoh']}", "sender": "Sampai"},
        "nusasms": {"base_url": f"{ADDRESS}/{ROOTS['nusasms']}", "senders": {"whatsapp_official": CHANNEL}},
    },
}

_numbers = count(1)


# --- telemetry, doors -----------------------------------------------------------------------------------------------


class BothTelemetries:
    """Tells the recording telemetry and the real one the same."""

    def __init__(self, recording: RecordingTelemetry) -> None:
        self.recording = recording
        self.output = StringIO()
        # Powertools keeps one configured logger for each service name.
        service = f"canary-{next(_numbers)}"
        self.real = PowertoolsTelemetry(service=service, level="DEBUG", namespace="Sampai", stream=self.output)

    def info(self, line: str, /, **fields: Any) -> None:
        self._say("info", line, fields)

    def warning(self, line: str, /, **fields: Any) -> None:
        self._say("warning", line, fields)

    def error(self, line: str, /, **fields: Any) -> None:
        self._say("error", line, fields)

    def count(self, metric: str, **dimensions: Any) -> None:
        self.recording.count(metric, **dimensions)
        self.real.count(metric, **dimensions)

    def measure(self, metric: str, value: float, **dimensions: Any) -> None:
        self.recording.measure(metric, value, **dimensions)
        self.real.measure(metric, value, **dimensions)

    def _say(self, level: str, what: str, fields: Mapping[str, Any]) -> None:
        getattr(self.recording, level)(what, **fields)
        getattr(self.real, level)(what, **fields)


class Estate(House):
    """A house whose every secret and every recipient is a canary, entered by the doors of the functions alone."""

    def __init__(
        self,
        outside: Outside,
        reply: Callable[[HttpRequest], HttpResponse | NoResponse],
        *,
        telemetry: type[BothTelemetries] = BothTelemetries,
    ) -> None:
        self.outside = outside
        self._telemetries = telemetry
        self.is_secret_down = False
        super().__init__(reply, settings=SETTINGS)
        self.secret.secret = SECRET
        self.secret.current = self._current_secret  # type: ignore[method-assign]
        self.secret.fingerprint_key = lambda: value("fingerprint key").encode()  # type: ignore[method-assign]
        self._keys = repeat(value("our key"))  # type: ignore[assignment]
        self.apps = {
            function: self._app(function) for function in ("send", "webhook", "follow_up", "monitor", "publish")
        }
        self.directory.record_conversation(
            Conversation(room_id=CONVERSATION, number=value("Indonesian number"), last_inbound_at=START)
        )
        long_ago = START.replace(year=2025)
        self.directory.record_conversation(
            Conversation(room_id=CLOSED_ROOM, number=value("Indonesian number"), last_inbound_at=long_ago)
        )
        self.directory.set_opt_out(value("Bangladeshi number"), is_out=True, at=START)

    @property
    def telemetry(self) -> Any:
        return self._telemetry

    @telemetry.setter
    def telemetry(self, recording: RecordingTelemetry) -> None:
        """Put the real telemetry beside the one that a house brings."""
        self._telemetry = self._telemetries(recording)

    def invoke(self, function: str, event: Any) -> Any:
        try:
            answer = self.apps[function].handler(event, Context())
        except Exception as error:
            self.outside.note_exception(f"exception that left {function}", error)
            return None
        self.outside.wake_up(f"answer of {function}", json.dumps(answer))
        return answer

    def send_all(self, bodies: Iterable[str]) -> None:
        records = [{"messageId": f"r-{number}", "body": body} for number, body in enumerate(bodies)]
        self.invoke("send", {"Records": records})

    def resume_all(self) -> None:
        bodies, self.queue.wake_ups = self.queue.bodies(), []
        for body in bodies:
            self.outside.wake_up("queue", body)
        self.send_all(bodies)

    def tell(self) -> None:
        """Note what was written, queued, published and logged."""
        self._publish()
        wake_up = self.outside.wake_up
        self.tell_tables()
        for body in self.queue.bodies():
            wake_up("queue", body)
        for event in self.bus.events:
            place = "event Message Received" if event.detail_type == "Message Received" else "event"
            wake_up(place, json.dumps(event.detail, ensure_ascii=False))
        for request in self.transport.requests:
            vendor = urlsplit(request.url).path.split("/")[1]
            wake_up(f"address at {vendor}", request.url)
            wake_up(f"headers to {vendor}", str(dict(request.headers)))
            wake_up(f"body to {vendor}", request.body.decode("utf-8", "backslashreplace"))
        wake_up("log", self.telemetry.output.getvalue())
        wake_up("telemetry", repr(self.telemetry.recording))

    def tell_tables(self) -> None:
        wake_up = self.outside.wake_up
        for message in self.store.messages.values():
            state = "final" if message.status.is_final else "not final"
            wake_up(f"message that is {state}, in its table", json.dumps(to_item(message), ensure_ascii=False))
        for correlation in self.store.buffered.values():
            wake_up("meeting", json.dumps([to_report_attribute(report) for report in correlation.reports]))

    def _publish(self) -> None:
        writes = [w for commit in self.store.commits for w in commit if isinstance(w, Insert | Replace)]
        images = [
            {"NewImage": to_item(w.message), **({"OldImage": to_item(w.before)} if isinstance(w, Replace) else {})}
            for w in writes
        ]
        images += [{"NewImage": to_inbox_item(key, *kept)} for key, kept in self.inbox.kept.items()]
        self.invoke("publish", {"Records": [{"dynamodb": image} for image in images]})

    def _current_secret(self) -> Secret:
        if self.is_secret_down:
            raise UnavailableError("secret: down")
        return SECRET

    def _app(self, function: str) -> ModuleType:
        """Return a door of its own, opened to this house."""
        spec = importlib.util.spec_from_file_location(f"canary_{function}", ROOT / "functions" / function / "app.py")
        assert spec is not None
        assert spec.loader is not None
        app = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(app)
        app.telemetry = lambda: self.telemetry.real  # type: ignore[attr-defined]
        app.send_service = self.new_sender  # type: ignore[attr-defined]  # a cold start each time: no open circuit
        app.webhook_service = lambda: self.receiver  # type: ignore[attr-defined]
        app.follow_up_service = lambda: self.follower  # type: ignore[attr-defined]
        app.monitor_service = lambda: self.monitor  # type: ignore[attr-defined]
        app.event_bus = lambda: self.bus  # type: ignore[attr-defined]
        return app


# --- requests -------------------------------------------------------------------------------------------------------

_TEMPLATE: Final = {
    "type": "template",
    "template_id": DOCUMENT,
    "parameters": {
        "header": {"format": "DOCUMENT", "params": [{"key": "url", "value": value("header url")}]},
        "body": [value("template value"), "ok"],
        "buttons": [{"index": "0", "type": "url", "value": value("button value")}],
    },
    "recipient_name": value("recipient name"),
}
_FALLBACK: Final = {"template_id": APPROVED, "parameters": [value("fallback value")]}
_OFFICIAL: Final = {"channel": "whatsapp_official"}
_FILE: Final = {"media_base64": b64encode(value("file").encode()).decode()}
_KHMER_SMS: Final = {"type": "text", "text": value("Khmer text")}


def _text(name: str) -> dict[str, str]:
    return {"type": "text", "text": value(name)}


def _media(**fields: str) -> dict[str, str]:
    return {"type": "media", "caption": value("caption"), **fields}


REQUESTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "otp": {
        "recipient": value("Cambodian number"),
        "content": {"type": "text", "text": f"Kode: {value('one-time password')}"},
        "category": "otp",
    },
    "khmer": {"recipient": value("Cambodian number"), "content": _KHMER_SMS, "on_unknown": "resend"},
    "smsnoc": {"recipient": value("Bangladeshi number"), "content": _text("text")},
    "opted-out": {
        "recipient": value("Bangladeshi number"),
        "content": _text("promotional text"),
        "category": "promotional",
    },
    "campaign": {"provider": "smsnoc", "audience": {"lists": ["6415907d0d37a"]}, "content": _text("text")},
    "smspoh": {"recipient": value("Burmese number"), "content": _text("text")},
    "bulk-1": {
        "recipient": value("Burmese number"),
        "content": _text("promotional text"),
        "category": "promotional",
    },
    "bulk-2": {
        "recipient": value("second Burmese number"),
        "content": _text("promotional text"),
        "category": "promotional",
    },
    "encrypted": {
        "recipient": value("Burmese number"),
        "content": _text("text"),
        "provider_options": {"smspoh": {"encrypt": True}},
    },
    "encrypted-own-key": {
        "recipient": value("Burmese number"),
        "content": _text("text"),
        "provider_options": {"smspoh": {"encrypt": True, "encryptKey": value("caller's key")}},
    },
    "nusasms": {"recipient": value("Indonesian number"), "content": _text("text")},
    "group": {"provider": "nusasms", "audience": {"lists": ["VIP"]}, "content": _text("text")},
    "whatsapp": {"channel": "whatsapp", "recipient": value("Indonesian number"), "content": _KHMER_SMS},
    "whatsapp-url": {
        "channel": "whatsapp",
        "recipient": value("Indonesian number"),
        "content": _media(media_url=value("media url")),
    },
    "whatsapp-file": {
        "channel": "whatsapp",
        "recipient": value("Indonesian number"),
        "content": _media(**_FILE, file_name=value("file name")),
    },
    "template": {**_OFFICIAL, "recipient": value("Indonesian number"), "content": _TEMPLATE},
    "reply": {**_OFFICIAL, "room_id": CONVERSATION, "content": _text("reply")},
    "reply-url": {**_OFFICIAL, "room_id": CONVERSATION, "content": _media(media_url=value("media url"))},
    "reply-file": {**_OFFICIAL, "room_id": CONVERSATION, "content": _media(**_FILE, file_name=value("file name"))},
    "closed": {**_OFFICIAL, "room_id": CLOSED_ROOM, "content": _text("reply")},
    "closed-fallback": {
        **_OFFICIAL,
        "room_id": CLOSED_ROOM,
        "content": _text("reply"),
        "provider_options": {"nusasms": {"template": _FALLBACK}},
    },
    "scheduled": {
        "recipient": value("Cambodian number"),
        "content": _text("text"),
        "send_at": "2026-11-21T10:01:00Z",
    },
    "canceled": {
        "recipient": value("Cambodian number"),
        "content": _text("text"),
        "send_at": "2026-11-22T10:00:00Z",
    },
    "expired": {
        "recipient": value("Cambodian number"),
        "content": _text("text"),
        "expires_at": "2026-11-21T09:00:00Z",
    },
    "expires": {
        "recipient": value("Cambodian number"),
        "content": _text("text"),
        "expires_at": "2026-11-21T10:00:02Z",
    },
    "failover": {"recipient": "+66" + value("Cambodian number")[4:], "content": _text("text")},
    "too-long": {"recipient": value("Cambodian number"), "content": {"type": "text", "text": value("text") * 100}},
}

_BAD: Final = value("misplaced")
_NUMBER: Final = value("Cambodian number")
_GOOD: Final = {"recipient": _NUMBER, "content": _text("text")}
INVALID: Final[tuple[Mapping[str, Any], ...]] = (
    {**_GOOD, "recipient": f"{_NUMBER},{value('Burmese number')}"},
    {**_GOOD, "recipient": f"{_NUMBER}\n"},
    {**_GOOD, "recipient": [_NUMBER]},
    {**_GOOD, "channel": _BAD},
    {**_GOOD, "category": _BAD},
    {**_GOOD, "provider": _BAD},
    {**_GOOD, "provider_options": {_BAD: {}}},
    {**_GOOD, "provider_options": {"nomsa": {_BAD: _BAD}}},
    {**_GOOD, "provider_options": {"smspoh": {"encryptKey": value("caller's key")}}},
    {**_GOOD, "provider": "smspoh", "provider_options": {"smspoh": {"encryptKey": value("caller's key")}}},
    {**_GOOD, "provider": "smspoh", "provider_options": {"smspoh": {"encrypt": value("caller's key")}}},
    {**_GOOD, "sender": f"{_BAD}\u0000"},
    {**_GOOD, "send_at": _BAD},
    {**_GOOD, "expires_at": _BAD},
    {**_GOOD, "on_unknown": _BAD},
    {**_GOOD, _BAD: _BAD},
    {**_GOOD, _NUMBER: _NUMBER},
    {**_GOOD, "metadata": {_BAD: 1}},
    {**_GOOD, "content": {"type": _BAD, "text": _BAD}},
    {**_GOOD, "content": {"type": "text", "text": value("text"), value("reply"): _BAD}},
    {**_GOOD, "content": _media(media_url=value("media url").replace("https", "http"))},
    {**_GOOD, "content": _media(media_base64=value("file"), file_name=value("file name"))},
    {**_GOOD, "content": {**_TEMPLATE, "parameters": {value("template value"): value("template value")}}},
    {**_GOOD, "audience": {"lists": [_BAD]}},
    {**_GOOD, "message_id": f" {_BAD}"},
    {"cancel": _BAD},
    {"opt_out": f"{_NUMBER} "},
    {"opt_in": _BAD},
    {"resume": _BAD, "attempt": 1},
)


def request_bodies() -> list[str]:
    good = [json.dumps({"message_id": name, **document}) for name, document in REQUESTS.items()]
    conflict = json.dumps({"message_id": "otp", **_GOOD})
    bad = [json.dumps({"message_id": f"bad-{n}", **document}) for n, document in enumerate(INVALID)]
    unreadable = [
        f"{{{_BAD}",
        json.dumps([_BAD, _NUMBER]),
        json.dumps(_BAD),
        f'{{"text": "\ud800 {_BAD}"}}',
        "[" * 9999,
    ]
    consents = [json.dumps({consent: value("Burmese number")}) for consent in ("opt_out", "opt_in")]
    return [*good, conflict, *bad, *unreadable, *consents, json.dumps({"cancel": "canceled"})]


# --- the vendors ----------------------------------------------------------------------------------------------------


class Honest:
    """The vendors as they should be. One of them chooses an encryption key of its own."""

    def __init__(self) -> None:
        self._vendors = Vendors(ADDRESS)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        headers = {name.lower(): said for name, said in request.headers.items()}
        if "apikey" in headers:
            headers["apikey"] = CREDENTIALS["nusasms"]["api_key"]
        path = urlsplit(request.url).path
        status, document = self._vendors.answer(
            Asked(method=request.method, path=path, headers=headers, body=request.body)
        )
        body = json.dumps(document)
        return HttpResponse(status=status, body=body.replace(value("our key"), value("vendor's key")).encode())


def _echo(request: HttpRequest) -> str:
    """Return all that a vendor knows of us: the request, whole."""
    return f"{request.url} {dict(request.headers)} {request.body.decode('utf-8', 'replace')}"


def _echoing(http_status: int, /, **more: Any) -> Callable[[HttpRequest], HttpResponse]:
    def reply(request: HttpRequest) -> HttpResponse:
        said = _echo(request)
        row = {name: said for name in ("message", "body", "to", "recipient", "status", "destination", "error_code")}
        document = {
            "error": True,
            "code": said,
            "name": said,
            "detail": [{"loc": ["body", said], "msg": said, "type": said}],
            "messages": [row],
            "results": [{"status": said, "destination": said}],
            "data": {**row, "data": [row]},
            "balance": said,
            **row,
            **more,
        }
        headers = {"location": f"https://elsewhere.example.org/{quote(said)}", "set-cookie": said, "retry-after": said}
        return HttpResponse(status=http_status, headers=headers, body=json.dumps(document).encode())

    return reply


def _saying(status: int, shape: str) -> Callable[[HttpRequest], HttpResponse]:
    return lambda request: HttpResponse(status=status, body=(shape % _echo(request)).encode("utf-8", "replace"))


FAULTS: Final[Mapping[str, Callable[[HttpRequest], HttpResponse | NoResponse]]] = {
    **{f"HTTP {status}": _echoing(status) for status in (200, 302, 400, 401, 404)},
    **{f"HTTP {status}": _echoing(status) for status in (422, 429, 500)},
    "an error in a success": _echoing(200, status="error"),
    "a success without an id": _echoing(200, status="success", error=False),
    "an error word": _echoing(400, status="error", code="rate_limit"),
    "HTML": _saying(200, "<html>%s</html>"),
    "XML": _saying(200, "<results><result><status>-1</status><destination>%s</destination></result></results>"),
    "a document type": _saying(
        200, '<!DOCTYPE r [<!ENTITY e "%s">]><results><result><status>&e;</status></result></results>'
    ),
    "half a document": _saying(200, '{"data": "%s'),
    "a text": lambda request: HttpResponse(status=200, body=json.dumps(_echo(request)).encode()),
    "a list": lambda request: HttpResponse(status=200, body=json.dumps([_echo(request)]).encode()),
    "no UTF-8": lambda request: HttpResponse(status=200, body=b"\xff" + request.body),
    "nothing": lambda request: HttpResponse(status=200),
    "brackets": lambda request: HttpResponse(status=200, body=b"[" * 60_000),
    "a time-out": lambda request: NoResponse(may_have_been_sent=True, why="timed out"),
    "no connection": lambda request: NoResponse(may_have_been_sent=False, why="refused"),
}


# --- callbacks ------------------------------------------------------------------------------------------------------


def callback(
    provider: str,
    kind: str,
    *,
    token: str | None = None,
    query: str = "",
    body: str = "",
    media_type: str = "",
) -> dict[str, Any]:
    token = value(f"first {provider} token") if token is None else token
    path = f"/webhooks/{quote(provider)}/{quote(kind)}/{quote(token)}"
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"content-type": media_type or "application/x-www-form-urlencoded", "user-agent": "vendor"},
        "requestContext": {"http": {"method": "POST" if body else "GET", "path": path}},
        "pathParameters": {"provider": provider, "kind": kind, "token": token},
        "body": body,
        "isBase64Encoded": False,
    }


_TEXT: Final = value("inbound text")
_SENDER: Final = value("inbound number")
_THEIRS: Final = {"message": value("text"), "to": value("Burmese number"), "note": value("second smspoh token")}
_FORM: Final = urlencode({"id": "1", "originator": _SENDER[1:], "msg": _TEXT, "gateway_number": "62001"})
_INBOX: Final = {
    "room_id": CONVERSATION,
    "ref_no": "i-1",
    "text": _TEXT,
    "sender_number": _SENDER[1:],
    "inbox_date": _TEXT,
}
_JSON: Final = "application/json"


def callbacks() -> list[dict[str, Any]]:
    """Return good callbacks of every kind."""
    receipt = {"messageId": "smspoh-1", "status": "Delivered", "updatedAt": _TEXT, **_THEIRS}
    report = urlencode(
        {
            "ref_no": "nusasms-1",
            "status": "F",
            "sent_date": _TEXT,
            "err_code": value("Indonesian number")[1:],
            **_THEIRS,
        }
    )
    return [
        callback("smspoh", "receipt", query=urlencode(receipt)),
        callback("smspoh", "receipt", body=urlencode({**receipt, "clientReference": "smspoh"})),
        callback("smspoh", "receipt", body=json.dumps({**receipt, "status": "Redirected"}), media_type=_JSON),
        callback("nusasms", "sms-receipt", query=report),
        callback(
            "nusasms",
            "whatsapp-receipt",
            query=report.replace("nusasms-1", "nusasms-9"),
            token=value("second nusasms token"),
        ),
        callback("nusasms", "sms-inbox", body=_FORM),
        callback("nusasms", "sms-inbox", body=_FORM.replace("id=1&", "")),
        callback("nusasms", "whatsapp-inbox", body=_FORM),
        callback("nusasms", "sms-inbox", body=urlencode({"originator": _SENDER[1:], "msg": "STOP"})),
        callback("nusasms", "whatsapp-official-inbox", body=json.dumps(_INBOX), media_type=_JSON),
        callback(
            "nusasms",
            "whatsapp-official-receipt",
            body=json.dumps({"ref_no": "nusasms-1", "status": "failed", "status_date": _TEXT, **_THEIRS}),
            media_type=_JSON,
        ),
    ]


def astray_callbacks() -> list[dict[str, Any]]:
    """Return callbacks that no door is meant for."""
    receipt = urlencode({"messageId": "smspoh-1", "status": "Delivered", **_THEIRS})
    return [
        callback("smspoh", "receipt", token=value("wrong token"), query=receipt),
        callback("smspoh", "receipt", token="", query=receipt),
        callback("nusasms", "sms-receipt", token=value("first smspoh token"), query=receipt),
        callback("smspoh", "receipt", token=value("first token"), query=receipt),
        callback(value("first smspoh token"), "receipt", token="smspoh"),
        callback("smspoh", value("first smspoh token"), token="receipt"),
        callback(value("first smspoh token"), "receipt", token=value("second smspoh token")),
        {**callback("nusasms", "sms-inbox", body=f"{_TEXT} no base64"), "isBase64Encoded": True},
    ]


def malformed_callbacks() -> list[dict[str, Any]]:
    kinds = ("sms-receipt", "whatsapp-receipt", "sms-inbox", "whatsapp-inbox", "whatsapp-official-inbox")
    bodies = [
        f"{_FORM}&msg={value('text')}",
        f"{_FORM}&x=%00{_TEXT}",
        f"{_FORM}&x=%ff{_TEXT}",
        f'{{"msg": "{_TEXT}", "originator": "{_SENDER}"',
        json.dumps({"msg": {"text": _TEXT}, "originator": [_SENDER]}),
        json.dumps([_TEXT, _SENDER]),
        f'{{"msg": "{_TEXT}", "msg": "{_SENDER}"}}',
        f"msg={_TEXT * 3000}",
        "&".join(f"{_SENDER}{n}={_TEXT}" for n in range(60)),
        "[" * 60_000,
    ]
    places = [("nusasms", kind) for kind in kinds] + [("smspoh", "receipt")]
    return [
        callback(*place, body=body, media_type=_JSON if body[0] in "{[" else "") for place in places for body in bodies
    ] + [callback("nusasms", "sms-inbox", query=body) for body in bodies]


# --- drives ---------------------------------------------------------------------------------------------------------


STEPS: Final = (70, 400, 3600, 300_000)
"""Seconds between two looks at what is due: past the lease, all retries, and the horizon in the end."""


def live(estate: Estate) -> None:
    """Send every kind of message, and look after it until its end and at the accounts."""
    estate.send_all(request_bodies())
    estate.tell_tables()
    for seconds in STEPS:
        estate.clock.advance(seconds=seconds)
        estate.resume_all()
        estate.invoke("follow_up", {})
    estate.invoke("monitor", {})


def suffer(estate: Estate, stop: Callable[[bool], None]) -> None:
    """Do everything once while something is out of order, and then after it is in order again.

    `stop` is called with whether it is out of order.
    """
    estate.send_all(request_bodies()[: len(REQUESTS) // 2])
    for is_stopped in (True, False):
        stop(is_stopped)
        estate.send_all(request_bodies())
        for event in [*callbacks(), *astray_callbacks()]:
            estate.invoke("webhook", event)
        estate.clock.advance(seconds=100)
        estate.resume_all()
        estate.invoke("follow_up", {})
        estate.invoke("monitor", {})
