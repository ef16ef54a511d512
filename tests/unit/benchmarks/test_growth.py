"""The benchmarks of growth and receipts: request counts of DynamoDB, and message lists of vendors."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from benchmarks.dynamo import CountingDynamo
from benchmarks.growth import TABLES, accepted, followed_up
from benchmarks.listing_vendor import Crowd, ListingVendors
from benchmarks.receive import CASES, count_case
from sampai.adapters.items import due_shard_of, to_item
from sampai.adapters.store import DynamoStore
from sampai.domain.http import HttpRequest
from sampai.domain.message import defer
from sampai.domain.times import to_text
from sampai.services.ports.messages import Insert, Replace
from tests.fakes import START, FixedClock


def _store() -> tuple[CountingDynamo, DynamoStore]:
    client = CountingDynamo(**TABLES)
    return client, DynamoStore(client, messages_table="messages", correlations_table="correlations", clock=FixedClock())


def test_the_requests_and_units_of_a_message_are_counted() -> None:
    client, store = _store()
    message = accepted("m-1", "nomsa", at=START, due_at=START)

    store.commit([Insert(message=message)])
    store.commit([Insert(message=message)])
    later = defer(message, now=START, due_at=START + timedelta(hours=1))
    store.commit([Replace(before=message, message=later)])
    store.commit([Replace(before=message, message=defer(message, now=START, due_at=START))])

    # One batch per commit, and a read of the item that conflicts with the second insert.
    assert client.requests == Counter(BatchExecuteStatement=4, BatchGetItem=1)
    # Write and index entry; rejected; write, removed index entry and new index entry; rejected.
    assert (client.writes, client.refused, client.write_units, client.read_units) == (4, 2, 2 + 1 + 3 + 1, 1)
    assert client.tables["messages"].items() == [to_item(later)]


def test_a_query_reads_and_pays_only_the_earliest_due_messages() -> None:
    client, store = _store()
    messages = [
        accepted(f"m-{n}", "nomsa", at=START, due_at=START + timedelta(seconds=n - 50)) for n in reversed(range(100))
    ]
    for message in messages:
        client.tables["messages"].put(to_item(message))

    assert store.due(START, 20) == [f"m-{n}" for n in range(20)]
    assert (client.requests, client.read_units) == (Counter(Query=8), 4.0)


def test_loaded_messages_can_share_one_item() -> None:
    client, store = _store()
    table = client.tables["messages"]
    item = to_item(accepted("m-0", "nomsa", at=START, due_at=START))
    same = [name for name in (f"m-{n}" for n in range(1000)) if due_shard_of(name) == due_shard_of("m-0")][:3]
    for name in reversed(same):
        table.load(name, {key: value for key, value in item.items() if key != "message_id"})
    table.settle()

    assert store.due(START, 2) == same[:2]
    assert set(store.read(same)) == set(same)


@pytest.mark.parametrize(("vendor", "pages"), [("nomsa", 3), ("smsnoc", 9), ("smspoh", 3)])
def test_a_list_has_all_messages_in_pages_and_the_newest_first(vendor: str, pages: int) -> None:
    vendors = ListingVendors(
        known={vendor: [(START, f"{vendor}-{n}") for n in range(10)]},
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


def test_a_run_costs_the_same_for_any_number_of_messages_in_flight() -> None:
    assert followed_up(10, is_apart=True) == followed_up(2_000, is_apart=True)


GET, UPDATE, BATCH = "BatchGetItem", "UpdateItem", "BatchExecuteStatement"


def test_the_dynamodb_requests_of_each_receipt_are_counted() -> None:
    counted = {case.what: count_case(case) for case in CASES}

    assert {what: (sorted(client.requests.elements()), client.writes) for what, client in counted.items()} == {
        "by our reference": ([BATCH, GET], 1),
        "by our reference, again": ([GET], 0),
        "by our reference, overtaken": ([GET], 0),
        "by our reference, stronger": ([BATCH, GET], 1),
        "by our reference, before the vendor's answer": ([BATCH, GET, UPDATE], 2),
        "by the vendor's id": ([BATCH, GET, GET], 1),
        "by the vendor's id, again": ([GET, GET], 0),
        "by the vendor's id, nobody's yet": ([GET, UPDATE], 1),
        "by the vendor's id, nobody's yet, again": ([GET], 0),
    }
    assert all(client.refused == 0 for client in counted.values())
