"""Invocations of a function through the Lambda API."""

import json

import pytest
from botocore.stub import Stubber

from sampai.adapters.aws import Aws
from sampai.adapters.invocations import LambdaStarter
from sampai.services.ports.runtime import UnavailableError

EVENT = {"worker": {"index": 1, "count": 2}}
REQUEST = {"FunctionName": "follow-up", "InvocationType": "Event", "Payload": json.dumps(EVENT).encode()}


def test_invocation_starts_with_its_event_and_nobody_waits_for_it(aws: Aws) -> None:
    client = aws.client("lambda")
    with Stubber(client) as stub:
        stub.add_response("invoke", {"StatusCode": 202}, REQUEST)

        LambdaStarter(client, function_name="follow-up").start(EVENT)

        stub.assert_no_pending_responses()


def test_refused_invocation_is_unavailable(aws: Aws) -> None:
    client = aws.client("lambda")
    with Stubber(client) as stub:
        stub.add_client_error("invoke", "TooManyRequestsException")

        with pytest.raises(UnavailableError, match="invoke: TooManyRequestsException"):
            LambdaStarter(client, function_name="follow-up").start(EVENT)
