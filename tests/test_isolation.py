"""Modules in a process of their own: whatever they do there, the judge lives, and says what they did."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from building import written
from click.testing import CliRunner
from module_use import LINE
from ruamel.yaml import YAML

from symgrad.cli import main
from symgrad.errors import ModuleError
from symgrad.isolation import isolated, launching
from symgrad.isolation.client import _ORDINARY, Limits, ModuleProcess
from symgrad.isolation.messages import named, packed, unpacked
from symgrad.isolation.pace import Pace
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.text_checks import text_checks
from symgrad.verifier.trials.subject import FaultError

MODULE = """
import ctypes, os, sys
from typing import NamedTuple
import numpy as np

SPEC_NAME, SPEC_SHA256, SYMGRAD_VERSION, TASK, INPUTS, TARGETS = "made", "0" * 64, "0", "values", ("x",), ()
NETWORK_SHA256 = SPEC_SHA256
DTYPE = np.float32

class Params(NamedTuple):
    W: np.ndarray
    b: np.ndarray

class State(NamedTuple):
    step: np.ndarray

def unflatten(vector):
    return Params(vector[:4].reshape(2, 2), vector[4:])

def flatten(params):
    return params.W.base

def init_params(seed=0):
    return unflatten(np.arange(6, dtype=DTYPE) + seed)

def init_state(params):
    return State(np.zeros(1, np.int64))

def update(params, grads, state):
    params.W.base[:] += 1  # one vector lies under both
    state.step[:] += 2

def forward(params, x):
    print("nothing of this is heard")
    return params.W * x

def predict(params, x):
    ctypes.string_at(0)

def loss(params, x):
    while True:
        pass

def loss_and_grad(params, x):
    os._exit(0)

def train_step(params, state, x):
    sys.exit(0)

def train_epoch(params, state, x):
    return np.ones(2**39, np.uint8).sum()

def fit(x):
    for descriptor in range(3, 9):
        try:
            os.write(descriptor, b"garbage!" * 100)
        except OSError:
            pass

def save(path, params):
    raise OSError

def load(path):
    raise OSError

def verify():
    return object()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "made.py"
    path.write_text(MODULE, encoding="utf-8")
    return path


def fault(door: Any, function: str, *arguments: Any) -> str:
    with pytest.raises(FaultError) as caught:
        door.call(function, *arguments)
    return str(caught.value)


def test_a_module_is_called_without_sympy() -> None:
    code = "import sys, symgrad.isolation.worker; print({'sympy', 'jinja2', 'numba'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"


def test_calls_give_what_the_module_gives(file: Path) -> None:
    with isolated(file) as (door, twin):
        assert (door.facts.dtype, twin.facts.dtype) == (np.float32, np.float64)
        assert door.facts.fields == ("W", "b")
        params = twin.call("init_params", seed=1)
        assert [p.dtype for p in params] == [np.float64] * 2
        np.testing.assert_array_equal(twin.call("forward", params, np.float64(2)), [[2, 4], [6, 8]])
        assert type(twin.call("verify")).__name__ == "object"


@pytest.mark.parametrize("forks", [True, False])
def test_what_cannot_be_made_leaves_no_process(forks: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, "_FORKS", forks and launching._FORKS)
    ends: list[int] = []

    def ended(process: Any) -> None:
        end(process)
        ends.append(process.wait())

    def made() -> Path:
        assert not ends, "they start while the file is made"
        raise ModuleError("there is none")

    end = launching.ended
    monkeypatch.setattr(launching, "ended", ended)
    with pytest.raises(ModuleError, match="there is none"), isolated(made):
        pass
    assert ends[:3] == [-signal.SIGKILL] * 3


