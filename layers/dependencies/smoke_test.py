"""Check that the layer is complete: it imports alone, and has the time zones and the models of the services we call.

Usage: python -I -S smoke_test.py <layer's python folder> <service> ...
Isolated and without site packages, because the emulator's own packages would hide what is missing.
"""

import importlib
import sys
import zoneinfo

folder, *services = sys.argv[1:]
sys.path.insert(0, folder)
for module in ("aws_lambda_powertools.metrics", "pydantic", "requests"):
    importlib.import_module(module)

# The runtime has no zones of its own.
zoneinfo.reset_tzpath(())
zoneinfo.ZoneInfo("Asia/Dhaka")

boto3 = importlib.import_module("boto3")
for service in services:
    boto3.client(service, "ap-southeast-1", aws_access_key_id="none", aws_secret_access_key="none")  # noqa: S106
