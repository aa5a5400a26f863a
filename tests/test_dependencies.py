"""The oldest versions declared are tried, and a module refuses a Numba that is older."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path

import numba
import pytest
from module_use import LINE
from numba.misc.init_utils import generate_version_info
from oldest import SELECTION, oldest_versions, project

from symgrad.errors import how_to_install
from symgrad.pipeline import module_text
from symgrad.spec.reader import read


def test_every_dependency_is_tried_in_its_oldest_version() -> None:
    pinned = oldest_versions()
    assert all(one.count("==") == 1 for one in pinned)
    assert {one.replace("==", ">=") for one in pinned} > set(project()["dependencies"])
    assert all((Path(__file__).parent / f"{name}.py").is_file() for name in SELECTION.split())


def test_extras_are_asked_for_as_the_readme_installs_them() -> None:
    """No registry has symgrad: what a message says is to work in a copy of the repository."""
    root = Path(__file__).parent.parent
    texts = [file.read_text() for file in (*root.glob("*.md"), *(root / "symgrad").rglob("*.py"))]
    assert not [text for text in texts if re.search(r"pip install .?symgrad", text)]
    asked = {extra for text in texts for extra in re.findall(r"how_to_install\(.(\w+).\)", text)}
    asked |= {
        extra for text in texts for many in re.findall(r'"\.\[([\w,]+)\]"', text) for extra in many.split(",")
    }
    assert asked >= {"plot", "mpi", "certify"}
    assert asked <= set(project()["optional-dependencies"])
    assert how_to_install("mpi") == 'run python -m pip install ".[mpi]" in your copy of symgrad'


def declared_numba() -> str:
    """The oldest Numba declared."""
    return next(one for one in project()["dependencies"] if one.startswith("numba>=")).removeprefix("numba>=")


@pytest.mark.parametrize(
    ("version", "is_refused"),
    [
        ("0.61.2", True),
        ("0.5", True),
        (declared_numba(), False),
        ("0.70.0rc1", False),
        ("1.0.0", False),
        ("0+unknown", False),
    ],
)
def test_a_module_refuses_a_numba_older_than_declared(
    version: str, is_refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Older ones would abort the process when they compile it."""
    head = module_text(read(LINE)).partition("IN_ORDER = ")[0]  # compiles nothing yet
    monkeypatch.setattr(numba, "version_info", generate_version_info(version))
    message = f"line: expected Numba {declared_numba()} or newer, found {version}; run: python -m pip install"
    with pytest.raises(ImportError, match=message) if is_refused else nullcontext():
        exec(head, {"__name__": "line"})
