"""Drive the console in headless Chromium: `make console-test`.

Runs in a virtual environment of its own, which has the driver and nothing of this project. The console is a child
process in the environment of development, with messages of every kind. The screenshots are for a person to look at.
"""

import re
import subprocess
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page, sync_playwright

from tests.console.browser import find_browser

ROOT: Final = Path(__file__).parents[2]
PICTURES: Final = ROOT / ".local" / "console"

SMALL: Final = {"width": 360, "height": 740}
WIDE: Final = {"width": 1200, "height": 800}
PATHS: Final = {
    "messages": "/",
    "filtered": "/?status=open",
    "story": "/messages/refused-1",
    "failover": "/messages/failover-1",
    "charts": "/charts",
    "letters": "/dead-letters",
}
MAX_TABS: Final = 80
"""The most presses of Tab to an element of a page."""
WAIT_MILLISECONDS: Final = 30_000


def press_tab_to(page: Page, matches: str) -> None:
    """Press Tab until an element that matches a selector has the focus. Each element on the way must show its focus."""
    for _ in range(MAX_TABS):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        outline = focused.evaluate("each => getComputedStyle(each).outlineStyle")
        assert outline != "none", f"no visible focus on the way to {matches}"
        if focused.evaluate("(each, matches) => each.matches(matches)", matches):
            return
    raise AssertionError(f"{matches} cannot be reached with Tab")


def check_keyboard(page: Page, address: str) -> None:
    """Filter the list, open a message and come back, without a mouse."""
    page.goto(address)
    press_tab_to(page, ".skip")
    page.keyboard.press("Enter")
    press_tab_to(page, "#status")
    page.keyboard.type("failed")
    press_tab_to(page, "form[aria-label=Filter] button")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("status=failed"))
    assert page.locator("tbody tr").count() == 1
    press_tab_to(page, "tbody a")
    page.keyboard.press("Enter")
    page.wait_for_url("**/messages/refused-1")
    assert "<script>alert(1)</script>" in page.locator("blockquote").inner_text()
    page.go_back()  # headless Chromium has no key for it
    page.wait_for_url(re.compile("status=failed"))
    press_tab_to(page, "#id")
    page.keyboard.type("failover-1")
    page.keyboard.press("Enter")
    page.wait_for_url("**/messages/failover-1")
    press_tab_to(page, ".back a")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/")


def check_updates(page: Page, address: str) -> None:
    """Read news without a reload, a lost focus, a moved page or a lost word in a field; and stop if a person asks."""
    page.goto(address)
    page.evaluate("window.isSame = true")
    page.fill("#id", "half a wor")
    page.locator("tbody tr:nth-child(30) a").focus()
    focused = page.evaluate("document.activeElement.id")
    before = page.evaluate("document.activeElement.getBoundingClientRect().top")
    first = page.locator("tbody tr").first.get_attribute("id")
    page.wait_for_function("first => document.querySelector('tbody tr').id !== first", arg=first)
    assert page.evaluate("document.activeElement.id") == focused
    after = page.evaluate("document.activeElement.getBoundingClientRect().top")
    assert abs(after - before) < 2, f"the focused row moved by {after - before} pixels"
    assert page.evaluate("window.isSame")
    assert page.input_value("#id") == "half a wor"
    press_tab_to(page, "#pause")
    page.keyboard.press("Space")
    read_at = page.locator("#read-at").inner_text()
    page.wait_for_timeout(7_000)
    assert page.locator("#read-at").inner_text() == read_at


def check_end(page: Page, address: str, end: Callable[[], None]) -> None:
    """Say so on the page when the console has ended."""
    page.goto(address)
    end()
    page.wait_for_selector("#problem:not([hidden])")
    assert "The console does not answer." in page.locator("#problem").inner_text()


def look_at_all(browser: Browser, address: str, complaints: list[str]) -> None:
    """Open every page at each size and in each scheme, and keep a picture."""
    for name, size, scheme in (("wide", WIDE, "light"), ("dark", WIDE, "dark"), ("small", SMALL, "light")):
        with new_page(browser, complaints, viewport=size, color_scheme=scheme) as page:
            for label, path in PATHS.items():
                page.goto(address + path)
                for details in page.locator("details").all():
                    details.evaluate("each => each.open = true")
                page.screenshot(path=PICTURES / f"{label}-{name}.png", full_page=label != "messages")
                width = page.evaluate("document.documentElement.scrollWidth")
                assert width <= size["width"], f"{path} is {width} pixels wide on a screen of {size['width']}"


@contextmanager
def new_page(browser: Browser, complaints: list[str], **options: Any) -> Iterator[Page]:
    """Yield a page. Its errors, and requests that leave this computer, are complaints."""
    with browser.new_context(**options) as context:
        page = context.new_page()
        page.set_default_timeout(WAIT_MILLISECONDS)
        page.on("console", lambda line: complaints.append(f"{line.type}: {line.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: complaints.extend(elsewhere(request.url)))
        yield page


def elsewhere(url: str) -> list[str]:
    return [] if urllib.parse.urlsplit(url).hostname == "127.0.0.1" else [f"a request to {url}"]


def main() -> None:
    executable = find_browser()
    PICTURES.mkdir(parents=True, exist_ok=True)
    server = subprocess.Popen(
        [ROOT / ".venv" / "bin" / "python", "-m", "tests.console.serve"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    complaints: list[str] = []
    with server, sync_playwright() as driver:
        address = server.stdout.readline().strip()
        browser = driver.chromium.launch(executable_path=executable)
        try:
            for check in (check_keyboard, check_updates):
                with new_page(browser, complaints, viewport=WIDE) as page:
                    check(page, address)
                print(f"{check.__name__}: passed", flush=True)
            look_at_all(browser, address, complaints)
            assert not complaints, complaints
            with new_page(browser, [], viewport=WIDE) as page:
                check_end(page, address, server.kill)
        finally:
            server.kill()
            browser.close()
    print(f"The console works in Chromium. Pictures: {PICTURES.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
