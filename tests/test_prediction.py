"""What was trained at work: predictions row for row in every kind of file, and how good they are."""

from __future__ import annotations

import csv
import io
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from sklearn import metrics as sklearn_metrics

import symgrad as sg
from symgrad.cli import main
from symgrad.prediction.predictions import _of_prediction, predictions
from symgrad.prediction.tables import write_table, write_text
from symgrad.training.checkpoint import Checkpoint
from symgrad.training.dataset import known_rows
from symgrad.training.dataset.preparation import Preparation, TensorPreparation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORDS = ("ant", "bee", "cow")
KINDS = """
name: kinds
inputs:  {x: [batch, 2]}
targets: {t: {axes: [batch], classes: 3}}
layers: ["dense(4, activation=tanh)", dense(3)]
loss: softmax_cross_entropy
train:
  data: {path: kinds.csv, columns: {x: [long, wide], t: [kind]}}
  epochs: 5
  standardize: true
  batch_size: 8
"""
VALUES = """
name: prices
dtype: float64
inputs:  {x: [batch, 2]}
targets: {t: [batch, 1]}
layers: [dense(1)]
loss: mse
train:
  data: {path: prices.csv, columns: {x: [long, wide], t: [price]}}
  epochs: 3
  batch_size: 8
"""
BINARY = """
name: binary
inputs:  {x: [batch, 2]}
targets: {t: [batch, 1]}
layers: ["dense(3, activation=tanh)", "dense(1, activation=sigmoid)"]
loss: binary_cross_entropy
train:
  data: {path: binary.csv, columns: {x: [long, wide], t: [sold]}}
  epochs: 3
  batch_size: 8
"""


CENTRED: dict[str, Any] = {
    "name": "centred",
    "inputs": {"x": ["batch", 2]},
    "targets": {"t": ["batch", 2]},
    "equations": {"y": "dense(x - mean(x, axis=0, keepdims=true), 2)"},
    "loss": "mse(y, t)",
}


def _rows(header: str, last: Any) -> str:
    random = np.random.default_rng(3)
    lines = [header]
    for k, (a, b) in enumerate(random.normal(5, 3, size=(41, 2))):
        lines.append(f"{a:.4f},{b:.4f},{last(k, a, b)}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module", autouse=True)
