"""Every row of the failure model has a test, and tests name only rows that exist."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.covers import ELSEWHERE
from tests.template import ROOT

PAGES = ROOT / "docs" / "explanation"
ROW = re.compile(r"^\| ([A-Z]\d+) \|(.*)$", re.MULTILINE)
PROMISE = re.compile(r"^\| \*\*([^*]+)\*\* \|.*\| ([^|]+) \|$", re.MULTILINE)

NOT_BUILT = {
    "D3": "there are no transactions that could be canceled",
    "E4": "how long a queue takes to drain is measured by no test; an alarm watches its age",
    "V7": "what a vendor does with an accepted message cannot be seen from here",
}
"""Rows without a test, each with the reason. The page gives it too."""


@cache
def page(name: str = "failure-model") -> str:
    return (PAGES / f"{name}.md").read_text()


def rows() -> dict[str, str]:
    """Return the text of each row by its id."""
    return dict(ROW.findall(page()))


@cache
def marked() -> dict[str, frozenset[str]]:
    """Return the rows that each test is marked with, by its node id."""
    return {node: ids for path in sorted((ROOT / "tests").rglob("test_*.py")) for node, ids in named_in(path)}


def named_in(path: Path) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield each test of a file with the rows in its `@covers(…)`, without importing the file."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            node_id = f"{path.relative_to(ROOT).as_posix()}::{node.name}"
            yield node_id, frozenset(_ids(node)) | {i for i, nodes in ELSEWHERE.items() if node_id in nodes}


def _ids(function: ast.FunctionDef) -> Iterator[str]:
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name) and decorator.func.id == "covers":
            yield from (ast.literal_eval(argument) for argument in decorator.args)


def test_failure_model_has_all_rows() -> None:
    groups = {"P": range(18), "Q": range(1, 12), "D": range(1, 9), "V": range(1, 12), "W": range(1, 11)}
    groups |= {"L": range(1, 7), "I": range(1, 15), "E": range(1, 5)}
    found = ROW.findall(page())

    assert sorted(i for i, _ in found) == sorted(f"{group}{n}" for group, numbers in groups.items() for n in numbers)


@pytest.mark.parametrize("row", sorted(rows().keys() - NOT_BUILT.keys()))
def test_every_row_has_a_test(row: str) -> None:
    assert [node for node, ids in marked().items() if row in ids]


def test_tests_name_only_rows_that_exist_and_are_built() -> None:
    wrong = {node: ids - (rows().keys() - NOT_BUILT.keys()) for node, ids in marked().items()}

    assert {node: ids for node, ids in wrong.items() if ids} == {}


def test_every_test_that_the_list_names_exists() -> None:
    assert {node for nodes in ELSEWHERE.values() for node in nodes} - marked().keys() == set()


def test_page_marks_exactly_the_rows_that_are_not_built() -> None:
    assert {row for row, text in rows().items() if "**Not built:**" in text} == NOT_BUILT.keys()


def test_every_promise_names_rows_and_every_invariant_belongs_to_a_promise() -> None:
    promises = dict(PROMISE.findall(page()))
    named = {name: set(ids.split(", ")) for name, ids in promises.items()}

    assert len(promises) == 11
    assert all(name in page("delivery-semantics") for name in promises)
    assert set().union(*named.values()) == {row for row in rows() if row[0] in "IE"} - NOT_BUILT.keys()
