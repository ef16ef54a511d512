"""The simulators of SMS NOC and SMSPoh beyond single messages: campaigns, lists, bulk, encryption, the accounts."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from local.simulators.ledger import text_sha256
from local.simulators.server import Simulators
from local.simulators.settings import Settings
from sampai.domain.webhook_token import webhook_token
from tests.unit.local.test_simulators import (
    BROKEN,
    FAST,
    FROZEN,
    HTTP_FAULTS,
    JSON,
    PLAIN_NUMBERS,
    SMSNOC_AUTH,
    SMSPOH_AUTH,
    TEXT,
    Answer,
    Receiver,
    call,
    ledger,
    send_nomsa,
    send_nusasms,
    send_smsnoc,
    send_smspoh,
    until,
    written,
)

LIST = "6415907d0d3"
LISTS = tuple(f"{LIST}{number:02d}" for number in range(100))
CAMPAIGN_TEXT = "Your campaign successfully store and is being produced in the background"


def send_campaign(simulators: Simulators, lists: str, timeout: float = 5, **changes: Any) -> Answer:
    fields = {"contact_list_id": lists, "sender_id": "SampaiBD", "type": "plain", "message": TEXT, **changes}
    path = "/smsnoc/api/v3/sms/campaign"
    headers = {**JSON, **SMSNOC_AUTH}
    return call(simulators, "POST", path, headers=headers, body=written(fields), timeout=timeout)


def send_bulk(simulators: Simulators, *messages: Mapping[str, Any], timeout: float = 5) -> Answer:
    completed = [{"message": TEXT, "from": "Sampai", **message} for message in messages]
    path = "/smspoh/api/rest/send/bulk"
    headers = {**JSON, **SMSPOH_AUTH}
    return call(simulators, "POST", path, headers=headers, body=written({"messages": completed}), timeout=timeout)


def history(simulators: Simulators, query: str = "") -> list[dict[str, Any]]:
    path = f"/smspoh/api/rest/messages?{query}"
    found: list[dict[str, Any]] = call(simulators, "GET", path, headers=SMSPOH_AUTH).document["messages"]
    return found


def change(simulators: Simulators, **settings: Any) -> None:
    assert call(simulators, "POST", "/_config", body=json.dumps(settings).encode()).status == 200


@pytest.fixture(scope="module")
def shared() -> Iterator[Simulators]:
    with Simulators(settings=FAST) as simulators:
        yield simulators


def reset(simulators: Simulators, settings: Settings) -> Simulators:
    call(simulators, "POST", "/_reset")
    change(simulators, **replace(settings, smsnoc_lists=LISTS).shown())
    return simulators


@pytest.fixture
def fast(shared: Simulators) -> Simulators:
    return reset(shared, FAST)


@pytest.fixture
def frozen(shared: Simulators) -> Simulators:
    return reset(shared, FROZEN)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


# --- campaigns of SMS NOC ---------------------------------------------------------------------------------------------


def test_a_campaign_is_answered_with_its_own_id_and_name(frozen: Simulators) -> None:
    now = send_campaign(frozen, LIST + "10").document
    later = send_campaign(frozen, f"{LIST}11,{LIST}10", schedule_time="2099-12-20 07:00", message="শুভ").document

    first, second = ledger(frozen, "smsnoc")
    assert now == {
        "status": "success",
        "message": CAMPAIGN_TEXT,
        "data": {
            "id": now["data"]["id"],
            "uid": first["provider_message_id"],
            "campaign_name": now["data"]["campaign_name"],
            "status": "queued",
            "message": TEXT,
            "created_at": now["data"]["created_at"],
            "sms_type": "plain",
        },
    }
    assert re.fullmatch(r"[0-9a-f]{13}", first["provider_message_id"])
    assert re.fullmatch(r"API_\d+", now["data"]["campaign_name"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", now["data"]["created_at"])
    assert (later["data"]["status"], later["data"]["sms_type"]) == ("scheduled", "unicode")
    assert [(entry["recipient"], entry["operation"]) for entry in (first, second)] == [
        (LIST + "10", "campaign"),
        (f"{LIST}11,{LIST}10", "campaign"),
    ]
    rows = frozen.world.ledger.rows("smsnoc")
    assert [row.starts_at > row.created_at for row in rows] == [False, True]


@pytest.mark.parametrize(
    ("lists", "changes", "status", "words"),
    [
        (LIST + "10", {"contact_list_id": None}, 200, "The contact list id field is required."),
        (LIST + "10", {"contact_list_id": None, "recipient": LIST + "10"}, 200, "contact list id field is required."),
        (LIST + "10", {"contact_list_id": [LIST + "10"]}, 200, "The contact list id field is required."),
        (LIST + "10", {"message": None}, 200, "The message field is required."),
        (LIST + "10", {"sender_id": None}, 200, "The sender id field is required."),
        (LIST + "10", {"type": None}, 200, "The type field is required."),
        (LIST + "10", {"type": "text"}, 200, "valid sms type"),
        (LIST + "10", {"sender_id": "Other"}, 403, "is not authorized to send this message."),
        (LIST + "10", {"schedule_time": "2099-12-20T07:00:00Z"}, 200, "does not match the format Y-m-d H:i."),
        ("609681630f78b", {}, 404, "Contact list not found."),
        (LIST + "10,609681630f78b", {}, 404, "Contact list not found."),
        (f"{LIST}10, {LIST}11", {}, 404, "Contact list not found."),
        ("8801744977910", {}, 404, "Contact list not found."),
    ],
)
def test_a_campaign_is_refused_in_the_words_of_the_vendor(
    frozen: Simulators, lists: str, changes: dict[str, Any], status: int, words: str
) -> None:
    answer = send_campaign(frozen, lists, **changes)

    assert (answer.status, answer.document["status"]) == (status, "error")
    assert words in answer.document["message"]
    assert ledger(frozen, "smsnoc") == []


def test_campaign_can_take_its_lists_from_the_field_of_the_examples(frozen: Simulators) -> None:
    change(frozen, smsnoc_campaign_takes_recipient=True)

    answers = [
        send_campaign(frozen, LIST + "10", contact_list_id=None, recipient=LIST + "10").document,
        send_campaign(frozen, LIST + "10").document,
    ]

    assert [answer["status"] for answer in answers] == ["success", "error"]
    assert answers[1]["message"] == "The recipient field is required."


def test_a_campaign_is_neither_shown_nor_listed(frozen: Simulators) -> None:
    uid = send_campaign(frozen, LIST + "10").document["data"]["uid"]
    sms = send_smsnoc(frozen, "8801744977910").document["data"]["uid"]

    view = call(frozen, "GET", f"/smsnoc/api/v3/sms/{uid}", headers=SMSNOC_AUTH).document
    listed = call(frozen, "GET", "/smsnoc/api/v3/sms", headers=SMSNOC_AUTH).document["data"]

    assert view["status"] == "error"
    assert "No query results for model" in view["message"]
    assert ([row["uid"] for row in listed["data"]], listed["total"]) == ([sms], 1)


@pytest.mark.parametrize("digits", PLAIN_NUMBERS)
def test_a_list_without_a_fault_is_taken(fast: Simulators, digits: str) -> None:
    answer = send_campaign(fast, LIST + digits)

    (entry,) = ledger(fast, "smsnoc")
    assert (answer.document["status"], entry["recipient"]) == ("success", LIST + digits)
    assert (entry["channel"], entry["text_sha256"]) == ("sms", text_sha256(TEXT))


@pytest.mark.parametrize(("digits", "expected"), HTTP_FAULTS.items())
def test_server_error_or_page_hides_whether_a_campaign_was_accepted(
    fast: Simulators, digits: str, expected: tuple[int, bool]
) -> None:
    answer = send_campaign(fast, LIST + digits)

    assert (answer.status, len(ledger(fast, "smsnoc")) == 1) == expected


@pytest.mark.parametrize(("digits", "error"), BROKEN.items())
def test_broken_connection_hides_whether_a_campaign_was_accepted(
    fast: Simulators, digits: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        send_campaign(fast, LIST + digits, timeout=0.2)

    assert len(ledger(fast, "smsnoc")) == (0 if digits == "17" else 1)


@pytest.mark.parametrize(
    ("digits", "status", "words"),
    [
        ("20", 200, "Too Many Attempts."),
        ("21", 404, "Contact list not found."),
        ("24", 403, "There is not enough balance available"),
    ],
)
def test_list_is_refused_by_its_magic_number(fast: Simulators, digits: str, status: int, words: str) -> None:
    answer = send_campaign(fast, LIST + digits)

    assert (answer.status, answer.document["status"]) == (status, "error")
    assert words in answer.document["message"]
    assert ledger(fast, "smsnoc") == []


# --- several recipients in one call -----------------------------------------------------------------------------------


def test_a_list_of_numbers_is_answered_with_a_list(frozen: Simulators) -> None:
    answer = send_smsnoc(frozen, "8801744977910,8801744977926")

    entries = ledger(frozen, "smsnoc")
    shown = [(row["uid"], row["to"], row["status"]) for row in answer.document["data"]]
    assert shown == [(entry["provider_message_id"], entry["recipient"], "Delivered") for entry in entries]
    assert [entry["operation"] for entry in entries] == ["send_bulk", "send_bulk"]


def test_hundred_numbers_are_one_call_and_duplicates_do_not_count(frozen: Simulators) -> None:
    numbers = [f"88017449{number:03d}10" for number in range(100)]

    answer = send_smsnoc(frozen, ",".join(numbers + numbers))

    assert [row["to"] for row in answer.document["data"]] == numbers


def test_list_is_throttled_once_and_not_once_for_each_number(frozen: Simulators) -> None:
    numbers = ["09777777120", "09777777220"]

    statuses = [send_bulk(frozen, {"to": numbers}).status for _ in range(2)]

    assert statuses == [429, 201]


@pytest.mark.parametrize(("digits", "expected"), HTTP_FAULTS.items())
def test_magic_number_affects_the_answer_to_the_whole_bulk(
    fast: Simulators, digits: str, expected: tuple[int, bool]
) -> None:
    answer = send_bulk(fast, {"to": "09777777010"}, {"to": ["09777777026", f"097777770{digits}"]})

    assert (answer.status, len(ledger(fast, "smspoh"))) == (expected[0], 3 if expected[1] else 0)


def test_a_refused_number_of_a_bulk_is_refused_in_its_place(frozen: Simulators) -> None:
    answer = send_bulk(frozen, {"to": "09777777021"}, {"to": "+66912345610", "message": "Hello Thailand"})

    refused, taken = answer.document["messages"]
    assert answer.status == 201
    assert (refused["status"], refused["message"], "messageId" in refused) == (False, "Invalid Phone Number", False)
    assert (taken["status"], taken["to"], taken["message"]) == ("Accepted", "66912345610", "Hello Thailand")
    (entry,) = ledger(frozen, "smspoh")
    assert (entry["operation"], entry["provider_message_id"]) == ("send_bulk", taken["messageId"])


def test_each_message_of_a_bulk_has_its_own_options(fast: Simulators, receiver: Receiver) -> None:
    first = {"to": "09777777010", "clientReference": "a", "deliveryReceiptUrl": f"{receiver.url}/a", "test": 1}
    second = {"to": "09777777110", "clientReference": "b", "deliveryReceiptUrl": f"{receiver.url}/b", "unicode": 1}

    answered = send_bulk(fast, first, second).document["messages"]

    assert [(entry["clientReference"], entry["test"]) for entry in answered] == [("a", True), ("b", False)]
    arrived = receiver.take(4)
    assert sorted((path, fields["clientReference"]) for _, path, fields in arrived) == [
        ("/a", "a"),
        ("/a", "a"),
        ("/b", "b"),
        ("/b", "b"),
    ]


def test_bulk_can_ignore_references_and_addresses(fast: Simulators, receiver: Receiver) -> None:
    change(fast, smspoh_bulk_ignores_reference=True, webhook_base=receiver.url)
    fields = {"to": "09777777010", "clientReference": "a", "deliveryReceiptUrl": f"{receiver.url}/a"}

    (bulk,) = send_bulk(fast, fields).document["messages"]
    arrived = receiver.take(2)
    (single,) = send_smspoh(fast, "09777777012", clientReference="a").document["messages"]

    assert (bulk["clientReference"], single["clientReference"]) == ("", "a")
    assert [(path, fields["clientReference"]) for _, path, fields in arrived] == [
        (f"/webhooks/smspoh/receipt/{webhook_token('t', 'smspoh')}", ""),
        (f"/webhooks/smspoh/receipt/{webhook_token('t', 'smspoh')}", ""),
    ]


@pytest.mark.parametrize(
    ("document", "status", "words"),
    [
        ({}, 400, "missing or invalid parameters"),
        ([], 400, "missing or invalid parameters"),
        ({"messages": []}, 400, "missing or invalid parameters"),
        ({"messages": ["09777777010"]}, 400, "missing or invalid parameters"),
        ({"messages": [{"to": "09777777010", "message": "a", "from": "Sampai"}], "test": 1}, 400, "invalid parameters"),
        ({"messages": [{"to": [], "message": "a", "from": "Sampai"}]}, 422, "To cannot be blank."),
        ({"messages": [{"to": [9777777010], "message": "a", "from": "Sampai"}]}, 422, "To cannot be blank."),
        ({"messages": [{"to": "09777777010", "from": "Sampai"}]}, 422, "Message cannot be blank."),
        ({"messages": [{"to": "09777777010", "message": "a"}]}, 422, "From cannot be blank."),
        (
            {"messages": [{"to": "09777777010", "message": "a", "from": "Sampai", "client_reference": "r"}]},
            422,
            "Unknown field: client_reference.",
        ),
    ],
)
def test_invalid_bulk_is_refused_completely(frozen: Simulators, document: Any, status: int, words: str) -> None:
    headers, body = {**JSON, **SMSPOH_AUTH}, json.dumps(document).encode()

    answer = call(frozen, "POST", "/smspoh/api/rest/send/bulk", headers=headers, body=body)

    assert (answer.status, words in answer.body.decode()) == (status, True), answer.body
    assert ledger(frozen, "smspoh") == []


# --- encryption -------------------------------------------------------------------------------------------------------


def test_missing_key_is_generated_and_shown_once(frozen: Simulators) -> None:
    first, second = (send_smspoh(frozen, "09777777010", encrypt=1).document["messages"][0] for _ in range(2))

    assert first["encryptKey"] != second["encryptKey"]
    assert not any(key in json.dumps(history(frozen)) for key in (first["encryptKey"], second["encryptKey"]))


def test_history_of_an_encrypted_message_has_only_its_ciphertext(frozen: Simulators) -> None:
    (sent,) = send_bulk(frozen, {"to": "09777777010", "encrypt": True, "encryptKey": "k"}).document["messages"]

    (listed,) = history(frozen)

    assert (sent["encryptMessage"], sent["encryptKey"], listed["message"]) == (True, "k", sent["message"])
    assert TEXT not in json.dumps([sent, listed])
    assert history(frozen, "message=parcel") == []


@pytest.mark.parametrize("encrypt", [False, 0])
def test_message_without_the_option_is_not_encrypted(frozen: Simulators, encrypt: object) -> None:
    (message,) = send_smspoh(frozen, "09777777010", encrypt=encrypt).document["messages"]

    assert (message["message"], {"encryptMessage", "encryptKey"} & message.keys()) == (TEXT, set())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"encrypt": "1"}, "Encrypt must be a number."),
        ({"encrypt": 1, "encryptKey": ""}, "Encrypt Key cannot be blank."),
        ({"encrypt": 1, "encryptKey": 7}, "Encrypt Key cannot be blank."),
        ({"encrypt": 1, "encrypt_key": "k"}, "Unknown field: encrypt_key."),
    ],
)
def test_invalid_encryption_is_refused(frozen: Simulators, changes: dict[str, Any], words: str) -> None:
    answer = send_smspoh(frozen, "09777777010", **changes)

    assert (answer.status, words in answer.body.decode()) == (422, True)


# --- the accounts -----------------------------------------------------------------------------------------------------


def test_accounts_take_their_balance_from_the_settings(frozen: Simulators) -> None:
    def balances() -> tuple[Any, Any]:
        smsnoc = call(frozen, "GET", "/smsnoc/api/v3/balance", headers=SMSNOC_AUTH).document
        smspoh = call(frozen, "GET", "/smspoh/api/rest/account/get-balance", headers=SMSPOH_AUTH).document
        return smsnoc, smspoh

    before = balances()
    change(frozen, smsnoc_remaining_balance="Unlimited", smsnoc_expired_on="1st Jan 30, 12:00 AM", smspoh_balance=0)
    after = balances()

    envelope = {"status": "success", "message": None}
    assert before == (
        {**envelope, "data": {"remaining_balance": "৳1,092", "expired_on": "8th Sep 26, 4:44 PM"}},
        {"balance": 1227748, "currency": "MMK"},
    )
    assert after == (
        {**envelope, "data": {"remaining_balance": "Unlimited", "expired_on": "1st Jan 30, 12:00 AM"}},
        {"balance": 0, "currency": "MMK"},
    )


# --- the ledger -------------------------------------------------------------------------------------------------------


def test_the_ledger_has_these_fields_and_neither_text_nor_key(frozen: Simulators) -> None:
    send_nomsa(frozen, "+85591234510")
    send_smsnoc(frozen, "8801744977910")
    send_smspoh(frozen, "09777777010", encrypt=1, encryptKey="not-a-real-key")
    send_nusasms(frozen, "6281234567810")

    page = call(frozen, "GET", "/_ledger")

    entries = page.document
    assert {tuple(entry) for entry in entries} == {
        (
            "vendor",
            "channel",
            "operation",
            "provider_message_id",
            "recipient",
            "sender",
            "text_sha256",
            "reference",
            "accepted_at",
            "status",
        )
    }
    assert [(entry["vendor"], entry["channel"], entry["operation"]) for entry in entries] == [
        (vendor, "sms", "send") for vendor in ("nomsa", "smsnoc", "smspoh", "nusasms")
    ]
    assert TEXT.encode() not in page.body
    assert b"not-a-real-key" not in page.body


def test_campaign_reaches_the_end_of_its_magic_number(fast: Simulators) -> None:
    send_campaign(fast, LIST + "11")

    assert until(lambda: ledger(fast, "smsnoc")[0]["status"] == "undelivered")
