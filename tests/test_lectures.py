"""The lectures' demands: every row holds, its line stands in the README, and every spec is right."""

from __future__ import annotations

import gzip
import os
import runpy
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from building import interpreted, is_identical, judged
from seeds import one_in

from symgrad import api
from symgrad.lectures.demands import ROWS, Demand
from symgrad.lectures.verdicts import DemandVerdict, judge, specs_folder

if TYPE_CHECKING:
    from types import ModuleType

    from symgrad.spec.model import Spec

FOLDER = specs_folder()
SPECS = sorted(FOLDER.glob("*.yaml"))
NEEDS_COMPILATION = (3, 22, 23)
"""They train for long, or in scripts that build their modules themselves."""
COMPARES_WITH_PYTORCH = (22, 23)
WIDE = 23


def build_interpreted(spec: Spec) -> ModuleType:
    """The emitted module as Python runs it: these networks train for moments, and compiling takes longer."""
    with tempfile.TemporaryDirectory() as folder:
        return interpreted(api.generate(spec, Path(folder) / "module.py"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.number}")
def test_what_a_lecture_demands_holds(row: Demand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Homework 3 as it is, 1000 wide, is compared exactly with its spec by tests/proofs; 20 wide, below."""
    if row.number == WIDE:
        monkeypatch.setattr("symgrad.judgement.gate.admitted", lambda spec, text: text)
    build = api.build if row.number in NEEDS_COMPILATION else build_interpreted
    verdict = judge(row, FOLDER, build)
    assert verdict.holds, verdict.evidence
    if row.number not in COMPARES_WITH_PYTORCH or find_spec("torch"):
        check_line(verdict)


def check_line(verdict: DemandVerdict) -> None:
    """Demand that the README has the row's line, or put it there when asked to."""
    page = FOLDER / "README.md"
    start, line = f"| {verdict.row.number} |", table_line(verdict)
    lines = page.read_text(encoding="utf-8").splitlines()
    if os.environ.get("SYMGRAD_UPDATE_GOLDEN") == "1":
        place = next(n for n, text in enumerate(lines) if text.startswith(start))
        lines[place] = line
        page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert [text for text in lines if text.startswith(start)] == [line]


def table_line(verdict: DemandVerdict) -> str:
    row = verdict.row
    specs = ", ".join(f"[{name}]({name}.yaml)" for name in row.specs)
    evidence = verdict.evidence.replace("|", "\\|")
    return f"| {row.number} | {row.lecture} | {row.demand} | {specs} | holds: {evidence} |"


def test_every_spec_belongs_to_a_row() -> None:
    named = [name for row in ROWS for name in row.specs]
    assert sorted(named) == [path.stem for path in SPECS]
    assert [row.number for row in ROWS] == list(range(1, 24))


@pytest.mark.parametrize("path", one_in(3, SPECS), ids=lambda path: path.stem)
def test_every_spec_is_generated_and_verified(path: Path, tmp_path: Path) -> None:
    narrow = path.read_text(encoding="utf-8").replace("dense(1000,", "dense(20,")
    report = judged(narrow, tmp_path, compiled=False)
    assert report.passed, str(report)
    assert is_identical(report), str(report)


def test_homework3_takes_the_files_of_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.array([1, 2, 7] * 20, np.uint8)
    images = np.random.default_rng(0).integers(0, 255, (60, 28, 28), np.uint8)
    write_idx(tmp_path / "train-images-idx3-ubyte.gz", images)
    write_idx(tmp_path / "train-labels-idx1-ubyte.gz", labels)
    monkeypatch.syspath_prepend(FOLDER)
    script = runpy.run_path(str(FOLDER / "homework3.py"))
    x, t = script["mnist"](tmp_path)
    assert (x == images[labels != 7].reshape(40, 784)).all()
    assert t.tolist() == [[0], [1]] * 20
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"no such thing"))
    with pytest.raises(SystemExit, match="no IDX file"):
        script["main"](["--mnist", str(tmp_path)])
    with pytest.raises(SystemExit, match="there is no such file"):
        script["main"](["--mnist", str(tmp_path / "nowhere")])


def write_idx(path: Path, array: np.ndarray) -> None:
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
    path.write_bytes(gzip.compress(header + array.tobytes()))
