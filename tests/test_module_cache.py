"""Numba's cache beside an emitted module: it serves every way of loading in any order, and never harms."""

from __future__ import annotations

import importlib.util
import os
import pickle
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written
from llvmlite.binding import Linkage

import symgrad as sg
from symgrad.compiler.loading.load import double_precision_twin, load
from symgrad.runtime.numba import kept_code

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent
SPEC: dict[str, Any] = {
    "name": "tiny",
    "inputs": {"x": ["n"]},
    "targets": {"t": ["n"]},
    "parameters": {"w": {"axes": [], "init": "constant(value=1)"}},
    "equations": {"y": "w * x + 7"},
    "loss": "mse(y, t)",
    "train": {"optimizer": "sgd(learning_rate=0.1)"},
}


def tiny(folder: Path, bias: int = 7) -> Path:
    """The smallest module: x + bias. All its texts are of one length."""
    folder.mkdir(parents=True, exist_ok=True)
    return written({**SPEC, "equations": {"y": f"w * x + {bias}"}}, folder)


def imported(file: Path) -> Any:
    """By its name, as `import module` does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(file.parent))
        patch.delitem(sys.modules, file.stem, raising=False)
        return importlib.import_module(file.stem)


def unregistered(file: Path) -> Any:
    """By importlib, without a place in sys.modules."""
    specification = importlib.util.spec_from_file_location("another_name", file)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def executed_as(name: str, text: str, file: Path) -> Any:
    """The text run in a dictionary."""
    names = {"__name__": name}
    exec(compile(text, str(file), "exec", dont_inherit=True), names)
    return SimpleNamespace(**names)


WAYS: dict[str, Callable[[Path], Any]] = {
    "imported": imported,
    "unregistered": unregistered,
    "loaded": load,
    "run": lambda file: SimpleNamespace(**runpy.run_path(str(file))),
    "executed": lambda file: executed_as("elsewhere", file.read_text(encoding="utf-8"), file),
    "nameless": lambda file: executed_as("", file.read_text(encoding="utf-8"), file),
}


@pytest.fixture(autouse=True)
def user_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of this test alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    return tmp_path / "user" / "numba"


def used(module: Any) -> tuple[float, int]:
    """What it computes at 1, and how often it was taken from the cache."""
    value = module.forward(module.init_params(0), np.ones(1))
    return float(value[0]), sum(module._forward.stats.cache_hits.values())


FIRST_USE = """
import sys
from pathlib import Path
from test_module_cache import WAYS, used
for number, way in enumerate(WAYS):
    assert used(WAYS[way](Path(sys.argv[1]) / way / "module.py")) == (number + 2, 0), way
"""


def python(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Another Python, with warnings as errors."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    environment = {**os.environ, "PYTHONPATH": path, **variables}
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def test_whichever_way_it_is_loaded_first_every_other_way_finds_what_was_compiled(tmp_path: Path) -> None:
    """Modules of one name and one length, that differ in a number, each first used in another way."""
    for number, way in enumerate(WAYS):
        tiny(tmp_path / way, number + 1)
    run = python("-c", FIRST_USE, str(tmp_path), cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    for number, first in enumerate(WAYS):
        for way, load_by in WAYS.items():
            assert used(load_by(tmp_path / first / "module.py")) == (number + 2, 1), (first, way)


def test_compiled_functions_of_different_texts_have_different_names(tmp_path: Path) -> None:
    """LLVM takes the first of a name that it finds in the process."""
    found = []
    for bias in (1, 2):
        module = load(tiny(tmp_path / str(bias), bias))
        assert used(module)[1] == 0
        results = [r for f in (module._forward, module._y) for r in f.overloads.values()]
        found.append({result.fndesc.mangled_name for result in results})
        meaning = module._meaning(module._forward)
        assert module._forward.py_func.__qualname__ == f"{meaning[:16]}._forward"
        assert any(meaning[:16] in name for name in found[-1])
    assert not found[0] & found[1]


WORK = """
import multiprocessing, pickle, sys
import numpy as np
import module
from numba import cloudpickle

class Model:
    def fitted(self, rate):
        x = np.linspace(0, 1, 5)
        return module.fit(x, 3 * x + 7, epochs=20)[0]

def error(model, rate):
    return float(model.fitted(rate).w)

if __name__ == "__main__":
    assert module.__name__ == "module" and sys.modules["module"] is module
    params = Model().fitted(1)
    for thing in (params, module.init_state(params)):
        assert pickle.loads(pickle.dumps(thing)) == thing
    given = cloudpickle.dumps((error, Model()))  # as joblib hands over what is defined in __main__: by value
    print(float(params.w))
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        print(*pool.starmap(error, [(Model(), 1), (Model(), 2)]), *pool.map(module.flatten, [params]))
    other = f"import pickle; error, model = pickle.loads({given!r}); print(error(model, 1))"
    import subprocess
    print(subprocess.run([sys.executable, "-c", other], capture_output=True, text=True, check=True).stdout)
