"""`python -m local.sizes [FOLDER]`: print the longest file, class, constructor and function of the layer."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LAYER: Final = Path(__file__).resolve().parents[1] / "layers" / "sampai" / "sampai"

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Size:
    """The size of one piece of source text, and its place."""

    kind: str
    count: int
    unit: str
    place: str


def largest(folder: Path) -> list[Size]:
    """Return the largest file, class, constructor and function of the Python files below a folder, in that order."""
    found: dict[str, Size] = {}
    for size in sizes(folder):
        if size.kind not in found or size.count > found[size.kind].count:
            found[size.kind] = size
    return [found[kind] for kind in ("file", "class", "constructor", "function") if kind in found]


def sizes(folder: Path) -> Iterator[Size]:
    """Yield the size of each file, class, constructor and function. Lines include docstrings, comments and blanks."""
    for file in sorted(folder.rglob("*.py")):
        text = file.read_text()
        path = str(file.relative_to(folder))
        yield Size("file", len(text.splitlines()), "lines", path)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                yield Size("class", _lines(node), "lines", f"{path}:{node.lineno} {node.name}")
                yield from _constructors(node, path)
            elif isinstance(node, Function):
                yield Size("function", _lines(node), "lines", f"{path}:{node.lineno} {node.name}")


def _constructors(node: ast.ClassDef, path: str) -> Iterator[Size]:
    for statement in node.body:
        if isinstance(statement, Function) and statement.name == "__init__":
            arguments = statement.args
            count = len([*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]) - 1
            yield Size("constructor", count, "arguments", f"{path}:{statement.lineno} {node.name}.__init__")


def _lines(node: ast.ClassDef | Function) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def main(arguments: list[str]) -> int:
    for size in largest(Path(arguments[0]) if arguments else LAYER):
        print(f"{size.kind:<12} {size.count:>5} {size.unit:<10} {size.place}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
