"""Every sample event goes through the real handler and adapters, with the result in the table."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from sampai.domain.recipient import keyed_digest
from sampai.domain.webhook_token import webhook_token
from tests.functional.sandbox import (
    EVENTS,
    FINGERPRINT_KEY,
    FUNCTIONS,
    TOKEN,
    Deployment,
    environment_of,
    leaks,
    read_event,
)
from tests.template import template

DONE: dict[str, list[str]] = {"batchItemFailures": []}


@dataclass(frozen=True, kw_only=True)
class Row:
    """The result of a sample event.

    `after` are the sample events before it. `table` has the stored messages: by id the status, and the reason and
    field of a failure. `kept` has the items of the other tables. `calls` counts its requests to vendors;
    `events` are on the bus. `notes` counts those in the queues at the end. `calls_again` are
    the requests if the event is repeated.
    """

    after: tuple[str, ...] = ()
    answer: Any
    table: dict[str, str] = field(default_factory=dict)
    kept: tuple[str, ...] = ()
    calls: int = 0
    events: tuple[str, ...] = ()
    wake_ups: int = 0
    calls_again: int = 0


def refused(message_id: str, reason: str, what: str) -> Row:
    """A request that fails without a call to a vendor. The failure is final, so the record is deleted."""
    return Row(answer=DONE, table={message_id: f"failed {reason} {what}"})


def unread(field: str) -> Row:
    """A request without a readable id."""
    return Row(answer=DONE, table={"ID": f"failed invalid_request {field}"}, events=("ID invalid_request",))


def accepted(message_id: str, *after: str, kept: tuple[str, ...] = ()) -> Row:
    """A message that its vendor accepts at the first call."""
    return Row(after=after, answer=DONE, table={message_id: "accepted"}, kept=kept, calls=1)


def told(status: int, body: str, after: str = "", table: dict[str, str] | None = None) -> Row:
    headers = {"content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff"}
    answer = {"statusCode": status, "headers": headers, "body": body}
    return Row(after=(after,) if after else (), answer=answer, table=table or {})


def received(*kept: str) -> Row:
    """An inbound message. The stream of its table brings the event."""
    return replace(told(200, "ok"), kept=kept)


def of_smspoh(status: int, body: str, becomes: str) -> Row:
    return told(status, body, "send/smspoh", {"sample-smspoh": becomes})


NUMBER = "+6281234567810"
CONVERSATION = "a4c1e7b2-5d0f-4c3a-9b8e-1f2d3c4b5a69"
DIGEST = keyed_digest(NUMBER, FINGERPRINT_KEY.encode())
OPTED_OUT, OPTED_IN = f"number#{DIGEST} opted out", f"number#{DIGEST} opted in"
ASKED = f"inbox nusasms#whatsapp_official#SMPL00000000000000004711: {NUMBER} Kapan pesanan saya dikirim?"
STOPPED = f"inbox nusasms#whatsapp_official#SMPL00000000000000004712: {NUMBER} Berhenti."
OPEN_ROOM = f"room#{CONVERSATION} of {NUMBER}"
CATALOGUE = "catalogue#nusasms: 2 of 3 templates approved, 1 sender"
NO_ID = hashlib.sha256(f"{NUMBER}\0Terima kasih, sudah sampai\0".encode()).hexdigest()


def in_room(message_id: str) -> Row:
    """A reply in a conversation that an inbound message has opened."""
    return accepted(message_id, "webhook/nusasms-whatsapp-official-inbox", kept=(ASKED, OPEN_ROOM))


def by_catalogue(message_id: str, reason: str, what: str) -> Row:
    """A request that fails the check against the account's catalogue."""
    return replace(refused(message_id, reason, what), after=("monitor/every-quarter-hour",), kept=(CATALOGUE,))


