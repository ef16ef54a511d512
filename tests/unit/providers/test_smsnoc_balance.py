"""SMS NOC's balance is text for people. Only certain values are read from it."""

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sampai.domain.account import Balance
from sampai.domain.http import HttpResponse
from sampai.providers.base import ProviderConfig
from sampai.providers.smsnoc import SmsNoc

SMSNOC = SmsNoc(
    ProviderConfig(base_url="https://smsnoc.example", credentials={"api_token": "1|t"}, zone=ZoneInfo("Asia/Dhaka"))
)


def balance_of(**data: Any) -> Balance:
    body = json.dumps({"status": "success", "message": None, "data": data}).encode()
    (balance,) = SMSNOC.parse_account_check("balance", HttpResponse(status=200, body=body)).balances
    return balance


@pytest.mark.parametrize(
    ("shown", "amount"),
    [
        ("৳1,092", 1092.0),
        ("1,092.50", 1092.5),
        ("  BDT 1,092.50 ", 1092.5),
        ("1092", 1092.0),
        ("10,92,000", 1_092_000.0),
        ("1,092 SMS", 1092.0),
        ("0", 0.0),
        ("-৳5", -5.0),
        (1092, 1092.0),
        (1092.5, 1092.5),
        ("Unlimited", None),
        ("", None),
        (None, None),
        (True, None),
        (["1,092"], None),
        (float("inf"), None),
        ("1.092,50", None),
        ("1,0922", None),
        ("500 of 1,092", None),
        ("১,০৯২", None),
        ("9" * 400, None),
        ("1" + ",000" * 10_000, None),
    ],
)
def test_amount_is_one_number_in_english_notation(shown: object, amount: float | None) -> None:
    assert balance_of(remaining_balance=shown) == Balance(account="credit", amount=amount)


@pytest.mark.parametrize(
    ("shown", "instant"),
    [
        ("8th Sep 26, 4:44 PM", datetime(2026, 9, 8, 10, 44, tzinfo=UTC)),
        (" 1st Jan 27, 12:00 AM ", datetime(2026, 12, 31, 18, 0, tzinfo=UTC)),
        ("2nd May 27, 12:05 PM", datetime(2027, 5, 2, 6, 5, tzinfo=UTC)),
        ("23rd Dec 30, 05:09 AM", datetime(2030, 12, 22, 23, 9, tzinfo=UTC)),
        ("31st Sep 26, 4:44 PM", None),
        ("8th Spt 26, 4:44 PM", None),
        ("8th Sep 26, 13:44 PM", None),
        ("8th Sep 26, 0:44 AM", None),
        ("8th Sep 26, 4:60 PM", None),
        ("8th Sep 26", None),
        ("৮th Sep 26, 4:44 PM", None),
        ("2026-09-08 16:44", None),
        ("Never", None),
        (None, None),
        (20260908, None),
    ],
)
def test_expiry_is_an_english_date_in_the_zone_of_the_provider(shown: object, instant: datetime | None) -> None:
    assert balance_of(remaining_balance="1", expired_on=shown) == Balance(
        account="credit", amount=1.0, expires_at=instant
    )


def test_newer_name_of_the_balance_takes_precedence() -> None:
    assert balance_of(remaining_unit="7", remaining_balance="8").amount == 8.0
