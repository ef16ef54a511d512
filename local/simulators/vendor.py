"""The base of all simulated vendors: routing, the effect of magic numbers on a send, and receipts."""

import itertools
import re
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from functools import partial
from typing import Any, ClassVar, Final

from local.simulators.encodings import ENCODINGS, Fields, build_callback
from local.simulators.http import Reply, Request, html
from local.simulators.inbound import Callback, Inbound
from local.simulators.ledger import Ledger, Row
from local.simulators.lifecycles import Lifecycle, Stage, receipts_of, stage_at
from local.simulators.outcomes import DEFAULT, Fault, Outcome, Refusal, outcome_of
from local.simulators.settings import Settings
from local.simulators.webhook_sender import BuildReceipt, Receipt, WebhookSender

EARLY_RECEIPT_TIMEOUT_SECONDS: Final = 8.0
"""The maximum delay of a reply for the delivery of early receipts. It is below the client's time-out of ten seconds."""

CROWD: Final = "crowd"
"""The operation of the rows of a crowd: messages that other systems sent through the same account."""

OTHER_TEXT: Final = "Your parcel is here"


@dataclass(slots=True)
class World:
    """The state that the simulated vendors share."""

    settings: Settings
    ledger: Ledger
    webhook_sender: WebhookSender
    stopping: threading.Event
    turns: Iterator[int] = field(default_factory=itertools.count)

    def encode(self, documented: Receipt, url: str, fields: Fields) -> Receipt:
        """Return a callback to a URL as the vendor documents it, or in the next encoding of the settings."""
        chosen = self.settings.callback_encodings or (tuple(ENCODINGS) if self.settings.rude else ())
        if not chosen:
            return documented
        return build_callback(documented.vendor, url, fields, chosen[next(self.turns) % len(chosen)])

    def stage(self, row: Row) -> Stage:
        """Return the present stage of a row."""
        settings, age = self.settings, time.time() - row.starts_at
        return stage_at(
            row.lifecycle,
            age,
            reads=row.reads,
            sent_seconds=settings.sent_seconds,
            final_seconds=settings.final_seconds,
        )

    def read_stage(self, row: Row) -> Stage:
        """Return the present stage of a row, and record that a client has seen it."""
        with self.ledger.lock:
            stage = self.stage(row)
            row.reads += stage is not Stage.ACCEPTED
            return stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One message that passed a vendor's checks. `recipient` has the format in which the vendor stores it."""

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
    """A recipient that a vendor refuses, with the reason."""

    submission: Submission
    refusal: Refusal


Entry = Row | Refused
Answer = Callable[[Sequence[Entry]], Reply]
"""Builds the reply to a send from its entries, in the order of the request; a `Row` is an accepted message."""


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of a vendor's API. `answer` gets the request, then the groups of the pattern."""

    method: str
    pattern: str
    operation: str
    answer: Callable[..., Reply]


