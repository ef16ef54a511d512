"""The four vendors on loopback, each saying its documented success and nothing else, but for one number and one key."""

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

THROTTLED = "20"
"""The first send to a number that ends so is turned away."""

ROOTS = {
    "nomsa": "nomsa/v1",
    "smsnoc": "smsnoc/api/v3",
    "smspoh": "smspoh/api/rest",
    "nusasms": "nusasms",
}

CREDENTIALS = {
    "nomsa": {"api_key": "functional_v1_nomsa"},
    "smsnoc": {"api_token": "1|functional-token"},
    "smspoh": {"api_key": "functional-key", "api_secret": "functional-secret"},
    "nusasms": {"user": "functional-user", "password": "functional-password", "api_key": "functional-api-key"},
}

APPROVED = "7e000000-0000-4000-8000-000000000001"
DOCUMENT = "7e000000-0000-4000-8000-000000000002"
PENDING = "7e000000-0000-4000-8000-000000000003"
TEMPLATES = [
    {"id": APPROVED, "name": "otp_code", "header": None, "body": "Your OTP code is {{1}}", "status": "APPROVED"},
    {"id": DOCUMENT, "name": "bill", "header": {"format": "DOCUMENT"}, "body": "{{1}}: {{2}}", "status": "APPROVED"},
    {"id": PENDING, "name": "holiday", "header": None, "body": "Happy holidays, {{1}}", "status": "PENDING"},
]
CHANNEL = "c0000000-0000-4000-8000-000000000001"

JSON_API = "/nusasms/nusasms_api/1.0/"

Answer = tuple[int, Any]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request to a vendor, without its query. Header names are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


