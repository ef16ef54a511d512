"""The state of an account at a vendor: its balances, its templates and its senders."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sampai.domain.template import TemplateInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """One balance of an account. `amount` is in the vendor's own unit, or None if it is unlimited or not reported."""

    account: str
    amount: float | None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStatus:
    """The result of one account check. A field is None, or empty, if the check does not report it."""

    balances: tuple[Balance, ...] = ()
    templates: Mapping[str, TemplateInfo] | None = None
    senders: frozenset[str] | None = None
