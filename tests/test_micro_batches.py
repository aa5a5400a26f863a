"""Gradients summed over micro-batches: those of the whole batch, in the memory of one piece."""

from __future__ import annotations

import numpy as np
import pytest
from building import interpreted, judged, written
from seeds import SEED
from test_behaviour import bench

from symgrad.compiler.loading.load import load
from symgrad.errors import SpecError
from symgrad.pipeline import module_text, stages_of
from symgrad.report.derivation import derivation_of
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.training.dataset.data import Dataset
from symgrad.training.train import train as train_module
from symgrad.verifier.behaviour.suite import observed

ROWS, BATCH, PIECE = 23, 10, 4
RNG = np.random.default_rng(0)
X, T = RNG.normal(size=(ROWS, 3)), RNG.integers(0, 3, ROWS)
ORDER = RNG.permutation(ROWS)


def spec(**train):
    return {
        "name": "pieces",
        "dtype": "float64",
        "inputs": {"x": ["batch", 3]},
        "targets": {"t": {"axes": ["batch"], "classes": 3}},
        "equations": {"h": "tanh(dense(x, 4))", "z": "dense(h, 3)"},
        "loss": "softmax_cross_entropy(z, t) + 0.01*l2(z_W)",
        "train": {"optimizer": "momentum(learning_rate=0.3)", "batch_size": BATCH, **train},
    }


def without(train):
    return {key: value for key, value in train.items() if key != "micro_batch_size"}


def trained(module, epochs=2):
    """Parameters and the losses of some epochs."""
    params = module.init_params(1)
    state = module.init_state(params)
    losses = [
        module.train_epoch(params, state, X, T, batch_size=BATCH, order=ORDER, epoch=k) for k in range(epochs)
    ]
    return module.flatten(params), losses


@pytest.mark.parametrize(
    "train",
    [
        {"micro_batch_size": PIECE},
        {"micro_batch_size": 1, "clip_norm": 0.1},
        {"micro_batch_size": BATCH, "schedule": "cosine"},
        {"micro_batch_size": 3, "optimizer": "nesterov(learning_rate=0.3)", "schedule": "inverse(k=step)"},
        {"micro_batch_size": 3, "optimizer": "adam", "batch_size": "full"},
    ],
    ids=str,
)
def test_pieces_make_the_steps_of_the_whole_batch(train, tmp_path):
    pieces = interpreted(written(spec(**train), tmp_path))
    (tmp_path / "whole").mkdir()
    whole = interpreted(written(spec(**without(train)), tmp_path / "whole"))
    found, expected = trained(pieces), trained(whole)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-13)


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    return interpreted(written(spec(micro_batch_size=PIECE), tmp_path_factory.mktemp("pieces")))


def test_a_step_too_is_made_of_pieces_and_gives_the_loss_before_it(module):
    params = module.init_params(2)
    loss, gradient = module.loss_and_grad(params, X, T)
    before = module.flatten(params).copy()
    assert module.train_step(params, module.init_state(params), X, T) == pytest.approx(loss, rel=1e-14)
    np.testing.assert_allclose(module.flatten(params), before - 0.3 * module.flatten(gradient), rtol=1e-12)


def test_the_workspace_is_that_of_one_piece(module, monkeypatch):
    asked = []
    kept = module._kept
    monkeypatch.setattr(module, "_kept", lambda what, size: asked.append((what, size)) or kept(what, size))
    params = module.init_params(0)
    module.train_epoch(params, module.init_state(params), X, T, batch_size="full")
    module.train_step(params, module.init_state(params), X, T)
    assert {size for what, size in asked if what == "work"} == {module._work_size(PIECE)}
    assert module._work_size(PIECE) < module._work_size(ROWS) / 4


def test_a_loss_that_is_not_finite_changes_nothing(module):
    params = module.init_params(0)
    params.h_W[:] = 1e200
    params.z_W[:] = 1e200
    state = module.init_state(params)
    before = module.flatten(params).copy()
    with np.errstate(all="ignore"):
        assert not np.isfinite(module.train_step(params, state, X, T))
    np.testing.assert_array_equal(module.flatten(params), before)
    assert state.step[0] == 0


def test_the_code_is_there_only_where_it_is_asked_for():
    assert "_in_pieces" not in module_text(read(spec()))
    text = module_text(read(spec(micro_batch_size=PIECE)))
    assert f"MICRO_BATCH_SIZE = {PIECE}" in text
    assert "for start in range(0, order.shape[0], MICRO_BATCH_SIZE)" in text


