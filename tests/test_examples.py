"""The examples in folders of their own: their data come as they say, and a step lowers the loss."""

from __future__ import annotations

import gzip
import re
import runpy
import shutil
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written

from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.training.dataset.data import Dataset, load_data

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = Path(__file__).parent.parent / "examples"
DIGITS = EXAMPLES / "data" / "digits.csv"


@pytest.fixture
def of(tmp_path: Path) -> Callable[[str], Path]:
    """A file of a copy of the examples' folder, so that scripts write beside the copy."""

    def file(name: str) -> Path:
        folder = tmp_path / Path(name).parent.name
        if not folder.exists():
            shutil.copytree((EXAMPLES / name).parent, folder)
        return folder / Path(name).name

    return file


def learns(example: Path, data: Dataset, rows: int = 2, rate: float = 1e-3) -> None:
    """A step against the gradient on a few rows, in double precision, run by Python, lowers the loss."""
    folder = example.parent
    module = interpreted(written(example.read_text().replace("float32", "float64"), folder))
    arrays = [
        array.astype(float) if array.dtype.kind == "f" else array
        for array in data.take(np.arange(rows)).arrays
    ]
    params = module.init_params(0)
    before, grads = module.loss_and_grad(params, *arrays)
    step = module.unflatten(module.flatten(params) - rate * module.flatten(grads))
    assert np.isfinite(before)
    assert module.loss(step, *arrays) < before


def test_digits_are_pictures_row_by_row(of: Callable[[str], Path]) -> None:
    example = of("images/digits_cnn.yaml")
    data = load_data(read(example), DIGITS)
    pixels = np.loadtxt(DIGITS, delimiter=",", skiprows=1, max_rows=2)[:, :64]
    assert (data.inputs["x"][:2, :, :, 0] == pixels.reshape(2, 8, 8)).all()
    learns(example, data)


def test_the_autoencoder_takes_pixels_alone(of: Callable[[str], Path]) -> None:
    example = of("images/digits_autoencoder.yaml")
    data = load_data(read(example), DIGITS)
    assert data.inputs["x"].shape == (1797, 64)
    learns(example, data)


def test_the_half_behind_the_code_stands_alone_without_the_data_of_the_whole() -> None:
    pytest.importorskip("sklearn")
    from symgrad.sklearn.changed_specs import after

    half = expand(after(read(EXAMPLES / "images" / "digits_autoencoder.yaml"), "code", (8,), ("y",)))
    assert [tensor.name for tensor in half.spec.inputs] == ["code"]
    assert half.spec.train.data is None


def idx(path: Path, values: Any) -> None:
    header = struct.pack(f">4B{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    path.write_bytes(gzip.compress(header + values.astype("u1").tobytes()))


def test_pictures_of_28_by_28_come_from_idx_files(of: Callable[[str], Path]) -> None:
    example = of("images/mnist_cnn.yaml")
    pictures = np.random.default_rng(0).integers(0, 256, (3, 28, 28))
    idx(example.with_name("train-images-idx3-ubyte.gz"), pictures)
    idx(example.with_name("train-labels-idx1-ubyte.gz"), np.array([3, 1, 9]))
    data = load_data(read(example))
    assert (data.inputs["x"][..., 0] == pictures).all()
    assert data.targets["t"].tolist() == [3, 1, 9]


def test_ratings_are_drawn_and_factorised(of: Callable[[str], Path]) -> None:
    example = of("recommendation/ratings.yaml")
    runpy.run_path(str(example.with_name("draw_ratings.py")))
    data = load_data(read(example))
    assert data.inputs["user"].max() == 199
    assert data.inputs["item"].max() == 119
    learns(example, data, rows=20)


def test_words_of_a_grammar_are_drawn_and_foretold(of: Callable[[str], Path]) -> None:
    example = of("language/word_vectors.yaml")
    runpy.run_path(str(example.with_name("draw_sentences.py")), run_name="__main__")
    data = load_data(read(example))
    words = data.preparation.inputs["word"].classes
    assert words == data.preparation.targets["near"].classes
    assert {"eats", "woman", "plate"} < set(words)
    learns(example, data, rows=20)


def test_drawn_shapes_feed_the_unet_which_learns(of: Callable[[str], Path]) -> None:
    """Smaller pictures and fewer channels, as Python counts them one by one."""
    example, script = of("images/shapes_unet.yaml"), of("images/draw_shapes.py")
    script.write_text(script.read_text().replace("16, 2000", "8, 4"))
    text = re.sub(r", (8|16|32), kernel", ", 2, kernel", example.read_text())
    example.write_text(text.replace("[batch, 16, 16", "[batch, 8, 8"))
    runpy.run_path(str(script))
    data = load_data(read(example))
    assert data.inputs["x"].shape == (4, 8, 8, 1)
    assert set(np.unique(data.targets["t"])) == {0, 1, 2, 3}
    learns(example, data)
