"""How an account at a vendor stands: its money, and what it may send."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sampai.domain.template import TemplateInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """One purse of an account. `amount` is in the vendor's own unit; None if it has no limit, or names none."""

    account: str
    amount: float | None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStatus:
    """What one question about an account brought to light; None for what was not asked."""

    balances: tuple[Balance, ...] = ()
    templates: Mapping[str, TemplateInfo] | None = None
    senders: frozenset[str] | None = None
