"""Scatters that are summed go into one array: random reads of one tensor against the oracle of the fuzz."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from building import by_rows
from fuzz.judge import judge
from seeds import SEED

from symgrad.calculus.editing import with_equations
from symgrad.errors import InternalError
from symgrad.passes.scattering.scatter_chains import chain_scatters
from symgrad.pipeline import Stages, stages_of
from symgrad.spec.reader import read


def planned(spec: dict[str, Any]) -> Stages:
    """The stages of a spec, stored by rows."""
    stages = stages_of(read(spec))
    with by_rows():
        assert stages.plan.column_axis == ""
    return stages


def reads(random: Random) -> dict[str, Any]:
    """A computed tensor or a parameter that is read at several places, which may overlap or never meet."""
    length, channels, taps = random.sample((4, 5, 6, 7), 3)
    stride, dilation = random.randint(1, 3), random.randint(1, 2)
    places = {f"{stride}*i + {random.randint(1, 2)}" for _ in range(random.randint(1, 3))}
    places |= {f"{stride}*i", f"{dilation}*i + 1"}
    places |= {str(random.randrange(length)) for _ in range(random.randint(0, 2))}
    of_rows = random.random() < 0.7
    row = "n, " if of_rows else ""
    combined, *others = (f"A[{row}{place}, k]" for place in random.sample(sorted(places), len(places)))
    for other in others:
        form = random.choice(("max({}, {})", "{} + tanh({})", "{} * {}", "min({}, 2*{})", "{} - {}"))
        combined = form.format(combined, other)
    spec: dict[str, Any] = {
        "name": "reads",
        "dtype": "float64",
        "inputs": {"x": ["rows", length, channels]},
        "parameters": {"W": {"axes": [channels, taps], "init": "normal(std=1)"}},
        "equations": {"P[n, i, k]": f"({combined}) * x[n, 0, k]", "y": "P @ W"},
        "loss": random.choice(("mean(y**2)", "mean(y**2) + sum(tanh(A))", "sum(y**3)")),
        "gradients": random.choice(([], ["x"])),
        "train": {"optimizer": random.choice(("sgd", "adam"))},
    }
    if of_rows:
        spec["equations"] = {"A[n, j, k]": "x[n, j, k] * W[k, 0] + x[n, j, k]**2", **spec["equations"]}
    else:
        spec["parameters"]["A"] = {"axes": [length, channels], "init": "normal(std=1)"}
    return spec


def test_reads_at_several_places_are_right():
    random, right, chained = Random(SEED), 0, 0
    for number in range(24):
        spec = reads(random)
        outcome = judge(spec, random, by_rows=number % 3 > 0)
        assert not outcome.failed, (number, spec, outcome)
        right += outcome.kind == "right"  # an entry compared with itself has no slope
        chained += any(equation.onto for equation in planned(spec).arranged.equations)
    assert right > 12
    assert chained > 12


@pytest.mark.parametrize("by_rows", [True, False], ids=["rows", "columns"])
def test_places_with_a_factor_in_common_stay_places(by_rows):
    """SymPy writes A[2*i] - A[2*i + 2] with 2*(i + 1) when it looks for common factors."""
    spec = {
        "name": "apart",
        "dtype": "float64",
        "inputs": {"x": ["rows", 4, 6]},
        "parameters": {"W": {"axes": [6, 7], "init": "normal(std=1)"}, "A": [4, 6]},
        "equations": {"P[n,i,k]": "(min(A[2*i, k], 2*A[i + 1, k]) - A[2*i + 2, k]) * x[n,0,k]", "y": "P @ W"},
        "loss": "mean(y**2) + sum(tanh(A))",
    }
    outcome = judge(spec, Random(SEED), by_rows=by_rows)
    assert not outcome.failed, outcome


POOLING = {
    "name": "pooling",
    "dtype": "float64",
    "inputs": {"x": ["batch", 6, 10, 3]},
    "parameters": {"W": {"axes": [3, 5], "init": "normal(std=1)"}},
    "equations": {
        "A": "tanh(x @ W)",
        "P[n,i,j,c]": "max(max(A[n,2*i,2*j,c], A[n,2*i,2*j+1,c]), max(A[n,2*i+1,2*j,c], A[n,2*i+1,2*j+1,c]))",
    },
    "loss": "mean(P**2)",
}
LOOKED_UP = {
    "name": "pairs",
    "dtype": "float64",
    "inputs": {"a": {"axes": ["batch"], "classes": 7}, "b": {"axes": ["batch", 2], "classes": 7}},
    "parameters": {"E": {"axes": [7, 4], "init": "normal(std=1)"}},
    "equations": {"y[n,k]": "E[a[n], k] * E[b[n,0], k] - tanh(E[b[n,1], k])"},
    "loss": "mean(y**3)",
}


def unrolled(steps: int) -> dict[str, Any]:
    """A recurrence written out over slices of a computed tensor."""
    equations = {"XU": "x @ U + b", "h1[n,k]": "tanh(XU[n,0,k])"}
    for step in range(1, steps):
        equations[f"h{step + 1}[n,k]"] = f"tanh(XU[n,{step},k] + sum(h{step}[n,j] * W[j,k], j))"
    return {
        "name": "unrolled",
        "dtype": "float64",
        "inputs": {"x": ["batch", steps, 3]},
        "parameters": {"U": [3, 4], "W": {"axes": [4, 4], "init": "glorot_uniform"}, "b": [4]},
        "equations": equations,
        "loss": f"mean(h{steps}**2)",
    }


@pytest.mark.parametrize("spec", [POOLING, LOOKED_UP, unrolled(5)], ids=lambda spec: spec["name"])
@pytest.mark.parametrize("optimizer", ["sgd(0.1)", "adam(0.1)"])
def test_the_array_is_cleared_once(spec, optimizer):
    spec = {**spec, "train": {"optimizer": optimizer}}
    stages = planned(spec)
    scattered = [e for e in stages.arranged.equations if e.scatters]
    assert len(scattered) >= 3
    assert [e.onto for e in scattered] == ["", *(e.target for e in scattered[:-1])]
    assert len({stages.plan.places[e.target] for e in scattered}) == 1
    memory = stages.plan.memory_name(scattered[-1].target)
    with by_rows():
        lines = [line.strip() for line in stages.text.splitlines()]
    whole, entry = f"{memory}[:] = 0", f"{memory}["
    cleared = [
        line for line in lines if line == whole or (line.startswith(entry) and line.endswith("] = real(0)"))
    ]
    assert len(cleared) == 1
    for rows in (True, False):
        assert judge(spec, Random(SEED), by_rows=rows).kind == "right"


def test_an_unrolled_recurrence_needs_memory_for_each_step_alone():
    (a, b, c) = (dict(planned(unrolled(steps)).plan.work_units)["batch",] for steps in (12, 18, 24))
    assert b - a == c - b


def test_what_is_needed_besides_the_sum_stays_apart():
    spec = {**POOLING, "equations": {"A": "tanh(x @ W)", "P[n,j,c]": "A[n,0,j,c] * A[n,1,j,c]"}}
    program = planned(spec).stable_roots
    first, second = (e for e in program.equations if e.scatters)
    kept = replace(program, outputs=(*program.outputs, first.target))
    assert chain_scatters(kept) == kept
    assert chain_scatters(program) != program
    chained = [replace(e, onto=first.target) if e is second else e for e in program.equations]
    with pytest.raises(InternalError, match=f"{first.target} cannot be added to"):
        with_equations(program, chained)
