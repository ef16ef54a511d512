"""The requests during the chaos, which depend only on the seed. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from local.demo.messages import SEND, URGENT, Acceptance
from local.simulators.ledger import text_sha256
from local.simulators.nusasms.official import ONE_PARAMETER

MESSAGES: Final = 300
WAVE: Final = 8
ASKED_AGAIN: Final = 0.25
"""Share of the requests that are put on their queue once more."""
RESENT: Final = 0.1
"""Share of the requests with `on_unknown: resend`."""

ENDINGS: Final = {
    "10": 24,
    "26": 16,  # slow, so that a kill hits the call
    "15": 4,
    **dict.fromkeys(("11", "12", "13", "14", "16", "17", "18", "19", "20", "21", "22", "23", "25", "27", "28"), 4),
}
"""The weight of each magic number. Without 24: it opens the circuit of a vendor, which the end-to-end tests cover."""

RECIPIENTS: Final = {
    "nomsa": "+855912{:04d}{}",
    "smsnoc": "+880174{:05d}{}",
    "smspoh": "+95977{:05d}{}",
    "nusasms": "+62812{:06d}{}",
}
CATEGORIES: Final = {"otp": 3, "transactional": 4, "promotional": 3}
CHANNELS: Final = {"sms": 5, "whatsapp": 3, "whatsapp_official": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One message of the load, and its text in a vendor's ledger."""

    request: Mapping[str, Any]
    words: str

    @property
    def message_id(self) -> str:
        return str(self.request["message_id"])

    @property
    def is_held(self) -> bool:
        """Whether it must never reach a vendor twice."""
        return bool(self.request["on_unknown"] == "hold")

    @property
    def queue(self) -> str:
        return URGENT if self.request["category"] == "otp" else SEND

    @property
    def acceptance(self) -> Acceptance:
        return text_sha256(self.words), str(self.request["recipient"]).removeprefix("+")


def messages(seed: int, count: int = MESSAGES) -> list[Sent]:
    """Return messages of every vendor, channel, category and outcome."""
    random = Random(seed)  # noqa: S311 - repeatable, not secret
    return [_message(random, number) for number in range(count)]


def waves(seed: int, load: Sequence[Sent]) -> list[list[Sent]]:
    """Return the waves of messages in order: every message once, and some again in a later wave."""
    random = Random(seed)  # noqa: S311 - repeatable, not secret
    planned = [list(load[first : first + WAVE]) for first in range(0, len(load), WAVE)]
    for number, sent in enumerate(load):
        if random.random() < ASKED_AGAIN:
            planned[min(number // WAVE + random.randrange(4), len(planned) - 1)].append(sent)
    return planned


def _message(random: Random, number: int) -> Sent:
    vendor = list(RECIPIENTS)[number % len(RECIPIENTS)]
    channel = _one_of(random, CHANNELS) if vendor == "nusasms" else "sms"
    words = f"Chaos message {number}"
    content: dict[str, Any] = {"type": "text", "text": words}
    if channel == "whatsapp_official":
        template_id, parameters = ONE_PARAMETER.template_id, {"body": [words]}
        content = {"type": "template", "template_id": template_id, "recipient_name": "Sari", "parameters": parameters}
    request = {
        "message_id": f"chaos-{number:03d}",
        "channel": channel,
        "recipient": RECIPIENTS[vendor].format(number, _one_of(random, ENDINGS)),
        "content": content,
        "category": _one_of(random, CATEGORIES),
        "on_unknown": "resend" if random.random() < RESENT else "hold",
    }
    return Sent(request=request, words=words)


def _one_of(random: Random, weights: Mapping[str, int]) -> str:
    return random.choices(list(weights), list(weights.values()))[0]
