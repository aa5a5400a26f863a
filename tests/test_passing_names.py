"""What killed ranks leave in the folder for temporary files goes when others begin, and nothing else does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from thread_ranks import TalkingRank, on_ranks

from symgrad.ranks import passing_names
from symgrad.ranks.passing_names import HELD, PREFIX, YOUNG, held_folder, is_free, remove_left
from symgrad.ranks.watched_ranks import _board

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="ranks are begun on Linux and macOS alone")


class Node(TalkingRank):
    """The ranks of one machine, as far as they are asked."""

    def bcast(self, given: object) -> object:
        return self.allgather(given)[0]


HOLDER = """
import sys, tempfile, time
from pathlib import Path
from symgrad.ranks.made_once import _opened
from symgrad.ranks.passing_names import PREFIX, held_folder
tempfile.tempdir = sys.argv[1]
with held_folder() as folder, _opened(Path(sys.argv[1], PREFIX + "0123")):
    print(folder, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def old(path: Path) -> Path:
    """Made long ago."""
    then = time.time() - 2 * YOUNG
    os.utime(path, (then, then))
    return path


def there(place: Path) -> set[str]:
    return set(os.listdir(place))


def test_names_of_processes_that_were_killed_are_removed_once_they_are(
    place: Path, request: pytest.FixtureRequest
) -> None:
    command = [sys.executable, "-c", HOLDER, str(place)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    request.addfinalizer(running.kill)
    assert running.stdout is not None
    folder, file = Path(running.stdout.readline().strip()), place / f"{PREFIX}0123"
    assert there(place) == {folder.name, file.name}
    old(folder), old(file)
    remove_left()
    assert there(place) == {folder.name, file.name}, "somebody has them"
    assert not is_free(folder / HELD)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    assert there(place) == {folder.name, file.name}
    assert is_free(folder / HELD)
    remove_left()
    assert there(place) == set()


def test_nothing_else_is_removed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    young, other = place / f"{PREFIX}young", place / "symgrad-other"
    for path in (young, other, place / f"{PREFIX}left"):
        path.touch()
    old(other), old(place / f"{PREFIX}left")
    (place / f"{PREFIX}link").symlink_to(place)
    kept = {young.name, other.name, f"{PREFIX}link"}
    with monkeypatch.context() as patch:
        patch.setattr(passing_names.os, "getuid", lambda: -1)
        remove_left()
        assert there(place) == {*kept, f"{PREFIX}left"}, "they are another user's"
    remove_left()
    assert there(place) == kept
    (place / f"{PREFIX}begun").mkdir()  # killed before it held anything in it
    old(place / f"{PREFIX}begun")
    remove_left()
    assert there(place) == kept


def test_ranks_that_meet_remove_what_was_left_and_leave_nothing(place: Path) -> None:
    old_names = [f"{PREFIX}{number}" for number in range(3)]
    for name in old_names:
        (place / name).touch()
        old(place / name)
    boards = on_ranks(2, lambda rank: _board(Node(rank.rank, rank.board, rank.barrier)))
    assert there(place) == set()
    boards[0][0, 0] = 5
    assert boards[1][0, 0] == 5
    with held_folder() as folder:
        assert there(place) == {folder.name}
    assert there(place) == set()
