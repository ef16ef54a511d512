"""Reading a vendor's list: a limited number of pages, each of them once, and whether they are all."""

from datetime import timedelta

import pytest

from sampai.domain.http import HttpResponse
from sampai.domain.status import Status
from sampai.providers.base import ProviderConfig
from sampai.providers.features import ListQuery
from sampai.providers.nomsa.sms import Nomsa
from sampai.services.follow_up.reader import MAX_PAGES, PollFailedError, VendorReader
from tests.covers import covers
from tests.fakes import START, RecordingTransport, Reply, new_pacer
from tests.harness.application import (
    Application,
    lost,
    nomsa_row,
    request,
    smspoh_history,
    smspoh_row,
    smspoh_taken,
    unauthorized,
    unreached,
)
from tests.harness.vendors import json_response

NOMSA = Nomsa(ProviderConfig(base_url="https://nomsa.example", credentials={"api_key": "a_v1_key"}))
HOUR = ListQuery(since=START, until=START + timedelta(hours=1))


def reader_of(*replies: Reply, remaining: float = 50.0) -> VendorReader:
    return VendorReader(transport=RecordingTransport(*replies), remaining=lambda: remaining, pacer=new_pacer())


def page(*ids: str, has_more: bool) -> HttpResponse:
    return json_response(200, {"has_more": has_more, "data": [nomsa_row(name) for name in ids]})


@covers("L2")
@pytest.mark.parametrize(
    ("replies", "read"),
    [
        pytest.param([page("1", has_more=True), page("2", has_more=False)], [False, True], id="to the end"),
        pytest.param([page(has_more=False)], [True], id="an empty list"),
        pytest.param([page(has_more=True)], [False], id="an empty page, although more are promised"),
        pytest.param([page("1", "2", has_more=True)], [False, False], id="pages that repeat"),
        pytest.param([page("1", has_more=True), page("1", has_more=False)], [False, False], id="a repeated last page"),
    ],
)
def test_last_page_says_whether_the_list_was_read_to_its_end(replies: list[Reply], read: list[bool]) -> None:
    assert [found.is_last for found in reader_of(*replies).pages(NOMSA, HOUR)] == read


def test_list_that_is_cut_was_not_read_to_its_end() -> None:
    replies = [page(str(number), has_more=True) for number in range(MAX_PAGES + 5)]

    assert [found.is_last for found in reader_of(*replies).pages(NOMSA, HOUR)] == [False] * MAX_PAGES
    assert [found.is_last for found in reader_of(*replies).pages(NOMSA, HOUR, limit=2)] == [False] * 2


def test_only_calls_that_brought_a_page_are_counted_and_each_page_is_read_once() -> None:
    reader = reader_of(page("1", has_more=True), page("2", has_more=False), unauthorized())

    for _ in range(2):
        assert len(list(reader.pages(NOMSA, HOUR))) == 2
    with pytest.raises(PollFailedError, match=r"HTTP 401"):
        reader.page(NOMSA, HOUR, 2)

    assert reader.list_calls == 2


def test_nothing_is_read_after_a_call_without_a_response_or_without_time() -> None:
    silent, late = reader_of(unreached(), page("1", has_more=False)), reader_of(remaining=17.0)

    for reader, why in ((silent, "refused"), (silent, "no response to an earlier call"), (late, "no time left")):
        with pytest.raises(PollFailedError, match=why):
            reader.page(NOMSA, HOUR, 0)


@covers("L2", "I10")
def test_endless_pages_are_read_up_to_a_limit() -> None:
    app = Application(lost(), page(has_more=True))
    app.send(request())
    app.clock.advance(seconds=60)

    app.follow_up()

    assert len(app.transport.requests) <= 12


def test_a_page_that_covers_two_windows_is_read_once() -> None:
    rows = [smspoh_row(f"AA-{n}", f"m-{n}", "Success") for n in (1, 2)]
    app = Application(smspoh_taken("AA-1", "m-1"), smspoh_taken("AA-2", "m-2"), smspoh_history(*rows))
    app.clock.advance(hours=-5)
    app.send(request("m-1", home="smspoh"))
    app.clock.advance(hours=2)
    app.send(request("m-2", home="smspoh"))
    app.clock.advance(minutes=3)

    app.follow_up()

    assert {message.status for message in app.store.messages.values()} == {Status.DELIVERED}
    assert len(app.transport.requests) == 3
