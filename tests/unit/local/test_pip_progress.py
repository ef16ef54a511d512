"""The lines that show how far an installation is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local import pip_progress

# The words of pip 23.2 and 25.3, in this order.
OUTPUT = """\
Looking in indexes: https://pypi.org/simple
Ignoring colorama: markers 'sys_platform == "win32"' don't match your environment
Collecting attrs==26.1.0 (from -r requirements/dev.txt (line 3))
  Downloading attrs-26.1.0-py3-none-any.whl (455 kB)
Collecting botocore==1.43.106 (from -r requirements/dev.txt (line 9))
  Downloading botocore-1.43.106-py3-none-any.whl.metadata (5.7 kB)
Downloading botocore-1.43.106-py3-none-any.whl (14.2 MB)
Collecting h11==0.16.0 (from -r requirements/dev.txt (line 12))
  Using cached h11-0.16.0-py3-none-any.whl (37 kB)
Processing /opt/wheels/six-1.17.0-py2.py3-none-any.whl (from -r requirements/dev.txt (line 14))
Requirement already satisfied: setuptools==65.5.0 in ./.venv/lib (from -r requirements/dev.txt (line 16)) (65.5.0)
Installing collected packages: six, h11, botocore, attrs
Successfully installed attrs-26.1.0 botocore-1.43.106 h11-0.16.0 six-1.17.0
"""


def lines(seconds_per_line: float) -> list[str]:
    now = 0.0

    def output() -> Iterator[str]:
        nonlocal now
        for line in OUTPUT.splitlines(keepends=True):
            now += seconds_per_line
            yield line

    return list(pip_progress.progress(output(), packages=6, clock=lambda: now))


ENDS = ["5 of 5 packages, 15 MB downloaded; now unpacking, about a minute ..."]


def test_slow_installation_shows_packages_and_megabytes_and_each_large_file() -> None:
    assert lines(1.0) == [
        "1 of 5 packages, 0 MB downloaded",
        "downloading botocore-1.43.106-py3-none-any.whl, 14 MB",
        "2 of 5 packages, 15 MB downloaded",
        "3 of 5 packages, 15 MB downloaded",
        "5 of 5 packages, 15 MB downloaded",
        *ENDS,
        "installed after 13 s",
    ]


def test_quick_installation_is_not_a_line_for_each_package() -> None:
    assert lines(0.1) == ["downloading botocore-1.43.106-py3-none-any.whl, 14 MB", *ENDS, "installed after 1 s"]


@pytest.mark.parametrize(("status", "explained"), [(0, ""), (1, "ERROR: no such package\n")])
def test_status_is_that_of_pip_and_a_failure_is_explained(
    status: int, explained: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("attrs==26.1.0\n")
    program = (
        f"import sys; print('Processing a.whl'); print('ERROR: no such package', file=sys.stderr); sys.exit({status})"
    )

    assert pip_progress.main(["-c", program, str(lock)]) == status

    shown = capfd.readouterr()
    assert (shown.out, explained in shown.err, bool(shown.err)) == ("", True, bool(status))
