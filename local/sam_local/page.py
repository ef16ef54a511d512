"""The commands of a page: `$ ` lines in its console blocks, each with the output that the page shows below it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^\$ (?P<text>(?:.*\\\n)*.*)\n(?P<output>(?:(?!\$ ).*\n)*)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    text: str
    expected: tuple[str, ...] = ()
    """Lines of its output. `…` stands for any text."""
    is_server: bool = False
    """The page ends it with `&`: it runs until the page has been followed."""

    def missing(self, output: str) -> list[str]:
        """Return the expected lines that are not in an output."""
        lines = [line.strip() for line in output.splitlines()]
        return [wanted for wanted in self.expected if not any(_matches(wanted, line) for line in lines)]


def commands_of(page: str) -> list[Command]:
    """Return the commands of a page in Markdown, in order."""
    return [_command(found) for block in _BLOCK.findall(page) for found in _COMMAND.finditer(block)]


def names_after(word: str, commands: Sequence[Command]) -> list[str]:
    """Return the words that follow `word` in the commands: `--event` gives the files of events."""
    return [name for command in commands for name in re.findall(rf"{re.escape(word)} (\S+)", command.text)]


def _command(found: re.Match[str]) -> Command:
    text, ampersand, _ = found["text"].partition(" &")
    expected = tuple(line.strip() for line in found["output"].splitlines() if line.strip())
    return Command(text=text, expected=expected, is_server=bool(ampersand))


def _matches(wanted: str, line: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, wanted.split("…"))), line) is not None
