"""Bodies of every shape in the request queue: rows Q2, Q4 and Q5 of the failure model, I1, I5, I9 and I11."""

import json
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any, Final

import pytest

from sampai.contract.request import parse_request
from sampai.domain.inbound import Conversation
from sampai.domain.message import MESSAGE_ID, Message
from sampai.domain.phone import E164
from sampai.domain.status import Status
from sampai.services.send.batch import Record
from tests.covers import covers
from tests.fakes import START, RecordingTelemetry
from tests.fuzz.explore import POISON, CheckResult, explore, places_in
from tests.harness.application import Application, request
from tests.harness.table_store import TableStore
from tests.harness.vendors import FakeVendors

CASES: Final = 800
"""Number of batches in the tests, with five or six bodies each on average."""

Document = dict[str, Any]

# --- valid requests -------------------------------------------------------------------------------------------------

SECRET: Final = "84127"
"""Part of every private value: texts, numbers, file names, keys. None of these is a valid message_id."""

CONVERSATION: Final = "0b6f1c1e-9a52-4a7f-8f0d-2f6f5f3d9c01"
CHANNEL: Final = "c0000000-0000-4000-8000-000000000001"
TEMPLATE: Final = "7e000000-0000-4000-8000-000000000002"
LATER: Final = "2026-11-22T10:00:00Z"


def _sms(country: str, **more: Any) -> Callable[[str], Document]:
    return lambda mark: {"recipient": f"+{country}{SECRET}001", "content": {"type": "text", "text": mark}, **more}


def _whatsapp(content: Callable[[str], Document], **more: Any) -> Callable[[str], Document]:
    return lambda mark: {
        "channel": "whatsapp",
        "recipient": f"+62{SECRET}001",
        "content": content(mark),
        **more,
    }


def _official(content: Callable[[str], Document], **more: Any) -> Callable[[str], Document]:
    return lambda mark: {"channel": "whatsapp_official", "content": content(mark), **more}


def _text(mark: str) -> Document:
    return {"type": "text", "text": mark}


def _file(mark: str) -> Document:
    data = b64encode(SECRET.encode()).decode()
    return {"type": "media", "media_base64": data, "file_name": f"a {SECRET}.pdf", "caption": mark}


def _link(mark: str) -> Document:
    return {"type": "media", "media_url": f"https://files.example/{SECRET}", "caption": mark}


def _template(mark: str) -> Document:
    parts = {
        "header": {"format": "DOCUMENT", "params": [{"key": "url", "value": f"https://files.example/{SECRET}"}]},
        "body": [mark, {"key": 2, "value": "code", "value_text": f"is {SECRET}"}],
        "buttons": [{"index": 0, "type": "url", "value": f"/{SECRET}"}],
    }
    return {"type": "template", "template_id": TEMPLATE, "recipient_name": f"Dara {SECRET}", "parameters": parts}


VALID_REQUESTS: Final[Mapping[str, Callable[[str], Document]]] = {
    "a text to Cambodia": _sms("855", metadata={"order": f"no {SECRET}"}),
    "a text to Bangladesh": _sms("880"),
    "a text to Myanmar": _sms("959", provider_options={"smspoh": {"unicode": True}}),
    "a text to Indonesia": _sms("62", sender="Sampai"),
    "a one-time password": _sms("62", category="otp", expires_at=LATER),
    "a text for later": _sms("855", send_at=LATER),
    "an encrypted text": _sms("959", provider_options={"smspoh": {"encrypt": True, "encryptKey": f"the key {SECRET}"}}),
    "an offer to Myanmar": _sms("959", category="promotional"),
    "an offer to Bangladesh": _sms("880", category="promotional", on_unknown="resend"),
    "a text by WhatsApp": _whatsapp(_text, provider="nusasms"),
    "a file by WhatsApp": _whatsapp(_file),
    "a link by WhatsApp": _whatsapp(_link),
    "a group of WhatsApp": lambda mark: {
        "channel": "whatsapp",
        "audience": {"lists": ["partners"]},
        "content": _text(mark),
    },
    "a template": _official(_template, recipient=f"+62{SECRET}001", sender=CHANNEL),
    "a reply": _official(_text, room_id=CONVERSATION),
    "a reply with a file": _official(
        _file, room_id=CONVERSATION, provider_options={"nusasms": {"media_type": "document"}}
    ),
    "an offer as a reply": _official(_text, room_id=CONVERSATION, category="promotional"),
    "a campaign": lambda mark: {
        "audience": {"lists": ["6415907d0d37a"]},
        "provider": "smsnoc",
        "content": _text(mark),
    },
}
CONTROLS: Final[Sequence[Document]] = (
    *({"cancel": message_id} for message_id in ("waits", "later", "taken", "nobody")),
    *({"opt_out": f"+62899{SECRET}"}, {"opt_in": f"+62899{SECRET}"}, {"opt_in": f"+62898{SECRET}"}),
    *(
        {"resume": message_id, "attempt": attempt}
        for message_id in ("waits", "later", "no-one")
        for attempt in (0, 1, 2)
    ),
)

