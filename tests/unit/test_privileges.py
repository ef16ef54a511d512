"""Least privilege: every right of the template is proved needed, or stands in a list with the reason why not."""

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
from tests.iam.exercises import NOT_ENFORCED, PROOFS, Step
from tests.iam.permissions import Permission, document_of, enforced, name_of, pairs_of
from tests.iam.recording_proxy import TARGET, Refusal, Witness, access_keys, refusal_in
from tests.iam.run import gone, payload
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
    """Return what the template says of a resource by logical ids, as `name_of` says it of an ARN."""
    if "Fn::GetAtt" in value:
        logical_id, _, attribute = value["Fn::GetAtt"].partition(".")
        return f"{logical_id}/stream" if attribute == "StreamArn" else str(logical_id)
    text = str(value["Fn::Sub"])
    if ":parameter/" in text:
        return "SettingsParameter"
    return text.replace("${", "").replace(".Arn}", "")


def _of_the_template() -> Iterator[Permission]:
    for role, resource in template()["Resources"].items():
        if resource["Type"] == "AWS::IAM::Role":
            for policy in resource["Properties"]["Policies"]:
                pairs = pairs_of(policy["PolicyDocument"])
                yield from (Permission(role, action, _resource(value)) for action, value in pairs)


PERMISSIONS = tuple(_of_the_template())


def test_every_right_is_proved_needed_or_excused_and_none_is_both() -> None:
    assert sorted(PERMISSIONS) == sorted([*PROOFS, *NOT_ENFORCED])


def test_what_is_excused_is_what_lambda_itself_does_for_a_function() -> None:
    assert {permission.action for permission in NOT_ENFORCED} == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
        "sqs:SendMessage",
    }
    sends = [p for p in NOT_ENFORCED if p.action == "sqs:SendMessage"]
    assert sends == [Permission("PublishRole", "sqs:SendMessage", "PublishFailures")]
    assert len(NOT_ENFORCED) == 25
    assert all(NOT_ENFORCED.values())


def test_a_right_that_no_role_has_any_more_is_named() -> None:
    assert gone(PERMISSIONS) == set()
    assert gone(PERMISSIONS[1:]) == {PERMISSIONS[0]}


def test_the_role_of_a_right_is_a_functions() -> None:
    resources = template()["Resources"]
    roles = {p.function: resources[p.function]["Properties"]["Role"]["Fn::GetAtt"] for p in PERMISSIONS}

    assert roles == {p.function: f"{p.role}.Arn" for p in PERMISSIONS}


STEPS = sorted({step for work in PROOFS.values() for step in (*work.before, work.step) if step}, key=str)


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_the_work_is_a_sample_event_of_a_function_and_its_changes_change_it(step: Step) -> None:
    text = (ROOT / "events" / f"{step.event}.json").read_text().replace('\\"', '"')

    assert step.function in template()["Resources"]
    assert [before for before, _ in step.changes if before not in text] == []


@pytest.mark.parametrize(
    ("step", "bodies"),
    [
        (Step("send/resume"), [{"resume": "proof-7-throttled", "attempt": 2}]),
        (
            Step("send/resume", (("sample-throttled", "sample-nomsa"),)),
            [{"resume": "proof-7-nomsa", "attempt": 2}],
        ),
        (Step("follow_up/every-minute"), []),
    ],
    ids=["as it is", "of another message", "no records"],
)
def test_a_sample_is_changed_before_its_ids_are(step: Step, bodies: list[dict[str, Any]]) -> None:
    event = json.loads(payload(step, 7, "a-token"))

    assert [json.loads(record["body"]) for record in event.get("Records", [])] == bodies


def test_a_sample_of_a_callback_has_the_token_that_is_valid() -> None:
    event = json.loads(payload(Step("webhook/nusasms-receipt-get"), 7, "a-token"))

    assert event["pathParameters"]["token"] == webhook_token("a-token", "nusasms")


