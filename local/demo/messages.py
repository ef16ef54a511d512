"""What the demo puts on the queues, and what must become of each of it.

The last two digits of a recipient make its vendor do what the row shows: docs/reference/magic-numbers.md.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, Final

from local.simulators.ledger import text_sha256
from local.simulators.outcomes import OUTCOMES

SEND: Final = "SendQueueUrl"
URGENT: Final = "UrgentQueueUrl"

REJECTED: Final = "rejected"
"""No status, but shown as one: the request changed nothing, and a `Request Rejected` event says so."""

# The digits between are the row's own, so that no two messages share a number.
_RECIPIENTS: Final = {
    "nomsa": "+8559123{:02d}{}",
    "smsnoc": "+880174497{:02d}{}",
    "smspoh": "+95977777{:02d}{}",
    "nusasms": "+628123456{:02d}{}",
}


class Moment(Enum):
    """When a request is put on its queue."""

    FIRST = auto()
    KNOWN = auto()
    """Once there is news of the message that it names."""
    LAST = auto()
    """Once all others are past the senders: a vendor out of order gets no work for a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a message must end, and why so if it is not delivered.

    A reason of None is not looked at. The failure's detail must contain `detail`.
    """

    status: str = "delivered"
    why: str = ""
    reason: str | None = None
    detail: str = ""
    attempts: int = 1
    acceptances: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row of the demo. In a request a timedelta stands for a time from when it is put on the queue."""

    name: str
    vendor: str = ""
    request: str | Mapping[str, Any]
    end: End
    queue: str = SEND
    times: int = 1
    moment: Moment = Moment.FIRST
    then: Mapping[str, Any] | None = None
    """A second request, put once the message is known."""

    @property
    def message_id(self) -> str | None:
        """The id that the request names; without one the queue's own stands in for it."""
        return None if isinstance(self.request, str) else self.request["message_id"]

    @property
    def text_sha256(self) -> str:
        """The digest under which the vendors' ledger would have the text."""
        return text_sha256(self.request if isinstance(self.request, str) else self.request["content"]["text"])


def written(request: str | Mapping[str, Any], now: datetime) -> str:
    """Return a request as it goes on the queue."""
    if isinstance(request, str):
        return request
    return json.dumps({name: _written(value, now) for name, value in request.items()})


def _written(value: Any, now: datetime) -> Any:
    return (now + value).isoformat() if isinstance(value, timedelta) else value


def _request(vendor: str, ending: str, line: int = 1, **fields: Any) -> dict[str, Any]:
    """Return a request of its own id, number and text for each vendor, ending and line."""
    return {
        "message_id": f"demo-{vendor}-{line}{ending}",
        "recipient": _RECIPIENTS[vendor].format(line, ending),
        "content": {"type": "text", "text": f"Demo message {line}{ending} for {vendor}"},
        **fields,
    }


def _magic(vendor: str, ending: str, end: End, moment: Moment = Moment.FIRST, **fields: Any) -> Case:
    name = f"{ending} {OUTCOMES[ending].name}"
    return Case(name=name, vendor=vendor, request=_request(vendor, ending, **fields), end=end, moment=moment)


def _refused(name: str, vendor: str, line: int, why: str, reason: str, detail: str = "", **fields: Any) -> Case:
    """Return a row that no vendor hears of."""
    end = End(status="failed", why=why, reason=reason, detail=detail, attempts=0, acceptances=0)
    return Case(name=name, vendor=vendor, request=_request(vendor or "nomsa", "10", line, **fields), end=end)


_DELIVERED: Final = End()
_RETRIED: Final = End(attempts=2)
_UNDELIVERED: Final = End(status="undelivered", why="the vendor says so")
_SILENT: Final = End(status="unconfirmed", why="the vendor stays silent")
_NOTHING_TAKEN: Final = End(status="unconfirmed", why="nothing was taken", acceptances=0)
_NO_MEANS: Final = End(status="unconfirmed", why="the vendor has no list")
_BAD_NUMBER: Final = End(status="failed", why="the vendor says so", reason="invalid_recipient", acceptances=0)
_NO_CREDIT: Final = End(
    status="failed",
    why="no credit, then too late",
    reason="expired",
    detail="last refusal: insufficient_credit",
    acceptances=0,
)
_SOON: Final = timedelta(seconds=30)
_FOR_ALL: Final = _request("nomsa", "10")
_CANCELED: Final = _request("nomsa", "10", 2, send_at=timedelta(seconds=90))

