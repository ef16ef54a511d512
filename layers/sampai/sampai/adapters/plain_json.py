"""Spare botocore's walk through the values of items, which takes more time than the rest of a call to DynamoDB.

Items have the types of the wire already, `{"S": "…"}`, so a request is the JSON of its parameters. Only binary values
differ. Everything else remains botocore's: credentials, signature, retries, errors. It has no setting for this, so two
private attributes are replaced. If a new version moves them, calls cost more, and `test_plain_json.py` fails.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

_PLAIN_ANSWERS: Final = frozenset({"BatchExecuteStatementOutput", "BatchGetItemOutput", "QueryOutput"})
"""The answers that contain items. No other kind is read often."""


def use_plain_json(client: Any) -> None:
    """Make a client of DynamoDB write and read items as plain JSON. A client of another version stays as it is."""
    endpoint: Any = getattr(client, "_endpoint", None)
    if hasattr(client, "_serializer") and hasattr(endpoint, "_response_parser_factory"):
        client._serializer = _Serializer(client._serializer)
        endpoint._response_parser_factory = _ParserFactory(endpoint._response_parser_factory)


class _Serializer:
    def __init__(self, botocore: Any) -> None:
        self._botocore = botocore

    def serialize_to_request(self, parameters: Mapping[str, Any], operation_model: Any) -> dict[str, Any]:
        try:
            body = json.dumps(parameters).encode()
        except TypeError:  # a binary value
            return dict(self._botocore.serialize_to_request(parameters, operation_model))
        return {**self._botocore.serialize_to_request({}, operation_model), "body": body}


class _ParserFactory:
    def __init__(self, botocore: Any) -> None:
        self._botocore = botocore

    def create_parser(self, protocol: str) -> "_Parser":
        return _Parser(self._botocore.create_parser(protocol))


class _Parser:
    def __init__(self, botocore: Any) -> None:
        self._botocore = botocore

    def parse(self, response: Mapping[str, Any], shape: Any) -> dict[str, Any]:
        status, body, headers = response["status_code"], response["body"], response["headers"]
        if status == 200 and shape is not None and shape.name in _PLAIN_ANSWERS and b'"B' not in body:
            try:
                parsed = json.loads(body)
            except ValueError:
                parsed = None
            if isinstance(parsed, dict):
                known = {"RequestId": headers["x-amzn-requestid"]} if "x-amzn-requestid" in headers else {}
                metadata = {**known, "HTTPStatusCode": status, "HTTPHeaders": dict(headers)}
                return {**parsed, "ResponseMetadata": metadata}
        return dict(self._botocore.parse(response, shape))
