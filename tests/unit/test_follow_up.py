"""The follow-up: every message that is not final is looked at when it is due."""

from dataclasses import replace
from datetime import timedelta

import pytest

from sampai.domain.failure import Failure, Reason
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.status import Source, Status
from sampai.domain.times import to_text
from sampai.services.ports.correlations import LinkCorrelation
from sampai.services.ports.messages import Replace
from tests.covers import covers
from tests.fakes import START, statuses
from tests.harness.application import (
    House,
    lost,
    nomsa_list,
    nomsa_row,
    nomsa_taken,
    nusasms_taken,
    request,
    smspoh_history,
    smspoh_row,
    smspoh_taken,
    unreached,
)

DELIVERED = {"status": "DELIVERED", "delivered_at": "2026-11-21T10:00:05.000Z"}


def test_a_poll_brings_the_final_status() -> None:
    house = House(nomsa_taken("145"), nomsa_list(nomsa_row("145", **DELIVERED)))
    house.send(request())
    assert house.follow_up() == 0

    house.clock.advance(seconds=15)

    assert house.follow_up() == 1
    assert statuses(house.message()) == [Status.SENDING, Status.ACCEPTED, Status.DELIVERED]
    assert house.message().history[-1].source is Source.POLL
    assert house.follow_up() == 0


def test_one_list_call_answers_for_many_messages() -> None:
    rows = [nomsa_row(str(n), **DELIVERED) for n in range(50)]
    house = House(*(nomsa_taken(str(n)) for n in range(50)), nomsa_list(*rows))
    house.send(*(request(f"m-{n}") for n in range(50)))
    house.clock.advance(seconds=15)

    house.follow_up()

    assert {m.status for m in house.store.messages.values()} == {Status.DELIVERED}
    assert len(house.transport.requests) == 51


def test_what_the_list_does_not_show_is_looked_up_by_id() -> None:
    house = House(nomsa_taken("145"), nomsa_list(), nomsa_taken("145", **DELIVERED))
    house.send(request())
    house.clock.advance(seconds=15)

    house.follow_up()

    assert house.message().status is Status.DELIVERED
    assert house.transport.requests[-1].url.endswith("/145")


def test_polls_follow_the_schedule_of_the_settings() -> None:
    house = House(nomsa_taken("145"), nomsa_list(nomsa_row("145")))
    house.send(request())
    pauses = []

    for _ in range(8):
        due_at = house.message().due_at
        assert due_at is not None
        pauses.append((due_at - house.clock()).total_seconds())
        house.clock.now = due_at
        house.follow_up()

    assert pauses == [15, 60, 300, 1800, 7200, 21600, 21600, 21600]


@covers("L4", "I3")
def test_a_vendor_that_goes_back_on_its_word_is_ignored() -> None:
    house = House(
        nomsa_taken("145"),
        nomsa_list(nomsa_row("145", status="SENT")),
        nomsa_list(nomsa_row("145", status="UNSENT")),
    )
    house.send(request())
    for _ in range(2):
        house.clock.advance(minutes=2)
        house.follow_up()

    assert statuses(house.message()) == [Status.SENDING, Status.ACCEPTED, Status.SENT]


@covers("E1")
def test_without_final_evidence_the_message_is_unconfirmed_at_the_horizon() -> None:
    house = House(nomsa_taken("145"), nomsa_list(nomsa_row("145")))
    house.send(request())

    house.clock.advance(hours=72)
    house.follow_up()

    assert house.message().status is Status.UNCONFIRMED
    assert house.message().history[-1].source is Source.SWEEP
    assert (house.message().due_at, house.message().content) == (None, None)


@covers("I4")
def test_evidence_that_comes_with_the_last_look_counts() -> None:
    house = House(nomsa_taken("145"), nomsa_list(nomsa_row("145", **DELIVERED)))
    house.send(request())

    house.clock.advance(hours=72)
    house.follow_up()

    assert house.message().status is Status.DELIVERED


def test_a_vendor_that_cannot_be_asked_puts_the_look_off() -> None:
    house = House(nomsa_taken("145"), unreached())
    house.send(request())
    house.clock.advance(seconds=15)

    house.follow_up()

    assert house.message().status is Status.ACCEPTED
    assert house.message().due_at == house.clock() + timedelta(seconds=60)


RECONCILED = [
    ("nomsa", nomsa_list(nomsa_row("145", **DELIVERED)), "145"),
    ("smspoh", smspoh_history(smspoh_row("AA-1", "m-1", "Success")), "AA-1"),
]


