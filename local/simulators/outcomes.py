"""Magic numbers: the last two digits of a recipient select the outcome of a send, in the same way for every vendor.

For an e-mail address, the last two characters before the @ select it; for a list or group at a vendor, those of its
name.

The table for users is docs/reference/magic-numbers.md; a test keeps both equal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType
from typing import Final

from local.simulators.lifecycles import Lifecycle


class Refusal(Enum):
    """The reason for a refusal. Each vendor words it differently."""

    INVALID_RECIPIENT = auto()
    NO_CREDIT = auto()
    THROTTLED_ONCE = auto()


class Fault(Enum):
    """A fault of the response to a send, or of its connection."""

    NONE = auto()
    HANG = auto()
    RESET = auto()
    CUT = auto()
    SERVER_ERROR = auto()
    LATE_REFUSAL = auto()
    """An error text that looks like a refusal, from a vendor that took the message."""
    HTML = auto()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one send: acceptance, response, and the lifecycle of the message."""

    name: str
    taken: bool = True
    refusal: Refusal | None = None
    fault: Fault = Fault.NONE
    lifecycle: Lifecycle = Lifecycle.DELIVERED
    is_slow: bool = False
    is_listed: bool = True


DEFAULT: Final = Outcome("delivered")

OUTCOMES: Final[Mapping[str, Outcome]] = MappingProxyType(
    {
        "10": DEFAULT,
        "11": Outcome("undelivered", lifecycle=Lifecycle.UNDELIVERED),
        "12": Outcome("silent", lifecycle=Lifecycle.SILENT),
        "13": Outcome("scrambled", lifecycle=Lifecycle.SCRAMBLED),
        "14": Outcome("early", lifecycle=Lifecycle.EARLY),
        "15": Outcome("time-out after acceptance", fault=Fault.HANG),
        "16": Outcome("reset after acceptance", fault=Fault.RESET),
        "17": Outcome("reset before acceptance", taken=False, fault=Fault.RESET),
        "18": Outcome("HTTP 500 after acceptance", fault=Fault.SERVER_ERROR),
        "19": Outcome("HTTP 500 without acceptance", taken=False, fault=Fault.SERVER_ERROR),
        "20": Outcome("throttled once", refusal=Refusal.THROTTLED_ONCE),
        "21": Outcome("invalid recipient", taken=False, refusal=Refusal.INVALID_RECIPIENT),
        "22": Outcome("HTML after acceptance", fault=Fault.HTML),
        "23": Outcome("HTML without acceptance", taken=False, fault=Fault.HTML),
        "24": Outcome("no credit", taken=False, refusal=Refusal.NO_CREDIT),
        "25": Outcome("cut answer after acceptance", fault=Fault.CUT),
        "26": Outcome("slow", is_slow=True),
        "27": Outcome("read", lifecycle=Lifecycle.READ),
        "28": Outcome("unlisted", is_listed=False),
        "29": Outcome("refusal after acceptance", fault=Fault.LATE_REFUSAL),
        "30": Outcome("delivered too early", lifecycle=Lifecycle.PREMATURE),
        "31": Outcome("words of progress", lifecycle=Lifecycle.WORDY),
        "32": Outcome("complaint"),
    }
)


def outcome_of(recipient: str) -> Outcome:
    """Return the outcome for the last two digits of a recipient; the default is delivered."""
    return OUTCOMES.get(recipient.partition("@")[0][-2:], DEFAULT)
