"""The typed client validates, sends in batches, and returns the requests that SQS did not take."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from boto3.session import Session

from docs.schemas import schemas_by_name
from sampai.contract.events import status_changed
from sampai.contract.request import parse_request
from sampai_client import (
    CancelRequest,
    Category,
    Client,
    InvalidEventError,
    InvalidRequestsError,
    OptOutRequest,
    Refused,
    Request,
    SendRequest,
    TextContent,
    parse_event,
)
from sampai_client.client import to_body
from tests.fakes import START, FixedClock
from tests.unit.cli.conftest import World
from tests.unit.cli.test_messages import SENT

NUMBER = "+85591234510"


def request(message_id: str, text: str = "Hello", **fields: Any) -> SendRequest:
    content = TextContent(type="text", text=text)
    return SendRequest(message_id=message_id, recipient=NUMBER, content=content, **fields)


class Sqs:
    """Takes batches, and refuses the entries with some texts."""

    def __init__(self, *refused: str) -> None:
        self.batches: list[list[Any]] = []
        self._refused = refused

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
        self.batches.append([QueueUrl, *(json.loads(entry["MessageBody"]) for entry in Entries)])
        bad = [entry["Id"] for entry in Entries if any(text in entry["MessageBody"] for text in self._refused)]
        return {"Failed": [{"Id": entry_id, "Code": "InternalError", "SenderFault": False} for entry_id in bad]}


def client(sqs: Sqs) -> Client:
    return Client(sqs, send_queue_url="send", urgent_queue_url="urgent", clock=FixedClock())


REQUESTS: list[Request | Mapping[str, Any]] = [
    request("a", category=Category.OTP, send_at=START + timedelta(hours=1), metadata={"order": "1"}),
    CancelRequest(cancel="a"),
    OptOutRequest(opt_out=NUMBER, at=START),
    {"message_id": "b", "recipient": NUMBER, "content": {"type": "text", "text": "Hello"}},
]


@pytest.mark.parametrize("given", REQUESTS, ids=["send", "cancel", "opt_out", "a mapping"])
def test_the_functions_read_the_request_that_was_given(given: Request | Mapping[str, Any]) -> None:
    read = parse_request(to_body(given), now=START)

    assert read == (SendRequest.model_validate(given) if isinstance(given, Mapping) else given)


def test_requests_go_out_in_tens_and_in_order() -> None:
    sqs, progress = Sqs(), list[int]()

    refused = client(sqs).send([request(f"m-{n}") for n in range(23)], urgent=True, on_progress=progress.append)

    assert refused == []
    assert progress == [10, 10, 3]
    assert [batch[0] for batch in sqs.batches] == ["urgent"] * 3
    assert [body["message_id"] for batch in sqs.batches for body in batch[1:]] == [f"m-{n}" for n in range(23)]


def test_large_requests_go_out_in_smaller_batches() -> None:
    sqs = Sqs()

    client(sqs).send([request(f"m-{n}", "x" * 400_000) for n in range(5)])

    assert [len(batch) - 1 for batch in sqs.batches] == [2, 2, 1]


def test_requests_that_sqs_did_not_take_are_returned() -> None:
    given = [request(f"m-{n}", f"Hello {n}.") for n in range(13)]

    refused = client(Sqs("Hello 3.", "Hello 12.")).send(given)

    assert refused == [
        Refused(index=3, code="InternalError", request=given[3]),
        Refused(index=12, code="InternalError", request=given[12]),
    ]


def test_nothing_is_sent_if_a_request_is_invalid() -> None:
    sqs = Sqs()
    far = request("far", expires_at=datetime.now(UTC) + timedelta(days=5000))

    with pytest.raises(InvalidRequestsError) as error:
        client(sqs).send([request("a"), far, {"message_id": "b"}, {"resume": "c", "attempt": 1}])

    assert dict(error.value.details) == {
        1: "expires_at: must be at most 366 days ahead",
        2: "content: required",
        3: "body: a request of Sampai to itself",
    }
    assert sqs.batches == []


def test_a_client_finds_the_queues_of_a_stack(world: World) -> None:
    template = {
        "Resources": {
            name: {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": f"{name}-of-stack"}}
            for name in ("Send", "Urgent")
        },
        "Outputs": {f"{name}QueueUrl": {"Value": {"Ref": name}} for name in ("Send", "Urgent")},
    }
    session = Session(region_name="ap-southeast-1")
    session.client("cloudformation").create_stack(StackName="sampai-prod", TemplateBody=json.dumps(template))

    assert Client.of_stack("sampai-prod", session).send([request("a")]) == []

    url = world.client("sqs").get_queue_url(QueueName="Send-of-stack")["QueueUrl"]
    (message,) = world.client("sqs").receive_message(QueueUrl=url)["Messages"]
    assert json.loads(message["Body"])["message_id"] == "a"


# --- events -----------------------------------------------------------------------------------------------------------


def event(detail_type: str, detail: Any) -> str:
    return json.dumps({"source": "sampai", "detail-type": detail_type, "detail": detail})


def test_an_event_of_a_status_is_read() -> None:
    published = status_changed(SENT, previous=None)

    read = parse_event(event(published.detail_type, published.detail))

    assert read.status_changed == json.loads(json.dumps(published.detail))
    assert (read.received, read.rejected) == (None, None)


def test_fields_of_another_release_are_kept_or_none() -> None:
    read = parse_event(event("Request Rejected", {"message_id": "a", "news": 1}))

    assert read.rejected == {"message_id": "a", "reason": None, "detail": None, "caller": None, "news": 1}


def test_an_inbound_message_is_read() -> None:
    fields = dict.fromkeys(schemas_by_name()["message-received"]["properties"], "x")

    assert parse_event(event("Message Received", fields)).received == fields


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("{", "not JSON"),
        ("[]", "not an event of Sampai"),
        ({"source": "aws.s3", "detail-type": "Object Created", "detail": {}}, "not an event of Sampai"),
        (event("Fax Received", {}), "a kind of event that this release does not know"),
        (event("Message Received", None), "Message Received: without a detail"),
    ],
)
def test_any_other_document_is_an_error_without_its_values(document: Any, said: str) -> None:
    with pytest.raises(InvalidEventError, match=f"^{said}$"):
        parse_event(document)
