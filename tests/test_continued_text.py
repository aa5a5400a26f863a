"""Texts written on, by a network whose chances are known: each byte is likely to be followed by the next."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner

from symgrad.cli import main
from symgrad.errors import DataError
from symgrad.prediction.continued_text import continued_text
from symgrad.runtime.optional.sequences import chances_by_windows, sampled_labels

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOW, CLASSES = 4, 100


def predict(_: Any, rows: np.ndarray) -> np.ndarray:
    """3/4 for the byte after the one seen, the rest for the one after that."""
    chances = np.zeros((*rows.shape, CLASSES), np.float32)
    for at in np.ndindex(rows.shape):
        chances[(*at, (rows[at] + 1) % CLASSES)] = 0.75
        chances[(*at, (rows[at] + 2) % CLASSES)] = 0.25
    return chances


def behind_all(_: Any, rows: np.ndarray) -> np.ndarray:
    """The same of what comes behind a window alone."""
    return predict(_, rows)[:, -1]


def looks_ahead(_: Any, rows: np.ndarray) -> np.ndarray:
    return predict(_, np.roll(rows, -1, axis=1))


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A trained network of these predictions, whose module has the runtime's `sample`."""

    def made(predict: Any = predict, **changes: Any) -> Any:
        facts = {"INPUTS": ("x",), "AXES": {"x": ("batch", WINDOW)}, "CLASSES": {"x": CLASSES}}
        for name, value in {**facts, "predict": predict}.items():
            for part in (sampled_labels, chances_by_windows):
                monkeypatch.setattr(part, name, value, raising=False)
        module = {**facts, "SPEC_NAME": "letters", "sample": sample} | changes
        module = {name: value for name, value in module.items() if value is not None}
        return SimpleNamespace(module=SimpleNamespace(**module), fitted=())

    return made


def sample(
    params: Any,
    start: Any,
    length: Any,
    temperature: Any = 1.0,
    top_k: Any = None,
    seed: Any = 0,
    stop: Any = None,
) -> list[int]:
    return sampled_labels._sampled(params, start, length, temperature, top_k, seed, stop)


def test_the_likeliest_byte_is_the_next(network: Callable[..., Any]) -> None:
    assert continued_text(network(), b"AB", 7, temperature=0) == b"ABCDEFGHI"
    assert continued_text(network(), b"ABCDEFG", 2, temperature=0) == b"ABCDEFGHI"  # longer than a window
    assert continued_text(network(behind_all), b"ABCD", 5, temperature=0) == b"ABCDEFGHI"


def test_bytes_are_drawn_by_their_chances_and_the_temperature(network: Callable[..., Any]) -> None:
    for temperature, share in ((1.0, 3 / 4), (0.5, 9 / 10), (2.0, 3**0.5 / (1 + 3**0.5))):
        text = np.frombuffer(continued_text(network(), b"A", 2000, temperature, seed=3), np.uint8)
        steps = np.diff(text.astype(int)) % CLASSES
        assert set(steps) == {1, 2}
        assert np.mean(steps == 1) == pytest.approx(share, abs=0.035)


def test_a_seed_is_a_text(network: Callable[..., Any]) -> None:
    texts = [continued_text(network(), b"A", 50, seed=seed) for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_the_likeliest_so_many_are_drawn_from_up_to_a_stop(network: Callable[..., Any]) -> None:
    network()
    assert sample((), [5], 6, temperature=50.0, top_k=1) == [5, 6, 7, 8, 9, 10, 11]
    assert set(np.diff(sample((), [5], 40, top_k=2))) == {1, 2}
    assert sample((), np.array([5]), 50, temperature=0, stop=8) == [5, 6, 7, 8]
    assert sample((), b"\5", 50, temperature=0, stop=b"\x08") == [5, 6, 7, 8]
    assert sample((), [8], 2, temperature=0, stop=8) == [8, 9, 10]  # what was there before ends nothing
    assert sample((), [8], 0) == [8]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"start": []}, r"start: expected whole numbers from 0 to 99 in a row, got \[\]"),
        ({"start": [3, 100]}, "start: expected whole numbers"),
        ({"start": [[3]]}, "start: expected whole numbers"),
        ({"start": "text"}, "start: expected numbers, got <U4"),
        ({"length": 1.5}, "length: expected a whole number from 0, got 1.5"),
        ({"temperature": True}, "temperature: expected a number from 0, got True"),
        ({"temperature": 10**400}, "temperature: expected a number from 0, got 1000"),
        ({"top_k": 0}, "top_k: expected a whole number from 1, got 0"),
        ({"seed": -3}, "seed: expected a whole number from 0, got -3"),
        ({"stop": 100}, "stop: expected a whole number from 0 to 99, got 100"),
        ({"stop": b"AB"}, "stop: expected a whole number from 0 to 99, got b'AB'"),
    ],
)
def test_a_bad_argument_is_named(network: Callable[..., Any], given: dict[str, Any], problem: str) -> None:
    network()
    with pytest.raises((ValueError, TypeError), match=problem):
        sample((), **{"start": [1], "length": 2, **given})


@pytest.mark.parametrize(
    ("changes", "start", "numbers", "problem"),
    [
        ({}, b"", {}, "cannot be written on; expected a start of bytes below 100"),
        ({}, b"z", {}, "cannot be written on"),
        ({}, b"A", {"length": -1}, "no text can be written; expected up to 1,000,000 bytes"),
        ({}, b"A", {"temperature": float("nan")}, "a temperature from 0 on"),
        ({"sample": None}, b"A", {}, r"expected one input \[batch, T\]"),
        ({"CLASSES": {}}, b"A", {}, "at most 256 classes"),
        ({"predict": lambda _, rows: predict(_, rows) * np.nan}, b"A", {}, "params: .* is not finite"),
        ({"predict": lambda _, rows: predict(_, rows) * 2}, b"A", {}, "are no chances"),
        ({"predict": looks_ahead}, b"A", {}, "looks at what comes behind a place; it could with causal=true"),
        ({"predict": behind_all}, b"ABC", {}, "start: expected at least 4 labels, .*, got 3"),
    ],
)
def test_what_cannot_write_is_refused(
    network: Callable[..., Any],
    changes: dict[str, Any],
    start: bytes,
    numbers: dict[str, Any],
    problem: str,
) -> None:
    with pytest.raises(DataError, match=problem):
        continued_text(network(**changes), start, **{"length": 3, **numbers})


@pytest.mark.parametrize("arguments", [["a.npz"], ["a.npz", "rows.csv", "--generate", "3"]])
def test_rows_or_a_text_are_asked_for(arguments: list[str]) -> None:
    found = CliRunner().invoke(main, ["predict", *arguments])
    assert found.exit_code == 2
    assert "name the file with the rows, or say --generate BYTES" in found.output