@pytest.mark.skipif(not launching._FORKS, reason="processes are not forks of one here")
def test_forks_end_with_whoever_started_them(tmp_path: Path) -> None:
    code = (
        "import os, time; from symgrad.isolation.launching import launched_together as together\n"
        "with together(('nothing',) * 2) as (one, other):\n"
        "    for process in (one, other):\n"
        "        process.stdin.write(b'garbage'); process.stdin.flush()\n"
        "    one.kill()\n"
        "    print(one.wait(), one._forks._parent.pid, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    code_of_one, parent = map(int, answer.stdout.split())
    assert (answer.returncode, code_of_one) == (-signal.SIGKILL, -signal.SIGKILL)
    for _ in range(200):
        if not Path(f"/proc/{parent}").exists():
            return
        time.sleep(0.05)
    pytest.fail("the parent of the forks lives on")


def test_what_a_call_changes_in_place_is_changed_here(file: Path) -> None:
    with isolated(file) as (door, _):
        params = door.call("init_params")
        state = door.call("init_state", params)
        state.step[:] = 5
        door.call("update", params, door.call("init_params"), state)
        np.testing.assert_array_equal(params.W, [[1, 2], [3, 4]])
        np.testing.assert_array_equal(params.b, [5, 6])
        assert state.step == 7


def test_crashes_and_exits_are_told_and_the_process_starts_anew(file: Path) -> None:
    with isolated(file) as (door, twin):
        params, x = door.call("init_params"), np.float32(1)
        assert fault(door, "predict", params, x) == "crashed in predict (signal 11, SIGSEGV)"
        assert fault(door, "loss_and_grad", params, x) == "loss_and_grad ended the process (exit code 0)"
        assert fault(door, "train_step", params, params, x) == "train_step raised SystemExit: 0"
        assert fault(door, "nonsense").startswith("nonsense raised AttributeError")
        started = door.process._process
        assert fault(door, "predict", params, x).startswith("crashed"), "it is not tried again"
        assert door.process._process is started
        assert twin.call("init_params").W[1, 1] == 3


def test_more_memory_than_there_is_is_refused(file: Path) -> None:
    process = ModuleProcess(str(file), Limits(seconds=30, memory=2**31, is_compiled=True))
    process.start()
    try:
        with pytest.raises(FaultError, match=r"train_epoch raised (\w*)MemoryError"):
            process.call(0, "train_epoch", (1, 2, 3), {})
    finally:
        process.end()


def test_a_hang_ends_at_the_limit_and_nothing_is_called_after_it(file: Path) -> None:
    with isolated(file, seconds=2) as (door, _):
        params = door.call("init_params")
        assert fault(door, "loss", params, 1.0).startswith("loss did not return within 2 s of computing;")
        assert fault(door, "init_params") == "not called, as loss did not return within 2 s of computing"


def test_a_call_may_take_as_long_as_those_before_it_let_expect() -> None:
    pace = Pace()
    pace.started(1.5)
    assert pace.limit("predict", 120.0) == 30.0
    pace.took("loss", 4.0)
    assert pace.limit("predict", 120.0) == 80.0, "compiling may take long here"
    pace.took("predict", 0.01)
    assert pace.limit("predict", 120.0) == 5.0
    pace.took("predict", 0.3)
    assert pace.limit("predict", 120.0) == 30.0
    assert pace.limit("predict", 480.0) == 120.0, "a limit that was asked for scales all"
    assert pace.limit("predict", 2.0) == 2.0
    pace.took("predict", 9.0)
    assert pace.limit("predict", 120.0) == 120.0
    pace.started(1.0)
    assert pace.limit("loss", 60.0) == 60.0, "it is compiled anew"


def test_limits_grow_with_the_text(file: Path) -> None:
    with isolated(file, seconds=2) as (door, _):
        assert door.process.limits.seconds == 2
    file.write_text(f"{MODULE}#{'-' * 3 * _ORDINARY}\n", encoding="utf-8")
    with isolated(file, seconds=2) as (door, _):
        assert 5.9 < door.process.limits.seconds < 6.3


def test_garbage_on_the_line_is_told(file: Path) -> None:
    with isolated(file) as (door, _):
        assert fault(door, "fit", 1.0) == "fit answered with garbage"
        assert door.call("init_params").W.shape == (2, 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("raise SystemExit(0)", "cannot be loaded: SystemExit"),
        ("import ctypes; ctypes.string_at(0)", r"crashed in loading it \(signal 11"),
        (MODULE.replace("def verify()", "def other()"), "lacks verify"),
    ],
)
def test_a_module_that_cannot_be_loaded_is_refused(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ModuleError, match=words), isolated(path):
        pass


@pytest.mark.parametrize(
    "value",
    [None, True, 3, 0.1, "text", b"bytes", (1, (2.5, "a")), np.arange(6).reshape(2, 3), np.float32(0.5)],
)
def test_values_arrive_as_they_were_sent(value: Any) -> None:
    np.testing.assert_equal(unpacked(packed(value), named), value)


CRASH = "def predict(params, x):", "def predict(params, x):\n    import ctypes; ctypes.string_at(0)"
HANG = CRASH[0], f"{CRASH[0]}\n    import time; time.sleep(600)"


@pytest.mark.parametrize(
    ("edit", "verdict"),
    [
        (CRASH, "crashed in predict (signal 11, SIGSEGV)"),
        (HANG, "predict did not return: it waited for 4"),  # and more, by as much as the text is long
    ],
)
def test_the_command_gives_a_verdict(
    edit: tuple[str, str], verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    spec = tmp_path / "line.yaml"
    with spec.open("w", encoding="utf-8") as stream:
        YAML(typ="safe").dump(LINE, stream)
    path = written(str(spec), tmp_path, lambda text: text.replace(*edit))
    options = ["--module", str(path), "--json", "--points", "1", "--time-limit", "3"]
    run = CliRunner().invoke(main, ["verify", str(spec), *options])
    assert run.exit_code == 1, run.output
    failed = {c["name"]: c["message"] for c in json.loads(run.stdout)["checks"] if c["verdict"] == "fail"}
    assert failed["predict"].startswith(verdict)
    assert next(iter(failed)) == "predict"


FORWARD = "def forward(params, x):\n"
ESCAPES = "[c for c in ().__class__.__base__.__subclasses__() if c.__name__ == '_wrap_close'][0]"


@pytest.mark.parametrize(
    ("statement", "seconds", "verdict"),
    [
        ("for _ in range(10**15): pass", 2, r"did not return within 2(\.\d+)? s of computing"),
        (f"{ESCAPES}.__init__.__globals__['_exit'](3)", 60, r"ended the process \(exit code 3\)"),
    ],
    ids=["hangs", "ends its process"],
)
def test_parts_of_a_text_are_run_there_too(
    statement: str, seconds: int, verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    monkeypatch.setattr("symgrad.isolation.client.TEXT_SECONDS", seconds)
    path = written(LINE, tmp_path, lambda text: text.replace(FORWARD, f"{FORWARD}    {statement}\n"))
    verdict = f"the judgement of the text {verdict}"
    told: list[bool] = []
    with isolated(path, seconds=2) as (door, _), pytest.raises(FaultError, match=verdict):
        door.text_checks(expand(read(LINE)), 0, lambda: told.append(True))()
    assert told == [True]


def test_a_text_is_judged_there_as_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    path, model = written(LINE, tmp_path), expand(read(LINE))
    with isolated(path) as (door, _):
        assert door.text_checks(model, 0, pytest.fail)() == list(text_checks(model, str(path), 0))
