"""The known defects: mistakes that programs have made that send messages. Each names the tests that should find it.

A defect with a scenario must also break a promise in the simulation.
"""

import json
import logging
import re
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import Any, Final
from zoneinfo import ZoneInfo

from botocore.exceptions import ClientError

from sampai.adapters import (
    aws,
    directory,
    dynamo,
    inbox,
    items,
    media,
    rate_limiter,
    reading,
    secret,
    store,
    telemetry,
    transport,
)
from sampai.contract import request as contract
from sampai.contract.settings import Settings
from sampai.domain import message as messages
from sampai.domain import status as statuses
from sampai.domain import webhook_fields
from sampai.domain import webhook_token as webhook_tokens
from sampai.domain.failure import Reason
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.message import Category, Message, OnUnknown, queue, requeue
from sampai.domain.outcome import NotTaken, Outcome, Taken
from sampai.domain.quiet_hours import QuietHours
from sampai.domain.report import Report
from sampai.domain.status import Source, Status
from sampai.domain.webhook_fields import WebhookFields
from sampai.providers import features, responses, smsnoc, smspoh
from sampai.providers.nomsa import common as nomsa_common
from sampai.providers.nomsa import email as nomsa_email
from sampai.providers.nomsa import sms as nomsa
from sampai.providers.nusasms import sms as nusasms
from sampai.services import attempt, circuit_breakers, publish
from sampai.services.deadline import Deadline
from sampai.services.follow_up import (
    changes,
    due,
    leases,
    listing,
    matching,
    next_state,
    poller,
    reader,
    reconciliation,
    wake_ups,
    workers,
)
from sampai.services.follow_up import service as follow_up
from sampai.services.follow_up.lookup_pacer import LookupPacer
from sampai.services.ports import correlations
from sampai.services.ports.correlations import Correlation
from sampai.services.ports.messages import DueFamily, Replace, Worker
from sampai.services.ports.runtime import UnavailableError
from sampai.services.reports import Reports, change
from sampai.services.routing import Routing
from sampai.services.send import (
    admission,
    admitter,
    attachments,
    carried_outcomes,
    claims,
    commands,
    dispatch,
    eligibility,
    pacer,
    provider_calls,
    quotas,
    service,
)
from sampai.services.webhook import inbound, receipts
from sampai.services.webhook import service as webhook
from sampai.services.webhook.service import Answer
from tests.defects.planting import Defect, Planter

DEFECTS: Final[dict[str, Defect]] = {}
"""Every defect by its title."""


def defect(
    title: str, *tests: str, scenario: str | None = None, promise: str | None = None
) -> Callable[[Callable[[Planter], None]], Callable[[Planter], None]]:
    """Add a defect to the catalogue. `tests` are test files in short, the fastest first."""

    def add(plant: Callable[[Planter], None]) -> Callable[[Planter], None]:
        if title in DEFECTS:
            raise ValueError(f"two defects with the title: {title}")
        DEFECTS[title] = Defect(title=title, plant=plant, tests=tests, scenario=scenario, promise=promise)
        return plant

    return add


def _constant(value: Any) -> Callable[[Any], Any]:
    """Return a replacement that ignores the original and its arguments."""
    return lambda _: lambda *_arguments, **_options: value


# --- at most once -----------------------------------------------------------------------------------------------------


@defect("a message is sent before its claim is stored", "unit/services/send/service")
def _(planter: Planter) -> None:
    def make(handle: Any) -> Any:
        def send_first(self: Any, *arguments: Any, **options: Any) -> Any:
            send, claim = self.stages.dispatcher, self.stages.claims
            dispatch_batch, store_claims = send.dispatch, claim.store
            claim.store = lambda batch: (dispatch_batch(batch), store_claims(batch))
            send.dispatch = lambda batch: None
            try:
                return handle(self, *arguments, **options)
            finally:
                del claim.store, send.dispatch

        return send_first

    planter.replace(service.SendService, "handle", make)


@defect("a message is sent without a claim that another worker sees", scenario="duplicate", promise="I1")
def _(planter: Planter) -> None:
    def check_only(self: Any, batch: Any) -> None:
        known = self._messages.read([item.message.message_id for item in batch.items])
        batch.items = [item for item in batch.items if item.message.message_id not in known]
        for item in batch.items:
            self._messages.overwrite(item.message)

    planter.replace(claims.Claims, "store", lambda _: check_only)


@defect("a refused claim is sent all the same", "unit/services/send/service")
def _(planter: Planter) -> None:
    def make(resolve: Any) -> Any:
        def keep(self: Any, batch: Any, item: Any, current: Any) -> None:
            batch.items.append(item)

        return keep

    planter.replace(claims.Claims, "_resolve_existing", make)


@defect("the condition of a write is forgotten", "ports/store")
def _(planter: Planter) -> None:
    def make(to_update: Any) -> Any:
        def unconditional(*arguments: Any) -> Any:
            statement = to_update(*arguments)
            text = statement["Statement"].replace(' AND "revision" = ?', "")
            return {**statement, "Statement": text, "Parameters": statement["Parameters"][:-1]}

        return unconditional

    planter.replace(store, "_to_update", make)


@defect("an own write, seen again, counts as a write of another worker", "ports/store")
def _(planter: Planter) -> None:
    planter.replace(store, "_done_or_refused", lambda original: lambda _, current: original(False, current))


@defect("the SQS message id replaces the message id", "unit/services/send/service")
def _(planter: Planter) -> None:
    def make(identify: Any) -> Any:
        return lambda record, request, key: (record.record_id, identify(record, request, key)[1])

    def rename(build_draft: Any) -> Any:
        def draft(request: Any, blank: Any, **options: Any) -> Any:
            message_id = f"{blank.fingerprint[:8]}-{id(request)}"
            return replace(build_draft(request, blank, **options), message_id=message_id)

        return draft

    planter.replace(admitter, "_identify", make)
    planter.replace(admitter, "build_draft", rename)


@defect("another request under a known id counts as a repetition", "unit/services/send/service")
def _(planter: Planter) -> None:
    planter.replace(claims, "reject_conflict", _constant(None))


@defect("a time-out counts as not taken", "unit/services/send/service", scenario="polling", promise="I1")
def _(planter: Planter) -> None:
    planter.replace(
        provider_calls,
        "_outcome_without_response",
        lambda original: lambda response: original(replace(response, may_have_been_sent=False)),
    )


@defect(
    "a connection that breaks after the request counts as never opened",
    "unit/adapters/transport",
    "unit/adapters/transport_hostile",
)
def _(planter: Planter) -> None:
    def make(send: Any) -> Any:
        def forget(self: Any, *arguments: Any, **options: Any) -> None:
            try:
                send(self, *arguments, **options)
            finally:
                transport._current.get().is_sent = False

        return forget

    planter.replace(transport._Connection, "request", make)


@defect("an unreadable answer counts as not taken", "unit/services/send/service", "unit/services/send/shared_calls")
def _(planter: Planter) -> None:
    refused = NotTaken(reason=Reason.PROVIDER_ERROR, is_final=False)
    planter.replace(provider_calls.ProviderCalls, "_report_unreadable", _constant(refused))


