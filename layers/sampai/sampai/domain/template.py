"""Templates: texts that a vendor has approved, the values of their placeholders, and the catalogue of an account."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sampai.domain.failure import Failure, Reason

MAX_PARAMETERS: Final = 30
MAX_CHARACTERS: Final = 2048
PARAMETERS_LIMIT: Final = 64 * 1024
"""Bytes of JSON. The parameters are stored with the message, and an item of DynamoDB has at most 400 KB."""

FRESH_FOR: Final = timedelta(days=1)


class InvalidTemplateError(ValueError):
    """The parameters are invalid for every template. The text names the field, never the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The part above the text: its format, such as DOCUMENT or IMAGE, and named values, such as `url`."""

    format: str
    params: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyParameter:
    """The text of one placeholder. `key` is its number, `value` is its name at the vendor."""

    key: str
    value: str = field(repr=False)
    value_text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """The value of a button of a template."""

    index: str
    type: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """The values of a template message: for its header, its body and its buttons."""

    header: Header | None = None
    body: tuple[BodyParameter, ...] = ()
    buttons: tuple[Button, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return the JSON object for `parse_parameters`. Empty parts are left out."""
        document: dict[str, Any] = {}
        if self.header is not None:
            params = [{"key": key, "value": value} for key, value in self.header.params]
            document["header"] = {"format": self.header.format, "params": params}
        if self.body:
            document["body"] = [{"key": p.key, "value": p.value, "value_text": p.value_text} for p in self.body]
        if self.buttons:
            document["buttons"] = [{"index": b.index, "type": b.type, "value": b.value} for b in self.buttons]
        return document


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A message from a template that the vendor has approved."""

    template_id: str
    parameters: Parameters = field(default_factory=Parameters)
    recipient_name: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateInfo:
    """A template in a vendor's catalogue. A field is None if the vendor does not report it clearly."""

    is_approved: bool
    header_format: str | None = None
    body_parameters: int | None = None
    buttons: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The templates and senders of an account at the time `refreshed_at`. A part that is not available is None.

    Ids are in lower case, because the case of a UUID has no meaning.
    """

    refreshed_at: datetime
    templates: Mapping[str, TemplateInfo] | None = None
    senders: frozenset[str] | None = None

    def is_fresh(self, now: datetime) -> bool:
        """Return whether the catalogue is recent enough to refuse templates. A newer template may be missing in it."""
        return now < self.refreshed_at + FRESH_FOR

    def validate(self, template: Template, sender: str | None) -> Failure | None:
        """Return the reason why the vendor would refuse the template from this sender, or None."""
        if self.senders is not None and (sender or "").lower() not in self.senders:
            return Failure(reason=Reason.INVALID_SENDER, detail="sender: no such channel in the account")
        if self.templates is None:
            return None
        info = self.templates.get(template.template_id.lower())
        if info is None:
            return _template_failure("content.template_id: no such template in the account")
        if not info.is_approved:
            return _template_failure("content.template_id: the template is not approved")
        return _validate_parameters(template.parameters, info)


def _validate_parameters(parameters: Parameters, info: TemplateInfo) -> Failure | None:
    given = {"body": len(parameters.body), "buttons": len(parameters.buttons)}
    required = {"body": info.body_parameters, "buttons": info.buttons}
    for part, count in required.items():
        if count is not None and given[part] != count:
            detail = f"content.parameters.{part}: the template has {count}, given are {given[part]}"
            return Failure(reason=Reason.INVALID_CONTENT, detail=detail)
    if info.header_format is not None and parameters.header is None:
        return Failure(reason=Reason.INVALID_CONTENT, detail="content.parameters.header: the template needs one")
    return None


def _template_failure(detail: str) -> Failure:
    return Failure(reason=Reason.TEMPLATE_REJECTED, detail=detail)


# --- parsing --------------------------------------------------------------------------------------------------------


def parse_template(document: object) -> Template:
    """Parse `{"template_id", "parameters", "recipient_name"}`. Raise InvalidTemplateError."""
    given = _require_object(document, "", {"template_id", "parameters", "recipient_name"})
    name = given.get("recipient_name")
    return Template(
        template_id=_require_text(given.get("template_id"), "template_id", max_length=128),
        parameters=parse_parameters(given.get("parameters", {})),
        recipient_name=None if name is None else _require_text(name, "recipient_name", max_length=128),
    )


def parse_parameters(document: object) -> Parameters:
    """Parse the parameters of a template. Raise InvalidTemplateError.

    A list of texts has the values of the body in order. An object has `header` {format, params: [{key, value}]},
    `body`, a list of texts or of {key, value, value_text}, and `buttons` [{index, type, value}].
    """
    given = {"body": document} if isinstance(document, list) else document
    parts = _require_object(given, "parameters", {"header", "body", "buttons"})
    header = parts.get("header")
    body = _require_list(parts.get("body", []), "parameters.body")
    buttons = _require_list(parts.get("buttons", []), "parameters.buttons")
    parameters = Parameters(
        header=None if header is None else _parse_header(header),
        body=tuple(_parse_body_parameter(entry, position) for position, entry in enumerate(body, 1)),
        buttons=tuple(_parse_button(entry) for entry in buttons),
    )
    if len(json.dumps(parameters.document())) > PARAMETERS_LIMIT:
        raise InvalidTemplateError(f"parameters: must be at most {PARAMETERS_LIMIT} bytes of JSON")
    return parameters


def _parse_header(document: object) -> Header:
    given = _require_object(document, "parameters.header", {"format", "params"})
    params = _require_list(given.get("params", []), "parameters.header.params")
    return Header(
        format=_require_text(given.get("format"), "parameters.header.format", max_length=32),
        params=tuple(_parse_header_parameter(entry) for entry in params),
    )


def _parse_header_parameter(document: object) -> tuple[str, str]:
    given = _require_object(document, "parameters.header.params", {"key", "value"})
    value = _require_text(given.get("value"), "parameters.header.params.value")
    return _require_text(given.get("key"), "parameters.header.params.key", max_length=64), value


def _parse_body_parameter(document: object, position: int) -> BodyParameter:
    if isinstance(document, str):
        text = _require_text(document, "parameters.body")
        return BodyParameter(key=str(position), value=f"parameter_{position}", value_text=text)
    given = _require_object(document, "parameters.body", {"key", "value", "value_text"})
    return BodyParameter(
        key=_require_number_or_text(given.get("key", position), "parameters.body.key", max_length=64),
        value=_require_text(given.get("value", f"parameter_{position}"), "parameters.body.value", max_length=64),
        value_text=_require_text(given.get("value_text"), "parameters.body.value_text"),
    )


def _parse_button(document: object) -> Button:
    given = _require_object(document, "parameters.buttons", {"index", "type", "value"})
    return Button(
        index=_require_number_or_text(given.get("index"), "parameters.buttons.index", max_length=8),
        type=_require_text(given.get("type"), "parameters.buttons.type", max_length=32),
        value=_require_text(given.get("value"), "parameters.buttons.value"),
    )


def _require_object(document: object, field: str, names: set[str]) -> Mapping[str, Any]:
    if not isinstance(document, dict):
        raise InvalidTemplateError(_describe(field, "must be an object"))
    if not document.keys() <= names:
        raise InvalidTemplateError(_describe(field, f"has other fields than {', '.join(sorted(names))}"))
    return document


def _require_list(document: object, field: str) -> Sequence[Any]:
    if not isinstance(document, list) or len(document) > MAX_PARAMETERS:
        raise InvalidTemplateError(_describe(field, f"must be a list of at most {MAX_PARAMETERS}"))
    return document


def _require_text(value: object, field: str, *, max_length: int = MAX_CHARACTERS) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= max_length:
        raise InvalidTemplateError(_describe(field, f"must be a text of 1 to {max_length} characters"))
    return value


def _require_number_or_text(value: object, field: str, *, max_length: int) -> str:
    is_number = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**max_length
    return str(value) if is_number else _require_text(value, field, max_length=max_length)


def _describe(field: str, rule: str) -> str:
    return f"{field}: {rule}" if field else rule
