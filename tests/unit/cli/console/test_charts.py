"""The shapes of the charts follow the figures."""

from datetime import timedelta

from sampai.adapters.items import to_item
from sampai.domain.status import Source, Status
from sampai_cli.console.charts import HEIGHT, WIDTH, Rectangle, charts_of, position
from sampai_cli.figures import BUCKETS
from tests.fakes import START
from tests.harness.stories import DELIVERED, message

HOUR = timedelta(hours=1)
FAILED = [(0.0, Status.SENDING, Source.SEND), (1.0, Status.FAILED, Source.SEND)]
STEP = WIDTH / BUCKETS


def test_bars_go_up_for_accepted_messages_and_down_for_failed_ones() -> None:
    first, last = START - HOUR + timedelta(seconds=1), START - timedelta(seconds=60)
    messages = [message(f"a-{n}", DELIVERED, began=first) for n in range(3)] + [message("b", FAILED, began=last)]

    (chart,) = charts_of(map(to_item, messages), since=START - HOUR, now=START)

    assert (chart.name, chart.most, chart.axis) == ("nomsa", 3, 75.0)
    assert chart.accepted == (Rectangle(x=0, y=0, width=STEP - 2, height=75.0),)
    assert chart.failed == (Rectangle(x=(BUCKETS - 1) * STEP, y=75.0, width=STEP - 2, height=25.0),)
    assert chart.delivered.split()[:2] == ["10.0,0.0", "30.0,75.0"]
    assert [(share.name, share.count, share.bar.x, share.bar.width) for share in chart.outcomes] == [
        ("delivered", 3, 0.0, 450.0),
        ("failed", 1, 450.0, 150.0),
    ]
    assert all(share.bar.height == HEIGHT for share in chart.outcomes)


def test_each_provider_has_its_charts_the_busiest_first_and_a_quiet_one_has_none() -> None:
    began = START - timedelta(minutes=5)
    messages = [
        message("a", DELIVERED, began=began, provider="smsnoc"),
        *(message(f"b-{n}", DELIVERED, began=began) for n in range(2)),
        message("c", FAILED, began=began, provider=None),
        message("old", DELIVERED, began=START - 2 * HOUR, provider="smspoh"),
    ]

    charts = charts_of(map(to_item, messages), since=START - HOUR, now=START)

    assert [(chart.name, chart.figures.total.requested) for chart in charts] == [
        ("nomsa", 2),
        ("none", 1),
        ("smsnoc", 1),
    ]


def test_a_latency_is_a_bar_on_a_logarithmic_scale() -> None:
    (chart,) = charts_of([to_item(message("a", DELIVERED, began=START - HOUR))], since=START - HOUR, now=START)

    accepted, delivered = chart.latencies
    assert accepted.bar == Rectangle(x=position(0.4), y=0, width=4, height=HEIGHT)
    assert delivered.bar is not None
    assert 0 < position(0.4) < position(7.6) == delivered.bar.x < WIDTH
    assert (position(0), position(1e9)) == (0, WIDTH)
