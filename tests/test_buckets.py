"""Gradients in buckets: in which order a step finishes them, and that ranks may send each from then on."""

from __future__ import annotations

from cProfile import Profile
from itertools import chain
from pstats import Stats
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import test_exchanges
import test_shared_epochs
from building import interpreted, written
from seeds import one_in
from thread_ranks import on_ranks

from symgrad.compiler.loading.load import load
from symgrad.compiler.targets.numba.lowered_model import lowered_model
from symgrad.pipeline import stages_of
from symgrad.ranks.group_of_ranks import OneOfOne
from symgrad.spec.reader import read

if TYPE_CHECKING:
    from pathlib import Path

    from symgrad.compiler.planning.beside.buckets import Bucket
    from symgrad.verifier.behaviour.training.shared import ThreadRank

LEAST = "symgrad.compiler.planning.beside.buckets.LEAST"
WIDE = {"h": "tanh(dense(x, 40))", "g": "tanh(dense(h, 37))", "z": "dense(g, 3)"}
"""So wide that products are left to BLAS: of a small network one kernel forms the whole gradient."""
DRAWN = {**WIDE, "g": "dropout(tanh(dense(h, 37)), 0.5)"}
NORMED = {"h": "tanh(dense(x, 5))", "g": "tanh(batch_norm(dense(h, 6)))", "z": "dense(g, 3)"}
ALONE = {
    name: {**own, "equations": DRAWN if "drawn" in name else WIDE}
    for name, own in test_shared_epochs.CASES.items()
    if "state" not in own
}
CASES = ALONE | test_exchanges.CASES


def spec(layers: list[str], optimizer: str, size: int, classes: int = 10) -> dict[str, Any]:
    return {
        "name": "wide",
        "inputs": {"x": ["batch", size]},
        "targets": {"t": {"axes": ["batch"], "classes": classes}},
        "layers": layers,
        "loss": "softmax_cross_entropy",
        "train": {"optimizer": optimizer, "batch_size": 16},
    }


def buckets(own: dict[str, Any]) -> list[tuple[int, Bucket]]:
    return list(lowered_model(stages_of(read(own)).planned).buckets)


@pytest.mark.parametrize("optimizer", ["sgd(learning_rate=0.1)", "adam"])
def test_the_last_layers_are_finished_first(optimizer: str) -> None:
    wide = "dense(1000, activation=relu)"
    found = buckets(spec([wide, wide, "dense(10)"], optimizer, 784))
    first = 784 * 1000 + 1000
    assert [(part, b.first, b.last) for part, b in found] == [(1, first, first + 1_011_010), (2, 0, first)]
    assert found[0][1].steps < found[1][1].steps


def test_a_small_gradient_is_one_bucket() -> None:
    found = buckets(spec(["dense(64, activation=relu)", "dense(10)"], "adam", 64))
    assert [(part, b.first, b.last) for part, b in found] == [(1, 0, 64 * 64 + 64 + 650)]


def test_loops_over_equal_layers_stay_whole() -> None:
    """Written out, they take long to compile: what is finished within one is sent behind it."""
    equal = ["dense(256, activation=tanh)"] * 24
    found = buckets(spec([*equal, "dense(1100, activation=tanh)", "dense(10)"], "adam", 256))
    layer = 256 * 256 + 256
    assert [bucket.last - bucket.first for _, bucket in found] == [293_710, 23 * layer, layer]
    text = stages_of(read(spec(equal, "adam", 256, 256))).text
    assert text.count("for layer in range(23):") == 2  # forward, and back


@pytest.mark.parametrize("name", one_in(6, CASES))
def test_ranks_with_buckets_make_the_steps_of_one(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who writes into what is on its way raises, and what is to come is garbage until then."""
    monkeypatch.setattr(LEAST, 1)
    module = interpreted(written(CASES[name], tmp_path))
    assert len(module.BUCKETS) > 1 or name not in ALONE

    def trained(comm: ThreadRank | None = None, divided: bool = False) -> tuple[Any, ...]:
        return test_shared_epochs.trained(module, comm, divided=divided)

    one, rounding = trained(), 1e-4 if np.float32 == module.DTYPE else 1e-11
    for ranks in (2, 3, 9):
        every = [*on_ranks(ranks, trained), *on_ranks(ranks, lambda comm: trained(comm, divided=True))]
        for found in every:
            for mine, first in zip(found, every[0], strict=True):
                np.testing.assert_array_equal(mine, first, err_msg=f"{ranks} ranks differ")
        for mine, alone in zip(every[0], one, strict=True):
            np.testing.assert_allclose(mine, alone, rtol=rounding, atol=rounding, err_msg=f"{ranks} ranks")


class Sending:
    """A rank that keeps what happens, in order."""

    def __init__(self, comm: ThreadRank, events: list[str]) -> None:
        self.comm, self.events = comm, events

    def __getattr__(self, name: str) -> Any:
        return getattr(self.comm, name)

    def Ialltoallv(self, *messages: Any) -> Any:
        self.events.append("sent")
        return self.comm.Ialltoallv(*messages)


@pytest.mark.parametrize("equations", [WIDE, NORMED])
def test_a_bucket_is_sent_before_the_next_is_formed(
    equations: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LEAST, 1)
    own = test_shared_epochs.spec(equations=equations, optimizer="sgd(learning_rate=0.1)")
    module = interpreted(written(own, tmp_path))
    share = module._share_of_step
    events: list[str] = []

    def told(*given: Any) -> Any:
        events.append(f"part {given[-1]}")
        return share(*given)

    def step(comm: ThreadRank) -> None:
        params = module.init_params(1)
        data = test_shared_epochs.X[:6], test_shared_epochs.T[:6]
        module.train_step(params, module.init_state(params), *data, comm=Sending(comm, events))

    monkeypatch.setattr(module, "_share_of_step", told)
    on_ranks(1, step)
    ends = [part for part, *_ in module.BUCKETS]
    assert len(ends) > 1
    parts = [(f"part {part}", *["sent"] * ends.count(part)) for part in range(1, ends[-1] + 1)]
    assert events == [*chain.from_iterable(parts), *["sent"] * len(ends)]  # and new parameters at the end


def test_what_is_compiled_for_shared_steps_is_found_by_each(tmp_path: Path) -> None:
    """Numba looks on the disk for what it was not given before, at each call where that has another type."""
    module = load(written(test_shared_epochs.spec(optimizer="adam", clip_norm=1.0), tmp_path))
    params = module.init_params(1)
    state, data = module.init_state(params), (test_shared_epochs.X[:6], test_shared_epochs.T[:6])
    module.train_step(params, state, *data, comm=OneOfOne())
    with Profile() as profile:
        module.train_step(params, state, *data, comm=OneOfOne())
    called = {name for _, _, name in Stats(profile).stats}
    assert module._rest_of_step.overloads, "it is not compiled"
    assert "make_step" in called
    assert not called & {"load_overload", "_compile_for_args"}
