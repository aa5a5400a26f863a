"""Passes of which threads take turns: every turn once, right, and the same bits for any number of threads."""

from __future__ import annotations

import os
import subprocess
import sys
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import in_short_parts, written
from fuzz.modules import interpreted
from planting import planted
from seeds import ROOT, SEED

from symgrad.compiler.kernels.instructions import (
    Add,
    Assign,
    Cell,
    Clear,
    ForRange,
    Instruction,
    Literal,
    Variable,
    When,
)
from symgrad.compiler.kernels.shared_turns import are_apart
from symgrad.pipeline import module_text
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.identity.check import identity_of

if TYPE_CHECKING:
    from pathlib import Path

TURNS = """
import numba, numpy as np, sys
from symgrad.runtime.numba.compiling import kernel
from symgrad.runtime.numba.sharing import shared_work
from symgrad.runtime.numba.sharing.passes_in_parts import _one_after_another, in_parts

@kernel
def mark(times, lengths, start, stop):
    for n in range(start, stop):
        times[n] += 1
        lengths[n] = stop - start

@numba.njit(nogil=True)
def marked(turns, entries, times, lengths):
    in_parts(mark, turns, entries, (times, lengths))

def mark_in_python(times, lengths, start, stop):
    times[start:stop] += 1
    lengths[start:stop] = stop - start

rng = np.random.default_rng(int(sys.argv[1]))
for number in range(60):
    turns = number if number < 4 else int(rng.integers(1, 10 ** rng.integers(1, 7)))
    entries = int(rng.integers(1, 10 ** rng.integers(1, 6)))
    times, lengths = np.full((2, turns + 5), 7.0)
    marked(turns, entries, times, lengths)
    expected = np.full((2, turns + 5), 7.0)
    _one_after_another(mark_in_python, turns, entries, tuple(expected))
    once = (times[:turns] == 8).all() and (times[turns:] == 7).all() and (lengths[turns:] == 7).all()
    assert once and np.array_equal(lengths, expected[1]), (turns, entries)
assert "x double>" in next(iter(marked.inspect_llvm().values())), "not in vectors"
"""
TRAINED = """
import hashlib, sys
import numpy as np
import symgrad
from fuzz.modules import with_garbage

module, data = symgrad.load(sys.argv[1]), np.load(sys.argv[2])
size, found = int(sys.argv[3]), []
for garbage in (None, np.nan, 1e300):
    if garbage is not None:
        with_garbage(module, garbage)
    params = module.unflatten(data["theta"].copy())
    state, order = module.init_state(params), data["order"]
    given = params, state, data["x"], data["t"]
    losses = [module.train_epoch(*given, batch_size=size, order=order) for _ in range(2)]
    found.append(np.concatenate([module.flatten(params), *map(np.ravel, state), losses]))
assert all(np.array_equal(found[0], other) for other in found[1:])
np.save(sys.argv[4], found[0])
for place in np.random.default_rng(size).integers(0, data["x"].size, 5):
    broken, params = data["x"].copy(), module.unflatten(data["theta"].copy())
    broken.flat[place] = np.inf
    try:
        module.train_epoch(params, module.init_state(params), broken, data["t"], batch_size=len(order))
        raise AssertionError(f"number {place} is not finite")
    except ValueError as error:
        assert "finite" in str(error), error
    assert np.array_equal(module.flatten(params), data["theta"])
"""
RULES = ("adam(learning_rate=0.01)", "momentum(learning_rate=0.1)", "sgd(learning_rate=0.1)", "nesterov(0.1)")
OPTIONS = ({}, {"clip_norm": 0.1}, {"average": 0.9}, {"freeze": ["b1"]})


