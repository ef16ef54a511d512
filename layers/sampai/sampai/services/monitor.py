"""Monitor our accounts at the vendors: balances, expiry, refused credentials, template catalogues."""

from collections.abc import Sequence
from datetime import timedelta

from sampai.contract.settings import ProviderSettings, Settings
from sampai.domain.account import AccountStatus, Balance
from sampai.domain.http import HttpResponse
from sampai.domain.template import Catalogue
from sampai.providers.features import SupportsAccountChecks
from sampai.providers.responses import AccountRefusedError, refuses_address
from sampai.services.deadline import CALL_SECONDS, Deadline
from sampai.services.ports.catalogues import TemplateCatalogues
from sampai.services.ports.configuration import SecretSource, SettingsSource
from sampai.services.ports.runtime import Clock, Remaining, UnavailableError
from sampai.services.ports.telemetry import Telemetry
from sampai.services.ports.transport import NoResponse, Transport
from sampai.services.routing import Routing


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
        """Make every account check of every configured provider. Return how many of them the vendors answered.

        Raises UnavailableError if there are no settings or no secret.
        """
        settings = self._settings.current()
        routing = Routing(settings, self._secret.current())
        answered = 0
        for name in routing.names():
            try:
                answered += self._check_provider(name, routing, settings, remaining)
            except Exception as error:  # an error of one provider must not hide the balance of another
                self._telemetry.error("accounts not checked", provider=name, error=type(error).__name__)
                self._telemetry.count("AccountCheckFailed", provider=name)
        self._report_unusable(routing)
        self._telemetry.info("accounts checked", answered=answered)
        return answered

    def _check_provider(self, name: str, routing: Routing, settings: Settings, remaining: Remaining) -> int:
        """Check the accounts of a provider, record the answers, and return their number."""
        statuses = self._check_accounts(name, routing, remaining)
        for balance in (balance for status in statuses for balance in status.balances):
            self._record_balance(name, balance, settings)
        self._store_catalogue(name, statuses)
        return len(statuses)

    def _check_accounts(self, name: str, routing: Routing, remaining: Remaining) -> list[AccountStatus]:
        configured = (routing.provider(name, api.capabilities.channel) for api in routing.apis_of(name))
        checked = (
            self._check_account(provider, check, remaining)
            for provider in configured
            if isinstance(provider, SupportsAccountChecks)
            for check in sorted(provider.capabilities.account_checks)
        )
        return [status for status in checked if status is not None]

    def _check_account(self, provider: SupportsAccountChecks, check: str, remaining: Remaining) -> AccountStatus | None:
        why = "no time left"
        if Deadline(remaining).has_time_for_call():
            response = self._transport.call(provider.build_account_check(check), deadline_seconds=CALL_SECONDS)
            if isinstance(response, NoResponse):
                why = response.why
            else:
                try:
                    return provider.parse_account_check(check, response)
                except AccountRefusedError:
                    self._report_refusal(provider.name, check, response)
                    return None
                except Exception as error:
                    why = f"HTTP {response.status}: {type(error).__name__}"
        self._telemetry.warning("account not checked", provider=provider.name, check=check, why=why)
        self._telemetry.count("AccountCheckFailed", provider=provider.name)
        return None

    def _report_unusable(self, routing: Routing) -> None:
        """Report the providers without a usable channel, before a message needs them."""
        for name, fields in routing.unusable().items():
            if not any(routing.provider(name, api.capabilities.channel) for api in routing.apis_of(name)):
                self._telemetry.error("provider unusable", provider=name, fields=fields)
                self._telemetry.count("ProviderUnusable", provider=name)

    def _report_refusal(self, name: str, check: str, response: HttpResponse) -> None:
        self._telemetry.error("account refused", provider=name, check=check)
        self._telemetry.count("AccountRefused", provider=name)
        if refuses_address(response):
            self._telemetry.error("address refused", provider=name, check=check)
            self._telemetry.count("AddressRefused", provider=name)

    def _record_balance(self, name: str, balance: Balance, settings: Settings) -> None:
        """Measure a balance, and warn if it is low or expires soon. An account without a threshold is not watched."""
        if balance.amount is not None:
            self._telemetry.measure("Balance", balance.amount, provider=name, account=balance.account)
        threshold = _threshold(settings.providers.get(name), balance)
        if threshold is None:
            return
        if balance.amount is not None and balance.amount <= threshold:
            self._telemetry.warning("balance low", provider=name, account=balance.account, balance=balance.amount)
            self._telemetry.count("BalanceLow", provider=name)
        self._record_expiry(name, balance, settings)

    def _record_expiry(self, name: str, balance: Balance, settings: Settings) -> None:
        if balance.expires_at is None:
            return
        left = balance.expires_at - self._clock()
        self._telemetry.measure("BalanceDaysLeft", left / timedelta(days=1), provider=name, account=balance.account)
        if left <= timedelta(days=settings.expiry_warning_days):
            self._telemetry.warning("balance expires", provider=name, account=balance.account, days=left.days)
            self._telemetry.count("BalanceExpiring", provider=name)

    def _store_catalogue(self, name: str, statuses: Sequence[AccountStatus]) -> None:
        """Store the templates and senders that the vendor listed; messages are not checked against a missing part."""
        templates = next((status.templates for status in statuses if status.templates is not None), None)
        senders = next((status.senders for status in statuses if status.senders is not None), None)
        if templates is None and senders is None:
            return
        catalogue = Catalogue(refreshed_at=self._clock(), templates=templates, senders=senders)
        try:
            self._catalogues.store_catalogue(name, catalogue)
        except UnavailableError as error:
            self._telemetry.error("catalogue not stored", provider=name, error=str(error))


def _threshold(settings: ProviderSettings | None, balance: Balance) -> float | None:
    """Return the balance at which an alarm is raised, or None for an account that is not watched."""
    return None if settings is None else settings.low_balance.get(balance.account, 0)
