"""Decide the next state of a message that is due. Everything here is pure."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sampai.contract.settings import Settings
from sampai.domain.failure import Failure, Reason
from sampai.domain.message import (
    Message,
    OnUnknown,
    accept,
    apply_report,
    mark_unconfirmed,
    note_cost,
    note_lookup,
    requeue,
    schedule_poll,
)
from sampai.domain.report import Report
from sampai.domain.status import Source, Status
from sampai.services.attempt import has_waited_past_horizon, horizon_of, is_past_horizon, plan_wake_up
from sampai.services.follow_up.results import PollResults
from sampai.services.ports.queue import WakeUp

MIN_NOT_FOUND: Final = 2
"""Polls that must not find a message before `on_unknown: resend` sends it again: a vendor's list can lag."""

MAX_ATTEMPTS: Final = 5
"""Attempts under `on_unknown: resend`: each may have reached the handset."""


def terminal_failure(message: Message, *, now: datetime, settings: Settings) -> Failure | None:
    """Return the failure of a waiting message that has expired or waited for the report horizon, else None."""
    if message.is_expired(now):
        return Failure(reason=Reason.EXPIRED, detail="expires_at: has passed")
    if has_waited_past_horizon(message, now=now, settings=settings):
        return message.failure or Failure(reason=Reason.PROVIDER_ERROR, detail="no provider could be asked in time")
    return None


def next_state(
    message: Message,
    results: PollResults,
    *,
    now: datetime,
    settings: Settings,
    delivered_after: timedelta = timedelta(0),
) -> tuple[Message, WakeUp | None]:
    """Return a message after a poll, with a wake-up if it is to be sent again.

    Evidence comes first, then the report horizon: the last poll still counts. The final word of a report counts only
    if the attempt is at least `delivered_after` old. The message is polled again at that age, even past the horizon. A
    message that the vendor cannot be asked about is due again at the horizon.
    """
    message = _note_lookup(message, results)
    report = results.reports.get(message.message_id)
    mature_at = (message.attempted_at or message.created_at) + delivered_after
    if report is not None and now < mature_at and _is_premature(report):
        polled = _apply_poll(message, _without_final_word(report), now=now)
        return schedule_poll(polled, now=now, due_at=mature_at), None
    polled = _apply_poll(message, report, now=now)
    if polled.status.is_final:
        return polled, None
    if polled.status is not message.status:
        return _reschedule(polled, now=now, settings=settings, not_found=False), None
    if is_past_horizon(message, now=now, settings=settings):
        return mark_unconfirmed(polled, now=now), None
    not_found = report is None and message.message_id in results.answered
    if not_found and _may_resend(message, now=now):
        queued = requeue(message, route=message.route, failure=None, now=now, due_at=now, source=Source.SWEEP)
        due_at, wake_up = plan_wake_up(queued, at=now, now=now, from_schedule=True)
        return replace(queued, due_at=due_at), wake_up
    if message.message_id in results.unanswerable and not _awaits_resend(message, now=now):
        return schedule_poll(polled, now=now, due_at=horizon_of(message, settings=settings)), None
    return _reschedule(polled, now=now, settings=settings, not_found=not_found), None


def _note_lookup(message: Message, results: PollResults) -> Message:
    """Return a message with the error of this poll. An answer removes that of an earlier one."""
    error = results.errors.get(message.message_id)
    has_answer = message.message_id in results.answered or message.message_id in results.reports
    return note_lookup(message, error) if error is not None or has_answer else message


def _is_premature(report: Report) -> bool:
    """Return whether the vendor may write the word of a report at the hand-over, and replace it by a receipt."""
    return report.status is Status.DELIVERED or report.is_provisional


def _without_final_word(report: Report) -> Report:
    """Return a report as it counts before its final word does: `delivered` means `sent`, a failure means nothing."""
    return replace(report, status=Status.SENT if report.status is Status.DELIVERED else None, reason=None)


def _apply_poll(message: Message, report: Report | None, *, now: datetime) -> Message:
    """Apply a report; a vendor that lists an `unknown` message has accepted it, even with a status we do not know."""
    if report is None:
        return message
    if message.status is Status.UNKNOWN and (report.status is None or report.status.rank <= Status.ACCEPTED.rank):
        return accept(
            message,
            provider_message_id=report.provider_message_id,
            provider_status=report.provider_status,
            cost=report.cost,
            now=now,
            due_at=now,
            source=Source.POLL,
        )
    # A poll is always stored, so the cost is kept even if nothing else is new.
    return apply_report(note_cost(message, report), report, now=now, source=Source.POLL)


def _reschedule(message: Message, *, now: datetime, settings: Settings, not_found: bool) -> Message:
    """Return a message with its next poll, after the next step of the settings."""
    steps = settings.poll_seconds
    due_at = now + timedelta(seconds=steps[min(message.lookups + 1, len(steps) - 1)])
    return schedule_poll(message, now=now, due_at=due_at, not_found=not_found)


def _may_resend(message: Message, *, now: datetime) -> bool:
    return _awaits_resend(message, now=now) and message.not_found_count + 1 >= MIN_NOT_FOUND


def _awaits_resend(message: Message, *, now: datetime) -> bool:
    """Return whether a message is sent again once enough polls have not found it."""
    return (
        message.status is Status.UNKNOWN
        and message.on_unknown is OnUnknown.RESEND
        and message.attempt < MAX_ATTEMPTS
        and not message.is_expired(now)
    )
