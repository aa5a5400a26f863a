"""States of a model: what lives on between steps, by formulas, and no optimiser or gradient touches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import by_rows, interpreted, is_identical, judged, written
from seeds import SEED

from symgrad.compiler.loading.load import load
from symgrad.errors import SpecError, SpecWarning
from symgrad.pipeline import stages_of
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.spec.sense import doubts
from symgrad.verifier.identity.check import identity_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

RATE = 0.05


def spec_of(state: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A network of two layers, whose hidden net inputs are moved by a state `m` of its size."""
    return {
        "name": "lives",
        "dtype": "float64",
        "inputs": {"x": ["batch", 4]},
        "targets": {"t": ["batch", 2]},
        "parameters": {"W": [4, 3], "V": [3, 2]},
        "state": state,
        "equations": {"Z": "x @ W", "mu": "mean(Z, axis=0)", "H": "tanh(Z - m)", "y": "H @ V"},
        "outputs": ["y"],
        "loss": "mse(y, t)",
        "train": {"optimizer": f"sgd(learning_rate={RATE})", "batch_size": 5, "epochs": 2},
        **changes,
    }


MEAN = {"m": {"axes": [3], "init": 0, "next": "0.9 * m + 0.1 * mu"}}
ALL = MEAN | {
    "k": {"init": 0, "next": "k + 1"},
    "slow": {"axes": [3, 2], "init": "normal(std=0.1)", "next": "0.99 * slow + 0.01 * V"},
}
OF_ALL = {
    "equations": {
        "Z": "x @ W",
        "mu": "mean(Z, axis=0)",
        "H": "tanh(Z - m) * (1 + 1 / (2 + k**2))",
        "y": "H @ (V + 0.1 * slow)",
    }
}


def rows(count: int = 12) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(SEED)
    return rng.normal(size=(count, 4)), rng.normal(size=(count, 2))


def module_of(spec: dict[str, Any], folder: Path) -> ModuleType:
    """The module run by Python, in whose memory nothing stands that a function did not write."""
    module = interpreted(written(spec, folder))
    kept = module._kept

    def forgetful(purpose: str, size: int) -> np.ndarray:
        memory = kept(purpose, size)
        memory[:] = np.nan
        return memory

    vars(module)["_kept"] = forgetful
    return module


# Random states against NumPy, whose gradient is by complex steps


