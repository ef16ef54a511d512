"""The two proofs on a stack that is up: everything works with all rights, and something fails without any one."""

import json
import time
import urllib.request
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from itertools import count
from typing import Any, Final

from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError
from rich.console import Console

from local.demo.caller import Caller
from local.demo.run import OPERATORS_SETTINGS, Demo
from local.stack import EMULATOR
from local.stack.config import DYNAMODB_PORT, ROOT, STACK_NAME
from local.stack.deployment import client
from local.stack.processes import DIRECT, Server, children_of, function_of, kill
from sampai.domain.webhook_token import webhook_token
from sampai.providers.registry import PROVIDERS
from tests.iam.exercises import NOT_ENFORCED, PROOFS, Step, Work
from tests.iam.permissions import Pair, Permission, document_of, enforced, name_of, pairs_of, physical_name
from tests.iam.recording_proxy import Refusal, Witness, access_keys

POLICY: Final = "least"
"""The name of every role's only policy in the template."""

TRIES: Final = 2
"""Work may fail to reach its end for other reasons than the right that it lacks."""
MAX_INLINE_WAIT_SECONDS: Final = 10.0
REAPED_SECONDS: Final = 0.3
"""Until the local AWS sees that a process has ended; an invocation before that is lost."""
NOTHING_TO_DO: Final = ("send/not-json", "webhook/unknown-kind", "publish/removed", "follow_up/every-minute")
"""An event for each function that works in the demo, of which no vendor hears."""
ALIKE: Final = 4
TICK_SECONDS: Final = 0.1
SAMPLE_TOKEN: Final = "local-webhook-token"
LONG_AGO: Final = "2020-01-01T00:00:00.000Z"

ENFORCING: Final[Server] = replace(
    EMULATOR,
    environment={
        **EMULATOR.environment,
        "AUTH": "true",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        **{
            f"AWS_ENDPOINT_URL_{service}": f"http://127.0.0.1:{DYNAMODB_PORT}"
            for service in ("DYNAMODB", "EVENTBRIDGE", "SECRETS_MANAGER", "SQS", "SSM")
        },
    },
)
"""The local AWS with IAM, whose functions call through the witness."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """A permission as it is deployed: the names of role and resource, and the pair in the words of the local AWS."""

    permission: Permission
    role: str
    pair: Pair
    resource: str

    def is_missed(self, refusals: Iterable[Refusal]) -> bool:
        """Whether this very right was refused."""
        return any(refusal.is_of(self.role, self.pair[0], self.resource) for refusal in refusals)


@cache
def _functions() -> dict[str, str]:
    """Return the roles' ARNs by those of the functions."""
    found = client("lambda").list_functions()["Functions"]
    return {function["FunctionArn"]: function["Role"] for function in found}


def secret_of(access_key: str) -> str:
    """Return the secret access key of the function whose access key id this is."""
    return access_keys(_functions())[access_key]


