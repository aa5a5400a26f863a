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


def test_adams_numbers_are_not_mistaken_for_biases() -> None:
    """digits has biases b1 and b2: the update names its numbers as the paper does and says which they are."""
    update = (GENERATED / "digits.py").read_text().partition("Update, for every")[2].partition('"""')[0]
    assert "m ← β₁·m + (1 − β₁)·g" in update
    assert 'with β₁ = HYPER["b1"], β₂ = HYPER["b2"]' in update
    assert "b1·" not in update


def test_nothing_else_lies_there() -> None:
    names = {p.stem for p in GENERATED.glob("*.py")}
    assert names == {p.stem for p in EXAMPLES}
