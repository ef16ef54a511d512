"""Every sample event goes through the real handler and adapters, and does what the table says."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.functional.sandbox import EVENTS, FUNCTIONS, Deployment, environment_of, leaks, read_event
from tests.template import template

DONE = {"batchItemFailures": []}


@dataclass(frozen=True, kw_only=True)
class Row:
    """What a sample event comes to.

    `after` are the sample events before it. `table` is what stands in the table then: by message id the status, and the
    reason and field of a failure. `calls` counts its requests to vendors; `events` are those that it put on the bus.
    `notes` are those that wait in the queues in the end.
    """

    after: tuple[str, ...] = ()
    answer: Any
    table: dict[str, str] = field(default_factory=dict)
    calls: int = 0
    events: tuple[str, ...] = ()
    notes: int = 0


def refused(message_id: str, reason: str, what: str) -> Row:
    """A request that fails before any vendor is asked: the answer is final, so it does not come back."""
    return Row(answer=DONE, table={message_id: f"failed {reason} {what}"})


def told(status: int, body: str, after: str = "", table: dict[str, str] | None = None) -> Row:
    headers = {"content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff"}
    answer = {"statusCode": status, "headers": headers, "body": body}
    return Row(after=(after,) if after else (), answer=answer, table=table or {})


def of_smspoh(status: int, body: str, becomes: str) -> Row:
    return told(status, body, "send/smspoh", {"sample-smspoh": becomes})


ROWS = {
    # --- send ---
    "send/nomsa": Row(answer=DONE, table={"sample-nomsa": "accepted"}, calls=1),
    "send/smsnoc": Row(answer=DONE, table={"sample-smsnoc": "accepted"}, calls=1),
    "send/smspoh": Row(answer=DONE, table={"sample-smspoh": "accepted"}, calls=1),
    "send/nusasms": Row(answer=DONE, table={"sample-nusasms": "accepted"}, calls=1),
    "send/otp": Row(answer=DONE, table={"sample-otp": "accepted"}, calls=1),
    "send/options": Row(answer=DONE, table={"sample-options": "accepted"}, calls=1),
    "send/batch-of-ten": Row(answer=DONE, table={f"sample-batch-{n}": "accepted" for n in range(1, 11)}, calls=10),
    "send/scheduled": Row(answer=DONE, table={"sample-scheduled": "scheduled"}),
    "send/cancel": Row(after=("send/scheduled",), answer=DONE, table={"sample-scheduled": "canceled"}),
    "send/duplicate-id": Row(answer=DONE, table={"sample-duplicate": "accepted"}, calls=1),
    "send/id-conflict": Row(
        answer=DONE, table={"sample-conflict": "accepted"}, calls=1, events=("sample-conflict id_conflict",)
    ),
    "send/not-json": Row(
        answer=DONE,
        table={"ID": "failed invalid_request body"},
        events=("ID invalid_request",),
    ),
    "send/unknown-field": refused("sample-unknown-field", "invalid_request", "priority"),
    "send/bad-number": refused("sample-bad-number", "invalid_request", "recipient"),
    "send/unknown-provider": refused("sample-unknown-provider", "invalid_request", "provider"),
    "send/unknown-option": refused("sample-unknown-option", "unsupported", "provider_options.smspoh"),
    "send/unknown-channel": refused("sample-unknown-channel", "invalid_request", "channel"),
    "send/unoffered-channel": refused("sample-unoffered-channel", "unroutable", "recipient"),
    "send/unrouted-country": refused("sample-unrouted-country", "unroutable", "recipient"),
    "send/too-long": refused("sample-too-long", "too_long", "content.text"),
    "send/expired": refused("sample-expired", "expired", "expires_at"),
    "send/throttled": Row(answer=DONE, table={"sample-throttled": "queued rate_limited"}, calls=1, notes=1),
    "send/resume": Row(
        after=("send/throttled",), answer=DONE, table={"sample-throttled": "accepted"}, calls=1, notes=1
    ),
    # --- webhook ---
    "webhook/smspoh-receipt-get": of_smspoh(200, "ok", "delivered"),
    "webhook/smspoh-receipt-form": of_smspoh(200, "ok", "delivered"),
    "webhook/smspoh-receipt-form-base64": of_smspoh(200, "ok", "delivered"),
    "webhook/smspoh-receipt-json": of_smspoh(200, "ok", "delivered"),
    "webhook/smspoh-receipt-undelivered": of_smspoh(200, "ok", "undelivered unreachable"),
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
    # --- follow_up ---
    "follow_up/every-minute": Row(after=("send/nomsa",), answer={"followed_up": 0}, table={"sample-nomsa": "accepted"}),
    # --- publish: the stream alone tells what changed ---
    "publish/insert": Row(answer={"published": 1}, events=("sample-nomsa sending",)),
    "publish/status-changed": Row(answer={"published": 1}, events=("sample-nomsa accepted",)),
    "publish/status-unchanged": Row(answer={"published": 0}),
    "publish/removed": Row(answer={"published": 0}),
    "publish/life-of-a-message": Row(
        answer={"published": 3},
        events=("sample-nomsa sending", "sample-nomsa accepted", "sample-nomsa delivered"),
    ),
}


def named(row: Row, event: Any) -> Row:
    """Put the SQS message id in place of `ID`: it stands in where no message id can be read."""
    ids = [record.get("messageId", "") for record in event.get("Records", [])]
    return Row(
        after=row.after,
        answer=row.answer,
        table={key.replace("ID", ids[0]) if ids else key: value for key, value in row.table.items()},
        calls=row.calls,
        events=tuple(text.replace("ID", ids[0]) if ids else text for text in row.events),
        notes=row.notes,
    )


def test_each_sample_event_has_a_row() -> None:
    assert {str(file.relative_to(EVENTS).with_suffix("")) for file in EVENTS.rglob("*.*")} == ROWS.keys()


@pytest.mark.parametrize("name", ROWS)
def test_a_sample_event_does_what_its_row_says_and_nothing_more_if_it_comes_again(
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
        calls=len(deployment.vendors.calls) - calls_before,
        events=tuple(deployment.events()),
        notes=deployment.notes(),
    )
    assert came_of_it == row
    assert deployment.invoke(name) == answer
    assert deployment.table() == row.table
    assert len(deployment.vendors.calls) == calls_before + row.calls


def test_a_message_that_is_due_is_looked_up_at_its_vendor(deployment: Deployment) -> None:
    deployment.invoke("send/nomsa")
    deployment.make_due("sample-nomsa")

    assert deployment.invoke("follow_up/every-minute") == {"followed_up": 1}

    assert deployment.table() == {"sample-nomsa": "delivered"}
    assert deployment.vendors.calls == [
        "POST /nomsa/v1/transactional/sms/send",
        "GET /nomsa/v1/transactional/sms",
    ]


def test_a_receipt_that_came_before_its_send_is_not_lost(deployment: Deployment) -> None:
    deployment.invoke("webhook/smspoh-receipt-get")

    deployment.invoke("send/smspoh")

    assert deployment.table() == {"sample-smspoh": "delivered"}


# --- the samples themselves -----------------------------------------------------------------------------------------


def _records(event: Any) -> Iterator[dict[str, Any]]:
    yield from event.get("Records", [])


@pytest.mark.parametrize("name", [name for name in ROWS if name.startswith("send/")])
def test_an_sqs_record_has_the_digest_of_its_body(name: str) -> None:
    records = read_event(name)["Records"]

    digests = [hashlib.md5(record["body"].encode(), usedforsecurity=False).hexdigest() for record in records]

    assert [record["md5OfBody"] for record in records] == digests


@pytest.mark.parametrize("name", [name for name in ROWS if name.startswith("webhook/")])
def test_a_webhook_event_takes_a_route_of_the_template(name: str) -> None:
    event = read_event(name)
    resources = template()["Resources"].values()
    routes = {r["Properties"]["RouteKey"] for r in resources if r["Type"] == "AWS::ApiGatewayV2::Route"}

    assert event["routeKey"] in routes
    assert event["rawPath"] == "/webhooks/{provider}/{kind}/{token}".format(**event["pathParameters"])


def test_a_removed_item_does_not_pass_the_filter_of_the_stream() -> None:
    events = template()["Resources"]["PublishFunction"]["Properties"]["Events"]["Changes"]["Properties"]

    assert [f["Pattern"] for f in events["FilterCriteria"]["Filters"]] == ['{"eventName": ["INSERT", "MODIFY"]}']
    assert {record["eventName"] for record in _records(read_event("publish/removed"))} == {"REMOVE"}


# --- what holds these tests -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_runs_with_the_environment_of_the_template_and_no_more(
    function: str, deployment: Deployment
) -> None:
    ours = {n for n in deployment.environment(function) if not n.startswith(("AWS_", "NO_PROXY"))}

    assert ours == environment_of(function).keys()
    assert all(isinstance(value, str) for value in deployment.environment(function).values())


@pytest.mark.parametrize(
    "output",
    [
        "to +85591234510",
        "to 85591234510",
        'sent {"text": "Your parcel is at the post office"}',
        "/webhooks/smspoh/receipt/local-webhook-token",
        "Bearer functional_v1_nomsa",
    ],
)
def test_a_leak_would_be_found(output: str) -> None:
    assert len(leaks(output)) >= 1


def test_functions_do_log(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    deployment.invoke("send/nomsa")

    printed = capsys.readouterr().out
    assert '"message attempted"' in printed
    assert '"OutcomeTaken"' in printed
    assert leaks(printed) == []
