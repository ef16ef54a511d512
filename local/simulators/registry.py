"""The simulated vendors by name, each with the path of its class below this package."""

from importlib import import_module
from typing import Final

from local.simulators.vendor import Vendor

VENDORS: Final = {
    "nomsa": "nomsa.vendor.Nomsa",
    "smsnoc": "smsnoc.SmsNoc",
    "philsms": "philsms.PhilSms",
    "smspoh": "smspoh.SmsPoh",
    "nusasms": "nusasms.vendor.NusaSms",
}


def load_vendors() -> dict[str, type[Vendor]]:
    """Return the class of each simulated vendor."""
    return {name: _load(path) for name, path in VENDORS.items()}


def _load(path: str) -> type[Vendor]:
    module, _, class_name = path.rpartition(".")
    vendor: type[Vendor] = getattr(import_module(f"local.simulators.{module}"), class_name)
    return vendor