def _if_status(matches: Callable[[int], bool], outcome: Outcome) -> Callable[[Any], Any]:
    """Return a replacement of `refused_by_status` with another outcome for some HTTP status codes."""
    return lambda original: lambda response: outcome if matches(response.status) else original(response)


@defect("a 5xx counts as not taken", "unit/providers/base")
def _(planter: Planter) -> None:
    refused = NotTaken(reason=Reason.PROVIDER_ERROR, is_final=False)
    planter.replace(responses, "refused_by_status", _if_status(lambda status: status >= 500, refused))


@defect("an expired lease is claimed again by the next worker", "unit/services/send/service")
def _(planter: Planter) -> None:
    planter.replace(
        claims, "mark_unknown", lambda _: lambda message, *, now, due_at, source: queue(message, now=now, due_at=due_at)
    )


@defect(
    "an expired lease is claimed again by the follow-up",
    "unit/services/follow_up/leases",
    scenario="polling",
    promise="I1",
)
def _(planter: Planter) -> None:
    def again(self: Any, message: Message) -> Message:
        now = self._clock()
        return requeue(message, route=message.route, failure=None, now=now, due_at=now, source=Source.SWEEP)

    planter.replace(leases.Leases, "_expire", lambda _: again)


@defect("an unknown send is repeated without the caller's wish", "unit/services/follow_up/next_state")
def _(planter: Planter) -> None:
    planter.replace(
        next_state,
        "_may_resend",
        lambda original: lambda message, **options: original(replace(message, on_unknown=OnUnknown.RESEND), **options),
    )


@defect("one look-up without the message is enough to resend it", "unit/services/follow_up/next_state")
def _(planter: Planter) -> None:
    planter.replace(next_state, "MIN_NOT_FOUND", lambda _: 1)


@defect("messages are resent without a limit of attempts", "unit/services/follow_up/next_state")
def _(planter: Planter) -> None:
    planter.replace(next_state, "MAX_ATTEMPTS", lambda _: 1000)


@defect("a wake-up of an earlier attempt starts a later one", "unit/services/send/service")
def _(planter: Planter) -> None:
    planter.replace(
        admission,
        "can_resume",
        lambda original: lambda message, _, **options: original(message, [message.attempt], **options),
    )


@defect("messages of a refused shared call go together again", "unit/providers/base", "unit/services/send/shared_calls")
def _(planter: Planter) -> None:
    planter.replace(
        features.SupportsBatchSend,
        "batch_key",
        lambda original: lambda self, message: original(self, replace(message, attempt=1)),
    )


# --- outcomes and evidence --------------------------------------------------------------------------------------------


@defect(
    "a superseded attempt stores its outcome", "unit/services/send/service", scenario="resend-lagging", promise="I6"
)
def _(planter: Planter) -> None:
    planter.replace(attempt, "is_current_attempt", _constant(True))


@defect(
    "a report with an unclaimed vendor id is dropped",
    "unit/services/webhook/receipts",
    scenario="receipts-without-reference",
    promise="I4",
)
def _(planter: Planter) -> None:
    def make(find: Any) -> Any:
        def unbuffered(self: Any, *arguments: Any) -> Any:
            correlations, self._correlations = self._correlations, _Unbuffered(self._correlations)
            try:
                return find(self, *arguments)
            finally:
                self._correlations = correlations

        return unbuffered

    planter.replace(receipts.Receipts, "_find_or_buffer", make)


class _Unbuffered:
    """Correlations that buffer nothing."""

    def __init__(self, correlations: Any) -> None:
        self._correlations = correlations

    def __getattr__(self, name: str) -> Any:
        return getattr(self._correlations, name)

    def buffer_report(self, *_arguments: Any) -> None:
        return None


@defect(
    "a webhook is answered 200 before it is durable",
    "unit/services/webhook/service",
    scenario="receipts-without-reference",
    promise="I4",
)
def _(planter: Planter) -> None:
    def make(handle: Any) -> Any:
        def answer(self: Any, **options: Any) -> Answer:
            given: Answer = handle(self, **options)
            return Answer.RECEIVED if given is Answer.UNAVAILABLE else given

        return answer

    planter.replace(webhook.WebhookService, "handle", make)


@defect("the last report wins", "unit/domain/status", scenario="receipts", promise="I3")
def _(planter: Planter) -> None:
    def overwrite(
        self: Any, message: Message, reports: Sequence[Report], *, source: Source, attempt: int | None = None
    ) -> Message:
        status = reports[-1].status

        def make(current: Message) -> Message:
            now = self._clock()
            moved = messages.mark_unknown(current, now=now, due_at=now, source=source)
            reported = status or current.status
            return replace(moved, status=reported, due_at=None if reported.is_final else now)

        return change(self._messages, message, make) if reports else message

    planter.replace(statuses, "advance", lambda _: lambda current, reported: reported or current)
    planter.replace(Reports, "apply", lambda _: overwrite)


@defect("the answer 429 counts as taken", "unit/services/send/service")
def _(planter: Planter) -> None:
    taken = Taken(provider_message_id="none")
    planter.replace(responses, "refused_by_status", _if_status(lambda status: status == 429, taken))


@defect("the answer 429 ends the message", "unit/providers/base", "conformance/provider_contract")
def _(planter: Planter) -> None:
    final = NotTaken(reason=Reason.RATE_LIMITED, is_final=True, provider_code="429")
    planter.replace(responses, "refused_by_status", _if_status(lambda status: status == 429, final))


@defect("refused credentials end the message", "unit/providers/base", "conformance/provider_contract")
def _(planter: Planter) -> None:
    final = NotTaken(reason=Reason.AUTHENTICATION, is_final=True, provider_code="401")
    planter.replace(responses, "refused_by_status", _if_status(lambda status: status == 401, final))


@defect("a success without an id counts as taken", "conformance/provider_contract")
def _(planter: Planter) -> None:
    planter.replace(nomsa_common, "parse_id", lambda original: lambda value: original(value) or "unnamed")


@defect("an error that says that the message was sent counts as not sent", "conformance/provider_contract")
def _(planter: Planter) -> None:
    planter.replace(nomsa_common, "ALREADY_SENT", lambda _: "another_code")


@defect("the entries of a bulk answer are told apart by their order", "unit/providers/smspoh_bulk")
def _(planter: Planter) -> None:
    def by_order(entries: Sequence[Any], parsed: Any, sent: Sequence[Any]) -> list[int | None]:
        return [position if position < len(entries) else None for position in range(len(sent))]

    planter.replace(smspoh, "_match_entries", lambda _: by_order)


@defect("any error text is a refusal", "unit/application/late_words", "conformance/provider_contract")
def _(planter: Planter) -> None:
    refusal = NotTaken(reason=Reason.PROVIDER_ERROR, is_final=True)
    planter.replace(smsnoc, "_known_refusal", lambda original: lambda text: original(text) or refusal)


@defect("a known refusal inside a longer text is one too", "conformance/provider_contract")
def _(planter: Planter) -> None:
    planter.replace(
        smsnoc, "FAILURES", lambda original: {rf".*{pattern}.*": outcome for pattern, outcome in original.items()}
    )


