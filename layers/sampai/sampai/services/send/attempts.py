"""The last stage: record the attempts that no vendor plainly accepted, for the story of their messages."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, Final

from sampai.domain.message import Message
from sampai.domain.outcome import Exchange, NotTaken, Taken, Unknown
from sampai.providers.base import Provider
from sampai.services.ports.attempts import AttemptLog, AttemptRecord
from sampai.services.ports.runtime import Clock
from sampai.services.ports.telemetry import Telemetry
from sampai.services.send.batch import Batch, BatchItem

MAX_RECORDS: Final = 25
"""Records that are stored in one call. A batch has fewer messages."""

_PUBLIC_HEADERS: Final = frozenset({"accept", "content-type"})


class Attempts:
    def __init__(self, *, log: AttemptLog, clock: Clock, telemetry: Telemetry) -> None:
        self._log = log
        self._clock = clock
        self._telemetry = telemetry

    def record(self, batch: Batch) -> None:
        """Record the failed attempts of a batch whose outcomes are stored, with one call. Never raises.

        A batch of accepted messages makes no call. No message depends on a record, so a failure is only logged.
        """
        try:
            records = []
            for item in batch.items:
                if not batch.deadline.has_time_for_commit():
                    return
                if (record := _to_record(item)) is not None:
                    records.append(record)
            if records:
                self._log.add(records[:MAX_RECORDS], now=self._clock())
        except Exception as error:
            self._telemetry.warning("attempts not recorded", error=type(error).__name__)
            self._telemetry.count("AttemptsNotRecorded")


def _to_record(item: BatchItem) -> AttemptRecord | None:
    """Return the record of an attempt, or None if it was accepted, or if its outcome is not stored or not ours."""
    outcome, message, provider = item.outcome, item.message, item.provider
    if outcome is None or isinstance(outcome, Taken) or item.stored is None or item.is_carried:
        return None
    if provider is None or message.attempt_id is None:  # no call was made
        return None
    exchange = outcome.exchange
    return AttemptRecord(
        message_id=message.message_id,
        attempt=message.attempt,
        attempt_id=message.attempt_id,
        provider=provider.name,
        outcome="unknown" if isinstance(outcome, Unknown) else "not_taken",
        claimed_at=message.attempted_at,
        began_at=exchange.began_at if exchange else None,
        ended_at=exchange.ended_at if exchange else None,
        http_status=exchange.http_status if exchange else None,
        reason=outcome.reason if isinstance(outcome, NotTaken) else None,
        provider_code=outcome.provider_code if isinstance(outcome, NotTaken) else None,
        detail=outcome.detail if isinstance(outcome, NotTaken) else outcome.why,
        vendor_words=_redacted_words(outcome, exchange, provider) if exchange else None,
    )


def _redacted_words(outcome: NotTaken | Unknown, exchange: Exchange, provider: Provider) -> str | None:
    from sampai.domain.redaction import redact  # most batches have no failed attempt, and its patterns take time

    words = exchange.body if outcome.vendor_words is None else outcome.vendor_words
    code = outcome.provider_code if isinstance(outcome, NotTaken) else None
    redacted = redact(
        words,
        private=_private_values(exchange, provider),
        files=[message.attachments.file for message in exchange.messages if message.attachments.file],
        codes=[code or "", str(exchange.http_status or "")],
    )
    return redacted or None


def _private_values(exchange: Exchange, provider: Provider) -> Iterator[str]:
    """Yield everything that the vendor got from us and could repeat, except names of fields."""
    config = provider.config
    yield from config.credentials.values()
    for name, value in exchange.request.headers.items():
        if name.lower() not in _PUBLIC_HEADERS:
            yield value
    if config.sender is not None:
        yield config.sender
    if config.receipt_url is not None:
        yield config.receipt_url.rpartition("/")[2]  # the token. The rest is cut as a URL
    for message in exchange.messages:
        yield from _values_of(message, provider)


def _values_of(message: Message, provider: Provider) -> Iterator[str]:
    optional = (
        message.recipient,
        message.sender,
        provider.sender_of(message),
        message.room_id,
        message.attachments.encryption_key,
    )
    yield from (value for value in optional if value is not None)
    yield from message.audience
    yield from _strings(message.provider_options)
    if message.content is not None:
        yield from _strings(asdict(message.content))


def _strings(value: Any) -> Iterator[str]:
    """Yield all texts in a value, except the names of fields."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _strings(part)
