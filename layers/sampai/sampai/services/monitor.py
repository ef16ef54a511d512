"""Monitor: ask each vendor how our account stands, before a message finds out."""

from collections.abc import Iterable
from datetime import timedelta

from sampai.contract.settings import ProviderSettings, Settings
from sampai.domain.account import AccountStatus, Balance
from sampai.domain.template import Catalogue
from sampai.providers.features import SupportsAccountChecks
from sampai.providers.registry import PROVIDERS, load
from sampai.providers.responses import AccountRefusedError
from sampai.services.ports.catalogues import TemplateCatalogues
from sampai.services.ports.configuration import SecretSource, SettingsSource
from sampai.services.ports.runtime import Clock, Remaining, UnavailableError
from sampai.services.ports.telemetry import Telemetry
from sampai.services.ports.transport import NoResponse, Transport
from sampai.services.routing import Routing
from sampai.services.send.dispatch import CALL_SECONDS, WRITE_MARGIN_SECONDS


class MonitorService:
    def __init__(
        self,
        *,
        catalogues: TemplateCatalogues,
        transport: Transport,
        settings: SettingsSource,
        secret: SecretSource,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._catalogues = catalogues
        self._transport = transport
        self._settings = settings
        self._secret = secret
        self._clock = clock
        self._telemetry = telemetry

    def run(self, *, remaining: Remaining) -> int:
        """Ask about every account that is configured, and return how many questions were answered."""
        settings = self._settings.current()
        routing = Routing(settings, self._secret.current())
        answered = 0
        for name in PROVIDERS:
            on_channels = (routing.provider(name, api.capabilities.channel) for api in load(name))
            account_statuses = [
                stored_message
                for provider in on_channels
                if isinstance(provider, SupportsAccountChecks)
                for check in sorted(provider.capabilities.account_checks)
                if (stored_message := self._ask(provider, check, remaining)) is not None
            ]
            self._watch(
                name, [balance for stored_message in account_statuses for balance in stored_message.balances], settings
            )
            self._store_catalogue(name, account_statuses)
            answered += len(account_statuses)
        self._telemetry.info("accounts checked", answered=answered)
        return answered

    def _ask(self, provider: SupportsAccountChecks, check: str, remaining: Remaining) -> AccountStatus | None:
        why = "no time left"
        if remaining() >= CALL_SECONDS + WRITE_MARGIN_SECONDS:
            response = self._transport.call(provider.build_account_check(check), deadline_seconds=CALL_SECONDS)
            if isinstance(response, NoResponse):
                why = response.why
            else:
                try:
                    return provider.parse_account_check(check, response)
                except AccountRefusedError:
                    self._telemetry.error("account refused", provider=provider.name, check=check)
                    self._telemetry.count("AccountRefused", provider=provider.name)
                    return None
                except Exception as error:
                    why = f"HTTP {response.status}: {type(error).__name__}"
        self._telemetry.warning("account not checked", provider=provider.name, check=check, why=why)
        self._telemetry.count("AccountCheckFailed", provider=provider.name)
        return None

    def _watch(self, name: str, balances: Iterable[Balance], settings: Settings) -> None:
        watched = settings.providers.get(name)
        for balance in balances:
            if balance.amount is not None:
                self._telemetry.measure("Balance", balance.amount, provider=name, account=balance.account)
            low = _low_mark(watched, balance)
            if low is None:
                continue
            if balance.amount is not None and balance.amount <= low:
                self._telemetry.warning("balance low", provider=name, account=balance.account, balance=balance.amount)
                self._telemetry.count("BalanceLow", provider=name)
            self._watch_expiry(name, balance, settings)

    def _watch_expiry(self, name: str, balance: Balance, settings: Settings) -> None:
        if balance.expires_at is None:
            return
        left = balance.expires_at - self._clock()
        self._telemetry.measure("BalanceDaysLeft", left / timedelta(days=1), provider=name, account=balance.account)
        if left <= timedelta(days=settings.expiry_warning_days):
            self._telemetry.warning("balance expires", provider=name, account=balance.account, days=left.days)
            self._telemetry.count("BalanceExpiring", provider=name)

    def _store_catalogue(self, name: str, account_statuses: Iterable[AccountStatus]) -> None:
        """Keep what was learned of templates and senders; a part that was not answered is not guarded by."""
        told = list(account_statuses)
        templates = next((s.templates for s in told if s.templates is not None), None)
        senders = next((s.senders for s in told if s.senders is not None), None)
        if templates is None and senders is None:
            return
        catalogue = Catalogue(refreshed_at=self._clock(), templates=templates, senders=senders)
        try:
            self._catalogues.store_catalogue(name, catalogue)
        except UnavailableError as error:
            self._telemetry.error("catalogue not kept", provider=name, error=str(error))


def _low_mark(watched: ProviderSettings | None, balance: Balance) -> float | None:
    """Return the balance at which to ring, or None for an account that nobody watches."""
    return None if watched is None else watched.low_balance.get(balance.account, 0)
