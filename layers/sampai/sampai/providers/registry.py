"""The providers by name. A provider's modules are imported when it is first asked for."""

from functools import cache
from importlib import import_module
from typing import Final

from sampai.domain.message import Channel
from sampai.providers.base import Provider

PROVIDERS: Final = {
    "nomsa": ("nomsa.sms.Nomsa",),
    "smsnoc": ("smsnoc.SmsNoc",),
    "smspoh": ("smspoh.SmsPoh",),
    "nusasms": (
        "nusasms.sms.NusaSms",
        "nusasms.whatsapp.NusaSmsWhatsApp",
        "nusasms.official.NusaSmsWhatsAppOfficial",
    ),
}
"""Name of the provider, and the class of each of its channels with the module that it stands in."""


@cache
def load(name: str) -> tuple[type[Provider], ...]:
    """Return the classes of a registered provider, one for each channel. Raises KeyError for any other name."""
    return tuple(_load(path) for path in PROVIDERS[name])


def on_channel(name: str, channel: Channel) -> type[Provider] | None:
    """Return a registered provider's class for a channel, or None if it does not offer it."""
    return next((api for api in load(name) if api.capabilities.channel is channel), None)


def for_webhook(name: str, kind: str) -> type[Provider] | None:
    """Return the class that reads a kind of a provider's callbacks; None for an unknown name or kind."""
    apis = load(name) if name in PROVIDERS else ()
    return next((api for api in apis if kind in api.capabilities.webhooks), None)


def _load(path: str) -> type[Provider]:
    module, _, class_name = path.rpartition(".")
    api: type[Provider] = getattr(import_module(f"sampai.providers.{module}"), class_name)
    return api
