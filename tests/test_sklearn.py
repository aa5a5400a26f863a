"""symgrad.sklearn: what scikit-learn demands of estimators, and what is promised beyond that.

The modules are run by Python, unjudged: other tests are about their numbers. Where numbers count here, they
are held against scikit-learn's own networks, or against the same data said in another way.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import symgrad as sg
from symgrad.judgement import ready_modules
from symgrad.sklearn import Classifier, Regressor, Transformer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SMALL: dict[str, Any] = {"hidden": (6,), "learning_rate": 0.03, "epochs": 15}
QUICK: dict[str, Any] = {"hidden": (4,), "learning_rate": 0.05, "epochs": 3, "random_state": 0}
FULL: dict[str, Any] = {**QUICK, "batch_size": "full", "optimizer": "sgd"}
KINDS = (Classifier, Regressor, Transformer)


@pytest.fixture(autouse=True, scope="module")
def run_by_python() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("numba.config.DISABLE_JIT", True)
        patch.setenv("NUMBA_DISABLE_JIT", "1")  # in other processes
        patch.setattr(ready_modules, "cached_module", lambda spec, _: sg.build(spec, identity=False))
        patch.setattr(ready_modules, "_MODULES", {})
        yield


def rows(seed: int, n: int = 40, features: int = 3) -> Any:
    """Random rows, and a class of three and a number for each that depend on them."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, features))
    score = X @ random.normal(size=(features, 3)) + 0.1 * random.normal(size=(n, 3))
    return X, score.argmax(axis=1), score[:, 0]


def fitted(kind: Any, X: Any, labels: Any, numbers: Any, sample_weight: Any = None, **arguments: Any) -> Any:
    y = {Classifier: labels, Regressor: numbers, Transformer: None}[kind]
    return kind(**arguments).fit(X, y, sample_weight=sample_weight)


def answers(estimator: Any, X: Any) -> Any:
    """All numbers that it gives for rows."""
    for method in ("predict_proba", "transform", "predict"):
        if hasattr(estimator, method):
            return getattr(estimator, method)(X)
    raise AssertionError


# --- What scikit-learn demands ---


