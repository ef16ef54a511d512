"""Messages in busy accounts: the rows of other messages hide none, and the number of calls is bounded."""

from datetime import datetime, timedelta

import pytest

from benchmarks.growth import accepted_message
from benchmarks.listing_vendor import Crowd, ListingVendors
from sampai.domain.status import Status
from sampai.services.follow_up.listing import MAX_SEARCH_CALLS
from tests.fakes import START
from tests.harness.application import Application, request
from tests.harness.vendors import FakeVendors, Row, Sent, Vendor, deliver, vendor_of
from tests.unit.application.providers import PROVIDERS, new_application

LOST = "takes, and its answer is lost"
NEWER, OLDER = 10_000, 1_000


def crowd(vendor: Vendor, count: int, since: datetime, until: datetime) -> list[Row]:
    """Return rows of other messages at even intervals after `since`."""
    step = (until - since) / count
    return [
        Row(
            vendor=vendor,
            provider_message_id=f"others-{since:%H%M%S}-{number}",
            sent=Sent(f"95977{number:07}", "Your parcel is here"),
            created_at=since + step * (number + 1),
            taken_at=since,
        )
        for number in range(count)
    ]


def busy_application(
    *bodies: str, mood: str = "takes", spread: timedelta = timedelta(minutes=15), pause: int = 0
) -> tuple[Application, FakeVendors]:
    """Send messages to one vendor, with a pause in seconds after each, and with newer and older rows of others.

    The newer rows begin after the first message and are spread over some time, which then has passed.
    """
    vendors = FakeVendors(on_taken=deliver)
    app = new_application(
        vendors, providers=PROVIDERS | {"smsnoc": {"sender": "SampaiBD", "delivered_after_seconds": 0}}
    )
    vendors.clock = app.clock
    vendors.moods = dict.fromkeys(("nomsa", "smsnoc", "smspoh"), mood)
    for body in bodies:
        app.send(body)
        app.clock.advance(seconds=pause)
    vendor = vendor_of(vendors.requests[0])
    vendors.ledger += crowd(vendor, OLDER, START - timedelta(minutes=2), START - timedelta(seconds=1))
    vendors.ledger += crowd(vendor, NEWER, START + timedelta(seconds=1), START + spread)
    vendors.calls.clear()
    app.clock.now = max(app.clock.now, START + spread + timedelta(seconds=1))
    return app, vendors


def statuses_of(app: Application) -> set[Status]:
    return {message.status for message in app.store.messages.values()}


def list_calls(vendors: FakeVendors) -> int:
    return sum(path.endswith(("/sms", "/messages")) for path in vendors.calls)


@pytest.mark.parametrize(("home", "calls"), [("nomsa", 15), ("smsnoc", 18), ("smspoh", 1)])
@pytest.mark.parametrize(
    "spread",
    [
        pytest.param(timedelta(minutes=1), id="in a minute"),
        pytest.param(timedelta(minutes=15), id="in the whole window"),
        pytest.param(timedelta(hours=6), id="in six hours"),
    ],
)
def test_lost_message_is_found_among_ten_thousand_newer_rows(home: str, calls: int, spread: timedelta) -> None:
    app, vendors = busy_application(request(home=home), mood=LOST, spread=spread)

    app.follow_up()

    assert app.message().status is Status.DELIVERED
    assert len(vendors.calls) == list_calls(vendors) <= calls
    assert app.telemetry.measures["ListCalls", home, None] == list_calls(vendors)


@pytest.mark.parametrize("home", ["nomsa", "smsnoc", "smspoh"])
def test_polled_message_costs_one_call_among_ten_thousand_newer_rows(home: str) -> None:
    app, vendors = busy_application(request(home=home))

    app.follow_up()

    assert app.message().status is Status.DELIVERED
    assert len(vendors.calls) == 1


@pytest.mark.parametrize(
    ("home", "calls"),
    [
        pytest.param("nomsa", MAX_SEARCH_CALLS, id="nomsa"),
        pytest.param("smsnoc", MAX_SEARCH_CALLS, id="smsnoc"),
        pytest.param("smspoh", 2 + 6, id="smspoh"),
    ],
)
def test_several_lost_messages_share_a_bounded_search(home: str, calls: int) -> None:
    bodies = [request(f"m-{n}", home=home, recipient=recipient_of(home, n)) for n in range(6)]
    app, vendors = busy_application(*bodies, mood=LOST, pause=60)

    for _ in range(3):
        app.follow_up()
        assert list_calls(vendors) <= calls
        vendors.calls.clear()
        app.clock.advance(minutes=31)

    assert statuses_of(app) == {Status.DELIVERED}


