"""The instruments of the benchmarks for growth and receipts: they count like DynamoDB and list like vendors."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from benchmarks.dynamo import CountingDynamo
from benchmarks.growth import TABLES, accepted_message, run_follow_up
from benchmarks.listing_vendor import Crowd, ListingVendors
from benchmarks.receive import CASES, count_case
from sampai.adapters.items import to_item
from sampai.adapters.store import DynamoStore
from sampai.domain.http import HttpRequest
from sampai.domain.message import defer
from sampai.domain.times import to_text
from sampai.services.ports.messages import DueFamily, Insert, Replace
from tests.fakes import START, FixedClock, RecordingTelemetry


def _store() -> tuple[CountingDynamo, DynamoStore]:
    client = CountingDynamo(**TABLES)
    return client, DynamoStore(
        client,
        messages_table="messages",
        correlations_table="correlations",
        clock=FixedClock(),
        telemetry=RecordingTelemetry(),
    )


def test_cost_of_a_message_is_counted() -> None:
    client, store = _store()
    message = accepted_message("m-1", "nomsa", at=START, due_at=START)

    store.commit([Insert(message=message)])
    store.commit([Insert(message=message)])
    later = defer(message, now=START, due_at=START + timedelta(hours=1))
    store.commit([Replace(before=message, message=later)])
    store.commit([Replace(before=message, message=defer(message, now=START, due_at=START))])

    # A batch each, and a read of the item that conflicts with the second insert.
    assert client.requests == Counter(BatchExecuteStatement=4, BatchGetItem=1)
    # 1 and an index entry; refused; 1, an entry removed and one added; refused.
    assert (client.writes, client.refused, client.write_units, client.read_units) == (4, 2, 2 + 1 + 3 + 1, 1)
    assert client.tables["messages"].items() == [to_item(later)]


def test_query_returns_the_longest_due_and_costs_no_more() -> None:
    client, store = _store()
    messages = [
        accepted_message(f"m-{n}", "nomsa", at=START, due_at=START + timedelta(seconds=n - 50))
        for n in reversed(range(100))
    ]
    for message in messages:
        client.tables["messages"].put(to_item(message))

    assert store.due(START, 20, family=DueFamily.CLAIMED) == [f"m-{n}" for n in range(20)]
    assert (client.requests, client.read_units) == (Counter(Query=8), 4.0)


def test_many_items_may_share_one_due_time() -> None:
    client, store = _store()
    table = client.tables["messages"]
    items = {f"m-{n}": to_item(accepted_message(f"m-{n}", "nomsa", at=START, due_at=START)) for n in range(1000)}
    item = items["m-0"]
    same = [name for name, other in items.items() if other["due_shard"] == item["due_shard"]][:3]
    for name in reversed(same):
        table.load(name, {key: value for key, value in item.items() if key != "message_id"})
    table.sort_index()

    assert store.due(START, 2, family=DueFamily.CLAIMED) == same[:2]
    assert set(store.read(same)) == set(same)


@pytest.mark.parametrize(("vendor", "pages"), [("nomsa", 3), ("smsnoc", 9), ("smspoh", 3)])
def test_list_has_all_rows_in_pages_newest_first(vendor: str, pages: int) -> None:
    vendors = ListingVendors(
        messages={vendor: [(START, f"{vendor}-{n}") for n in range(10)]},
        crowds={vendor: Crowd(name="crowd", count=200, since=START - timedelta(minutes=1), until=START)},
    )

    found = [name for page in range(pages) for name in _rows(vendors, vendor, page)]

    assert found[:10] == [f"{vendor}-{n}" for n in reversed(range(10))]
    assert found[10:] == [f"crowd-{n}" for n in reversed(range(200))]
    assert vendors.calls == {f"{vendor} list": pages}


def _rows(vendors: ListingVendors, vendor: str, page: int) -> list[str]:
    since, until = to_text(START - timedelta(hours=1)), to_text(START + timedelta(hours=1))
    lists: dict[str, tuple[str, dict[str, str], Callable[[Any], list[dict[str, str]]], str]] = {
        "nomsa": (
            "https://api.nomsa.gov.kh/v1/transactional/sms",
            {"limit": "100", "offset": str(page * 100), "created_at[gte]": since, "created_at[lte]": until},
            lambda document: document["data"],
            "id",
        ),
        "smsnoc": (
            "https://app.smsnoc.com/api/v3/sms",
            {"page": str(page + 1), "start_date": "2026-11-21 15:00:00", "end_date": "2026-11-21 17:00:00"},
            lambda document: document["data"]["data"],
            "uid",
        ),
        "smspoh": (
            "https://v3.smspoh.com/api/rest/messages",
            {
                "limit": "100",
                "page": str(page + 1),
                "filterByCreatedDateFrom": "2026-11-21",
                "filterByCreatedDateTo": "2026-11-21",
            },
            lambda document: document["messages"],
            "messageId",
        ),
    }
    url, query, rows, name = lists[vendor]
    response: Any = vendors.call(HttpRequest.get(url, query=query, headers={}), deadline_seconds=1)
    return [row[name] for row in rows(response.json())]


def test_run_costs_the_same_for_any_number_in_flight() -> None:
    assert run_follow_up(10, is_separate=True) == run_follow_up(2_000, is_separate=True)


GET, UPDATE, BATCH = "BatchGetItem", "UpdateItem", "BatchExecuteStatement"


def test_each_receipt_makes_these_requests_to_dynamodb() -> None:
    counted = {case.name: count_case(case) for case in CASES}

    assert {name: (sorted(client.requests.elements()), client.writes) for name, client in counted.items()} == {
        "our reference": ([BATCH, GET], 1),
        "our reference, repeated": ([GET], 0),
        "our reference, older status": ([GET], 0),
        "our reference, newer status": ([BATCH, GET], 1),
        "our reference, before the vendor's response": ([BATCH, GET, UPDATE], 2),
        "vendor's id": ([BATCH, GET, GET], 1),
        "vendor's id, repeated": ([GET, GET], 0),
        "unknown vendor's id": ([GET, UPDATE], 1),
        "unknown vendor's id, repeated": ([GET], 0),
    }
    assert all(client.refused == 0 for client in counted.values())
