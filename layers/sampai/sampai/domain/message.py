"""A message and the changes of its state. A change returns a new value; the store resolves concurrent changes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from math import ceil
from typing import Any, Final

from sampai.domain.caller import Caller
from sampai.domain.failure import Failure, Reason, detail_of_vendor
from sampai.domain.report import Report
from sampai.domain.segments import Encoding, segments_of
from sampai.domain.status import Source, Status, advance
from sampai.domain.template import Template

MESSAGE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", re.ASCII)
"""Pattern of a message_id. Use `fullmatch`."""

HISTORY_LIMIT: Final = 50
"""Maximum number of history entries. A longer history loses its middle and keeps its first and last entries."""


_NEVER: Final = datetime.max.replace(tzinfo=UTC)


class Channel(StrEnum):
    SMS = "sms"
    WHATSAPP = "whatsapp"
    WHATSAPP_OFFICIAL = "whatsapp_official"
    EMAIL = "email"


class Category(StrEnum):
    OTP = "otp"
    TRANSACTIONAL = "transactional"
    PROMOTIONAL = "promotional"


class OnUnknown(StrEnum):
    HOLD = "hold"
    RESEND = "resend"


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """The text of an SMS or of a chat message. It may hold a one-time password."""

    text: str

    def __repr__(self) -> str:
        return "Text(…)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A file: at a URL that the vendor fetches, or in our media store under `media_key`."""

    media_url: str | None = field(default=None, repr=False)
    media_key: str | None = None
    file_name: str | None = field(default=None, repr=False)
    size: int | None = None
    """Bytes of the stored file."""
    caption: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedFile:
    """A file of an e-mail. Its bytes are in the media store."""

    file_name: str = field(repr=False)
    size: int
    """In bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Email:
    """An e-mail. Its files are one after the other in our media store, under `media_key`."""

    subject: str = field(repr=False)
    body: str = field(repr=False)
    """Plain text or HTML: the vendor decides how it is shown."""
    reply_to: str | None = field(default=None, repr=False)
    cc: tuple[str, ...] = field(default=(), repr=False)
    bcc: tuple[str, ...] = field(default=(), repr=False)
    files: tuple[AttachedFile, ...] = ()
    media_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownContent:
    """A content of a newer release, exactly as it is stored. This release keeps it, and does not send it."""

    stored: Mapping[str, Any] = field(default_factory=dict, repr=False)


Content = Text | Media | Template | Email | UnknownContent


def text_of_content(content: Content | None) -> str:
    """Return the free text of a content: the text of a message, or a caption. A vendor's list is searched for it.

    The text of an e-mail is its subject and its body, on lines of their own.
    """
    match content:
        case Text():
            return content.text
        case Media():
            return content.caption or ""
        case Email():
            return f"{content.subject}\n{content.body}"
    return ""


def file_key_of(content: Content | None) -> str | None:
    """Return the key of the stored file of a content, or of all its files, or None if it has none."""
    return content.media_key if isinstance(content, Media | Email) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachments:
    """The file and the encryption key of a message. They are stored apart from it and loaded to send it."""

    file: bytes | None = field(default=None, repr=False)
    """The files of an e-mail are one after the other."""
    encryption_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """A change of status: the new status, its time, and its source."""

    status: Status
    at: datetime
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to one recipient, conversation or vendor's list, as stored.

    `revision` counts writes: a change is stored only over the revision that it was made from. A draft has revision 0.
    `sequence` counts changes of status and numbers the events. `due_at` is the time at which the follow-up checks the
    message; it is None exactly when the status is final. `attempt` counts claims; `attempt_id` names the latest one.
    """

    message_id: str
    status: Status
    revision: int = 0
    sequence: int = 0
    channel: Channel = Channel.SMS
    category: Category = Category.TRANSACTIONAL
    recipient: str | None = field(default=None, repr=False)
    """A number in E.164, or an e-mail address."""
    audience: tuple[str, ...] = ()
    """Contact lists at the vendor, instead of a recipient."""
    room_id: str | None = None
    """The conversation that the message replies in."""
    sender: str | None = None
    content: Content | None = None
    attachments: Attachments = field(default=Attachments(), repr=False, compare=False)
    """Not stored with the message."""
    segments: int | None = None
    """Billed segments of the text of an SMS. None for any other message."""
    encoding: Encoding | None = None
    """Encoding of the text of an SMS."""
    route: tuple[str, ...] = ()
    """Providers that may still send the message, the next one first."""
    requested_provider: str | None = None
    """Provider that the caller named. The message goes to no other one."""
    provider: str | None = None
    provider_message_id: str | None = None
    provider_status: str | None = None
    cost: str | None = None
    """The cost of the present attempt, in the vendor's own words, if the vendor told it."""
    provider_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    on_unknown: OnUnknown = OnUnknown.HOLD
    send_at: datetime | None = None
    """The earliest time of the first attempt: that of the request, or later because of quiet hours."""
    expires_at: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)
    group: str | None = None
    """Message group that the caller chose: the queue shares its throughput fairly among groups."""
    caller: Caller | None = None
    """The caller of the first request. None if an earlier release stored the message, or if the queue named none."""
    attempt: int = 0
    attempt_id: str | None = None
    resends: int = 0
    """Attempts that followed one with an unknown outcome."""
    attempted_at: datetime | None = None
    due_at: datetime | None = None
    held_since: datetime | None = None
    """Time at which the queued message met the present stop of all sending, or quiet hours. None if it has met none."""
    held_seconds: int = 0
    """Duration of the earlier stops and quiet hours. This time does not count towards the report horizon."""
    lookups: int = 0
    """Look-ups since the last attempt: the position in the polling schedule."""
    not_found_count: int = 0
    """Look-ups since the last attempt in which the vendor did not know the message."""
    lookup_error: str | None = None
    """Why the latest look-up brought no answer, in our own words. None if it brought one."""
    lookup_errors: int = 0
    """Look-ups in a row that brought no answer for that reason."""
    failure: Failure | None = None
    fingerprint: str | None = field(default=None, repr=False)
    """Keyed digest of the request. A second request under the same id must have the same one."""
    created_at: datetime
    updated_at: datetime
    occurred_at: datetime
    history: tuple[HistoryEntry, ...] = ()

    @property
    def was_resent(self) -> bool:
        """Return whether a further attempt followed one with an unknown outcome: each may have reached the handset."""
        # The history of a busy message has lost its middle. A former release has counted no resends.
        return self.resends > 0 or any(
            entry.status is Status.QUEUED and entry.source is Source.SWEEP for entry in self.history
        )

    @property
    def caller_name(self) -> str | None:
        return None if self.caller is None else self.caller.name

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and now >= self.expires_at