def run(script: str, threads: int, *arguments: object) -> None:
    """A script in a process with so many threads."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads)),
    }
    command = [sys.executable, "-c", script, *map(str, arguments)]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert not found.returncode, found.stderr


def test_every_turn_is_made_once_in_parts_that_no_number_of_threads_changes() -> None:
    run(TURNS, 3, SEED % 2**32)


def drawn_spec(random: Random) -> dict[str, Any]:
    """A network whose sizes are pairwise different, maybe with one unit, with some rule for its steps."""
    inputs, one, other, classes = random.sample(range(1, 41), 4)
    activation = random.choice(["relu", "tanh", "softplus"])
    return {
        "name": "turns",
        "dtype": "float64",
        "inputs": {"x": ["batch", inputs]},
        "targets": {"t": {"axes": ["batch"], "classes": classes + 1}},
        "layers": [
            *(f"dense({units}, activation={activation})" for units in (one, other)),
            f"dense({classes + 1})",
        ],
        "loss": "softmax_cross_entropy",
        "train": {"optimizer": random.choice(RULES), **random.choice(OPTIONS)},
    }


def test_threads_train_to_the_same_bits(tmp_path: Path) -> None:
    """On one, two and three; and as Python does whose passes are whole, on memory full of garbage."""
    random = Random(SEED)
    spec, rows = drawn_spec(random), random.randint(2, 41)
    with in_short_parts(random.randint(1, 100)):
        file = written(spec, tmp_path)
    module = interpreted(module_text(read(spec)))
    rng, size = np.random.default_rng(SEED), random.choice([1, random.randint(1, rows)])
    x, t = rng.normal(size=(rows, *module.AXES["x"][1:])), rng.integers(0, module.CLASSES["t"], rows)
    theta, order = rng.normal(size=module.SIZE) * 0.3, rng.permutation(rows)
    np.savez(tmp_path / "data.npz", x=x, t=t, theta=theta, order=order)
    for threads in (1, 2, 3):
        run(TRAINED, threads, file, tmp_path / "data.npz", size, tmp_path / f"{threads}.npy")
    found = [np.load(tmp_path / f"{threads}.npy") for threads in (1, 2, 3)]
    assert all(np.array_equal(found[0], other) for other in found[1:])
    params = module.unflatten(theta.copy())
    state = module.init_state(params)
    losses = [module.train_epoch(params, state, x, t, batch_size=size, order=order) for _ in range(2)]
    expected = np.concatenate([module.flatten(params), *map(np.ravel, state), losses])
    np.testing.assert_allclose(found[0], expected, rtol=1e-7, atol=1e-9)


N, K, A, B, S = map(Variable, ("n", "k", "a", "b", "s"))
TEN = Literal(10)


def over(index: Variable, *body: Instruction) -> ForRange:
    return ForRange(index, TEN, body)


def put(array: Variable, *indices: Any, value: Any = TEN) -> Assign:
    return Assign(Cell(array, indices), value)


@pytest.mark.parametrize(
    ("turn", "body", "holds"),
    [
        (N, [over(N, over(K, put(A, N, K)))], True),
        (K, [over(N, over(K, put(A, N, K)))], True),
        (N, [over(K, put(A, K)), over(N, over(K, Add(Cell(A, (K,)), Cell(B, (N, K)))))], False),
        (K, [over(K, put(A, K)), over(N, over(K, Add(Cell(A, (K,)), Cell(B, (N, K)))))], True),
        (N, [over(N, put(A, N, value=Cell(A, (Literal(0),))))], False),
        (N, [over(N, put(A, Literal(0)))], False),
        (N, [over(N, put(A, Cell(B, (N,))))], False),
        (N, [over(N, put(A, N)), put(A, Literal(0))], False),
        (N, [Assign(S, Literal(0)), over(N, Add(S, Cell(B, (N,)))), put(A, Literal(0), value=S)], False),
        (N, [over(N, Assign(S, Literal(0)), over(K, Add(S, Cell(B, (N, K)))), put(A, N, value=S))], True),
        (N, [over(N, put(A, N, value=S), Assign(S, Cell(B, (N,))))], False),
        (N, [over(N, When(Cell(B, (N,)), (Assign(S, Literal(1)),)), put(A, N, value=S))], False),
        (N, [ForRange(N, TEN, (put(A, N),), start=Literal(1))], False),
        (N, [ForRange(N, TEN, (put(A, N),), step=Literal(2))], False),
        (N, [over(N, put(A, N)), ForRange(N, Literal(11), (put(B, N),))], False),
        (N, [over(N, put(A, N)), over(K, put(B, K))], False),
        (N, [Clear(B), over(N, put(A, N))], False),
        (S, [over(N, put(A, N))], False),
    ],
)
def test_which_turns_have_nothing_to_do_with_one_another(
    turn: Variable, body: list[Instruction], holds: bool
) -> None:
    assert are_apart(tuple(body), turn, TEN) == holds


SPEC = {
    "name": "planted",
    "inputs": {"x": ["batch", 3]},
    "targets": {"t": ["batch", 2]},
    "layers": ["dense(4, activation=tanh)", "dense(2)"],
    "loss": "mse",
    "train": {"optimizer": "adam(learning_rate=0.1)"},
}
OF_ENTRIES = "for {i} in range(start, stop):\n        m["
FAULTS = {
    "a turn less": ("in_parts(_update_part, theta.shape[0], ", "in_parts(_update_part, theta.shape[0] - 1, "),
    "a turn more": ("in_parts(_update_part, theta.shape[0], ", "in_parts(_update_part, theta.shape[0] + 1, "),
    "all but the first": (OF_ENTRIES, OF_ENTRIES.replace("start", "start + 1")),
    "from the beginning": (OF_ENTRIES, OF_ENTRIES.replace("start, ", "")),
    "rows less one": ("in_parts(_Z2, batch, 2, ", "in_parts(_Z2, batch - 1, 2, "),
    "one entry for all": ("A1[{n}, {i}] = ", "A1[0, {i}] = "),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_the_judge_holds_turns(fault: str) -> None:
    with in_short_parts(5):
        text = module_text(read(SPEC))
    model = expand(read(SPEC))
    assert identity_of(model, planted(text, *FAULTS[fault])).is_wrong


def test_the_judge_passes_what_has_turns() -> None:
    with in_short_parts(5):
        found = identity_of(expand(read(SPEC)), module_text(read(SPEC)))
    assert found.step is not None
    assert (found.state, found.step.state, found.left) == ("identical", "identical", ())
