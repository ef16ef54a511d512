"""Messages that come in: kept, noted where they open a conversation, and heeded where they say STOP or START."""

from datetime import datetime

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

    def take(self, inbound: Inbound) -> None:
        """Keep an inbound message and do what follows from it. Raises UnavailableError.

        What follows is done first: whoever hears of the message finds it done. It may all be done again: a vendor
        repeats a callback that was not answered.
        """
        now = self._clock()
        failure = None
        try:
            self._apply_opt_outs(inbound, now)
        except UnavailableError as error:
            failure = error
        # Kept even then: a vendor may not repeat it.
        is_new = self._inbox.add(inbound.key(now), inbound, now)
        self._telemetry.info(
            "message received",
            provider=inbound.provider,
            channel=inbound.channel,
            provider_message_id=inbound.provider_message_id,
            is_new=is_new,
        )
        if is_new:
            self._telemetry.count("MessageReceived", provider=inbound.provider)
        if failure is not None:
            raise failure

    def _apply_opt_outs(self, inbound: Inbound, now: datetime) -> None:
        """Note an open conversation, and a wish."""
        # The vendor's clock and zone may be wrong. Then a window closes too early, and nobody is written to who would
        # rather be left alone.
        at = min(inbound.received_at or now, now)
        number = inbound.sender if E164.fullmatch(inbound.sender) else None
        if inbound.room_id is not None:
            self._conversations.record_conversation(
                Conversation(room_id=inbound.room_id, number=number, last_inbound_at=at)
            )
        consent = _parse_consent(number, inbound.text, self._settings.current()) if number else None
        if number and consent:
            is_out = consent is Consent.OPT_OUT
            self._suppression_list.set_opt_out(number, is_out=is_out, at=now if is_out else at)
            self._telemetry.count("OptedOut" if is_out else "OptedIn", provider=inbound.provider)


def _parse_consent(number: str, text: str, settings: Settings) -> Consent | None:
    return parse_keyword(
        text,
        opt_out_words=keywords_for(settings.opt_out_words, number),
        opt_in_words=keywords_for(settings.opt_in_words, number),
    )
