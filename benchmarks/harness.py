"""The harness of the sections: a local AWS with the template's resources, vendors, and a process for each handler.

with start_harness() as harness, harness.sandbox("send") as send:
    send.invoke(batch_of(10))                      # the first call is a cold start
    timing = send.invoke(*(batch_of(10) for _ in range(20)))
    timing.cpu_seconds / 200                       # per message
"""

import json
import os
import runpy
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar
from urllib.parse import urlencode, urlsplit

import certifi
import pytest

from local.stack.processes import DIRECT
from tests.emulator import Emulator
from tests.emulator import running as running_emulator
from tests.functional.sandbox import SETTINGS, Deployment, read_event
from tests.harness.vendors import base_urls
from tests.template import ROOT

TEXT: Final = "Your code is 1234. It is valid for five minutes. Do not tell it to anybody."

_TLS_SETTINGS: Final = "settings-tls"

PROVIDERS: Final[Mapping[str, Mapping[str, Any]]] = {
    **SETTINGS,
    "smsnoc": {**SETTINGS["smsnoc"], "delivered_after_seconds": 0},
}
"""The settings of the providers. A message that was just sent counts as delivered when its poll says so."""
_numbers = count(1)

_Name = TypeVar("_Name", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Measurements of one `Sandbox.invoke`, for all its events together."""

    cpu_seconds: float
    """User and system time of all threads."""
    wall_seconds: float
    responses: list[Any]
    """The handler's return values."""
    ca_loads: int
    """How often the process has read a CA bundle since its start."""


@dataclass(frozen=True, kw_only=True)
class VendorProcess:
    """The process of `benchmarks.vendor`."""

    http: str
    https: str
    aws: str
    """The TLS proxy in front of the local AWS."""
    bundle: Path
    """The CAs of certifi and the CA of this process: as long to read as a production bundle."""

    @property
    def base_urls(self) -> dict[str, str]:
        return base_urls(self.http)

    def set_latency(self, milliseconds: float) -> None:
        """Delay every response from now on."""
        self._request("PUT", "/_latency", milliseconds)

    def set_messages(self, messages: Mapping[str, Any]) -> None:
        """Replace the messages in the vendors' lists: `{"nomsa": [first number, count, time]}`."""
        self._request("PUT", "/_messages", messages)

    def split_bundle(self) -> None:
        """Make the folder beside the bundle that the layer has, if it is missing."""
        folder = self.bundle.with_name("authorities")
        if not folder.exists():
            runpy.run_path(str(ROOT / "layers" / "dependencies" / "authorities.py"))["split"](self.bundle, folder)

    def reset_counts(self) -> None:
        self._request("DELETE", "/_counts")

    def connections(self) -> int:
        """Return the number of connections since `reset_counts`, without those that were used before."""
        connections: int = self._request("GET", "/_counts")["connections"]
        return connections

    def polls(self) -> int:
        """Return the number of requests for statuses since `reset_counts`."""
        polls: int = self._request("GET", "/_counts")["polls"]
        return polls

    def _request(self, method: str, path: str, document: Any = None) -> Any:
        body = json.dumps(document).encode()
        with DIRECT.open(urllib.request.Request(self.http + path, data=body, method=method)) as response:
            return json.load(response)


class Sandbox:
    """The process of one handler."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    def invoke(self, *events: Any) -> Timing:
        """Invoke the handler with the events, one after another. Raises RuntimeError if the handler raises."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(events), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"The sandbox ended with status {self._process.wait()}; see standard error.")
        return Timing(**json.loads(line))


@dataclass(frozen=True, kw_only=True)
class Harness:
    emulator: Emulator
    deployment: Deployment
    vendor: VendorProcess
    baseline_environment: Mapping[str, str]

    @contextmanager
    def sandbox(self, handler: str, *, tls: bool = False) -> Iterator[Sandbox]:
        """Start the process of a function (`send`) or of another handler (`module:name`), and end it with the block.

        A function has the environment of the template. With `tls`, calls to vendors and AWS use TLS. Standard error
        of the process is shown.
        """
        is_function = ":" not in handler
        environment = {
            "PATH": os.environ["PATH"],
            "TZ": "UTC",
            **self.deployment.environment(handler if is_function else "send"),
            **({} if is_function else self.baseline_environment),
            "POWERTOOLS_LOG_LEVEL": "INFO",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",  # as in Lambda's init phase
        }
        if tls:
            self.vendor.split_bundle()
            environment |= {"AWS_ENDPOINT_URL": self.vendor.aws, "SETTINGS_PARAMETER": _TLS_SETTINGS}
            environment |= {"BENCHMARK_CA_BUNDLE": str(self.vendor.bundle)}
        with _start_process("benchmarks.sandbox", handler, environment=environment) as process:
            yield Sandbox(process)

    def baseline(self, name: str) -> AbstractContextManager[Sandbox]:
        """Start the process of a handler of `benchmarks.baselines`, and end it with the block."""
        return self.sandbox(f"benchmarks.baselines:{name}")


@contextmanager
def start_harness() -> Iterator[Harness]:
    """Start a local AWS with the template's resources, and the vendors, on free ports. Stop them with the block."""
    with ExitStack() as stack:
        emulator = stack.enter_context(running_emulator())
        vendor = stack.enter_context(_start_vendor(urlsplit(emulator.endpoint_url).port or 0))
        # The deployment never patches this process: the sandboxes are other processes.
        deployment = Deployment(
            emulator=emulator,
            base_urls=vendor.base_urls,
            monkeypatch=pytest.MonkeyPatch(),
            settings={"providers": PROVIDERS},
        )
        urls = base_urls(vendor.https)
        settings = {"providers": {name: {"base_url": url, **PROVIDERS.get(name, {})} for name, url in urls.items()}}
        deployment.client("ssm").put_parameter(Name=_TLS_SETTINGS, Value=json.dumps(settings), Type="String")
        yield Harness(
            emulator=emulator,
            deployment=deployment,
            vendor=vendor,
            baseline_environment=create_baseline_tables(deployment),
        )


def create_baseline_tables(deployment: Deployment) -> dict[str, str]:
    """Create the tables of the baselines, and return their environment."""
    tables = {"BASELINE_TABLE": "message_id", "IDEMPOTENCY_TABLE": "id"}
    for name, key in tables.items():
        deployment.client("dynamodb").create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        )
    return {**{name: name for name in tables}, "VENDOR_URL": f"{deployment.base_urls['smspoh']}/send"}


