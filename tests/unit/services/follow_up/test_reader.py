"""Reading a vendor's list: a limited number of pages, each of them once."""

from sampai.domain.http import HttpResponse
from sampai.domain.status import Status
from tests.covers import covers
from tests.harness.application import Application, lost, request, smspoh_history, smspoh_row, smspoh_taken


@covers("L2", "I10")
def test_endless_pages_are_read_up_to_a_limit() -> None:
    page = HttpResponse(status=200, body=b'{"has_more": true, "data": []}')
    app = Application(lost(), page)
    app.send(request())
    app.clock.advance(seconds=15)

    app.follow_up()

    assert len(app.transport.requests) <= 12


def test_a_page_that_covers_two_windows_is_read_once() -> None:
    rows = [smspoh_row(f"AA-{n}", f"m-{n}", "Success") for n in (1, 2)]
    app = Application(smspoh_taken("AA-1", "m-1"), smspoh_taken("AA-2", "m-2"), smspoh_history(*rows))
    app.clock.advance(hours=-5)
    app.send(request("m-1", home="smspoh"))
    app.clock.advance(hours=2)
    app.send(request("m-2", home="smspoh"))
    app.clock.advance(minutes=1)

    app.follow_up()

    assert {message.status for message in app.store.messages.values()} == {Status.DELIVERED}
    assert len(app.transport.requests) == 3
