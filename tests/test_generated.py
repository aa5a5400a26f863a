"""The modules in generated/ are what symgrad makes of the examples today.

Regenerate them with SYMGRAD_UPDATE_GOLDEN=1.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from corpus import EXAMPLES
from golden import compare

from symgrad.pipeline import module_text
from symgrad.spec.reader import read

GENERATED = Path(__file__).parent.parent / "generated"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.stem)
def test_generated_module_is_up_to_date(example: Path) -> None:
    compare(f"{example.stem}.py", module_text(read(str(example))), GENERATED)


def test_nothing_else_lies_there() -> None:
    names = {p.stem for p in GENERATED.glob("*.py")}
    assert names == {p.stem for p in EXAMPLES}
