"""A module with stop_gradient checks the gradients that pass none of it, and says which these are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from building import interpreted, written

from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.spec.reads import stopped_in
from symgrad.verifier.behaviour.declared import WRONG, wrong_gradient

if TYPE_CHECKING:
    from pathlib import Path

SPEC: dict[str, Any] = {
    "name": "held",
    "dtype": "float64",
    "inputs": {"x": ["batch", 2]},
    "targets": {"t": ["batch", 2]},
    "functions": {"held(z)": "z + stop_gradient(tanh(3 * z) - z)"},  # a straight-through estimator
    "equations": {"h": "dense(x, 3, activation=tanh)", "y": "dense(held(h), 2)"},
    "loss": "mse(y, t)",
    "gradients": ["x"],
}
FIRST, SECOND = slice(0, 9), slice(9, 17)


def test_what_passes_no_stop_is_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = interpreted(written(SPEC, tmp_path))
    assert module.STOPPED == ("h_W", "h_b", "x")
    assert module.verify(points=1)
    said = capsys.readouterr().out
    assert [line.split()[:2] for line in said.splitlines()[:5]] == [
        ["y_W", "agrees"],
        ["y_b", "agrees"],
        *([name, "is"] for name in module.STOPPED),
    ]
    assert "every gradient that is compared agrees" in said


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_a_wrong_one_of_these_is_found(
    change: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = interpreted(written(SPEC, tmp_path))
    with wrong_gradient(module, SECOND, change):
        assert not module.verify(points=1)
    assert "a gradient is WRONG" in capsys.readouterr().out


def test_where_nothing_can_be_compared_nothing_passes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = interpreted(written({**SPEC, "loss": "mse(held(y), t)"}, tmp_path))
    assert not module.verify(points=1)
    assert "NOTHING is compared" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("equations", "loss", "held"),
    [
        ({"h": "dense(x, 2)", "y": "dense(h, 2)"}, "mse(y, stop_gradient(h))", {"h_W", "h_b"}),
        ({"h": "dense(x, 2)", "y": "dense(h, 2)"}, "mse(y, stop_gradient(x))", set()),
        (
            {"h": "dense(x, 2)", "y": "dense(g(h), 2)"},
            "mse(y, t)",
            {"h_W", "h_b"},
        ),  # by a function of a function
        ({"h": "dense(x, 2)", "y": "dense(h, 2)", "q": "held(y)"}, "mse(y, t)", set()),  # not by the loss
    ],
)
def test_what_is_held(equations: dict[str, str], loss: str, held: set[str]) -> None:
    functions = {"held(z)": "stop_gradient(z)", "g(z)": "z * held(z)"}
    model = expand(read({**SPEC, "equations": equations, "functions": functions, "loss": loss}))
    assert stopped_in(model) & {p.name for p in model.parameters} == held