@pytest.mark.parametrize("permission", PROOFS, ids=str)
def test_the_function_itself_does_the_work(permission: Permission) -> None:
    work = PROOFS[permission]

    # Where there is no step, what was done before comes back to the function by itself.
    assert work.step is None or work.step.function == permission.function
    assert work.step or work.before


def test_a_statement_means_each_of_its_actions_on_each_of_its_resources() -> None:
    document = {
        "Statement": [
            {"Effect": "Allow", "Action": ["a:One", "a:Two"], "Resource": ["x", "y"]},
            {"Effect": "Allow", "Action": "b:Three", "Resource": "z"},
        ]
    }

    pairs = list(pairs_of(document))

    assert pairs == [("a:One", "x"), ("a:One", "y"), ("a:Two", "x"), ("a:Two", "y"), ("b:Three", "z")]
    assert list(pairs_of(document_of(pairs))) == pairs
    assert document_of(pairs[:1]) == {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "a:One", "Resource": "x"}],
    }


@pytest.mark.parametrize(
    ("pair", "in_local_words"),
    [
        (("dynamodb:PartiQLInsert", ARN), ("dynamodb:PutItem", ARN)),
        (("dynamodb:PartiQLUpdate", ARN), ("dynamodb:UpdateItem", ARN)),
        (("sqs:SendMessage", "arn:queue"), ("sqs:SendMessageBatch", "arn:queue")),
        (("dynamodb:BatchGetItem", ARN), ("dynamodb:BatchGetItem", ARN)),
        (("ssm:GetParameter", "arn:parameter/sampai/S"), ("ssm:GetParameter", "arn:parameter/sampai/S")),
    ],
)
def test_a_right_is_put_into_the_words_of_the_local_aws(pair: tuple[str, str], in_local_words: tuple[str, str]) -> None:
    assert enforced(pair) == in_local_words


def test_no_two_rights_of_a_role_become_one_in_the_words_of_the_local_aws() -> None:
    translated = [(p.role, *enforced((p.action, p.resource))) for p in PERMISSIONS]

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
def test_an_arn_is_named_by_the_logical_id_of_what_it_is_in(arn: str, name: str) -> None:
    assert name_of(arn, IDS) == name


def test_an_arn_of_nothing_in_the_stack_has_no_name() -> None:
    with pytest.raises(LookupError):
        name_of("arn:aws:sqs:ap-southeast-1:000000000000:another-queue", IDS)


SAID = (
    b'{"__type": "AccessDeniedException", "message": "User: arn:aws:sts::000000000000:assumed-role/sampai-SendRole-4D/'
    b"sampai-SendFunction-5E is not authorized to perform: dynamodb:PutItem because no identity-based policy allows "
    b'the dynamodb:PutItem action"}'
)
CALL = b'{"TableName": "sampai-MessagesTable-1A"}'
REFUSAL = Refusal("sampai-SendRole-4D", "dynamodb:PutItem", CALL.decode())


@pytest.mark.parametrize(
    ("status", "body", "refusal"),
    [
        (403, SAID, REFUSAL),
        (200, SAID, None),
        (400, b'{"__type": "ValidationException"}', None),
        (400, b"\xff", None),
    ],
)
def test_a_refusal_names_role_action_and_call(status: int, body: bytes, refusal: Refusal | None) -> None:
    assert refusal_in(CALL, (status, body)) == refusal


@pytest.mark.parametrize(
    ("role", "action", "resource", "is_of"),
    [
        ("sampai-SendRole-4D", "dynamodb:PutItem", "sampai-MessagesTable-1A", True),
        ("sampai-WebhookRole-4D", "dynamodb:PutItem", "sampai-MessagesTable-1A", False),
        ("sampai-SendRole-4D", "dynamodb:UpdateItem", "sampai-MessagesTable-1A", False),
        ("sampai-SendRole-4D", "dynamodb:PutItem", "sampai-CorrelationsTable-6F", False),
    ],
)
def test_a_refusal_is_of_one_right_only(role: str, action: str, resource: str, is_of: bool) -> None:
    assert REFUSAL.is_of(role, action, resource) is is_of


