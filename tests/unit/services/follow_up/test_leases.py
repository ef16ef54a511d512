"""Leases of workers that are gone."""

from sampai.domain.status import Status
from sampai.services.ports.messages import Replace
from tests.covers import covers
from tests.fakes import statuses
from tests.harness.application import House, lost, nomsa_list, nomsa_row, request


@covers("P9", "E3")
def test_an_expired_lease_makes_the_message_unknown() -> None:
    house = House(lost(), nomsa_list(nomsa_row("145")))
    house.store.outages = [Replace] * 100
    house.send(request())
    house.store.outages = []

    house.clock.advance(seconds=61)
    house.follow_up()
    house.clock.advance(seconds=60)
    house.follow_up()

    assert statuses(house.message()) == [Status.SENDING, Status.UNKNOWN, Status.ACCEPTED]
    assert house.message().provider_message_id == "145"
    assert house.telemetry.counts["LeaseExpired", "nomsa"] == 1
