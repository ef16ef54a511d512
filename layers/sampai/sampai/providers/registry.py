"""The types of providers by name. The modules of a type are imported on its first use."""

import re
from functools import cache
from importlib import import_module
from typing import Final

from sampai.domain.message import Channel
from sampai.providers.base import Provider
from sampai.providers.features import SupportsWebhooks

PROVIDERS: Final = {
    "nomsa": ("nomsa.sms.Nomsa", "nomsa.email.NomsaEmail"),
    "smsnoc": ("smsnoc.SmsNoc",),
    "smspoh": ("smspoh.SmsPoh",),
    "nusasms": (
        "nusasms.sms.NusaSms",
        "nusasms.whatsapp.NusaSmsWhatsApp",
        "nusasms.official.NusaSmsWhatsAppOfficial",
    ),
}
"""The class of each channel of each type, with its module below `sampai.providers`.

A provider with the name of a type has that type. The settings may name further providers, each with its `type`.
"""

PROVIDER_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)
"""The name of a provider in the settings."""


@cache
def load(name: str) -> tuple[type[Provider], ...]:
    """Return the classes of a type, one for each channel. Raises KeyError for any other name."""
    return tuple(_load(path) for path in PROVIDERS[name])


def on_channel(name: str, channel: Channel) -> type[Provider] | None:
    """Return the class of a type for a channel, or None if it does not offer it. Raises KeyError for any other name."""
    return next((api for api in load(name) if api.capabilities.channel is channel), None)


def for_webhook(name: str, kind: str) -> type[SupportsWebhooks] | None:
    """Return the class that parses a type's callbacks of a kind, or None. Raises KeyError for any other name."""
    for api in load(name):
        if issubclass(api, SupportsWebhooks) and kind in api.capabilities.webhooks:
            return api
    return None


def _load(path: str) -> type[Provider]:
    module, _, class_name = path.rpartition(".")
    api: type[Provider] = getattr(import_module(f"sampai.providers.{module}"), class_name)
    return api
