"""The authorities that servers' certificates are verified with: those of certifi."""

from pathlib import Path
from typing import Any

import certifi


def locations(bundle: str | None = None) -> dict[str, Any]:
    """Return arguments for `SSLContext.load_verify_locations`: those of a bundle, by default certifi's.

    The layer has certifi's authorities in a folder, too. OpenSSL reads the bundle at once, which takes longer than many
    calls, and a file of the folder when a server's certificate names that authority.
    """
    folder = Path(certifi.where()).with_name("authorities")
    if bundle in (None, certifi.where()) and folder.is_dir():
        return {"capath": str(folder)}
    return {"cafile": bundle or certifi.where()}
