"""The hooks of mkdocs. They keep the links that work on GitHub: to folders, and to files outside `docs`."""

import re
from collections.abc import Iterator
from os.path import relpath
from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.nav import Navigation, Section
from mkdocs.structure.pages import Page
from pymdownx.slugs import slugify

ROOT: Final = Path(__file__).resolve().parents[1]
OUTSIDE: Final = "repository"
"""The folder of the site that holds the linked files from outside `docs`."""

SECTIONS: Final = {
    "tutorial": "Learn",
    "how-to": "Do",
    "reference": "Look up",
    "explanation": "Understand",
    "adr": "Decisions",
    OUTSIDE: "The repository",
}
"""The titles of the folders, in the order of the navigation."""

_LINK: Final = re.compile(r"(?<=\]\()([^()\s#]+)(?=[#)])")


def on_config(config: MkDocsConfig) -> None:
    """Give headings the anchors that GitHub gives them."""
    config.mdx_configs["toc"]["slugify"] = slugify(case="lower")


def on_files(files: Files, *, config: MkDocsConfig) -> None:
    """Add the linked files from outside `docs`, and a list of its files for each linked folder."""
    pending = [ROOT / "docs" / file.src_uri for file in files.documentation_pages()]
    while pending:
        page = pending.pop()
        for target in _targets(page):
            if (added := _add(target, files, config)) and target.suffix == ".md":
                pending.append(target)
            for entry in _entries(target) if added else ():
                _add(entry, files, config)


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return the text of a page with links to the places of the files in the site."""
    here = _path(page.file.src_uri)

    def to_site(link: re.Match[str]) -> str:
        target = _resolve(here, link[1])
        return relpath(_uri(target), Path(page.file.src_uri).parent) if target else link[1]

    return _LINK.sub(to_site, markdown)


def on_nav(nav: Navigation, *, config: MkDocsConfig, files: Files) -> None:
    """Put the sections in order and name them. Their pages are in the order of their file names."""
    titles = {folder.replace("-", " ").capitalize(): title for folder, title in SECTIONS.items()}
    sections = {item.title: item for item in nav.items if isinstance(item, Section)}
    nav.items[:] = [item for item in nav.items if item.title not in titles]
    for folder, title in titles.items():
        sections[folder].title = title
        nav.items.append(sections[folder])


def _add(target: Path, files: Files, config: MkDocsConfig) -> bool:
    """Add a file, or the page that lists a folder. Return whether it was missing."""
    uri = _uri(target)
    if files.get_file_from_path(uri) is not None:
        return False
    if target.is_dir():
        lines = [f"# {target.name}", "", *(f"- [{entry.name}]({entry.name})" for entry in _entries(target))]
        files.append(File.generated(config, uri, content="\n".join(lines), inclusion=InclusionLevel.NOT_IN_NAV))
    else:
        files.append(File.generated(config, uri, abs_src_path=str(target)))
    return True


def _entries(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_file()) if folder.is_dir() else []


def _targets(page: Path) -> Iterator[Path]:
    for link in _LINK.findall(page.read_text(encoding="utf-8")):
        if target := _resolve(page, link):
            yield target


def _resolve(page: Path, link: str) -> Path | None:
    """Return the file or folder of the repository that a link leads to, or None for another link."""
    target = (page.parent / link).resolve()
    return target if ":" not in link and target.exists() and target.is_relative_to(ROOT) else None


def _uri(target: Path) -> str:
    """Return the path in the site of a file or folder of the repository."""
    inside = target.relative_to(ROOT)
    uri = inside.relative_to("docs") if inside.parts[0] == "docs" else Path(OUTSIDE) / inside
    return (uri / "index.md" if target.is_dir() else uri).as_posix()


def _path(uri: str) -> Path:
    """Return the place in the repository of a path in the site."""
    first, *rest = Path(uri).parts
    return ROOT.joinpath(*rest) if first == OUTSIDE else ROOT / "docs" / uri
