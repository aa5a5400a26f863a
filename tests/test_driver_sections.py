"""Long drivers in sections: the same statements in the same order, each section with the views it needs."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import by_rows, in_sections
from corpus import CORPUS
from hypothesis import given
from hypothesis import strategies as st

from symgrad.compiler.kernels.instructions import Note
from symgrad.compiler.kernels.rerolling import Action, Repeat, sections
from symgrad.compiler.loading.load import double_precision_twin, lighten, load, run_drivers_in_python
from symgrad.pipeline import module_text, stages_of
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.identity.check import identity_of
from symgrad.verifier.static.layout import layout_fault

if TYPE_CHECKING:
    from pathlib import Path

NETWORK = {
    "inputs": {"x": ["batch", 3]},
    "targets": {"t": ["batch", 2]},
    "layers": ["dense(4, activation=tanh)", "dense(4, activation=sigmoid)", "dense(2)"],
    "loss": "mse",
    "train": {"optimizer": "sgd"},
}
DEEP = {**NETWORK, "layers": ["dense(3, activation=tanh)"] * 9 + ["dense(2)"]}
SPECS: dict[str, Any] = {
    "sgd": NETWORK,
    "adam": {**NETWORK, "train": {"optimizer": "adam", "clip_norm": 1.0}},
    "equal layers": DEEP,
    "frozen": {**NETWORK, "train": {"optimizer": "adam", "freeze": ["W1"]}},
    "scores": CORPUS["batched_scores"],
}


def text_in_sections(spec: Any, longest: int) -> str:
    with in_sections(longest):
        return module_text(read(spec))


def functions(text: str) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}


def parts_of(sizes: list[int]) -> tuple[Action | Repeat, ...]:
    """Statements, and loops over more than one."""
    action = Action(Note("x"), (), (), ())
    return tuple(action if n == 1 else Repeat((action,) * n, (action,) * n, 4, ((),) * n, ()) for n in sizes)


@given(st.lists(st.integers(1, 9), max_size=60), st.integers(1, 20))
def test_sections_are_all_statements_in_order(sizes: list[int], longest: int) -> None:
    parts = parts_of(sizes)
    found = sections(parts, longest)
    assert tuple(part for section in found for part in section) == parts
    lengths = [sum(len(p.actions) if isinstance(p, Repeat) else 1 for p in section) for section in found]
    for section, length in zip(found, lengths, strict=True):
        assert length <= longest or len(section) == 1
    assert all(lengths) or not sizes
    if set(sizes) == {1}:
        assert max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize(("name", "longest"), [*((name, 1) for name in SPECS), ("equal layers", 2)])
def test_sections_compute_what_the_spec_says(name: str, longest: int) -> None:
    """Exactly, in memory that holds garbage, every subscript inside its array, all arrays apart."""
    text = text_in_sections(SPECS[name], longest)
    assert "\nDRIVER_SECTIONS = (" in text
    identity = identity_of(expand(read(SPECS[name])), text)
    assert (identity.state, identity.left) == ("identical", ())
    assert identity.step is not None
    assert not identity.is_wrong


def test_short_drivers_stay_whole() -> None:
    text = module_text(read(NETWORK))
    assert "driver_section" not in text
    assert "DRIVER_SECTIONS" not in text


def test_no_kernel_takes_the_name_of_a_section() -> None:
    equations = {"forward_1": "tanh(x @ W)", "forward_2": "sigmoid(forward_1)", "y": "sum(forward_2, axis=1)"}
    spec = {
        "inputs": {"x": ["batch", 3]},
        "targets": {"t": ["batch"]},
        "parameters": {"W": [3, 2]},
        "equations": equations,
        "outputs": ["y"],
        "loss": "mse(y, t)",
    }
    text = text_in_sections(spec, 1)
    names = [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    assert len(names) == len(set(names))
    assert identity_of(expand(read(spec)), text).state == "identical"


def test_a_lost_or_doubled_section_is_found() -> None:
    text = text_in_sections(NETWORK, 2)
    model = expand(read(NETWORK))
    for call in (
        "    _forward_2(theta, x, work, batch)\n",
        "    _backward_2(theta, destination, keep, scale, x, t",
    ):
        (line,) = [line for line in text.splitlines() if line.startswith(call.rstrip("\n"))]
        assert identity_of(model, text.replace(f"{line}\n", "", 1)).is_wrong
    run = "    _backward_1(theta, destination, keep, scale, x, t, work, batch)\n"
    moved = text.replace(run, "", 1).replace("    _backward_2(theta,", f"{run}    _backward_2(theta,", 1)
    assert not identity_of(model, moved).is_wrong  # this one is at its place again


OVERLAPPING = """
def _work_size(batch):
    return 200 + 2 * batch


def _forward_1(theta, work, batch):
    a = view(work, 0, (batch,))


def _forward_2(theta, work, batch):
    b = view(work, 100, (batch,))


def _forward(theta, work, batch):
    _forward_1(theta, work, batch)
    _forward_2(theta, work, batch)
"""


def test_arrays_of_different_sections_stay_apart() -> None:
    assert "a and b overlap" in layout_fault(OVERLAPPING, [[3]])
    assert not layout_fault(OVERLAPPING.replace("work, 100,", "work, batch,"), [[3]])


def test_every_statement_is_timed_once_in_sections_too() -> None:
    with in_sections(2):
        clocked = stages_of(read(NETWORK)).clocked
    with by_rows():
        whole = stages_of(read(NETWORK)).clocked
    found, expected = ([(s.function, s.equations) for s in each.statements] for each in (clocked, whole))
    assert found == expected
    assert "@driver_section\ndef _clocked_forward_1(_symgrad_ticks, theta, x, work, batch):" in clocked.text


def test_compiled_sections_give_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a long module what training runs is compiled, with its sections; Python runs all of its twin's."""
    spec = {**NETWORK, "layers": ["dense(4, activation=tanh)", "dense(2)"]}
    modules = []
    for longest in (60, 2):
        file = tmp_path / f"module_{longest}.py"
        file.write_text(text_in_sections(spec, longest), encoding="utf-8")
        modules.append(load(file))
    whole, in_sections = modules
    assert "_forward_1" in run_drivers_in_python(double_precision_twin(in_sections))
    monkeypatch.setattr("symgrad.compiler.loading.load._LONG", 0)
    assert {"_backward", "_backward_2", "_forward_1"} <= set(lighten(in_sections))
    assert answer_of(in_sections) == answer_of(whole)
    assert in_sections._gradient.nopython_signatures


def answer_of(module: Any) -> bytes:
    """All bits of a gradient and of an epoch."""
    rng = np.random.default_rng(0)
    theta, x, t = (rng.normal(size=n).astype(np.float32) for n in (module.SIZE, (5, 3), (5, 2)))
    params = module.unflatten(theta)
    gradient = module.flatten(module.loss_and_grad(params, x, t)[1]).tobytes()
    loss = module.train_epoch(params, module.init_state(params), x, t, batch_size=2)
    return bytes(gradient + np.float64(loss).tobytes() + module.flatten(params).tobytes())
