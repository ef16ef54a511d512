"""What sections share: a local AWS with the template's resources, the vendors, and each handler in its own process.

    with staged() as stage, stage.sandbox("send") as send:
        send.call(batch_of(10))                        # warms up: the first call is a cold start
        spent = send.call(*(batch_of(10) for _ in range(20)))
        spent.cpu_seconds / 200                        # of a message

`medians` runs several such works in turn, so that what else the machine does falls on all of them alike.
"""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import urlsplit

import certifi
import pytest

from local.stack.processes import DIRECT
from tests.emulator import Emulator
from tests.emulator import running as running_emulator
from tests.functional.sandbox import SETTINGS, TOKEN, Deployment
from tests.harness.vendors import base_urls
from tests.template import ROOT

__all__ = ["TOKEN", "Sandbox", "Spent", "Stage", "Vendor", "batch_of", "medians", "staged"]

LAYER: Final = ROOT / "layers" / "sampai"
YARDSTICKS: Final = "benchmarks.baselines:"
"""Begins the names of their handlers."""

_numbers = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What the events of one `Sandbox.call` took, and what the handler returned for each."""

    cpu_seconds: float
    """User and system, of all threads."""
    wall_seconds: float
    answers: list[Any]
    ca_loads: int
    """How often the process has read a CA bundle since it began."""


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """The vendors' process. `base_urls` are those of plain HTTP, as `Deployment` wants them."""

    http: str
    https: str
    aws: str
    """The local AWS, over TLS."""
    bundle: Path
    """Certifi's CAs and the one that vouches for this process: as long to read as any real bundle."""

    @property
    def base_urls(self) -> dict[str, str]:
        return base_urls(self.http)

    def wait(self, milliseconds: float) -> None:
        """Answer every call from now on after so long."""
        self._say("PUT", "/_latency", str(milliseconds).encode())

    def forget(self) -> None:
        """Begin to count anew."""
        self._say("DELETE", "/_seen")

    def connections(self) -> int:
        """Return how many connections made calls since the last `forget`; one that was used before counts no more."""
        seen: int = self._say("GET", "/_seen")["connections"]
        return seen

    def calls(self) -> dict[str, int]:
        """Return how many calls came since the last `forget`, by method and path."""
        seen: dict[str, int] = self._say("GET", "/_seen")["calls"]
        return seen

    def _say(self, method: str, path: str, body: bytes | None = None) -> Any:
        with DIRECT.open(urllib.request.Request(self.http + path, data=body, method=method)) as answer:
            return json.load(answer)


class Sandbox:
    """A handler in a process of its own, which lives until the block ends."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def call(self, *events: Any) -> Spent:
        """Invoke the handler with each event, one after the other. An exception of the handler ends the bench."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(events), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the sandbox ended with {self._process.wait()}; its words are on standard error")
        return Spent(**json.loads(line))


@dataclass(frozen=True, kw_only=True)
class Stage:
    emulator: Emulator
    deployment: Deployment
    """The template's resources: `deployment.client("dynamodb")`, `.messages` (table), `.items(table)` …"""
    vendor: Vendor
    _tls_settings: str = field(repr=False)

    @contextmanager
    def sandbox(
        self, handler: str, *, tls: bool = False, environment: Mapping[str, str] | None = None
    ) -> Iterator[Sandbox]:
        """Start a handler's process: one of the product (`send`), or a yardstick (`benchmarks.baselines:naive`).

        It has the environment that the template gives to the function, laid over with the given one. With `tls`
        vendors and AWS are both spoken to over TLS. What the process prints to standard error is shown.
        """
        given = {
            "PATH": os.environ["PATH"],
            "TZ": "UTC",
            "PYTHONPATH": f"{LAYER}{os.pathsep}{ROOT}",
            **self.deployment.environment("send" if handler.startswith(YARDSTICKS) else handler),
            "POWERTOOLS_LOG_LEVEL": "INFO",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",  # as Lambda has it while an app is imported
        }
        if tls:
            given["AWS_ENDPOINT_URL"] = self.vendor.aws
            given["BENCH_CA_BUNDLE"] = str(self.vendor.bundle)
            if "SETTINGS_PARAMETER" in given:
                given["SETTINGS_PARAMETER"] = self._tls_settings
        if handler.startswith(YARDSTICKS):
            given |= self._yardstick_environment()
        command = [sys.executable, "-m", "benchmarks.sandbox", handler]
        with _process(command, given | dict(environment or {})) as process:
            yield Sandbox(process)

    def _yardstick_environment(self) -> dict[str, str]:
        return {
            "YARDSTICK_TABLE": self._new_table("yardstick", "message_id"),
            "IDEMPOTENCY_TABLE": self._new_table("idempotency", "id"),
            "VENDOR_URL": f"{self.vendor.base_urls['smspoh']}/send",
        }

    def _new_table(self, name: str, key: str) -> str:
        name = f"{name}-{next(_numbers)}"
        self.deployment.client("dynamodb").create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        )
        return name


