"""Missing values: refused with column and count, left out, or filled in from the rows trained on alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from stub_module import AT, make_module, make_spec, quiet

import symgrad as sg
from symgrad.errors import DataError
from symgrad.spec.model import DataSpec
from symgrad.training.dataset.cells import not_a_number
from symgrad.training.dataset.data import Dataset, load_data
from symgrad.training.dataset.known_rows import given_inputs, read_inputs
from symgrad.training.split import Parts, prepare, split

if TYPE_CHECKING:
    from symgrad.spec.model import Spec

NONE = None
FRAME: dict[str, list[Any]] = {
    "x1": [1.0, None, 3.0, 4.0, None, 8.0],
    "x2": [2.0, 2.0, 5.0, None, 5.0, 5.0],
    "c": ["b", "b", None, "a", "b", "a"],
    "t": [0, 1, 0, 1, 0, 1],
}


def spec_of(width: int = 4, dtype: str = "float64", **train: Any) -> Spec:
    text = f"dtype: {dtype}\ninputs: {{x: [batch, {width}]}}\ntargets: {{t: {{axes: [batch], classes: 2}}}}\n"
    return sg.read(f"{text}layers: [dense(2)]\nloss: softmax_cross_entropy\ntrain: {json.dumps(train)}\n")


def frame(**changes: list[Any]) -> pa.Table:
    return pa.table({**FRAME, **changes})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("p,q,t\n1,,0\n,3,1\n1,,0\n", "the cell is empty, one of 3 missing values (2 in 'q', 1 in 'p')"),
        ("p,q,t\n1,2,0\n1,?,1\n", "d.csv:3, column 'q': '?' marks a missing value; fill in or leave out"),
        ("p,q,t\n1,2,0\n1,nan,1\n", "d.csv:3, column 'q': there is no value; fill in"),
        ("p,q,t\n1,2,0\n1,2,NA\n", "d.csv:3, column 't': 'NA' marks a missing value"),
        ("p,q,t\n1,2,0\n1,unknown,1\n", "d.csv:3, column 'q': 'unknown' marks a missing value"),
    ],
)  # fmt: skip
def test_they_are_refused_with_column_and_count(tmp_path, content, words):
    (tmp_path / "d.csv").write_text(content)
    with pytest.raises(DataError) as caught:
        load_data(spec_of(2), tmp_path / "d.csv")
    assert words in str(caught.value)


WAYS = {"mean", "median", "most_frequent", "drop"}


@pytest.mark.parametrize(
    "holes", [("x1",), ("c",), ("t",), ("x2", "c"), ("x1", "t"), ("c", "t"), ("x1", "x2", "c", "t")]
)
def test_what_a_refusal_advises_works_at_once(holes):
    whole = {"x1": [1.0, 2, 3, 4], "x2": [4.0, 2, 1, 1], "c": ["a", "b", "a", "b"], "t": [0, 1, 0, 1]}
    data = {name: [NONE, *given[1:]] if name in holes else given for name, given in whole.items()}
    with pytest.raises(DataError) as caught:
        prepared(spec_of(), pa.table(data))
    advised = {way for way in WAYS if way in str(caught.value).partition("'missing: ")[2]}
    assert "drop" in advised
    for way in advised:
        prepared(spec_of(missing=way), pa.table(data))


def test_unknown_is_a_word_among_words(tmp_path):
    (tmp_path / "d.csv").write_text("p,c,t\n1,unknown,0\n2,?,1\n3,none,1\n")
    spec = spec_of(3, missing="drop")
    assert load_data(spec, tmp_path / "d.csv").inputs["x"].tolist() == [[1, 0, 1], [3, 1, 0]]
    listed = spec_of(4, categorical=["c"])
    assert load_data(listed, tmp_path / "d.csv").preparation.inputs["x"].categories[1] == (
        "?",
        "none",
        "unknown",
    )


def test_what_a_mask_hides_is_missing():
    x = np.ma.array([[1.0, 2], [3, 4], [5, 6]], mask=[[0, 1], [0, 0], [0, 0]])
    with pytest.raises(DataError, match=r"x\[0, 1\]: there is no value"):
        load_data(spec_of(2), (x, [0, 1, 0]))
    spec = make_spec(missing=0.0, classes=2)
    dataset = load_data(spec, (x, np.ma.array(["a", "b", "a"], mask=[0, 0, 0])))
    assert np.isnan(dataset.inputs["x"]).tolist() == [[False, True], [False, False], [False, False]]
    parts = prepare(spec, dataset, 0)
    assert given_inputs(parts.preparation, ["x"], [x], np.float64)[0].tolist() == [[1, 0], [3, 4], [5, 6]]


def test_rows_are_left_out():
    dataset = load_data(spec_of(missing="drop"), frame())
    assert dataset.inputs["x"].tolist() == [[1, 2, 0, 1], [8, 5, 1, 0]]
    assert dataset.targets["t"].tolist() == [0, 1]
    dataset = load_data(spec_of(missing="drop"), frame(t=[0, NONE, NONE, NONE, NONE, 1]))
    assert dataset.targets["t"].tolist() == [0, 1]
    with pytest.raises(DataError, match="holds no rows of data without missing values"):
        load_data(spec_of(2, missing="drop"), {"x1": [1.0, np.nan], "x2": [np.nan, 1], "t": [0, 1]})


def prepared(spec: Spec, data: Any) -> Parts:
    return prepare(spec, load_data(spec, data), spec.train.seed)


@pytest.mark.parametrize(
    ("missing", "fill"),
    [("mean", [4, 3.8]), ("median", [3.5, 5]), ("most_frequent", [1, 5]), (-1, [-1, -1]), (0.5, [0.5, 0.5])],
)
def test_numbers_are_filled_in(missing, fill):
    words = frame(c=["b", "b", "b", "a", "b", "a"])
    parts = prepared(spec_of(missing=missing), words)
    x1 = [fill[0] if value is None else value for value in FRAME["x1"]]
    x2 = [fill[1] if value is None else value for value in FRAME["x2"]]
    np.testing.assert_array_equal(parts.training.inputs["x"][:, 0], x1)
    np.testing.assert_array_equal(parts.training.inputs["x"][:, 1], x2)
    (again,) = read_inputs(parts.preparation, words, np.float64)
    np.testing.assert_array_equal(again[0], parts.training.inputs["x"])


def test_words_are_filled_in_by_the_most_frequent_alone():
    parts = prepared(spec_of(missing="most_frequent"), frame())
    assert parts.training.inputs["x"][:, 2:].tolist() == [[0, 1], [0, 1], [0, 1], [1, 0], [0, 1], [1, 0]]
    with pytest.raises(
        DataError, match="row 3, column 'c': there is no value; 'missing: mean' is of numbers"
    ):
        prepared(spec_of(missing="mean"), frame())


def test_targets_are_never_filled_in():
    with pytest.raises(DataError, match="row 2, column 't': there is no value; a target is never filled in"):
        prepared(spec_of(missing="most_frequent"), frame(t=[0, NONE, 0, 1, 0, 1]))


def test_a_column_without_any_value_is_refused():
    nothing = frame(x2=pa.array([None] * 6, pa.float64()))
    with pytest.raises(DataError, match="'x' has no value in column 'x2' of the rows trained on"):
        prepared(spec_of(missing="most_frequent"), nothing)


def test_only_the_rows_trained_on_are_measured():
    """Whatever stands in the rows held out changes nothing that was learnt, but for names."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(40, 2))
    x[rng.random(x.shape) < 0.2] = np.nan
    labels = np.arange(40) % 2
    for missing in ("mean", "median", "most_frequent", 7):
        spec = spec_of(2, "float32", missing=missing, standardize=True, validation=0.25, seed=3)
        (held_out,) = (split(Dataset({"n": np.arange(40)}, {}, ""), 0.25, 3)[1].inputs["n"],)
        parts = prepared(spec, (x, labels))
        other = x.copy()
        other[held_out] = rng.normal(size=(len(held_out), 2)) * 1e3
        found = prepared(spec, (other, labels))
        assert found.preparation.to_json() == parts.preparation.to_json()
        np.testing.assert_array_equal(found.training.inputs["x"], parts.training.inputs["x"])
        assert (found.validation.inputs["x"] != parts.validation.inputs["x"]).any()
        assert parts.training.inputs["x"].dtype == np.float32
        np.testing.assert_allclose(parts.training.inputs["x"].std(axis=0), 1, rtol=1e-5)
        changed = x.copy()
        changed[np.setdiff1d(np.arange(40), held_out)[0]] += 1e3
        assert prepared(spec, (changed, labels)).preparation.to_json() != parts.preparation.to_json()


