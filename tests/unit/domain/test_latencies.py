"""The history of a message tells how long it took to be accepted and delivered."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sampai.domain.latencies import accept_latency, delivery_latency
from sampai.domain.message import HistoryEntry, Message
from sampai.domain.status import Source, Status

NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def message(*history: tuple[Status, float], send_at: float | None = None) -> Message:
    """Return a message that was requested at noon, with each status and its seconds after noon."""
    attempts = [seconds for status, seconds in history if status is Status.SENDING]
    return Message(
        message_id="otp-1",
        status=history[-1][0],
        created_at=NOON,
        updated_at=after(history[-1][1]),
        occurred_at=after(history[-1][1]),
        send_at=None if send_at is None else after(send_at),
        attempted_at=after(attempts[-1]) if attempts else None,
        history=tuple(HistoryEntry(status=status, at=after(at), source=Source.SEND) for status, at in history),
    )


SENT = (Status.SENDING, 1.0)


@pytest.mark.parametrize(
    ("told", "accept", "delivery"),
    [
        (message((Status.QUEUED, 0.0), SENT), None, None),
        (message(SENT, (Status.FAILED, 3.0)), None, None),
        (message(SENT, (Status.UNKNOWN, 3.0), (Status.UNCONFIRMED, 99.0)), None, None),
        (message(SENT, (Status.ACCEPTED, 1.25)), 1.25, None),
        (message(SENT, (Status.ACCEPTED, 2.0), (Status.UNDELIVERED, 9.0)), 2.0, None),
        (message(SENT, (Status.ACCEPTED, 2.0), (Status.SENT, 4.0), (Status.DELIVERED, 9.0)), 2.0, 7.0),
        (message(SENT, (Status.ACCEPTED, 2.0), (Status.DELIVERED, 9.0), (Status.READ, 60.0)), 2.0, 7.0),
        (message(SENT, (Status.ACCEPTED, 2.0), (Status.READ, 60.0)), 2.0, 58.0),
        (message(SENT, (Status.QUEUED, 2.0), (Status.SENDING, 7.0), (Status.ACCEPTED, 8.0)), 8.0, None),
    ],
)
def test_a_latency_counts_from_the_request_to_the_first_proof(
    told: Message, accept: float | None, delivery: float | None
) -> None:
    latencies = (accept_latency(told), delivery_latency(told))

    assert [None if latency is None else latency.total_seconds() for latency in latencies] == [accept, delivery]


def test_time_before_send_at_does_not_count() -> None:
    scheduled = message((Status.SCHEDULED, 0), (Status.SENDING, 601), (Status.ACCEPTED, 602), send_at=600)

    assert accept_latency(scheduled) == timedelta(seconds=2)


def test_a_stop_of_all_sending_and_quiet_hours_do_not_count() -> None:
    held = message((Status.QUEUED, 0), (Status.SENDING, 601), (Status.ACCEPTED, 602))

    assert accept_latency(replace(held, held_seconds=600)) == timedelta(seconds=2)


def test_a_send_at_in_the_past_means_the_time_of_the_request() -> None:
    assert accept_latency(message(SENT, (Status.ACCEPTED, 2), send_at=-86_400)) == timedelta(seconds=2)


def test_a_receipt_before_the_answer_counts_from_the_attempt() -> None:
    overtaken = message((Status.QUEUED, 0), (Status.SENDING, 5), (Status.DELIVERED, 8))

    assert (accept_latency(overtaken), delivery_latency(overtaken)) == (timedelta(seconds=8), timedelta(seconds=3))


def test_two_clocks_that_differ_make_no_negative_latency() -> None:
    early = message(SENT, (Status.ACCEPTED, -0.5), (Status.DELIVERED, 0))

    assert (accept_latency(early), delivery_latency(early)) == (timedelta(0), timedelta(seconds=0.5))
