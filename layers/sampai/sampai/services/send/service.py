"""Send: claim, call, write down. Nothing reaches a vendor before its claim is stored."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sampai.contract.events import Event, request_rejected
from sampai.contract.request import (
    CancelRequest,
    InvalidRequest,
    OptInRequest,
    OptOutRequest,
    Request,
    ResumeRequest,
    SendRequest,
    digest,
    parse_request,
)
from sampai.contract.settings import Settings
from sampai.domain.failure import Reason
from sampai.domain.message import Attachments, Channel, Media, Message, cancel, mark_unknown, text_of_content
from sampai.domain.outcome import FailureScope, NotTaken, Outcome, Taken, Unknown
from sampai.domain.segments import segments_of
from sampai.domain.status import Source, Status
from sampai.services.attempt import apply_outcome, is_current_attempt, plan_wake_up
from sampai.services.circuit_breakers import CircuitBreakers
from sampai.services.ports.configuration import SecretSource, SettingsSource
from sampai.services.ports.correlations import Correlation, Correlations, LinkCorrelation, correlation_key
from sampai.services.ports.eligibility import EligibilityData, EligibilityReader
from sampai.services.ports.encryption_keys import EncryptionKeyStore
from sampai.services.ports.events import EventBus
from sampai.services.ports.media import MediaStore
from sampai.services.ports.messages import Insert, Messages, Replace, Write, WriteResult
from sampai.services.ports.queue import Queue, WakeUp
from sampai.services.ports.quotas import QuotaCounters
from sampai.services.ports.rate_limiter import RateLimiter
from sampai.services.ports.runtime import Clock, NewId, NewPool, Remaining, Sleep, UnavailableError
from sampai.services.ports.suppression_list import SuppressionList
from sampai.services.ports.telemetry import Telemetry
from sampai.services.ports.transport import Transport
from sampai.services.reports import Reports, change
from sampai.services.routing import Routing
from sampai.services.send.admission import (
    AdmissionContext,
    AdmissionDecision,
    admit,
    blank_message,
    defer_admission,
    fail_invalid,
    fail_over_quota,
    start,
)
from sampai.services.send.dispatch import Attempt, Dispatcher
from sampai.services.send.eligibility import eligibility_query, load_eligibility
from sampai.services.send.pacer import Pacer, deferral_of
from sampai.services.send.quotas import enforce_quotas

_METRICS: Final[Mapping[type[Outcome], str]] = {
    Taken: "SendAccepted",
    NotTaken: "SendRejected",
    Unknown: "SendUnknown",
}

_MAY_BE_SENT: Final = frozenset({Status.SCHEDULED, Status.QUEUED, Status.SENDING, Status.UNKNOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One SQS message: its own id, the body that somebody put there, and when that was."""

    record_id: str
    body: str = field(repr=False)
    sent_at: datetime | None = None
    group: str | None = None
    """The message group that the caller put it in."""


@dataclass(slots=True, kw_only=True)
class _Entry:
    """A message that this batch wants to store, the records that asked for it, and what it was made from."""

    decision: AdmissionDecision
    records: list[str]
    before: Message | None = None
    starts_at: datetime | None = None
    """Its turn, where its provider takes only so many messages a second."""

    @property
    def write(self) -> Insert | Replace:
        if self.before is None:
            return Insert(message=self.decision.message)
        return Replace(before=self.before, message=self.decision.message)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    """A message that our notes name, the attempts that they are about, and the records that they came in."""

    message: Message
    attempts: set[int]
    records: list[str]


@dataclass(slots=True, kw_only=True)
class _Batch:
    """What a batch leaves behind: records to come back, notes and events to put."""

    unfinished: set[str] = field(default_factory=set)
    wake_ups: list[WakeUp] = field(default_factory=list)
    rejected: list[Event] = field(default_factory=list)
    rejected_records: set[str] = field(default_factory=set)

    def report(self, records: Iterable[str], event: Event) -> None:
        self.rejected.append(event)
        self.rejected_records.update(records)


