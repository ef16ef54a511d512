"""The places of the trusted authorities."""

from pathlib import Path

import certifi
import pytest

from sampai.adapters.authorities import locations


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    path = str(tmp_path / "cacert.pem")
    monkeypatch.setattr(certifi, "where", lambda: path)
    return path


def test_the_folder_beside_the_bundle_takes_its_place(bundle: str, tmp_path: Path) -> None:
    folder = tmp_path / "authorities"
    folder.mkdir()

    assert [locations(), locations(bundle)] == [{"capath": str(folder)}] * 2


def test_without_a_folder_the_bundle_is_read(bundle: str) -> None:
    assert [locations(), locations(bundle)] == [{"cafile": bundle}] * 2


def test_another_bundle_is_read_even_beside_the_folder(bundle: str, tmp_path: Path) -> None:
    (tmp_path / "authorities").mkdir()

    assert locations("/other.pem") == {"cafile": "/other.pem"}