def blank_message(
    message_id: str, *, now: datetime, fingerprint: str | None = None, caller: Caller | None = None
) -> Message:
    """Return a draft that has only what identifies it."""
    return Message(
        message_id=message_id,
        status=Status.QUEUED,
        fingerprint=fingerprint,
        caller=caller,
        created_at=now,
        updated_at=now,
        occurred_at=now,
    )


def count_segments(message: Message) -> Message:
    """Return the message with the segments and the encoding of its text, if it is an SMS and has not been counted."""
    is_text = message.channel is Channel.SMS and isinstance(message.content, Text)
    if not is_text or message.segments is not None:
        return message
    counted = segments_of(text_of_content(message.content))
    return replace(message, segments=counted.count, encoding=counted.encoding)


def urgency(message: Message) -> tuple[bool, datetime]:
    """Return a sort key: one-time passwords first, then the messages that expire first."""
    return message.category is not Category.OTP, message.expires_at or _NEVER


def schedule(message: Message, *, now: datetime, due_at: datetime) -> Message:
    return _move(message, Status.SCHEDULED, now=now, source=Source.SEND, due_at=due_at)


def queue(message: Message, *, now: datetime, due_at: datetime) -> Message:
    """Return the message queued without an attempt: no provider of its route is available now."""
    return _move(message, Status.QUEUED, now=now, source=Source.SEND, due_at=due_at)