class SendService:
    def __init__(
        self,
        *,
        messages: Messages,
        correlations: Correlations,
        eligibility: EligibilityReader,
        suppression_list: SuppressionList,
        quotas: QuotaCounters,
        media: MediaStore,
        encryption_keys: EncryptionKeyStore,
        queue: Queue,
        bus: EventBus,
        transport: Transport,
        settings: SettingsSource,
        secret: SecretSource,
        clock: Clock,
        new_id: NewId,
        new_key: NewId,
        telemetry: Telemetry,
        webhook_base_url: str,
        new_pool: NewPool,
        limiter: RateLimiter,
        sleep: Sleep,
        lease: timedelta,
    ) -> None:
        self._messages = messages
        self._correlations = correlations
        self._eligibility = eligibility
        self._suppression_list = suppression_list
        self._quotas = quotas
        self._media = media
        self._encryption_keys = encryption_keys
        self._queue = queue
        self._bus = bus
        self._settings = settings
        self._secret = secret
        self._clock = clock
        self._new_id = new_id
        self._new_key = new_key
        self._telemetry = telemetry
        self._webhook_base_url = webhook_base_url
        self._lease = lease
        self._circuit_breakers = CircuitBreakers()
        self._dispatcher = Dispatcher(
            transport=transport,
            media=media,
            encryption_keys=encryption_keys,
            clock=clock,
            new_key=new_key,
            telemetry=telemetry,
            new_pool=new_pool,
            sleep=sleep,
        )
        self._pacer = Pacer(limiter=limiter, clock=clock, sleep=sleep, telemetry=telemetry)
        self._reports = Reports(messages=messages, correlations=correlations, clock=clock, telemetry=telemetry)

    def prepare(self) -> None:
        """Read the configuration while nobody waits for it. What does not answer is asked again by the first batch."""
        with suppress(UnavailableError):
            self._settings.current()
            self._secret.current()
            self._secret.fingerprint_key()

    def handle(self, records: Sequence[Record], *, remaining: Remaining) -> list[str]:
        """Work through a batch and return the ids of the records that must be delivered again.

        `remaining` tells the seconds left to this invocation.
        """
        try:
            settings = self._settings.current()
            context = AdmissionContext(
                routing=Routing(settings, self._secret.current(), webhook_base_url=self._webhook_base_url),
                circuit_breakers=self._circuit_breakers,
                now=self._clock(),
                lease=self._lease,
                is_sending=settings.sending_enabled,
                new_key=self._new_key,
            )
            key = self._secret.fingerprint_key()
        except UnavailableError as error:
            self._telemetry.error("no configuration", error=str(error))
            return [record.record_id for record in records]
        batch = _Batch()
        parsed = [(record, parse_request(record.body)) for record in records]
        self._cancel(parsed, batch)
        self._apply_opt_outs(parsed, batch)
        waiting = self._waiting(parsed, batch)
        context = replace(context, known=self._known(parsed, waiting, batch))
        entries = [*self._new_entries(parsed, key, context, batch), *self._resumed_entries(waiting, context, batch)]
        entries = self._enforce_quotas(entries, settings, batch, remaining)
        self._take_turns(entries, settings, remaining)
        claimed = self._claim(self._load_attachments(entries, batch), batch)
        self._renew_turns(claimed, settings, remaining)
        attempts = [
            Attempt(message=entry.decision.message, provider=provider, starts_at=entry.starts_at)
            for entry in claimed
            if (provider := entry.decision.provider)
        ]
        outcomes = self._dispatcher.dispatch(attempts, remaining=remaining)
        self._record_results(claimed, outcomes, settings, batch)
        self._flush(batch)
        return [record.record_id for record in records if record.record_id in batch.unfinished]

    # --- before the call --------------------------------------------------------------------------------------------

    def _new_entries(
        self, parsed: Sequence[tuple[Record, Request]], key: bytes, context: AdmissionContext, batch: _Batch
    ) -> list[_Entry]:
        """Admit each new message once: a batch may hold the same request several times."""
        entries: dict[str, _Entry] = {}
        for record, request in parsed:
            if not isinstance(request, SendRequest | InvalidRequest) or record.record_id in batch.unfinished:
                continue
            try:
                self._enter(record, request, entries, key, context, batch)
            except Exception as error:
                # A fault of ours. It must not keep the neighbours; the record comes back, in the end as a dead letter.
                self._telemetry.error("request not admitted", record_id=record.record_id, error=type(error).__name__)
                batch.unfinished.add(record.record_id)
        return list(entries.values())

    def _enter(
        self,
        record: Record,
        request: SendRequest | InvalidRequest,
        entries: dict[str, _Entry],
        key: bytes,
        context: AdmissionContext,
        batch: _Batch,
    ) -> None:
        message_id, fingerprint = _identity(record, request, key)
        known = entries.get(message_id)
        if known is None:
            decision = self._admit(request, message_id, fingerprint, record.group, context)
            entries[message_id] = _Entry(decision=decision, records=[record.record_id])
        elif known.decision.message.fingerprint == fingerprint:
            known.records.append(record.record_id)
        else:
            self._conflict(message_id, [record.record_id], batch)
        if isinstance(request, InvalidRequest) and request.message_id is None:
            batch.report([record.record_id], request_rejected(message_id, "invalid_request", request.detail))

    def _admit(
        self,
        request: SendRequest | InvalidRequest,
        message_id: str,
        fingerprint: str,
        group: str | None,
        context: AdmissionContext,
    ) -> AdmissionDecision:
        if isinstance(request, InvalidRequest):
            return fail_invalid(request, message_id=message_id, fingerprint=fingerprint, now=context.now)
        return admit(request, fingerprint=fingerprint, attempt_id=self._new_id(), group=group, context=context)

    def _waiting(self, parsed: Sequence[tuple[Record, Request]], batch: _Batch) -> list[_Waiting]:
        """Read the messages that our notes name."""
        wake_ups: dict[str, list[tuple[str, int]]] = {}
        for record, request in parsed:
            if isinstance(request, ResumeRequest):
                wake_ups.setdefault(request.resume, []).append((record.record_id, request.attempt))
        if not wake_ups:
            return []
        try:
            messages = self._messages.read(wake_ups.keys())
        except UnavailableError:
            batch.unfinished.update(record_id for records in wake_ups.values() for record_id, _ in records)
            return []
        return [
            _Waiting(
                message=message,
                attempts={attempt for _, attempt in wake_ups[message_id]},
                records=[record_id for record_id, _ in wake_ups[message_id]],
            )
            for message_id, message in messages.items()
        ]

    def _resumed_entries(self, waiting: Sequence[_Waiting], context: AdmissionContext, batch: _Batch) -> list[_Entry]:
        """Claim messages that waited. A note that is not about the present attempt resumes nothing."""
        return [
            _Entry(
                decision=start(waited.message, attempt_id=self._new_id(), context=context),
                records=waited.records,
                before=waited.message,
            )
            for waited in waiting
            if _may_start(waited.message, waited.attempts, context) and batch.unfinished.isdisjoint(waited.records)
        ]

    def _known(
        self, parsed: Sequence[tuple[Record, Request]], waiting: Sequence[_Waiting], batch: _Batch
    ) -> EligibilityData:
        """Ask what has to be known; while nobody answers, what depends on it comes back later."""
        asked = [
            ([r.record_id], eligibility_query(request)) for r, request in parsed if isinstance(request, SendRequest)
        ]
        asked += [(waited.records, eligibility_query(waited.message)) for waited in waiting]
        try:
            return load_eligibility(self._eligibility, [question for _, question in asked])
        except UnavailableError:
            batch.unfinished.update(i for records, question in asked if question for i in records)
            return EligibilityData()

    def _enforce_quotas(
        self, entries: list[_Entry], settings: Settings, batch: _Batch, remaining: Remaining
    ) -> list[_Entry]:
        """Count new messages. One too many fails, and one that cannot be counted comes back."""
        limits = settings.limits_in_force()
        new = [(entry, draft) for entry in entries if (draft := entry.decision.draft) is not None]
        if not limits or not new:
            return entries
        now = self._clock()
        verdicts = enforce_quotas(
            [entry.decision.message for entry, _ in new],
            limits,
            stored=self._messages,
            quotas=self._quotas,
            now=now,
            remaining=remaining,
        )
        for entry, draft in new:
            if draft.message_id not in verdicts:
                batch.unfinished.update(entry.records)
            elif (failure := verdicts[draft.message_id]) is not None:
                entry.decision = fail_over_quota(draft, failure, now=now)
        return [entry for entry in entries if batch.unfinished.isdisjoint(entry.records)]

    def _take_turns(self, entries: Sequence[_Entry], settings: Settings, remaining: Remaining) -> None:
        """Give each message for a provider that takes only so many a second its turn; hold back what has to wait."""
        rates = settings.rates()
        sent = [entry for entry in entries if entry.decision.provider is not None]
        paced = [entry for entry in sent if entry.decision.message.provider in rates]
        if not paced:
            return
        turns = self._pacer.turns(
            [entry.decision.message for entry in paced], rates, may_wait=len(paced) == len(sent), remaining=remaining
        )
        now = self._clock()
        for entry in paced:
            message = entry.decision.message
            entry.starts_at = turns.get(message.message_id)
            if entry.starts_at is None:
                waiting = entry.before or entry.decision.draft or message
                entry.decision = defer_admission(waiting, now=now, pause=deferral_of(waiting, now=now))

    def _renew_turns(self, claimed: Sequence[_Entry], settings: Settings, remaining: Remaining) -> None:
        """Let nothing go out in a burst because its claim took long."""
        paced = {e.decision.message.message_id: e for e in claimed if e.starts_at is not None}
        turns = {message_id: entry.starts_at for message_id, entry in paced.items() if entry.starts_at is not None}
        messages = [entry.decision.message for entry in paced.values()]
        for message_id, starts_at in self._pacer.renewed(
            messages, turns, settings.rates(), remaining=remaining
        ).items():
            paced[message_id].starts_at = starts_at

    def _load_attachments(self, entries: Sequence[_Entry], batch: _Batch) -> list[_Entry]:
        """Keep what new messages bring with them: a stored one never needs what is not there."""
        kept = []
        for entry in entries:
            try:
                message = self._store_attachments_of(entry.decision.message)
            except UnavailableError:
                batch.unfinished.update(entry.records)
                continue
            if message is not entry.decision.message:
                entry.decision = replace(entry.decision, message=message)
            kept.append(entry)
        return kept

    def _store_attachments_of(self, message: Message) -> Message:
        attachments, content = message.attachments, message.content
        if attachments == Attachments():
            return message
        if attachments.encryption_key is not None:
            attachments = replace(
                attachments, encryption_key=self._encryption_keys.get_or_create(message, attachments.encryption_key)
            )
        if attachments.file is not None and isinstance(content, Media):
            content = replace(content, media_key=self._media.store(message, attachments.file))
        return replace(message, content=content, attachments=attachments)

    def _claim(self, entries: Sequence[_Entry], batch: _Batch) -> list[_Entry]:
        """Store all entries at once and return those that are ours to send."""
        claimed = []
        for entry, written in zip(entries, self._messages.commit([e.write for e in entries]), strict=True):
            if written.done:
                self._record_admission(entry, batch)
                claimed.append(entry)
            elif isinstance(written.current, Message):
                self._resolve_existing(entry, written.current, batch)
            else:
                batch.unfinished.update(entry.records)
        return claimed

    def _record_admission(self, entry: _Entry, batch: _Batch) -> None:
        message = entry.decision.message
        if entry.decision.wake_up is not None:
            batch.wake_ups.append(entry.decision.wake_up)
        if message.failure is not None:
            self._telemetry.info(
                "message rejected",
                message_id=message.message_id,
                reason=message.failure.reason,
                detail=message.failure.detail,
            )
            self._telemetry.count("MessageRejected")
            if message.failure.reason is Reason.BLOCKED:
                self._telemetry.count("MessageBlocked")

    def _resolve_existing(self, entry: _Entry, current: Message, batch: _Batch) -> None:
        """Decide about a record whose message exists already."""
        wanted = entry.decision.message
        if entry.before is not None:
            return
        self._discard_file(wanted, stored_message=current)
        if current.fingerprint not in (None, wanted.fingerprint):
            self._conflict(current.message_id, entry.records, batch)
        elif current.status is not Status.SENDING:
            return
        elif current.due_at is not None and self._clock() < current.due_at:
            batch.unfinished.update(entry.records)
        else:
            self._lease_over(current, entry.records, batch)

    def _lease_over(self, current: Message, records: Sequence[str], batch: _Batch) -> None:
        now = self._clock()
        lost = mark_unknown(current, now=now, due_at=now, source=Source.SEND)
        if not self._messages.commit([Replace(before=current, message=lost)])[0].done:
            batch.unfinished.update(records)

    def _conflict(self, message_id: str, records: Sequence[str], batch: _Batch) -> None:
        detail = "message_id: already stands for a different request"
        batch.report(records, request_rejected(message_id, "id_conflict", detail))
        self._telemetry.warning("id conflict", message_id=message_id)
        self._telemetry.count("IdConflict")

    # --- after the call ---------------------------------------------------------------------------------------------

    def _record_results(
        self, claimed: Sequence[_Entry], outcomes: Sequence[Outcome], settings: Settings, batch: _Batch
    ) -> None:
        """Write all outcomes at once, then look after those that somebody overtook."""
        sent = [entry for entry in claimed if entry.decision.provider is not None]
        self._record_circuits(sent, outcomes)
        settled = [
            self._settled(entry.decision.message, outcome, settings, batch)
            for entry, outcome in zip(sent, outcomes, strict=True)
        ]
        writes: list[Write] = [
            Replace(before=entry.decision.message, message=message)
            for entry, message in zip(sent, settled, strict=True)
        ]
        meets = [
            _meet(message) for message, outcome in zip(settled, outcomes, strict=True) if isinstance(outcome, Taken)
        ]
        results = self._messages.commit([*writes, *meets])
        stored: dict[str, Message] = {}
        for entry, outcome, message, written in zip(sent, outcomes, settled, results[: len(writes)], strict=True):
            self._note_outcome(entry, outcome)
            try:
                stored[message.message_id] = self._stored(message, outcome, written, settings, batch)
            except UnavailableError:
                batch.unfinished.update(entry.records)
            else:
                self._discard_file(entry.decision.message, stored_message=stored[message.message_id])
        self._meet(meets, results[len(writes) :], stored)

    def _discard_file(self, message: Message, *, stored_message: Message) -> None:
        """Drop a message's file, unless what stands under its id may still be sent with it."""
        key = _file_of(message)
        if key is None or (stored_message.status in _MAY_BE_SENT and _file_of(stored_message) == key):
            return
        try:
            self._media.delete(key)
        except UnavailableError:
            self._telemetry.warning("file not discarded", message_id=message.message_id)

    def _settled(self, message: Message, outcome: Outcome, settings: Settings, batch: _Batch) -> Message:
        now = self._clock()
        settled = apply_outcome(message, outcome, now=now, settings=settings)
        if settled.status is not Status.QUEUED or settled.due_at is None:
            return settled
        due_at, wake_up = plan_wake_up(settled, at=settled.due_at, now=now)
        if wake_up is not None:
            batch.wake_ups.append(wake_up)
        return replace(settled, due_at=due_at)

    def _stored(
        self, message: Message, outcome: Outcome, written: WriteResult, settings: Settings, batch: _Batch
    ) -> Message:
        """Return the message as it is stored; an outcome that was overtaken is made again over what stands there."""
        if written.done:
            return message
        if not isinstance(written.current, Message) or message.attempt_id is None:
            raise UnavailableError("the outcome was not stored")
        attempt_id = message.attempt_id

        def again(current: Message) -> Message:
            if not is_current_attempt(current, outcome, attempt_id=attempt_id):
                return current
            return self._settled(current, outcome, settings, batch)

        return change(self._messages, written.current, again)

    def _meet(
        self, meets: Sequence[LinkCorrelation], results: Sequence[WriteResult], stored: dict[str, Message]
    ) -> None:
        """Complete the meetings where a report was first. What fails here is completed when the message is due."""
        for meet, written in zip(meets, results, strict=True):
            message = stored.get(meet.message_id)
            if written.done or message is None or not isinstance(written.current, Correlation):
                continue
            try:
                self._reports.join(message, self._correlations.claim(meet.key, meet.message_id))
            except UnavailableError:
                self._telemetry.warning("correlation incomplete", message_id=meet.message_id)

    def _note_outcome(self, entry: _Entry, outcome: Outcome) -> None:
        provider = entry.decision.provider
        if provider is None:
            return
        self._telemetry.info("message attempted", **_log_fields(entry.decision.message, outcome))
        self._telemetry.count(_METRICS[type(outcome)], provider=provider.name)

    def _record_circuits(self, sent: Sequence[_Entry], outcomes: Sequence[Outcome]) -> None:
        """Tell the circuits what came of each call: messages that went out in one share its outcome."""
        calls = {id(outcome): (entry.decision.provider, outcome) for entry, outcome in zip(sent, outcomes, strict=True)}
        for provider, outcome in calls.values():
            if provider is None:
                continue
            if isinstance(outcome, NotTaken) and outcome.scope is FailureScope.PROVIDER:
                self._secret.refresh()
            if self._circuit_breakers.record_outcome(provider, outcome, now=self._clock()):
                self._telemetry.error("circuit opened", provider=provider.name, **_outcome_fields(outcome))
                self._telemetry.count("CircuitOpened")

    # --- the rest ---------------------------------------------------------------------------------------------------

    def _cancel(self, parsed: Sequence[tuple[Record, Request]], batch: _Batch) -> None:
        """Cancel what has not been sent. A cancel that overtakes its request leaves a canceled message in its place."""
        wanted: dict[str, list[str]] = {}
        for record, request in parsed:
            if isinstance(request, CancelRequest):
                wanted.setdefault(request.cancel, []).append(record.record_id)
        now = self._clock()
        places = [Insert(message=cancel(blank_message(message_id, now=now), now=now)) for message_id in wanted]
        for (message_id, records), written in zip(wanted.items(), self._messages.commit(places), strict=True):
            try:
                self._cancel_over(message_id, written)
            except UnavailableError:
                batch.unfinished.update(records)

    def _apply_opt_outs(self, parsed: Sequence[tuple[Record, Request]], batch: _Batch) -> None:
        """Note who wants promotional messages and who does not, before any of this batch goes out."""
        for record, request in parsed:
            if not isinstance(request, OptOutRequest | OptInRequest):
                continue
            is_out = isinstance(request, OptOutRequest)
            number = request.opt_out if isinstance(request, OptOutRequest) else request.opt_in
            try:
                self._suppression_list.set_opt_out(number, is_out=is_out, at=record.sent_at or self._clock())
            except UnavailableError:
                batch.unfinished.add(record.record_id)
            else:
                self._telemetry.count("OptedOut" if is_out else "OptedIn")

    def _cancel_over(self, message_id: str, written: WriteResult) -> None:
        if written.done:
            return
        if not isinstance(written.current, Message):
            raise UnavailableError("the cancel was not stored")

        def canceled(current: Message) -> Message:
            waits = current.status in (Status.SCHEDULED, Status.QUEUED)
            return cancel(current, now=self._clock()) if waits else current

        kept = change(self._messages, written.current, canceled)
        self._telemetry.info("cancel requested", message_id=message_id, status=kept.status)

    def _flush(self, batch: _Batch) -> None:
        try:
            self._queue.put(batch.wake_ups)
        except UnavailableError:
            self._telemetry.warning("wake-ups not queued", count=len(batch.wake_ups))
        try:
            self._bus.put(batch.rejected)
        except UnavailableError:
            batch.unfinished |= batch.rejected_records