def test_each_function_has_keys_of_its_own() -> None:
    keys = access_keys({"arn:function:a": "arn:role:x", "arn:function:b": "arn:role:x"})

    assert len(keys) == len(set(keys.values())) == 2
    assert {len(key) for key in keys} == {20}
    assert keys == access_keys({"arn:function:b": "arn:role:x", "arn:function:a": "arn:role:x"})


class LocalAws(ThreadingHTTPServer):
    """Refuses every PutItem, takes everything else, and remembers what came."""

    daemon_threads = True

    def __init__(self) -> None:
        self.came: list[tuple[str, Any, str, str]] = []
        super().__init__(("127.0.0.1", 0), _LocalAwsHandler)


class _LocalAwsHandler(BaseHTTPRequestHandler):
    server: LocalAws

    def do_POST(self) -> None:
        operation = self.headers["x-amz-target"].removeprefix(TARGET)
        call = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.came.append((operation, call, self.headers["authorization"], self.headers["host"]))
        is_refused = operation == "PutItem"
        self.send_response(403 if is_refused else 200)
        self.end_headers()
        self.wfile.write(SAID if is_refused else b"{}")

    def log_message(self, *args: Any) -> None:
        """Write nothing."""


@pytest.fixture
def local_aws() -> Iterator[LocalAws]:
    with LocalAws() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


GIVEN = "AWS4-HMAC-SHA256 Credential=ASIAFUNCTION/20261121/ap-southeast-1/dynamodb/aws4_request, Signature=00"

NO_KEYS: dict[str, str] = {}


def call(witness: Witness, operation: str, document: Any) -> Any:
    headers = {"x-amz-target": f"{TARGET}{operation}", "authorization": GIVEN, "x-amz-security-token": "token"}
    with DIRECT.open(Request(witness.url, json.dumps(document).encode(), headers)) as answer:
        return json.loads(answer.read())


def test_the_witness_passes_a_call_on_with_its_signature_and_the_host_that_was_signed(local_aws: LocalAws) -> None:
    with Witness(0, f"http://127.0.0.1:{local_aws.server_port}", "ap-southeast-1", NO_KEYS.__getitem__) as witness:
        assert call(witness, "Query", {"TableName": "t"}) == {}

        assert local_aws.came == [("Query", {"TableName": "t"}, GIVEN, witness.url.removeprefix("http://"))]
        assert witness.seen == []


def test_the_witness_makes_partiql_writes_in_the_functions_name_and_sees_them_refused(local_aws: LocalAws) -> None:
    insert = {"Statement": "INSERT INTO \"t\" VALUE {'key': ?}", "Parameters": [{"S": "k"}]}
    update = {"Statement": 'UPDATE "t" SET "a" = ? WHERE "key" = ? AND "b" = ?', "Parameters": [{"S": "1"}] * 3}
    keys = {"ASIAFUNCTION": "not a secret"}

    with Witness(0, f"http://127.0.0.1:{local_aws.server_port}", "ap-southeast-1", keys.__getitem__) as witness:
        answer = call(witness, "BatchExecuteStatement", {"Statements": [insert, update]})

        assert [each.get("Error", {}).get("Code") for each in answer["Responses"]] == ["AccessDeniedException", None]
        assert [came[0] for came in local_aws.came] == ["PutItem", "UpdateItem"]
        assert all("Credential=ASIAFUNCTION/" in came[2] != GIVEN for came in local_aws.came)
        assert [refusal.is_of("sampai-SendRole-4D", "dynamodb:PutItem", "t") for refusal in witness.seen] == [True]
        witness.forget()
        assert witness.seen == []
