"""Indices are called as the spec calls them: in equations as text and LaTeX, in comments and loops."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from corpus import CORPUS
from fuzz.modules import interpreted

import symgrad as sg
from symgrad.pipeline import stages_of
from symgrad.spec.reader import read

RNN: dict[str, Any] = {
    "name": "steps",
    "dtype": "float64",
    "axes": {"T": 4},
    "inputs": {"x": ["batch", "T", 3]},
    "parameters": {"W": [3, 5], "U": [5, 5]},
    "equations": {
        "h[row,t,i]": "tanh(sum(x[row,t,d]*W[d,i], d) + sum(h[row,t-1,j]*U[j,i], j))",
        "h[row,-1,i]": "0",
    },
    "loss": "mean(h**2)",
}


def test_a_recurrence_is_read_as_it_was_written_and_its_gradient_alike() -> None:
    text = sg.derive(read(RNN)).text()
    for line in (
        "h[row,t,i] = tanh(Σ_d x[row,t,d]·W[d,i] + Σ_j h[row,t − 1,j]·U[j,i])",
        "dh_net[row,t,i] = (dh_before[row,t + 1,i] + h[row,t,i]/(10·batch))·(1 − h[row,t,i]²)",
        "dh_before[row,t,j] = Σ_i dh_net[row,t,i]·U[j,i]",
        "dU[j,i] = Σ_{row,t} h[row,t − 1,j]·dh_net[row,t,i]",
        "dW[d,i] = Σ_{row,t} x[row,t,d]·dh_net[row,t,i]",
    ):
        assert f"  {line}\n" in text.replace("   [", "\n"), line
    assert r"\sum_{d} x[\mathit{row},t,d] \, W[d,i]" in sg.derive(read(RNN)).latex()


@pytest.mark.parametrize("letter", ["real", "range", "theta", "gemm"])
def test_what_a_module_needs_for_itself_counts_no_turns(letter: str) -> None:
    """It is the same module then, but for its names."""
    answers = []
    for name in ("row", letter):
        written = {key.replace("row", name): f.replace("row", name) for key, f in RNN["equations"].items()}
        spec = {**RNN, "equations": written}
        module = interpreted(stages_of(read(spec)).text)
        rng = np.random.default_rng(3)
        params = module.unflatten(rng.normal(size=module.SIZE))
        loss, gradient = module.loss_and_grad(params, rng.normal(size=(6, 4, 3)))
        answers.append([loss, *map(np.ravel, gradient)])
    for ours, right in zip(*answers, strict=True):
        np.testing.assert_array_equal(ours, right)


def kernels(text: str) -> list[str]:
    """The functions of a module that are made of loops."""
    found = text[text.index("# --- Kernels") : text.index("# --- The network")]
    return re.split(r"\n(?=def )", found)[1:]


@pytest.mark.parametrize("spec", [RNN, *(CORPUS[n] for n in ("batched_scores", "convolution", "embedding"))])
def test_comments_name_the_indices_that_their_loops_count(spec: dict[str, Any]) -> None:
    for kernel in kernels(stages_of(read(spec)).text):
        counted = set(re.findall(r"for (\w+) in range|(?<=\n) +(\w+) = \d+ - 1 - done", kernel))
        names = {name for pair in counted for name in pair if name}
        for indices in re.findall(r"# \w+\[([^\]]*)\] \+?=", kernel):
            told = set(re.findall(r"\b[a-z]\w*\b", indices))
            assert told <= names, kernel


def test_loops_count_what_the_spec_counts() -> None:
    text = "\n".join(kernels(stages_of(read(RNN)).text))
    assert "for row in range(batch):" in text
    assert "for t in range(4):" in text
    assert re.search(r"# dh_net\[t,row,i\] = .*\n +for row in range\(batch\):\n +for i in range", text)


def test_a_letter_that_names_a_tensor_is_no_letter() -> None:
    """Layers count steps by t, which is a target here."""
    spec = {"name": "taken", "inputs": {"x": ["rows", 4, 3]}, "targets": {"t": ["rows", 4, 2]}}
    text = sg.derive(read({**spec, "layers": ["rnn(2)"], "loss": "mse"})).text()
    assert "t_2" not in text
    assert "h1[n,i,k]" in text
