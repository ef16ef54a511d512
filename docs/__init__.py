"""Makes `python -m docs.generate` find the product's own layer and tool."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in ("layers/sampai", "cli")]
