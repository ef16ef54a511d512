"""The rules for features: a provider declares a feature by inheriting from its class, and implements all of it."""

from typing import Final

from sampai.providers import features
from sampai.providers.base import Provider
from sampai.providers.features import SupportsAccountChecks, SupportsBatchSend, SupportsEncryption, SupportsWebhooks

FEATURES: Final = tuple(
    feature
    for feature in vars(features).values()
    if isinstance(feature, type) and issubclass(feature, Provider) and feature is not Provider
)


def feature_faults(api: type[Provider]) -> list[str]:
    """Return the features that a provider class declares or implements only in part."""
    return [*_missing_methods(api), *_undeclared_methods(api), *_contradictions(api)]


def methods_of(feature: type[Provider]) -> frozenset[str]:
    """Return the names of the methods that a feature demands of a provider."""
    return feature.__abstractmethods__ - Provider.__abstractmethods__


def _missing_methods(api: type[Provider]) -> list[str]:
    return [
        f"{feature.__name__} without {method}"
        for feature in FEATURES
        if issubclass(api, feature)
        for method in sorted(methods_of(feature) & api.__abstractmethods__)
    ]


def _undeclared_methods(api: type[Provider]) -> list[str]:
    return [
        f"{method} without {feature.__name__}"
        for feature in FEATURES
        if not issubclass(api, feature)
        for method in sorted(methods_of(feature))
        if hasattr(api, method)
    ]


def _contradictions(api: type[Provider]) -> list[str]:
    can = api.capabilities
    faults = {
        "webhooks": bool(can.webhooks) is not issubclass(api, SupportsWebhooks),
        "account_checks": bool(can.account_checks) is not issubclass(api, SupportsAccountChecks),
        "max_batch_size": (can.max_batch_size > 1) is not issubclass(api, SupportsBatchSend),
        "key_option": can.key_option is not None and not issubclass(api, SupportsEncryption),
    }
    return [f"capabilities.{name} contradicts the features" for name, is_fault in faults.items() if is_fault]
