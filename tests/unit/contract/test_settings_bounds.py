"""Every number of the settings has bounds, and the error names the field."""

import json
from typing import Any

import pytest

from sampai.contract.settings import BrokenSettingsError, parse_settings


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"providers": {"nomsa": {"max_per_second": 0.001}}}, "providers.nomsa.max_per_second"),
        ({"providers": {"nomsa": {"max_per_second": 1e9}}}, "providers.nomsa.max_per_second"),
        ({"providers": {"nomsa": {"max_per_second": float("nan")}}}, "providers.nomsa.max_per_second"),
        ({"providers": {"nomsa": {"max_lookups_per_second": 0}}}, "providers.nomsa.max_lookups_per_second"),
        ({"providers": {"nomsa": {"max_lookups_per_second": 1e9}}}, "providers.nomsa.max_lookups_per_second"),
        ({"providers": {"nomsa": {"low_balance": {"credit": float("inf")}}}}, "providers.nomsa.low_balance.credit"),
        ({"providers": {"nomsa": {"delivered_after_seconds": -1}}}, "providers.nomsa.delivered_after_seconds"),
        ({"providers": {"nomsa": {"delivered_after_seconds": 86_401}}}, "providers.nomsa.delivered_after_seconds"),
        ({"providers": {"nomsa": {"delivered_after_seconds": 0.5}}}, "providers.nomsa.delivered_after_seconds"),
        ({"limits": {"per_day": 10**12}}, "limits.per_day"),
        ({"limits": {"max_segments": 0}}, "limits.max_segments"),
        ({"limits": {"max_segments": 256}}, "limits.max_segments"),
        ({"limits": {"per_week": 1}}, "limits.per_week"),
        ({"callers": {"AROASHOP": {"limits": {"per_day": 0}}}}, "callers.AROASHOP.limits.per_day"),
        ({"callers": {"AROASHOP": {"limits": {"max_segments": 256}}}}, "callers.AROASHOP.limits.max_segments"),
        ({"report_horizon_hours": 24 * 31}, "report_horizon_hours"),
        ({"report_horizon_hours": float("nan")}, "report_horizon_hours"),
        ({"poll_seconds": [15, 86_400 * 8]}, "poll_seconds.1"),
        ({"poll_seconds": [60] * 21}, "poll_seconds"),
        ({"poll_seconds": []}, "poll_seconds"),
        ({"expiry_warning_days": 366}, "expiry_warning_days"),
    ],
)
def test_number_out_of_bounds_breaks_the_document_and_is_named(document: dict[str, Any], field: str) -> None:
    with pytest.raises(BrokenSettingsError) as broken:
        parse_settings(json.dumps(document))

    assert str(broken.value).partition(":")[0] == field
