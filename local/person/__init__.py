"""Commands about one phone number. The layer is on the path, because they read and write as the product does."""

import sys

from local.stack.config import ROOT

sys.path.insert(0, str(ROOT / "layers" / "sampai"))
