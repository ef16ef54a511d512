"""Benchmarks: calls, time, memory and money, measured next to baselines in the same run.

`make bench` prints the results with their minimums and goals. `make cost` computes the cost in dollars, `make scale`
simulates high rates.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "layers" / "sampai"))