# --- mutations ------------------------------------------------------------------------------------------------------

JUNK: Final[Sequence[Any]] = (
    *(None, True, False, 0, -1, 7, 10**30, -1.5, "", " ", [], {}, [[]], "null", "0", "\u202e", "\x00", "\u2028"),
    *(f"about {SECRET}!", [f"in a list {SECRET}"], {f"named {SECRET}": f"or so {SECRET}"}, f"+62{SECRET}002"),
    *(f"+62{SECRET}002,+62{SECRET}003", f"+62{SECRET}002\n", f"+62 {SECRET} 002", "+" + "\u0661" * 10, "+0123456789"),
    *("x" * 5_000, "😀" * 900, f"https://user:{SECRET}@files.example/", "http://files.example/", "file:///etc/passwd"),
    *("whatsapp", "whatsapp_official", "sms", "otp", "promotional", "resend", "hold", "nomsa", "smspoh", "nusasms"),
    *("2020-01-01T00:00:00Z", LATER, "2026-11-22T10:00:00", "2026-02-30T10:00:00Z", "9999-12-31T23:59:59-23:59"),
    *(
        CONVERSATION,
        CHANNEL,
        "text",
        "media",
        "template",
        {"type": "text", "text": f"more of {SECRET}"},
        "../../x",
        "%s%n",
    ),
    *(
        {"smspoh": {"encrypt": True}},
        {"smspoh": {f"option {SECRET}": 1}},
        {"nusasms": {"template": {"template_id": 1}}},
    ),
    *(
        {f"vendor {SECRET}": {}},
        {"lists": [f"list {SECRET}"]},
        {"lists": ["a"] * 11},
        {"k" * 65: "v"},
        {"k": "v" * 513},
    ),
)
NAMES: Final = (
    *("message_id", "channel", "recipient", "sender", "content", "category", "provider", "audience", "room_id", "text"),
    *("type", "media_url", "lists", "metadata", "provider_options", "send_at", "expires_at", "on_unknown", "carrier"),
    *("cancel", "opt_out", "opt_in", "resume", "attempt", "", "a b", f"field{SECRET}", f"{SECRET}", "__proto__", "ñ"),
)
PRIVATE_VALUES: Final[Sequence[tuple[str, Any]]] = (
    *(("message_id", f"+62{SECRET}001"), ("message_id", f"the {SECRET}"), ("message_id", SECRET * 13)),
    *(
        ("provider", SECRET),
        ("channel", SECRET),
        ("category", SECRET),
        ("on_unknown", SECRET),
        ("sender", f"é{SECRET}"),
    ),
    *(("sender", f"no sender {SECRET}"), ("recipient", f"+0{SECRET}01"), ("recipient", f"+999{SECRET}01")),
    *(
        ("room_id", f"room_{SECRET}"),
        ("room_id", SECRET),
        ("send_at", f"at {SECRET}"),
        ("expires_at", "2026-11-21T09:00:00Z"),
    ),
    *(
        ("content", {"type": SECRET}),
        ("content", {"type": "text", "text": SECRET, SECRET: 1}),
        ("content", f"of {SECRET}"),
    ),
    *(
        ("content", {"type": "media", "media_url": f"http://{SECRET}"}),
        ("content", {"type": "media", "media_base64": SECRET}),
    ),
    *(("content", {"type": "template", "template_id": SECRET, "parameters": {f"of {SECRET}": SECRET}}),),
    *(("content", {"type": "template", "template_id": f"t {SECRET}", "parameters": {"body": [{"key": SECRET}]}}),),
    *(("audience", {"lists": [f"list {SECRET}"]}), ("audience", {"lists": [SECRET], f"more {SECRET}": 1})),
    *(("metadata", {f"{SECRET} " * 20: SECRET}), ("metadata", {SECRET: 1}), ("metadata", [SECRET])),
    *(("provider_options", {"smspoh": {f"option{SECRET}": 1}}), ("provider_options", {f"vendor{SECRET}": {"a": 1}})),
    *(("provider_options", {"nomsa": {f"number {SECRET}": SECRET}}), ("provider_options", {"nomsa": {"test": SECRET}})),
    *(("provider_options", {"nusasms": {"template": {"template_id": SECRET}}}),),
    *(("provider_options", {"nusasms": {"media_type": SECRET}}), ("provider_options", {"nusasms": {f"q{SECRET}": 1}})),
    *(("provider_options", {"smsnoc": {f"o {SECRET}": 1}}), ("provider_options", {"smspoh": {"encryptKey": SECRET}})),
    *(
        (f"name{SECRET}", 1),
        (f"a name {SECRET}", SECRET),
        (SECRET, {}),
        ("cancel", f"+{SECRET}"),
        ("opt_out", f"+0{SECRET}"),
    ),
)
"""Fields with values that an error text must not repeat."""
PLACEHOLDER: Final = "\u2988hole\u2988"


