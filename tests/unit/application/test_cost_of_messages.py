"""The cost of an SMS, as SMS NOC tells it."""

from collections.abc import Callable
from typing import Any

from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.status import Status
from tests.fakes import Reply
from tests.harness.application import Application, lost, request
from tests.harness.vendors import json_response

ROW = {"uid": "609681630f78b", "to": "8801744977910", "message": "Your code is 1234"}


def answer(**fields: Any) -> HttpResponse:
    return json_response(200, {"status": "success", "data": {**ROW, **fields}})


def row(**fields: Any) -> Callable[[HttpRequest], HttpResponse]:
    """Return a reply with one row: as the answer to a look-up, or in a list."""

    def reply(sent: HttpRequest) -> HttpResponse:
        is_lookup = sent.url.endswith(f"/{ROW['uid']}")
        listed = {"data": [{**ROW, **fields}], "next_page_url": None}
        return json_response(200, {"status": "success", "data": {**ROW, **fields} if is_lookup else listed})

    return reply


def costs_told(*replies: Reply) -> list[tuple[str, str | None]]:
    """Send an SMS, poll it once for each further answer, and return the status and the cost of each event."""
    app = Application(*replies, settings={"providers": {"smsnoc": {"sender": "SampaiBD"}}})
    app.send(request(home="smsnoc"))
    for _ in replies[1:]:
        app.clock.advance(minutes=15)
        app.follow_up()
    assert [message.cost for message in app.store.messages.values()] == [app.store.events[-1].detail["cost"]]
    return [(event.detail["status"], event.detail["cost"]) for event in app.store.events]


def test_cost_in_the_answer_to_a_send_is_told_from_then_on() -> None:
    told = costs_told(answer(status="Queued", cost="0.35"), row(status="Delivered"))

    assert told == [(Status.SENDING, None), (Status.ACCEPTED, "0.35"), (Status.DELIVERED, "0.35")]


def test_cost_in_a_poll_that_moves_nothing_is_told_with_the_next_change() -> None:
    told = costs_told(answer(status="Queued"), row(status="Queued", cost="0.35"), row(status="Delivered"))

    assert told == [(Status.SENDING, None), (Status.ACCEPTED, None), (Status.DELIVERED, "0.35")]


def test_cost_of_an_unknown_send_is_found_with_it() -> None:
    told = costs_told(lost(), row(status="Delivered", cost="0.35", created_at="2026-11-21 16:00:00"))

    assert told == [(Status.SENDING, None), (Status.UNKNOWN, None), (Status.DELIVERED, "0.35")]
