"""Times as a person reads them."""

import pytest

from sampai_cli.lines import duration


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "–"),
        (0.0, "0 s"),
        (0.354, "0.35 s"),
        (9.996, "10 s"),
        (10.0, "10 s"),
        (42.25, "42.2 s"),
        (119.0, "119 s"),
        (150.0, "2.5 min"),
        (7200.0, "2 h"),
        (200_000.0, "2.3 d"),
    ],
)
def test_a_duration_is_short_and_stays_on_one_line(seconds: float | None, shown: str) -> None:
    assert duration(seconds) == shown.replace(" ", "\N{NO-BREAK SPACE}")
