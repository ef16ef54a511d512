"""The texts about broken requests and settings. They name the field and the rule, never the value."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import CoreSchema, ErrorDetails, PydanticCustomError
from pydantic_core.core_schema import no_info_after_validator_function

from sampai.domain.phone import E164

MAX_NAMED: Final = 20
"""The most problems of a document that are named one by one. All are counted."""

_FIELD_NAME: Final = re.compile(r"(?!.*[0-9]{3})[A-Za-z_][A-Za-z0-9_]{0,39}", re.ASCII)
_SEPARATORS: Final = re.compile(r"[\s().\-]+")
RULE: Final = "rule"
"""The type of an error whose text is ours."""

_RULES: Final[Mapping[str, str]] = {
    "missing": "required",
    "extra_forbidden": "unknown field",
    "string_type": "must be a text",
    "string_unicode": "must be a text in Unicode",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "greater_than": "must be above {gt:.16g}",
    "greater_than_equal": "must be at least {ge:.16g}",
    "less_than_equal": "must be at most {le:.16g}",
    "datetime_from_date_parsing": "must be a time that exists",
    "datetime_parsing": "must be a time that exists",
}
"""Our words for pydantic's types of errors."""


def broken_rule(*texts: str) -> PydanticCustomError:
    """Return the error of one or more rules of our own, for a validator to raise. No text may contain the value."""
    return PydanticCustomError(RULE, "{text}", {"text": "; ".join(texts), "count": len(texts)})


@dataclass(frozen=True, slots=True)
class Matches:
    """Require that a text matches a pattern as a whole. `rule` says it in words."""

    pattern: re.Pattern[str]
    rule: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(schema) | {"pattern": f"^{self.pattern.pattern}$"}

    def _check(self, text: str) -> str:
        if self.pattern.fullmatch(text) is None:
            raise broken_rule(self.rule)
        return text


def describe(error: ValidationError, *, known: frozenset[str] = frozenset(), hides_names: bool = False) -> str:
    """Return the wrong fields of a document and their rules, as one line; several begin with their number.

    `known` has the names of fields that an unknown one may stand for. `hides_names` leaves out a name that could itself
    be a phone number or a text.
    """
    found = error.errors(include_url=False, include_input=False)
    # pydantic also counts the entries of a list without its invalid ones.
    parents = {problem["loc"][:depth] for problem in found for depth in range(1, len(problem["loc"]))}
    problems = [problem for problem in found if problem["loc"] not in parents]
    texts = [_explain(problem, known, hides_names=hides_names) for problem in problems[:MAX_NAMED]]
    count = sum(problem.get("ctx", {}).get("count", 1) for problem in problems)
    more = f"; and {len(problems) - MAX_NAMED} more" if len(problems) > MAX_NAMED else ""
    return (f"{count} problems: " if count > 1 else "") + "; ".join(texts) + more


def _explain(problem: ErrorDetails, known: frozenset[str], *, hides_names: bool) -> str:
    loc = problem["loc"]
    if loc[:1] == ("content",):
        loc = (*loc[:1], *loc[2:])  # drop the tag of the union, which is not a field
    is_name = loc[-1:] == ("[key]",)
    parts = [_shown(part, hides_names=hides_names) for part in (loc[:-1] if is_name else loc)]
    rule = ("the name " if is_name else "") + _rule_of(problem)
    if problem["type"] == "extra_forbidden":
        rule += _suggestion(str(loc[-1]), known)
    return f"{'.'.join(parts)}: {rule}" if parts else rule


def _shown(part: int | str, *, hides_names: bool) -> str:
    if hides_names and isinstance(part, str) and _FIELD_NAME.fullmatch(part) is None:
        return "…"
    return " ".join(str(part).split())


def _rule_of(problem: ErrorDetails) -> str:
    if problem["type"] == RULE:
        return problem["msg"]
    context = problem.get("ctx", {})
    if context.get("min_length") == 1:
        return "must not be empty"
    words = {name: value.replace("'", "") if isinstance(value, str) else value for name, value in context.items()}
    return _RULES.get(problem["type"], "not valid").format(**words)


def _suggestion(name: str, known: frozenset[str]) -> str:
    """Return a hint at the field that has this name in another notation: `messageId` or `Message-ID`."""
    meant = next((field for field in known if _folded(field) == _folded(name)), name)
    return "" if meant == name else f", write {meant}"


def _folded(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def envelope_problem(document: Mapping[str, Any]) -> str | None:
    """Return the text about a request in the envelope of SNS or EventBridge, or None for any other document."""
    if document.get("Type") == "Notification" and "TopicArn" in document and "Message" in document:
        return "body: a notification of SNS, not a request; turn on RawMessageDelivery in the subscription"
    if "detail-type" in document and "detail" in document:
        return "body: an event of EventBridge, not a request; set the input path of the rule's target to $.detail"
    return None


def notation_hint(number: str) -> str:
    """Return a hint at the notation of a number that is not E.164, to append to the rule, or an empty text."""
    digits = _SEPARATORS.sub("", number)
    if re.fullmatch("00[1-9][0-9]{6,14}", digits):
        return "; write + in place of the leading 00"
    if re.fullmatch("0[1-9][0-9]{5,13}", digits):
        return "; this is national notation: write + and the country code in place of the leading 0"
    if E164.fullmatch(f"+{digits}"):
        return "; put + and the country code first"
    return "; leave out spaces and other separators" if E164.fullmatch(digits) else ""
