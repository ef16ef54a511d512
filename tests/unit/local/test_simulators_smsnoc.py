"""The simulator of SMS NOC says too much too early, like the panel: refusals of taken messages, and `Delivered`."""

from collections.abc import Iterator
from typing import Any

import pytest

from local.simulators.server import Simulators
from local.simulators.settings import Settings
from sampai.domain.http import HttpResponse
from sampai.domain.outcome import NotTaken, Outcome, Unknown
from sampai.providers.base import ProviderConfig
from sampai.providers.smsnoc import SmsNoc
from tests.unit.local.test_simulators import (
    FROZEN,
    SMSNOC_AUTH,
    STANDS,
    Answer,
    call,
    ledger,
    send_smsnoc,
)
from tests.unit.local.test_simulators_lists import LIST, change, send_campaign

NUMBER = "88017449779"
FINISHED = Settings(sent_seconds=0.0, final_seconds=0.0)
SENT = Settings(sent_seconds=0.0, final_seconds=1000.0)


@pytest.fixture(scope="module")
def simulators() -> Iterator[Simulators]:
    with Simulators(settings=FROZEN) as running:
        yield running


@pytest.fixture
def panel(simulators: Simulators) -> Simulators:
    call(simulators, "POST", "/_reset")
    change(simulators, **FROZEN.shown())
    return simulators


def rows(panel: Simulators, query: str = "") -> list[dict[str, Any]]:
    document = call(panel, "GET", f"/smsnoc/api/v3/sms?{query}", headers=SMSNOC_AUTH).document
    found: list[dict[str, Any]] = document["data"]["data"]
    return found


def words(panel: Simulators) -> list[str]:
    """Return the words of all rows, the oldest first."""
    return [row["status"] for row in reversed(rows(panel))]


def outcome_of(answer: Answer) -> Outcome:
    provider = SmsNoc(ProviderConfig(base_url="https://smsnoc.example", credentials={"api_token": "1|t"}))
    return provider.parse_send(HttpResponse(status=answer.status, body=answer.body))


TIMED_OUT = "cURL error 28: Operation timed out after 30001 milliseconds with 0 bytes received"


def test_a_message_that_was_taken_is_refused_in_four_ways_and_listed(panel: Simulators) -> None:
    answers = [send_smsnoc(panel, NUMBER + "29") for _ in range(4)]

    assert [(answer.status, answer.document) for answer in answers] == [
        (403, {"status": "error", "message": "Failed"}),
        (200, {"status": "error", "message": "SQLSTATE[HY000]: General error: 2006 MySQL server has gone away"}),
        (403, {"status": "error", "message": TIMED_OUT}),
        (403, {"status": "error", "message": "Service Unavailable"}),
    ]
    assert {type(outcome_of(answer)) for answer in answers} == {Unknown}
    assert len(ledger(panel, "smsnoc")) == 4
    assert words(panel) == ["Failed", "Delivered|15734", TIMED_OUT, "Service Unavailable"]
    change(panel, **FINISHED.shown())
    assert words(panel) == ["Delivered"] * 4


@pytest.mark.parametrize("vendor", ["nomsa", "smspoh", "nusasms"])
def test_another_vendor_answers_for_such_a_message_with_an_internal_error(panel: Simulators, vendor: str) -> None:
    stand = STANDS[vendor]

    answer = stand.send(panel, stand.number + "29")

    assert (answer.status, stand.server_error in answer.body.decode()) == (500, True)
    assert len(ledger(panel, vendor)) == 1


def test_a_message_that_did_not_arrive_is_shown_as_delivered_until_its_receipt(panel: Simulators) -> None:
    assert send_smsnoc(panel, NUMBER + "30").document["data"]["status"] == "Delivered"

    shown = []
    for settings in (FROZEN, SENT, FINISHED):
        change(panel, **settings.shown())
        shown += words(panel)
    assert shown == ["Delivered|15734", "Delivered|15734", "Undelivered"]


def test_progress_has_many_words(panel: Simulators) -> None:
    for _ in range(6):
        send_smsnoc(panel, NUMBER + "31")

    shown = []
    for settings in (FROZEN, SENT, FINISHED):
        change(panel, **settings.shown())
        shown.append(words(panel))
    assert shown == [
        ["Queued", "Accepted", "Sending"] * 2,
        ["Sent", "Submitted", "Success", "Buffered", "In Transit", "Enroute"],
        ["Delivered"] * 6,
    ]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("Purchased plan is not active. Please contact support team.", 404),
        ("Customer not found", 404),
        ("No sending server available for your subscribed plan", 403),
    ],
)
def test_a_problem_of_the_account_refuses_every_send(panel: Simulators, text: str, status: int) -> None:
    change(panel, smsnoc_account_error=text)

    answers = [send_smsnoc(panel, NUMBER + "10"), send_campaign(panel, LIST + "10")]

    assert {(answer.status, answer.document["message"]) for answer in answers} == {(status, text)}
    assert {type(outcome_of(answer)) for answer in answers} == {NotTaken}
    assert ledger(panel, "smsnoc") == []


def test_times_are_in_the_zone_of_the_panel_and_the_uid_is_free_of_it(panel: Simulators) -> None:
    change(panel, smsnoc_timezone="Asia/Manila")
    send_smsnoc(panel, NUMBER + "10")
    (manila,) = rows(panel)
    change(panel, smsnoc_timezone="Asia/Dhaka")
    (dhaka,) = rows(panel)

    provider = SmsNoc(ProviderConfig(base_url="https://smsnoc.example", credentials={"api_token": "1|t"}))
    listed = call(panel, "GET", "/smsnoc/api/v3/sms", headers=SMSNOC_AUTH)
    (entry,) = provider.parse_list(HttpResponse(status=200, body=listed.body), 0).entries
    created_at = panel.world.ledger.rows("smsnoc")[0].created_at

    assert (int(manila["sent_at"][11:13]) - int(dhaka["sent_at"][11:13])) % 24 == 2
    assert entry.created_at is not None
    assert abs(entry.created_at.timestamp() - created_at) < 0.1