@defect("delivered is believed at once", "unit/application/late_words")
def _(planter: Planter) -> None:
    planter.replace(next_state, "_is_premature", lambda _: lambda report: False)


@defect("an early delivered is asked about again in an hour", "unit/application/late_words")
def _(planter: Planter) -> None:
    planter.replace(
        next_state,
        "schedule_poll",
        lambda original: (
            lambda message, *, now, due_at, **more: original(message, now=now, due_at=now + timedelta(hours=1), **more)
        ),
    )


@defect("the zone of a vendor is Dhaka, whatever the settings say", "unit/application/late_words")
def _(planter: Planter) -> None:
    planter.replace(
        smsnoc, "parse_vendor_time", lambda original: lambda text, zone: original(text, ZoneInfo("Asia/Dhaka"))
    )


@defect("the rows of a comma list are told apart by their order", "unit/providers/smsnoc_many")
def _(planter: Planter) -> None:
    def by_order(data: Any, numbers: Sequence[str]) -> list[Outcome]:
        rows = data if isinstance(data, list) else [data]
        return [smsnoc._parse_taken(row) for row, _ in zip(rows, numbers, strict=False)]

    planter.replace(smsnoc, "_parse_batch", lambda _: by_order)


@defect("one of two possible messages takes a listed row", "unit/services/follow_up/reconciliation")
def _(planter: Planter) -> None:
    planter.replace(reconciliation, "_shares", _constant(False))


@defect("unknown sends are not reconciled", "unit/services/follow_up/reconciliation", scenario="polling", promise="I4")
def _(planter: Planter) -> None:
    planter.replace(reconciliation.Reconciliation, "reconcile", _constant(None))


# --- evidence of the right message ------------------------------------------------------------------------------------


@defect("markup is removed from the listed text as well", "unit/services/follow_up/matching")
def _(planter: Planter) -> None:
    def compare_stripped(provider: Any, listed: str, ours: str) -> bool:
        forms = [matching._fold(form) for form in provider.listed_texts(ours)]
        return any(matching._fold(form) in forms for form in provider.listed_texts(listed))

    planter.replace(matching, "_is_listed_text", lambda _: compare_stripped)


@defect("any angle brackets are markup", "unit/services/follow_up/matching")
def _(planter: Planter) -> None:
    planter.replace(nomsa, "_HTML_TAG", lambda _: re.compile(r"<[^<>]*>"))


@defect("the tag of a listed e-mail is ignored", "unit/application/email")
def _(planter: Planter) -> None:
    def make(parse_report: Any) -> Any:
        return lambda api, row: replace(parse_report(api, row), reference=None)

    planter.replace(nomsa_email.NomsaEmail, "parse_report", make)


@defect("a superseded attempt moves the message", "unit/services/webhook/receipts")
def _(planter: Planter) -> None:
    def make(apply_report: Any) -> Any:
        def apply_any(message: Message, report: Report, *, is_superseded: bool = False, **options: Any) -> Message:
            own = message.provider_message_id or report.provider_message_id
            changed: Message = apply_report(message, replace(report, provider_message_id=own), **options)
            return changed

        return apply_any

    planter.replace(messages, "apply_report", make)


def _changed_correlation(**fields: Any) -> Callable[[Any], Any]:
    """Return a replacement of `Receipts._apply_by_correlation` that reads other fields."""
    return lambda original: (
        lambda self, correlation, *arguments: original(self, replace(correlation, **fields), *arguments)
    )


@defect("an attempt in flight takes the vendor id of an earlier one", "unit/services/webhook/receipts")
def _(planter: Planter) -> None:
    planter.replace(receipts.Receipts, "_apply_by_correlation", _changed_correlation(attempt=None))


@defect("a reused vendor id moves the older message", "unit/services/webhook/receipts")
def _(planter: Planter) -> None:
    planter.replace(receipts.Receipts, "_apply_by_correlation", _changed_correlation(is_reused=False))


@defect("a reference ends a message that was resent", "unit/services/webhook/receipts")
def _(planter: Planter) -> None:
    planter.replace(Message, "was_resent", lambda _: property(lambda self: False))


@defect("a reference alone ends a message that waits", "unit/services/webhook/receipts")
def _(planter: Planter) -> None:
    def make(find: Any) -> Any:
        def find_waiting(self: Any, provider: str, channel: Any, report: Report) -> Message | None:
            found: Message | None = find(self, provider, channel, report)
            message: Message | None = self._messages.read([report.reference or ""]).get(report.reference)
            if found is not None or message is None or (message.provider, message.channel) != (provider, channel):
                return found
            return message if message.provider_message_id is None and not message.was_resent else None

        return find_waiting

    planter.replace(receipts.Receipts, "_find_by_reference", make)


@defect(
    "all channels of a vendor share their ids",
    "unit/services/webhook/receipts",
    scenario="whatsapp-and-sms",
    promise="I4",
)
def _(planter: Planter) -> None:
    planter.replace(
        correlations,
        "correlation_key",
        lambda _: lambda provider, _channel, provider_message_id: f"{provider}##{provider_message_id}",
    )


@defect("items under the former key are not found", "unit/services/webhook/receipts")
def _(planter: Planter) -> None:
    planter.replace(receipts.Receipts, "_is_on_channel", _constant(False))


@defect("an item under the former key moves a message of another channel", "unit/services/webhook/receipts")
def _(planter: Planter) -> None:
    def is_linked(_self: Any, former: Correlation, _channel: Any) -> bool:
        return former.message_id is not None

    planter.replace(receipts.Receipts, "_is_on_channel", lambda _: is_linked)


@defect("a vendor is asked about a reused id", "unit/services/webhook/receipts")
def _(planter: Planter) -> None:
    planter.replace(
        reconciliation.Reconciliation,
        "resolve_correlations",
        lambda original: lambda self, *arguments: (original(self, *arguments)[0], set()),
    )


@defect("reports of a correlation are applied to another message", "unit/services/webhook/receipts")
def _(planter: Planter) -> None:
    def make(apply_buffered: Any) -> Any:
        def apply_to_any(self: Any, message: Message, correlation: Correlation) -> Message:
            stored: Message = apply_buffered(self, message, correlation)
            if correlation.is_reused or correlation.message_id == message.message_id:
                return stored
            moved: Message = self.apply(stored, correlation.reports, source=Source.WEBHOOK)
            return moved

        return apply_to_any

    planter.replace(Reports, "apply_buffered", make)


@defect("resend waits for look-ups that are not possible", "unit/services/follow_up/next_state")
def _(planter: Planter) -> None:
    def offers_any(provider: Any, message: Message) -> bool:
        can_be_asked = isinstance(provider, features.SupportsListing | features.SupportsLookup)
        return can_be_asked and provider.is_trackable(message)

    planter.replace(poller, "_can_be_asked", lambda _: offers_any)


