"""The house stands as pyproject.toml draws it: imports run with the flow, without a circle at any depth."""

from __future__ import annotations

import ast
from pathlib import Path

from importlinter.cli import lint_imports

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "symgrad"
LATE = {
    "api.py": "start-up time",
    "cli": "start-up time",
    "diagnosis": "it runs where packages are missing",
    "graphs/interpret.py": "where nothing is drawn nothing needs Numba",
    "isolation/worker.py": "a module is called without SymPy",
    "judgement/gate.py": "a module that is kept needs no SymPy",
    "not_finite.py": "a training that goes well needs no mpmath",
    "training/finishing/finish.py": "a training that only makes epochs needs no optimiser of SciPy's",
    "unsolved.py": "a spec without what is solved for needs no mpmath",
    "verifier/functions/polynomials.py": "python-flint need not be installed",
    "verifier/interpretation/meaning.py": "a formula without derivatives needs no SymPy",
    "verifier/text_checks.py": "a module in no file needs no SymPy",
    "verifier/verdict.py": "a module without derivatives beyond the gradient needs no SymPy",
}
"""Who may import within functions, and why."""


def test_the_contracts_on_imports_are_kept() -> None:
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


def test_every_room_says_what_it_is_for() -> None:
    for file in PACKAGE.rglob("__init__.py"):
        if file.parent != PACKAGE and not {"starters", "specs"} & set(file.parts):
            assert ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))), file


def test_imports_stand_at_the_top() -> None:
    found = set()
    for file in PACKAGE.rglob("*.py"):
        for function in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                inside = (node for node in ast.walk(function) if isinstance(node, ast.ImportFrom))
                found |= {file for node in inside if (node.module or "").startswith("symgrad")}
    places = {file.relative_to(PACKAGE).as_posix() for file in found}
    strays = {place for place in places if not {place, place.partition("/")[0]} & LATE.keys()}
    assert not strays
    assert all(any(place.startswith(known) for place in places) for known in LATE)


def test_every_file_has_a_name_of_its_own() -> None:
    """A name says what a file is about, whichever room it stands in."""
    files = [file for file in PACKAGE.rglob("*.py") if not file.name.startswith("__")]
    twice = sorted({file.name for file in files if sum(other.name == file.name for other in files) > 1})
    assert not twice


def test_every_class_has_a_name_of_its_own() -> None:
    """One name, one concept, whichever room it stands in; private classes stay in their file."""
    found: dict[str, list[str]] = {}
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault(node.name, []).append(file.relative_to(PACKAGE).as_posix())
    assert not {name: files for name, files in found.items() if len(files) > 1}


def test_no_room_has_too_many_doors() -> None:
    """Fifteen files and rooms, or one more, can be taken in at a glance; the whole house is in pyproject."""
    for room in {file.parent for file in PACKAGE.rglob("__init__.py")} - {PACKAGE}:
        doors = [d for d in room.iterdir() if d.suffix == ".py" or (d / "__init__.py").exists()]
        assert len(doors) - 1 <= 16, room  # __init__.py is none
