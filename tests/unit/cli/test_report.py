"""`sampai report` adds up messages, outcomes, segments and cost."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from sampai.domain.caller import Caller
from sampai.domain.message import Category, Message
from sampai.domain.status import Status
from sampai_cli.commands.report import read_cost
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
            "delivered % of accepted": 50.0,
            "segments": 8,
            "cost": "12, 0.135 USD, 1 unreadable",
        },
        {
            "provider": "–",
            "messages": 1,
            "accepted": 0,
            "delivered": 0,
            "undelivered": 0,
            "failed": 1,
            "open": 0,
            "delivered % of accepted": None,
            "segments": 0,
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


def test_caller_has_its_segments_and_its_cost_in_each_currency(world: World) -> None:
    payments, shop = Caller(id="AROAPAYMENTS", name="payments"), Caller(id="AROASHOP", name="AROASHOP")
    world.put(
        *(
            replace(ONE, message_id=f"p-{n}", caller=payments, cost=cost)
            for n, cost in enumerate(["0.035 USD", "BDT 1.5"])
        ),
        replace(ONE, message_id="p-2", caller=payments, cost="1,25,000.50 BDT"),
        replace(ONE, message_id="p-3", caller=payments, status=Status.FAILED, provider_message_id=None, cost=None),
        replace(ONE, message_id="s-0", caller=shop, cost=None),
    )

    by_caller = json.loads(world("report", "--by", "caller", "--json").stdout)
    by_currency = world("report", "--by", "caller,currency", "--csv").stdout.splitlines()

    columns = ("caller", "messages", "accepted", "segments", "cost")
    assert [tuple(row[name] for name in columns) for row in by_caller] == [
        ("payments", 4, 3, 6, "125002.00 BDT, 0.035 USD"),
        ("AROASHOP", 1, 1, 2, None),
    ]
    assert [(*line.split(",")[:3], *line.split(",")[-2:]) for line in by_currency] == [
        ("caller", "currency", "messages", "segments", "cost"),
        ("payments", "BDT", "2", "4", "125002.00"),
        ("AROASHOP", "–", "1", "2", ""),
        ("payments", "USD", "1", "2", "0.035"),
        ("payments", "–", "1", "0", ""),
    ]


COSTS = [
    ("0.035 USD", "0.035", "USD"),
    ("USD0.035", "0.035", "USD"),
    ("৳1.20", "1.20", "৳"),
    ("1.20Tk.", "1.20", "Tk."),
    ("-1.20", "-1.20", ""),
    ("1,234.50", "1234.50", ""),
    ("1,25,000", "125000", ""),
    ("1,20", "1", "unreadable"),
    ("1.234.50", "1", "unreadable"),
    ("free", "1", "unreadable"),
    ("$1.20 USD", "1", "unreadable"),
]


@pytest.mark.parametrize(("cost", "amount", "currency"), COSTS)
def test_cost_is_an_amount_with_a_currency_before_or_after_it(cost: str, amount: str, currency: str) -> None:
    assert read_cost(cost) == (Decimal(amount), currency)


def test_an_unknown_group_is_one_sentence(world: World) -> None:
    result = world("report", "--by", "provider,colour")

    assert (result.exit_code, result.stderr) == (
        2,
        "'colour' is no group. Use caller, category, channel, currency, provider, sender, status or metadata.KEY.\n",
    )
