"""Eligibility: the directory is read once for a batch, and templates are checked against the catalogue."""

import json
from collections.abc import Collection
from datetime import timedelta
from typing import Any

import pytest

from sampai.contract.request import SendRequest, parse_request
from sampai.domain.failure import Failure, Reason
from sampai.domain.http import HttpResponse
from sampai.domain.inbound import Conversation
from sampai.domain.message import Category, Channel, blank_message
from sampai.domain.status import Status
from sampai.domain.template import Catalogue, TemplateInfo
from sampai.services.ports.configuration import Secret
from sampai.services.ports.eligibility import EligibilityData
from sampai.services.ports.runtime import UnavailableError
from sampai.services.routing import Routing
from sampai.services.send.drafts import build_draft
from sampai.services.send.eligibility import EligibilityQuery, eligibility_query, load_eligibility
from tests.fakes import START, FixedSettings, InMemoryDirectory, statuses
from tests.harness.application import Application, request

NUMBER = "+6281234567810"
CONVERSATION = "0b6f1c1e-9a52-4a7f-8f0d-2f6f5f3d9c01"
CHANNEL = "7d1c7c0a-3e0f-4b52-9a43-6a1f0b1e2d03"
TEMPLATE = "5a4b3c2d-1e0f-4a9b-8c7d-6e5f4a3b2c04"

OFFICIAL = {"channel": "whatsapp_official", "recipient": NUMBER}
TEMPLATES = frozenset({"nusasms"})


# --- queries --------------------------------------------------------------------------------------------------------

QUERIES: list[tuple[str, dict[str, Any], EligibilityQuery]] = [
    ("a transactional text", {"recipient": NUMBER}, EligibilityQuery()),
    ("a one-time password", {"recipient": NUMBER, "category": "otp"}, EligibilityQuery()),
    (
        "a promotional text",
        {"recipient": NUMBER, "category": "promotional"},
        EligibilityQuery(numbers=frozenset({NUMBER}), is_promotional=True),
    ),
    (
        "a promotional text by WhatsApp",
        {"recipient": NUMBER, "category": "promotional", "channel": "whatsapp"},
        EligibilityQuery(numbers=frozenset({NUMBER}), is_promotional=True),
    ),
    (
        "a promotional text to a list",
        {"recipient": None, "audience": {"lists": ["a"]}, "category": "promotional"},
        EligibilityQuery(is_promotional=True),
    ),
    (
        "a promotional e-mail with copies",
        {
            "recipient": "a@a.kh",
            "channel": "email",
            "category": "promotional",
            "content": {"type": "email", "subject": "x", "body": "x", "cc": ["b@a.kh"], "bcc": ["c@a.kh"]},
        },
        EligibilityQuery(numbers=frozenset({"a@a.kh", "b@a.kh", "c@a.kh"}), is_promotional=True),
    ),
    ("a template", OFFICIAL, EligibilityQuery(catalogues=TEMPLATES)),
    (
        "a reply",
        OFFICIAL | {"recipient": None, "room_id": CONVERSATION},
        EligibilityQuery(room_id=CONVERSATION, catalogues=TEMPLATES),
    ),
    (
        "a promotional reply",
        OFFICIAL | {"room_id": CONVERSATION, "category": "promotional"},
        EligibilityQuery(numbers=frozenset({NUMBER}), room_id=CONVERSATION, is_promotional=True, catalogues=TEMPLATES),
    ),
]


@pytest.mark.parametrize(("changes", "query"), [q[1:] for q in QUERIES], ids=[q[0] for q in QUERIES])
def test_a_request_and_its_message_have_the_same_query(changes: dict[str, Any], query: EligibilityQuery) -> None:
    asked = parse_request(request(**changes), now=START)
    assert isinstance(asked, SendRequest)
    routing = Routing(FixedSettings().settings, Secret())
    message = build_draft(asked, blank_message("m-1", now=START), group=None, routing=routing)

    assert eligibility_query(asked, routing) == query
    assert eligibility_query(message, routing) == query


def test_query_has_the_catalogues_of_all_providers_that_may_send_a_template() -> None:
    settings = FixedSettings({"providers": {"nusasms-2": {"type": "nusasms"}, "smspoh-2": {"type": "smspoh"}}}).settings
    asked = parse_request(request(**OFFICIAL), now=START)
    assert isinstance(asked, SendRequest)

    assert eligibility_query(asked, Routing(settings, Secret())).catalogues == {"nusasms", "nusasms-2"}