class Vendors:
    """What the vendors were asked, and how they answer. Ids are `nomsa-1`, `nomsa-2`, `smsnoc-1` …"""

    def __init__(self, address: str) -> None:
        self.base_urls = {name: f"{address}/{root}" for name, root in ROOTS.items()}
        self.calls: list[str] = []
        """Method and path of each request, without the query."""
        self.asked: list[Asked] = []
        self._taken: Counter[str] = Counter()
        self._throttled: set[str] = set()
        self._rows: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self._lock = threading.Lock()

    def answer(self, asked: Asked) -> Answer:
        with self._lock:
            self.calls.append(f"{asked.method} {asked.path}")
            self.asked.append(asked)
            vendor = asked.path.split("/")[1]
            answer: Answer = getattr(self, f"_{vendor}")(asked)
            return answer

    # --- Nomsa ------------------------------------------------------------------------------------------------------

    def _nomsa(self, asked: Asked) -> Answer:
        if asked.method == "GET":
            rows = [{**row, "status": "DELIVERED"} for row in self._rows["nomsa"]]
            return (200, {"has_more": False, "data": rows}) if asked.path.endswith("/sms") else (200, rows[0])
        wanted = asked.json()
        number = wanted["recipient"]
        if self._is_throttled(number):
            return 429, {"code": "rate_limit", "message": f"too many for {number}"}
        row = {
            "recipient": number,
            "body": wanted["body"],
            "status": "SENT",
            "created_at": "2026-11-21T10:00:00.100Z",
        }
        return 201, self._taken_row("nomsa", "id", row)

    # --- SMS NOC ----------------------------------------------------------------------------------------------------

    def _smsnoc(self, asked: Asked) -> Answer:
        match asked.method, asked.path.rpartition("/")[2]:
            case "GET", "balance":
                return _success({"remaining_balance": "৳1,092", "expired_on": "8th Sep 99, 4:44 PM"})
            case "GET", _:
                rows = [{**row, "status": "Delivered"} for row in self._rows["smsnoc"]]
                return _success({"current_page": 1, "data": rows, "last_page": 1, "next_page_url": None})
            case _, "campaign":
                return _success({"uid": self._new_id("smsnoc"), "campaign_name": "API_1795255200", "status": "queued"})
        wanted = asked.json()
        rows = [
            self._taken_row("smsnoc", "uid", {"to": number, "message": wanted["message"], "status": "Enroute"})
            for number in wanted["recipient"].split(",")
        ]
        return _success(rows if len(rows) > 1 else rows[0])

    # --- SMSPoh -----------------------------------------------------------------------------------------------------

    def _smspoh(self, asked: Asked) -> Answer:
        match asked.method, asked.path.rpartition("/")[2]:
            case "GET", "get-balance":
                return 200, {"balance": 1227748, "currency": "MMK"}
            case "GET", _:
                rows = [{**row, "status": "Success"} for row in self._rows["smspoh"]]
                return 200, {"messages": rows, "links": {}, "limit": 100, "records": len(rows), "start": 0}
        wanted = asked.json()
        entries = wanted["messages"] if asked.path.endswith("/bulk") else [wanted]
        if any(self._is_throttled(entry["to"]) for entry in entries):
            return 429, {"name": "Too Many Requests", "message": "Rate limit exceeded.", "code": 0, "status": 429}
        return 201, {"messages": [self._smspoh_row(entry) for entry in entries]}

    def _smspoh_row(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        said = {name: entry[name] for name in ("to", "message", "clientReference")}
        if entry.get("encrypt"):
            key = entry["encryptKey"]
            said |= {"message": "SIVvhQHJ/E1nmcDCaVmM3g==", "encryptMessage": True, "encryptKey": key}
        return self._taken_row("smspoh", "messageId", {**said, "status": "Accepted"})

    # --- NusaSMS ----------------------------------------------------------------------------------------------------

    def _nusasms(self, asked: Asked) -> Answer:
        if asked.path.startswith(JSON_API):
            return self._nusasms_json(asked, asked.path.removeprefix(JSON_API))
        wanted = asked.form()
        if asked.path.endswith("/group"):
            campaign = f"Group-Api-Campaign-{self._new_id('nusasms')}"
            return 200, {"results": [{"status": "0", "campaign_name": campaign, "group": wanted["group"]}]}
        row = self._taken_row("nusasms", "messageid", {"status": "0", "destination": wanted["GSM"]})
        return 200, {"results": [row]}

    def _nusasms_json(self, asked: Asked, operation: str) -> Answer:
        if asked.headers.get("apikey") != CREDENTIALS["nusasms"]["api_key"]:
            return 401, {"error": True, "message": "Unauthorized", "description": None}
        if asked.method == "GET":
            return 200, {"error": False, "message": "Data message", "data": self._nusasms_data(operation)}
        if asked.headers["content-type"] == "application/json" and self._is_throttled(asked.json()["destination"]):
            return 429, {"error": True, "message": "Too many requests", "description": None}
        row = self._taken_row("nusasms", "ref_no", {})
        return 201, {"error": False, "message": "Data message", "data": row}

    def _nusasms_data(self, operation: str) -> Any:
        match operation:
            case "auth/api_key":
                return {"userid": "functional", "idPerson": 1, "idClient": 1}
            case "balance":
                dates = {"sms_expired_date": "2099-12-31", "wa_expired_date": "2099-12-31"}
                return {"idClient": 1, "sms_balance": 4711, "wa_balance": 512.5, **dates}
            case "wa_official/templates":
                return TEMPLATES
            case "wa_official/channels":
                return [{"id": CHANNEL, "webhook": None, "settings": None}]
        return {"ref_no": operation.rpartition("/")[2], "status": "D", "delivered_date": "2026-11-21T17:00:03"}

    # --- all of them ------------------------------------------------------------------------------------------------

    def _is_throttled(self, number: str) -> bool:
        if not number.endswith(THROTTLED) or number in self._throttled:
            return False
        self._throttled.add(number)
        return True

    def _taken_row(self, vendor: str, id_field: str, row: Mapping[str, Any]) -> dict[str, Any]:
        """Take a message: give it an id, and show it in the list from now on."""
        taken = {id_field: self._new_id(vendor), **row}
        self._rows[vendor].append(taken)
        return taken

    def _new_id(self, vendor: str) -> str:
        self._taken[vendor] += 1
        return f"{vendor}-{self._taken[vendor]}"


def _success(data: Any) -> Answer:
    return 200, {"status": "success", "data": data}


class _Handler(BaseHTTPRequestHandler):
    vendors: ClassVar[Vendors]

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = urlsplit(self.path).path
        status, document = self.vendors.answer(Asked(method=self.command, path=path, headers=headers, body=body))
        said = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Say nothing: the output of a test is the functions' own."""


@contextmanager
def running() -> Iterator[Vendors]:
    """Run the vendors on a free port until the block ends."""

    class Handler(_Handler):
        pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Handler.vendors = vendors = Vendors(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield vendors
        finally:
            server.shutdown()
            thread.join()
