"""Certified errors of the polynomials of modules that carry every elementary function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.pipeline import module_text
from symgrad.spec.reader import read
from symgrad.verifier.functions.polynomials import bounds_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.verifier.functions.polynomials import Bound

CARRIED = ("exp", "expm1", "log", "log1p", "erf", "tanh")


def text_with_all(dtype: str) -> str:
    """The text of a module that carries every elementary function with a polynomial."""
    equations = {f"f{n}": f"{name}(x)" for n, name in enumerate(CARRIED)}
    spec = {
        "name": "functions",
        "dtype": dtype,
        "inputs": {"x": ["n"], "t": ["n"]},
        "equations": equations,
        "outputs": list(equations),
        "loss": "log_cosh(x, t)",
    }
    return module_text(read(spec))


def certificates(certify: bool = True) -> Iterator[Bound]:
    """The error of every polynomial in both precisions."""
    for dtype in ("float32", "float64"):
        yield from bounds_of(text_with_all(dtype), certify)