class RecordingDirectory(InMemoryDirectory):
    """Records the keys of each read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[tuple[set[str], set[str], set[str]]] = []

    def look_up(
        self, *, numbers: Collection[str], conversations: Collection[str], catalogues: Collection[str]
    ) -> EligibilityData:
        self.reads.append((set(numbers), set(conversations), set(catalogues)))
        return super().look_up(numbers=numbers, conversations=conversations, catalogues=catalogues)


def by_number(number: str) -> EligibilityQuery:
    return EligibilityQuery(numbers=frozenset({number}), is_promotional=True)


def in_room(room_id: str, *, is_promotional: bool = False) -> EligibilityQuery:
    return EligibilityQuery(room_id=room_id, is_promotional=is_promotional)


def test_without_a_query_the_directory_is_not_read() -> None:
    directory = RecordingDirectory()
    directory.is_down = True

    assert load_eligibility(directory, []) == EligibilityData()
    assert load_eligibility(directory, [EligibilityQuery(), EligibilityQuery(is_promotional=True)]) == EligibilityData()
    assert directory.reads == []


def test_all_queries_are_one_read() -> None:
    directory = RecordingDirectory()
    directory.set_opt_out("+1", is_out=True, at=START)
    directory.record_conversation(Conversation(room_id="r-1", last_inbound_at=START))

    known = load_eligibility(
        directory,
        [
            by_number("+1"),
            by_number("+2"),
            EligibilityQuery(),
            by_number("+1"),
            in_room("r-1"),
            in_room("r-2"),
            EligibilityQuery(catalogues=TEMPLATES),
        ],
    )

    assert directory.reads == [({"+1", "+2"}, {"r-1", "r-2"}, {"nusasms"})]
    assert known == EligibilityData(
        opted_out=frozenset({"+1"}), conversations={"r-1": Conversation(room_id="r-1", last_inbound_at=START)}
    )


def test_a_number_that_only_the_conversation_has_is_read_in_a_second_step() -> None:
    directory = RecordingDirectory()
    for number in ("+1", "+2"):
        directory.set_opt_out(number, is_out=True, at=START)
    conversations = {f"r-{n}": Conversation(room_id=f"r-{n}", number=f"+{n}", last_inbound_at=START) for n in (1, 2, 3)}
    for conversation in conversations.values():
        directory.record_conversation(conversation)

    known = load_eligibility(
        directory,
        [by_number("+1"), *(in_room(name, is_promotional=True) for name in ("r-1", "r-2", "r-9")), in_room("r-3")],
    )

    assert directory.reads == [({"+1"}, {"r-1", "r-2", "r-3", "r-9"}, set()), ({"+2"}, set(), set())]
    assert known == EligibilityData(opted_out=frozenset({"+1", "+2"}), conversations=conversations)


def test_no_number_is_read_twice() -> None:
    directory = RecordingDirectory()
    directory.record_conversation(Conversation(room_id="r-1", number="+1", last_inbound_at=START))

    load_eligibility(directory, [EligibilityQuery(numbers=frozenset({"+1"}), room_id="r-1", is_promotional=True)])

    assert directory.reads == [({"+1"}, {"r-1"}, set())]


def test_directory_outage_raises_instead_of_returning_no_facts() -> None:
    directory = RecordingDirectory()
    directory.is_down = True

    with pytest.raises(UnavailableError):
        load_eligibility(directory, [by_number("+1")])


# --- catalogues -----------------------------------------------------------------------------------------------------

SETTINGS = {"providers": {"nusasms": {"senders": {"whatsapp_official": CHANNEL}}}}
APPROVED = TemplateInfo(is_approved=True, header_format="DOCUMENT", body_parameters=1)
HEADER = {"format": "DOCUMENT", "params": [{"key": "url", "value": "https://a.example/f.pdf"}]}
FITTING = {"header": HEADER, "body": ["1234"]}


def taken() -> HttpResponse:
    return HttpResponse(status=201, body=b'{"error": false, "message": "-", "data": {"ref_no": "0017"}}')


def template(message_id: str = "m-1", parameters: object = FITTING, **changes: Any) -> str:
    content = {"type": "template", "template_id": TEMPLATE, "parameters": parameters}
    return request(message_id, **(OFFICIAL | {"content": content} | changes))


def catalogue(**changes: Any) -> Catalogue:
    whole: dict[str, Any] = {
        "refreshed_at": START,
        "templates": {TEMPLATE: APPROVED},
        "senders": frozenset({CHANNEL}),
    }
    return Catalogue(**whole | changes)


def rejected(what: str) -> Failure:
    return Failure(reason=Reason.TEMPLATE_REJECTED, detail=f"content.template_id: {what}")


def misfit(what: str) -> Failure:
    return Failure(reason=Reason.INVALID_CONTENT, detail=f"content.parameters.{what}")


NO_SENDER = Failure(reason=Reason.INVALID_SENDER, detail="sender: no such channel in the account")
UNKNOWN = rejected("no such template in the account")

VERDICTS: list[tuple[str, Catalogue | None, str, Failure | None]] = [
    ("no catalogue", None, template(), None),
    ("a template that fits", catalogue(), template(), None),
    ("no such template", catalogue(templates={}), template(), UNKNOWN),
    (
        "a template that is not approved",
        catalogue(templates={TEMPLATE: TemplateInfo(is_approved=False)}),
        template(),
        rejected("the template is not approved"),
    ),
    (
        "one text too many",
        catalogue(),
        template(parameters=FITTING | {"body": ["1234", "5678"]}),
        misfit("body: the template has 1, given are 2"),
    ),
    ("no text", catalogue(), template(parameters={"header": HEADER}), misfit("body: the template has 1, given are 0")),
    ("no header", catalogue(), template(parameters=["1234"]), misfit("header: the template needs one")),
    ("no such channel", catalogue(senders=frozenset({CONVERSATION})), template(), NO_SENDER),
    ("another channel, named by the request", catalogue(), template(sender=CONVERSATION), NO_SENDER),
    ("templates that the vendor did not list", catalogue(templates=None), template(), None),
    ("senders that the vendor did not list", catalogue(senders=None), template(), None),
    (
        "a catalogue of almost a day",
        catalogue(refreshed_at=START - timedelta(days=1, milliseconds=-1), templates={}),
        template(),
        UNKNOWN,
    ),
    ("a catalogue of a day", catalogue(refreshed_at=START - timedelta(days=1), templates={}), template(), None),
]


@pytest.mark.parametrize(("known", "body", "failure"), [v[1:] for v in VERDICTS], ids=[v[0] for v in VERDICTS])
def test_a_template_that_contradicts_the_catalogue_fails_without_a_call(
    known: Catalogue | None, body: str, failure: Failure | None
) -> None:
    app = Application(taken(), settings=SETTINGS)
    if known is not None:
        app.directory.store_catalogue("nusasms", known)

    unfinished = app.send(body)

    assert unfinished == []
    assert app.message().failure == failure
    assert statuses(app.message()) == ([Status.FAILED] if failure else [Status.SENDING, Status.ACCEPTED])
    assert len(app.transport.requests) == (0 if failure else 1)


def test_messages_without_a_template_are_not_checked_against_the_catalogue() -> None:
    app = Application(taken(), settings=SETTINGS)
    app.directory.store_catalogue("nusasms", catalogue(templates={}, senders=frozenset()))
    app.directory.record_conversation(Conversation(room_id=CONVERSATION, last_inbound_at=START))

    app.send(request(channel="whatsapp_official", recipient=None, room_id=CONVERSATION))

    assert app.message().status is Status.ACCEPTED


def test_a_scheduled_template_is_checked_at_its_time() -> None:
    app = Application(taken(), settings=SETTINGS)
    app.directory.store_catalogue("nusasms", catalogue(templates={}))
    app.send(template("approved-since", send_at="2026-11-21T10:10:00Z"))
    app.send(template("paused-since", send_at="2026-11-21T10:10:00Z"))
    assert {message.status for message in app.store.messages.values()} == {Status.SCHEDULED}

    app.clock.advance(minutes=10)
    app.directory.store_catalogue("nusasms", catalogue())
    first, second = app.queue.bodies()
    app.send(first)
    app.directory.store_catalogue("nusasms", catalogue(templates={TEMPLATE: TemplateInfo(is_approved=False)}))
    app.send(second)

    assert app.message("approved-since").status is Status.ACCEPTED
    assert app.message("paused-since").failure == rejected("the template is not approved")


def test_a_template_is_sent_with_named_parameters() -> None:
    app = Application(taken(), settings=SETTINGS)
    app.directory.store_catalogue("nusasms", catalogue())

    app.send(template(category=Category.OTP))

    (sent,) = app.transport.requests
    assert app.message().channel is Channel.WHATSAPP_OFFICIAL
    assert json.loads(sent.body)["parameters"] == {
        "header": HEADER,
        "body": [{"key": "1", "value": "parameter_1", "value_text": "1234"}],
    }
