"""The environment variables of the functions. Only this module reads them.

Each function has a dataclass, and each field is the variable with the same name in capitals. `load` checks the
variables, so a function with a missing or malformed variable fails when it starts. The classes have no `==` and no
`repr`: nothing uses them, and each start of a function would generate them.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Self
from urllib.parse import urlsplit

LOOPBACK: Final = ("127.0.0.1", "localhost")
LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class InvalidEnvironmentError(ValueError):
    """A variable is missing or malformed. The text names the variable, never its value."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Environment:
    """The variables of every function."""

    powertools_service_name: str
    powertools_log_level: str
    powertools_metrics_namespace: str

    @classmethod
    def load(cls, variables: Mapping[str, str] = os.environ) -> Self:
        """Return the checked variables of this process. Raise InvalidEnvironmentError for the first invalid one."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: _parse(name.upper(), variables.get(name.upper(), "")) for name in names})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SendEnvironment(Environment):
    """The variables of send."""

    messages_table: str
    correlations_table: str
    directory_table: str
    media_table: str
    encryption_keys_table: str
    attempts_table: str
    provider_secret_arn: str
    fingerprint_secret_arn: str
    settings_parameter: str
    send_queue_url: str
    urgent_queue_url: str
    event_bus_name: str
    webhook_base_url: str
    lease_seconds: int
    """The time-out of the function, and half a minute for clocks that differ."""
    retention_days: int
    due_shards: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class WebhookEnvironment(Environment):
    """The variables of webhook."""

    messages_table: str
    correlations_table: str
    inbox_table: str
    directory_table: str
    provider_secret_arn: str
    fingerprint_secret_arn: str
    settings_parameter: str
    retention_days: int
    due_shards: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class FollowUpEnvironment(Environment):
    """The variables of follow_up."""

    messages_table: str
    correlations_table: str
    directory_table: str
    provider_secret_arn: str
    settings_parameter: str
    send_queue_url: str
    urgent_queue_url: str
    webhook_base_url: str
    retention_days: int
    due_shards: int
    follow_up_workers: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PublishEnvironment(Environment):
    """The variables of publish."""

    event_bus_name: str
    media_table: str
    encryption_keys_table: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class MonitorEnvironment(Environment):
    """The variables of monitor."""

    directory_table: str
    provider_secret_arn: str
    settings_parameter: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class CallbackEnvironment(Environment):
    """The variables of callback."""

    callbacks_table: str
    callback_queue_url: str
    callback_url: str
    callback_to_private_addresses: bool
    """For a receiver in the VPC, and for the local stack. Only then may the URL be one with http, and of loopback."""
    provider_secret_arn: str
    lease_seconds: int
    """As for the send function."""
    max_receives: int
    """The receives of the queue after which an event goes to the dead-letter queue."""

    def __post_init__(self) -> None:
        url = urlsplit(self.callback_url)
        is_local = self.callback_to_private_addresses and url.scheme == "http" and url.hostname in LOOPBACK
        if url.scheme != "https" and not is_local:
            raise InvalidEnvironmentError(
                "environment variable CALLBACK_URL: must be https; http is for loopback only, with private addresses on"
            )


def is_on_lambda() -> bool:
    """Return whether this process is a sandbox of Lambda. Tests and local tools import the functions elsewhere."""
    return "AWS_LAMBDA_INITIALIZATION_TYPE" in os.environ


def _parse(name: str, value: str) -> Any:
    """Return the value of a variable. The end of its name decides its type."""
    if not value.strip():
        raise InvalidEnvironmentError(f"environment variable {name}: missing or empty")
    if name.endswith(("_SECONDS", "_DAYS", "_SHARDS", "_WORKERS", "_RECEIVES")):
        return _parse_positive(name, value)
    if name.endswith("_ADDRESSES"):
        return _parse_switch(name, value)
    if name.endswith("_URL") and not _is_url(value):
        raise InvalidEnvironmentError(f"environment variable {name}: must be a URL with http or https and a host")
    if name.endswith("_LOG_LEVEL") and value not in LOG_LEVELS:
        raise InvalidEnvironmentError(f"environment variable {name}: must be one of {', '.join(LOG_LEVELS)}")
    return value


def _parse_positive(name: str, value: str) -> int:
    if not value.isascii() or not value.isdigit() or int(value) == 0:
        raise InvalidEnvironmentError(f"environment variable {name}: must be a whole number above 0")
    return int(value)


def _parse_switch(name: str, value: str) -> bool:
    if value not in ("true", "false"):
        raise InvalidEnvironmentError(f"environment variable {name}: must be true or false")
    return value == "true"


def _is_url(value: str) -> bool:
    try:
        url = urlsplit(value)
    except ValueError:
        return False
    return url.scheme in ("http", "https") and bool(url.hostname)
