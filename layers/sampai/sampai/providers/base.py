"""The base class of all providers, and the declaration of their capabilities."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, timedelta, tzinfo
from typing import Any, ClassVar, Final

from sampai.domain.failure import Failure, Reason
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.message import Channel, Content, Email, Media, Message, Text, text_of_content
from sampai.domain.outcome import Outcome
from sampai.domain.template import Template
from sampai.domain.webhook_fields import WebhookFields

_OPTION: Final = re.compile(r"(?!.*[0-9]{3})[A-Za-z][A-Za-z0-9_]{0,39}", re.ASCII)

CONTENT_TYPES: Final[Mapping[type[Content], str]] = {
    Text: "text",
    Media: "media",
    Template: "template",
    Email: "email",
}
"""The name of each content type in a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """The limits of a provider on one channel. A message beyond them is refused before any vendor call.

    The abilities that need code of their own, such as lookups, are classes in `sampai.providers.features`.
    """

    channel: Channel
    countries: frozenset[str]
    """ISO 3166-1 codes of the countries that the default routes send through this provider; `*` for all."""
    credentials: frozenset[str]
    """Names of the credentials in the secret. The provider is unusable on this channel while one is missing."""
    contents: frozenset[type[Content]] = frozenset({Text})
    max_characters: int
    """The longest text or caption; of an e-mail, the longest subject and body together."""
    max_file_bytes: int = 0
    """The largest file; of an e-mail, all its files together."""
    max_per_second: float | None = None
    """The messages per second that the vendor takes from one account on this channel: a default of the settings."""
    options: Mapping[str, type] = field(default_factory=dict)
    """Accepted `provider_options`, with the JSON type of each value."""
    key_option: str | None = None
    """The option with the caller's encryption key. It is not stored with the message."""
    max_lists: int = 0
    """The most lists in the audience of one message; 0 if the vendor has no lists."""
    has_conversations: bool = False
    """Messages can reply in an open conversation."""
    max_batch_size: int = 1
    """The most promotional messages in one call. Above 1 needs `SupportsBatchSend`."""
    webhooks: Mapping[str, WebhookFields] = field(default_factory=dict)
    """The kinds of webhook, with the fields of each. They need `SupportsWebhooks`."""
    account_checks: frozenset[str] = frozenset()
    """The questions about the account that the vendor answers. They need `SupportsAccountChecks`."""
    timezone: str | None = None
    """The default IANA zone in which the vendor writes times without a zone; None if the zone cannot be configured."""
    delivered_after_seconds: int = 0
    """The default age of an attempt from which a polled `delivered` is believed. Before it, the word means `sent`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderConfig:
    """The configuration of a provider: settings and credentials of the operator."""

    name: str | None = None
    """The name of the provider in the settings; None: the name of its type."""
    base_url: str
    credentials: Mapping[str, str] = field(repr=False)
    sender: str | None = None
    receipt_url: str | None = field(default=None, repr=False)
    """The address for reports, for vendors that receive it with each message. It contains a token."""
    zone: tzinfo = UTC
    """The zone in which the vendor writes times without a zone."""
    delivered_after: timedelta = timedelta(0)
    """The age of an attempt from which a polled `delivered` is believed."""


class Provider(ABC):
    """Translates between Sampai and one vendor on one channel. It never sends, sleeps, logs or reads a clock.

    A parser may raise any exception for a response that it cannot parse: the caller treats that as *unknown*. A parser
    must never return success for an undocumented response.
    """

    name: str
    """The name in the settings. The class has that of its type, which several providers may have."""
    capabilities: ClassVar[Capabilities]
    default_base_url: ClassVar[str]
    default_sender: ClassVar[str | None] = None
    needs_sender: ClassVar[bool] = True
    """Whether the vendor refuses a message without a sender."""

    def __init__(self, config: ProviderConfig) -> None:
        self.config = config
        self.name = config.name or self.name

    def validate(self, message: Message) -> Failure | None:
        """Return the reason why this provider cannot send the message, or None.

        Called before the message is claimed.
        """
        can = self.capabilities
        if message.content is not None and type(message.content) not in can.contents:
            content_type = CONTENT_TYPES[type(message.content)]
            return _unsupported(f"content.type: {self.name} takes no {content_type} on {can.channel}")
        if message.room_id is not None and not can.has_conversations:
            return _unsupported(f"room_id: {self.name} has no conversations on {can.channel}")
        if len(message.audience) > can.max_lists:
            lists = "1 list" if can.max_lists == 1 else f"{can.max_lists or 'no'} lists"
            return _unsupported(f"audience: {self.name} takes {lists} on {can.channel}")
        return self._validate_options(message) or self._validate_sender(message) or self._validate_size(message.content)

    def _validate_options(self, message: Message) -> Failure | None:
        for option, value in message.provider_options.get(self.name, {}).items():
            expected = self.capabilities.options.get(option)
            if expected is None:
                # The caller may have put a text or a number here, so only a plausible name is repeated.
                shown = f".{option}" if _OPTION.fullmatch(option) else ""
                return _unsupported(f"provider_options.{self.name}{shown}: option not offered")
            if type(value) is not expected:
                return Failure(
                    reason=Reason.INVALID_REQUEST, detail=f"provider_options.{self.name}.{option}: wrong type"
                )
        return None

    def _validate_sender(self, message: Message) -> Failure | None:
        if self.sender_of(message) is None and self.needs_sender:
            return Failure(reason=Reason.INVALID_SENDER, detail="sender: none given and none in the settings")
        return None

    def _validate_size(self, content: Content | None) -> Failure | None:
        can = self.capabilities
        if len(text_of_content(content)) > can.max_characters:
            name = "caption" if isinstance(content, Media) else "body" if isinstance(content, Email) else "text"
            return _too_long(f"content.{name}: {self.name} takes {can.max_characters} characters")
        if isinstance(content, Media) and (content.size or 0) > can.max_file_bytes:
            return _too_long(f"content.media_base64: {self.name} takes {can.max_file_bytes} bytes")
        if isinstance(content, Email) and sum(file.size for file in content.files) > can.max_file_bytes:
            return _too_long(f"content.attachments: {self.name} takes {can.max_file_bytes} bytes in all")
        return None

    def sender_of(self, message: Message) -> str | None:
        return message.sender or self.config.sender

    def text_of(self, message: Message) -> str:
        """Return the text of a message. Raise ValueError if it has none."""
        if not isinstance(message.content, Text):
            raise ValueError("no text")
        return message.content.text

    def options_of(self, message: Message) -> Mapping[str, Any]:
        return message.provider_options.get(self.name, {})

    @abstractmethod
    def build_send(self, message: Message) -> HttpRequest: ...

    @abstractmethod
    def parse_send(self, response: HttpResponse) -> Outcome:
        """Return the outcome of a send. Everything that the vendor does not document is `Unknown`."""

    def is_trackable(self, message: Message) -> bool:
        """Return whether the vendor's lookup and list can contain the message."""
        return True


def _unsupported(detail: str) -> Failure:
    return Failure(reason=Reason.UNSUPPORTED, detail=detail)


def _too_long(detail: str) -> Failure:
    return Failure(reason=Reason.TOO_LONG, detail=detail)
