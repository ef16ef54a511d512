"""Run both checks on a running stack: the demo with all permissions, and each exercise without one permission."""

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
from local.demo.run import FIRST_SETTINGS, Demo
from local.stack import EMULATOR
from local.stack.config import DYNAMODB_PORT, ROOT, STACK_NAME
from local.stack.deployment import SENDERS, SIMULATORS, client
from local.stack.processes import DIRECT, Server, children_of, function_of, kill
from sampai.domain.webhook_token import webhook_token
from sampai.providers.registry import PROVIDERS
from tests.iam.exercises import EXERCISES, NOT_ENFORCED, Exercise, Step
from tests.iam.permissions import Pair, Permission, build_policy, logical_name, physical_name, read_pairs, to_local_pair
from tests.iam.recording_proxy import Denial, RecordingProxy, derive_access_keys

POLICY: Final = "least"
"""The name of the only policy of each role in the template."""

TRIES: Final = 2
"""An exercise can fail for another reason than the missing permission, so it is repeated."""
DENIAL_TIMEOUT_SECONDS: Final = 10.0
EXIT_DETECTION_SECONDS: Final = 0.3
"""Time in which the local AWS detects that a process ended. It loses an invocation that comes earlier."""
NO_OP_EVENTS: Final = ("send/not-json", "webhook/unknown-kind", "publish/removed", "follow_up/every-minute")
"""An event for each function of the demo that causes no call to a vendor."""
PROCESSES_PER_FUNCTION: Final = 4
TICK_SECONDS: Final = 0.1
SAMPLE_TOKEN: Final = "local-webhook-token"
LONG_AGO: Final = "2020-01-01T00:00:00.000Z"

