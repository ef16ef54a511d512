"""What is not ours: every package pinned by its hash and audited, each check left out with a reason, no key."""

import os
import re
import subprocess
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatch
from math import log2
from pathlib import Path
from typing import Final

import pytest
import yaml

from tests.template import ROOT, template

LOCKS: Final = (
    "layers/dependencies/requirements.txt",
    "requirements/dev.txt",
    "requirements/emulator.txt",
    "requirements/audit.txt",
    "requirements/bench.txt",
    "requirements/console.txt",
)


def _pins(lock: str) -> dict[str, str]:
    """Return the lines of a lock by package and version, each with its hashes."""
    joined = (ROOT / lock).read_text().replace("\\\n", " ")
    lines = [line.strip() for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    return {line.split(" ")[0]: line for line in lines}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_by_version_and_hash(lock: str) -> None:
    pins = _pins(lock)

    assert len(pins) >= 2
    assert {pin for pin in pins if not re.fullmatch(r"[a-zA-Z0-9._-]+==[a-zA-Z0-9._+!-]+", pin)} == set()
    assert {pin for pin, line in pins.items() if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", line)} == set()


def test_the_tests_run_what_is_deployed() -> None:
    assert _pins("layers/dependencies/requirements.txt").keys() <= _pins("requirements/dev.txt").keys()


def test_nothing_is_installed_without_its_hash() -> None:
    text = "".join((ROOT / name).read_text().replace("\\\n", " ") for name in ("Makefile", "build.mk"))
    installs = [line.strip() for line in text.splitlines() if re.search(r"\bpip install\b", line)]

    assert len(installs) == 3
    assert [line for line in installs if "--require-hashes" not in line and "install -qq uv" not in line] == []


SKIPPED: Final = [27, 115, 116, 117, 119, 173]


def test_a_check_of_the_template_is_left_out_with_a_reason_alone() -> None:
    text = (ROOT / ".checkov.yaml").read_text()
    reasons = dict(re.findall(r"^  - (CKV\S+) # (\S.{20,})$", text, re.MULTILINE))

    assert list(reasons) == [f"CKV_AWS_{number}" for number in SKIPPED] == yaml.safe_load(text)["skip-check"]


def test_every_template_is_linted_and_audited() -> None:
    templates = [
        "template.yaml",
        "network.yaml",
        "queries.yaml",
        *(f"examples/{path.name}" for path in (ROOT / "examples").glob("*.yaml")),
    ]
    makefile = (ROOT / "Makefile").read_text()

    assert sorted(yaml.safe_load((ROOT / ".checkov.yaml").read_text())["file"]) == sorted(templates)
    assert re.findall(r"^TEMPLATES := (.+)$", makefile, re.MULTILINE) == [
        "template.yaml network.yaml queries.yaml $(wildcard examples/*.yaml)"
    ]
    assert "cfn-lint --template $(TEMPLATES)" in makefile
    assert "for template in $(TEMPLATES)" in makefile


def test_a_lint_of_the_template_is_left_out_with_a_reason_alone() -> None:
    text = (ROOT / "template.yaml").read_text()
    reasons = dict(re.findall(r"^        - ([EWI]\d{4}) # (\S.{20,})$", text, re.MULTILINE))

    assert list(reasons) == ["W1033"] == template()["Metadata"]["cfn-lint"]["config"]["ignore_checks"]


def test_a_weakness_is_passed_over_in_what_audits_alone() -> None:
    """For checkov verifies with ecdsa, and does not sign."""
    assert re.findall(r"--ignore-vuln (\S+)", (ROOT / "Makefile").read_text()) == ["CVE-2024-23342"]
    assert [lock for lock in LOCKS if any(pin.startswith("ecdsa==") for pin in _pins(lock))] == [
        "requirements/audit.txt"
    ]


_PIP_AUDIT: Final = """#!/bin/bash
case "$*" in
*--no-deps*) [[ $(cat "${@: -1}") == flask==0.5 ]] && echo "$KNOWN"; exit 1 ;;
*) [[ ${@: -1} != "$WEAK" ]] ;;
esac
"""
"""Answers like pip-audit, of an index that has `$KNOWN` to say on the old flask, and a weakness in the lock `$WEAK`."""


@pytest.mark.parametrize(
    ("checkov", "known", "weak", "asked", "passes"),
    [
        ("true", "CVE-2018-1000656", "", LOCKS, True),
        ("true", "CVE-2018-1000656", LOCKS[0], LOCKS, False),
        ("true", "CVE-2018-1000656", LOCKS[-1], LOCKS, False),
        ("true", "No known vulnerabilities found", "", (), False),
        ("false", "CVE-2018-1000656", "", (), False),
    ],
)
def test_an_audit_passes_when_the_advisories_were_asked_and_nothing_was_found(
    checkov: str, known: str, weak: str, asked: tuple[str, ...], passes: bool, tmp_path: Path
) -> None:
    pip_audit = tmp_path / "pip-audit"
    pip_audit.write_text(_PIP_AUDIT)
    pip_audit.chmod(0o700)
    tools = ["--assume-old=.venv-audit/.installed", "PYTHON=none", f"CHECKOV={checkov}", f"PIP_AUDIT={pip_audit}"]

    audit = subprocess.run(
        ["/usr/bin/env", "make", "audit", *tools],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "KNOWN": known, "WEAK": weak},
        capture_output=True,
        text=True,
        check=False,
    )

    assert tuple(re.findall(r"^pip-audit (\S+)$", audit.stdout, re.MULTILINE)) == asked
    assert (audit.returncode == 0) is passes
    assert ("No advisories" in audit.stderr) is known.startswith("No")


# --- keys -----------------------------------------------------------------------------------------------------------

SHAPES: Final = {
    "private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "AWS access key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})\b",
    "GitLab token": r"\bglpat-[A-Za-z0-9_-]{20,}",
    "Slack token": r"\bxox[abeprs]-[A-Za-z0-9-]{10,}",
    "Stripe key": r"\b[rs]k_live_[A-Za-z0-9]{16,}",
    "Google key": r"\bAIza[A-Za-z0-9_-]{35}\b",
    "JSON web token": r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.",
}