@defect("a refused list counts as one without the message", "unit/services/follow_up/next_state")
def _(planter: Planter) -> None:
    def make(page: Any) -> Any:
        def end_at_refusal(self: Any, *arguments: Any) -> Any:
            try:
                return page(self, *arguments)
            except reader.PollFailedError:
                return features.ListPage(entries=(), is_last=True)

        return end_at_refusal

    planter.replace(reader.VendorReader, "page", make)


@defect("a list that is cut counts as one without the message", "unit/services/follow_up/reader")
def _(planter: Planter) -> None:
    def make(pages: Any) -> Any:
        def end_at_limit(self: Any, *arguments: Any, **options: Any) -> Iterator[Any]:
            read = list(pages(self, *arguments, **options))
            yield from read[:-1]
            yield replace(read[-1], is_last=True)

        return end_at_limit

    planter.replace(reader.VendorReader, "pages", make)


@defect("a list that is too long is read from its top alone", "unit/application/busy_accounts")
def _(planter: Planter) -> None:
    planter.replace(listing.Listing, "_can_be_halved", _constant(False))


@defect("the search ends at a row of another message", "unit/application/busy_accounts")
def _(planter: Planter) -> None:
    def make(_: Any) -> Any:
        def is_found(self: Any, message: Message) -> bool:
            return message.message_id in self._results.candidates

        return is_found

    planter.replace(listing.Listing, "_is_found", make)


@defect("a look-up that answers about another id is evidence", "unit/services/follow_up/poller")
def _(planter: Planter) -> None:
    def believe(self: Any, provider: Any, message: Message) -> Any:
        return self._read(provider.build_lookup(message.provider_message_id), provider.parse_lookup)

    planter.replace(reader.VendorReader, "look_up", lambda _: believe)


# --- no message forgotten, no message late ----------------------------------------------------------------------------


@defect(
    "a message that waits for its next attempt has no due_at",
    "unit/services/send/service",
    "unit/services/follow_up/service",
)
def _(planter: Planter) -> None:
    planter.replace(
        messages,
        "requeue",
        lambda original: lambda *given, **options: replace(original(*given, **options), due_at=None),
    )


@defect(
    "waiting messages rely on the queue alone", "unit/services/follow_up/service", scenario="encrypted", promise="E1"
)
def _(planter: Planter) -> None:
    planter.replace(wake_ups.WakeUps, "requeue_due", _constant(None))


@defect("a record is deleted although its claim was not answered", "unit/services/send/service")
def _(planter: Planter) -> None:
    from sampai.services.send.batch import Batch

    planter.replace(Batch, "redeliver", lambda _: lambda self, item: self.items.remove(item))


@defect("an outcome is not carried by the queue if the store is silent", scenario="silent-store", promise="I4")
def _(planter: Planter) -> None:
    def keep(self: Any, batch: Any) -> None:
        for item in batch.items:
            if item.outcome is not None and item.stored is None:
                batch.unfinished.update(item.record_ids)

    planter.replace(carried_outcomes.CarriedOutcomes, "queue", lambda _: keep)


@defect("expires_at is not checked before the call", "unit/services/send/service", scenario="expiry", promise="I7")
def _(planter: Planter) -> None:
    def make(dispatch_batch: Any) -> Any:
        def ageless(self: Any, batch: Any) -> None:
            claimed = {id(item): item.message for item in batch.items}
            for item in batch.items:
                item.message = replace(item.message, expires_at=None)
            dispatch_batch(self, batch)
            for item in batch.items:
                item.message = claimed[id(item)]

        return ageless

    planter.replace(dispatch.Dispatcher, "dispatch", make)


@defect("a call begins without time for it", "unit/services/send/service")
def _(planter: Planter) -> None:
    planter.replace(Deadline, "has_time_for_call", _constant(True))


@defect("two numbers with a comma pass as a recipient", "unit/contract/request", "unit/services/send/service")
def _(planter: Planter) -> None:
    def make(validate: Any) -> Any:
        def read_the_first(cls: Any, body: str, **options: Any) -> Any:
            document = json.loads(body)
            numbers = str(document.get("recipient"))
            request = validate(cls, json.dumps({**document, "recipient": numbers.partition(",")[0]}), **options)
            return request.model_copy(update={"recipient": numbers}) if "," in numbers else request

        return read_the_first

    planter.replace(contract.SendRequest, "model_validate_json", make)


@defect("an opt-out stops one-time passwords", "unit/application/opt_out", "unit/services/send/eligibility")
def _(planter: Planter) -> None:
    def make(original: Any) -> Any:
        def check_as_promotional(message: Message, *rest: Any) -> Any:
            return _restore_category(original(replace(message, category=Category.PROMOTIONAL), *rest), message)

        return check_as_promotional

    planter.replace(eligibility, "check_eligibility", make)
    planter.replace(
        eligibility,
        "eligibility_query",
        lambda original: (
            lambda subject, routing: replace(original(subject, routing), numbers=frozenset({subject.recipient}))
        ),
    )


def _restore_category(checked: Any, message: Message) -> Any:
    return replace(checked, category=message.category) if isinstance(checked, Message) else checked


@defect("an opt-out stops nothing", "unit/application/opt_out")
def _(planter: Planter) -> None:
    planter.replace(
        eligibility,
        "check_eligibility",
        lambda original: (
            lambda message, provider, data, now: original(message, provider, replace(data, opted_out=frozenset()), now)
        ),
    )


@defect(
    "a promotional message is sent in quiet hours",
    "unit/application/quiet_hours",
    scenario="quiet-hours",
    promise="quiet",
)
def _(planter: Planter) -> None:
    planter.replace(QuietHours, "until", _constant(None))


@defect("quiet hours hold only new messages", "unit/application/quiet_hours", scenario="quiet-hours", promise="quiet")
def _(planter: Planter) -> None:
    planter.replace(
        admission,
        "_hold_for_quiet_hours",
        lambda original: lambda message, **options: None if message.revision else original(message, **options),
    )


@defect("quiet hours hold one-time passwords", "unit/application/quiet_hours")
def _(planter: Planter) -> None:
    def make(original: Any) -> Any:
        def hold(message: Message, **options: Any) -> Any:
            return original(replace(message, category=Category.PROMOTIONAL), **options)

        return hold

    planter.replace(admission, "_hold_for_quiet_hours", make)


@defect("time in quiet hours counts towards the horizon", "unit/application/quiet_hours")
def _(planter: Planter) -> None:
    planter.replace(messages, "hold", lambda _: lambda message, *, now: message)


@defect("a reply is sent although its conversation is closed", "unit/application/conversations")
def _(planter: Planter) -> None:
    from sampai.domain.inbound import Conversation

    planter.replace(Conversation, "is_open", _constant(True))


# --- vendors are protected --------------------------------------------------------------------------------------------


@defect("messages are sent before their reserved start", "unit/application/pacing")
def _(planter: Planter) -> None:
    planter.replace(dispatch.Dispatcher, "_wait_for_start", _constant(True))


@defect("a reservation is granted however far ahead it is", "ports/rate_limiter")
def _(planter: Planter) -> None:
    def make(reserve: Any) -> Any:
        def at_any_time(self: Any, name: str, duration: Any, *, earliest: Any, latest: Any) -> Any:
            return reserve(self, name, duration, earliest=earliest, latest=latest.replace(year=latest.year + 50))

        return at_any_time

    planter.replace(rate_limiter.DynamoRateLimiter, "reserve", make)


