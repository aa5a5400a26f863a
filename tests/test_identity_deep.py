"""Networks whose exponents are made of exponents, layer upon layer: identical in few fields, faults seen."""

from __future__ import annotations

import numpy as np
import pytest
from seeds import one_in

from symgrad.pipeline import module_text
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.identity.check import identity_of
from symgrad.verifier.identity.elements import MODULUS, PRIMES, UNDEFINED, Element
from symgrad.verifier.identity.field import random_elements
from symgrad.verifier.identity.memory.representatives import taken_for

DEPTH = 9
DEEP = {
    "inputs": {"x": ["batch", 2]},
    "targets": {"t": {"axes": ["batch"], "classes": 3}},
    "parameters": {f"W{k}": [2, 2] for k in range(DEPTH)} | {"V": [2, 3]},
    "equations": {"h0": "x"}
    | {f"h{k + 1}": f"softmax(h{k} @ W{k}) + gelu_tanh(h{k} / {k + 2})" for k in range(DEPTH)}
    | {"y": f"h{DEPTH} @ V"},
    "loss": "softmax_cross_entropy(y, t)",
}


@pytest.fixture(scope="module")
def text():
    return module_text(read(DEEP))


def test_every_layer_is_identical(text):
    assert identity_of(expand(read(DEEP)), text).state == "identical"


@pytest.mark.parametrize("layer", one_in(4, range(1, DEPTH + 1)))
@pytest.mark.parametrize(
    ("old", "new", "state"),
    [
        ("sum_h{}_1[n] = ", "sum_h{}_1[n] = real(2) * ", "differs"),
        ("exp(exp_h{}_1[n, i] - c0)", "exp(real(3) * exp_h{}_1[n, i] - c0)", "differs"),
        ("exp(exp_h{}_1[n, i] - c0)", "exp(exp_h{}_1[n, i] + c0)", "identical"),
    ],
)
def test_a_fault_in_any_layer_is_found_another_form_is_none(text, layer, old, new, state):
    """By what scores are shifted changes no softmax."""
    planted = text.replace(old.format(layer), new.format(layer))
    assert planted != text
    assert identity_of(expand(read(DEEP)), planted).state == state


def test_only_what_is_equal_is_taken_for_another():
    """Whatever numbers lie below the topmost field."""
    rng = np.random.default_rng(4)
    tensors = [random_elements(rng, (7, 3)), random_elements(rng, (5,)), np.arange(4)]
    taken = taken_for(tensors)
    for entry in [entry for tensor in tensors[:2] for entry in tensor.flat]:
        shift = int(rng.integers(1, 2**62)) * PRIMES[0]
        equal, other = (
            Element((entry.residue + shift) % MODULUS),
            Element((entry.residue + shift + 1) % MODULUS),
        )
        assert taken(equal) is entry
        assert taken(other) is other
    for number in (UNDEFINED, 3, tensors[0]):
        assert taken(number) is number