def test_the_judge_passes_pieces_that_add_up(tmp_path):
    assert judged(spec(micro_batch_size=PIECE), tmp_path, compiled=False).passed


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("weight = grad.dtype.type(share)", "weight = grad.dtype.type(MICRO_BATCH_SIZE / order.shape[0])"),
        ("grad[:] = 0", "grad[:] = piece"),
        ("grad[entry] += weight", "grad[entry] = weight"),
        ("value += share *", "value = share *"),
    ],
)
def test_the_judge_sees_pieces_that_do_not_add_up(right, wrong, tmp_path):
    def edit(text):
        assert right in text
        return text.replace(right, wrong, 1)

    report = judged(spec(micro_batch_size=PIECE), tmp_path, edit, compiled=False, points=1)
    assert "train_step" in [check.name for check in report.checks if check.verdict == "fail"]


def test_a_sum_over_the_rows_is_refused_by_generate_and_inspect():
    summed = {**spec(micro_batch_size=PIECE), "loss": "softmax_cross_entropy(z, t, reduction=sum)"}
    for use in (module_text, derivation_of):
        with pytest.raises(SpecError, match=r"train.micro_batch_size.*'loss' is a sum over the rows"):
            use(read(summed))


def test_there_must_be_rows_to_divide():
    numbers = {"inputs": {"x": []}, "parameters": {"a": []}, "equations": {"f": "a * x"}, "loss": "f**2"}
    with pytest.raises(SpecError, match=r"micro_batch_size.*no axis of rows"):
        module_text(read({**numbers, "train": {"micro_batch_size": 1}}))


def test_names_of_the_module_s_own_are_free_for_users(tmp_path):
    text = {
        "dtype": "float64",
        "inputs": {"piece": ["most", 3]},
        "targets": {"share": ["most", 2]},
        "equations": {"chosen": "dense(piece, 2)", "weight": "2 * chosen"},
        "loss": "mse(weight, share)",
        "train": {"micro_batch_size": 2, "schedule": "cosine"},
    }
    assert judged(text, tmp_path, compiled=False, points=1).passed
    assert expand(read(text)).spec.train.micro_batches.rows == 2


def test_compiled_pieces_and_schedules_do_what_python_does(tmp_path):
    composed = "min(1, (step + 1) / 4) * step_decay(2, learning_rate=one_cycle(learning_rate=linear_warmup))"
    train = {"micro_batch_size": 3, "optimizer": "nesterov(learning_rate=0.3)", "schedule": composed}
    linear = {"dtype": "float32", "equations": {"z": "dense(x, 3)"}, "loss": "mean((z - onehot(t))**2)"}
    path = written({**spec(**train), **linear}, tmp_path)
    found, expected = trained(load(path), epochs=5), trained(interpreted(path), epochs=5)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-5)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-5)


@pytest.mark.parametrize("names", [("i", "grad"), ("work", "entry"), ("order", "piece")])
def test_tensors_may_bear_the_names_of_what_the_module_uses(names, tmp_path):
    x, t = names
    awkward = {
        **spec(micro_batch_size=PIECE, epochs=2),
        "inputs": {x: ["batch", 3]},
        "targets": {t: {"axes": ["batch"], "classes": 3}},
        "equations": {"h": f"tanh(dense({x}, 4))", "z": "dense(h, 3)"},
        "loss": f"softmax_cross_entropy(z, {t}) + 0.01*l2(z_W)",
    }
    report = judged(awkward, tmp_path, compiled=False, points=1)
    assert report.passed, str(report)
    module = interpreted(tmp_path / "module.py")
    assert (module.INPUTS, module.TARGETS, set(module.AXES)) == ((x,), (t,), {x, t})
    run = train_module(read(awkward), module, data=Dataset({x: X}, {t: T}, "here"), progress=False)
    assert run.history.columns()["loss"][1] < run.history.columns()["loss"][0]


def points(rows="full", **changed):
    """Residuals of Burgers' equation, whose workspace for many points is large."""
    return {
        "name": "points",
        "dtype": "float64",
        "inputs": {"x": ["batch", 1], "t": ["batch", 1]},
        "parameters": {"V": [1, 40], "W": [1, 40], "U": [40, 1]},
        "equations": {
            "h": "tanh(x @ V + t @ W)",
            "u": "h @ U",
            "r": "d(u, t) + u * d(u, x) - 0.01 * d(u, x, x)",
        },
        "loss": "mean(r**2)",
        "train": {"optimizer": "sgd(learning_rate=0.1)", "batch_size": rows},
        **changed,
    }


