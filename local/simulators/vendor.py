"""What all simulated vendors have in common: routes, the way of a send through its magic number, and receipts."""

import re
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any, ClassVar, Final

from local.simulators.http import Reply, Request, html
from local.simulators.inbound import Callback, Inbound
from local.simulators.ledger import Ledger, Row
from local.simulators.lifecycles import Lifecycle, Stage, receipts_of, stage_at
from local.simulators.outcomes import Fault, Outcome, Refusal, outcome_of
from local.simulators.settings import Settings
from local.simulators.webhook_sender import Receipt, WebhookSender

EARLY_PATIENCE_SECONDS: Final = 8.0
"""How long an answer waits for its early receipts to be taken: the client, who gives up a send after ten seconds, must
not do so meanwhile."""


@dataclass(slots=True)
class World:
    """What the simulated vendors share."""

    settings: Settings
    ledger: Ledger
    webhook_sender: WebhookSender
    stopping: threading.Event

    def stage(self, row: Row) -> Stage:
        """Return a row's stage now."""
        settings, age = self.settings, time.time() - row.starts_at
        return stage_at(
            row.lifecycle,
            age,
            reads=row.reads,
            sent_seconds=settings.sent_seconds,
            final_seconds=settings.final_seconds,
        )

    def read_stage(self, row: Row) -> Stage:
        """Return a row's stage now, and remember that a client has seen it."""
        with self.ledger.lock:
            stage = self.stage(row)
            row.reads += stage is not Stage.ACCEPTED
            return stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One message that passed a vendor's checks. `recipient` is as the vendor keeps it."""

    recipient: str
    sender: str
    text: str
    channel: str = "sms"
    operation: str = "send"
    reference: str = ""
    starts_at: float | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refused:
    """A recipient that a vendor turns down for the given reason."""

    submission: Submission
    refusal: Refusal


Entry = Row | Refused
Answer = Callable[[Sequence[Entry]], Reply]
"""Answers a send: rows for what was taken, in the order of the request."""


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of a vendor's API. Groups of the pattern are handed to `answer` after the request."""

    method: str
    pattern: str
    operation: str
    answer: Callable[..., Reply]


