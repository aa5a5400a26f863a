"""What passes form again instead of handing it on, and what they do not."""

from __future__ import annotations

from typing import Any

import pytest
from building import by_rows

from symgrad.pipeline import Stages, stages_of
from symgrad.spec.reader import read
from symgrad.verifier.identity.check import identity_of


def stages(equations: dict[str, str], loss: str = "mse(y, t)", **more: Any) -> Stages:
    spec = {
        "name": "formed",
        "inputs": {"x": ["batch", 20]},
        "targets": {"t": ["batch", 20]},
        "parameters": {"b": [20], "g": [20], "W": [20, 20]},
        "equations": equations,
        "loss": loss,
        "train": {"optimizer": "sgd(learning_rate=0.1)"},
        **more,
    }
    with by_rows():
        found = stages_of(read(spec))
        assert found.text
    return found


def stored(found: Stages) -> set[str]:
    """The arrays with a row for each of the batch."""
    return {name for name, place in found.plan.places.items() if place.vector == "work" and place.unit}


NORMED = {
    "z": "x @ W + b",
    "h": "(z - mean(z, axis=0)) / sqrt(var(z, axis=0) + 0.01)",
    "y": "tanh(g * h)",
}


def test_scores_alone_are_kept_of_what_is_normalised() -> None:
    found = stages(NORMED)
    assert "z_1" in stored(found)
    assert not stored(found) & {"z", "h"}
    assert {"z", "h"} <= {e.target for e in found.lean.equations}  # one pass makes each, and reads it


def test_what_a_pass_forms_again_is_right_in_a_step_that_changes_its_parameter() -> None:
    """The bias is read by passes on the way back, and a step adds its gradient to it in place."""
    equations = {"z": "x @ W + b", "y": "z * mean(z, axis=0) + z * mean(z**3, axis=0)"}
    found = stages(equations, dtype="float64")
    assert "z" not in stored(found)
    step = identity_of(found.model, found.text).step
    assert step is not None
    assert step.state == "identical"


@pytest.mark.parametrize(
    ("equations", "kept"),
    [
        ({"z": "x @ W + b", "y": "z @ W + mean(z**2, axis=0) * z"}, "z"),  # a product reads it
        ({"z": "tanh(x @ W) * x + b", "y": "z * mean(z, axis=0) * mean(z**2, axis=0)"}, "z"),  # of two arrays
        ({"z": "exp(x @ W)", "y": "z * mean(z, axis=0) * mean(z**2, axis=0)"}, "z"),  # it costs something
    ],
)
def test_what_others_need_or_costs_much_is_handed_on(equations: dict[str, str], kept: str) -> None:
    assert kept in stored(stages(equations))


def test_rows_are_multiplied_by_an_inverse_root() -> None:
    found = stages(NORMED)
    (root,) = (t.name for t in found.by_inverse_roots.tensors if t.name.startswith("inverse_"))
    readers = [e for e in found.by_inverse_roots.equations if root in e.reads]
    assert readers
    assert all("batch" in {loop.axis.name for loop in reader.loops} for reader in readers)


def test_a_root_of_each_row_is_divided_by_as_it_is() -> None:
    found = stages({**NORMED, "h": NORMED["h"].replace("axis=0", "axis=-1, keepdims=true")})
    assert not any(t.name.startswith("inverse_") for t in found.by_inverse_roots.tensors)


def test_a_sum_that_is_a_factor_times_another_is_not_summed_again() -> None:
    """The slope of what is scaled behind a norm: both sums of it are those of scale and shift."""
    found = stages({**NORMED, "y": "tanh(g * h + b)", "z": "x @ W"})
    shown, computed = (
        {e.target for e in program.equations if e.reduction == "sum" and len(e.indices) == 1}
        for program in (found.derived, found.shifted)
    )
    assert shown > {"dg", "db"}  # the page has the sums of books
    assert {name for name in computed if found.shifted.tensor[name].is_slope} == {"dg", "db"}


def test_what_is_formed_again_is_what_the_spec_says() -> None:
    found = stages(NORMED)
    assert identity_of(found.model, found.text).state == "identical"
