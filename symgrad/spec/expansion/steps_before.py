"""Equations that read themselves a step before: each reads what is carried from step to step by its own name.

`h[n,t,i]: tanh(x[n,t,i] + sum(h[n,t-1,j] * U[j,i], j))` reads `h_before[n,t,j]`, which at every step is h one
step before, and at the first what h starts with. An equation reads others of its own step above itself then,
as all equations do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from symgrad.cycles import groups
from symgrad.errors import SpecError
from symgrad.spec.language.indexing.affine import affine_terms
from symgrad.spec.language.syntax import Binary, Index, Name, Node
from symgrad.spec.language.trees import is_number, transform, values_in, walk
from symgrad.spec.language.unparse import unparse
from symgrad.spec.model import CarriedSpec, EachStep, EquationSpec, StartSpec
from symgrad.spec.reads import asks_for_derivative, indices_of
from symgrad.spec.taken_names import unused

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from symgrad.spec.model import Spec

Read = tuple[str, int]
"""A tensor, and how many steps before it is read."""


def with_carried(
    equations: Sequence[EquationSpec], starts: Sequence[StartSpec], taken: Collection[str]
) -> tuple[tuple[EquationSpec, ...], tuple[CarriedSpec, ...]]:
    """The equations without circles, and what is carried from step to step, in names that are not `taken`.

    Raises:
        SpecError: an equation that reads itself at its own step or a later one, a step that has no start, or
            a start of nothing.
    """
    defined = {equation.name: equation for equation in equations}
    _check_starts(defined, starts)
    known = {(start.name, start.steps): start for start in starts}
    circles = _circles(equations)
    if not starts and not circles:
        return tuple(equations), ()
    named = defined.keys() | set[str]().union(*map(indices_of, equations))
    carrier = _Carrier(defined, known, circles, set(taken) | named)
    changed = tuple(map(carrier.equation, equations))
    _check_order(changed)
    for start in starts:
        if (start.name, start.steps) not in carrier.names:
            problem = f"nothing reads '{start.name}' {_steps(start.steps)} {_side(start)}"
            raise SpecError(problem, at=start.at, remedy="leave its start out")
    return changed, tuple(carrier.carried())


def with_rows_said(
    spec: Spec, equations: Sequence[EquationSpec], starts: Sequence[StartSpec]
) -> tuple[EquationSpec, ...]:
    """The equations where the first axis of a step is that of the rows: if they do not say it, and all rows
    start alike, with a number or a parameter of fewer axes.
    """
    rows, axes = spec.batch_axis, {parameter.name: len(parameter.axes) for parameter in spec.parameters}

    def is_alike(start: StartSpec, each: EachStep) -> bool:
        named = start.formula.id if isinstance(start.formula, Name) else ""
        return is_number(start.formula) or axes.get(named, len(each.sizes)) < len(each.sizes) - 1

    def said(equation: EquationSpec) -> EquationSpec:
        each = equation.each
        if each is None or not (rows and each.along and each.sizes[0] is None and len(each.sizes) > 2):
            return equation
        if not any(start.name == equation.name and is_alike(start, each) for start in starts):
            return equation
        sizes = (Name(rows, equation.at), *each.sizes[1:])
        return replace(equation, each=replace(each, sizes=sizes))

    return tuple(map(said, equations))


def refuse_with_carried(
    spec: Spec, equations: Sequence[EquationSpec], carried: Sequence[CarriedSpec]
) -> None:
    """Refuse what is not made of specs that carry something from step to step.

    Raises:
        SpecError: they ask for derivatives beyond the gradient.
    """
    if not carried:
        return
    solved = {name: found.name for found in spec.solved for name in found.iterated}
    what = f"of the recurrence of '{carried[0].source}'"
    if carried[0].source in solved:
        what = f"of '{solved[carried[0].source]}', which is solved for"
    functions = {function.name: function for function in spec.functions}
    for equation in equations:
        if asks_for_derivative(equation.formula, functions):
            problem = f"no equation takes a derivative beside that {what}"
            raise SpecError(problem, at=equation.at, remedy="write the derivative out, or leave one of them")
    reads = {e.name: _read_by(e) for e in equations} | {c.name: {c.source} for c in carried}
    made = {name for group in groups(reads) if len(group) > 1 for name in group}
    for name in (name for name in spec.gradients if name in made):
        problem = f"'{name}' is made step by step, its gradient is not given"
        remedy = "ask for that of an input, or of what the recurrence starts with"
        raise SpecError(problem, at=spec.place_of("gradients", name), remedy=remedy)


def _read_by(equation: EquationSpec) -> set[str]:
    """The names of values that an equation reads, without its indices and those of its reductions."""
    return values_in(equation.formula) - indices_of(equation)


def _circles(equations: Sequence[EquationSpec]) -> dict[str, frozenset[str]]:
    """The equations that each equation of a circle reads around it, itself too."""
    reads = {e.name: _read_by(e) for e in equations}
    found: dict[str, frozenset[str]] = {}
    for group in groups(reads):
        if len(group) > 1 or group[0] in reads[group[0]]:
            found |= dict.fromkeys(group, frozenset(group))
    return found


@dataclass
class _Carrier:
    """Gives names to what is read of other steps."""

    defined: Mapping[str, EquationSpec]
    starts: Mapping[Read, StartSpec]
    circles: Mapping[str, frozenset[str]]
    taken: set[str]

    def __post_init__(self) -> None:
        self.names: dict[Read, str] = {}

    def equation(self, equation: EquationSpec) -> EquationSpec:
        """The equation with names for what it reads of other steps."""
        circle = self.circles.get(equation.name, frozenset())
        self._check_own_steps(equation)

        def change(node: Node) -> Node:
            is_read = isinstance(node, Index) and (node.tensor in circle or self._has_start(node.tensor))
            return self._read(node, equation, circle) if is_read and isinstance(node, Index) else node

        formula = transform(equation.formula, change)
        named = {n.id for n in walk(formula) if isinstance(n, Name)} - indices_of(equation)
        for name in circle & named:
            raise _as_a_whole(equation, self.defined[name])
        return replace(equation, formula=formula)

    def carried(self) -> Iterator[CarriedSpec]:
        """What is carried from step to step: of two steps before, what was carried one step before."""
        for (source, steps), name in self.names.items():
            before = source if steps == 1 else self.names[source, steps - 1]
            yield CarriedSpec(name, before, self.starts[source, steps])

    def _has_start(self, tensor: str) -> bool:
        return (tensor, 1) in self.starts

    def _check_own_steps(self, equation: EquationSpec) -> None:
        """Of itself an equation reads other steps, along one axis."""
        start = self.starts.get((equation.name, 1))
        common = {start.along} if start is not None else None
        for node in walk(equation.formula):
            if not isinstance(node, Index) or node.tensor != equation.name:
                continue
            moved = {n: _moved(place, equation.index_names) for n, place in enumerate(node.indices)}
            if start is not None and (moved.get(start.along) or ("", 1))[1]:
                continue
            axes = {n for n, found in moved.items() if found is not None and found[1]}
            if common is not None and axes and not common & axes:
                problem = f"'{equation.name}' reads itself at another step along a second axis"
                remedy = "a recurrence runs along one axis; let it read itself along that one alone"
                raise SpecError(problem, at=node.at, remedy=remedy)
            if start is not None or not axes:
                raise _at_own_step(equation, node)
            common = axes if common is None else common & axes

    def _read(self, node: Index, equation: EquationSpec, circle: frozenset[str]) -> Node:
        start = self.starts.get((node.tensor, 1))
        if start is None:
            return self._without_start(node, equation)
        along = start.along
        if len(node.indices) <= along:
            return node
        place = node.indices[along]
        steps = _moved(place, equation.index_names)
        if steps is None:
            if node.tensor not in circle:
                return node
            problem = f"'{equation.name}' reads '{node.tensor}', which is made of it, at no step near its own"
            raise SpecError(problem, at=node.at, remedy=_remedy(node, start, _counter(equation, along)))
        index, by = steps
        by = by if start.end else -by
        if by == 0:
            return node
        if by < 0:
            if node.tensor not in circle:
                return node
            problem = f"'{equation.name}' reads '{node.tensor}' at a step that comes after its own"
            raise SpecError(problem, at=node.at, remedy=_remedy(node, start, index))
        name = self._name(node, start, by)
        places = (*node.indices[:along], Name(index, place.at), *node.indices[along + 1 :])
        return Index(name, places, node.at)

    def _without_start(self, node: Index, equation: EquationSpec) -> Node:
        """A read of what has no start: right only of an equation above, at the same step."""
        moved = [(n, _moved(p, equation.index_names)) for n, p in enumerate(node.indices)]
        steps = self._steps_of(equation)
        shifted = [
            (n, *found)
            for n, found in moved
            if found is not None and found[1] and (steps is None or found[0] in steps)
        ]
        if not shifted:
            if node.tensor != equation.name:
                return node
            raise _at_own_step(equation, node)
        number, _, by = shifted[0]
        source = self.defined[node.tensor]
        own = source.indices or (*":" * number, *source.index_names)
        axis = own[number] if number < len(own) else "T"
        place = "-1" if by < 0 else f"{axis.upper()}"
        head = ",".join(place if n == number else i for n, i in enumerate(own))
        problem = f"'{node.tensor}' has no start"
        remedy = f'say what it is there: "{node.tensor}[{head}]": 0'
        remedy += f", where {place} is the size of that axis, or its name" if by > 0 else ""
        raise SpecError(problem, at=node.at, remedy=remedy)

    def _steps_of(self, equation: EquationSpec) -> set[str] | None:
        """The indices of an equation that count steps, as starts tell; None where its circle has none."""
        circle = self.circles.get(equation.name, frozenset())
        if not any(self._has_start(name) for name in circle):
            return None
        own = self.starts.get((equation.name, 1))
        found = {_index_at(equation, own.along)} if own is not None else set()
        for node in walk(equation.formula):
            start = self.starts.get((node.tensor, 1)) if isinstance(node, Index) else None
            if start is not None and isinstance(node, Index) and len(node.indices) > start.along:
                moved = _moved(node.indices[start.along], equation.index_names)
                found |= {moved[0]} if moved is not None else set()
        return found

    def _name(self, node: Index, start: StartSpec, steps: int) -> str:
        """The name of a tensor so many steps before, and of it at the steps between."""
        word = "after" if start.end else "before"
        for step in range(1, steps + 1):
            if (node.tensor, step) in self.names:
                continue
            if (node.tensor, step) not in self.starts:
                problem = f"'{node.tensor}' has no start {_steps(step)} {_side(start)}"
                place = f"{start.end}+{step - 1}" if start.end else f"-{step}"
                head = ",".join(place if i is None else i for i in start.indices)
                raise SpecError(problem, at=node.at, remedy=f'add "{node.tensor}[{head}]": 0')
            wanted = f"{node.tensor}_{word}{step if step > 1 else ''}"
            self.names[node.tensor, step] = name = unused(wanted, self.taken)
            self.taken.add(name)
        return self.names[node.tensor, steps]


def _moved(place: Node, indices: Collection[str]) -> tuple[str, int] | None:
    """An index of the equation and the number that is added to it, where a place is no more than that."""
    if not isinstance(place, Name | Binary):
        return None
    try:
        terms = affine_terms(place)
    except SpecError:
        return None
    names = [name for name in terms if name]
    if len(names) != 1 or terms[names[0]] != 1 or names[0] not in indices:
        return None
    return names[0], terms.get("", 0)


def _check_starts(defined: Mapping[str, EquationSpec], starts: Sequence[StartSpec]) -> None:
    seen: dict[Read, StartSpec] = {}
    for start in starts:
        equation = defined.get(start.name)
        if equation is None or not equation.index_names:
            problem = f"this is a start of '{start.name}', which no equation defines by its indices"
            left = f"{start.name}[{','.join('t' if i is None else i for i in start.indices)}]"
            raise SpecError(problem, at=start.at, remedy=f'add "{left}": ...')
        if equation.each is not None:
            _check_whole(equation, equation.each, start)
        elif equation.indices is not None and len(equation.indices) != len(start.indices) and not start.whole:
            problem = f"'{start.name}' has {len(equation.indices)} axes, its start names {len(start.indices)}"
            raise SpecError(problem, at=start.at, remedy="name them all, and -1 for the step")
        first = seen.setdefault((start.name, 1), start)
        if (first.along, first.end) != (start.along, start.end):
            problem = f"the starts of '{start.name}' are not along one axis, one way"
            remedy = "a recurrence goes one way along one axis, and starts there alone"
            raise SpecError(problem, at=start.at, remedy=remedy)
        if seen.setdefault((start.name, start.steps), start) is not start:
            problem = f"'{start.name}' has two starts"
            raise SpecError(problem, at=start.at, remedy="leave one of them out")
        if start.steps > 1 and (start.name, 1) not in {(s.name, s.steps) for s in starts}:
            problem = f"'{start.name}' starts {_steps(start.steps)} {_side(start)}, and not one"
            raise SpecError(problem, at=start.at, remedy="give it a start at every step before")


def _check_whole(equation: EquationSpec, each: EachStep, start: StartSpec) -> None:
    """A start of whole steps gives a whole step, along the same axis."""
    if not start.whole or start.along != each.along:
        place = start.end or f"-{start.steps}"
        problem = f"'{equation.left_side}' gives all of each step, this start does not"
        raise SpecError(problem, at=start.at, remedy=f"write {equation.name}[{':,' * each.along}{place}]")


def _index_at(equation: EquationSpec, along: int) -> str:
    """The index of an equation that counts along an axis."""
    return equation.each.index if equation.each is not None else (equation.indices or ())[along]


def _check_order(equations: Sequence[EquationSpec]) -> None:
    """What is read at the same step stands above, as in all equations."""
    made = {equation.name: equation for equation in equations}
    below = set(made)
    circles = _circles(equations)
    for equation in equations:
        for name in sorted(values_in(equation.formula) & below & circles.get(equation.name, frozenset())):
            problem = f"'{equation.name}' reads '{name}', which is made of it, at the same step"
            remedy = f"one of them reads the step before: {_at(made[name], '{}-1')}"
            raise SpecError(problem, at=equation.at, remedy=remedy)
        below.discard(equation.name)


def _at_own_step(equation: EquationSpec, node: Index) -> SpecError:
    remedy = f'read the step before, {_at(equation, "{}-1")}, and give it a start: "{_at(equation, "-1")}": 0'
    if equation.each is None:
        remedy += f"; or solve for it: {_solved(equation.left_side)}"
    return SpecError(f"'{equation.name}' reads itself at its own step", at=node.at, remedy=remedy)


def _as_a_whole(equation: EquationSpec, other: EquationSpec) -> SpecError:
    """What reads the whole of something that is made of it."""
    remedy = f"read it step by step: {_at(equation, '{}')} may read {_at(other, '{}-1')}"
    if equation is other and not equation.index_names:
        remedy += f"; or solve for it: {_solved(f'{equation.name}[:, :8]')}"
    problem = f"'{equation.name}' reads '{other.name}', which is made of it, as a whole"
    return SpecError(problem, at=equation.at, remedy=remedy)


def _solved(left: str) -> str:
    return f'"{left}": {{solve: ..., start: 0, method: picard, steps: 40}}'


def _at(equation: EquationSpec, step: str) -> str:
    """How an equation is read at a step, `{}-1` of its index: `h[n,t-1,i]`, or all of it, `h[:,t-1]`.

    Where none of its indices is known to count steps, it is t, or the second of three.
    """
    if not equation.indices:
        along, index = (1, "t") if equation.each is None else (equation.each.along, equation.each.index)
        return f"{equation.name}[{':,' * along}{step.format(index)}]"
    places = [*equation.indices]
    if "t" not in places and len(places) < 3:
        places.insert(1, "t")
    along = places.index("t") if "t" in places else 1
    places[along] = step.format(places[along])
    return f"{equation.name}[{','.join(places)}]"


def _counter(equation: EquationSpec, along: int) -> str:
    """The index by which an equation probably counts steps."""
    if equation.each is not None:
        return equation.each.index
    return equation.index_names[along] if along < len(equation.index_names) else "t"


def _remedy(node: Index, start: StartSpec, index: str) -> str:
    step = f"{index}+1" if start.end else f"{index}-1"
    places = [step if n == start.along else unparse(place) for n, place in enumerate(node.indices)]
    return f"read {node.tensor}[{','.join(places)}] of the step before"


def _steps(number: int) -> str:
    return "one step" if number == 1 else f"{number} steps"


def _side(start: StartSpec) -> str:
    return f"behind the end of {start.end}" if start.end else "before the first"
