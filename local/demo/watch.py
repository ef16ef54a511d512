"""The events of each demo message, and the comparison with the expected end."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from local.demo.messages import OPERATIONS, RECEIVED, REJECTED, Acceptance, Case, Moment

FINAL: Final = frozenset({"unconfirmed", "canceled", "failed", "undelivered", "delivered", "read", REJECTED, RECEIVED})
AT_SENDER: Final = frozenset({"scheduled", "queued", "sending"})
"""Statuses of a message that is still at the send function or in a queue before it."""


NO_CALL: Final = "no call was made"
"""Begins the detail of an attempt that ended before its call. The demo does not import the product."""


INBOUND_SECONDS: Final = 60.0
"""Time to wait for the event of an inbound message. Vendors try three times within about 15 seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The judgement on a run. `wrong` has a line per row or operation that differs from the expected result.

    `excuse` is a sentence about a computer that is too busy, and stands for all differences that this explains.
    """

    wrong: tuple[str, ...] = ()
    excuse: str = ""

    @property
    def is_good(self) -> bool:
        return not (self.wrong or self.excuse)


def too_busy(trouble: str) -> str:
    """Return the sentence that blames a busy computer for a trouble."""
    return f"This computer is too busy for the demo: {trouble}. End other programs, and run it again."


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """One event of a message. `seconds` is the time of its receipt, on the clock of `Track.put_seconds`."""

    sequence: int
    status: str
    previous_status: str | None
    source: str
    reason: str | None = None
    detail: str = ""
    seconds: float


@dataclass(slots=True, kw_only=True)
class Track:
    """A row of the demo and its events, by sequence."""

    case: Case
    message_id: str | None
    put_seconds: float | None = None
    is_second_put: bool = False
    heard: dict[int, News] = field(default_factory=dict)

    @property
    def news(self) -> list[News]:
        """The events in the order of their sequence."""
        return [self.heard[sequence] for sequence in sorted(self.heard)]

    @property
    def last(self) -> News | None:
        return self.heard[max(self.heard)] if self.heard else None

    @property
    def status(self) -> str | None:
        return self.last.status if self.last else None

    @property
    def has_ended(self) -> bool:
        """Whether the status is final, a message to be read is read, and no earlier event is still on its way."""
        is_unread = (self.status, self.case.end.status) == ("delivered", "read")
        return self.status in FINAL and not is_unread and len(self.heard) == max(self.heard)

    @property
    def is_past_senders(self) -> bool:
        return self.status is not None and self.status not in AT_SENDER

    @property
    def attempts(self) -> int:
        """The attempts with a call. A slow computer may leave no time for one; the message is then queued again."""
        claims = sum(news.status == "sending" for news in self.heard.values())
        return claims - sum(news.status == "queued" and news.detail.startswith(NO_CALL) for news in self.heard.values())

    @property
    def seconds(self) -> float | None:
        """Seconds from the queue to the latest event, or None."""
        if self.put_seconds is None or self.last is None:
            return None
        return self.last.seconds - self.put_seconds


class Watch:
    """All rows of the demo with their events."""

    def __init__(self, cases: Iterable[Case]) -> None:
        self.tracks = [Track(case=case, message_id=case.message_id) for case in cases]
        self.events = 0

    @property
    def ended(self) -> int:
        """The number of rows that have ended."""
        return sum(track.has_ended for track in self.tracks)

    @property
    def is_over(self) -> bool:
        return self.ended == len(self.tracks)

    @property
    def is_sent(self) -> bool:
        """Whether all rows are sent but those that come last."""
        return all(track.is_past_senders for track in self.tracks if track.case.moment is not Moment.LAST)

    @property
    def has_only_silence_left(self) -> bool:
        """Whether each row has ended, or waits for the report horizon as it should."""
        return all(
            track.has_ended or (track.is_past_senders and track.case.end.status == "unconfirmed")
            for track in self.tracks
        )

    @property
    def followed_up_seconds(self) -> float:
        """The time of the last event from the follow-up; 0 before the first. Its schedule begins with the stack."""
        return max((n.seconds for t in self.tracks for n in t.news if n.source in ("poll", "sweep")), default=0.0)

    def due(self, seconds: float) -> list[Track]:
        """Return the rows with a request that must be put on its queue now, or whose phone must write (again)."""
        return [
            track
            for track in self.tracks
            if (track.put_seconds is None and self._is_time_for(track)) or self._is_lost_inbound(track, seconds)
        ]

    def due_again(self) -> list[Track]:
        """Return the rows with a second request that must be put on its queue now."""
        return [track for track in self.tracks if track.case.then and track.heard and not track.is_second_put]

    def hear(self, event: Mapping[str, Any], *, seconds: float) -> tuple[Track, News] | None:
        """Record an event from the stack's bus. Return its row and its news, or None if it is repeated or unknown."""
        self.events += 1
        if event["detail-type"] == "Message Received":
            return self._hear_inbound(event["detail"], seconds)
        is_rejection = event["detail-type"] == "Request Rejected"
        news = _read(event["detail"], is_rejection=is_rejection, seconds=seconds)
        for track in self.tracks:
            is_about = track.message_id == event["detail"]["message_id"]
            if is_about and is_rejection == (track.case.end.status == REJECTED) and news.sequence not in track.heard:
                track.heard[news.sequence] = news
                return track, news
        return None

    def _hear_inbound(self, detail: Mapping[str, Any], seconds: float) -> tuple[Track, News] | None:
        for track in self.tracks:
            wrote = track.case.inbound
            if wrote is None or track.heard:
                continue
            if (f"+{wrote['sender']}", wrote["text"]) == (detail["sender"], detail["text"]):
                news = News(sequence=1, status=RECEIVED, previous_status=None, source="webhook", seconds=seconds)
                track.heard[1] = news
                return track, news
        return None

    def verdict(
        self,
        acceptances: Mapping[Acceptance, int],
        stored: Mapping[str, str],
        calls: Mapping[str, Mapping[str, int]],
        *,
        optional: Collection[str] = (),
        is_busy: bool = False,
    ) -> Verdict:
        """Compare all rows and calls with the expected result.

        `acceptances` counts the messages that vendors accepted; `stored` has statuses by message id; `calls` counts
        the calls of each vendor by operation, and `optional` names the operations that need not be called. A busy
        computer explains every difference but these: a message was accepted too often, or nobody sent it.
        """
        wrong, late = [], 0
        for track in self.tracks:
            taken, status = track.case.taken(acceptances), stored.get(track.message_id or "")
            found = objections(track, acceptances=taken, stored=status)
            if found and is_busy and taken <= track.case.end.acceptances:
                late += 1
            elif found:
                wrong.append(f"{track.case.vendor or '–'}, {track.case.name}: {'; '.join(found)}")
        strangers = {digest for digest, _ in acceptances} - {track.case.text_sha256 for track in self.tracks}
        wrong += [f"a vendor took what nobody sent: {digest}" for digest in sorted(strangers)]
        wanted = [(vendor, name) for vendor, names in OPERATIONS.items() for name in names if name not in optional]
        missing = [f"{vendor}: nobody called {name}" for vendor, name in wanted if not called(calls, vendor, name)]
        if is_busy and (late or missing):
            sums = f"{late} of {len(self.tracks)} messages are late or ended in another way" if late else missing[0]
            return Verdict(wrong=tuple(wrong), excuse=too_busy(sums))
        return Verdict(wrong=(*wrong, *missing))

    def _is_lost_inbound(self, track: Track, seconds: float) -> bool:
        """Whether a phone must write again: its vendor gave up, because a busy computer answered too late."""
        is_waiting = track.case.inbound is not None and track.put_seconds is not None and not track.heard
        return is_waiting and seconds - (track.put_seconds or 0.0) > INBOUND_SECONDS

    def _is_time_for(self, track: Track) -> bool:
        match track.case.moment:
            case Moment.FIRST:
                return True
            case Moment.HEARD:
                return all(other.heard for other in self.tracks if other.case.inbound is not None)
            case Moment.KNOWN:
                return any(other.heard for other in self.tracks if other.message_id == track.message_id)
            case Moment.LAST:
                return self.is_sent


