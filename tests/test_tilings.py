"""What scatters fill like tiles is written once: random stretches of an axis, against the fuzz's oracle."""

from __future__ import annotations

import re
from random import Random
from typing import Any

from building import by_rows
from fuzz.judge import judge
from seeds import SEED

from symgrad.passes.scattering.tilings import tiled
from symgrad.pipeline import Stages, stages_of
from symgrad.spec.reader import read

FORMS = ("tanh({})", "{}**2", "3*{}", "sigmoid({})", "{} * x[n, 0, 0]")


def planned(spec: dict[str, Any]) -> Stages:
    """The stages of a spec, stored by rows."""
    stages = stages_of(read(spec))
    with by_rows():
        assert stages.plan.column_axis == ""
    return stages


def stretches(random: Random) -> dict[str, Any]:
    """A computed tensor, or a parameter, whose axis is read in stretches: they may overlap or leave gaps."""
    lengths = [random.choice((1, 2, 3, 5)) for _ in range(random.randint(2, 4))]
    places = [(sum(lengths[:n]), length) for n, length in enumerate(lengths)]
    whole = sum(lengths)
    if random.random() < 0.3:
        places.pop(random.randrange(len(places)))
    if random.random() < 0.2:
        places.append((random.randrange(whole), 1))
    of_rows, is_last = random.random() < 0.7, random.random() < 0.6
    row = "n, " if of_rows else ""
    equations = {}
    for number, (start, length) in enumerate(random.sample(places, len(places))):
        place = f"i + {start}" if start else "i"
        read_there = f"A[{row}k, {place}]" if is_last else f"A[{row}{place}, k]"
        form = random.choice(FORMS).format(read_there)
        equations[f"P{number}[n, i:{length}, k]"] = f"{form} * x[n, i, k]"
        equations[f"s{number}[n]"] = f"sum(P{number}[n, i, k], i, k)"
    axes = [3, whole] if is_last else [whole, 3]
    init = {"init": "normal(std=1)"}
    spec: dict[str, Any] = {
        "name": "stretches",
        "dtype": "float64",
        "inputs": {"x": ["rows", 5, 3]},
        "parameters": {"W": {"axes": axes, **init}},
        "equations": {**equations, "y": " + ".join(f"s{number}**2" for number in range(len(places)))},
        "loss": "mean(y)",
        "train": {"optimizer": random.choice(("sgd", "adam"))},
    }
    if of_rows:
        made = "A[n, k, j]" if is_last else "A[n, j, k]"
        own = "W[k, j]" if is_last else "W[j, k]"
        spec["equations"] = {made: f"{own} * x[n, 0, k]", **spec["equations"]}
    else:
        spec["parameters"] = {"A": {"axes": axes, **init}}
    return spec


def test_stretches_are_right_tiled_or_not() -> None:
    random, found = Random(SEED), []
    for number in range(12):
        spec = stretches(random)
        outcome = judge(spec, random, by_rows=number % 3 > 0)
        assert outcome.kind == "right", (number, spec, outcome)
        found.append(bool(tiled(planned(spec).arranged)))
    assert {*found} == {True, False}


def gates(second: str) -> frozenset[str]:
    """What is tiled where a tensor of six columns is read at i and at `second`, three columns each."""
    spec = {
        "name": "gates",
        "inputs": {"x": ["rows", 4]},
        "parameters": {"W": [4, 6]},
        "equations": {
            "s[n, k]": "tanh(sum(x[n, d] * W[d, k], d))",
            "y[n, i:3]": f"tanh(s[n, i]) * sigmoid(s[n, {second}])",
        },
        "loss": "mean(y**2)",
    }
    return tiled(planned(spec).arranged)


def test_stretches_side_by_side_are_tiles_and_others_are_not() -> None:
    assert len(gates("i + 3")) == 2
    assert not gates("i + 2")
    assert not gates("2*i + 1")


def test_tiles_are_written_in_one_pass_with_what_they_are_made_of() -> None:
    spec = {
        "name": "lstm",
        "inputs": {"x": ["rows", 4, 3]},
        "layers": ["lstm(8)"],
        "targets": {"t": ["rows", 4, 8]},
        "loss": "mse",
    }
    text = stages_of(read(spec)).text
    assert re.search(r"ds1\[\w, \w, 24 \+ \w\] = dh1 \* ", text)
    assert "ds1[:] = 0" not in text
