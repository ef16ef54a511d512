"""Check a deployed stage, without a vendor. The layer is on the path, for the smoke test writes as the product does."""

import sys

from local.stack.config import ROOT

sys.path.insert(0, str(ROOT / "layers" / "sampai"))