class Vendor(ABC):
    """A vendor's API below its root path. Subclasses implement the vendor's paths, fields and texts."""

    name: ClassVar[str]
    api_path: ClassVar[str] = ""
    """The path of the product's `base_url` below the vendor's root."""
    credentials: ClassVar[Mapping[str, str]]
    """The accepted credentials, as in the product's secret. They give access only to a simulator on this computer."""
    product_settings: ClassVar[Mapping[str, Any]] = {}
    """The product's settings for this vendor: the senders of the simulated account."""
    routed_country: ClassVar[str | None] = None
    """The ISO code of the country that the local stack routes to this vendor, if the product's defaults do not."""
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
        """Return the operations of this vendor."""

    @abstractmethod
    def refuse_caller(self, request: Request) -> Reply | None:
        """Return the refusal of a request with invalid credentials or headers, or None."""

    @abstractmethod
    def no_such_path(self, request: Request) -> Reply:
        """Build the reply to an unknown path."""

    @abstractmethod
    def wrong_method(self, request: Request, allowed: str) -> Reply:
        """Build the reply to a known path with the wrong method."""

    @abstractmethod
    def throttled(self, retry_after_seconds: int) -> Reply:
        """Build the reply to a caller that exceeds the rate limit."""

    @abstractmethod
    def server_error(self) -> Reply:
        """Build the reply for an internal error of the vendor."""

    def refuse_late(self, entries: Sequence[Entry]) -> Reply:
        """Build the error that answers a send which the vendor took all the same. By default an internal error."""
        return self.server_error()

    @abstractmethod
    def name_message(self, serial: int, submission: Submission) -> str:
        """Return the vendor's id for a new message."""

    def receipt(self, row: Row, stage: Stage) -> Receipt | None:
        """Return the receipt of a stage, or None if no address is registered for it."""
        raise NotImplementedError

    def receive(self, inbound: Inbound) -> Callback:
        """Return the webhook call for an inbound message. Raises ValueError for a kind without such calls."""
        raise ValueError(f"{self.name} hands on no {inbound.kind}")

    def other_message(self, number: int) -> Submission:
        """Return a message of another system with the same account. Raises ValueError if the vendor has no list."""
        raise ValueError(f"{self.name} has no list")

    def add_crowd(self, count: int, seconds: float) -> None:
        """Store rows of other messages, from now on at even intervals, as if that time had passed.

        Raises ValueError if the vendor has no list.
        """
        now = time.time()
        for number in range(count):
            submission = replace(self.other_message(number), operation=CROWD)
            self.add_row(submission, DEFAULT, is_taken=True, created_at=now + seconds * (number + 1) / count)

    def reset(self) -> None:
        """Delete the vendor's own state outside the ledger. By default there is none."""
        return

    def store_failed(self, submission: Submission) -> None:
        """Store a send that failed inside the vendor, if this vendor stores such sends. By default it does not."""
        return

    def submit(self, submissions: Sequence[Submission], answer: Answer) -> Reply:
        """Accept or refuse each submission by the magic number of its recipient, and return the reply.

        In a list, the first magic number with a fault decides the fault of the reply.
        """
        for submission in submissions:
            self.world.ledger.record_submission(self.name, submission.recipient, submission.text)
        outcomes = [outcome_of(submission.recipient) for submission in submissions]
        if self._record_visits(submissions, outcomes):
            return self.throttled(self.world.settings.retry_after_seconds)
        faulty = next((outcome for outcome in outcomes if outcome.fault is not Fault.NONE), None)
        if faulty is not None and not faulty.taken:
            return self._fail(submissions, faulty.fault)
        is_late = faulty is not None and faulty.fault is Fault.LATE_REFUSAL
        reply = self._take(submissions, outcomes, self.refuse_late if is_late else answer)
        if any(outcome.is_slow for outcome in outcomes):
            self.world.stopping.wait(self.world.settings.slow_answer_seconds)
        return reply if faulty is None or is_late else self._apply_fault(reply, faulty.fault)

    def add_row(
        self, submission: Submission, outcome: Outcome, *, is_taken: bool, created_at: float | None = None
    ) -> Row:
        """Store a row for a submission, with the present time unless another is given. A taken row is accepted then."""
        ledger, now = self.world.ledger, time.time() if created_at is None else created_at
        serial = ledger.next_serial()
        # An SMS has no read receipt, so its last stage is delivered.
        has_no_read_receipt = outcome.lifecycle is Lifecycle.READ and submission.channel == "sms"
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
            lifecycle=Lifecycle.DELIVERED if has_no_read_receipt else outcome.lifecycle,
            created_at=now,
            starts_at=now if submission.starts_at is None else submission.starts_at,
            accepted_at=now if is_taken else None,
            is_listed=outcome.is_listed,
            details=submission.details,
        )
        ledger.add(row)
        return row

    def _record_visits(self, submissions: Sequence[Submission], outcomes: Sequence[Outcome]) -> bool:
        """Record a visit of each throttled recipient. Return whether the request is throttled: on a first visit."""
        # A list, not a generator: it records all visits at once, so a list of recipients is throttled only once.
        first_visits = [
            self.world.ledger.record_visit(self.name, submission.channel, submission.recipient)
            for submission, outcome in zip(submissions, outcomes, strict=True)
            if outcome.refusal is Refusal.THROTTLED_ONCE
        ]
        return any(first_visits)

    def _fail(self, submissions: Sequence[Submission], fault: Fault) -> Reply:
        if fault is Fault.SERVER_ERROR:
            for submission in submissions:
                self.store_failed(submission)
        return self._apply_fault(Reply(200, b""), fault)

    def _take(self, submissions: Sequence[Submission], outcomes: Sequence[Outcome], answer: Answer) -> Reply:
        entries = [self._decide(submission, outcome) for submission, outcome in zip(submissions, outcomes, strict=True)]
        reply = answer(entries)
        rows = [entry for entry in entries if isinstance(entry, Row)]
        if self.sends_receipts:
            for row in rows:
                self._send_receipts(row)
        elif any(row.lifecycle is Lifecycle.EARLY for row in rows):
            self.world.stopping.wait(self.world.settings.early_answer_seconds)
        return reply

    def _decide(self, submission: Submission, outcome: Outcome) -> Entry:
        """Store an accepted submission, or return the refusal."""
        if outcome.taken:
            return self.add_row(submission, outcome, is_taken=True)
        if outcome.refusal is Refusal.INVALID_RECIPIENT:
            self.store_failed(submission)
        return Refused(submission, outcome.refusal or Refusal.INVALID_RECIPIENT)

    def _send_receipts(self, row: Row) -> None:
        settings, webhook_sender = self.world.settings, self.world.webhook_sender
        delay = max(0.0, row.starts_at - time.time())
        steps = receipts_of(row.lifecycle, sent_seconds=settings.sent_seconds, final_seconds=settings.final_seconds)
        builders = [partial(self.receipt, row, step.stage) for step in steps]
        if row.lifecycle is Lifecycle.EARLY and delay == 0:
            early = threading.Thread(target=self._deliver_all, args=(builders,), daemon=True)
            early.start()
            early.join(EARLY_RECEIPT_TIMEOUT_SECONDS)
            return
        for step, build in zip(steps, builders, strict=True):
            webhook_sender.schedule(delay + step.after_seconds, build)

    def _deliver_all(self, builders: Sequence[BuildReceipt]) -> None:
        for build in builders:
            self.world.webhook_sender.deliver(build)

    def _apply_fault(self, reply: Reply, fault: Fault) -> Reply:
        if fault is Fault.SERVER_ERROR:
            return self.server_error()
        if fault is Fault.HTML:
            return html(200, "We will be back soon")
        return reply.with_fault(fault)


def naive_local(seconds: float, zone: tzinfo) -> str:
    """Format a time in a vendor's zone, without the offset: `2024-12-20 12:09:48`."""
    return datetime.fromtimestamp(seconds, zone).strftime("%Y-%m-%d %H:%M:%S")


def read_naive_local(text: str, layout: str, zone: tzinfo) -> float:
    """Parse a time in a vendor's zone to seconds since 1970. Raises ValueError if it does not match the layout."""
    return datetime.strptime(text, layout).replace(tzinfo=zone).timestamp()