def test_words_are_not_standardised():
    columns = {"x1": [1.0, 3.0], "c": ["a", "b"], "own": [True, False], "t": [0, 1]}
    parts = prepared(spec_of(4, standardize=True), pa.table(columns))
    assert parts.training.inputs["x"].tolist() == [[-1, 1, 0, 1], [1, 0, 1, 0]]


def test_the_validation_file_is_filled_as_the_training_rows(tmp_path):
    (tmp_path / "held.csv").write_text("t,x2,x1\n1,,\n0,7,9\n")
    columns = {"x1": [1.0, 2.0, 6.0], "x2": [0.0, 1.0, 5.0], "t": [0, 1, 0]}
    spec = make_spec(missing="mean", classes=2)
    held_out = load_data(spec, tmp_path / "held.csv", like=load_data(spec, pa.table(columns)).preparation)
    parts = prepare(spec, load_data(spec, pa.table(columns)), 0, held_out)
    assert parts.validation.inputs["x"].tolist() == [[3, 2], [9, 7]]


def test_the_validation_file_may_have_columns_of_its_own(tmp_path):
    (tmp_path / "d.csv").write_text("a,b,t\n1,2,0\n3,4,1\n")
    (tmp_path / "held.csv").write_text("label,v,w\n1,5,6\n0,7,8\n")
    held = DataSpec("held.csv", (("x", ("v", "w")), ("t", ("label",))), AT)
    spec = make_spec(tmp_path, classes=2, data=DataSpec("d.csv", (), AT), validation=held)
    parts = prepare(spec, load_data(spec), 0)
    assert parts.validation.inputs["x"].tolist() == [[5, 6], [7, 8]]
    assert parts.validation.targets["t"].tolist() == [1, 0]
    with pytest.raises(DataError, match="there is no column 'u'"):
        load_data(spec, data=DataSpec("held.csv", (("x", ("v", "u")),), AT), like=parts.preparation)


