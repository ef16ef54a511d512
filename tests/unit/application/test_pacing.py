"""All workers together hand a vendor no more than it takes in a second, and what is urgent goes first."""

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
from tests.harness.application import House, nomsa_taken, request, smspoh_taken


def house_at(rate: float | None, **settings: Any) -> tuple[House, list[tuple[str, float]]]:
    """Return a house whose Nomsa takes so many a second, and a list of what Nomsa gets: the text, and when."""
    calls: list[tuple[str, float]] = []

    def answer(sent: HttpRequest) -> HttpResponse:
        if "nomsa" not in sent.host:
            return smspoh_taken(f"AA-{len(calls)}")
        calls.append((json.loads(sent.body)["body"], seconds(house.clock())))
        return nomsa_taken(str(1000 + len(calls)))

    providers = {"nomsa": {"max_per_second": rate}, "smspoh": {"sender": "Sampai"}}
    house = House(answer, settings={"providers": providers, **settings})
    return house, calls


def seconds(instant: datetime) -> float:
    return (instant - START).total_seconds()


def text(number: int, **changes: Any) -> str:
    return request(f"m-{number}", content={"type": "text", "text": f"text {number}"}, **changes)


def expiring(number: int, in_seconds: float, **changes: Any) -> str:
    return text(number, expires_at=to_text(START + timedelta(seconds=in_seconds)), **changes)


def test_without_a_limit_nobody_asks_for_a_turn() -> None:
    house, calls = house_at(None)

    house.send(*(text(n) for n in range(10)))

    assert house.limiter.asked == 0
    assert {at for _, at in calls} == {0}


def test_a_batch_takes_one_turn_and_its_messages_go_out_one_after_the_other_in_it() -> None:
    house, calls = house_at(20)

    assert house.send(*(text(n) for n in range(10))) == []

    assert house.limiter.reservations == [("nomsa", START + CLAIM_TIME, 0.5)]
    assert [text for text, _ in calls] == [f"text {n}" for n in range(10)]
    assert [at for _, at in calls] == pytest.approx([0.3 + n / 20 for n in range(10)])
    assert {message.status for message in house.store.messages.values()} == {Status.ACCEPTED}


def test_the_next_batch_of_any_worker_goes_on_where_the_last_one_ended() -> None:
    house, calls = house_at(20)
    house.send(*(text(n) for n in range(10)))
    house.clock.now = START

    house.send(*(text(n) for n in range(10, 20)), sender=house.new_sender())

    assert [at for _, at in calls[10:]] == [pytest.approx(0.8 + n / 20) for n in range(10)]


def test_a_batch_whose_turn_is_far_ahead_waits_for_it_in_the_function() -> None:
    house, calls = house_at(20)
    house.limiter.taken_until["nomsa"] = START + timedelta(seconds=6)

    assert house.send(text(1)) == []

    assert calls == [("text 1", 6.0)]
    assert statuses(house.message("m-1")) == [Status.SENDING, Status.ACCEPTED]


@covers("Q11")
def test_a_batch_that_would_wait_too_long_waits_in_the_table_and_burns_no_receive() -> None:
    house, calls = house_at(20)
    house.limiter.taken_until["nomsa"] = START + timedelta(seconds=30)

    assert house.send(text(1)) == []

    assert calls == []
    assert statuses(house.message("m-1")) == [Status.QUEUED]
    assert [(wake_up.message_id, wake_up.delay_seconds) for wake_up in house.queue.wake_ups] == [("m-1", 15)]

    house.clock.advance(seconds=30)
    house.resume()
    assert statuses(house.message("m-1")) == [Status.QUEUED, Status.SENDING, Status.ACCEPTED]


def test_a_batch_with_other_vendors_messages_in_it_does_not_keep_them_waiting() -> None:
    house, calls = house_at(20)
    house.limiter.taken_until["nomsa"] = START + timedelta(seconds=6)

    house.send(text(1), request("m-2", "smspoh"))

    assert seconds(house.clock()) == 0
    assert calls == []
    assert [house.message(name).status for name in ("m-1", "m-2")] == [Status.QUEUED, Status.ACCEPTED]


