"""Emitted modules among others: threads, processes, several modules at once, and Numba's cache on disk."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from building import written
from module_use import LINE, MLP, line_data, line_gradient, mlp_data, mlp_loss

from symgrad.compiler.loading.load import double_precision_twin, load

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests compiled is not found with the user's caches."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a small network, which one process after the other compiles or takes from the cache."""
    return written(LINE, tmp_path_factory.mktemp("line"))


def python(*arguments: str, cwd: Path, **variables: str) -> Any:
    """Another Python, with warnings as errors."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


USE = """
x, y = np.ones((4, 3)), np.ones((4, 2))
params, history = module.fit(x, y, epochs=3, batch_size=3)
print(history)
print("hits", sum(module._epoch.stats.cache_hits.values()))
"""
IMPORTED = f"""
import importlib.util, sys
import numpy as np
specification = importlib.util.spec_from_file_location("another_name", sys.argv[1])
module = importlib.util.module_from_spec(specification)
specification.loader.exec_module(module)
{USE}"""
LOADED = f"""
import sys
import numpy as np
import symgrad
module = symgrad.load(sys.argv[1])
{USE}"""
BY_NAME = f"""
import numpy as np
import pickle
import module
assert pickle.loads(pickle.dumps(module.init_params())).b1.shape == (2,)
{USE}"""


def test_the_cache_serves_every_way_of_loading(file: Path, tmp_path: Path) -> None:
    run = python(str(file), cwd=file.parent)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stderr == ""
    assert run.stdout.splitlines()[-1] == "line: every gradient agrees with differences of the loss"
    assert list((file.parent / "__pycache__").glob("*.nbc"))
    ways = (
        (python("-c", BY_NAME, cwd=file.parent), "0"),
        (python("-c", IMPORTED, str(file), cwd=tmp_path), "1"),
        (python("-c", LOADED, str(file), cwd=tmp_path), "1"),
    )
    for run, hits in ways:
        assert run.returncode == 0, run.stderr
        assert run.stdout.splitlines() == [ways[0][0].stdout.splitlines()[0], f"hits {hits}"]
    assert python(str(file), cwd=tmp_path).returncode == 0


WIDE = {"dtype": "float32", "inputs": {"x": ["batch", 100]}, "layers": ["dense(110)"]}
FORWARD = """
import sys
import numpy as np
import symgrad
module = symgrad.load(sys.argv[1])
x = np.random.default_rng(0).normal(size=(120, 100)).astype(np.float32)
params = module.init_params(0)
y = module.forward(params, x)
assert np.allclose(y, x @ params.W1 + params.b1, atol=1e-4)
print(module.BLAS)
print("hits", sum(module._forward.stats.cache_hits.values()))
"""


def test_compiled_code_does_not_depend_on_the_libraries_of_its_process(tmp_path: Path) -> None:
    """The product is large: with oneDNN it is oneDNN's, in the next process SciPy's, by the same code."""
    module = written(WIDE, tmp_path)
    for place, choice in enumerate(("onednn", "scipy", "mkl", "onednn")):
        run = python("-c", FORWARD, str(module), cwd=tmp_path, SYMGRAD_BLAS=choice)
        assert run.returncode == 0, run.stderr
        blas, hits = run.stdout.splitlines()
        assert blas == "SciPy's" or choice in blas.lower()
        assert hits == f"hits {min(place, 1)}"


def test_the_script_exits_with_1_when_a_gradient_is_wrong(tmp_path: Path) -> None:
    edit = ("acc_db1 += dZ1[i, n]", "acc_db1 -= dZ1[i, n]")
    path = written(LINE, tmp_path, lambda text: text.replace(*edit))
    assert edit[1] in path.read_text(encoding="utf-8")
    run = python(str(path), cwd=tmp_path, NUMBA_DISABLE_JIT="1")
    assert run.returncode == 1, run.stderr
    assert "b1 wrong" in run.stdout
    assert "W1 agrees" in run.stdout


def test_an_edited_file_is_compiled_anew(file: Path) -> None:
    params, (x, y) = load(file).init_params(0), line_data()
    value = load(file).loss(params, x, y)
    text = file.read_text(encoding="utf-8")
    try:
        file.write_text(text.replace("    return value\n", "    return value + 1\n"), encoding="utf-8")
        assert load(file).loss_and_grad(params, x, y)[0] == pytest.approx(value + 1)
    finally:
        file.write_text(text, encoding="utf-8")
    assert load(file).loss_and_grad(params, x, y)[0] == value


NO_CACHE = """
import sys
import numpy as np
from module import fit, train_epoch
params, history = fit(np.ones((4, 3)), np.ones((4, 2)), epochs=2)
assert history[1] < history[0]
assert not hasattr(train_epoch, "stats")
import module
assert not module._step.stats.cache_path
"""


def test_without_a_place_for_the_cache_it_works_all_the_same(tmp_path: Path) -> None:
    """A file in place of each folder refuses even root."""
    written(LINE, tmp_path)
    (tmp_path / "__pycache__").write_text("")
    nowhere = str(tmp_path / "__pycache__" / "below")
    places = dict.fromkeys(("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"), nowhere)
    run = python("-B", "-c", NO_CACHE, cwd=tmp_path, **places)
    assert run.returncode == 0, run.stderr


def test_two_modules_and_a_twin_live_side_by_side(file: Path, tmp_path: Path) -> None:
    line, mlp, twin = load(file), load(written(MLP, tmp_path)), double_precision_twin(load(file))
    (x, y), (points, labels) = line_data(), mlp_data()
    params, other = line.init_params(0), mlp.init_params(0)
    precise = twin.unflatten(line.flatten(params).astype(np.float64))
    expected = line_gradient(precise, x, y)
    for _ in range(2):
        assert line.loss(params, x, y) == pytest.approx(expected[0], rel=1e-6)
        assert mlp.loss(other, points, labels) == pytest.approx(mlp_loss(other, points, labels), rel=1e-13)
        value, grads = twin.loss_and_grad(precise, x, y)
        assert value == pytest.approx(expected[0], rel=1e-14)
        np.testing.assert_allclose(grads[0], expected[1], rtol=1e-12)
    assert line.forward(params, x).dtype == np.float32


def test_threads_do_not_disturb_each_other(file: Path) -> None:
    module, (x, y) = load(file), line_data()
    wanted, failures = {}, []
    for seed in range(6):
        rows = np.tile(x, (seed + 1, 1)) * (seed + 1), np.tile(y, (seed + 1, 1))
        params = module.init_params(seed)
        wanted[seed] = (rows, params, module.loss_and_grad(params, *rows))
    together = threading.Barrier(len(wanted))

    def work(seed: int) -> None:
        rows, params, (value, grads) = wanted[seed]
        together.wait()
        for _ in range(200):
            found, slopes = module.loss_and_grad(params, *rows)
            same = all(np.array_equal(a, b) for a, b in zip(grads, slopes, strict=True))
            if found != value or not same or module.forward(params, rows[0]).shape != rows[1].shape:
                failures.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
