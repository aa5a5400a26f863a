"""Arrays of a text stay in their memory, and apart, at sizes that it is never run at."""

from __future__ import annotations

import pytest
from corpus import CORPUS

from symgrad.pipeline import module_text
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.identity.check import identity_of

SMALL = {
    "inputs": {"x": ["batch", 5]},
    "targets": {"t": ["batch", 3]},
    "layers": ["dense(4, activation=tanh)", "dense(3)"],
    "loss": "mse",
}
TWO = CORPUS["batched_scores"]


SIZE = "return 16 + 18 * batch"
ROOM = {SIZE: "return 1000 + 18 * batch"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({SIZE: "return 1000 + 17 * batch"}, "goes beyond an array"),
        (
            ROOM | {"dZ1 = view(work, 16 + 14 * batch,": "dZ1 = view(work, 500 + 4 * batch,"},
            "dZ1 overlap",
        ),
        (ROOM | {"dZ1 = view(work, 16 + 14 * batch,": "dZ1 = view(work, 900 - batch,"}, "reaches below 0"),
    ],
)
def test_room_at_small_sizes_is_not_enough(changes, told):
    text = module_text(read(SMALL))
    for old, new in changes.items():
        assert old in text, text
        text = text.replace(old, new)
    found = identity_of(expand(read(SMALL)), text)
    assert found.state == "differs"
    assert told in found.detail


@pytest.mark.parametrize("spec", [SMALL, TWO, CORPUS["micro_batches"]])
def test_right_texts_have_no_fault(spec):
    assert identity_of(expand(read(spec)), module_text(read(spec))).state == "identical"