def by_python() -> Iterator[None]:
    """Modules are run by Python here: README's blocks predict with compiled ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("numba.config.DISABLE_JIT", True)
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, by_python: None) -> Path:
    """A folder with three trained networks."""
    folder = tmp_path_factory.mktemp("trained")
    tables = {
        "kinds": (KINDS, _rows("long,wide,kind", lambda k, a, b: WORDS[k % 3])),
        "prices": (VALUES, _rows("long,wide,price", lambda k, a, b: round(a - 2 * b, 3))),
        "binary": (BINARY, _rows("long,wide,sold", lambda k, a, b: int(a > b))),
    }
    for name, (spec, table) in tables.items():
        (folder / f"{name}.csv").write_text(table, encoding="utf-8")
        (folder / f"{name}.yaml").write_text(spec, encoding="utf-8")
        arguments = ["train", f"{folder / name}.yaml", "--out", str(folder / "runs" / name)]
        assert run(*arguments, "--no-verify", "-q").exit_code == 0
    return folder


def run(*arguments: str) -> Any:
    return CliRunner().invoke(main, arguments)


def predicted(place: Path, name: str) -> list[dict[str, str]]:
    """What the command writes to stdout."""
    result = run("predict", str(place / "runs" / name), f"{place / name}.csv")
    assert result.exit_code == 0, result.output
    return list(csv.DictReader(io.StringIO(result.stdout)))


def test_classes_are_called_as_in_the_data(place: Path) -> None:
    rows = predicted(place, "kinds")
    trained = sg.open_run(place / "runs" / "kinds")
    table = np.loadtxt(place / "kinds.csv", delimiter=",", skiprows=1, usecols=(0, 1))
    values = trained.predict(table)
    assert list(rows[0]) == ["label", *WORDS]
    assert [row["label"] for row in rows] == [WORDS[k] for k in values.argmax(axis=1)]
    found = np.array([[float(row[word]) for word in WORDS] for row in rows], np.float32)
    assert (found == values).all()  # every digit that tells numbers apart


def test_values_are_called_as_the_column_of_the_target(place: Path) -> None:
    assert list(predicted(place, "prices")[0]) == ["price"]
    rows = predicted(place, "binary")
    assert list(rows[0]) == ["label", "probability"]
    assert all((row["label"] == "1") == (float(row["probability"]) > 0.5) for row in rows)


@pytest.mark.parametrize("ending", ["csv", "json", "jsonl", "parquet"])
def test_every_kind_of_file_holds_the_same(ending: str, place: Path, tmp_path: Path) -> None:
    file = tmp_path / f"found.{ending}"
    assert run("predict", str(place / "runs/kinds"), str(place / "kinds.csv"), "-o", str(file)).exit_code == 0
    text = "" if ending == "parquet" else file.read_text(encoding="utf-8")
    rows = {
        "csv": lambda: list(csv.DictReader(io.StringIO(text))),
        "json": lambda: json.loads(text),
        "jsonl": lambda: [json.loads(line) for line in text.splitlines()],
        "parquet": lambda: pq.read_table(file).to_pylist(),
    }[ending]()
    expected = predicted(place, "kinds")
    assert [row["label"] for row in rows] == [row["label"] for row in expected]
    assert [np.float32(row["bee"]) for row in rows] == [np.float32(row["bee"]) for row in expected]


@pytest.mark.parametrize(
    ("task", "classes", "columns", "width"),
    [
        ("classes", ("class label", "label", "x"), ("t",), 3),
        ("binary", (), ("label_1", "label_2"), 2),
        ("sign", (), ("label_2", "b"), 2),
    ],
)
def test_no_column_takes_the_place_of_another(
    task: str, classes: tuple[str, ...], columns: tuple[str, ...], width: int
) -> None:
    target = TensorPreparation((len(columns),), columns, count=width if classes else 0, classes=classes)
    module: Any = SimpleNamespace(TASK=task, TARGETS=("t",), SCORED="t", SPEC_NAME="n")
    module.INPUTS, module.AXES = ("x",), {"x": ("n", 2), "t": ("n",)}
    trained = Checkpoint(None, None, Preparation({}, {"t": target}), 0, 0, module)
    values = np.random.default_rng(0).uniform(size=(5, width))
    found = _of_prediction(trained, values)
    np.testing.assert_array_equal(np.stack([*found.values()][-width:], axis=1), values)
    assert len(found) == width + (1 if classes else width)


def test_large_files_are_read_in_parts(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained, whole = sg.open_run(place / "runs" / "kinds"), known_rows.read_inputs
    (arrays,) = whole(trained.preparation, place / "kinds.csv", np.float32)
    parts = [tuple(a[k : k + 7] for a in arrays) for k in range(0, len(arrays[0]), 7)]
    monkeypatch.setattr("symgrad.prediction.predictions.read_inputs", lambda *_: iter(parts))
    text = io.StringIO()
    assert write_text(text, predictions(trained, place / "kinds.csv"), ".csv") == 41
    assert text.getvalue() == run("predict", str(place / "runs/kinds"), str(place / "kinds.csv")).stdout


@pytest.mark.parametrize(("number", "said"), [(1, "one row"), (5, "5 rows"), (32, "")])
def test_few_rows_behind_a_mean_over_them_are_doubted(
    number: int, said: str, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    module = sg.build(CENTRED, identity=False)
    params = module.init_params(seed=1)
    known = Preparation({"x": TensorPreparation((2,), ("x",), ((),))}, {})
    trained = Checkpoint(params, module.init_state(params), known, 0, 0, module)
    x = np.random.default_rng(0).normal(size=(number, 2)).astype(np.float32)
    monkeypatch.setattr("symgrad.prediction.predictions.read_inputs", lambda *_: iter([(x,)]))
    assert len(list(predictions(trained, "rows"))) == 1
    told = [str(found.message) for found in recwarn]
    assert ["rows beside it, and these are " + said in text for text in told] == ([True] if said else [])


def test_rows_that_depend_on_each_other_are_predicted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sg.build(CENTRED, identity=False)
    params = module.init_params(seed=1)
    known = Preparation({"x": TensorPreparation((2,), ("x",), ((),))}, {})
    trained = Checkpoint(params, module.init_state(params), known, 0, 0, module)
    # So many that the means of two halves hardly differ.
    x = np.random.default_rng(0).normal(size=(200_000, 2)).astype(np.float32)
    parts = iter([(x[:120_000],), (x[120_000:120_001],), (x[120_001:],)])
    monkeypatch.setattr("symgrad.prediction.predictions.read_inputs", lambda *_: parts)
    with pytest.warns(sg.DataWarning, match="depends on the other rows"):
        found = list(predictions(trained, x))
    assert len(found) == 1
    np.testing.assert_array_equal(np.stack(list(found[0].values()), axis=1), module.predict(params, x))


def test_an_evaluation_agrees_with_scikit_learn(place: Path) -> None:
    found = sg.evaluate(place / "runs/kinds", place / "kinds.csv", ["f1_macro", "neg_log_loss"])
    rows = predicted(place, "kinds")
    right = [line.rpartition(",")[2] for line in (place / "kinds.csv").read_text().splitlines()[1:]]
    labels = [row["label"] for row in rows]
    assert np.array_equal(found.confusion, sklearn_metrics.confusion_matrix(right, labels, labels=WORDS))
    assert found.metrics.accuracy == sklearn_metrics.accuracy_score(right, labels)
    recalls = sklearn_metrics.recall_score(right, labels, labels=WORDS, average=None, zero_division=0)
    assert [c.recall for c in found.classes] == pytest.approx(list(recalls))
    scores = dict(found.named_metrics)
    assert scores["f1_macro"] == pytest.approx(sklearn_metrics.f1_score(right, labels, average="macro"))
    assert -scores["neg_log_loss"] == pytest.approx(found.metrics.loss, rel=1e-5)
    assert found.calibration is not None
    assert sum(b.count for b in found.calibration.bins) == 41
    values = sg.evaluate(place / "runs/prices", place / "prices.csv", ["neg_mean_absolute_error"])
    assert values.metrics.r2 is not None
    assert not values.classes


def test_the_evaluate_command(place: Path, tmp_path: Path) -> None:
    picture = tmp_path / "found.png"
    arguments = ["evaluate", str(place / "runs/kinds"), str(place / "kinds.csv")]
    shown = run(*arguments, "--picture", str(picture))
    assert shown.exit_code == 0
    assert "accuracy" in shown.stdout
    assert picture.stat().st_size > 10_000
    found = json.loads(run(*arguments, "--json").stdout)
    assert [scores["name"] for scores in found["classes"]] == list(WORDS)
    refused = run(*arguments, "--metric", "goodness")
    assert refused.exit_code == 2
    assert "no metric 'goodness'" in refused.stderr
    renamed = run(*arguments, "--score", "f1_macro")
    assert renamed.exit_code == 2
    assert "--score is called --metric" in renamed.stderr
    unfit = run(*arguments, "--metric", "roc_auc")
    assert unfit.exit_code == 2
    assert "does not fit" in unfit.stderr


@pytest.mark.parametrize(
    ("run_name", "data", "output", "said"),
    [
        ("nowhere", "kinds.csv", "", "no such file"),
        ("", "kinds.csv", "", "no checkpoint.npz"),
        ("runs/kinds", "nowhere.csv", "", "no such file"),
        ("runs/kinds", "kinds.yaml", "", "format"),
        ("runs/kinds", "kinds.csv", "found.xls", "tables end in"),
        ("runs/kinds", "kinds.csv", "nowhere/found.csv", "cannot be written"),
        ("kinds.csv", "kinds.csv", "", "no checkpoint"),
        ("runs/kinds", "kinds.csv", "kinds.csv", "the data themselves"),
    ],
)
def test_what_cannot_be_is_refused(run_name: str, data: str, output: str, said: str, place: Path) -> None:
    to = ["-o", str(place / output)] if output else []
    result = run("predict", str(place / run_name), str(place / data), *to)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert not to or output == data or not (place / output).exists()


def test_an_earlier_file_stays_where_a_row_is_bad(place: Path, tmp_path: Path) -> None:
    file, bad = tmp_path / "found.csv", tmp_path / "bad.csv"
    file.write_text("precious", encoding="utf-8")
    bad.write_text("long,wide\n1,2\n3,oops\n", encoding="utf-8")
    result = run("predict", str(place / "runs/kinds"), str(bad), "-o", str(file))
    assert result.exit_code == 2
    assert "oops" in result.stderr
    assert file.read_text(encoding="utf-8") == "precious"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.csv", "found.csv"]


def test_a_table_without_rows_is_a_table(tmp_path: Path) -> None:
    assert write_table(tmp_path / "none.json", []) == 0
    assert json.loads((tmp_path / "none.json").read_text(encoding="utf-8")) == []


def test_the_export_command(place: Path, tmp_path: Path) -> None:
    file = tmp_path / "kinds.onnx"
    result = run("export", str(place / "runs/kinds"), str(file))
    assert result.exit_code == 0, result.output
    assert "agrees to" in result.stderr
    assert file.stat().st_size > 100
    other = tmp_path / "other.yaml"
    other.write_text(KINDS.replace("tanh", "sigmoid"), encoding="utf-8")
    wrong = run("export", str(place / "runs/kinds"), str(tmp_path / "wrong.onnx"), "--spec", str(other))
    assert wrong.exit_code == 2
    assert "not the equations" in wrong.stderr
    assert not (tmp_path / "wrong.onnx").exists()
