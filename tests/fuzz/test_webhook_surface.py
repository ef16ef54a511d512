"""Webhook requests of every shape: rows W2, W6, W8, W9 and Q4 of the failure model, I3, I11 and I12."""

import base64
import importlib.util
import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from typing import Any, Final, NamedTuple
from urllib.parse import quote_plus, unquote_to_bytes

import pytest

from sampai.contract.events import Event
from sampai.domain.inbound import Conversation, Inbound
from sampai.domain.message import Channel, Message
from sampai.domain.status import Source, Status
from sampai.providers.nusasms.official import STATUSES as OFFICIAL_STATUSES
from sampai.providers.nusasms.sms import STATUSES as SMS_STATUSES
from sampai.providers.nusasms.whatsapp import STATUSES as WHATSAPP_STATUSES
from sampai.providers.registry import PROVIDERS
from sampai.providers.smspoh import STATUSES as SMSPOH_STATUSES
from sampai.services.ports.correlations import Correlation, correlation_key
from sampai.services.ports.queue import QueueMessage
from tests.covers import covers
from tests.fakes import START, RecordingTelemetry
from tests.fuzz.explore import POISON, CheckResult, explore
from tests.harness.application import SECRET, Application, request, token_of
from tests.harness.table_store import TableStore
from tests.harness.vendors import FakeVendors
from tests.template import ROOT

CASES: Final = 5_000
"""Number of cases in the tests. `python -m tests.fuzz` takes a number."""

# --- the application ------------------------------------------------------------------------------------------------

CONVERSATION: Final = "0b6f1c1e-9a52-4a7f-8f0d-2f6f5f3d9c01"
NUMBER: Final = "6281234567810"


def _new_store() -> TableStore:
    return TableStore(clock=lambda: START, telemetry=RecordingTelemetry())


@cache
def shared_application() -> Application:
    """Return an application with messages in every status, at vendors with and without receipts."""
    vendors = FakeVendors(clock=lambda: START)
    app = Application(vendors, store=_new_store())
    app.directory.conversations[CONVERSATION] = Conversation(
        room_id=CONVERSATION, number=f"+{NUMBER}", last_inbound_at=START
    )
    for message_id, word in {"p-accepted": None, "p-sent": "Sent", "p-arrived": "Success", "p-dead": "Expired"}.items():
        app.send(request(message_id, home="smspoh"))
        if word is not None:
            app.receive(query=f"messageId={app.message(message_id).provider_message_id}&status={word}")
    for message_id, mood in {"p-lost": "swallows the request", "p-waits": "throttles", "p-no": "refuses"}.items():
        vendors.moods = {"smspoh": mood}
        app.send(request(message_id, home="smspoh"))
    vendors.moods = {}
    app.send(request("p-later", home="smspoh", send_at="2026-11-22T10:00:00Z"), '{"cancel": "p-never"}')
    app.send(request("n-accepted", home="nomsa"), request("s-accepted", home="nusasms"))
    app.send(request("w-accepted", home="nusasms", channel="whatsapp"))
    app.send(request("o-accepted", recipient=None, room_id=CONVERSATION, channel="whatsapp_official"))
    app.receive(query="messageId=V-early&status=Sent")
    return app


class State(NamedTuple):
    """Everything that a webhook request could change."""

    messages: dict[str, Message]
    buffered: dict[str, Correlation]
    kept: dict[str, tuple[Inbound, Any]]
    consents: dict[str, tuple[Any, bool]]
    conversations: dict[str, Conversation]
    catalogues: dict[str, Any]
    files: dict[str, bytes]
    keys: dict[str, str]
    wake_ups: list[QueueMessage]
    rejected: list[Event]
    calls: int


def state_of(app: Application) -> State:
    return State(
        messages=dict(app.store.messages),
        buffered=dict(app.store.buffered),
        kept=dict(app.inbox.kept),
        consents=dict(app.directory.consents),
        conversations=dict(app.directory.conversations),
        catalogues=dict(app.directory.catalogues),
        files=dict(app.media.files),
        keys=dict(app.encryption_keys.keys),
        wake_ups=list(app.queue.wake_ups),
        rejected=list(app.bus.events),
        calls=len(app.transport.requests),
    )


