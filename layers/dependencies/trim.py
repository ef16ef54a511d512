"""Leave out of botocore and boto3 what no cold start should have to read, and no function uses.

Usage: python trim.py <layer's python folder> <service> ...
botocore's data hold the addresses of every service in one file, and in the models of ours mostly documentation. Each
new process parses both. All operations of our services stay. boto3 makes clients alone: its resources go.
"""

import gzip
import json
import sys
from pathlib import Path
from shutil import rmtree
from typing import Any


def without_documentation(model: Any) -> Any:
    """Return a part of a model without its texts. A field of that name in an API is no text but a shape, and stays."""
    if isinstance(model, dict):
        kept = {k: v for k, v in model.items() if not (k == "documentation" and isinstance(v, str))}
        return {name: without_documentation(value) for name, value in kept.items()}
    return [without_documentation(value) for value in model] if isinstance(model, list) else model


def trim(data: Path, services: list[str]) -> None:
    """Trim a data folder of botocore's to these services. Their names are the same as in the addresses' file."""
    for folder in data.iterdir():
        if folder.is_dir() and folder.name not in services:
            rmtree(folder)
    for path in data.glob("*/*/examples-1.json*"):
        path.unlink()
    for path in data.glob("*/*/service-2.json.gz"):
        model = without_documentation(json.loads(gzip.decompress(path.read_bytes())))
        # The same bytes from every build: a layer with other bytes is another version.
        path.write_bytes(gzip.compress(json.dumps(model, separators=(",", ":")).encode(), mtime=0))
    endpoints = data / "endpoints.json"
    addresses = json.loads(endpoints.read_text())
    for partition in addresses["partitions"]:
        known = partition["services"]
        partition["services"] = {name: known[name] for name in services if name in known}
    endpoints.write_text(json.dumps(addresses, separators=(",", ":")))


def trim_resources(boto3: Path) -> None:
    """Trim the package boto3 to its clients: `boto3.resource` needs data, and nothing needs the examples."""
    for name in ("data", "examples"):
        rmtree(boto3 / name)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    trim(folder / "botocore" / "data", sys.argv[2:])
    trim_resources(folder / "boto3")
