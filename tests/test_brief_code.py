"""Entries, loops, shapes, transposes and views are compiled as Python and NumPy mean them."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest

from symgrad.runtime.kept_memory import _array
from symgrad.runtime.numba import compiling
from symgrad.runtime.numba.array_views import view
from symgrad.runtime.numba.compiling import compiled

RANDOM = Random(7)


def walked(start: int, stop: int, step: int, seen: np.ndarray) -> int:
    count = 0
    for number in range(start, stop, step):
        seen[count] = number
        count += 1
    return count


def exchanged(a: np.ndarray, i: Any, j: Any, k: Any, value: Any) -> Any:
    """What stood at a place, which then holds something else."""
    before = a[i, j, k]
    a[i, j, k] = value
    return before


def weighed(a: np.ndarray) -> Any:
    """A number that tells an array from all that are permuted, or longer by garbage."""
    turned, total = a.T, 0.0
    for i in range(turned.shape[0]):
        for j in range(turned.shape[1]):
            total += turned[i, j] * (1 + 17 * i + 31 * j * j)
    return total + 1000 * a.shape[0] + turned.shape[1]


def laid_over(memory: np.ndarray, start: int, rows: int) -> Any:
    a = view(memory, start, (rows, 3, 2))
    return a[0, 2, 1] + 10 * a[-1, 1, 0] + 100 * a.shape[0] + a.size


COMPILED = {function: compiled(function) for function in (walked, exchanged, weighed, laid_over)}


def in_memory(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array of random layout: by rows, by columns, with gaps, backwards, with axes exchanged."""
    memory = np.array([RANDOM.randint(-99, 99) for _ in range(6 * int(np.prod(shape)))]).astype(dtype)
    order = [*range(len(shape))]
    RANDOM.shuffle(order)
    steps = [RANDOM.choice((1, 1, 1, 2, -1)) for _ in shape]
    lengths = [shape[axis] * abs(steps[axis]) for axis in order]
    whole = memory[: int(np.prod(lengths))].reshape(lengths).transpose(np.argsort(order))
    return whole[tuple(slice(None, None, step) for step in steps)]


@pytest.mark.parametrize("_", range(60))
def test_a_loop_takes_the_numbers_of_its_range(_: int) -> None:
    start, stop, step = RANDOM.randint(-9, 9), RANDOM.randint(-9, 9), RANDOM.choice((-4, -3, -1, 1, 2, 5))
    seen = np.full(40, -1000)
    count = COMPILED[walked](start, stop, step, seen)
    assert [*seen[:count]] == [*range(start, stop, step)]
    assert (seen[count:] == -1000).all()


@pytest.mark.parametrize("dtype", [np.float32, np.bool_])
@pytest.mark.parametrize("_", range(15))
def test_an_entry_is_the_one_that_numpy_takes(_: int, dtype: Any) -> None:
    shape = tuple(RANDOM.randint(1, 4) for _ in range(3))
    a = in_memory(shape, dtype)
    expected = a.copy()
    for _ in range(10):
        place = tuple(np.int64(RANDOM.randint(-size, size - 1)) for size in shape)
        value = dtype(RANDOM.randint(0, 1))
        assert COMPILED[exchanged](a, *place, value) == expected[place]
        expected[place] = value
        assert np.array_equal(a, expected)


@pytest.mark.parametrize("kind", [np.int32, np.uint8, np.uint64])
def test_indices_may_be_integers_of_any_kind(kind: Any) -> None:
    a = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    assert COMPILED[exchanged](a, kind(1), kind(2), kind(3), np.float32(0)) == 23


@pytest.mark.parametrize("_", range(15))
def test_shapes_and_transposes(_: int) -> None:
    a = in_memory((RANDOM.randint(1, 4), RANDOM.randint(1, 4)), np.float64)
    assert COMPILED[weighed](a) == weighed(a)


def test_a_view_is_of_those_entries() -> None:
    memory = np.arange(100.0)
    for _ in range(20):
        start, rows = RANDOM.randint(0, 50), RANDOM.randint(1, 8)
        a = _array(memory, start, (rows, 3, 2))
        expected = a[0, 2, 1] + 10 * a[-1, 1, 0] + 100 * a.shape[0] + a.size
        assert COMPILED[laid_over](memory, start, rows) == expected


def test_a_later_numba_compiles_its_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "IS_KNOWN", False)
    a = in_memory((3, 4), np.float64)
    own_way = compiled(weighed)
    assert own_way(a) == weighed(a)
    names = own_way.get_metadata(own_way.signatures[0])["pipeline_times"]
    assert any("nopython_rewrites" in passes for passes in map(str, names.values()))


def test_loops_may_use_whole_registers() -> None:
    (code,) = COMPILED[walked].inspect_llvm().values()
    assert '"prefer-vector-width"="512"' in code
