"""What comes after the epochs: L-BFGS, Newton's method and Levenberg and Marquardt's, on all rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import pytest
from building import interpreted, written
from click.testing import CliRunner
from scipy.optimize import least_squares, minimize

import symgrad as sg
from symgrad.cli import main
from symgrad.errors import CallbackError, DivergenceError, SpecError, SpecWarning
from symgrad.spec import library
from symgrad.training.finishing.methods import METHODS
from symgrad.training.records.plot import history_svg

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

ROWS = 40
RNG = np.random.default_rng(5)
X = RNG.normal(size=(ROWS, 2))
DATA = {"x": X, "t": np.sin(2 * X[:, :1]) * X[:, 1:] + 0.3}
LINEAR = {"y": "x @ W + b"}
NETWORK = {"h": "dense(x, 4, activation=tanh)", "y": "dense(h, 1)"}


def spec_of(finish: str, equations: dict[str, str] = NETWORK, *, dtype: str = "float64", **train: Any) -> Any:
    own = {"parameters": {"W": [2, 1], "b": [1]}} if equations is LINEAR else {}
    return {
        "name": "ends",
        "dtype": dtype,
        "inputs": {"x": ["N", 2]},
        "targets": {"t": ["N", 1]},
        **own,
        "equations": equations,
        "loss": "mse(y, t)",
        "train": {"epochs": 0, "finish": finish, **train},
    }


def module_of(spec: Any, folder: Path) -> ModuleType:
    folder.mkdir(exist_ok=True)
    return interpreted(written(spec, folder))


def trained(spec: Any, folder: Path, **options: Any) -> Any:
    read = sg.read(spec)
    return sg.train(read, module_of(read, folder), **{"data": DATA, "progress": False, **options})


def facts(run: Any) -> Any:
    """All that must be the same to the last bit."""
    arrays = [array.tobytes() for array in run.checkpoint.fitted]
    return arrays, run.stop_reason, [{**vars(record), "seconds": 0} for record in run.history.records]


def test_every_finish_of_the_library_has_its_method() -> None:
    assert set(library.finishes) == set(METHODS)


@pytest.mark.parametrize(
    ("finish", "most"),
    [
        ("lbfgs", 8),
        ("newton_cg", 6),
        ("trust_ncg(first_radius=100)", 6),
        ("levenberg_marquardt(damping=1e-12)", 2),
    ],
)
def test_a_quadratic_is_solved_in_few_steps(finish: str, most: int, tmp_path: Path) -> None:
    run = trained(spec_of(finish, LINEAR), tmp_path)
    A = np.column_stack([X, np.ones(ROWS)])
    found, *_ = np.linalg.lstsq(A, DATA["t"], rcond=None)
    np.testing.assert_allclose(np.concatenate([run.params.W, run.params.b[None]]), found, atol=1e-7)
    assert run.stop_reason == "converged"
    assert len(run.history.records) <= most
    assert f"{finish.partition('(')[0]} took {len(run.history.records)} steps" in run.notes[-1]


def test_iterations_are_told_from_the_epochs_before_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = spec_of("lbfgs(max_iterations=4)", optimizer="adam", epochs=2, batch_size=16)
    run = trained(spec, tmp_path, progress=True)
    assert [record.iteration for record in run.history.records] == [None, None, 1, 2, 3, 4]
    assert run.history.columns()["iteration"] == [None, None, 1, 2, 3, 4]
    assert "2 epochs and 4 iterations" in str(run)
    assert f"parameters of iteration {run.checkpoint.epoch - 2}" in str(run)
    assert "2 epochs and 4 iterations" in str(run.history)
    shown = capsys.readouterr().err
    for place in ("epoch 1/2", "epoch 2/2", "iteration 1/4", "iteration 4/4"):
        assert place in shown
    assert "epoch 3" not in shown
    picture = history_svg(run.history)
    assert picture is not None
    assert "epoch, then iteration" in picture
    plain = trained(spec_of("lbfgs(max_iterations=4)"), tmp_path / "plain")
    assert ": 4 iterations in" in str(plain)


@pytest.mark.parametrize(
    ("finish", "method", "options"),
    [
        ("lbfgs(max_iterations=12)", "L-BFGS-B", {"maxcor": 50, "gtol": 1e-8, "ftol": 0, "maxls": 50}),
        ("newton_cg(max_iterations=6)", "Newton-CG", {"xtol": 1e-8}),
        ("trust_ncg(max_iterations=6)", "trust-ncg", {"gtol": 1e-8}),
    ],
)
def test_iterates_are_those_of_scipy_by_hand(
    finish: str, method: str, options: dict[str, Any], tmp_path: Path
) -> None:
    spec = spec_of(finish, optimizer="adam(learning_rate=0.01)", epochs=2, batch_size=16)
    found: list[Any] = []
    trained(spec, tmp_path, after_epoch=lambda record, params: found.append((record.loss, params)))
    module = module_of(spec, tmp_path / "by hand")
    data = tuple(np.ascontiguousarray(DATA[name]) for name in ("x", "t"))

    def loss_and_gradient(vector: Any) -> tuple[float, Any]:
        loss, gradient = module.loss_and_grad(module.unflatten(vector.copy()), *data)
        return loss, module.flatten(gradient).copy()

    iterates: list[Any] = []

    def callback(intermediate_result: Any) -> None:
        if not iterates or not np.array_equal(iterates[-1][1], intermediate_result.x):
            iterates.append((float(intermediate_result.fun), intermediate_result.x.copy()))

    products = {} if method == "L-BFGS-B" else {"hessp": lambda at, v: module.hvp(at, v, *data)}
    start = module.flatten(found[1][1]).copy()
    options["maxiter"] = 12 if method == "L-BFGS-B" else 6
    args = {"jac": True, "method": method, "callback": callback, "options": options, **products}
    minimize(loss_and_gradient, start, **args)
    iterates = [(loss, x) for loss, x in iterates if not np.array_equal(x, start)]
    assert len(iterates) == len(found) - 2 > 3
    for (loss, x), (told, params) in zip(iterates, found[2:], strict=True):
        assert loss == told
        np.testing.assert_array_equal(x, module.flatten(params))


def test_least_squares_end_where_minpack_ends(tmp_path: Path) -> None:
    spec = spec_of("levenberg_marquardt(max_iterations=200)", {"y": "a * exp(-k * x) + c"}, dtype="float64")
    spec["inputs"] = {"x": ["N", 1]}
    spec["parameters"] = {name: {"axes": [1], "init": 1.0} for name in "akc"}
    x = np.linspace(0, 3, 30)[:, None]
    t = 2.5 * np.exp(-1.3 * x) + 0.5 + 0.05 * RNG.normal(size=x.shape)
    run = trained(spec, tmp_path, data={"x": x, "t": t})
    by_hand = least_squares(
        lambda p: (p[0] * np.exp(-p[1] * x) + p[2] - t).ravel(), [1.0, 1.0, 1.0], method="lm", xtol=1e-14
    )
    np.testing.assert_allclose([run.params.a[0], run.params.k[0], run.params.c[0]], by_hand.x, rtol=1e-6)
    assert run.stop_reason == "converged"
    losses = [record.loss for record in run.history.records]
    assert losses == sorted(losses, reverse=True)


def test_frozen_parameters_stay_and_pieces_add_up(tmp_path: Path) -> None:
    whole = trained(spec_of("lbfgs(max_iterations=8)", freeze=["h_W"]), tmp_path / "whole")
    first = module_of(spec_of("lbfgs"), tmp_path / "plain").init_params()
    assert whole.params.h_W.tobytes() == first.h_W.tobytes()
    assert not np.array_equal(whole.params.h_b, first.h_b)
    pieces = spec_of("lbfgs(max_iterations=8)", freeze=["h_W"], micro_batch_size=7)
    found = trained(pieces, tmp_path / "pieces")
    for name in ("h_b", "y_W", "y_b"):
        np.testing.assert_allclose(getattr(found.params, name), getattr(whole.params, name), rtol=1e-6)


def test_a_run_that_is_stopped_in_it_comes_to_the_same_end(tmp_path: Path) -> None:
    spec = sg.read(spec_of("lbfgs(max_iterations=9)", epochs=3, batch_size=16, validation=0.25))
    module = module_of(spec, tmp_path)
    options: dict[str, Any] = {"data": DATA, "progress": False}
    through = sg.train(spec, module, **options)

    def stop(record: Any, _: Any) -> None:
        if record.epoch == 7:
            raise KeyboardInterrupt

    stopped = sg.train(spec, module, out=tmp_path / "run", after_epoch=stop, **options)
    assert (stopped.stop_reason, len(stopped.history.records)) == ("interrupted", 7)
    assert "going on makes them anew" in " ".join(stopped.notes)
    went_on = sg.train(module=module, resume=tmp_path / "run", **options)
    assert facts(went_on) == facts(through)
    again = sg.train(module=module, resume=tmp_path / "run", **options)
    assert facts(again) == facts(through)
    assert "nothing was left" not in str(again), "its iterations were made anew"
    assert sg.open_run(tmp_path / "run", module).epoch == through.checkpoint.epoch


def test_callbacks_and_the_plan_end_it(tmp_path: Path) -> None:
    spec = sg.read(spec_of("lbfgs(max_iterations=50)", epochs=2, batch_size=10))
    module = module_of(spec, tmp_path)
    options: dict[str, Any] = {"data": DATA, "progress": False}
    told: list[int] = []
    asked = sg.train(
        *(spec, module),
        **options,
        after_epoch=lambda record, _: record.epoch == 6,
        after_steps=(2, lambda record, _: told.append(record.step)),
    )
    assert (asked.stop_reason, len(asked.history.records)) == ("callback", 6)
    assert told == [2, 4, 6, 8, 10, 12]  # four steps an epoch, then one an iteration
    assert asked.history.columns()["learning_rate"][-4:] == [None] * 4
    with pytest.raises(CallbackError, match=r"changed learning_rate, which no iteration reads; answer None"):
        sg.train(
            spec, module, **options, after_epoch=lambda r, _: {"learning_rate": 0.1} if r.epoch > 4 else None
        )
    early = sg.train(spec, module, **options, after_epoch=lambda record, _: record.epoch == 1)
    assert "lbfgs was not begun" in early.notes
    steady = trained(spec_of("lbfgs(max_iterations=500)", stop={"tolerance": 1e-3}), tmp_path)
    changes = np.diff([record.loss for record in steady.history.records])
    assert steady.stop_reason == "converged"
    assert abs(changes[-1]) <= 1e-3 < abs(changes[:-1]).min()


def test_in_single_precision_it_ends_and_says_why(tmp_path: Path) -> None:
    run = trained(spec_of("lbfgs(gradient_tolerance=0)", LINEAR, dtype="float32"), tmp_path)
    A = np.column_stack([X, np.ones(ROWS)])
    found, *_ = np.linalg.lstsq(A, DATA["t"], rcond=None)
    assert run.params.W.dtype == np.float32
    np.testing.assert_allclose(np.concatenate([run.params.W, run.params.b[None]]), found, atol=1e-3)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_loss_that_is_not_finite_at_its_start_is_no_run(tmp_path: Path) -> None:
    spec = spec_of("lbfgs", {"y": "exp(x @ W)"})
    spec["parameters"] = {"W": {"axes": [2, 1], "init": 900}}
    with pytest.raises(DivergenceError, match=r"before lbfgs: the loss or its gradient on all rows"):
        trained(spec, tmp_path)


REFUSED = [
    ({"finish": "adam"}, "unknown finish 'adam'; write optimizer: adam"),
    ({"finish": "bfgs"}, "did you mean 'lbfgs'"),
    ({"finish": "lbfgs(max_iter=3)"}, "did you mean 'max_iterations'"),
    ({"finish": "lbfgs(memory=0)"}, "memory is 0; expected a number from 1 to 1000"),
    ({"finish": "lbfgs(memory=1.5)"}, "memory is 1.5; expected a whole number"),
    ({"finish": "lbfgs(memory=x)"}, "memory is x; expected a whole number"),
    ({"finish": "trust_ncg(first_radius=3, max_radius=2)"}, "max_radius is 2; expected a number above 3"),
    ({"optimizer": "lbfgs(memory=3)", "finish": None}, "write finish: lbfgs"),
    ({"optimizer": "bfgs", "finish": None}, "unknown optimiser 'bfgs'; write finish: lbfgs"),
    ({"finish": None}, "no epochs, and nothing that comes after them; write epochs: 10, or add finish"),
    ({"average": 0.9}, "drop average, or drop finish"),
    ({"clip_norm": 1.0}, "clip_norm is of the steps of epochs, of which there are none; drop clip_norm"),
    ({"optimizer": "adam"}, "optimizer is of the steps of epochs"),
    ({"then": "lbfgs"}, "unknown key 'then'; did you mean 'finish'"),
]


@pytest.mark.parametrize(("train", "said"), REFUSED, ids=lambda value: str(value))
def test_what_makes_no_sense_is_refused(train: dict[str, Any], said: str) -> None:
    spec = spec_of("lbfgs")
    spec["train"] = {key: value for key, value in {**spec["train"], **train}.items() if value is not None}
    if "optimizer" in train and "finish" in train:
        del spec["train"]["epochs"]
    with pytest.raises(SpecError) as error:
        sg.read(spec)
    assert said in str(error.value)


def test_decay_of_the_steps_is_doubted() -> None:
    spec = spec_of("lbfgs", optimizer="adamw", epochs=5)
    with pytest.warns(SpecWarning, match=r"decay weights by 0.01, and lbfgs minimises the loss alone"):
        sg.read(spec)


def test_it_is_shown_and_listed(tmp_path: Path) -> None:
    spec = spec_of("newton_cg(max_iterations=7)")
    assert [str(asked) for asked in sg.read(spec).derive] == ["hvp"]
    page = str(sg.derive(spec))
    assert "newton_cg(max_iterations=7, step_tolerance=1e-08) on all rows, without any of these steps" in page
    assert "∇²L(θ)·p = −∇L(θ)" in page
    text = written(spec, tmp_path).read_text(encoding="utf-8")
    assert "training ends with\n    newton_cg(max_iterations=7" in text
    assert "is not made here: `symgrad train` makes it" in text
    listed = CliRunner().invoke(main, ["list", "finishes", "--json"])
    assert [e["name"] for e in json.loads(listed.stdout)["finishes"]] == list(library.finishes)


def test_a_training_may_ask_for_more_derivatives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    spec = {**spec_of("lbfgs(max_iterations=2)", LINEAR)}
    run = sg.train(spec, data=DATA, progress=False, out=tmp_path / "run", derive="hvp")
    module = run.checkpoint.module
    assert module.hvp(run.checkpoint.fitted, np.ones(3), DATA["x"], DATA["t"]).shape == (3,)
    assert facts(sg.train(resume=tmp_path / "run", data=DATA, progress=False)) == facts(run)
    with pytest.raises(sg.SymgradError, match="derive does not go with resume"):
        sg.train(resume=tmp_path / "run", derive=["hvp"])
    file, rows = tmp_path / "ends.yaml", tmp_path / "rows.npz"
    file.write_text(json.dumps(spec), encoding="utf-8")
    np.savez(rows, **DATA)
    args = ["train", str(file), "--data", str(rows), "--out", str(tmp_path / "cli"), "--with", "per_sample"]
    ended = CliRunner().invoke(main, [*args, "--no-verify", "-q"])
    assert ended.exit_code == 0, ended.stderr
    assert "def per_sample_grad(" in (tmp_path / "cli" / "ends.py").read_text(encoding="utf-8")
