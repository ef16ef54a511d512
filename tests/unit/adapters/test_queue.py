"""Wake-ups on SQS."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from botocore.stub import Stubber

from sampai.adapters.aws import Aws
from sampai.adapters.queue import SqsCallbackQueue, SqsQueue, to_body
from sampai.contract.request import OutcomeRequest, parse_request
from sampai.domain.failure import Reason
from sampai.domain.outcome import FailureScope, NotTaken, Taken
from sampai.services.ports.queue import CarriedOutcome, Receipt, WakeUp
from sampai.services.ports.runtime import UnavailableError
from tests.fakes import START
from tests.unit.adapters.calls import Calls, watch


@dataclass
class Queues:
    """Both queues of the send function."""

    client: Any
    send_url: str
    urgent_url: str
    batches: Calls

    def put(self, wake_ups: Sequence[WakeUp]) -> None:
        SqsQueue(self.client, send_url=self.send_url, urgent_url=self.urgent_url).put(wake_ups)

    def batch_sizes(self) -> list[int]:
        return [len(entries) for entries in self.batches.values("Entries")]

    def bodies(self, url: str) -> list[str]:
        return [message["Body"] for message in self.messages(url)]

    def messages(self, url: str) -> list[dict[str, Any]]:
        """Return the messages that a queue delivers now."""
        found: list[dict[str, Any]] = []
        while received := self.client.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
        ).get("Messages"):
            found += received
        return found

    def delayed(self, url: str) -> int:
        name = "ApproximateNumberOfMessagesDelayed"
        return int(self.client.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])


@pytest.fixture
def queues(aws: Aws) -> Queues:
    sqs = aws.client("sqs")
    send, urgent = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("send", "urgent"))
    return Queues(sqs, send_url=send, urgent_url=urgent, batches=watch(sqs, "SendMessageBatch"))


def wake_ups(count: int, *, is_urgent: bool = False) -> list[WakeUp]:
    return [WakeUp(message_id=f"m{i}", attempt=1, is_urgent=is_urgent, delay_seconds=0) for i in range(count)]


def test_wake_up_names_the_message_and_its_attempt(queues: Queues) -> None:
    queues.put([WakeUp(message_id="otp-1", attempt=2, is_urgent=True, delay_seconds=0)])

    assert queues.bodies(queues.urgent_url) == ['{"resume": "otp-1", "attempt": 2}']
    assert queues.bodies(queues.send_url) == []


def test_wake_up_keeps_the_message_group_of_its_request(queues: Queues) -> None:
    first, second = wake_ups(2)

    queues.put([replace(first, group="shop-a"), second])

    groups = [message["Attributes"].get("MessageGroupId") for message in queues.messages(queues.send_url)]
    assert groups == ["shop-a", None]


def test_wake_ups_go_to_their_queue_ten_at_a_time(queues: Queues) -> None:
    queues.put([*wake_ups(12), *wake_ups(11, is_urgent=True), *wake_ups(9)])

    assert queues.batch_sizes() == [10, 10, 1, 10, 1]
    assert (len(queues.bodies(queues.send_url)), len(queues.bodies(queues.urgent_url))) == (21, 11)


@pytest.mark.parametrize(("delay", "is_delayed"), [(-5, False), (0, False), (900, True), (4000, True)])
def test_delay_is_limited_to_fifteen_minutes(queues: Queues, delay: int, is_delayed: bool) -> None:
    queues.put([WakeUp(message_id="m", attempt=1, is_urgent=False, delay_seconds=delay)])

    assert (queues.delayed(queues.send_url), len(queues.bodies(queues.send_url))) == (is_delayed, not is_delayed)


def test_no_wake_ups_are_no_call(queues: Queues) -> None:
    queues.put([])

    assert queues.batch_sizes() == []


# --- refusals: moto makes none ----------------------------------------------------------------------------------------


@pytest.fixture
def stubber(queues: Queues) -> Iterator[Stubber]:
    with Stubber(queues.client) as stubber:
        yield stubber


def refused(*entry_ids: str) -> dict[str, Any]:
    failed = [{"Id": i, "SenderFault": False, "Code": "InternalError"} for i in entry_ids]
    return {"Successful": [], "Failed": failed}


@pytest.mark.parametrize(
    ("answers", "refusals"),
    [
        ([refused("3"), refused("1")], 2),
        (["ServiceUnavailable", refused()], 10),
        ([refused(), "ThrottlingException"], 2),
        ([refused("0"), "ThrottlingException"], 3),
    ],
    ids=["entries", "the first call", "the last call", "an entry and a call"],
)
def test_refusal_is_raised_after_every_batch_was_tried(
    queues: Queues, stubber: Stubber, answers: list[dict[str, Any] | str], refusals: int
) -> None:
    for answer in answers:
        if isinstance(answer, str):
            stubber.add_client_error("send_message_batch", answer)
        else:
            stubber.add_response("send_message_batch", answer)

    with pytest.raises(UnavailableError, match=f"^queue: {refusals} not accepted$"):
        queues.put(wake_ups(12))

    stubber.assert_no_pending_responses()
    assert queues.batch_sizes() == [10, 2]


def test_outage_is_a_refusal_of_every_wake_up(queues: Queues) -> None:
    queues.batches.cut()

    with pytest.raises(UnavailableError, match=r"^queue: 12 not accepted$"):
        queues.put(wake_ups(12))

    assert queues.batch_sizes() == [10, 2]


OUTCOMES: list[Taken | NotTaken] = [
    Taken(provider_message_id="v-1", provider_status="UNSENT"),
    Taken(provider_message_id="v-1", encryption_key="a key of the vendor"),
    NotTaken(reason=Reason.RATE_LIMITED, is_final=False, provider_code="429", retry_after_seconds=7.5),
    NotTaken(reason=Reason.EXPIRED, is_final=True, scope=FailureScope.INTERNAL, detail="to +85591234510"),
]


@pytest.mark.parametrize("outcome", OUTCOMES, ids=str)
def test_an_outcome_in_the_queue_is_read_as_it_was_written_without_keys_and_the_text_of_the_vendor(
    outcome: Taken | NotTaken,
) -> None:
    carried = CarriedOutcome(message_id="m-1", attempt_id="a-1", outcome=outcome, is_urgent=False, delay_seconds=5)

    request = parse_request(to_body(carried), now=START)

    assert isinstance(request, OutcomeRequest)
    assert (request.outcome_of, request.attempt_id) == ("m-1", "a-1")
    if isinstance(outcome, Taken):
        assert request.outcome() == replace(outcome, encryption_key=None)
    else:
        was_called = outcome.scope is not FailureScope.INTERNAL
        assert request.outcome() == replace(outcome, detail=None if was_called else "no call was made")


def test_received_messages_are_postponed_on_their_own_queue(queues: Queues) -> None:
    SqsQueue(queues.client, send_url=queues.send_url, urgent_url=queues.urgent_url).put(wake_ups(12))
    handles = [message["ReceiptHandle"] for message in queues.messages(queues.send_url)]
    changes = watch(queues.client, "ChangeMessageVisibilityBatch")
    receipts = [Receipt(queue_name="send", handle=handle) for handle in handles]
    other = Receipt(queue_name="another", handle="h")

    SqsQueue(queues.client, send_url=queues.send_url, urgent_url=queues.urgent_url).postpone(
        [*receipts, other], seconds=0
    )

    assert [len(entries) for entries in changes.values("Entries")] == [10, 2]
    assert len(queues.messages(queues.send_url)) == 12


def test_a_message_that_cannot_be_postponed_is_unavailable(queues: Queues) -> None:
    queue = SqsQueue(queues.client, send_url=queues.send_url, urgent_url=queues.urgent_url)

    with pytest.raises(UnavailableError, match="1 not postponed"):
        queue.postpone([Receipt(queue_name="urgent", handle="not a handle")], seconds=30)


def test_received_events_are_postponed_each_by_its_own_time(queues: Queues) -> None:
    SqsQueue(queues.client, send_url=queues.send_url, urgent_url=queues.urgent_url).put(wake_ups(12))
    handles = [message["ReceiptHandle"] for message in queues.messages(queues.send_url)]
    changes = watch(queues.client, "ChangeMessageVisibilityBatch")
    receipts = [Receipt(queue_name="send", handle=handle) for handle in handles]

    SqsCallbackQueue(queues.client, url=queues.send_url).postpone(
        [(receipt, 0 if number < 5 else 900) for number, receipt in enumerate(receipts)]
    )

    assert [len(entries) for entries in changes.values("Entries")] == [10, 2]
    assert len(queues.messages(queues.send_url)) == 5


def test_an_event_that_cannot_be_postponed_is_unavailable(queues: Queues) -> None:
    with pytest.raises(UnavailableError, match="1 not postponed"):
        SqsCallbackQueue(queues.client, url=queues.send_url).postpone(
            [(Receipt(queue_name="send", handle="not a handle"), 30)]
        )
