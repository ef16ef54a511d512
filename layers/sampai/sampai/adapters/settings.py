"""The settings, a parameter in the Parameter Store of SSM."""

from collections.abc import Callable
from typing import Any, Final

from sampai.adapters.aws import unavailable
from sampai.adapters.document import BrokenDocumentError, Document
from sampai.contract.settings import BrokenSettingsError, Settings, parse_settings
from sampai.services.ports.runtime import Clock, UnavailableError
from sampai.services.ports.telemetry import Telemetry

MAX_OLDER_VERSIONS: Final = 10
"""The most older versions that a cold start tries if the latest one is broken. Parameter Store keeps a hundred."""


class SsmSettings(Document[Settings]):
    """Implements `ports.configuration.SettingsSource`.

    `client` returns a client of SSM. It is called only before a read.
    """

    name = "settings"
    broken_metric = "SettingsBroken"

    def __init__(self, client: Callable[[], Any], *, name: str, clock: Clock, telemetry: Telemetry) -> None:
        super().__init__(clock=clock, telemetry=telemetry)
        self._client = client
        self._parameter_name = name
        self._latest_version = 0

    def _read(self) -> Settings:
        parameter = self._get(self._parameter_name)
        self._latest_version = parameter["Version"]
        return _parse(parameter["Value"])

    def _read_older(self) -> Settings | None:
        for version in range(self._latest_version - 1, max(self._latest_version - 1 - MAX_OLDER_VERSIONS, 0), -1):
            try:
                settings = _parse(self._get(f"{self._parameter_name}:{version}")["Value"])
            except BrokenDocumentError:
                continue
            except UnavailableError:
                return None
            self._telemetry.warning("older settings in use", version=version)
            return settings
        return None

    def _get(self, name: str) -> Any:
        with unavailable("settings"):
            return self._client().get_parameter(Name=name)["Parameter"]


def _parse(document: str) -> Settings:
    try:
        return parse_settings(document)
    except BrokenSettingsError as error:
        raise BrokenDocumentError(str(error)) from None