@defect("a message without a reservation is sent at once", "unit/application/pacing")
def _(planter: Planter) -> None:
    def make(reserve: Any) -> Any:
        def start_all(self: Any, items: Sequence[Any], *arguments: Any, **options: Any) -> None:
            reserve(self, items, *arguments, **options)
            for item in items:
                item.starts_at = item.starts_at or self._clock()

        return start_all

    planter.replace(pacer.Pacer, "_reserve", make)


@defect("messages that a slow claim made late are sent in a burst", "unit/application/pacing")
def _(planter: Planter) -> None:
    planter.replace(pacer, "MAX_LATE", lambda _: 200)


@defect("a vendor that does not respond is called without end", "unit/services/circuit_breakers")
def _(planter: Planter) -> None:
    planter.replace(circuit_breakers, "MAX_FAILURES", lambda _: 1_000_000)


@defect("every message probes a vendor with an open circuit", "unit/services/circuit_breakers")
def _(planter: Planter) -> None:
    planter.replace(
        circuit_breakers.CircuitBreakers,
        "allow_request",
        lambda _: lambda self, provider, *, now: not self.is_open(provider, now=now),
    )


@defect(
    "a refused account stops the other accounts of its type",
    "unit/services/circuit_breakers",
    "unit/application/further_providers",
)
def _(planter: Planter) -> None:
    planter.replace(circuit_breakers, "_key_of", lambda _: type)


@defect("reports of one account move messages of another of its type", "unit/application/further_providers")
def _(planter: Planter) -> None:
    planter.replace(
        correlations, "correlation_key", lambda original: lambda name, *rest: original(name.partition("-")[0], *rest)
    )


@defect("quotas count nothing", "unit/application/quotas", scenario="limits", promise="I13")
def _(planter: Planter) -> None:
    planter.replace(quotas.Quotas, "enforce", _constant(None))


@defect("the limits of a caller count the messages of all callers", "unit/application/callers")
def _(planter: Planter) -> None:
    def make(count: Any) -> Any:
        return lambda recipient, limits, *, now, caller=None: count(recipient, limits, now=now)

    planter.replace(quotas, "quota_counters_of", make)


@defect("the rules of a caller are not asked", "unit/application/callers")
def _(planter: Planter) -> None:
    planter.replace(Settings, "rules_of", _constant(None))


@defect("another name starts the limits of a caller again", "unit/application/callers")
def _(planter: Planter) -> None:
    def make(count: Any) -> Any:
        return lambda recipient, limits, *, now, caller=None: count(
            recipient, limits, now=now, caller=caller and replace(caller, id=caller.name)
        )

    planter.replace(quotas, "quota_counters_of", make)


# --- nothing leaks ----------------------------------------------------------------------------------------------------


@defect("the beginning of a webhook token is enough", "unit/services/webhook/tokens", "unit/services/webhook/service")
def _(planter: Planter) -> None:
    planter.replace(
        webhook_tokens,
        "is_webhook_token",
        lambda _: (
            lambda given, provider, secret_tokens: (
                bool(given)
                and any(webhook_tokens.webhook_token(token, provider).startswith(given) for token in secret_tokens)
            )
        ),
    )


@defect("a webhook token of one provider opens another", "unit/domain/webhook_token", "unit/services/webhook/service")
def _(planter: Planter) -> None:
    planter.replace(
        webhook_tokens, "webhook_token", lambda original: lambda secret_token, _provider: original(secret_token, "")
    )


@defect("the first of two statuses in a callback counts", "unit/domain/webhook_fields", "unit/services/webhook/service")
def _(planter: Planter) -> None:
    planter.replace(
        webhook_fields,
        "read_fields",
        lambda original: (
            lambda request, wanted: original(
                request, WebhookFields(deciding=(), others=(*wanted.deciding, *wanted.others))
            )
        ),
    )


@defect("the charset of a callback is ignored", "unit/domain/webhook_fields", "unit/application/callback_encodings")
def _(planter: Planter) -> None:
    planter.replace(webhook_fields, "_charset_of", _constant("utf-8"))


@defect("vendors get the oldest token of a rotation", "unit/services/routing")
def _(planter: Planter) -> None:
    def make(receipt_url: Any) -> Any:
        def with_the_oldest(self: Any, name: str) -> Any:
            secret = self._secret
            self._secret = replace(secret, webhook_tokens=secret.webhook_tokens[-1:])
            try:
                return receipt_url(self, name)
            finally:
                self._secret = secret

        return with_the_oldest

    planter.replace(Routing, "_receipt_url", make)


@defect("a wrong webhook token is not counted", "unit/services/webhook/service")
def _(planter: Planter) -> None:
    def make(handle: Any) -> Any:
        def uncounted(self: Any, **options: Any) -> Any:
            telemetry_in_use = self._telemetry
            self._telemetry = _WithoutRejections(telemetry_in_use)
            try:
                return handle(self, **options)
            finally:
                self._telemetry = telemetry_in_use

        return uncounted

    planter.replace(webhook.WebhookService, "handle", make)