EMULATOR_WITH_IAM: Final[Server] = replace(
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
"""The local AWS with IAM. Its functions call it through the recording proxy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedPermission:
    """A deployed permission: the physical names of role and resource, and the pair that the local AWS checks."""

    permission: Permission
    role: str
    pair: Pair
    resource: str

    def is_denied(self, denials: Iterable[Denial]) -> bool:
        """Whether exactly this permission was denied."""
        return any(denial.matches(self.role, self.pair[0], self.resource) for denial in denials)


@cache
def _functions() -> dict[str, str]:
    """Return the ARNs of the roles by the ARNs of the functions."""
    found = client("lambda").list_functions()["Functions"]
    return {function["FunctionArn"]: function["Role"] for function in found}


def secret_access_key(access_key: str) -> str:
    """Return the secret access key for the access key id of a function."""
    return derive_access_keys(_functions())[access_key]


class IamTest:
    """Removes permissions and restores them."""

    def __init__(self, outputs: Mapping[str, Any], proxy: RecordingProxy) -> None:
        self._outputs = outputs
        self._proxy = proxy
        self._iam, self._lambda, self._dynamodb = client("iam"), client("lambda"), client("dynamodb")
        described = client("cloudformation").describe_stack_resources(StackName=STACK_NAME)["StackResources"]
        self._ids = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in described}
        # The stack does not contain the parameter. In its ARN, the name with its leading slash follows "parameter".
        self._ids["SettingsParameter"] = outputs["SettingsParameterName"].removeprefix("/")
        secret = client("secretsmanager").get_secret_value(SecretId=outputs["ProviderSecretArn"])["SecretString"]
        self._token = str(json.loads(secret)["webhook_tokens"][0])
        self._numbers = count(1)
        self.permissions = list(self._read_deployed(each["LogicalResourceId"] for each in described))

    def apply_local_policies(self) -> list[str]:
        """Rewrite the policies of all roles for the local AWS, and return the queues that allow plain HTTP.

        Then remove the policies of the queues, which deny plain HTTP: the local stack has no TLS.
        """
        for role in {deployed.role for deployed in self.permissions}:
            self._put_policy(role)
        queues = sorted(name for name, physical_id in self._ids.items() if physical_id.startswith("http"))
        unprotected = [name for name in queues if not self._refuses_plain_http(self._ids[name])]
        over_tls = client("sqs")
        over_tls.meta.events.register("before-sign.sqs", _claim_tls)
        for name in queues:
            over_tls.set_queue_attributes(QueueUrl=self._ids[name], Attributes={"Policy": ""})
        return [f"{name} allows plain HTTP" for name in unprotected]

    def run_demo(self) -> list[str]:
        """Run the demo with all permissions, and return the problems."""
        caller = Caller(self._outputs)
        providers: dict[str, dict[str, Any]] = {n: {"base_url": u, **SENDERS[n]} for n, u in SIMULATORS.items()}
        providers["nomsa"]["max_lookups_per_second"] = 100
        # Before a function caches them for a minute.
        caller.change_settings({**FIRST_SETTINGS, "providers": providers})
        self._limit_concurrency()
        self._proxy.clear()
        is_demo_ok = Demo(caller, Console(highlight=False)).run()
        denied = sorted({f"denied with all permissions: {r.action} for {r.role}" for r in self._proxy.denials})
        # The demo ends with open circuits. A process with an open circuit does not call the vendor for a minute.
        self._end_processes("SendFunction")
        return denied + ([] if is_demo_ok else ["a message of the demo did not reach its expected status"])

    def is_denied(self, deployed: DeployedPermission, exercise: Exercise) -> bool:
        """Run an exercise without a permission, and return whether exactly that permission was denied."""
        return any(self._is_denied_once(deployed, exercise) for _ in range(TRIES))

    def _is_denied_once(self, deployed: DeployedPermission, exercise: Exercise) -> bool:
        self._post_control("_reset")
        number = next(self._numbers)
        for step in exercise.before:
            self._run_step(step, number)
        self._put_policy(deployed.role, without=deployed)
        try:
            if exercise.is_cold:
                self._end_processes(deployed.permission.function)
            self._proxy.clear()
            if exercise.step is not None:
                self._run_step(exercise.step, number)
            return self._wait_for_denial(deployed)
        finally:
            self._put_policy(deployed.role)
            if exercise.is_cold:
                self._end_processes(deployed.permission.function)

    def _read_deployed(self, logical_ids: Iterable[str]) -> Iterable[DeployedPermission]:
        for role in sorted(
            each for each in logical_ids if each.endswith("Role") and f"{each[:-4]}Function" in self._ids
        ):
            name = self._ids[role]
            document = self._iam.get_role_policy(RoleName=name, PolicyName=POLICY)["PolicyDocument"]
            for action, arn in read_pairs(document):
                permission = Permission(role, action, logical_name(arn, self._ids))
                resource = physical_name(self._ids[permission.resource.partition("/")[0]])
                yield DeployedPermission(
                    permission=permission, role=name, pair=to_local_pair((action, arn)), resource=resource
                )

    def _put_policy(self, role: str, without: DeployedPermission | None = None) -> None:
        pairs = [deployed.pair for deployed in self.permissions if deployed.role == role and deployed is not without]
        self._iam.put_role_policy(RoleName=role, PolicyName=POLICY, PolicyDocument=json.dumps(build_policy(pairs)))

    def _run_step(self, step: Step, number: int) -> None:
        if step.due:
            self._make_due(_with_new_ids(step.due, number))
        self._lambda.invoke(FunctionName=self._ids[step.function], Payload=payload(step, number, self._token))

    def _make_due(self, message_id: str) -> None:
        """Set `due_at` of a message to the past, if the message is in the due index."""
        with suppress(self._dynamodb.exceptions.ConditionalCheckFailedException):
            self._dynamodb.update_item(
                TableName=self._outputs["MessagesTableName"],
                Key={"message_id": {"S": message_id}},
                UpdateExpression="SET due_at = :past",
                ConditionExpression="attribute_exists(due_shard)",
                ExpressionAttributeValues={":past": {"S": LONG_AGO}},
            )

    def _wait_for_denial(self, deployed: DeployedPermission) -> bool:
        until = time.monotonic() + DENIAL_TIMEOUT_SECONDS
        while not deployed.is_denied(self._proxy.denials):
            if time.monotonic() > until:
                return False
            time.sleep(TICK_SECONDS)
        return True

    def _limit_concurrency(self) -> None:
        """Limit the number of processes, and start them before the first message.

        The local AWS is too slow for more, because it checks signatures and permissions.
        """
        for mapping in self._lambda.list_event_source_mappings()["EventSourceMappings"]:
            if ":sqs:" in mapping["EventSourceArn"]:
                scaling = {"MaximumConcurrency": 2}
                self._lambda.update_event_source_mapping(UUID=mapping["UUID"], ScalingConfig=scaling)
        with ThreadPoolExecutor(PROCESSES_PER_FUNCTION) as pool:
            for event in NO_OP_EVENTS:
                list(pool.map(self._run_step, [Step(event)] * PROCESSES_PER_FUNCTION, [0] * PROCESSES_PER_FUNCTION))

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
        time.sleep(EXIT_DETECTION_SECONDS)

    def _post_control(self, name: str) -> None:
        url = f"{self._outputs['simulators']['control']}/{name}"
        DIRECT.open(urllib.request.Request(url, data=b""), timeout=5).close()


def check_permissions(iam_test: IamTest) -> list[str]:
    """Remove each permission in turn, print the result, and return the problems."""
    problems = [
        f"no role has this permission: {_line(p)}"
        for p in sorted(find_stale(r.permission for r in iam_test.permissions))
    ]
    for deployed in iam_test.permissions:
        permission = deployed.permission
        if (reason := NOT_ENFORCED.get(permission)) is not None:
            result = f"not enforced: {reason}"
        elif (exercise := EXERCISES.get(permission)) is None:
            result = "NO EXERCISE"
        elif iam_test.is_denied(deployed, exercise):
            result = f"denied: {deployed.pair[0]}"
        else:
            result = "SUPERFLUOUS"
        print(f"{_line(permission)}  {result}", flush=True)
        problems += [f"{' '.join(_line(permission).split())}: {result}"] if result.isupper() else []
    return problems


def find_stale(permissions: Iterable[Permission]) -> set[Permission]:
    """Return the permissions of both tables that no role has."""
    return (EXERCISES.keys() | NOT_ENFORCED.keys()) - set(permissions)


def _line(permission: Permission) -> str:
    return f"{permission.role:12} {permission.action:30} {permission.resource:24}"


def payload(step: Step, number: int, token: str) -> str:
    """Return the sample event of a step with its changes, a valid token and new ids.

    `token` is a webhook token of the secret.
    """
    text = (ROOT / "events" / f"{step.event}.json").read_text(encoding="utf-8")
    for provider in PROVIDERS:
        text = text.replace(webhook_token(SAMPLE_TOKEN, provider), webhook_token(token, provider))
    event = json.loads(text)
    for record in event.get("Records", []):
        for before, after in step.changes:
            record["body"] = record["body"].replace(before, after)
    return _with_new_ids(json.dumps(event), number)


def _with_new_ids(text: str, number: int) -> str:
    """Return the text of a sample with new message ids."""
    return text.replace("sample-", f"iam-{number}-")


def _claim_tls(request: AWSRequest, **_: Any) -> None:
    request.headers["x-forwarded-proto"] = "https"
