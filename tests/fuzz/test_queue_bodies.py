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
from tests.fakes import START
from tests.fuzz.explore import POISON, Seen, explore, places_in
from tests.harness.application import House, request
from tests.harness.vendors import FakeVendors

CASES: Final = 800
"""Batches that the tests show, of five or six bodies each."""

Document = dict[str, Any]

# --- good requests ----------------------------------------------------------------------------------------------------

SECRET: Final = "84127"
"""Part of every private value: texts, numbers, names of files, keys. None of them is a valid message_id."""

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


GOOD: Final[Mapping[str, Callable[[str], Document]]] = {
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

# --- mutations --------------------------------------------------------------------------------------------------------

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
TRAPS: Final[Sequence[tuple[str, Any]]] = (
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
"""Fields with values that an answer must not show."""
HOLE: Final = "\u2988hole\u2988"


def _change(document: Document, random: Random) -> None:
    places = places_in(document)
    container, key = random.choice(places) if places else (document, "text")
    match random.randrange(9):
        case 0 if places:
            del container[key]
        case 1 if places and key != "message_id":  # which is logged unchanged
            other, other_key = random.choice(places)
            container[key] = deepcopy(other[other_key])
        case 2 if places:
            container[key] = [container[key]]
        case 3:
            container[key] = HOLE
        case 4:
            document[random.choice(NAMES)] = random.choice(JUNK)
        case 5 | 6:
            name, value = random.choice(TRAPS)
            document[name] = value
        case _:
            container[key] = random.choice(JUNK)


_CHARACTERS: Final = ("\x00", "\ud800", ",", "}", "\\", '"', "1", "😀")


def _mangled(text: str, random: Random) -> str:
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


def _mutated(document: Document, random: Random) -> str:
    document = deepcopy(document)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        _change(document, random)
    text = json.dumps(document, ensure_ascii=random.random() < 0.5)
    text = text.replace(json.dumps(HOLE), random.choice(_WRITTEN)).replace(HOLE, "hole")
    return _mangled(text, random) if random.random() < 0.2 else text


_WRITTEN: Final = sorted(POISON.values())


def _nonsense(random: Random, depth: int = 0) -> Any:
    match random.randrange(6 if depth < 4 else 2):
        case 0 | 1:
            return random.choice(JUNK)
        case 2 | 3:
            return [_nonsense(random, depth + 1) for _ in range(random.randrange(4))]
    return {random.choice(NAMES): _nonsense(random, depth + 1) for _ in range(random.randrange(5))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A body, its mark, and how often the vendors must see the mark."""

    text: str
    mark: str | None = None
    times: int | None = None
    """None: at most once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    bodies: tuple[Body, ...]
    down: str | None = None
    """The port that is down during the first delivery of the batch."""


def good(number: int, title: str, *, name: str = "good") -> tuple[Document, str]:
    mark = f"#{SECRET}-{name}-{number}#"
    return {"message_id": f"{name}-{number}", **GOOD[title](mark)}, mark


def some_batch(random: Random) -> Batch:
    bodies: list[Body] = []
    goods: list[tuple[Document, str]] = []
    for number in range(random.randint(1, 10)):
        bodies.append(_some_body(number, bodies, goods, random))
    down = random.choice((None,) * 12 + ("store", "queue", "bus", "directory", "media", "encryption_keys", "settings"))
    return Batch(bodies=tuple(bodies), down=down)


def _some_body(number: int, bodies: Sequence[Body], goods: list[tuple[Document, str]], random: Random) -> Body:
    title, die = random.choice(sorted(GOOD)), random.random()
    if die < 0.4:
        document, mark = good(number, title)
        goods.append((document, mark))
        return Body(text=json.dumps(document), mark=mark, times=0 if "send_at" in document else 1)
    if die < 0.7:
        document, mark = good(number, title, name="bad")
        return Body(text=_mutated(document, random), mark=mark)
    if die < 0.76:
        return Body(text=json.dumps(random.choice(CONTROLS)))
    if die < 0.82:
        return Body(text=_mutated(dict(random.choice(CONTROLS)), random))
    if die < 0.86 and bodies:
        return random.choice(bodies)
    if die < 0.90 and goods:
        document, _ = random.choice(goods)
        mark = f"#{SECRET}-other-{number}#"
        other = document | {"content": {"type": "text", "text": mark}}
        return Body(text=json.dumps(other), mark=mark, times=0)
    if die < 0.95:
        return Body(text=random.choice(_WRITTEN))
    return Body(text=json.dumps(_nonsense(random)))


# --- expected results -------------------------------------------------------------------------------------------------


@cache
def world() -> tuple[House, FakeVendors]:
    """Return a house with a message that waits, one for later and one that was taken, and an open conversation."""
    vendors = FakeVendors(clock=lambda: START)
    house = House(vendors)
    house.directory.conversations[CONVERSATION] = Conversation(
        room_id=CONVERSATION, number=f"+62{SECRET}010", last_inbound_at=START
    )
    house.send(request("later", send_at=LATER), request("taken"))
    vendors.moods = {"nomsa": "throttles"}
    house.send(request("waits"))
    return house, vendors


def _new_house() -> tuple[House, FakeVendors]:
    """Return a copy of the world, with a ledger that continues the world's."""
    was, books = world()
    vendors = FakeVendors(clock=lambda: START, ledger=list(books.ledger))
    house = House(vendors)
    house.store.messages, house.store.buffered = dict(was.store.messages), dict(was.store.buffered)
    house.directory.conversations = dict(was.directory.conversations)
    return house, vendors


def check(batch: Batch) -> Seen:
    """Deliver a batch, then the returned records again, and check the result of each record."""
    house, vendors = _new_house()
    records = [Record(record_id=f"record-{n}", body=body.text) for n, body in enumerate(batch.bodies)]
    ports: dict[str, Any] = {
        "store": house.store,
        "queue": house.queue,
        "bus": house.bus,
        "directory": house.directory,
        "media": house.media,
        "encryption_keys": house.encryption_keys,
        "settings": house.settings,
    }
    try:
        if batch.down is not None:
            ports[batch.down].is_down = True
        unfinished = house.sender.handle(records, remaining=lambda: 30.0)
        if batch.down is not None:
            ports[batch.down].is_down = False
        returned = [record for record in records if record.record_id in unfinished]
        again = house.sender.handle(returned, remaining=lambda: 30.0)
    except Exception as error:
        return Seen(violations=(f"{type(error).__name__} raised (Q4)",))
    violations = _wrongly_returned(batch, records, unfinished, again)
    violations += _wrongly_sent(batch, house, vendors) + _leaks(house)
    endings = [_ending(house, record) for record in records]
    violations += [f"a record ended {ending} (I5)" for ending in endings if ending in ("nowhere", "astray")]
    return Seen(endings=tuple(endings), violations=tuple(violations))


_NEEDS: Final[Mapping[str, re.Pattern[str]]] = {
    "bus": re.compile(r""),
    "directory": re.compile(r"promotional|room_id|whatsapp_official|opt_(out|in)"),
    "media": re.compile(r"media_base64"),
    "encryption_keys": re.compile(r"encrypt"),
    "store": re.compile(r""),
    "settings": re.compile(r""),
}


def _wrongly_returned(
    batch: Batch, records: Sequence[Record], unfinished: Sequence[str], again: Sequence[str]
) -> list[str]:
    wrong = ["a record came back with nothing out of reach (Q4)"] if again else []
    if unfinished != [record.record_id for record in records if record.record_id in unfinished]:
        wrong.append("what came back is not a part of the batch (Q5)")
    if batch.down == "settings" and len(unfinished) != len(records):
        wrong.append("a record was taken off the queue without configuration (I5)")
    needs = _NEEDS.get(batch.down or "")
    bodies_of: dict[str, set[str]] = {}
    for record in records:
        bodies_of.setdefault(_name_in(record), set()).add(record.body)
    for record in records:
        is_out = record.record_id in unfinished
        if is_out and (needs is None or needs.search(record.body) is None):
            wrong.append(f"a record came back that does not need the {batch.down} (I9)")
        # If two requests have one id, the second is reported in any case.
        is_answered = is_out or _is_wish(record) or len(bodies_of[_name_in(record)]) > 1
        if batch.down == "store" and not is_answered:
            wrong.append("a record was taken off the queue and is nowhere (I5)")
    return wrong


def _wrongly_sent(batch: Batch, house: House, vendors: FakeVendors) -> list[str]:
    wrong = []
    for body in batch.bodies:
        times = sum(body.mark in entry.sent.text for entry in vendors.ledger) if body.mark else 0
        if times > 1:
            wrong.append("a message was taken twice (I1)")
        elif body.times is not None and times != body.times:
            wrong.append(f"a good request was taken {times} times instead of {body.times} (I9)")
    named = sorted(m.provider_message_id for m in house.store.messages.values() if m.provider_message_id)
    if named != sorted(entry.provider_message_id for entry in vendors.ledger):
        wrong.append("what vendors took is not what we know that they took (I2)")
    return wrong


def _leaks(house: House) -> list[str]:
    failures = [m.failure.detail for m in house.store.messages.values() if m.failure]
    told = {
        "the log": repr(house.telemetry.lines),
        "a failure": repr(failures),
        "an event": repr([event.detail for event in house.bus.events]),
    }
    return [f"{place} holds a value of a request (I11)" for place, said in told.items() if SECRET in said]


def _ending(house: House, record: Record) -> str:
    document = _document(record.body)
    if _is_note(document, "cancel", MESSAGE_ID):
        return "control" if document["cancel"] in house.store.messages else "nowhere"
    if _is_note(document, "opt_out", E164) or _is_note(document, "opt_in", E164):
        return "control" if set(document.values()) <= house.directory.consents.keys() else "nowhere"
    if (
        document.keys() == {"resume", "attempt"}
        and type(parse_request(record.body, now=START)).__name__ == "ResumeRequest"
    ):
        return "control"
    named = document.get("message_id")
    message = house.store.messages.get(named) if isinstance(named, str) else None
    message = message or house.store.messages.get(record.record_id)
    return "nowhere" if message is None else _state(message)


def _state(message: Message) -> str:
    is_cared_for = message.status.is_final or message.due_at is not None
    is_settled = message.status not in (Status.SENDING, Status.UNKNOWN)
    return f"{message.status}" if is_cared_for and is_settled else "astray"


def _name_in(record: Record) -> str:
    return str(_document(record.body).get("message_id"))


def _is_wish(record: Record) -> bool:
    return not {"opt_out", "opt_in"}.isdisjoint(_document(record.body))


def _is_note(document: Document, name: str, shape: re.Pattern[str]) -> bool:
    value = document.get(name)
    return document.keys() == {name} and isinstance(value, str) and shape.fullmatch(value) is not None


def _document(body: str) -> Document:
    """Return a body as a dictionary; empty if it is not a JSON object."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


# --- tests ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("title", sorted(GOOD))
def test_every_valid_request_is_sent(title: str) -> None:
    """The batches below consist of these requests."""
    document, mark = good(0, title)
    is_later = "send_at" in document
    batch = Batch(bodies=(Body(text=json.dumps(document), mark=mark, times=0 if is_later else 1),))

    assert check(batch) == Seen(endings=("scheduled" if is_later else "accepted",))


@covers("Q4", "I9")
@pytest.mark.parametrize("title", sorted(POISON))
def test_poison_affects_only_its_own_record(title: str) -> None:
    """Q4. Poison replaces a whole body or one value of a valid body, between two valid neighbours."""
    first, first_mark = good(1, "a text to Cambodia")
    last, last_mark = good(2, "an offer to Myanmar")
    neighbours = (
        Body(text=json.dumps(first), mark=first_mark, times=1),
        Body(text=json.dumps(last), mark=last_mark, times=1),
    )
    poisoned, _ = good(3, "a template", name="bad")
    written = [POISON[title]]
    for place in range(len(places_in(poisoned))):
        document = deepcopy(poisoned)
        container, key = places_in(document)[place]
        container[key] = HOLE
        written.append(json.dumps(document).replace(json.dumps(HOLE), POISON[title]))

    for text in written:
        seen = check(Batch(bodies=(neighbours[0], Body(text=text), neighbours[1])))

        assert seen.violations == ()
        assert (seen.endings[0], seen.endings[2]) == ("accepted", "accepted")


@covers("I11")
@pytest.mark.parametrize("title", sorted(GOOD))
def test_no_refusal_shows_the_refused_value(title: str) -> None:
    document, _ = good(0, title)
    bodies = [
        Body(text=json.dumps(document | {"message_id": f"bad-{n}", name: value}))
        for n, (name, value) in enumerate(TRAPS)
    ]

    seen = check(Batch(bodies=tuple(bodies)))

    assert seen.violations == ()
    assert seen.endings.count("failed") > len(TRAPS) / 2


@covers("Q2", "Q4", "Q5", "I1", "I5", "I8", "I9", "I11")
def test_no_batch_loses_a_valid_request_or_sends_one_twice_or_reveals_one() -> None:
    tally = explore(some_batch, check, count=CASES)

    assert tally.cases == CASES
    assert sum(tally.endings.values()) > 5 * CASES
    assert {"accepted", "scheduled", "failed", "control"} <= tally.endings.keys()
    assert tally.endings["accepted"] > tally.endings.total() / 3
    assert tally.violations == {}, "\n".join(tally.lines())
