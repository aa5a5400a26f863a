"""Random networks whose batches random ranks share, beside one process that makes the same steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
from thread_ranks import on_ranks

from fuzz.chance import chance_spec
from fuzz.coupled import coupled_spec
from fuzz.free_axes import free_axes_spec
from fuzz.gradients import GARBAGE, Outcome, module_of, plain
from fuzz.modules import with_garbage
from fuzz.networks import chain_spec, graph_spec
from fuzz.recurrent import recurrent_spec
from fuzz.sequences import sequence_spec
from fuzz.tensor_programs import tensor_spec
from fuzz.two_modes import modes_spec
from fuzz.whole_steps import whole_steps_spec
from symgrad.errors import SymgradError
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.sampling.samples import draw

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random
    from types import ModuleType

    Array = np.ndarray[Any, Any]

Spec = dict[str, Any]
OF_KINDS = (
    *(chain_spec, graph_spec, sequence_spec, tensor_spec, recurrent_spec, whole_steps_spec),
    *(chance_spec, modes_spec, free_axes_spec),
)
OPTIMIZERS = ("sgd(learning_rate=0.1)", "momentum(learning_rate=0.1)", "nesterov(learning_rate=0.1)")
"""Whose steps are as near to each other as the gradients are; others go by signs, or divide."""
OPTIONS = ({}, {}, {"clip_norm": 0.5}, {"average": 0.9}, {"clip_value": 0.1}, {"micro_batch_size": 2})
ROUNDING = {"float64": 1e-9, "float32": 3e-3}
STEPS = 3


def shared_spec(random: Random) -> Spec:
    """A network of another kind, with a plan for its training; maybe with labels that do not count."""
    return {**_trained(random, random.choice(OF_KINDS)(random)), "name": "shared"}


def coupled_shared_spec(random: Random) -> Spec:
    """The same of networks whose rows know of each other."""
    return _trained(random, coupled_spec(random))


def _trained(random: Random, spec: Spec) -> Spec:
    targets = {
        name: {**about, "ignore": 0} if "classes" in about and random.random() < 0.5 else about
        for name, about in spec.get("targets", {}).items()
    }
    parts = {k: v for k, v in spec.get("train", {}).items() if k == "steps_at_once"}
    train = {**parts, "optimizer": random.choice(OPTIMIZERS), **random.choice(OPTIONS)}
    first = [axes[0] for axes in map(_axes, spec["inputs"].values()) if axes and isinstance(axes[0], str)]
    if first and random.random() < 0.3:  # where the loss is a mean, this is a sum over the rows
        spec = {**spec, "loss": f"0.1 * {first[0]} * ({spec['loss']})"}
    dtype = "float64" if random.random() < 0.8 else "float32"
    return {
        **spec,
        **({"targets": targets} if targets else {}),
        "dtype": dtype,
        "train": train,
    }


def _axes(declared: Any) -> list[Any]:
    return list(declared["axes"] if isinstance(declared, dict) else declared)


def judge_shared(spec: Spec, random: Random, by_rows: bool) -> Outcome:
    """Parameters, state and losses after some steps, of ranks and of one; all ranks have the same bits.

    Where threads may take turns of passes, also beside the module whose passes are whole.
    """
    own = {k: v for k, v in plain(spec).items() if k not in ("least", "key")}
    module = _module(own, by_rows)
    if module is None or module.COUPLED or not module.SHAPES:
        return Outcome("unsound")
    rows, ranks = random.randint(1, 11), random.randint(2, 4)
    model = expand(read({**own, "train": {}}))
    try:
        found = draw(model, "", random.randrange(1000), batch=rows).arrays
    except SymgradError:
        return Outcome("unsound")
    data, size = [found[name] for name in (*module.INPUTS, *module.TARGETS)], random.randint(1, rows)
    start = module.unflatten(np.concatenate([np.ravel(found[n]) for n in module.SHAPES]).astype(module.DTYPE))
    in_turns = hasattr(module, "in_parts")
    if in_turns and random.random() < 0.5:
        vars(module)["in_parts"] = module._one_after_another

    def trained(module: ModuleType, comm: Any = None, divided: bool = False) -> list[Any]:
        params = module.unflatten(np.copy(module.flatten(start)))
        state, shared = module.init_state(params), {} if comm is None else {"comm": comm}
        if divided:
            state = module.own_state(state, comm)
        losses = []
        for epoch in range(STEPS):
            order = np.random.default_rng(epoch).permutation(rows)
            losses.append(
                module.train_epoch(params, state, *data, batch_size=size, order=order, epoch=epoch, **shared)
            )
        if divided:
            state = module.whole_state(state, comm)
        return [np.copy(module.flatten(params)), *map(np.copy, state), np.array(losses)]

    alone = trained(module)
    if not all(np.isfinite(array).all() for array in alone):
        return Outcome("unsound")
    near = ROUNDING[str(spec["dtype"])]
    told = f"{rows} rows in batches of {size}"
    if in_turns and (away := _away(trained(_module(own, by_rows=False)), alone, near)):
        return Outcome("not as in whole passes", f"{told}: {away}")
    for garbage in GARBAGE:
        with_garbage(module, garbage)
        divided = random.random() < 0.5
        every = on_ranks(ranks, lambda comm, divided=divided: trained(module, comm, divided))
        if not all(np.array_equal(a, b) for one in every for a, b in zip(one, every[0], strict=True)):
            return Outcome("ranks differ", f"{ranks} ranks, {told}")
        if away := _away(every[0], alone, near):
            return Outcome("not as one", f"{ranks} ranks, {told}: {away}")
    return Outcome("right")


def _away(found: Sequence[Array], expected: Sequence[Array], near: float) -> float:
    """How far the first numbers lie from what is expected that are not near it; 0 where all are."""
    for mine, other in zip(found, expected, strict=True):
        if not np.allclose(mine, other, rtol=near, atol=near * (1 + np.abs(other).max(initial=0))):
            return float(np.abs(mine - other).max())
    return 0.0


def _module(spec: Spec, by_rows: bool) -> ModuleType | None:
    """The module, in micro-batches if the spec asks for that and may; none where its optimiser may not."""
    for leave_out in ((), ("micro_batch_size",)):
        train = {k: v for k, v in spec["train"].items() if k not in leave_out}
        try:
            planning = "symgrad.compiler.planning"  # tables and gradients are small here
            few = patch(f"{planning}.needed_steps.LEAST_ROWS", 2)
            with few, patch(f"{planning}.beside.buckets.LEAST", 1):
                return module_of({**spec, "train": train}, by_rows)
        except SymgradError:
            continue
    return None
