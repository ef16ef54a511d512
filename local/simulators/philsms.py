"""A panel in the Philippines that runs the software of SMS NOC: a further provider of that type, by configuration."""

import re
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from local.simulators.smsnoc import SmsNoc


class PhilSms(SmsNoc):
    """The panel of SMS NOC with other accounts, sender ids, numbers and another zone."""

    name: ClassVar[str] = "philsms"
    credentials: ClassVar[Mapping[str, str]] = {"api_token": "2|local-simulator"}
    product_settings: ClassVar[Mapping[str, Any]] = {
        **SmsNoc.product_settings,
        "type": "smsnoc",
        "sender": "PhilSMS",
        "timezone": "Asia/Manila",
    }
    routed_country: ClassVar[str | None] = "PH"
    country_code: ClassVar[str] = "63"
    mobile: ClassVar[re.Pattern[str]] = re.compile(r"639[0-9]{9}")

    @property
    def senders(self) -> tuple[str, ...]:
        return self.world.settings.philsms_senders

    @property
    def zone(self) -> tzinfo:
        return ZoneInfo("Asia/Manila")
