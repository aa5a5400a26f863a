"""A table as a series: windows of its rows, and what comes next, beside loops that say what these are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from building import interpreted, written

from symgrad.errors import DataError, SpecError
from symgrad.prediction.predictions import predictions
from symgrad.spec.reader import read
from symgrad.training.checkpoint import Checkpoint
from symgrad.training.dataset.data import load_data
from symgrad.training.dataset.known_rows import read_rows
from symgrad.training.dataset.preparation import Preparation
from symgrad.training.split import prepare, split

WORDS = ("calm", "wet", "windy")


def spec_of(folder: Path, window: int, ahead: int, inner: tuple[str, str] = ("2", "1"), **data: Any) -> Any:
    """A network from `a` and `b` to `b`, or what `columns` say."""
    columns = {"x": ["a", "b"], "t": ["b"]}
    block = {"path": "a.csv", "window": window, "ahead": ahead, "columns": columns} | data
    wide, answer = (f", {size}" if size else "" for size in inner)
    (folder / "spec.yaml").write_text(
        f"dtype: float64\ninputs: {{x: [batch, {window}{wide}]}}\ntargets: {{t: [batch, {ahead}{answer}]}}\n"
        f"equations: {{z: 'dense(flatten(x, 1), {ahead * int(inner[1] or 1)})', y: 'reshape(z, "
        f"[batch, {ahead}{answer}])'}}\nloss: mse(y, t)\ntrain: {{data: {block}, seed: 0}}\nname: series\n"
    )
    return read(folder / "spec.yaml")


def table_of(folder: Path, length: int, seed: int = 0, name: str = "a.csv") -> tuple[np.ndarray, list[str]]:
    """Numbers `a`, `b`, `c` and words `sky`, in a file; every word is there."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(length, 3)).round(6)
    sky = [WORDS[k] for k in rng.permutation(np.resize(range(3), length))]
    rows = [",".join([*(f"{v:.6f}" for v in row), word]) for row, word in zip(numbers, sky, strict=True)]
    (folder / name).write_text("a,b,c,sky\n" + "\n".join(rows) + "\n")
    return numbers, sky


@pytest.mark.parametrize("seed", range(12))
def test_windows_are_those_of_loops(seed: int, tmp_path: Path) -> None:
    """Any window, what is ahead of it, step and columns, words too; and the end of it held out."""
    rng = np.random.default_rng(seed)
    window, ahead, step = (int(n) for n in rng.integers(1, (6, 5, 5)))
    length = window + ahead + int(rng.integers(4 * step, 12 * step))
    numbers, sky = table_of(tmp_path, length, seed)
    one_hot = np.array([[word == other for other in WORDS] for word in sky], float)
    has_words, wide = bool(rng.integers(2)), int(rng.integers(1, 4))
    chosen = rng.choice(3, wide, replace=False)
    columns = {"x": [*(("a", "b", "c")[k] for k in chosen), *(["sky"] if has_words else [])], "t": ["c", "a"]}
    rows = np.hstack([numbers[:, chosen], *([one_hot] if has_words else [])])
    said = {} if rng.integers(2) else {"step": step}
    step = said.get("step", ahead)
    spec = spec_of(tmp_path, window, ahead, (str(rows.shape[1]), "2"), columns=columns, **said)
    starts = [at for at in range(0, length, step) if at + window + ahead <= length]
    found = load_data(spec)
    behind = [numbers[at + window : at + window + ahead, [2, 0]] for at in starts]
    np.testing.assert_array_equal(found.inputs["x"], [rows[at : at + window] for at in starts])
    np.testing.assert_array_equal(found.targets["t"], behind)
    training, held_out = split(found, 0.3, seed)
    first = len(starts) - held_out.rows
    np.testing.assert_array_equal(held_out.targets["t"], behind[first:])
    kept = [n for n in range(first) if starts[n] + window + ahead <= starts[first] + window]
    np.testing.assert_array_equal(training.targets["t"], [behind[n] for n in kept])


def test_a_model_reads_a_series_as_in_training_and_foretells_what_is_not_there_yet(tmp_path: Path) -> None:
    """Standardised, from a file, a mapping of columns, or windows as arrays; its record is plain JSON."""
    table_of(tmp_path, 40)
    later, _ = table_of(tmp_path, 9, 1, "later.csv")
    text = (tmp_path / "spec.yaml", spec_of(tmp_path, 4, 2, step=1))[0].read_text()
    spec = read(text.replace("seed: 0", "standardize: true, validation: 0.25"))
    parts = prepare(spec, load_data(spec, tmp_path / "a.csv"), 0)
    preparation = Preparation.from_json(parts.preparation.to_json())
    assert preparation.windows == parts.preparation.windows
    module = interpreted(written(spec, tmp_path))
    params = module.init_params(0)
    model = Checkpoint(params, module.init_state(params), preparation, 1, 0, module)
    windows = np.stack([later[at : at + 4, :2] for at in range(6)])
    mean, deviation = (getattr(preparation.inputs["x"], name) for name in ("mean", "deviation"))
    expected = module.predict(params, (windows - mean) / deviation)
    assert mean.shape == (4, 2)
    np.testing.assert_allclose(model.predict({"a": later[:, 0], "b": later[:, 1]}), expected, rtol=1e-12)
    np.testing.assert_allclose(model.predict(windows), expected, rtol=1e-12)
    (columns,) = predictions(model, tmp_path / "later.csv")
    np.testing.assert_allclose(np.stack([*columns.values()], 1), expected.reshape(6, 2), rtol=1e-12)
    (rows,) = read_rows(preparation, tmp_path / "later.csv", np.float64)
    np.testing.assert_array_equal(rows.targets["t"][:, :, 0], [later[at + 4 : at + 6, 1] for at in range(4)])


