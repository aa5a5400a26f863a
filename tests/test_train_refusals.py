"""Bad data are refused with file, line, column and a remedy; no file crashes the reader."""

from __future__ import annotations

import gzip
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stub_files import CSV, T, X, idx, load, npy, npz, refused
from stub_module import AT

from symgrad.errors import DataError
from symgrad.spec.model import DataSpec


def test_the_answer_is_never_an_input_by_guess(tmp_path):
    text = refused(tmp_path, "label,p,q\n0,0.5,1\n2,2,-3\n")
    assert "column 'label' would feed the input 'x'" in text


@pytest.mark.parametrize(
    ("content", "place", "problem"),
    [
        ("p,q,t\n1,2,0\n3,,1\n", "data.csv:3, column 'q'", "the cell is empty"),
        (
            "p,q,t\n1,2,0\n3,four,1\n",
            "data.csv:3, column 'q'",
            "'four' is not a number; write numbers alone, or words alone, or list the column under",
        ),
        (
            "p,q,t\n1,2,0\n?,5,6\n",
            "data.csv:3, column 'p'",
            "'?' marks a missing value; fill in",
        ),
        ("p,q,t\n1,2,0\n4,NA,6\n", "data.csv:3, column 'q'", "'NA' marks a missing value"),
        (
            "p,q,t\n50%,2,0\n4,5,1\n",
            "data.csv:2, column 'p'",
            "'50%' is not a number; write 50 or",
        ),
        ("p,q,t\n$5,2,0\n4,5,1\n", "data.csv:2, column 'p'", "'$5' is not a number; write 5, without"),
        ("p,q,t\n1,5 kg,0\n4,5,1\n", "data.csv:2, column 'q'", "write 5, without the unit"),
        ("p,q,t\n1,yes,0\n4,5,1\n", "data.csv:2, column 'q'", "write 1 for yes"),
        ("p,q,t\n1,\u22122,0\n4,5,1\n", "data.csv:2, column 'q'", "write the minus sign as '-'"),
        ("p,q,t\n1,2024-01-31,0\n4,5,1\n", "data.csv:2, column 'q'", "write dates and times as numbers"),
        ('p,q,t\n1,"1,234.5",0\n4,5,1\n', "data.csv:2, column 'q'", "without marks between thousands"),
        ("p;q;t\n1,5;2.5;0\n4,5;5.5;1\n", "data.csv:2, column 'p'", "write a decimal comma as a point: 1.5"),
        ("p;q;t\n1,500;2,500;0\n4,500;5,500;1\n", "data.csv:2, column 'p'", "its comma could mean either"),
        ('p,q,t\n"1,500",2,0\n4,5,1\n', "data.csv:2, column 'p'", "write 1500 or 1.500: its comma"),
        ("p,q,t\n'1',2,0\n4,5,1\n", "data.csv:2, column 'p'", "write 1, without quotes"),
        ("My data\np,q,t\n1,2,0\n4,5,1\n", "data.csv:1", "this line has 1 cell, the next has 3; leave out"),
        ("p,q,t,\n1,2,0,\n4,5,1,\n", "data.csv", "the last column has no name"),
        (b"PK\x03\x04\xff\xff", "data.csv", "is a ZIP or Excel file"),
        ("p,q,t\n1,2,0\n".encode("utf-16"), "data.csv", "is UTF-16 text"),
        ("50%,2,0\n4,5,1\n", "data.csv:1, column '1'", "'50%' is not a number"),
        ('[{"p": 1}]', "data.csv:1", "this is JSON and not CSV"),
        ("<!DOCTYPE html>\n<p>", "data.csv:1", "this is HTML and not CSV"),
        ("p,q,t\n1,2,0\n1_0,4,1\n", "data.csv:3, column 'p'", "'1_0' is not a number"),
        ("p,q,t\n1,2,0\n\n3,nan,1\n", "data.csv:4, column 'q'", "there is no value; fill in"),
        ("p,q,t\n-inf,2,0\n3,4,1\n", "data.csv:2, column 'p'", "-inf is not a finite number"),
        ("p,q,t\n1,2,0\n3,4\n", "data.csv:3, column 't'", "this row has 2 cells, the header has 3"),
        ("p,q,t\n1,2,0\n3,4,1,9\n", "data.csv:3", "this row has 4 cells, the header has 3"),
        ("p,q,t\n1,2,0\n3,4,3\n", "data.csv:3, column 't'", "3 is no class"),
        ("p,q,t\n1,2,0\n3,4,-1\n", "data.csv:3, column 't'", "-1 is no class"),
        ("p,q,t\n1,2,0\n3,4,1.5\n", "data.csv:3, column 't'", "1.5 is not a whole number"),
        ("p,p,t\n1,2,0\n3,4,1\n", "data.csv", "2 columns are named 'p'"),
        ("p,t\n1,0\n3,1\n", "data.csv", "has 1 column left where the spec needs 2"),
        ("p,q,r,t\n1,2,3,0\n4,5,6,1\n", "data.csv", "has 3 columns left where the spec needs 2"),
        ("p,q,t\n1,2,0\n", "data.csv", "holds one row"),
        ("p,q,t\n", "data.csv", "holds no rows"),
        ("", "data.csv", "the file is empty"),
        ('""\n', "data.csv", "the file is empty"),
        ('p,q,t\n1,2,0\n3,"4,1\n', "data.csv", "cannot be read as CSV"),
        (b"p,q,t\n1,\xff,0\n", "data.csv", "is not UTF-8"),
    ],
)
def test_bad_csv_is_refused_at_its_place(tmp_path, content, place, problem):
    text = refused(tmp_path, content)
    assert text.startswith(f"{place}: ")
    assert problem in text


