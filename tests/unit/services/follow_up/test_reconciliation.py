"""Matching messages with vendor ids: unknown sends, and correlations that a sender left open."""

import pytest

from sampai.domain.http import HttpResponse
from sampai.domain.status import Status
from sampai.services.ports.correlations import LinkCorrelation
from tests.covers import covers
from tests.fakes import statuses
from tests.harness.application import (
    Application,
    lost,
    nomsa_list,
    nomsa_row,
    nomsa_taken,
    nusasms_taken,
    request,
    smspoh_history,
    smspoh_row,
)

DELIVERED = {"status": "DELIVERED", "delivered_at": "2026-11-21T10:00:05.000Z"}

RECONCILED = [
    ("nomsa", nomsa_list(nomsa_row("145", **DELIVERED)), "145"),
    ("smspoh", smspoh_history(smspoh_row("AA-1", "m-1", "Success")), "AA-1"),
]


@covers("P7", "I4", "E2")
@pytest.mark.parametrize(("home", "history", "provider_message_id"), RECONCILED, ids=[c[0] for c in RECONCILED])
def test_an_unknown_send_is_found_in_the_list(home: str, history: HttpResponse, provider_message_id: str) -> None:
    app = Application(lost(), history)
    app.send(request(home=home))
    app.clock.advance(seconds=60)

    app.follow_up()

    assert statuses(app.message()) == [Status.SENDING, Status.UNKNOWN, Status.DELIVERED]
    assert app.message().provider_message_id == provider_message_id
    assert app.store.buffered[f"{home}#sms#{provider_message_id}"].message_id == "m-1"
    assert app.sequences() == [1, 2, 3]


@covers("I9")
def test_a_row_of_another_message_is_not_claimed() -> None:
    app = Application(nomsa_taken("145"), lost(), nomsa_list(nomsa_row("145")), nomsa_list(nomsa_row("145")))
    app.send(request("first"))
    app.send(request("second"))
    app.clock.advance(seconds=60)

    app.follow_up()

    assert app.message("second").status is Status.UNKNOWN
    assert app.message("second").provider_message_id is None


def test_the_only_unclaimed_row_is_claimed() -> None:
    app = Application(nomsa_taken("145"), lost(), nomsa_list(nomsa_row("145"), nomsa_row("146")))
    app.send(request("first"))
    app.send(request("second"))
    app.clock.advance(seconds=60)

    app.follow_up()

    assert app.message("first").provider_message_id == "145"
    assert app.message("second").provider_message_id == "146"


@pytest.mark.parametrize("listed", [["145"], ["145", "146"]], ids=["one row", "two rows"])
def test_two_unknown_sends_that_look_alike_stay_unknown(listed: list[str]) -> None:
    app = Application(lost(), lost(), nomsa_list(*map(nomsa_row, listed)))
    app.send(request("first"))
    app.send(request("second"))
    app.clock.advance(seconds=60)

    app.follow_up()

    assert {m.status for m in app.store.messages.values()} == {Status.UNKNOWN}


@covers("W1", "I4", "E3")
def test_an_open_correlation_is_completed() -> None:
    app = Application(nusasms_taken("0017"))
    app.store.outages = [LinkCorrelation] * 100
    app.send(request(home="nusasms"))
    app.store.outages = []
    app.receive("nusasms", "sms-receipt", query="ref_no=0017&status=DELIVERED")
    assert app.message().status is Status.ACCEPTED

    app.clock.advance(seconds=60)
    app.follow_up()

    assert app.message().status is Status.DELIVERED
    assert app.store.buffered["nusasms#sms#0017"].message_id == "m-1"
