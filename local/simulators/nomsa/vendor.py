"""The two APIs of Nomsa (Cambodia) under one root. No callbacks: clients poll."""

from collections.abc import Mapping
from typing import Any, ClassVar

from local.simulators.http import Reply, Request
from local.simulators.nomsa.base import error
from local.simulators.nomsa.email import Email
from local.simulators.nomsa.sms import Sms
from local.simulators.outcomes import DEFAULT
from local.simulators.vendor import Route, Submission, Vendor, World


class Nomsa(Vendor):
    """SMS and e-mail with one key. The format of the key is taken from Postman."""

    name: ClassVar[str] = "nomsa"
    api_path: ClassVar[str] = "/v1"
    credentials: ClassVar[Mapping[str, str]] = {"api_key": "local_v1_simulator"}
    product_settings: ClassVar[Mapping[str, Any]] = {"sender": "mcs-otp"}

    def __init__(self, world: World) -> None:
        self._sms, self._email = Sms(self), Email(self)
        self._apis = (self._sms, self._email)
        super().__init__(world)

    def declare_routes(self) -> tuple[Route, ...]:
        return tuple(route for api in self._apis for route in api.routes())

    def refuse_caller(self, request: Request) -> Reply | None:
        scheme, _, key = request.header("authorization").partition(" ")
        if scheme == "Bearer" and key.count("_") == 2 and key == self.credentials["api_key"]:
            return None
        return error(401, "unauthenticated", "Unauthenticated request. Please try again with correct authentication")

    def no_such_path(self, request: Request) -> Reply:
        return error(404, "not_found", f"Cannot {request.method} {request.path}")

    def wrong_method(self, request: Request, allowed: str) -> Reply:
        return self.no_such_path(request)

    def throttled(self, retry_after_seconds: int) -> Reply:
        headers = {"Retry-After": str(retry_after_seconds)}
        return error(429, "rate_limit", "Too many requests. Please try again later.", **headers)

    def server_error(self) -> Reply:
        return error(500, "internal_server", "Internal Server Error.")

    def name_message(self, serial: int, submission: Submission) -> str:
        return str(serial)

    def other_message(self, number: int) -> Submission:
        return self._sms.other_message(number)

    def store_failed(self, submission: Submission) -> None:
        """Store an UNSENT row: it is stored before the call to the carrier, and stays when the carrier fails."""
        self.add_row(submission, DEFAULT, is_taken=False)

    def reset(self) -> None:
        self._email.reset()