class _WithoutRejections:
    """Telemetry that does not count rejected tokens."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def count(self, metric: str, **dimensions: Any) -> None:
        if metric != "WebhookTokenRejected":
            self._inner.count(metric, **dimensions)


@defect("the encryption key is stored after the call", "unit/application/attachments")
def _(planter: Planter) -> None:
    def make(store_first: Any) -> Any:
        def store_nothing(self: Any, message: Message) -> Message:
            keys, self._encryption_keys = self._encryption_keys, _Forgetful()
            try:
                stored: Message = store_first(self, message)
                return stored
            finally:
                self._encryption_keys = keys

        return store_nothing

    planter.replace(attachments.AttachmentStore, "store", make)


class _Forgetful:
    """A store of encryption keys that stores nothing."""

    def get_or_create(self, _message: Message, proposed: str) -> str:
        return proposed


@defect("the text of a message is kept after its end", "unit/services/send/service")
def _(planter: Planter) -> None:
    planter.replace(
        messages, "redact", lambda original: lambda message: replace(original(message), content=message.content)
    )


@defect("the text of a message is dropped before its vendor is known to have it", "unit/domain/message")
def _(planter: Planter) -> None:
    def drop(original: Any) -> Any:
        return lambda m: replace(original(m), content=None) if m.status is Status.UNKNOWN else original(m)

    planter.replace(messages, "redact", drop)


@defect("the digest of a request needs no key", "canary/canary")
def _(planter: Planter) -> None:
    planter.replace(contract, "digest", lambda _: lambda text, _key: sha256(text.encode("utf-8", "ignore")).hexdigest())


@defect("a full number is logged", "unit/adapters/telemetry")
def _(planter: Planter) -> None:
    planter.replace(telemetry, "mask", lambda _: lambda number: number)


@defect("the text of an exception is logged", "canary/canary")
def _(planter: Planter) -> None:
    def make(report: Any) -> Any:
        def tell(self: Any, provider: Any, sent: Any, error: Exception) -> Any:
            self._telemetry.error("request not built", error=str(error))
            return report(self, provider, sent, error)

        return tell

    planter.replace(provider_calls.ProviderCalls, "_report_build_error", make)


@defect("the answer of a vendor is logged", "canary/canary")
def _(planter: Planter) -> None:
    def make(report: Any) -> Any:
        def tell(self: Any, provider: Any, sent: Any, response: HttpResponse, error: Exception) -> Any:
            self._telemetry.warning("unreadable answer", body=response.body)
            return report(self, provider, sent, response, error)

        return tell

    planter.replace(provider_calls.ProviderCalls, "_report_unreadable", make)


@defect("botocore logs the requests to AWS", "canary/adapters")
def _(planter: Planter) -> None:
    def make(start: Any) -> Any:
        def talkative(self: Any, *arguments: Any, **options: Any) -> None:
            start(self, *arguments, **options)
            logging.getLogger("botocore").setLevel(logging.NOTSET)

        return talkative

    planter.replace(aws.Aws, "__init__", make)


@defect("the text of an AWS error is logged", "canary/adapters")
def _(planter: Planter) -> None:
    from contextlib import contextmanager

    @contextmanager
    def outspoken(what: str) -> Any:
        try:
            yield
        except ClientError as error:
            raise UnavailableError(f"{what}: {error}") from None

    planter.replace(aws, "unavailable", lambda _: outspoken)


@defect("a document type is allowed in XML", "unit/providers/nusasms/sms")
def _(planter: Planter) -> None:
    planter.replace(nusasms, "_parse_xml", lambda original: lambda text: original(_Unsearchable(text)))


class _Unsearchable(str):
    """A text in which no search finds anything."""

    __slots__ = ()

    def __contains__(self, _text: object) -> bool:
        return False


@defect("redirects are followed", "unit/adapters/transport_hostile", "unit/adapters/transport")
def _(planter: Planter) -> None:
    def make(call_once: Any) -> Any:
        def follow(self: Any, request: HttpRequest, call: Any) -> Any:
            answer = call_once(self, request, call)
            if isinstance(answer, HttpResponse) and "location" in answer.headers:
                return call_once(self, replace(request, url=answer.headers["location"]), call)
            return answer

        return follow

    planter.replace(transport.HttpTransport, "_call", make)


@defect("the certificate of a vendor is not verified", "unit/adapters/transport_hostile", "unit/adapters/transport")
def _(planter: Planter) -> None:
    def make(start: Any) -> Any:
        def trusting(self: Any, ssl_context: ssl.SSLContext | None = None) -> None:
            context = ssl_context or ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            start(self, context)

        return trusting

    planter.replace(transport.HttpTransport, "__init__", make)


# --- items and their lifetime -----------------------------------------------------------------------------------------


@defect("an unreadable item stops the reading of all others", "ports/store", scenario="mixed-batch", promise="I9")
def _(planter: Planter) -> None:
    planter.replace(reading, "read_item", lambda _: lambda item, parse, **_options: parse(item))


@defect("a write that cannot be serialised stops all others", "ports/store")
def _(planter: Planter) -> None:
    def make(to_statement: Any) -> Any:
        def raise_past_the_guard(self: Any, write: Any) -> Any:
            try:
                return to_statement(self, write)
            except Exception as error:
                raise SystemExit("not serialised") from error

        return raise_past_the_guard

    planter.replace(store.DynamoStore, "_to_statement", make)


@defect("a call that DynamoDB refuses is not repeated write by write", "ports/store")
def _(planter: Planter) -> None:
    planter.replace(store, "_REFUSED", lambda _: frozenset())


@defect(
    "an item with an old send_at expires early",
    "unit/adapters/items",
    "ports/media",
    scenario="retention",
    promise="TTL",
)
def _(planter: Planter) -> None:
    def early(message: Message, retention: Any = items.RETENTION) -> Any:
        return dynamo.to_ttl(message.send_at or message.created_at, retention)

    planter.replace(items, "ttl_of", lambda _: early)


def _shift_lifetimes(module: Any, days: int) -> Callable[[Planter], None]:
    """Return a defect that changes every time to live that a module writes."""

    def plant(planter: Planter) -> None:
        planter.replace(
            module, "to_ttl", lambda original: lambda now, retention: original(now, retention + timedelta(days=days))
        )

    return plant


defect("correlations expire before their messages", "ports/store", scenario="polling", promise="TTL")(
    _shift_lifetimes(store, -1)
)
defect("inbound messages are kept too long", "ports/inbox")(_shift_lifetimes(inbox, 1))
defect("entries of the directory expire too early", "ports/directory")(_shift_lifetimes(directory, -1))


@defect("files expire too early", "ports/media")
def _(planter: Planter) -> None:
    planter.replace(
        media, "ttl_of", lambda original: lambda message, retention: original(message, retention - timedelta(days=1))
    )


@defect("tables are read without strong consistency", "ports/store")
def _(planter: Planter) -> None:
    def make(get: Any) -> Any:
        def eventual(client: Any, *arguments: Any) -> Any:
            return get(_EventuallyConsistent(client), *arguments)

        return eventual

    planter.replace(dynamo, "_get", make)


class _EventuallyConsistent:
    """A client of DynamoDB that reads without `ConsistentRead`."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def batch_get_item(self, *, RequestItems: dict[str, dict[str, Any]]) -> Any:  # noqa: N803 - the name of AWS
        relaxed = {table: {**keys, "ConsistentRead": False} for table, keys in RequestItems.items()}
        return self._client.batch_get_item(RequestItems=relaxed)


@defect("only the first part of a file is deleted", "ports/media")
def _(planter: Planter) -> None:
    def make(delete: Any) -> Any:
        def first_part(self: Any, key: str) -> None:
            self._client.delete_item(TableName=self._table, Key={"media_key": {"S": next(media._part_keys(key))}})

        return first_part

    planter.replace(media.DynamoMedia, "delete", make)


@defect("the history grows without a limit", "unit/domain/status", "unit/services/send/service")
def _(planter: Planter) -> None:
    planter.replace(messages, "HISTORY_LIMIT", lambda limit: 10 * limit)


@defect("the file of an ended message is kept", "unit/services/publish")
def _(planter: Planter) -> None:
    planter.replace(publish.PublishService, "_discard", _constant(None))


@defect("due messages in the shards of a higher count are not found", "ports/store")
def _(planter: Planter) -> None:
    def make(due: Any) -> Any:
        def in_the_first_shards(self: Any, *arguments: Any, **options: Any) -> Any:
            shards, self._due_shards = self._due_shards, items.DUE_SHARDS
            try:
                return due(self, *arguments, **options)
            finally:
                self._due_shards = shards

        return in_the_first_shards

    planter.replace(store.DynamoStore, "due", make)


@defect("a failed cancel is not delivered again", "unit/services/send/commands")
def _(planter: Planter) -> None:
    planter.replace(commands.Commands, "_cancel_stored", _constant(None))