def test_unknown_columns_and_tensors_are_named_with_the_nearest(tmp_path):
    columns = (("x", ("p", "qq")), ("t", ("t",)))
    assert "did you mean 'q'?" in refused(tmp_path, CSV, data=DataSpec("data.csv", columns, AT))
    columns = (("xx", ("p", "q")),)
    assert "no input or target" in refused(tmp_path, CSV, data=DataSpec("data.csv", columns, AT))
    columns = (("x", ("p",)),)
    assert "takes 2 columns" in refused(tmp_path, CSV, data=DataSpec("data.csv", columns, AT))


def test_values_beyond_float32_are_refused_in_place(tmp_path):
    text = refused(tmp_path, "p,q,t\n1,2,0\n3,1e39,1\n", dtype="float32")
    assert text.startswith("data.csv:3, column 'q': 1e+39 does not fit float32")


def test_bad_arrays_are_refused(tmp_path):
    pickled = npy(tmp_path, np.array([[1, 2, 0], [3, "a", 1]], dtype=object), allow_pickle=True)
    assert "never loaded" in refused(tmp_path, pickled, "data.npy")
    assert "it is no archive of arrays" in refused(tmp_path, b"rubbish" * 20, "data.npz")
    assert "never loaded" in refused(tmp_path, npz(tmp_path, x=np.array([{}]), t=T), "data.npz")
    assert "not real numbers" in refused(tmp_path, npz(tmp_path, x=X * 1j, t=T), "data.npz")
    assert "rows differ: x has 3, t has 2" in refused(tmp_path, npz(tmp_path, x=X, t=T[:2]), "data.npz")
    assert "rows of shape [3] do not fit 'x'" in refused(
        tmp_path, npz(tmp_path, x=np.ones((3, 3)), t=T), "data.npz"
    )
    rows = npz(tmp_path, x=X, t=np.full((3, 3), 1 / 3))
    assert "t[0, 0]: 0.333333333333 is neither 0 nor 1 (for 't')" in refused(tmp_path, rows, "data.npz")
    rows = npz(tmp_path, x=X, t=np.zeros((3, 3)))
    assert "t[0, 0]: this row has no single 1 among its 3 classes" in refused(tmp_path, rows, "data.npz")
    rows = npz(tmp_path, x=X, t=np.eye(4)[:3])
    assert "rows of shape [4] do not fit 't'" in refused(tmp_path, rows, "data.npz")
    bad = X.copy()
    bad[1, 1] = np.nan
    assert "data.npz, x[1, 1]: there is no value" in refused(tmp_path, npz(tmp_path, x=bad, t=T), "data.npz")
    table = np.column_stack([bad, T])
    assert "data.npy, row 2, column '2'" in refused(tmp_path, npy(tmp_path, table), "data.npy")
    assert "needs 2" in refused(tmp_path, npz(tmp_path, inputs=X), "data.npz")


