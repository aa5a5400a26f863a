"""Epochs that ranks share, of modules alone: the steps of one process, whoever computes which rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written
from seeds import one_in
from thread_ranks import on_ranks

from symgrad.spec import library

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

ROWS, BATCH = 23, 7
RNG = np.random.default_rng(0)
X, T = RNG.normal(size=(ROWS, 3)), RNG.integers(0, 3, ROWS)
DROPOUT = {"h": "dropout(tanh(dense(x, 4)), 0.5)", "z": "dense(h, 3)"}
OPTIMIZERS = sorted(library.optimizers)


def spec(*, ignore: int | None = None, **others: Any) -> dict[str, Any]:
    train = {k: v for k, v in others.items() if k not in ("dtype", "equations", "loss", "state", "constants")}
    target = {"axes": ["batch"], "classes": 3} | ({} if ignore is None else {"ignore": ignore})
    return {
        "name": "shared",
        "dtype": "float64",
        "inputs": {"x": ["batch", 3]},
        "targets": {"t": target},
        "equations": {"h": "tanh(dense(x, 4))", "z": "dense(h, 3)"},
        "loss": "softmax_cross_entropy(z, t) + 0.01*l2(z_W)",
        **{k: v for k, v in others.items() if k not in train},
        "train": {"optimizer": "momentum(learning_rate=0.3)", "batch_size": BATCH, **train},
    }


CASES = {
    "ignored labels": spec(ignore=1),
    "class weights": spec(
        loss="softmax_cross_entropy(z, t, class_weights=c) + 0.01*l2(z_W)", constants={"c": [1.0, 2.0, 0.0]}
    ),
    "micro-batches": spec(micro_batch_size=2),
    "clipped": spec(optimizer="adam", clip_norm=0.1, schedule="cosine"),
    "looking ahead": spec(optimizer="nesterov(learning_rate=0.1)"),
    "drawn": spec(equations=DROPOUT),
    "drawn in micro-batches": spec(equations=DROPOUT, micro_batch_size=1),
    "clipped and frozen": spec(freeze=["h_b"], clip_norm=0.1, optimizer="nesterov(learning_rate=0.3)"),
    "frozen": spec(freeze=["h_W"], per_parameter={"z_b": {"learning_rate": 0.01}}),
    "averaged": spec(average=0.9),
    "single precision": spec(dtype="float32"),
    "a sum": spec(loss="sum(logsumexp(z[n,k], k) - z[n,t[n]], n) / 9"),
    "a sum, drawn": spec(loss="softmax_cross_entropy(z, t, reduction=sum)/9", equations=DROPOUT, clip_norm=1),
    "a state": spec(
        equations={"h": "tanh(dense(x, 4))", "hm": "mean(h, axis=0)", "z": "dense(h, 3) + sum(m)"},
        state={"m": {"axes": [4], "init": 0, "next": "0.9*m + 0.1*hm"}},
    ),
} | {f"optimizer {name}": spec(optimizer=name, batch_size="full") for name in OPTIMIZERS}


def trained(
    module: ModuleType, comm: Any = None, labels: Any = T, inputs: Any = X, *, divided: bool = False
) -> tuple[Any, ...]:
    """Parameters, state and losses after two epochs in orders of their own."""
    params = module.init_params(1)
    state, losses = module.init_state(params), []
    if divided:
        state = module.own_state(state, comm)
    shared = {} if comm is None else {"comm": comm}
    size = "full" if module.FULL_BATCH else BATCH
    for epoch in range(2):
        order = np.random.default_rng(epoch).permutation(ROWS)
        how = {"batch_size": size, "order": order, "epoch": epoch, **shared}
        losses.append(module.train_epoch(params, state, inputs, labels, **how))
    if divided:
        state = module.whole_state(state, comm)
    return np.copy(module.flatten(params)), *map(np.copy, state), np.array(losses)


@pytest.mark.parametrize("name", one_in(2, CASES))
def test_ranks_make_the_steps_of_one(name: str, tmp_path: Path) -> None:
    module = interpreted(written(CASES[name], tmp_path))
    one = trained(module)
    rounding = 1e-5 if np.float32 == module.DTYPE else 1e-12
    for ranks in (2, 3, 9):
        every = on_ranks(ranks, lambda comm: trained(module, comm))
        for found in every:
            for mine, first in zip(found, every[0], strict=True):
                np.testing.assert_array_equal(mine, first, err_msg=f"{ranks} ranks differ")
        again = on_ranks(ranks, lambda comm: trained(module, comm, divided=True))[0]
        for number, (mine, alone) in enumerate(zip(every[0], one, strict=True)):
            np.testing.assert_array_equal(mine, again[number])
            np.testing.assert_allclose(mine, alone, rtol=rounding, atol=rounding, err_msg=f"{ranks} ranks")


def test_rows_of_a_table_that_ranks_look_up(tmp_path: Path) -> None:
    """Of 300 rows a step visits those that its batch names: others on other ranks, and in other steps."""
    words = {"x": {"axes": ["batch", 3], "classes": 300}}
    looked_up = {"e": "embedding(x, 4)", "h": "mean(e, axis=1)", "z": "dense(h, 3)"}
    own = spec(equations=looked_up, optimizer="adagrad(learning_rate=0.1)")
    module = interpreted(written({**own, "inputs": words}, tmp_path))
    assert "_update_looked_up" in vars(module)
    drawn = RNG.integers(0, 300, (ROWS, 3))
    one = trained(module, inputs=drawn)
    for mine, alone in zip(
        on_ranks(3, lambda comm: trained(module, comm, inputs=drawn))[0], one, strict=True
    ):
        np.testing.assert_allclose(mine, alone, rtol=1e-12, atol=1e-14)


def test_a_batch_in_which_no_label_counts(tmp_path: Path) -> None:
    module = interpreted(written(CASES["ignored labels"], tmp_path))
    labels = np.ones(ROWS, int)
    labels[:3] = 0  # in the order of the first epoch some batches have none of these
    one, (first, *_) = trained(module, labels=labels), on_ranks(3, lambda comm: trained(module, comm, labels))
    for mine, alone in zip(first, one, strict=True):
        np.testing.assert_allclose(mine, alone, rtol=1e-12, atol=1e-14)


def test_fit_and_a_step_are_shared_too(tmp_path: Path) -> None:
    module = interpreted(written(CASES["drawn"], tmp_path))
    told: list[int] = []

    def fitted(comm: Any = None) -> Any:
        shared = {} if comm is None else {"comm": comm}
        params, history = module.fit(
            X, T, epochs=2, after_steps=(3, lambda *now: told.append(now[0])), **shared
        )
        state = module.init_state(params)
        loss = module.train_step(params, state, X, T, **shared)
        return np.append(module.flatten(params), [*history, loss])

    alone = fitted()
    for found in on_ranks(2, fitted):
        np.testing.assert_allclose(found, alone, rtol=1e-12, atol=1e-14)
    assert sorted(told) == sorted(3 * [*range(3, 9, 3)])


def test_ranks_that_do_not_make_the_same_call_are_told_on_all_of_them(tmp_path: Path) -> None:
    module = interpreted(written(spec(), tmp_path))
    said: dict[int, str] = {}

    def differing(comm: Any, what: str) -> None:
        params, size, rows = module.init_params(comm.rank if what == "params" else 0), BATCH, ROWS
        size = -1 if what == "size" and comm.rank == 1 else size
        rows = 20 if what == "rows" and comm.rank == 2 else rows
        try:
            data = X[:rows], T[:rows]
            module.train_epoch(params, module.init_state(params), *data, batch_size=size, comm=comm)
        except ValueError as error:
            said[comm.rank] = str(error)

    for what, rank in (("params", 1), ("rows", 2)):
        said.clear()
        on_ranks(3, lambda comm, what=what: differing(comm, what))
        assert len(said) == 3
        assert all(f"rank {rank} has other parameters, state, rows" in text for text in said.values())
    on_ranks(3, lambda comm: differing(comm, "size"))
    assert said[1].startswith("batch_size: expected")
    assert said[0] == said[2] == "comm: rank 1 refused what it was given, and says why"


def test_states_that_are_no_parts_of_one_are_told_on_all_ranks(tmp_path: Path) -> None:
    module = interpreted(written(spec(optimizer="adam"), tmp_path))
    said: dict[int, str] = {}

    def differing(comm: Any, what: str) -> None:
        params = module.init_params()
        state = module.init_state(params)
        part = module.own_state(state, comm)
        given = {"whole": state, "short": part._replace(m=part.m[1:])}[what] if comm.rank == 1 else part
        said[comm.rank] = "taken"
        try:
            whole = module.whole_state(part, comm)
            assert len(part.m) < len(whole.m) == module.SIZE
            module.train_step(params, given, X, T, comm=comm)
        except ValueError as error:
            said[comm.rank] = str(error)

    on_ranks(3, lambda comm: differing(comm, "whole"))
    assert all("rank 1 has other parameters, state" in text for text in said.values())
    on_ranks(3, lambda comm: differing(comm, "short"))
    assert said[1].startswith("state.m: expected float64 of shape")
    assert said[0] == said[2] == "comm: rank 1 refused what it was given, and says why"


def test_numbers_that_are_not_finite_are_told_on_every_rank(tmp_path: Path) -> None:
    module = interpreted(written(spec(), tmp_path))
    broken = X.copy()
    broken[20, 1] = np.nan

    def told(comm: Any) -> str:
        params = module.init_params()
        with pytest.raises(ValueError, match="finite") as caught:
            module.train_epoch(params, module.init_state(params), broken, T, batch_size=BATCH, comm=comm)
        return str(caught.value)

    assert {*on_ranks(3, told)} == {
        "x: the entry at [20, 1] is nan; expected a finite number that float64 can hold"
    }
