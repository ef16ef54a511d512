"""The dollars of a month with programs that run on servers instead, from public prices.

The shape is that of Jasmin, or of GOV.UK Notify: processes that send, a broker, and a database with each message.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

HOURS_PER_MONTH: Final = 730
GB: Final = 10**9

ROW_BYTES: Final = 2_000
"""Bytes of a message in PostgreSQL with its events and indexes. An assumption."""

RETENTION_MONTHS: Final = 3
"""As long as Sampai keeps a message."""

VOLUMES: Final = (10_000, 1_000_000, 100_000_000)
"""Messages in a month."""

LARGE: Final = 10_000_000
"""From so many messages a month the larger instances are counted: 100 million are 38 per second on average."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    label: str
    small: Mapping[str, float]
    large: Mapping[str, float]
    """Amounts per month by the name of their price, for few messages and from `LARGE` on."""
    storage: str
    """The price of its database's storage."""

    def monthly(self, prices: Mapping[str, float], messages: int) -> float:
        """Return the dollars of a month with so many messages, without the vendors' prices."""
        amounts = self.large if messages >= LARGE else self.small
        stored = messages * RETENTION_MONTHS * ROW_BYTES / GB
        return sum(prices[name] * amount for name, amount in amounts.items()) + stored * prices[self.storage]


_BALANCER: Final = {"alb.hour": HOURS_PER_MONTH, "alb.lcu-hour": HOURS_PER_MONTH, "ipv4.hour": 2 * HOURS_PER_MONTH}
_DISKS: Final = {"ebs.gp3.gb-month": 40.0, "rds.gb-month": 20.0}

ALTERNATIVES: Final = (
    Alternative(
        label="two instances, a load balancer, PostgreSQL in two zones",
        small={"ec2.t3.small.hour": 2 * HOURS_PER_MONTH, "rds.t3.small.hour": HOURS_PER_MONTH, **_BALANCER, **_DISKS},
        large={"ec2.t3.large.hour": 2 * HOURS_PER_MONTH, "rds.t3.large.hour": HOURS_PER_MONTH, **_BALANCER, **_DISKS},
        storage="rds.gb-month",
    ),
    Alternative(
        label="one instance with everything on it",
        small={"ec2.t3.small.hour": HOURS_PER_MONTH, "ipv4.hour": HOURS_PER_MONTH, "ebs.gp3.gb-month": 30.0},
        large={"ec2.t3.xlarge.hour": HOURS_PER_MONTH, "ipv4.hour": HOURS_PER_MONTH, "ebs.gp3.gb-month": 30.0},
        storage="ebs.gp3.gb-month",
    ),
)
