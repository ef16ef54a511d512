"""Matching rows of a vendor's list with messages that have no vendor id."""

from dataclasses import replace
from datetime import timedelta

import pytest

from sampai.domain.message import Channel
from sampai.domain.status import Status
from sampai.domain.times import to_text
from sampai.providers.features import SupportsListing
from sampai.services.follow_up.matching import RowMatcher
from sampai.services.follow_up.results import PollResults
from sampai.services.routing import Routing
from tests.fakes import START
from tests.harness.application import Application, lost, nomsa_list, nomsa_row, nomsa_taken, request


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
def test_a_row_that_differs_does_not_match(row: dict[str, object]) -> None:
    app = Application(lost(), nomsa_list(row))
    app.send(request())
    app.clock.advance(seconds=60)

    app.follow_up()

    assert app.message().status is Status.UNKNOWN


CODE_2222 = "Your code is <2222>"
DELIVERED = {"status": "DELIVERED", "delivered_at": "2026-11-21T10:00:05.000Z"}


@pytest.mark.parametrize(
    ("ours", "listed", "is_ours"),
    [
        (CODE_2222, CODE_2222, True),
        (CODE_2222, "Your code is <1111>", False),
        (CODE_2222, "Your code is", False),
        (CODE_2222, "Your code is &lt;2222&gt;", True),
        ("Your code is <b>2222</b>", "Your code is 2222", True),
        ("Your code is 2222", "Your code is <b>2222</b>", False),
        ("Your code is 2222 <mine>", "Your code is 2222 <yours>", False),
        ("a &lt; b", "a < b", False),
        ("Caf\u00e9", "Cafe\u0301", True),
        ("Your  code\nis 2222", "Your code is 2222", True),
        ("Your code is 2222", "your code is 2222", False),
    ],
)
def test_a_listed_text_is_ours_only_if_the_vendor_may_have_made_it_from_ours(
    ours: str, listed: str, is_ours: bool
) -> None:
    app = Application(lost(), nomsa_list(nomsa_row("145", body=listed, **DELIVERED)))
    app.send(request(content={"type": "text", "text": ours}))
    app.clock.advance(seconds=60)

    app.follow_up()

    assert app.message().status is (Status.DELIVERED if is_ours else Status.UNKNOWN)


@pytest.mark.parametrize(("age", "status"), [(5, Status.UNKNOWN), (89, Status.UNKNOWN), (90, Status.DELIVERED)])
def test_a_row_that_may_be_a_send_in_flight_does_not_match_yet(age: int, status: Status) -> None:
    later = START + timedelta(minutes=5)
    row = nomsa_row("145", created_at=to_text(later), status="DELIVERED", delivered_at=to_text(later))
    app = Application(lost(), nomsa_list(row))
    app.send(request(on_unknown="resend"))

    for _ in range(2):
        app.clock.now = later + timedelta(seconds=age)
        app.store.messages["m-1"] = replace(app.message(), due_at=app.clock())
        app.follow_up()

    assert (app.message().status, app.message().not_found_count) == (status, 0)


@pytest.mark.parametrize("is_named", [True, False], ids=["by its id", "as a candidate"])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["forward", "back"])
def test_strongest_of_two_rows_with_one_id_counts(is_named: bool, order: tuple[int, int]) -> None:
    app = Application(nomsa_taken("145") if is_named else lost())
    app.send(request())
    rows = [nomsa_row("145", status="SENT", sent_at="2026-11-21T10:00:02.000Z"), nomsa_row("145", **DELIVERED)]
    routing, results = Routing(app.settings.current(), app.secret.current()), PollResults()
    provider = routing.provider("nomsa", Channel.SMS)
    assert isinstance(provider, SupportsListing)
    matcher = RowMatcher(provider, [app.message()], results, START + timedelta(minutes=5))

    for number in order:
        matcher.match(provider.parse_list(nomsa_list(rows[number]), 0))

    found = [results.reports["m-1"]] if is_named else results.candidates["m-1"]
    assert [report.status for report in found] == [Status.DELIVERED]
