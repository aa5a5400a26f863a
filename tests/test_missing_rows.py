"""Rows that miss a value, where training left them out: evaluate counts them, predict leaves them empty."""

from __future__ import annotations

import csv
import json
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from building import interpreted, written
from click.testing import CliRunner

import symgrad as sg
from symgrad.cli import main
from symgrad.prediction.predictions import predictions
from symgrad.prediction.tables import write_table

if TYPE_CHECKING:
    from pathlib import Path

    from symgrad.training.run import Run

SPEC: dict[str, Any] = {
    "name": "pets",
    "dtype": "float64",
    "inputs": {"x": ["batch", 4]},
    "targets": {"t": {"axes": ["batch"], "classes": 2}},
    "layers": ["dense(2)"],
    "loss": "softmax_cross_entropy",
    "train": {"missing": "drop", "epochs": 2, "standardize": True},
}


def table(rows: int, seed: int, gaps: float) -> pd.DataFrame:
    drawn = random.Random(seed)

    def column(values: list[Any]) -> list[Any]:
        return [None if drawn.random() < gaps else drawn.choice(values) for _ in range(rows)]

    columns = {"age": column([1.5, 2, 9, 4]), "kind": column(["dog", "cat", "ant"])}
    return pd.DataFrame(columns | {"label": [drawn.choice(["big", "small"]) for _ in range(rows)]})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("pets")
    data = table(80, 1, 0.1)
    return sg.train(SPEC, interpreted(written(SPEC, folder)), data=data, out=folder / "run", progress=False)


def answers(file: Path) -> list[list[Any]]:
    """The rows of a table as texts, None where there is nothing."""
    if file.suffix == ".csv":
        with file.open() as opened:
            return [[cell or None for cell in row] for row in list(csv.reader(opened))[1:]]
    if file.suffix == ".json":
        return [list(row.values()) for row in json.loads(file.read_text())]
    return [list(row.values()) for row in pq.read_table(file).to_pylist()]


@pytest.mark.parametrize("ending", [".csv", ".json", ".parquet"])
@pytest.mark.parametrize("seed", range(3))
def test_every_row_has_a_place_and_whole_ones_their_answer(
    ending: str, seed: int, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In parts of three rows each, some of which have no whole row at all."""
    monkeypatch.setattr("symgrad.training.dataset.frames.PART", 3)
    monkeypatch.setattr("symgrad.training.dataset.csv.csv_files.PART", 3)
    data = table(40, seed, (0.1, 0.6, 0.9)[seed])
    data.loc[0] = [None, None, "big"]
    data.loc[1] = [2.0, "cat", "big"]
    data.loc[39] = [None, "dog", "big"]
    data.to_parquet(tmp_path / "d.parquet", row_group_size=3)
    data.to_csv(tmp_path / "d.csv", index=False)
    whole = data.dropna()
    expected = run.predict(whole[["age", "kind"]])
    for source in ("d.parquet", "d.csv"):
        with pytest.warns(sg.DataWarning, match=f"{40 - len(whole)} of 40 rows miss a value and have empty"):
            rows = write_table(
                tmp_path / f"found{ending}", predictions(run.checkpoint, str(tmp_path / source))
            )
        found = answers(tmp_path / f"found{ending}")
        assert rows == len(found) == 40
        assert [k for k, row in enumerate(found) if row == [None] * 3] == sorted(
            {*range(40)} - {*whole.index}
        )
        kept = [found[k] for k in whole.index]
        assert [row[0] for row in kept] == run.labels(whole[["age", "kind"]]).tolist()
        np.testing.assert_array_equal(np.array([row[1:] for row in kept], float), expected)


def test_evaluate_says_how_many_it_left_out(run: Run) -> None:
    data = table(50, 3, 0.2)
    whole = data.dropna()
    with pytest.warns(sg.DataWarning, match=f"{50 - len(whole)} of 50 rows miss a value and are left out"):
        found = sg.evaluate(run, data)
    assert found.metrics.rows == len(whole)
    assert found.metrics == sg.evaluate(run, whole).metrics
    nothing = data.assign(age=None)
    with pytest.raises(sg.DataError, match="every row misses a value"):
        sg.evaluate(run, nothing)
    with pytest.raises(sg.DataError, match="every row misses a value"):
        list(predictions(run.checkpoint, nothing))


def test_values_are_drawn_beside_their_targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`evaluate --picture`, of a run that `sg.train` left with its module."""
    monkeypatch.chdir(tmp_path)
    spec = {**SPEC, "name": "line", "inputs": {"x": ["batch", 2]}, "targets": {"t": ["batch"]}, "loss": "mse"}
    spec |= {"layers": None, "equations": {"y": "x @ w"}, "parameters": {"w": [2]}}
    del spec["layers"]
    data = np.random.default_rng(0).normal(size=(30, 3))
    np.savetxt("rows.csv", data, delimiter=",")
    sg.train(spec, interpreted(written(spec, tmp_path)), data="rows.csv", out="run", progress=False)
    found = CliRunner().invoke(main, ["evaluate", "run", "rows.csv", "--picture", "values.svg"])
    assert found.exit_code == 0, found.output
    drawn = (tmp_path / "values.svg").read_text()
    assert "residual: target less prediction" in drawn
    assert drawn.count("<use ") > 60  # a mark for each row in both pictures


def test_a_finished_run_says_so_and_goes_on_with_more_epochs(run: Run) -> None:
    folder, module = run.paths[0].parent, run.checkpoint.module
    again = sg.train(resume=folder, module=module, data=table(80, 1, 0.1), progress=False)
    assert "it was finished: nothing was left to do; --epochs N, more than 2, goes on" in str(again)
    assert (
        module.flatten(again.checkpoint.fitted).tobytes() == module.flatten(run.checkpoint.fitted).tobytes()
    )
    more = sg.train(resume=folder, module=module, data=table(80, 1, 0.1), epochs=5, progress=False)
    assert len(more.history.records) == 5
    assert "nothing was left" not in str(more)
