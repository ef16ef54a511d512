"""Test the IAM tests themselves: their tables cover the template, and their proxy records denials."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.request import Request

import pytest

from local.stack.config import ROOT
from local.stack.processes import DIRECT
from sampai.domain.webhook_token import webhook_token
from tests.iam.exercises import EXERCISES, NOT_ENFORCED, Step
from tests.iam.permissions import Permission, build_policy, logical_name, read_pairs, to_local_pair
from tests.iam.recording_proxy import TARGET, Denial, RecordingProxy, derive_access_keys, parse_denial
from tests.iam.run import find_stale, payload
from tests.template import template

ARN = "arn:aws:dynamodb:ap-southeast-1:000000000000:table/sampai-MessagesTable-1A"
IDS = {
    "MessagesTable": "sampai-MessagesTable-1A",
    "MessagesTableToo": "sampai-MessagesTable-1A2",
    "SendQueue": "http://127.0.0.1:4566/000000000000/sampai-SendQueue-2B",
    "ProviderSecret": "sampai-ProviderSecret-3C",
    "SettingsParameter": "sampai/settings",
    "EventBus": "sampai",
    "SendLog": "/aws/lambda/sampai/send",
}


def _resource(value: Any) -> str:
    """Return the logical name of a resource in the template, in the form of `logical_name`."""
    if "Fn::GetAtt" in value:
        logical_id, _, attribute = value["Fn::GetAtt"].partition(".")
        return f"{logical_id}/stream" if attribute == "StreamArn" else str(logical_id)
    text = str(value["Fn::Sub"])
    if ":parameter/" in text:
        return "SettingsParameter"
    return text.replace("${", "").replace(".Arn}", "")


def _template_permissions() -> Iterator[Permission]:
    for role, resource in template()["Resources"].items():
        if resource["Type"] == "AWS::IAM::Role":
            for policy in resource["Properties"]["Policies"]:
                pairs = read_pairs(policy["PolicyDocument"])
                yield from (Permission(role, action, _resource(value)) for action, value in pairs)


PERMISSIONS = tuple(_template_permissions())


def test_every_permission_has_an_exercise_or_a_reason_and_none_has_both() -> None:
    assert sorted(PERMISSIONS) == sorted([*EXERCISES, *NOT_ENFORCED])


def test_only_permissions_that_the_lambda_service_uses_lack_an_exercise() -> None:
    assert {permission.action for permission in NOT_ENFORCED} == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ChangeMessageVisibility",
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
        "sqs:SendMessage",
    }
    sends = [p for p in NOT_ENFORCED if p.action == "sqs:SendMessage"]
    assert sends == [Permission("PublishRole", "sqs:SendMessage", "PublishFailures")]
    assert len(NOT_ENFORCED) == 32
    assert all(NOT_ENFORCED.values())


def test_a_permission_that_no_role_has_is_reported() -> None:
    assert find_stale(PERMISSIONS) == set()
    assert find_stale(PERMISSIONS[1:]) == {PERMISSIONS[0]}


def test_the_role_of_a_permission_belongs_to_its_function() -> None:
    resources = template()["Resources"]
    roles = {p.function: resources[p.function]["Properties"]["Role"]["Fn::GetAtt"] for p in PERMISSIONS}

    assert roles == {p.function: f"{p.role}.Arn" for p in PERMISSIONS}


STEPS = sorted({step for exercise in EXERCISES.values() for step in (*exercise.before, exercise.step) if step}, key=str)


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_each_step_uses_a_sample_event_that_contains_its_changes(step: Step) -> None:
    text = (ROOT / "events" / f"{step.event}.json").read_text().replace('\\"', '"')

    assert step.function in template()["Resources"]
    assert [before for before, _ in step.changes if before not in text] == []


@pytest.mark.parametrize(
    ("step", "bodies"),
    [
        (Step("send/resume"), [{"resume": "iam-7-throttled", "attempt": 2}]),
        (
            Step("send/resume", (("sample-throttled", "sample-nomsa"),)),
            [{"resume": "iam-7-nomsa", "attempt": 2}],
        ),
        (Step("follow_up/every-minute"), []),
    ],
    ids=["unchanged", "another message", "no records"],
)
def test_changes_apply_before_new_ids(step: Step, bodies: list[dict[str, Any]]) -> None:
    event = json.loads(payload(step, 7, "a-token"))

    assert [json.loads(record["body"]) for record in event.get("Records", [])] == bodies


def test_a_sample_webhook_gets_the_valid_token() -> None:
    event = json.loads(payload(Step("webhook/nusasms-receipt-get"), 7, "a-token"))

    assert event["pathParameters"]["token"] == webhook_token("a-token", "nusasms")


@pytest.mark.parametrize("permission", EXERCISES, ids=str)
def test_the_function_of_the_permission_runs_the_exercise(permission: Permission) -> None:
    exercise = EXERCISES[permission]

    # An exercise without a step ends with a webhook of the vendor, which invokes the function.
    assert exercise.step is None or exercise.step.function == permission.function
    assert exercise.step or exercise.before


def test_a_statement_allows_each_action_on_each_resource() -> None:
    document = {
        "Statement": [
            {"Effect": "Allow", "Action": ["a:One", "a:Two"], "Resource": ["x", "y"]},
            {"Effect": "Allow", "Action": "b:Three", "Resource": "z"},
        ]
    }

    pairs = list(read_pairs(document))

    assert pairs == [("a:One", "x"), ("a:One", "y"), ("a:Two", "x"), ("a:Two", "y"), ("b:Three", "z")]
    assert list(read_pairs(build_policy(pairs))) == pairs
    assert build_policy(pairs[:1]) == {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "a:One", "Resource": "x"}],
    }


@pytest.mark.parametrize(
    ("pair", "local_pair"),
    [
        (("dynamodb:PartiQLInsert", ARN), ("dynamodb:PutItem", ARN)),
        (("dynamodb:PartiQLUpdate", ARN), ("dynamodb:UpdateItem", ARN)),
        (("sqs:SendMessage", "arn:queue"), ("sqs:SendMessageBatch", "arn:queue")),
        (("dynamodb:BatchGetItem", ARN), ("dynamodb:BatchGetItem", ARN)),
        (("ssm:GetParameter", "arn:parameter/sampai/S"), ("ssm:GetParameter", "arn:parameter/sampai/S")),
    ],
)
def test_a_permission_is_translated_for_the_local_aws(pair: tuple[str, str], local_pair: tuple[str, str]) -> None:
    assert to_local_pair(pair) == local_pair


def test_translated_permissions_of_a_role_stay_distinct() -> None:
    translated = [(p.role, *to_local_pair((p.action, p.resource))) for p in PERMISSIONS]

    assert len(set(translated)) == len(translated)


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        (ARN, "MessagesTable"),
        (f"{ARN}2", "MessagesTableToo"),
        (f"{ARN}/index/due", "MessagesTable/index/due"),
        (f"{ARN}/stream/2026-11-21T10:00:00.000Z", "MessagesTable/stream"),
        (f"{ARN}/stream/*", "MessagesTable/stream/*"),
        ("arn:aws:sqs:ap-southeast-1:000000000000:sampai-SendQueue-2B", "SendQueue"),
        ("arn:aws:secretsmanager:ap-southeast-1:000000000000:secret:sampai-ProviderSecret-3C-b38803", "ProviderSecret"),
        ("arn:aws:ssm:ap-southeast-1:000000000000:parameter/sampai/settings", "SettingsParameter"),
        ("arn:aws:events:ap-southeast-1:000000000000:event-bus/sampai", "EventBus"),
        ("arn:aws:logs:ap-southeast-1:000000000000:log-group:/aws/lambda/sampai/send", "SendLog"),
        ("arn:aws:logs:ap-southeast-1:000000000000:log-group:/aws/lambda/sampai/send:*", "SendLog"),
    ],
)
def test_an_arn_maps_to_the_logical_id_of_its_resource(arn: str, name: str) -> None:
    assert logical_name(arn, IDS) == name


def test_an_arn_outside_the_stack_raises_lookup_error() -> None:
    with pytest.raises(LookupError):
        logical_name("arn:aws:sqs:ap-southeast-1:000000000000:another-queue", IDS)


DENIED_BODY = (
    b'{"__type": "AccessDeniedException", "message": "User: arn:aws:sts::000000000000:assumed-role/sampai-SendRole-4D/'
    b"sampai-SendFunction-5E is not authorized to perform: dynamodb:PutItem because no identity-based policy allows "
    b'the dynamodb:PutItem action"}'
)
CALL = b'{"TableName": "sampai-MessagesTable-1A"}'
DENIAL = Denial("sampai-SendRole-4D", "dynamodb:PutItem", CALL.decode())


@pytest.mark.parametrize(
    ("status", "body", "denial"),
    [
        (403, DENIED_BODY, DENIAL),
        (200, DENIED_BODY, None),
        (400, b'{"__type": "ValidationException"}', None),
        (400, b"\xff", None),
    ],
)
def test_a_denial_has_role_action_and_call(status: int, body: bytes, denial: Denial | None) -> None:
    assert parse_denial(CALL, (status, body)) == denial


@pytest.mark.parametrize(
    ("role", "action", "resource", "matches"),
    [
        ("sampai-SendRole-4D", "dynamodb:PutItem", "sampai-MessagesTable-1A", True),
        ("sampai-WebhookRole-4D", "dynamodb:PutItem", "sampai-MessagesTable-1A", False),
        ("sampai-SendRole-4D", "dynamodb:UpdateItem", "sampai-MessagesTable-1A", False),
        ("sampai-SendRole-4D", "dynamodb:PutItem", "sampai-CorrelationsTable-6F", False),
    ],
)
def test_a_denial_matches_one_permission_only(role: str, action: str, resource: str, matches: bool) -> None:
    assert DENIAL.matches(role, action, resource) is matches


def test_each_function_has_its_own_access_key() -> None:
    keys = derive_access_keys({"arn:function:a": "arn:role:x", "arn:function:b": "arn:role:x"})

    assert len(keys) == len(set(keys.values())) == 2
    assert {len(key) for key in keys} == {20}
    assert keys == derive_access_keys({"arn:function:b": "arn:role:x", "arn:function:a": "arn:role:x"})


class LocalAws(ThreadingHTTPServer):
    """Denies every PutItem, allows all other calls, and records the requests."""

    daemon_threads = True

    def __init__(self) -> None:
        self.requests: list[tuple[str, Any, str, str]] = []
        super().__init__(("127.0.0.1", 0), _LocalAwsHandler)


class _LocalAwsHandler(BaseHTTPRequestHandler):
    server: LocalAws

    def do_POST(self) -> None:
        operation = self.headers["x-amz-target"].removeprefix(TARGET)
        call = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.requests.append((operation, call, self.headers["authorization"], self.headers["host"]))
        is_denied = operation == "PutItem"
        self.send_response(403 if is_denied else 200)
        self.end_headers()
        self.wfile.write(DENIED_BODY if is_denied else b"{}")

    def log_message(self, *args: Any) -> None:
        """Write nothing."""


@pytest.fixture
def local_aws() -> Iterator[LocalAws]:
    with LocalAws() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


AUTHORIZATION = "AWS4-HMAC-SHA256 Credential=ASIAFUNCTION/20261121/ap-southeast-1/dynamodb/aws4_request, Signature=00"

NO_KEYS: dict[str, str] = {}


def call(proxy: RecordingProxy, operation: str, document: Any) -> Any:
    headers = {"x-amz-target": f"{TARGET}{operation}", "authorization": AUTHORIZATION, "x-amz-security-token": "token"}
    with DIRECT.open(Request(proxy.url, json.dumps(document).encode(), headers)) as answer:
        return json.loads(answer.read())


def test_the_proxy_forwards_a_call_with_its_signature_and_signed_host(local_aws: LocalAws) -> None:
    with RecordingProxy(0, f"http://127.0.0.1:{local_aws.server_port}", "ap-southeast-1", NO_KEYS.__getitem__) as proxy:
        assert call(proxy, "Query", {"TableName": "t"}) == {}

        assert local_aws.requests == [("Query", {"TableName": "t"}, AUTHORIZATION, proxy.url.removeprefix("http://"))]
        assert proxy.denials == []


def test_the_proxy_signs_partiql_writes_as_the_function_and_records_denials(local_aws: LocalAws) -> None:
    insert = {"Statement": "INSERT INTO \"t\" VALUE {'key': ?}", "Parameters": [{"S": "k"}]}
    update = {"Statement": 'UPDATE "t" SET "a" = ? WHERE "key" = ? AND "b" = ?', "Parameters": [{"S": "1"}] * 3}
    keys = {"ASIAFUNCTION": "not a secret"}

    with RecordingProxy(0, f"http://127.0.0.1:{local_aws.server_port}", "ap-southeast-1", keys.__getitem__) as proxy:
        answer = call(proxy, "BatchExecuteStatement", {"Statements": [insert, update]})

        assert [each.get("Error", {}).get("Code") for each in answer["Responses"]] == ["AccessDeniedException", None]
        assert [requests[0] for requests in local_aws.requests] == ["PutItem", "UpdateItem"]
        assert all("Credential=ASIAFUNCTION/" in requests[2] != AUTHORIZATION for requests in local_aws.requests)
        assert [denial.matches("sampai-SendRole-4D", "dynamodb:PutItem", "t") for denial in proxy.denials] == [True]
        proxy.clear()
        assert proxy.denials == []
