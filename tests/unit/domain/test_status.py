"""The order of the statuses and its consequences."""

from datetime import timedelta
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from sampai.domain.message import Message, apply_report, claim, mark_unknown
from sampai.domain.report import Report
from sampai.domain.status import Source, Status, advance
from tests.covers import covers
from tests.fakes import START

reported = st.sampled_from([None, Status.ACCEPTED, Status.SENT, Status.UNDELIVERED, Status.DELIVERED, Status.READ])

ORDER = [
    {"scheduled"},
    {"queued"},
    {"sending"},
    {"unknown"},
    {"accepted"},
    {"sent"},
    {"unconfirmed"},
    {"canceled", "failed"},
    {"undelivered"},
    {"delivered"},
    {"read"},
]


def _claimed() -> Message:
    draft = Message(message_id="m", status=Status.QUEUED, created_at=START, updated_at=START, occurred_at=START)
    return claim(draft, provider="nomsa", attempt_id="a", now=START, lease=timedelta(seconds=60))


def _report(status: Status | None) -> Report:
    return Report(provider_message_id="v", status=status, provider_status=status or "?")


def test_ranks_follow_the_lifecycle_of_a_message() -> None:
    by_rank: dict[int, set[str]] = {}
    for status in Status:
        by_rank.setdefault(status.rank, set()).add(status.value)

    assert [by_rank[rank] for rank in sorted(by_rank)] == ORDER


def test_final_statuses_expect_no_further_report() -> None:
    final = {status.value for status in Status if status.is_final}

    assert final == {"unconfirmed", "canceled", "failed", "undelivered", "delivered", "read"}


@covers("I3", "L4")
@given(st.sampled_from(Status), reported)
def test_a_report_never_lowers_the_rank(current: Status, status: Status | None) -> None:
    assert advance(current, status).rank >= current.rank


@covers("W3", "I3")
@given(st.lists(reported, max_size=6).flatmap(lambda reports: st.tuples(st.just(reports), st.permutations(reports))))
def test_final_status_does_not_depend_on_the_order_of_reports(
    orders: tuple[list[Status | None], list[Status | None]],
) -> None:
    given_order, other_order = orders

    def end(order: list[Status | None]) -> Message:
        return reduce(
            lambda message, status: apply_report(message, _report(status), now=START, source=Source.POLL),
            order,
            _claimed(),
        )

    assert end(given_order).status is end([*other_order, *given_order]).status


@covers("E2")
@given(st.lists(reported, max_size=8))
def test_each_change_of_status_raises_the_sequence_by_one_and_adds_to_the_history(order: list[Status | None]) -> None:
    message = _claimed()
    for status in order:
        after = apply_report(message, _report(status), now=START, source=Source.WEBHOOK)
        moved = after.status is not message.status
        assert after.sequence - message.sequence == len(after.history) - len(message.history) == moved
        assert (after.due_at is None) == after.status.is_final
        message = after


def test_long_history_keeps_its_first_and_last_25_entries() -> None:
    message = _claimed()
    for minute in range(1, 60):
        at = START + timedelta(minutes=minute)
        message = mark_unknown(message, now=at, due_at=at, source=Source.SWEEP)

    kept = [*range(25), *range(35, 60)]
    assert [entry.at for entry in message.history] == [START + timedelta(minutes=minute) for minute in kept]
    assert message.sequence == 60