def test_bad_parquet_is_refused(tmp_path):
    def parquet(**columns) -> bytes:
        pq.write_table(pa.table(columns), tmp_path / "made.parquet")
        return (tmp_path / "made.parquet").read_bytes()

    missing = parquet(p=[1.0, 2.0], q=pa.array([1, None], pa.int64()), t=[0, 1])
    assert "row 2, column 'q'" in refused(tmp_path, missing, "data.parquet")
    words = parquet(p=[1.0, 2.0], q=["a", "b"], t=[0, 1])
    text = refused(tmp_path, words, "data.parquet")
    assert "(3 after one-hot of q (2)) where the spec needs 2 (x takes 2); write x: [batch, 3]" in text
    nested = parquet(p=[1.0, 2.0], q=[[1], [2]], t=[0, 1])
    assert "column 'q': holds List(Int64), not numbers" in refused(tmp_path, nested, "data.parquet")
    assert "cannot be read as Parquet" in refused(tmp_path, b"PAR1 no", "data.parquet")
    days = parquet(p=[1.0, 2.0], q=pa.array([1, 2], pa.date32()), t=[0, 1])
    assert "write times as numbers" in refused(tmp_path, days, "data.parquet")


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert 'pip install ".[parquet]"' in refused(tmp_path, b"PAR1", "data.parquet")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "cannot be read as IDX"),
        (b"\0\0\x08\x03\0\0", "cannot be read as IDX"),
        (b"\0\0\x08\x01\0\0\0\x05ab", "announces 5 bytes of data, the file holds fewer"),
        (b"\0\0\x08\x01\0\0\0\x01ab", "announces 1 bytes of data, the file holds more"),
        (b"\1\0\x08\x01\0\0\0\x01a", "is not an IDX file"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "IDX"),
    ],
)
def test_cut_and_foreign_idx_is_refused(tmp_path, content, words):
    assert words in refused(tmp_path, content, "x-idx1-ubyte")


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_damaged_files_are_refused_or_read_but_never_crash(tmp_path, data):
    """One byte of a good file changed, or the file cut: a DataError, or data of the right shape."""
    pq.write_table(pa.table({"p": X[:, 0], "q": X[:, 1], "t": T}), tmp_path / "made.parquet")
    good = {
        "data.csv": CSV.encode(),
        "data.csv.gz": gzip.compress(CSV.encode(), mtime=0),
        "data.npz": npz(tmp_path, x=X, t=T),
        "data.npy": npy(tmp_path, np.column_stack([X, T])),
        "data.parquet": (tmp_path / "made.parquet").read_bytes(),
        "data.idx2": idx(0x0E, np.column_stack([X, T]).astype(">f8")),
    }
    name = data.draw(st.sampled_from(sorted(good)))
    content = bytearray(good[name])
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[place:]
    else:
        content[place] = data.draw(st.integers(0, 255))
    try:
        dataset = load(tmp_path, bytes(content), name)
    except DataError:
        return
    assert dataset.inputs["x"].shape == (dataset.rows, 2)
    assert np.isfinite(dataset.inputs["x"]).all()
