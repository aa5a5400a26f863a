"""What is compiled anew: what computes something else, and nothing where only defaults and words changed."""

from __future__ import annotations

import importlib
import shutil
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import written
from corpus import CORPUS, EXAMPLES
from module_use import TABLES
from mutation.faults import faults
from mutation.specs import SPECS

from symgrad.compiler.loading.load import load, run_drivers_in_python
from symgrad.pipeline import module_text
from symgrad.spec.reader import read

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

DIGITS: dict[str, Any] = {
    "name": "small",
    "dtype": "float32",
    "inputs": {"x": ["batch", 3]},
    "targets": {"t": {"axes": ["batch"], "classes": 4}},
    "layers": ["dense(5, activation=relu)", "dense(4)"],
    "loss": "softmax_cross_entropy",
}
TRAIN: dict[str, Any] = {
    "optimizer": "adam(learning_rate=0.01)",
    "schedule": "exponential(decay=0.1)",
    "epochs": 3,
    "batch_size": 4,
}
EDITS: dict[str, dict[str, Any]] = {
    "a rate": {"optimizer": "adam(learning_rate=0.02, b1=0.8)"},
    "a decay": {"schedule": "exponential(decay=0.3)"},
    "times": {"epochs": 7, "batch_size": 2, "seed": 4, "shuffle": "once"},
}
JIT = "from numba import njit"
BESIDE: dict[str, tuple[str, str, str]] = {
    "a default": (f"{JIT}\n@njit\ndef h(x, k=VALUE): return x + k", "h(1)", ""),
    "a default of a keyword": (f"{JIT}\n@njit\ndef h(x, *, k=VALUE): return x + k", "h(1)", ""),
    "what is enclosed": (
        f"{JIT}\ndef made(c):\n    @njit\n    def h(x): return x + c\n    return h\nh = made(VALUE)",
        "h(1)",
        "",
    ),
    "one of two of a name": (
        f"{JIT}\n@njit\ndef h(x): return _forward(x)\nfirst = h\n@njit\ndef h(x): return x + VALUE",
        "first(h(1))",
        "",
    ),
    "an overload": (
        "from numba.extending import overload\ndef h(x): return x\n"
        "@overload(h)\ndef _h(x): return lambda x: VALUE",
        "h(1)",
        "",
    ),
    "a name of an entry": (
        "from collections import namedtuple\nS = namedtuple('S', ['a', 'b'][::VALUE])(7, 8)",
        "S.a",
        "",
    ),
    "an enumeration": ("from enum import IntEnum\nclass M(IntEnum):\n    A = VALUE", "M.A", ""),
    "a constant of another file": ("import beside", "beside.K", "K = VALUE"),
    "a number of another file": ("from beside import K", "K", "K = VALUE"),
    "a function of another file": ("from beside import h", "h(1)", "def h(x): return x + VALUE"),
    "compiled code of another file": (
        "from beside import h",
        "h(1)",
        f"{JIT}\n@njit\ndef h(x): return x + VALUE",
    ),
}
"""What may stand beside compiled code that an edited module uses, its use, and the text of another file."""


def meanings(module: ModuleType) -> dict[str, str]:
    """What every compiled function of a module computes."""
    functions = {f.__name__ for table in TABLES for f in getattr(module, table, ())}
    functions |= {"_add_weighted"} & vars(module).keys()  # of the runtime, called by what is not compiled
    return {name: module._meaning(getattr(module, name)) for name in functions}


def of_text(text: str, folder: Path) -> dict[str, str]:
    path = folder / "module.py"
    path.write_text(text, encoding="utf-8")
    return meanings(load(path))


@pytest.mark.parametrize("kind", EDITS)
def test_other_defaults_mean_the_same(kind: str, tmp_path: Path) -> None:
    texts = [module_text(read({**DIGITS, "train": {**TRAIN, **edit}})) for edit in ({}, EDITS[kind])]
    assert texts[0] != texts[1]
    assert of_text(texts[0], tmp_path) == of_text(texts[1], tmp_path)


def test_words_and_places_mean_the_same(tmp_path: Path) -> None:
    """Comments, docstrings, lines, the name of the file and the way it is loaded."""
    spec = {**DIGITS, "train": TRAIN}
    text = module_text(read(spec))
    tree_of_words = text.replace('"""The loss', '"""A loss').replace("# dW2 = ", "\n    # so: dW2 = ")
    assert tree_of_words.count("\n") > text.count("\n")
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
    found = of_text(text, tmp_path / "one")
    assert of_text(tree_of_words, tmp_path / "other") == found
    module = load(tmp_path / "one" / "module.py")
    run_drivers_in_python(module, ("_gradient", "_epoch"))
    assert {name: module._meaning(getattr(module, name)) for name in ("_gradient", "_epoch")} == {
        name: found[name] for name in ("_gradient", "_epoch")
    }