def test_the_columns_of_a_spec_choose_among_those_of_a_frame():
    spec = make_spec(classes=2, data=DataSpec("d.csv", (("x", ("b", "a")), ("t", ("label",))), AT))
    columns = {"a": [1.0, 2.0], "b": [3.0, 4.0], "c": ["u", "v"], "label": [1, 0]}
    whole = load_data(spec, pa.table(columns))
    assert whole.inputs["x"].tolist() == [[3, 1], [4, 2]]
    assert whole.targets["t"].tolist() == [1, 0]
    pair = load_data(spec, (pa.table(columns).select(["a", "b"]), [0, 1]))
    assert pair.inputs["x"].tolist() == [[1, 3], [2, 4]]


def test_a_run_fills_in_and_predicts_with_what_was_missing():
    x = np.array([[0.0, 0], [5, 0], [0, 5], [np.nan, 0]] * 5)
    spec = make_spec(missing="mean")
    run = quiet(spec, make_module(spec), data=(x, [0, 1, 2, 0] * 5), epochs=3)
    filled = np.where(np.isnan(x), np.nanmean(x, axis=0), x)
    np.testing.assert_allclose(run.predict(x), run.predict(filled))
    holes = [[None if np.isnan(cell) else cell for cell in row] for row in x.tolist()]
    np.testing.assert_allclose(run.predict(holes), run.predict(filled))


def test_columns_filled_agree_with_scikit_learn():
    impute = pytest.importorskip("sklearn.impute")
    rng = np.random.default_rng(0)
    for missing in ("mean", "median", "most_frequent"):
        x = rng.integers(0, 5, size=(60, 3)).astype(float)
        x[rng.random(x.shape) < 0.3] = np.nan
        ours = prepared(spec_of(3, missing=missing), (x, np.arange(60) % 2)).training.inputs["x"]
        np.testing.assert_allclose(ours, impute.SimpleImputer(strategy=missing).fit_transform(x), rtol=1e-15)


def test_what_is_said_of_an_empty_cell_names_what_fills_in_words_too():
    for cell in ("", "n/a"):
        assert not_a_number(cell)[1].endswith("under 'train', for words drop or most_frequent")
