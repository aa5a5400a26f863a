"""What one rank of a machine makes and the others there have, without MPI; with it: test_ranks.py."""

from __future__ import annotations

import os
import pickle
import sys
import tempfile
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from seeds import SEED
from thread_ranks import on_groups

from symgrad.errors import DataError
from symgrad.ranks.group_of_ranks import RankGroup
from symgrad.ranks.made_once import REMEDY, made_once
from symgrad.ranks.passing_names import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there every rank makes its own")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where files are made that are not kept."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def left(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.startswith(PREFIX)]


def test_one_rank_of_each_machine_makes_it_and_the_others_have_its_memory(folder: Path) -> None:
    made: list[int] = []

    def work(ranks: RankGroup) -> Any:
        def make() -> Any:
            made.append(ranks.rank)
            return {"x": np.full((3, 2), ranks.rank), "said": ranks.rank}

        what = None if ranks.rank == 4 else "other" if ranks.rank == 7 else "rows"
        return made_once(ranks, what, make)

    found = on_groups(9, work)
    assert sorted(made) == [0, 2, 4, 5, 6, 7, 8]
    assert [each["said"] for each in found] == [0, 0, 2, 2, 4, 5, 6, 7, 8]
    assert [int(each["x"].sum()) for each in found] == [6 * each["said"] for each in found]
    for one, other in pairwise(found):
        one["x"][1, 1] = 99
        assert (other["x"][1, 1] == 99) == (one["said"] == other["said"])
    assert not left(folder)
    assert made_once(RankGroup(), "rows", lambda: 5) == 5


def drawn(rng: np.random.Generator) -> Any:
    """Arrays of any kind and order, some of them twice, some views of others."""
    kinds = [np.float32, np.float64, np.int64, np.uint8, bool, "U5", object]
    found: list[Any] = []
    for _ in range(rng.integers(1, 8)):
        shape = rng.integers(0, 5, rng.integers(0, 4))
        array = np.asarray(100 * rng.normal(size=shape)).astype(kinds[rng.integers(len(kinds))])
        changed = [array, np.asfortranarray(array), array.T, array[::2] if array.ndim else array, array[...]]
        found += [changed[rng.integers(len(changed))]] * rng.integers(1, 3)
    return found


def test_arrays_of_any_kind_come_as_they_were(folder: Path) -> None:
    rng = np.random.default_rng(SEED)
    for _ in range(40):
        value = drawn(rng)
        expected = pickle.loads(pickle.dumps(value))

        def make(value: Any = value) -> Any:
            assert not left(folder), "its file has a name still: a rank that is killed now leaves it"
            return value

        for found in on_groups(2, partial(made_once, what="rows", make=make)):
            for one, other in zip(found, expected, strict=True):
                assert (one.dtype, one.shape) == (other.dtype, other.shape)
                np.testing.assert_array_equal(one, other)
                assert one.flags.writeable, "compiled code would be given a copy"
                assert one.flags.aligned
            assert [[a is b for a in found] for b in found] == [[a is b for a in value] for b in value]


def test_what_one_rank_cannot_make_no_rank_has(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(made: Callable[[RankGroup], Any]) -> list[str]:
        def work(ranks: RankGroup) -> str:
            with pytest.raises(DataError) as caught:
                made(ranks)
            return str(caught.value)

        found = on_groups(4, work)
        assert not left(folder)
        return found

    def broken(ranks: RankGroup) -> Any:
        def make() -> Any:
            raise DataError(f"rank {ranks.rank} reads no such file")

        return made_once(ranks, "rows", make if ranks.rank == 2 else lambda: 5)

    told = refused(broken)
    assert told[2] == "rank 2 reads no such file"
    assert told[0] == told[1] == told[3] == "rank 2: rank 2 reads no such file"
    full = partial(Path("/dev/full").open, "r+b", buffering=0)
    monkeypatch.setattr("symgrad.ranks.made_once._opened", lambda _: full())
    told = refused(partial(made_once, what="rows", make=lambda: np.zeros(2_000_000)))
    assert told[0] == f"{folder}: 16 MB of data cannot be held there: No space left on device; {REMEDY}"
    monkeypatch.undo()
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "none"))
    assert (
        "cannot be held there: No such file or directory" in refused(partial(made_once, what="", make=int))[0]
    )
