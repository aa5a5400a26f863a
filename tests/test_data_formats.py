"""Every way data come in gives the same tensors: dialects, compression, columnar files, memory, in parts."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stub_files import CSV, T, X, check, idx, load, refused
from stub_module import AT, make_spec

from symgrad.errors import DataError, DataWarning
from symgrad.spec.model import DataSpec
from symgrad.training.dataset import frames
from symgrad.training.dataset.csv import csv_files
from symgrad.training.dataset.data import load_data
from symgrad.training.dataset.feeding.words_or_numbers import of_words
from symgrad.training.dataset.known_rows import read_inputs, read_rows
from symgrad.training.dataset.preparation import Dialect, Preparation

if TYPE_CHECKING:
    from pathlib import Path

TABLE = pa.table({"p": X[:, 0], "q": X[:, 1], "t": T})
COMMA = "p;q;t\n0,5;1;0\n2;-3;2\n4;5,5;1\n"


@pytest.mark.parametrize("name", ["data.csv.bz2", "data.tsv.xz", "data.txt.gz"])
def test_compressed_csv(tmp_path, name):
    pack = {"bz2": bz2.compress, "xz": lzma.compress, "gz": gzip.compress}[name.rsplit(".", 1)[1]]
    check(load(tmp_path, pack(CSV.encode()), name))
    assert "cannot be read as CSV" in refused(tmp_path, pack(CSV.encode())[:-9], name)
    assert "compressed" in refused(tmp_path, pack(CSV.encode()), "data.csv")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (COMMA, {}),
        (COMMA.replace(";", "\t"), {}),
        (COMMA.replace(";", "|"), {"delimiter": "|"}),
        (COMMA.replace(";", "^"), {"delimiter": "^"}),
        (CSV.replace(",", ":"), {"delimiter": ":"}),
        (CSV.split("\n", 1)[1], {"header": False}),
        ('"p","q","t"\n"0,5","1","0"\n"2","-3","2"\n"4","5,5","1"\n', {"decimal": ","}),
        ('"p","q","t"\n"0,5","1","0"\n"2","-3","2"\n"4","5,5","1"\n', {}),
        ("p;q;t\n0,500;1;0\n2;-3;2\n4,000;5,500;1\n", {"decimal": ","}),
    ],
)
def test_dialects_seen_or_said(tmp_path, content, said):
    check(load(tmp_path, content, data=DataSpec("data.csv", (), AT, **said)))


def test_a_point_is_none_of_the_marks_of_a_decimal_comma(tmp_path):
    assert "data.csv:3, column 'p': '1.5' is not a number" in refused(
        tmp_path, "p;q;t\n1,5;2;0\n1.5;2;1\n", data=DataSpec("data.csv", (), AT, decimal=",")
    )
    said = DataSpec("data.parquet", (), AT, delimiter=";")
    assert "'delimiter' is said of a file that has no rows of text" in refused(
        tmp_path, b"", said.path, data=said
    )


def test_what_was_said_of_a_file_in_training_holds_for_others(tmp_path):
    """For prediction, evaluation and validation; what is said of these wins, and other formats have none."""
    content = "p;q;t\n1,288;1,000;0\n2,125;3,500;1\n"
    dataset = load(tmp_path, content, data=DataSpec("data.csv", (), AT, delimiter=";", decimal=","))
    known = Preparation.from_json(json.loads(json.dumps(dataset.preparation.to_json())))
    assert known.dialect == Dialect(None, ";", ",")
    x = [[1.288, 1.0], [2.125, 3.5]]
    (rows,) = read_rows(known, tmp_path / "data.csv", "float64")
    ((inputs,),) = read_inputs(known, tmp_path / "data.csv", "float64")
    assert rows.inputs["x"].tolist() == inputs.tolist() == x
    plain = tmp_path / "plain.csv"
    plain.write_text(content.replace(",", ".").replace(";", ","))
    with pytest.raises(DataError, match="'delimiter' of this file, or of that in training, is ';'"):
        list(read_inputs(known, plain, "float64"))
    ((inputs,),) = read_inputs(known, plain, "float64", Dialect(None, ",", "."))
    assert inputs.tolist() == x
    pq.write_table(pa.table({"p": [1.288, 2.125], "q": [1.0, 3.5]}), tmp_path / "data.parquet")
    ((inputs,),) = read_inputs(known, tmp_path / "data.parquet", "float64")
    assert inputs.tolist() == x
    for odd in ({"decimal": "x"}, {"delimiter": 5}, {"header": "no"}, {"quote": "'"}):
        with pytest.raises((TypeError, ValueError)):
            Dialect.from_json(odd)


def test_feather_and_arrow(tmp_path):
    feather.write_feather(TABLE, str(tmp_path / "made"), compression="lz4")
    check(load(tmp_path, (tmp_path / "made").read_bytes(), "data.feather"))
    with pa.ipc.new_stream(tmp_path / "made", TABLE.schema) as stream:
        stream.write_table(TABLE)
    check(load(tmp_path, (tmp_path / "made").read_bytes(), "data.arrow"))
    for content in (b"", b"ARROW1 no", (tmp_path / "made").read_bytes()[:100]):
        assert "cannot be read as Feather" in refused(tmp_path, content, "data.arrow")


def test_idx_labels_may_be_compressed(tmp_path):
    (tmp_path / "a-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(8, T.astype(np.uint8))))
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    dataset = load(tmp_path, gzip.compress(idx(8, pixels)), "a-images-idx3-ubyte.gz", features=4)
    np.testing.assert_array_equal(dataset.inputs["x"], pixels.reshape(3, 4))
    np.testing.assert_array_equal(dataset.targets["t"], T)


def memory() -> dict[str, Any]:
    return {
        "arrow": TABLE,
        "arrays": {"x": X, "t": T},
        "columns": {"p": X[:, 0], "q": X[:, 1].tolist(), "t": T},
        "tuple": (X, T),
        "lists": (X.tolist(), T.tolist()),
        "frame and array": (TABLE.select(["p", "q"]), T),
        "array and frame": (X, TABLE.select(["t"])),
        "chunked": (TABLE.select(["q", "p"]).select(["p", "q"]), TABLE["t"]),
    }


@pytest.mark.parametrize("kind", memory())
def test_data_in_memory(kind):
    check(load_data(make_spec(), memory()[kind]))


def test_data_frames_of_pandas_and_polars():
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    frame = TABLE.to_pandas()
    for data in (
        frame,
        frame.set_index(pd.Index([7, 7, 9])),
        pl.from_arrow(TABLE),
        (frame[["p", "q"]], frame["t"]),
    ):
        check(load_data(make_spec(), data))
    check(load_data(make_spec(), (frame[["p", "q"]].to_numpy(), frame["t"].astype("Int64"))))
    named = frame.astype({"t": "category"}).set_axis([0, 1, 2], axis=1)
    check(load_data(make_spec(), (named[[0, 1]], named[2])))
    with pytest.raises(DataError, match="collect"):
        load_data(make_spec(), pl.from_arrow(TABLE).lazy())
    with pytest.raises(DataError, match="give each column its own name"):
        load_data(make_spec(), frame.set_axis(["p", "p", "t"], axis=1))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (3, "data of type int; expected a file, a data frame"),
        ((X,), "a tuple of 1 for x, t; give 2"),
        ((X, T, T), "a tuple of 3"),
        ({"x": X, "t": T[:2]}, "the numbers of rows differ: x has 3, t has 2"),
        ({"p": [1, 2, 3], "q": [1, 2], "t": T}, "the numbers of rows differ: p has 3, q has 2, t has 3"),
        ({"p": [1, 2], "q": [1, 2], "t": ["a", "a"]}, "the data 1 \\(a\\); list the names: classes"),
        ((X, 3), "holds a single number"),
        ((X * 1j, T), "not real numbers"),
        ((X, [0, {}, 1]), r"data, t\[1\]: holds dict, not a number or word"),
        ((X, [[1], [1, 2], [3]]), "is no array"),
        ((TABLE.select(["p", "q"]), np.zeros((3, 2, 2))), "an array of 3 axes for 't' beside tables"),
        (
            (np.array([["a", "b"], ["b", "a"], ["a", "a"]]), T),
            r"'x' takes 2 columns, it has 4 after one-hot of x1 \(2\), x2 \(2\)",
        ),
    ],
)
def test_other_things_in_memory_are_refused(data, words):
    with pytest.raises(DataError, match=words):
        load_data(make_spec(), data)


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_a_file_in_parts_is_the_file(tmp_path_factory, data):
    """Parts of any size: the same numbers, words, missing values and places as read whole."""
    draw = data.draw
    rows = draw(st.integers(2, 9))
    numbers = draw(st.lists(st.sampled_from([1.5, -2.0, None]), min_size=rows, max_size=rows))
    words = draw(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=rows, max_size=rows))
    columns = {"p": [1.0, *numbers], "q": ["z", *words], "t": [*range(rows + 1)]}
    folder: Path = tmp_path_factory.mktemp("parts")
    lines = [
        ",".join("" if cell is None else str(cell) for cell in row)
        for row in zip(*columns.values(), strict=True)
    ]
    (folder / "d.csv").write_text("\n".join([",".join(columns), *lines]))
    pq.write_table(pa.table(columns), folder / "d.parquet", row_group_size=draw(st.integers(1, 4)))
    width = 1 + len(set(columns["q"]) - {None})
    spec = make_spec(features=width, classes=None, missing="most_frequent")
    known = load_data(spec, folder / "d.csv")
    part = draw(st.integers(1, 4))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_files, "PART", part)
        patch.setattr(frames, "PART", part)
        for name in ("d.csv", "d.parquet"):
            dataset = load_data(spec, folder / name)
            np.testing.assert_array_equal(dataset.inputs["x"], known.inputs["x"])
            np.testing.assert_array_equal(dataset.targets["t"], known.targets["t"])
            parts = list(read_rows(dataset.preparation, folder / name, "float64", drop=True))
            kept = ~np.isnan(known.inputs["x"]).any(axis=1)
            np.testing.assert_array_equal(
                np.concatenate([p.inputs["x"] for p in parts]), known.inputs["x"][kept]
            )


def test_prediction_reads_its_columns_alone_and_says_where(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_files, "PART", 2)
    preparation = load_data(make_spec(), TABLE).preparation
    (tmp_path / "d.csv").write_text("note,q,p\nx,1,2\ny,3,4\n,5,6\n,7,a\n")
    parts = read_inputs(preparation, tmp_path / "d.csv", np.float64)
    assert next(parts)[0].tolist() == [[2, 1], [4, 3]]
    with pytest.raises(DataError, match=r"d\.csv:5, column 'p': 'a' is not a number"):
        next(parts)


def test_as_many_digits_as_python_reads(tmp_path, monkeypatch):
    """Numbers of CSV are those of Python's float, to the last bit."""
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**63, 2000, dtype=np.uint64).view(np.float64)
    values = bits[np.isfinite(bits)][: 2 * (np.isfinite(bits).sum() // 2)].reshape(-1, 2)
    rows = [f"{p!r},{q:.17g},0" for p, q in values.tolist()]
    for part in (csv_files.PART, 64):  # full parts are read by pyarrow
        monkeypatch.setattr(csv_files, "PART", part)
        dataset = load(tmp_path, "\n".join(["p,q,t", *rows]), "d.csv")
        np.testing.assert_array_equal(dataset.inputs["x"], values)


ODD = [
    "1_0",
    " 1 ",
    "1 ",
    "+1",
    "0x10",
    "1E+05",
    "NaN",
    "-Infinity",
    "1.",
    ".",
    ".5",
    "",
    "1f",
    "１",
    "1e400",
    "1 2",
]
ODD += [
    "true",
    "5e-324",
    "1e-400",
    "-0",
    "1e5",
    "1d5",
    "inf",
    "nan(1)",
    "1,5",
    "--1",
    "1e",
    "None",
    "a",
    "#",
    "' 1'",
]


@settings(max_examples=120, deadline=None, derandomize=True)
@given(
    st.lists(
        st.lists(st.sampled_from([*ODD, *["1.5"] * 60]), min_size=2, max_size=2), min_size=4, max_size=12
    )
)
def test_pyarrow_reads_what_the_standard_library_reads(tmp_path_factory, rows):
    """The same numbers, words and places, whether parts are read by the one or the other."""
    path = tmp_path_factory.mktemp("plain") / "d.csv"
    path.write_text("\n".join(["p;q", *map(";".join, rows)]))
    found = []
    for part in (2, 1000):
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)  # of 1e-400
            patch.setattr(csv_files, "PART", part)
            source = csv_files.csv_source(path, "d", Dialect(True, ";", "."))
            columns = [of_words(column) for column in source.read([0, 1])]
            texts = source.read([0, 1], [1])[1]
        found.append(
            [[c.cell(row, 0), c.place(row, 0)] for c in (*columns, texts) for row in range(len(rows))]
        )
    assert repr(found[0]) == repr(found[1])
