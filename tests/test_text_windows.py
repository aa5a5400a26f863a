"""Texts as data: windows of bytes, and what stands behind each; the example of letters is read and trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from building import interpreted, written

from symgrad.errors import DataError, SpecError
from symgrad.spec.reader import read
from symgrad.training.dataset.data import load_data

EXAMPLE = Path(__file__).parent.parent / "examples" / "language" / "gpt_characters.yaml"


def spec_of(folder: Path, window: int = 3, classes: int = 128, **data: Any) -> Any:
    path = folder / "letters.yaml"
    block = {"path": "a.txt", "window": window, **data}
    axes = f"{{axes: [batch, {window}], classes: {classes}}}"
    path.write_text(
        f"inputs: {{x: {axes}}}\ntargets: {{t: {axes}}}\nequations: {{y: 'embedding(x, {classes})'}}\n"
        f"loss: softmax_cross_entropy\ntrain: {{data: {block}}}\n"
    )
    return read(path)


def test_windows_follow_one_another_and_have_the_next_letters_behind_them(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"abcdefgh")
    found = load_data(spec_of(tmp_path))
    assert [bytes(row.astype("u1")) for row in found.inputs["x"]] == [b"abc", b"def"]
    assert [bytes(row.astype("u1")) for row in found.targets["t"]] == [b"bcd", b"efg"]


def test_columns_may_say_what_feeds_what_and_another_file_is_cut_alike(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_bytes(b"abcdefg")
    spec = spec_of(tmp_path, columns={"x": ["following"], "t": ["window"]})
    found = load_data(spec, tmp_path / "b.txt")
    assert bytes(found.inputs["x"].astype("u1").ravel()) == b"bcdefg"
    assert bytes(found.targets["t"].astype("u1").ravel()) == b"abcdef"


@pytest.mark.parametrize(
    ("text", "classes", "problem"),
    [
        (None, 128, "a.txt: there is no such file; looked for"),
        (b"abc", 128, "a text of 3 bytes has no window of 3 with one behind it; expected a longer text"),
        (b"", 128, "a text of 0 bytes"),
        ("abcdéfgh".encode(), 128, "195"),
        (b"abcdefg", 101, "101|102"),
    ],
)
def test_texts_that_do_not_fit_are_refused(
    text: bytes | None, classes: int, problem: str, tmp_path: Path
) -> None:
    if text is not None:
        (tmp_path / "a.txt").write_bytes(text)
    with pytest.raises(DataError, match=problem):
        load_data(spec_of(tmp_path, classes=classes))


def test_a_window_has_an_entry() -> None:
    with pytest.raises(
        SpecError, match=r"train\.data\.window:1:1: train\.data\.window is 0; expected at least 1"
    ):
        read(
            {"inputs": {"x": [3]}, "equations": {"y": "x"}, "train": {"data": {"path": "a.txt", "window": 0}}}
        )


def test_the_example_starts_from_chance_and_learns(tmp_path: Path) -> None:
    """Two rows of its own text, in double precision, run by Python."""
    spec = read(EXAMPLE)
    data = load_data(spec).take(np.arange(2))
    small = EXAMPLE.read_text().replace("48", "8").replace("times: 2", "times: 1").replace("32", "4")
    module = interpreted(written(small.replace("float4", "float64"), tmp_path))
    letters, following = (array[:, :4] for array in data.arrays)
    params = module.init_params(0)
    before, grads = module.loss_and_grad(params, letters, following)
    assert before == pytest.approx(np.log(128), abs=0.5)
    step = module.unflatten(module.flatten(params) - 0.1 * module.flatten(grads))
    assert module.loss(step, letters, following) < before
