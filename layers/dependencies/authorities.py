"""Write each authority of certifi into a file of its own, named as OpenSSL looks for it: `3513523f.0`.

Usage: python authorities.py <layer's python folder>
OpenSSL takes 28 ms of CPU to read the bundle. It reads a file of such a folder only when a server's certificate names
that authority. Without the program `openssl` no folder is written, and the functions read the bundle.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path


def split(bundle: Path, folder: Path) -> None:
    """Write the certificates of a bundle into a new folder, as `openssl rehash` would link them."""
    folder.mkdir()
    certificates = re.findall(
        "-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n", bundle.read_text(), re.DOTALL
    )
    for certificate in certificates:
        command = ["openssl", "x509", "-noout", "-subject_hash"]
        name = subprocess.run(command, input=certificate, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603 - the command is ours
        (folder / f"{name}.{len(list(folder.glob(f'{name}.*')))}").write_text(certificate)


if __name__ == "__main__":
    certifi = Path(sys.argv[1]) / "certifi"
    if shutil.which("openssl"):
        split(certifi / "cacert.pem", certifi / "authorities")
    else:
        print("No openssl found, so a cold start reads the whole CA bundle", file=sys.stderr)
