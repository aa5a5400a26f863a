"""Names that a spec has taken, and such as it has not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container

    from symgrad.spec.model import Spec


def unused(name: str, taken: Container[str]) -> str:
    """`name`, or with the first free suffix `_2`, `_3`, ..."""
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{name}_{number}", number + 1
    return candidate


def names_taken(spec: Spec) -> set[str]:
    """What the user has named: no layer's tensor may bear such a name, not even an axis's."""
    return _given_tensors(spec) | axes_named(spec) | {function.name for function in spec.functions}


def tensors_named(spec: Spec) -> set[str]:
    """All tensors of a spec, given or computed."""
    return _given_tensors(spec) | {equation.name for equation in spec.equations}


def _given_tensors(spec: Spec) -> set[str]:
    data = {tensor.name for tensor in (*spec.inputs, *spec.targets)}
    return data | {c.name for c in spec.constants} | {p.name for p in spec.parameters}


def axes_named(spec: Spec) -> set[str]:
    """The axes that have a size, and those of tensors."""
    listed = [t.axes for t in (*spec.inputs, *spec.targets)] + [p.axes for p in spec.parameters]
    axes = {axis for of in listed for axis in of if isinstance(axis, str)}
    return axes | {name for name, _ in spec.axes}
