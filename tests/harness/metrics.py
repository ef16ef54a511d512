"""The custom metrics of the functions, read from their code: the names, and the dimensions of each."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from tests.template import ROOT

PACKAGE: Final = ROOT / "layers" / "sampai" / "sampai"
METHODS: Final = ("count", "measure", "observe")

Dimensions = tuple[str, ...]


@cache
def emitted() -> dict[str, set[Dimensions]]:
    """Return each metric with its sets of dimensions. Raises ValueError for a call whose metric cannot be found."""
    found: defaultdict[str, set[Dimensions]] = defaultdict(set)
    trees = {path: ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py")}
    nodes = [node for tree in trees.values() for node in ast.walk(tree)]
    for path, tree in trees.items():
        for call in _calls(tree):
            for name in _names(call.args[0], tree, nodes, path):
                found[name] |= _dimensions(call)
    return dict(found)


def _calls(tree: ast.Module) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=value, attr=method), args=[_, *_]) if method in METHODS:
                if ast.unparse(value).endswith("telemetry"):
                    yield node
            case ast.Call(func=ast.Name(id="observe"), args=[_, *_]):
                yield node


def _names(metric: ast.expr, tree: ast.Module, nodes: list[ast.AST], path: Path) -> list[str]:
    """Return the names that an argument can be: a text, either of two, an entry of a table, or a class attribute."""
    match metric:
        case ast.Constant(value=str(name)):
            return [name]
        case ast.Subscript(value=ast.Name(id=table)):
            values = [value for node in ast.walk(tree) if _is_assignment(node, table) for value in _texts(node)]
        case ast.Attribute(attr=attribute):
            values = [value for node in nodes if _is_assignment(node, attribute) for value in _texts(node)]
        case ast.IfExp(body=one, orelse=other):
            return [*_names(one, tree, nodes, path), *_names(other, tree, nodes, path)]
        case _:
            values = []
    if not values:
        raise ValueError(f"{path.name}: which metric is {ast.unparse(metric)}?")
    return values


def _is_assignment(node: ast.AST, name: str) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def _texts(assignment: ast.AST) -> list[str]:
    value = getattr(assignment, "value", None)
    values = value.values if isinstance(value, ast.Dict) else [value]
    return [each.value for each in values if isinstance(each, ast.Constant) and isinstance(each.value, str)]


def _dimensions(call: ast.Call) -> set[Dimensions]:
    """Return the sets of dimensions of a call. tests/unit/adapters/test_telemetry.py shows that they are written."""
    method = call.func.attr if isinstance(call.func, ast.Attribute) else "observe"
    given = tuple(keyword.arg for keyword in call.keywords if keyword.arg in ("provider", "account"))
    match method:
        case "observe":
            return {("provider", "category")}
        case "measure":
            return {given}
    return {(), given}
