"""The configuration of a batch, and the service without one."""

import pytest

from sampai.domain.message import Channel
from sampai.services.ports.runtime import UnavailableError
from sampai.services.send.configuration import ConfigurationLoader
from tests.fakes import FixedSecret, FixedSettings
from tests.harness.application import Application, request
from tests.harness.sending import LEASE, SECRET, SETTINGS, WEBHOOK_BASE_URL


def loader(settings: FixedSettings) -> ConfigurationLoader:
    return ConfigurationLoader(
        settings=settings, secret=FixedSecret(SECRET), webhook_base_url=WEBHOOK_BASE_URL, lease=LEASE
    )


def test_a_configuration_has_the_current_settings_and_providers() -> None:
    settings = FixedSettings(SETTINGS)

    configuration = loader(settings).load()

    assert (configuration.settings, configuration.lease) == (settings.settings, LEASE)
    assert configuration.routing.provider("nomsa", Channel.SMS) is not None
    assert "fingerprint" not in repr(configuration)


def test_an_outage_is_an_error_for_a_batch_and_none_before_the_first() -> None:
    settings = FixedSettings(SETTINGS)
    settings.is_down = True

    loader(settings).warm_up()
    with pytest.raises(UnavailableError):
        loader(settings).load()


def test_without_a_configuration_every_record_comes_back() -> None:
    app = Application()
    app.settings.is_down = True
    app.sender.prepare()

    assert app.send(request("m-1"), request("m-2")) == ["r-1", "r-2"]
    assert app.telemetry.lines == [("error", "no configuration", {"error": "down"})]
    assert app.store.commits == []
