"""Trainings on ranks for tests: begun, watched, and the processes that they are."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
ENVIRONMENT = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
SPEC = """
name: killed
dtype: float64
inputs: {x: [batch, 3]}
targets: {t: [batch, 1]}
layers: ["dense(4, activation=tanh)", dense(1)]
loss: mse
train: {data: rows.csv, batch_size: 8, epochs: %d, validation: 0.2, optimizer: adam, checkpoint: {epochs: 1}}
"""
ENDS_WITHIN = 20.0
"""Seconds, on a machine that is busy with other tests."""


def prepared(folder: Path, epochs: int) -> Path:
    """A spec with its data."""
    rows = [",".join(str(((7 * n + 3 * k) % 11) / 11) for k in range(4)) for n in range(40)]
    (folder / "rows.csv").write_text("\n".join(["a,b,c,t", *rows]))
    (folder / "killed.yaml").write_text(SPEC % epochs)
    return folder / "killed.yaml"


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "symgrad", "train", *map(str, arguments)]


def begun(folder: Path, *arguments: object) -> subprocess.Popen[str]:
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command(*arguments), cwd=folder, env=ENVIRONMENT, **pipes)


def children(process: int) -> list[int]:
    """The processes that a process has begun, as Linux tells it."""
    tasks = Path(f"/proc/{process}/task")
    try:
        return [int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()]
    except OSError:
        return []


def ranks_of(launcher: int) -> list[int]:
    """The processes of the ranks, in the order in which mpiexec began them."""
    return sorted(rank for mpiexec in children(launcher) for rank in children(mpiexec))


def is_there(process: int) -> bool:
    """Whether a process runs still: one that nobody has asked after yet does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_until(condition: Any, seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.02)


def epochs_kept(run: Path) -> list[int]:
    return sorted(int(file.stem[6:]) for file in (run / "checkpoints").glob("epoch-*.npz"))