def test_what_does_not_fit_into_one_turn_waits() -> None:
    house, _ = house_at(2)

    house.send(*(text(n) for n in range(10)))

    assert [house.message(f"m-{n}").status is Status.ACCEPTED for n in range(10)] == [True] * 6 + [False] * 4
    assert house.limiter.reservations == [("nomsa", START + CLAIM_TIME, 3.0)]


def slow_to_claim(house: House, seconds: float, taken_until: datetime | None = None) -> None:
    """Have the next commit take so long, and others take the vendor's time until then meanwhile."""

    def once(writes: Sequence[Write]) -> None:
        if not writes:
            return
        house.store.before_commit = None
        house.clock.advance(seconds=seconds)
        if taken_until is not None:
            house.limiter.taken_until["nomsa"] = taken_until

    house.store.before_commit = once


@pytest.mark.parametrize(
    ("count", "seconds", "asked", "first_call"),
    [(10, 0.39, 1, 0.39), (10, 0.51, 2, 0.8), (10, 1.5, 2, 1.5), (2, 9, 1, 9), (3, 9, 2, 9)],
    ids=["two late", "five late", "all late", "two in all", "three in all"],
)
def test_a_batch_whose_claim_took_too_long_takes_another_turn(
    count: int, seconds: float, asked: int, first_call: float
) -> None:
    house, calls = house_at(20)
    slow_to_claim(house, seconds)

    house.send(*(text(n) for n in range(count)))

    assert house.limiter.asked == asked
    assert calls[0][1] == pytest.approx(first_call)
    together = max(sum(begin <= at < begin + 0.1 for _, at in calls) for _, begin in calls)
    assert len(calls) == count
    assert together <= 4


def test_a_batch_that_missed_its_turn_and_gets_no_other_is_tried_again_later() -> None:
    house, calls = house_at(20)
    slow_to_claim(house, 2, taken_until=START + timedelta(days=1))

    assert house.send(*(text(n) for n in range(10))) == []

    assert calls == []
    assert {message.status for message in house.store.messages.values()} == {Status.QUEUED}
    assert {wake_up.delay_seconds for wake_up in house.queue.wake_ups} == {5}
    assert house.telemetry.counts.get(("CircuitOpened", None)) is None


def test_a_message_alone_does_not_wait_for_a_turn_that_is_free() -> None:
    house, calls = house_at(20)

    house.send(text(1))

    assert calls == [("text 1", 0.0)]


UNITS = [
    ("short", "a" * 160, 1),
    ("two parts", "a" * 161, 2),
    ("Khmer", "ក" * 70, 1),
    ("long Khmer", "ក" * 135, 3),
]


@pytest.mark.parametrize(("words", "units"), [each[1:] for each in UNITS], ids=[each[0] for each in UNITS])
def test_an_sms_counts_by_its_segments(words: str, units: int) -> None:
    house, _ = house_at(10)

    house.send(request(content={"type": "text", "text": words}))

    assert house.limiter.reservations == [("nomsa", START, units / 10)]


def test_a_text_longer_than_any_turn_goes_out_all_the_same() -> None:
    house, calls = house_at(0.2)

    house.send(text(1))

    assert house.limiter.reservations == [("nomsa", START, 5.0)]
    assert calls == [("text 1", 0.0)]


def test_passwords_go_first_and_then_what_expires_first() -> None:
    house, calls = house_at(2)

    house.send(text(1), expiring(2, 900), text(3, category="otp"), expiring(4, 300), expiring(5, 600, category="otp"))

    assert [words for words, _ in calls] == ["text 5", "text 3", "text 4", "text 2", "text 1"]


def test_a_password_waits_for_no_more_than_what_has_been_taken() -> None:
    house, calls = house_at(20)
    house.limiter.taken_until["nomsa"] = START + timedelta(seconds=4)

    house.send(text(1, category="otp"))

    assert house.limiter.asked == 1
    assert calls == [("text 1", 4.0)]


def test_a_message_that_expires_before_its_turn_is_not_sent() -> None:
    house, calls = house_at(20)
    house.limiter.taken_until["nomsa"] = START + timedelta(seconds=6)

    house.send(expiring(1, 5))

    assert calls == []
    assert house.failure_reason("m-1") is Reason.EXPIRED


