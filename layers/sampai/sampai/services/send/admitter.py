"""The admission stage: turn requests and wake-ups into items, each with a decision."""

from collections.abc import Sequence

from sampai.contract.request import InvalidRequest, ResumeRequest, SendRequest, digest
from sampai.domain.failure import Failure, Reason
from sampai.domain.message import Message, blank_message, end_hold
from sampai.services.circuit_breakers import CircuitBreakers
from sampai.services.ports.eligibility import EligibilityData, EligibilityReader
from sampai.services.ports.messages import Messages
from sampai.services.ports.runtime import NewId, UnavailableError
from sampai.services.ports.telemetry import Telemetry
from sampai.services.routing import report_unusable
from sampai.services.send.admission import AdmissionContext, admit, can_resume, fail_admission, start
from sampai.services.send.batch import Batch, BatchItem, Record
from sampai.services.send.drafts import build_draft, prepare_text, route_draft
from sampai.services.send.eligibility import eligibility_query, load_eligibility
from sampai.services.send.rejections import reject_conflict, reject_unnamed


class Admitter:
    def __init__(
        self,
        *,
        messages: Messages,
        eligibility: EligibilityReader,
        circuit_breakers: CircuitBreakers,
        new_id: NewId,
        new_key: NewId,
        telemetry: Telemetry,
    ) -> None:
        self._messages = messages
        self._eligibility = eligibility
        self._circuit_breakers = circuit_breakers
        self._new_id = new_id
        self._new_key = new_key
        self._telemetry = telemetry

    def admit(self, batch: Batch) -> None:
        """Add an item for each new message, and for each waiting message that a wake-up may start."""
        waiting = self._load_waiting(batch)
        context = AdmissionContext(
            routing=batch.configuration.routing,
            circuit_breakers=self._circuit_breakers,
            eligibility=self._load_eligibility(batch, waiting),
            now=batch.started_at,
            lease=batch.configuration.lease,
            is_sending=batch.configuration.settings.sending_enabled,
            quiet_hours=batch.configuration.settings.quiet_hours_in_force(),
            replaces_typographic=batch.configuration.settings.replace_typographic_characters,
        )
        self._admit_new(batch, context)
        for item in waiting:
            if not batch.unfinished.isdisjoint(item.record_ids):
                continue
            try:
                message = end_hold(item.before, now=context.now) if context.is_sending else item.before
                item.decide(start(message, attempt_id=self._new_id(), context=context))
            except Exception as error:
                self._report_bug(item.record_ids, error)
                batch.unfinished.update(item.record_ids)
            else:
                batch.items.append(item)
        self._report_providers(batch)

    def _load_waiting(self, batch: Batch) -> list[BatchItem]:
        """Read the messages that the wake-ups of a batch may start."""
        attempts: dict[str, dict[str, int]] = {}
        for record, request in batch.requests:
            if isinstance(request, ResumeRequest):
                attempts.setdefault(request.resume, {})[record.record_id] = request.attempt
        if not attempts:
            return []
        try:
            messages = self._messages.read(attempts.keys())
        except UnavailableError:
            batch.redeliver_after_outage(record_id for by_record in attempts.values() for record_id in by_record)
            return []
        return [
            BatchItem(record_ids=list(attempts[message_id]), before=message)
            for message_id, message in messages.items()
            if can_resume(message, attempts[message_id].values(), now=batch.started_at)
        ]

    def _load_eligibility(self, batch: Batch, waiting: Sequence[BatchItem]) -> EligibilityData:
        """Read the facts that the messages depend on. In an outage, the messages that depend on any come back."""
        routing = batch.configuration.routing
        queries = [
            ([record.record_id], eligibility_query(request, routing))
            for record, request in batch.requests
            if isinstance(request, SendRequest)
        ]
        queries += [(item.record_ids, eligibility_query(item.before, routing)) for item in waiting]
        try:
            return load_eligibility(self._eligibility, [query for _, query in queries])
        except UnavailableError:
            batch.redeliver_after_outage(
                record_id for record_ids, query in queries if query for record_id in record_ids
            )
            return EligibilityData()

    def _report_providers(self, batch: Batch) -> None:
        """Report the providers that messages of the batch wait for, or fail without."""
        routing = batch.configuration.routing
        report_unusable(routing, self._telemetry)
        unroutable = (item.message for item in batch.items if _is_unroutable(item.message))
        for name in {name for message in unroutable for name in routing.unnamed(message)}:
            self._telemetry.error("provider not configured", provider=name)
            self._telemetry.count("ProviderNotConfigured", provider=name)

    def _admit_new(self, batch: Batch, context: AdmissionContext) -> None:
        for record, request in batch.requests:
            if not isinstance(request, SendRequest | InvalidRequest) or record.record_id in batch.unfinished:
                continue
            try:
                self._admit_request(batch, record, request, context)
            except Exception as error:
                self._report_bug([record.record_id], error)
                batch.unfinished.add(record.record_id)

    def _report_bug(self, record_ids: Sequence[str], error: Exception) -> None:
        """Log an error of ours. It must not stop the other records; these come back, and end as dead letters."""
        self._telemetry.error("request not admitted", record_ids=list(record_ids), error=type(error).__name__)

    def _admit_request(
        self, batch: Batch, record: Record, request: SendRequest | InvalidRequest, context: AdmissionContext
    ) -> None:
        """Admit each message once: a batch may hold the same request several times."""
        message_id, fingerprint = _identify(record, request, batch.configuration.fingerprint_key)
        caller = batch.configuration.settings.caller(record.caller_id)
        same = next((item for item in batch.items if item.before.message_id == message_id), None)
        if same is None:
            blank = blank_message(message_id, now=context.now, fingerprint=fingerprint, caller=caller)
            batch.items.append(self._new_item(record, request, blank, context))
        elif same.before.fingerprint == fingerprint:
            same.record_ids.append(record.record_id)
        else:
            reject_conflict(batch, message_id, [record.record_id], caller, self._telemetry)
        if isinstance(request, InvalidRequest) and request.message_id is None:
            reject_unnamed(batch, record, request)

    def _new_item(
        self, record: Record, request: SendRequest | InvalidRequest, blank: Message, context: AdmissionContext
    ) -> BatchItem:
        """Return the item of a new message. `blank` has only its id, its fingerprint and its caller."""
        now = context.now
        if isinstance(request, InvalidRequest):
            draft = blank
            routed: Message | Failure = Failure(reason=Reason.INVALID_REQUEST, detail=request.detail)
        else:
            draft = build_draft(request, blank, group=record.group, routing=context.routing)
            draft = prepare_text(draft, replaces_typographic=context.replaces_typographic)
            routed = route_draft(
                draft, wanted=request.provider, routing=context.routing, new_key=self._new_key, now=now
            )
        if isinstance(routed, Failure):
            item = BatchItem(record_ids=[record.record_id], before=draft)
            item.decide(fail_admission(draft, routed, now=now))
        else:
            item = BatchItem(record_ids=[record.record_id], before=routed)
            item.decide(admit(routed, attempt_id=self._new_id(), context=context))
        return item


def _is_unroutable(message: Message) -> bool:
    return message.failure is not None and message.failure.reason is Reason.UNROUTABLE


def _identify(record: Record, request: SendRequest | InvalidRequest, key: bytes) -> tuple[str, str]:
    """Return the message id of a request, and the digest that identifies a repetition of it."""
    if isinstance(request, SendRequest):
        return request.message_id, request.fingerprint(key)
    return request.message_id or record.record_id, digest(record.body, key)
