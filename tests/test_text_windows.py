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
from symgrad.training.dataset.known_rows import read_inputs, read_rows
from symgrad.training.dataset.preparation import Preparation, Windows
from symgrad.training.split import prepare, split

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


@pytest.mark.parametrize(
    ("window", "step", "length"), [(4, 1, 9), (4, 3, 20), (3, 3, 13), (5, 7, 30), (4, 2, 5)]
)
def test_windows_begin_every_step(window: int, step: int, length: int, tmp_path: Path) -> None:
    text = bytes(range(1, length + 1))
    (tmp_path / "a.txt").write_bytes(text)
    spec = spec_of(tmp_path, window, step=step)
    starts = [at for at in range(0, length, step) if at + window + 1 <= length]
    if len(starts) < 2:
        with pytest.raises(DataError, match="holds one row of data"):
            load_data(spec)
        return
    found = load_data(spec)
    assert [bytes(row.astype("u1")) for row in found.inputs["x"]] == [text[at : at + window] for at in starts]
    behind = [text[at + 1 : at + window + 1] for at in starts]
    assert [bytes(row.astype("u1")) for row in found.targets["t"]] == behind


@pytest.mark.parametrize(("step", "part"), [(1, 0.3), (2, 0.5), (4, 0.25), (5, 0.2)])
def test_what_is_held_out_of_a_text_is_its_end_and_nothing_of_it_is_trained_on(
    step: int, part: float, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_bytes(bytes(range(1, 61)))
    whole = load_data(spec_of(tmp_path, 4, step=step))
    training, held_out = split(whole, part, seed=3)
    assert held_out.rows == round(whole.rows * part)
    assert (held_out.inputs["x"] == whole.inputs["x"][-held_out.rows :]).all()
    seen = {*training.targets["t"].ravel().tolist()}
    assert max(seen) < min(held_out.targets["t"].ravel())
    gap = whole.rows - training.rows - held_out.rows
    assert gap == (4 - 1) // step


def test_a_text_of_windows_that_all_reach_into_what_is_held_out_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"abcdefgh")
    with pytest.raises(DataError, match="no window lies before the last 4 of 5, which are for validation"):
        split(load_data(spec_of(tmp_path, 3, step=1)), 0.8, seed=0)


def test_another_text_is_cut_alike_for_validation_and_by_a_model(tmp_path: Path) -> None:
    """Where it only reads, a window may end where the text does."""
    (tmp_path / "a.txt").write_bytes(bytes(range(1, 30)))
    (tmp_path / "b.txt").write_bytes(b"abcdefghi")
    spec_of(tmp_path, 3, step=2)
    path = tmp_path / "letters.yaml"
    path.write_text(path.read_text().replace("train: {", "train: {validation: b.txt, "))
    spec = read(path)
    parts = prepare(spec, load_data(spec), 0)
    known = Preparation.from_json(parts.preparation.to_json())
    assert parts.validation is not None
    for found in (parts.validation, *read_rows(known, tmp_path / "b.txt", np.float32)):
        assert [bytes(row.astype("u1")) for row in found.inputs["x"]] == [b"abc", b"cde", b"efg"]
        assert [bytes(row.astype("u1")) for row in found.targets["t"]] == [b"bcd", b"def", b"fgh"]
    ((windows,),) = read_inputs(known, tmp_path / "b.txt", np.float32)
    assert [bytes(row.astype("u1")) for row in windows] == [b"abc", b"cde", b"efg", b"ghi"]


@pytest.mark.parametrize("change", [{"step": 0}, {"ahead": 0}, {"window": -1}, {"window": "many"}])
def test_a_record_of_no_windows_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"windows by|many"):
        Windows.from_json({"window": 3, "step": 1, "ahead": None} | change)


def test_a_step_goes_from_window_to_window() -> None:
    data = {"path": "a.txt", "step": 2}
    with pytest.raises(SpecError, match=r"a step from window to window, and no window; .* window: 32"):
        read({"inputs": {"x": [3]}, "equations": {"y": "x"}, "train": {"data": data}})


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
    small = EXAMPLE.read_text().replace("64", "8").replace("times: 2", "times: 1")
    small = small.replace("T: 32", "T: 4").replace("window: 32", "window: 4").replace("step: 16", "step: 4")
    module = interpreted(written(small.replace("float32", "float64"), tmp_path))
    letters, following = (array[:, :4] for array in data.arrays)
    params = module.init_params(0)
    before, grads = module.loss_and_grad(params, letters, following)
    assert before == pytest.approx(np.log(128), abs=0.5)
    step = module.unflatten(module.flatten(params) - 0.1 * module.flatten(grads))
    assert module.loss(step, letters, following) < before
