"""Random tables in random dialects, against pandas, which parses, fills in and encodes by itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from thread_ranks import on_groups

import symgrad as sg
from symgrad.training.dataset.known_rows import read_inputs, read_rows
from symgrad.training.dataset.preparation import Preparation
from symgrad.training.preparing import prepared_parts

if TYPE_CHECKING:
    from pathlib import Path

    from symgrad.spec.model import Spec

pd = pytest.importorskip("pandas")

MARKS = ["", "NA", "?", "nan", "null", "#N/A"]
KINDS = {
    "number": st.sampled_from(["0", "1.5", "-2", "1e-3", "123456.75", "+4", ".5"]),
    "word": st.sampled_from(["red", "deep blue", "Grün", "o'clock", "a-b"]),
    "truth": st.sampled_from(["true", "false"]),
    "listed": st.sampled_from(["7", "8", "9"]),
}
LABELS = {
    "words": ["yes", "no", "maybe"],
    "numbers": ["3", "1", "2"],
    "counted": ["0", "1", "2"],
    "truths": ["True", "False"],
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[dict[str, list[str]], dict[str, str], str]:
    """Columns of texts, the kind of each, and the policy for missing values."""
    rows = draw(st.integers(4, 10))
    drawn = draw(st.lists(st.sampled_from([*KINDS]), min_size=1, max_size=4))
    kinds = {f"c{n}": kind for n, kind in enumerate(drawn)}
    missing = draw(st.sampled_from(["refuse", "drop", "most_frequent"]))
    columns = {}
    for name, kind in kinds.items():
        cells = draw(st.lists(KINDS[kind], min_size=rows, max_size=rows))
        if missing != "refuse":
            marks = MARKS if kind != "listed" else [""]
            cells = [draw(st.sampled_from([cell] * 5 + marks)) for cell in cells]
        columns[name] = cells
    labels = LABELS[draw(st.sampled_from([*LABELS]))]
    columns["t"] = [*labels, *draw(st.lists(st.sampled_from(labels), min_size=rows, max_size=rows))][:rows]
    assume(set(columns["t"]) == set(labels))
    return columns, kinds, missing


def expected(columns: dict[str, list[str]], kinds: dict[str, str], missing: str) -> tuple[Any, list[str]]:
    """The inputs before anything is standardised, and the rows' labels."""
    frame = pd.DataFrame(columns, dtype=object)
    features = frame[[*kinds]].mask(frame[[*kinds]].isin(MARKS))
    kept = features.notna().all(axis=1) if missing == "drop" else pd.Series(True, frame.index)
    assume(kept.sum() > 1)
    blocks = []
    for name, kind in kinds.items():
        cells = features[name]
        words = sorted(cells.dropna().unique(), key=float if kind == "listed" else None)
        assume(words)
        if kind == "number":
            cells = pd.to_numeric(cells)
        elif kind == "truth":
            cells = cells.map({"true": 1.0, "false": 0.0}).astype(float)
        if missing == "most_frequent":
            counts = cells.value_counts()
            cells = cells.fillna(min(counts[counts == counts.max()].index))
        single = kind in ("number", "truth")
        block = cells.astype(float) if single else pd.get_dummies(cells).reindex(columns=words).astype(float)
        blocks.append(block[kept].to_numpy().reshape(int(kept.sum()), -1))
    return np.hstack(blocks), frame["t"][kept].tolist()


def written(folder: Path, columns: dict[str, list[str]], draw: Any) -> tuple[Path, dict[str, Any]]:
    """A file of these texts in some dialect, and what has to be said of it."""
    separator = draw(st.sampled_from([",", ";", "\t", "|"]))
    point = "." if separator == "," else draw(st.sampled_from([".", ","]))
    quote = draw(st.booleans())
    order = draw(st.permutations([*columns]))
    kinds = {
        name: [cell.replace(".", point) if cell[-1:].isdigit() else cell for cell in columns[name]]
        for name in order
    }
    lines = [[*kinds], *zip(*kinds.values(), strict=True)]
    cells = [[f'"{cell}"' if quote else cell for cell in line] for line in lines]
    path = folder / f"d{draw(st.sampled_from(['.csv', '.tsv', '.txt']))}"
    start = draw(st.sampled_from(["", "\ufeff"]))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    path.write_text(
        start + end.join(separator.join(line) for line in cells) + end, newline="", encoding="utf-8"
    )
    return path, {"delimiter": separator, "decimal": point}


def spec_of(kinds: dict[str, str], labels: list[str], width: int, said: dict[str, Any], **train: Any) -> Spec:
    data = {"path": "d.csv", "columns": {"x": [*kinds], "t": "t"}, "header": True, **said}
    train |= {"categorical": [name for name, kind in kinds.items() if kind == "listed"], "data": data}
    text = f"dtype: float64\ninputs: {{x: [batch, {width}]}}\n"
    text += f"targets: {{t: {{axes: [batch], classes: {len(set(labels))}}}}}\nlayers: [dense(3)]\n"
    return sg.read(f"{text}loss: softmax_cross_entropy\ntrain: {json.dumps(train)}\n")


@settings(max_examples=50, deadline=None, derandomize=True)
@given(tables(), st.data())
def test_any_table_in_any_dialect(tmp_path_factory, table, data):
    columns, kinds, missing = table
    x, labels = expected(columns, kinds, missing)
    assume(len(x) > 1)
    folder = tmp_path_factory.mktemp("random")
    path, said = written(folder, columns, data.draw)
    standardize = data.draw(st.booleans())
    spec = spec_of(kinds, columns["t"], x.shape[1], said, missing=missing, standardize=standardize)
    alone = prepared_parts(spec, path, None, 0)
    _, parts = on_groups(2, lambda ranks: prepared_parts(spec, path, None, 0, ranks))  # the other one reads
    assert parts.sha256 == alone.sha256
    ours = parts.training.inputs["x"]
    known = parts.preparation.inputs["x"]
    numbers = np.repeat([kind == "number" for kind in kinds.values()], known.widths)
    if standardize:
        spread = np.where(np.ptp(x, axis=0) == 0, 1, x.std(axis=0))
        x = np.where(numbers, (x - x.mean(axis=0)) / spread, x)
    np.testing.assert_allclose(ours, x, rtol=1e-9, atol=1e-9)
    target = parts.preparation.targets["t"]
    names = target.classes or range(target.count)
    found = [str(names[label]) for label in parts.training.targets["t"]]
    assert found == labels
    again = Preparation.from_json(json.loads(json.dumps(parts.preparation.to_json())))
    check_known(again, path, missing, ours, parts.training.targets["t"])


def check_known(preparation: Preparation, path: Path, missing: str, x: Any, labels: Any) -> None:
    """The same file read as for prediction and evaluation gives the same rows."""
    (rows,) = read_rows(preparation, path, "float64", drop=missing == "drop")
    np.testing.assert_array_equal(rows.inputs["x"], x)
    np.testing.assert_array_equal(rows.targets["t"], labels)
    if missing != "drop":
        ((inputs,),) = read_inputs(preparation, path, "float64")
        np.testing.assert_array_equal(inputs, x)
