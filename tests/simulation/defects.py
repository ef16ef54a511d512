"""Services with one mistake each. What they prove is that the checkers see it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from sampai.contract.settings import Settings
from sampai.domain.failure import Reason
from sampai.domain.http import WebhookRequest
from sampai.domain.message import Channel, Message, mark_unknown, requeue
from sampai.domain.outcome import NotTaken, Outcome, Unknown
from sampai.domain.report import Report
from sampai.domain.status import Source
from sampai.providers.base import Provider
from sampai.services.follow_up.leases import Leases
from sampai.services.follow_up.reconciliation import Reconciliation
from sampai.services.follow_up.results import PollResults
from sampai.services.follow_up.service import FollowUpService
from sampai.services.follow_up.wake_ups import WakeUps
from sampai.services.ports.correlations import Correlation, correlation_key
from sampai.services.ports.messages import WriteResult
from sampai.services.reports import Reports, change
from sampai.services.send.batch import Batch, BatchItem
from sampai.services.send.claims import Claims
from sampai.services.send.dispatch import Dispatcher
from sampai.services.send.quotas import Quotas
from sampai.services.send.results import Results
from sampai.services.webhook.receipts import Receipts
from sampai.services.webhook.service import Answer, WebhookService
from tests.simulation.ports import SimulatedStore
from tests.simulation.world import Services


class ChecksThenSends(Claims):
    """Check whether the message exists, send it, and store no claim that another worker could see."""

    def store(self, batch: Batch) -> None:
        store = self._messages
        assert isinstance(store, SimulatedStore)
        known = store.read([item.message.message_id for item in batch.items])
        batch.items = [item for item in batch.items if item.message.message_id not in known]
        for item in batch.items:
            store.overwrite(item.message)


class TakesTimeOutForRefusal(Dispatcher):
    """Send a message again after a call without an answer."""

    def dispatch(self, batch: Batch) -> None:
        super().dispatch(batch)
        for item in batch.items:
            if isinstance(item.outcome, Unknown):
                item.outcome = NotTaken(reason=Reason.PROVIDER_ERROR, is_final=False)


class ForgetsExpiry(Dispatcher):
    """Check `expires_at` when a message is claimed, and not when it is sent."""

    def dispatch(self, batch: Batch) -> None:
        claimed = {id(item): item.message for item in batch.items}
        for item in batch.items:
            item.message = replace(item.message, expires_at=None)
        super().dispatch(batch)
        for item in batch.items:
            item.message = claimed[id(item)]


class CountsNothing(Quotas):
    """Send any number of messages to a recipient."""

    def enforce(self, batch: Batch) -> None:
        return


class WritesUnfenced(Results):
    """Store the outcome of an attempt over any newer revision of its message."""

    def _confirm_stored(
        self, batch: Batch, item: BatchItem, outcome: Outcome, message: Message, written: WriteResult
    ) -> Message:
        if written.done or not isinstance(written.current, Message):
            return super()._confirm_stored(batch, item, outcome, message, written)
        settings = batch.configuration.settings
        return change(
            self._messages, written.current, lambda current: self._apply_outcome(item, outcome, current, settings)
        )


class _RequeuedLeases(Leases):
    def _expire(self, message: Message) -> Message:
        now = self._clock()
        return requeue(message, route=message.route, failure=None, now=now, due_at=now, source=Source.SWEEP)


class ReclaimsExpiredLease(FollowUpService):
    """Sends a message again when its lease expires."""

    def __init__(self, **ports: Any) -> None:
        super().__init__(**ports)
        self._leases.__class__ = _RequeuedLeases


class _NoReconciliation(Reconciliation):
    def reconcile(self, provider: Provider, group: Sequence[Message], results: PollResults) -> None:
        return


class LooksForNothing(FollowUpService):
    """Polls messages with a vendor id only, and does not reconcile unknown sends."""

    def __init__(self, **ports: Any) -> None:
        super().__init__(**ports)
        self._reconciliation.__class__ = _NoReconciliation


class _NoWakeUps(WakeUps):
    def requeue_due(self, waiting: Sequence[Message], settings: Settings) -> None:
        return


class WakesNobody(FollowUpService):
    """Relies on the wake-ups in the queue."""

    def __init__(self, **ports: Any) -> None:
        super().__init__(**ports)
        self._wake_ups.__class__ = _NoWakeUps


class _UnbufferedReceipts(Receipts):
    def _find_or_buffer(self, provider: str, channel: Channel, report: Report) -> Correlation | None:
        key = correlation_key(provider, channel, report.provider_message_id)
        return self._correlations.find_correlations([key]).get(key)


class ParksNothing(WebhookService):
    """Drops a report with a vendor id that no message has claimed yet."""

    def __init__(self, **ports: Any) -> None:
        super().__init__(**ports)
        self._receipts.__class__ = _UnbufferedReceipts


class AnswersBeforeItIsDurable(WebhookService):
    """Tells the vendor 200 whatever the store says."""

    def handle(self, *, provider: str, kind: str, token: str, request: WebhookRequest | None) -> Answer:
        super().handle(provider=provider, kind=kind, token=token, request=request)
        return Answer.RECEIVED


class _LastWins(Reports):
    def apply(
        self, message: Message, reports: Sequence[Report], *, source: Source, attempt: int | None = None
    ) -> Message:
        status = reports[-1].status

        def overwritten(current: Message) -> Message:
            now = self._clock()
            moved = mark_unknown(current, now=now, due_at=now, source=source)
            reported = status or current.status
            return replace(moved, status=reported, due_at=None if reported.is_final else now)

        return change(self._messages, message, overwritten)


class LetsTheLastReportWin(WebhookService):
    """Writes down every report, whatever was known before."""

    def __init__(self, **ports: Any) -> None:
        super().__init__(**ports)
        self._receipts._reports.__class__ = _LastWins


DEFECTS: Final = {
    "check-then-send": ("duplicate", Services(stages={"claims": ChecksThenSends}), "I1"),
    "time-out taken for a refusal": ("polling", Services(stages={"dispatcher": TakesTimeOutForRefusal}), "I1"),
    "expired lease claimed again": ("polling", Services(follower=ReclaimsExpiredLease), "I1"),
    "unfenced result": ("resend-lagging", Services(stages={"results": WritesUnfenced}), "I6"),
    "expiry forgotten before the call": ("expiry", Services(stages={"dispatcher": ForgetsExpiry}), "I7"),
    "limits forgotten": ("limits", Services(stages={"quotas": CountsNothing}), "I13"),
    "no parking": ("receipts-without-reference", Services(receiver=ParksNothing), "I4"),
    "answered before it is durable": ("receipts-without-reference", Services(receiver=AnswersBeforeItIsDurable), "I4"),
    "last write wins": ("receipts", Services(receiver=LetsTheLastReportWin), "I3"),
    "lost answers not looked for": ("polling", Services(follower=LooksForNothing), "I4"),
    "nobody wakes what waits": ("encrypted", Services(follower=WakesNobody), "E1"),
}
"""The scenario that shows each mistake, and the promise that it breaks there."""
