"""What a data file leaves open is read where it is clear, and warned of where it may mean something else."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stub_files import CSV, T, X, check, load, npz
from stub_module import AT

import symgrad as sg
from symgrad.spec.model import Spec, TensorSpec
from symgrad.training.dataset.csv import csv_files
from symgrad.training.dataset.csv.csv_files import csv_source
from symgrad.training.dataset.data import load_data
from symgrad.training.dataset.preparation import Dialect

ONE_FOLDER = [HealthCheck.function_scoped_fixture]
ROWS = CSV.split("\n", 1)[1]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (CSV.replace(",", " "), "spaces.txt"),
        (ROWS.replace(",", "   ").replace("\n", "  \n  "), "aligned.txt"),
        ("# p q t\n" + ROWS.replace(",", " "), "savetxt.txt"),
        ("# made by hand\n# p,q,t\n" + ROWS, "comments.csv"),
        ('"p", "q", "t"\n' + ROWS.replace(",", ", "), "quotes_behind_spaces.csv"),
        ("sep=;\n" + CSV.replace(",", ";"), "excel.csv"),
        ("sep=|\np|q|t\n" + ROWS.replace(",", "|"), "bars.csv"),
        (CSV.replace(",", "|"), "guessed_bars.csv"),
        ("p (a, b);q, r;t\n" + ROWS.replace(",", ";"), "commas_in_names.csv"),
        ("p;1,q;2,t\n" + ROWS, "semicolons_in_names.csv"),
    ],
    ids=lambda value: value if "\n" not in value else "",
)
def test_separators_and_lines_above_are_seen(tmp_path, content, name):
    check(load(tmp_path, content, name))


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=ONE_FOLDER)
@given(data=st.data())
def test_any_table_is_read_as_it_was_written(tmp_path, data):
    """Any separator, header, lines above and spacing; numbers with signs, exponents and leading points."""
    draw = data.draw
    separator = draw(st.sampled_from([",", ";", "\t", "|", " "]))
    width = draw(st.integers(2, 5))
    written = st.sampled_from(["7", "-0.5", "1e-3", "+2.25", ".125", "-3E2", "12345", "0", "1"])
    table = draw(st.lists(st.lists(written, min_size=width, max_size=width), min_size=1, max_size=6))
    space = "" if separator in " \t" else draw(st.sampled_from(["", " "]))
    spaces = " " * draw(st.integers(1, 3)) if separator == " " else separator + space
    inner = "" if separator in ", " else draw(st.sampled_from(["", ", cm"]))
    names = [f"c{n}{inner}" for n in range(width)]
    header = draw(st.sampled_from(["none", "row", "comment"]))
    lines = [f"sep={separator}"] if separator != " " and draw(st.booleans()) else []
    lines += ["# made by a program"] * (header != "comment" and draw(st.booleans()))
    lines += [("# " if header == "comment" else "") + spaces.join(names)] * (header != "none")
    lines += [spaces.join(row) for row in table]
    (tmp_path / "d.csv").write_text("\n".join(lines) + draw(st.sampled_from(["", "\n", "\n\n"])))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sg.DataWarning)
        source = csv_source(tmp_path / "d.csv", "d", Dialect(header=None if header == "row" else False))
    columns = source.read(range(width))
    assert [list(row) for row in zip(*(c.numbers.tolist() for c in columns), strict=True)] == [
        [float(cell) for cell in row] for row in table
    ]
    if header != "none":
        assert list(source.names) == names
    assert columns[0].place(0, 0) == f"d:{len(lines) - len(table) + 1}, column '{source.names[0]}'"


def test_places_count_the_lines_above(tmp_path):
    with pytest.raises(sg.DataError, match=r"d\.csv:4, column 'q': the cell is empty"):
        load(tmp_path, "sep=;\np;q;t\n1;2;0\n1;;0\n", "d.csv")


def spec_of(folder, header: bool | None = None, **columns: list[str]) -> Spec:
    """Two features and a number to predict, from d.csv."""
    data: dict[str, Any] = {"path": "d.csv", "columns": columns}
    (folder / "spec.yaml").write_text(
        str(
            {
                "dtype": "float64",
                "inputs": {"x": ["N", 2]},
                "targets": {"t": ["N", 1]},
                "layers": ["dense(1)"],
                "loss": "mse",
                "train": {"data": data if header is None else {**data, "header": header}},
            }
        )
        .replace("True", "true")
        .replace("False", "false")
    )
    return sg.read(folder / "spec.yaml")


COUNTED = {
    "0,1,2\n5,6,7\n8,9,10\n": (2, "0, 1, 2, taken for the names that a data frame gives"),
    "1,2,3\n5,6,7\n8,9,10\n": (3, "1, 2, 3, taken for data"),
}


@pytest.mark.parametrize("content", COUNTED)
def test_a_first_row_that_counts_is_a_guess_until_it_is_said(tmp_path, content):
    (tmp_path / "d.csv").write_text(content)
    rows, words = COUNTED[content]
    with pytest.warns(sg.DataWarning, match=words):
        assert load_data(spec_of(tmp_path)).rows == rows
    assert load_data(spec_of(tmp_path, header=True)).rows == 2
    assert load_data(spec_of(tmp_path, header=False)).rows == 3
    named = load_data(spec_of(tmp_path, header=True, x=[content[2], content[4]], t=[content[0]]))
    assert named.targets["t"].tolist() == [[5], [8]]


@pytest.mark.parametrize("first", ["2019,2020,2021", "10,20,30", "1.0,2.0,3.0"])
@pytest.mark.parametrize("below", ["0.5,6.1,7\n0.7,1,9.5\n", "5,3,8\n7,1,9\n"])
def test_a_first_row_of_one_step_is_a_guess_where_others_are_unlike_it(tmp_path, first, below):
    (tmp_path / "d.csv").write_text(f"{first}\n{below}")
    with pytest.warns(sg.DataWarning, match=f"{first.replace(',', ', ')}, taken for data, not for a header"):
        assert load_data(spec_of(tmp_path)).rows == 3
    assert load_data(spec_of(tmp_path, header=False)).rows == 3


@pytest.mark.parametrize(
    "rows",
    ["10,20,30\n11,21,31\n5,6,7\n", "3,5,7\n2,9,4\n8,1,9\n", "5,7,8\n0.5,1,2\n", "7,7,7\n0.5,1,2\n"],
)
def test_a_first_row_like_the_others_is_none(tmp_path, rows):
    (tmp_path / "d.csv").write_text(rows)
    load_data(spec_of(tmp_path))


def test_a_header_is_said_of_csv_alone(tmp_path):
    np.save(tmp_path / "d.npy", np.ones((3, 3)))
    (tmp_path / "d.csv").write_text(CSV)
    with pytest.raises(sg.DataError, match="'header' is said of a file"):
        load_data(spec_of(tmp_path, header=True), tmp_path / "d.npy")


def test_columns_in_order_are_shown_where_their_names_do_not_say_it(tmp_path):
    (tmp_path / "d.csv").write_text("price,area,rooms\n100,5,6\n200,7,8\n")
    with pytest.warns(sg.DataWarning, match="'x' takes price, area; 't' takes rooms; if that is wrong, say"):
        load_data(spec_of(tmp_path))
    dataset = load_data(spec_of(tmp_path, x=["area", "rooms"], t=["price"]))
    assert dataset.targets["t"].tolist() == [[100], [200]]


@pytest.mark.parametrize(
    "header", ["p,q,t", "p,q,target", "p,q,Label", "x1,x2,price", "X_1,X_2,rooms", "1.5,2,3"]
)
def test_names_that_say_it_are_no_guess(tmp_path, header):
    (tmp_path / "d.csv").write_text(f"{header}\n100,5,6\n200,7,8\n")
    load_data(spec_of(tmp_path))


LONG = 2**53 + 1


def one_input(dtype: str) -> dict[str, Any]:
    return {"dtype": dtype, "inputs": (TensorSpec("x", ("batch", 1), None, AT),)}


@pytest.mark.parametrize(
    ("values", "dtype", "before", "after"),
    [
        (np.array([1, 16777217, 3]), "float32", "16777217", "16777216"),
        (np.array([1.0, -16777217.0, 3.0]), "float32", "-16777217", "-16777216"),
        (np.array([1, LONG, 3]), "float64", str(LONG), str(LONG - 1)),
        (np.array([1, -LONG, 3]), "float64", str(-LONG), str(1 - LONG)),
        (np.array([1, 2**63 + 1, 3], np.uint64), "float64", str(2**63 + 1), str(2**63)),
        (np.array([2**64 - 1, 1, 3], np.uint64), "float32", str(2**64 - 1), str(2**64)),
        (1.7e9 + np.array([0.25, 0.5, 0.75]), "float32", "1700000000.25", "1700000000"),
    ],
)
def test_digits_that_are_lost_are_told_with_their_place(tmp_path, values, dtype, before, after):
    with pytest.warns(sg.DataWarning) as caught:
        load(tmp_path, npz(tmp_path, x=values, t=T), "data.npz", **one_input(dtype))
    assert f"{before} becomes {after} in {dtype}" in str(caught[0].message)
    assert str(caught[0].message).startswith("data.npz, x[")


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (np.array([2**24, 2**30, -(2**62)]), "float32"),
        (np.array([2**53, 2**63, 3 * 2**61], np.uint64), "float64"),
        (np.array([0.1, 1e-8, 1 / 3]), "float32"),
        (np.array([1e30, -1e20, 123456789.25]) * 1.1, "float32"),
        (np.array([-(2**63), 0, 1]), "float64"),
    ],
)
def test_numbers_that_are_only_rounded_are_not(tmp_path, values, dtype):
    load(tmp_path, npz(tmp_path, x=values, t=T), "data.npz", **one_input(dtype))


def test_lost_digits_agree_with_python_s_integers(tmp_path):
    """The generator that would find a wrong bit: every count of digits around the edge, both signs."""
    from symgrad.training.dataset.exactness import _lossy_integers

    rng = np.random.default_rng(0)
    sizes = [(1 << bits) + int(d) for bits in range(63) for d in rng.integers(-3, 4, 8)]
    values = [sign * size for size in sizes for sign in (1, -1)]
    for digits, dtype in ((24, np.float32), (53, np.float64)):
        found = _lossy_integers(np.array(values), digits)
        assert found.tolist() == [int(dtype(value)) != value for value in values]


def test_tiny_numbers_that_become_0_are_told_with_their_place(tmp_path):
    with pytest.warns(
        sg.DataWarning, match=r"data.csv:3, column 'q': 1e-46 becomes 0 in float32.*\(for 'x'\)"
    ):
        load(tmp_path, "p,q,t\n1,0,0\n3,1e-46,1\n", dtype="float32")
    for length in (2, csv_files.PART + 2):  # the latter through pyarrow
        rows = "1,0,0\n" * (length - 1) + "3,-1.0E-400,1\n"
        where = f"data.csv:{length + 1}, column 'q': -1.0E-400 becomes 0 in float64"
        with pytest.warns(sg.DataWarning, match=where):
            load(tmp_path, f"p,q,t\n{rows}")
    load(tmp_path, "p,q,t\n1,0e-400,0\n3,1e-300,0.000000\n")
    load(tmp_path, "p,q,t\n1,0,0\n3,1e-44,1\n", dtype="float32")


def test_csv_and_parquet_tell_lost_digits_too(tmp_path):
    with pytest.warns(sg.DataWarning, match=f"data.csv:3, column 'q': {LONG} becomes {LONG - 1} in float64"):
        load(tmp_path, f"p,q,t\n1,2,0\n3,{LONG},1\n")
    pq.write_table(pa.table({"p": [1.0, 2.0], "q": [1, LONG], "t": [0, 1]}), tmp_path / "made.parquet")
    with pytest.warns(sg.DataWarning, match=f"row 2, column 'q': {LONG} becomes {LONG - 1}"):
        load(tmp_path, (tmp_path / "made.parquet").read_bytes(), "data.parquet")


def test_decimals_of_parquet_are_numbers(tmp_path):
    from decimal import Decimal

    columns = {"p": [Decimal(str(x)) for x in X[:, 0]], "q": X[:, 1], "t": T}
    pq.write_table(pa.table(columns), tmp_path / "made.parquet")
    check(load(tmp_path, (tmp_path / "made.parquet").read_bytes(), "data.parquet"))


def test_time_stamps_are_kept_where_inputs_are_standardised(tmp_path):
    (tmp_path / "d.csv").write_text("x1,x2,t\n16777217,1,2\n16777219,3,4\n")
    spec_of(tmp_path)
    text = (tmp_path / "spec.yaml").read_text().replace("float64", "float32")
    (tmp_path / "spec.yaml").write_text(text.replace("'train': {", "'train': {'standardize': true, "))
    assert load_data(sg.read(tmp_path / "spec.yaml")).inputs["x"][0, 0] == 16777217
