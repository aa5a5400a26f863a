"""Steps that visit the rows alone of a table that a batch looked up, beside steps with the whole gradient."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted
from fuzz.modules import with_garbage
from seeds import SEED

from symgrad.compiler.planning import needed_steps
from symgrad.compiler.planning.update_plan import rests
from symgrad.pipeline import module_text, stages_of
from symgrad.spec import library
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.identity.check import identity_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

WORDS = 11
HALF_LAZY = {
    "hyper": {"rate": 0.1, "keep": 0.9},
    "state": {"m": 1, "count": 0},
    "update": {
        "m": "where(g == 0, m, keep*m + g)",
        "count": "count + abs(sign(g))",
        "theta": "theta - rate*g/(m**2 + count + 1)",
    },
}
"""An optimiser of a user's own, under which an entry without a gradient rests."""
RESTING: tuple[Any, ...] = (
    "adagrad(0.3)",
    "adagrad(0.1, initial_accumulator=0.5)",
    "lazy_adam(0.1)",
    HALF_LAZY,
)


@contextmanager
def small_tables() -> Iterator[None]:
    """Inside it the rows of small tables are visited too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(needed_steps, "LEAST_ROWS", 1)
        yield


def spec_of(optimizer: Any, **changes: Any) -> dict[str, Any]:
    train = {"optimizer": optimizer, **changes.pop("train", {})}
    return {
        "name": "looked_up",
        "dtype": "float64",
        "inputs": {"x": {"axes": ["rows", 2], "classes": WORDS}, "z": ["rows", 3]},
        "targets": {"t": ["rows", 2]},
        "parameters": {"U": {"axes": [WORDS, 3], "init": "normal(std=1)"}},
        "equations": {
            "e[n, i, d]": "U[x[n, i], d]",
            "h": "tanh(dense(flatten(e, 1), 4) + dense(z, 4))",
            "y": "dense(h, 2)",
        },
        "loss": "mse(y, t)",
        "train": train,
        **changes,
    }


def text_of(spec: dict[str, Any]) -> str:
    with small_tables():
        return module_text(read(spec))


def module_of(spec: dict[str, Any], folder: Path) -> ModuleType:
    path = folder / "module.py"
    path.write_text(text_of(spec), encoding="utf-8")
    return interpreted(path)


def compare(module: ModuleType, data: list[tuple[Any, ...]], epochs: int = 1) -> None:
    """Steps on batches, and the same by whole gradients and the whole update, in memory full of NaN."""
    found, due = module.init_params(1), module.init_params(1)
    state, due_state = module.init_state(found), module.init_state(due)
    with_garbage(module, np.nan)
    for epoch in range(epochs):
        for batch in data:
            draws = [1, int(due_state.step[0])] if "KEY" in vars(module) else []
            loss = module.train_step(found, state, *batch, epoch=epoch)
            expected, gradient = module.loss_and_grad(due, *batch, *draws)
            module.update(due, gradient, due_state, epoch=epoch)
            assert loss == expected
            np.testing.assert_array_equal(module.flatten(found), module.flatten(due))
            for now, then in zip(state, due_state, strict=True):
                np.testing.assert_array_equal(now, then)


def batches(
    rng: np.random.Generator, words: int, *, width: int = 2, targets: int = 2
) -> list[tuple[Any, ...]]:
    """Few words with repetitions, one alone, and more than there are rows."""
    sizes = (3, 1, 2 * WORDS)
    return [
        (rng.integers(0, words, (n, width)), rng.normal(size=(n, 3)), rng.normal(size=(n, targets)))
        for n in sizes
    ]


@pytest.mark.parametrize("optimizer", RESTING, ids=str)
def test_a_step_is_one_with_the_whole_gradient(optimizer: Any, tmp_path: Path) -> None:
    module = module_of(
        spec_of(
            optimizer, train={"schedule": "exponential(decay=0.5)"} if isinstance(optimizer, str) else {}
        ),
        tmp_path,
    )
    assert "_update_looked_up(theta, grad, " in (tmp_path / "module.py").read_text()
    compare(module, batches(np.random.default_rng(SEED), 5), epochs=2)


def test_what_is_not_looked_up_stays_as_it_is(tmp_path: Path) -> None:
    module = module_of(spec_of("adagrad(0.3)"), tmp_path)
    params, first = module.init_params(1), module.init_params(1)
    state = module.init_state(params)
    x, z, t = batches(np.random.default_rng(2), WORDS)[0]
    module.train_step(params, state, x, z, t)
    is_named = np.isin(np.arange(WORDS), x)
    assert (params.U[is_named] != first.U[is_named]).any(axis=1).all()
    np.testing.assert_array_equal(params.U[~is_named], first.U[~is_named])


SPECS: dict[str, dict[str, Any]] = {
    "two tables, no product": spec_of(
        "sgd(0.3)",
        inputs={"x": {"axes": ["rows", 2], "classes": WORDS}, "z": ["rows", 3]},
        parameters={"U": {"axes": [WORDS, 3], "init": "normal"}, "V": {"axes": [WORDS, 3], "init": "normal"}},
        equations={"y[n, i:2]": "sum(U[x[n, 0], d] * V[x[n, 1], d] * z[n, d], d) + 0*i"},
    ),
    "frozen": spec_of("adagrad(0.3)", train={"freeze": ["h_W2", "y_b"]}),
    "frozen before": spec_of(
        "adagrad(0.3)",
        parameters={"A": {"axes": [4]}, "U": {"axes": [WORDS, 3], "init": "normal"}},
        equations={"e[n, d]": "U[x[n, 0], d]", "y": "dense(e, 2) + sum(A)"},
        train={"freeze": "A"},
    ),
    "groups": spec_of(
        "adagrad(0.3)", train={"per_parameter": {"*_b*": {"weight_decay": 0.1}, "U": {"learning_rate": 0.01}}}
    ),
    "a group that does not rest": spec_of(
        "adagrad(0.3)", train={"per_parameter": {"U": {"weight_decay": 0.1}}}
    ),
    "a batch in columns": spec_of(
        "adagrad(0.3)", equations={"e[n, i, d]": "U[x[n, i], d]", "y": "dense(sum(e, axis=1), 2)"}
    ),
    "a table of more axes": spec_of(
        "adagrad(0.3)",
        parameters={"U": {"axes": [WORDS, 3, 2], "init": "normal"}},
        equations={"e[n, d]": "sum(U[x[n, i], d, j], i, j)", "y": "dense(e, 2)"},
    ),
    "twice": spec_of(
        "adagrad(0.3)", equations={"e[n, d]": "U[x[n, 0], d] * U[x[n, 1], d]", "y": "dense(e, 2)"}
    ),
}


@pytest.mark.parametrize("name", SPECS)
def test_other_networks(name: str, tmp_path: Path) -> None:
    compare(module_of(SPECS[name], tmp_path), batches(np.random.default_rng(SEED), 5))


LINE: dict[str, Any] = {
    "inputs": {"x": ["n"]},
    "parameters": {"w": {"axes": [3]}},
    "equations": {"y": "x*sum(w)"},
    "loss": "mean(y)",
}


def test_the_oracle_of_resting_is_the_update_itself(tmp_path: Path) -> None:
    """Every optimiser of the library, at random numbers with a gradient of 0."""
    rng = np.random.default_rng(SEED)
    for name in library.optimizers:
        spec = {**LINE, "train": {"optimizer": name, "batch_size": "full"}}
        module = module_of(spec, tmp_path)
        params = module.init_params(0)
        state = module.init_state(params)
        for vector in (module.flatten(params), *state[1:]):
            vector[:] = rng.uniform(0.1, 0.9, vector.size)
        state.step[0] = 3
        before = [vector.copy() for vector in (module.flatten(params), *state[1:])]
        module.update(params, module.unflatten(np.zeros(module.SIZE, module.DTYPE)), state)
        stays = all(map(np.array_equal, before, (module.flatten(params), *state[1:])))
        assert rests(stages_of(read(spec)).named_update) == stays, name


@pytest.mark.parametrize("train", [{"clip_norm": 1}, {"average": 0.9}], ids=str)
def test_what_looks_at_every_entry_visits_all(train: dict[str, Any]) -> None:
    assert "_update_looked_up" not in text_of(spec_of("adagrad(0.3)", train=train))


FAULTS = {
    "a row left out": ("for entry in range(chosen.shape[0]):", "for entry in range(1, chosen.shape[0]):"),
    "a row twice": ("            view(grad, start, (3,))[:] = 0\n", ""),
    "a row beside": ("start = 3 * chosen[entry]", "start = 3 * max(chosen[entry] - 1, 0)"),
    "half a row": (
        "_update_part(view(theta, start, (3,)), view(grad, start, (3,)), step, view(r, start, (3,))",
        "_update_part(view(theta, start, (2,)), view(grad, start, (2,)), step, view(r, start, (2,))",
    ),
    "another's state": ("step, view(r, start, (3,))", "step, view(r, 0, (3,))"),
    "what was not formed": ("if chosen.shape[0] < 11:", "if chosen.shape[0] < 0:"),
    "nothing cleared": ("    clear_rows(dU, x)\n", ""),
    "counted twice": ("    step[0] += 1\n    # y_W", "    step[0] += 2\n    # y_W"),
    "the others less one": (
        "view(theta, 33, (8,)), view(grad, 33, (8,))",
        "view(theta, 33, (7,)), view(grad, 33, (7,))",
    ),
}


def test_the_judge_holds_what_a_step_visits() -> None:
    spec = spec_of("adagrad(0.3)", equations={"e[n, i, d]": "U[x[n, i], d]", "y": "dense(sum(e, axis=1), 2)"})
    model, text = expand(read(spec)), text_of(spec)
    found = identity_of(model, text)
    assert (found.state, found.step and found.step.state) == ("identical", "identical")
    for name, (right, wrong) in FAULTS.items():
        assert right in text, (name, text[text.index("def _update_looked_up") :][:1500])
        assert identity_of(model, text.replace(right, wrong, 1)).is_wrong, name
