"""What new writes: a spec that works at once, and the data it trains on."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from symgrad.cli.endings import GOOD
from symgrad.cli.output import say, write_result
from symgrad.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_GRID = range(-6, 7)


def write_starter(name: str, form: str, force: bool) -> int:
    """Write NAME.yaml and NAME.csv into the current folder, both or neither."""
    if not _NAME.fullmatch(name):
        remedy = "expected a letter, then letters, digits, '_' and '-', such as demo"
        raise SpecError(f"'{name}' cannot name a spec", remedy=remedy)
    texts = {Path(f"{name}.yaml"): starter(name, form), Path(f"{name}.csv"): ring_data()}
    for file in texts:
        if file.exists() and not force:  # it may be the user's own: nobody is told to overwrite it
            remedy = "choose another name: a starter writes a spec and data of its own"
            raise SpecError("this file is there already", at=str(file), remedy=remedy)
    _write_all(texts)
    say(*(f"wrote {file}" for file in texts), f"next: symgrad train {name}.yaml")
    return GOOD


def _write_all(texts: Mapping[Path, str]) -> None:
    new = [file for file in texts if not file.exists()]
    try:
        for file, text in texts.items():
            write_result(file, text)
    except OSError:
        for file in new:
            file.unlink(missing_ok=True)
        raise


def starter(name: str, form: str) -> str:
    """The commented spec of one form, bearing this name."""
    text = (files("symgrad.cli") / "starters" / f"{form}.yaml").read_text(encoding="utf-8")
    return text.replace("NAME", name)


def ring_data() -> str:
    """Points of a grid in the plane; the label says whether a point lies inside a circle."""
    rows = [f"{i / 5},{j / 5},{int(i * i + j * j < 16)}" for i in _GRID for j in _GRID]
    return "\n".join(["x1,x2,inside", *rows]) + "\n"
