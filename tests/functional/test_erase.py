"""After `sampai erase`, no table has the number, its opt-out holds, and other people have lost nothing."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError
from typer.testing import Result

from sampai.adapters.attempts import DynamoAttempts
from sampai.services.erase import Erased, EraseService
from sampai.services.ports.attempts import AttemptRecord
from sampai.services.ports.runtime import UnavailableError
from sampai_cli.commands.erase import erase_service
from sampai_cli.run import Run
from tests.covers import covers
from tests.functional.sandbox import Deployment, read_event, stack
from tests.harness.cli import FakeStack, sampai
from tests.template import ROOT

NUMBER, OTHER = "+6281234567810", "+6281234567811"
ROOM, OTHER_ROOM = "a4c1e7b2-5d0f-4c3a-9b8e-1f2d3c4b5a69", "b5d2f8c3-6e1a-4d4b-8c9f-2a3e4d5c6b7a"
NATIONAL = "81234567810"
ALL = Erased(messages=6, files=1, inbound=4, conversations=1, quota_counters=2, ids_with_number=0, unreadable=0)
NOTHING = Erased(messages=0, files=0, inbound=0, conversations=0, quota_counters=0, ids_with_number=0, unreadable=0)

Items = dict[str, list[dict[str, Any]]]


def erase(deployment: Deployment, number: str = NUMBER, **options: Any) -> Result:
    return sampai(stack(deployment), "erase", number, "--yes", **options)


def service(target: FakeStack) -> EraseService:
    return erase_service(Run(find=lambda: target))


def request(message_id: str, recipient: str | None = None, **changes: Any) -> dict[str, Any]:
    document = {"message_id": message_id, "recipient": recipient, "content": {"type": "text", "text": "Kode 1234"}}
    return {name: value for name, value in (document | changes).items() if value is not None}


def send(deployment: Deployment, *requests: dict[str, Any]) -> None:
    (record,) = read_event("send/nusasms")["Records"]
    records = [record | {"messageId": f"r-{n}", "body": json.dumps(body)} for n, body in enumerate(requests)]
    assert deployment.call("send", {"Records": records}) == {"batchItemFailures": []}


def receive(deployment: Deployment, kind: str, changes: dict[str, str]) -> None:
    event = read_event(f"webhook/nusasms-{kind}")
    for before, after in changes.items():
        assert before in event["body"]
        event["body"] = event["body"].replace(before, after)
    assert deployment.call("webhook", event)["statusCode"] == 200


def fill(deployment: Deployment) -> None:
    """Put something about both numbers into every table."""
    name = deployment.value("SETTINGS_PARAMETER")
    settings = json.loads(deployment.client("ssm").get_parameter(Name=name)["Parameter"]["Value"])
    settings["limits"] = {"per_recipient_per_day": 100, "per_prefix_per_hour": 100}
    settings["callers"] = {"AROASAMPLE": {"limits": {"per_recipient_per_day": 100}}}
    deployment.client("ssm").put_parameter(Name=name, Value=json.dumps(settings), Type="String", Overwrite=True)
    later = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    for whose, number, room in (("theirs", NUMBER, ROOM), ("others", OTHER, OTHER_ROOM)):
        receive(deployment, "whatsapp-official-inbox", {ROOM: room, "4711": f"4711-{whose}", NUMBER[1:]: number[1:]})
        receive(deployment, "sms-inbox-stop", {"88232": f"88232-{whose}", NUMBER[1:]: number[1:]})
        receive(deployment, "sms-inbox-no-id", {NUMBER[1:]: number[1:]})
        notations = {"phone": number, "call": f"0{number[3:6]}-{number[6:10]}-{number[10:]}"}
        file = {"type": "media", "media_base64": "JVBERi0=", "file_name": "bill.pdf", "caption": f"For {number}"}
        send(
            deployment,
            request(f"{whose}-sent", number, metadata=notations, category="otp"),
            request(f"{whose}-late", number, send_at=later, metadata=notations),
            request(f"{whose}-file", number, send_at=later, channel="whatsapp", content=file),
            request(f"{whose}-keyed", number, provider="smspoh", provider_options={"smspoh": {"encrypt": True}}),
            request(f"{whose}-reply", room_id=room, channel="whatsapp_official", send_at=later),
            request(f"{whose}-refused", number, category="promotional"),
        )
    receive(deployment, "sms-inbox", {"88231": "88231-mention", NUMBER[1:]: "6281999999910", "Terima": f"0{NATIONAL}"})


def scan(deployment: Deployment) -> Items:
    tables = ("messages", "correlations", "inbox", "directory", "media", "keys")
    return {table: deployment.items(getattr(deployment, table)) for table in tables}


def texts_of(items: Items) -> list[str]:
    return [json.dumps(item, default=bytes.decode) for table in items.values() for item in table]


def traces(items: Items) -> list[str]:
    """Return the items that have the number, in any notation."""
    return [text for text in texts_of(items) if NATIONAL in re.sub(r"[\s().-]", "", text)]


def files_and_keys(items: Items) -> list[str]:
    """Return the files and encryption keys of the messages to the number."""
    return [text for text in texts_of({table: items[table] for table in ("media", "keys")}) if "theirs-" in text]


def of_others(items: Items) -> list[str]:
    marks = ("others-", OTHER[1:], OTHER_ROOM)
    return sorted(text for text in texts_of(items) if any(mark in text for mark in marks))


def email(message_id: str, recipient: str, later: str, **content: Any) -> dict[str, Any]:
    fields = {"type": "email", "subject": f"For {recipient}", "body": "<p>1234</p>", **content}
    return request(message_id, recipient, channel="email", send_at=later, content=fields)


def test_erase_leaves_no_trace_of_an_address_and_everything_of_other_people(deployment: Deployment) -> None:
    later = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    files = [{"file_name": "1.pdf", "content_base64": "JVBERi0="}]
    send(
        deployment,
        email("theirs-main", "Sok@Example.com", later, attachments=files),
        email("theirs-copy", "boss@example.com", later, cc=["dara@example.com", "sok@example.com"]),
        email("theirs-blind", "boss@example.com", later, bcc=["SOK@example.com"]),
        email("theirs-reply", "boss@example.com", later, reply_to="sok@example.com"),
        email("others-main", "mr.sok@example.com", later, attachments=files),
        {"opt_out": "sok@EXAMPLE.com"},
    )
    before = scan(deployment)
    assert len(before["media"]) == 2

    assert erase(deployment, "SOK@example.com").exit_code == 0

    after = scan(deployment)
    assert [text for text in texts_of(after) if re.search(r"(?<!mr\.)sok@example", text, re.IGNORECASE)] == []
    assert [item["status"]["S"] for item in after["messages"] if "theirs" in item["message_id"]["S"]] == [
        "canceled"
    ] * 4
    assert of_others(after) == of_others(before)
    assert len(after["media"]) == 1
    assert "opted out at" in sampai(stack(deployment), "consent", "sok@example.com").stdout


@covers("I14")
def test_erase_leaves_no_trace_of_the_number_and_everything_of_other_people(deployment: Deployment) -> None:
    fill(deployment)
    attempts = DynamoAttempts(deployment.client("dynamodb"), table=deployment.attempts)
    theirs, others = (
        AttemptRecord(message_id=f"{whose}-reply", attempt=1, attempt_id="a-1", provider="nusasms", outcome="not_taken")
        for whose in ("theirs", "others")
    )
    attempts.add([theirs, others], now=datetime.now(UTC))
    before = scan(deployment)
    assert len(traces(before)) >= 10
    assert len(files_and_keys(before)) == 2
    assert len(of_others(before)) >= 10
    assert all(before.values()), "a table without an item proves nothing"

    assert erase(deployment).exit_code == 0

    after = scan(deployment)
    assert (traces(after), files_and_keys(after)) == ([], [])
    assert of_others(after) == of_others(before)
    assert (attempts.read("theirs-reply"), attempts.read("others-reply")) == ([], [others])
    table = {message_id: status for message_id, status in deployment.table().items() if message_id.startswith("theirs")}
    assert table == {
        "theirs-sent": "accepted",
        "theirs-late": "canceled",
        "theirs-file": "canceled",
        "theirs-keyed": "accepted",
        "theirs-reply": "canceled",
        "theirs-refused": "failed opted_out recipient",
    }


@covers("I14")
def test_erased_number_is_still_opted_out(deployment: Deployment) -> None:
    fill(deployment)
    erase(deployment)
    calls = len(deployment.vendors.calls)

    send(deployment, request("sale", NUMBER, category="promotional"), request("code", NUMBER, category="otp"))

    assert (deployment.table()["sale"], deployment.table()["code"]) == ("failed opted_out recipient", "accepted")
    assert len(deployment.vendors.calls) == calls + 1


def test_second_run_finds_nothing(deployment: Deployment) -> None:
    fill(deployment)
    eraser = service(stack(deployment))

    assert eraser.erase(NUMBER) == ALL
    before = scan(deployment)

    assert eraser.erase(NUMBER) == NOTHING
    assert scan(deployment) == before


class Outage:
    """Lets a client make so many writes, and then no call at all."""

    def __init__(self, writes: int) -> None:
        self._writes = writes

    def before_call(self, model: Any, **_: Any) -> None:
        if self._writes == 0:
            raise ConnectTimeoutError(endpoint_url="http://127.0.0.1")
        self._writes -= model.name in ("DeleteItem", "BatchExecuteStatement")


def failing_client(deployment: Deployment, *, writes: int) -> Callable[[str], Any]:
    def client_of(service: str) -> Any:
        client = deployment.emulator.client(service)
        client.meta.events.register("before-call", Outage(writes).before_call)
        return client

    return client_of


@covers("I14")
def test_run_after_a_crash_at_any_write_completes_the_work(deployment: Deployment) -> None:
    fill(deployment)
    full = scan(deployment)
    crashes = 0
    while True:
        try:
            service(stack(deployment, failing_client(deployment, writes=crashes))).erase(NUMBER)
        except UnavailableError:
            crashes += 1
        else:
            break
        if crashes > 1:
            assert traces(scan(deployment)) != []
        service(stack(deployment)).erase(NUMBER)
        after = scan(deployment)
        assert (traces(after), files_and_keys(after)) == ([], [])
        restore(deployment, full)

    assert crashes >= ALL.messages * 2 + ALL.inbound + 3


def restore(deployment: Deployment, items: Items) -> None:
    for table, kept in items.items():
        for item in kept:
            deployment.client("dynamodb").put_item(TableName=getattr(deployment, table), Item=item)


# --- the commands -----------------------------------------------------------------------------------------------------


def test_output_counts_items_and_masks_the_number(deployment: Deployment) -> None:
    send(deployment, request(f"otp-{NATIONAL}", NUMBER, category="otp"))

    result = erase(deployment)

    assert result.exit_code == 0
    assert "Erased +62********810 from sampai-test" in result.stdout
    assert re.search(r"messages \(their ids and statuses stay\) +│ +1 ", result.stdout)
    assert "The message_id of 1 of these messages contains the number, and stays." in result.stdout
    assert NATIONAL not in result.output


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_nothing_is_erased_without_a_yes(answer: str, deployment: Deployment) -> None:
    send(deployment, request("code", NUMBER, category="otp"))
    before = scan(deployment)

    result = sampai(stack(deployment), "erase", NUMBER, input=answer)

    assert (result.exit_code, scan(deployment)) == (1, before)
    assert "Erase +62********810 from sampai-test? This cannot be undone." in result.stderr
    assert "Nothing was changed" in result.stderr


@pytest.mark.parametrize("given", ["as argument", "by the environment", "when asked"])
def test_number_and_answer_may_come_in_another_way(given: str, deployment: Deployment) -> None:
    send(deployment, request("code", NUMBER, category="otp"))
    arguments = [NUMBER, "--yes"] if given == "as argument" else []
    environment = {"NUMBER": NUMBER, "YES": "1"} if given == "by the environment" else {}

    result = sampai(stack(deployment), "erase", *arguments, env=environment, input=f"{NUMBER}\ny\n")

    assert (result.exit_code, traces(scan(deployment))) == (0, [])
    assert NATIONAL not in result.output


@pytest.mark.parametrize("number", ["6281234567810", "+62081234567810", "081234567810", "+62812,+62813", "nobody"])
def test_number_that_is_not_e164_is_refused_and_not_repeated(number: str, deployment: Deployment) -> None:
    result = erase(deployment, number)

    assert result.exit_code == 2
    assert number not in result.output


@pytest.mark.parametrize(
    ("requests", "said"),
    [
        ([], "has neither opted out nor in."),
        ([{"opt_out": NUMBER}], "opted out at 2026-11-21T10:00:00.001Z."),
        ([{"opt_out": NUMBER}, {"opt_in": NUMBER}], "opted out at 2026-11-21T10:00:00.001Z."),
        ([{"opt_out": OTHER}], "has neither opted out nor in."),
        ([{"opt_in": NUMBER}], "opted in at 2026-11-21T10:00:00.001Z."),
    ],
)
def test_consent_shows_the_latest_opt_out(requests: list[dict[str, Any]], said: str, deployment: Deployment) -> None:
    send(deployment, *requests)

    result = sampai(stack(deployment), "consent", NUMBER)

    assert (result.exit_code, result.stdout) == (0, f"+62********810 {said}\n")


ACTIONS = {"dynamodb:BatchExecuteStatement": "dynamodb:PartiQLUpdate"}
FOR_THE_STACK = {"cloudformation:DescribeStacks", "cloudformation:DescribeStackResource"}


@pytest.mark.parametrize(
    ("command", "page"), [("erase", "docs/how-to/erase-a-person.md"), ("consent", "docs/how-to/opt-out.md")]
)
def test_page_lists_the_permissions_for_the_calls_of_its_command(
    command: str, page: str, deployment: Deployment
) -> None:
    fill(deployment)
    calls: set[str] = set()

    def recording(service: str) -> Any:
        client = deployment.emulator.client(service)

        def note(model: Any, **_: Any) -> None:
            call = f"{service}:{model.name}"
            calls.add(ACTIONS.get(call, call))

        client.meta.events.register("before-call", note)
        return client

    result = sampai(stack(deployment, recording), command, env={"NUMBER": NUMBER, "YES": "1"})
    assert result.exit_code == 0

    listed = set(re.findall(r"\b[a-z]+:[A-Z][A-Za-z]+\b", (ROOT / page).read_text()))
    assert listed == calls | FOR_THE_STACK