@defect("a vendor id is put into a URL without quoting", "conformance/provider_contract", "unit/providers/smsnoc_many")
def _(planter: Planter) -> None:
    planter.replace(smsnoc, "quote", lambda _: lambda text, safe="": text)


@defect("a look-up begins without time for it", "unit/services/follow_up/reader", "unit/services/follow_up/poller")
def _(planter: Planter) -> None:
    planter.replace(Deadline, "has_time_for_call", _constant(True))


@defect("a refused look-up counts as not found", "unit/services/follow_up/poller", "unit/services/follow_up/service")
def _(planter: Planter) -> None:
    def make(look_up: Any) -> Any:
        def forgiving(self: Any, provider: Any, message: Message) -> Any:
            try:
                return look_up(self, provider, message)
            except reader.PollFailedError:
                return None

        return forgiving

    planter.replace(reader.VendorReader, "look_up", make)


@defect("pages that repeat are read again and again", "unit/services/follow_up/reader")
def _(planter: Planter) -> None:
    def make(pages: Any) -> Any:
        def all_pages(self: Any, provider: Any, query: Any, *, limit: int = reader.MAX_PAGES) -> Any:
            for number in range(limit):
                yield self._read(provider.build_list(query, number), partial(provider.parse_list, page=number))

        return all_pages

    planter.replace(reader.VendorReader, "pages", make)


# --- families, workers and the time of the follow-up ------------------------------------------------------------------


@defect("polls come before wake-ups", "unit/services/follow_up/service", scenario="slow-look-ups", promise="first")
def _(planter: Planter) -> None:
    def make(run: Any) -> Any:
        def polls_first(self: Any, *, remaining: Any, **options: Any) -> Any:
            wake, waiting = self._wake, []
            self._wake = lambda *given: waiting.append(given)
            try:
                count = run(self, remaining=remaining, **options)
            finally:
                vars(self).pop("_wake", None)
            for given in waiting:
                if remaining() > due.PASS_SECONDS:
                    wake(*given)
            return count

        return polls_first

    planter.replace(follow_up.FollowUpService, "run", make)


@defect(
    "the family of the polled messages is never read",
    "unit/services/follow_up/service",
    scenario="polling",
    promise="E1",
)
def _(planter: Planter) -> None:
    def make(passes: Any) -> Any:
        def without_polls(self: Any, family: DueFamily, **options: Any) -> Any:
            return iter(()) if family is DueFamily.POLLED else passes(self, family, **options)

        return without_polls

    planter.replace(due.DueMessages, "passes", make)


@defect("entries of the layout without families are not found", "ports/store", scenario="polling", promise="E1")
def _(planter: Planter) -> None:
    planter.replace(items, "_SHARD_PREFIXES", lambda prefixes: prefixes | {DueFamily.WAITING: "waiting-"})


@defect("the last shard is skipped", "ports/store", scenario="workers", promise="E1")
def _(planter: Planter) -> None:
    def make(due: Any) -> Any:
        def without_the_last(self: Any, *arguments: Any, **options: Any) -> Any:
            self._due_shards -= 1
            try:
                return due(self, *arguments, **options)
            finally:
                self._due_shards += 1

        return without_the_last

    planter.replace(store.DynamoStore, "due", make)


@defect(
    "every worker reads the shards of the first",
    "unit/services/follow_up/workers",
    scenario="workers",
    promise="E1",
)
def _(planter: Planter) -> None:
    def make(begin: Any) -> Any:
        return lambda self, event: Worker(index=0, count=begin(self, event).count)

    planter.replace(workers.Workers, "begin", make)


@defect(
    "a run wakes a message that another run has deferred",
    "unit/services/follow_up/wake_ups",
    scenario="workers",
    promise="overlap",
)
def _(planter: Planter) -> None:
    def as_if_stored(store: Any, given: Sequence[Replace]) -> set[str]:
        store.commit(given)
        return {own.message.message_id for own in given}

    planter.replace(changes, "store_changes", lambda _: as_if_stored)


@defect(
    "a run overwrites the state that another run has stored",
    "unit/services/follow_up/wake_ups",
    scenario="workers",
    promise="E2",
)
def _(planter: Planter) -> None:
    def last_writer_wins(store: Any, given: Sequence[Replace]) -> set[str]:
        for own, written in zip(given, store.commit(given), strict=True):
            if isinstance(written.current, Message):
                newer = replace(own.message, revision=written.current.revision + 1)
                store.commit([Replace(before=written.current, message=newer)])
        return {own.message.message_id for own in given}

    planter.replace(changes, "store_changes", lambda _: last_writer_wins)


@defect(
    "a message that nobody had time to ask about takes a polling step",
    "unit/services/follow_up/service",
    scenario="slow-look-ups",
    promise="asked",
)
def _(planter: Planter) -> None:
    def make(poll: Any) -> Any:
        def forget_the_new(self: Any, provider: Any, asked: Sequence[Message], *, now: Any, **options: Any) -> Any:
            polled = poll(self, provider, asked, now=now, **options)
            old = {each.message_id for each in asked if now - each.created_at > timedelta(hours=1)}
            polled.not_asked &= old
            return polled

        return forget_the_new

    planter.replace(poller.StatusPoller, "poll", make)


@defect(
    "messages that are listed and read too late are postponed",
    "unit/services/follow_up/service",
    scenario="slow-look-ups",
    promise="asked",
)
def _(planter: Planter) -> None:
    def make(read: Any) -> Any:
        def postpone_late(self: Any, message_ids: Any) -> Any:
            found = read(self, message_ids)
            if self._remaining() > due.PASS_SECONDS:
                return found
            self.postpone(message_ids)
            return []

        return postpone_late

    planter.replace(due.DueMessages, "_read", make)


# --- another version, silent tables, changed configuration ------------------------------------------------------------


@defect(
    "a later send_at does not extend the life of an item", "unit/adapters/items", scenario="retention", promise="TTL"
)
def _(planter: Planter) -> None:
    def from_creation(message: Message, retention: Any = items.RETENTION) -> Any:
        return dynamo.to_ttl(message.created_at, retention)

    planter.replace(items, "ttl_of", lambda _: from_creation)


@defect(
    "an old send_at uses up the report horizon", "unit/services/send/service", scenario="retention", promise="harmless"
)
def _(planter: Planter) -> None:
    def since_send_at(message: Message, *, now: Any) -> timedelta:
        return (message.held_since or now) - (message.send_at or message.created_at)

    planter.replace(messages, "time_waited", lambda _: since_send_at)


@defect("a scheduled message is not in the due index", "unit/adapters/items", scenario="retention", promise="E1")
def _(planter: Planter) -> None:
    def make(to_item: Any) -> Any:
        def without_shard(message: Message, **options: Any) -> Any:
            item = to_item(message, **options)
            return {k: v for k, v in item.items() if k != "due_shard" or message.status is not Status.SCHEDULED}

        return without_shard

    planter.replace(items, "to_item", make)


