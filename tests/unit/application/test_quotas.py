"""Quotas of the operator: a new message that exceeds one fails."""

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import count
from typing import Any

import pytest

from sampai.contract.settings import parse_settings
from sampai.domain.failure import Failure, Reason
from sampai.domain.inbound import Conversation
from sampai.domain.message import Message
from sampai.domain.quotas import Limit, QuotaCounter, quota_counters_of
from sampai.domain.status import Status
from sampai.services.ports.messages import Write
from tests.fakes import START, InMemoryStore, statuses
from tests.harness.application import RECIPIENTS, Application, nomsa_taken, request, unreached
from tests.unit.application.providers import (
    BY_WHATSAPP,
    CONVERSATION,
    NEW_CONVERSATION,
    PROVIDERS,
    REPLY,
    THAI,
    change_settings,
    new_application,
    numbers_with_different_prefixes,
)


def exceeded(limit: str) -> Failure:
    return Failure(reason=Reason.BLOCKED, detail=f"limits.{limit}: reached")


def failures(app: Application) -> list[Failure | None]:
    """Return the failure of each message in the order of the ids `m-0`, `m-1` …"""
    return [app.message(f"m-{n}").failure for n in range(len(app.store.messages))]


SAME_NUMBER = ["+85591234510"] * 4
SAME_PREFIX = [f"+855912345{n}0" for n in range(4)]
DIFFERENT_PREFIXES = numbers_with_different_prefixes(4)

OVER: list[tuple[str, str, list[str], list[bool]]] = [
    ("per_recipient_per_hour", "same number", SAME_NUMBER, [True, True, False, False]),
    ("per_recipient_per_hour", "same prefix", SAME_PREFIX, [True] * 4),
    ("per_recipient_per_day", "same number", SAME_NUMBER, [True, True, False, False]),
    ("per_recipient_per_day", "same prefix", SAME_PREFIX, [True] * 4),
    ("per_prefix_per_hour", "same number", SAME_NUMBER, [True, True, False, False]),
    ("per_prefix_per_hour", "same prefix", SAME_PREFIX, [True, True, False, False]),
    ("per_prefix_per_hour", "different prefixes", DIFFERENT_PREFIXES, [True] * 4),
    ("per_day", "different prefixes", DIFFERENT_PREFIXES, [True, True, False, False]),
]


@pytest.mark.parametrize("together", [True, False], ids=["in a batch", "one request at a time"])
@pytest.mark.parametrize(
    ("limit", "recipients", "is_within"), [(o[0], *o[2:]) for o in OVER], ids=[f"{o[0]}, {o[1]}" for o in OVER]
)
def test_a_message_beyond_a_limit_of_two_is_blocked(
    limit: str, recipients: list[str], is_within: list[bool], together: bool
) -> None:
    app = new_application(limits={limit: 2})
    bodies = [request(f"m-{n}", recipient=recipient) for n, recipient in enumerate(recipients)]

    unfinished = app.send(*bodies) if together else [i for body in bodies for i in app.send(body)]

    assert unfinished == []
    assert failures(app) == [None if is_in else exceeded(limit) for is_in in is_within]
    assert [statuses(message) == [Status.FAILED] for message in app.store.messages.values()] == [
        not i for i in is_within
    ]
    assert len(app.transport.requests) == sum(is_within)
    assert app.telemetry.counts.get(("MessageBlocked", None), 0) == is_within.count(False)
    assert app.queue.wake_ups == []


PERIODS = [
    ("per_recipient_per_hour", "2026-11-21T10:00Z", "2026-11-21T10:59:59.999Z", "2026-11-21T11:00Z"),
    ("per_prefix_per_hour", "2026-11-21T23:00Z", "2026-11-21T23:59:59.999Z", "2026-11-22T00:00Z"),
    ("per_recipient_per_day", "2026-11-21T00:00Z", "2026-11-21T23:59:59.999Z", "2026-11-22T00:00Z"),
    ("per_day", "2026-12-31T00:00Z", "2026-12-31T23:59:59.999Z", "2027-01-01T00:00Z"),
]


