"""Events on the bus reach the receiver of callbacks: in order, once, also if it fails for a time."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sampai.adapters.events import EventBridgeBus
from sampai.contract.callbacks import TYPES
from sampai.contract.events import Event
from tests.emulator import Emulator
from tests.fakes import InlinePool, RecordingTelemetry
from tests.functional.sandbox import CALLBACK_SECRET, Deployment, forget, new_vendors
from tests.receiver import Receiver, receiving
from tests.template import template

OTHER_SECRET = f"whsec_{b64encode(b'another-secret-for-a-rotation').decode()}"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving(CALLBACK_SECRET) as receiver:
        yield receiver


@pytest.fixture
def new_deployment(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, discreet: set[str]
) -> Iterator[Callable[..., "Callbacks"]]:
    def new(receiver: Receiver, *secrets: str, url: str = "", to_private_addresses: str = "true") -> Callbacks:
        document = {"webhook_tokens": ["t"], "callback_secrets": secrets}
        return Callbacks(
            Deployment(
                emulator=emulator,
                vendors=new_vendors(),
                base_urls={},
                monkeypatch=monkeypatch,
                secret=document,
                callback_url=url or receiver.url,
                callback_to_private_addresses=to_private_addresses,
            )
        )

    discreet.update({CALLBACK_SECRET, OTHER_SECRET, "a private word"})
    yield new
    forget()


class Callbacks:
    """The queue behind the rule of the template, and its worker. Delays are shown and not waited for."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self._waiting: list[str] = []
        self._sqs = deployment.client("sqs")
        self._url = deployment.value("CALLBACK_QUEUE_URL")
        self._arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        rule, events = template()["Resources"]["CallbackRule"]["Properties"], deployment.client("events")
        name = f"callbacks-{deployment.number}"
        events.put_rule(Name=name, EventBusName=deployment.bus, EventPattern=json.dumps(rule["EventPattern"]))
        events.put_targets(Rule=name, EventBusName=deployment.bus, Targets=[{"Id": "callbacks", "Arn": self._arn}])

    def publish(self, *events: Event) -> None:
        EventBridgeBus(
            self.deployment.client("events"),
            bus_name=self.deployment.bus,
            telemetry=RecordingTelemetry(),
            new_pool=InlinePool,
        ).put(events)

    def deliver(self, *, reverse: bool = False, size: int = 10, receives: int = 1) -> int:
        """Deliver the events that are visible, some at a time. Return how many must come again, after a delay."""
        received: list[Any] = []
        while messages := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages"):
            received += messages
        received.sort(key=lambda message: json.loads(message["Body"])["detail"].get("sequence", 0), reverse=reverse)
        waiting = 0
        for first in range(0, len(received), size):
            waiting += self._deliver(received[first : first + size], receives)
        return waiting

    def end_delays(self) -> None:
        """Make every event that waits visible."""
        while self._waiting:
            handle = self._waiting.pop()
            self._sqs.change_message_visibility(QueueUrl=self._url, ReceiptHandle=handle, VisibilityTimeout=0)

    def _deliver(self, messages: list[Any], receives: int) -> int:
        records = [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": {"ApproximateReceiveCount": str(receives)},
                "eventSourceARN": self._arn,
            }
            for message in messages
        ]
        answer = self.deployment.call("callback", {"Records": records})
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        handles = {message["MessageId"]: message["ReceiptHandle"] for message in messages}
        self._waiting += [handles[message_id] for message_id in failed]
        for message_id in handles.keys() - failed:
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=handles[message_id])
        return len(failed)


def changed(sequence: int, message_id: str = "m-1") -> Event:
    detail = {"message_id": message_id, "sequence": sequence, "status": "sent", "metadata": {"note": "a private word"}}
    return Event(detail_type="Message Status Changed", detail=detail | {"occurred_at": "2026-11-21T10:00:00.000Z"})


def taken(receiver: Receiver) -> list[str]:
    return [callback_id for callback_id, _ in receiver.taken]


def test_each_kind_of_event_is_posted_with_its_detail(
    receiver: Receiver, new_deployment: Callable[..., Callbacks]
) -> None:
    callbacks = new_deployment(receiver, CALLBACK_SECRET)
    events = [Event(detail_type=kind, detail={"received_at": "2026-11-21T10:00:00.000Z"}) for kind in list(TYPES)[1:]]

    callbacks.publish(changed(1), *events)

    assert callbacks.deliver() == 0
    told = {body["type"]: body["data"] for _, body in receiver.taken}
    assert told == {TYPES[event.detail_type]: event.detail for event in [changed(1), *events]}


def test_events_that_arrive_in_the_wrong_order_are_posted_in_the_right_one(
    receiver: Receiver, new_deployment: Callable[..., Callbacks]
) -> None:
    callbacks = new_deployment(receiver, CALLBACK_SECRET)
    callbacks.publish(*(changed(sequence) for sequence in (1, 2, 3, 4)))

    assert callbacks.deliver(reverse=True, size=1) == 3
    callbacks.end_delays()
    assert callbacks.deliver(size=2) == 0

    assert taken(receiver) == ["m-1/1", "m-1/2", "m-1/3", "m-1/4"]


def test_a_receiver_that_fails_and_recovers_gets_every_event_once_and_in_order(
    receiver: Receiver, new_deployment: Callable[..., Callbacks]
) -> None:
    callbacks = new_deployment(receiver, CALLBACK_SECRET)
    receiver.answers = [500, 404, 301]
    callbacks.publish(changed(1), changed(2), changed(1, "m-2"))

    assert callbacks.deliver(size=1) == 3
    for waiting in (2, 0):
        callbacks.end_delays()
        assert callbacks.deliver(size=1) == waiting

    assert [callback_id for callback_id in taken(receiver) if callback_id != "m-2/1"] == ["m-1/1", "m-1/2"]
    assert "m-2/1" in taken(receiver)
    callbacks.publish(changed(1), changed(2))
    assert callbacks.deliver() == 0
    assert len(receiver.taken) == 3


def test_an_event_that_waits_is_invisible_for_its_delay(
    receiver: Receiver, new_deployment: Callable[..., Callbacks]
) -> None:
    callbacks = new_deployment(receiver, CALLBACK_SECRET)
    receiver.answers = [500]
    callbacks.publish(changed(1))

    assert callbacks.deliver(receives=5) == 1
    assert callbacks.deliver() == 0
    assert receiver.calls == ["m-1/1"]


def test_a_receiver_with_the_old_secret_takes_callbacks_during_a_rotation(
    receiver: Receiver, new_deployment: Callable[..., Callbacks]
) -> None:
    callbacks = new_deployment(receiver, OTHER_SECRET, CALLBACK_SECRET)
    callbacks.publish(changed(1))

    assert callbacks.deliver() == 0
    assert taken(receiver) == ["m-1/1"]


def test_without_a_secret_events_wait_and_no_receiver_is_called(
    receiver: Receiver, new_deployment: Callable[..., Callbacks]
) -> None:
    callbacks = new_deployment(receiver)
    callbacks.publish(changed(1))

    assert callbacks.deliver() == 1
    assert receiver.calls == []


def test_a_private_address_is_not_called_unless_the_operator_says_so(
    receiver: Receiver, new_deployment: Callable[..., Callbacks]
) -> None:
    url = receiver.url.replace("http://", "https://")
    callbacks = new_deployment(receiver, CALLBACK_SECRET, url=url, to_private_addresses="false")
    callbacks.publish(changed(1))

    assert callbacks.deliver() == 1
    assert receiver.calls == []
