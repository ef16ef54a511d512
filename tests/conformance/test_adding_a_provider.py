"""A new provider needs three files and two lines. This test takes them from the how-to page, word for word."""

import re
import subprocess
import sys
from pathlib import Path
from shutil import copy, copytree, ignore_patterns
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
HOW_TO: Final = ROOT / "docs/how-to/add-a-provider.md"
PROVIDER: Final = "layers/sampai/sampai/providers/acme.py"
REGISTRY: Final = "layers/sampai/sampai/providers/registry.py"
CASES: Final = "tests/conformance/cases/acme.py"
SIMULATOR: Final = "local/simulators/acme.py"
SIMULATORS: Final = "local/simulators/registry.py"
TABLES: Final = {REGISTRY: "PROVIDERS: Final = {\n", SIMULATORS: "VENDORS: Final = {\n"}
CONTRACTS: Final = ("tests/conformance/test_provider_contract.py", "tests/conformance/test_simulator_contract.py")


def blocks_of_the_how_to() -> dict[str, str]:
    """Return the code of the how-to page by file."""
    return dict(re.findall(r'^```python title="([^"]+)"\n(.*?)^```$', HOW_TO.read_text(), re.MULTILINE | re.DOTALL))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the files that a provider needs, with Acme's file and registry line, and without its cases."""
    unneeded = ignore_patterns("__pycache__")
    for folder in ("layers/sampai/sampai", "local", "tests/conformance"):
        copytree(ROOT / folder, tmp_path / folder, ignore=unneeded)
    copy(ROOT / "tests/__init__.py", tmp_path / "tests/__init__.py")
    copy(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    return tmp_path


def add(tree: Path, *files: str) -> None:
    """Write blocks of the how-to into a tree: whole files, or a first line of the table in a registry."""
    blocks = blocks_of_the_how_to()
    for file in files:
        content = blocks[file]
        if file in TABLES:
            before = (tree / file).read_text()
            assert before.count(TABLES[file]) == 1
            content = before.replace(TABLES[file], TABLES[file] + content)
        (tree / file).write_text(content)


def run_the_contracts(tree: Path) -> subprocess.CompletedProcess[str]:
    options = ("-q", "-k", "acme or simulator_contract", "-p", "no:cacheprovider")
    return subprocess.run(
        [sys.executable, "-m", "pytest", *CONTRACTS, *options],
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_how_to_page_has_three_files_and_two_lines() -> None:
    blocks = blocks_of_the_how_to()

    assert blocks.keys() == {PROVIDER, REGISTRY, CASES, SIMULATOR, SIMULATORS}
    assert [len(blocks[registry].splitlines()) for registry in TABLES] == [1, 1]


def test_three_files_and_two_lines_add_a_provider_with_its_simulator(tree: Path) -> None:
    add(tree, PROVIDER, REGISTRY, CASES, SIMULATOR, SIMULATORS)

    run = run_the_contracts(tree)

    assert run.returncode == 0, run.stdout
    assert re.search(r"^\d+ passed, \d+ deselected", run.stdout, re.MULTILINE), run.stdout


def test_a_registry_line_without_cases_fails(tree: Path) -> None:
    add(tree, PROVIDER, REGISTRY, SIMULATOR, SIMULATORS)

    run = run_the_contracts(tree)

    assert run.returncode == 1, run.stdout
    assert "acme is registered and has no cases" in run.stdout


def test_a_registry_line_without_a_simulator_fails(tree: Path) -> None:
    add(tree, PROVIDER, REGISTRY, CASES)

    run = run_the_contracts(tree)

    assert run.returncode == 1, run.stdout
    assert "FAILED tests/conformance/test_simulator_contract.py::test_every_provider_has_a_simulator" in run.stdout