@pytest.mark.parametrize(("limit", "first", "last", "next_"), PERIODS)
def test_a_limit_applies_from_the_first_to_the_last_instant_of_its_period(
    limit: str, first: str, last: str, next_: str
) -> None:
    app = new_application(limits={limit: 1})

    for n, instant in enumerate((first, last, next_)):
        app.clock.now = datetime.fromisoformat(instant)
        app.send(request(f"m-{n}"))

    assert failures(app) == [None, exceeded(limit), None]


COUNTS_AS_ONE: list[tuple[str, list[str]]] = [
    ("every category", [request("m-0", category="promotional"), request("m-1", category="otp")]),
    ("a scheduled message counts at once", [request("m-0", send_at="2026-11-21T12:00:00Z"), request("m-1")]),
    ("every provider", [request("m-0", provider="nomsa"), request("m-1", provider="smspoh")]),
]


@pytest.mark.parametrize("bodies", [c[1] for c in COUNTS_AS_ONE], ids=[c[0] for c in COUNTS_AS_ONE])
def test_messages_of_every_kind_are_counted_together(bodies: list[str]) -> None:
    app = new_application(limits={"per_recipient_per_hour": 1})

    app.send(*bodies)

    assert failures(app) == [None, exceeded("per_recipient_per_hour")]


def test_messages_are_counted_before_they_wait_for_sending_to_be_on_again() -> None:
    app = new_application(limits={"per_recipient_per_hour": 2}, sending_enabled=False)

    app.send(*(request(f"m-{n}") for n in range(4)))
    change_settings(app, limits={"per_recipient_per_hour": 2})
    app.clock.advance(minutes=1)
    app.resume()

    assert failures(app) == [None, None, *[exceeded("per_recipient_per_hour")] * 2]
    assert len(app.transport.requests) == 2


def test_messages_without_a_number_count_only_towards_the_daily_limit() -> None:
    app = new_application(limits={limit: 1 for limit in Limit if limit is not Limit.PER_DAY} | {Limit.PER_DAY: 2})
    app.directory.record_conversation(Conversation(room_id=NEW_CONVERSATION, last_inbound_at=START))
    to_list: dict[str, Any] = {"recipient": None, "audience": {"lists": ["a"]}, "provider": "smsnoc"}

    app.send(
        request("m-0", **to_list), request("m-1", **REPLY | {"room_id": NEW_CONVERSATION}), request("m-2", **to_list)
    )

    assert failures(app) == [None, None, exceeded("per_day")]


def test_a_reply_counts_towards_the_number_of_its_conversation() -> None:
    app = new_application(limits={"per_recipient_per_hour": 1})
    app.directory.record_conversation(
        Conversation(room_id=CONVERSATION, number="+6281234567810", last_inbound_at=START)
    )

    app.send(request("m-0", **REPLY), request("m-1", home="nusasms", **BY_WHATSAPP))

    assert failures(app) == [None, exceeded("per_recipient_per_hour")]


@pytest.mark.parametrize("together", [True, False], ids=["in a batch", "one request at a time"])
def test_a_repeated_request_is_counted_once(together: bool) -> None:
    app = new_application(limits={limit: 1 for limit in Limit})
    bodies = [request("m-0")] * 5

    unfinished = app.send(*bodies) if together else [i for body in bodies for i in app.send(body)]

    assert unfinished == []
    assert app.message("m-0").status is Status.ACCEPTED
    assert set(app.directory.counts.values()) == {1}
    assert len(app.transport.requests) == 1


def test_a_blocked_message_stays_blocked_and_can_be_requested_under_another_id() -> None:
    app = new_application(limits={"per_recipient_per_hour": 1})
    app.send(request("m-0"), request("m-1"))

    app.clock.advance(hours=1)
    app.send(request("m-1"), request("m-2"))

    assert failures(app) == [None, exceeded("per_recipient_per_hour"), None]
    assert app.bus.events == []


