"""Validate a body like FastAPI with pydantic 1. The vendor documents their `HTTPValidationError` as its response.

The checks are stricter: they do not convert numbers to text or text to numbers, and refuse null and unknown names.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from local.simulators.http import Reply, Request
from local.simulators.inbound import is_uuid4

Location = tuple[str | int, ...]
Problem = dict[str, Any]
Check = Callable[[Any, Location], list[Problem]]
BODY: Final[Location] = ("body",)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an object."""

    check: Check
    is_required: bool = False


def problem(location: Location, message: str, kind: str) -> Problem:
    """Build one item of `detail`."""
    return {"loc": list(location), "msg": message, "type": kind}


def unprocessable(*problems: Problem) -> Reply:
    """Build the documented response to an invalid body."""
    return Reply.json(422, {"detail": list(problems)})


def read_json(request: Request, check: Check) -> tuple[Any, Reply | None]:
    """Parse and check a JSON body. Return the body and None, or None and the refusal."""
    try:
        document = request.json()
    except json.JSONDecodeError as error:
        return None, unprocessable(problem((*BODY, error.pos), error.msg, "value_error.jsondecode"))
    except ValueError:
        return None, unprocessable(problem(BODY, "value is not a valid dict", "type_error.dict"))
    problems = check(document, BODY)
    return (None, unprocessable(*problems)) if problems else (document, None)


def text(value: Any, location: Location) -> list[Problem]:
    """Require a string."""
    return [] if isinstance(value, str) else [problem(location, "str type expected", "type_error.str")]


def full_text(value: Any, location: Location) -> list[Problem]:
    """Require a string that is not empty."""
    short = problem(location, "ensure this value has at least 1 characters", "value_error.any_str.min_length")
    return text(value, location) or ([] if value else [short])


def integer(value: Any, location: Location) -> list[Problem]:
    """Require an integer."""
    wrong = problem(location, "value is not a valid integer", "type_error.integer")
    return [] if type(value) is int else [wrong]


def boolean(value: Any, location: Location) -> list[Problem]:
    """Require true or false."""
    wrong = problem(location, "value could not be parsed to a boolean", "type_error.bool")
    return [] if isinstance(value, bool) else [wrong]


def text_or_integer(value: Any, location: Location) -> list[Problem]:
    """Require an integer or a string: the vendor's samples contain both 1 and "1"."""
    return [] if type(value) is int else text(value, location)


def uuid4(value: Any, location: Location) -> list[Problem]:
    """Require a UUID of version 4."""
    wrong = problem(location, "value is not a valid uuid", "type_error.uuid")
    return [] if isinstance(value, str) and is_uuid4(value) else [wrong]


def url(value: Any, location: Location) -> list[Problem]:
    """Require an HTTP or HTTPS URL."""
    if problems := text(value, location):
        return problems
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https"):
        return [problem(location, "invalid or missing URL scheme", "value_error.url.scheme")]
    return [] if parts.hostname else [problem(location, "URL host invalid", "value_error.url.host")]


def one_of(words: Sequence[str]) -> Check:
    """Require one of the words."""

    def check(value: Any, location: Location) -> list[Problem]:
        permitted = ", ".join(f"'{word}'" for word in words)
        message = f"value is not a valid enumeration member; permitted: {permitted}"
        return [] if value in words else [problem(location, message, "type_error.enum")]

    return check


def list_of(item: Check) -> Check:
    """Require a list of items that pass a check."""

    def check(value: Any, location: Location) -> list[Problem]:
        if not isinstance(value, list):
            return [problem(location, "value is not a valid list", "type_error.list")]
        return [found for index, element in enumerate(value) for found in item(element, (*location, index))]

    return check


def object_of(fields: Mapping[str, Field]) -> Check:
    """Require an object with these fields and no others."""

    def check(value: Any, location: Location) -> list[Problem]:
        if not isinstance(value, dict):
            return [problem(location, "value is not a valid dict", "type_error.dict")]
        missing = [
            problem((*location, name), "field required", "value_error.missing")
            for name, field in fields.items()
            if field.is_required and name not in value
        ]
        wrong = [
            found
            for name, field in fields.items()
            if name in value
            for found in field.check(value[name], (*location, name))
        ]
        extra = [
            problem((*location, name), "extra fields not permitted", "value_error.extra")
            for name in value
            if name not in fields
        ]
        return missing + wrong + extra

    return check
