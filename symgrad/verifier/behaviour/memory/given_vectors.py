"""Parameters and directions of further derivatives as one vector each: of the right length and kind alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.verifier.behaviour.workbench import Bench, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

Bad = tuple[str, Any, type[Exception]]


def given_vectors(bench: Bench) -> Iterator[str]:
    """Vectors that are too short or too long, have two axes, or are lists are refused by name."""
    right = bench.module.flatten(bench.params())
    for name, kind in bench.case.further:
        function, data = getattr(bench.module, name), bench.data()
        if kind == "jacobian":
            data = data[: len(bench.case.inputs)]
        for what, bad, error in _bad(right):
            if kind in ("hvp", "gauss_newton"):
                wrong = refusal(error, "params:", function, bad, right, *data)
                wrong = wrong or refusal(error, "vector:", function, right, bad, *data)
            else:
                wrong = refusal(error, "params:", function, bad, *data)
            if wrong:
                yield f"{name}: {what} {wrong}"


def _bad(right: Any) -> Iterator[Bad]:
    yield "a vector that is too short", right[:-1], ValueError
    yield "a vector that is too long", np.append(right, right[:1]), ValueError
    yield "a matrix of one row", right[None], ValueError
    yield "a list", right.tolist(), TypeError
