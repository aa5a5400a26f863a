"""Classes and categories by the names the data give them: learnt, one-hot, given back."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stub_files import X, npz
from stub_module import make_module, make_spec, quiet

import symgrad as sg
from symgrad.errors import DataError
from symgrad.spec.model import DataSpec, Spec, TensorSpec
from symgrad.training.dataset.data import Dataset, load_data
from symgrad.training.dataset.known_rows import given_inputs, read_inputs, read_rows
from symgrad.training.dataset.preparation import Preparation
from symgrad.training.scores.named_labels import named_labels

AT = sg.read("inputs: {x: [b]}\nequations: {y: x}\n").at


def spec_of(target: str = "{axes: [batch], classes: 3}", width: int = 2, **train: Any) -> Spec:
    text = f"dtype: float64\ninputs: {{x: [batch, {width}]}}\ntargets: {{t: {target}}}\n"
    text += f"layers: [dense(3)]\nloss: softmax_cross_entropy\ntrain: {json.dumps(train)}\n"
    return sg.read(text)


def table(folder: Any, labels: list[Any], **columns: list[Any]) -> str:
    """A CSV file of two features, further columns and labels, in this order."""
    rows = len(labels)
    columns = {"x1": [*range(rows)], "x2": [n / 2 for n in range(rows)], **columns, "t": labels}
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    (folder / "d.csv").write_text("\n".join(lines))
    return str(folder / "d.csv")


def labels_of(dataset: Dataset) -> tuple[list[Any], list[Any]]:
    return dataset.targets["t"].tolist(), list(dataset.preparation.targets["t"].classes)


@pytest.mark.parametrize(
    ("labels", "target", "numbers", "names"),
    [
        (["b", "a", "c", "a"], "{axes: [batch], classes: 3}", [1, 0, 2, 0], ["a", "b", "c"]),
        ([3, 1, 2], "{axes: [batch], classes: 3}", [2, 0, 1], [1, 2, 3]),
        ([-1, 1, 1], "{axes: [batch], classes: 2}", [0, 1, 1], [-1, 1]),
        ([2, 0, 2], "{axes: [batch], classes: 3}", [2, 0, 2], []),
        ([-1, 1, 0], "{axes: [batch], classes: 3}", [0, 2, 1], [-1, 0, 1]),
        (["True", "False", "true"], "{axes: [batch], classes: 2}", [1, 0, 1], [False, True]),
        (["b", "c", "b"], "{axes: [batch], classes: [c, b, a]}", [1, 0, 1], ["c", "b", "a"]),
        ([20, 10, 20], "{axes: [batch], classes: [20, 10, 30]}", [0, 1, 0], [20, 10, 30]),
        ([0.5, 1, 0.5], "{axes: [batch], classes: [0.5, 1]}", [0, 1, 0], [0.5, 1]),
        ([2, 0, 1], "{axes: [batch], classes: [a, b, c]}", [2, 0, 1], ["a", "b", "c"]),
        ([7, 0, -1, 7], "{axes: [batch], classes: [0, 7], ignore: -1}", [1, 0, -1, 1], [0, 7]),
        (["b", "a", "b"], "[batch]", [1, 0, 1], ["a", "b"]),
        (["true", "false", "true"], "[batch, 1]", [[1], [0], [1]], [False, True]),
        (["b", "a", "c"], "[batch, 3]", [[0, 1, 0], [1, 0, 0], [0, 0, 1]], ["a", "b", "c"]),
        ([1, 0, 2], "[batch, 3]", [[0, 1, 0], [1, 0, 0], [0, 0, 1]], []),
        ([5, 9, 5], "[batch, 2]", [[1, 0], [0, 1], [1, 0]], [5, 9]),
        (["50%", "0%", "50%"], "{axes: [batch], classes: 2}", [1, 0, 1], ["0%", "50%"]),
    ],
)
def test_classes_are_named_in_sorted_order_or_as_the_spec_says(tmp_path, labels, target, numbers, names):
    dataset = load_data(spec_of(target), table(tmp_path, labels))
    assert labels_of(dataset) == (numbers, names)
    again = load_data(spec_of(target), table(tmp_path, labels), like=dataset.preparation)
    np.testing.assert_array_equal(again.targets["t"], dataset.targets["t"])


@pytest.mark.parametrize(
    ("labels", "target", "words"),
    [
        (["a", "b", "a"], "{axes: [batch], classes: 3}", r"'t' has 3 classes, the data 2 \(a, b\); write"),
        (["a", "b", "c"], "[batch]", r"'t' takes 1 column, it has 3 after one-hot of t \(3\)"),
        (["d", "b", "a"], "{axes: [batch], classes: [a, b, c]}", "d.csv:2, column 't': 'd' is no class"),
        ([1, 5, 2], "{axes: [batch], classes: [1, 2]}", "d.csv:3, column 't': 5 is no class"),
        ([-1, 0, 2], "{axes: [batch], classes: 3}", "d.csv:2, column 't': -1 is no class"),
        ([1, 2.5, 3], "{axes: [batch], classes: 3}", "2.5 is not a whole number"),
        ([1, "two", 3], "{axes: [batch], classes: 3}", "'two' is not a number"),
        ([0, 1, 2, 3], "[batch, 3]", "3 is no category of 't'"),
    ],
)  # fmt: skip
def test_other_classes_are_refused(tmp_path, labels, target, words):
    with pytest.raises(DataError, match=words):
        load_data(spec_of(target), table(tmp_path, labels))


def test_columns_named_are_enough_only_where_words_make_entries_of_them(tmp_path):
    """One column for two entries: what `tests/nonsense.py` leaves to the data."""
    data = {"path": "d.csv", "columns": {"x": ["k"], "t": ["t"]}}
    spec = spec_of(data=data)
    words = load_data(spec, table(tmp_path, [0, 1, 2], k=["a", "b", "a"]))
    np.testing.assert_array_equal(words.inputs["x"], [[1, 0], [0, 1], [1, 0]])
    with pytest.raises(DataError, match=r"d\.csv: 'x' takes 2 columns, it has 1; write x: \[batch, 1\], or"):
        load_data(spec, table(tmp_path, [0, 1, 2], k=[3, 4, 5]))


def test_one_hot_columns_become_labels_named_like_them(tmp_path):
    path = table(tmp_path, [1, 0, 0], is_a=[0, 1, 0], is_b=[0, 0, 1])
    data = {"path": path, "columns": {"t": ["t", "is_a", "is_b"]}}
    spec = make_spec(data=DataSpec("d.csv", (("t", ("t", "is_a", "is_b")),), AT))
    assert labels_of(load_data(spec, data["path"])) == ([0, 1, 2], ["t", "is_a", "is_b"])
    (tmp_path / "d.csv").write_text(
        (tmp_path / "d.csv").read_text().replace("1", "True").replace("0", "False")
    )
    truths = make_spec(data=DataSpec("d.csv", (("t", ("t", "is_a", "is_b")), ("x", ("x1", "is_a"))), AT))
    dataset = load_data(
        truths,
        pa.table({"x1": [1.0, 2.0], "t": [True, False], "is_a": [False, False], "is_b": [False, True]}),
    )
    assert dataset.targets["t"].tolist() == [0, 2]
    assert dataset.inputs["x"].tolist() == [[1, 0], [2, 0]]
    (tmp_path / "d.npz").write_bytes(npz(tmp_path, x=X, t=np.eye(3)[[2, 0, 1]]))
    assert load_data(spec_of(), tmp_path / "d.npz").targets["t"].tolist() == [2, 0, 1]


def test_columns_of_words_are_one_hot_and_truths_one_number(tmp_path):
    path = table(
        tmp_path, [0, 1, 2, 0], colour=["red", "blue", "red", "green"], own=["true", "false", "false", "True"]
    )
    dataset = load_data(spec_of(width=6), path)
    expected = [[0, 0, 0, 0, 1, 1], [1, 0.5, 1, 0, 0, 0], [2, 1, 0, 0, 1, 0], [3, 1.5, 0, 1, 0, 1]]
    assert dataset.inputs["x"].tolist() == expected
    assert dataset.preparation.inputs["x"].categories == ((), (), ("blue", "green", "red"), (False, True))
    with pytest.raises(
        DataError, match=r"\(6 after one-hot of colour \(3\)\) where the spec needs 7 .*write x: \[batch, 6\]"
    ):
        load_data(spec_of(width=7), path)
    with pytest.raises(
        DataError, match=r"\(6 after one-hot of colour \(3\)\) where the spec needs 5 .*write x: \[batch, 6\]"
    ):
        load_data(spec_of(width=5), path)


def test_listed_columns_are_words_whatever_they_look_like(tmp_path):
    path = table(tmp_path, [0, 1, 2], zip=["010", "9", "x"], floor=[2, 0, 2])
    with pytest.raises(
        DataError,
        match=r"d\.csv:4, column 'zip': 'x' is not a number; .* list the column under 'categorical'",
    ):
        load_data(spec_of(width=4), path)
    dataset = load_data(spec_of(width=7, categorical=["zip", "floor"]), path)
    assert dataset.preparation.inputs["x"].categories == ((), (), ("010", "9", "x"), (0, 2))
    assert dataset.inputs["x"][:, 2:].tolist() == [[1, 0, 0, 0, 1], [0, 1, 0, 1, 0], [0, 0, 1, 0, 1]]
    with pytest.raises(
        DataError, match="'categorical' names 'flor', but there is no such column; did you mean 'floor'"
    ):
        load_data(spec_of(categorical=["flor"]), path)
    dates = table(tmp_path, [0, 1, 2], day=["2024-01-31", "2024-02-01", "2024-02-02"])
    with pytest.raises(DataError, match="write dates and times as numbers"):
        load_data(spec_of(width=3), dates)
    assert load_data(spec_of(width=5, categorical=["day"]), dates).inputs["x"].shape == (3, 5)


def test_named_columns_may_be_of_words(tmp_path):
    path = table(tmp_path, ["b", "a", "b"], colour=["red", "blue", "red"])
    data = {"path": "d.csv", "columns": {"x": ["colour", "x2"], "t": "t"}}
    dataset = load_data(spec_of("[batch, 2]", width=3, data=data), path)
    assert dataset.inputs["x"].tolist() == [[0, 1, 0], [1, 0, 0.5], [0, 1, 1]]
    assert dataset.targets["t"].tolist() == [[0, 1], [1, 0], [0, 1]]
    words = r"'x' takes 4 columns, it has 3 after one-hot of colour \(2\); write x: \[batch, 3\]"
    with pytest.raises(DataError, match=words):
        load_data(spec_of("[batch, 2]", width=4, data=data), path)
    one_hot = {"path": "d.csv", "columns": {"t": ["c", "d", "e"], "x": ["a", "b"]}}
    assert spec_of(data=one_hot).train.data is not None


def test_an_input_of_classes_is_fed_by_words_too(tmp_path):
    (tmp_path / "d.csv").write_text("colour,t\nred,1\nblue,0\n")
    colour = TensorSpec("colour", ("batch",), 2, AT)
    dataset = load_data(make_spec(inputs=(colour,), classes=2), tmp_path / "d.csv")
    assert dataset.inputs["colour"].tolist() == [1, 0]
    wide = make_spec(inputs=(TensorSpec("colour", ("batch", 2), None, AT),), classes=2)
    assert load_data(wide, tmp_path / "d.csv").inputs["colour"].tolist() == [[0, 1], [1, 0]]


def test_columns_in_order_never_train_on_the_answer(tmp_path):
    (tmp_path / "d.csv").write_text("t,a\n1,2\n0,4\n")
    with pytest.raises(DataError, match="column 't' would feed the input 'x'"):
        load_data(spec_of("[batch, 2]", width=1), tmp_path / "d.csv")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Preparation:
    folder = tmp_path_factory.mktemp("names")
    path = table(folder, ["no", "yes", "no"], colour=["red", "blue", "red"], zip=[1, 2, 1])
    spec = spec_of("{axes: [batch], classes: 2}", width=6, categorical=["zip"])
    return load_data(spec, path).preparation


def whole(preparation: Preparation, data: Any) -> list[list[float]]:
    return [row for (part,) in read_inputs(preparation, data, np.float32) for row in part.tolist()]


def test_what_was_learnt_comes_back_from_json(prepared):
    again = Preparation.from_json(json.loads(json.dumps(prepared.to_json())))
    assert again.to_json() == prepared.to_json()
    assert again.inputs["x"].categories == ((), (), ("blue", "red"), (1, 2))


def test_data_for_prediction_are_found_by_name_in_any_order_and_format(prepared, tmp_path):
    rows = [[0, 0.5, 0, 1, 0, 1], [1, 1.5, 1, 0, 1, 0]]
    columns = {"zip": [2, 1], "spare": ["?", ""], "colour": ["red", "blue"], "x2": [0.5, 1.5], "x1": [0, 1]}
    (tmp_path / "d.csv").write_text("zip;spare;colour;x2;x1\n2;?;red;0,5;0\n1;;blue;1,5;1\n")
    for data in (columns, pa.table(columns), str(tmp_path / "d.csv"), (pa.table(columns),)):
        assert whole(prepared, data) == rows
    in_order = np.array([[0, 0.5, "red", 2], [1, 1.5, "blue", 1]], object)
    assert whole(prepared, (in_order,)) == rows
    (tmp_path / "d.csv").write_text("0,0.5,red,2\n1,1.5,blue,1\n")
    with pytest.warns(
        sg.DataWarning, match="no names: they are taken for x1, x2, colour, zip, in this order"
    ):
        assert whole(prepared, str(tmp_path / "d.csv")) == rows


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"colour": ["red", "green"]}, "row 2, column 'colour': 'green' is no category .* blue, red"),
        ({"zip": [1, 3]}, "row 2, column 'zip': 3 is no category"),
        ({"colour": ["red", None]}, "row 2, column 'colour': there is no value; fill in"),
        ({"x1": [None, 1.0]}, "row 1, column 'x1': there is no value"),
        ({"x1": ["a", "b"]}, "row 1, column 'x1': 'a' is not a number"),
        ({"x1": [True, False]}, "row 1, column 'x1': True is not a number"),
        ({"x1": [1.0, np.inf]}, "row 2, column 'x1': inf is not a finite number"),
        ({"x1": [1.0, 1e300]}, "row 2, column 'x1': 1e\\+300 does not fit float32"),
    ],
)  # fmt: skip
def test_what_was_not_there_in_training_is_refused_with_its_place(prepared, change, words):
    columns = {"x1": [0, 1], "x2": [0.5, 1.5], "colour": ["red", "blue"], "zip": [1, 2], **change}
    with pytest.raises(DataError, match=words):
        whole(prepared, pa.table(columns))


def test_missing_columns_are_named(prepared, tmp_path):
    with pytest.raises(
        DataError, match="no column 'colour', which was there in training; did you mean 'color'"
    ):
        whole(prepared, pa.table({"x1": [0], "x2": [1], "color": ["red"], "zip": [1]}))
    (tmp_path / "d.csv").write_text("1,2,red\n")
    with pytest.raises(
        DataError, match="has 3 columns where the model takes 4; it was trained on x1, x2, colour, zip"
    ):
        whole(prepared, tmp_path / "d.csv")


def test_rows_are_read_with_their_labels(prepared):
    columns = {"x1": [0, 1], "x2": [0.5, 1.5], "colour": ["red", "blue"], "zip": [1, 2], "t": ["yes", "no"]}
    (rows,) = read_rows(prepared, pa.table(columns), np.float32)
    assert rows.targets["t"].tolist() == [1, 0]
    assert rows.inputs["x"].dtype == np.float32
    columns["x1"] = [None, 1]
    (rows,) = read_rows(prepared, pa.table(columns), np.float32, drop=True)
    assert rows.targets["t"].tolist() == [0]


def test_runs_and_checkpoints_say_labels_by_name(tmp_path):
    spec = spec_of("{axes: [batch], classes: [low, mid, high]}")
    module = make_module(make_spec(target_axes=("batch",)))
    module.SPEC_SHA256 = spec.sha256
    x = np.array([[0.0, 0], [5, 0], [0, 5]] * 5)
    run = quiet(spec, module, data=(x, ["low", "mid", "high"] * 5), epochs=30, batch_size=5)
    assert run.labels(x[:3]).tolist() == ["low", "mid", "high"]
    frame = pa.table({"a": x[:3, 1], "b": x[:3, 0]})
    assert run.labels(frame).tolist() == ["low", "high", "mid"]


def test_every_task_says_its_labels():
    for task, values, names, found in [
        ("binary", [[0.4], [0.6]], ("no", "yes"), ["no", "yes"]),
        ("binary", [0.4, 0.6], (), [0, 1]),
        ("sign", [[-0.1], [2.0]], (), [-1, 1]),
        ("classes", [[0.1, 0.9], [0.8, 0.2]], (10, 20), [20, 10]),
    ]:
        module = make_module(make_spec(), task)
        tensor = {"shape": [], "columns": ["t"], "classes": list(names)}
        learnt = Preparation.from_json({"inputs": {}, "targets": {"t": tensor}})
        assert named_labels(module, learnt, np.array(values)).tolist() == found
    with pytest.raises(DataError, match="predicts values, not classes"):
        named_labels(make_module(make_spec(), "values"), Preparation(), np.zeros(2))


WORDS = st.text(st.sampled_from("ab\"'é ,;\n\t☃0-#|"), min_size=1, max_size=4).map(str.strip).filter(
    lambda text: text and text.lower() not in ("-", "0", "00", "000", "0000")
)  # fmt: skip


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.floats(-9, 9), WORDS, WORDS, st.booleans()), min_size=3, max_size=8))
def test_any_words_survive_csv_parquet_and_frames_alike(tmp_path_factory, rows):
    """The oracle writes and encodes with pandas: get_dummies and factorize, which share nothing with ours."""
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(rows, columns=["x1", "word", "t", "truth"])[["x1", "word", "truth", "t"]]
    assume_words(frame)
    dummies = pd.get_dummies(frame["word"]).reindex(columns=sorted(set(frame["word"])))
    x = np.column_stack([frame["x1"], dummies, frame["truth"]]).astype(np.float64)
    names = sorted(set(frame["t"]))
    labels = [names.index(word) for word in frame["t"]]
    target = json.dumps({"axes": ["batch"], "classes": len(names)})
    spec = spec_of(target, x.shape[1], categorical=["word", "t"])
    folder = tmp_path_factory.mktemp("any")
    frame.to_csv(folder / "d.csv", index=False)
    frame.to_csv(folder / "d.tsv.xz", index=False, sep="\t")
    frame.to_parquet(folder / "d.parquet")
    for data in (folder / "d.csv", folder / "d.tsv.xz", folder / "d.parquet", frame, dict(frame)):
        dataset = load_data(spec, data)
        np.testing.assert_array_equal(dataset.inputs["x"], x)
        assert dataset.targets["t"].tolist() == labels


def assume_words(frame: Any) -> None:
    from hypothesis import assume

    assume(len(set(frame["t"])) > 1)
    for name in ("word", "t"):
        assume(not all(word.replace("0", "") in ("", "-") for word in frame[name]))


@pytest.mark.parametrize("trained_on", ["names", "positions", "other positions", "arrays"])
def test_columns_are_found_again_whatever_table_holds_them(trained_on: str, tmp_path: Any) -> None:
    cells = np.random.default_rng(0).normal(size=(5, 4))
    cells[:, 0] = [0, 1, 1, 0, 1]  # t; then the three of x
    data: Any = str(tmp_path / "d.csv")
    columns = {"x": ["2", "3", "4"], "t": ["1"]}
    at_end = trained_on == "positions"
    shown = cells[:, [1, 2, 3, 0]] if at_end else cells
    np.savetxt(data, shown, delimiter=",")
    named = pd.DataFrame(cells, columns=["t", "a", "b", "c"])
    data, train = {
        "names": (named[["a", "b", "c", "t"]], {}),
        "positions": (data, {}),
        "other positions": (data, {"data": {"path": "d.csv", "columns": columns}}),
        "arrays": ((cells[:, 1:], cells[:, 0]), {}),
    }[trained_on]
    known = load_data(spec_of("{axes: [batch], classes: 2}", width=3, **train), data).preparation
    known = Preparation.from_json(json.loads(json.dumps(known.to_json())))
    tables: list[Any] = [(cells[:, 1:], cells[:, 0])]
    tables += [named] if trained_on in ("names", "arrays") else [pd.DataFrame(shown), str(tmp_path / "d.csv")]
    for table in tables:
        (found,) = read_rows(known, table, np.float64)
        np.testing.assert_array_equal(found.inputs["x"], cells[:, 1:])
        np.testing.assert_array_equal(found.targets["t"], cells[:, 0])
    if trained_on != "names":
        assert whole(known, pd.DataFrame(cells[:, 1:])) == cells[:, 1:].astype(np.float32).tolist()


def test_what_is_not_what_was_trained_on_is_refused() -> None:
    frame = pd.DataFrame({"age": [1.0, 2, 3], "price": [3.0, 1, 2]})
    spec = sg.read(
        "inputs: {x: [batch, 1]}\ntargets: {t: [batch, 1]}\nlayers: [dense(1)]\nloss: mse\ntrain: {}\n"
    )
    with pytest.warns(sg.DataWarning, match="taken in order"):
        known = load_data(spec, frame).preparation
    for other in (frame[["price"]], frame.rename(columns={"age": "size"})):
        with pytest.raises(DataError, match="no column 'age', which was there in training"):
            list(read_inputs(known, other, np.float64))
        with pytest.raises(DataError, match="no column 'age'"):
            given_inputs(known, ["x"], [other], np.float64)
    with pytest.raises(DataError, match="no column 'age'"):
        list(read_rows(known, frame.rename(columns={"age": "age2"})[["price", "age2"]], np.float64))
    with pytest.raises(DataError, match="holds no rows"):
        list(read_inputs(known, frame[:0], np.float64))


def test_numbers_are_no_categories_and_two_names_are_no_number(prepared: Preparation) -> None:
    columns = {"x1": [0.0], "x2": [0.0], "colour": [1], "zip": [1]}
    with pytest.raises(DataError, match="1 is no category of 'colour'"):
        whole(prepared, columns)
    labels = pd.DataFrame({"x1": [0, 1], "x2": [1, 0], "t": ["01", "1"]})
    with pytest.raises(DataError, match="'1' and '01' are different names, but the same number"):
        load_data(spec_of("{axes: [batch], classes: 2}"), labels)


@pytest.mark.parametrize("classes", ["3", "[u, v, w]"])
def test_one_hot_columns_are_labels_again(classes: str, tmp_path: Any) -> None:
    frame = pd.DataFrame({"a": [1.0, 2, 3, 4], "w": [0, 0, 1, 0], "u": [1, 0, 0, 0], "v": [0, 1, 0, 1]})
    frame.to_csv(tmp_path / "d.csv", index=False)
    columns = {"x": ["a"], "t": ["u", "v", "w"]}
    spec = spec_of(
        f"{{axes: [batch], classes: {classes}}}", width=1, data={"path": "d.csv", "columns": columns}
    )
    known = load_data(spec, frame).preparation
    onehot = frame[["u", "v", "w"]].to_numpy()
    for data in (frame, frame[["v", "u", "a", "w"]], str(tmp_path / "d.csv")):
        (found,) = read_rows(known, data, np.float64)
        assert found.targets["t"].tolist() == [0, 1, 2, 1]
    arrays = load_data(
        spec_of(f"{{axes: [batch], classes: {classes}}}", width=1), (frame[["a"]].to_numpy(), onehot)
    )
    (found,) = read_rows(arrays.preparation, (frame[["a"]].to_numpy(), onehot), np.float64)
    assert found.targets["t"].tolist() == [0, 1, 2, 1]


def test_a_pattern_names_columns_in_their_order_but_none_named_outright(tmp_path: Any) -> None:
    file = table(tmp_path, [0, 1, 2], xt=[7, 8, 9])
    spec = spec_of(width=3, data={"path": "d.csv", "columns": {"x": ["x*"], "t": ["t"]}})
    assert load_data(spec, file).inputs["x"].tolist() == [[0, 0, 7], [1, 0.5, 8], [2, 1, 9]]
    greedy = spec_of(width=3, data={"path": "d.csv", "columns": {"x": ["*"], "t": ["t"]}})
    assert load_data(greedy, file).inputs["x"].tolist() == [[0, 0, 7], [1, 0.5, 8], [2, 1, 9]]
    unknown = spec_of(data={"path": "d.csv", "columns": {"x": ["z*"], "t": ["t"]}})
    with pytest.raises(DataError, match=r"there is no column 'z\*'"):
        load_data(unknown, file)


@pytest.mark.parametrize("names", [("x",), ("x", "t")])
def test_a_mapping_of_arrays_gives_inputs_by_name(names: tuple[str, ...]) -> None:
    """As the arrays and the columns that were trained on, whatever their order."""
    arrays = {name: np.random.default_rng(n).normal(size=(4, 1)) for n, name in enumerate(names)}
    inputs = {name: ["N", 1] for name in names}
    spec = sg.read({"name": "q", "inputs": inputs, "equations": {"y": " + ".join(names)}, "loss": "mean(y)"})
    columns = {name: values[:, 0] for name, values in arrays.items()}
    for trained_on in (arrays, columns):
        known = load_data(spec, trained_on).preparation
        for named in (arrays, columns, dict(reversed(arrays.items()))):
            found = given_inputs(known, names, (named,), np.float64)
            for name, values in zip(names, found, strict=True):
                np.testing.assert_array_equal(values, arrays[name])


@pytest.mark.parametrize("header", ["x1,x2,t", "x2,x1,t", "t,x_2,id,x_1", "x10,t,x9"])
def test_columns_of_a_tensors_name_go_by_their_numbers(header: str, tmp_path: Any) -> None:
    """In training as in prediction, wherever they stand."""
    names = header.split(",")
    rows = np.random.default_rng(0).normal(size=(5, len(names)))
    file = tmp_path / "rows.csv"
    np.savetxt(file, rows, delimiter=",", header=header, comments="")
    spec = sg.read(
        {"inputs": {"x": ["N", 2]}, "targets": {"t": ["N", 1]}, "layers": ["dense(1)"], "loss": "mse"}
    )
    found = load_data(spec, file)
    places = sorted((n for n in names if n.startswith("x")), key=lambda name: int(name.strip("x_")))
    wanted = np.column_stack([rows[:, names.index(n)] for n in places])
    np.testing.assert_allclose(found.inputs["x"], wanted, rtol=1e-6)
    np.testing.assert_allclose(found.targets["t"][:, 0], rows[:, names.index("t")], rtol=1e-6)
    assert found.preparation.inputs["x"].columns == tuple(places)