_ASSIGNED: Final = re.compile(
    r"(?i)(?:api_?key|api_?secret|secret|passw(?:or)?d|token|bearer|authorization)[\"']?\s*[:=]?\s*[\"']?"
    r"(?P<value>[A-Za-z0-9+/_=|.-]{20,})"
)
"""A long value under a name that secrets have, in any of our languages."""


def _is_secret(value: str) -> bool:
    """Whether a value has letters in both cases and digits, in no order, and does not say that it is none."""
    kinds = [any(map(kind, value)) for kind in (str.islower, str.isupper, str.isdigit)]
    counts = Counter(value)
    entropy = -sum(n / len(value) * log2(n / len(value)) for n in counts.values())
    return all(kinds) and entropy > 3.8 and not _says_what_it_is(value)


def _says_what_it_is(value: str) -> bool:
    """Whether a value is a name of our own, or the base64 of one that calls itself none: `not-a-key`."""
    with suppress(ValueError):
        return b64decode(value, validate=True).startswith(b"not-a-")
    return "sampai" in value.lower()


def _keys_in(text: str) -> list[str]:
    found = [name for name, shape in SHAPES.items() if re.search(shape, text)]
    return found + [f"value of {m[0][:12]}…" for m in _ASSIGNED.finditer(text) if _is_secret(m["value"])]


def _files() -> Iterator[Path]:
    """Yield the files of the tree that git does not ignore; it need not be a repository."""
    ignored = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text().split()]
    ignored += [".git", ".*_cache"]

    def below(folder: Path) -> Iterator[Path]:
        for path in sorted(folder.iterdir()):
            if any(fnmatch(path.name, pattern) for pattern in ignored) or path.is_symlink():
                continue
            yield from below(path) if path.is_dir() else (path,)

    return below(ROOT)


def test_no_file_holds_a_key() -> None:
    files = list(_files())

    assert ROOT / "template.yaml" in files
    assert ROOT / "tests" / "harness" / "application.py" in files
    found = {str(file.relative_to(ROOT)): _keys_in(file.read_text(errors="replace")) for file in files}
    assert {name: keys for name, keys in found.items() if keys} == {}


# Put together here, so that no file holds one.
PLANTED: Final = {
    "private key": "-----BEGIN " + "EC PRIVATE KEY-----",
    "AWS access key": "AKIA" + "Q3EGR7XN2JVB4KLM",
    "GitHub token": "ghp" + "_" + "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5",
    "GitLab token": "glpat" + "-aB3dE5fG7hI9jK1lM3nO",
    "Slack token": "xoxb" + "-2048-aB3dE5fG7h",
    "Stripe key": "sk" + "_live_aB3dE5fG7hI9jK1lM3",
    "Google key": "AIza" + "SyaB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3",
    "JSON web token": "eyJ" + "hbGciOiJIUzI1NiJ9." + "eyJ" + "zdWIiOiIxMjM0In0.",
    'value of api_key": "z…': '"api_key": "' + 'zR4kT9wQ2mX7bN5vL8pD"',
    "value of password=zR4…": "password=" + "zR4kT9wQ2mX7bN5vL8pD",
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_key_is_seen(name: str) -> None:
    assert name in _keys_in(f"a = 1\n{PLANTED[name]}\n")
