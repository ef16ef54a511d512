"""`sampai report` adds up messages, outcomes, segments and cost."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sampai.domain.message import Category, Message
from sampai.domain.status import Status
from tests.unit.cli.conftest import World

NOW = datetime.now(UTC)
ONE = Message(
    message_id="a",
    status=Status.DELIVERED,
    provider="nomsa",
    provider_message_id="n-1",
    segments=2,
    cost="0.035 USD",
    metadata={"team": "sales"},
    created_at=NOW,
    updated_at=NOW,
    occurred_at=NOW,
)
MESSAGES = (
    ONE,
    replace(ONE, message_id="b", status=Status.READ, cost="0.1 USD"),
    replace(ONE, message_id="c", status=Status.UNDELIVERED, cost="12", metadata={}),
    replace(ONE, message_id="d", status=Status.SENT, category=Category.OTP, cost="free"),
    replace(ONE, message_id="e", status=Status.FAILED, provider=None, provider_message_id=None, cost=None),
    replace(ONE, message_id="f", created_at=NOW - timedelta(days=9)),
)


def test_messages_are_counted_by_provider(world: World) -> None:
    world.put(*MESSAGES)

    result = world("report", "--json")

    assert json.loads(result.stdout) == [
        {
            "provider": "nomsa",
            "messages": 4,
            "accepted": 4,
            "delivered": 2,
            "undelivered": 1,
            "failed": 0,
            "open": 1,
            "delivered %": 50.0,
            "segments": 8,
            "cost": "12, 0.135 USD, 0 not a number",
        },
        {
            "provider": "–",
            "messages": 1,
            "accepted": 0,
            "delivered": 0,
            "undelivered": 0,
            "failed": 1,
            "open": 0,
            "delivered %": None,
            "segments": 2,
            "cost": None,
        },
    ]
    assert "read units, about $" in result.stderr


def test_groups_may_be_several_words_and_the_report_a_csv(world: World) -> None:
    world.put(*MESSAGES)

    result = world("report", "--since", "30d", "--by", "category,metadata.team", "--csv")

    lines = [line.split(",")[:4] for line in result.stdout.splitlines()]
    assert lines == [
        ["category", "metadata.team", "messages", "accepted"],
        ["transactional", "sales", "4", "3"],
        ["otp", "sales", "1", "1"],
        ["transactional", "–", "1", "1"],
    ]


def test_an_unknown_group_is_one_sentence(world: World) -> None:
    result = world("report", "--by", "provider,colour")

    assert (result.exit_code, result.stderr) == (
        2,
        "'colour' is no group. Use caller, category, channel, provider, sender, status or metadata.KEY.\n",
    )