ROWS = {
    # --- send ---
    "send/nomsa": accepted("sample-nomsa"),
    "send/smsnoc": accepted("sample-smsnoc"),
    "send/smspoh": accepted("sample-smspoh"),
    "send/nusasms": accepted("sample-nusasms"),
    "send/otp": accepted("sample-otp"),
    "send/options": accepted("sample-options"),
    "send/encrypted": accepted("sample-encrypted", kept=("key of sample-encrypted",)),
    "send/encrypted-own-key": accepted("sample-encrypted-own-key", kept=("key of sample-encrypted-own-key",)),
    "send/batch-of-ten": Row(answer=DONE, table={f"sample-batch-{n}": "accepted" for n in range(1, 11)}, calls=10),
    "send/scheduled": Row(answer=DONE, table={"sample-scheduled": "scheduled"}),
    "send/cancel": Row(after=("send/scheduled",), answer=DONE, table={"sample-scheduled": "canceled"}),
    "send/duplicate-id": Row(answer=DONE, table={"sample-duplicate": "accepted"}, calls=1),
    "send/id-conflict": Row(
        answer=DONE, table={"sample-conflict": "accepted"}, calls=1, events=("sample-conflict id_conflict",)
    ),
    "send/not-json": Row(answer=DONE, table={"sample-not-json": "failed invalid_request body"}),
    "send/unknown-field": refused("sample-unknown-field", "invalid_request", "priority"),
    "send/bad-number": refused("sample-bad-number", "invalid_request", "recipient"),
    "send/unknown-provider": refused("sample-unknown-provider", "invalid_request", "provider"),
    "send/unknown-option": refused("sample-unknown-option", "unsupported", "provider_options.smspoh.pigeon"),
    "send/unknown-channel": refused("sample-unknown-channel", "invalid_request", "channel"),
    "send/unoffered-channel": refused("sample-unoffered-channel", "unsupported", "channel"),
    "send/unrouted-country": refused("sample-unrouted-country", "unroutable", "recipient"),
    "send/too-long": refused("sample-too-long", "too_long", "content.text"),
    "send/expired": refused("sample-expired", "expired", "expires_at"),
    "send/throttled": Row(
        answer=DONE, table={"sample-throttled": "queued rate_limited the vendor throttles"}, calls=1, wake_ups=1
    ),
    "send/resume": Row(
        after=("send/throttled",), answer=DONE, table={"sample-throttled": "accepted"}, calls=1, wake_ups=1
    ),
    # --- send: other channels and contents ---
    "send/whatsapp-text": accepted("sample-whatsapp-text"),
    "send/whatsapp-media-url": accepted("sample-whatsapp-media-url"),
    "send/whatsapp-media-file": accepted("sample-whatsapp-media-file"),
    "send/whatsapp-official-template": accepted("sample-whatsapp-official-template"),
    "send/whatsapp-official-document": accepted(
        "sample-whatsapp-official-document", "monitor/every-quarter-hour", kept=(CATALOGUE,)
    ),
    "send/whatsapp-official-reply": in_room("sample-whatsapp-official-reply"),
    "send/whatsapp-official-file": in_room("sample-whatsapp-official-file"),
    "send/room-closed": refused("sample-room-closed", "window_closed", "room_id"),
    "send/room-closed-template": accepted("sample-room-closed-template"),
    "send/template-unapproved": by_catalogue("sample-template-unapproved", "template_rejected", "content.template_id"),
    "send/template-unknown": by_catalogue("sample-template-unknown", "template_rejected", "content.template_id"),
    "send/template-misfit": by_catalogue("sample-template-misfit", "invalid_content", "content.parameters.body"),
    "send/sender-unknown": by_catalogue("sample-sender-unknown", "invalid_sender", "sender"),
    "send/media-by-sms": refused("sample-media-by-sms", "unsupported", "content.type"),
    "send/template-by-whatsapp": refused("sample-template-by-whatsapp", "unsupported", "content.type"),
    "send/room-by-sms": refused("sample-room-by-sms", "invalid_request", "room_id"),
    "send/text-without-room": refused("sample-text-without-room", "unsupported", "content.type"),
    "send/no-recipient": refused("sample-no-recipient", "invalid_request", "recipient"),
    "send/media-in-clear": refused("sample-media-in-clear", "invalid_request", "content.media_url"),
    "send/media-twice": refused("sample-media-twice", "invalid_request", "content"),
    "send/media-without-name": refused("sample-media-without-name", "invalid_request", "content"),
    "send/broken-file": refused("sample-broken-file", "invalid_request", "content.media_base64"),
    "send/broken-parameters": refused("sample-broken-parameters", "invalid_request", "content.parameters"),
    # --- send: e-mail ---
    "send/email": accepted("sample-email", kept=("rate#nomsa#email",)),
    "send/email-attachment": accepted("sample-email-attachment", kept=("rate#nomsa#email",)),
    "send/email-to-number": refused("sample-email-to-number", "invalid_request", "recipient"),
    "send/sms-to-address": refused("sample-sms-to-address", "invalid_request", "recipient"),
    "send/email-header": refused("sample-email-header", "invalid_request", "content.subject"),
    "send/email-by-smspoh": refused("sample-email-by-smspoh", "unsupported", "channel"),
    # --- send: to many ---
    "send/bulk": Row(answer=DONE, table={f"sample-bulk-{n}": "accepted" for n in range(1, 11)}, calls=1),
    "send/comma-list": Row(answer=DONE, table={f"sample-comma-list-{n}": "accepted" for n in range(1, 4)}, calls=1),
    "send/campaign": accepted("sample-campaign"),
    "send/group": accepted("sample-group"),
    "send/whatsapp-group": accepted("sample-whatsapp-group"),
    "send/audience-and-recipient": refused("sample-audience-and-recipient", "invalid_request", "audience"),
    "send/audience-without-provider": refused("sample-audience-without-provider", "unroutable", "provider"),
    "send/audience-too-many": refused("sample-audience-too-many", "unsupported", "audience"),
    "send/audience-unoffered": refused("sample-audience-unoffered", "unsupported", "audience"),
    # --- send: opt-outs ---
    "send/opt-out": Row(answer=DONE, kept=(OPTED_OUT,)),
    "send/opt-in": Row(after=("send/opt-out",), answer=DONE, kept=(OPTED_IN,)),
    "send/opted-out": replace(
        refused("sample-opted-out", "opted_out", "recipient"), after=("send/opt-out",), kept=(OPTED_OUT,)
    ),
    "send/bad-opt-out": unread("opt_out"),
    # --- webhook ---
    "webhook/smspoh-receipt-get": of_smspoh(200, "ok", "delivered"),
    "webhook/smspoh-receipt-form": of_smspoh(200, "ok", "delivered"),
    "webhook/smspoh-receipt-form-base64": of_smspoh(200, "ok", "delivered"),
    "webhook/smspoh-receipt-json": of_smspoh(200, "ok", "delivered"),
    "webhook/smspoh-receipt-whole-message": of_smspoh(200, "ok", "delivered"),
    "webhook/smspoh-receipt-undelivered": of_smspoh(
        200, "ok", "undelivered unreachable the phone was off or out of reach"
    ),
    "webhook/smspoh-receipt-new-word": of_smspoh(200, "ok", "accepted"),
    "webhook/repeated-parameters": of_smspoh(200, "ok", "delivered"),
    "webhook/contradicting-parameters": of_smspoh(400, "malformed", "accepted"),
    "webhook/broken-json": of_smspoh(400, "malformed", "accepted"),
    "webhook/broken-base64": of_smspoh(400, "malformed", "accepted"),
    "webhook/no-id": of_smspoh(400, "malformed", "accepted"),
    "webhook/oversized": of_smspoh(400, "malformed", "accepted"),
    "webhook/wrong-token": of_smspoh(404, "not found", "accepted"),
    "webhook/unknown-provider": of_smspoh(404, "not found", "accepted"),
    "webhook/unknown-kind": of_smspoh(404, "not found", "accepted"),
    "webhook/nusasms-receipt-get": told(200, "ok", "send/nusasms", {"sample-nusasms": "delivered"}),
    "webhook/nusasms-whatsapp-receipt": told(200, "ok", "send/whatsapp-text", {"sample-whatsapp-text": "read"}),
    "webhook/nusasms-whatsapp-official-receipt": told(
        200, "ok", "send/whatsapp-official-template", {"sample-whatsapp-official-template": "read"}
    ),
    "webhook/nusasms-whatsapp-official-receipt-form": told(
        200, "ok", "send/whatsapp-official-template", {"sample-whatsapp-official-template": "read"}
    ),
    # --- webhook: inbound messages ---
    "webhook/nusasms-sms-inbox": received(f"inbox nusasms#sms#88231: {NUMBER} Terima kasih, sudah sampai"),
    "webhook/nusasms-sms-inbox-stop": received(f"inbox nusasms#sms#88232: {NUMBER} Stop!", OPTED_OUT),
    "webhook/nusasms-sms-inbox-stop-multipart": received(f"inbox nusasms#sms#88233: {NUMBER} Stop!", OPTED_OUT),
    "webhook/nusasms-sms-inbox-no-id": received(
        f"inbox nusasms#sms#2026-11-21T10:00:00.000Z#{NO_ID}: {NUMBER} Terima kasih, sudah sampai"
    ),
    "webhook/nusasms-sms-inbox-no-sender": told(400, "malformed"),
    "webhook/nusasms-whatsapp-inbox": received(f"inbox nusasms#whatsapp#5217: {NUMBER} Apakah besok buka?"),
    "webhook/nusasms-whatsapp-official-inbox": received(ASKED, OPEN_ROOM),
    "webhook/nusasms-whatsapp-official-inbox-stop": received(STOPPED, OPTED_OUT, OPEN_ROOM),
    "webhook/nusasms-whatsapp-official-inbox-no-room": received(ASKED),
    # --- follow_up ---
    "follow_up/every-minute": Row(after=("send/nomsa",), answer={"followed_up": 0}, table={"sample-nomsa": "accepted"}),
    # --- monitor: it checks again each time ---
    "monitor/every-quarter-hour": Row(answer={"answered": 6}, kept=(CATALOGUE,), calls=6, calls_again=6),
    # --- publish: the event itself has the changes ---
    "publish/insert": Row(answer={"published": 1}, events=("sample-nomsa sending",)),
    "publish/status-changed": Row(answer={"published": 1}, events=("sample-nomsa accepted",)),
    "publish/status-unchanged": Row(answer={"published": 0}),
    "publish/canceled-with-file": Row(answer={"published": 1}, events=("sample-canceled-file canceled",)),
    "publish/removed": Row(answer={"published": 0}),
    "publish/life-of-a-message": Row(
        answer={"published": 3},
        events=("sample-nomsa sending", "sample-nomsa accepted", "sample-nomsa delivered"),
    ),
    "publish/inbound": Row(
        answer={"published": 3},
        events=(
            f"{NUMBER} on sms: Terima kasih, sudah sampai",
            f"{NUMBER} on whatsapp: Apakah besok buka?",
            f"{NUMBER} on whatsapp_official: Kapan pesanan saya dikirim?",
        ),
    ),
    "publish/inbound-removed": Row(answer={"published": 0}),
    # No receiver listens.
    "callback/status-changed": Row(
        answer={"batchItemFailures": [{"itemIdentifier": "9c1d81df-6a0a-5d4b-997f-b052929b9c5b"}]}
    ),
}


