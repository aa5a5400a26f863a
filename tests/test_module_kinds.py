"""Modules of every kind: several outputs, scalars, no loss, no parameters; divergence; the self-check."""

from __future__ import annotations

import itertools
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import by_rows, interpreted, written
from module_use import LINE, MLP, flat_copy, line_data, mlp_data
from seeds import one_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    Build = Callable[..., ModuleType]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The module of a spec, after an edit that must change the text."""
    numbers = itertools.count()

    def build(spec: dict[str, Any], *edit: str) -> ModuleType:
        def edited(text: str) -> str:
            assert not edit or text.count(edit[0]) == 1, edit
            return text.replace(*edit) if edit else text

        return interpreted(written(spec, tmp_path_factory.mktemp(f"kind{next(numbers)}"), edited))

    return build


GRAPH: dict[str, Any] = {
    "name": "graph",
    "dtype": "float64",
    "inputs": {"x": ["rows", 3], "s": []},
    "targets": {"t": ["rows", 2]},
    "equations": {"h": "tanh(dense(x, 2))", "y": "s * h", "m": "sum(y)"},
    "loss": "mse(y, t)",
    "outputs": ["y", "h", "m"],
    "gradients": ["s", "x"],
}


def test_several_outputs_scalars_and_input_gradients(build: Build) -> None:
    module, rng = build(GRAPH), np.random.default_rng(0)
    params, x, t = module.init_params(0), rng.normal(size=(6, 3)), rng.normal(size=(6, 2))
    y, h, m = module.forward(params, x, 2)
    np.testing.assert_allclose(h, np.tanh(x @ params[0] + params[1]), rtol=1e-14)
    np.testing.assert_allclose(y, 2 * h, rtol=1e-14)
    assert m.shape == ()
    assert float(m) == pytest.approx(y.sum(), rel=1e-13)
    slopes = module.input_gradients(params, x, np.float64(2), t)
    assert slopes._fields == ("s", "x")
    assert slopes.s.shape == ()
    assert float(slopes.s) == pytest.approx((2 * (y - t) * h).mean(), rel=1e-13)
    dz = 2 * (y - t) / t.size * 2 * (1 - h**2)
    np.testing.assert_allclose(slopes.x, dz @ params[0].T, rtol=1e-12)
    with pytest.raises(ValueError, match=r"^s: the number is nan; expected a finite"):
        module.forward(params, x, np.nan)
    with pytest.raises(ValueError, match=r"^s: expected shape \[\], got \[1\]"):
        module.forward(params, x, [2])
    state = module.init_state(params)
    values = [module.train_epoch(params, state, x, 2, t, batch_size=4) for _ in range(50)]
    assert values[-1] < values[0]
    assert module.verify(points=1)


def test_a_model_without_loss_predicts_and_says_that_it_cannot_train(
    build: Build, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = {key: LINE[key] for key in ("name", "inputs", "layers")}
    module, (x, y) = build(spec), line_data()
    params = module.init_params(0)
    np.testing.assert_allclose(module.forward(params, x), x @ params[0] + params[1], rtol=1e-5, atol=1e-6)
    assert module.init_state(params).step.tolist() == [0]
    for call in (
        lambda: module.loss(params, x, y),
        lambda: module.loss_and_grad(params, x),
        lambda: module.update(params, params, None),
        lambda: module.train_epoch(params, None, x, y, batch_size=3),
        lambda: module.fit(x, y, epochs=3),
    ):
        with pytest.raises(ValueError, match="this spec has no loss"):
            call()
    assert module.verify()
    assert "no loss" in capsys.readouterr().out


def test_a_model_without_parameters(build: Build, capsys: pytest.CaptureFixture[str]) -> None:
    spec = {
        "name": "f",
        "dtype": "float64",
        "inputs": {"x": [], "y": [], "z": []},
        "equations": {"f": "(x + y) * z"},
        "loss": "f",
        "gradients": ["x", "y", "z"],
    }
    module = build(spec)
    params = module.init_params()
    assert params == ()
    assert module.flatten(params).shape == (0,)
    assert module.loss(params, -2, 5, -4) == -12
    assert [float(g) for g in module.input_gradients(params, -2, 5, -4)] == [-4, -4, 3]
    assert module.loss_and_grad(params, 1, 2, 3) == (9.0, ())
    with pytest.raises(ValueError, match=r"^batch_size: this network has no axis of rows"):
        module.train_epoch(params, module.init_state(params), 1, 2, 3, batch_size=4)
    assert module.fit(1, 2, 3, epochs=2)[1] == [9.0, 9.0]
    assert module.verify()
    wrong = build(spec, "dz[0] = x[0] + y[0]", "dz[0] = x[0] - y[0]")
    assert not wrong.verify()
    assert "z wrong" in capsys.readouterr().out


NAMES = ("m", "v", "step", "rng", "history", "rows", "t_rows", "data", "extents", "np", "order", "found")
"""What modules call things of their own; `m` and `v` are states of the optimiser, too."""


@pytest.fixture(scope="module")
def plainly_named(build: Build) -> Any:
    """What the network computes whose data have names that no module uses."""
    return trained(build({**MLP, "gradients": ["x"]}))


def trained(module: ModuleType) -> Any:
    x, t = mlp_data(7)
    params, history = module.fit(x, t, epochs=3, batch_size=4)
    slopes = module.input_gradients(params, x, t)[0]
    return history, module.predict(params, x).tolist(), slopes.tolist()


@pytest.mark.parametrize("name", one_in(3, NAMES))
def test_data_may_have_the_names_the_module_uses_itself(build: Build, plainly_named: Any, name: str) -> None:
    """Each is the name of an input once and once that of an axis, beside an input of another name."""
    along = NAMES[NAMES.index(name) - 1]
    targets = {"t": {"axes": [along], "classes": 4}}
    module = build({**MLP, "inputs": {name: [along, 3]}, "targets": targets, "gradients": [name]})
    assert trained(module) == plainly_named
    assert module.verify(points=1)


def test_a_loss_that_is_not_finite_changes_nothing(build: Build) -> None:
    spec = {key: LINE[key] for key in ("name", "inputs", "targets")} | {
        "dtype": "float64",
        "equations": {"z": "dense(x, 2, init=zeros)"},
        "loss": "mean(sqrt(y - z))",
        "train": {"optimizer": "momentum(learning_rate=0.1)"},
    }
    module, x = build(spec), np.ones((4, 3))
    good, bad = np.full((4, 2), 4.0), np.full((4, 2), -1.0)
    params = module.init_params()
    state = module.init_state(params)
    with np.errstate(invalid="ignore"):
        module.train_step(params, state, x, good)
        before = [flat_copy(module, params), *(s.copy() for s in state)]
        assert np.isnan(module.train_step(params, state, x, bad - 1e3))
        assert np.isnan(module.train_epoch(params, state, x, bad - 1e3, batch_size=2))
        for one, other in zip([module.flatten(params), *state], before, strict=True):
            np.testing.assert_array_equal(one, other)
        mixed = np.concatenate([good[:2], bad[:2] - 1e3])
        assert np.isnan(module.train_epoch(params, state, x, mixed, batch_size=2))
        assert state.step.tolist() == [2]
        assert np.isfinite(module.flatten(params)).all()
        with pytest.raises(
            FloatingPointError, match="the loss is nan in epoch 1, step 2; lower the learning"
        ):
            module.fit(x, mixed, epochs=3, batch_size=2, shuffle=False)


DW2 = "gemm(1, A1.T, dZ2, 0, dW2)"
OF_ROWS = {
    "a sign": ("db2[i] += dZ2[n, i]", "db2[i] -= dZ2[n, i]", "b2"),
    "a dropped 1/N": ("s0 = real(1) / real(batch)", "s0 = real(1)", "W2"),
    "a missing sum over the batch": ("db1[i] += dZ1[n, i]", "db1[i] = dZ1[n, i]", "b1"),
    "a stale activation": (DW2, DW2.replace("A1.T", "np.arctanh(A1).T"), "W2"),
    "a transposed factor": ("gemm(1, dZ2, W2.T, 0, dZ1)", "gemm(1, dZ2, W2, 0, dZ1)", "W1"),
    "nan": (DW2, f"{DW2}; dW2[1, 2] = np.nan", "W2"),
    "nothing at all": (DW2, "dW2[:] = 0", "W2"),
}
OF_COLUMNS = {
    "a sign": ("acc_db2 += dZ2[i, n]", "acc_db2 -= dZ2[i, n]", "b2"),
    "a missing sum over the batch": ("acc_db1 += dZ1[i, n]", "acc_db1 = dZ1[i, n]", "b1"),
    "a transposed factor": ("W2[i, j] * dZ2[j, n]", "W2[j, i] * dZ2[j, n]", "W1"),
    "nothing at all": ("dW2[i, j] = acc_dW2", "dW2[i, j] = 0", "W2"),
}
INTO_W2 = "gemm(scale, A1.T, dZ2, keep, destination_W2)"
OF_ACCUMULATION = {
    "a sign": (INTO_W2, INTO_W2.replace("scale", "-scale"), "W2"),
    "what was there before": (INTO_W2, INTO_W2.replace("keep", "1"), "W2"),
    "a bias that is not added": (
        "accumulate(db1, destination_b1, keep, scale)",
        "destination_b1[:] = 0",
        "b1",
    ),
}
SQUARE = {**MLP, "layers": ["dense(4, activation=tanh)", "dense(4)"]}
SGD = {**SQUARE, "train": {"optimizer": "sgd(learning_rate=0.1)"}}
KINDS = {
    "rows": (by_rows, SQUARE, OF_ROWS),
    "columns": (nullcontext, SQUARE, OF_COLUMNS),
    "accumulated": (by_rows, SGD, OF_ACCUMULATION),
}


@pytest.mark.parametrize(
    ("kind", "fault"), one_in(2, [(kind, fault) for kind in KINDS for fault in KINDS[kind][2]])
)
def test_the_self_check_finds_wrong_gradients(
    build: Build, kind: str, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    surroundings, spec, faults = KINDS[kind]
    before, after, guilty = faults[fault]
    with surroundings():
        module = build(spec, before, after)
    with np.errstate(invalid="ignore"):
        assert not module.verify(points=2)
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split()[:2] == [guilty, "wrong"] for line in lines), lines
    assert lines[-1] == "mlp: a gradient is WRONG"


@pytest.mark.parametrize("kind", KINDS)
def test_the_self_check_passes_what_is_right(
    build: Build, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    surroundings, spec, _ = KINDS[kind]
    with surroundings():
        assert build(spec).verify(points=1)
    assert "WRONG" not in capsys.readouterr().out


def test_the_self_check_leaves_the_module_as_it_was(build: Build) -> None:
    module, (x, y) = build(LINE), line_data()
    params = module.init_params(0)
    value = module.loss(params, x, y)
    assert module.verify(points=1)
    assert module.DTYPE is np.float32
    assert module.loss(params, x, y) == value