class Vendor(ABC):
    """A vendor's API below its root path. A subclass says everything in the vendor's own words."""

    name: ClassVar[str]
    sends_receipts: ClassVar[bool] = False

    def __init__(self, world: World) -> None:
        self.world = world
        self.routes = self.declare_routes()

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        paths = [(route, match) for route in self.routes if (match := re.fullmatch(route.pattern, request.path))]
        for route, match in paths:
            if route.method == request.method:
                self.world.ledger.count(self.name, route.operation)
                return self.refuse_caller(request) or route.answer(request, *match.groups())
        self.world.ledger.count(self.name, "unknown")
        return self.wrong_method(request, paths[0][0].method) if paths else self.no_such_path(request)

    @abstractmethod
    def declare_routes(self) -> tuple[Route, ...]:
        """Return the operations that this vendor offers."""

    @abstractmethod
    def refuse_caller(self, request: Request) -> Reply | None:
        """Return the refusal of a caller whose credentials or headers will not do, or None."""

    @abstractmethod
    def no_such_path(self, request: Request) -> Reply:
        """Answer a path that this vendor does not have."""

    @abstractmethod
    def wrong_method(self, request: Request, allowed: str) -> Reply:
        """Answer a path that exists under another method."""

    @abstractmethod
    def throttled(self, retry_after_seconds: int) -> Reply:
        """Answer a caller who is too fast."""

    @abstractmethod
    def server_error(self) -> Reply:
        """Answer with a fault of the vendor's own."""

    @abstractmethod
    def name_message(self, serial: int, submission: Submission) -> str:
        """Return the id by which clients know a message."""

    def receipt(self, row: Row, stage: Stage) -> Receipt | None:
        """Return the receipt of a stage, or None where there is no address to send it to."""
        raise NotImplementedError

    def receive(self, inbound: Inbound) -> Callback:
        """Return the call by which the vendor hands on a message that a phone sent; ValueError if it never does."""
        raise ValueError(f"{self.name} hands on no {inbound.kind}")

    def reset(self) -> None:
        """Forget what the vendor knows beside the ledger: by default nothing."""
        return

    def leave_behind(self, submission: Submission) -> None:
        """Keep what this vendor keeps of a send that failed on its side: by default nothing."""
        return

    def submit(self, submissions: Sequence[Submission], answer: Answer) -> Reply:
        """Take what the recipients' magic numbers allow, and answer as they ask.

        In a list the first recipient whose number asks for a fault decides about the one answer.
        """
        outcomes = [outcome_of(submission.recipient) for submission in submissions]
        if self._is_throttled(submissions, outcomes):
            return self.throttled(self.world.settings.retry_after_seconds)
        faulty = next((outcome for outcome in outcomes if outcome.fault is not Fault.NONE), None)
        if faulty is not None and not faulty.taken:
            return self._fail(submissions, faulty.fault)
        reply = self._take(submissions, outcomes, answer)
        if any(outcome.is_slow for outcome in outcomes):
            self.world.stopping.wait(self.world.settings.slow_answer_seconds)
        return reply if faulty is None else self._bent(reply, faulty.fault)

    def add_row(self, submission: Submission, outcome: Outcome, *, is_taken: bool) -> Row:
        """Keep a row for a submission; if it is taken, this is the moment."""
        ledger, now = self.world.ledger, time.time()
        serial = ledger.next_serial()
        # A text message cannot tell that it was opened: there the last that is known is its delivery.
        is_unreadable = outcome.lifecycle is Lifecycle.READ and submission.channel == "sms"
        row = Row(
            vendor=self.name,
            serial=serial,
            number=ledger.next_number(self.name),
            provider_message_id=self.name_message(serial, submission),
            recipient=submission.recipient,
            sender=submission.sender,
            text=submission.text,
            channel=submission.channel,
            operation=submission.operation,
            reference=submission.reference,
            lifecycle=Lifecycle.DELIVERED if is_unreadable else outcome.lifecycle,
            created_at=now,
            starts_at=now if submission.starts_at is None else submission.starts_at,
            accepted_at=now if is_taken else None,
            is_listed=outcome.is_listed,
            details=submission.details,
        )
        ledger.add(row)
        return row

    def _is_throttled(self, submissions: Sequence[Submission], outcomes: Sequence[Outcome]) -> bool:
        # All are counted as visits, so that a list is turned away once and not once for each number.
        first_visits = [
            self.world.ledger.is_first_visit(self.name, submission.channel, submission.recipient)
            for submission, outcome in zip(submissions, outcomes, strict=True)
            if outcome.refusal is Refusal.THROTTLED_ONCE
        ]
        return any(first_visits)

    def _fail(self, submissions: Sequence[Submission], fault: Fault) -> Reply:
        if fault is Fault.SERVER_ERROR:
            for submission in submissions:
                self.leave_behind(submission)
        return self._bent(Reply(200, b""), fault)

    def _take(self, submissions: Sequence[Submission], outcomes: Sequence[Outcome], answer: Answer) -> Reply:
        entries = [self._entry(submission, outcome) for submission, outcome in zip(submissions, outcomes, strict=True)]
        reply = answer(entries)
        rows = [entry for entry in entries if isinstance(entry, Row)]
        if self.sends_receipts:
            for row in rows:
                self._send_receipts(row)
        elif any(row.lifecycle is Lifecycle.EARLY for row in rows):
            self.world.stopping.wait(self.world.settings.early_answer_seconds)
        return reply

    def _entry(self, submission: Submission, outcome: Outcome) -> Entry:
        if outcome.taken:
            return self.add_row(submission, outcome, is_taken=True)
        if outcome.refusal is Refusal.INVALID_RECIPIENT:
            self.leave_behind(submission)
        return Refused(submission, outcome.refusal or Refusal.INVALID_RECIPIENT)

    def _send_receipts(self, row: Row) -> None:
        settings, webhook_sender = self.world.settings, self.world.webhook_sender
        delay = max(0.0, row.starts_at - time.time())
        steps = receipts_of(row.lifecycle, sent_seconds=settings.sent_seconds, final_seconds=settings.final_seconds)
        makes = [partial(self.receipt, row, step.stage) for step in steps]
        if row.lifecycle is Lifecycle.EARLY and delay == 0:
            early = threading.Thread(target=self._deliver_all, args=(makes,), daemon=True)
            early.start()
            early.join(EARLY_PATIENCE_SECONDS)
            return
        for step, make in zip(steps, makes, strict=True):
            webhook_sender.schedule(delay + step.after_seconds, make)

    def _deliver_all(self, makes: Sequence[Callable[[], Receipt | None]]) -> None:
        for make in makes:
            self.world.webhook_sender.deliver(make)

    def _bent(self, reply: Reply, fault: Fault) -> Reply:
        if fault is Fault.SERVER_ERROR:
            return self.server_error()
        if fault is Fault.HTML:
            return html(200, "We will be back soon")
        return reply.with_fault(fault)


def naive_local(seconds: float, offset: timedelta) -> str:
    """Write a time in a vendor's own zone, without saying so: `2024-12-20 12:09:48`."""
    return datetime.fromtimestamp(seconds, timezone(offset)).strftime("%Y-%m-%d %H:%M:%S")


def read_naive_local(text: str, layout: str, offset: timedelta) -> float:
    """Read a time in a vendor's own zone; ValueError where it does not have the layout."""
    return datetime.strptime(text, layout).replace(tzinfo=timezone(offset)).timestamp()
