"""Weights of samples and classes, and labels that mean none."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import by_rows, interpreted, judged, written
from planting import planted
from seeds import one_in

from symgrad.api import derive
from symgrad.compiler.loading.load import load
from symgrad.errors import DataError, SpecError
from symgrad.pipeline import stages_of
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.training.dataset.data import Dataset, load_data
from symgrad.training.scores.metrics import evaluate
from symgrad.verifier.sampling.samples import draw

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

LABELS: dict[str, Any] = {"axes": ["n"], "classes": 3}
MAYBE = {**LABELS, "ignore": -100}
BASE: dict[str, Any] = {
    "name": "weighted",
    "dtype": "float64",
    "inputs": {"x": ["n", 4]},
    "targets": {"t": MAYBE},
    "layers": ["dense(3)"],
    "loss": "softmax_cross_entropy",
}
RNG = np.random.default_rng(4)
Y, T, W = RNG.normal(size=(5, 3)), RNG.normal(size=(5, 3)), np.array([0.5, 2, 0, 1, 3])
X = RNG.normal(size=(5, 4))


def of_inputs(loss: str, folder: Path, **targets: Any) -> ModuleType:
    """A module whose only variable is its input y."""
    spec = {
        "name": "direct",
        "dtype": "float64",
        "inputs": {"y": ["n", 3]},
        "targets": targets,
        "constants": {"c": [1, 2, 0.5]},
        "equations": {"z": "y"},
        "loss": loss,
        "gradients": ["y"],
    }
    return interpreted(written(spec, folder))


def each(error: Any, weights: Any) -> tuple[Any, Any]:
    """Σ w l, and its slope, for squared errors."""
    return (weights * error**2).sum(), 2 * weights * error


ROW = W[:, None]
MEANS = {
    "mse(z, t, weights=w)": (["n"], *each(Y - T, ROW / (3 * W.sum()))),
    "mse(z, t, weights=w, reduction=sum)": (["n"], *each(Y - T, ROW)),
    "mse(z, t, weights=w, reduction=batchmean)": (["n"], *each(Y - T, ROW / W.sum())),
    "squared_error(z, t, weights=w)": (["n"], *each(Y - T, ROW / W.sum())),
    "squared_error(z, t)": (["n"], *each(Y - T, 1 / 5)),
    "mse(weights=w)": (["n", 3], *each(Y - T, T**2 / (T**2).sum())),
}


@pytest.mark.parametrize("loss", MEANS)
def test_the_weighted_mean_divides_by_the_weights(loss: str, tmp_path: Path) -> None:
    axes, value, slope = MEANS[loss]
    module = of_inputs(loss, tmp_path, t=["n", 3], w=axes)
    data = Y, T, W if len(axes) == 1 else T**2
    assert module.loss((), *data) == pytest.approx(value, rel=1e-13)
    np.testing.assert_allclose(module.input_gradients((), *data).y, slope, rtol=1e-13)


SEQUENCES = {
    "softmax_cross_entropy(z, t, weights=w)": lambda loss, w: (w * loss).sum() / w.sum(),
    "softmax_cross_entropy(z, t, weights=w, reduction=batchmean)": lambda loss, w: (
        (w * loss).sum() / w.mean(axis=1).sum()
    ),
}


@pytest.mark.parametrize("counted", [{}, {"ignore": -100}], ids=["all", "ignore"])
@pytest.mark.parametrize("per", [1, 2], ids=["sequence", "label"])
@pytest.mark.parametrize("loss", SEQUENCES)
def test_labels_in_sequences_have_weights(
    loss: str, per: int, counted: dict[str, int], tmp_path: Path
) -> None:
    axes, rng = ["n", 2], np.random.default_rng(6)
    spec = {
        **BASE,
        "inputs": {"x": [*axes, 3]},
        "targets": {"t": {**LABELS, "axes": axes, **counted}, "w": axes[:per]},
        "loss": loss.replace("z", "x"),
    }
    del spec["layers"]
    module = interpreted(written({**spec, "equations": {"y": "x"}}, tmp_path))
    scores, labels = rng.normal(size=(5, 2, 3)), rng.integers(0, 3, (5, 2))
    weights = rng.uniform(1, 2, (5, 2)[:per])
    picked = np.take_along_axis(scores, labels[..., None], axis=2)[..., 0]
    each_loss = np.log(np.exp(scores).sum(axis=2)) - picked
    every = np.broadcast_to(weights.reshape(5, -1), (5, 2))
    assert module.loss((), scores, labels, weights) == pytest.approx(SEQUENCES[loss](each_loss, every))


def test_a_mean_over_nothing_is_zero(tmp_path: Path) -> None:
    module = of_inputs("huber(z, t, weights=w)", tmp_path, t=["n", 3], w=["n"])
    assert module.loss((), Y, T, 0 * W) == 0
    assert not module.input_gradients((), Y, T, 0 * W).y.any()


OF_CLASSES = (
    "softmax_cross_entropy(z, t)",
    "softmax_cross_entropy(z, t, class_weights=c, label_smoothing=0.1)",
    "nll(log_softmax(z), t)",
    "focal(z, t)",
    "multi_margin(z, t)",
)


@pytest.mark.parametrize("ignore", [-100, 1, 255])
@pytest.mark.parametrize("loss", OF_CLASSES)
def test_ignored_labels_are_as_if_they_were_not_there(loss: str, ignore: int, tmp_path: Path) -> None:
    module = of_inputs(loss, tmp_path, t={**LABELS, "ignore": ignore})
    labels, counts = np.array([0, 2, ignore, 2, ignore]), np.array([1, 1, 0, 1, 0], bool)
    assert module.loss((), Y, labels) == pytest.approx(module.loss((), Y[counts], labels[counts]), rel=1e-14)
    slope = module.input_gradients((), Y, labels).y
    np.testing.assert_allclose(
        slope[counts], module.input_gradients((), Y[counts], labels[counts]).y, rtol=1e-13
    )
    assert not slope[~counts].any()
    nothing = np.full(5, ignore)
    assert module.loss((), Y, nothing) == 0
    assert not module.input_gradients((), Y, nothing).y.any()


def test_a_compiled_step_on_ignored_labels_changes_nothing(tmp_path: Path) -> None:
    spec = {**BASE, "dtype": "float32", "targets": {"t": {**LABELS, "ignore": 2**29}}}
    module = load(written(spec, tmp_path))
    params, nothing = module.init_params(), np.full(5, 2**29)
    before, state = module.flatten(params).copy(), module.init_state(params)
    assert module.train_step(params, state, X, nothing) == 0
    np.testing.assert_array_equal(module.flatten(params), before)
    assert module.train_step(params, state, X, [0, 1, 2, 2**29, 2]) > 0
    with pytest.raises(
        ValueError, match=rf"t: .* is 3; expected a whole number from 0 to 2, or {2**29} for none"
    ):
        module.train_step(params, state, X, [0, 1, 2, 2**29, 3])


def test_a_label_that_means_none_must_be_declared(tmp_path: Path) -> None:
    module = interpreted(written({**BASE, "targets": {"t": LABELS}}, tmp_path))
    with pytest.raises(ValueError, match=r"t: .* is -100; expected a whole number from 0 to 2$"):
        module.loss(module.init_params(), X, [0, 1, 2, -100, 1])


def rows(spec: dict[str, Any], folder: Path, labels: str) -> Dataset:
    lines = [f"1,2,3,4,{label}" for label in labels.split()]
    (folder / "data.csv").write_text("a,b,c,d,t\n" + "\n".join(lines) + "\n")
    return load_data(read(spec), folder / "data.csv")


def test_data_may_hold_it_where_it_is_declared(tmp_path: Path) -> None:
    assert rows(BASE, tmp_path, "0 -100 2").targets["t"].tolist() == [0, -100, 2]
    with pytest.raises(DataError, match="is no class"):
        rows({**BASE, "targets": {"t": LABELS}}, tmp_path, "0 -100 2")
    assert rows(BASE, tmp_path, "1 3 -100 2").targets["t"].tolist() == [0, 2, -100, 1]
    with pytest.raises(DataError, match=r"-1 is no class .* from 0 to 2, or -100 for none"):
        rows(BASE, tmp_path, "0 -100 -1")


def scored(targets: dict[str, Any], **names: Any) -> Any:
    """The metrics of a module that predicts class 1, or the number 1, for every row."""
    count = len(next(iter(targets.values())))
    answer = {
        "classes": np.tile([0.1, 0.8, 0.1], (count, 1)),
        "sign": np.ones((count, 1)),
        "values": np.ones(count),
    }
    names = {"IGNORED": {}, "SCORED": "", "INPUTS": ("x",), "TARGETS": (*targets,), **names}
    module = SimpleNamespace(loss=lambda *_: 0.0, predict=lambda *_: answer[names["TASK"]], **names)
    inputs = {"x": np.zeros((count, 1))}
    return evaluate(module, (), Dataset(inputs, {k: np.array(v) for k, v in targets.items()}, "here"))


def test_accuracy_leaves_ignored_labels_out() -> None:
    names: dict[str, Any] = {"TASK": "classes", "IGNORED": {"t": -100}}
    assert scored({"t": [1, -100, 0, 1]}, **names).accuracy == pytest.approx(2 / 3)
    assert scored({"t": [-100, -100]}, **names).accuracy is None


def test_the_target_of_the_loss_is_scored_and_not_the_weights() -> None:
    targets = {"w": [0.5, 2, 1], "t": [1, 0, 1]}
    assert scored(targets, TASK="classes", SCORED="t").accuracy == pytest.approx(2 / 3)
    assert scored({"w": [0.5, 2.0], "t": [[1.0], [-1.0]]}, TASK="sign", SCORED="t").accuracy == 0.5
    assert scored(targets, TASK="classes").accuracy is None


def test_the_module_says_which_target_is_scored(tmp_path: Path) -> None:
    spec = {**BASE, "targets": {"w": ["n"], "t": MAYBE}, "loss": "softmax_cross_entropy(weights=w)"}
    module = interpreted(written(spec, tmp_path))
    assert (module.SCORED, module.TASK, module.IGNORED) == ("t", "classes", {"t": -100})


def test_samples_hold_ignored_labels_and_free_weights() -> None:
    spec = {**BASE, "targets": {"w": ["n"], "t": MAYBE}, "loss": "softmax_cross_entropy(weights=w)"}
    for batch in (None, 2, 9):
        sample = draw(expand(read(spec)), "here", 1, batch=batch)
        labels = sample.targets["t"]
        assert 0 < (labels == -100).sum() < labels.size
        assert len(np.unique(sample.targets["w"])) == labels.size


EVERYTHING = {
    **BASE,
    "targets": {"t": MAYBE, "w": ["n"]},
    "constants": {"c": [1, 2, 0.5]},
    "loss": "softmax_cross_entropy(weights=w, class_weights=c)",
}
FAULTS = {
    "a sample's weight dropped": ("-loss_2 * w[{n}]", "-loss_2", {"loss"}),
    "a sample's weight dropped backward": ("* s0 * w[{n}]", "* s0", {"W1", "b1"}),
    "a class's weight dropped backward": ("* c0 * (real(1) if", "* (real(1) if", {"W1", "b1"}),
    "a mean without the classes' weights": ("loss_4 * w[{n}]", "w[{n}]", {"loss", "W1"}),
    "another weight": ("[1.0, 2.0, 0.5]", "[1.0, 2.0, 0.6]", {"loss", "W1"}),
    "the ignored counted": ("t[{n}] == -100", "t[{n}] == -101", {"loss", "W1"}),
}


BY_ROWS = {
    **FAULTS,
    "a sample's weight dropped": ("loss_2[{n}] * w[{n}]", "loss_2[{n}]", {"loss"}),
    "a mean without the classes' weights": ("loss_4[{n}] * w[{n}]", "w[{n}]", {"loss", "W1"}),
    "a sample's weight dropped backward": ("* s0 * c0", "* s0", {"W1", "b1"}),
    "a class's weight dropped backward": ("c3 * c[{i}] *", "c3 *", {"W1", "b1"}),
}


@pytest.mark.parametrize(
    ("surroundings", "faults"), [(nullcontext, FAULTS), (by_rows, BY_ROWS)], ids=["columns", "rows"]
)
@pytest.mark.parametrize("fault", one_in(3, FAULTS))
def test_the_judge_catches(fault: str, surroundings: Any, faults: Any, tmp_path: Path) -> None:
    before, after, guilty = faults[fault]
    # Where ignored labels are a class of their own, each factor that leaves them out is needed.
    spec = {**EVERYTHING, "targets": {**EVERYTHING["targets"], "t": {**LABELS, "ignore": 1}}}
    before, after = before.replace("-100", "1"), after.replace("-101", "3")

    with surroundings():
        report = judged(spec, tmp_path, lambda text: planted(text, before, after), compiled=False)
    failed = {c.name for c in (*report.parameters, *report.checks) if c.verdict == "fail"}
    assert guilty <= failed, str(report)


def derivative_of_scores(loss: str, **changes: Any) -> str:
    lines = str(derive(read({**BASE, "targets": {"t": LABELS}, **changes, "loss": loss}))).splitlines()
    return next(line.strip() for line in lines if line.strip().startswith("dZ1 ="))


def test_what_is_not_asked_for_leaves_no_trace() -> None:
    plain = read({**BASE, "targets": {"t": LABELS}})
    spelled = read(
        {
            **BASE,
            "targets": {"t": LABELS},
            "loss": "softmax_cross_entropy(label_smoothing=0, class_weights=1)",
        }
    )
    assert stages_of(plain).derived == stages_of(spelled).derived
    assert derivative_of_scores("softmax_cross_entropy").startswith("dZ1 = (softmax(Z1) − onehot(t))/n")


def test_smoothing_is_seen_in_the_derivative() -> None:
    found = derivative_of_scores("softmax_cross_entropy(label_smoothing=0.1)")
    assert found.startswith("dZ1 = (softmax(Z1) − 0.9·onehot(t) − 1/30)/n")


REFUSED = {
    "softmax_cross_entropy(class_weights=two)": r"class_weights is \[2\], scores .*; give one .*: \[3\]",
    "softmax_cross_entropy(weights=two)": r"\[2\] cannot be spread over \[n\]; expected \[n\]",
    "softmax_cross_entropy(Z, t, weights=t)": "computes with numbers, 't' holds integer labels",
    "softmax_cross_entropy(weights=c, reduction=none)": "reduction=none takes no weights",
    "softmax_cross_entropy(reduction=average)": "reduction must be mean, sum, batchmean or none",
    "softmax_cross_entropy(label_smoothing=1.5)": "is 1.5; expected a number from 0 to below 1",
    "focal(gamma=-1)": "gamma is -1; expected a number from 0 on",
    "quantile(q=2)": "q is 2; expected a number above 0 and below 1",
    "mean(first)": "the label -100 of 't' means none, so it is no place in 'Z'",
    "hinge": "hinge: y is .* and t is",
}


@pytest.mark.parametrize("loss", REFUSED)
def test_is_refused(loss: str) -> None:
    graph = {
        **{key: value for key, value in BASE.items() if key != "layers"},
        "constants": {"c": [1, 2, 3], "two": [1, 2]},
        "equations": {"Z": "dense(x, 3)"} | ({"first[n]": "Z[n, t[n]]"} if "first" in loss else {}),
        "outputs": ["Z"],
        "loss": loss,
    }
    with pytest.raises(SpecError, match=REFUSED[loss]):
        derive(read(graph))


@pytest.mark.parametrize(
    ("loss", "scored", "task"),
    [
        ("mse(y, t) + softmax_cross_entropy(z, u)", "u", "classes"),
        ("softmax_cross_entropy(z, u) + mse(y, t)", "u", "classes"),
        ("mse(y, t) + mse(z, v)", "v", "values"),
        ("mse(z, t) + mse(y, v)", "t", "values"),
        ("mse(y, t) + mse(2*z, v)", None, "values"),
    ],
)
def test_an_output_is_scored_against_its_own_target(loss: str, scored: str | None, task: str) -> None:
    targets = {"t": ["n", 3], "u": {"axes": ["n"], "classes": 3}, "v": ["n", 3]}
    named = {name: axes for name, axes in targets.items() if f", {name})" in loss}
    equations = {"y": "dense(x, 3)", "z": "dense(x, 3)"}
    model = expand(read({"inputs": {"x": ["n", 2]}, "targets": named, "equations": equations, "loss": loss}))
    assert (model.outputs, model.scored, model.task) == (("z",), scored, task)
