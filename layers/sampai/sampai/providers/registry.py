"""The providers by name. The modules of a provider are imported on its first use."""

from functools import cache
from importlib import import_module
from typing import Final

from sampai.domain.message import Channel
from sampai.providers.base import Provider
from sampai.providers.features import SupportsWebhooks

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
"""The class of each channel of each provider, with its module below `sampai.providers`."""


@cache
def load(name: str) -> tuple[type[Provider], ...]:
    """Return the classes of a registered provider, one for each channel. Raises KeyError for any other name."""
    return tuple(_load(path) for path in PROVIDERS[name])


def on_channel(name: str, channel: Channel) -> type[Provider] | None:
    """Return a registered provider's class for a channel, or None if it does not offer it."""
    return next((api for api in load(name) if api.capabilities.channel is channel), None)


def for_webhook(name: str, kind: str) -> type[SupportsWebhooks] | None:
    """Return the class that parses a provider's callbacks of a kind, or None for an unknown name or kind."""
    for api in load(name) if name in PROVIDERS else ():
        if issubclass(api, SupportsWebhooks) and kind in api.capabilities.webhooks:
            return api
    return None


def _load(path: str) -> type[Provider]:
    module, _, class_name = path.rpartition(".")
    api: type[Provider] = getattr(import_module(f"sampai.providers.{module}"), class_name)
    return api