def test_further_attempts_are_not_counted() -> None:
    app = new_application(limits={limit: 1 for limit in Limit})
    app.transport.replies = [unreached(), unreached(), nomsa_taken()]
    app.send(request("m-0"))

    for _ in range(2):
        app.clock.advance(minutes=1)
        app.resume()

    assert (app.message("m-0").attempt, app.message("m-0").status) == (3, Status.ACCEPTED)
    assert set(app.directory.counts.values()) == {1}


@pytest.mark.parametrize(
    "refused",
    [
        request("m-0", recipient=THAI),
        request("m-0", content={"type": "text", "text": "x" * 9999}),
        request("m-0", expires_at="2026-11-21T09:00:00Z"),
        request("m-0", category="promotional"),
        request("m-0", colour="red"),
        request("m-0", sender="Unlisted"),
    ],
)
def test_a_message_that_fails_for_another_reason_is_not_counted(refused: str) -> None:
    app = new_application(
        limits={limit: 1 for limit in Limit},
        allowed_countries=["KH"],
        providers=PROVIDERS | {"nomsa": {"allowed_senders": []}},
    )
    app.directory.set_opt_out(RECIPIENTS["nomsa"], is_out=True, at=START)

    app.send(refused)

    assert app.message("m-0").status is Status.FAILED
    assert app.directory.counts == {}


def test_a_message_blocked_by_a_narrow_limit_is_not_counted_by_a_wider_one() -> None:
    app = new_application(limits={"per_recipient_per_hour": 1, "per_prefix_per_hour": 3, "per_day": 3})

    app.send(*(request(f"m-{n}", recipient=number) for n, number in enumerate([*SAME_NUMBER, *SAME_PREFIX[2:]])))

    blocked = exceeded("per_recipient_per_hour")
    assert failures(app) == [None, blocked, blocked, blocked, None, None]
    assert app.directory.counts["all#2026-11-21"] == 3


def test_a_changed_limit_applies_to_the_next_message() -> None:
    app = new_application(limits={"per_day": 1})
    app.send(*(request(f"m-{n}") for n in range(5)))

    change_settings(app, limits={"per_day": 3})
    app.send(*(request(f"m-{n}") for n in range(5, 8)))
    change_settings(app, limits={"per_day": 2})
    app.send(request("m-8"))
    change_settings(app, limits={"per_day": None})
    app.send(request("m-9"))

    blocked = exceeded("per_day")
    assert failures(app) == [None, *[blocked] * 4, None, None, blocked, blocked, None]


# --- outages and races -----------------------------------------------------------------------------------


