"""The rows CONTRIBUTING.md shows are rows that work."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import symgrad as sg
from symgrad.pipeline import module_text
from symgrad.spec import library
from symgrad.spec.library import Function, Layer, LayerParameter, Optimizer

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
ROWS = {
    row.partition("(")[2].split('"')[1].partition("(")[0]: row
    for row in re.findall(r"```python\n(.*?)```", TEXT, re.S)
}

SPEC: dict[str, Any] = {
    "inputs": {"x": ["batch", 3]},
    "targets": {"t": ["batch", 3]},
    "layers": ["dense(3)"],
    "loss": "mse",
}
CHANGES: dict[str, dict[str, Any]] = {
    "squared_relu": {"layers": ["dense(3, activation=squared_relu)"]},
    "cauchy": {"loss": "cauchy"},
    "scale": {"layers": ["dense(3)", "scale(activation=tanh)"]},
    "rmsprop": {"train": {"optimizer": "rmsprop(learning_rate=0.1)"}},
}
SHOWN = {"log1p": "calculus/rules.py", "sinh": "spec/scalars.py", "mean": "spec/reductions.py"}


def test_every_row_is_tried() -> None:
    assert set(ROWS) == {*CHANGES, *SHOWN}


@pytest.mark.parametrize("name", CHANGES)
def test_the_row_can_be_used_in_a_spec(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"Function": Function, "Layer": Layer, "LayerParameter": LayerParameter, "Optimizer": Optimizer}
    entry = eval(ROWS[name].strip().rstrip(","), names)
    groups = {"squared_relu": "activations", "cauchy": "losses", "scale": "layers", "rmsprop": "optimizers"}
    monkeypatch.setitem(getattr(library, groups[name]), name, entry)
    if isinstance(entry, Function):
        monkeypatch.setitem(library.functions, name, entry)
    assert "def fit" in module_text(sg.read({**SPEC, **CHANGES[name]}))


@pytest.mark.parametrize("name", SHOWN)
def test_the_row_shown_stands_in_its_table(name: str) -> None:
    table = (ROOT / "symgrad" / SHOWN[name]).read_text(encoding="utf-8")
    assert ROWS[name].strip() in table


def test_the_files_and_names_it_mentions_exist() -> None:
    for path in re.findall(r"`((?:symgrad|tests|templates|generated)[\w/.]*)`", TEXT):
        assert (ROOT / path).exists(), path
    rooms = [path.name for path in (ROOT / "symgrad").iterdir() if path.is_dir()]
    for path in re.findall(rf"`((?:{'|'.join(rooms)})/[\w/.]*)`", TEXT):
        assert (ROOT / "symgrad" / path).exists(), path
