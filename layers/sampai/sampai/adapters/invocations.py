"""Starts invocations of a function through the Lambda API."""

import json
from collections.abc import Mapping
from typing import Any

from sampai.adapters.aws import unavailable


class LambdaStarter:
    """Implements the port Starter."""

    def __init__(self, client: Any, *, function_name: str) -> None:
        self._client = client
        self._function_name = function_name

    def start(self, event: Mapping[str, Any]) -> None:
        with unavailable("invoke"):
            self._client.invoke(
                FunctionName=self._function_name, InvocationType="Event", Payload=json.dumps(event).encode()
            )