def test_another_file_is_cut_alike_for_validation_and_in_the_place_of_the_first(tmp_path: Path) -> None:
    table_of(tmp_path, 20)
    later, _ = table_of(tmp_path, 9, 1, "later.csv")
    text = (tmp_path / "spec.yaml", spec_of(tmp_path, 4, 1))[0].read_text()
    (tmp_path / "spec.yaml").write_text(text.replace("seed: 0", "validation: later.csv"))
    spec = read(tmp_path / "spec.yaml")
    held_out = prepare(spec, load_data(spec), 0).validation
    for found in (
        held_out,
        load_data(spec, tmp_path / "later.csv"),
        load_data(spec, dict(zip("abc", later.T, strict=True))),
    ):
        assert found is not None
        np.testing.assert_array_equal(found.inputs["x"], [later[at : at + 4, :2] for at in range(5)])
        np.testing.assert_array_equal(found.targets["t"], later[4:, None, 1:2])


def test_windows_in_memory_are_taken_as_they_are(tmp_path: Path) -> None:
    x, t = np.random.default_rng(0).normal(size=(7, 4, 2)), np.zeros((7, 1, 1))
    found = load_data(spec_of(tmp_path, 4, 1), (x, t))
    assert (found.inputs["x"] == x).all()
    assert found.preparation.windows is None


def test_labels_and_rows_without_a_last_axis_are_foretold(tmp_path: Path) -> None:
    numbers, sky = table_of(tmp_path, 12)
    spec_of(tmp_path, 3, 1, columns={"x": ["c"], "t": ["sky"]})
    text = (tmp_path / "spec.yaml").read_text().replace("[batch, 3, 2]", "[batch, 3]")
    text = text.replace("t: [batch, 1, 1]", "t: {axes: [batch], classes: 3}").replace(
        "mse(y", "softmax_cross_entropy(z"
    )
    (tmp_path / "spec.yaml").write_text(text.replace(", 1)', y: 'reshape(z, [batch, 1, 1])'", ", 3)'"))
    found = load_data(read(tmp_path / "spec.yaml"))
    assert found.preparation.targets["t"].classes == WORDS
    np.testing.assert_array_equal(found.targets["t"], [WORDS.index(word) for word in sky[3:]])
    np.testing.assert_array_equal(found.inputs["x"], [numbers[at : at + 3, 2] for at in range(9)])


def test_a_window_that_misses_a_value_is_named_or_left_out(tmp_path: Path) -> None:
    table_of(tmp_path, 12)
    lines = (tmp_path / "a.csv").read_text().splitlines()
    lines[6] = "," + lines[6].split(",", 1)[1]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    spec = spec_of(tmp_path, 3, 1)
    with pytest.raises(
        DataError, match=r"a\.csv:7, column 'a': the cell is empty, .* values \(1 in 'a\[t-2\]'"
    ):
        load_data(spec)
    text = (tmp_path / "spec.yaml").read_text().replace("seed: 0", "missing: drop")
    (tmp_path / "spec.yaml").write_text(text)
    assert load_data(read(tmp_path / "spec.yaml")).rows == 9 - 3


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"window": 20, "inner": ("2", "1")},
            r"a series of 12 rows has no window of 20 with 1 ahead; expected a longer",
        ),
        (
            {"columns": {"x": ["a", "b"]}},
            r"nothing says which columns of a series feed 't'; say it by 'columns'",
        ),
        ({"columns": {"x": ["a", "bb"], "t": ["b"]}}, r"there is no column 'bb'; did you mean 'b'"),
        ({"columns": {"x": ["a", "b", "c"], "t": ["b"]}}, r"'x'.* 9|9 .*'x'|takes 6 columns"),
        ({"path": "a.npz"}, r"holds arrays, and a series is a table; name a table"),
    ],
)
def test_what_is_no_series_of_the_spec_is_refused(
    changes: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    numbers, _ = table_of(tmp_path, 12)
    np.savez(tmp_path / "a.npz", a=numbers[:, 0], b=numbers[:, 1])
    with pytest.raises(DataError, match=problem):
        load_data(spec_of(tmp_path, **({"window": 3, "ahead": 1} | changes)))


def test_rows_ahead_are_those_of_a_window() -> None:
    data = {"path": "a.csv", "ahead": 2}
    with pytest.raises(SpecError, match=r"rows ahead, and no window; say how many rows a window has too"):
        read({"inputs": {"x": [3]}, "equations": {"y": "x"}, "train": {"data": data}})


def test_data_of_several_sets_are_not_cut() -> None:
    data = {"sets": {"m": {"path": "a.csv", "window": 2, "ahead": 1}, "n": "b.csv"}}
    spec = {"inputs": {"x": ["m", 2], "z": ["n", 2]}, "equations": {"y": "mean(x) + mean(z)"}, "loss": "y"}
    with pytest.raises(
        SpecError, match="data of several sets are not cut into windows; give windows as rows"
    ):
        read(spec | {"train": {"data": data}})
