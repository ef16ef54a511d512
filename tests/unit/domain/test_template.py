"""Templates: their parameters, and the checks against a vendor's catalogue."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from sampai.domain.failure import Failure, Reason
from sampai.domain.template import (
    BodyParameter,
    Button,
    Catalogue,
    Header,
    InvalidTemplateError,
    Parameters,
    Template,
    TemplateInfo,
    parse_parameters,
    parse_template,
)
from tests.fakes import START

SECRET = "8412-secret-8412"
"""A value that no error may show."""


# --- reading ----------------------------------------------------------------------------------------------------------

GOOD: list[tuple[str, object, Parameters]] = [
    ("nothing", {}, Parameters()),
    ("no texts", [], Parameters()),
    ("empty parts", {"body": [], "buttons": []}, Parameters()),
    ("no header", {"header": None}, Parameters()),
    (
        "texts",
        ["Dara", "1234\n😀"],
        Parameters(
            body=(
                BodyParameter(key="1", value="parameter_1", value_text="Dara"),
                BodyParameter(key="2", value="parameter_2", value_text="1234\n😀"),
            )
        ),
    ),
    (
        "texts as a part",
        {"body": ["Dara"]},
        Parameters(body=(BodyParameter(key="1", value="parameter_1", value_text="Dara"),)),
    ),
    (
        "texts and objects",
        {"body": [{"value_text": "Dara"}, "1234", {"key": 7, "value": "code", "value_text": "x"}]},
        Parameters(
            body=(
                BodyParameter(key="1", value="parameter_1", value_text="Dara"),
                BodyParameter(key="2", value="parameter_2", value_text="1234"),
                BodyParameter(key="7", value="code", value_text="x"),
            )
        ),
    ),
    (
        "a key in words",
        [{"key": "name", "value_text": "Dara"}],
        Parameters(body=(BodyParameter(key="name", value="parameter_1", value_text="Dara"),)),
    ),
    ("a header without values", {"header": {"format": "TEXT"}}, Parameters(header=Header(format="TEXT"))),
    (
        "a header with values, in their order",
        {"header": {"format": "DOCUMENT", "params": [{"key": "url", "value": "u"}, {"key": "filename", "value": "f"}]}},
        Parameters(header=Header(format="DOCUMENT", params=(("url", "u"), ("filename", "f")))),
    ),
    (
        "buttons",
        {"buttons": [{"index": 0, "type": "url", "value": "a"}, {"index": "1", "type": "reply", "value": "b"}]},
        Parameters(buttons=(Button(index="0", type="url", value="a"), Button(index="1", type="reply", value="b"))),
    ),
    (
        "as many and as long as may be",
        ["a" * 2048] * 30,
        Parameters(
            body=tuple(BodyParameter(key=str(n), value=f"parameter_{n}", value_text="a" * 2048) for n in range(1, 31))
        ),
    ),
]


@pytest.mark.parametrize(("document", "parameters"), [g[1:] for g in GOOD], ids=[g[0] for g in GOOD])
def test_parameters_are_read(document: object, parameters: Parameters) -> None:
    assert parse_parameters(document) == parameters


@pytest.mark.parametrize("parameters", [g[2] for g in GOOD], ids=[g[0] for g in GOOD])
def test_parameters_are_written_as_they_are_read(parameters: Parameters) -> None:
    assert parse_parameters(parameters.document()) == parameters


def header(**changes: object) -> dict[str, Any]:
    return {"header": {"format": "DOCUMENT", "params": [{"key": "url", "value": SECRET}]} | changes}


def body(**changes: object) -> dict[str, Any]:
    return {"body": ["fine", {"key": "2", "value": "code", "value_text": SECRET} | changes]}


def button(**changes: object) -> dict[str, Any]:
    return {"buttons": [{"index": "0", "type": "url", "value": SECRET} | changes]}


TEXT = "must be a text of 1 to {} characters"

BAD: list[tuple[object, str]] = [
    (None, "parameters: must be an object"),
    (SECRET, "parameters: must be an object"),
    (8412, "parameters: must be an object"),
    ({SECRET: "x"}, "parameters: has other fields than body, buttons, header"),
    ({"header": SECRET}, "parameters.header: must be an object"),
    ({"header": [SECRET]}, "parameters.header: must be an object"),
    (header(**{SECRET: 1}), "parameters.header: has other fields than format, params"),
    ({"header": {}}, "parameters.header.format: " + TEXT.format(32)),
    (header(format=""), "parameters.header.format: " + TEXT.format(32)),
    (header(format=SECRET * 3), "parameters.header.format: " + TEXT.format(32)),
    (header(params=SECRET), "parameters.header.params: must be a list of at most 30"),
    (header(params={"url": SECRET}), "parameters.header.params: must be a list of at most 30"),
    (header(params=[SECRET]), "parameters.header.params: must be an object"),
    (header(params=[{SECRET: 1}]), "parameters.header.params: has other fields than key, value"),
    (header(params=[{"value": SECRET}]), "parameters.header.params.key: " + TEXT.format(64)),
    (header(params=[{"key": "url"}]), "parameters.header.params.value: " + TEXT.format(2048)),
    (header(params=[{"key": "url", "value": 8412}]), "parameters.header.params.value: " + TEXT.format(2048)),
    ({"body": None}, "parameters.body: must be a list of at most 30"),
    ({"body": {"1": SECRET}}, "parameters.body: must be a list of at most 30"),
    ([SECRET] * 31, "parameters.body: must be a list of at most 30"),
    ([""], "parameters.body: " + TEXT.format(2048)),
    ([SECRET * 200], "parameters.body: " + TEXT.format(2048)),
    ([8412], "parameters.body: must be an object"),
    ([None], "parameters.body: must be an object"),
    (body(**{SECRET: 1}), "parameters.body: has other fields than key, value, value_text"),
    (body(key=""), "parameters.body.key: " + TEXT.format(64)),
    (body(key=True), "parameters.body.key: " + TEXT.format(64)),
    (body(key=-1), "parameters.body.key: " + TEXT.format(64)),
    (body(key=1.5), "parameters.body.key: " + TEXT.format(64)),
    (body(key=10**64), "parameters.body.key: " + TEXT.format(64)),
    (body(key=10**5000), "parameters.body.key: " + TEXT.format(64)),
    (body(value=SECRET * 9), "parameters.body.value: " + TEXT.format(64)),
    (body(value_text=None), "parameters.body.value_text: " + TEXT.format(2048)),
    (body(value_text=8412), "parameters.body.value_text: " + TEXT.format(2048)),
    ([{"key": "1"}], "parameters.body.value_text: " + TEXT.format(2048)),
    (["é" * 2048] * 6, "parameters: must be at most 65536 bytes of JSON"),
    (
        {"header": {"format": "TEXT", "params": [{"key": "1", "value": "a" * 2048}] * 17}, "body": ["a" * 2048] * 17},
        "parameters: must be at most 65536 bytes of JSON",
    ),
    ({"buttons": SECRET}, "parameters.buttons: must be a list of at most 30"),
    ({"buttons": [SECRET]}, "parameters.buttons: must be an object"),
    (button(**{SECRET: 1}), "parameters.buttons: has other fields than index, type, value"),
    (button(index=None), "parameters.buttons.index: " + TEXT.format(8)),
    (button(index=False), "parameters.buttons.index: " + TEXT.format(8)),
    (button(index=10**8), "parameters.buttons.index: " + TEXT.format(8)),
    (button(type=None), "parameters.buttons.type: " + TEXT.format(32)),
    (button(value=""), "parameters.buttons.value: " + TEXT.format(2048)),
]


@pytest.mark.parametrize(("document", "why"), BAD, ids=[f"{n} {b[1][:50]}" for n, b in enumerate(BAD)])
def test_error_about_bad_parameters_names_the_field(document: object, why: str) -> None:
    with pytest.raises(InvalidTemplateError) as caught:
        parse_parameters(document)

    assert str(caught.value) == why


def test_a_template_is_read() -> None:
    document = {"template_id": "t-1", "parameters": ["1234"], "recipient_name": "Dara"}

    assert [parse_template(document), parse_template({"template_id": "t-1"})] == [
        Template(template_id="t-1", parameters=parse_parameters(["1234"]), recipient_name="Dara"),
        Template(template_id="t-1"),
    ]


BAD_TEMPLATES: list[tuple[object, str]] = [
    (None, "must be an object"),
    (SECRET, "must be an object"),
    ([SECRET], "must be an object"),
    ({"template_id": "t", SECRET: 1}, "has other fields than parameters, recipient_name, template_id"),
    ({}, "template_id: " + TEXT.format(128)),
    ({"template_id": ""}, "template_id: " + TEXT.format(128)),
    ({"template_id": SECRET * 9}, "template_id: " + TEXT.format(128)),
    ({"template_id": 8412}, "template_id: " + TEXT.format(128)),
    ({"template_id": "t", "recipient_name": ""}, "recipient_name: " + TEXT.format(128)),
    ({"template_id": "t", "recipient_name": SECRET * 9}, "recipient_name: " + TEXT.format(128)),
    ({"template_id": "t", "parameters": None}, "parameters: must be an object"),
    ({"template_id": "t", "parameters": [8412]}, "parameters.body: must be an object"),
]


@pytest.mark.parametrize(
    ("document", "why"), BAD_TEMPLATES, ids=[f"{n} {b[1][:50]}" for n, b in enumerate(BAD_TEMPLATES)]
)
def test_error_about_a_bad_template_names_the_field(document: object, why: str) -> None:
    with pytest.raises(InvalidTemplateError) as caught:
        parse_template(document)

    assert str(caught.value) == why


@pytest.mark.parametrize("build", [header, body, button])
def test_repr_of_a_template_shows_no_parameter(build: Callable[[], dict[str, Any]]) -> None:
    template = Template(template_id="t-1", parameters=parse_parameters(build()), recipient_name=SECRET)

    assert SECRET not in repr(template)


# --- the catalogue ----------------------------------------------------------------------------------------------------


def rejected(what: str) -> Failure:
    return Failure(reason=Reason.TEMPLATE_REJECTED, detail=f"content.template_id: {what}")


def misfit(what: str) -> Failure:
    return Failure(reason=Reason.INVALID_CONTENT, detail=f"content.parameters.{what}")


NO_SENDER = Failure(reason=Reason.INVALID_SENDER, detail="sender: no such channel in the account")
TWO_TEXTS = {"template_id": "t-1", "parameters": ["a", "b"]}
HEADED = {"template_id": "t-1", "parameters": header() | {"body": ["a", "b"]}}
APPROVED = TemplateInfo(is_approved=True)
ASKING = TemplateInfo(is_approved=True, header_format="DOCUMENT", body_parameters=2, buttons=0)

VERDICTS: list[tuple[str, dict[str, TemplateInfo] | None, set[str] | None, object, str | None, Failure | None]] = [
    ("nothing is known", None, None, TWO_TEXTS, None, None),
    ("of this template nothing but its approval is known", {"t-1": APPROVED}, None, TWO_TEXTS, "c-1", None),
    ("it is not there", {}, None, TWO_TEXTS, "c-1", rejected("no such template in the account")),
    ("another is there", {"t-2": APPROVED}, None, TWO_TEXTS, "c-1", rejected("no such template in the account")),
    ("capitals make no difference", {"t-1": APPROVED}, {"c-1"}, TWO_TEXTS | {"template_id": "T-1"}, "C-1", None),
    (
        "it is not approved",
        {"t-1": TemplateInfo(is_approved=False, body_parameters=9)},
        None,
        TWO_TEXTS,
        "c-1",
        rejected("the template is not approved"),
    ),
    ("a known sender", None, {"c-1"}, TWO_TEXTS, "c-1", None),
    ("an unknown sender", None, {"c-1"}, TWO_TEXTS, "c-2", NO_SENDER),
    ("no sender", None, {"c-1"}, TWO_TEXTS, None, NO_SENDER),
    ("an account without senders", None, set(), TWO_TEXTS, "c-1", NO_SENDER),
    ("an unknown sender of an unknown template", {}, {"c-1"}, TWO_TEXTS, "c-2", NO_SENDER),
    ("all that it asks for", {"t-1": ASKING}, {"c-1"}, HEADED, "c-1", None),
    ("no header", {"t-1": ASKING}, None, TWO_TEXTS, "c-1", misfit("header: the template needs one")),
    (
        "a text too few",
        {"t-1": ASKING},
        None,
        HEADED | {"parameters": header() | {"body": ["a"]}},
        "c-1",
        misfit("body: the template has 2, given are 1"),
    ),
    (
        "a text too many",
        {"t-1": ASKING},
        None,
        {"template_id": "t-1", "parameters": ["a", "b", "c"]},
        "c-1",
        misfit("body: the template has 2, given are 3"),
    ),
    (
        "a button too many",
        {"t-1": ASKING},
        None,
        HEADED | {"parameters": button() | {"body": ["a", "b"]}},
        "c-1",
        misfit("buttons: the template has 0, given are 1"),
    ),
    (
        "no parameters for one that has none",
        {"t-1": ASKING},
        None,
        {"template_id": "t-1"},
        "c-1",
        misfit("body: the template has 2, given are 0"),
    ),
    (
        "a header that it does not ask for",
        {"t-1": TemplateInfo(is_approved=True, body_parameters=2, buttons=0)},
        None,
        HEADED,
        "c-1",
        None,
    ),
]


@pytest.mark.parametrize(
    ("templates", "senders", "document", "sender", "failure"), [v[1:] for v in VERDICTS], ids=[v[0] for v in VERDICTS]
)
def test_catalogue_refuses_a_message_that_the_vendor_would_refuse(
    templates: dict[str, TemplateInfo] | None,
    senders: set[str] | None,
    document: object,
    sender: str | None,
    failure: Failure | None,
) -> None:
    catalogue = Catalogue(
        refreshed_at=START, templates=templates, senders=None if senders is None else frozenset(senders)
    )

    assert catalogue.validate(parse_template(document), sender) == failure


@pytest.mark.parametrize(
    ("age", "is_fresh"),
    [
        (timedelta(0), True),
        (timedelta(days=1, milliseconds=-1), True),
        (timedelta(days=1), False),
        (timedelta(days=9), False),
    ],
)
def test_catalogue_is_valid_for_a_day(age: timedelta, is_fresh: bool) -> None:
    assert Catalogue(refreshed_at=START).is_fresh(START + age) is is_fresh