@pytest.mark.filterwarnings("ignore:.*worse than the mean alone:symgrad.errors.DataWarning")
@parametrize_with_checks([kind(**SMALL) for kind in KINDS])
def test_scikit_learn_checks(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


# --- Numbers: steps are those of scikit-learn's own networks ---


def with_parameters_of(estimator: Any, peer: Any) -> Any:
    """The peer's network with the parameters of the estimator."""
    learnt = estimator.params_
    peer.coefs_ = [np.array(learnt[name]) for name in learnt if name.startswith("W")]
    peer.intercepts_ = [np.array(learnt[name]) for name in learnt if name.startswith("b")]
    return peer


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(("activation", "theirs"), [("tanh", "tanh"), ("sigmoid", "logistic")])
def test_steps_of_a_classifier_are_those_of_mlp_classifier(
    classes: int, activation: str, theirs: str
) -> None:
    X, y, _ = rows(classes)
    y = y % classes
    counts = np.random.default_rng(1).integers(0, 4, len(X))
    again, labels = np.repeat(X, counts, axis=0), np.repeat(y, counts)
    ours = Classifier(**{**FULL, "hidden": (5, 4), "activation": activation, "learning_rate": 0.3})
    how = {"hidden_layer_sizes": (5, 4), "activation": theirs, "solver": "sgd", "momentum": 0, "alpha": 0}
    peer = MLPClassifier(**how, learning_rate_init=0.3, batch_size=len(again), shuffle=False)
    ours.partial_fit(X, y, classes=range(classes), sample_weight=counts / 2)
    peer = with_parameters_of(ours, peer.partial_fit(again, labels, classes=range(classes)))
    assert_allclose(ours.predict_proba(X), peer.predict_proba(X), rtol=1e-12)
    for _ in range(5):
        ours.partial_fit(X, y, sample_weight=counts / 2)
        peer.partial_fit(again, labels)
    assert_allclose(ours.predict_proba(X), peer.predict_proba(X), rtol=1e-9)
    assert_array_equal(ours.predict(X), peer.predict(X))


def test_steps_of_a_regressor_are_those_of_mlp_regressor() -> None:
    X, _, y = rows(3)
    ours = Regressor(**{**FULL, "activation": "tanh", "learning_rate": 0.05})
    how = {"hidden_layer_sizes": (4,), "activation": "tanh", "solver": "sgd", "momentum": 0, "alpha": 0}
    # The loss there is halved, and so is the step.
    peer = MLPRegressor(**how, learning_rate_init=0.1, batch_size=len(X), shuffle=False)
    ours.partial_fit(X, y)
    peer = with_parameters_of(ours, peer.partial_fit(X, y))
    for _ in range(5):
        ours.partial_fit(X, y)
        peer.partial_fit(X, y)
    assert_allclose(ours.predict(X), peer.predict(X), rtol=1e-9)


def test_a_linear_autoencoder_comes_near_to_pca() -> None:
    X = rows(4, 60, 5)[0] @ np.diag([3, 2, 0.3, 0.2, 0.1])
    X -= X.mean(axis=0)
    coder = Transformer(hidden=(2,), learning_rate=0.02, epochs=150, batch_size="full", random_state=1).fit(X)
    found = np.square(coder.inverse_transform(coder.transform(X)) - X).mean()
    least = np.square(PCA(2).fit(X).inverse_transform(PCA(2).fit_transform(X)) - X).mean()
    assert least <= found < 1.2 * least
    assert_allclose(coder.score(X), -found, rtol=1e-12)


def test_codes_and_what_is_made_of_them_are_the_networks() -> None:
    X = rows(5, 10, 4)[0]
    coder = Transformer(**{**QUICK, "hidden": (3, 2), "activation": "tanh"}).fit(X)
    p = coder.params_
    codes = np.tanh(X @ p["e1_W"] + p["e1_b"]) @ p["code_W"] + p["code_b"]
    assert_allclose(coder.transform(X), codes, rtol=1e-12)
    back = np.tanh(codes @ p["d1_W"] + p["d1_b"]) @ p["y_W"] + p["y_b"]
    assert_allclose(coder.inverse_transform(codes), back, rtol=1e-12)
    assert list(coder.get_feature_names_out()) == ["transformer0", "transformer1"]


# --- Weights ---


@pytest.mark.parametrize("kind", KINDS)
def test_weights_count_rows(kind: Any) -> None:
    X, labels, numbers = rows(6, 20)
    counts = np.random.default_rng(7).integers(0, 4, len(X))
    again = [np.repeat(a, counts, axis=0) for a in (X, labels, numbers)]
    weighted = fitted(kind, X, labels, numbers, counts, **FULL)
    assert_allclose(answers(weighted, X), answers(fitted(kind, *again, **FULL), X), rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_weight_zero_are_not_there_in_batches_too(kind: Any) -> None:
    X, labels, numbers = rows(8, 30)
    kept = np.random.default_rng(9).random(len(X)) < 0.7
    how = {**QUICK, "batch_size": 4, "early_stopping": True, "validation_fraction": 0.3}
    without = fitted(kind, X[kept], labels[kept], numbers[kept], **how)
    spoilt = np.where(kept[:, None], X, 1e6)
    assert_array_equal(answers(fitted(kind, spoilt, labels, numbers, kept, **how), X), answers(without, X))


def test_class_weights_weigh_rows() -> None:
    X, y, _ = rows(10)
    names = np.array(["a", "b", "c"])[y]
    heavy = Classifier(**QUICK, class_weight={"a": 2, "b": 0.5, "c": 1}).fit(X, names)
    same = Classifier(**QUICK).fit(X, names, sample_weight=np.array([2, 0.5, 1])[y])
    assert_array_equal(heavy.predict_proba(X), same.predict_proba(X))
    balanced = Classifier(**QUICK, class_weight="balanced").fit(X, names)
    same.fit(X, names, sample_weight=(len(y) / (3 * np.bincount(y)))[y])
    assert_array_equal(balanced.predict_proba(X), same.predict_proba(X))


def test_a_regulariser_in_a_given_spec_is_not_weighted() -> None:
    X, _, y = rows(11, 20)
    spec = {
        "name": "ridge",
        "inputs": {"x": ["n", 3]},
        "targets": {"t": ["n"]},
        "parameters": {"w": [3]},
        "equations": {"y": "x @ w"},
        "loss": "mse(y, t) + 0.1 * l2(w)",
        "dtype": "float64",
        "train": {"optimizer": "sgd(learning_rate=0.1)", "batch_size": "full", "epochs": 300},
    }
    counts = np.random.default_rng(12).integers(0, 3, len(X))
    w = Regressor(spec).fit(X, y, sample_weight=counts).params_["w"]
    C = X.T @ np.diag(counts) / counts.sum()
    assert_allclose(w, np.linalg.solve(C @ X + 0.1 * np.eye(3), C @ y), rtol=1e-7)


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        ("mean((y - t)**2)", "takes no weights of samples"),
        ("mse(y, t) + mean(y**2)", "takes no weights of samples"),
        ("sum(mse(y, t, reduction=none))", "weighted already"),
    ],
)
def test_a_loss_that_cannot_be_weighted_is_refused_with_weights_alone(loss: str, said: str) -> None:
    X, _, y = rows(13, 8)
    network = {"inputs": {"x": ["n", 3]}, "targets": {"t": ["n", 1]}, "equations": {"y": "dense(x, 1)"}}
    estimator = Regressor({"name": "own", **network, "loss": loss}, learning_rate=1e-3, epochs=1).fit(X, y)
    with pytest.raises(ValueError, match=said):
        estimator.fit(X, y, sample_weight=np.arange(8))


