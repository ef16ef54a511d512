"""The documentation builds as a site that needs no server and no internet."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.template import ROOT

PAGES = sorted((ROOT / "docs").rglob("*.md"))


def build(root: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = build(ROOT, folder)
    assert built.returncode == 0, built.stderr
    return folder


class Addresses(HTMLParser):
    """The addresses in a page: links, and the files that a browser loads by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value is not None:
                (self.links if tag == "a" else self.loaded).append(value)


def addresses(file: Path) -> Addresses:
    found = Addresses()
    found.feed(file.read_text(encoding="utf-8"))
    return found


def missing(file: Path) -> Iterator[str]:
    """Yield the addresses in a page that lead to no file of the site."""
    found = addresses(file)
    for address in (*found.links, *found.loaded):
        parts = urlsplit(address)
        if not parts.scheme and parts.path and not (file.parent / unquote(parts.path)).is_file():
            yield address


def test_every_page_of_the_documentation_is_in_the_site(site: Path) -> None:
    wanted = {page.relative_to(ROOT / "docs").with_suffix(".html") for page in PAGES}

    assert [page for page in wanted if not (site / page).is_file()] == []


def test_every_address_in_the_site_leads_to_a_file(site: Path) -> None:
    pages = [page for page in site.rglob("*.html") if page.name != "404.html"]  # a server shows it at any address

    assert {page.relative_to(site).as_posix(): found for page in pages if (found := [*missing(page)])} == {}


def test_no_page_loads_anything_from_the_internet(site: Path) -> None:
    loaded = {address for page in site.rglob("*.html") for address in addresses(page).loaded}

    assert [address for address in loaded if urlsplit(address).scheme not in ("", "data")] == []
    assert not any('class="mermaid"' in page.read_text(encoding="utf-8") for page in site.rglob("*.html"))


def test_search_has_every_page_in_a_script_that_needs_no_server(site: Path) -> None:
    script = (site / "search" / "search_index.js").read_text(encoding="utf-8")

    index = json.loads(script.removeprefix("var __index = "))
    found = {document["location"].partition("#")[0] for document in index["docs"]}
    assert {page.relative_to(ROOT / "docs").with_suffix(".html").as_posix() for page in PAGES} <= found


def test_navigation_has_the_sections_in_order_with_every_page(site: Path) -> None:
    page = (site / "index.html").read_text(encoding="utf-8")
    navigation = page[page.index("md-nav--primary") : page.index("md-content")]

    order = [navigation.index(f"{title}\n") for title in ("Learn", "Do", "Look up", "Understand", "Decisions")]
    assert order == sorted(order)
    assert {"adr/0001-providers-are-pure-translators.html", "repository/CHANGELOG.html"} <= set(
        re.findall(r'href="([^"]+)"', navigation)
    )


def test_a_diagram_is_shown_as_its_text(site: Path) -> None:
    diagram = re.search(r"```mermaid\n(.*?)\n", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert diagram is not None
    assert diagram[1] in (site / "repository" / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("link", ["none.md", "here.md#no-heading", "/here.md"])
def test_a_broken_link_fails_the_build(tmp_path: Path, link: str) -> None:
    for folder in ("adr", "explanation", "how-to", "reference", "tutorial"):
        (tmp_path / "docs" / folder).mkdir(parents=True)
        (tmp_path / "docs" / folder / "page.md").write_text("# Page\n")
    (tmp_path / "README.md").write_text("# Read me\n")
    (tmp_path / "docs" / "here.md").write_text("# Here\n")
    (tmp_path / "docs" / "index.md").write_text(f"# Index\n\n[a](../README.md) [b]({link})\n")
    for file in ("mkdocs.yml", "docs/site.py"):
        (tmp_path / file).write_bytes((ROOT / file).read_bytes())

    built = build(tmp_path, tmp_path / "site")

    assert (built.returncode, link in built.stderr) == (1, True)