def restore(app: Application, state: State) -> None:
    assert isinstance(app.store, TableStore)
    app.store.copy_from(initial_items())
    app.inbox.kept = dict(state.kept)
    app.directory.consents, app.directory.conversations = dict(state.consents), dict(state.conversations)
    app.telemetry.lines = []


@cache
def initial_items() -> TableStore:
    """Return a copy of the store of the shared application as it was in the beginning."""
    store, shared = _new_store(), shared_application().store
    assert isinstance(shared, TableStore)
    store.copy_from(shared)
    return store


@cache
def initial_state() -> State:
    return state_of(shared_application())


@cache
def load_handler() -> Callable[[Any, Any], dict[str, Any]]:
    """Return the handler of functions/webhook/app.py, wired to the shared application."""
    spec = importlib.util.spec_from_file_location("webhook_app", ROOT / "functions" / "webhook" / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.webhook_service = lambda: shared_application().receiver  # type: ignore[attr-defined]
    module.telemetry = lambda: _Logs()  # type: ignore[attr-defined]
    handler: Callable[[Any, Any], dict[str, Any]] = module.handler
    return handler


class _Logs:
    def invocation(self, context: object) -> nullcontext[None]:
        return nullcontext()


# --- requests -------------------------------------------------------------------------------------------------------

ID, REFERENCE = "\u2988id\u2988", "\u2988reference\u2988"
"""Placeholders in fields for the ids of an existing or an unknown message."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A value as encoded in a form and in JSON."""

    form: str
    json: str


Value = str | Encoded
Pairs = tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """The fields of one kind of webhook request, and the statuses of its status words."""

    fields: Mapping[str, tuple[str, ...]]
    words: Mapping[str, Status]
    is_inbound: bool = False

    def status_of(self, word: str) -> Status | None:
        return {known.casefold(): status for known, status in self.words.items()}.get(word.casefold())


DATES: Final = (
    "2026-11-21 16:30:00",
    "2026-11-21T10:00:00Z",
    "updatedAt=2024-12-23 00:02:00",
    "",
    "0000-00-00 00:00:00",
    "0001-01-01 00:00:00",
    "9999-12-31T23:59:59-23:59",
    "2026-02-30",
    "1795255200",
    "yesterday",
)
INBOUND_TEXTS: Final = (
    "STOP",
    " stop! ",
    "START",
    "berhenti",
    "Halo 😀\n",
    "",
    "<b>&amp;</b>",
    "' OR 1=1 --",
    "x" * 2_000,
)
UNKNOWN_STATUSES: Final = ("?", "Levitating", "DELIVRD", "0", "-1", "ส่งแล้ว", "D D", "x" * 64)


def _status_values(known: Mapping[str, Status]) -> tuple[str, ...]:
    return (*known, *(word.lower() for word in known), *(word.upper() for word in known), *UNKNOWN_STATUSES)


def _receipt(words: Mapping[str, Status]) -> Kind:
    fields = {
        "ref_no": (ID,),
        "status": _status_values(words),
        "sent_date": DATES,
        "err_code": ("", "000", "69", "x" * 40),
    }
    return Kind(fields=fields, words=words)


_INBOX: Final = Kind(
    fields={
        "id": (ID, "0017"),
        "originator": (NUMBER, "081234567810", "+6281", "3456", "TELKOMSEL"),
        "gateway_number": ("6281000", ""),
        "receive_date": DATES,
        "msg": INBOUND_TEXTS,
    },
    words={},
    is_inbound=True,
)
KINDS: Final[Mapping[tuple[str, str], Kind]] = {
    ("smspoh", "receipt"): Kind(
        fields={
            "messageId": (ID,),
            "clientReference": (REFERENCE, REFERENCE, ""),
            "status": _status_values(SMSPOH_STATUSES),
            "updatedAt": DATES,
            "finishedAt": DATES,
        },
        words=SMSPOH_STATUSES,
    ),
    ("nusasms", "sms-receipt"): _receipt(SMS_STATUSES),
    ("nusasms", "whatsapp-receipt"): _receipt(WHATSAPP_STATUSES),
    ("nusasms", "whatsapp-official-receipt"): Kind(
        fields={"ref_no": (ID,), "status": _status_values(OFFICIAL_STATUSES), "status_date": DATES},
        words=OFFICIAL_STATUSES,
    ),
    ("nusasms", "sms-inbox"): _INBOX,
    ("nusasms", "whatsapp-inbox"): _INBOX,
    ("nusasms", "whatsapp-official-inbox"): Kind(
        fields={
            "ref_no": (ID, "0017"),
            "sender_number": (NUMBER, "12", "unknown"),
            "room_id": (CONVERSATION, "0b6f1c1e-9a52-4a7f-8f0d-2f6f5f3d9c02"),
            "inbox_date": DATES,
            "text": INBOUND_TEXTS,
        },
        words={},
        is_inbound=True,
    ),
}
UNKNOWN_PATHS: Final = (
    *(("nomsa", "receipt"), ("smsnoc", "receipt"), ("nusasms", "receipt"), ("smspoh", "sms-receipt")),
    *(("acme", "receipt"), ("SMSPOH", "receipt"), ("smspoh", "Receipt"), ("smspoh", ""), ("", ""), ("..", "..")),
    *(("\ud800", "receipt"), ("smspoh\x00", "receipt"), ("__class__", "capabilities")),
)
TOKEN: Final = token_of("smspoh")
WRONG_TOKENS: Final = (
    *("", TOKEN[:-1], TOKEN[:10], f"{TOKEN}x", f" {TOKEN}", f"{TOKEN}\n", f"{TOKEN}\x00", f"{TOKEN},{TOKEN}"),
    *(TOKEN.upper(), TOKEN.replace("a", "%61"), TOKEN.replace("a", "\u0430"), f"{TOKEN}\u200b"),
    "".join(chr(ord(c) + 0xFEE0) for c in TOKEN),  # full-width: the same under NFKC
    *(
        "\ud800",
        "tökén",
        "x" * 10_000,
        "*",
        "null",
        "house",
        "house_v1_nomsa",
        "the-token",
        *SECRET.webhook_tokens,
        token_of("nomsa"),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """A request as API Gateway forwards it."""

    method: str
    query: str
    headers: Mapping[str, str] | None
    body: str | bytes | None
    is_base64: bool = False


def _replace_with(text: Encoded) -> Callable[[str, Value], tuple[tuple[str, Value], ...]]:
    return lambda name, value: ((name, text),)


FIELD_FAULTS: Final[Mapping[str, Callable[[str, Value], Pairs]]] = {
    "missing": lambda name, value: (),
    "empty": lambda name, value: ((name, ""),),
    "blank": lambda name, value: ((name, " \t"),),
    "twice": lambda name, value: ((name, value), (name, value)),
    "contradicting": lambda name, value: ((name, value), (name, "other")),
    "a list": lambda name, value: ((f"{name}[]", value), (name, Encoded("%5B%5D", "[]"))),
    "an object": lambda name, value: ((name, Encoded("%7B%7D", '{"a":1}')),),
    "a number": lambda name, value: ((name, Encoded("17", "17")),),
    "a fraction": lambda name, value: ((name, Encoded("1.5", "1.5")),),
    "true": lambda name, value: ((name, Encoded("true", "true")),),
    "null": lambda name, value: ((name, Encoded("null", "null")),),
    "an upper-case name": lambda name, value: ((name.upper(), value),),
    "a name with NUL": lambda name, value: ((f"{name}\x00", value), (name, value)),
    "with NUL": lambda name, value: ((name, f"{value}\x00"),),
    "with half of a pair": lambda name, value: ((name, f"{value}\ud800"),),
    "with a line break": lambda name, value: ((name, f"{value}\r\nSet-Cookie: a=b"),),
    "with blanks around": lambda name, value: ((name, f" {value} "),),
    "large": lambda name, value: ((name, "y" * 300),),
    "right to left": lambda name, value: ((name, f"\u202e{value}"),),
    "a path": lambda name, value: ((name, "../../etc/passwd"),),
    "overlong UTF-8": lambda name, value: ((name, Encoded("%c0%af", '"\\u002f"')),),
    "a surrogate in UTF-8": lambda name, value: ((name, Encoded("%ed%a0%80", '"\\ud800"')),),
    "not UTF-8": lambda name, value: ((name, Encoded("%ff", '"\\udcff"')),),
    "a broken escape": lambda name, value: ((name, Encoded("%zz%", '"\\x"')),),
    **{
        title: _replace_with(Encoded(quote_plus(text[:6_000]), text))
        for title, text in POISON.items()
        if len(text) <= 100_000
    },
}


def _as_text(body: bytes, *, is_base64: bool) -> tuple[str, bool]:
    """Return the body of an event and whether it is base64, as API Gateway writes them."""
    try:
        return body.decode(), is_base64
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), True


def _with_content_type(content_type: str) -> Callable[[Wire], Wire]:
    return lambda wire: replace(wire, headers={"content-type": content_type})


def _body(make: Callable[[bytes], str | bytes | None], *, is_base64: bool = False) -> Callable[[Wire], Wire]:
    def change(wire: Wire) -> Wire:
        body = wire.body.encode("utf-8", "surrogatepass") if isinstance(wire.body, str) else wire.body or b""
        return replace(wire, body=make(body), is_base64=is_base64)

    return change


def _query(make: Callable[[str], str]) -> Callable[[Wire], Wire]:
    return lambda wire: replace(wire, query=make(wire.query))


WIRE_FAULTS: Final[Mapping[str, Callable[[Wire], Wire]]] = {
    "no headers": lambda wire: replace(wire, headers=None),
    "header names in capitals": lambda wire: replace(
        wire, headers={n.upper(): v for n, v in (wire.headers or {}).items()}
    ),
    "plain text": _with_content_type("text/plain"),
    "multipart": _with_content_type("multipart/form-data; boundary=x"),
    "JSON with UTF-16 as charset": _with_content_type("application/json; charset=utf-16"),
    "a form with latin-1 as charset": _with_content_type("application/x-www-form-urlencoded; charset=iso-8859-1"),
    "JSON with a parameter": _with_content_type("Application/JSON ; a=b"),
    "two types": _with_content_type("application/json,application/x-www-form-urlencoded"),
    "an empty type": _with_content_type(";"),
    "the body in UTF-16": _body(lambda body: body.decode("utf-8", "replace").encode("utf-16")),
    "the body in latin-1": _body(lambda body: body + b"\xe9\xff"),
    "a byte order mark": _body(lambda body: b"\xef\xbb\xbf" + body),
    "no body": _body(lambda body: None),
    "half a body": _body(lambda body: body[: len(body) // 2]),
    "a body twice": _body(lambda body: body + body),
    "another status in the body": _body(lambda body: body + b"&status=other&msg=other"),
    "another status in the query": _query(lambda query: f"{query}&status=other&msg=other"),
    "base64": _body(base64.b64encode, is_base64=True),
    "invalid base64": _body(lambda body: "\u00a7" + body.decode("utf-8", "replace"), is_base64=True),
    "truncated base64": _body(lambda body: base64.b64encode(body + b"xy")[:-3], is_base64=True),
    "base64 of many lines": _body(base64.encodebytes, is_base64=True),
    "half of a pair in the body": _body(lambda body: body.decode("utf-8", "replace") + "\udc80"),
    "a body at the limit": _body(lambda body: body + b"&x=" + b"a" * (65_536 - len(body) - 3)),
    "a body above the limit": _body(lambda body: body + b"&x=" + b"a" * (65_537 - len(body) - 3)),
    "a body of a megabyte": _body(lambda body: b"a" * 2**20),
    "a body of deep lists": _body(lambda body: b"[" * 60_000),
    "a body of deep objects": _body(lambda body: b'{"a":' * 12_000),
    "deeper than the parser allows": _body(lambda body: b"[" * 100_000),
    "a list around the body": _body(lambda body: b"[" + body + b"]"),
    "a JSON text": _body(lambda body: b'"status"'),
    "sixty fields": _query(lambda query: query + "&a=" * 60),
    "a large query": _query(lambda query: f"{query}&x={'a' * 9_000}"),
    "separators": _query(lambda query: f"&&{query}&=&;&==&"),
    "semicolons": _query(lambda query: query.replace("&", ";")),
    "half of a pair in the query": _query(lambda query: f"{query}&x=\ud800"),
    "no UTF-8 in the query": _query(lambda query: f"{query}&x=%ff%fe"),
    "a broken escape in the query": _query(lambda query: f"{query}&x=%&y=%z"),
    "an empty query": _query(lambda query: ""),
}
BOUNDARY: Final = "----d74496d66958873e"
WIRES: Final = ("query", "form", "JSON", "parts", "both")
REFUSED: Final = frozenset(
    {
        *("contradicting", "invalid base64", "truncated base64", "a body above the limit", "a body of a megabyte"),
        *("a body of deep objects", "a body of deep lists", "deeper than the parser allows", "a large query"),
    }
)
"""Faults that make the whole request invalid: those of a field that decides, or of the body."""
REFUSED_IN_RECEIPTS: Final = frozenset(
    {
        *("missing", "empty", "blank", "an upper-case name", "large", "with a line break"),
        *("with NUL", "with half of a pair", "a surrogate in UTF-8", "not UTF-8", "another status in the query"),
    }
)
"""Faults of the id or the status that make a receipt invalid. An inbound message is kept without its id."""
HARMLESS: Final = frozenset(
    {
        *("twice", "a name with NUL", "with blanks around"),
        *("no headers", "header names in capitals", "plain text", "multipart", "JSON with UTF-16 as charset"),
        *("JSON with a parameter", "two types", "an empty type", "the body in UTF-16", "a byte order mark", "base64"),
        *("sixty fields", "separators", "half of a pair in the query", "no UTF-8 in the query"),
        "a broken escape in the query",
    }
)
"""Faults that change nothing: each alone, and together with those of fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    provider: str
    kind: str
    token: str
    method: str
    message_id: str
    """The message for the ids in the request, or for unknown ids of the same form."""
    has_unknown_id: bool = False
    """Whether the provider message id is unknown, independent of the reference."""
    wire: str
    fields: tuple[tuple[str, str], ...]
    field_faults: tuple[tuple[int, str], ...]
    wire_faults: tuple[str, ...]
    down: str | None

    @property
    def expected(self) -> Kind | None:
        """The kind, if the request may have an effect."""
        kind = KINDS.get((self.provider, self.kind))
        is_authorized = kind and self.token in [token_of(self.provider, text) for text in SECRET.webhook_tokens]
        return kind if is_authorized else None

    @property
    def channel(self) -> Channel:
        """The channel of the reports of this kind."""
        medium = self.kind.rpartition("-")[0].replace("-", "_")
        return Channel(medium) if medium else Channel.SMS

    @property
    def is_valid(self) -> bool:
        """Whether the request has no fault, or harmless ones."""
        faults = [*self.wire_faults, *(fault for _, fault in self.field_faults)]
        is_harmless = HARMLESS.issuperset(faults) and len(self.wire_faults) < 2
        return self.expected is not None and is_harmless and not self.down and self.method in ("GET", "POST")

    def ids(self, *, is_known: bool) -> tuple[str, str]:
        message = initial_state().messages[self.message_id]
        provider_message_id = message.provider_message_id or "V-0"
        if self.has_unknown_id:
            return f"Y{provider_message_id[1:]}", self.message_id if is_known else f"X{self.message_id[1:]}"
        if is_known:
            return provider_message_id, self.message_id
        return f"X{provider_message_id[1:]}", f"X{self.message_id[1:]}"

    def event(self, *, is_known: bool) -> dict[str, Any]:
        """Return the event that API Gateway sends to the function."""
        pairs: list[tuple[str, Value]] = list(self.fields)
        for place, fault in self.field_faults:
            if pairs:
                at = place % len(pairs)
                pairs[at : at + 1] = FIELD_FAULTS[fault](*pairs[at])
        wire = self._encode([(name, self._fill_ids(value, is_known=is_known)) for name, value in pairs])
        for fault in self.wire_faults:
            wire = WIRE_FAULTS[fault](wire)
        body, is_base64 = wire.body, wire.is_base64
        if isinstance(body, bytes):
            body, is_base64 = _as_text(body, is_base64=is_base64)
        return {
            "version": "2.0",
            "rawPath": f"/webhooks/{self.provider}/{self.kind}/{self.token}",
            "rawQueryString": wire.query,
            "headers": wire.headers,
            "requestContext": {"http": {"method": wire.method}},
            "pathParameters": {"provider": self.provider, "kind": self.kind, "token": self.token},
            "body": body,
            "isBase64Encoded": is_base64,
        }

    def _fill_ids(self, value: Value, *, is_known: bool) -> Value:
        if isinstance(value, Encoded):
            return value
        provider_message_id, reference = self.ids(is_known=is_known)
        return value.replace(ID, provider_message_id).replace(REFERENCE, reference)

    def _encode(self, pairs: list[tuple[str, Value]]) -> Wire:
        form = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in pairs)
        if self.wire == "query":
            return Wire(method=self.method, query=form, headers={"accept": "*/*"}, body=None)
        if self.wire == "parts":
            return Wire(
                method=self.method,
                query="",
                headers={"content-type": f"multipart/form-data; boundary={BOUNDARY}"},
                body=b"".join([*(_as_part(name, value) for name, value in pairs), f"--{BOUNDARY}--\r\n".encode()]),
            )
        document = "{" + ",".join(f"{json.dumps(name)}:{_as_json(value)}" for name, value in pairs) + "}"
        body, media_type = (document, "json") if self.wire == "JSON" else (form, "x-www-form-urlencoded")
        query = form if self.wire == "both" else ""
        headers = {"content-type": f"application/{media_type}"}
        return Wire(method=self.method, query=query, headers=headers, body=body.encode("utf-8", "surrogatepass"))


def _quoted(value: Value) -> str:
    return value.form if isinstance(value, Encoded) else quote_plus(value, errors="surrogatepass")


def _as_part(name: Value, value: Value) -> bytes:
    head = b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n'
    raw_name, content = (unquote_to_bytes(_quoted(each).replace("+", " ")) for each in (name, value))
    return head % (BOUNDARY.encode(), raw_name) + content + b"\r\n"


def _as_json(value: Value) -> str:
    return value.json if isinstance(value, Encoded) else json.dumps(value)


def _sample_few(names: Mapping[str, Any], random: Random) -> list[str]:
    return random.sample(sorted(names), random.choice((0, 0, 0, 1, 1, 2)))


def random_callback(random: Random) -> Callback:
    provider, kind = random.choice(sorted(KINDS) if random.random() < 0.9 else UNKNOWN_PATHS)
    has_valid_token = provider in PROVIDERS and random.random() < 0.8
    tokens = [token_of(provider, text) for text in SECRET.webhook_tokens] if has_valid_token else WRONG_TOKENS
    token = random.choice(tokens)
    shape = KINDS.get((provider, kind), KINDS["smspoh", "receipt"])
    own = "p" if provider == "smspoh" else {"sms": "s", "whatsapp": "w"}.get(kind.rpartition("-")[0], "o")
    messages = sorted(initial_state().messages)
    return Callback(
        provider=provider,
        kind=kind,
        token=token,
        method=random.choice(("POST",) * 6 + ("GET",) * 6 + ("HEAD", "OPTIONS", "PUT", "DELETE", "")),
        message_id=random.choice([m for m in messages if m.startswith(own)] * 4 + messages),
        has_unknown_id=random.random() < 0.1,
        wire=random.choice(WIRES),
        fields=tuple((name, random.choice(values)) for name, values in shape.fields.items()),
        field_faults=tuple((random.randrange(5), fault) for fault in _sample_few(FIELD_FAULTS, random)),
        wire_faults=tuple(_sample_few(WIRE_FAULTS, random)),
        down=random.choice((None,) * 20 + ("store", "inbox", "directory", "settings")),
    )


# --- allowed effects -----------------------------------------------------------------------------------------------

ANSWERS: Final = {200: "ok", 400: "malformed", 404: "not found", 503: "try again"}
HEADERS: Final = {"content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff"}


def check(callback: Callback) -> CheckResult:
    """Deliver a request with the ids of a message and with unknown ids, and check both responses."""
    violations: list[str] = []
    answers = []
    for is_known in (True, False):
        answer, after = _deliver(callback, is_known=is_known)
        answers.append(answer)
        if answer not in [_expected_response(status) for status in ANSWERS]:
            violations.append(f"unexpected response: {answer!r}")
        violations += _find_violations(callback, _status(answer), after, is_known=is_known)
        violations += _find_leaks(callback)
    if answers[0] != answers[1]:
        violations.append("the response reveals whether the message exists (I12)")
    outcome = f"{_status(answers[0])}{', valid request' if callback.is_valid else ''}"
    return CheckResult(outcomes=(outcome,), violations=tuple(violations))


def _deliver(callback: Callback, *, is_known: bool) -> tuple[object, State]:
    app = shared_application()
    restore(app, initial_state())
    ports = {"store": app.store, "inbox": app.inbox, "directory": app.directory, "settings": app.settings}
    for name, port in ports.items():
        port.is_down = name == callback.down  # type: ignore[attr-defined]
    try:
        answer: object = load_handler()(callback.event(is_known=is_known), None)
    except Exception as error:
        answer = f"{type(error).__name__} raised"
    return answer, state_of(app)


def _expected_response(status: int) -> dict[str, Any]:
    return {"statusCode": status, "headers": HEADERS, "body": ANSWERS[status]}


def _status(answer: object) -> int:
    return int(answer["statusCode"]) if isinstance(answer, dict) else 500


def _find_violations(callback: Callback, status: int, after: State, *, is_known: bool) -> list[str]:
    before, kind = initial_state(), callback.expected
    changed = {part for part, was, now in zip(State._fields, before, after, strict=True) if was != now}
    if kind is None:
        unexpected = [] if status == 404 else [f"{status} without a valid token or path (W6)"]
        return unexpected + ["a change without a valid token or path (W6)"] * bool(changed)
    may_change = {"kept", "consents", "conversations"} if kind.is_inbound else {"messages", "buffered"}
    violations = [f"{part} changed by {callback.kind}" for part in sorted(changed - may_change)]
    if status == 404 or (status == 503 and callback.down is None):
        violations.append(f"{status} for a valid token and path")
    if changed and status not in (200, 503):
        violations.append(f"a change by a request with response {status} (W8)")
    violations += _message_violations(callback, before, after) + _inbound_violations(callback, before, after)
    if callback.is_valid:
        violations += _find_missing_effects(callback, kind, status, after, is_known=is_known)
    return violations


def _message_violations(callback: Callback, before: State, after: State) -> list[str]:
    if after.messages.keys() != before.messages.keys():
        return ["a report created or removed a message (W2)"]
    changed_ids = [name for name in before.messages if before.messages[name] != after.messages[name]]
    violations = ["one report changed several messages (W8)"] if len(changed_ids) > 1 else []
    for name in changed_ids:
        violations += _transition_violations(callback, before.messages[name], after.messages[name])
    added = after.buffered.keys() - before.buffered.keys()
    if len(added) > 1 or not all(key.startswith(f"{callback.provider}#") for key in added):
        violations.append("a report was buffered twice or for another vendor (W2)")
    return violations


def _transition_violations(callback: Callback, was: Message, now: Message) -> list[str]:
    violations = []
    if now.status.rank < was.status.rank:
        violations.append(f"the rank fell from {was.status} to {now.status} (I3)")
    if now.status is not was.status and now.history[-1].source is not Source.WEBHOOK:
        violations.append("a change of status with another source than the webhook")
    if was.provider != callback.provider:
        violations.append("a report changed a message of another vendor (I12)")
    if _immutable_fields(was) != _immutable_fields(now):
        violations.append("a report changed the request")
    return violations


def _immutable_fields(message: Message) -> tuple[object, ...]:
    """Return the fields of a message that no report may change."""
    return (message.recipient, message.channel, message.route, message.attempt, message.attempt_id, message.fingerprint)


def _inbound_violations(callback: Callback, before: State, after: State) -> list[str]:
    violations = []
    added = after.kept.keys() - before.kept.keys()
    if len(added) > 1 or not all(key.startswith(f"{callback.provider}#") for key in added):
        violations.append("an inbound message was stored twice or for another vendor (W10)")
    if (
        len(after.consents.keys() - before.consents.keys()) > 1
        or len(after.conversations.keys() - before.conversations.keys()) > 1
    ):
        violations.append("an inbound message changed several numbers or conversations")
    return violations


def _find_missing_effects(callback: Callback, kind: Kind, status: int, after: State, *, is_known: bool) -> list[str]:
    """Return the effects that are missing after a valid request."""
    if status != 200:
        return [f"{status} for a valid request"]
    if kind.is_inbound:
        return [] if after.kept else ["an inbound message was not stored"]
    before, fields = initial_state(), dict(callback.fields)
    provider_message_id, _ = callback.ids(is_known=is_known)
    message = before.messages[callback.message_id]
    reported = kind.status_of(fields["status"])
    is_addressed = is_known and (message.provider, message.channel) == (callback.provider, callback.channel)
    is_named = is_addressed and message.provider_message_id == provider_message_id
    reference_conditions = (
        *(is_addressed, fields.get("clientReference") == REFERENCE, message.provider_message_id is None),
        *(message.attempt_id is not None, message.status not in (Status.SCHEDULED, Status.QUEUED)),
    )
    if is_named or all(reference_conditions):
        expected_status = max(message.status, reported or message.status, key=lambda s: s.rank)
        now = after.messages[callback.message_id].status
        return [] if now is expected_status else [f"{message.status} became {now}, not {expected_status} (I4)"]
    buffered = after.buffered.get(correlation_key(callback.provider, callback.channel, provider_message_id))
    is_kept = buffered is not None and reported in [report.status for report in buffered.reports]
    return [] if is_kept else ["a report for an unknown message was not buffered (W1)"]


def _find_leaks(callback: Callback) -> list[str]:
    """Return the private values in the log (I11)."""
    log = repr(shared_application().telemetry.lines)
    tokens = [token_of(name, text) for text in SECRET.webhook_tokens for name in PROVIDERS]
    secrets = [*SECRET.webhook_tokens, *tokens, NUMBER, "Halo", "OR 1=1"]
    return [f"the log contains {secret!r} (I11)" for secret in secrets if secret in log]


# --- tests ----------------------------------------------------------------------------------------------------------


@covers("W2", "W6", "W7", "W8", "W9", "I3", "I11", "I12")
def test_no_webhook_request_raises_leaks_or_changes_unrelated_data() -> None:
    tally = explore(random_callback, check, count=CASES)

    assert {"200", "400", "404", "503"} <= tally.outcomes.keys()
    assert tally.outcomes["200, valid request"] > CASES / 20
    assert tally.violations == {}, "\n".join(tally.lines())


@covers("W6", "I12")
@pytest.mark.parametrize("place", sorted(KINDS), ids="-".join)
@pytest.mark.parametrize("token", WRONG_TOKENS, ids=[ascii(token[:20]) for token in WRONG_TOKENS])
def test_a_similar_token_changes_nothing_and_gets_404(place: tuple[str, str], token: str) -> None:
    """W6, I12."""
    provider, kind = place
    fields = tuple((name, values[0]) for name, values in KINDS[place].fields.items())
    good = Callback(
        provider=provider,
        kind=kind,
        token=token_of(provider),
        method="POST",
        message_id="p-accepted",
        wire="JSON",
        fields=fields,
        field_faults=(),
        wire_faults=(),
        down=None,
    )

    assert check(good) == CheckResult(outcomes=("200, valid request",))
    assert check(replace(good, token=token)) == CheckResult(outcomes=("404",))


@covers("W8", "Q4")
@pytest.mark.parametrize("fault", sorted({*FIELD_FAULTS, *WIRE_FAULTS}))
def test_every_fault_is_handled_at_every_path(fault: str) -> None:
    """W8, Q4: each fault alone, for each kind and each wire format."""
    result = set()
    for (provider, kind), shape in KINDS.items():
        for wire in WIRES:
            callback = Callback(
                provider=provider,
                kind=kind,
                token=token_of(provider),
                method="POST",
                message_id="p-accepted",
                wire=wire,
                fields=tuple((name, values[0]) for name, values in shape.fields.items()),
                field_faults=((0, fault),) if fault in FIELD_FAULTS else (),
                wire_faults=(fault,) if fault in WIRE_FAULTS else (),
                down=None,
            )
            found = check(callback)
            is_refused = fault in REFUSED or (fault in REFUSED_IN_RECEIPTS and not shape.is_inbound)
            allowed = {("400",)} if is_refused else {("200, valid request",)} if fault in HARMLESS else None
            result.add((found.violations, allowed is None or found.outcomes in allowed))

    assert result == {((), True)}