# --- Going on ---


@pytest.mark.parametrize("kind", KINDS)
def test_partial_fits_are_the_epochs_of_a_fit(kind: Any) -> None:
    X, labels, numbers = rows(14)
    whole = fitted(kind, X, labels, numbers, **{**QUICK, "batch_size": 7})
    parts = kind(**{**QUICK, "batch_size": 7})
    for _ in range(3):
        classes = {"classes": [0, 1, 2]} if kind is Classifier else {}
        parts.partial_fit(X, labels if classes else numbers, **classes)
        parts = pickle.loads(pickle.dumps(parts))
    assert_array_equal(answers(parts, X), answers(whole, X))
    assert parts.loss_curve_ == whole.loss_curve_
    assert parts.n_iter_ == 3


def test_a_schedule_goes_on_too() -> None:
    X, _, y = rows(15)
    train = {"optimizer": "momentum(learning_rate=0.1)", "schedule": "exponential(decay=1)", "epochs": 3}
    layers = ["dense(3, activation=tanh)", "dense(1)"]
    spec = {"name": "slowing", "inputs": {"x": ["n", 3]}, "targets": {"t": ["n", 1]}, "layers": layers}
    spec |= {"loss": "mse", "dtype": "float64", "train": train}
    whole, parts = Regressor(spec, random_state=3).fit(X, y), Regressor(spec, random_state=3)
    for _ in range(3):
        parts.partial_fit(X, y)
    assert_array_equal(parts.predict(X), whole.predict(X))


def test_what_is_no_number_is_refused() -> None:
    X, _, y = rows(16)
    with pytest.raises(ValueError, match="y holds <U32; expected numbers"):
        Regressor(**QUICK).fit(X, y.astype(str))
    for rate in (np.array([0.1]), True, "0.1", 10**400, float("nan")):
        with pytest.raises(ValueError, match=r"learning_rate is .*; expected a finite number"):
            Regressor(**{**QUICK, "learning_rate": rate}).fit(X, y)


def test_warm_start_begins_where_the_last_fit_ended() -> None:
    X, y, _ = rows(16)
    first = Classifier(**QUICK, warm_start=True).fit(X, y)
    before = first.predict_proba(X)
    assert_allclose(clone(first).set_params(learning_rate=1e-12).fit(X, y).predict_proba(X), before, atol=0.5)
    first.set_params(learning_rate=1e-12, epochs=1).fit(X, y)
    assert_allclose(first.predict_proba(X), before, atol=1e-9)
    assert first.n_iter_ == 1
    with pytest.raises(ValueError, match="the classes have changed"):
        first.fit(X, y + 1)
    with pytest.raises(ValueError, match=r"the network has changed: it had parameters W1 \[3, 4\]"):
        first.set_params(hidden=(5,)).fit(X, y)


