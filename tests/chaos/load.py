"""Build the messages that the chaos test sends. A seed determines them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from local.demo.messages import SEND, URGENT, Acceptance
from local.simulators.ledger import text_sha256
from local.simulators.nusasms.official import ONE_PARAMETER

MESSAGE_COUNT: Final = 300
"""Messages during the kills."""
OUTAGE_MESSAGE_COUNT: Final = 100
"""Messages during the stops of the store, after the last kill."""
WAVE_SIZE: Final = 8
DUPLICATE_SHARE: Final = 0.25
"""Share of the requests that are put on their queue twice."""
RESEND_SHARE: Final = 0.1
"""Share of the requests with `on_unknown` set to `resend`."""

MAGIC_NUMBER_WEIGHTS: Final = {
    "10": 24,
    "26": 16,  # slow: a kill can interrupt the call
    "15": 4,
    **dict.fromkeys(
        (
            "11",
            "12",
            "13",
            "14",
            "16",
            "17",
            "18",
            "19",
            "20",
            "21",
            "22",
            "23",
            "25",
            "27",
            "28",
            "29",
            "30",
            "31",
            "32",
        ),
        4,
    ),
}
"""Weights of the magic numbers. 24 is left out: it opens the circuit of a vendor, which the end-to-end tests cover."""

RECIPIENTS: Final = {
    "nomsa": "+855912{:04d}{}",
    "smsnoc": "+880174{:05d}{}",
    "smspoh": "+95977{:05d}{}",
    "nusasms": "+62812{:06d}{}",
}
CATEGORY_WEIGHTS: Final = {"otp": 3, "transactional": 4, "promotional": 3}
CHANNEL_WEIGHTS: Final = {"sms": 5, "whatsapp": 3, "whatsapp_official": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadMessage:
    """One message of the load, and its text in the ledger of a vendor."""

    request: Mapping[str, Any]
    text: str

    @property
    def message_id(self) -> str:
        return str(self.request["message_id"])

    @property
    def must_not_repeat(self) -> bool:
        """Whether at most one vendor call may be accepted: `on_unknown` is `hold`."""
        return bool(self.request["on_unknown"] == "hold")

    @property
    def queue(self) -> str:
        return URGENT if self.request["category"] == "otp" else SEND

    @property
    def acceptance(self) -> Acceptance:
        return text_sha256(self.text), str(self.request["recipient"]).removeprefix("+")


def build_load(seed: int) -> list[LoadMessage]:
    """Return messages of every vendor, channel, category and magic number for the kills."""
    random = Random(seed)  # noqa: S311 - repeatable, not secret
    return [_message(random, number) for number in range(MESSAGE_COUNT)]


def build_outage_load(seed: int) -> list[LoadMessage]:
    """Return such messages for the stops of the store, with other ids and texts."""
    random = Random(seed)  # noqa: S311 - repeatable, not secret
    return [_message(random, MESSAGE_COUNT + number) for number in range(OUTAGE_MESSAGE_COUNT)]


def plan_waves(seed: int, load: Sequence[LoadMessage]) -> list[list[LoadMessage]]:
    """Return the batches to put on the queues, in order: every message once, and some of them again soon after."""
    random = Random(seed)  # noqa: S311 - repeatable, not secret
    waves = [list(load[first : first + WAVE_SIZE]) for first in range(0, len(load), WAVE_SIZE)]
    for number, sent in enumerate(load):
        if random.random() < DUPLICATE_SHARE:
            waves[min(number // WAVE_SIZE + random.randrange(4), len(waves) - 1)].append(sent)
    return waves


def _message(random: Random, number: int) -> LoadMessage:
    vendor = list(RECIPIENTS)[number % len(RECIPIENTS)]
    channel = _weighted_choice(random, CHANNEL_WEIGHTS) if vendor == "nusasms" else "sms"
    text = f"Chaos message {number}"
    content: dict[str, Any] = {"type": "text", "text": text}
    if channel == "whatsapp_official":
        template_id, parameters = ONE_PARAMETER.template_id, {"body": [text]}
        content = {"type": "template", "template_id": template_id, "recipient_name": "Sari", "parameters": parameters}
    request = {
        "message_id": f"chaos-{number:03d}",
        "channel": channel,
        "recipient": RECIPIENTS[vendor].format(number, _weighted_choice(random, MAGIC_NUMBER_WEIGHTS)),
        "content": content,
        "category": _weighted_choice(random, CATEGORY_WEIGHTS),
        "on_unknown": "resend" if random.random() < RESEND_SHARE else "hold",
    }
    return LoadMessage(request=request, text=text)


def _weighted_choice(random: Random, weights: Mapping[str, int]) -> str:
    return random.choices(list(weights), list(weights.values()))[0]
