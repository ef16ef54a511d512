"""Commands about one phone number or e-mail address.

The layer is on the path, because they read and write as the product does.
"""

import sys

from local.stack.config import ROOT

sys.path.insert(0, str(ROOT / "layers" / "sampai"))