@defect("an unreadable item leaves the due index", "ports/store", scenario="polling", promise="E1")
def _(planter: Planter) -> None:
    def make(postpone: Any) -> Any:
        def for_ever(self: Any, message_ids: Any, *, now: Any, due_at: Any) -> None:
            postpone(self, message_ids, now=now, due_at=due_at + timedelta(days=3650))

        return for_ever

    planter.replace(store.DynamoStore, "postpone_unreadable", make)


@defect("a write lowers the version of an item", "ports/store", scenario="polling", promise="versions")
def _(planter: Planter) -> None:
    def make(to_update: Any) -> Any:
        return lambda table, before, after: to_update(table, {**before, "schema_version": {"N": "0"}}, after)

    planter.replace(store, "_to_update", make)


@defect(
    "a carried outcome is dropped if its item cannot be read",
    "unit/services/send/carried_outcomes",
    scenario="receipts-without-reference",
    promise="E3",
)
def _(planter: Planter) -> None:
    planter.replace(carried_outcomes, "_is_of_a_call", _constant(False))


@defect(
    "a receipt for an item that cannot be read is dropped",
    "ports/store",
    scenario="receipts-without-reference",
    promise="I4",
)
def _(planter: Planter) -> None:
    planter.replace(store.DynamoStore, "add_report", _constant(None))


@defect(
    "a claim that was stored without an answer is not released",
    "unit/application/outages",
    scenario="receipts-without-reference",
    promise="I4",
)
def _(planter: Planter) -> None:
    def leave(item: Any) -> None:
        item.provider = None

    planter.replace(claims, "_release", lambda _: leave)


@defect(
    "a provider with a missing credential counts as turned off",
    "unit/services/routing",
    scenario="polling",
    promise="harmless",
)
def _(planter: Planter) -> None:
    def make(configure: Any) -> Any:
        def usable(self: Any, *arguments: Any) -> Any:
            configured = configure(self, *arguments)
            return None if configured is not None and configured.missing else configured

        return usable

    planter.replace(Routing, "_configure", make)


@defect(
    "a secret without webhook tokens is in force",
    "unit/adapters/secret",
    scenario="receipts-without-reference",
    promise="harmless",
)
def _(planter: Planter) -> None:
    planter.replace(secret, "_parse_tokens", lambda original: lambda given: original(given) if given else ())


@defect(
    "time under a stop counts towards the horizon",
    "unit/application/sending_switch",
    scenario="polling",
    promise="harmless",
)
def _(planter: Planter) -> None:
    planter.replace(messages, "hold", lambda _: lambda message, *, now: message)


@defect(
    "the follow-up forgets the messages from their claim to their first look",
    "unit/services/follow_up/service",
    scenario="polling",
    promise="E1",
)
def _(planter: Planter) -> None:
    def make(passes: Any) -> Any:
        return lambda self, family, **options: (
            iter(()) if family is DueFamily.CLAIMED else passes(self, family, **options)
        )

    planter.replace(due.DueMessages, "passes", make)


@defect("a message that a vendor takes gets a new entry in the due index", "unit/application/lives")
def _(planter: Planter) -> None:
    def make(accept: Any) -> Any:
        return lambda message, *, now, due_at, **more: accept(
            message, now=now, due_at=now + timedelta(seconds=15), **more
        )

    planter.replace(attempt, "accept", make)


@defect("a vendor is asked about a receipt that is not overdue", "unit/application/lives")
def _(planter: Planter) -> None:
    planter.replace(poller, "_awaits_receipt", _constant(False))


@defect("a vendor that cannot be asked is asked at every step", "unit/application/lives")
def _(planter: Planter) -> None:
    planter.replace(next_state, "_awaits_resend", _constant(True))


@defect("a message that its vendor cannot be asked about is forgotten", "unit/application/lives")
def _(planter: Planter) -> None:
    def make(horizon_of: Any) -> Any:
        return lambda message, *, settings: horizon_of(message, settings=settings) + timedelta(days=365)

    planter.replace(next_state, "horizon_of", make)


@defect(
    "a message is given up although nobody had time to ask",
    "unit/services/follow_up/service",
    scenario="horizon",
    promise="asked",
)
def _(planter: Planter) -> None:
    def make(poll: Any) -> Any:
        def forget(self: Any, *arguments: Any, **options: Any) -> Any:
            polled = poll(self, *arguments, **options)
            polled.not_asked = set()
            return polled

        return forget

    planter.replace(poller.StatusPoller, "poll", make)


@defect("a refusal after the hand-over counts as not taken", scenario="producer-repeats", promise="I1")
def _(planter: Planter) -> None:
    refused = NotTaken(reason=Reason.PROVIDER_ERROR, is_final=False)

    def make(parse_send: Any) -> Any:
        def refuse(self: Any, response: HttpResponse) -> Outcome:
            is_error = b'"error"' in response.body
            outcome: Outcome = refused if is_error else parse_send(self, response)
            return outcome

        return refuse

    planter.replace(smsnoc.SmsNoc, "parse_send", make)


# --- consent ----------------------------------------------------------------------------------------------------------


@defect("a wish counts from its arrival", "unit/services/send/commands", scenario="consent", promise="consent")
def _(planter: Planter) -> None:
    def make(set_opt_out: Any) -> Any:
        def without_time(self: Any, batch: Any, record: Any, number: str, at: Any, **options: Any) -> None:
            set_opt_out(self, batch, record, number, None, **options)

        return without_time

    planter.replace(commands.Commands, "_set_opt_out", make)


@defect(
    "a repeated STOP undoes a later START",
    "unit/services/webhook/inbound",
    scenario="inbound-consent",
    promise="consent",
)
def _(planter: Planter) -> None:
    planter.replace(inbound.InboundService, "_first_arrival", lambda _: lambda self, received, now: now)


@defect("an older wish replaces a newer one", "ports/directory", scenario="consent", promise="consent")
def _(planter: Planter) -> None:
    def make(update: Any) -> Any:
        def always(self: Any, key: str, attributes: Any, *, time: str, comparison: str) -> None:
            update(self, key, attributes, time=time, comparison="<>")

        return always

    planter.replace(directory.DynamoDirectory, "_update_unless_newer", make)


# --- e-mail -----------------------------------------------------------------------------------------------------------


@defect("e-mails have no pace of their own", "unit/application/email")
def _(planter: Planter) -> None:
    planter.replace(Settings, "pace_of", _constant(None))


@defect("opt-outs do not hold for copies", "unit/application/email")
def _(planter: Planter) -> None:
    planter.replace(eligibility, "_recipients_of", lambda _: lambda subject: frozenset({subject.recipient} - {None}))


@defect("the files of an e-mail stay when it ends", "unit/application/email")
def _(planter: Planter) -> None:
    planter.replace(messages, "file_key_of", _constant(None))


# --- the rate of look-ups ---------------------------------------------------------------------------------------------


@defect("look-ups keep to no rate", "unit/application/lookup_rates")
def _(planter: Planter) -> None:
    planter.replace(Settings, "lookup_pace_of", _constant(None))


@defect("look-ups go on although the vendor asks for a pause", "unit/application/lookup_rates")
def _(planter: Planter) -> None:
    planter.replace(LookupPacer, "pause", _constant(None))