"""


def test_what_is_defined_beside_it_is_handed_to_workers(tmp_path: Path) -> None:
    """Functions and classes of `__main__`, parameters and states, by name and by value."""
    tiny(tmp_path)
    (tmp_path / "work.py").write_text(WORK)
    run = python("work.py", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    numbers = [float(word.strip("[]")) for word in run.stdout.split()]
    assert numbers == pytest.approx([numbers[0]] * 5)


def test_what_a_loaded_module_makes_can_be_pickled(tmp_path: Path) -> None:
    """Also where another module of that name, and the file's float64 twin, were loaded after it."""
    modules = [interpreted(tiny(tmp_path / str(bias), bias)) for bias in (1, 2)]
    double_precision_twin(modules[0])
    given = [(m.init_params(0), m.init_state(m.init_params(0)), m.forward) for m in modules]
    content = pickle.dumps(given)
    assert pickle.loads(content)[1][0] == given[1][0]
    program = f"""
import pickle
for params, state, forward in pickle.loads({content!r}):
    print(float(params.w), int(state.step[0]), float(forward(params, [1.0])[0]))
"""
    run = python("-c", program, cwd=tmp_path, NUMBA_DISABLE_JIT="1")
    assert run.stdout == "1.0 0 2.0\n1.0 0 3.0\n", run.stderr


def test_a_text_written_at_once_after_another_is_the_one_that_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python takes a .pyc for fresh while the text has the same length and second."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    file = tmp_path / "module.py"
    for bias in (1, 2, 3):
        sg.generate({**SPEC, "equations": {"y": f"w * x + {bias}"}}, file)
        os.utime(file, (10**9, 10**9))
        for module in (imported(file), load(file)):
            assert float(module.forward(module.init_params(0), np.ones(1))[0]) == 1 + bias
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace(f"= real({bias}) +", "= real(9) +"), encoding="utf-8")
        os.utime(file, (10**9, 10**9))
        module = load(file)
        assert float(module.forward(module.init_params(0), np.ones(1))[0]) == 10, text


def test_a_damaged_file_counts_as_not_there(tmp_path: Path, user_folder: Path) -> None:
    """Bytes changed, files cut, empty or another's: never an exception, never what is not its own."""
    file = tiny(tmp_path)
    module = load(file)
    assert used(module) == (8, 0)
    cache, [signature] = module._forward._cache, module._forward.overloads
    [kept], [other] = (list((tmp_path / "__pycache__").glob(f"{name}-*.nbc")) for name in ("_forward", "_y"))
    whole = kept.read_bytes()
    places = range(0, len(whole), len(whole) // 50)
    damaged = [whole[:k] + bytes([whole[k] ^ 1]) + whole[k + 1 :] for k in places]
    shutil.rmtree(user_folder)
    for content in (*damaged, *(whole[:k] for k in places), bytes(len(whole)), other.read_bytes()):
        kept.write_bytes(content)
        assert cache.load_overload(signature, module._forward.targetctx) is None
    assert used(load(file)) == (8, 0)
    assert used(load(file)) == (8, 1)


def test_a_module_in_another_folder_finds_it_and_gets_a_copy(tmp_path: Path, user_folder: Path) -> None:
    for folder, hits in (("first", 0), ("second", 1), ("third", 1)):
        if folder == "third":
            shutil.rmtree(user_folder)
            shutil.copytree(tmp_path / "second", tmp_path / "third")
        assert used(load(tiny(tmp_path / folder))) == (8, hits), folder
        assert [*(tmp_path / folder / "__pycache__").glob("_forward-*.nbc")]
    assert used(load(tiny(tmp_path / "fourth"))) == (8, 0), "what was found beside a module stays there alone"


def test_what_is_compiled_runs_no_copy_of_what_another_calls(tmp_path: Path) -> None:
    """Copies are optimised where they stand: which one a process met first would decide the last bits."""
    module = load(tiny(tmp_path))
    params = module.init_params(0)
    module.train_epoch(params, module.init_state(params), np.ones(4), np.zeros(4), batch_size=2)
    compiled = [found for found in vars(module).values() if hasattr(found, "overloads")]
    parts = [
        part
        for function in compiled
        for overload in function.overloads.values()
        for part in overload.library._final_module.functions
        if not part.is_declaration
    ]
    assert parts
    assert not [part.name for part in parts if part.linkage == Linkage.linkonce_odr]


def test_of_too_many_compiled_functions_the_older_are_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_code, "_MOST", 4)
    for number in range(5):
        (tmp_path / f"{number}.nbc").write_bytes(b"")
        os.utime(tmp_path / f"{number}.nbc", (number, number))
        kept_code._forget_oldest(tmp_path)
    assert sorted(file.name for file in tmp_path.glob("*.nbc")) == ["3.nbc", "4.nbc"]
