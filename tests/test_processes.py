"""Processes that begin cold at once on one cache, are killed while they write it, or work after a parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import written

import symgrad as sg
from symgrad.compiler.loading.load import load

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
TINY: dict[str, Any] = {"name": "tiny", "inputs": {"x": ["n"]}, "equations": {"y": "2 * x + 1"}}


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests compiled is not found with the user's caches."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))


def forked(*tasks: Callable[[], object]) -> list[int]:
    """How the children of forks end, one for each task, which begin together: 0 where nothing was raised."""
    begin, go = os.pipe()
    children = []
    for task in tasks:
        child = os.fork()
        if child == 0:
            try:
                os.close(go)
                os.read(begin, 1)
                task()
                os._exit(0)
            except BaseException as error:  # noqa: BLE001  # whatever it is, the parent's tests do not go on here
                print(error, file=sys.stderr, flush=True)
                os._exit(1)
        children.append(child)
    os.close(begin)
    os.close(go)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


@forks
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_eight_processes_begin_cold_on_one_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each derives, judges, loads and compiles, or finds it done; what is left serves the next."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    other = load(written({**TINY, "equations": {"y": "3 * x"}}, tmp_path))
    other.forward(other.init_params(0), np.ones(1))  # so that Numba begins once, not in each

    def used() -> None:
        module = sg.build(TINY)
        assert module.forward(module.init_params(0), np.arange(3.0)).tolist() == [1.0, 3.0, 5.0]

    assert forked(*[used] * 8) == [0] * 8
    [file] = (tmp_path / "symgrad").glob("tiny_*.py")
    assert not list((tmp_path / "symgrad").rglob("*.part"))
    module = load(file)
    module.forward(module.init_params(0), np.ones(1))
    assert sum(module._forward.stats.cache_hits.values()) == 1


@forks
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("moment", ["open", "write", "replace", "replaced"])
def test_a_process_that_is_killed_while_it_keeps_its_code_is_in_nobodys_way(
    moment: str, tmp_path: Path
) -> None:
    file = written(TINY, tmp_path)

    def killed() -> None:
        module = load(file)

        def half_kept(place: Path, content: bytes) -> None:
            part = place.with_name(f"{place.name}.1.part")
            if moment != "open":
                part.write_bytes(content[: len(content) // 2] if moment == "write" else content)
            else:
                part.touch()
            if moment == "replaced":
                part.replace(place)
            os.kill(os.getpid(), signal.SIGKILL)

        module._write_beside = half_kept
        module.forward(module.init_params(0), np.ones(1))

    assert forked(killed) == [-signal.SIGKILL]
    for hits in ((0, 1) if moment == "replaced" else (0,), (1,)):
        module = load(file)
        assert module.forward(module.init_params(0), np.ones(1)).tolist() == [3.0]
        assert sum(module._forward.stats.cache_hits.values()) in hits


WORKERS = """
import multiprocessing, sys, warnings
from concurrent.futures import ThreadPoolExecutor
import numpy as np
import symgrad
from joblib.externals.loky import get_reusable_executor

def answers(forward, params, x):
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda _: forward(params, x), range(2)))

if __name__ == "__main__":
    warnings.simplefilter("ignore")  # newer Pythons warn of forks among threads
    module = symgrad.load(sys.argv[1])
    x = np.random.default_rng(0).normal(size=(4000, 100)).astype(np.float32)
    params = module.init_params(0)
    with ThreadPoolExecutor(2) as pool:
        expected, _ = pool.map(lambda _: module.forward(params, x), range(2))
    asked = answers, (module.forward, params, x)
    for method in multiprocessing.get_all_start_methods():
        with multiprocessing.get_context(method).Pool(1) as pool:
            found = pool.apply_async(*asked).get(60)
        print(method, all(np.allclose(y, expected, atol=1e-4) for y in found))
    found = get_reusable_executor(1).submit(asked[0], *asked[1]).result(60)
    print("loky", all(np.allclose(y, expected, atol=1e-4) for y in found))
    get_reusable_executor().shutdown()
"""
WIDE = {"dtype": "float32", "inputs": {"x": ["batch", 100]}, "layers": ["dense(110)"]}


def test_workers_compute_after_the_parent_has(tmp_path: Path) -> None:
    """However they are begun, and in two threads each: BLAS has had threads in the parent, in both of its."""
    (tmp_path / "work.py").write_text(WORKERS)
    command = [sys.executable, "work.py", str(written(WIDE, tmp_path))]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    ways = dict(line.split() for line in run.stdout.splitlines())
    assert {"spawn", "loky"} <= ways.keys()
    assert set(ways.values()) == {"True"}
