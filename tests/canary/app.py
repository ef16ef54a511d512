"""The application behind its real handlers, with canaries as secrets and recipients, and the runs of the tests."""

import importlib.util
import json
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from io import StringIO
from itertools import count, repeat
from types import ModuleType
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from sampai.adapters.attempts import to_attempt_item
from sampai.adapters.inbox import to_inbox_item
from sampai.adapters.invocations import LambdaStarter
from sampai.adapters.items import to_item, to_report_attribute
from sampai.adapters.telemetry import PowertoolsTelemetry
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.inbound import Conversation
from sampai.services.follow_up.workers import Workers
from sampai.services.ports.configuration import Secret
from sampai.services.ports.messages import Insert, Replace
from sampai.services.ports.runtime import UnavailableError
from sampai.services.ports.transport import NoResponse
from tests.canary.canaries import value
from tests.canary.outputs import Outputs
from tests.fakes import START, RecordingTelemetry
from tests.functional.sandbox import Context
from tests.harness.application import Application
from tests.harness.vendors import APPROVED, CHANNEL, CREDENTIALS, DOCUMENT, FakeVendors, base_urls, deliver
from tests.template import ROOT

ADDRESS: Final = "https://vendors.example.org"
CONVERSATION: Final = "a4c1e7b2-5d0f-4c3a-9b8e-1f2d3c4b5a69"
CLOSED_ROOM: Final = "a4c1e7b2-5d0f-4c3a-9b8e-1f2d3c4b5a70"
SECRET: Final = Secret(
    webhook_tokens=(value("first token"), value("second token")),
    callback_keys=(value("callback key").encode(),),
    credentials={vendor: {name: value(f"{vendor} {name}") for name in names} for vendor, names in CREDENTIALS.items()},
)
URLS: Final = base_urls(ADDRESS)
SETTINGS: Final = {
    "routes": {"sms": {"TH": ["nomsa", "smspoh"]}},
    "providers": {
        "nomsa": {"base_url": URLS["nomsa"]},
        "smsnoc": {"base_url": URLS["smsnoc"], "sender": "SampaiBD"},
        "smspoh": {"base_url": URLS["smspoh"], "sender": "Sampai"},
        "nusasms": {"base_url": URLS["nusasms"], "senders": {"whatsapp_official": CHANNEL}},
    },
}

_numbers = count(1)


# --- telemetry, application -----------------------------------------------------------------------------------------


class TeeTelemetry:
    """Writes to the recording telemetry and the real one."""

    def __init__(self, recording: RecordingTelemetry) -> None:
        self.recording = recording
        self.output = StringIO()
        # Powertools keeps one configured logger for each service name.
        service = f"canary-{next(_numbers)}"
        self.real = PowertoolsTelemetry(service=service, level="DEBUG", namespace="Sampai", stream=self.output)

    def info(self, line: str, /, **fields: Any) -> None:
        self._emit("info", line, fields)

    def warning(self, line: str, /, **fields: Any) -> None:
        self._emit("warning", line, fields)

    def error(self, line: str, /, **fields: Any) -> None:
        self._emit("error", line, fields)

    def count(self, metric: str, **dimensions: Any) -> None:
        self.recording.count(metric, **dimensions)
        self.real.count(metric, **dimensions)

    def observe(self, metric: str, value: float, **dimensions: Any) -> None:
        self.recording.observe(metric, value, **dimensions)
        self.real.observe(metric, value, **dimensions)

    def measure(self, metric: str, value: float, **dimensions: Any) -> None:
        self.recording.measure(metric, value, **dimensions)
        self.real.measure(metric, value, **dimensions)

    def _emit(self, level: str, line: str, fields: Mapping[str, Any]) -> None:
        getattr(self.recording, level)(line, **fields)
        getattr(self.real, level)(line, **fields)


