"""Networks of layers by name: as a graph beside the oracle, and as a chain beside the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fuzz.gradients import GARBAGE, Outcome, drawn_data, judge_gradient, module_of
from fuzz.modules import with_garbage

if TYPE_CHECKING:
    from random import Random

Spec = dict[str, Any]


def judge_layered(spec: Spec, random: Random, by_rows: bool) -> Outcome:
    """The graph at a sound point; the chain of the same layers has its loss and its slopes there."""
    graph = {k: v for k, v in spec.items() if k != "chain"}
    outcome = judge_gradient(graph, random, by_rows)
    if outcome.failed or "chain" not in spec:
        return outcome
    last = [*spec["equations"]][-1]
    name, _, rest = str(spec["loss"]).partition(f"({last}, t")
    if not name.isidentifier() or "," in rest or "(" in rest or len(spec["targets"]) > 1:
        return outcome
    chain = {k: v for k, v in graph.items() if k != "equations"} | {"layers": spec["chain"], "loss": name}
    modules = [with_garbage(module_of(s, by_rows), GARBAGE[0]) for s in (graph, chain)]
    if modules[0].SIZE != modules[1].SIZE:
        return Outcome("a chain has other parameters", f"{modules[0].SHAPES} {modules[1].SHAPES}")
    rng = np.random.default_rng(random.randrange(2**32))
    data = drawn_data(graph, {}, rng, False)
    theta = rng.normal(0, 0.9, modules[0].SIZE)
    found = []
    for module in modules:
        given = [data[n] for n in (*module.INPUTS, *module.TARGETS)]
        loss, slopes = module.loss_and_grad(module.unflatten(theta.astype(module.DTYPE)), *given)
        found.append([float(loss), *module.flatten(slopes)])
    if not np.allclose(*found, rtol=1e-4, atol=1e-6, equal_nan=True):
        return Outcome("a chain is not its graph", f"{found}")
    return outcome
