"""NusaSMS: what its JSON API 1.0 has in common. Facts, guesses and quirks: docs/reference/providers/nusasms.md."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Final

from sampai.domain.account import AccountStatus
from sampai.domain.failure import Reason
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.outcome import FailureScope, NotTaken, Outcome, Taken, Unknown
from sampai.providers.features import SupportsAccountChecks
from sampai.providers.nusasms.common import BASE_URL, ID, NAME, REFUSALS, SUCCESSES, readable
from sampai.providers.responses import AccountRefusedError, UnreadableAnswerError, refused_by_status

ACCOUNT_LIMIT_BYTES: Final = 1024 * 1024

Check = tuple[str, Callable[[Any], AccountStatus]]
"""The path of a check of the account, and what reads the `data` of its answer."""

# "HTTPValidationError" names the field in `loc`; what a field means for a message is our reading.
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
    """One of the APIs under `/nusasms_api/1.0`, with the key in a header and `{"error", "message", "data"}` around all.

    The page: success is HTTP 200, 201, 202 or 204 *and* `error: false`.
    """

    name = NAME
    default_base_url = BASE_URL
    failures: ClassVar[Mapping[str, Reason]]
    """What a refusal is about, by the words in its text, in small letters; the first that fits counts."""
    checks: ClassVar[Mapping[str, Check]]

    def parse_send(self, response: HttpResponse) -> Outcome:
        if outcome := refused_by_status(response):
            return outcome
        if response.status == 403:
            return REFUSALS[403]
        envelope = envelope_of(response)
        is_error, ref_no = envelope.get("error"), _ref_no(envelope)
        if is_error is False and response.status in SUCCESSES and (read := readable(ref_no, ID)):
            return Taken(provider_message_id=read)
        # An id beside an error contradicts it: the message may be on its way.
        refusal = None
        if is_error is True and ref_no is None:
            refusal = self._validate(envelope, response.status)
        elif "error" not in envelope:
            refusal = _unprocessable(envelope) if response.status == 422 else REFUSALS.get(response.status)
        return refusal or Unknown(why=f"HTTP {response.status} without a readable answer")

    def build_account_check(self, check: str) -> HttpRequest:
        path, _ = self.checks[check]
        return HttpRequest.get(self._url(path), headers=self._headers, response_limit=ACCOUNT_LIMIT_BYTES)

    def parse_account_check(self, check: str, response: HttpResponse) -> AccountStatus:
        if response.status in (401, 403):
            raise AccountRefusedError(f"HTTP {response.status}")
        _, read = self.checks[check]
        return read(data_of(response))

    def _validate(self, envelope: Mapping[str, Any], status: int) -> NotTaken:
        """Read a refusal by the words in it: it has no code. The text itself may hold numbers and is not kept."""
        text = str(envelope.get("message")).lower()
        words = next((words for words in self.failures if words in text), None)
        reason = self.failures[words] if words else Reason.PROVIDER_ERROR
        is_account = reason is Reason.INSUFFICIENT_CREDIT
        return NotTaken(
            reason=reason,
            is_final=not is_account,
            scope=FailureScope.PROVIDER if is_account else FailureScope.MESSAGE,
            provider_code=str(status) if status >= 400 else None,
            detail=f"the refusal says: {words}" if words else None,
        )

    def _url(self, path: str) -> str:
        return f"{self.config.base_url}/nusasms_api/1.0/{path}"

    @property
    def _headers(self) -> Mapping[str, str]:
        return {"APIKey": self.config.credentials["api_key"], "Accept": "application/json"}


def envelope_of(response: HttpResponse) -> Mapping[str, Any]:
    """Return the object that an answer is, or an empty one."""
    try:
        envelope = response.json()
    except ValueError:
        return {}
    return envelope if isinstance(envelope, dict) else {}


def data_of(response: HttpResponse) -> Any:
    """Return the `data` of a success, or raise UnreadableAnswerError."""
    envelope = envelope_of(response)
    if response.status not in SUCCESSES or envelope.get("error") is not False:
        raise UnreadableAnswerError(f"HTTP {response.status}")
    return envelope.get("data")


def _ref_no(envelope: Mapping[str, Any]) -> object:
    data = envelope.get("data")
    return data.get("ref_no") if isinstance(data, dict) else None


def _unprocessable(envelope: Mapping[str, Any]) -> NotTaken:
    field = next((name for name in _named(envelope.get("detail")) if name in _FIELDS), "")
    return NotTaken(
        reason=_FIELDS.get(field, Reason.INVALID_REQUEST),
        is_final=True,
        provider_code="422",
        detail=f"{field}: refused by the vendor" if field else None,
    )


def _named(problems: object) -> Iterator[str]:
    """Yield the fields that a list of `{"loc": ["body", "destination"], …}` names."""
    for problem in problems if isinstance(problems, list) else []:
        place = problem.get("loc") if isinstance(problem, dict) else None
        yield from (name for name in place if isinstance(name, str)) if isinstance(place, list) else ()