def named(row: Row, event: Any) -> Row:
    """Put the SQS message id in place of `ID`: it is used if the message id cannot be read."""
    ids = [record.get("messageId", "") for record in event.get("Records", [])]
    return replace(
        row,
        table={key.replace("ID", ids[0]) if ids else key: value for key, value in row.table.items()},
        events=tuple(text.replace("ID", ids[0]) if ids else text for text in row.events),
    )


def test_each_sample_event_has_a_row() -> None:
    assert {str(file.relative_to(EVENTS).with_suffix("")) for file in EVENTS.rglob("*.*")} == ROWS.keys()


@pytest.mark.parametrize("name", ROWS)
def test_sample_event_has_the_result_of_its_row_and_a_repeated_one_changes_nothing(
    name: str, deployment: Deployment
) -> None:
    row = named(ROWS[name], read_event(name))
    for before in row.after:
        deployment.invoke(before)
    calls_before = len(deployment.vendors.calls)

    answer = deployment.invoke(name)

    came_of_it = Row(
        after=row.after,
        answer=answer,
        table=deployment.table(),
        kept=deployment.kept(),
        calls=len(deployment.vendors.calls) - calls_before,
        events=tuple(deployment.events()),
        wake_ups=deployment.wake_ups(),
        calls_again=row.calls_again,
    )
    assert came_of_it == row
    assert deployment.invoke(name) == answer
    assert (deployment.table(), deployment.kept()) == (row.table, tuple(sorted(row.kept)))
    assert len(deployment.vendors.calls) == calls_before + row.calls + row.calls_again