@pytest.mark.parametrize(
    ("model", "rows"),
    [
        (points(), 2048),
        (points(dtype="float32"), 4096),
        (points(2049), 2048),
        (points(2048), 0),
        ({**points(32), "train": {"batch_size": 32, "finish": "lbfgs"}}, 2048),
        ({**points(), "loss": "sum(r**2)"}, 0),
        (points(parameters={"V": [1, 20000], "W": [1, 20000], "U": [20000, 1]}), 0),
        (points(gradients=["x"]), 0),
    ],
)
def test_pieces_are_chosen_where_a_batch_leaves_the_cache_and_they_add_up(model, rows):
    assert stages_of(read(model)).piece_rows == rows


def test_pieces_chosen_give_the_loss_and_gradient_of_all_rows(tmp_path):
    path = written(points(), tmp_path)
    (tmp_path / "whole").mkdir()
    whole = interpreted(written(points(32), tmp_path / "whole"))
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("MICRO_BATCH_SIZE = 2048", "MICRO_BATCH_SIZE = 3"), encoding="utf-8")
    pieces, x, t = interpreted(path), RNG.normal(size=(8, 1)), RNG.normal(size=(8, 1))
    params = pieces.init_params(0)
    loss, gradient = pieces.loss_and_grad(params, x, t)
    expected, true = whole.loss_and_grad(whole.init_params(0), x, t)
    assert pieces.loss(params, x, t) == loss == pytest.approx(expected, rel=1e-13)
    np.testing.assert_allclose(pieces.flatten(gradient), whole.flatten(true), rtol=1e-11, atol=1e-15)
    before = pieces.flatten(params).copy()
    assert pieces.train_step(params, pieces.init_state(params), x, t) == loss
    np.testing.assert_allclose(pieces.flatten(params), before - 0.1 * pieces.flatten(gradient), rtol=1e-12)


PRODUCTS = ["hvp", "gauss_newton"]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_products_with_second_derivatives_go_in_pieces(dtype, tmp_path):
    whole = {**spec(), "derive": PRODUCTS, "dtype": dtype}
    (tmp_path / "pieces").mkdir()
    pieces = interpreted(
        written({**whole, "train": spec(micro_batch_size=PIECE)["train"]}, tmp_path / "pieces")
    )
    whole, x = interpreted(written(whole, tmp_path)), X.astype(dtype)
    params, along = pieces.init_params(0), RNG.normal(size=pieces.SIZE).astype(dtype)
    near = {"float64": 1e-12, "float32": 1e-5}[dtype]
    for name in PRODUCTS:
        expected = getattr(whole, name)(whole.init_params(0), along, x, T)
        found = getattr(pieces, name)(params, along, x, T)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, expected, rtol=near, atol=near * np.abs(expected).max())
        fields = getattr(pieces, name)(params, pieces.unflatten(along.copy()), x, T)
        np.testing.assert_array_equal(pieces.flatten(fields), found)


@pytest.mark.parametrize(("right", "wrong"), [("", ""), ("product + DTYPE(share) *", "product +")])
def test_the_judge_holds_products_over_pieces_to_those_of_all_rows(right, wrong, tmp_path):
    whole = {**spec(micro_batch_size=PIECE), "derive": PRODUCTS}
    module, case = bench(whole, tmp_path, right, wrong)
    said = observed(module, "declarations", case)
    told = [f"the answer of {name} over pieces of 2 rows is not that of all rows" for name in PRODUCTS]
    assert said == ("; ".join(told) if right else "")