def _file_of(message: Message) -> str | None:
    return message.content.media_key if isinstance(message.content, Media) else None


def _identity(record: Record, request: SendRequest | InvalidRequest, key: bytes) -> tuple[str, str]:
    """Return the id under which a request is kept, and the digest by which a repetition is known."""
    if isinstance(request, SendRequest):
        return request.message_id, request.fingerprint(key)
    return request.message_id or record.record_id, digest(record.body, key)


def _may_start(message: Message, attempts: set[int], context: AdmissionContext) -> bool:
    if message.status is Status.SCHEDULED and message.send_at is not None and message.send_at > context.now:
        return False
    return message.status in (Status.SCHEDULED, Status.QUEUED) and message.attempt in attempts


def _meet(message: Message) -> LinkCorrelation:
    key = correlation_key(message.provider or "", message.provider_message_id or "")
    return LinkCorrelation(key=key, message_id=message.message_id)


def _log_fields(message: Message, outcome: Outcome) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "message_id": message.message_id,
        "provider": message.provider,
        "attempt": message.attempt,
        "segments": segments_of(text_of_content(message.content)).count if message.channel is Channel.SMS else 0,
        "outcome": type(outcome).__name__,
    }
    return facts | _outcome_fields(outcome)


def _outcome_fields(outcome: Outcome) -> dict[str, Any]:
    match outcome:
        case Taken():
            return {"provider_message_id": outcome.provider_message_id}
        case NotTaken():
            return {"reason": outcome.reason, "provider_code": outcome.provider_code}
    return {"why": outcome.why}
