"""Texts written on, by a network whose chances are known: each byte is likely to be followed by the next."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from symgrad.cli import main
from symgrad.errors import DataError
from symgrad.prediction.continued_text import continued_text

WINDOW, CLASSES = 4, 100


def predict(_: Any, rows: np.ndarray) -> np.ndarray:
    """3/4 for the byte after the one seen, the rest for the one after that."""
    chances = np.zeros((*rows.shape, CLASSES), np.float32)
    for at in np.ndindex(rows.shape):
        chances[(*at, (rows[at] + 1) % CLASSES)] = 0.75
        chances[(*at, (rows[at] + 2) % CLASSES)] = 0.25
    return chances


def network(**changes: Any) -> Any:
    module = {
        "SPEC_NAME": "letters",
        "INPUTS": ("x",),
        "AXES": {"x": ("batch", WINDOW)},
        "BATCH_AXIS": "batch",
        "CLASSES": {"x": CLASSES},
        "TASK": "classes",
        "predict": predict,
    }
    return SimpleNamespace(module=SimpleNamespace(**module | changes), fitted=())


def test_the_likeliest_byte_is_the_next() -> None:
    assert continued_text(network(), b"AB", 7, temperature=0) == b"ABCDEFGHI"
    assert continued_text(network(), b"ABCDEFG", 2, temperature=0) == b"ABCDEFGHI"  # longer than a window


def test_bytes_are_drawn_by_their_chances_and_the_temperature() -> None:
    for temperature, share in ((1.0, 3 / 4), (0.5, 9 / 10), (2.0, 3**0.5 / (1 + 3**0.5))):
        text = np.frombuffer(continued_text(network(), b"A", 4000, temperature, seed=3), np.uint8)
        steps = np.diff(text.astype(int)) % CLASSES
        assert set(steps) == {1, 2}
        assert np.mean(steps == 1) == pytest.approx(share, abs=0.03)


def test_a_seed_is_a_text() -> None:
    texts = [continued_text(network(), b"A", 50, seed=seed) for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def looks_ahead(_: Any, rows: np.ndarray) -> np.ndarray:
    return predict(_, np.roll(rows, -1, axis=1))


@pytest.mark.parametrize(
    ("changes", "start", "numbers", "problem"),
    [
        ({}, b"", {}, "cannot be written on; expected a start of bytes below 100"),
        ({}, b"z", {}, "cannot be written on"),
        ({}, b"A", {"length": -1}, "no text can be written; expected up to 1,000,000 bytes"),
        ({}, b"A", {"temperature": float("nan")}, "a temperature from 0 on"),
        ({"AXES": {"x": ("batch",)}}, b"A", {}, r"expected one input \[batch, T\]"),
        ({"INPUTS": ("x", "m")}, b"A", {}, r"expected one input \[batch, T\]"),
        ({"TASK": "values"}, b"A", {}, "a loss of classes"),
        ({"CLASSES": {}}, b"A", {}, "at most 256 classes"),
        ({"predict": lambda _, rows: predict(_, rows) * np.nan}, b"A", {}, "parameters are no numbers"),
        ({"predict": looks_ahead}, b"A", {}, "depends on places behind it.*; expected causal=true"),
        ({"predict": lambda _, rows: predict(_, rows)[:, 0]}, b"A", {}, "no answer for each"),
    ],
)
def test_what_cannot_write_is_refused(
    changes: dict[str, Any], start: bytes, numbers: dict[str, Any], problem: str
) -> None:
    with pytest.raises(DataError, match=problem):
        continued_text(network(**changes), start, **{"length": 3, **numbers})


@pytest.mark.parametrize("arguments", [["a.npz"], ["a.npz", "rows.csv", "--generate", "3"]])
def test_rows_or_a_text_are_asked_for(arguments: list[str]) -> None:
    found = CliRunner().invoke(main, ["predict", *arguments])
    assert found.exit_code == 2
    assert "name the file with the rows, or say --generate BYTES" in found.output
