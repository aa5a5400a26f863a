"""Files and specs that were misread, or refused with misleading advice: read, warned of or refused rightly.

The names are those of the table of cases from which they came.
"""

from __future__ import annotations

import warnings
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import symgrad as sg
from symgrad.spec.expand import expand
from symgrad.training.dataset.data import load_data

if TYPE_CHECKING:
    from pathlib import Path

VALUES = {"inputs": {"x": ["N", 2]}, "targets": {"t": ["N", 1]}, "layers": ["dense(1)"], "loss": "mse"}
LABELS = {**VALUES, "targets": {"t": {"axes": ["N"], "classes": 3}}, "layers": ["dense(3)"]}
LABELS |= {"loss": "softmax_cross_entropy"}

READ: dict[str, tuple[str, str, list[list[float]], str]] = {
    "D01": ("d.csv", "0,1,2\n5,6,7\n8,9,10\n", [[5, 6, 7], [8, 9, 10]], "taken for the names"),
    "D02": ("d.csv", "1,2,3\n5,6,7\n", [[1, 2, 3], [5, 6, 7]], "taken for data, not for a header"),
    "D06": ("d.csv", "a;b;t\n1,5;2,5;3,0\n4,5;5,5;6,0\n", [[1.5, 2.5, 3], [4.5, 5.5, 6]], ""),
    "D07": ("d.csv", "1,5;2,5;3,0\n4,5;5,5;6,0\n", [[1.5, 2.5, 3], [4.5, 5.5, 6]], ""),
    "D09": ("d.txt", "1.0 2.0 3.0\n4.0 5.0 6.0\n", [[1, 2, 3], [4, 5, 6]], ""),
    "D10": ("d.txt", "# a b c\n1.0 2.0 3.0\n4.0 5.0 6.0\n", [[1, 2, 3], [4, 5, 6]], "'x' takes a, b"),
    "D27": ("d.csv", "price,area,rooms\n100,5,6\n200,7,8\n", [[100, 5, 6], [200, 7, 8]], "'t' takes rooms"),
    "D34": (
        "d.csv",
        "a,b,t\n16777217,1,2\n16777216,1,2\n",
        [[16777216, 1, 2], [16777216, 1, 2]],
        "d.csv:2, column 'a': 16777217 becomes 16777216 in float32",
    ),
    "D46": ("d.csv", "sep=;\na;b;t\n1;2;3\n4;5;6\n", [[1, 2, 3], [4, 5, 6]], ""),
    "D47": ("d.csv", "a (m, s);b, c;t\n1;2;3\n4;5;6\n", [[1, 2, 3], [4, 5, 6]], ""),
}
REFUSED = {
    "D17": (
        "a,b,t\n1,2,3\n?,5,6\n",
        "d.csv:3, column 'a': '?' marks a missing value; fill in or leave out such rows",
    ),
    "D19": (
        "a,b,t\n1,2,3\n4,NA,6\n",
        "d.csv:3, column 'b': 'NA' marks a missing value; fill in or leave out such rows",
    ),
    "D40": (
        "a,b,t\n50%,2,3\n4,5,6\n",
        "d.csv:2, column 'a': '50%' is not a number; write 50 or its hundredth",
    ),
    "D41": ("a,b,t\n$5,2,3\n4,5,6\n", "d.csv:2, column 'a': '$5' is not a number; write 5, without the sign"),
    "D61": ('[{"a":1}]', "d.csv:1: this is JSON and not CSV; save it as"),
}


