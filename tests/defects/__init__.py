"""Known defects of programs that send messages, and the proof that the tests and the simulation find each of them."""

import sys

from local.stack.config import ROOT

sys.path.insert(0, str(ROOT / "layers" / "sampai"))
