"""Put requests on the queues of a stack."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Self

import boto3

from sampai.adapters.batches import batches_within
from sampai.contract.request import (
    CancelRequest,
    InvalidRequest,
    OptInRequest,
    OptOutRequest,
    OutcomeRequest,
    ResumeRequest,
    SendRequest,
    parse_request,
)

Request = SendRequest | CancelRequest | OptOutRequest | OptInRequest

MAX_BATCH_BYTES: Final = 1024 * 1024
"""The limit of SendMessageBatch: the bytes of all bodies together."""


class InvalidRequestsError(ValueError):
    """Some requests are invalid, and none was sent. `details` has the field and the rule by the request's position."""

    def __init__(self, details: Mapping[int, str]) -> None:
        super().__init__("; ".join(f"request {index}: {detail}" for index, detail in details.items()))
        self.details = details


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A request that SQS did not take. It is safe to send it again."""

    index: int
    """Its position among the given requests."""
    code: str
    """The error code of SQS."""
    request: Request | Mapping[str, Any] = field(repr=False)


class Client:
    """Sends requests. It is safe to send a request again: its `message_id` is the idempotency key."""

    def __init__(
        self,
        sqs: Any,
        *,
        send_queue_url: str,
        urgent_queue_url: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`sqs` is a boto3 client of SQS; the addresses are outputs of the stack."""
        self._sqs = sqs
        self._urls = {False: send_queue_url, True: urgent_queue_url}
        self._clock = clock

    @classmethod
    def of_stack(cls, name: str, session: boto3.Session | None = None) -> Self:
        """Return the client of a stack. Raises botocore's ClientError and BotoCoreError.

        Needs `cloudformation:DescribeStacks`; the constructor does not.
        """
        session = session or boto3.Session()
        stack = session.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        return cls(
            session.client("sqs"),
            send_queue_url=outputs["SendQueueUrl"],
            urgent_queue_url=outputs["UrgentQueueUrl"],
        )

    def send(
        self,
        requests: Sequence[Request | Mapping[str, Any]],
        *,
        urgent: bool = False,
        on_progress: Callable[[int], None] = lambda count: None,
    ) -> list[Refused]:
        """Validate all requests, send them in batches of ten, and return those that SQS did not take.

        `urgent` takes the queue that never waits behind a campaign. `on_progress` is called with the size of each
        batch. Raises InvalidRequestsError before the first one is sent, and botocore's ClientError and BotoCoreError.
        """
        bodies = self._validate(requests)
        refused: list[Refused] = []
        for batch in batches_within(range(len(bodies)), MAX_BATCH_BYTES, lambda index: len(bodies[index].encode())):
            entries = [{"Id": str(index), "MessageBody": bodies[index]} for index in batch]
            answer = self._sqs.send_message_batch(QueueUrl=self._urls[urgent], Entries=entries)
            for failed in answer.get("Failed", []):
                index = int(failed["Id"])
                refused.append(Refused(index=index, code=failed["Code"], request=requests[index]))
            on_progress(len(batch))
        return sorted(refused, key=lambda each: each.index)

    def _validate(self, requests: Sequence[Request | Mapping[str, Any]]) -> list[str]:
        bodies = [to_body(request) for request in requests]
        details = {
            index: detail
            for index, body in enumerate(bodies)
            if (detail := check_body(body, now=self._clock())) is not None
        }
        if details:
            raise InvalidRequestsError(details)
        return bodies


def to_body(request: Request | Mapping[str, Any]) -> str:
    """Return the body of an SQS message."""
    if isinstance(request, Mapping):
        return json.dumps(request, ensure_ascii=False)
    return request.model_dump_json(exclude_defaults=True)


def check_body(body: str, *, now: datetime) -> str | None:
    """Return the fields and rules that a body breaks, or None if the functions will take it."""
    match parse_request(body, now=now):
        case InvalidRequest(detail=detail):
            return detail
        case ResumeRequest() | OutcomeRequest():
            return "body: a request of Sampai to itself"
    return None if len(body.encode()) <= MAX_BATCH_BYTES else "body: larger than an SQS message of 1 MiB"