class Privileges:
    """Takes rights away and gives them back."""

    def __init__(self, outputs: Mapping[str, Any], witness: Witness) -> None:
        self._outputs = outputs
        self._witness = witness
        self._iam, self._lambda, self._dynamodb = client("iam"), client("lambda"), client("dynamodb")
        described = client("cloudformation").describe_stack_resources(StackName=STACK_NAME)["StackResources"]
        self._ids = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in described}
        # No resource of the stack. An ARN has its name after "parameter", which the leading slash belongs to.
        self._ids["SettingsParameter"] = outputs["SettingsParameterName"].removeprefix("/")
        secret = client("secretsmanager").get_secret_value(SecretId=outputs["ProviderSecretArn"])["SecretString"]
        self._token = str(json.loads(secret)["webhook_tokens"][0])
        self._numbers = count(1)
        self.rights = list(self._deployed(each["LogicalResourceId"] for each in described))

    def enforce(self) -> list[str]:
        """Put every role's rights in the words of the local AWS, and return what is not as it should be.

        The queues' own policies go once they have refused us: nothing but plain HTTP is spoken here.
        """
        for role in {right.role for right in self.rights}:
            self._allow(role)
        queues = sorted(name for name, physical_id in self._ids.items() if physical_id.startswith("http"))
        open_ones = [name for name in queues if not self._refuses_plain_http(self._ids[name])]
        over_tls = client("sqs")
        over_tls.meta.events.register("before-sign.sqs", _say_it_came_over_tls)
        for name in queues:
            over_tls.set_queue_attributes(QueueUrl=self._ids[name], Attributes={"Policy": ""})
        return [f"{name} takes plain HTTP" for name in open_ones]

    def flows(self) -> list[str]:
        """Send one message of every kind with all rights, and return what is not as it should be."""
        caller = Caller(self._outputs)
        caller.change_settings(OPERATORS_SETTINGS)  # before a function reads them, for a minute
        self._calm()
        self._witness.forget()
        is_green = Demo(caller, Console(highlight=False)).run()
        refused = sorted({f"refused with all rights: {r.action} for {r.role}" for r in self._witness.seen})
        # The demo ends with vendors out of order. A process that was told so sends them nothing for a minute.
        self._end_processes("SendFunction")
        return refused + ([] if is_green else ["not every message ended as it should"])

    def is_missed(self, right: Right, work: Work) -> bool:
        """Do the work without a right, and say whether that very right was refused."""
        return any(self._is_missed_once(right, work) for _ in range(TRIES))

    def _is_missed_once(self, right: Right, work: Work) -> bool:
        self._page("_reset")
        number = next(self._numbers)
        for step in work.before:
            self._do(step, number)
        self._allow(right.role, without=right)
        try:
            if work.is_cold:
                self._end_processes(right.permission.function)
            self._witness.forget()
            if work.step is not None:
                self._do(work.step, number)
            return self._is_seen_to_be_missed(right)
        finally:
            self._allow(right.role)
            if work.is_cold:
                self._end_processes(right.permission.function)

    def _deployed(self, logical_ids: Iterable[str]) -> Iterable[Right]:
        for role in sorted(
            each for each in logical_ids if each.endswith("Role") and f"{each[:-4]}Function" in self._ids
        ):
            name = self._ids[role]
            document = self._iam.get_role_policy(RoleName=name, PolicyName=POLICY)["PolicyDocument"]
            for action, arn in pairs_of(document):
                permission = Permission(role, action, name_of(arn, self._ids))
                resource = physical_name(self._ids[permission.resource.partition("/")[0]])
                yield Right(permission=permission, role=name, pair=enforced((action, arn)), resource=resource)

    def _allow(self, role: str, without: Right | None = None) -> None:
        pairs = [right.pair for right in self.rights if right.role == role and right is not without]
        self._iam.put_role_policy(RoleName=role, PolicyName=POLICY, PolicyDocument=json.dumps(document_of(pairs)))

    def _do(self, step: Step, number: int) -> None:
        if step.due:
            self._make_due(_fresh(step.due, number))
        self._lambda.invoke(FunctionName=self._ids[step.function], Payload=payload(step, number, self._token))

    def _make_due(self, message_id: str) -> None:
        """Have the time come to look at a message, unless there is none to look at."""
        with suppress(self._dynamodb.exceptions.ConditionalCheckFailedException):
            self._dynamodb.update_item(
                TableName=self._outputs["MessagesTableName"],
                Key={"message_id": {"S": message_id}},
                UpdateExpression="SET due_at = :past",
                ConditionExpression="attribute_exists(due_shard)",
                ExpressionAttributeValues={":past": {"S": LONG_AGO}},
            )

    def _is_seen_to_be_missed(self, right: Right) -> bool:
        until = time.monotonic() + MAX_INLINE_WAIT_SECONDS
        while not right.is_missed(self._witness.seen):
            if time.monotonic() > until:
                return False
            time.sleep(TICK_SECONDS)
        return True

    def _calm(self) -> None:
        """Let few processes start, and those before the first message.

        Checking signatures and rights costs the local AWS the time that many would take.
        """
        for mapping in self._lambda.list_event_source_mappings()["EventSourceMappings"]:
            if ":sqs:" in mapping["EventSourceArn"]:
                scaling = {"MaximumConcurrency": 2}
                self._lambda.update_event_source_mapping(UUID=mapping["UUID"], ScalingConfig=scaling)
        with ThreadPoolExecutor(ALIKE) as pool:
            for event in NOTHING_TO_DO:
                list(pool.map(self._do, [Step(event)] * ALIKE, [0] * ALIKE))

    def _refuses_plain_http(self, url: str) -> bool:
        try:
            client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        except ClientError as error:
            return bool(error.response["Error"]["Code"] == "AccessDenied")
        return False

    def _end_processes(self, function: str) -> None:
        """Make the next invocation of a function a cold start."""
        for pid, command in children_of(EMULATOR.pid() or 0).items():
            if function_of(command) == function:
                kill(pid)
        time.sleep(REAPED_SECONDS)

    def _page(self, name: str) -> None:
        url = f"{self._outputs['simulators']['control']}/{name}"
        DIRECT.open(urllib.request.Request(url, data=b""), timeout=5).close()


def proved(privileges: Privileges) -> list[str]:
    """Take away each right by itself, print what came of it, and return what is not as it should be."""
    wrong = [f"no role has it any more: {_line(p)}" for p in sorted(gone(r.permission for r in privileges.rights))]
    for right in privileges.rights:
        permission = right.permission
        if (reason := NOT_ENFORCED.get(permission)) is not None:
            said = f"not enforced: {reason}"
        elif (work := PROOFS.get(permission)) is None:
            said = "NO PROOF"
        elif privileges.is_missed(right, work):
            said = f"refused: {right.pair[0]}"
        else:
            said = "IDLE"
        print(f"{_line(permission)}  {said}", flush=True)
        wrong += [f"{' '.join(_line(permission).split())}: {said}"] if said.isupper() else []
    return wrong


def gone(permissions: Iterable[Permission]) -> set[Permission]:
    """Return what is proved or excused although no role has it."""
    return (PROOFS.keys() | NOT_ENFORCED.keys()) - set(permissions)


def _line(permission: Permission) -> str:
    return f"{permission.role:12} {permission.action:30} {permission.resource:24}"


def payload(step: Step, number: int, token: str) -> str:
    """Return the sample event of a step with its changes, a valid token, and ids that nobody has used.

    `token` is a webhook token of the secret.
    """
    text = (ROOT / "events" / f"{step.event}.json").read_text(encoding="utf-8")
    for provider in PROVIDERS:
        text = text.replace(webhook_token(SAMPLE_TOKEN, provider), webhook_token(token, provider))
    event = json.loads(text)
    for record in event.get("Records", []):
        for before, after in step.changes:
            record["body"] = record["body"].replace(before, after)
    return _fresh(json.dumps(event), number)


def _fresh(text: str, number: int) -> str:
    """Return the text of a sample with ids that nobody has used."""
    return text.replace("sample-", f"proof-{number}-")


def _say_it_came_over_tls(request: AWSRequest, **_: Any) -> None:
    request.headers["x-forwarded-proto"] = "https"
