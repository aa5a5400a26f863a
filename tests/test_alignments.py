"""CTC against the sum over all ways in which labels can lie along the steps, and against PyTorch's."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from fuzz.modules import interpreted
from seeds import one_in

from symgrad.errors import SymgradError
from symgrad.pipeline import module_text
from symgrad.spec.reader import read

if TYPE_CHECKING:
    from types import ModuleType

ROWS = 8


@dataclass(frozen=True)
class Case:
    """Sizes, which may be free, and what a call says, with random rows; all labels may be the same."""

    steps: int
    places: int
    labels: int
    blank: int
    free: bool
    options: tuple[str, ...]

    @property
    def module(self) -> ModuleType:
        steps, places = ("T", "U") if self.free else (self.steps, self.places)
        said = {"lengths": "lengths=n", "label_lengths": "label_lengths=m", "zero": "zero_infinity=true"}
        arguments = ", ".join(["x", "t", f"blank={self.blank}", *(said[option] for option in self.options)])
        spec = {
            "name": "aligned",
            "dtype": "float64",
            "inputs": {
                "x": ["batch", steps, self.labels + 1],
                "t": {"axes": ["batch", places], "classes": self.labels},
                "n": ["batch"],
                "m": ["batch"],
            },
            "equations": {"L": f"ctc({arguments})"},
            "loss": "sum(L) + 0 * sum(n) + 0 * sum(m)",
            "gradients": ["x"],
        }
        return interpreted(module_text(read(spec)))

    @cached_property
    def data(self) -> tuple[Any, ...]:
        rng = np.random.default_rng(self.steps + 7 * self.places)
        x = rng.normal(0, 1.5, (ROWS, self.steps, self.labels + 1))
        lengths = (
            rng.integers(-1, self.steps + 2, ROWS) - rng.integers(0, 2, ROWS) / 2
        )  # parts of a step count
        counts = rng.integers(-1, self.places + 2, ROWS) * 1.0
        return x, rng.integers(0, self.labels, (ROWS, self.places)), lengths, counts

    @property
    def seen(self) -> tuple[Any, Any]:
        """How many steps and labels each row has."""
        _, _, lengths, counts = self.data
        steps = np.clip(np.ceil(lengths), 0, self.steps).astype(int)
        places = np.clip(np.ceil(counts), 0, self.places).astype(int)
        return (
            steps if "lengths" in self.options else np.full(ROWS, self.steps),
            places if "label_lengths" in self.options else np.full(ROWS, self.places),
        )


def chances(x: Any, labels: list[int], blank: int) -> tuple[float, Any]:
    """The chance of labels by all ways through the steps, and that of ways through each class at a step."""
    p = np.exp(x) / np.exp(x).sum(-1, keepdims=True)
    total, through = 0.0, np.zeros_like(p)
    for path in itertools.product(range(p.shape[1]), repeat=len(p)):
        kept = [k for k, _ in itertools.groupby(path) if k != blank]
        if kept == labels:
            chance = float(np.prod([p[t, k] for t, k in enumerate(path)]))
            total += chance
            for t, k in enumerate(path):
                through[t, k] += chance
    return total, p - through / (total or 1) if total else through


def drawn(number: int) -> Case:
    rng = np.random.default_rng(number)
    options = tuple(o for o in ("lengths", "label_lengths", "zero") if rng.integers(0, 2))
    labels, steps = int(rng.integers(2, 4)), int(rng.integers(1, 6))
    blank = int(rng.integers(0, labels + 1))
    return Case(steps, int(rng.integers(1, steps + 2)), labels, blank, bool(rng.integers(0, 2)), options)


@pytest.mark.parametrize("number", one_in(5, range(40)))
def test_loss_and_slopes_are_those_of_all_alignments(number: int) -> None:
    case = drawn(number)
    module, (x, t, n, m) = case.module, case.data
    params = module.unflatten(np.zeros(0))
    with np.errstate(invalid="ignore", divide="ignore"):
        given = {k: v for k, v in (("n", n), ("m", m)) if k in module.PREDICTED_FROM}
        found = module.predict(params, x, t, **given)
        slopes = module.input_gradients(params, x, t, n, m).x
    for row, (steps, places) in enumerate(zip(*case.seen, strict=True)):
        labels = [int(k + (k >= case.blank)) for k in t[row, :places]]
        total, slope = chances(x[row, :steps], labels, case.blank)
        none = 0 if "zero" in case.options else np.inf
        np.testing.assert_allclose(found[row], -np.log(total) if total else none, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(slopes[row, :steps], slope, rtol=1e-9, atol=1e-14)
        assert not slopes[row, steps:].any()


@pytest.mark.parametrize("zero", [False, True])
def test_loss_is_that_of_pytorch(zero: bool) -> None:
    torch = pytest.importorskip("torch")
    case = Case(12, 5, 4, 0, True, ("lengths", "label_lengths", *(["zero"] if zero else [])))
    rng = np.random.default_rng(1)
    x, t = rng.normal(0, 2, (ROWS, 12, 5)), rng.integers(0, 4, (ROWS, 5))
    n, m = rng.integers(6, 13, ROWS), rng.integers(0, 4, ROWS)
    if zero:
        n[0], m[0] = 2, 5
    module = case.module
    params = module.unflatten(np.zeros(0))
    with np.errstate(invalid="ignore", divide="ignore"):
        found = module.predict(params, x, t, n, m)
        slopes = module.input_gradients(params, x, t, n * 1.0, m * 1.0).x
    theirs = torch.tensor(x, requires_grad=True)
    lengths, counts = torch.tensor(n), torch.tensor(m)

    def loss(reduction: str) -> Any:
        scores = theirs.log_softmax(-1).transpose(0, 1)  # their labels count the blank, ours do not
        return torch.nn.functional.ctc_loss(
            scores, torch.tensor(t + 1), lengths, counts, reduction=reduction, zero_infinity=zero
        )

    np.testing.assert_allclose(found, loss("none").detach().numpy(), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(np.mean(found / np.maximum(m, 1)), loss("mean").item(), rtol=1e-12)
    loss("sum").backward()
    np.testing.assert_allclose(slopes, theirs.grad.numpy(), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": 4}, "x is of 4 scores, for 4 labels; expected one more than there are labels, for the blank"),
        ({"L": "ctc(x, t, blank=5)"}, "the blank 5 is none of the 5 scores"),
        ({"L": "ctc(x, t, blank=-1)"}, "the blank -1 is none of the 5 scores"),
        ({"L": "ctc(x, t, zero_infinity=1)"}, "zero_infinity: expected true or false"),
        ({"L": "ctc(x, x)"}, "ctc takes integer labels, 'x' has none"),
        ({"L": "ctc(x, t, t)"}, "lengths takes numbers, 't' holds integer labels"),
        ({"L": "ctc(x, t, label_lengths=w)"}, "label_lengths is of 7 rows, x of batch"),
        (
            {"loss": "CTCLoss"},
            r"'ctc' is a layer, which stands in equations alone; give it an equation, as L: ctc\(",
        ),
    ],
)
def test_what_cannot_be_aligned_is_refused(changes: dict[str, Any], message: str) -> None:
    spec = {
        "inputs": {"x": ["batch", 6, changes.get("x", 5)], "w": [7]},
        "targets": {"t": {"axes": ["batch", 3], "classes": 4}},
        "equations": {"L": changes.get("L", "ctc(x, t)")},
        "loss": changes.get("loss", "mean(L) + sum(w)"),
        "gradients": ["x"],
    }
    with pytest.raises(SymgradError, match=message) as refused:
        module_text(read(spec))
    assert refused.value.at is not None


def test_a_row_without_an_alignment_ends_training_by_name() -> None:
    module, rng = Case(3, 3, 2, 0, False, ()).module, np.random.default_rng(0)
    with np.errstate(all="ignore"):
        found = module.predict(
            module.unflatten(np.zeros(0)), rng.normal(size=(2, 3, 3)), [[0, 1, 0], [0, 0, 1]]
        )
    assert np.isfinite(found).tolist() == [True, False]
