"""Publishing: a batch of the stream becomes events, the same ones each time."""

from dataclasses import replace

import pytest

from sampai.domain.inbound import Inbound
from sampai.domain.message import Channel
from sampai.services.ports.runtime import UnavailableError
from sampai.services.publish import publish, publish_received
from tests.covers import covers
from tests.fakes import START, RecordingBus
from tests.harness.application import House, request, smspoh_taken

INBOUND = Inbound(
    provider="nusasms", channel=Channel.SMS, provider_message_id="0017", sender="+6281234567810", text="Hi"
)


@covers("P16", "D8", "E2")
def test_a_batch_that_is_published_again_has_the_same_events() -> None:
    house = House(smspoh_taken("AA-1"))
    house.send(request(home="smspoh"))
    accepted = house.message()
    house.receive(query="messageId=AA-1&clientReference=m-1&status=Success")
    revisions = [accepted, replace(accepted, revision=accepted.revision + 1), house.message()]
    changes = list(zip([None, *revisions], revisions, strict=False))
    bus = RecordingBus()

    bus.is_down = True
    with pytest.raises(UnavailableError):
        publish(changes, bus=bus)
    bus.is_down = False
    publish(changes, bus=bus)
    publish(changes, bus=bus)

    published = [(event.detail["sequence"], event.detail["status"]) for event in bus.events]
    assert published == [(2, "accepted"), (3, "delivered")] * 2
    assert bus.events[:2] == bus.events[2:]


@covers("P16", "D8")
def test_a_bus_that_is_down_raises_so_that_the_stream_repeats_the_batch() -> None:
    bus = RecordingBus()
    bus.is_down = True

    with pytest.raises(UnavailableError):
        publish_received([(INBOUND, START)], bus=bus)
