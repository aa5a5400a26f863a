"""The modules in generated/ are what symgrad makes of the examples today.

Regenerate them with SYMGRAD_UPDATE_GOLDEN=1.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from corpus import EXAMPLES
from golden import difference

from symgrad.pipeline import module_text
from symgrad.spec.reader import read

GENERATED = Path(__file__).parent.parent / "generated"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.stem)
def test_generated_module_is_up_to_date(example: Path) -> None:
    text, path = module_text(read(str(example))), GENERATED / f"{example.stem}.py"
    if os.environ.get("SYMGRAD_UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), difference(path.read_text(encoding="utf-8"), text)


def test_nothing_else_lies_there() -> None:
    names = {p.stem for p in GENERATED.glob("*.py")}
    assert names == {p.stem for p in EXAMPLES}
