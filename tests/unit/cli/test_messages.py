"""`sampai story` and `list` show what is stored, without texts, full numbers and metadata."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sampai.adapters.attempts import to_attempt_item
from sampai.domain.failure import Failure, Reason
from sampai.domain.message import HistoryEntry, Message, Text
from sampai.domain.status import Source, Status
from sampai.services.ports.attempts import AttemptRecord
from tests.fakes import START
from tests.unit.cli.conftest import World

PRIVATE = ("+85591234510", "Your code is 1234", "the-order")
LATER = START + timedelta(seconds=2)

SENT = Message(
    message_id="otp-1",
    status=Status.UNDELIVERED,
    revision=4,
    sequence=3,
    recipient=PRIVATE[0],
    content=Text(text=PRIVATE[1]),
    metadata={"order": PRIVATE[2]},
    provider="nomsa",
    provider_message_id="n-1",
    attempt=1,
    failure=Failure(reason=Reason.UNREACHABLE, provider_code="34", detail="the phone is off"),
    created_at=START,
    updated_at=LATER,
    occurred_at=LATER,
    history=(
        HistoryEntry(status=Status.SENDING, at=START, source=Source.SEND),
        HistoryEntry(status=Status.ACCEPTED, at=START, source=Source.SEND),
        HistoryEntry(status=Status.UNDELIVERED, at=LATER, source=Source.POLL),
    ),
)
WAITING = replace(
    SENT,
    message_id="otp-2",
    status=Status.QUEUED,
    provider=None,
    failure=None,
    updated_at=START,
    due_at=datetime.now(UTC) + timedelta(days=1),
)
ATTEMPT = AttemptRecord(
    message_id="otp-1",
    attempt=1,
    attempt_id="a-1",
    provider="nomsa",
    outcome="not_taken",
    began_at=START,
    http_status=200,
    reason=Reason.INVALID_RECIPIENT,
    provider_code="34",
    vendor_words="no such number …",
)


def with_attempts(world: World) -> None:
    world.client("dynamodb").put_item(TableName="AttemptsTable", Item=to_attempt_item(ATTEMPT, now=START))


def test_a_story_has_facts_statuses_and_attempts_and_nothing_private(world: World) -> None:
    with_attempts(world)
    world.put(SENT)

    result = world("story", "otp-1")

    assert result.exit_code == 0
    lines = [" ".join(line.split()).strip("│ ") for line in result.stdout.splitlines()]
    assert "recipient │ +855*****510" in lines
    assert 'failure │ {"reason": "unreachable", "provider_code": "34", "detail": "the phone is off"}' in lines
    assert lines[lines.index("2026-11-21T10:00:00.000Z sending by send") :][:4] == [
        "2026-11-21T10:00:00.000Z sending by send",
        "2026-11-21T10:00:00.000Z accepted by send",
        "2026-11-21T10:00:02.000Z undelivered by poll",
        "Failed attempts",
    ]
    assert (
        "1 │ nomsa │ 2026-11-21T10:00:00.000Z │ – │ not_taken │ 200 │ 34 │ invalid_recipient │ – │ no such number …"
        in lines
    )
    assert [private for private in PRIVATE if private in result.output] == []


def test_story_tells_why_nothing_is_known_about_a_message(world: World) -> None:
    error = "HTTP 401: AccountRefusedError"
    world.put(replace(WAITING, status=Status.UNKNOWN, not_found_count=1, lookup_error=error, lookup_errors=7))

    story = json.loads(world("story", "otp-2", "--json").stdout)

    assert (story["not_found_count"], story["lookup_error"], story["lookup_errors"]) == (1, error, 7)


def test_a_story_as_json_has_the_same_facts(world: World) -> None:
    world.put(SENT)

    story = json.loads(world("story", "otp-1", "--json").stdout)

    assert (story["status"], story["recipient"], story["metadata"], story["attempts"]) == (
        "undelivered",
        "+855*****510",
        ["order"],
        [],
    )
    assert story["history"][-1] == {"status": "undelivered", "at": "2026-11-21T10:00:02.000Z", "source": "poll"}


def test_an_unknown_id_is_one_sentence_with_the_next_step(world: World) -> None:
    result = world("story", "nobody")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "There is no message nobody in sampai-test. Its request may still be in a queue, was never sent, or is older "
        "than the retention. `sampai dlq list` shows requests that failed.\n"
    )


def test_follow_ends_with_the_message(world: World) -> None:
    world.put(SENT)

    result = world("story", "otp-1", "--follow", "--timeout", "5")

    assert (result.exit_code, result.stdout.count("undelivered by poll")) == (0, 1)


def test_follow_gives_up_in_time(world: World) -> None:
    world.put(WAITING)

    result = world("story", "otp-2", "--follow", "--timeout", "1")

    assert (result.exit_code, result.stderr) == (
        1,
        "otp-2 is still queued after 1 seconds. To wait longer, raise --timeout.\n",
    )


def test_a_caller_without_the_permission_for_the_vendors_words_sees_the_rest(world: World) -> None:
    with_attempts(world)
    world.put(SENT)

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Query")

    def client(service: str) -> Any:
        found = original(service)
        found.meta.events.register("before-call.dynamodb.Query", refuse)
        return found

    original = world.stack.client
    world.stack = replace(world.stack, client=client)

    result = world("story", "otp-1")

    assert result.exit_code == 0
    assert "undelivered by poll" in result.stdout
    assert "The vendors' words are not shown" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        ([], ["otp-1", "otp-2"]),
        (["--status", "open"], ["otp-2"]),
        (["--status", "queued"], ["otp-2"]),
        (["--status", "sending"], []),
        (["--status", "undelivered"], ["otp-1"]),
        (["--provider", "nomsa"], ["otp-1"]),
        (["--since", "2026-11-21T10:00:01Z"], ["otp-1"]),
        (["--limit", "1"], ["otp-1"]),
    ],
)
def test_a_list_is_chosen_by_status_provider_and_time(arguments: list[str], ids: list[str], world: World) -> None:
    world.put(SENT, WAITING)

    result = world("list", *arguments, "--json")

    assert [row["message_id"] for row in json.loads(result.stdout)] == ids
    assert "read units, about $" in result.stderr
    assert [private for private in PRIVATE if private in result.output] == []


def test_a_list_stops_at_its_limit_and_says_so(world: World) -> None:
    padding = {"S": "x" * 300_000}
    for number in range(8):
        item = {"message_id": {"S": f"m-{number}"}, "status": {"S": "delivered"}, "padding": padding}
        world.client("dynamodb").put_item(TableName="MessagesTable", Item=item)

    result = world("list", "--max-units", "1")

    assert "It stopped at its limit and is not complete: raise --max-units." in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--status", "lost"], "'lost' is no status. Use one of open, scheduled, "),
        (["--since", "yesterday"], "'yesterday' is no time. Use 30m, 2h, 3d, or an RFC 3339 time"),
        (["--since", "2026-11-21T10:00:00"], "'2026-11-21T10:00:00' is no time."),
    ],
)
def test_wrong_filters_are_one_sentence(arguments: list[str], said: str, world: World) -> None:
    result = world("list", *arguments)

    assert (result.exit_code, result.stderr.startswith(said)) == (2, True)
