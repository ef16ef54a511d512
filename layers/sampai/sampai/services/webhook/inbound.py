"""Receive inbound messages: store them, open their conversations, and honour the keywords STOP and START."""

from collections.abc import Mapping
from datetime import datetime
from itertools import chain

from sampai.contract.settings import Settings, keywords_for
from sampai.domain.inbound import Consent, Conversation, Inbound, parse_keyword
from sampai.domain.phone import E164
from sampai.services.ports.configuration import SettingsSource
from sampai.services.ports.conversations import Conversations
from sampai.services.ports.inbox import Inbox
from sampai.services.ports.runtime import Clock, UnavailableError
from sampai.services.ports.suppression_list import SuppressionList
from sampai.services.ports.telemetry import Telemetry


class InboundService:
    def __init__(
        self,
        *,
        inbox: Inbox,
        suppression_list: SuppressionList,
        conversations: Conversations,
        settings: SettingsSource,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._inbox = inbox
        self._suppression_list = suppression_list
        self._conversations = conversations
        self._settings = settings
        self._clock = clock
        self._telemetry = telemetry

    def receive(self, inbound: Inbound) -> None:
        """Record the conversation, apply an opt-out or opt-in, and store the message. Raises UnavailableError.

        The message is stored last, so its event finds the rest done. It is stored even if the rest failed: the vendor
        may not repeat the webhook. A repeated webhook does all of it again, with the same result.
        """
        now = self._clock()
        failure = None
        try:
            self._apply_effects(inbound, now)
        except UnavailableError as error:
            failure = error
        is_new = self._inbox.add(inbound.key(now), inbound, now)
        self._telemetry.info(
            "message received",
            provider=inbound.provider,
            channel=inbound.channel,
            provider_message_id=inbound.provider_message_id,
            is_new=is_new,
            has_number=E164.fullmatch(inbound.sender) is not None,
        )
        if is_new:
            self._telemetry.count("MessageReceived", provider=inbound.provider)
        if failure is not None:
            raise failure

    def _apply_effects(self, inbound: Inbound, now: datetime) -> None:
        # The vendor's clock or zone may be wrong. A time in the future would keep a conversation open for too long, and
        # let an opt-in win over later opt-outs.
        written_at = min(inbound.received_at or now, now)
        number = inbound.sender if E164.fullmatch(inbound.sender) else None
        if inbound.room_id is not None:
            self._conversations.record_conversation(
                Conversation(room_id=inbound.room_id, number=number, last_inbound_at=written_at)
            )
        consent = _parse_consent(number, inbound.text, self._settings.current())
        if consent is not None:
            self._set_consent(number, consent, inbound, written_at=written_at, now=now)

    def _set_consent(
        self, number: str | None, consent: Consent, inbound: Inbound, *, written_at: datetime, now: datetime
    ) -> None:
        """Store an opt-out at our time and an opt-in at the vendor's, which is earlier: in doubt the opt-out wins.

        A repeated webhook counts from its first arrival, so that an old STOP does not undo a later START.
        """
        if number is None:
            self._telemetry.warning(
                "consent unreadable",
                provider=inbound.provider,
                channel=inbound.channel,
                provider_message_id=inbound.provider_message_id,
            )
            self._telemetry.count("ConsentUnreadable", provider=inbound.provider)
            return
        is_out = consent is Consent.OPT_OUT
        came_at = self._first_arrival(inbound, now)
        self._suppression_list.set_opt_out(number, is_out=is_out, at=came_at if is_out else min(written_at, came_at))
        self._telemetry.count("OptedOut" if is_out else "OptedIn", provider=inbound.provider)

    def _first_arrival(self, inbound: Inbound, now: datetime) -> datetime:
        """Return the time at which a message arrived first, which is now unless its webhook is a repetition.

        A message with a used id and other content is not a repetition. If the inbox is down, the time is now.
        """
        try:
            stored = self._inbox.find(inbound.key(now))
        except UnavailableError:
            return now
        if stored is None or (stored[0].sender, stored[0].text) != (inbound.sender, inbound.text):
            return now
        return stored[1]


def _parse_consent(number: str | None, text: str, settings: Settings) -> Consent | None:
    """Return the change that a text requests. Without a number, the keywords of all countries count."""
    return parse_keyword(
        text,
        opt_out_words=_words_for(settings.opt_out_words, number),
        opt_in_words=_words_for(settings.opt_in_words, number),
    )


def _words_for(words: Mapping[str, tuple[str, ...]], number: str | None) -> tuple[str, ...]:
    return tuple(chain(*words.values())) if number is None else keywords_for(words, number)