def _change(document: Document, random: Random) -> None:
    places = places_in(document)
    container, key = random.choice(places) if places else (document, "text")
    match random.randrange(9):
        case 0 if places:
            del container[key]
        case 1 if places and key != "message_id":  # the log contains it
            other, other_key = random.choice(places)
            container[key] = deepcopy(other[other_key])
        case 2 if places:
            container[key] = [container[key]]
        case 3:
            container[key] = PLACEHOLDER
        case 4:
            document[random.choice(NAMES)] = random.choice(JUNK)
        case 5 | 6:
            name, value = random.choice(PRIVATE_VALUES)
            document[name] = value
        case _:
            container[key] = random.choice(JUNK)


_CHARACTERS: Final = ("\x00", "\ud800", ",", "}", "\\", '"', "1", "😀")


def _corrupt(text: str, random: Random) -> str:
    at = random.randrange(len(text) + 1)
    match random.randrange(8):
        case 0:
            return text[:at]
        case 1:
            return text[:at] + random.choice(_CHARACTERS) + text[at + 1 :]
        case 2:
            return f"\ufeff{text}"
        case 3:
            return f"{text[:1]}{json.dumps(random.choice(NAMES))}:{json.dumps(random.choice(JUNK))},{text[1:]}"
        case 4:
            return f"{text}{text}"
        case 5:
            return f"[{text}]"
        case 6:
            return json.dumps(text)
    return f" \n{text}\t"


def _mutate(document: Document, random: Random) -> str:
    document = deepcopy(document)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        _change(document, random)
    text = json.dumps(document, ensure_ascii=random.random() < 0.5)
    text = text.replace(json.dumps(PLACEHOLDER), random.choice(_POISON_TEXTS)).replace(PLACEHOLDER, "hole")
    return _corrupt(text, random) if random.random() < 0.2 else text


_POISON_TEXTS: Final = sorted(POISON.values())