@pytest.mark.parametrize(
    ("name", "becomes", "asked"),
    [
        ("nomsa", "delivered", ["GET /nomsa/v1/transactional/sms/nomsa-1"]),
        ("email-attachment", "delivered", ["GET /nomsa/v1/transactional/email/nomsa-1"]),
        ("smsnoc", "sent", ["GET /smsnoc/api/v3/sms/smsnoc-1"]),  # it says `Delivered` too early
        ("smspoh", "delivered", ["GET /smspoh/api/rest/messages"]),
        ("whatsapp-text", "delivered", ["GET /nusasms/nusasms_api/1.0/whatsapp/status/nusasms-1"]),
        ("nusasms", "accepted", []),
        ("whatsapp-official-template", "accepted", []),
        ("campaign", "accepted", []),
    ],
)
def test_due_message_is_polled_if_its_vendor_supports_it(
    name: str, becomes: str, asked: list[str], deployment: Deployment
) -> None:
    deployment.invoke(f"send/{name}")
    deployment.make_due(f"sample-{name}")

    assert deployment.invoke("follow_up/every-minute") == {"followed_up": 1}

    assert deployment.table() == {f"sample-{name}": becomes}
    assert deployment.vendors.calls[1:] == asked


def test_message_keeps_the_message_group_of_its_request(deployment: Deployment) -> None:
    deployment.invoke("send/throttled")

    assert [item["group"] for item in deployment.items(deployment.messages)] == [{"S": "shop-a"}]


