"""Parameters whose optimiser has numbers of their own: `per_parameter` of the train block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, is_identical, judged, written

import symgrad as sg
from symgrad.errors import SpecError
from symgrad.pipeline import stages_of
from symgrad.spec.expand import expand
from symgrad.training.epochs.chosen_hyper import chosen_hyper

if TYPE_CHECKING:
    from pathlib import Path

DECAY: dict[str, Any] = {"b*": {"weight_decay": 0}, "W3": {"learning_rate": 0.01}}


ADAMW = "adamw(0.1, weight_decay=0.1)"


def spec_of(per_parameter: Any, optimizer: Any = ADAMW, **train: Any) -> dict[str, Any]:
    return {
        "name": "apart",
        "dtype": "float64",
        "inputs": {"x": ["batch", 3]},
        "targets": {"t": ["batch", 2]},
        "layers": ["dense(4, activation=tanh)", "dense(4, activation=tanh)", "dense(2)"],
        "loss": "mse",
        "train": {"optimizer": optimizer, "per_parameter": per_parameter, "batch_size": 4, **train},
    }


def test_parameters_of_the_same_numbers_make_a_group() -> None:
    model = expand(sg.read(spec_of({**DECAY, "b3": {"lr": 0.02}, "W[13]": {"learning_rate": 0.03}})))
    found = {g.parameters: {h.of: float(h.value.value) for h in g.hyper} for g in model.groups}
    assert found == {
        ("W1", "W3"): {"learning_rate": 0.03},
        ("b1", "b2"): {"weight_decay": 0},
        ("b3",): {"weight_decay": 0, "learning_rate": 0.02},
    }, "of two patterns the later one counts"
    names = [hyper.name for hyper in model.hyper]
    assert names[-2:] == ["W[13].learning_rate", "b3.learning_rate"], "what is 0 is none"


@pytest.mark.parametrize(
    ("per_parameter", "train", "problem"),
    [
        ({"W11": {"lr": 1}}, {}, "W11.lr:1:1: no parameter is called 'W11'; did you mean 'W1'?"),
        ({"b*": {"decay": 0}}, {}, "adamw has no hyper-parameter 'decay'; "),
        (
            {"b*": {"weight_decoy": 0}},
            {},
            "'weight_decoy'; did you mean 'weight_decay'?",
        ),
        ({"b*": {"lr": -1}}, {}, "per_parameter of b*: learning_rate is -1; expected a number"),
        ({"b*": {"b1": 1}}, {}, "per_parameter of b*: b1 is 1; expected a number from 0 to below 1"),
        ({"b1": {"lr": 1}}, {"freeze": "b1"}, "all that 'b1' names is frozen"),
        ({"b*": {}}, {}, "b*"),
        ({"b*": {"lr": "fast"}}, {}, "b*.lr"),
        (
            {"b*": {"initial_accumulator": 1}},
            {"optimizer": "adagrad"},
            "states start from initial_accumulator, and all entries of a state start alike",
        ),
        (
            {"b*": {"learning_rate": 1e38}},
            {"schedule": "learning_rate * 1e300"},
            "the learning rate is",
        ),
    ],
)
def test_what_cannot_be_is_refused(per_parameter: Any, train: Any, problem: str) -> None:
    with pytest.raises(SpecError) as caught:
        expand(sg.read({**(s := spec_of(per_parameter)), "train": {**s["train"], **train}}))
    assert problem in str(caught.value)
    assert "train." in str(caught.value)


def adamw(theta: np.ndarray, gradients: list[np.ndarray], rate: float, decay: float) -> np.ndarray:
    """Loshchilov & Hutter 2019, algorithm 2, as in PyTorch."""
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for t, g in enumerate(gradients, 1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        theta = theta - rate * decay * theta
        theta = theta - rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return theta


NUMBERS = {"W1": (0.1, 0.1), "W2": (0.1, 0.1), "W3": (0.01, 0.1), "b1": (0.1, 0.0)}
NUMBERS |= {"b2": (0.1, 0.0), "b3": (0.1, 0.0)}


def updated(module: Any, hyper: Any = None) -> tuple[Any, list[Any], Any]:
    rng = np.random.default_rng(2)
    start = module.init_params(1)
    gradients = [module.unflatten(rng.normal(size=module.SIZE)) for _ in range(4)]
    params = module.unflatten(module.flatten(start).copy())
    state = module.init_state(params, hyper)
    for gradient in gradients:
        module.update(params, gradient, state, hyper=hyper)
    return start, gradients, params


def test_each_parameter_is_updated_by_its_own_numbers(tmp_path: Path) -> None:
    module = interpreted(written(spec_of(DECAY), tmp_path))
    start, gradients, params = updated(module)
    for name, (rate, decay) in NUMBERS.items():
        own = [getattr(gradient, name) for gradient in gradients]
        expected = adamw(getattr(start, name), own, rate, decay)
        np.testing.assert_allclose(getattr(params, name), expected, rtol=1e-13, err_msg=name)
    assert module.HYPER["W3.learning_rate"] == 0.01
    start, gradients, params = updated(module, {"W3.learning_rate": 0.5})
    own = [gradient.W3 for gradient in gradients]
    np.testing.assert_allclose(params.W3, adamw(start.W3, own, 0.5, 0.1), rtol=1e-13)
    with pytest.raises(ValueError, match=r"b\*\.weight_decay is 0 in the spec"):
        module.init_state(params, {"b*.weight_decay": 0.1})


def test_parameter_groups_are_those_of_pytorch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    module = interpreted(written(spec_of(DECAY, clip_norm=1.5), tmp_path))
    start, gradients, params = updated(module)
    tensors = {n: torch.tensor(array.copy(), requires_grad=True) for n, array in start._asdict().items()}
    optimizer = torch.optim.AdamW(
        {"params": [tensors[n]], "lr": rate, "weight_decay": decay} for n, (rate, decay) in NUMBERS.items()
    )
    for gradient in gradients:
        for name, array in gradient._asdict().items():
            tensors[name].grad = torch.tensor(array.copy())
        torch.nn.utils.clip_grad_norm_(tensors.values(), 1.5)
        optimizer.step()
    for name, array in params._asdict().items():
        np.testing.assert_allclose(array, tensors[name].detach().numpy(), rtol=2e-6, err_msg=name)


HARD = spec_of(
    {"W*": {"weight_decay": 0.1}, "*2": {"momentum": 0.5}, "b3": {"learning_rate": 0.02}},
    "nesterov",
    freeze="b1",
    schedule="cosine",
    clip_norm=0.5,
)
FAULTS = {
    "another group's numbers": ("_update_part_4(view(theta, 44", "_update_part_3(view(theta, 44"),
    "a number that is ignored": ("    momentum = hyper[5]\n", "    momentum = 0.5\n"),
    "the base's number": ("momentum = hyper[5]", "momentum = hyper[1]"),
    "a part that is missing": ("    _update_part_4(", "    0 and _update_part_4("),
    "a part that looks elsewhere": ("    _look_ahead_part_3(", "    0 and _look_ahead_part_3("),
}


def test_the_judge_passes_the_module(tmp_path: Path) -> None:
    report = judged(HARD, tmp_path, compiled=False, points=1)
    assert report.passed, str(report)
    assert is_identical(report)
    assert {"hyper", "schedule", "frozen", "subscripts"} <= {c.name for c in report.checks}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_judge_finds_faults(fault: str, tmp_path: Path) -> None:
    right, wrong = FAULTS[fault]

    def edit(text: str) -> str:
        assert right in text
        return text.replace(right, wrong)

    with np.errstate(all="ignore"):
        assert not judged(HARD, tmp_path, edit, compiled=False, points=1).passed


def test_a_sweep_names_them() -> None:
    spec = sg.read(spec_of(DECAY))
    assert chosen_hyper(spec, {"per_parameter.W3.learning_rate": 0.2}) == {"W3.learning_rate": 0.2}
    assert chosen_hyper(spec, {"W3.learning_rate": 0.2}) == {"W3.learning_rate": 0.2}
    with pytest.raises(SpecError, match="learning_rate is -1"):
        chosen_hyper(spec, {"W3.learning_rate": -1})


def test_derivations_show_them() -> None:
    spec = sg.read(spec_of(DECAY))
    page = sg.derive(spec).text()
    assert "With weight_decay = 0 for b1, b2, b3." in page
    assert "With learning_rate = 0.01 for W3." in page
    lines = sg.derive(spec).as_dict()["update"]["parameters"]
    assert "W1 ← 0.99·W1 − 0.1·(" in "".join(lines["W1"]), "0.1 of the rate decays"
    assert "W3 ← 0.999·W3 − 0.01·(" in "".join(lines["W3"])
    assert "b1 ← b1 − 0.1·(" in "".join(lines["b1"])
    opening = stages_of(spec).text
    assert "    with weight_decay = 0 for b1, b2, b3\n" in opening
    assert '    with learning_rate = HYPER["W3.learning_rate"] for W3\n' in opening
