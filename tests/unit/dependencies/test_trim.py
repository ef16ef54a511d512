"""The layer removes data from botocore, and keeps all operations."""

import gzip
import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3

from tests.template import ROOT

_TRIM = runpy.run_path(str(ROOT / "layers" / "dependencies" / "trim.py"))
trim, trim_resources = _TRIM["trim"], _TRIM["trim_resources"]

MODEL = {
    "operations": {"Put": {"name": "Put", "documentation": "<p>Puts.</p>"}, "Get": {"name": "Get"}},
    "shapes": {
        "Page": {
            "type": "structure",
            "members": {"documentation": {"shape": "Text", "documentation": "A field of this very name."}},
            "documentation": "A page.",
        },
        "Text": {"type": "string", "enum": ["documentation"]},
    },
}


def _write(data: Path, service: str) -> Path:
    folder = data / service / "2012-08-10"
    folder.mkdir(parents=True)
    (folder / "service-2.json.gz").write_bytes(gzip.compress(json.dumps(MODEL).encode()))
    (folder / "paginators-1.json").write_text("{}")
    (folder / "examples-1.json").write_text("{}")
    return folder


def _read(path: Path) -> Any:
    return json.loads(gzip.decompress(path.read_bytes()))


def test_documentation_and_unused_services_are_removed_and_every_operation_and_shape_stays(tmp_path: Path) -> None:
    folder = _write(tmp_path, "sqs")
    _write(tmp_path, "ec2")
    partitions = [
        {"partition": "aws", "regions": {"ap-southeast-1": {}}, "services": {"sqs": {"endpoints": {}}, "ec2": {}}},
        {"partition": "aws-new", "regions": {}, "services": {"ec2": {}}},
    ]
    (tmp_path / "endpoints.json").write_text(json.dumps({"partitions": partitions, "version": 3}))

    trim(tmp_path, ["sqs"])

    assert sorted(path.name for path in tmp_path.iterdir()) == ["endpoints.json", "sqs"]
    assert sorted(path.name for path in folder.iterdir()) == ["paginators-1.json", "service-2.json.gz"]
    assert _read(folder / "service-2.json.gz") == {
        "operations": {"Put": {"name": "Put"}, "Get": {"name": "Get"}},
        "shapes": {
            "Page": {"type": "structure", "members": {"documentation": {"shape": "Text"}}},
            "Text": {"type": "string", "enum": ["documentation"]},
        },
    }
    assert json.loads((tmp_path / "endpoints.json").read_text()) == {
        "partitions": [
            {"partition": "aws", "regions": {"ap-southeast-1": {}}, "services": {"sqs": {"endpoints": {}}}},
            {"partition": "aws-new", "regions": {}, "services": {}},
        ],
        "version": 3,
    }


def test_same_data_gives_the_same_bytes(tmp_path: Path) -> None:
    made = []
    for name in ("one", "other"):
        folder = _write(tmp_path / name, "sqs")
        (tmp_path / name / "endpoints.json").write_text('{"partitions": []}')
        trim(tmp_path / name, ["sqs"])
        made.append((folder / "service-2.json.gz").read_bytes())

    assert made[0] == made[1]


def test_boto3_keeps_its_code_and_makes_clients(tmp_path: Path) -> None:
    copy = tmp_path / "boto3"
    shutil.copytree(Path(boto3.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    modules = sorted(copy.rglob("*.py"))

    trim_resources(copy)

    assert sorted(copy.rglob("*.py")) == modules
    assert {path.name for path in copy.iterdir()} & {"data", "examples"} == set()
    make = "import boto3; boto3.client('sqs', 'ap-southeast-1'); print(boto3.__file__)"
    environment = {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    made = subprocess.run([sys.executable, "-c", make], env=environment, capture_output=True, text=True, check=True)
    assert made.stdout.strip() == str(copy / "__init__.py")
