"""The parts of a vendor's response that mean the same at every vendor."""

import re
from dataclasses import replace
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from sampai.domain.failure import Reason
from sampai.domain.http import HttpResponse
from sampai.domain.outcome import FailureScope, NotTaken, Outcome, Unknown

RETRY_AFTER_RANGE: Final = (1.0, 3600.0)
"""Seconds. A Retry-After outside of this range is set to the nearest end."""

MAX_ID_CHARACTERS: Final = 200

_CURRENCY: Final = r"[A-Za-z]{1,4}\.?|[^\w\s.,-]"
_COST: Final = re.compile(rf"(?!.*[0-9]{{7}})(?:(?:{_CURRENCY})[ ]?)?-?[0-9][0-9.,]{{0,15}}(?:[ ]?(?:{_CURRENCY}))?")
"""An amount with any currency before or after it. Seven digits in a row could be a phone number."""

_ADDRESS: Final = re.compile(rb"\bips?\b|\bip[ _-]?address", re.IGNORECASE)
_REFUSED: Final = re.compile(
    rb"white-?list|allow[ _-]?list|allowed|authori[sz]ed|registered|forbidden|denied|blocked|restricted|invalid",
    re.IGNORECASE,
)
MAX_ADDRESS_TEXT: Final = 4096
"""Bytes of a refusal that are searched for the words of a refused address."""


class UnreadableAnswerError(ValueError):
    """A response without the requested information, such as an error, an outage or a page of HTML."""


class AccountRefusedError(ValueError):
    """The vendor refuses our credentials."""


def refused_by_status(response: HttpResponse) -> Outcome | None:
    """Return the outcome of a send that follows from the HTTP status alone.

    Return None for 2xx and for most of 4xx, which have a different meaning at each vendor. A vendor may take the
    message and then respond with 3xx, 408 or 5xx, so these are unknown.
    """
    match response.status:
        case 401:
            return NotTaken(
                reason=Reason.AUTHENTICATION, is_final=False, scope=FailureScope.PROVIDER, provider_code="401"
            )
        case 402:  # no vendor documents another meaning
            return NotTaken(
                reason=Reason.INSUFFICIENT_CREDIT, is_final=False, scope=FailureScope.PROVIDER, provider_code="402"
            )
        case 429:
            return NotTaken(
                reason=Reason.RATE_LIMITED,
                is_final=False,
                provider_code="429",
                retry_after_seconds=retry_after_seconds(response),
            )
        case status if status < 200 or 300 <= status < 400 or status == 408 or status >= 500:
            return Unknown(why=f"HTTP {status}")
    return None


def refuses_address(response: HttpResponse) -> bool:
    """Return whether a response refuses us because of our IP address: 401 or 403 with a text that names the address.

    Guess: no vendor documents the text of such a refusal. One has a code for it, in its own module.
    """
    text = response.body[:MAX_ADDRESS_TEXT]
    return response.status in (401, 403) and bool(_ADDRESS.search(text) and _REFUSED.search(text))


def with_refused_address(outcome: Outcome, response: HttpResponse) -> Outcome:
    """Return the outcome of a send; if the response refuses our address, as a refusal of the account that says so."""
    if not isinstance(outcome, NotTaken) or not refuses_address(response):
        return outcome
    return replace(
        outcome,
        reason=Reason.AUTHENTICATION,
        is_final=False,
        scope=FailureScope.PROVIDER,
        is_address_refused=True,
    )


def retry_after_seconds(response: HttpResponse) -> float | None:
    """Return the Retry-After header in seconds, within `RETRY_AFTER_RANGE`, or None if it is missing or invalid.

    A date is compared with the response's own Date header, because a provider has no clock.
    """
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return _clamp(float(value))
    try:
        answered_at = parsedate_to_datetime(response.headers["date"])
        return _clamp((parsedate_to_datetime(value) - answered_at) / timedelta(seconds=1))
    except (KeyError, ValueError, TypeError, IndexError, OverflowError):
        return None


def _clamp(seconds: float) -> float:
    low, high = RETRY_AFTER_RANGE
    return min(max(seconds, low), high)


def parse_id(value: object) -> str | None:
    """Return a vendor's id if it can be stored and requested: 1 to 200 printable characters, not only spaces.

    A JSON number is the text of its digits. U+FFFD stands for bytes that could not be decoded, so an id with it is not
    the vendor's.
    """
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not text.strip() or len(text) > MAX_ID_CHARACTERS:
        return None
    return text if text.isprintable() and "\ufffd" not in text else None


def parse_cost(value: object) -> str | None:
    """Return the cost of a message as the vendor wrote it, or None if it is missing or is no amount."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    text = str(value).strip() if is_number or isinstance(value, str) else ""
    return text if _COST.fullmatch(text) and text.isprintable() else None
