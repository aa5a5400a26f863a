"""Rows that know of each other, shared by ranks: what these tell each other, and that it is right."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written
from test_behaviour import bench
from test_shared_epochs import T, X, spec, trained
from thread_ranks import on_ranks

from symgrad.pipeline import stages_of
from symgrad.spec.reader import read
from symgrad.verifier.behaviour.suite import observed

if TYPE_CHECKING:
    from pathlib import Path

NORM = {"d": "dense(x, 4)", "h": "tanh(batch_norm(d))", "z": "dense(h, 3)"}
UNBIASED = {
    "d": "dense(x, 4)",
    "v": "sum((d - mean(d, axis=0))**2, axis=0) / max(batch - 1, 1)",
    "z": "dense((d - mean(d, axis=0)) / sqrt(v + 0.1), 3)",
}
CASES = {
    "batch norm": spec(equations=NORM),
    "batch norm that keeps nothing": spec(equations={**NORM, "h": "batch_norm(d, momentum=false)"}),
    "batch norm twice, frozen, clipped": spec(
        equations={
            "d": "dense(x, 4)",
            "h": "tanh(batch_norm(d))",
            "e": "dense(h, 3)",
            "g": "batch_norm(e)",
            "z": "dense(g, 3)",
        },
        freeze=["d_W"],
        clip_norm=0.5,
        optimizer="adam",
    ),
    "batch norm, all below the last layer frozen": spec(equations=NORM, freeze=["d_*", "h_*"]),
    "batch norm, ahead, averaged": spec(equations=NORM, optimizer="nesterov(learning_rate=0.1)", average=0.9),
    "batch norm and labels that do not count": spec(equations=NORM, ignore=1),
    "batch norm, drawn": spec(equations={**NORM, "z": "dense(dropout(h, 0.5), 3)"}),
    "batch norm in single precision": spec(equations=NORM, dtype="float32"),
    "batch norm above a recurrence kept every two steps": spec(
        equations={
            "h": "gru(reshape(x, [batch, 3, 1]), 4)",
            "y": "batch_norm1d(h)",
            "z": "dense(mean(y, axis=1), 3)",
        },
        steps_at_once=2,
    ),
    "the number of all rows": spec(equations=UNBIASED),
    "extrema": spec(
        equations={"d": "dense(x, 4)", "z": "dense((d - min(d, axis=0)) / (1 + max(abs(d), axis=0)), 3)"}
    ),
    "a softmax over rows": spec(
        equations={"d": "dense(x, 4)", "z": "dense(exp(d) / sum(exp(d), axis=0) * 5, 3)"}
    ),
    "means of labels": spec(
        equations={
            "d": "dense(x, 4)",
            "o": "onehot(t)",
            "m[k,i]": "sum(d[n,i] * o[n,k], n) / (1 + sum(o[n,k], n))",
            "e[n,i]": "d[n,i] - m[t[n],i]",
            "z": "dense(e, 3)",
        }
    ),
    "a sum beside what no row is in": spec(loss="softmax_cross_entropy(z, t, reduction=sum)/9 + l2(z_W)"),
    "a sum beside a mean": spec(loss="sum((z - onehot(t))**2)/9 + mean(z**2) + log(sum(z_W**2))"),
    "the root of a mean": spec(loss="sqrt(mean((z - onehot(t))**2)) + 0.01*l2(z_W)"),
    "a sum that rows read, and one at the end": spec(
        equations={"d": "dense(x, 4)", "z": "dense(tanh(d - sum(d, axis=0) / 9), 3)"},
        loss="softmax_cross_entropy(z, t, reduction=sum) / 9",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_ranks_make_the_steps_of_one(name: str, tmp_path: Path) -> None:
    """Batches of 7 rows, the last of 2: of 9 ranks most have no row then."""
    module = interpreted(written(CASES[name], tmp_path))
    assert module.COUPLED == ""
    assert module._told_sums is not None
    one = trained(module)
    rounding = 1e-4 if np.float32 == module.DTYPE else 1e-11
    for ranks in (1, 2, 3, 9):
        every = on_ranks(ranks, lambda comm: trained(module, comm))
        divided = on_ranks(ranks, lambda comm: trained(module, comm, divided=True))
        for found in (*every, *divided):
            for mine, first in zip(found, every[0], strict=True):
                np.testing.assert_array_equal(mine, first, err_msg=f"{ranks} ranks differ")
        for mine, alone in zip(every[0], one, strict=True):
            np.testing.assert_allclose(mine, alone, rtol=rounding, atol=rounding, err_msg=f"{ranks} ranks")


def told(**others: Any) -> list[tuple[str, ...]]:
    """What ranks tell each other behind each part of a step but the last."""
    sharing = stages_of(read(spec(**others))).sharing
    assert not isinstance(sharing, str), sharing
    return [tuple(found.tensor for found in share.exchanges) for share in sharing.shares[:-1]]


def test_what_ranks_of_a_batch_norm_tell_each_other() -> None:
    """Mean, variance, and what comes back to shift and scale: three meetings for each layer."""
    assert told(equations=NORM) == [("h_mu_1",), ("h_v_1",), ("dh_beta", "dh_gamma")]


COUPLED = {
    "every row beside every other": (
        {"d": "dense(x, 3)", "e[n,i]": "mean(tanh(d[n,i] - d[p,i]), p)", "z": "dense(e, 3)"},
        "pairs rows with other rows",
    ),
    "sums between the steps of a recurrence": (
        {
            "h[n,-1,i]": "0",
            "m[t,i:4]": "mean(h[n,t-1,i], n)",
            "h[n,t,i:4]": "tanh(x[n,t] + 0.5 * h[n,t-1,i]) - m[t,i]",
            "z": "dense(h[:,-1], 3)",
        },
        "'m' has a sum over the rows that is read where it is formed",
    ),
}


@pytest.mark.parametrize("name", COUPLED)
def test_what_no_sum_over_rows_tells(name: str, tmp_path: Path) -> None:
    equations, reason = COUPLED[name]
    module = interpreted(written(spec(equations=equations), tmp_path))
    assert reason in module.COUPLED
    params = module.init_params()
    with pytest.raises(
        ValueError, match=f"comm: ranks cannot share the rows of a batch: .*{re.escape(reason)}"
    ):
        module.train_step(params, module.init_state(params), X, T, comm=object())


def test_what_is_not_finite_on_one_rank_is_told_on_all(tmp_path: Path) -> None:
    module = interpreted(written(CASES["batch norm"], tmp_path))
    broken = X.copy()
    broken[20, 1] = np.nan

    def trial(comm: Any = None) -> tuple[str, Any]:
        params, shared = module.init_params(), {} if comm is None else {"comm": comm}
        with pytest.raises(ValueError, match="finite") as caught:
            module.train_epoch(params, module.init_state(params), broken, T, batch_size=7, **shared)
        return str(caught.value), np.copy(module.flatten(params))

    said, left = trial()
    for text, found in on_ranks(3, trial):
        assert (
            text == said == "x: the entry at [20, 1] is nan; expected a finite number that float64 can hold"
        )
        np.testing.assert_allclose(found, left, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", ["batch norm", "the root of a mean"])
def test_what_is_not_finite_for_one_rank_alone_ends_all(name: str, tmp_path: Path) -> None:
    """Ranks do not compare their data, and which rows are whose only an order says."""
    module = interpreted(written(CASES[name], tmp_path))

    def trial(comm: Any) -> str:
        own, params = X.copy(), module.init_params()
        if comm.rank == 1:
            own[:] = np.nan
        with pytest.raises(ValueError) as caught:  # noqa: PT011  # what it says is told
            module.train_epoch(params, module.init_state(params), own, T, batch_size=7, comm=comm)
        return str(caught.value)

    first, second, third = on_ranks(3, trial)
    assert second == "x: the entry at [0, 0] is nan; expected a finite number that float64 can hold"
    assert first == third == "comm: rank 1 refused what it was given, and says why"


FAULTS = {
    "another sum is told": ('("sum", _array(work, 0,', '("sum", _array(work, 4,'),
    "a sum is taken for an extremum": ('("sum",', '("max",'),
    "own rows are counted where all are": (
        "rows, 0, count, memory, work, *extents, len(batch)",
        "rows, 0, count, memory, work, *extents, count",
    ),
    "one part is left out": ("    if part == 2:", "    if part == 12:"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_judge_sees_what_is_told_wrong(fault: str, tmp_path: Path) -> None:
    right, wrong = FAULTS[fault]
    module, case = bench(CASES["batch norm"], tmp_path, right, wrong)
    assert "ranks" in observed(module, "ranks", case)


def test_the_judge_finds_what_is_right_right(tmp_path: Path) -> None:
    module, case = bench(CASES["batch norm"], tmp_path)
    assert observed(module, "ranks", case) == ""
