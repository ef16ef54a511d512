"""Vendors' answers that other clients read, on kept connections: nothing is lost, and no call gets another's answer."""

import pytest

from local.simulators.rudeness import TRICKS
from local.simulators.server import Simulators
from local.simulators.settings import Settings
from sampai.adapters.transport import HttpTransport
from sampai.domain.http import HttpRequest, HttpResponse
from tests.covers import covers
from tests.servers import PATIENCE

pytestmark = pytest.mark.usefixtures("no_call_hangs")


@covers("V2", "V3")
def test_each_answer_of_a_rude_vendor_is_read_like_a_polite_one() -> None:
    polite = read_answers(is_rude=False)

    assert len(polite) == 2 * len(TRICKS)
    assert read_answers(is_rude=True) == polite


def read_answers(*, is_rude: bool) -> list[tuple[int, object]]:
    """Return the status and the document of two answers for each trick."""
    transport = HttpTransport()
    with Simulators(settings=Settings(rude=is_rude)) as simulators:
        request = HttpRequest.get(f"{simulators.url}/nomsa/v1/transactional/sms", headers={})
        answers = [transport.call(request, deadline_seconds=PATIENCE) for _ in range(2 * len(TRICKS))]
        transport.close()
    return [(answer.status, answer.json()) for answer in answers if isinstance(answer, HttpResponse)]