class Drawn:
    """Random formulas as text and as functions of the tensors by name."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def formula(self, names: list[str], depth: int = 3) -> tuple[str, Callable[[dict[str, Any]], Any]]:
        """Over tensors that are [3] or numbers, of moderate values."""
        if depth == 0 or self.rng.random() < 0.2:
            name = str(self.rng.choice(names))
            return name, lambda at: at[name]
        number = round(float(self.rng.uniform(-0.9, 0.9)), 3)
        left, f = self.formula(names, depth - 1)
        match self.rng.integers(5):
            case 0:
                return f"tanh({left})", lambda at: np.tanh(f(at))
            case 1:
                return f"{number} * ({left})", lambda at: number * f(at)
            case 2:
                return f"({left})**2 / (1 + ({left})**2)", lambda at: f(at) ** 2 / (1 + f(at) ** 2)
        right, g = self.formula(names, depth - 1)
        if self.rng.random() < 0.5:
            return f"({left}) - ({right}) / 2", lambda at: f(at) - g(at) / 2
        return f"sin({left}) * ({right})", lambda at: np.sin(f(at)) * g(at)


class Oracle:
    """A drawn spec, and what its training does, by NumPy alone."""

    def __init__(self, seed: int) -> None:
        draw = Drawn(np.random.default_rng(seed))
        names = ["m", "v", "mu", "power", "b", "k"]
        self.nexts = {name: draw.formula(names) for name in ("m", "v")}
        shift, self.shift = draw.formula(["m", "v", "k", "b"], 2)
        self.spec = spec_of(
            {
                name: {"axes": [3], "init": 0.3, "next": f"0*m + ({text})"}
                for name, (text, _) in self.nexts.items()
            }
            | {"k": {"init": 1, "next": "k / 2 + mean(t) * 0.1"}},
            parameters={"v0": [4, 3], "b": {"axes": [3], "init": 0.1}, "V": [3, 2]},
            equations={
                "Z": "x @ v0",
                "mu": "mean(Z, axis=0)",
                "power": "mean((Z - mu)**2, axis=0)",
                "H": f"tanh((Z - mu) / sqrt(power + 0.1) + ({shift}))",
                "y": "H @ V",
            },
        )

    def forward(self, at: dict[str, Any], x: np.ndarray, t: np.ndarray) -> tuple[Any, dict[str, Any]]:
        z = x @ at["v0"]
        mu = z.mean(axis=0)
        power = ((z - mu) ** 2).mean(axis=0)
        known = {**at, "mu": mu, "power": power}
        h = np.tanh((z - mu) / np.sqrt(power + 0.1) + self.shift(known))
        loss = ((h @ at["V"] - t) ** 2).mean()
        nexts = {name: np.zeros(3) + f(known) for name, (_, f) in self.nexts.items()}
        return loss, nexts | {"k": at["k"] / 2 + t.mean() * 0.1}

    def step(self, at: dict[str, Any], x: np.ndarray, t: np.ndarray) -> dict[str, Any]:
        _, nexts = self.forward(at, x, t)
        after = {**at, **nexts}
        for name in ("v0", "b", "V"):
            gradient = np.zeros(at[name].shape)
            for place in np.ndindex(gradient.shape):
                moved = at[name].astype(complex)
                moved[place] += 1e-30j
                gradient[place] = self.forward({**at, name: moved}, x, t)[0].imag / 1e-30
            after[name] = at[name] - RATE * gradient
        return after


def close(params: Any, at: dict[str, Any]) -> bool:
    return all(
        np.allclose(value, at[name], rtol=1e-9, atol=1e-12) for name, value in params._asdict().items()
    )


@pytest.mark.parametrize("number", range(12))
def test_random_states_are_numpys(number: int, tmp_path: Path) -> None:
    oracle = Oracle(SEED + number)
    if number % 2:
        with by_rows():
            module = module_of(oracle.spec, tmp_path)
    else:
        module = module_of(oracle.spec, tmp_path)
    x, t = rows()
    params = module.init_params(number)
    state = module.init_state(params)
    at = {name: np.array(value) for name, value in params._asdict().items()}
    loss, gradient = module.loss_and_grad(params, x, t)
    assert loss == pytest.approx(oracle.forward(at, x, t)[0], rel=1e-10)
    assert not any(np.any(getattr(gradient, name)) for name in ("m", "v", "k"))
    module.train_step(params, state, x, t)
    at = oracle.step(at, x, t)
    assert close(params, at)
    order = np.random.default_rng(number).permutation(12)
    module.train_epoch(params, state, x, t, batch_size=5, order=order)
    for start in (0, 5, 10):
        batch = order[start : start + 5]
        at = oracle.step(at, x[batch], t[batch])
    assert close(params, at)


# What optimisers see


@pytest.mark.parametrize(
    ("optimizer", "train"),
    [
        ("adamw(learning_rate=0.05, weight_decay=0.3)", {"clip_norm": 0.01, "average": 0.9}),
        ("nesterov(learning_rate=0.05)", {"clip_value": 0.01}),
        ("sgd(learning_rate=0.05, weight_decay=0.2)", {"per_parameter": {"V": {"learning_rate": 0.5}}}),
        ("momentum(learning_rate=0.05)", {"freeze": ["W"]}),
    ],
)
def test_no_optimizer_touches_a_state(optimizer: str, train: dict[str, Any], tmp_path: Path) -> None:
    """What a state becomes is the same whichever way the other parameters are trained, for one step."""
    spec = spec_of(ALL, **OF_ALL, train={"optimizer": optimizer, **train})
    module = module_of(spec, tmp_path)
    x, t = rows()
    params = module.init_params(2)
    state = module.init_state(params)
    before = {name: np.array(value) for name, value in params._asdict().items()}
    module.update(params, module.loss_and_grad(params, x, t)[1], state)
    assert all(np.array_equal(getattr(params, name), before[name]) for name in ALL)
    params = module.unflatten(np.concatenate([value.ravel() for value in before.values()]))
    module.train_step(params, module.init_state(params), x, t)
    mean = (x @ before["W"]).mean(axis=0)
    assert np.allclose(params.m, 0.1 * mean, rtol=1e-12)
    assert params.k == 1
    assert np.allclose(params.slow, 0.99 * before["slow"] + 0.01 * before["V"], rtol=1e-12)
    assert state.step.shape == (1,)
    assert all(array.size == module.TRAINED_SIZE <= 18 for array in state[1:])


def test_a_loss_that_is_not_finite_leaves_states(tmp_path: Path) -> None:
    module = module_of(spec_of(ALL, **OF_ALL), tmp_path)
    x, t = rows()
    params = module.init_params()
    params.V[:] = 1e300
    before = module.flatten(params).copy()
    with np.errstate(all="ignore"):
        module.train_step(params, module.init_state(params), x, t)
    assert np.array_equal(module.flatten(params), before)


@pytest.mark.parametrize("stop", [1 + SEED % 2, 3 + SEED % 2])
def test_training_goes_on_bit_by_bit(stop: int, tmp_path: Path) -> None:
    module = module_of(spec_of(ALL, **OF_ALL), tmp_path)
    data = rows()
    whole, history = module.fit(*data, epochs=5, batch_size=5)
    first = module.init_params(0)
    state = module.init_state(first)
    middle, one = module.fit(*data, epochs=5, stop=stop, batch_size=5, params=first, state=state)
    path = tmp_path / "run.npz"
    module.save(path, middle, state, epoch=stop)
    found = module.load(path)
    last, rest = module.fit(*data, epochs=5, start=stop, batch_size=5, params=found.params, state=found.state)
    assert np.array_equal(module.flatten(whole), module.flatten(last))
    assert [*one, *rest] == history
    assert whole.k == 15


def test_compiled_it_trains_as_by_python(tmp_path: Path) -> None:
    spec = spec_of(ALL, **OF_ALL)
    compiled, by_python = load(written(spec, tmp_path)), module_of(spec, tmp_path)
    found, expected = (module.fit(*rows(), epochs=2, batch_size=5)[0] for module in (compiled, by_python))
    np.testing.assert_allclose(compiled.flatten(found), by_python.flatten(expected), rtol=1e-12)


# The judge


def test_a_module_with_states_is_judged_whole(tmp_path: Path) -> None:
    report = judged(spec_of(ALL, **OF_ALL), tmp_path, compiled=False)
    assert report.passed, report
    assert is_identical(report)
    assert {"states", "held", "frozen"} <= {check.name for check in report.checks}


def _replaced(old: str, new: str) -> Callable[[str], str]:
    def edit(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return edit


@pytest.mark.parametrize(
    "edit",
    [
        _replaced("k_next[0] = real(1) + k[0]", "k_next[0] = real(2) + k[0]"),
        _replaced("        _advance(theta, grad)\n", ""),
        _replaced("theta[n] = grad[n]", "theta[n] += grad[n]"),
        _replaced("dk[0] = real(0)", "dk[0] = real(1)"),
        _replaced("(real(9) * m[i] + mu[i])", "(real(8) * m[i] + mu[i])"),
        _replaced("ahead[n] = theta[n]", "ahead[n] = theta[0]"),
    ],
)
def test_faults_are_seen(edit: Callable[[str], str]) -> None:
    train = {"optimizer": "nesterov(learning_rate=0.05)"}
    stages = stages_of(read(spec_of(ALL, **OF_ALL, train=train)))
    found = identity_of(stages.model, edit(stages.text))
    assert found.is_wrong or (found.step is not None and found.step.is_wrong)


@pytest.mark.parametrize(
    "edit",
    [
        _replaced("destination_k[0] = k_next[0]", "destination_k[0] = k[0]"),
        _replaced("destination_m[i] = m_next[i]", "destination_m[i] += m_next[i]"),
        _replaced("view(grad, 18, (10,))[:] = 0", "view(grad, 18, (9,))[:] = 0"),
        _replaced("_backward(theta, theta, real(keep)", "_backward(theta, theta, real(0)"),
    ],
)
def test_faults_are_seen_where_the_parameters_take_the_gradient_in(edit: Callable[[str], str]) -> None:
    with by_rows():
        stages = stages_of(read(spec_of(ALL, **OF_ALL)))
        text = stages.text
    found = identity_of(stages.model, edit(text))
    assert found.is_wrong or (found.step is not None and found.step.is_wrong)


def test_no_gradient_is_written_down_beside_states() -> None:
    """Where the parameters take it in; a vector of another size has no place for next values."""
    for optimizer, memory in (("sgd(0.1)", "()"), ("momentum(0.1)", '("grad",)')):
        with by_rows():
            text = stages_of(read(spec_of(ALL, **OF_ALL, train={"optimizer": optimizer}))).text
        assert f"STEP_MEMORY = {memory}" in text


# What is refused and doubted


@pytest.mark.parametrize(
    ("state", "changes", "said"),
    [
        ({"m": {"axes": [3], "init": 0}}, {}, "next"),
        ({"m": {"axes": [3], "next": "m"}}, {}, "init"),
        ({"m": {"axes": [3], "init": 0, "next": "mean(m)"}}, {}, "the next value of 'm' is"),
        ({"m": {"axes": [3], "init": 0, "next": "Z"}}, {}, "the next value of 'm' is"),
        ({"m": {"axes": [3], "init": 0, "next": "m + nu"}}, {}, "nu"),
        ({"W": {"axes": [3], "init": 0, "next": "W"}}, {}, "has the name of"),
        (MEAN, {"train": {"micro_batch_size": 2}}, "takes its batch in pieces"),
        (MEAN, {"train": {"finish": "lbfgs()"}}, "makes no steps"),
        (MEAN, {"derive": ["hvp"]}, "with state"),
        (MEAN, {"train": {"freeze": ["m"]}}, "no parameter is called 'm'"),
        (MEAN, {"train": {"per_parameter": {"m": {"learning_rate": 1}}}}, "no parameter is called 'm'"),
    ],
)
def test_what_cannot_be_meant_is_refused(state: dict[str, Any], changes: dict[str, Any], said: str) -> None:
    spec = {key: value for key, value in spec_of(state, **changes).items() if value is not None}
    with pytest.raises(SpecError, match=said):
        stages_of(read(spec)).text  # noqa: B018  # what refuses is a property


def test_parameters_alone_are_trained() -> None:
    spec = spec_of(MEAN, parameters={}, equations={"Z": "x", "y": "x[:, :2] - mean(m)"}, loss="mse(y, t)")
    spec["state"] = {"m": {"axes": [3], "init": 0, "next": "m / 2"}}
    with pytest.raises(SpecError, match="nothing is trained"):
        expand(read(spec))


def _doubted(state: dict[str, Any]) -> Iterator[SpecWarning]:
    yield from doubts(expand(read(spec_of(state))))


def test_an_idle_state_is_doubted() -> None:
    assert not list(_doubted(MEAN))
    (found,) = _doubted({**MEAN, "k": {"init": 0, "next": "k + 1"}})
    assert "nothing reads the state 'k'" in str(found)
