"""Calls are watched from outside: hangs of every kind end, and a busy machine is no fault of a module."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from building import written
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from module_use import LINE
from ruamel.yaml import YAML

from symgrad.cli import main
from symgrad.errors import NoVerdictError
from symgrad.isolation.call_watch import BUSY, CallEnd, Tally
from symgrad.isolation.client import Limits, ModuleProcess
from symgrad.isolation.looks import About, Look, _by_command, _seconds, look
from symgrad.verifier.trials.subject import FaultError

if TYPE_CHECKING:
    from collections.abc import Callable

HANGS = {
    "loops": ("while True: pass", "did not return within 1 s of computing; --time-limit"),
    "loops unheard": (
        "import signal; signal.signal(signal.SIGPROF, signal.SIG_IGN)\n    while True: pass",
        "did not return within 1 s of computing",
    ),
    "loops in a thread": (
        "import threading; t = threading.Thread(target=list, args=(iter(int, 1),)); t.start(); t.join()",
        "did not return within 1 s of computing",
    ),
    "sleeps": ("import time; time.sleep(1e9)", "did not return: it waited for 1 s; --time-limit"),
    "naps": ("import time\n    while True: time.sleep(0.01)", "did not return: it waited for 1 s"),
    "waits for itself": (
        "import threading; lock = threading.Lock(); lock.acquire(); lock.acquire()",
        "did not return: it waited for 1 s",
    ),
    "closes the line": (
        "import os, time; os.closerange(3, 20); time.sleep(1e9)",
        "did not return: it waited for 1 s",
    ),
    "stops": (
        "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)",
        "did not return: its process was stopped for 1 s",
    ),
}
WORKS = "import time\n    while time.process_time() < 30: pass"
posix = pytest.mark.skipif(os.name != "posix", reason="this system does not show what a process is about")


def with_predict(body: str, folder: Path) -> Path:
    """A module whose predict does this."""
    head = "def predict(params, x):\n"
    folder.mkdir(exist_ok=True)
    return written(LINE, folder, lambda text: text.replace(head, f"{head}    {body}\n"))


def called(file: Path, seconds: float = 1.0) -> str:
    """What is said of a call of predict that finds no end."""
    process = ModuleProcess(str(file), Limits(seconds, 2**33, is_compiled=False))
    process.start()
    try:
        with pytest.raises(FaultError) as fault:
            process.call(0, "predict", (None, None), {})
    finally:
        process.close()
    return str(fault.value)


@posix
def test_hangs_of_every_kind_end_and_are_said(tmp_path: Path) -> None:
    files = [with_predict(body, tmp_path / name) for name, (body, _) in HANGS.items()]
    start = time.monotonic()
    with ThreadPoolExecutor(len(files)) as pool:
        said = list(pool.map(called, files))
    for words, (_, due) in zip(said, HANGS.values(), strict=True):
        assert words.startswith(f"predict {due}")
    assert time.monotonic() - start < BUSY


@posix
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            WORKS,
            r"was given \d.\d s of computing in \d s: the machine is too busy to judge it; judge it when",
        ),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "the process was killed from outside in"),
    ],
    ids=["starves", "is killed"],
)
def test_what_the_machine_does_is_no_verdict(
    body: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("symgrad.isolation.call_watch.BUSY", 0.05)
    process = ModuleProcess(str(with_predict(body, tmp_path)), Limits(20.0, 2**33, is_compiled=False))
    process.start()
    try:
        for _ in range(2):  # it is not tried again
            with pytest.raises(NoVerdictError, match=words):
                process.call(0, "predict", (None, None), {})
    finally:
        process.close()


@posix
def test_the_command_has_an_exit_code_for_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    spec = tmp_path / "line.yaml"
    with spec.open("w", encoding="utf-8") as stream:
        YAML(typ="safe").dump(LINE, stream)
    path = with_predict("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", tmp_path)
    run = CliRunner().invoke(main, ["verify", str(spec), "--module", str(path), "--points", "1"])
    assert run.exit_code == 75
    assert "killed from outside in predict" in run.stderr


ABOUT = st.sampled_from(["computing", "waiting", "stopped"])
QUARTERS = st.integers(0, 8).map(lambda n: n / 4)


@given(st.lists(st.tuples(QUARTERS, QUARTERS, ABOUT, st.integers(1, 2)), max_size=60))
def test_a_module_is_to_blame_for_its_own_time_alone(looks: list[tuple[float, float, About, int]]) -> None:
    """Of any looks at two processes: what one has computed between two looks at it, and seconds without."""
    tally, clock = Tally(limit=5.0), 0.0
    for seconds, used, about, pid in looks:
        clock += used
        tally = tally.after(seconds, Look(pid, 100 * pid + clock, about))
    alike = zip([0, *(pid for *_, pid in looks)], looks, strict=False)
    computed = sum(used for before, (_, used, _, pid) in alike if before == pid)
    waited = sum(seconds for seconds, _, about, _ in looks if about != "computing")
    assert (tally.ending is not None and tally.ending.is_fault) == (computed > 6 or waited > 5)


def test_who_is_given_no_core_is_not_to_blame_however_long() -> None:
    tally, steps = Tally(limit=20.0), 0
    while tally.ending is None:
        steps += 1
        tally = tally.after(1.0, Look(1, 0.009 * steps, "computing"))
    assert tally.ending is CallEnd.STARVED
    assert steps == BUSY * 20 + 1


def test_where_nothing_is_shown_nothing_is_known() -> None:
    tally = Tally(limit=2.0)
    for _ in range(21):
        assert tally.ending is None
        tally = tally.after(0.5, None)
    assert tally.ending is CallEnd.UNSEEN
    assert not tally.ending.is_fault


@posix
@pytest.mark.parametrize("by", [look, _by_command])
def test_a_process_is_seen_computing_and_waiting(by: Callable[[int], Look | None]) -> None:
    def seen(program: str) -> Look | None:
        with subprocess.Popen([sys.executable, "-c", program]) as process:
            time.sleep(1.0)
            found = by(process.pid)
            process.kill()
        return found

    works, sleeps = seen("while True: pass"), seen("import time; time.sleep(60)")
    assert works is not None
    assert sleeps is not None
    assert (works.about, sleeps.about) == ("computing", "waiting")
    assert works.computed >= sleeps.computed
    assert by(2**22 + 1) == Look(2**22 + 1, 0.0, "waiting"), "it is not there"


@pytest.mark.parametrize(
    ("time", "seconds"), [("00:00:07", 7), ("1-02:03:04", 93784), ("2:03.45", 123.45), ("0:00.01", 0.01)]
)
def test_times_of_ps(time: str, seconds: float) -> None:
    assert _seconds(time) == pytest.approx(seconds)