def test_the_judge_passes_pieces_chosen_and_sees_a_size_without_them(tmp_path):
    assert judged(points(), tmp_path, compiled=False, points=1).passed

    def edit(text):
        return text.replace("MICRO_BATCH_SIZE = 0", "MICRO_BATCH_SIZE = 5")

    report = judged(points(32), tmp_path, edit, compiled=False, points=1)
    assert not report.passed


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("BATCH_AXIS", "BATCH_AXIS", ""),
        (
            "yield (part.stop - part.start) / rows",
            "yield (part.stop - part.start) / MICRO_BATCH_SIZE",
            "loss",
        ),
        ("range(0, rows, MICRO_BATCH_SIZE)", "range(0, rows - 1, MICRO_BATCH_SIZE)", "loss"),
        ("value += share * _loss(", "value = share * _loss(", "loss"),
        ("value += share * _gradient(", "value += _gradient(", "loss of loss_and_grad"),
        ("grad + DTYPE(share) * piece", "grad + piece", "gradient"),
    ],
)
def test_pieces_larger_than_any_trial_are_tried(right, wrong, told, tmp_path):
    """A piece of 2048 points is never full where the judge looks; it asks for smaller ones."""
    module, case = bench(points(), tmp_path, right, wrong)
    found = observed(module, "declarations", case)
    assert f"the {told} over pieces of 2 rows is not that of all rows" in found if told else not found


# Several sets of points --------------------------------------------------------------------

TERMS = ("mean(r**2)", "3 * mean(b**2)", "mean(exp(r)) * k", "0.1 * l2(u_W1)", "sum(w * b**2) / size(xb, 0)")
COUPLED = (
    "mean(r) * mean(b)",
    "mean(b)**2",
    "sum(r**2)",
    "mean(r - b.T)",
    "exp(mean(b))",
    "mean(r * mean(w))",
)


def sets(loss, dtype="float64", **others):
    return {
        "name": "sets",
        "dtype": dtype,
        "inputs": {"x": ["inner", 1], "xb": ["edge", 1], "w": ["edge", 1], "fixed": [2, 1]},
        "parameters": {"k": {"axes": [], "init": 0.5}},
        "networks": {"u(x)": ["dense(4, activation=tanh)", "dense(1)"]},
        "equations": {"v": "u(x)", "r": "d(v, x, x) + v", "b": "u(xb) - mean(fixed)"},
        "loss": loss,
        "outputs": ["v"],
        "train": {"batch_size": "full"},
        **others,
    }


@pytest.mark.parametrize("number", range(3))
def test_sets_go_in_pieces_with_the_same_share_of_each_and_they_add_up(number, tmp_path):
    rng = np.random.default_rng(sum(map(ord, f"{SEED} {number}")))
    terms = [str(term) for term in rng.choice(TERMS, size=int(rng.integers(2, 5)), replace=False)]
    loss = " + ".join([*terms, "mean(r)", "mean(b)"])
    module = interpreted(written(sets(loss, derive=["hvp"]), tmp_path))
    params, along = module.init_params(1), rng.normal(size=module.SIZE)
    assert module.SET_ROWS > 0
    for _ in range(8):
        shares = int(rng.integers(1, 9))
        inner, edge = (shares * int(rng.integers(1, 6)) for _ in range(2))
        data = [rng.normal(size=(rows, 1)) for rows in (inner, edge, edge, 2)]
        found = []
        for most in (10**9, int(rng.integers(1, inner + edge + 1))):
            module.SET_ROWS, module._KEPT.work = most, np.full(100_000, np.nan)
            value, gradient = module.loss_and_grad(params, *data)
            product = module.hvp(params, along, *data)
            found.append([value, module.loss(params, *data), *module.flatten(gradient).copy(), *product])
        np.testing.assert_allclose(found[1], found[0], rtol=1e-11, atol=1e-13)


@pytest.mark.filterwarnings("ignore::symgrad.errors.SpecWarning")
@pytest.mark.parametrize("term", COUPLED)
def test_what_pieces_of_sets_would_change_is_computed_at_once(term):
    stages = stages_of(read(sets(f"mean(r**2) + mean(b**2) + {term}")))
    assert stages.set_rows == 0
    assert "SET_ROWS" not in stages.text


def test_pieces_of_sets_stay_small_and_are_left_where_they_do_not_fit(tmp_path):
    module = interpreted(written(sets("mean(r**2) + mean(b**2)"), tmp_path))
    params, sizes = module.init_params(1), []
    real, module.SET_ROWS = module._work_size, 30
    module._work_size = lambda inner, edge: sizes.append((inner, edge)) or real(inner, edge)
    for inner, edge in ((100, 20), (101, 20), (7, 3)):
        module.loss(params, *(np.ones((rows, 1)) for rows in (inner, edge, edge, 2)))
    assert sizes == [(25, 5)] * 4 + [(101, 20), (7, 3)]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("", ""),
        ("yield (stop - start) / shares,", "yield 1 / shares,"),
        ("a[start * u : stop * u]", "a[: stop * u]"),
    ],
)
def test_the_judge_sees_pieces_of_sets_that_do_not_add_up(right, wrong, tmp_path):
    module, case = bench(sets("mean(r**2) + mean(b**2)"), tmp_path, right, wrong)
    said = observed(module, "declarations", case)
    assert ("shares of all sets is not that of all points" in said) == bool(right)


