"""The pure helpers of the benchmarks."""

import json

import pytest

from benchmarks.flow import changes_of
from benchmarks.harness import batch_of, measure_medians, receipt_event
from sampai.domain.webhook_token import webhook_token
from tests.functional.sandbox import TOKEN


@pytest.mark.parametrize("provider", ["nomsa", "smsnoc", "smspoh", "nusasms"])
def test_no_two_requests_of_batches_share_an_id(provider: str) -> None:
    records = [record for _ in range(2) for record in batch_of(100, provider)["Records"]]

    assert len({record["messageId"] for record in records}) == 200
    assert len({json.loads(record["body"])["message_id"] for record in records}) == 200


def test_fields_override_those_of_each_request_of_a_batch() -> None:
    bodies = [json.loads(record["body"]) for record in batch_of(2, category="otp")["Records"]]

    assert [body["category"] for body in bodies] == ["otp", "otp"]


def test_tasks_take_turns_and_the_first_round_does_not_count() -> None:
    done: list[str] = []
    given = {"a": iter([99.0, 3.0, 1.0, 2.0]), "b": iter([99.0, 5.0, 5.0, 90.0])}

    def work(name: str) -> float:
        done.append(name)
        return next(given[name])

    assert measure_medians({"a": lambda: work("a"), "b": lambda: work("b")}, rounds=3) == {"a": 2.0, "b": 5.0}
    assert done == ["a", "b"] * 4


def test_a_receipt_names_message_vendor_id_and_token() -> None:
    receipt = receipt_event("smspoh-receipt-get", message_id="m-1", provider_message_id="smspoh-1")

    assert receipt["pathParameters"] == {
        "provider": "smspoh",
        "kind": "receipt",
        "token": webhook_token(TOKEN, "smspoh"),
    }
    assert receipt["rawQueryString"].startswith("messageId=smspoh-1&status=Delivered&clientReference=m-1&")


def test_a_message_changes_three_times() -> None:
    claimed, accepted, delivered = ({"M": {"status": {"S": word}}} for word in ("sending", "accepted", "delivered"))
    item = {
        "status": {"S": "accepted"},
        "sequence": {"N": "2"},
        "provider_message_id": {"S": "smspoh-1"},
        "history": {"L": [claimed, accepted]},
    }
    last = {
        **item,
        "status": {"S": "delivered"},
        "sequence": {"N": "3"},
        "history": {"L": [claimed, accepted, delivered]},
    }
    first = {"status": {"S": "sending"}, "sequence": {"N": "1"}, "history": {"L": [claimed]}}

    assert changes_of(item, last) == [
        {"eventName": "INSERT", "dynamodb": {"NewImage": first}},
        {"eventName": "MODIFY", "dynamodb": {"OldImage": first, "NewImage": item}},
        {"eventName": "MODIFY", "dynamodb": {"OldImage": item, "NewImage": last}},
    ]
