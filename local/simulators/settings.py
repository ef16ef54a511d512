"""The settings that can be changed while the simulators run (POST /_config)."""

import hmac
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from local.simulators.encodings import ENCODINGS


@dataclass(frozen=True, slots=True)
class Settings:
    """The webhook address, the delays, and the senders, lists and balances of the accounts. Times are in seconds."""

    webhook_base: str = ""
    webhook_token: str = ""
    rude: bool = False
    """Answer every call to a vendor with one of the tricks of `local.simulators.rudeness`, and use all encodings."""
    callback_encodings: tuple[str, ...] = ()
    """The names of `local.simulators.encodings` that callbacks use in turn; empty for those of the vendors' pages."""
    echoes: bool = False
    """Repeat the request in the words of every answer to a POST, as interfaces in debug mode do."""
    sent_seconds: float = 1.0
    final_seconds: float = 3.0
    early_answer_seconds: float = 1.0
    slow_answer_seconds: float = 3.0
    hang_seconds: float = 40.0
    receipt_retry_seconds: float = 0.5
    retry_after_seconds: int = 2
    nomsa_from_addresses: tuple[str, ...] = ("Sampai <no-reply@example.com>",)
    nomsa_emails_per_second: int = 10
    nomsa_labels: tuple[str, ...] = ("mcs-otp", "nomsa-sms-demo")
    smsnoc_senders: tuple[str, ...] = ("SampaiBD",)
    philsms_senders: tuple[str, ...] = ("PhilSMS",)
    smsnoc_lists: tuple[str, ...] = ("6415907d0d310", "6415907d0d316", "6415907d0d324")
    smsnoc_campaign_takes_recipient: bool = False
    smsnoc_remaining_balance: str = "৳1,092"
    smsnoc_expired_on: str = "8th Sep 26, 4:44 PM"
    smsnoc_timezone: str = "Asia/Dhaka"
    smsnoc_account_error: str = ""
    """The text that refuses every send while the account has a problem."""
    smspoh_senders: tuple[str, ...] = ("Sampai",)
    smspoh_bulk_ignores_reference: bool = False
    smspoh_balance: int = 1227748
    nusasms_groups: tuple[str, ...] = ("Example10", "Example16", "Example24")
    nusasms_refuses_unmarked_otp: bool = False
    nusasms_whatsapp_senders: tuple[str, ...] = ("6281100000090",)
    nusasms_sms_balance: float = 1500.0
    nusasms_wa_balance: float = 250.0
    nusasms_expired_date: str = "2030-12-31"

    def changed(self, changes: dict[str, Any]) -> "Settings":
        """Return a copy with the changes. Raises ValueError, which names the first unknown or mistyped field."""
        known = {field.name: getattr(self, field.name) for field in fields(self)}
        read = {name: _read(name, value, known) for name, value in changes.items()}
        if not ENCODINGS.keys() >= set(read.get("callback_encodings", ())):
            raise ValueError("unknown encoding: callback_encodings")
        return replace(self, **read)

    def webhook_url(self, vendor: str, kind: str) -> str:
        """Return the address registered for a kind of callback, or an empty string."""
        base = self.webhook_base.rstrip("/")
        return f"{base}/webhooks/{vendor}/{kind}/{self._token_of(vendor)}" if base else ""

    def _token_of(self, vendor: str) -> str:
        return hmac.new(self.webhook_token.encode(), vendor.encode(), "sha256").hexdigest()

    def shown(self) -> dict[str, Any]:
        """Return the settings without the webhook token."""
        return {name: value for name, value in asdict(self).items() if name != "webhook_token"}


def _read(name: str, value: Any, known: dict[str, Any]) -> Any:
    if name not in known:
        raise ValueError(f"unknown setting: {name}")
    current = known[name]
    if isinstance(current, tuple) and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    if isinstance(current, float) and type(value) in (int, float) and value >= 0:
        return float(value)
    if type(value) is not type(current):
        raise ValueError(f"wrong type of setting: {name}")
    return value
