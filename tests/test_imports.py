"""The house stands as pyproject.toml draws it: imports run with the flow, without a circle at any depth."""

from __future__ import annotations

import ast
from pathlib import Path

from importlinter.cli import lint_imports

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "symgrad"
LATE = ("api.py", "cli", "diagnosis", "gate.py", "graphs/make.py", "report/documents.py")
"""Who imports inside functions: for start-up time, or what need not be installed."""


def test_the_contracts_on_imports_are_kept() -> None:
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


def test_every_room_says_what_it_is_for() -> None:
    for file in PACKAGE.rglob("__init__.py"):
        if file.parent != PACKAGE and not {"starters", "specs"} & set(file.parts):
            assert ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))), file
