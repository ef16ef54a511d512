"""Templates: messages whose words a vendor has approved, with the values that fill them; and what is known of them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sampai.domain.failure import Failure, Reason

MAX_PARAMETERS: Final = 30
MAX_CHARACTERS: Final = 2048
PARAMETERS_LIMIT: Final = 64 * 1024
"""They are stored with the message, and all of it together must be less than 400 KB."""

FRESH_FOR: Final = timedelta(days=1)


class InvalidTemplateError(ValueError):
    """Parameters that no template can have. The text names the field, never the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What stands above the text: its format, such as DOCUMENT or IMAGE, and named values, such as `url`."""

    format: str
    params: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyParameter:
    """The value of one placeholder; `key` is its number, `value` the name that the vendor shows for it."""

    key: str
    value: str = field(repr=False)
    value_text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    index: str
    type: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    header: Header | None = None
    body: tuple[BodyParameter, ...] = ()
    buttons: tuple[Button, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return what `read_parameters` reads; empty parts are left out."""
        said: dict[str, Any] = {}
        if self.header is not None:
            params = [{"key": key, "value": value} for key, value in self.header.params]
            said["header"] = {"format": self.header.format, "params": params}
        if self.body:
            said["body"] = [{"key": p.key, "value": p.value, "value_text": p.value_text} for p in self.body]
        if self.buttons:
            said["buttons"] = [{"index": b.index, "type": b.type, "value": b.value} for b in self.buttons]
        return said


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    template_id: str
    parameters: Parameters = field(default_factory=Parameters)
    recipient_name: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateInfo:
    """What a vendor says of one template. None where it does not say, or not so that we could tell."""

    is_approved: bool
    header_format: str | None = None
    body_parameters: int | None = None
    buttons: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The templates and senders of an account, as they were at `refreshed_at`. None: that part could not be read.

    Ids are kept in small letters: a UUID means the same in either.
    """

    refreshed_at: datetime
    templates: Mapping[str, TemplateInfo] | None = None
    senders: frozenset[str] | None = None

    def is_fresh(self, now: datetime) -> bool:
        """Whether it may be relied on: what was approved since must not be refused for ever."""
        return now < self.refreshed_at + FRESH_FOR

    def validate(self, template: Template, sender: str | None) -> Failure | None:
        """Return why the vendor would refuse the template from this sender, or None if nothing is known against it."""
        if self.senders is not None and (sender or "").lower() not in self.senders:
            return Failure(reason=Reason.INVALID_SENDER, detail="sender: no such channel in the account")
        if self.templates is None:
            return None
        info = self.templates.get(template.template_id.lower())
        if info is None:
            return _rejected("content.template_id: no such template in the account")
        if not info.is_approved:
            return _rejected("content.template_id: the template is not approved")
        return _misfit(template.parameters, info)


def _misfit(parameters: Parameters, info: TemplateInfo) -> Failure | None:
    given = {"body": len(parameters.body), "buttons": len(parameters.buttons)}
    wanted = {"body": info.body_parameters, "buttons": info.buttons}
    for part, count in wanted.items():
        if count is not None and given[part] != count:
            detail = f"content.parameters.{part}: the template has {count}, given are {given[part]}"
            return Failure(reason=Reason.INVALID_CONTENT, detail=detail)
    if info.header_format is not None and parameters.header is None:
        return Failure(reason=Reason.INVALID_CONTENT, detail="content.parameters.header: the template needs one")
    return None


def _rejected(detail: str) -> Failure:
    return Failure(reason=Reason.TEMPLATE_REJECTED, detail=detail)


# --- reading --------------------------------------------------------------------------------------------------------


def parse_template(document: object) -> Template:
    """Read `{"template_id", "parameters", "recipient_name"}`, or raise InvalidTemplateError."""
    given = _object(document, "", {"template_id", "parameters", "recipient_name"})
    name = given.get("recipient_name")
    return Template(
        template_id=_text(given.get("template_id"), "template_id", most=128),
        parameters=parse_parameters(given.get("parameters", {})),
        recipient_name=None if name is None else _text(name, "recipient_name", most=128),
    )


def parse_parameters(document: object) -> Parameters:
    """Read the parameters of a template, or raise InvalidTemplateError.

    A list of texts fills the body in order. An object has `header` {format, params: [{key, value}]}, `body`, a list of
    texts or of {key, value, value_text}, and `buttons` [{index, type, value}].
    """
    given = {"body": document} if isinstance(document, list) else document
    parts = _object(given, "parameters", {"header", "body", "buttons"})
    header = parts.get("header")
    body = _list(parts.get("body", []), "parameters.body")
    buttons = _list(parts.get("buttons", []), "parameters.buttons")
    parameters = Parameters(
        header=None if header is None else _header(header),
        body=tuple(_body_parameter(entry, place) for place, entry in enumerate(body, 1)),
        buttons=tuple(_button(entry) for entry in buttons),
    )
    if len(json.dumps(parameters.document())) > PARAMETERS_LIMIT:
        raise InvalidTemplateError(f"parameters: must be at most {PARAMETERS_LIMIT} bytes of JSON")
    return parameters


def _header(document: object) -> Header:
    given = _object(document, "parameters.header", {"format", "params"})
    params = _list(given.get("params", []), "parameters.header.params")
    return Header(
        format=_text(given.get("format"), "parameters.header.format", most=32),
        params=tuple(_header_parameter(entry) for entry in params),
    )


def _header_parameter(document: object) -> tuple[str, str]:
    given = _object(document, "parameters.header.params", {"key", "value"})
    value = _text(given.get("value"), "parameters.header.params.value")
    return _text(given.get("key"), "parameters.header.params.key", most=64), value


def _body_parameter(document: object, place: int) -> BodyParameter:
    if isinstance(document, str):
        text = _text(document, "parameters.body")
        return BodyParameter(key=str(place), value=f"parameter_{place}", value_text=text)
    given = _object(document, "parameters.body", {"key", "value", "value_text"})
    return BodyParameter(
        key=_number_or_text(given.get("key", place), "parameters.body.key", most=64),
        value=_text(given.get("value", f"parameter_{place}"), "parameters.body.value", most=64),
        value_text=_text(given.get("value_text"), "parameters.body.value_text"),
    )


def _button(document: object) -> Button:
    given = _object(document, "parameters.buttons", {"index", "type", "value"})
    return Button(
        index=_number_or_text(given.get("index"), "parameters.buttons.index", most=8),
        type=_text(given.get("type"), "parameters.buttons.type", most=32),
        value=_text(given.get("value"), "parameters.buttons.value"),
    )


def _object(document: object, field: str, names: set[str]) -> Mapping[str, Any]:
    if not isinstance(document, dict):
        raise InvalidTemplateError(_outcome_fields(field, "must be an object"))
    if not document.keys() <= names:
        raise InvalidTemplateError(_outcome_fields(field, f"has other fields than {', '.join(sorted(names))}"))
    return document


def _list(document: object, field: str) -> Sequence[Any]:
    if not isinstance(document, list) or len(document) > MAX_PARAMETERS:
        raise InvalidTemplateError(_outcome_fields(field, f"must be a list of at most {MAX_PARAMETERS}"))
    return document


def _text(value: object, field: str, *, most: int = MAX_CHARACTERS) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= most:
        raise InvalidTemplateError(_outcome_fields(field, f"must be a text of 1 to {most} characters"))
    return value


def _number_or_text(value: object, field: str, *, most: int) -> str:
    is_number = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**most
    return str(value) if is_number else _text(value, field, most=most)


def _outcome_fields(field: str, rule: str) -> str:
    return f"{field}: {rule}" if field else rule
