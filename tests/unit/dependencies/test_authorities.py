"""The layer has a folder in which OpenSSL finds each authority by its name."""

import runpy
import shutil
from ipaddress import ip_address
from pathlib import Path

import certifi
import pytest
from cryptography import x509

from sampai.adapters.transport import HttpTransport
from tests.covers import covers
from tests.servers import OK, OK_RESPONSE, PATIENCE, Authority, answers, never_sent, post, serving
from tests.template import ROOT

split = runpy.run_path(str(ROOT / "layers" / "dependencies" / "authorities.py"))["split"]

LOOPBACK = x509.IPAddress(ip_address("127.0.0.1"))

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


def test_every_certificate_of_the_bundle_has_a_file(tmp_path: Path) -> None:
    split(Path(certifi.where()), tmp_path / "authorities")

    files = [path.read_text() for path in (tmp_path / "authorities").iterdir()]
    assert len(files) > 100
    assert sorted(files) == sorted(
        f"-----BEGIN CERTIFICATE-----{part.partition('-----END')[0]}-----END CERTIFICATE-----\n"
        for part in Path(certifi.where()).read_text().split("-----BEGIN CERTIFICATE-----")[1:]
    )


@covers("V1")
def test_only_servers_of_an_authority_in_the_folder_are_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, stranger = (Authority(_folder(tmp_path / name)) for name in ("known", "stranger"))
    bundle = tmp_path / "cacert.pem"
    split(known.bundle, tmp_path / "authorities")
    monkeypatch.setattr(certifi, "where", lambda: str(bundle))
    transport = HttpTransport()

    results = []
    for authority in (known, stranger):
        with serving(answers(OK), authority.server_context(LOOPBACK)) as server:
            results.append(transport.call(post(f"https://127.0.0.1:{server.port}/"), deadline_seconds=PATIENCE))
    transport.close()

    assert results == [OK_RESPONSE, never_sent("TLS failed")]


def test_authorities_of_the_same_name_are_numbered(tmp_path: Path) -> None:
    twins = [Authority(_folder(tmp_path / name)).bundle.read_text() for name in ("one", "other")]
    bundle = tmp_path / "cacert.pem"
    bundle.write_text("".join(twins))

    split(bundle, tmp_path / "authorities")

    paths = sorted((tmp_path / "authorities").iterdir())
    assert [path.suffix for path in paths] == [".0", ".1"]
    assert [path.read_text() for path in paths] == twins


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
