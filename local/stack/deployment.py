"""Build the unchanged template, deploy it to the local AWS, and configure it like an operator after a deployment."""

import hashlib
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import botocore.session
from botocore.config import Config

from local.simulators.registry import load_vendors
from local.stack.config import EMULATOR_PYTHON, ENDPOINT_URL, LOCAL, REGION, ROOT, RUDE, SIMULATORS_URL, STACK_NAME
from local.stack.processes import DIRECT, run

VENDORS: Final = load_vendors()
SIMULATORS: Final = {name: f"{SIMULATORS_URL}/{name}{vendor.api_path}" for name, vendor in VENDORS.items()}
SENDERS: Final = {name: vendor.product_settings for name, vendor in VENDORS.items()}
SECRET: Final = {name: dict(vendor.credentials) for name, vendor in VENDORS.items()}
ROUTES: Final = {"sms": {vendor.routed_country: [name] for name, vendor in VENDORS.items() if vendor.routed_country}}
SAMPLE_TOKEN: Final = "local-webhook-token"  # noqa: S105 - the local stack alone takes it
"""The webhook token of the sample events."""

CALLBACK_SECRET: Final = "whsec_bG9jYWwtc3RhY2stY2FsbGJhY2stc2VjcmV0"  # noqa: S105 - the local stack alone signs with it
"""Callbacks are signed with it."""

_BUILD: Final = LOCAL / "build"


def build() -> None:
    """Build functions and layers for the emulator's interpreter. Raises StackError."""
    # sam's cache key covers only the sources and the runtime, so the digest of build.mk is in the folder's name.
    recipe = hashlib.sha256((ROOT / "build.mk").read_bytes()).hexdigest()[:12]
    options = ("--cached", "--parallel", "--cache-dir", str(LOCAL / "cache" / recipe), "--build-dir", str(_BUILD))
    _run_sam("build", *options)


def deploy(stack_name: str = STACK_NAME, *options: str, **parameters: str) -> None:
    """Deploy the built template, with further options of `sam deploy` and template parameters. Raises StackError."""
    answers = (
        "--resolve-s3",
        "--capabilities",
        "CAPABILITY_IAM",
        "--no-confirm-changeset",
        "--no-fail-on-empty-changeset",
    )
    stack = ("--template-file", str(_BUILD / "template.yaml"), "--stack-name", stack_name)
    _run_sam("deploy", *stack, *answers, *options, **parameters)


def callbacks_to(url: str) -> dict[str, str]:
    """Return the template parameters for callbacks to a receiver on this computer."""
    return {"CallbackUrl": url, "CallbackToPrivateAddresses": "true"}


def read_outputs(stack_name: str = STACK_NAME) -> dict[str, Any]:
    """Return the outputs of a stack, with a reachable webhook address and the addresses of all servers."""
    stack = client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"][0]
    found = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    api_id = found["WebhookBaseUrl"].removeprefix("https://").partition(".")[0]
    return {
        **found,
        "WebhookBaseUrl": f"{ENDPOINT_URL}/_aws/execute-api/{api_id}",
        "endpoint_url": ENDPOINT_URL,
        "region": REGION,
        "simulators": {**SIMULATORS, "control": SIMULATORS_URL},
    }


def configure(outputs: Mapping[str, Any]) -> None:
    """Point the stack at the simulators, and the simulators at the stack."""
    secrets, secret_id = client("secretsmanager"), outputs["ProviderSecretArn"]
    generated = json.loads(secrets.get_secret_value(SecretId=secret_id)["SecretString"])
    tokens = {"webhook_tokens": [*generated["webhook_tokens"], SAMPLE_TOKEN], "callback_secrets": [CALLBACK_SECRET]}
    secrets.put_secret_value(SecretId=secret_id, SecretString=json.dumps({**tokens, **SECRET}))

    providers = {name: {"base_url": url, **SENDERS[name]} for name, url in SIMULATORS.items()}
    settings = {"public_base_url": outputs["WebhookBaseUrl"], "providers": providers, "routes": ROUTES}
    name = outputs["SettingsParameterName"]
    client("ssm").put_parameter(Name=name, Value=json.dumps(settings), Type="String", Overwrite=True)

    _configure_simulators(outputs["WebhookBaseUrl"], generated["webhook_tokens"][0])


def enable_ttl() -> None:
    """Enable the tables' time to live, because the local AWS ignores it in the template."""
    resources = client("cloudformation").describe_stack_resources(StackName=STACK_NAME)["StackResources"]
    for table in (r["PhysicalResourceId"] for r in resources if r["ResourceType"] == "AWS::DynamoDB::Table"):
        specification = {"AttributeName": "ttl", "Enabled": True}
        client("dynamodb").update_time_to_live(TableName=table, TimeToLiveSpecification=specification)


def client(service: str) -> Any:
    """Return a botocore client of the local AWS."""
    return botocore.session.get_session().create_client(
        service,
        REGION,
        endpoint_url=ENDPOINT_URL,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106
        config=Config(proxies={}),
    )


def _configure_simulators(webhook_base: str, webhook_token: str) -> None:
    body = json.dumps({"webhook_base": webhook_base, "webhook_token": webhook_token, "rude": RUDE}).encode()
    headers = {"content-type": "application/json"}
    DIRECT.open(urllib.request.Request(f"{SIMULATORS_URL}/_config", data=body, headers=headers), timeout=5).close()


def _run_sam(command: str, *options: str, **parameters: str) -> None:
    program = str(Path(sys.executable).with_name("sam"))
    given = {"PythonRuntime": f"python{_emulator_version()}", **parameters}
    overrides = ("--parameter-overrides", *(f"{name}={value}" for name, value in given.items()))
    with TemporaryDirectory(prefix="sam-", dir=LOCAL) as temporary:  # sam does not delete its temporary files
        environment = {**_environment(), "TMPDIR": temporary}
        run([program, command, *options, *overrides], environment=environment, log=LOCAL / f"{command}.log")


def _emulator_version() -> str:
    show = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run([EMULATOR_PYTHON, "-c", show], capture_output=True, text=True, check=True).stdout.strip()


def _environment() -> dict[str, str]:
    """Return the caller's environment, which pip needs, without any variable that leads to a real AWS account."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        "AWS_ENDPOINT_URL": ENDPOINT_URL,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": "0.2",
        "__SAM_CLI_APP_DIR": str(LOCAL / "sam"),
        "SAMPAI_BUILD_FOR": "host",
        "PYTHON": str(EMULATOR_PYTHON),
    }
