"""A module alone takes rows as people have them, and answers as symgrad does, bit for bit."""

from __future__ import annotations

import csv
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from building import interpreted, written

import symgrad as sg
from symgrad.prediction.predictions import predictions
from symgrad.spec.reader import read
from symgrad.training.checkpoint import load_checkpoint
from symgrad.training.dataset.data import load_data
from symgrad.training.split import measure

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

WIDTH = 9
WORDS = ("red", "blue ", "Yes", "n.a.", "10", "ü", "none", "a,b", "True story", "?!")
GAPS = (None, float("nan"), "NA", " ", "none", "-")


def spec(dtype: str, **train: Any) -> dict[str, Any]:
    return {
        "name": "rows",
        "dtype": dtype,
        "inputs": {"x": ["batch", WIDTH]},
        "targets": {"t": ["batch"]},
        "parameters": {"w": {"axes": [WIDTH], "init": 1}},
        "equations": {"y": "x * w"},
        "loss": "mean(sum(y, axis=1) - t)",
        "train": train,
    }


@pytest.fixture(scope="module", params=["float32", "float64"])
def module(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return interpreted(written(spec(request.param), tmp_path_factory.mktemp("rows")))


class Table:
    """A random table of numbers, words and truths that come to WIDTH inputs, and more rows like those."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.kinds: dict[str, Any] = {}
        self.listed: list[str] = []
        self.gaps = self.random.choice((0.0, 0.1))
        left = WIDTH
        while left:
            name, kind = (
                f"c {len(self.kinds)}",
                self.random.choice(("number", "whole", "words", "truth", "codes")),
            )
            count = self.random.randint(3, 5)
            if kind in ("words", "codes") and count <= left:
                words = self.random.sample(WORDS if kind == "words" else range(-2, 9), count)
                self.kinds[name], left = words, left - count
                self.listed += [name] if kind == "codes" else []
            else:
                self.kinds[name], left = kind if kind in ("number", "whole", "truth") else "number", left - 1

    def cell(self, kind: Any, unseen: float) -> Any:
        if self.random.random() < self.gaps:
            return self.random.choice(GAPS[: 2 if self.random.random() < 0.7 else None])
        if isinstance(kind, list):
            new = "green" if isinstance(kind[0], str) else 77
            return new if self.random.random() < unseen else self.random.choice(kind)
        if kind == "truth":
            return self.random.random() < 0.5
        return self.random.randint(-9, 99) if kind == "whole" else self.random.gauss(3, 1000)

    def rows(self, count: int, unseen: float = 0) -> dict[str, list[Any]]:
        return {name: [self.cell(kind, unseen) for _ in range(count)] for name, kind in self.kinds.items()}


def of_symgrad(table: dict[str, Any], path: Path, module: ModuleType) -> Any:
    """Its own prediction of a data frame; None where it refuses."""
    frame = pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in table.items()})
    try:
        return load_checkpoint(path, module).predict(frame)
    except sg.DataError:
        return None
    except ValueError:  # what is not finite is refused by the module
        return None


def of_module(given: Any, path: Path, module: ModuleType) -> Any:
    try:
        return module.load(path).predict(given)
    except ValueError:
        return None


@pytest.mark.parametrize("seed", range(24))
def test_the_module_alone_predicts_what_symgrad_predicts(
    seed: int, module: ModuleType, tmp_path: Path
) -> None:
    table = Table(seed)
    missing = table.random.choice(("drop", "most_frequent") if table.gaps else ("refuse", 0.5))
    train = {"missing": missing, "standardize": seed % 3 > 0, "categorical": table.listed}
    read_as = read(
        spec(np.dtype(module.DTYPE).name, unseen=table.random.choice(("error", "ignore")), **train)
    )
    known = table.rows(60)
    for name, kind in table.kinds.items():
        known[name][:WIDTH] = [*(kind if isinstance(kind, list) else known[name])] * WIDTH
        known[name] = known[name][:60]
    try:
        dataset = load_data(read_as, pd.DataFrame({**known, "t": np.arange(60.0)}, dtype=object))
        preparation = measure(read_as, dataset)
    except sg.DataError:
        pytest.skip("a table that is refused")
    path = tmp_path / "rows.npz"
    module.save(path, module.init_params(), preparation=preparation.to_json())
    for unseen in (0, 0.2):
        new = table.rows(7, unseen)
        right = of_symgrad(new, path, module)
        records = [dict(zip(new, row, strict=True)) for row in zip(*new.values(), strict=True)]
        shuffled = dict(reversed(new.items()))
        lists = [list(record.values()) for record in records]
        for given in (new, shuffled, records, pd.DataFrame(new), lists, np.array(lists, object)):
            found = of_module(given, path, module)
            assert (found is None) == (right is None)
            if right is not None:
                assert found.tobytes() == right.tobytes()
        one = of_module({name: cells[0] for name, cells in new.items()}, path, module)
        right = of_symgrad({name: cells[:1] for name, cells in new.items()}, path, module)
        assert (None if one is None else one.tobytes()) == (None if right is None else right.tobytes())


def test_files_are_predicted_alike(module: ModuleType, tmp_path: Path) -> None:
    """The same rows in a CSV file, and as Python's csv module gives them, numbers as numbers."""
    table = {"area": [80.5, 100, None, 61], "kind": ["flat", "house", "flat", "hut"]}
    table |= {f"n{k}": [k, 2, 3, 4] for k in range(WIDTH - 5)} | {"new": [True, False, True, True]}
    read_as = read(spec(np.dtype(module.DTYPE).name, missing="mean", standardize=True, unseen="ignore"))
    data = pd.DataFrame(table | {"t": [0.0, 1, 2, 3]})
    preparation = measure(read_as, load_data(read_as, data))
    path, file = tmp_path / "rows.npz", tmp_path / "new.csv"
    module.save(path, module.init_params(), preparation=preparation.to_json())
    table["kind"][1] = "castle"
    pd.DataFrame(table).to_csv(file, index=False)
    (columns,) = predictions(load_checkpoint(path, module), file)
    right = np.stack(list(columns.values()), axis=1)
    with file.open() as opened:
        rows = list(csv.DictReader(opened))
    for row in rows:
        row.update({name: float(cell) for name, cell in row.items() if cell[:1].isdigit()})
    found = module.load(path).predict(rows)
    assert found.tobytes() == right.tobytes()
    assert not found[1, 1:4].any()  # no kind at all


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": None}, "x: there is no column 'kind'"),
        (
            {"kind": ["flat", "castle"]},
            "x: 'castle' in row 2 of 'kind' is no category; those",
        ),
        ({"area": ["80", 3]}, "x: '80' in row 1 of 'area' is no number"),
        ({"area": [True, 3]}, "x: True in row 1 of 'area' is no number"),
        ({"area": [2, 1j]}, "x: 1j in row 2 of 'area' is no number"),
        ({"area": [[1], 10**400]}, r"x: \[1\] in row 1 of 'area' is no number"),
        ({"area": [1, 10**400]}, "x: 10+ in row 2 of 'area' is no number"),
        ({"area": [1.0]}, "x: columns of different lengths"),
        ({"area": [None, 3]}, r"x: the entry at \[0, 0\] is nan"),
    ],
)
def test_what_cannot_be_taken_is_named(
    change: dict[str, Any], said: str, module: ModuleType, tmp_path: Path
) -> None:
    words = ["flat", "house", "hut"]
    columns = ["area", "kind", *(f"n{k}" for k in range(WIDTH - 4))]
    categories = [[], words, *([] for _ in range(WIDTH - 4))]
    record = {"shape": [WIDTH], "columns": columns, "categories": categories}
    path = tmp_path / "rows.npz"
    module.save(path, module.init_params(), preparation={"inputs": {"x": record}})
    table = {"area": [1.5, 2], "kind": ["flat", "hut"], **{name: [1, 2] for name in columns[2:]}, **change}
    given = {name: cells for name, cells in table.items() if cells is not None}
    with pytest.raises(ValueError, match=said):
        module.load(path).predict(given)


def test_a_column_that_is_there_twice_is_named(module: ModuleType, tmp_path: Path) -> None:
    columns = [f"n{k}" for k in range(WIDTH)]
    path = tmp_path / "rows.npz"
    record = {"shape": [WIDTH], "columns": columns, "categories": [[]] * WIDTH}
    module.save(path, module.init_params(), preparation={"inputs": {"x": record}})
    table = pd.DataFrame(np.ones((2, WIDTH + 1)), columns=[*columns, "n1"])
    with pytest.raises(ValueError, match="x: 2 columns are called 'n1'; give each its own name"):
        module.load(path).predict(table)
    unused = table.set_axis([*columns, "note"], axis=1)
    assert len(module.load(path).predict(pd.concat([unused, unused[["note"]]], axis=1))) == 2
