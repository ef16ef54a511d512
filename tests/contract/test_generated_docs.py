"""The generated pages agree with the code."""

import pytest

from docs import generate


def test_generated_pages_are_up_to_date() -> None:
    assert generate.stale() == []


def test_the_same_code_gives_the_same_pages() -> None:
    assert generate.pages() == generate.pages()


def test_check_names_stale_pages_and_writing_updates_them(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = tmp_path_factory.mktemp("reference")
    monkeypatch.setattr(generate, "REFERENCE", reference)
    generate.main([])
    (reference / "statuses.md").write_text("# Statuses\n")
    (reference / "schemas" / "fax.json").write_text("{}\n")
    (reference / "schemas" / "settings.json").unlink()

    assert generate.main(["--check"]) == 1
    assert [line.split()[1] for line in capsys.readouterr().err.splitlines()] == [
        "docs/reference/schemas/fax.json",
        "docs/reference/schemas/settings.json",
        "docs/reference/statuses.md",
    ]

    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    assert not (reference / "schemas" / "fax.json").exists()


def test_an_unknown_argument_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--chekc"]) == 2
    assert "usage" in capsys.readouterr().err
