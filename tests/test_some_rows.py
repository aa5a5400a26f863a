"""Loss and scores of some rows at a time: those of all at once, in memory that does not grow with them."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written
from test_behaviour import bench

from symgrad.training.dataset.data import Dataset
from symgrad.training.scores import in_pieces
from symgrad.training.scores.in_pieces import loss_of, prediction_of
from symgrad.training.scores.metrics import evaluate, score, scored_entries
from symgrad.verifier.behaviour.suite import observed

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

ROWS = 7
RNG = np.random.default_rng(0)
X, LABELS, WEIGHTS = RNG.normal(size=(ROWS, 3)), RNG.integers(0, 3, ROWS), RNG.uniform(0.5, 2, ROWS)
LABELS[:4] = 1  # whole pieces where nothing counts, if 1 is ignored
DROPOUT = {"h": "dropout(tanh(dense(x, 4)), 0.5)", "z": "dense(h, 3)"}
NORM = {"h": "batch_norm(dense(x, 4))", "z": "dense(tanh(h), 3)"}
OWN_NORM = {"h": "batch_norm(dense(x, 4), momentum=false)", "z": "dense(tanh(h), 3)"}


def spec(loss: str = "softmax_cross_entropy(z, t)", *, ignore: int | None = None, **others: Any) -> Any:
    target = {"axes": ["batch"], "classes": 3} | ({} if ignore is None else {"ignore": ignore})
    weights = {"w": ["batch"]} if "weights" in loss else {}
    return {
        "name": "some_rows",
        "dtype": "float64",
        "inputs": {"x": ["batch", 3], **weights},
        "targets": {"t": target},
        "equations": {"h": "tanh(dense(x, 4))", "z": "dense(h, 3)"},
        "loss": loss,
        **others,
    }


BY_ROWS = {
    "a mean": (spec("softmax_cross_entropy(z, t) + 0.01*l2(z_W)"), "mean"),
    "ignored labels": (spec("softmax_cross_entropy(z, t) + 0.01*l2(z_W)", ignore=1), "weighted"),
    "weights": (spec("softmax_cross_entropy(z, t, weights=w)"), "weighted"),
    "ignored and dropped": (spec(ignore=1, equations=DROPOUT), "weighted"),
    "a sum": (spec("softmax_cross_entropy(z, t, reduction=sum)"), "sum"),
    "in micro-batches": (spec(train={"micro_batch_size": 2}), "mean"),
    "dropped in micro-batches": (spec(equations=DROPOUT, train={"micro_batch_size": 2}), "mean"),
    "running means": (spec(equations=NORM), "mean"),
    "drawn in inference too": (
        spec(equations={"h": "tanh(dense(x, 4)) + normal(like=x[:, :1])", "z": "dense(h, 3)"}),
        "mean",
    ),
    "drawn for all rows alike": (
        spec(equations={"h": "tanh(dense(x, 4))", "z": "dense(h, 3) * exp(normal(like=z_b))"}),
        "mean",
    ),
}
AT_ONCE = {
    "rows that are normalised by each other": (spec(equations=OWN_NORM), False),
    "a logsumexp over rows": (spec("mean(logsumexp(z, axis=0)) - mean(z)"), True),
    "a mean of a mean": (spec("log(mean(exp(z)))"), True),
    "their number": (spec("softmax_cross_entropy(z, t) * batch**2"), True),
}


def module_of(spec: Any, folder: Path) -> ModuleType:
    return interpreted(written(spec, folder))


def given(module: ModuleType) -> list[Any]:
    every = {"x": X, "w": WEIGHTS, "t": LABELS}
    return [every[name] for name in (*module.INPUTS, *module.TARGETS)]


@pytest.fixture(params=(1, 2, 3))
def most(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(in_pieces._Rows, "at_once", lambda _: request.param)
    return int(request.param)


@pytest.mark.parametrize("case", BY_ROWS)
def test_some_rows_at_a_time_are_all_at_once(case: str, most: int, tmp_path: Path) -> None:
    said, how = BY_ROWS[case]
    module = module_of(said, tmp_path)
    assert (how, True) == (module.LOSS_BY_ROWS, module.PREDICTS_BY_ROWS)
    params, data = module.init_params(1), given(module)
    loss, predicted = module.loss(params, *data), module.predict(params, *data[:-1])
    seen = []
    real, module._work_size = module._work_size, lambda n: seen.append(n) or real(n)
    module._KEPT.work = np.full(10_000, np.nan)
    assert loss_of(module, params, data) == pytest.approx(loss, rel=1e-12)
    assert np.allclose(prediction_of(module, params, data[:-1]), predicted, rtol=1e-12, atol=1e-14)
    assert 1 <= max(seen) <= most
    inputs = dict(zip(module.INPUTS, data, strict=False))
    in_pieces_of = Dataset(inputs, {"t": LABELS}, "here")
    counts = module.IGNORED.get("t", -1) != LABELS
    right = float(np.mean((predicted.argmax(axis=-1) == LABELS)[counts]))
    assert score(module, params, in_pieces_of) == right
    assert evaluate(module, params, in_pieces_of).accuracy == right
    entries = scored_entries(module, params, in_pieces_of)
    assert entries is not None
    assert np.array_equal(entries.target, LABELS[counts])
    assert np.allclose(entries.values, predicted[counts], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("case", AT_ONCE)
def test_rows_that_know_of_each_other_stay_at_once(case: str, most: int, tmp_path: Path) -> None:
    said, predicts_by_rows = AT_ONCE[case]
    module = module_of(said, tmp_path)
    assert ("", predicts_by_rows) == (module.LOSS_BY_ROWS, module.PREDICTS_BY_ROWS)
    params, data = module.init_params(1), given(module)
    assert loss_of(module, params, data) == module.loss(params, *data)
    found = prediction_of(module, params, data[:1])
    assert np.allclose(found, module.predict(params, X), rtol=1e-12, atol=1e-14)


def test_a_module_that_says_nothing_is_asked_for_all_rows(most: int, tmp_path: Path) -> None:
    module = module_of(spec(), tmp_path)
    del module.LOSS_BY_ROWS, module.PREDICTS_BY_ROWS
    asked = []
    real, module.loss = module.loss, lambda *args: asked.append(len(args[1])) or real(*args)
    loss_of(module, module.init_params(0), [X, LABELS])
    assert asked == [ROWS]


def test_what_is_no_data_is_refused_as_ever(most: int, tmp_path: Path) -> None:
    module = module_of(spec(), tmp_path)
    params = module.init_params(0)
    for data in ([X, LABELS[:-1]], [X[:, :2], LABELS], [X[0], LABELS], [X, np.zeros(0, int)]):
        with pytest.raises(ValueError, match=r"expected|entries"):
            loss_of(module, params, data)


def test_where_nothing_counts_the_loss_is_what_it_is_at_once(most: int, tmp_path: Path) -> None:
    module = module_of(spec("softmax_cross_entropy(z, t) + 0.01*l2(z_W)", ignore=1), tmp_path)
    params, none = module.init_params(0), np.ones(ROWS, int)
    assert loss_of(module, params, [X, none]) == module.loss(params, X, none) > 0


def test_rows_that_count_for_nothing_have_no_mean_of_their_own(most: int, tmp_path: Path) -> None:
    said = spec("sum(weights * mean((z - 1)**2, axis=1)) / sum(weights)")
    said["inputs"] = {"x": ["batch", 3], "weights": ["batch"]}
    module = module_of({**said, "targets": {}}, tmp_path)
    weights = np.array([0.0, 0, 0, 1, 0, 2, 3])
    assert module.LOSS_BY_ROWS == "weighted"
    with np.errstate(all="ignore"):
        expected = module.loss(module.init_params(0), X, weights)
        assert loss_of(module, module.init_params(0), [X, weights]) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weights", ["", ", weights=w"])
def test_a_mean_near_the_largest_number_is_one_by_pieces_too(
    dtype: str, weights: str, most: int, tmp_path: Path
) -> None:
    """It is finite at once, so that it is to be by pieces: what these weigh is divided first."""
    largest = float(np.finfo(dtype).max)
    loss = f"softmax_cross_entropy(z, t{weights}) + {0.25 * largest:.3g} * mean((z_W + 1 - z_W)**2)"
    module = module_of({**spec(loss), "dtype": dtype}, tmp_path)
    params, data = module.init_params(0), given(module)
    expected = module.loss(params, *data)
    assert 0.2 * largest < expected < largest
    assert loss_of(module, params, data) == pytest.approx(expected, rel=1e-6)


def test_weights_that_cancel_on_the_way_do_no_harm(most: int, tmp_path: Path) -> None:
    said = spec("sum(weights * mean((z - 1)**2, axis=1)) / sum(weights)")
    said["inputs"] = {"x": ["batch", 3], "weights": ["batch"]}
    module = module_of({**said, "targets": {}}, tmp_path)
    weights = np.array([1.0, 1, 1, -3, 2, 2.5, 0.5])
    params = module.init_params(0)
    found = loss_of(module, params, [X, weights])
    assert found == pytest.approx(module.loss(params, X, weights), rel=1e-9)


def test_targets_of_other_rows_are_not_scored(most: int, tmp_path: Path) -> None:
    said = {**spec("mean((z - t)**2)"), "targets": {"t": [3]}}
    module = module_of(said, tmp_path)
    assert score(module, module.init_params(0), Dataset({"x": X}, {"t": np.zeros(3)}, "here")) is None


def test_pieces_have_the_memory_that_a_workspace_may_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = module_of(spec(), tmp_path)
    sizes: list[int] = []
    real, module._kept = module._kept, lambda what, size: sizes.append(size) or real(what, size)
    for rows, memory in ((1, 1), (1, 8 * module._work_size(1)), (3, 8 * module._work_size(3) + 7)):
        monkeypatch.setattr(in_pieces, "MEMORY", memory)
        sizes.clear()
        loss_of(module, module.init_params(0), [X, LABELS])
        assert sizes[0] == module._work_size(rows)
        assert len(sizes) == -(-ROWS // rows)


MEASURED = """
import resource, sys
import numpy as np
sys.path.insert(0, sys.argv[2])
from symgrad.compiler.loading.load import load
from symgrad.training.dataset.data import Dataset
from symgrad.training.scores.metrics import evaluate
module = load(sys.argv[1])
rows = lambda n: Dataset({"x": np.ones((n, 8), np.float32)}, {"t": np.zeros(n, np.int64)}, "here")
params = module.init_params(0)
evaluate(module, params, rows(9))
data = rows(100_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
evaluate(module, params, data)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    wide = {
        "name": "wide",
        "inputs": {"x": ["batch", 8]},
        "targets": {"t": {"axes": ["batch"], "classes": 3}},
        "layers": ["dense(500, activation=tanh)", "dense(500, activation=tanh)", "dense(3)"],
        "loss": "softmax_cross_entropy",
    }
    path = written(wide, tmp_path)
    command = [sys.executable, "-c", MEASURED, str(path), str(tmp_path)]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    kilobytes = int(found.stdout) / (1024 if sys.platform == "darwin" else 1)
    assert kilobytes < 150_000  # of all rows at once a layer alone has 200 MB


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("", "", ""),
        ('LOSS_BY_ROWS = "weighted"', 'LOSS_BY_ROWS = "mean"', "LOSS_BY_ROWS is 'mean', where"),
        ('LOSS_BY_ROWS = "weighted"', 'LOSS_BY_ROWS = "some"', "LOSS_BY_ROWS is 'some', where"),
        ("return float(", "return 2.0 + float(", "LOSS_BY_ROWS is 'weighted', but"),
    ],
)
def test_the_judge_sees_what_a_module_says_wrongly(
    before: str, after: str, told: str, tmp_path: Path
) -> None:
    assert told in said_of(spec(ignore=1), tmp_path, before, after)


def test_the_judge_sees_that_rows_know_of_each_other(tmp_path: Path) -> None:
    apart = "PREDICTS_BY_ROWS = False", "PREDICTS_BY_ROWS = True"
    assert "PREDICTS_BY_ROWS, but" in said_of(spec(equations=OWN_NORM), tmp_path, *apart)
    summed = 'LOSS_BY_ROWS = ""', 'LOSS_BY_ROWS = "sum"'
    assert "LOSS_BY_ROWS is 'sum', but" in said_of(spec(equations=OWN_NORM), tmp_path, *summed)


@pytest.mark.parametrize("case", BY_ROWS)
def test_the_judge_lets_pass_what_is_so(case: str, tmp_path: Path) -> None:
    assert said_of(BY_ROWS[case][0], tmp_path) == ""


def said_of(said: Any, folder: Path, before: str = "", after: str = "") -> str:
    """What the judge says of the declarations of a module, after an edit."""
    module, case = bench(said, folder, before, after)
    return observed(module, "declarations", case)