def loaded(folder: Path, name: str, spec: dict[str, Any]) -> tuple[list[list[float]], list[str]]:
    """Inputs and targets of the file, side by side, and what was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        dataset = load_data(sg.read(spec), folder / name)
    columns = np.column_stack([array.reshape(dataset.rows, -1) for array in dataset.arrays])
    return columns.tolist(), [str(warning.message) for warning in caught]


@pytest.mark.parametrize("case", READ)
def test_files_that_were_misread(case: str, tmp_path: Path) -> None:
    name, content, rows, words = READ[case]
    (tmp_path / name).write_text(content)
    found, said = loaded(tmp_path, name, VALUES)
    assert found == rows
    assert len(said) == bool(words)
    assert all(words in text for text in said)


@pytest.mark.parametrize("case", REFUSED)
def test_files_that_were_refused_unclearly(case: str, tmp_path: Path) -> None:
    content, words = REFUSED[case]
    (tmp_path / "d.csv").write_text(content)
    with pytest.raises(sg.DataError) as caught:
        loaded(tmp_path, "d.csv", VALUES)
    assert words in str(caught.value)


def test_n12_rows_of_numbers_for_labels(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.ones((3, 2)), t=np.eye(3))
    assert loaded(tmp_path, "d.npz", LABELS)[0] == [[1, 1, 0], [1, 1, 1], [1, 1, 2]]
    np.savez(tmp_path / "d.npz", x=np.ones((3, 2)), t=np.full((3, 3), 1 / 3))
    with pytest.raises(sg.DataError, match=r"is neither 0 nor 1 .* one column per class holds a 1"):
        loaded(tmp_path, "d.npz", LABELS)


def test_n17_and_p05_integers_that_no_float_holds(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.full((3, 2), 2**53 + 1), t=np.ones((3, 1)))
    found, said = loaded(tmp_path, "d.npz", {**VALUES, "dtype": "float64"})
    assert found[0][0] == 2.0**53
    assert "9007199254740993 becomes 9007199254740992 in float64" in said[0]
    pq.write_table(
        pa.table({"a": np.array([2**63 + 1] * 2, np.uint64), "b": [1, 2], "t": [1, 2]}),
        tmp_path / "d.parquet",
    )
    assert "9223372036854775809 becomes 9223372036854775808" in loaded(tmp_path, "d.parquet", VALUES)[1][0]


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("9" * 5000, "inf is not a finite number"),
        ("0" * 5000 + "7", ""),
        ("-" + "0" * 5000 + str(2**53 + 1), "-9007199254740993 becomes -9007199254740992"),
        ("1" + "0" * 307, ""),
    ],
    ids=["infinite", "a small one", "one too many", "large"],
)
def test_integers_of_many_digits(cell: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text(f"a,b,t\n1,2,{2**53 + 2}\n{cell},2,3\n")
    try:
        said = "".join(loaded(tmp_path, "d.csv", {**VALUES, "dtype": "float64"})[1])
    except sg.DataError as error:
        said = str(error)
    assert words in said
    assert bool(words) == bool(said)


def test_p01_decimals(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [Decimal("1.5")] * 2, "b": [1, 2], "t": [1, 2]}), tmp_path / "d.parquet")
    assert loaded(tmp_path, "d.parquet", VALUES) == ([[1.5, 1, 1], [1.5, 2, 2]], [])


CHAIN = "inputs: {x: [N, 3]}\ntargets: {t: [N, 1]}\nlayers: ['dense(1)']\n"
FORMULA = "inputs: {x: [N, 3]}\nequations: {y: 'FORMULA'}\nloss: sum(y)\n"
SPECS = {
    "Y14": (CHAIN + "loss: mse\ntrain: {validation: 20%}\n", ":5:21: '20%' is no file; write the number 0.2"),
    "Y16": ("inputs:\n\tx: [N, 3]\nequations: {y: x}\n", ":2:1: ", "indent with spaces"),
    "Y24": ("inputs: {x: [N, 3]}\nequations: {y: x}\nloss: - mean(y)\n", ":3:7: ", "as in -mean(y)"),
    "Y53": (CHAIN + "loss: cross_entropy\n", ":4:7: ", "did you mean 'softmax_cross_entropy'?"),
    "Y65": (
        CHAIN + "loss: mse\ntrain: {optimizer: {adam: {learning_rate: 0.1}}}\n",
        ":5:21: ",
        "write optimizer: adam(learning_rate=0.1)",
    ),
    "Y66": (
        CHAIN + "loss: mse\ntrain: {learning_rate: 0.1}\n",
        ":5:9: ",
        "write optimizer: sgd(learning_rate=0.1)",
    ),
    "Y69": (
        CHAIN + "loss: mse\ntrain: {optimizer: 'adam(b1=1)'}\n",
        ":5:29: ",
        "b1 is 1; expected a number from 0 to below 1",
    ),
    "Y94": (
        CHAIN + "loss: softmax_cross_entropy(class_weights=[1, 2, 3])\n",
        ":4:43: ",
        "name its numbers under constants",
    ),
}


@pytest.mark.parametrize("case", SPECS)
def test_specs_that_were_refused_unclearly(case: str) -> None:
    text, place, *words = SPECS[case]
    with pytest.raises(sg.SpecError) as caught:
        expand(sg.read(text))
    assert str(caught.value).startswith(f"<text>{place}")
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize("formula", ["x*pi", "ln(x)", "log10(x)", "clip(x, 0, 1)", "std(x)"])
def test_y32_to_y39_ordinary_mathematics_is_there(formula: str) -> None:
    expand(sg.read(FORMULA.replace("FORMULA", formula)))