def test_another_way_to_compile_is_another_meaning(tmp_path: Path) -> None:
    text = module_text(read(DIGITS))
    found = of_text(text, tmp_path)
    edits = {
        "step.type(-1)": "step.type(-2)",
        "find_literally": "nothing",
        "= Linkage.internal": "= Linkage.external",
    }
    for before, after in edits.items():
        assert text.count(before) == 1
        assert not set(found.values()) & set(of_text(text.replace(before, after), tmp_path).values())


def test_what_does_not_train_means_the_same_with_another_optimizer(tmp_path: Path) -> None:
    found, other = (
        of_text(module_text(read({**DIGITS, "train": {"optimizer": o}})), tmp_path) for o in ("adam", "sgd")
    )
    changed = {name for name in found if found[name] != other[name]}
    assert changed == {"_update", "_step", "_rest_of_step", "_epoch"}


@pytest.mark.parametrize("name", ["classifier", "pieces"])
def test_whatever_is_changed_in_compiled_code_means_something_else(name: str, tmp_path: Path) -> None:
    """Faults planted in kernels, drivers, the optimiser, functions of numbers and what types them."""
    path = written(SPECS[name], tmp_path)
    text = path.read_text(encoding="utf-8")
    whole = load(path)
    found = meanings(whole)
    own = {f.__name__ for table in TABLES for f in getattr(whole, table, ())}
    carried = {n for n, value in vars(whole).items() if hasattr(value, "py_func")}
    rng = np.random.default_rng()
    planted = [fault for fault in faults(text) if fault.function in own | carried | {"_in_llvm", "_recast"}]
    for fault in rng.permutation(np.array(planted, dtype=object))[:25]:
        edited = of_text(fault.text, tmp_path)
        assert edited != found, (fault.function, fault.line, fault.before, fault.after)
        if fault.function in own:
            assert edited[fault.function] != found[fault.function]


@pytest.mark.parametrize("kind", BESIDE)
def test_what_an_edited_module_computes_with_is_told_or_nothing_is_kept(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    beside, use, other = BESIDE[kind]
    text = module_text(read(DIGITS))
    found: list[str | None] = []
    for value in ("1", "-1"):
        monkeypatch.delitem(sys.modules, "beside", raising=False)
        (tmp_path / "beside.py").write_text(other.replace("VALUE", value), encoding="utf-8")
        shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
        importlib.invalidate_caches()
        head = f"{beside.replace('VALUE', value)}\n\n\ndef _forward("
        edited = text.replace("def _forward(", head).replace(
            "    W1 = view(", f"    _ = {use}\n    W1 = view("
        )
        path = tmp_path / "module.py"
        path.write_text(edited, encoding="utf-8")
        module = load(path)
        try:
            found.append(module._meaning(module._forward))
        except TypeError:
            found.append(None)
    assert found[0] is None or found[0] != found[1]


def test_a_module_changed_while_it_is_there_keeps_nothing(tmp_path: Path) -> None:
    """What was compiled with another number is not found by those who have the file."""
    path = tmp_path / "module.py"
    text = module_text(read(DIGITS)).replace("def _forward(", "SHIFT = 1\n\n\ndef _forward(")
    path.write_text(text.replace("    W1 = view(", "    _ = SHIFT\n    W1 = view("), encoding="utf-8")
    module = load(path)
    code = module._CompiledCode(module._forward)
    code._be_named()
    vars(module)["SHIFT"] = 2
    result = SimpleNamespace(lifted=(), library=SimpleNamespace(has_dynamic_globals=False))
    code.save_overload((), result)  # it would fail: there is no code here
    assert not code.cache_path


def test_no_module_of_the_corpus_names_what_callers_choose(tmp_path: Path) -> None:
    """Nor is there one whose functions have no text: they would be compiled in every process."""
    for name in list(CORPUS)[:: len(CORPUS) // 8]:
        text = module_text(read(CORPUS[name]))
        found = of_text(text, tmp_path)
        assert found
        if "HYPER = {\n" in text:
            edited = text.replace("HYPER = {\n", 'HYPER = {\n    "another": 1.0,\n')
            assert of_text(edited, tmp_path) == found, name


HELD = """

def _scaling(factor):
    def _scaled(x, more={more}):
        return factor * x + more

    return njit(_scaled)


_scaled = _scaling({factor})
"""


def test_what_a_function_holds_beside_its_code_is_part_of_its_meaning(tmp_path: Path) -> None:
    text = module_text(read(DIGITS)) + "\n\nfrom numba import njit\n"
    found = []
    for more, factor in ((1, 2), (3, 2), (1, 4), (1, 2)):
        path = tmp_path / "module.py"
        path.write_text(text + HELD.format(more=more, factor=factor), encoding="utf-8")
        module = load(path)
        found.append(module._meaning(module._scaled))
    assert found[0] == found[3]
    assert len({*found}) == 3


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_all_that_modules_compile_can_be_told(example: Path, tmp_path: Path) -> None:
    """What cannot would be compiled anew in every process."""
    module = load(written(str(example), tmp_path))
    assert module.DRIVERS
    for function in module.DRIVERS:
        assert module._meaning(getattr(module, function.__name__)), function.__name__
