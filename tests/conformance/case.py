"""The structure of a provider's case file: literals only, in the words of the vendor."""

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
from sampai.providers.features import ListPage, Window


@dataclass(frozen=True, kw_only=True)
class Send:
    """A message and the complete request for it."""

    title: str
    message: Message
    request: HttpRequest


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer to a send and its outcome."""

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
    """An answer to an account check. Without an account status it is unreadable, or rejects our credentials."""

    title: str
    check: str
    response: HttpResponse
    account_status: AccountStatus | None = None
    is_refused: bool = False


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A message that the provider rejects before the call."""

    title: str
    message: Message
    failure: Failure


@dataclass(frozen=True, kw_only=True)
class LookupAnswer:
    """An answer to a lookup. It is `unreadable` if it has no information about any message."""

    title: str
    response: HttpResponse
    report: Report | None = None
    unreadable: bool = False


@dataclass(frozen=True, kw_only=True)
class ListAnswer:
    """An answer to the list call for a page. `page` is None if it is unreadable."""

    title: str
    response: HttpResponse
    number: int = 0
    page: ListPage | None = None


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """A valid webhook and its reports."""

    title: str
    kind: str
    request: WebhookRequest
    reports: tuple[Report | Inbound, ...]


@dataclass(frozen=True, kw_only=True)
class BadWebhook:
    """A webhook that is rejected as malformed."""

    title: str
    kind: str
    request: WebhookRequest


@dataclass(frozen=True, kw_only=True)
class ProviderCases:
    """The examples of one vendor's API for one channel. A case module has one of these as `CASES`."""

    account: ProviderConfig
    endpoints: tuple[tuple[str, str], ...]
    """Every operation that the vendor documents for this channel: method, and pattern of the path below the base."""
    documented: tuple[str, ...] = ()
    """Codes and words of the vendor's tables. Each must occur in an answer, a list or a webhook."""
    sends: tuple[Send, ...]
    answers: tuple[Answer, ...]
    many_sends: tuple[SendMany, ...] = ()
    many_answers: tuple[ManyAnswer, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    lookup: tuple[str, HttpRequest] | None = None
    """A `provider_message_id` and its lookup request."""
    lookup_answers: tuple[LookupAnswer, ...] = ()
    list_requests: tuple[tuple[Window, int, HttpRequest], ...] = ()
    list_answers: tuple[ListAnswer, ...] = ()
    account_checks: tuple[tuple[str, HttpRequest], ...] = ()
    """The request of each check."""
    account_answers: tuple[AccountAnswer, ...] = ()
    webhooks: tuple[Webhook, ...] = ()
    bad_webhooks: tuple[BadWebhook, ...] = ()
    unknown_word: Status | None = None
    """The status for a word outside the provider's tables. None does not change the status of a message."""
    secrets: tuple[str, ...] = field(default=())
    """Texts that must not appear in a repr, error or log: credentials, tokens, message texts."""