def hold_until(message: Message, *, send_at: datetime, now: datetime, due_at: datetime) -> Message:
    """Return the message held until the end of quiet hours.

    A new or a scheduled message is scheduled for that time. A message that is queued already stays queued, because no
    status goes back: the time counts as a stop.
    """
    if message.revision == 0:
        return schedule(replace(message, send_at=send_at), now=now, due_at=due_at)
    if message.status is Status.SCHEDULED:
        return defer(replace(message, send_at=send_at), now=now, due_at=due_at)
    return defer(hold(message, now=now), now=now, due_at=due_at)


def hold(message: Message, *, now: datetime) -> Message:
    """Return the message with the start of a stop of all sending, unless it has met that stop before."""
    return message if message.held_since is not None else replace(message, held_since=now)


def end_hold(message: Message, *, now: datetime) -> Message:
    """Return the message with the duration of the stop or the quiet hours that are over, if there were any."""
    if message.held_since is None:
        return message
    held = ceil(max(now - message.held_since, timedelta(0)).total_seconds())
    return replace(message, held_since=None, held_seconds=message.held_seconds + held)


def time_waited(message: Message, *, now: datetime) -> timedelta:
    """Return how long a message has waited to be sent, without the time under stops of all sending and in quiet hours.

    A `send_at` in the past means now: the message has not waited before it was requested.
    """
    waited_until = message.held_since or now
    waits_since = max(message.created_at, message.send_at or message.created_at)
    return waited_until - waits_since - timedelta(seconds=message.held_seconds)


def claim(message: Message, *, provider: str, attempt_id: str, now: datetime, lease: timedelta) -> Message:
    """Return the message claimed for one attempt at one provider. It must be stored before the vendor is called."""
    return _move(
        count_segments(message),  # one that the previous release stored is not counted yet
        Status.SENDING,
        now=now,
        source=Source.SEND,
        provider=provider,
        provider_message_id=None,
        provider_status=None,
        cost=None,
        attempt=max(message.attempt, 1),
        attempt_id=attempt_id,
        attempted_at=now,
        due_at=now + lease,
        lookups=0,
        not_found_count=0,
        lookup_error=None,
        lookup_errors=0,
    )


def accept(
    message: Message,
    *,
    provider_message_id: str,
    provider_status: str | None,
    cost: str | None = None,
    now: datetime,
    due_at: datetime,
    source: Source,
) -> Message:
    """Return the message with the vendor's id. A status beyond `accepted` is kept."""
    answer: dict[str, Any] = {
        "provider_message_id": provider_message_id,
        "provider_status": message.provider_status or provider_status,
        "cost": cost or message.cost,
    }
    if advance(message.status, Status.ACCEPTED) is message.status:
        return replace(message, revision=message.revision + 1, updated_at=now, **answer)
    return _move(message, Status.ACCEPTED, now=now, source=source, due_at=due_at, **answer)


def requeue(
    message: Message,
    *,
    route: tuple[str, ...],
    failure: Failure | None,
    now: datetime,
    due_at: datetime,
    source: Source,
) -> Message:
    """Return the message queued for another attempt: the last one was not accepted, or the caller allows a repeat."""
    return _move(
        message,
        Status.QUEUED,
        now=now,
        source=source,
        route=route,
        failure=failure,
        attempt=message.attempt + 1,
        resends=message.resends + (source is Source.SWEEP),
        due_at=due_at,
    )


def mark_unknown(message: Message, *, now: datetime, due_at: datetime, source: Source) -> Message:
    """Return the message as `unknown`: its attempt ended without a known outcome."""
    return _move(message, Status.UNKNOWN, now=now, source=source, due_at=due_at)


def fail(message: Message, failure: Failure, *, now: datetime, source: Source) -> Message:
    return _move(message, Status.FAILED, now=now, source=source, failure=failure)


def cancel(message: Message, *, now: datetime) -> Message:
    return _move(message, Status.CANCELED, now=now, source=Source.CALLER)


def erase_person(message: Message, *, now: datetime) -> Message:
    """Return the message without number, content and metadata, or the same object if it holds none.

    A waiting message is canceled. One that is on its way expires: no further attempt is made. Id, status and
    fingerprint stay, so that the id is never sent again.
    """
    if message.status in (Status.SCHEDULED, Status.QUEUED):
        message = cancel(message, now=now)
    erased = replace(
        message,
        recipient=None,
        room_id=None,
        content=None,
        attachments=Attachments(),
        metadata={},
        group=None,
        provider_options={},
        provider_status=None,
        # An instant that is over by every clock.
        expires_at=message.expires_at if message.status.is_final else message.created_at,
    )
    return message if erased == message else replace(erased, revision=message.revision + 1, updated_at=now)


