"""Tables in Markdown, and the places in the pages of the documentation where a command writes them."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.template import ROOT

COST_PAGE: Final = ROOT / "docs/how-to/choose-memory-and-batch-size.md"
SCALE_PAGE: Final = ROOT / "docs/explanation/scale.md"


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, left: Collection[str] = ()) -> str:
    """Return a table in Markdown. The first column and those in `left` contain text, the others numbers."""
    lines = [columns, ["---" if n == 0 or name in left else "--:" for n, name in enumerate(columns)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def blocks_in(text: str) -> dict[str, str]:
    """Return the generated blocks of a page by name.

    A block is between the lines `<!-- NAME: written by … -->` and `<!-- end -->`.
    """
    return {match["name"]: match["block"].strip() for match in _BLOCK.finditer(text)}


def write_blocks(page: Path, blocks: Mapping[str, str]) -> None:
    """Replace the generated blocks of a page. Raises KeyError for a block without a text."""
    text = page.read_text()
    page.write_text(_BLOCK.sub(lambda match: f"{match['start']}\n{blocks[match['name']]}\n\n{match['end']}", text))


_BLOCK: Final = re.compile(
    r"(?P<start><!-- (?P<name>[a-z0-9-]+): written by `[^`]+` -->\n)(?P<block>.*?)(?P<end><!-- end -->)", re.DOTALL
)
