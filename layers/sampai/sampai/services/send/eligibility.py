"""Check recipients, conversations and templates before messages are sent. One read answers for a whole batch."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from sampai.contract.request import EmailContent, SendRequest
from sampai.domain.failure import Failure, Reason
from sampai.domain.message import Attachments, Category, Channel, Email, Message
from sampai.domain.template import Template
from sampai.providers.base import Provider
from sampai.providers.features import SupportsTemplateFallback
from sampai.services.ports.eligibility import EligibilityData, EligibilityReader
from sampai.services.routing import Routing


@dataclass(frozen=True, slots=True, kw_only=True)
class EligibilityQuery:
    """The facts that one message depends on. Most messages depend on none; then the query is false."""

    numbers: frozenset[str] = field(default=frozenset(), repr=False)
    """Numbers and addresses that may have opted out."""
    room_id: str | None = None
    is_promotional: bool = False
    catalogues: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.numbers) or self.room_id is not None or bool(self.catalogues)


def eligibility_query(subject: SendRequest | Message, routing: Routing) -> EligibilityQuery:
    is_promotional = subject.category is Category.PROMOTIONAL
    return EligibilityQuery(
        numbers=_recipients_of(subject) if is_promotional else frozenset(),
        room_id=subject.room_id,
        is_promotional=is_promotional,
        catalogues=_catalogues(subject.channel, routing),
    )


def load_eligibility(reader: EligibilityReader, queries: Iterable[EligibilityQuery]) -> EligibilityData:
    """Return the facts for all queries with one read. Raises UnavailableError.

    A promotional reply may name only its conversation. The conversation has the number, so a second read follows.
    """
    asked = [query for query in queries if query]
    if not asked:
        return EligibilityData()
    numbers = {number for query in asked for number in query.numbers}
    data = reader.look_up(
        numbers=numbers,
        conversations={query.room_id for query in asked if query.room_id is not None},
        catalogues={name for query in asked for name in query.catalogues},
    )
    conversations = [data.conversations.get(query.room_id or "") for query in asked if query.is_promotional]
    further = {
        conversation.number
        for conversation in conversations
        if conversation is not None and conversation.number is not None
    } - numbers
    if not further:
        return data
    more = reader.look_up(numbers=further, conversations=(), catalogues=())
    return replace(data, opted_out=data.opted_out | more.opted_out)


def check_eligibility(message: Message, provider: Provider, data: EligibilityData, now: datetime) -> Message | Failure:
    """Return the message as the provider may send it now, or the reason why it may not be sent.

    In a closed conversation the message becomes the caller's fallback template, if there is one.
    """
    if message.category is Category.PROMOTIONAL and message.recipient in data.opted_out:
        return Failure(reason=Reason.OPTED_OUT, detail="recipient: asked for no promotional messages")
    if message.category is Category.PROMOTIONAL and not data.opted_out.isdisjoint(_recipients_of(message)):
        return Failure(reason=Reason.OPTED_OUT, detail="content: a copy is for an opted-out address")
    if message.room_id is not None:
        return _check_conversation(message, message.room_id, provider, data, now)
    return _check_template(message, provider, data, now)


def _check_conversation(
    message: Message, room_id: str, provider: Provider, data: EligibilityData, now: datetime
) -> Message | Failure:
    conversation = data.conversations.get(room_id)
    theirs = conversation.number if conversation else None
    if None not in (theirs, message.recipient) and theirs != message.recipient:
        detail = "recipient: is not the number of the conversation"
        return Failure(reason=Reason.INVALID_RECIPIENT, detail=detail)
    number = theirs or message.recipient
    if message.category is Category.PROMOTIONAL and number in data.opted_out:
        return Failure(reason=Reason.OPTED_OUT, detail="room_id: its number asked for no promotional messages")
    if conversation is not None and conversation.is_open(now):
        return replace(message, recipient=number)
    fallback = provider.window_fallback(message) if isinstance(provider, SupportsTemplateFallback) else None
    if fallback is None or number is None:
        detail = "room_id: no message came in within the last 24 hours"
        return Failure(reason=Reason.WINDOW_CLOSED, detail=detail)
    instead = replace(message, recipient=number, room_id=None, content=fallback, attachments=Attachments())
    return provider.validate(instead) or _check_template(instead, provider, data, now)


def _check_template(message: Message, provider: Provider, data: EligibilityData, now: datetime) -> Message | Failure:
    catalogue = data.catalogues.get(provider.name)
    if catalogue is None or not catalogue.is_fresh(now) or not isinstance(message.content, Template):
        return message
    return catalogue.validate(message.content, provider.sender_of(message)) or message


def _recipients_of(subject: SendRequest | Message) -> frozenset[str]:
    """Return the recipient of a message, and those of its copies."""
    content = subject.content
    copies = (*content.cc, *content.bcc) if isinstance(content, Email | EmailContent) else ()
    return frozenset(copies if subject.recipient is None else (subject.recipient, *copies))


def _catalogues(channel: Channel, routing: Routing) -> frozenset[str]:
    """Return the names of the providers that may send a template on a channel."""
    offers = ((name, api.capabilities) for name in routing.names() for api in routing.apis_of(name))
    return frozenset(name for name, can in offers if can.channel is channel and Template in can.contents)