def mark_unconfirmed(message: Message, *, now: datetime) -> Message:
    """Return the message as `unconfirmed`: the report horizon passed without final evidence."""
    return _move(message, Status.UNCONFIRMED, now=now, source=Source.SWEEP)


def note_cost(message: Message, report: Report) -> Message:
    """Return the message with the cost in a report of its present attempt. The caller stores it with another change."""
    if report.cost is None or report.provider_message_id != message.provider_message_id:
        return message
    return replace(message, cost=report.cost)


def note_lookup(message: Message, error: str | None) -> Message:
    """Return the message with the error of a look-up, or without one. The caller stores it with another change."""
    count = message.lookup_errors if error == message.lookup_error else 0
    return replace(message, lookup_error=error, lookup_errors=0 if error is None else count + 1)


def schedule_poll(message: Message, *, now: datetime, due_at: datetime, not_found: bool = False) -> Message:
    """Return the message with its next look-up. `not_found`: the vendor did not know it in the last one."""
    return replace(
        message,
        revision=message.revision + 1,
        updated_at=now,
        due_at=due_at,
        lookups=message.lookups + 1,
        not_found_count=message.not_found_count + not_found,
    )


def defer(message: Message, *, now: datetime, due_at: datetime) -> Message:
    """Return the message with another `due_at` and the same state."""
    return replace(message, revision=message.revision + 1, updated_at=now, due_at=due_at)


def apply_report(
    message: Message, report: Report, *, now: datetime, source: Source, is_superseded: bool = False
) -> Message:
    """Return the message after one report, or the same object if the report adds nothing.

    Only a status of a higher rank replaces the current one, so the final status does not depend on the order of the
    reports. An unknown status of the vendor is stored in `provider_status` and changes nothing else. A report of a
    superseded attempt, which has another vendor id or is marked by `is_superseded`, counts only if it proves delivery.
    """
    is_superseded = is_superseded or message.provider_message_id not in (None, report.provider_message_id)
    if is_superseded and not report.proves_delivery:
        return message
    named = message if is_superseded else replace(message, provider_message_id=report.provider_message_id)
    status = advance(message.status, report.status)
    if status is message.status:
        is_news = report.status is None and report.provider_status != message.provider_status
        if not is_news and named == message:
            return message
        word = report.provider_status if is_news else message.provider_status
        return replace(note_cost(named, report), revision=message.revision + 1, updated_at=now, provider_status=word)
    reason = report.reason or Reason.UNREACHABLE
    failure = Failure(reason=reason, provider_code=report.provider_code, detail=detail_of_vendor(reason))
    return _move(
        note_cost(named, report),
        status,
        now=now,
        source=source,
        provider_status=report.provider_status,
        failure=failure if status.is_failure else None,
        occurred_at=report.occurred_at or now,
    )


def _move(message: Message, status: Status, *, now: datetime, source: Source, **changes: Any) -> Message:
    entry = HistoryEntry(status=status, at=now, source=source)
    history = (*message.history, entry)
    if len(history) > HISTORY_LIMIT:
        history = (*history[: HISTORY_LIMIT // 2], *history[-HISTORY_LIMIT // 2 :])
    moved = replace(
        message,
        status=status,
        revision=message.revision + 1,
        sequence=message.sequence + 1,
        updated_at=now,
        history=history,
        **{"occurred_at": now, "failure": None, **changes},
    )
    return redact(moved)


def redact(message: Message) -> Message:
    """Return the message without its content and options if it is never sent again, and without `due_at` at its end.

    No list is searched for it either: from `accepted` on, it has the vendor's id.
    """
    if message.status.may_be_sent:
        return message
    due_at = None if message.status.is_final else message.due_at
    return replace(message, content=None, attachments=Attachments(), provider_options={}, due_at=due_at)