def test_while_the_limiter_is_down_messages_wait_and_none_is_sent_unpaced() -> None:
    house, calls = house_at(20)
    house.limiter.is_down = True

    assert house.send(text(1)) == []

    assert calls == []
    assert house.message("m-1").status is Status.QUEUED


def test_no_turn_is_taken_without_the_time_to_use_it() -> None:
    house, calls = house_at(20)
    house.seconds_left = 15.0

    house.send(text(1))

    assert (house.limiter.reservations, calls) == ([], [])
    assert house.message("m-1").status is Status.QUEUED


WAITS = [("new", 0, 15), ("after a minute", 60, 15), ("after ten minutes", 600, 150), ("after an hour", 3600, 300)]


@pytest.mark.parametrize(("age", "pause"), [each[1:] for each in WAITS], ids=[each[0] for each in WAITS])
def test_the_longer_a_message_has_waited_the_more_seldom_it_is_looked_at(age: int, pause: int) -> None:
    house, _ = house_at(20)
    house.limiter.taken_until["nomsa"] = START + timedelta(days=1)
    house.send(text(1))
    house.clock.advance(seconds=age)

    house.resume() if age else None

    noted = timedelta(seconds=0 if age else 120)  # a new one has a note, and the index for the case that it is lost
    assert house.message("m-1").due_at == house.clock() + timedelta(seconds=pause) + noted


def test_what_expires_soon_is_woken_by_notes_and_not_by_the_index() -> None:
    house, _ = house_at(20)
    house.limiter.taken_until["nomsa"] = START + timedelta(days=1)
    house.send(expiring(1, 150), text(2))

    house.clock.advance(seconds=15)
    house.resume()

    assert [wake_up.message_id for wake_up in house.queue.wake_ups] == ["m-1"]


def test_messages_that_go_out_in_one_call_are_as_close_together_as_a_tenth_of_a_second() -> None:
    bodies: list[int] = []

    def answer(sent: HttpRequest) -> HttpResponse:
        rows = json.loads(sent.body)["messages"]
        bodies.append(len(rows))
        taken = [
            json.loads(smspoh_taken(f"AA-{len(bodies)}-{i}", row["clientReference"]).body)["messages"][0]
            for i, row in enumerate(rows)
        ]
        return HttpResponse(
            status=201, headers={"content-type": "application/json"}, body=json.dumps({"messages": taken}).encode()
        )

    house = House(answer, settings={"providers": {"smspoh": {"sender": "Sampai", "max_per_second": 40}}})
    numbers = [f"+9597777777{n:02}" for n in range(10, 20)]

    house.send(
        *(request(f"m-{n}", "smspoh", recipient=number, category="promotional") for n, number in enumerate(numbers))
    )

    assert bodies == [5, 5]


@covers("Q11")
def test_ten_workers_hand_over_no_more_than_the_limit_in_any_second() -> None:
    house, calls = house_at(20)
    workers: list[tuple[datetime, SendService]] = [(START, house.new_sender()) for _ in range(10)]
    number = 0
    while seconds(min(at for at, _ in workers)) < 65:
        place = min(range(10), key=lambda i: workers[i][0])
        free_at, worker = workers[place]
        house.clock.now = free_at
        assert house.send(*(text(number + n) for n in range(10)), sender=worker) == []
        number += 10
        workers[place] = (house.clock(), worker)

    times = sorted(at for _, at in calls)
    most = max(sum(begin <= at < begin + 1 for at in times) for begin in times)
    assert most <= 20
    assert sum(at < 60 for at in times) / 60 >= 19


@covers("Q9")
def test_a_note_carries_the_group_of_its_request() -> None:
    house, _ = house_at(20)
    house.limiter.is_down = True

    house.sender.handle([Record(record_id="r-1", body=text(1), group="shop-a")], remaining=lambda: 30.0)
    house.clock.advance(minutes=10)
    house.follow_up()

    assert [wake_up.group for wake_up in house.queue.wake_ups] == ["shop-a", "shop-a"]
