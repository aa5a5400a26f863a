"""The Python interface as a whole."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numba
import pytest

import symgrad as sg

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SPEC = "name: api\ninputs: {x: [n, 2]}\ntargets: {t: [n, 1]}\nlayers: [dense(1)]\nloss: mse\n"
MAPPING = {
    "name": "api",
    "inputs": {"x": ["n", 2]},
    "targets": {"t": ["n", 1]},
    "layers": ["dense(1)"],
    "loss": "mse",
}


def test_a_spec_may_be_a_path_a_text_a_dict_or_a_spec(tmp_path: Path) -> None:
    file = tmp_path / "api.yaml"
    file.write_text(SPEC)
    sources = (str(file), file, SPEC, MAPPING, sg.read(SPEC))
    for source in sources:
        assert sg.read(source).sha256 in sg.generate(source, tmp_path / "api.py").read_text()
    assert len({str(sg.graph(source)) for source in sources}) == 1


def test_every_function_takes_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    file, data = tmp_path / "api.yaml", tmp_path / "api.csv"
    file.write_text(SPEC + "train: {data: api.csv, epochs: 1}\n")
    data.write_text("a,b,t\n1,2,3\n4,5,6\n")
    path = sg.generate(file, tmp_path / "api.py")
    assert sg.verify(str(file), path, points=1).passed
    run = sg.train(file, str(path), out=tmp_path / "run", progress=False)
    saved = sg.load_checkpoint(run.paths[0], path)
    assert (saved.params.W1 == run.params.W1).all()
    assert sg.read(file).sha256 == sg.build(str(file)).SPEC_SHA256
    assert sg.compare(file, time_limit=0.1).name == "api"


TAKES_A_SPEC = [sg.derive, sg.graph, sg.build, sg.verify, sg.compare, sg.train, sg.bench]


@pytest.mark.parametrize("takes_a_spec", [*TAKES_A_SPEC, lambda spec: sg.generate(spec, "net.py")])
@pytest.mark.parametrize("source", [3, None, b"net.yaml", ["layers"], "missing.yaml", "", {"inputs": {}}])
def test_what_is_no_spec_is_told(takes_a_spec: Callable[[Any], Any], source: object) -> None:
    with pytest.raises(sg.SpecError):
        takes_a_spec(source)


NUMBERS: dict[str, Callable[[], Any]] = {
    "points is 0": lambda: sg.verify(SPEC, points=0),
    "points is '3'": lambda: sg.verify(SPEC, points="3"),  # type: ignore[arg-type]  # what is refused
    "seed is -1": lambda: sg.verify(SPEC, seed=-1),
    "time_limit is 0": lambda: sg.verify(SPEC, time_limit=0),
    "rows is 0": lambda: sg.compare(SPEC, rows=0),
    "rows is 2.5": lambda: sg.compare(SPEC, rows=2.5),  # type: ignore[arg-type]  # what is refused
    "time_limit is nan": lambda: sg.compare(SPEC, time_limit=math.nan),
    "batch is 0": lambda: sg.bench(SPEC, batch=0),
    "cores is True": lambda: sg.bench(SPEC, cores=True),
    "seconds is -1": lambda: sg.bench(SPEC, seconds=-1),
    "epochs is 0": lambda: sg.train(SPEC, epochs=0),
    "epochs is '3'": lambda: sg.train(SPEC, epochs="3"),  # type: ignore[arg-type]  # what is refused
    "seed is 1.5": lambda: sg.train(SPEC, seed=1.5),  # type: ignore[arg-type]  # what is refused
}


@pytest.mark.parametrize("problem", NUMBERS)
def test_a_number_out_of_its_range_is_told(problem: str) -> None:
    with pytest.raises(sg.SymgradError, match=f"^{problem}; expected a "):
        NUMBERS[problem]()


def test_data_are_rows() -> None:
    with pytest.raises(sg.DataError, match=r"data\['x'\]: holds a single number, not rows"):
        sg.train(SPEC, data={"x": 1}, progress=False)


def test_verify_works_as_often_as_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
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


def test_generate_replaces_what_a_link_leads_to(tmp_path: Path) -> None:
    target, link = tmp_path / "net.py", tmp_path / "link.py"
    link.symlink_to(target)
    sg.generate(SPEC, link)
    assert link.is_symlink()
    assert target.read_bytes() == link.read_bytes()


@pytest.mark.parametrize("name", ["json", "numpy"])
def test_generate_hides_no_module_that_others_import(name: str, tmp_path: Path) -> None:
    with pytest.raises(sg.ModuleError, match=f"would hide '{name}', .*; name it {name}_net.py"):
        sg.generate(SPEC, tmp_path / f"{name}.py")
    assert not list(tmp_path.iterdir())


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


def test_help_begins_with_what_there_is() -> None:
    """`help(symgrad)` tells what every function is for before it lists them, and `dir` lists nothing else."""
    functions = {name for name in sg.__all__ if name[0].islower()}
    told = set(re.findall(r"`(?:symgrad )?(\w+)`|sg\.(\w+)", str(sg.__doc__)))
    assert functions <= {word for pair in told for word in pair}
    assert dir(sg) == sorted(sg.__all__)
    for name in functions:
        assert getattr(sg, name).__doc__
