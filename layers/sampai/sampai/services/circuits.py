"""Which providers are out of order, on each channel. Kept by each sandbox: a refused call a minute is a cheap probe."""

from datetime import datetime, timedelta
from typing import Final

from sampai.providers.base import Account, Provider

OPEN_FOR: Final = timedelta(seconds=60)


class Circuits:
    def __init__(self) -> None:
        self._open: dict[type[Provider], tuple[datetime, Account]] = {}

    def open(self, provider: Provider, *, now: datetime) -> None:
        """Keep messages away from a provider for a minute, or until its account is changed."""
        self._open[type(provider)] = (now + OPEN_FOR, provider.account)

    def is_open(self, provider: Provider, *, now: datetime) -> bool:
        until, account = self._open.get(type(provider), (now, provider.account))
        return now < until and account == provider.account
