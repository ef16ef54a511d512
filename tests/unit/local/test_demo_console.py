"""The demo can be watched in a browser while it runs."""

import json
import os
import urllib.request
from pathlib import Path
from urllib.error import URLError

import pytest

from local.demo.browser import console_beside
from tests.template import ROOT


def test_the_console_runs_beside_the_demo_on_its_stack_and_ends_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "layers" / "sampai"), str(ROOT / "cli")]))
    monkeypatch.setenv("SAMPAI_STACK", "sampai-prod")
    (tmp_path / ".local").mkdir()
    outputs = {"MessagesTableName": "t", "endpoint_url": "http://127.0.0.1:9", "region": "ap-southeast-1"}
    (tmp_path / ".local" / "outputs.json").write_text(json.dumps(outputs))

    with console_beside(tmp_path) as address:
        assert address is not None
        with urllib.request.urlopen(f"{address}static/icon.svg", timeout=10) as answer:
            assert answer.status == 200

    with pytest.raises(URLError):
        urllib.request.urlopen(address, timeout=10)


def test_a_demo_without_a_console_goes_on(tmp_path: Path) -> None:
    with console_beside(tmp_path) as address:
        assert address is None
