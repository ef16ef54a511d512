"""Items of the next and of the previous release in the tables: each function does its work on all the others."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from sampai.domain.times import to_text
from tests.functional.sandbox import Deployment

PAST: Final = {"S": "2020-01-01T00:00:00.000Z"}
IDS: Final = [f"m-{n}" for n in range(10)]

# Items of the next release -------------------------------------------------------------------------------------------

UNREADABLE: Final[Mapping[str, dict[str, Any]]] = {
    "status": {"status": {"S": "paused"}},
    "channel": {"channel": {"S": "carrier_pigeon"}},
    "another type": {"route": {"S": "nomsa"}},
}

READABLE: Final[Mapping[str, dict[str, Any]]] = {
    "attribute": {"priority": {"N": "7"}, "schema_version": {"N": "2"}},
    "content": {"content": {"M": {"type": {"S": "poll"}, "question": {"S": "Tea?"}}}},
    "category": {"category": {"S": "marketing"}},
    "reason": {"failure": {"M": {"reason": {"S": "quiet_hours"}, "until": {"N": "7"}}}},
    "encoding": {"encoding": {"S": "gsm8"}, "segments": {"N": "2"}, "cost": {"S": "1.20"}},
    "source": {
        "history": {
            "L": [{"M": {"status": {"S": "paused"}, "at": PAST, "source": {"S": "operator"}, "by": {"S": "a"}}}]
        }
    },
    "date": {"expires_at": {"S": "9999-12-31T23:59:59.999Z"}},
}

# Items of the previous release ---------------------------------------------------------------------------------------

MISSING: Final = (
    *("route", "metadata", "history", "category", "on_unknown", "updated_at", "occurred_at", "sequence"),
    *("segments", "encoding"),
)


def sms(message_id: str, number: int = 0, **changes: Any) -> dict[str, Any]:
    content = {"type": "text", "text": f"Message {message_id}"}
    return {"message_id": message_id, "recipient": f"+8559123451{number}", "content": content, **changes}


def batch(*requests: Mapping[str, Any]) -> dict[str, Any]:
    """Return an SQS event with the record ids `r-0`, `r-1` …"""
    records = [{"messageId": f"r-{n}", "body": json.dumps(request)} for n, request in enumerate(requests)]
    return {"Records": records}


def change(deployment: Deployment, message_id: str, attributes: Mapping[str, Any]) -> None:
    """Change a stored message as another release would; None removes an attribute."""
    names = {f"#{n}": name for n, name in enumerate(attributes)}
    values = {f":{n}": value for n, value in enumerate(attributes.values()) if value is not None}
    sets = [f"#{n} = :{n}" for n, value in enumerate(attributes.values()) if value is not None]
    removed = [f"#{n}" for n, value in enumerate(attributes.values()) if value is None]
    parts = [f"SET {', '.join(sets)}" if sets else "", f"REMOVE {', '.join(removed)}" if removed else ""]
    deployment.client("dynamodb").update_item(
        TableName=deployment.messages,
        Key={"message_id": {"S": message_id}},
        UpdateExpression=" ".join(parts),
        ExpressionAttributeNames=names,
        **({"ExpressionAttributeValues": values} if values else {}),
    )


def put(deployment: Deployment, table: str, **attributes: Any) -> None:
    deployment.client("dynamodb").put_item(TableName=table, Item=attributes)


def item(deployment: Deployment, message_id: str) -> dict[str, Any]:
    return next(i for i in deployment.items(deployment.messages) if i["message_id"] == {"S": message_id})


def unreadable_count(printed: str) -> int:
    """Return how many unreadable items the functions counted."""
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    return int(sum(sum(line.get("ItemUnreadable", [0])) for line in lines if "_aws" in line))


def send_ten(deployment: Deployment) -> None:
    answer = deployment.call("send", batch(*(sms(message_id, n) for n, message_id in enumerate(IDS))))
    assert answer == {"batchItemFailures": []}


# --- each function ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", UNREADABLE)
def test_follow_up_ends_nine_messages_beside_an_unreadable_one(
    kind: str, deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    send_ten(deployment)
    for message_id in IDS:
        change(deployment, message_id, {"due_at": PAST})
    change(deployment, "m-0", UNREADABLE[kind])
    before = item(deployment, "m-0")
    started_at = datetime.now(UTC)

    assert deployment.invoke("follow_up/every-minute") == {"followed_up": 10}

    after = item(deployment, "m-0")
    assert {i: deployment.table()[i] for i in IDS[1:]} == dict.fromkeys(IDS[1:], "delivered")
    assert after == before | {"due_at": after["due_at"]}
    assert after["due_at"]["S"] > to_text(started_at + timedelta(minutes=59))
    assert unreadable_count(capsys.readouterr().out) > 0
    assert deployment.invoke("follow_up/every-minute") == {"followed_up": 0}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_send_delivers_nine_requests_beside_one_that_repeats_an_unreadable_id(
    kind: str, deployment: Deployment
) -> None:
    deployment.call("send", batch(sms("m-0")))
    change(deployment, "m-0", UNREADABLE[kind])
    before, calls = item(deployment, "m-0"), len(deployment.vendors.calls)

    answer = deployment.call("send", batch(*(sms(message_id, n) for n, message_id in enumerate(IDS))))

    assert answer == {"batchItemFailures": [{"itemIdentifier": "r-0"}]}
    assert {i: deployment.table()[i] for i in IDS[1:]} == dict.fromkeys(IDS[1:], "accepted")
    assert len(deployment.vendors.calls) - calls == 9
    assert item(deployment, "m-0") == before


def test_send_obeys_nine_commands_beside_those_for_unreadable_items(deployment: Deployment) -> None:
    tomorrow = to_text(datetime.now(UTC) + timedelta(days=1))
    deployment.call("send", batch(*(sms(message_id, n, send_at=tomorrow) for n, message_id in enumerate(IDS))))
    change(deployment, "m-0", UNREADABLE["status"])

    answer = deployment.call("send", batch(*({"cancel": message_id} for message_id in IDS)))

    assert answer == {"batchItemFailures": [{"itemIdentifier": "r-0"}]}
    assert deployment.table() == {"m-0": "paused"} | dict.fromkeys(IDS[1:], "canceled")


def test_wake_up_of_a_message_with_an_unknown_content_sends_and_changes_nothing(deployment: Deployment) -> None:
    tomorrow = to_text(datetime.now(UTC) + timedelta(days=1))
    deployment.call("send", batch(sms("m-0", send_at=tomorrow)))
    change(deployment, "m-0", READABLE["content"] | {"send_at": PAST})
    before = item(deployment, "m-0")

    answer = deployment.call("send", batch({"resume": "m-0", "attempt": 0}, sms("m-1")))

    assert answer == {"batchItemFailures": []}
    assert item(deployment, "m-0") == before
    assert deployment.table()["m-1"] == "accepted"
    assert len(deployment.vendors.calls) == 1


def test_receipt_of_an_unreadable_message_is_received_and_kept(deployment: Deployment) -> None:
    deployment.invoke("send/smspoh")
    change(deployment, "sample-smspoh", UNREADABLE["status"])

    assert deployment.invoke("webhook/smspoh-receipt-get")["statusCode"] == 200

    assert deployment.table() == {"sample-smspoh": "paused"}
    change(deployment, "sample-smspoh", {"status": {"S": "accepted"}, "due_at": PAST})
    deployment.invoke("follow_up/every-minute")
    assert deployment.table() == {"sample-smspoh": "delivered"}


def test_publish_skips_an_unreadable_record_and_reads_no_former_status_from_an_unreadable_image(
    deployment: Deployment,
) -> None:
    send_ten(deployment)
    images = [{"NewImage": i} for i in sorted(deployment.items(deployment.messages), key=str)]
    paused = images[0]["NewImage"] | UNREADABLE["status"]
    records = [{"NewImage": paused}, {"NewImage": images[0]["NewImage"], "OldImage": paused}, *images[1:]]
    records += [{"NewImage": {"inbound_key": {"S": "a"}, "provider": {"N": "1"}}}]

    answer = deployment.call("publish", {"Records": [{"dynamodb": record} for record in records]})

    assert answer == {"published": 10}
    assert len(deployment.events()) == 10


def test_send_and_monitor_work_beside_unreadable_entries_of_the_directory(deployment: Deployment) -> None:
    deployment.call("send", batch({"opt_in": "+85591234510"}))
    (opt_in,) = deployment.items(deployment.directory)
    put(deployment, deployment.directory, **{name: value for name, value in opt_in.items() if name != "opted_out"})
    put(deployment, deployment.directory, directory_key={"S": "catalogue#nusasms"}, templates={"S": "[]"})
    put(deployment, deployment.directory, directory_key={"S": "policy#kh"}, rules={"S": "{}"})

    answer = deployment.call(
        "send", batch(*(sms(i, n, category="promotional") for n, i in enumerate(IDS)), sms("m-10", 9))
    )

    assert answer == {"batchItemFailures": []}
    assert deployment.table() == {"m-0": "failed opted_out recipient"} | dict.fromkeys([*IDS[1:], "m-10"], "accepted")
    assert deployment.invoke("monitor/every-quarter-hour") == {"answered": 6}


# --- all kinds at once -----------------------------------------------------------------------------------------------


def test_messages_with_unknown_words_end_as_they_should_and_keep_what_is_unknown(deployment: Deployment) -> None:
    send_ten(deployment)
    names = dict(zip(READABLE, IDS, strict=False))
    for kind, message_id in names.items():
        change(deployment, message_id, READABLE[kind])
    for message_id in IDS:
        change(deployment, message_id, {"due_at": PAST})

    deployment.invoke("follow_up/every-minute")

    assert deployment.table() == dict.fromkeys(IDS, "delivered")
    assert item(deployment, names["attribute"])["priority"] == {"N": "7"}
    assert item(deployment, names["attribute"])["schema_version"] == {"N": "2"}
    assert item(deployment, names["category"])["category"] == {"S": "marketing"}
    assert "content" not in item(deployment, names["content"])
    history = item(deployment, names["source"])["history"]["L"]
    assert [entry["M"]["source"]["S"] for entry in history] == ["operator", "poll"]


def test_items_of_an_older_release_end_as_they_should(deployment: Deployment) -> None:
    send_ten(deployment)
    for message_id in IDS:
        change(deployment, message_id, {"due_at": PAST, "schema_version": None})
    for name, message_id in zip(MISSING, IDS, strict=False):
        change(deployment, message_id, {name: None})

    assert deployment.invoke("follow_up/every-minute") == {"followed_up": 10}

    assert deployment.table() == dict.fromkeys(IDS, "delivered")
    images = [{"NewImage": i} for i in deployment.items(deployment.messages)]
    answer = deployment.call("publish", {"Records": [{"dynamodb": image} for image in images]})
    assert answer == {"published": 10}


# --- dates -----------------------------------------------------------------------------------------------------------


def test_nine_requests_are_sent_beside_one_with_a_date_at_the_end_of_time(deployment: Deployment) -> None:
    requests = [sms(i, n) for n, i in enumerate(IDS[1:])]

    answer = deployment.call("send", batch(sms("m-0", send_at="9999-12-31T23:59:59Z"), *requests))

    assert answer == {"batchItemFailures": []}
    assert deployment.table() == {"m-0": "failed invalid_request send_at"} | dict.fromkeys(IDS[1:], "accepted")


def test_request_with_an_old_send_at_is_kept_for_the_whole_retention(deployment: Deployment) -> None:
    now = datetime.now(UTC)

    deployment.call("send", batch(sms("m-0", send_at=to_text(now - timedelta(days=200)))))

    days = (int(item(deployment, "m-0")["ttl"]["N"]) - now.timestamp()) / 86_400
    assert deployment.table() == {"m-0": "accepted"}
    assert days == pytest.approx(90, abs=0.1)
