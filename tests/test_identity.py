"""The text of a module against its spec, exactly: what is written is identical, what is planted is found."""

from __future__ import annotations

import pytest
from corpus import CORPUS, ROUNDED
from seeds import one_in

from symgrad.errors import ModuleError
from symgrad.pipeline import module_text
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.identity.check import identity_of

GRADIENTS = [name for name in CORPUS if not name.startswith("optimizer_") and name not in ROUNDED]


@pytest.mark.parametrize("name", one_in(8, GRADIENTS))
def test_rows_of_the_library_are_identical(name):
    """As they are emitted, most by columns; others for each state of the sources. test_gradients: by rows."""
    spec = read(CORPUS[name])
    assert identity_of(expand(spec), module_text(spec)).state == "identical"


SMALL = {
    "inputs": {"x": ["batch", 5]},
    "targets": {"t": ["batch", 3]},
    "layers": ["dense(4, activation=tanh)", "dense(3)"],
    "loss": "mse",
}

POINT = {"inputs": {"x": ["n"]}}


def planted(old, new, spec=SMALL):
    text = module_text(read(spec))
    assert text.count(old) >= 1, text
    return identity_of(expand(read(spec)), text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("for i in range(3)", "for i in range(4)", "b2[i] goes beyond axis 0 of [3]"),
        ("* x[j, n]", "* x[abs(j - 5), n]", "leaves the shape (5, 4)"),
        ("for i in range(4)", "for i in range(3)", "is read where it was not written"),
        ("view(theta, 0, (5, 4))", "view(theta, 40, (5, 4))", "goes beyond an array of 39 numbers"),
        ("view(theta, 0, (5, 4))", "view(theta, -1, (5, 4))", "reaches below 0"),
        ("acc_dW1 = real(0)", "pass", "acc_dW1"),
        ("A1_slope[i, n] = tanh_slope(", "A1_slope[i, n] = tanh(", "the gradient of"),
        ("return 16 + ", "return 15 + ", "goes beyond an array of 18*batch + 15"),
    ],
)
def test_a_planted_fault_is_found(old, new, told):
    found = planted(old, new)
    assert found.state == "differs"
    assert told in found.detail


def test_unset_memory_is_found():
    spec = {
        "inputs": {"x": ["n"]},
        "parameters": {"p": [3]},
        "equations": {"y": "p[0] * x"},
        "loss": "mean(y)",
    }
    text = module_text(read(spec))
    model = expand(read(spec))
    state = identity_of(model, text).state
    cleared = identity_of(model, text.replace("dp[:] = 0", "pass"))
    assert (state, cleared.state) in {("identical", "differs"), ("differs", "differs")}


def test_too_large_is_said():
    spec = {**SMALL, "layers": ["dense(6000)", "dense(6000)", "dense(3)"]}
    found = identity_of(expand(read(spec)), module_text(read(spec)))
    assert found.state == "not checked"
    assert found.detail.startswith("too large")


def test_what_no_field_can_stand_for_agrees_in_many_digits():
    spec = {**SMALL, "loss": "mean(abs(y - t)**(1 + t**2))", "layers": [], "equations": {"y": "dense(x, 3)"}}
    del spec["layers"]
    found = identity_of(expand(read(spec)), module_text(read(spec)))
    assert (found.state, found.detail) == ("agrees", "30 digits")


def test_functions_of_pythons_own_mathematics_are_known():
    """Where nothing runs along rows, an entry at a time."""
    spec = {
        **SMALL,
        "layers": [],
        "parameters": {"a": []},
        "equations": {"h[n]": "gelu(a * x[n,0])", "g[n,i:3]": "h[n] * t[n,i] + d(h[n], a)", "y": "tanh(g)"},
        "loss": "mean(y * t)",
    }
    del spec["layers"]
    text = module_text(read(spec))
    assert "math.erfc(" in text.partition("def _forward(")[0]
    assert identity_of(expand(read(spec)), text).state == "identical"


@pytest.mark.parametrize(
    "planted", ["open('planted', 'w')", "import os", "exec('1')", "raise SystemExit", "__import__('os')"]
)
def test_a_text_reaches_nothing_beyond_itself(planted, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = module_text(read(SMALL))
    line = next(part for part in text.splitlines() if part.strip().startswith("real = "))
    found = identity_of(expand(read(SMALL)), text.replace(line, f"{line}\n    {planted}", 1))
    assert found.state in ("not checked", "differs")
    assert not list(tmp_path.iterdir())


def test_a_loop_without_an_end_is_not_run():
    with pytest.raises(ModuleError, match="cannot be foreseen"):
        planted("    return 16 + ", "    while True:\n        pass\n    return 16 + ")


CARRYING = {
    "inputs": {"x": ["batch", 70]},
    "targets": {"t": ["batch", 2]},
    "layers": ["dense(70, activation=tanh)", "dense(2)"],
    "loss": "mse",
}


@pytest.mark.parametrize(
    ("spec", "old", "new", "told"),
    [
        (CARRYING, "gemm(scale, ", "gemm(1, ", "added to another vector"),
        (CARRYING, ", keep, destination_", ", 0, destination_", "added to another vector"),
        (CORPUS["micro_batches"], "+= weight * piece[entry]", "+= piece[entry]", "in pieces"),
        (CORPUS["micro_batches"], "share = batch / order", "share = 1 / order", "in pieces"),
    ],
)
def test_gradients_are_identical_as_a_step_takes_them(spec, old, new, told):
    assert planted(old, old, spec).state == "identical"
    found = planted(old, new, spec)
    assert found.state == "differs"
    assert told in found.detail


@pytest.mark.parametrize(
    ("spec", "state"),
    [
        ({"equations": {"f": "x"}, "loss": "sum(f**2)"}, "identical"),
        ({"equations": {"f": "sqrt(mean((x - mean(x))**2))"}, "loss": "f"}, "agrees"),
    ],
    ids=["an output that is an input", "a spread, 0 in a batch of 1"],
)
def test_what_a_text_may_do_is_compared(spec, state):
    spec = {**POINT, "dtype": "float64", "gradients": ["x"], **spec}
    found = identity_of(expand(read(spec)), module_text(read(spec)))
    assert found.state == state
    assert found.detail == (
        "30 digits" if state == "agrees" else "n 3 and n 1 and single zeros and rows of zeros and other signs"
    )