@contextmanager
def staged() -> Iterator[Stage]:
    """Run a local AWS with the template's tables, secrets, settings, queues and bus, and the vendors, on free ports."""
    with ExitStack() as stack:
        emulator = stack.enter_context(running_emulator())
        vendor = stack.enter_context(_vendor(urlsplit(emulator.endpoint_url).port or 0))
        # The sandboxes are processes: nothing is ever patched in this one.
        deployment = Deployment(emulator=emulator, base_urls=vendor.base_urls, monkeypatch=pytest.MonkeyPatch())
        tls_settings = f"settings-tls-{next(_numbers)}"
        urls = base_urls(vendor.https)
        document = {"providers": {name: {"base_url": url, **SETTINGS.get(name, {})} for name, url in urls.items()}}
        deployment.client("ssm").put_parameter(Name=tls_settings, Value=json.dumps(document), Type="String")
        yield Stage(emulator=emulator, deployment=deployment, vendor=vendor, _tls_settings=tls_settings)


def batch_of(size: int, *, provider: str = "smspoh", **fields: Any) -> dict[str, Any]:
    """Return an SQS batch of so many requests to send a short text, each with an id that no other has.

    `fields` are laid over each request.
    """
    recipient = {"nomsa": "+85591234", "smsnoc": "+88017111", "smspoh": "+95942000", "nusasms": "+62812000"}[provider]
    return {"Records": [_record(next(_numbers), recipient, fields) for _ in range(size)]}


def _record(number: int, prefix: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    request = {
        "message_id": f"bench-{os.getpid()}-{number}",
        # No number that the vendors turn away at first.
        "recipient": f"{prefix}{number % 10_000:04}1",
        "content": {"type": "text", "text": "Your code is 1234. Do not tell it to anybody."},
        "metadata": {"order": str(number)},
    }
    return {
        "messageId": f"00000000-0000-4000-8000-{number:012}",
        "receiptHandle": "bench",
        "body": json.dumps(request | dict(fields)),
        "attributes": {"SentTimestamp": "1795255200000"},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:ap-southeast-1:000000000000:send",
    }


def medians(works: Mapping[str, Callable[[], float]], *, rounds: int) -> dict[str, float]:
    """Return the median of what each work returns; in every round each is done once, in turn."""
    found: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            found[name].append(work())
    return {name: median(values) for name, values in found.items()}


@contextmanager
def _vendor(aws_port: int) -> Iterator[Vendor]:
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.vendor", folder, "--forward", str(aws_port)]
        with _process(command, {**os.environ, "PYTHONPATH": str(ROOT)}) as process:
            assert process.stdout is not None
            places = json.loads(process.stdout.readline())
            bundle = Path(folder) / "bundle.pem"
            bundle.write_text(Path(certifi.where()).read_text() + Path(places.pop("ca")).read_text())
            yield Vendor(bundle=bundle, **places)


@contextmanager
def _process(command: list[str], environment: Mapping[str, str]) -> "Iterator[subprocess.Popen[str]]":
    start = partial(subprocess.Popen, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process = start(command, cwd=ROOT, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