@covers("P7", "I4", "E2")
@pytest.mark.parametrize(("home", "history", "provider_message_id"), RECONCILED, ids=[c[0] for c in RECONCILED])
def test_a_lost_answer_is_found_in_the_vendors_list(home: str, history: HttpResponse, provider_message_id: str) -> None:
    house = House(lost(), history)
    house.send(request(home=home))
    house.clock.advance(seconds=15)

    house.follow_up()

    assert statuses(house.message()) == [Status.SENDING, Status.UNKNOWN, Status.DELIVERED]
    assert house.message().provider_message_id == provider_message_id
    assert house.store.buffered[f"{home}#{provider_message_id}"].message_id == "m-1"
    assert house.sequences() == [1, 2, 3]


@covers("I9")
def test_a_lost_answer_takes_no_message_that_belongs_to_another() -> None:
    house = House(nomsa_taken("145"), lost(), nomsa_list(nomsa_row("145")), nomsa_list(nomsa_row("145")))
    house.send(request("first"))
    house.send(request("second"))
    house.clock.advance(seconds=15)

    house.follow_up()

    assert house.message("second").status is Status.UNKNOWN
    assert house.message("second").provider_message_id is None


def test_a_lost_answer_takes_the_one_message_that_belongs_to_nobody() -> None:
    house = House(nomsa_taken("145"), lost(), nomsa_list(nomsa_row("145"), nomsa_row("146")))
    house.send(request("first"))
    house.send(request("second"))
    house.clock.advance(seconds=15)

    house.follow_up()

    assert house.message("first").provider_message_id == "145"
    assert house.message("second").provider_message_id == "146"


def test_two_lost_answers_that_look_alike_are_left_unknown() -> None:
    house = House(lost(), lost(), nomsa_list(nomsa_row("145"), nomsa_row("146")))
    house.send(request("first"))
    house.send(request("second"))
    house.clock.advance(seconds=15)

    house.follow_up()

    assert {m.status for m in house.store.messages.values()} == {Status.UNKNOWN}


@pytest.mark.parametrize(
    "row",
    [
        nomsa_row("145", body="Another text"),
        nomsa_row("145", recipient="+85591234599"),
        nomsa_row("145", created_at="2026-11-21T08:00:00.000Z"),
        nomsa_row("145", accepted_at=None, message_id=None),
    ],
    ids=["other text", "other number", "other time", "never accepted"],
)
def test_a_lost_answer_is_not_guessed(row: dict[str, object]) -> None:
    house = House(lost(), nomsa_list(row))
    house.send(request())
    house.clock.advance(seconds=15)

    house.follow_up()

    assert house.message().status is Status.UNKNOWN


@covers("L2", "I1")
def test_not_found_never_leads_to_a_second_send_by_default() -> None:
    house = House(lost(), nomsa_list())
    house.send(request())

    for _ in range(10):
        house.clock.advance(hours=12)
        house.follow_up()
        house.resume()

    assert house.message().status is Status.UNCONFIRMED
    assert sum(r.method == "POST" for r in house.transport.requests) == 1


def test_a_caller_who_prefers_a_duplicate_gets_a_second_send_after_two_misses() -> None:
    house = House(lost(), nomsa_list(), nomsa_list(), nomsa_taken("146"))
    house.send(request(on_unknown="resend"))
    for seconds in (15, 60):
        house.clock.advance(seconds=seconds)
        house.follow_up()

    house.resume()

    assert statuses(house.message()) == [
        Status.SENDING,
        Status.UNKNOWN,
        Status.QUEUED,
        Status.SENDING,
        Status.ACCEPTED,
    ]
    assert house.message().attempt == 2


@covers("L2", "I1")
def test_a_look_that_failed_is_no_miss() -> None:
    house = House(lost(), unreached())
    house.send(request(on_unknown="resend"))

    for _ in range(5):
        house.clock.advance(hours=1)
        house.follow_up()

    assert house.message().status is Status.UNKNOWN


def test_a_vendor_without_list_and_look_up_is_not_called() -> None:
    house = House(nusasms_taken("0017"))
    house.send(request(home="nusasms"))
    house.clock.advance(seconds=15)

    house.follow_up()

    assert len(house.transport.requests) == 1
    assert house.message().due_at == house.clock() + timedelta(seconds=60)


@covers("W1", "I4", "E3")
def test_a_meeting_that_its_sender_left_open_is_completed() -> None:
    house = House(nusasms_taken("0017"))
    house.store.outages = [LinkCorrelation]
    house.send(request(home="nusasms"))
    house.receive("nusasms", "sms-receipt", query="ref_no=0017&status=DELIVERED")
    assert house.message().status is Status.ACCEPTED

    house.clock.advance(seconds=15)
    house.follow_up()

    assert house.message().status is Status.DELIVERED
    assert house.store.buffered["nusasms#0017"].message_id == "m-1"


