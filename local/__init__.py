"""The local stack: runs Sampai on one computer, without an AWS account and without accounts at vendors.

The layer and the tool are on the path, because parts of this package write as the product does.
"""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in ("layers/sampai", "cli")]
