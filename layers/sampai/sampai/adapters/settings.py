"""The settings, a parameter in the Parameter Store of SSM."""

from collections.abc import Callable
from typing import Any, Final

from botocore.exceptions import ClientError

from sampai.adapters.aws import unavailable
from sampai.adapters.document import BrokenDocumentError, Document
from sampai.contract.settings import BrokenSettingsError, Settings, parse_settings
from sampai.services.ports.runtime import Clock, UnavailableError
from sampai.services.ports.telemetry import Telemetry

MAX_OLDER_VERSIONS: Final = 10
"""The most older versions that a cold start tries if the latest one is broken. Parameter Store keeps a hundred."""


class SsmSettings(Document[Settings]):
    """Implements `ports.configuration.SettingsSource`.

    No stack creates the parameter, so that no stack update can overwrite it. Until an operator creates it, the defaults
    apply. `client` returns a client of SSM; it is called when there is something to read.
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
        if parameter is None:
            # A deleted parameter is a mistake: `{}` would switch off an operator's limits without a word.
            if self._latest_version:
                raise BrokenDocumentError("the parameter was deleted")
            return _parse("{}")
        self._latest_version = parameter["Version"]
        return _parse(parameter["Value"])

    def _read_older(self) -> Settings | None:
        for version in range(self._latest_version - 1, max(self._latest_version - 1 - MAX_OLDER_VERSIONS, 0), -1):
            try:
                parameter = self._get(f"{self._parameter_name}:{version}")
                if parameter is None:
                    return None
                settings = _parse(parameter["Value"])
            except BrokenDocumentError:
                continue
            except UnavailableError:
                return None
            self._telemetry.warning("older settings in use", version=version)
            return settings
        return None

    def _get(self, name: str) -> Any:
        """Return the parameter, or None if it does not exist. Raises UnavailableError."""
        with unavailable("settings"):
            try:
                return self._client().get_parameter(Name=name)["Parameter"]
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") != "ParameterNotFound":
                    raise
                return None


def _parse(document: str) -> Settings:
    try:
        return parse_settings(document)
    except BrokenSettingsError as error:
        raise BrokenDocumentError(str(error)) from None
