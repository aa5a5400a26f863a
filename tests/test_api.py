"""The Python interface as a whole."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import symgrad as sg

if TYPE_CHECKING:
    from pathlib import Path

SPEC = "name: api\ninputs: {x: [n, 2]}\ntargets: {t: [n, 1]}\nlayers: [dense(1)]\nloss: mse\n"


def test_verify_works_as_often_as_it_is_called() -> None:
    spec = sg.read(SPEC)
    module = sg.build(spec)
    assert sg.verify(spec, module).passed
    assert sg.verify(spec, module).passed


def test_public_names_are_there_and_others_are_not() -> None:
    assert all(hasattr(sg, name) for name in sg.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = sg.nonsense


def test_generate_leaves_a_file_that_holds_the_text_already(tmp_path: Path) -> None:
    path = sg.generate(sg.read(SPEC), tmp_path / "net.py")
    text, written = path.read_bytes(), path.stat().st_mtime_ns
    sg.generate(sg.read(SPEC), path)
    assert path.stat().st_mtime_ns == written
    path.write_bytes(text + b"#")
    sg.generate(sg.read(SPEC), path)
    assert path.read_bytes() == text


def test_generate_writes_whole_files_or_none(tmp_path: Path) -> None:
    path = sg.generate(sg.read(SPEC), tmp_path / "new" / "net.py")
    assert [p.name for p in path.parent.iterdir()] == ["net.py"]
    with pytest.raises(sg.ModuleError, match="cannot be written"):
        sg.generate(sg.read(SPEC), path / "below_a_file.py")


def test_import_is_lean() -> None:
    code = "import sys, symgrad; print({'numpy', 'numba', 'sympy'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"


def test_the_judge_never_loads_the_calculus() -> None:
    forbidden = "m.startswith(('symgrad.calculus', 'symgrad.compiler', 'sympy'))"
    code = f"import sys, symgrad.verifier; print([m for m in sys.modules if {forbidden}])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_training_without_a_loss_is_refused() -> None:
    spec = sg.read({"inputs": {"x": ["n", 2]}, "equations": {"y": "dense(x, 1)"}})
    with pytest.raises(sg.SpecError, match="no loss"):
        sg.train(spec)


def test_a_module_that_ends_the_process_is_a_faulty_module(tmp_path: Path) -> None:
    path = tmp_path / "ends.py"
    path.write_text("raise SystemExit(0)")
    with pytest.raises(sg.ModuleError, match="SystemExit"):
        sg.load(path)
