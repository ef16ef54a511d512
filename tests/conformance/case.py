"""The cases of a provider: literals only, in the vendor's own words."""

from dataclasses import dataclass, field

from sampai.domain.account import AccountStatus
from sampai.domain.failure import Failure
from sampai.domain.http import HttpRequest, HttpResponse, WebhookRequest
from sampai.domain.inbound import Inbound
from sampai.domain.message import Message
from sampai.domain.outcome import Outcome
from sampai.domain.report import Report
from sampai.domain.status import Status
from sampai.providers.base import ProviderConfig
from sampai.providers.features import ListPage, ListQuery


@dataclass(frozen=True, kw_only=True)
class Send:
    """A message and the complete request for it."""

    title: str
    message: Message
    request: HttpRequest


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer to a send and the outcome that follows from it."""

    title: str
    response: HttpResponse
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class SendMany:
    """Messages that share a call, and the complete request for them."""

    title: str
    messages: tuple[Message, ...]
    request: HttpRequest


@dataclass(frozen=True, kw_only=True)
class ManyAnswer:
    """An answer to a call for several messages, and the outcome of each."""

    title: str
    messages: tuple[Message, ...]
    response: HttpResponse
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, kw_only=True)
class AccountAnswer:
    """An answer to a check of the account. Without a status it is unreadable, or refuses our credentials."""

    title: str
    check: str
    response: HttpResponse
    status: AccountStatus | None = None
    is_refused: bool = False


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A message that the provider refuses before any request."""

    title: str
    message: Message
    failure: Failure


@dataclass(frozen=True, kw_only=True)
class LookupAnswer:
    """An answer to a look-up; `unreadable` for an answer that reports no message."""

    title: str
    response: HttpResponse
    report: Report | None = None
    unreadable: bool = False


@dataclass(frozen=True, kw_only=True)
class ListAnswer:
    """An answer to the list call for a page; `page` is None for an answer that cannot be read."""

    title: str
    response: HttpResponse
    number: int = 0
    page: ListPage | None = None


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """A genuine callback and the reports or messages in it."""

    title: str
    kind: str
    request: WebhookRequest
    reports: tuple[Report | Inbound, ...]


@dataclass(frozen=True, kw_only=True)
class BadWebhook:
    """A callback that is refused as malformed."""

    title: str
    kind: str
    request: WebhookRequest


@dataclass(frozen=True, kw_only=True)
class ProviderCases:
    """The requests, answers and callbacks of one vendor. A case module holds one of these as `CASES`."""

    account: ProviderConfig
    endpoints: tuple[tuple[str, str], ...]
    """Every operation that the vendor documents for this channel: method, and pattern of the path below the base."""
    documented: tuple[str, ...] = ()
    """Codes and words of the vendor's own tables: each must come in an answer, a list or a callback."""
    sends: tuple[Send, ...]
    answers: tuple[Answer, ...]
    many_sends: tuple[SendMany, ...] = ()
    many_answers: tuple[ManyAnswer, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    lookup: tuple[str, HttpRequest] | None = None
    """A provider_message_id and the request that looks it up."""
    lookup_answers: tuple[LookupAnswer, ...] = ()
    list_requests: tuple[tuple[ListQuery, int, HttpRequest], ...] = ()
    list_answers: tuple[ListAnswer, ...] = ()
    account_checks: tuple[tuple[str, HttpRequest], ...] = ()
    """The request of each check."""
    account_answers: tuple[AccountAnswer, ...] = ()
    webhooks: tuple[Webhook, ...] = ()
    bad_webhooks: tuple[BadWebhook, ...] = ()
    unknown_word: Status | None = None
    """The status for a word outside the provider's tables: None, unless the vendor documents more."""
    secrets: tuple[str, ...] = field(default=())
    """Texts that must appear in no repr, error or log: credentials, tokens, message texts."""
