"""What the product needs: calls, time, memory and money, measured beside yardsticks in the same run.

`make bench` prints the figures with floor and goal; `make cost` makes dollars of them.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "layers" / "sampai"))