CASES: Final = (
    Case(name="10 delivered", vendor="nomsa", request=_FOR_ALL, end=_DELIVERED),
    _magic("nomsa", "11", _UNDELIVERED),
    _magic("nomsa", "15", _DELIVERED),
    _magic("nomsa", "19", _NOTHING_TAKEN),
    _magic("nomsa", "20", _RETRIED),
    _magic("nomsa", "22", _DELIVERED),
    _magic("smsnoc", "10", _DELIVERED),
    _magic("smsnoc", "11", _UNDELIVERED),
    _magic("smsnoc", "12", _SILENT),
    _magic("smsnoc", "16", _DELIVERED),
    _magic("smsnoc", "21", _BAD_NUMBER),
    _magic("smsnoc", "23", _NOTHING_TAKEN),
    _magic("smsnoc", "24", _NO_CREDIT, Moment.LAST, expires_at=_SOON),
    _magic("smspoh", "10", _DELIVERED),
    _magic("smspoh", "11", _UNDELIVERED),
    _magic("smspoh", "13", _DELIVERED),
    _magic("smspoh", "17", _NOTHING_TAKEN),
    _magic("smspoh", "18", _DELIVERED),
    _magic("smspoh", "25", _DELIVERED),
    _magic("nusasms", "10", _DELIVERED),
    _magic("nusasms", "11", _UNDELIVERED),
    _magic("nusasms", "14", _DELIVERED),
    _magic("nusasms", "16", _NO_MEANS),
    _magic("nusasms", "24", _NO_CREDIT, Moment.LAST, expires_at=_SOON),
    _magic("nusasms", "26", _DELIVERED),
    Case(
        name="one-time password, urgent",
        vendor="nusasms",
        request=_request("nusasms", "10", 2, category="otp", content={"type": "text", "text": "Your code is 4711"}),
        queue=URGENT,
        end=_DELIVERED,
    ),
    Case(name="asked for five times", vendor="smspoh", request=_request("smspoh", "10", 2), times=5, end=_DELIVERED),
    Case(
        name="another text, same id",
        vendor="nomsa",
        request=_FOR_ALL | {"content": {"type": "text", "text": "Other words"}},
        moment=Moment.KNOWN,
        end=End(status=REJECTED, why="the first one stands", reason="id_conflict", attempts=0, acceptances=0),
    ),
    Case(
        name="scheduled",
        vendor="smspoh",
        request=_request("smspoh", "10", 3, send_at=timedelta(seconds=8)),
        end=_DELIVERED,
    ),
    Case(
        name="scheduled, then canceled",
        vendor="nomsa",
        request=_CANCELED,
        then={"cancel": _CANCELED["message_id"]},
        end=End(status="canceled", why="its caller canceled it", attempts=0, acceptances=0),
    ),
    _refused("expired", "smsnoc", 2, "too late to be sent", "expired", expires_at=timedelta(minutes=-1)),
    _refused(
        "161 characters",
        "nusasms",
        3,
        "160 are the most",
        "too_long",
        content={"type": "text", "text": "x" * 161},
    ),
    _refused("to Thailand", "", 3, "no route goes there", "unroutable", recipient="+66812345610"),
    _refused(
        "two numbers in one",
        "",
        4,
        "one number, one message",
        "invalid_request",
        "recipient: ",
        recipient="+85591230510,+85591230610",
    ),
    Case(
        name="not JSON",
        request="To +85591230710: this is not JSON",
        end=End(status="failed", why="nothing could be read", reason="invalid_request", attempts=0, acceptances=0),
    ),
)
"""The rows of the demo, as they are shown."""