@pytest.mark.parametrize(
    ("right", "wrong", "name"),
    [
        ("_updated(params, gradients, state, setting)", "pass", "train_step"),
        (
            "chosen = numbers[start : start + size]",
            "chosen = numbers[start : start + size - 1]",
            "train_epoch",
        ),
    ],
)
def test_the_judge_sees_steps_over_pieces_of_sets_that_are_others(right, wrong, name, tmp_path):
    module, case = bench(sets("mean(r**2) + mean(b**2)"), tmp_path, right, wrong)
    said = observed(module, "declarations", case)
    assert f"{name} over pieces of sets is not an update by the gradient of these" in said


@pytest.mark.parametrize(("optimizer", "batch"), [("sgd", "full"), ("adam", "full"), ("sgd", 40)])
def test_steps_take_pieces_of_sets_as_the_gradient_does(optimizer, batch, tmp_path):
    """The same training, in memory that holds garbage between steps and is that of one piece."""
    train = {"batch_size": "full", "optimizer": f"{optimizer}(learning_rate=0.01)"}
    module = interpreted(written(sets("mean(r**2) + 3 * mean(b**2)", train=train), tmp_path))
    data, sizes, found = [RNG.normal(size=(rows, 1)) for rows in (100, 20, 20, 2)], [], []
    real = module._work_size
    module._work_size = lambda inner, edge: sizes.append((inner, edge)) or real(inner, edge)
    for most in (10**9, 30):
        module.SET_ROWS, module._KEPT.work = most, np.full(100_000, np.nan)
        sizes.clear()
        params, history = module.fit(*data, epochs=4, batch_size=batch, seed=1)
        found.append([*history, *module.flatten(params)])
    np.testing.assert_allclose(found[1], found[0], rtol=1e-8, atol=1e-12)
    assert max(map(sum, sizes)) <= 30


def test_steps_of_few_points_are_compiled_as_one_and_what_is_not_finite_changes_nothing(tmp_path):
    module = interpreted(written(sets("mean(r**2) + mean(b**2)"), tmp_path))
    data, params = [RNG.normal(size=(rows, 1)) for rows in (10, 5, 5, 2)], module.init_params(0)
    state, before = module.init_state(params), module.flatten(params).copy()
    module.SET_ROWS, module._loss_and_gradient = 6, lambda *_: (np.inf, None)
    assert module.train_step(params, state, *data) == np.inf
    assert module.train_epoch(params, state, *data, batch_size="full") == np.inf
    assert (module.flatten(params) == before).all()
    module.SET_ROWS = 100
    assert np.isfinite(module.train_step(params, state, *data))
    with pytest.raises(ValueError, match="order: expected a vector of row numbers"):
        module.train_epoch(params, state, *data, batch_size=2, order=[10])


def test_a_step_that_looks_ahead_takes_all_points_at_once(tmp_path):
    train = {"batch_size": "full", "optimizer": "nesterov(learning_rate=0.01)"}
    text = written(sets("mean(r**2) + mean(b**2)", train=train), tmp_path).read_text(encoding="utf-8")
    assert "SET_ROWS = " in text
    assert "_of_sets" not in text


def test_a_number_beside_rows_is_the_same_in_every_piece(tmp_path):
    beside = {
        "dtype": "float64",
        "inputs": {"x": ["batch", 2], "s": []},
        "parameters": {"w": [2]},
        "equations": {"y": "tanh(s * (x @ w))"},
        "loss": "mean(y**2)",
    }
    whole = interpreted(written(beside, tmp_path))
    pieces = interpreted(written(beside | {"train": {"micro_batch_size": 2}}, tmp_path))
    assert pieces.MICRO_BATCH_SIZE == 2
    data, w = (np.arange(10.0).reshape(5, 2), np.array(0.7)), np.array([0.3, -0.2])
    (right, gradient), (value, found) = (m.loss_and_grad(m.unflatten(w), *data) for m in (whole, pieces))
    assert (pieces.loss(pieces.unflatten(w), *data), value) == pytest.approx((right, right), rel=1e-14)
    assert found.w == pytest.approx(gradient.w, rel=1e-14)
