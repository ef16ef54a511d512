"""A panel in the Philippines that runs the software of SMS NOC: a further provider of that type, by configuration."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from local.simulators.smsnoc import SmsNoc


class PhilSms(SmsNoc):
    """The panel of SMS NOC with other accounts, sender ids, numbers and another zone."""

    name: ClassVar[str] = "philsms"
    credentials: ClassVar[Mapping[str, str]] = {"api_token": "2|local-simulator"}
    product_settings: ClassVar[Mapping[str, Any]] = {"type": "smsnoc", "sender": "PhilSMS"}
    routed_country: ClassVar[str | None] = "PH"
    zone: ClassVar[timedelta] = timedelta(hours=8)
    country_code: ClassVar[str] = "63"
    mobile: ClassVar[re.Pattern[str]] = re.compile(r"639[0-9]{9}")

    @property
    def senders(self) -> tuple[str, ...]:
        return self.world.settings.philsms_senders
