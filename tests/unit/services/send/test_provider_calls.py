"""The duration of each vendor call is measured, and a slow one is logged with its messages.

The outcomes of calls are tested in `test_dispatch.py` and `test_shared_calls.py`.
"""

import pytest

from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.message import Category
from sampai.services.ports.transport import NoResponse
from sampai.services.send.attachments import AttachmentStore
from sampai.services.send.provider_calls import ProviderCalls
from tests.fakes import FixedClock, InMemoryEncryptionKeys, InMemoryMedia, RecordingTelemetry, RecordingTransport
from tests.harness.application import lost, nomsa_taken
from tests.unit.services.send.items import provider, sending_item


def call(seconds: float, reply: HttpResponse | NoResponse) -> RecordingTelemetry:
    """Send a one-time password, and return the telemetry of a call that takes some seconds."""
    clock, telemetry = FixedClock(), RecordingTelemetry()

    def answer(request: HttpRequest) -> HttpResponse | NoResponse:
        clock.advance(seconds=seconds)
        return reply

    attachments = AttachmentStore(
        media=InMemoryMedia(), encryption_keys=InMemoryEncryptionKeys(), new_key=lambda: "key", telemetry=telemetry
    )
    calls = ProviderCalls(
        transport=RecordingTransport(answer), attachments=attachments, clock=clock, telemetry=telemetry
    )
    calls.send(provider("nomsa"), sending_item("m-1", category=Category.OTP).message)
    return telemetry


@pytest.mark.parametrize(
    ("seconds", "reply", "measured"),
    [(0.25, nomsa_taken("145"), 0.25), (2.0, lost(), 2.0), (-1.0, nomsa_taken("145"), 0.0)],
)
def test_the_duration_of_a_call_is_measured_whatever_its_outcome(
    seconds: float, reply: HttpResponse | NoResponse, measured: float
) -> None:
    telemetry = call(seconds, reply)

    assert telemetry.observed == {("VendorLatency", "nomsa", "otp"): [measured]}
    assert telemetry.lines == []


def test_a_call_of_three_seconds_is_logged_with_its_messages() -> None:
    telemetry = call(3.0, lost())

    fields = {"message_ids": ["m-1"], "provider": "nomsa", "seconds": 3.0}
    assert telemetry.lines == [("warning", "slow vendor call", fields)]