def batch_of(size: int, sample: str = "smspoh", **fields: Any) -> dict[str, Any]:
    """Return an SQS event with requests like a sample of events/send, each with a new id. `fields` replace theirs."""
    (record,) = read_event(f"send/{sample}")["Records"]
    request = json.loads(record["body"]) | {"content": {"type": "text", "text": TEXT}} | fields
    records = []
    for number in (next(_numbers) for _ in range(size)):
        body = {
            **request,
            "message_id": f"00000000-0000-4000-8000-{number:012}",
            "recipient": _numbered(request["recipient"], number),
            "metadata": {"order": f"{number:08}"},
        }
        records.append({**record, "messageId": f"10000000-0000-4000-8000-{number:012}", "body": json.dumps(body)})
    return {"Records": records}


def _numbered(recipient: str, number: int) -> str:
    """Return a phone number or e-mail address of this kind. The vendors throttle phone numbers with other endings."""
    name, at, host = recipient.partition("@")
    return f"{name}{number:08}@{host}" if at else f"{recipient[:-5]}{number % 10_000:04}1"


def receipt_event(sample: str, *, message_id: str, provider_message_id: str, **query: str) -> dict[str, Any]:
    """Return a sample of events/webhook as the receipt of a message. `query` replaces other parameters."""
    event: dict[str, Any] = read_event(f"webhook/{sample}")
    parameters = event["queryStringParameters"]
    ids = {"clientReference": message_id, "messageId": provider_message_id, "ref_no": provider_message_id}
    parameters |= {name: value for name, value in ids.items() if name in parameters} | query
    event["rawQueryString"] = urlencode(parameters)
    return event


def measure_medians(tasks: Mapping[_Name, Callable[[], float]], *, rounds: int) -> dict[_Name, float]:
    """Run the tasks in turn, and return the median result of each. An additional first round warms up.

    Other load on the machine slows all tasks alike, because they take turns.
    """
    results: dict[_Name, list[float]] = {name: [] for name in tasks}
    for _ in range(1 + rounds):
        for name, task in tasks.items():
            results[name].append(task())
    return {name: median(values[1:]) for name, values in results.items()}


@contextmanager
def _start_vendor(aws_port: int) -> Iterator[VendorProcess]:
    with (
        TemporaryDirectory() as folder,
        _start_process("benchmarks.vendor", folder, str(aws_port), environment=os.environ) as process,
    ):
        assert process.stdout is not None
        addresses = json.loads(process.stdout.readline())
        bundle = Path(folder) / "bundle.pem"
        bundle.write_text(Path(certifi.where()).read_text() + Path(addresses.pop("ca")).read_text())
        yield VendorProcess(bundle=bundle, **addresses)


@contextmanager
def _start_process(module: str, *arguments: str, environment: Mapping[str, str]) -> "Iterator[subprocess.Popen[str]]":
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
