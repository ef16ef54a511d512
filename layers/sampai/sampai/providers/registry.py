"""The providers by name. A provider's module is imported when it is first asked for."""

from importlib import import_module
from typing import Final

from sampai.providers.base import Provider

PROVIDERS: Final = {
    "nomsa": "Nomsa",
    "smsnoc": "SmsNoc",
    "smspoh": "SmsPoh",
    "nusasms": "NusaSms",
}
"""Name of the provider, which is also its module, and its class."""


def load(name: str) -> type[Provider]:
    """Return the class of a registered provider. Raises KeyError for any other name."""
    class_name = PROVIDERS[name]
    provider: type[Provider] = getattr(import_module(f"sampai.providers.{name}"), class_name)
    return provider
