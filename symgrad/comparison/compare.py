"""The four ways to a derivative, side by side: manual, symbolic, numerical, automatic (lecture 001)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from symgrad.comparison.comparison_report import Comparison
from symgrad.comparison.judge import judge
from symgrad.comparison.manual import check_manual
from symgrad.comparison.measure import measure
from symgrad.comparison.problem import problem_of
from symgrad.comparison.reference_gradient import reference_of
from symgrad.comparison.ways import symbolic_gradient, ways
from symgrad.errors import ModuleError
from symgrad.spec.expand import expand

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from symgrad.spec.model import Spec

TIME_LIMIT = 60.0


def compare(
    spec: Spec,
    module: ModuleType,
    *,
    rows: int | None = None,
    seed: int = 0,
    random: bool = False,
    time_limit: float = TIME_LIMIT,
    progress: Callable[[str], None] = lambda _: None,
) -> Comparison:
    """Differentiate the loss of a spec in every way there is, at one point, and check its manual formulas.

    `module` is the spec's, in float64. The point is at random parameters, drawn from `seed`, and on the first
    `rows` rows of the spec's own data, or with `random`, and where it has none, on random ones. A way that
    would take longer than `time_limit` seconds is left out. `progress` is told what is done next.

    Raises:
        ModuleError: the module does not compute in float64.
        SpecError: there is no loss, nothing to differentiate by, or a manual formula that makes no sense.
        DataError: the spec's data cannot be used.
        SymgradError: no point was found where the loss is a finite number.
    """
    if np.dtype(module.DTYPE) != np.float64:
        raise ModuleError("gradients are compared in float64", at=spec.name, remedy="pass the float64 twin")
    progress("manual formulas")
    claims = check_manual(spec, seed=seed)
    problem = problem_of(expand(spec), module, rows=rows, seed=seed, random=random)
    runs = []
    for way in ways(problem):
        progress(f"{way.kind}: {way.name}")
        runs.append((way, measure(way, time_limit)))
    progress("reference")
    reference = reference_of(problem, symbolic_gradient(problem)[1])
    results = tuple(judge(way, run, problem, reference) for way, run in runs)
    entry = problem.entry(reference.shown)
    return Comparison(spec.name, problem.vector.size, problem.origin, entry, reference.text, results, claims)