class CanaryApplication(Application):
    """An application with canaries as its secrets and recipients, used only through the handlers of its functions."""

    def __init__(
        self,
        outputs: Outputs,
        reply: Callable[[HttpRequest], HttpResponse | NoResponse],
        *,
        telemetry: type[TeeTelemetry] = TeeTelemetry,
    ) -> None:
        self.outputs = outputs
        self._new_telemetry = telemetry
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
        last_year = START.replace(year=2025)
        self.directory.record_conversation(
            Conversation(room_id=CLOSED_ROOM, number=value("Indonesian number"), last_inbound_at=last_year)
        )
        self.directory.set_opt_out(value("Bangladeshi number"), is_out=True, at=START)

    @property
    def telemetry(self) -> Any:
        return self._telemetry

    @telemetry.setter
    def telemetry(self, recording: RecordingTelemetry) -> None:
        """Combine the telemetry of the base class with the real one."""
        self._telemetry = self._new_telemetry(recording)

    def invoke(self, function: str, event: Any) -> Any:
        try:
            answer = self.apps[function].handler(event, Context())
        except Exception as error:
            self.outputs.record_exception(f"exception that left {function}", error)
            return None
        self.outputs.record(f"answer of {function}", json.dumps(answer))
        return answer

    def send_all(self, bodies: Iterable[str]) -> None:
        records = [{"messageId": f"r-{number}", "body": body} for number, body in enumerate(bodies)]
        self.invoke("send", {"Records": records})

    def resume_all(self) -> None:
        bodies, self.queue.wake_ups = self.queue.bodies(), []
        for body in bodies:
            self.outputs.record("queue", body)
        self.send_all(bodies)

    def record_outputs(self) -> None:
        """Record everything that was stored, queued, published, sent and logged."""
        self._publish()
        record = self.outputs.record
        self.record_tables()
        for body in self.queue.bodies():
            record("queue", body)
        for event in self.bus.events:
            place = "event Message Received" if event.detail_type == "Message Received" else "event"
            record(place, json.dumps(event.detail, ensure_ascii=False))
        for request in self.transport.requests:
            vendor = urlsplit(request.url).path.split("/")[1]
            record(f"URL at {vendor}", request.url)
            record(f"headers to {vendor}", str(dict(request.headers)))
            record(f"body to {vendor}", request.body.decode("utf-8", "backslashreplace"))
        record("log", self.telemetry.output.getvalue())
        record("telemetry", repr(self.telemetry.recording))

    def record_tables(self) -> None:
        record = self.outputs.record
        for message in self.store.messages.values():
            state = "final" if message.status.is_final else "not final"
            record(f"message that is {state}, in its table", json.dumps(to_item(message), ensure_ascii=False))
            if message.lookup_error is not None:
                record("error of a look-up", message.lookup_error)
        for attempt in self.attempts.records.values():
            record("attempts table", json.dumps(to_attempt_item(attempt, now=START), ensure_ascii=False))
        for correlation in self.store.buffered.values():
            record("correlation", json.dumps([to_report_attribute(report) for report in correlation.reports]))

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
        """Return a new copy of the module of a handler, wired to this application."""
        spec = importlib.util.spec_from_file_location(f"canary_{function}", ROOT / "functions" / function / "app.py")
        assert spec is not None
        assert spec.loader is not None
        app = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(app)
        app.telemetry = lambda: self.telemetry.real  # type: ignore[attr-defined]
        app.send_service = self.new_sender  # type: ignore[attr-defined]  # a cold start each time: no open circuit
        app.webhook_service = lambda: self.receiver  # type: ignore[attr-defined]
        app.follow_up_service = lambda: self.follower  # type: ignore[attr-defined]
        # A single worker starts no other.
        workers = Workers(count=1, starter=LambdaStarter(None, function_name=function), telemetry=self.telemetry)
        app.follow_up_workers = lambda function_name: workers  # type: ignore[attr-defined]
        app.monitor_service = lambda: self.monitor  # type: ignore[attr-defined]
        app.publish_service = lambda: self.publisher  # type: ignore[attr-defined]
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
_EMAIL: Final = {
    "type": "email",
    "subject": value("subject"),
    "body": value("body of an e-mail"),
    "reply_to": value("reply address"),
    "cc": [value("copied address")],
    "bcc": [value("blind copied address")],
    "attachments": [
        {
            "file_name": value("attachment name"),
            "content_base64": b64encode(value("attachment").encode()).decode(),
        }
    ],
}
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
    "email": {"channel": "email", "recipient": value("e-mail address"), "content": _EMAIL},
    "email-late": {
        "channel": "email",
        "recipient": value("e-mail address"),
        "content": _EMAIL,
        "send_at": "2026-11-21T10:01:00Z",
    },
    "email-too-large": {
        "channel": "email",
        "recipient": value("e-mail address"),
        "content": {**_EMAIL, "body": value("body of an e-mail") * 4000},
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
    {**_GOOD, "recipient": value("e-mail address")},
    {**_GOOD, "channel": "email"},
    {"channel": "email", "recipient": value("e-mail address"), "content": {**_EMAIL, "subject": f"{_BAD}\r\nX: y"}},
    {"channel": "email", "recipient": value("e-mail address"), "content": {**_EMAIL, "cc": [f"{_BAD}@x"]}},
    {"channel": "email", "recipient": f"{_BAD} <{value('e-mail address')}>", "content": _EMAIL},
    {"channel": "email", "recipient": value("e-mail address"), "sender": _BAD, "content": _EMAIL},
    {"channel": "email", "recipient": value("e-mail address"), "content": {**_EMAIL, "attachments": [_BAD]}},
    {"channel": "email", "recipient": value("e-mail address"), "content": _text("text")},
    {"opt_out": f"{value('e-mail address')},"},
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


class WorkingVendors:
    """Vendors without faults. SMSPoh chooses an encryption key of its own."""

    def __init__(self) -> None:
        self._vendors = FakeVendors(on_taken=deliver)

    def __call__(self, request: HttpRequest) -> HttpResponse | NoResponse:
        answer = self._vendors(request)
        if isinstance(answer, NoResponse):
            return answer
        ours, vendor_key = (value(name).encode() for name in ("our key", "vendor's key"))
        return replace(answer, body=answer.body.replace(ours, vendor_key))


def _echo(request: HttpRequest) -> str:
    """Return the whole request as text."""
    return f"{request.url} {dict(request.headers)} {request.body.decode('utf-8', 'replace')}"


def _answer_with_echo(http_status: int, /, **more: Any) -> Callable[[HttpRequest], HttpResponse]:
    def reply(request: HttpRequest) -> HttpResponse:
        echo = _echo(request)
        row = {name: echo for name in ("message", "body", "to", "recipient", "status", "destination", "error_code")}
        document = {
            "error": True,
            "code": echo,
            "name": echo,
            "detail": [{"loc": ["body", echo], "msg": echo, "type": echo}],
            "messages": [row],
            "results": [{"status": echo, "destination": echo}],
            "data": {**row, "data": [row]},
            "balance": echo,
            **row,
            **more,
        }
        headers = {"location": f"https://elsewhere.example.org/{quote(echo)}", "set-cookie": echo, "retry-after": echo}
        return HttpResponse(status=http_status, headers=headers, body=json.dumps(document).encode())

    return reply


def _answer_with(status: int, shape: str) -> Callable[[HttpRequest], HttpResponse]:
    return lambda request: HttpResponse(status=status, body=(shape % _echo(request)).encode("utf-8", "replace"))


FAULTS: Final[Mapping[str, Callable[[HttpRequest], HttpResponse | NoResponse]]] = {
    **{f"HTTP {status}": _answer_with_echo(status) for status in (200, 302, 400, 401, 404)},
    **{f"HTTP {status}": _answer_with_echo(status) for status in (422, 429, 500)},
    "an error in a success": _answer_with_echo(200, status="error"),
    "a success without an id": _answer_with_echo(200, status="success", error=False),
    "an error word": _answer_with_echo(400, status="error", code="rate_limit"),
    "HTML": _answer_with(200, "<html>%s</html>"),
    "XML": _answer_with(200, "<results><result><status>-1</status><destination>%s</destination></result></results>"),
    "a document type": _answer_with(
        200, '<!DOCTYPE r [<!ENTITY e "%s">]><results><result><status>&e;</status></result></results>'
    ),
    "half a document": _answer_with(200, '{"data": "%s'),
    "a text": lambda request: HttpResponse(status=200, body=json.dumps(_echo(request)).encode()),
    "a list": lambda request: HttpResponse(status=200, body=json.dumps([_echo(request)]).encode()),
    "no UTF-8": lambda request: HttpResponse(status=200, body=b"\xff" + request.body),
    "nothing": lambda request: HttpResponse(status=200),
    "brackets": lambda request: HttpResponse(status=200, body=b"[" * 60_000),
    "a time-out": lambda request: NoResponse(may_have_been_sent=True, why="timed out"),
    "no connection": lambda request: NoResponse(may_have_been_sent=False, why="refused"),
}


# --- webhooks ------------------------------------------------------------------------------------------------------


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
    """Return valid webhook requests of every kind."""
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
    """Return webhook requests with a wrong token, provider or kind."""
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


def odd_callbacks() -> list[dict[str, Any]]:
    """Return webhook requests that are malformed, or that are read although parts of them are broken."""
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


# --- runs ---------------------------------------------------------------------------------------------------------


ADVANCE_SECONDS: Final = (70, 400, 3600, 300_000)
"""Seconds between two follow-up runs: beyond the lease, all retries and, at the end, the horizon."""


def run_lifecycle(application: CanaryApplication) -> None:
    """Send every kind of message, run follow-ups until all are final, and check the accounts."""
    application.send_all(request_bodies())
    application.record_tables()
    for seconds in ADVANCE_SECONDS:
        application.clock.advance(seconds=seconds)
        application.resume_all()
        application.invoke("follow_up", {})
    application.invoke("monitor", {})


def run_with_outage(application: CanaryApplication, set_outage: Callable[[bool], None]) -> None:
    """Run all functions once during an outage, and once after it.

    `stop` starts and ends the outage.
    """
    application.send_all(request_bodies()[: len(REQUESTS) // 2])
    for is_down in (True, False):
        set_outage(is_down)
        application.send_all(request_bodies())
        for event in [*callbacks(), *astray_callbacks()]:
            application.invoke("webhook", event)
        application.clock.advance(seconds=100)
        application.resume_all()
        application.invoke("follow_up", {})
        application.invoke("monitor", {})