def _random_json(random: Random, depth: int = 0) -> Any:
    match random.randrange(6 if depth < 4 else 2):
        case 0 | 1:
            return random.choice(JUNK)
        case 2 | 3:
            return [_random_json(random, depth + 1) for _ in range(random.randrange(4))]
    return {random.choice(NAMES): _random_json(random, depth + 1) for _ in range(random.randrange(5))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A body, the mark in its text, and the number of times that vendors must accept it."""

    text: str
    mark: str | None = None
    times: int | None = None
    """None means at most once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    bodies: tuple[Body, ...]
    down: str | None = None
    """The port that is unavailable during the first delivery."""


def valid_request(number: int, title: str, *, name: str = "good") -> tuple[Document, str]:
    mark = f"#{SECRET}-{name}-{number}#"
    return {"message_id": f"{name}-{number}", **VALID_REQUESTS[title](mark)}, mark


def random_batch(random: Random) -> Batch:
    bodies: list[Body] = []
    valid_requests: list[tuple[Document, str]] = []
    for number in range(random.randint(1, 10)):
        bodies.append(_random_body(number, bodies, valid_requests, random))
    down = random.choice((None,) * 12 + ("store", "queue", "bus", "directory", "media", "encryption_keys", "settings"))
    return Batch(bodies=tuple(bodies), down=down)


def _random_body(
    number: int, bodies: Sequence[Body], valid_requests: list[tuple[Document, str]], random: Random
) -> Body:
    title, die = random.choice(sorted(VALID_REQUESTS)), random.random()
    if die < 0.4:
        document, mark = valid_request(number, title)
        valid_requests.append((document, mark))
        return Body(text=json.dumps(document), mark=mark, times=0 if "send_at" in document else 1)
    if die < 0.7:
        document, mark = valid_request(number, title, name="bad")
        return Body(text=_mutate(document, random), mark=mark)
    if die < 0.76:
        return Body(text=json.dumps(random.choice(CONTROLS)))
    if die < 0.82:
        return Body(text=_mutate(dict(random.choice(CONTROLS)), random))
    if die < 0.86 and bodies:
        return random.choice(bodies)
    if die < 0.90 and valid_requests:
        document, _ = random.choice(valid_requests)
        mark = f"#{SECRET}-other-{number}#"
        other = document | {"content": {"type": "text", "text": mark}}
        return Body(text=json.dumps(other), mark=mark, times=0)
    if die < 0.95:
        return Body(text=random.choice(_POISON_TEXTS))
    return Body(text=json.dumps(_random_json(random)))


# --- expected outcomes ---------------------------------------------------------------------------------------------


@cache
def shared_application() -> tuple[Application, FakeVendors]:
    """Return an application with a throttled, a scheduled and an accepted message, and an open conversation."""
    vendors = FakeVendors(clock=lambda: START)
    app = Application(vendors, store=_new_store())
    app.directory.conversations[CONVERSATION] = Conversation(
        room_id=CONVERSATION, number=f"+62{SECRET}010", last_inbound_at=START
    )
    app.send(request("later", send_at=LATER), request("taken"))
    vendors.moods = {"nomsa": "throttles"}
    app.send(request("waits"))
    return app, vendors


def _new_store() -> TableStore:
    return TableStore(clock=lambda: START, telemetry=RecordingTelemetry())


def _new_app() -> tuple[Application, FakeVendors]:
    """Return a copy of the shared application and its vendors."""
    shared, shared_vendors = shared_application()
    vendors = FakeVendors(clock=lambda: START, ledger=list(shared_vendors.ledger))
    store = _new_store()
    assert isinstance(shared.store, TableStore)
    store.copy_from(shared.store)
    app = Application(vendors, store=store)
    app.directory.conversations = dict(shared.directory.conversations)
    return app, vendors


def check(batch: Batch) -> CheckResult:
    """Deliver a batch, deliver the returned records again, and check every record."""
    app, vendors = _new_app()
    records = [Record(record_id=f"record-{n}", body=body.text) for n, body in enumerate(batch.bodies)]
    ports: dict[str, Any] = {
        "store": app.store,
        "queue": app.queue,
        "bus": app.bus,
        "directory": app.directory,
        "media": app.media,
        "encryption_keys": app.encryption_keys,
        "settings": app.settings,
    }
    try:
        if batch.down is not None:
            ports[batch.down].is_down = True
        unfinished = app.sender.handle(records, remaining=lambda: 30.0)
        if batch.down is not None:
            ports[batch.down].is_down = False
        returned = [record for record in records if record.record_id in unfinished]
        again = app.sender.handle(returned, remaining=lambda: 30.0)
    except Exception as error:
        return CheckResult(violations=(f"{type(error).__name__} raised (Q4)",))
    violations = _return_violations(batch, records, unfinished, again)
    violations += _send_violations(batch, app, vendors) + _find_leaks(app)
    outcomes = [_outcome(app, record) for record in records]
    violations += [
        f"the outcome of a record is: {outcome} (I5)" for outcome in outcomes if outcome in ("not stored", "stuck")
    ]
    return CheckResult(outcomes=tuple(outcomes), violations=tuple(violations))


_DEPENDENCIES: Final[Mapping[str, re.Pattern[str]]] = {
    "bus": re.compile(r""),
    "directory": re.compile(r"promotional|room_id|whatsapp_official|opt_(out|in)"),
    "media": re.compile(r"media_base64"),
    "encryption_keys": re.compile(r"encrypt"),
    "store": re.compile(r""),
    "settings": re.compile(r""),
}


def _return_violations(
    batch: Batch, records: Sequence[Record], unfinished: Sequence[str], again: Sequence[str]
) -> list[str]:
    violations = ["a record was returned without an outage (Q4)"] if again else []
    if unfinished != [record.record_id for record in records if record.record_id in unfinished]:
        violations.append("the returned ids are not in the order of the batch (Q5)")
    if batch.down == "settings" and len(unfinished) != len(records):
        violations.append("a record was deleted without a configuration (I5)")
    dependency = _DEPENDENCIES.get(batch.down or "")
    bodies_of: dict[str, set[str]] = {}
    for record in records:
        bodies_of.setdefault(_message_id_in(record), set()).add(record.body)
    for record in records:
        is_returned = record.record_id in unfinished
        if is_returned and (dependency is None or dependency.search(record.body) is None):
            violations.append(f"a record was returned that does not need the {batch.down} (I9)")
        # A second request under the same id is always reported, without the store.
        needs_no_store = is_returned or _is_consent(record) or len(bodies_of[_message_id_in(record)]) > 1
        if batch.down == "store" and not needs_no_store:
            violations.append("a record was deleted and not stored (I5)")
    return violations


def _send_violations(batch: Batch, app: Application, vendors: FakeVendors) -> list[str]:
    violations = []
    for body in batch.bodies:
        times = sum(body.mark in entry.sent.text for entry in vendors.ledger) if body.mark else 0
        if times > 1:
            violations.append("a message was accepted twice (I1)")
        elif body.times is not None and times != body.times:
            violations.append(f"a valid request was accepted {times} times instead of {body.times} (I9)")
    ids = (m.provider_message_id for m in app.store.messages.values() if m.provider_message_id)
    # A send to a group returns the name of the campaign, which ends in the id of the ledger.
    stored_ids = sorted(provider_message_id.removeprefix("Group-Api-Campaign-") for provider_message_id in ids)
    if stored_ids != sorted(entry.provider_message_id for entry in vendors.ledger):
        violations.append("the ledger of the vendors differs from the stored messages (I2)")
    return violations


def _find_leaks(app: Application) -> list[str]:
    failures = [m.failure.detail for m in app.store.messages.values() if m.failure]
    texts = {
        "the log": repr(app.telemetry.lines),
        "a failure": repr(failures),
        "an event": repr([event.detail for event in app.bus.events]),
    }
    return [f"{place} contains a private value of a request (I11)" for place, text in texts.items() if SECRET in text]


def _outcome(app: Application, record: Record) -> str:
    document = _document(record.body)
    if _is_control(document, "cancel", MESSAGE_ID):
        return "control" if document["cancel"] in app.store.messages else "not stored"
    if _is_control(document, "opt_out", E164) or _is_control(document, "opt_in", E164):
        return "control" if set(document.values()) <= app.directory.consents.keys() else "not stored"
    if (
        document.keys() == {"resume", "attempt"}
        and type(parse_request(record.body, now=START)).__name__ == "ResumeRequest"
    ):
        return "control"
    found = (app.store.messages.get(message_id) for message_id in _possible_ids(record))
    message = next((message for message in found if message is not None), None)
    return "not stored" if message is None else _state(message)


_ID_IN_TEXT: Final = re.compile(r'"message_id"\s*:\s*"([^"\\]*)"')


def _possible_ids(record: Record) -> Sequence[str]:
    """Return the ids under which a record can be stored: its message id, one in a broken body, or the record id."""
    document = _document(record.body)
    named = [document.get("message_id")] if document else _ID_IN_TEXT.findall(record.body)
    return [*(name for name in named if isinstance(name, str)), record.record_id]


def _state(message: Message) -> str:
    is_due_or_final = message.status.is_final or message.due_at is not None
    is_stable = message.status not in (Status.SENDING, Status.UNKNOWN)
    return f"{message.status}" if is_due_or_final and is_stable else "stuck"


def _message_id_in(record: Record) -> str:
    return str(_document(record.body).get("message_id"))


def _is_consent(record: Record) -> bool:
    return not {"opt_out", "opt_in"}.isdisjoint(_document(record.body))


def _is_control(document: Document, name: str, shape: re.Pattern[str]) -> bool:
    value = document.get(name)
    return document.keys() == {name} and isinstance(value, str) and shape.fullmatch(value) is not None


def _document(body: str) -> Document:
    """Return a body parsed by `json`, without a byte order mark; empty if it is not an object."""
    try:
        document = json.loads(body.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


# --- tests ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("title", sorted(VALID_REQUESTS))
def test_every_valid_request_is_sent_alone(title: str) -> None:
    """The requests for the batches below are valid."""
    document, mark = valid_request(0, title)
    is_later = "send_at" in document
    batch = Batch(bodies=(Body(text=json.dumps(document), mark=mark, times=0 if is_later else 1),))

    assert check(batch) == CheckResult(outcomes=("scheduled" if is_later else "accepted",))


@covers("Q4", "I9")
@pytest.mark.parametrize("title", sorted(POISON))
def test_poison_affects_only_its_own_record(title: str) -> None:
    """Q4: poison as a whole body, and as each value of a valid one, between two valid neighbours."""
    first, first_mark = valid_request(1, "a text to Cambodia")
    last, last_mark = valid_request(2, "an offer to Myanmar")
    neighbours = (
        Body(text=json.dumps(first), mark=first_mark, times=1),
        Body(text=json.dumps(last), mark=last_mark, times=1),
    )
    poisoned, _ = valid_request(3, "a template", name="bad")
    written = [POISON[title]]
    for place in range(len(places_in(poisoned))):
        document = deepcopy(poisoned)
        container, key = places_in(document)[place]
        container[key] = PLACEHOLDER
        written.append(json.dumps(document).replace(json.dumps(PLACEHOLDER), POISON[title]))

    for text in written:
        result = check(Batch(bodies=(neighbours[0], Body(text=text), neighbours[1])))

        assert result.violations == ()
        assert (result.outcomes[0], result.outcomes[2]) == ("accepted", "accepted")


@covers("I11")
@pytest.mark.parametrize("title", sorted(VALID_REQUESTS))
def test_no_rejection_repeats_a_private_value(title: str) -> None:
    document, _ = valid_request(0, title)
    bodies = [
        Body(text=json.dumps(document | {"message_id": f"bad-{n}", name: value}))
        for n, (name, value) in enumerate(PRIVATE_VALUES)
    ]

    result = check(Batch(bodies=tuple(bodies)))

    assert result.violations == ()
    assert result.outcomes.count("failed") > len(PRIVATE_VALUES) / 2


@covers("Q2", "Q4", "Q5", "I1", "I5", "I8", "I9", "I11")
def test_no_batch_loses_duplicates_or_leaks_a_valid_request() -> None:
    tally = explore(random_batch, check, count=CASES)

    assert tally.cases == CASES
    assert sum(tally.outcomes.values()) > 5 * CASES
    assert {"accepted", "scheduled", "failed", "control"} <= tally.outcomes.keys()
    assert tally.outcomes["accepted"] > tally.outcomes.total() / 3
    assert tally.violations == {}, "\n".join(tally.lines())
