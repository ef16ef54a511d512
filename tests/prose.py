"""Measure how plain the English of the documentation, the docstrings, the comments and the test names is.

Two rules: the words of `COUNTED` together at most `BUDGET` times per 1,000 words, and no word or phrase of `BANNED`.
`python -m tests.prose` lists the findings of the whole tree, `python -m tests.prose PATH...` those of some files.
The module imports nothing of this project, so a copy of it works anywhere.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

BUDGET: Final = 3.0  # per 1,000 words

WORD: Final = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
COUNTED: Final = re.compile(r"\b(?:what|whoever|whom|whose|who)\b", re.IGNORECASE)

# A space in a phrase also matches a line break. "The one ... the other" counts within one clause.
BANNED: Final = {
    name: re.compile(pattern.replace(" ", r"\s+"), re.IGNORECASE)
    for name, pattern in {
        "mend": r"\bmend(?:s|ed|ing)?\b",
        "heed": r"\bheed(?:s|ed|ing)?\b",
        "anew": r"\banew\b",
        "lest": r"\blest\b",
        "whoever": r"\bwhoever\b",
        "somebody": r"\bsomebody(?:['’]s)?\b",
        "stands there": r"\b(?:stands|stood) there\b",
        "the one … the other": r"\bthe one\b[^.;:?!|]{0,80}\bthe other\b",
        "of which": r"\bof which\b",
        "nobody can know": r"\bnobody (?:can|could|may) (?:know|tell)\b",
        "as many as may be": r"\bas may be\b",
        "without a say": r"\bwithout a say\b",
        "take nothing for": r"\b(?:take|takes|took|taken) nothing for\b",
    }.items()
}

FENCE: Final = re.compile(r"^ {0,3}(```|~~~).*?^ {0,3}\1[ \t]*$", re.MULTILINE | re.DOTALL)
NOT_PROSE: Final = re.compile(r"<!--.*?-->|``[^`]+``|`[^`]+`|(?<=\])\([^()\s]*\)|https?://\S+", re.DOTALL)
DIRECTIVE: Final = re.compile(r"#\s*(?:noqa|type:|pragma|mypy:|ruff:|fmt:|nosec|!).*")
COMMENT: Final = re.compile(r"(?:^|\s)#+ (.*)$")
DESCRIPTION: Final = re.compile(r"^\s*(?:Alarm)?Description: (.*)$")
SKIPPED_FOLDERS: Final = frozenset({"__pycache__", "node_modules"})


class Passage(NamedTuple):
    """A piece of prose and the number of its first line."""

    line: int
    text: str


class Finding(NamedTuple):
    """A word that is counted or banned, with its line."""

    line: int
    name: str


@dataclass(frozen=True, slots=True)
class Measure:
    """The number of words in some prose, the counted ones among them, and the banned ones."""

    words: int
    counted: tuple[Finding, ...]
    banned: tuple[Finding, ...]

    @property
    def rate(self) -> float:
        """Return the counted words per 1,000 words; 0.0 for an empty text."""
        return 1000 * len(self.counted) / self.words if self.words else 0.0

    @property
    def is_plain(self) -> bool:
        return self.rate <= BUDGET and not self.banned


def measure(passages: Iterable[Passage]) -> Measure:
    """Count the words of some passages."""
    words = 0
    counted: list[Finding] = []
    banned: list[Finding] = []
    for line, text in passages:
        words += len(WORD.findall(text))
        counted += [Finding(line + text.count("\n", 0, m.start()), m[0].lower()) for m in COUNTED.finditer(text)]
        for name, pattern in BANNED.items():
            banned += [Finding(line + text.count("\n", 0, m.start()), name) for m in pattern.finditer(text)]
    return Measure(words, tuple(counted), tuple(sorted(banned)))


def markdown_prose(text: str) -> list[Passage]:
    """Return the paragraphs of a Markdown page without code, link targets and HTML comments."""
    text = NOT_PROSE.sub(_blank, FENCE.sub(_blank, text))
    paragraphs: list[Passage] = []
    line = 1
    for paragraph in re.split(r"(\n[ \t]*\n)", text):
        if paragraph.strip():
            paragraphs.append(Passage(line, paragraph))
        line += paragraph.count("\n")
    return paragraphs


def _blank(match: re.Match[str]) -> str:
    """Return as many line breaks as the match has, so that line numbers stay right."""
    return "\n" * match[0].count("\n") or " "


def python_prose(source: str) -> list[Passage]:
    """Return the docstrings and comments of a module, and the names of its test functions as sentences."""
    tree = ast.parse(source)
    return sorted([*_docstrings(tree), *_comments(source), *_test_names(tree)])


def _docstrings(tree: ast.AST) -> Iterator[Passage]:
    """Yield every statement that is only a string: docstrings, and those below an attribute."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield Passage(node.lineno, re.sub(r"``[^`]+``|`[^`]+`|https?://\S+", " ", node.value.value))


def _test_names(tree: ast.AST) -> Iterator[Passage]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield Passage(node.lineno, node.name.removeprefix("test_").replace("_", " "))


def _comments(source: str) -> Iterator[Passage]:
    """Yield the comments; comments on successive lines are one passage."""
    block: list[str] = []
    first = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT or DIRECTIVE.match(token.string):
            continue
        line = token.start[0]
        if block and line != first + len(block):
            yield Passage(first, "\n".join(block))
            block = []
        if not block:
            first = line
        block.append(re.sub(r"`[^`]+`|https?://\S+", " ", token.string.lstrip("# ")))
    if block:
        yield Passage(first, "\n".join(block))


def configuration_prose(text: str) -> list[Passage]:
    """Return the comments and descriptions of a YAML, TOML or make file, and the help of make targets."""
    found: list[Passage] = []
    for number, line in enumerate(text.splitlines(), start=1):
        match = COMMENT.search(line) or DESCRIPTION.match(line)
        if match:
            found.append(Passage(number, match[1]))
    return found


def file_prose(path: Path) -> list[Passage]:
    """Return the prose of a Markdown or Python file, or of a configuration file."""
    readers = {".md": markdown_prose, ".py": python_prose}
    return readers.get(path.suffix, configuration_prose)(path.read_text(encoding="utf-8"))


def files_below(path: Path, suffix: str) -> Iterator[Path]:
    """Yield a file itself, or the files of a kind in a folder; hidden folders and caches are left out."""
    if path.is_file():
        yield path
    for file in sorted(path.rglob(f"*{suffix}")):
        folders = file.relative_to(path).parts[:-1]
        if file.is_file() and not any(part.startswith(".") or part in SKIPPED_FOLDERS for part in folders):
            yield file


# The groups that each keep the budget: their places, and the kind of file to look for there.
GROUPS: Final = {
    "docs": (".md", ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "docs")),
    "product": (".py", ("layers/sampai", "functions")),
    "tests": (".py", ("tests",)),
    "tools": (".py", ("local", "benchmarks", "cli", "docs")),
    "stack": (".yaml", ("template.yaml", "network.yaml", "samconfig.toml", "Makefile", "build.mk")),
}


def group_files(root: Path, name: str) -> list[Path]:
    """Return the files of a group; a place that is not there has none."""
    suffix, places = GROUPS[name]
    return [file for place in places for file in files_below(root / place, suffix)]


def total(measures: Iterable[Measure]) -> Measure:
    """Add measures up; the lines of the findings are then those of different files."""
    every = list(measures)
    return Measure(
        sum(each.words for each in every),
        tuple(finding for each in every for finding in each.counted),
        tuple(finding for each in every for finding in each.banned),
    )


def describe(path: Path, found: Measure) -> str:
    """Return the findings of a file, on two more lines if there are any."""
    lines = [f"{found.rate:6.1f} {len(found.counted):4d} /{found.words:6d} words  {path}"]
    for title, findings in (("counted", found.counted), ("BANNED", found.banned)):
        if findings:
            lines.append(f"         {title}: " + ", ".join(f"{line} {name}" for line, name in findings))
    return "\n".join(lines)


def main(arguments: list[str], write: Callable[[str], None] = print) -> int:
    """List the findings of some files, or of all groups; return 1 if a group or the sum breaks a rule."""
    if arguments:
        paths = [Path(argument) for argument in arguments]
        files = [file for path in paths for suffix in (".md", ".py") for file in files_below(path, suffix)]
        groups = {"all": list(dict.fromkeys(files))}
    else:
        groups = {name: group_files(Path.cwd(), name) for name in GROUPS}
    verdicts = []
    for name, members in groups.items():
        measures = {file: measure(file_prose(file)) for file in members}
        for file, found in measures.items():
            if found.counted or found.banned or arguments:
                write(describe(file, found))
        verdicts.append((name, total(measures.values())))
    for name, found in verdicts:
        verdict = "ok" if found.is_plain else "NOT PLAIN"
        write(f"{name}: {found.rate:.1f} per 1,000 ({found.words} words), {len(found.banned)} banned: {verdict}")
    return 0 if all(found.is_plain for _, found in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
