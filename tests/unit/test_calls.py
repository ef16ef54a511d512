"""No more is asked of vendors and store than a message needs."""

import json
from itertools import count
from urllib.parse import urlsplit

import pytest

from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.status import Status
from tests.harness.application import (
    House,
    lost,
    nomsa_row,
    nomsa_taken,
    request,
    smspoh_history,
    smspoh_row,
    smspoh_taken,
)

DELIVERED = {"status": "DELIVERED", "delivered_at": "2026-11-21T10:00:05.000Z"}


def _nomsa(listed: int) -> tuple[House, list[str]]:
    """Send thirty messages that arrive; each page of the list shows so many of them, and others."""
    asked: list[str] = []

    def answer(wanted: HttpRequest) -> HttpResponse:
        place = urlsplit(wanted.url).path.rpartition("/")[2]
        if wanted.method == "POST":
            return nomsa_taken(str(next(numbers)))
        asked.append(place)
        if place != "sms":
            return nomsa_taken(place, **DELIVERED)
        page = asked.count("sms") - 1
        ours = [nomsa_row(str(n), **DELIVERED) for n in range(page * listed, page * listed + listed)]
        others = [nomsa_row(f"others-{page}-{n}") for n in range(100 - listed)]
        return HttpResponse(status=200, body=json.dumps({"has_more": True, "data": [*ours, *others]}).encode())

    numbers = iter(range(30))
    house = House(answer)
    house.send(*(request(f"m-{n}") for n in range(30)))
    house.clock.advance(seconds=15)
    house.follow_up()
    assert {message.status for message in house.store.messages.values()} == {Status.DELIVERED}
    return house, asked


@pytest.mark.parametrize(("listed", "pages"), [(15, 2), (3, 10), (1, 4), (0, 4)])
def test_a_list_that_shows_few_of_ours_is_left_for_look_ups(listed: int, pages: int) -> None:
    _, asked = _nomsa(listed)

    assert asked.count("sms") == pages
    assert len(asked) == pages + 30 - pages * listed


def test_a_list_by_days_is_read_once_for_messages_of_one_day() -> None:
    rows = [smspoh_row(f"AA-{n}", f"m-{n}", "Success") for n in (1, 2)]
    house = House(smspoh_taken("AA-1", "m-1"), smspoh_taken("AA-2", "m-2"), smspoh_history(*rows))
    house.clock.advance(hours=-5)
    house.send(request("m-1", home="smspoh"))
    house.clock.advance(hours=2)
    house.send(request("m-2", home="smspoh"))
    house.clock.advance(minutes=1)

    house.follow_up()

    assert {message.status for message in house.store.messages.values()} == {Status.DELIVERED}
    assert len(house.transport.requests) == 3


def test_a_report_that_waits_already_is_not_written_again() -> None:
    house = House(lost())
    house.send(request(home="nusasms"))
    house.receive("nusasms", "sms-receipt", query="ref_no=0017&status=DELIVERED")
    before = house.store.buffered["nusasms#0017"]

    house.receive("nusasms", "sms-receipt", query="ref_no=0017&status=DELIVERED")

    # The store makes a new value of every meeting that it writes.
    assert house.store.buffered["nusasms#0017"] is before


def test_a_list_too_long_to_be_read_whole_proves_nothing_about_what_it_did_not_show() -> None:
    rows = count()

    def answer(wanted: HttpRequest) -> HttpResponse:
        if wanted.method == "POST":
            raise AssertionError("sent again")
        page = [smspoh_row(f"others-{next(rows)}", "others") for _ in range(100)]
        document = {"messages": page, "limit": 100, "records": 100_000, "start": 0}
        return HttpResponse(
            status=200, headers={"content-type": "application/json"}, body=json.dumps(document).encode()
        )

    house = House(lost(), answer)
    house.send(request(home="smspoh", on_unknown="resend"))
    for _ in range(4):
        house.clock.advance(minutes=30)
        house.follow_up()
        house.resume()

    assert (house.message().status, house.message().not_found_count) == (Status.UNKNOWN, 0)
    assert len(house.transport.requests) == 1 + 4 * 10
