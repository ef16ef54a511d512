"""Leases of workers that are gone."""

from sampai.domain.status import Status
from sampai.services.ports.messages import Replace
from tests.covers import covers
from tests.fakes import statuses
from tests.harness.application import Application, lost, nomsa_list, nomsa_row, request


@covers("P9", "E3")
def test_an_expired_lease_makes_the_message_unknown() -> None:
    app = Application(lost(), nomsa_list(nomsa_row("145")))
    app.store.outages = [Replace] * 100
    app.send(request())
    app.store.outages = []

    app.clock.advance(seconds=61)
    app.follow_up()
    app.clock.advance(seconds=60)
    app.follow_up()

    assert statuses(app.message()) == [Status.SENDING, Status.UNKNOWN, Status.ACCEPTED]
    assert app.message().provider_message_id == "145"
    assert app.telemetry.counts["LeaseExpired", "nomsa"] == 1
