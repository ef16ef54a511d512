"""A new provider needs two files and one line. This test takes them from the how-to page, word for word."""

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
FIRST_LINE: Final = "PROVIDERS: Final = {\n"


def blocks_of_the_how_to() -> dict[str, str]:
    """Return the code of the how-to page by file."""
    return dict(re.findall(r'^```python title="([^"]+)"\n(.*?)^```$', HOW_TO.read_text(), re.MULTILINE | re.DOTALL))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the files that a provider needs, with Acme's file and registry line, and without its cases."""
    unneeded = ignore_patterns("__pycache__")
    copytree(ROOT / "layers/sampai/sampai", tmp_path / "layers/sampai/sampai", ignore=unneeded)
    copytree(ROOT / "tests/conformance", tmp_path / "tests/conformance", ignore=unneeded)
    copy(ROOT / "tests/__init__.py", tmp_path / "tests/__init__.py")
    copy(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    blocks = blocks_of_the_how_to()
    (tmp_path / PROVIDER).write_text(blocks[PROVIDER])
    registry = (tmp_path / REGISTRY).read_text()
    assert registry.count(FIRST_LINE) == 1
    (tmp_path / REGISTRY).write_text(registry.replace(FIRST_LINE, FIRST_LINE + blocks[REGISTRY]))
    return tmp_path


def run_the_contract(tree: Path) -> subprocess.CompletedProcess[str]:
    contract = "tests/conformance/test_provider_contract.py"
    return subprocess.run(
        [sys.executable, "-m", "pytest", contract, "-q", "-k", "acme", "-p", "no:cacheprovider"],
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_how_to_page_has_two_files_and_one_line() -> None:
    blocks = blocks_of_the_how_to()

    assert blocks.keys() == {PROVIDER, REGISTRY, CASES}
    assert len(blocks[REGISTRY].splitlines()) == 1


def test_two_files_and_one_line_add_a_provider(tree: Path) -> None:
    (tree / CASES).write_text(blocks_of_the_how_to()[CASES])

    run = run_the_contract(tree)

    assert run.returncode == 0, run.stdout
    assert re.search(r"^\d+ passed, \d+ deselected", run.stdout, re.MULTILINE), run.stdout


def test_a_registry_line_without_cases_fails(tree: Path) -> None:
    run = run_the_contract(tree)

    assert run.returncode == 1, run.stdout
    assert "acme is registered and has no cases" in run.stdout
