"""Watches and cuts the calls of a client of AWS, by the hooks of botocore."""

import math
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import EndpointConnectionError


@dataclass
class Calls:
    """The parameters of each call of one operation; from `cut_after` calls on, none gets through."""

    parameters: list[dict[str, Any]] = field(default_factory=list)
    cut_after: float = math.inf

    def cut(self) -> None:
        """Let no further call through."""
        self.cut_after = len(self.parameters)

    def __len__(self) -> int:
        return len(self.parameters)

    def values(self, name: str) -> list[Any]:
        """Return one parameter of each call."""
        return [parameters[name] for parameters in self.parameters]


def watch(client: Any, operation: str) -> Calls:
    """Record the calls of an operation, such as `PutEvents`, from now on."""
    calls = Calls()

    def keep(params: dict[str, Any], **_: Any) -> None:
        calls.parameters.append(params)

    def cut(**_: Any) -> None:
        if len(calls) > calls.cut_after:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1")

    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register(f"provide-client-params.{service}.{operation}", keep)
    client.meta.events.register(f"before-call.{service}.{operation}", cut)
    return calls