def test_early_stopping_keeps_the_best_epoch() -> None:
    X, y, _ = rows(17, 60)
    how = {**QUICK, "epochs": 40, "learning_rate": 0.5, "n_iter_no_change": 3, "early_stopping": True}
    stopped = Classifier(**how).fit(X, y)
    curve = stopped.validation_loss_curve_
    best = int(np.argmin(curve))
    assert stopped.n_iter_ == len(curve) < 40
    assert stopped.best_validation_loss_ == min(curve)
    assert_array_equal(
        Classifier(**{**how, "epochs": best + 1, "n_iter_no_change": 40}).fit(X, y).predict_proba(X),
        stopped.predict_proba(X),
    )
    with pytest.raises(ValueError, match="does not support early_stopping"):
        stopped.partial_fit(X, y)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, where Python runs the module
def test_what_fails_leaves_nothing_of_before() -> None:
    X, y, _ = rows(18)
    estimator = Classifier(**QUICK).fit(X, y)
    with pytest.raises(ValueError, match="lower the learning rate"):
        estimator.set_params(optimizer="sgd", learning_rate=1e300, activation="identity").fit(X, y % 2)
    with pytest.raises(ValueError, match="not fitted yet"):
        estimator.predict(X)


# --- Labels, columns, other processes ---


@pytest.mark.parametrize("names", [["no", "yes"], [False, True], [-3, 12], ["b", "a", "c"]])
def test_labels_of_any_kind_come_back(names: list[Any]) -> None:
    X, y, _ = rows(19)
    labels = np.array(names, dtype=object if isinstance(names[0], str) else None)[y % len(names)]
    estimator = Classifier(**{**QUICK, "epochs": 30}).fit(X, labels)
    assert list(estimator.classes_) == sorted(names)
    assert estimator.score(X, labels) > 0.8
    assert_allclose(estimator.predict_proba(X).sum(axis=1), 1)
    chosen = estimator.classes_[estimator.predict_proba(X).argmax(axis=1)]
    assert_array_equal(estimator.predict(X), chosen)


