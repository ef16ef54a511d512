"""Every run of the tests executes the same examples: one profile of Hypothesis, and no generator without a seed."""

import ast
from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.template import ROOT

MODULES: Final = sorted(path for folder in ("tests", "benchmarks") for path in (ROOT / folder).rglob("*.py"))
OF_THE_PROFILE: Final = {"derandomize", "deadline", "database"}


def test_one_profile_rules_all_hypothesis_tests() -> None:
    assert (settings().derandomize, settings().deadline, settings().database) == (True, None, None)


def test_the_same_property_is_shown_the_same_examples_again() -> None:
    shown: list[str] = []

    @given(st.text())
    def collect(text: str) -> None:
        shown.append(text)

    collect()
    first = shown[:]
    shown.clear()
    collect()

    assert len(first) == 100
    assert shown == first


def unrepeatable_calls(source: str) -> Iterator[str]:
    """Yield the calls that would make two runs differ."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        keywords = {keyword.arg for keyword in node.keywords}
        is_unseeded = name in ("Random", "random.Random") and not node.args
        is_global = name.startswith("random.") and name != "random.Random" and _imports_random(source)
        if is_unseeded or is_global or (name.endswith("settings") and keywords & OF_THE_PROFILE):
            yield ast.unparse(node)


def _imports_random(source: str) -> bool:
    imports = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import)]
    return any(alias.name == "random" for node in imports for alias in node.names)


def test_modules_seed_their_generators_and_leave_the_profile_alone() -> None:
    found = {str(path.relative_to(ROOT)): list(unrepeatable_calls(path.read_text())) for path in MODULES}

    assert len(found) > 100
    assert {name: calls for name, calls in found.items() if calls} == {}


@pytest.mark.parametrize(
    ("source", "calls"),
    [
        ("from random import Random\nRandom()", ["Random()"]),
        ("import random\nrandom.Random()\nrandom.choice([1])", ["random.Random()", "random.choice([1])"]),
        ("settings(max_examples=9, deadline=200)", ["settings(max_examples=9, deadline=200)"]),
        ("from random import Random\nrandom = Random(7)\nrandom.choice([1])", []),
        ("settings(max_examples=9)", []),
    ],
)
def test_a_call_that_makes_runs_differ_is_found(source: str, calls: list[str]) -> None:
    assert list(unrepeatable_calls(source)) == calls
