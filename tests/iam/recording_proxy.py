"""A proxy between the functions and the local AWS that records every denied call.

It forwards calls unchanged, including the signature. Batches of PartiQL writes are the exception: it translates them
into classic calls, as `local.emulator.partiql_proxy` does and for the same reason. It signs those with the credentials
of the function, so that IAM checks them as calls of the function.
"""

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.emulator.partiql_proxy import Answer, batch_response, classic_call

TARGET: Final = "DynamoDB_20120810."
_DENIED: Final = re.compile(r"assumed-role/(?P<role>[^/]+)/\S+ is not authorized to perform: (?P<action>\S+)")
_ACCESS_KEY: Final = re.compile(r"Credential=([^/]+)/")

SecretLookup = Callable[[str], str]
"""Returns the secret access key for an access key id."""


@dataclass(frozen=True, slots=True)
class Denial:
    """A call that the local AWS denied: the physical name of the role, the action, and the body of the call.

    Most denials of the local AWS do not name the resource; the call does.
    """

    role: str
    action: str
    call: str

    def matches(self, role: str, action: str, resource: str) -> bool:
        """Whether the denial is of this role, action and resource (its physical name)."""
        return (self.role, self.action) == (role, action) and resource in self.call


def parse_denial(call: bytes, answer: Answer) -> Denial | None:
    """Return the denial in the response to a call, or None if the call was allowed."""
    status, body = answer
    found = _DENIED.search(body.decode(errors="replace")) if status >= 400 else None
    return Denial(found["role"], found["action"], call.decode(errors="replace")) if found else None


def derive_access_keys(functions: Mapping[str, str]) -> dict[str, str]:
    """Return secret access keys by access key id, given the ARNs of the roles by the ARNs of the functions.

    ministack derives both from the two ARNs.
    """
    digests = [sha256(f"{function}:{role}".encode()).hexdigest() for function, role in functions.items()]
    return {f"ASIA{digest[:16].upper()}": sha256(f"secret:{digest}".encode()).hexdigest() for digest in digests}


class RecordingProxy:
    """Listens on a port of 127.0.0.1 for the functions of the local AWS at `upstream`."""

    def __init__(self, port: int, upstream: str, region: str, secret_access_key: SecretLookup) -> None:
        self._http = _Server(("127.0.0.1", port), _Handler)
        self._http.proxy = self
        self._lock = threading.Lock()
        self._denials: list[Denial] = []
        self.upstream = urlsplit(upstream).netloc
        self.region = region
        self.secret_access_key = secret_access_key

    def __enter__(self) -> "RecordingProxy":
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def url(self) -> str:
        """The address of the proxy, without a slash at the end."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def denials(self) -> list[Denial]:
        """The denials since the last `clear`."""
        with self._lock:
            return list(self._denials)

    def clear(self) -> None:
        with self._lock:
            self._denials.clear()

    def record(self, call: bytes, answer: Answer) -> None:
        """Record a call if its response is a denial."""
        if (denial := parse_denial(call, answer)) is not None:
            with self._lock:
                self._denials.append(denial)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    proxy: RecordingProxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Write nothing: a function closes the connection after its timeout."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        operation = self.headers.get("x-amz-target", "").removeprefix(TARGET)
        results = self._execute_statements(json.loads(body)) if operation == "BatchExecuteStatement" else None
        status, answer = results or self._forward(dict(self.headers.items()), body)
        self.send_response(status)
        self.send_header("content-type", "application/x-amz-json-1.0")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _execute_statements(self, batch: Mapping[str, Any]) -> Answer | None:
        calls = [classic_call(statement) for statement in batch["Statements"]]
        if not all(calls):
            return None
        results = [(call[0], self._forward(*self._sign(*call))) for call in calls if call]
        return 200, json.dumps({"Responses": [batch_response(*each) for each in results]}).encode()

    def _sign(self, operation: str, request: Mapping[str, Any]) -> tuple[dict[str, str], bytes]:
        found = _ACCESS_KEY.search(self.headers.get("authorization", ""))
        key = found[1] if found else ""
        token = self.headers.get("x-amz-security-token")
        headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"{TARGET}{operation}"}
        url = f"http://{self.server.proxy.upstream}/"
        body = json.dumps(request).encode()
        signed = AWSRequest("POST", url, headers=headers, data=body)
        credentials = Credentials(key, self.server.proxy.secret_access_key(key), token)
        SigV4Auth(credentials, "dynamodb", self.server.proxy.region).add_auth(signed)
        return dict(signed.headers.items()), body

    def _forward(self, headers: dict[str, str], body: bytes) -> Answer:
        upstream = HTTPConnection(self.server.proxy.upstream, timeout=30)
        try:
            upstream.request("POST", self.path, body, headers)
            response = upstream.getresponse()
            answer = response.status, response.read()
        finally:
            upstream.close()
        self.server.proxy.record(body, answer)
        return answer

    def log_message(self, *args: Any) -> None:
        """Write nothing: requests contain private data."""
