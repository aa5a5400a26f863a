"""Trainings and writers at once: nothing is mixed, and whoever is killed leaves nothing in the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

import symgrad as sg
from symgrad.errors import DataError
from symgrad.files import replace_file
from symgrad.training.run_folder import run_folder

if TYPE_CHECKING:
    from pathlib import Path

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows does not keep others out")
HOLD = """
import sys, time
from pathlib import Path
from symgrad.training.run_folder import run_folder
with run_folder(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@posix
def test_a_folder_is_trained_into_once_at_a_time_and_free_when_its_process_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "one"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        with (
            pytest.raises(DataError, match="another training or sweep writes into this folder"),
            run_folder(folder),
        ):
            pass
        with run_folder(tmp_path / "runs" / "two"):
            other.kill()
            other.wait()
        with run_folder(folder), run_folder(folder) as again:
            assert again == folder
    assert list(folder.iterdir()) == []


def test_what_no_folder_can_be_called_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be made: .*null"), run_folder(tmp_path / "a\0b"):
        pass


@posix
def test_threads_are_kept_apart_too(tmp_path: Path) -> None:
    refused = []

    def train() -> None:
        try:
            with run_folder(tmp_path):
                pass
        except DataError as error:
            refused.append(error)

    with run_folder(tmp_path):
        thread = threading.Thread(target=train)
        thread.start()
        thread.join()
    assert len(refused) == 1
    train()
    assert len(refused) == 1


def test_writers_at_once_leave_one_whole_file_with_its_rights(tmp_path: Path) -> None:
    file = tmp_path / "file"
    replace_file(file, b"first")
    file.chmod(0o640)
    contents = [bytes([65 + k]) * 100_000 for k in range(8)]
    threads = [threading.Thread(target=replace_file, args=(file, content)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert file.read_bytes() in contents
    assert file.stat().st_mode & 0o777 == (0o666 if sys.platform == "win32" else 0o640)
    assert list(tmp_path.iterdir()) == [file]
    with pytest.raises(OSError, match="No such"):
        replace_file(tmp_path / "missing" / "file", b"")


SPEC: dict[str, Any] = {
    "name": "line",
    "inputs": {"x": ["n", 1]},
    "targets": {"t": ["n", 1]},
    "layers": ["dense(1)"],
    "loss": "mse",
    "train": {"data": "rows.csv", "epochs": 50},
}
TERMINATED = """
_unwatched = train_epoch

def train_epoch(*arguments, epoch=0, **options):
    import os, signal, time
    if epoch == 3:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    return _unwatched(*arguments, epoch=epoch, **options)
"""


@posix
def test_a_training_that_is_told_to_end_writes_its_last_whole_epoch(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("x,t\n" + "".join(f"{k},{2 * k + 1}\n" for k in range(9)))
    (tmp_path / "line.yaml").write_text(json.dumps(SPEC))
    module = sg.generate(tmp_path / "line.yaml", tmp_path / "line.py")
    module.write_text(module.read_text(encoding="utf-8") + TERMINATED, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "symgrad",
        "train",
        "line.yaml",
        "--module",
        "line.py",
        "--no-verify",
        "-q",
    ]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 130, run.stderr
    folder = tmp_path / "runs" / "line"
    assert sg.load_checkpoint(folder / "checkpoint.npz", module).epoch == 3
    assert len(json.loads((folder / "history.json").read_text())["columns"]["loss"]) == 3
