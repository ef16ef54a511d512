"""The contract finds every feature that a provider implements only in part."""

from typing import ClassVar

import pytest

from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.message import Channel, Message
from sampai.domain.outcome import Outcome, Unknown
from sampai.domain.report import Report
from sampai.domain.webhook_fields import WebhookFields
from sampai.providers.base import Capabilities, Provider, ProviderConfig
from sampai.providers.features import SupportsAccountChecks, SupportsLookup
from tests.conformance.features import FEATURES, feature_faults, methods_of

PLAIN = Capabilities(channel=Channel.SMS, countries=frozenset(), credentials=frozenset(), max_characters=1)
WITH_WEBHOOKS = Capabilities(
    channel=Channel.SMS,
    countries=frozenset(),
    credentials=frozenset(),
    max_characters=1,
    webhooks={"receipt": WebhookFields(deciding=("id", "status"))},
    max_batch_size=2,
    key_option="key",
)


class Sender(Provider):
    """Only sends."""

    name = "toy"
    capabilities: ClassVar[Capabilities] = PLAIN
    default_base_url = "https://toy.example"

    def build_send(self, message: Message) -> HttpRequest:
        raise NotImplementedError

    def parse_send(self, response: HttpResponse) -> Outcome:
        return Unknown(why="toy")


class HalfLookup(Sender, SupportsLookup):
    """Declares lookups, and implements only the request."""

    def build_lookup(self, provider_message_id: str) -> HttpRequest:
        raise NotImplementedError


class WholeLookup(HalfLookup):
    def parse_lookup(self, response: HttpResponse) -> Report | None:
        return None


class UndeclaredLookup(Sender):
    """Implements the request of a lookup, and declares nothing."""

    def build_lookup(self, provider_message_id: str) -> HttpRequest:
        raise NotImplementedError


class SilentChecks(Sender, SupportsAccountChecks):
    """Declares account checks, and names none."""

    build_account_check = UndeclaredLookup.build_lookup  # type: ignore[assignment]
    parse_account_check = WholeLookup.parse_lookup  # type: ignore[assignment]


class DeafToWebhooks(Sender):
    """Names webhooks, batches and a key option, and implements none of them."""

    capabilities = WITH_WEBHOOKS


@pytest.mark.parametrize(
    ("api", "faults"),
    [
        (Sender, []),
        (WholeLookup, []),
        (HalfLookup, ["SupportsLookup without parse_lookup"]),
        (UndeclaredLookup, ["build_lookup without SupportsLookup"]),
        (SilentChecks, ["capabilities.account_checks contradicts the features"]),
        (
            DeafToWebhooks,
            [
                "capabilities.webhooks contradicts the features",
                "capabilities.max_batch_size contradicts the features",
                "capabilities.key_option contradicts the features",
            ],
        ),
    ],
)
def test_a_feature_is_declared_and_whole_or_absent(api: type[Provider], faults: list[str]) -> None:
    assert feature_faults(api) == faults


def test_a_provider_with_half_a_feature_cannot_be_instantiated() -> None:
    with pytest.raises(TypeError, match="parse_lookup"):
        HalfLookup(ProviderConfig(base_url="https://toy.example", credentials={}))  # type: ignore[abstract]


def test_no_two_features_share_a_method() -> None:
    methods = [method for feature in FEATURES for method in methods_of(feature)]

    assert len(FEATURES) == 8
    assert len(methods) == len(set(methods))
