"""A crowd of other messages in the simulators' lists, and the product that finds its own message in it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from local.simulators.server import Simulators
from sampai.adapters.transport import HttpTransport
from sampai.domain.status import Status
from sampai.services.ports.configuration import Secret
from tests.harness.application import RECIPIENTS, Application, request
from tests.unit.local.test_simulators import FAST, LISTS, call

ROWS = 10_000


@pytest.fixture(scope="module")
def simulators() -> Iterator[Simulators]:
    with Simulators(settings=FAST) as running:
        yield running


def crowd(simulators: Simulators, **wanted: Any) -> int:
    return call(simulators, "POST", "/_crowd", body=json.dumps(wanted).encode()).status


@pytest.mark.parametrize(("home", "calls"), [("nomsa", 15), ("smsnoc", 18), ("smspoh", 1)])
def test_lost_message_is_found_in_the_crowded_list_of_a_simulator(
    simulators: Simulators, home: str, calls: int
) -> None:
    transport = HttpTransport()
    vendor = simulators.vendors[home]
    address = {"base_url": f"{simulators.url}/{home}{vendor.api_path}", **vendor.product_settings}
    app = Application(
        lambda wanted: transport.call(wanted, deadline_seconds=10), settings={"providers": {home: address}}
    )
    app.secret.secret = Secret(webhook_tokens=("token",), credentials={home: vendor.credentials})
    app.clock.now = datetime.now(UTC)
    # 18: the message is taken, and the answer is a page.
    app.send(request(home=home, recipient=RECIPIENTS[home][:-2] + "18"))
    assert app.message().status is Status.UNKNOWN
    assert crowd(simulators, vendor=home, rows=ROWS, seconds=900) == 200
    before = len(app.transport.requests)
    app.clock.advance(minutes=20)

    app.follow_up()

    assert app.message().status not in (Status.UNKNOWN, Status.UNCONFIRMED)
    assert len(app.transport.requests) - before <= calls


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ({"vendor": "smsnoc", "rows": 2}, 200),
        ({"vendor": "nusasms", "rows": 2}, 400),
        ({"vendor": "acme", "rows": 2}, 400),
        ({"vendor": "smsnoc", "rows": 0}, 400),
        ({"vendor": "smsnoc", "rows": 2, "seconds": -1}, 400),
    ],
)
def test_crowd_needs_a_vendor_with_a_list_and_a_size(
    simulators: Simulators, wanted: dict[str, Any], status: int
) -> None:
    assert crowd(simulators, **wanted) == status


@pytest.mark.parametrize(
    ("vendor", "number"), [("nomsa", "+85570000001"), ("smsnoc", "8801700000001"), ("smspoh", "959770000001")]
)
def test_crowd_is_listed_and_not_in_the_ledger(vendor: str, number: str) -> None:
    path, headers = LISTS[vendor]
    with Simulators(settings=FAST) as simulators:
        assert crowd(simulators, vendor=vendor, rows=3, seconds=0) == 200

        assert number in call(simulators, "GET", path, headers=headers).body.decode()
        assert call(simulators, "GET", "/_ledger").document == []
