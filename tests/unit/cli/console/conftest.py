"""The pages of the fake stack, read like a browser does, and as the text that a person sees."""

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from flask.testing import FlaskClient

from sampai_cli.console.app import new_app
from sampai_cli.console.reader import Reader
from sampai_cli.stack import Stack
from tests.fakes import START
from tests.harness.stories import fill
from tests.unit.cli.conftest import World

INLINE = frozenset("a span strong time code option".split())
IN_A_ROW = frozenset("th td dt dd".split())
HIDDEN = frozenset("script noscript title datalist".split())


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in HIDDEN
        self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in HIDDEN
        self._break(tag)

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.text += re.sub(r"\s+", " ", data)

    def _break(self, tag: str) -> None:
        self.text += "" if tag in INLINE else " | " if tag in IN_A_ROW else "\n"


def visible(html: str) -> list[str]:
    """Return the lines of the main part of a page, as a person sees them. Cells have ` | ` between them."""
    parser = _Text()
    parser.feed(html.partition("<main")[2].partition(">")[2].partition("</main>")[0])
    lines = (re.sub(r"( \|)+ ", " | ", re.sub(r"\s+", " ", line)).strip(" |") for line in parser.text.split("\n"))
    return [line for line in lines if line]


def browser(stack: Stack) -> FlaskClient:
    """Return a client of the console of a stack. Its clock stands at START."""
    app = new_app(Reader(lambda: stack), stack_name=stack.name, clock=lambda: START)
    return app.test_client()


@pytest.fixture
def stack(world: World) -> Stack:
    fill(world.stack, now=START)
    return world.stack


@pytest.fixture
def page(stack: Stack) -> Callable[[str], list[str]]:
    """Return a function that reads the text of a page."""
    client = browser(stack)

    def read(path: str) -> list[str]:
        answer = client.get(path)
        assert answer.status_code == 200
        return visible(answer.text)

    return read
