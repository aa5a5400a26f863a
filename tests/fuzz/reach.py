"""What the loss of a spec depends on."""

from __future__ import annotations

import ast
from typing import Any

from fuzz.layers import ACTIVATIONS, LEARNT
from fuzz.oracle import tree_of


def reached(spec: dict[str, Any]) -> set[str]:
    """Every name that stands in the loss, or in an equation of such a name; the names of functions too."""
    formulas = {key.partition("[")[0]: formula for key, formula in spec.get("equations", {}).items()}
    found: set[str] = set()
    waiting = [str(spec["loss"])]
    while waiting:
        names = {n.id for n in ast.walk(tree_of(waiting.pop())) if isinstance(n, ast.Name)} - found
        found |= names
        waiting += [formulas[name] for name in names if name in formulas]
    return found


def depends_on_parameters(spec: dict[str, Any]) -> bool:
    """Whether the loss reads a parameter, declared or a layer's."""
    return not reached(spec).isdisjoint({*spec.get("parameters", {}), *LEARNT, *ACTIVATIONS})
