"""Responses of every shape for the parsers of all providers: rows V4 and V5 of the failure model, I10."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import fields, is_dataclass, replace
from functools import cache, partial
from itertools import permutations, product
from types import FrameType
from typing import Any, Final
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sampai.domain.http import HttpResponse
from sampai.domain.message import Message
from sampai.domain.outcome import Outcome, Taken
from sampai.domain.report import Report
from sampai.providers.features import (
    ListedMessage,
    SupportsAccountChecks,
    SupportsBatchSend,
    SupportsListing,
    SupportsLookup,
)
from tests.conformance.case import AccountAnswer, Answer, ListAnswer, LookupAnswer, ManyAnswer
from tests.conformance.test_provider_contract import APIS, NAMES, cases_of, parse_webhook, provider_of
from tests.covers import covers
from tests.fuzz.explore import POISON, places_in

few = settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
by_provider = pytest.mark.parametrize("name", NAMES)

STATUSES: Final = (200, 201, 202, 204, 301, 400, 401, 403, 404, 408, 410, 422, 429, 500, 503)

# --- bodies ---------------------------------------------------------------------------------------------------------

JUNK: Final[Sequence[Any]] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        7,
        10**18,
        10**400,
        1.5,
        float("nan"),
        float("inf"),
        "",
        " ",
        "0",
        "x",
        "\x00",
        "\ud800",
    ),
    *([], {}, [[]], [{}], {"": ""}, "x" * 300, "../..", "\r\nX: y", "1\n2", "\u202e1", "৳1,092", "-5", "2026-13-45"),
)
PLACEHOLDER: Final = "\u2988hole\u2988"


@cache
def documented_bodies(name: str) -> tuple[bytes, ...]:
    """Return the response bodies of the documented cases of a provider."""
    cases = cases_of(name)
    answers: list[Answer | ManyAnswer | LookupAnswer | ListAnswer | AccountAnswer] = [*cases.answers]
    answers += [*cases.many_answers, *cases.lookup_answers, *cases.list_answers, *cases.account_answers]
    return tuple(sorted({answer.response.body for answer in answers if len(answer.response.body) < 4_000}))


@cache
def vocabulary_of(name: str) -> tuple[str, ...]:
    """Return the field names and texts in the documented bodies."""
    found = {"id", "status"}
    for container, key in (place for body in documented_bodies(name) for place in places_in(_json(body))):
        found |= {text for text in (key, container[key]) if isinstance(text, str) and len(text) < 60}
    return tuple(sorted(found))


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def documents(name: str) -> st.SearchStrategy[bytes]:
    """Generate JSON of any shape from the vocabulary of the vendor."""
    vocabulary = st.sampled_from(vocabulary_of(name))
    values = st.recursive(
        st.one_of(st.sampled_from(JUNK), vocabulary, st.text(max_size=20)),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(vocabulary, inner, max_size=4)),
        max_leaves=8,
    )
    return values.map(lambda value: json.dumps(value).encode())


@st.composite
def mutated_bodies(draw: st.DrawFn, name: str) -> bytes:
    """Generate a documented body with changes."""
    body = draw(st.sampled_from(documented_bodies(name)))
    document = _json(body)
    if not isinstance(document, dict | list) or draw(st.integers(0, 5)) == 0:
        return _cut(body, draw(st.integers(0, len(body))), draw(st.sampled_from(_FRAGMENTS)))
    document = deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        places = places_in(document)
        if places:
            container, key = places[draw(st.integers(0, len(places) - 1))]
            _change(container, key, draw(st.sampled_from(_CHANGES)), draw)
    text = json.dumps(document).replace(json.dumps(PLACEHOLDER), draw(st.sampled_from(sorted(POISON.values()))))
    return text.encode()


_CHANGES: Final = ("put", "put", "drop", "wrap", "double", "poison")
_FRAGMENTS: Final = (
    b"",
    b"\\ud800",
    b"\xff",
    b"\x00",
    b'"',
    b"{",
    b"]",
    b"<!",
    b"&lol;",
    b"\xef\xbb\xbf",
    b"9" * 5_000,
)


def _change(container: Any, key: Any, change: str, draw: st.DrawFn) -> None:
    match change:
        case "put":
            container[key] = draw(st.sampled_from(JUNK))
        case "drop":
            del container[key]
        case "wrap":
            container[key] = [container[key]]
        case "double":
            container[key] = [container[key], container[key]]
        case "poison":
            container[key] = PLACEHOLDER


def _cut(body: bytes, at: int, fragment: bytes) -> bytes:
    return body[:at] + fragment + body[at + len(fragment) % 3 :]


def bodies(name: str) -> st.SearchStrategy[bytes]:
    return st.one_of(mutated_bodies(name), mutated_bodies(name), documents(name), st.binary(max_size=200))


# --- properties of all parsers --------------------------------------------------------------------------------------


def try_parse(call: Callable[[], Any]) -> Any:
    """Return the result of a parser, or None if it raises an Exception."""
    try:
        return call()
    except Exception:
        return None


@cache
def three_messages(name: str) -> tuple[Message, ...]:
    """Return three messages that can share a call."""
    message = cases_of(name).sends[0].message
    return tuple(replace(message, message_id=f"m-{n}", recipient=f"+95912345678{n}") for n in range(3))


def parse_all(name: str, response: HttpResponse) -> Iterator[Any]:
    """Yield the result of each parser of a provider."""
    provider = provider_of(name)
    yield try_parse(lambda: provider.parse_send(response))
    if isinstance(provider, SupportsBatchSend):
        yield from _parse_many(provider, response, three_messages(name))
    if isinstance(provider, SupportsLookup):
        yield try_parse(lambda: provider.parse_lookup(response))
    if isinstance(provider, SupportsListing):
        page = try_parse(lambda: provider.parse_list(response, 0))
        yield from page.entries if page else ()
    if isinstance(provider, SupportsAccountChecks):
        for check in sorted(provider.capabilities.account_checks):
            yield try_parse(partial(provider.parse_account_check, check, response))


def _parse_many(provider: SupportsBatchSend, response: HttpResponse, messages: Sequence[Message]) -> Sequence[Outcome]:
    outcomes: list[Outcome] = try_parse(lambda: provider.parse_send_many(response, messages)) or []
    ids = [outcome.provider_message_id for outcome in outcomes if isinstance(outcome, Taken)]
    assert len(outcomes) in (0, len(messages))
    assert len(set(ids)) == len(ids), "one id for two messages (V5)"
    return outcomes


def texts_in(body: bytes) -> str:
    """Return a body as text, together with every decoded text in its JSON or XML."""
    text = body.decode("utf-8", "replace")
    document = _json(body)
    decoded = [container[key] for container, key in places_in(document)]
    if text.lstrip("\ufeff \r\n\t").startswith("<"):
        element = try_parse(lambda: ElementTree.fromstring(text.strip("\ufeff \r\n\t")))  # noqa: S314 - text of this test
        decoded += list(element.itertext()) if element is not None else []
    return "\n".join([text, *(each for each in decoded if isinstance(each, str))])


def assert_consistent(name: str, status: int, body: bytes) -> None:
    texts = texts_in(body)
    for parsed in parse_all(name, HttpResponse(status=status, headers={"retry-after": "7"}, body=body)):
        if isinstance(parsed, Taken) and name != "smsnoc":  # its body determines the outcome, not its HTTP status
            assert 200 <= status < 300, "taken despite an error status (V4)"
        if isinstance(parsed, Taken | Report):
            is_named = parsed.provider_message_id and parsed.provider_message_id in texts
            assert is_named or status == 410, "an id that the response does not contain (V4)"
        if isinstance(parsed, ListedMessage):
            assert parsed.report is None or parsed.report.provider_message_id in texts
        else:
            assert_storable(parsed)


def assert_storable(value: object) -> None:
    """Check that all texts are UTF-8: the store rejects half a surrogate pair on every retry."""
    if isinstance(value, str):
        value.encode()
    elif is_dataclass(value):
        for field in fields(value):
            assert_storable(getattr(value, field.name))
    elif isinstance(value, Mapping):
        assert_storable([*value, *value.values()])
    elif isinstance(value, list | tuple | frozenset):
        for entry in value:
            assert_storable(entry)


# --- tests ----------------------------------------------------------------------------------------------------------


@covers("V4", "V5")
@by_provider
@few
@given(data=st.data())
def test_no_response_is_taken_without_its_own_id(name: str, data: st.DataObject) -> None:
    """V4, V5: for every body under every status."""
    status, body = data.draw(st.sampled_from((*STATUSES[:4] * 3, *STATUSES))), data.draw(bodies(name))

    assert_consistent(name, status, body)


@covers("V4")
@by_provider
def test_parsers_accept_poison_at_each_place_of_documented_responses(name: str) -> None:
    shapes = {str([key for _, key in places_in(_json(body))]): body for body in documented_bodies(name)}
    for document in map(_json, shapes.values()):
        for place, poison in product(range(len(places_in(document))), ("NaN", '"\\ud800"', "9" * 5_000, "[" * 5_000)):
            changed = deepcopy(document)
            container, key = places_in(changed)[place]
            container[key] = PLACEHOLDER
            assert_consistent(name, 200, json.dumps(changed).replace(json.dumps(PLACEHOLDER), poison).encode())


@covers("V5")
@pytest.mark.parametrize("name", [name for name in NAMES if issubclass(APIS[name], SupportsBatchSend)])
def test_a_duplicate_id_in_a_response_identifies_no_message(name: str) -> None:
    provider = provider_of(name)
    assert isinstance(provider, SupportsBatchSend)
    for case in cases_of(name).many_answers:
        document = _json(case.response.body) if len(case.response.body) < 2_000 else None
        found = [(place, key) for place, (_, key) in enumerate(places_in(document))]
        for (to, key), (source, same) in permutations(found, 2):
            if key == same and isinstance(key, str):
                changed = deepcopy(document)
                places = places_in(changed)
                places[to][0][key] = places[source][0][key]
                response = replace(case.response, body=json.dumps(changed).encode())
                _parse_many(provider, response, case.messages)


PROLOGS: Final = (
    "",
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<?xml version="1.0" encoding="UTF-16"?>',
    "\ufeff",
    " ",
)
TYPES: Final = (
    "",
    '<!DOCTYPE results [<!ENTITY id "175041">]>',
    '<!DOCTYPE results [<!ENTITY a "99"><!ENTITY b "&a;&a;"><!ENTITY id "&b;&b;&b;">]>',
    '<!DOCTYPE results [<!ENTITY id SYSTEM "file:///etc/hostname">]>',
    '<!DOCTYPE results SYSTEM "http://127.0.0.1:9/x.dtd">',
    "<!-- a comment -->",
)
VALUES: Final = (
    "0",
    "175041",
    "&id;",
    "&#49;&#50;",
    "&lt;",
    "<![CDATA[17]]>",
    "<b>1</b>",
    "",
    " 12 ",
    "-5",
    "9" * 5_000,
)


@covers("V4")
@pytest.mark.parametrize("doctype", TYPES)
def test_no_entity_of_an_xml_response_is_expanded(doctype: str) -> None:
    """NusaSMS answers in XML by default, and a document type declaration can change the parsed text."""
    for prolog, value, depth, cut in product(PROLOGS, VALUES, (0, 5_000), (0, 1, 20)):
        result = f"<result><status>0</status><messageid>{value}</messageid></result>"
        text = f"{prolog}{doctype}<results>{'<a>' * depth}{result}{'</a>' * depth}</results>"
        body = text[: len(text) - cut].encode()

        assert_consistent("nusasms_sms", 200, body)
        outcome = provider_of("nusasms_sms").parse_send(HttpResponse(status=200, body=body))
        assert not (isinstance(outcome, Taken) and b"<!" in body)


@covers("W8")
@pytest.mark.parametrize(
    ("name", "kind"), [(name, kind) for name in NAMES for kind in sorted(APIS[name].capabilities.webhooks)]
)
def test_reports_from_a_damaged_webhook_request_can_be_stored(name: str, kind: str) -> None:
    """Including requests that the webhook service would reject."""
    genuine = [case.request for case in cases_of(name).webhooks if case.kind == kind]
    short = [request for request in genuine if len(request.body) < 300][:4]
    for request, fragment in product(short, _FRAGMENTS):
        for at in range(max(len(request.query), len(request.body))):
            query = _cut(request.query.encode(), at, fragment).decode("utf-8", "surrogateescape")
            cut = replace(request, query=query, body=_cut(request.body, at, fragment))
            assert_storable(try_parse(partial(parse_webhook, name, kind, cut)) or ())


LONG: Final[Mapping[str, Callable[[int], bytes]]] = {
    "empty objects": lambda size: _lists(b"{}", size),
    "rows": lambda size: _lists(b'{"id":"1","uid":"1","messageId":"1","to":"95912345678","status":"Sent"}', size),
    "lists": lambda size: _lists(b"[]", size),
    "commas": lambda size: b'{"status":"success","data":{"remaining_balance":"' + b"1," * (size // 2) + b'"}}',
    "blanks": lambda size: b" " * size + b"{",
    "XML": lambda size: b"<results>" + b"<result><status>0</status></result>" * (size // 35) + b"</results>",
    "open XML": lambda size: b"<a>" * (size // 3),
    "a long text": lambda size: b'{"error":true,"message":"' + b"credi " * (size // 6) + b'"}',
}


def _lists(row: bytes, size: int) -> bytes:
    rows = b",".join([row] * (size // (3 * len(row) + 3)))
    return b'{"status":"success","error":false,"messages":[%b],"data":[%b],"results":[%b]}' % (rows, rows, rows)


@covers("I10")
@by_provider
@pytest.mark.parametrize("shape", LONG)
def test_twice_the_response_costs_at_most_twice_the_work(name: str, shape: str) -> None:
    """I10: the work is the number of function calls."""
    once, twice = (_count_calls(name, LONG[shape](size)) for size in (10_000, 20_000))

    assert twice <= 2.2 * once + 100


def _count_calls(name: str, body: bytes) -> int:
    calls = 0

    def counted(frame: FrameType, event: str, arg: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        for _ in parse_all(name, HttpResponse(status=200, body=body)):
            pass
    finally:
        sys.setprofile(before)
    return calls
