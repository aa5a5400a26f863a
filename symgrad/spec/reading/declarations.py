"""What holds between the declarations of a spec: one meaning per name, tensors that fit in memory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from symgrad.errors import Position, SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from symgrad.spec.model import ParameterSpec, Spec, TensorSpec

MAX_ENTRIES = 2**31


def check_declarations(spec: Spec, axes: Mapping[str, Position], repeated: Mapping[str, Position]) -> None:
    """Accept declarations that do not contradict each other.

    `axes` says where each axis is first named, `repeated` each equation that other names stand for.

    Raises:
        SpecError: for two things of one name, naming both, and for a tensor too large for memory.
    """
    seen: dict[str, tuple[str, Position]] = {}
    for kind, name, at in (*_named(spec, axes), *(("equation", name, at) for name, at in repeated.items())):
        if name in seen:
            other, there = seen[name]
            problem = f"the {kind} '{name}' has the name of the {other} at {there}"
            raise SpecError(problem, at=at, remedy="choose another name")
        seen[name] = kind, at
    tensors: list[TensorSpec | ParameterSpec] = [*spec.inputs, *spec.targets, *spec.parameters]
    for tensor in tensors:
        _check_size(tensor, dict(spec.axes))
    _check_networks(spec, {name: value for name, value in seen.items() if value[0] != "equation"})


def _check_networks(spec: Spec, seen: Mapping[str, tuple[str, Position]]) -> None:
    """A network may bear the name of an equation, as in `u: u(x, t)`, and of nothing else."""
    for network in spec.networks:
        if network.name in seen:
            other, there = seen[network.name]
            problem = f"the network '{network.name}' has the name of the {other} at {there}"
            raise SpecError(problem, at=network.at, remedy="choose another name")
        own = dict.fromkeys(network.arguments, ("argument", network.at))
        for equation in network.equations if len(network.equations) > 1 else ():
            if equation.name in seen or equation.name in own:
                other, there = own.get(equation.name) or seen[equation.name]
                problem = f"the equation '{equation.name}' has the name of the {other} at {there}"
                raise SpecError(problem, at=equation.at, remedy="choose another name")


def _named(spec: Spec, axes: Mapping[str, Position]) -> Iterator[tuple[str, str, Position]]:
    yield from (("axis", name, at) for name, at in axes.items())
    yield from (("input", t.name, t.at) for t in spec.inputs)
    yield from (("target", t.name, t.at) for t in spec.targets)
    yield from (("constant", c.name, c.at) for c in spec.constants)
    states = {(state.name, state.at) for state in spec.state}
    kinds = ("state" if (p.name, p.at) in states else "parameter" for p in spec.parameters)
    yield from ((kind, p.name, p.at) for kind, p in zip(kinds, spec.parameters, strict=True))
    yield from (("function", f.name, f.at) for f in spec.functions)
    yield from (("equation", e.name, e.at) for e in spec.equations)
    yield from (("manual formula", e.name, e.at) for e in spec.manual)


def _check_size(tensor: TensorSpec | ParameterSpec, sizes: Mapping[str, int]) -> None:
    known = [sizes.get(a, 1) if isinstance(a, str) else a for a in tensor.axes if isinstance(a, int | str)]
    entries = math.prod(known)
    if entries > MAX_ENTRIES:
        problem = f"'{tensor.name}' has {entries:,} entries, more than memory holds"
        raise SpecError(problem, at=tensor.at, remedy=f"expected at most {MAX_ENTRIES:,}")
