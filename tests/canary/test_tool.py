"""The tool and its console print nothing private, whatever was sent and whatever the vendors answered."""

from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from typing import Final

import pytest

from sampai.adapters.attempts import to_attempt_item
from sampai.adapters.items import to_item
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.services.ports.transport import NoResponse
from sampai_cli.stack import Stack
from tests.canary.app import FAULTS, CanaryApplication, WorkingVendors, request_bodies, run_lifecycle
from tests.canary.canaries import value
from tests.canary.outputs import Outputs
from tests.covers import covers
from tests.fakes import START
from tests.harness.cli import sampai
from tests.harness.fake_stack import fake_stack
from tests.unit.cli.console.conftest import browser

Reply = Callable[[HttpRequest], HttpResponse | NoResponse]

VENDORS: Final[dict[str, Reply]] = {"working": WorkingVendors()} | {
    name: FAULTS[name] for name in ("HTTP 400", "a time-out")
}
TOOL: Final = ("story", "list", "dlq list", "dlq show")
PAGES: Final = ("/", "/messages/", "/charts", "/dead-letters")


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with fake_stack() as found:
        yield found


def store(stack: Stack, application: CanaryApplication) -> None:
    """Put the messages and failed attempts of an application into a stack, and all requests as dead letters."""
    dynamodb, sqs = stack.client("dynamodb"), stack.client("sqs")
    for message in application.store.messages.values():
        dynamodb.put_item(TableName=stack.output("MessagesTableName"), Item=to_item(message))
    for attempt in application.attempts.records.values():
        dynamodb.put_item(TableName=stack.output("AttemptsTableName"), Item=to_attempt_item(attempt, now=START))
    for body in request_bodies():
        body = body.encode("utf-8", "replace").decode()
        sqs.send_message(QueueUrl=stack.output("DeadLetterQueueUrl"), MessageBody=body)


def look(stack: Stack, application: CanaryApplication) -> Outputs:
    """Return all that a person sees by the tool and the console."""
    outputs, client = Outputs(), browser(stack)

    def run(name: str, *arguments: str) -> str:
        shown = sampai(stack, *name.split(), *arguments).output
        outputs.record(name, shown)
        return shown

    def visit(path: str, page: str = "") -> None:
        outputs.record(page or path, client.get(path).text)

    run("list", "--limit", "1000")
    run("dlq list")
    # The page of each message shows the same, and faster.
    for number, message_id in enumerate(list(application.store.messages)[::4]):
        run("story", message_id, *(["--json"] if number % 2 else []))
    run("dlq show", "otp", "--json")
    for path in ("/", "/?page=2", "/charts?since=7d", "/dead-letters"):
        visit(path, path.partition("?")[0])
    for message_id in application.store.messages:
        visit(f"/messages/{message_id}", "/messages/")
    return outputs


def run_application(reply: Reply, run: Callable[[CanaryApplication], None]) -> CanaryApplication:
    application = CanaryApplication(Outputs(), reply)
    with redirect_stdout(StringIO()):
        run(application)
    return application


def send_all(application: CanaryApplication) -> None:
    """Send every request, and leave the messages as they are then: with their texts."""
    application.send_all(request_bodies())


@covers("I11")
@pytest.mark.parametrize(
    ("vendors", "run"),
    [("working", send_all), ("working", run_lifecycle), ("HTTP 400", run_lifecycle), ("a time-out", send_all)],
)
def test_the_tool_and_the_console_reveal_nothing(
    vendors: str, run: Callable[[CanaryApplication], None], stack: Stack
) -> None:
    application = run_application(VENDORS[vendors], run)
    store(stack, application)

    outputs = look(stack, application)

    assert outputs.leaks() == []
    assert outputs.places() == {*TOOL, *PAGES}
    assert ("The vendor's words" in outputs.text("/messages/")) is (vendors == "HTTP 400")


def test_a_leak_of_the_attempts_table_is_found_in_the_story_and_on_its_page(stack: Stack) -> None:
    application = run_application(FAULTS["HTTP 400"], send_all)
    records = application.attempts.records
    for key, record in records.items():
        records[key] = replace(record, vendor_words=f"refused: {value('one-time password')}")
    store(stack, application)

    assert look(stack, application).leaks() == ["one-time password: /messages/", "one-time password: story"]