def recipient_of(home: str, number: int) -> str:
    return {"nomsa": "+8559123451", "smsnoc": "+880174497791", "smspoh": "+95977777771"}[home] + str(number)


@pytest.mark.parametrize(
    ("due", "others", "calls"),
    [
        pytest.param(2, NEWER, 1 + 2, id="few in a busy account: a page, then each number"),
        pytest.param(30, NEWER, 1 + 30, id="more in a busy account: a page, then each number"),
        pytest.param(100, 0, 1, id="many in a quiet account: one page"),
    ],
)
def test_smspoh_is_asked_by_number_where_pages_do_not_pay(due: int, others: int, calls: int) -> None:
    vendors = FakeVendors(on_taken=deliver)
    app = Application(vendors)
    app.send(*(request(f"m-{n}", home="smspoh", recipient=f"+9597777777{n:02}") for n in range(due)))
    if others:
        vendors.ledger += crowd(vendor_of(vendors.requests[0]), others, START, START + timedelta(hours=1))
    vendors.calls.clear()
    app.clock.advance(hours=1)

    app.follow_up()

    assert statuses_of(app) == {Status.DELIVERED}
    assert list_calls(vendors) == calls


@pytest.mark.parametrize(
    ("due", "hours", "others", "look_ups", "max_lists"),
    [
        pytest.param(1, 0, 0, 1, 0, id="one message"),
        pytest.param(3_000, 30, 3_000_000, 3_000, 15, id="thousands in a busy account: one list for each pass of 200"),
        pytest.param(150, 0, 0, 0, 2, id="many in a quiet account: as many lists as pages"),
    ],
)
def test_messages_with_ids_are_looked_up_where_a_list_shows_few_of_them(
    due: int, hours: int, others: int, look_ups: int, max_lists: int
) -> None:
    since = START - timedelta(hours=hours, minutes=10)
    step = (START - timedelta(minutes=10) - since) / due
    crowd = Crowd(name="others", count=others, since=since, until=START)
    vendors = ListingVendors(crowds={"nomsa": crowd})
    messages = [accepted_message(f"m-{n}", "nomsa", at=since + step * n, due_at=START) for n in range(due)]
    vendors.messages["nomsa"] = [(since + step * n, f"nomsa-{n}") for n in range(due)]
    app = Application(lambda wanted: vendors.call(wanted, deadline_seconds=1))
    app.store.messages = {message.message_id: message for message in messages}

    app.follow_up()

    assert all(message.lookups == 1 or message.status is Status.DELIVERED for message in app.store.messages.values())
    assert vendors.calls["nomsa look-up"] == look_ups
    assert vendors.calls["nomsa list"] <= max_lists


def test_smspoh_is_read_by_page_for_a_number_abroad() -> None:
    """The vendor documents its filter for numbers in Myanmar only."""
    app, vendors = busy_application(request(home="smspoh", recipient="+66812345678", provider="smspoh"), mood=LOST)

    app.follow_up()

    assert app.message().status is Status.DELIVERED
    assert list_calls(vendors) <= 12


@pytest.mark.parametrize("home", ["nomsa", "smsnoc"])
def test_list_that_is_not_read_to_its_end_proves_no_absence(home: str) -> None:
    body = request(home=home, on_unknown="resend")
    app, vendors = busy_application(body, mood="swallows the request")

    for _ in range(4):
        app.follow_up()
        app.clock.advance(hours=2)

    assert (app.message().status, app.message().not_found_count, app.message().lookups) == (Status.UNKNOWN, 0, 4)
    assert list_calls(vendors) <= 4 * MAX_SEARCH_CALLS


def test_search_goes_on_if_the_nearest_row_belongs_to_another_message() -> None:
    """The vendor's clock is ahead, so the row of the first message has the time of the second attempt."""
    ahead = timedelta(seconds=30)
    app, vendors = busy_application(request("first", home="smsnoc"))
    app.clock.now = START + ahead
    vendors.moods = {"smsnoc": LOST}
    app.send(request("second", home="smsnoc"))
    for row in vendors.ledger:
        row.created_at += ahead if row.sent.text == "Your code is 1234" else timedelta(0)
    app.clock.advance(minutes=20)

    seen = []
    for _ in range(2):
        app.follow_up()
        seen.append(app.message("second").status)
        app.clock.advance(minutes=2)

    assert seen == [Status.UNKNOWN, Status.DELIVERED]
    assert app.message("second").provider_message_id == "smsnoc-2"
