"""The rate limit of a vendor applies to all workers together; urgent messages are sent first."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from sampai.domain.failure import Reason
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.status import Status
from sampai.domain.times import to_text
from sampai.services.ports.messages import Write
from sampai.services.send.batch import Record
from sampai.services.send.pacer import CLAIM_TIME
from sampai.services.send.service import SendService
from tests.covers import covers
from tests.fakes import START, statuses
from tests.harness.application import Application, nomsa_taken, request, smspoh_taken


def new_application(rate: float | None, **settings: Any) -> tuple[Application, list[tuple[str, float]]]:
    """Return an application with a rate limit for Nomsa, and its calls: the text, and the seconds since START."""
    calls: list[tuple[str, float]] = []

    def record_call(sent: HttpRequest) -> HttpResponse:
        if "nomsa" not in sent.host:
            return smspoh_taken(f"AA-{len(calls)}")
        calls.append((json.loads(sent.body)["body"], seconds(app.clock())))
        return nomsa_taken(str(1000 + len(calls)))

    providers = {"nomsa": {"max_per_second": rate}, "smspoh": {"sender": "Sampai"}}
    app = Application(record_call, settings={"providers": providers, **settings})
    return app, calls


def seconds(instant: datetime) -> float:
    return (instant - START).total_seconds()


def text(number: int, **changes: Any) -> str:
    return request(f"m-{number}", content={"type": "text", "text": f"text {number}"}, **changes)


def expiring_text(number: int, in_seconds: float, **changes: Any) -> str:
    return text(number, expires_at=to_text(START + timedelta(seconds=in_seconds)), **changes)


def test_without_a_limit_nothing_is_reserved() -> None:
    app, calls = new_application(None)

    app.send(*(text(n) for n in range(10)))

    assert app.limiter.asked == 0
    assert {at for _, at in calls} == {0}


def test_a_batch_makes_one_reservation_and_sends_at_even_intervals() -> None:
    app, calls = new_application(20)

    assert app.send(*(text(n) for n in range(10))) == []

    assert app.limiter.reservations == [("nomsa", START + CLAIM_TIME, 0.5)]
    assert [words for words, _ in calls] == [f"text {n}" for n in range(10)]
    assert [at for _, at in calls] == pytest.approx([0.3 + n / 20 for n in range(10)])
    assert {message.status for message in app.store.messages.values()} == {Status.ACCEPTED}


def test_the_reservation_of_another_worker_follows_the_previous_one() -> None:
    app, calls = new_application(20)
    app.send(*(text(n) for n in range(10)))
    app.clock.now = START

    app.send(*(text(n) for n in range(10, 20)), sender=app.new_sender())

    assert [at for _, at in calls[10:]] == [pytest.approx(0.8 + n / 20) for n in range(10)]


def test_a_batch_waits_a_few_seconds_in_the_function() -> None:
    app, calls = new_application(20)
    app.limiter.taken_until["nomsa"] = START + timedelta(seconds=6)

    assert app.send(text(1)) == []

    assert calls == [("text 1", 6.0)]
    assert statuses(app.message("m-1")) == [Status.SENDING, Status.ACCEPTED]


@covers("Q11")
def test_a_message_that_would_wait_too_long_waits_in_the_table_and_its_record_is_finished() -> None:
    app, calls = new_application(20)
    app.limiter.taken_until["nomsa"] = START + timedelta(seconds=30)

    assert app.send(text(1)) == []

    assert calls == []
    assert statuses(app.message("m-1")) == [Status.QUEUED]
    assert [(wake_up.message_id, wake_up.delay_seconds) for wake_up in app.queue.wake_ups] == [("m-1", 15)]

    app.clock.advance(seconds=30)
    app.resume()
    assert statuses(app.message("m-1")) == [Status.QUEUED, Status.SENDING, Status.ACCEPTED]


def test_messages_to_other_vendors_in_the_batch_do_not_wait() -> None:
    app, calls = new_application(20)
    app.limiter.taken_until["nomsa"] = START + timedelta(seconds=6)

    app.send(text(1), request("m-2", "smspoh"))

    assert seconds(app.clock()) == 0
    assert calls == []
    assert [app.message(name).status for name in ("m-1", "m-2")] == [Status.QUEUED, Status.ACCEPTED]


def test_messages_beyond_the_longest_reservation_wait() -> None:
    app, _ = new_application(2)

    app.send(*(text(n) for n in range(10)))

    assert [app.message(f"m-{n}").status is Status.ACCEPTED for n in range(10)] == [True] * 6 + [False] * 4
    assert app.limiter.reservations == [("nomsa", START + CLAIM_TIME, 3.0)]


def delay_next_commit(app: Application, seconds: float, taken_until: datetime | None = None) -> None:
    """Make the next commit slow. With `taken_until`, other workers reserve the vendor meanwhile."""

    def delay(writes: Sequence[Write]) -> None:
        if not writes:
            return
        app.store.before_commit = None
        app.clock.advance(seconds=seconds)
        if taken_until is not None:
            app.limiter.taken_until["nomsa"] = taken_until

    app.store.before_commit = delay


@pytest.mark.parametrize(
    ("count", "seconds", "reservations", "first_call"),
    [(10, 0.39, 1, 0.39), (10, 0.51, 2, 0.8), (10, 1.5, 2, 1.5), (2, 9, 1, 9), (3, 9, 2, 9)],
    ids=["two late", "five late", "all late", "batch of two", "batch of three"],
)
def test_a_batch_with_a_slow_claim_makes_another_reservation(
    count: int, seconds: float, reservations: int, first_call: float
) -> None:
    app, calls = new_application(20)
    delay_next_commit(app, seconds)

    app.send(*(text(n) for n in range(count)))

    assert app.limiter.asked == reservations
    assert calls[0][1] == pytest.approx(first_call)
    within_a_tenth = max(sum(begin <= at < begin + 0.1 for _, at in calls) for _, begin in calls)
    assert len(calls) == count
    assert within_a_tenth <= 4


def test_a_batch_that_gets_no_second_reservation_is_retried_later() -> None:
    app, calls = new_application(20)
    delay_next_commit(app, 2, taken_until=START + timedelta(minutes=2))

    assert app.send(*(text(n) for n in range(10))) == []

    assert calls == []
    assert {message.status for message in app.store.messages.values()} == {Status.QUEUED}
    assert {wake_up.delay_seconds for wake_up in app.queue.wake_ups} == {5}
    assert app.telemetry.counts.get(("CircuitOpened", None)) is None


def test_a_single_message_is_sent_at_once_if_the_rate_allows_it() -> None:
    app, calls = new_application(20)

    app.send(text(1))

    assert calls == [("text 1", 0.0)]


UNITS = [
    ("one segment", "a" * 160, 1),
    ("two segments", "a" * 161, 2),
    ("Khmer", "ក" * 70, 1),
    ("long Khmer", "ក" * 135, 3),
]


@pytest.mark.parametrize(("words", "units"), [each[1:] for each in UNITS], ids=[each[0] for each in UNITS])
def test_an_sms_reserves_time_for_each_segment(words: str, units: int) -> None:
    app, _ = new_application(10)

    app.send(request(content={"type": "text", "text": words}))

    assert app.limiter.reservations == [("nomsa", START, units / 10)]


def test_a_text_longer_than_the_longest_reservation_is_sent() -> None:
    app, calls = new_application(0.2)

    app.send(text(1))

    assert app.limiter.reservations == [("nomsa", START, 5.0)]
    assert calls == [("text 1", 0.0)]


def test_one_time_passwords_are_sent_first_and_then_by_expiry() -> None:
    app, calls = new_application(2)

    app.send(
        text(1),
        expiring_text(2, 900),
        text(3, category="otp"),
        expiring_text(4, 300),
        expiring_text(5, 600, category="otp"),
    )

    assert [words for words, _ in calls] == [
        "text 5",
        "text 3",
        "text 4",
        "text 2",
        "text 1",
    ]


def test_a_one_time_password_starts_at_the_next_free_time() -> None:
    app, calls = new_application(20)
    app.limiter.taken_until["nomsa"] = START + timedelta(seconds=4)

    app.send(text(1, category="otp"))

    assert app.limiter.asked == 1
    assert calls == [("text 1", 4.0)]


def test_a_message_that_expires_before_its_start_is_not_sent() -> None:
    app, calls = new_application(20)
    app.limiter.taken_until["nomsa"] = START + timedelta(seconds=6)

    app.send(expiring_text(1, 5))

    assert calls == []
    assert app.failure_reason("m-1") is Reason.EXPIRED


def test_messages_wait_while_the_limiter_is_down() -> None:
    app, calls = new_application(20)
    app.limiter.is_down = True

    assert app.send(text(1)) == []

    assert calls == []
    assert app.message("m-1").status is Status.QUEUED


def test_nothing_is_reserved_without_time_for_a_call() -> None:
    app, calls = new_application(20)
    app.seconds_left = 15.0

    app.send(text(1))

    assert (app.limiter.reservations, calls) == ([], [])
    assert app.message("m-1").status is Status.QUEUED


PAUSES = [
    ("at first", 0, 15),
    ("after a minute", 60, 15),
    ("after ten minutes", 600, 150),
    ("after an hour", 3600, 300),
]


@pytest.mark.parametrize(("age", "pause"), [each[1:] for each in PAUSES], ids=[each[0] for each in PAUSES])
def test_the_pause_between_attempts_grows_with_the_age_of_the_message(age: int, pause: int) -> None:
    app, _ = new_application(20)
    app.limiter.is_busy = True
    app.send(text(1))
    app.clock.advance(seconds=age)

    app.resume() if age else None

    margin = timedelta(
        seconds=0 if age else 120
    )  # a new message has a wake-up; its due time is later, in case the wake-up is lost
    assert app.message("m-1").due_at == app.clock() + timedelta(seconds=pause) + margin


def test_a_message_that_expires_soon_is_resumed_by_wake_ups() -> None:
    app, _ = new_application(20)
    app.limiter.is_busy = True
    app.send(expiring_text(1, 150), text(2))

    app.clock.advance(seconds=60)
    app.resume()

    assert [wake_up.message_id for wake_up in app.queue.wake_ups] == ["m-1"]


def test_messages_of_one_call_start_within_a_tenth_of_a_second() -> None:
    bodies: list[int] = []

    def record_call(sent: HttpRequest) -> HttpResponse:
        rows = json.loads(sent.body)["messages"]
        bodies.append(len(rows))
        taken = [
            json.loads(smspoh_taken(f"AA-{len(bodies)}-{i}", row["clientReference"]).body)["messages"][0]
            for i, row in enumerate(rows)
        ]
        return HttpResponse(
            status=201, headers={"content-type": "application/json"}, body=json.dumps({"messages": taken}).encode()
        )

    app = Application(record_call, settings={"providers": {"smspoh": {"sender": "Sampai", "max_per_second": 40}}})
    numbers = [f"+9597777777{n:02}" for n in range(10, 20)]

    app.send(
        *(request(f"m-{n}", "smspoh", recipient=number, category="promotional") for n, number in enumerate(numbers))
    )

    assert bodies == [5, 5]


@covers("Q11")
def test_ten_workers_send_at_most_the_limit_in_any_second() -> None:
    app, calls = new_application(20)
    workers: list[tuple[datetime, SendService]] = [(START, app.new_sender()) for _ in range(10)]
    number = 0
    while seconds(min(at for at, _ in workers)) < 65:
        place = min(range(10), key=lambda i: workers[i][0])
        free_at, worker = workers[place]
        app.clock.now = free_at
        assert app.send(*(text(number + n) for n in range(10)), sender=worker) == []
        number += 10
        workers[place] = (app.clock(), worker)

    times = sorted(at for _, at in calls)
    highest = max(sum(begin <= at < begin + 1 for at in times) for begin in times)
    assert highest <= 20
    assert sum(at < 60 for at in times) / 60 >= 19


@covers("Q9")
def test_a_wake_up_has_the_group_of_its_request() -> None:
    app, _ = new_application(20)
    app.limiter.is_down = True

    app.sender.handle([Record(record_id="r-1", body=text(1), group="shop-a")], remaining=lambda: 30.0)
    app.clock.advance(minutes=10)
    app.follow_up()

    assert [wake_up.group for wake_up in app.queue.wake_ups] == ["shop-a", "shop-a"]
