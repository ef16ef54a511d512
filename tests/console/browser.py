"""The browser of this computer: `python -m tests.console.browser` exits with 3 if there is none."""

import shutil
import sys
from typing import Final

NAMES: Final = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
MISSING: Final = 3


def find_browser() -> str:
    """Return the path of Chromium. End the program with a sentence if there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        print("make console-test needs Chromium: install the package `chromium` of Debian or Ubuntu.", file=sys.stderr)
        sys.exit(MISSING)
    return found


if __name__ == "__main__":
    find_browser()
