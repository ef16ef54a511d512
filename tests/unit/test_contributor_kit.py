"""Workflows, hooks and pages name make targets that exist; the small targets for contributors print the right thing."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from local import sizes
from tests.template import ROOT

MAKEFILE: Final = (ROOT / "Makefile").read_text()
TARGETS: Final = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
WORKFLOWS: Final = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PAGES: Final = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / ".github").rglob("*.md")),
    *sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")),
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / ".pre-commit-config.yaml",
    ROOT / "samconfig.toml",
]


def _name(file: Path) -> str:
    return str(file.relative_to(ROOT))


def _jobs(workflow: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load(workflow.read_text())["jobs"].values())


def _matrix(job: dict[str, Any]) -> dict[str, list[str]]:
    matrix: dict[str, list[str]] = job.get("strategy", {}).get("matrix", {})
    return matrix


def _made_by(workflow: Path) -> set[str]:
    """Return the make targets that a workflow runs, with each value of the matrix in its place."""
    found: set[str] = set()
    for job in _jobs(workflow):
        for step in job["steps"]:
            commands = [step.get("run", "")]
            for name, values in _matrix(job).items():
                commands = [run.replace(f"${{{{ matrix.{name} }}}}", value) for run in commands for value in values]
            found.update(*(re.findall(r"\bmake (\S+)", run) for run in commands))
    return found


def _named_in(text: str) -> set[str]:
    """Return the make targets that stand in inline code or in a console example of a page."""
    return set(re.findall(r"(?:`|^[ ]*\$ )(?:[A-Z_]+=\S+ )*make ([a-z-]+)", text, re.MULTILINE))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=_name)
def test_a_workflow_runs_targets_of_the_makefile(workflow: Path) -> None:
    assert _made_by(workflow) != set()
    assert _made_by(workflow) - TARGETS == set()


def test_every_slow_proof_runs_at_night() -> None:
    assert _made_by(ROOT / ".github" / "workflows" / "nightly.yml") == {
        *("simulate", "fuzz", "mutants", "chaos", "outages", "rude", "iam", "bench", "audit", "console-test")
    }


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_a_page_names_targets_of_the_makefile(page: Path) -> None:
    assert _named_in(page.read_text()) - TARGETS == set()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Run `make lock` and `SAMPAI_PORT=4720 make up`, and make it good.", {"lock", "up"}),
        ("```console\n$ make test      # all\n$ STAGE=dev make deploy\n```\n", {"test", "deploy"}),
        ("   $ make release-notes", {"release-notes"}),
    ],
)
def test_a_target_is_found_in_code_and_not_in_prose(text: str, names: set[str]) -> None:
    assert _named_in(text) == names


def test_help_lists_every_target() -> None:
    phony = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    documented = re.findall(r"^([a-z-]+):.*## \S", MAKEFILE, re.MULTILINE)

    assert sorted(" ".join(phony).split()) == sorted(documented)


def test_the_supported_python_versions_are_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    versions = [f"3.{minor}" for minor in range(40) if f"3.{minor}" in SpecifierSet(project["requires-python"])]
    (job,) = _jobs(ROOT / ".github" / "workflows" / "test.yml")

    assert _matrix(job)["python"] == versions
    for makefile in ("Makefile", "build.mk"):
        candidates = re.findall(r"python(3\.\d+)", (ROOT / makefile).read_text().partition("$(foreach p,")[2])[:3]
        assert sorted(candidates) == versions


HOOKS: Final = [
    hook for repo in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"] for hook in repo["hooks"]
]


@pytest.mark.parametrize("hook", HOOKS, ids=[hook["id"] for hook in HOOKS])
def test_a_hook_runs_a_program_of_the_virtual_environment(hook: dict[str, Any]) -> None:
    program, *arguments = hook["entry"].split()

    assert hook["language"] == "system"
    assert Path(program).parent == Path(".venv/bin")
    assert (Path(sys.executable).parent / Path(program).name).exists()
    assert [argument for argument in arguments if "/" in argument and not (ROOT / argument).exists()] == []


CHANGELOG: Final = """# Changelog

## [Unreleased]

- **Nomsa:** not yet.

## [1.2.3] - 2026-11-21

- **Nomsa:** a fix.

## [1.2.2] - 2026-11-01

- **SMSPoh:** older.

## [1.2.1] - 2026-10-01
"""


@pytest.mark.parametrize(
    ("version", "arguments", "status", "output"),
    [
        ("1.2.3", [], 0, "\n- **Nomsa:** a fix.\n\n"),
        ("1.2.3", ["TAG=v1.2.3"], 0, "\n- **Nomsa:** a fix.\n\n"),
        ("1.2.3", ["TAG=v1.2.4"], 2, ""),
        ("1.2.3", ["TAG=1.2.3"], 2, ""),
        ("1.2.1", [], 2, ""),
        ("1.2", [], 2, ""),
        ("1.3.0", [], 2, ""),
    ],
)
def test_release_notes_are_the_section_of_the_tagged_version(
    version: str, arguments: list[str], status: int, output: str, tmp_path: Path
) -> None:
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    (tmp_path / "pyproject.toml").write_text(f'[project]\nname = "sampai"\nversion = "{version}"\n')

    notes = subprocess.run(
        ["/usr/bin/env", "make", "--file", str(ROOT / "Makefile"), "release-notes", "PYTHON=none", *arguments],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (notes.returncode, notes.stdout) == (status, output)


_SOURCE: Final = """class Small:
    def __init__(self, a, *, b):
        self.a = a


class Large:
    def run(self):
        return [
            1,
            2,
        ]

    def __init__(self, a, /, b, *, c=3):
        pass
"""


def test_sizes_are_those_of_the_longest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "domain").mkdir()
    (tmp_path / "domain" / "large.py").write_text(_SOURCE)
    (tmp_path / "empty.py").write_text("")

    assert sizes.main([str(tmp_path)]) == 0

    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["file", "14", "lines", "domain/large.py"],
        ["class", "9", "lines", "domain/large.py:6", "Large"],
        ["constructor", "3", "arguments", "domain/large.py:13", "Large.__init__"],
        ["function", "5", "lines", "domain/large.py:7", "run"],
    ]


def test_sizes_measure_the_layer_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    sizes.main([])

    kinds = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert kinds == ["file", "class", "constructor", "function"]
