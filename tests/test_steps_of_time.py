"""`step` of a module: one step of time after the other is the whole sequence, and `sample` goes on by it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from fuzz.modules import compiled, interpreted
from planting import planted

from symgrad.pipeline import stages_of
from symgrad.spec.reader import read
from symgrad.verifier.identity.check import identity_of

RNN = {"h[n,t,i]": "tanh(sum(x[n,t,d]*W[d,i], d) + sum(h[n,t-1,j]*U[j,i], j))"}


def stages(equations: dict[str, str], **more: Any) -> Any:
    """The stages of a spec of these equations over x[batch, 4, 3]."""
    known = {"W": [3, 5], "U": [5, 5], "b": [5]}
    used = {name: axes for name, axes in known.items() if f"{name}[" in str(equations)}
    spec = {
        "name": "steps",
        "dtype": "float64",
        "axes": {"T": 4},
        "inputs": {"x": ["batch", "T", 3]},
        "parameters": used,
        "equations": equations,
        "outputs": ["y"],
        "loss": "mean(y**2)",
        **more,
    }
    return stages_of(read(spec))


GOING_ON = {
    "every step": {**RNN, "h[n,-1,i]": "0", "y": "h"},
    "the last": {**RNN, "h[n,-1,i]": "tanh(b[i])", "y": "dense(h[:, -1], 2)"},
    "two before": {
        "h[n,t,i]": "tanh(sum(x[n,t,d]*W[d,i], d) + h[n,t-1,i]/2 - h[n,t-2,i])",
        "h[n,-1,i]": "b[i]",
        "h[n,-2,i]": "1",
        "y": "h",
    },
    "two layers": {"a": "gru(x, 3)", "y": "dense(lstm(a, 2), 4, activation=tanh)"},
}


@pytest.mark.parametrize("name", GOING_ON)
def test_step_after_step_is_the_whole(name: str) -> None:
    found = stages(GOING_ON[name])
    assert identity_of(found.model, found.text).state == "identical"
    module, rng = interpreted(found.text), np.random.default_rng(0)
    params, x = module.unflatten(rng.normal(0, 0.7, module.SIZE)), rng.normal(size=(3, 4, 3))
    carry, seen = None, []
    for step in range(4):
        predicted, carry = module.step(params, carry, x[:, step])
        seen.append(predicted)
    whole = module.predict(params, x)
    np.testing.assert_allclose(np.stack(seen, 1) if whole.ndim == 3 else seen[-1], whole, rtol=1e-13)


NOT_GOING_ON = {
    "both ways": {"y": "rnn(x, 2, bidirectional=true)"},
    "a mean over steps": {**RNN, "h[n,-1,i]": "0", "y": "mean(h, axis=1)"},
    "the number of a step": {**RNN, "h[n,-1,i]": "0", "y[n,t,i]": "t * h[n,t,i]"},
    "a weight of each step": {"a": "positional(rnn(x, 2))", "y": "tanh(a)"},
    "the last step at each": {**RNN, "h[n,-1,i]": "0", "y[n,t,i]": "h[n,t,i] * h[n,3,i]"},
    "a start of a step": {**RNN, "h[n,-1,i]": "x[n,0,0]", "y": "h"},
    "no recurrence": {"y": "dense(x, 2)"},
    "steps of nothing that is given": {
        "h[k:5,i]": "tanh(h[k-1,i] + b[i])",
        "h[-1,i]": "0",
        "y": "x * h[4,0]",
    },
}


@pytest.mark.parametrize("name", NOT_GOING_ON)
def test_what_knows_of_several_steps_has_no_step(name: str) -> None:
    found = stages(NOT_GOING_ON[name])
    assert found.stepping is None
    assert "def step(" not in found.text
    assert identity_of(found.model, found.text).state == "identical"


FAULTS = (
    ("h_before_next[{n}, {i}] = h\n", "h_before_next[{n}, {i}] = 2 * h\n"),
    ("h_before_first[{n}, {i}] = h_start", "h_before_first[{n}, {i}] = 2 * h_start"),
    ('    "x": 1,\n', '    "x": 2,\n'),
    ("following = Carry(*found[", "following = Carry(*carry) if carry else Carry(*found["),
)


@pytest.mark.parametrize(("right", "wrong"), FAULTS)
def test_judge_finds_a_fault_in_a_step(right: str, wrong: str) -> None:
    found = stages({**RNN, "h[n,-1,i]": "b[i]", "y": "h"})
    assert identity_of(found.model, planted(found.text, right, wrong)).is_wrong


LETTERS = {
    "name": "letters",
    "dtype": "float64",
    "inputs": {"x": {"axes": ["batch", 6], "classes": 4}},
    "targets": {"t": {"axes": ["batch", 6], "classes": 4}},
    "layers": ["embedding(3)", "lstm(5)", "dense(4)"],
    "loss": "softmax_cross_entropy",
}


def test_a_sequence_is_written_on_by_what_is_carried() -> None:
    """Compiled; inside of a window as by whole windows, and behind it by all that was read."""
    module = compiled(stages_of(read(LETTERS)).text)
    params = module.unflatten(np.random.default_rng(1).normal(0, 2.0, module.SIZE))
    written = module.sample(params, [1, 3], 9, temperature=0)
    for place in range(2, 6):
        row = np.zeros((1, 6), int)
        row[0, :place] = written[:place]
        assert written[place] == module.predict(params, row)[0, place - 1].argmax()
    carry = None
    for place, label in enumerate(written[:-1], 1):
        chances, carry = module.step(params, carry, [label])
        assert place < 2 or written[place] == chances[0].argmax()
    assert carry._fields == ("h2", "c2")
    for bad, problem in ((0.0, "carry: expected None"), ((1, 2), "carry.h2: expected shape [batch, 5]")):
        with pytest.raises((TypeError, ValueError), match=re.escape(problem)):
            module.step(params, bad, [0])
    with pytest.raises(ValueError, match=re.escape("x: expected shape [batch], got [1, 1]")):
        module.step(params, carry, [[0]])
