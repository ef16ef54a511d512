"""Every registered provider has a simulator. Both speak the same API, over real HTTP on this computer."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import pytest

from local.simulators.registry import VENDORS, load_vendors
from local.simulators.server import Simulators
from local.simulators.settings import Settings
from sampai.adapters.transport import HttpTransport
from sampai.domain.failure import Reason
from sampai.domain.http import HttpResponse
from sampai.domain.message import Email, Message, Text
from sampai.domain.outcome import NotTaken, Outcome, Taken, Unknown
from sampai.domain.status import Status
from sampai.providers.base import Provider, ProviderConfig
from sampai.providers.features import SupportsLookup
from sampai.providers.registry import PROVIDERS
from tests.conformance.test_provider_contract import APIS, NAMES, cases_of

FAST: Final = Settings(sent_seconds=0.0, final_seconds=0.0, retry_after_seconds=7)
TRANSPORT: Final = HttpTransport()


def message_to_a_recipient(name: str) -> Message | None:
    """Return the first text or e-mail to one recipient in the cases of a provider, with the configured sender."""
    try:
        sends = cases_of(name).sends
    except AssertionError:  # the provider contract reports a provider without cases
        return None
    messages = [replace(case.message, sender=None, provider_options={}) for case in sends]
    return next(
        (m for m in messages if m.recipient and m.room_id is None and isinstance(m.content, Text | Email)), None
    )


TESTED: Final = [name for name in NAMES if message_to_a_recipient(name)]


@pytest.fixture(scope="module")
def simulators() -> Iterator[Simulators]:
    with Simulators(settings=FAST) as running:
        yield running


def provider_at(simulators: Simulators, name: str) -> Provider:
    """Return a provider that is configured for its simulator."""
    api = APIS[name]
    vendor = load_vendors()[api.name]
    senders: dict[str, Any] = vendor.product_settings.get("senders", {})
    config = ProviderConfig(
        base_url=f"{simulators.url}/{vendor.name}{vendor.api_path}",
        credentials=vendor.credentials,
        sender=senders.get(api.capabilities.channel, vendor.product_settings.get("sender")),
    )
    return api(config)


def send(provider: Provider, name: str, magic_number: str) -> Outcome:
    message = message_to_a_recipient(name)
    assert message is not None
    assert message.recipient is not None
    mailbox, at, domain = message.recipient.partition("@")
    message = replace(message, recipient=f"{mailbox[:-2]}{magic_number}{at}{domain}")
    assert provider.validate(message) is None
    response = TRANSPORT.call(provider.build_send(message), deadline_seconds=10)
    assert isinstance(response, HttpResponse)
    return provider.parse_send(response)


def test_every_provider_has_a_simulator() -> None:
    vendors = load_vendors()

    assert PROVIDERS.keys() <= VENDORS.keys()
    assert {name: vendor.name for name, vendor in vendors.items()} == {name: name for name in VENDORS}
    types = {name: vendor.product_settings.get("type", name) for name, vendor in vendors.items()}
    assert types == {name: name for name in PROVIDERS} | {"philsms": "smsnoc"}


@pytest.mark.parametrize("name", TESTED)
def test_the_credentials_of_the_simulator_are_those_of_the_provider(name: str) -> None:
    assert load_vendors()[APIS[name].name].credentials.keys() >= APIS[name].capabilities.credentials


@pytest.mark.parametrize("name", TESTED)
def test_the_magic_numbers_produce_the_three_outcomes(simulators: Simulators, name: str) -> None:
    provider = provider_at(simulators, name)

    accepted, refused, broken = (send(provider, name, magic_number) for magic_number in ("10", "21", "19"))

    assert isinstance(accepted, Taken)
    assert isinstance(refused, NotTaken)
    assert refused.is_final
    assert isinstance(broken, Unknown)


@pytest.mark.parametrize("name", TESTED)
def test_a_throttled_message_is_taken_on_the_second_attempt(simulators: Simulators, name: str) -> None:
    provider = provider_at(simulators, name)

    first, second = send(provider, name, "20"), send(provider, name, "20")

    assert isinstance(first, NotTaken)
    assert (first.reason, first.is_final, first.retry_after_seconds) == (Reason.RATE_LIMITED, False, 7.0)
    assert isinstance(second, Taken)


@pytest.mark.parametrize("name", [name for name in TESTED if issubclass(APIS[name], SupportsLookup)])
@pytest.mark.parametrize(
    ("magic_number", "status"), [("10", Status.DELIVERED), ("11", Status.UNDELIVERED), ("12", Status.ACCEPTED)]
)
def test_a_lookup_returns_the_status_of_the_magic_number(
    simulators: Simulators, name: str, magic_number: str, status: Status
) -> None:
    provider = provider_at(simulators, name)
    assert isinstance(provider, SupportsLookup)
    taken = send(provider, name, magic_number)
    assert isinstance(taken, Taken)

    response = TRANSPORT.call(provider.build_lookup(taken.provider_message_id), deadline_seconds=10)

    assert isinstance(response, HttpResponse)
    report = provider.parse_lookup(response)
    assert report is not None
    assert (report.provider_message_id, report.status) == (taken.provider_message_id, status)
