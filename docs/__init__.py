"""Makes `python -m docs.generate` find the product's own layer."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "layers" / "sampai"))
