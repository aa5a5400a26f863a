"""Reading data: every format gives the same tensors, from where the spec or the caller says."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from stub_files import CSV, T, X, check, idx, load, npy, npz, refused
from stub_module import AT, make_spec

from symgrad.errors import DataError
from symgrad.spec.model import DataSpec, TensorSpec
from symgrad.training.dataset.data import load_data


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (CSV, "data.csv"),
        ("\ufeff" + CSV, "bom.csv"),
        (CSV.replace("\n", "\r\n") + "\r\n\r\n", "windows.csv"),
        (CSV.replace(",", ";"), "semicolon.csv"),
        (CSV.replace(",", "\t"), "tabs.tsv"),
        (CSV.split("\n", 1)[1], "headless.csv"),
        ('"p",q,t\n' + CSV.split("\n", 1)[1], "quoted.csv"),
        (gzip.compress(CSV.encode(), mtime=0), "data.csv.gz"),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value and "\n" not in value else "",
)
def test_csv_dialects_give_the_same_tensors(tmp_path, content, name):
    check(load(tmp_path, content, name))


def test_array_formats_give_the_same_tensors(tmp_path):
    check(load(tmp_path, npz(tmp_path, t=T, x=X), "data.npz"))
    check(load(tmp_path, npy(tmp_path, np.column_stack([X, T])), "data.npy"))
    pq.write_table(pa.table({"p": X[:, 0], "q": X[:, 1], "t": T}), tmp_path / "made.parquet")
    check(load(tmp_path, (tmp_path / "made.parquet").read_bytes(), "data.parquet"))


def test_idx_images_find_their_labels(tmp_path):
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(8, T.astype(np.uint8)))
    dataset = load(tmp_path, idx(8, pixels), "train-images-idx3-ubyte", features=4)
    np.testing.assert_array_equal(dataset.inputs["x"], pixels.reshape(3, 4))
    np.testing.assert_array_equal(dataset.targets["t"], T)


def test_columns_choose_and_reorder(tmp_path):
    mapping = DataSpec("data.csv", (("t", ("label",)), ("x", ("q", "p"))), AT)
    content = "label,p,extra,q\n0,0.5,nan,1\n2,2,words,-3\n"
    dataset = load(tmp_path, content, data=mapping)
    np.testing.assert_array_equal(dataset.inputs["x"], [[1, 0.5], [-3, 2]])
    np.testing.assert_array_equal(dataset.targets["t"], [0, 2])


def test_a_column_of_the_tensors_name_wins_over_the_order(tmp_path):
    check(load(tmp_path, "t,p,q\n0,0.5,1\n2,2,-3\n1,4,5.5\n"))


def test_paths_leave_the_specs_folder_only_by_override(tmp_path):
    folder = tmp_path / "specs"
    folder.mkdir()
    (tmp_path / "data.csv").write_text(CSV)
    for path in ("../data.csv", str(tmp_path / "data.csv")):
        with pytest.raises(DataError, match="leaves the spec's folder"):
            load_data(make_spec(folder, data=DataSpec(path, (), AT)))
    (folder / "link.csv").symlink_to(tmp_path / "data.csv")
    with pytest.raises(DataError, match="leaves the spec's folder"):
        load_data(make_spec(folder, data=DataSpec("link.csv", (), AT)))
    check(load_data(make_spec(folder), tmp_path / "data.csv"))
    check(load_data(make_spec(folder, data=None), str(tmp_path / "data.csv")))


def test_missing_data_is_refused(tmp_path):
    for spec, words in [
        (make_spec(tmp_path), "no such file"),
        (make_spec(tmp_path, data=None), "names no data"),
        (make_spec(tmp_path, data=DataSpec(".", (), AT)), "is not a file"),
    ]:
        with pytest.raises(DataError, match=words):
            load_data(spec)
    assert "format is not known" in refused(tmp_path, CSV, "data.xlsx")


def test_tensors_without_rows_or_sizes_are_refused(tmp_path):
    for axes, words in [
        ((), "no batch axis"),
        ((3, 2), "no batch axis"),
        ((3, 2), "by the module's own fit(x, t)"),
        (("nodes", "nodes"), "no batch axis"),
        (("batch", "D"), "axis 'D' of 'x' has no size"),
    ]:
        assert words in refused(tmp_path, CSV, inputs=(TensorSpec("x", axes, None, AT),))
    named = replace(
        make_spec(tmp_path, inputs=(TensorSpec("x", ("batch", "D"), None, AT),)), axes=(("D", 2),)
    )
    check(load_data(named))


@pytest.mark.parametrize(
    ("name", "features", "classes", "rows"),
    [("digits", 64, 10, 1797), ("breast_cancer", 30, 2, 569), ("diabetes", 10, None, 442)],
)
def test_the_examples_data_are_whole(name, features, classes, rows):
    file = Path(__file__).parent.parent / "examples" / "data" / f"{name}.csv"
    dataset = load_data(make_spec(features=features, classes=classes), file)
    assert dataset.rows == rows
    target = dataset.targets["t"]
    if classes:
        assert sorted(set(target.tolist())) == list(range(classes))
    else:
        assert (target.min(), target.max()) == (25, 346)