def called(calls: Mapping[str, Mapping[str, int]], vendor: str, operation: str) -> int:
    """Return the number of calls of an operation of a vendor."""
    return calls.get(vendor, {}).get(operation, 0)


def objections(track: Track, *, acceptances: int, stored: str | None) -> list[str]:
    """Compare a row with its expected end, its entries in the vendors' ledger, and its status in the message table."""
    end, last = track.case.end, track.last
    if last is None:
        return ["nothing was heard of it"]
    claims = {
        f"{last.status}, not {end.status}": last.status == end.status,
        f"the reason is {last.reason}, not {end.reason}": end.reason in (None, last.reason),
        f"the detail is: {last.detail}": end.detail in last.detail,
        f"{track.attempts} attempts, not {end.attempts}": track.attempts == end.attempts,
        f"accepted {acceptances} times, not {end.acceptances}": acceptances == end.acceptances,
        f"the table says {stored}, the last event {last.status}": end.status in (REJECTED, RECEIVED)
        or stored == last.status,
        "its events have gaps": _is_whole(track.news),
    }
    return [claim for claim, holds in claims.items() if not holds]


def _is_whole(news: list[News]) -> bool:
    """Return whether the sequence is 1, 2, … and each event starts from the status of the previous one."""
    follows = [None, *(each.status for each in news)]
    return all(
        each.sequence == number and each.previous_status == before
        for number, (each, before) in enumerate(zip(news, follows, strict=False), start=1)
    )


def _read(detail: Mapping[str, Any], *, is_rejection: bool, seconds: float) -> News:
    if is_rejection:
        return News(
            sequence=1,
            status=REJECTED,
            previous_status=None,
            source="send",
            reason=detail["reason"],
            detail=detail["detail"],
            seconds=seconds,
        )
    failure = detail["failure"] or {}
    return News(
        sequence=detail["sequence"],
        status=detail["status"],
        previous_status=detail["previous_status"],
        source=detail["source"],
        reason=failure.get("reason"),
        detail=failure.get("detail") or "",
        seconds=seconds,
    )
