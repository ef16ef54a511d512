"""What has to be known of recipients, conversations and templates before messages are sent: asked once for a batch."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from sampai.contract.request import SendRequest
from sampai.domain.message import Category, Channel, Message
from sampai.domain.template import Template
from sampai.providers.registry import PROVIDERS, on_channel
from sampai.services.ports.eligibility import EligibilityData, EligibilityReader


@dataclass(frozen=True, slots=True, kw_only=True)
class EligibilityQuery:
    """What one message makes us ask; most ask nothing."""

    number: str | None = field(default=None, repr=False)
    room_id: str | None = None
    is_promotional: bool = False
    catalogues: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return self.number is not None or self.room_id is not None or bool(self.catalogues)


def eligibility_query(subject: SendRequest | Message) -> EligibilityQuery:
    is_promotional = subject.category is Category.PROMOTIONAL
    return EligibilityQuery(
        number=subject.recipient if is_promotional else None,
        room_id=subject.room_id,
        is_promotional=is_promotional,
        catalogues=_catalogues(subject.channel),
    )


def load_eligibility(reader: EligibilityReader, questions: Iterable[EligibilityQuery]) -> EligibilityData:
    """Return what is known, in one call for all questions. Raises UnavailableError.

    A second call is made where a promotional message names nothing but a conversation: only that tells its number.
    """
    asked = [question for question in questions if question]
    if not asked:
        return EligibilityData()
    numbers = {question.number for question in asked if question.number is not None}
    known = reader.look_up(
        numbers=numbers,
        conversations={question.room_id for question in asked if question.room_id is not None},
        catalogues={name for question in asked for name in question.catalogues},
    )
    conversations = [known.conversations.get(question.room_id or "") for question in asked if question.is_promotional]
    further = {
        conversation.number
        for conversation in conversations
        if conversation is not None and conversation.number is not None
    } - numbers
    if not further:
        return known
    more = reader.look_up(numbers=further, conversations=(), catalogues=())
    return replace(known, opted_out=known.opted_out | more.opted_out)


def _catalogues(channel: Channel) -> frozenset[str]:
    """Return the providers whose templates may be asked for on a channel."""
    apis = {name: on_channel(name, channel) for name in PROVIDERS}
    return frozenset(name for name, api in apis.items() if api and Template in api.capabilities.contents)