def test_frames_have_names_and_an_order_of_columns() -> None:
    pandas = pytest.importorskip("pandas")
    X, y, _ = rows(20)
    frame = pandas.DataFrame(X, columns=["length", "width", "height"])
    estimator = Classifier(**QUICK).fit(frame, pandas.Series(y).map({0: "low", 1: "middle", 2: "high"}))
    assert list(estimator.feature_names_in_) == ["length", "width", "height"]
    assert set(estimator.predict(frame)) <= {"low", "middle", "high"}
    with pytest.raises(ValueError, match="same order"):
        estimator.predict(frame[["width", "length", "height"]])
    codes = Transformer(**QUICK).set_output(transform="pandas").fit_transform(frame)
    assert list(codes.columns) == [f"transformer{i}" for i in range(4)]


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules as users have them, in the cache where other processes find them."""
    monkeypatch.setattr(ready_modules, "cached_module", lambda spec, _: sg.build(spec))
    monkeypatch.setattr(ready_modules, "_MODULES", {})


@pytest.mark.usefixtures("judged")
def test_another_process_goes_on_with_what_was_pickled(tmp_path: Path) -> None:
    X, y, _ = rows(21)
    estimator = make_pipeline(StandardScaler(), Classifier(**QUICK)).fit(X, np.array(["a", "b", "c"])[y])
    joblib.dump((estimator, X, y), tmp_path / "model.joblib")
    program = "import joblib, sys, numpy as np\n" + (
        "estimator, X, y = joblib.load(sys.argv[1], mmap_mode='r')\n"
        "np.save(sys.argv[2], estimator.predict_proba(X))\n"
        "print(estimator[-1].partial_fit(X, np.array(['a', 'b', 'c'])[y]).n_iter_)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "model.joblib", tmp_path / "found.npy"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "4\n"
    assert_array_equal(np.load(tmp_path / "found.npy"), estimator.predict_proba(X))


@pytest.mark.usefixtures("judged")
def test_a_grid_search_on_two_processes_finds_the_same() -> None:
    X, y, _ = rows(22)
    grid = {"batch_size": [8, "full"], "epochs": [1, 20]}
    one, two = (GridSearchCV(Classifier(**QUICK), grid, cv=2, n_jobs=jobs).fit(X, y) for jobs in (1, 2))
    assert_array_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])
    assert one.best_params_ == two.best_params_


# --- Given specs ---

IMAGES = {
    "name": "images",
    "inputs": {"x": ["n", 2, 3]},
    "targets": {"t": ["n", "k"]},
    "axes": {"k": 3},
    "parameters": {"W": [2, 3, 3]},
    "equations": {"z[n,k]": "sum(x[n,i,j] * W[i,j,k], i, j)"},
    "loss": "softmax_cross_entropy(z, t)",
    "train": {"optimizer": "adam(learning_rate=0.05)", "epochs": 20},
}


def test_rows_take_the_shape_of_the_input_and_labels_that_of_the_target() -> None:
    X, y, _ = rows(23, 60, 6)
    estimator = Classifier(IMAGES, random_state=0).fit(X, y)
    assert estimator.score(X, y) > 0.8
    z = np.einsum("nij,ijk->nk", X.reshape(-1, 2, 3), estimator.params_["W"])
    assert_array_equal(estimator.predict(X), z.argmax(axis=1))
    assert estimator.predict_proba(X).dtype == np.float32


def test_margins_tell_two_classes_apart_without_probabilities() -> None:
    X, y, _ = rows(24)
    spec = {"name": "margin", "inputs": {"x": ["n", 3]}, "targets": {"t": ["n", 1]}, "layers": ["dense(1)"]}
    spec |= {"loss": "hinge", "train": {"optimizer": "adam(learning_rate=0.1)", "epochs": 20}}
    labels = np.where(y == 0, "zero", "other")
    estimator = Classifier(spec, random_state=0).fit(X, labels)
    assert estimator.score(X, labels) > 0.8
    with pytest.raises(ValueError, match="are no probabilities"):
        estimator.predict_proba(X)


def test_an_inner_tensor_of_a_chain_is_a_code() -> None:
    X = rows(25)[0]
    spec = {"name": "coder", "inputs": {"x": ["n", 3]}, "layers": ["dense(2, activation=tanh)", "dense(3)"]}
    spec |= {"loss": "mse(Z2, x)", "dtype": "float64", "train": {"optimizer": "adam(learning_rate=0.01)"}}
    coder = Transformer(spec, encoded="A1", random_state=0).fit(X)
    learnt = coder.params_
    assert_allclose(coder.transform(X), np.tanh(X @ learnt["W1"] + learnt["b1"]), rtol=1e-12)
    with pytest.raises(ValueError, match="nothing can be computed from 'A1' alone"):
        coder.inverse_transform(coder.transform(X))


WRONG: dict[str, tuple[Any, str]] = {
    "a slip in a spec": (Classifier({"name": "a", "inputz": {}}), "inputz"),
    "an unknown activation": (Classifier(activation="rellu"), "did you mean 'relu'"),
    "an unknown optimiser": (Regressor(optimizer="addam"), "did you mean 'adam'"),
    "no such hyper-parameter": (Regressor(optimizer="adadelta", learning_rate=1), "no hyper-parameter"),
    "a network said twice": (Classifier(IMAGES, hidden=(3,)), "leave out hidden"),
    "another width": (Classifier(IMAGES), "a sample of 'x' has 6 entries, the data have 3"),
    "no code": (Transformer(IMAGES), "encoded is not given"),
    "no such code": (Transformer(IMAGES, encoded="h"), "there is no tensor 'h'"),
    "no such parameter": (Regressor(freeze=["W3"]), "freeze:1:1: no parameter is called 'W3'"),
    "no average": (Regressor(average=1.0), "expected less than 1"),
    "no such number": (Regressor(per_parameter={"W1": {"momentum": 1}}), "momentum"),
    "no epochs": (Regressor(epochs=0), "epochs is 0"),
    "no such type": (Regressor(dtype="float16"), "dtype is 'float16'"),
    "no such order": (Regressor(shuffle="often"), "shuffle is 'often'"),
    "a negative weight of a class": (Classifier(class_weight={0: -1}), "Negative values"),
    "several outputs": (
        Regressor(
            {
                "name": "two",
                "inputs": {"x": ["n", 3]},
                "targets": {"t": ["n", 1]},
                "equations": {"a": "dense(x, 1)", "b": "dense(x, 1)"},
                "loss": "mse(a, t) + mse(b, t)",
                "outputs": ["a", "b"],
            }
        ),
        r"say which is the prediction: outputs: \[b\]",
    ),
    "standardized": (Regressor({**IMAGES, "train": {"standardize": True}}), "StandardScaler"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_a_value_error(case: str) -> None:
    estimator, said = WRONG[case]
    X, labels, numbers = rows(26, 9)
    with pytest.raises(ValueError, match=said):
        clone(estimator).fit(X, labels if isinstance(estimator, Classifier) else numbers)


@pytest.mark.parametrize("kind", KINDS)
def test_an_argument_that_is_called_otherwise_here_is_told(kind: Any) -> None:
    with pytest.raises(TypeError, match=rf"{kind.__name__} has no argument 'max_iter'; here it is epochs"):
        kind(max_iter=3)
    with pytest.raises(TypeError, match="did you mean 'epochs'"):
        kind(epoch=3)


def test_estimators_that_differ_in_numbers_share_a_module_and_not_the_numbers() -> None:
    X, _, y = rows(27)
    others = ({"batch_size": 5, "random_state": 9}, {"epochs": 2}, {"learning_rate": 0.2})
    found = [Regressor(**{**QUICK, **other}).fit(X, y) for other in others]
    assert len({id(estimator.network_.module) for estimator in found}) == 1
    decayed = [Regressor(**QUICK, weight_decay=decay).fit(X, y) for decay in (0.1, 0.3)]
    assert decayed[0].network_.module is decayed[1].network_.module
    said = dict(QUICK, learning_rate=None, optimizer="adam(learning_rate=0.05, weight_decay=0.3)")
    assert_allclose(decayed[1].predict(X), Regressor(**said).fit(X, y).predict(X), rtol=1e-12)


CONTROL: dict[str, Any] = {
    "freeze": ["b1"],
    "per_parameter": {"W2": {"learning_rate": 0.2, "weight_decay": 0.1}},
    "average": 0.7,
}


@pytest.mark.parametrize("chosen", [*({name: value} for name, value in CONTROL.items()), CONTROL])
def test_control_of_training_by_arguments_is_that_of_a_spec(chosen: dict[str, Any]) -> None:
    X, _, y = rows(28)
    given = {
        "name": "given",
        "dtype": "float64",
        "inputs": {"x": ["n", 3]},
        "targets": {"t": ["n", 1]},
        "layers": ["dense(4, activation=relu)", "dense(1)"],
        "loss": "mse",
        "train": {"optimizer": "adam"},
    }
    written = Regressor({**given, "train": {**given["train"], **chosen}}, **{**QUICK, "hidden": None})
    expected = written.fit(X, y).predict(X)
    assert_array_equal(Regressor(**QUICK, **chosen).fit(X, y).predict(X), expected)
    assert_array_equal(clone(written).set_params(spec=given, **chosen).fit(X, y).predict(X), expected)
    assert not np.array_equal(Regressor(**QUICK).fit(X, y).predict(X), expected)


def test_what_is_frozen_may_change_where_the_optimiser_begins_anew() -> None:
    X, y, _ = rows(29)
    model = Classifier(**QUICK, freeze=["W1"], warm_start=True).fit(X, y)
    before = model.params_["W2"].copy()
    model.set_params(freeze=["W2"]).fit(X, y)
    assert_array_equal(model.params_["W2"], before)
    with pytest.raises(ValueError, match=r"what is frozen has changed.*warm_start=True"):
        model.set_params(freeze=["W1"]).partial_fit(X, y)


# --- Callbacks ---


class StopsAfterTwo:
    """Ends training after two epochs, and looks at what there is then."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def setup(self, estimator: Any, context: Any) -> None:
        self.seen.append("setup")

    def teardown(self, estimator: Any, context: Any) -> None:
        self.seen.append("teardown")

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        self.seen.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator: Any, context: Any, *, X: Any, y: Any, fitted_estimator: Any) -> bool:
        self.seen.append(fitted_estimator.score(X, y))
        return context.task_name == "epoch" and context.task_id == 1


def test_callbacks_see_epochs_and_stop_them() -> None:
    pytest.importorskip("sklearn.callback")
    X, y, _ = rows(28)
    callback = StopsAfterTwo()
    estimator = Classifier(**QUICK).set_callbacks(callback).fit(X, y)
    assert estimator.n_iter_ == 2
    after = [Classifier(**{**QUICK, "epochs": n}).fit(X, y).score(X, y) for n in (1, 2)]
    ends = ["begin epoch", after[0], "begin epoch", after[1]]
    assert callback.seen == ["setup", "begin fit", *ends, after[1], "teardown"]