@covers("P9", "E3")
def test_the_end_of_a_lease_makes_the_message_unknown() -> None:
    house = House(nomsa_taken("145"), nomsa_list(nomsa_row("145")))
    house.store.outages = [Replace]
    house.send(request())

    house.clock.advance(seconds=61)
    house.follow_up()
    house.clock.advance(seconds=60)
    house.follow_up()

    assert statuses(house.message()) == [Status.SENDING, Status.UNKNOWN, Status.ACCEPTED]
    assert house.message().provider_message_id == "145"


@covers("P1")
def test_a_waiting_message_whose_note_was_lost_is_woken() -> None:
    house = House(unreached(), nomsa_taken())
    house.send(request())
    house.queue.wake_ups.clear()

    house.clock.advance(seconds=200)
    house.follow_up()
    house.resume()

    assert house.message().status is Status.ACCEPTED


def test_a_scheduled_message_is_released_when_its_time_comes() -> None:
    house = House()
    house.send(request(send_at="2026-11-22T10:00:00Z"))

    house.clock.now = START + timedelta(days=1)
    house.follow_up()
    house.resume()

    assert statuses(house.message()) == [Status.SCHEDULED, Status.SENDING, Status.ACCEPTED]


@covers("I7")
def test_a_waiting_message_that_expired_fails() -> None:
    house = House(unreached())
    house.send(request(expires_at="2026-11-21T10:01:00Z"))
    house.queue.wake_ups.clear()

    house.clock.advance(seconds=200)
    house.follow_up()

    assert house.message().failure == Failure(reason=Reason.EXPIRED, detail="expires_at: has passed")


@covers("V8", "E1", "E2")
def test_a_provider_that_stays_down_fails_the_message_at_the_horizon() -> None:
    house = House(unreached())
    house.send(request())

    for _ in range(200):
        house.clock.advance(minutes=30)
        house.follow_up()
        house.resume()

    assert house.message().status is Status.FAILED
    assert house.message().failure == Failure(reason=Reason.PROVIDER_ERROR, detail="no connection: refused")
    assert house.message().due_at is None
    assert house.sequences() == list(range(1, house.message().sequence + 1))


@covers("P17", "L1")
def test_two_overlapping_runs_end_like_one() -> None:
    def meanwhile(_: HttpRequest) -> HttpResponse:
        house.transport.replies = [nomsa_list(nomsa_row("145", **DELIVERED))]
        house.follow_up()
        return nomsa_list(nomsa_row("145", status="SENT"))

    house = House(nomsa_taken("145"), meanwhile)
    house.send(request())
    house.clock.advance(seconds=15)

    house.follow_up()

    assert house.message().status is Status.DELIVERED
    assert house.sequences() == [1, 2, 3]


@covers("L2", "I10")
def test_pages_that_never_end_are_left_after_a_few() -> None:
    page = HttpResponse(status=200, body=b'{"has_more": true, "data": []}')
    house = House(lost(), page)
    house.send(request())
    house.clock.advance(seconds=15)

    house.follow_up()

    assert len(house.transport.requests) <= 12


@covers("E1", "E3")
def test_nothing_is_forgotten_after_any_step() -> None:
    house = House(unreached(), lost(), nomsa_list())
    house.send(request("a"), request("b"))
    for _ in range(400):
        assert all((m.due_at is None) == m.status.is_final for m in house.store.messages.values())
        house.clock.advance(minutes=17)
        house.follow_up()
        house.resume()

    assert all(m.status.is_final for m in house.store.messages.values())


def test_history_of_smspoh_is_not_read_once_a_receipt_was_final() -> None:
    house = House(smspoh_taken("AA-1"))
    house.send(request(home="smspoh"))
    house.receive(query="messageId=AA-1&clientReference=m-1&status=Success")
    house.clock.advance(hours=1)

    assert house.follow_up() == 0
    assert len(house.transport.requests) == 1


@pytest.mark.parametrize(("age", "status"), [(5, Status.UNKNOWN), (89, Status.UNKNOWN), (90, Status.DELIVERED)])
def test_what_another_message_may_be_being_sent_as_is_left_alone_for_a_while(age: int, status: Status) -> None:
    later = START + timedelta(minutes=5)
    row = nomsa_row("145", created_at=to_text(later), status="DELIVERED", delivered_at=to_text(later))
    house = House(lost(), nomsa_list(row))
    house.send(request(on_unknown="resend"))

    for _ in range(2):
        house.clock.now = later + timedelta(seconds=age)
        house.store.messages["m-1"] = replace(house.message(), due_at=house.clock())
        house.follow_up()

    assert (house.message().status, house.message().not_found_count) == (status, 0)
