"""A copy's folder is its own while it lives, and nobody's afterwards."""

import os
import tempfile
import time
from pathlib import Path

import pytest

from infra.local.workplace import BEING_MADE_S, PREFIX, Workplace, sweep


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Temporary folders are made in here, so that no running copy of this machine is in the way."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_in_use_is_left_alone() -> None:
    place = Workplace()
    assert sweep() == []
    assert place.folder.is_dir()
    place.remove()


def test_a_folder_whose_copy_was_killed_is_removed_by_the_next() -> None:
    place = Workplace()
    (place.folder / "tmp").mkdir()
    os.close(place.lock)  # what the kernel does for a process that was killed
    assert sweep() == [place.folder]
    assert not place.folder.exists()


def test_removing_leaves_nothing(elsewhere: Path) -> None:
    place = Workplace()
    (place.folder / "ministack.log").write_text("…", "utf-8")
    place.remove()
    assert list(elsewhere.iterdir()) == []


def test_a_folder_that_is_just_being_made_is_left_alone(elsewhere: Path) -> None:
    being_made = elsewhere / f"{PREFIX}new"
    being_made.mkdir()
    assert sweep() == []
    long_ago = time.time() - BEING_MADE_S - 1
    os.utime(being_made, (long_ago, long_ago))
    assert sweep() == [being_made]


def test_other_peoples_folders_are_not_looked_at(elsewhere: Path) -> None:
    (elsewhere / "something-else").mkdir()
    assert sweep() == []
    assert (elsewhere / "something-else").is_dir()
