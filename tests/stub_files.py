"""Small data files in every format, and how the tests load them; all good ones hold X and T."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
from stub_module import AT, make_spec

from symgrad.errors import DataError
from symgrad.spec.model import DataSpec
from symgrad.training.dataset.data import load_data

if TYPE_CHECKING:
    from pathlib import Path

X = np.array([[0.5, 1.0], [2.0, -3.0], [4.0, 5.5]])
T = np.array([0, 2, 1])
CSV = "p,q,t\n0.5,1,0\n2,-3,2\n4,5.5,1\n"


def load(folder: Path, content: str | bytes, name: str = "data.csv", **spec):
    data = content.encode() if isinstance(content, str) else content
    (folder / name).write_bytes(data)
    spec.setdefault("data", DataSpec(name, (), AT))
    return load_data(make_spec(folder, **spec))


def refused(folder: Path, content: str | bytes, name: str = "data.csv", **spec) -> str:
    with pytest.raises(DataError) as caught:
        load(folder, content, name, **spec)
    assert caught.value.remedy, "every refusal says how to mend it"
    return str(caught.value)


def npz(path: Path, **arrays) -> bytes:
    np.savez(path / "made.npz", **arrays)
    return (path / "made.npz").read_bytes()


def npy(path: Path, array, **options) -> bytes:
    np.save(path / "made.npy", array, **options)
    return (path / "made.npy").read_bytes()


def idx(code: int, array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape) + array.tobytes()


def check(dataset) -> None:
    np.testing.assert_array_equal(dataset.inputs["x"], X)
    np.testing.assert_array_equal(dataset.targets["t"], T)
    assert dataset.targets["t"].dtype == np.int64
    assert dataset.inputs["x"].dtype == np.float64
    assert all(values.flags.c_contiguous for values in dataset.arrays)
    assert dataset.rows == 3
