"""The dead-letter queue is read without a loss, shown without numbers and texts, and redriven with care."""

import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel

from sampai.contract import request
from sampai_cli.dead_letters import masked
from tests.unit.cli.conftest import World

NUMBER = "+6281234567810"
SEND = {
    "message_id": "otp-1",
    "recipient": NUMBER,
    "content": {"type": "text", "text": "Your code is 1234"},
    "category": "otp",
    "expires_at": "2026-11-21T10:05:00Z",
    "metadata": {"phone": NUMBER},
    "provider_options": {"smspoh": {"encryptKey": "not-a-key"}},
}
OPT_IN = {"opt_in": NUMBER}
LETTERS: list[Any] = [
    SEND,
    OPT_IN,
    OPT_IN | {"at": "2026-11-20T10:00:00Z"},
    {"opt_out": NUMBER},
    {"cancel": "otp-2"},
    {"resume": "otp-3", "attempt": 2},
    "not JSON",
]


def fill(world: World, letters: list[Any]) -> None:
    for letter in letters:
        body = letter if isinstance(letter, str) else json.dumps(letter)
        world.client("sqs").send_message(QueueUrl=world.stack.output("DeadLetterQueueUrl"), MessageBody=body)


def listed(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(world("dlq", "list", "--json").stdout)
    return found


def test_a_list_names_kind_and_id_and_leaves_everything_in_the_queue(world: World) -> None:
    fill(world, LETTERS)

    first, second = listed(world), listed(world)

    assert sorted((row["kind"], row["message_id"]) for row in first if row["message_id"]) == [
        ("cancel", "otp-2"),
        ("resume", "otp-3"),
        ("send", "otp-1"),
    ]
    assert sorted(row["kind"] for row in first if not row["message_id"]) == [
        *("opt_in", "opt_in", "opt_out", "unreadable")
    ]
    assert {row["sqs_id"] for row in first} == {row["sqs_id"] for row in second}
    assert {row["caller"] for row in first} == {"AIDAIT2UOQQY3AUEKVGXU"}, "the id that moto gives to all senders"
    assert NUMBER not in json.dumps(first)


def test_a_letter_is_shown_without_number_text_metadata_and_options(world: World) -> None:
    fill(world, [SEND])

    result = world("dlq", "show", "otp-1", "--json")

    (shown,) = json.loads(result.stdout)
    assert shown["body"] == {
        "message_id": "otp-1",
        "recipient": "+62********810",
        "content": {"type": "text", "text": "(17 characters)"},
        "category": "otp",
        "expires_at": "2026-11-21T10:05:00Z",
        "metadata": {"…": "(14 characters)"},
        "provider_options": {"…": {"…": "(9 characters)"}},
    }
    assert (result.exit_code, "1234" in result.output) == (0, False)


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ({"category": NUMBER}, {"category": "(14 characters)"}),
        ({"category": "see my number"}, {"category": "(13 characters)"}),
        ({NUMBER: "promo"}, {"…": "(5 characters)"}),
        ({"content": {"parameters": {"text": "promo"}}}, {"content": {"parameters": {"…": "(5 characters)"}}}),
        ({"message_id": "x" * 65}, {"message_id": "(65 characters)"}),
        ({"recipient": 855912345}, {"recipient": "(9 characters)"}),
        ({"content": ["secret"]}, {"content": ["(6 characters)"]}),
        ({"attempt": 2, "taken": None}, {"attempt": 2, "taken": None}),
    ],
)
def test_a_value_that_may_be_private_is_shown_by_its_length(body: Any, shown: Any) -> None:
    assert masked(body) == shown


def test_every_field_of_a_request_keeps_its_name() -> None:
    models = [each for each in vars(request).values() if isinstance(each, type) and issubclass(each, BaseModel)]
    names = {name for model in models for name in model.model_fields}

    assert len(names) > 30
    assert masked(dict.fromkeys(names)) == dict.fromkeys(names)


@pytest.mark.parametrize(
    "body",
    [
        "[" * 9999,
        '{"x":' * 500 + "1" + "}" * 500,
        json.dumps({"message_id": f" {NUMBER}"}),
        json.dumps({"cancel": NUMBER}),
    ],
)
def test_an_odd_letter_is_listed_and_shown_without_its_values(body: str, world: World) -> None:
    fill(world, [body])

    (letter,) = listed(world)
    result = world("dlq", "show", letter["sqs_id"], "--json")

    assert (letter["message_id"], result.exit_code, NUMBER in result.output) == (None, 0, False)


def test_an_unknown_letter_is_one_sentence(world: World) -> None:
    result = world("dlq", "show", "nobody")

    assert (result.exit_code, result.stderr) == (
        1,
        "No letter nobody among 0. `sampai dlq list` shows the ids.\n",
    )


def test_all_letters_are_redriven_but_an_opt_in_without_its_time(world: World) -> None:
    fill(world, LETTERS[:-1])

    result = world("dlq", "redrive", "--yes")

    assert (result.exit_code, result.stdout) == (0, "Redrove 5 letters. 1 stay in the queue.\n")
    assert "an opt-in without `at`: put it again with its time" in result.stderr
    assert "otp-1: has expired, and will end as failed" in result.stderr
    moved = world.bodies("SendQueueUrl")
    assert sorted(map(json.dumps, moved)) == sorted(json.dumps(letter) for letter in LETTERS[:-1] if letter != OPT_IN)
    assert world.bodies("DeadLetterQueueUrl") == [OPT_IN]


def test_letters_are_chosen_by_id_and_nothing_moves_without_a_yes(world: World) -> None:
    fill(world, [SEND, {"cancel": "otp-2"}])

    refused = world("dlq", "redrive", input="n\n")
    before = world.bodies("SendQueueUrl")
    result = world("dlq", "redrive", "otp-2", "--yes")

    assert (refused.exit_code, before) == (1, [])
    assert (result.exit_code, world.bodies("SendQueueUrl")) == (0, [{"cancel": "otp-2"}])
    assert world.bodies("DeadLetterQueueUrl") == [SEND]


def test_only_letters_that_must_stay_are_an_error(world: World) -> None:
    fill(world, [OPT_IN])

    result = world("dlq", "redrive", "--yes")

    assert (result.exit_code, world.bodies("DeadLetterQueueUrl")) == (1, [OPT_IN])
    assert result.stderr.endswith("Nothing to redrive among 1 letters: 1 stay.\n")


def test_a_letter_returns_to_the_queue_that_it_came_from(world: World) -> None:
    fill(world, [SEND])
    source = {"DeadLetterQueueSourceArn": "arn:aws:sqs:ap-southeast-1:123456789012:UrgentQueue"}

    def tell_source(parsed: Any, **_: Any) -> None:  # moto does not tell it
        for message in parsed.get("Messages", []):
            message["Attributes"] = message.get("Attributes", {}) | source

    sqs, original = world.client("sqs"), world.stack.client
    sqs.meta.events.register("after-call.sqs.ReceiveMessage", tell_source)
    world.stack = replace(world.stack, client=lambda service: sqs if service == "sqs" else original(service))

    result = world("dlq", "redrive", "--yes")

    assert (result.exit_code, world.bodies("UrgentQueueUrl"), world.bodies("SendQueueUrl")) == (0, [SEND], [])
