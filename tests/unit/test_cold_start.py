"""Work that a cold start must not do."""

import subprocess
import sys

import pytest

from tests.template import ROOT

PROBE = """\
import sys
sys.path[:0] = ['layers/sampai', 'functions/{}']
import app, gc
print(gc.get_stats()[0]['collections'])
"""


@pytest.mark.parametrize("function", ["send", "webhook", "follow_up", "monitor", "publish", "callback"])
def test_the_imports_of_a_function_collect_no_garbage(function: str) -> None:
    probe = PROBE.format(function)

    printed = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    # A few are those of Python's own start.
    assert int(printed) < 20
