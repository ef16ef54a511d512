"""Every relative link of the documentation leads to a file and a heading that exist."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.prose import FENCE, group_files
from tests.template import ROOT

LINK = re.compile(r"\]\(([^()\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+?)\s*$", re.MULTILINE)
ANCHOR = re.compile(r'<a id="([^"]+)">')


def links(page: str) -> list[str]:
    """Return the targets of the links in a page that stay within the repository."""
    targets = LINK.findall(re.sub(r"`[^`\n]+`", "", FENCE.sub("", page)))
    return [target for target in targets if not target.startswith(("http://", "https://", "mailto:"))]


def anchors(page: str) -> set[str]:
    """Return the anchors of a page, by GitHub's rule for headings."""
    page = FENCE.sub("", page)
    seen: Counter[str] = Counter()
    found = set(ANCHOR.findall(page))
    for heading in HEADING.findall(page):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def broken(path: Path) -> Iterator[str]:
    """Yield the links of a page that lead nowhere."""
    for link in links(path.read_text(encoding="utf-8")):
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            yield link


@pytest.mark.parametrize("path", group_files(ROOT, "docs"), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_of_a_page_leads_somewhere(path: Path) -> None:
    assert list(broken(path)) == []


def test_a_link_to_a_missing_file_or_heading_is_found_and_code_is_no_link(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# It's `send`, twice\n\n## Same\n\n## Same\n\n```\n# no heading\n```\n")
    page = tmp_path / "page.md"
    page.write_text(
        "# Here\n\n[a](other.md#its-send-twice) [b](other.md#same-1) [c](#here) [d](https://example.com/x)\n"
        "`[e](none.md)` [f](none.md) [g](other.md#no-heading) [h](#there)\n"
    )

    assert list(broken(page)) == ["none.md", "other.md#no-heading", "#there"]
