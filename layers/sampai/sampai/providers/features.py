"""The features that a vendor may offer beyond a send, one abstract class each.

A provider declares a feature by inheriting from its class. The services ask for a feature with `isinstance`. A class
that implements only a part of a feature cannot be instantiated.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from sampai.domain.account import AccountStatus
from sampai.domain.http import HttpRequest, HttpResponse, WebhookRequest
from sampai.domain.inbound import Inbound
from sampai.domain.message import Category, Message
from sampai.domain.outcome import Outcome
from sampai.domain.report import Report
from sampai.domain.template import Template
from sampai.providers.base import Provider


class SupportsLookup(Provider):
    """The vendor returns the status of one message by its id."""

    @abstractmethod
    def build_lookup(self, provider_message_id: str) -> HttpRequest: ...

    @abstractmethod
    def parse_lookup(self, response: HttpResponse) -> Report | None:
        """Return the report of the message, or None if the vendor does not know the message.

        Raise UnreadableAnswerError (or any other exception) if the response reports neither.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """The messages to list: those that the vendor took between two instants, to every number or to one."""

    since: datetime
    until: datetime
    recipient: str | None = field(default=None, repr=False)
    """A value of `SupportsListing.recipient_filter`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedMessage:
    """A message in a vendor's list, with the fields that identify it."""

    report: Report | None
    """None while the vendor shows no sign that it accepted the message."""
    recipient: str = field(repr=False)
    text: str = field(repr=False)
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """One page of a vendor's list."""

    entries: tuple[ListedMessage, ...]
    is_last: bool
    """Whether the vendor says that no page follows. Only then a message that was not listed is not there."""
    page_count: int | None = None
    """The pages of the whole list, or None if the vendor does not tell."""


class SupportsListing(Provider):
    """The vendor lists its messages in pages."""

    @abstractmethod
    def build_list(self, query: ListQuery, page: int) -> HttpRequest:
        """Build the request for one page of a list. The first page is 0.

        The vendor's filter may be wider than the query, and never narrower. Queries that it cannot tell apart must have
        the same URL.
        """

    @abstractmethod
    def parse_list(self, response: HttpResponse, page: int) -> ListPage:
        """Parse the response to `build_list`.

        Raise UnreadableAnswerError (or any other exception) if it has no list.
        """

    def recipient_filter(self, message: Message) -> str | None:
        """Return the recipient of a message as the vendor filters its list by it, or None if the vendor cannot."""
        return None

    def listed_texts(self, text: str) -> tuple[str, ...]:
        """Return the forms in which the vendor may list a text that we sent: as it is, and as the vendor changes it."""
        return (text,)


class SupportsReferences(Provider):
    """The vendor returns our reference in lists and reports, so a reference alone identifies a message."""

    are_references_complete: ClassVar[bool] = True
    """Whether every row of a list has the reference that was sent. Otherwise a row without one is compared by
    recipient, text and time."""

    @abstractmethod
    def reference_of(self, message: Message) -> str:
        """Return the reference that is sent with the message."""


class SupportsBatchSend(Provider):
    """The vendor takes several messages in one call, up to `Capabilities.max_batch_size`."""

    def batch_key(self, message: Message) -> str | None:
        """Return a key that is equal for all messages that one call may carry, or None if the message goes alone.

        Only promotional messages share a call. After a refusal a message goes alone, so that an invalid message cannot
        block the others of its batch forever.
        """
        if message.category is not Category.PROMOTIONAL or message.attempt > 1:
            return None
        return self.coalesce(message)

    @abstractmethod
    def coalesce(self, message: Message) -> str | None:
        """Return the batch key of a promotional message, or None if it must go alone."""

    @abstractmethod
    def build_send_many(self, messages: Sequence[Message]) -> HttpRequest:
        """Build the request for messages with the same batch key, each to a different number."""

    @abstractmethod
    def parse_send_many(self, response: HttpResponse, messages: Sequence[Message]) -> list[Outcome]:
        """Return an outcome for each message, in order.

        A refusal of the whole call is never final for a message, because another message may be the reason.
        """


class SupportsEncryption(Provider):
    """The vendor can store a text encrypted, with the key in `message.attachments.encryption_key`."""

    @abstractmethod
    def encrypts(self, message: Message) -> bool:
        """Return whether the vendor must encrypt the text of this message."""


class SupportsTemplateFallback(Provider):
    """A template can replace a reply to a conversation that is closed."""

    @abstractmethod
    def window_fallback(self, message: Message) -> Template | None:
        """Return the template that the caller named for a closed conversation, or None."""


class SupportsWebhooks(Provider):
    """The vendor calls us: it pushes reports or inbound messages, in the kinds of `Capabilities.webhooks`."""

    @classmethod
    @abstractmethod
    def parse_webhook(cls, kind: str, request: WebhookRequest) -> tuple[Report | Inbound, ...]:
        """Parse a callback, or raise MalformedWebhookError.

        A class method, because a provider without credentials still receives reports.
        """


class SupportsAccountChecks(Provider):
    """The vendor answers questions about the account: those in `Capabilities.account_checks`."""

    @abstractmethod
    def build_account_check(self, check: str) -> HttpRequest: ...

    @abstractmethod
    def parse_account_check(self, check: str, response: HttpResponse) -> AccountStatus:
        """Parse the response to `build_account_check`.

        Raise AccountRefusedError if the vendor refuses our credentials, and UnreadableAnswerError (or any other
        exception) if the response has no answer.
        """