def test_receipt_that_arrives_before_its_send_is_not_lost(deployment: Deployment) -> None:
    deployment.invoke("webhook/smspoh-receipt-get")

    deployment.invoke("send/smspoh")

    assert deployment.table() == {"sample-smspoh": "delivered"}


# --- the samples themselves -------------------------------------------------------------------------------------------


def _records(event: Any) -> Iterator[dict[str, Any]]:
    yield from event.get("Records", [])


@pytest.mark.parametrize("name", [name for name in ROWS if name.startswith(("send/", "callback/"))])
def test_an_sqs_record_has_the_digest_of_its_body(name: str) -> None:
    # Not by `read_event`, which changes the `send_at` of a body.
    records = json.loads((EVENTS / f"{name}.json").read_text())["Records"]

    digests = [hashlib.md5(record["body"].encode(), usedforsecurity=False).hexdigest() for record in records]

    assert [record["md5OfBody"] for record in records] == digests


@pytest.mark.parametrize("name", [name for name in ROWS if name.startswith("webhook/")])
def test_webhook_event_matches_a_route_of_the_template(name: str) -> None:
    event = read_event(name)
    resources = template()["Resources"].values()
    routes = {r["Properties"]["RouteKey"] for r in resources if r["Type"] == "AWS::ApiGatewayV2::Route"}

    assert event["routeKey"] in routes
    assert event["rawPath"] == "/webhooks/{provider}/{kind}/{token}".format(**event["pathParameters"])


