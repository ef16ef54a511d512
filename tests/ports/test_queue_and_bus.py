"""The contracts of the queue and the bus, checked on the fakes and on the adapters with the local AWS."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from sampai.adapters.events import EventBridgeBus
from sampai.adapters.queue import SqsQueue
from sampai.contract.events import Event
from sampai.services.ports.events import EventBus
from sampai.services.ports.queue import Queue, WakeUp
from sampai.services.ports.runtime import UnavailableError
from tests.emulator import Emulator
from tests.fakes import RecordingBus, RecordingQueue, RecordingTelemetry

Bodies = Callable[[], list[str]]
Heard = Callable[[], list[Event]]


def wake_up(number: int, *, is_urgent: bool = False) -> WakeUp:
    return WakeUp(message_id=f"m-{number}", attempt=number, is_urgent=is_urgent, delay_seconds=0)


def event(number: int) -> Event:
    return Event(detail_type="Message Status Changed", detail={"message_id": "m-1", "sequence": number})


@pytest.fixture(params=["memory", "SQS"])
def queue(request: pytest.FixtureRequest) -> tuple[Queue, Bodies]:
    if request.param == "memory":
        fake = RecordingQueue()
        return fake, fake.bodies
    emulator: Emulator = request.getfixturevalue("emulator")
    sqs = emulator.client("sqs")
    urls = [sqs.create_queue(QueueName=f"port-{request.node.callspec.id}-{name}")["QueueUrl"] for name in ("a", "b")]
    return SqsQueue(sqs, send_url=urls[0], urgent_url=urls[1]), lambda: [b for url in urls for b in _taken(sqs, url)]


@pytest.fixture(params=["memory", "EventBridge"])
def bus(request: pytest.FixtureRequest) -> tuple[EventBus, Heard]:
    if request.param == "memory":
        fake = RecordingBus()
        return fake, lambda: fake.events
    emulator: Emulator = request.getfixturevalue("emulator")
    sqs, events, name = emulator.client("sqs"), emulator.client("events"), f"port-{request.node.callspec.id}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.create_event_bus(Name=name)
    events.put_rule(Name="all", EventBusName=name, EventPattern=json.dumps({"source": ["sampai"]}))
    events.put_targets(Rule="all", EventBusName=name, Targets=[{"Id": "queue", "Arn": arn}])

    def heard() -> list[Event]:
        said = map(json.loads, _taken(sqs, url))
        return [Event(detail_type=one["detail-type"], detail=one["detail"]) for one in said]

    return EventBridgeBus(events, bus_name=name, telemetry=RecordingTelemetry(), new_pool=ThreadPoolExecutor), heard


def _taken(sqs: object, url: str) -> list[str]:
    bodies: list[str] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):  # type: ignore[attr-defined]
        bodies += [message["Body"] for message in messages]
    return bodies


@pytest.mark.parametrize("count", [0, 1, 10, 23])
def test_every_wake_up_is_delivered_once(queue: tuple[Queue, Bodies], count: int) -> None:
    port, bodies = queue

    port.put([wake_up(number, is_urgent=number % 2 == 0) for number in range(count)])

    expected = [{"resume": f"m-{number}", "attempt": number} for number in range(count)]
    assert sorted(map(json.loads, bodies()), key=lambda body: body["attempt"]) == expected


@pytest.mark.parametrize("count", [0, 1, 10, 23])
def test_events_are_delivered_in_the_order_of_publishing(bus: tuple[EventBus, Heard], count: int) -> None:
    port, heard = bus

    port.put([event(number) for number in range(count)])

    assert heard() == [event(number) for number in range(count)]


def test_queue_or_bus_that_does_not_exist_is_unavailable(emulator: Emulator) -> None:
    sqs = emulator.client("sqs")
    nowhere = f"{emulator.endpoint_url}/000000000000/nowhere"
    fake_queue, fake_bus = RecordingQueue(), RecordingBus()
    fake_queue.is_down = fake_bus.is_down = True

    for queue in (fake_queue, SqsQueue(sqs, send_url=nowhere, urgent_url=nowhere)):
        with pytest.raises(UnavailableError):
            queue.put([wake_up(1)])
    with pytest.raises(UnavailableError):
        fake_bus.put([event(1)])
