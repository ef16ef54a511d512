"""NusaSMS: the common parts of its JSON API 1.0. Facts, guesses and quirks: docs/reference/providers/nusasms.md."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Final

from sampai.domain.account import AccountStatus
from sampai.domain.failure import Reason
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.outcome import FailureScope, NotTaken, Outcome, Taken, Unknown
from sampai.providers.features import SupportsAccountChecks
from sampai.providers.nusasms.common import BASE_URL, ID, NAME, REFUSALS, SUCCESSES, parse_text
from sampai.providers.responses import AccountRefusedError, UnreadableAnswerError, refused_by_status

ACCOUNT_LIMIT_BYTES: Final = 1024 * 1024

Check = tuple[str, Callable[[Any], AccountStatus]]
"""The path of an account check, and the parser of the `data` in its response."""

# "HTTPValidationError" names the field in `loc`. The reason for each field is our interpretation.
_FIELDS: Final[Mapping[str, Reason]] = {
    "destination": Reason.INVALID_RECIPIENT,
    "sender": Reason.INVALID_SENDER,
    "channel_id": Reason.INVALID_SENDER,
    "template_id": Reason.TEMPLATE_REJECTED,
    "message": Reason.INVALID_CONTENT,
    "text": Reason.INVALID_CONTENT,
    "caption": Reason.INVALID_CONTENT,
    "media_url": Reason.INVALID_CONTENT,
    "media_base64": Reason.INVALID_CONTENT,
    "file_name": Reason.INVALID_CONTENT,
    "file_url": Reason.INVALID_CONTENT,
    "file": Reason.INVALID_CONTENT,
    "parameters": Reason.INVALID_CONTENT,
}


class JsonApi(SupportsAccountChecks):
    """One of the APIs under `/nusasms_api/1.0`: the key is in a header, the envelope is `{"error", "message", "data"}`.

    The page defines success as HTTP 200, 201, 202 or 204 *and* `error: false`.
    """

    name = NAME
    default_base_url = BASE_URL
    failures: ClassVar[Mapping[str, Reason]]
    """The reason of a refusal by a part of its text, in lower case. The first match counts."""
    checks: ClassVar[Mapping[str, Check]]

    def parse_send(self, response: HttpResponse) -> Outcome:
        if outcome := refused_by_status(response):
            return outcome
        if response.status == 403:
            return REFUSALS[403]
        envelope = parse_envelope(response)
        is_error, ref_no = envelope.get("error"), _ref_no(envelope)
        if is_error is False and response.status in SUCCESSES and (message_id := parse_text(ref_no, ID)):
            return Taken(provider_message_id=message_id)
        # An id contradicts an error: the vendor may have taken the message.
        refusal = None
        if is_error is True and ref_no is None:
            refusal = self._parse_refusal(envelope, response.status)
        elif "error" not in envelope:
            refusal = _parse_validation_error(envelope) if response.status == 422 else REFUSALS.get(response.status)
        return refusal or Unknown(why=f"HTTP {response.status} without a readable body")

    def build_account_check(self, check: str) -> HttpRequest:
        path, _ = self.checks[check]
        return HttpRequest.get(self._url(path), headers=self._headers, response_limit=ACCOUNT_LIMIT_BYTES)

    def parse_account_check(self, check: str, response: HttpResponse) -> AccountStatus:
        if response.status in (401, 403):
            raise AccountRefusedError(f"HTTP {response.status}")
        _, parse = self.checks[check]
        return parse(parse_data(response))

    def _parse_refusal(self, envelope: Mapping[str, Any], status: int) -> NotTaken:
        """Return a refusal by a part of its text, because it has no code.

        The text itself may contain phone numbers and is not stored.
        """
        text = str(envelope.get("message")).lower()
        hint = next((hint for hint in self.failures if hint in text), None)
        reason = self.failures[hint] if hint else Reason.PROVIDER_ERROR
        is_account = reason is Reason.INSUFFICIENT_CREDIT
        return NotTaken(
            reason=reason,
            is_final=not is_account,
            scope=FailureScope.PROVIDER if is_account else FailureScope.MESSAGE,
            provider_code=str(status) if status >= 400 else None,
            detail=f"the refusal says: {hint}" if hint else None,
        )

    def _url(self, path: str) -> str:
        return f"{self.config.base_url}/nusasms_api/1.0/{path}"

    @property
    def _headers(self) -> Mapping[str, str]:
        return {"APIKey": self.config.credentials["api_key"], "Accept": "application/json"}


def parse_envelope(response: HttpResponse) -> Mapping[str, Any]:
    """Return the JSON object in a response, or an empty one."""
    try:
        envelope = response.json()
    except ValueError:
        return {}
    return envelope if isinstance(envelope, dict) else {}


def parse_data(response: HttpResponse) -> Any:
    """Return the `data` of a success. Raise UnreadableAnswerError for any other response."""
    envelope = parse_envelope(response)
    if response.status not in SUCCESSES or envelope.get("error") is not False:
        raise UnreadableAnswerError(f"HTTP {response.status}")
    return envelope.get("data")


def _ref_no(envelope: Mapping[str, Any]) -> object:
    data = envelope.get("data")
    return data.get("ref_no") if isinstance(data, dict) else None


def _parse_validation_error(envelope: Mapping[str, Any]) -> NotTaken:
    field = next((name for name in _field_names(envelope.get("detail")) if name in _FIELDS), "")
    return NotTaken(
        reason=_FIELDS.get(field, Reason.INVALID_REQUEST),
        is_final=True,
        provider_code="422",
        detail=f"{field}: refused by the vendor" if field else None,
    )


def _field_names(problems: object) -> Iterator[str]:
    """Yield the names of the fields in a list of `{"loc": ["body", "destination"], …}`."""
    for problem in problems if isinstance(problems, list) else []:
        location = problem.get("loc") if isinstance(problem, dict) else None
        yield from (name for name in location if isinstance(name, str)) if isinstance(location, list) else ()
