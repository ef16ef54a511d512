"""The baseline of cold starts: botocore's client of DynamoDB, urllib3, a JSON log, twenty dataclasses with slots.

Cold starts are measured as multiples of this script, the smallest typical set of imports.
"""

import json
import logging
import sys
from dataclasses import make_dataclass

import botocore.session
import urllib3


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps({"level": record.levelname, "message": record.getMessage(), "at": self.formatTime(record)})


handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(JsonFormatter())
logger = logging.getLogger("baseline")
logger.addHandler(handler)

fields = [("key", str), ("text", str), ("number", int), ("at", float), ("names", tuple[str, ...])]
records = [make_dataclass(f"Record{n}", fields, frozen=True, slots=True) for n in range(20)]
client = botocore.session.get_session().create_client("dynamodb")
pool = urllib3.PoolManager()
logger.warning("ready")
