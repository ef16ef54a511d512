"""`sampai console` serves its pages on 127.0.0.1 until it is stopped."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from threading import Thread

import pytest

from sampai_cli.console.app import new_app
from sampai_cli.console.reader import Reader
from sampai_cli.console.server import new_server
from sampai_cli.errors import InputError
from sampai_cli.stack import Stack
from tests.harness.cli import sampai
from tests.template import ROOT
from tests.unit.cli.conftest import World


def test_the_server_listens_to_this_computer_only_and_writes_no_line_for_a_request(
    stack: Stack, capfd: pytest.CaptureFixture[str]
) -> None:
    server = new_server(new_app(Reader(lambda: stack), stack_name="s"), port=0)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/messages/refused-1", timeout=10) as answer:
            text = answer.read().decode()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

    assert server.server_address[0] == "127.0.0.1"
    assert "Attempt 1 at smspoh" in text
    assert "".join(capfd.readouterr()) == ""


def test_a_port_that_is_taken_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError) as error:
            new_server(new_app(Reader(lambda: Stack(name="s", outputs={}, client=str)), stack_name="s"), port=port)

    assert str(error.value) == (
        f"Port {port} cannot be used: Address already in use. Choose another one with --port; 0 takes a free one."
    )


def test_a_stack_of_another_kind_is_refused_before_anything_is_served(world: World) -> None:
    result = sampai(Stack(name="shop", outputs={}, client=world.client), "console", "--no-open")

    assert (result.exit_code, result.stderr.startswith("The stack shop has no output MessagesTableName")) == (1, True)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_the_program_tells_its_address_and_ends_with_a_signal(number: int, status: int, tmp_path: Path) -> None:
    (tmp_path / ".local").mkdir()
    outputs = {"MessagesTableName": "t", "endpoint_url": "http://127.0.0.1:9", "region": "ap-southeast-1"}
    (tmp_path / ".local" / "outputs.json").write_text(json.dumps(outputs))
    path = os.pathsep.join([str(ROOT / "layers" / "sampai"), str(ROOT / "cli")])
    command = [sys.executable, "-m", "sampai_cli", "console", "--no-open", "--json"]
    with subprocess.Popen(
        command, cwd=tmp_path, env={"PYTHONPATH": path}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        try:
            assert program.stdout is not None
            address = json.loads(program.stdout.readline())["address"]
            with urllib.request.urlopen(f"{address}static/icon.svg", timeout=10) as answer:
                icon = answer.read()
            program.send_signal(number)
            left = program.communicate(timeout=30)
        finally:
            program.kill()

    assert icon.startswith(b"<svg")
    assert (program.returncode, left) == (status, ("", ""))


def test_without_a_browser_the_test_in_one_names_the_package_that_it_needs() -> None:
    command = [sys.executable, "-m", "tests.console.browser"]

    result = subprocess.run(command, cwd=ROOT, env={"PATH": "/nowhere"}, capture_output=True, text=True, check=False)

    assert (result.returncode, result.stdout, result.stderr) == (
        3,
        "",
        "make console-test needs Chromium: install the package `chromium` of Debian or Ubuntu.\n",
    )