@pytest.mark.parametrize(
    ("stream", "pattern", "sample"),
    [
        ("Changes", '{"eventName": ["INSERT", "MODIFY"]}', "publish/removed"),
        ("Arrivals", '{"eventName": ["INSERT"]}', "publish/inbound-removed"),
    ],
)
def test_a_removed_item_does_not_pass_the_filter_of_its_stream(stream: str, pattern: str, sample: str) -> None:
    source = template()["Resources"]["PublishFunction"]["Properties"]["Events"][stream]["Properties"]

    assert [f["Pattern"] for f in source["FilterCriteria"]["Filters"]] == [pattern]
    assert {record["eventName"] for record in _records(read_event(sample))} == {"REMOVE"}


@pytest.mark.parametrize("name", [name for name in ROWS if name.startswith("publish/")])
def test_stream_record_has_the_view_type_of_its_table(name: str) -> None:
    tables = {logical_id: r["Properties"] for logical_id, r in template()["Resources"].items() if "Table" in logical_id}
    views = {i: p["StreamSpecification"]["StreamViewType"] for i, p in tables.items() if "StreamSpecification" in p}

    shown = {
        (record["eventSourceARN"].split("/")[1].removeprefix("sampai-"), record["dynamodb"]["StreamViewType"])
        for record in _records(read_event(name))
    }

    assert shown <= views.items()


# --- the tests themselves ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_has_exactly_the_environment_of_the_template(function: str, deployment: Deployment) -> None:
    ours = {n for n in deployment.environment(function) if not n.startswith(("AWS_", "NO_PROXY"))}

    assert ours == environment_of(function).keys()
    assert all(isinstance(value, str) for value in deployment.environment(function).values())


@pytest.mark.parametrize(
    "output",
    [
        "to +85591234510",
        "to 85591234510",
        'sent {"text": "Your parcel is at the post office"}',
        f"/webhooks/smspoh/receipt/{webhook_token(TOKEN, 'smspoh')}",
        "Bearer functional_v1_nomsa",
        "APIKey: functional-api-key",
        "caption=Undangan+rapat+warga",
        "fetching https://files.example.org/undangan-rapat.png",
        "attached undangan-rapat.pdf",
        "attached water-bill.pdf",
        "mail to sok.dara@example.com",
        "copy to sok.chan%40example.com",
        "subject: Your water bill for November",
        "<p>Your bill is ready: 42,500 KHR, due on 30 November.</p>",
        "JVBERi0xLjQKJSBXYXRlciBiaWxsIGZvciBOb3ZlbWJlcgolJUVPRgo=",
        "JVBERi0xLjQKJSBVbmRhbmdhbiByYXBhdCB3YXJnYSwgTWluZ2d1IHB1a3VsIHNlbWJpbGFuCiUlRU9GCg==",
        "destination_name: Ibu Sari",
        'body ["552 019"]',
        "button bayar/tagihan-4711",
        "msg=Terima%20kasih%2C%20sudah%20sampai",
        "came in: Apakah besok buka?",
        "came in: Kapan pesanan saya dikirim?",
        "encrypted with a key that the caller has chosen",
        "key-that-was-made-in-this-test",
    ],
)
def test_leak_is_found(output: str) -> None:
    assert len(leaks(output, {"key-that-was-made-in-this-test"})) >= 1


def test_functions_do_log(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    deployment.invoke("send/nomsa")

    printed = capsys.readouterr().out
    assert '"message attempted"' in printed
    assert '"SendAccepted"' in printed
    assert leaks(printed) == []
