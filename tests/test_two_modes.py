"""`training(a, b)`: one spec, and what it computes in training and in inference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import by_rows, is_identical, judged
from seeds import SEED
from test_model_state import RATE, Drawn, module_of, rows, spec_of

from symgrad.errors import SpecError
from symgrad.pipeline import module_text, stages_of
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.spec.sense import doubts
from symgrad.verifier.identity.check import identity_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NORMED: dict[str, Any] = {
    "state": {
        "m": {"axes": [3], "init": 0, "next": "0.9 * m + 0.1 * mu"},
        "v": {"axes": [3], "init": 1, "next": "0.9 * v + 0.1 * var"},
    },
    "equations": {
        "Z": "x @ W",
        "mu": "mean(Z, axis=0)",
        "var": "mean((Z - mu)**2, axis=0)",
        "H": "tanh((Z - training(mu, m)) / sqrt(training(var, v) + 0.01))",
        "y": "H @ V",
    },
}


class Choices:
    """A drawn spec with choices between drawn formulas, in equations, a function, the loss; NumPy's too."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        draw, names = Drawn(rng), ["m", "mu", "b"]
        self.chosen = [(draw.formula(names, 2), draw.formula(names, 2)) for _ in range(3)]
        self.next = draw.formula(names, 2)
        (a, b), (c, d), (e, f) = ((one[0], other[0]) for one, other in self.chosen)
        self.spec = spec_of(
            {"m": {"axes": [3], "init": 0.4, "next": f"0 * m + ({self.next[0]}) + 0.1 * mean(H, axis=0)"}},
            parameters={"W": [4, 3], "b": {"axes": [3], "init": 0.2}, "V": [3, 2]},
            functions={"bent(u)": f"tanh(u + training({c}, {d}))"},
            equations={
                "Z": "x @ W",
                "mu": "mean(Z, axis=0)",
                "P": f"Z + training({a}, {b})",
                "H": "bent(P)",
                "A[n, k]": "H[n, k] * training(1.5, 0.5) + Z[n, k]",
                "y": "A @ V",
            },
            loss=f"mse(y, t) + training(0.25, 1) * mean(({e})**2 + b**2) + training(0, mean(({f})**2))",
        )

    def forward(self, at: dict[str, Any], x: np.ndarray, t: np.ndarray, place: int) -> tuple[Any, ...]:
        z = x @ at["W"]
        known = {**at, "mu": z.mean(axis=0)}
        (p, q), (r, s), (e, f) = ((one[1], other[1]) for one, other in self.chosen)
        h = np.tanh(z + (p, q)[place](known) + (r, s)[place](known))
        y = (h * (1.5, 0.5)[place] + z) @ at["V"]
        extra = (0.25, 1)[place] * np.mean(e(known) ** 2 + at["b"] ** 2) + place * np.mean(f(known) ** 2)
        return y, ((y - t) ** 2).mean() + extra, np.zeros(3) + self.next[1](known) + 0.1 * h.mean(axis=0)

    def step(self, at: dict[str, Any], x: np.ndarray, t: np.ndarray) -> dict[str, Any]:
        after = {**at, "m": self.forward(at, x, t, 0)[2]}
        for name in ("W", "b", "V"):
            gradient = np.zeros(at[name].shape)
            for place in np.ndindex(gradient.shape):
                moved = at[name].astype(complex)
                moved[place] += 1e-30j
                gradient[place] = self.forward({**at, name: moved}, x, t, 0)[1].imag / 1e-30
            after[name] = at[name] - RATE * gradient
        return after


