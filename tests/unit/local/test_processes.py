"""The files of the local stack's servers."""

import time
from pathlib import Path

from local.stack import processes
from local.stack.config import LOCAL


def test_folder_is_away_at_once_and_deleted_in_the_background(tmp_path: Path) -> None:
    LOCAL.mkdir(mode=0o700, exist_ok=True)
    folder = LOCAL / f"{tmp_path.parent.name}-home"
    (folder / "function").mkdir(parents=True)
    (folder / "function" / "code.py").write_text("")

    processes.discard(folder)

    assert not folder.exists()
    while list(processes.TRASH.iterdir()):
        time.sleep(0.01)


def test_folder_that_does_not_exist_is_no_error(tmp_path: Path) -> None:
    processes.discard(tmp_path / "none")