class CountingStore(InMemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.reads: list[set[str]] = []

    def read(self, message_ids: Collection[str]) -> dict[str, Message]:
        self.reads.append(set(message_ids))
        return super().read(message_ids)


@pytest.mark.parametrize(
    ("limits", "reads"), [({}, []), (dict.fromkeys(Limit), []), ({"per_day": 10}, [{"m-0", "m-1"}])]
)
def test_without_a_limit_no_message_is_read_or_counted(limits: dict[str, int | None], reads: list[set[str]]) -> None:
    app = new_application(limits=limits)
    app.store = store = CountingStore()
    app.directory.is_down = not reads

    unfinished = app.send(request("m-0"), request("m-1"), sender=app.new_sender())

    assert unfinished == []
    assert store.reads == reads
    assert app.directory.counts == ({"all#2026-11-21": 2} if reads else {})
    assert len(app.transport.requests) == 2


@pytest.mark.parametrize("down", ["directory", "store"])
def test_a_message_that_cannot_be_counted_is_redelivered_and_the_others_continue(down: str) -> None:
    app = new_application(limits={"per_recipient_per_hour": 1})
    app.send(request("m-0", send_at="2026-11-21T10:05:00Z"))
    app.clock.advance(minutes=5)
    (wake_up,) = app.queue.bodies()

    if down == "directory":
        app.directory.is_down = True
    else:
        app.store = StoreWithoutMisses(app.store)
    unfinished = app.send(request("m-1"), wake_up, request("m-2", colour="red"), sender=app.new_sender())

    assert unfinished == ["r-2"]
    assert {i: m.status for i, m in app.store.messages.items()} == {"m-0": Status.ACCEPTED, "m-2": Status.FAILED}


class StoreWithoutMisses(InMemoryStore):
    """A store that is down when it is asked for a message that it does not have."""

    def __init__(self, other: InMemoryStore) -> None:
        super().__init__()
        self.messages = other.messages

    def read(self, message_ids: Collection[str]) -> dict[str, Message]:
        self.is_down = not set(message_ids) <= self.messages.keys()
        try:
            return super().read(message_ids)
        finally:
            self.is_down = False


def test_messages_without_time_for_a_call_are_not_counted() -> None:
    app = new_application(limits={"per_day": 10})

    def spend_time(_: QuotaCounter) -> None:
        app.seconds_left -= 6

    app.directory.before_count = spend_time
    unfinished = app.send(*(request(f"m-{n}") for n in range(5)))

    assert unfinished == ["r-4", "r-5"]
    assert app.directory.counts == {"all#2026-11-21": 3}
    assert app.store.messages.keys() == {"m-0", "m-1", "m-2"}


def test_a_batch_that_crashes_after_counting_is_counted_again() -> None:
    app = new_application(limits={"per_recipient_per_hour": 3})

    def die(_: Sequence[Write]) -> None:
        if app.directory.counts:
            raise KeyboardInterrupt

    app.store.before_commit = die
    with pytest.raises(KeyboardInterrupt):
        app.send(request("m-0"), request("m-1"))
    app.store.before_commit = None
    app.send(request("m-0"), request("m-1"))

    assert failures(app) == [None, exceeded("per_recipient_per_hour")]
    assert len(app.transport.requests) == 1


@pytest.mark.parametrize("turn", range(1, 11))
@pytest.mark.parametrize("limit", Limit)
def test_two_interleaved_workers_do_not_exceed_a_limit(limit: Limit, turn: int) -> None:
    app = new_application(limits={limit: 5})
    turns = count(1)

    def interleave(_: QuotaCounter) -> None:
        if next(turns) == turn:
            app.directory.before_count = None
            app.send(*(request(f"b-{n}") for n in range(4)), sender=app.new_sender())

    app.directory.before_count = interleave
    app.send(*(request(f"a-{n}") for n in range(10)))

    assert len(app.transport.requests) == 5
    assert [m.failure for m in app.store.messages.values() if m.failure] == [exceeded(limit)] * 9
    assert list(app.directory.counts.values()) == [5]


def test_a_request_at_two_workers_is_sent_once_and_counted_at_most_twice() -> None:
    app = new_application(limits={"per_day": 5})

    def overtake(_: Sequence[Write]) -> None:
        if app.directory.counts:
            app.store.before_commit = None
            app.send(request("m-0"), sender=app.new_sender())

    app.store.before_commit = overtake
    app.send(request("m-0"))

    assert len(app.transport.requests) == 1
    assert app.message("m-0").status is Status.ACCEPTED
    assert app.directory.counts == {"all#2026-11-21": 2}


def test_a_blocked_message_is_logged_with_its_limit_and_without_its_number() -> None:
    app = new_application(limits={"per_prefix_per_hour": 1})

    app.send(request("m-0"), request("m-1"))

    (line,) = [line for line in app.telemetry.lines if line[1] == "message rejected"]
    assert line[2] == {
        "message_id": "m-1",
        "reason": Reason.BLOCKED,
        "detail": "limits.per_prefix_per_hour: reached",
        "caller": None,
    }
    (counter, *_) = quota_counters_of(RECIPIENTS["nomsa"], {Limit.PER_PREFIX_PER_HOUR: 1}, now=START)
    assert "91234" not in repr(counter)


def test_quotas_are_the_limits_that_are_not_null() -> None:
    settings = parse_settings('{"limits": {"per_day": 100000, "per_recipient_per_hour": null, "max_segments": 3}}')

    assert settings.limits.quotas() == {Limit.PER_DAY: 100_000}
    assert parse_settings("{}").limits.quotas() == {}