@pytest.mark.parametrize("number", range(10))
def test_random_choices_are_numpys(number: int, tmp_path: Path) -> None:
    oracle = Choices(SEED + number)
    if number % 2:
        with by_rows():
            module = module_of(oracle.spec, tmp_path)
    else:
        module = module_of(oracle.spec, tmp_path)
    x, t = rows()
    params = module.init_params(number)
    state = module.init_state(params)
    at = {name: np.array(value) for name, value in params._asdict().items()}
    for start in (0, 7):
        y, loss, _ = oracle.forward(at, x, t, 1)
        assert np.allclose(module.forward(params, x), y, rtol=1e-10)
        assert module.loss(params, x, t) == pytest.approx(loss, rel=1e-10)
        learnt = oracle.forward(at, x, t, 0)[1]
        assert module.loss_and_grad(params, x, t)[0] == pytest.approx(learnt, rel=1e-10)
        batch = slice(start, start + 7)
        assert np.isfinite(module.train_step(params, state, x[batch], t[batch]))
        at = oracle.step(at, x[batch], t[batch])
        for name, value in params._asdict().items():
            assert np.allclose(value, at[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("number", range(2))
def test_what_both_modes_compute_is_right_in_either(number: int) -> None:
    """In float32, whose sums over rows are formed in blocks, the same equations stand in drivers of both."""
    with by_rows():
        stages = stages_of(read({**Choices(SEED + 50 + number).spec, "dtype": "float32"}))
        found = identity_of(stages.model, stages.text)
    assert "BLOCK" in stages.text
    assert found.state in ("identical", "agrees")
    assert not found.left


def test_what_inference_carries_has_no_slopes() -> None:
    """Nor is it made again for the gradient of the loss of training."""
    equations = {
        "h[n,t,k:2]": "sigmoid(x[n,t,k] * p[k] + training(2, -1))",
        "h[n,T,k]": "training(p[k], sin(p[k]))",
        "u[n,t,i:2]": "tanh(x[n,t,i] + sum(u[n,t+1,j], j) + h[n,t+1,i])",
        "u[n,T,i]": "0",
    }
    sizes = {"inputs": {"x": ["batch", "T", 2]}, "parameters": {"p": [2]}}
    stages = stages_of(read({**sizes, "equations": equations, "loss": "mean(h**2) + mean(u**2)"}))
    assert identity_of(stages.model, stages.text).state == "identical"
    slopes = [t.of for t in stages.derived.tensors if t.kind == "cotangent"]
    assert "u_after_training" in slopes
    assert not {"h", "u", "h_after", "u_after"} & {*slopes}


def test_a_row_is_predicted_by_itself(tmp_path: Path) -> None:
    module = module_of(spec_of(**NORMED), tmp_path)
    x, t = rows()
    params, _ = module.fit(x, t)
    together = module.predict(params, x)
    alone = np.concatenate([module.predict(params, row[None]) for row in x])
    assert np.allclose(alone, together, rtol=1e-12)
    assert np.ptp(alone[:, 0]) > 0.01


def test_a_module_of_two_modes_is_judged_whole(tmp_path: Path) -> None:
    report = judged(spec_of(**NORMED), tmp_path, compiled=False)
    assert report.passed, report
    assert is_identical(report)


def _within(function: str, old: str, new: str) -> Callable[[str], str]:
    """The text with another one within a function."""

    def edit(text: str) -> str:
        start = text.index(f"def {function}(")
        end = text.index("\ndef ", start)
        assert old in text[start:end]
        return text[:start] + text[start:end].replace(old, new) + text[end:]

    return edit


@pytest.mark.parametrize(
    "edit",
    [
        _within("loss", "_loss_of", "_loss_and_gradient"),
        _within("_loss_of", "_evaluation", "_loss"),
        _within("_step_gradient", "_loss(", "_evaluation("),
        _within("_gradient", "_loss(", "_evaluation("),
    ],
)
def test_swapped_modes_are_seen(edit: Callable[[str], str]) -> None:
    stages = stages_of(read(spec_of(**NORMED)))
    assert identity_of(stages.model, edit(stages.text)).is_wrong


def test_what_no_choice_reaches_stands_once() -> None:
    model = expand(read(spec_of(**NORMED)))
    assert dict(model.in_training) == {"H": "H_training", "y": "y_training"}
    assert expand(read(spec_of(NORMED["state"] | {}, equations=_without_choice()))).evaluation is None


def _without_choice() -> dict[str, str]:
    return NORMED["equations"] | {"H": "tanh((Z - mu - 0 * m) / sqrt(var + 0.01 + 0 * v))"}


def test_a_choice_alone_makes_two_losses() -> None:
    """Without any state, and where a step takes gradients in while it forms them."""
    spec = spec_of({}, equations={"Z": "x @ W", "y": "training(tanh(Z), Z) @ V"})
    stages = stages_of(read(spec))
    found = identity_of(stages.model, stages.text)
    assert found.state == "identical"
    assert found.step is not None
    assert found.step.state == "identical"


def test_what_the_loss_of_inference_alone_reads_is_read() -> None:
    """An equation on the way to both losses stands twice, and so it does behind a target of inference."""
    spec = spec_of(
        {},
        equations={"y": "training(tanh(x @ W), x @ W) @ V", "far[n]": "sum((y[n,k] - t[n,k])**2, k)"},
        outputs=["y"],
        loss="mean(far) + training(0, mean(s))",
    )
    spec["targets"]["s"] = ["n"]
    assert not doubts(expand(read(spec)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"equations": {"Z": "x @ W", "y": "training(Z) @ V"}}, "takes two formulas"),
        ({"equations": {"Z": "x @ W", "y": "training(Z, Z, Z) @ V"}}, "takes two formulas"),
        ({"equations": {"Z": "x @ W", "y": "training(Z, b=Z) @ V"}}, "takes two formulas"),
        ({"equations": {"Z": "training(x @ W, mean(x @ W, axis=0))", "y": "(Z + x @ W) @ V"}}, "in training"),
        ({"equations": {"Z": "training(x @ W, W)", "y": "Z @ V"}}, "in training"),
        ({**NORMED, "gradients": ["H"]}, "in training and another"),
        ({**NORMED, "manual": {"dV": "H.T @ x"}}, "training or inference"),
        ({"train": {"schedule": "training(learning_rate, 0)"}}, "training"),
    ],
)
def test_what_cannot_be_meant_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        module_text(read({**spec_of({}), "equations": {"y": "tanh(x @ W) @ V"}, **changes}))


@pytest.mark.parametrize(
    ("formula", "said"),
    [("f(x)", "in f called at"), ("g(x)", "in f called at"), ("dropout2d(x)", "dropout2d: sum over axis 2")],
)
def test_what_is_wrong_in_training_alone_is_said_of_what_was_written(formula: str, said: str) -> None:
    spec = {
        "inputs": {"x": ["batch", 4]},
        "functions": {"f(a)": "training(a @ a, a)", "g(a)": "2 * f(a)"},
        "equations": {"y": formula},
        "loss": "mean(y)",
    }
    with pytest.raises(SpecError, match=said) as refused:
        _ = stages_of(read(spec)).text
    assert "_training" not in str(refused.value)


def test_the_spec_of_a_model_is_the_one_that_was_read() -> None:
    """Whatever takes a spec may be given it: it is expanded again to the same, functions that draw too."""
    function = {"noisy(z)": "training(z + normal(like=z), tanh(z))"}
    equations = {"h": "noisy(x @ W)", "y": "dropout(h, 0.2) @ V"}
    spec = read(spec_of({}, functions=function, equations=equations))
    model = expand(spec)
    assert {"noisy_training", "dropout_training"} <= {f.name for f in model.functions}
    assert model.spec == spec
    assert expand(model.spec) == model
