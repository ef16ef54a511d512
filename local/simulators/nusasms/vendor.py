"""The three APIs of NusaSMS under one root, and the operations on the account."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from local.simulators.http import Reply, Request
from local.simulators.inbound import Callback, Inbound
from local.simulators.ledger import Row
from local.simulators.lifecycles import Stage
from local.simulators.nusasms.base import CREDENTIALS, refused, succeeded
from local.simulators.nusasms.official import CHANNEL_ID, WhatsAppOfficial
from local.simulators.nusasms.sms import ROOT as SMS_ROOT
from local.simulators.nusasms.sms import Sms
from local.simulators.nusasms.whatsapp import WhatsApp
from local.simulators.vendor import Route, Submission, Vendor, World
from local.simulators.webhook_sender import Receipt

ROOT: Final = "/nusasms_api/1.0"
CLIENT_ID: Final = 4711
INBOXES: Final = {
    "sms-inbox": "sms",
    "whatsapp-inbox": "whatsapp",
    "whatsapp-official-inbox": "whatsapp_official",
}


class NusaSms(Vendor):
    """SMS with user and password, all else with the API key; callbacks to the addresses registered for the account."""

    name: ClassVar[str] = "nusasms"
    credentials: ClassVar[Mapping[str, str]] = CREDENTIALS
    product_settings: ClassVar[Mapping[str, Any]] = {"senders": {"whatsapp_official": CHANNEL_ID}}
    sends_receipts: ClassVar[bool] = True

    def __init__(self, world: World) -> None:
        self._sms, self._official = Sms(self), WhatsAppOfficial(self)
        self._apis = {api.channel: api for api in (self._sms, WhatsApp(self), self._official)}
        super().__init__(world)

    def declare_routes(self) -> tuple[Route, ...]:
        account = (
            Route("GET", f"{ROOT}/auth/api_key", "api_key", self._show_user),
            Route("GET", f"{ROOT}/balance", "balance", self._balance),
        )
        return account + tuple(route for api in self._apis.values() for route in api.routes())

    def refuse_caller(self, request: Request) -> Reply | None:
        if request.path.startswith(SMS_ROOT):
            return self._sms.refuse_caller(request)
        return None if request.header("apikey") == self.credentials["api_key"] else refused(401, "Invalid APIKey")

    def no_such_path(self, request: Request) -> Reply:
        return Reply.json(404, {"detail": "Not Found"})

    def wrong_method(self, request: Request, allowed: str) -> Reply:
        return Reply.json(405, {"detail": "Method Not Allowed"})

    def throttled(self, retry_after_seconds: int) -> Reply:
        headers = {"Retry-After": str(retry_after_seconds)}
        return Reply.json(429, {"detail": "Too Many Requests"}, **headers)

    def server_error(self) -> Reply:
        return Reply(500, b"Internal Server Error", "text/plain; charset=utf-8")

    def name_message(self, serial: int, submission: Submission) -> str:
        return self._apis[submission.channel].name_message(serial, submission)

    def receipt(self, row: Row, stage: Stage) -> Receipt | None:
        return self._apis[row.channel].receipt(row, stage)

    def receive(self, inbound: Inbound) -> Callback:
        if inbound.kind not in INBOXES:
            return super().receive(inbound)
        return self._apis[INBOXES[inbound.kind]].receive(inbound)

    def reset(self) -> None:
        self._official.reset()

    def _show_user(self, request: Request) -> Reply:
        user = {"userid": self.credentials["user"], "idPerson": 42, "idClient": CLIENT_ID}
        return succeeded(200, "APIKey Authentication check", user)

    def _balance(self, request: Request) -> Reply:
        settings = self.world.settings
        credit = {
            "idClient": CLIENT_ID,
            "wa_balance": settings.nusasms_wa_balance,
            "wa_expired_date": settings.nusasms_expired_date,
            # Users have seen null for products that an account does not have.
            "hlr_balance": None,
            "hlr_expired_date": None,
            "sim_balance": None,
            "sim_expired_date": None,
            "sms_balance": settings.nusasms_sms_balance,
            "sms_expired_date": settings.nusasms_expired_date,
            "pulsa_balance": 0,
        }
        return succeeded(200, "Client credit data", credit)
