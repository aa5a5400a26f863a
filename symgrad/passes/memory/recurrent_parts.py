"""Recurrences in parts: of each part are kept what it starts with, and all else is computed again.

The gradient of a recurrence needs what every step of it made. In T steps that are computed in parts of k,
what a part makes lies where the part before it lay: only what one hands on to the next is kept, T/k times.
The way back computes each part again before it goes through it. So memory is needed for T/k + k steps instead
of T, at the cost of a second pass forward (Griewank & Walther 2000, with one level).

In the program, the axis of steps becomes two, parts and the steps in each. What recurrences carry from step
to step starts, in each part, with what is carried from part to part. What only these steps need is computed
in the parts too: what they are fed with, and what is made of them entry by entry or summed over steps.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import combinations
from math import ceil, sqrt
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.axes import Axis
from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.program import Carried, Equation, Loop, Tensor, depending_on
from symgrad.calculus.terms import Entry, delta, drawn, entries, index_symbol, leading, with_args
from symgrad.errors import SpecError
from symgrad.passes.recurrences import Recurrence, in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from symgrad.calculus.program import Program
    from symgrad.spec.model import Model

PART, STEP = index_symbol("_part"), index_symbol("_step")


def check_parts(model: Model, program: Program) -> None:
    """Demand that a spec which asks for parts has recurrences, and says how many steps they or parts have.

    Raises:
        SpecError: it has none, or does not.
    """
    asked = model.spec.train.steps_at_once
    if asked is None:
        return
    for name, carried in program.carried.items() if asked.steps is None else ():
        if (axis := program.tensor[name].axes[carried.along]).size is None:
            problem = f"how many steps '{carried.source}' has, only the data decide"
            raise SpecError(problem, at=asked.at, remedy=f"give {axis} a size, or say how many steps, as 10")
    iterated = {name for solved in model.spec.solved for name in solved.iterated}
    if iterated.issuperset(carried.source for carried in model.carried):
        problem, remedy = "nothing goes on from step to step here", "leave steps_at_once out"
        raise SpecError(problem, at=asked.at, remedy=remedy)


def steps_as_parts(axis: Axis) -> int:
    """How many steps a part has if there are about as many parts, which takes the least memory."""
    return ceil(sqrt(axis.size or 1))


def with_parts(program: Program, size_of: Callable[[Axis], int]) -> Program:
    """The program whose recurrences are computed in parts of so many steps, by the axis of all of them.

    The last part has those that are left.
    """
    found = _Parts(program, size_of)
    return found.run() if found.groups else program


@dataclass(eq=False)
class _Group:
    """Equations that are computed in the same parts, by target, with the index of each that counts steps.

    The axis of the `whole` becomes one of `parts` and one of `inside`. `along` is the axis of steps, by the
    tensors that they make or that are `carried` between them. Of the groups `again`, which are forward, each
    part of this one forms anew what it needs. What is carried has, in each part, `begun` with one tensor and
    `ended` with another. It goes `is_back` from the last part to the first.
    """

    whole: Axis
    parts: Axis
    inside: Axis
    carried: tuple[str, ...]
    is_forward: bool
    is_back: bool
    steps: dict[str, sp.Symbol]
    along: dict[str, int]
    again: tuple[_Group, ...] = ()
    begun: dict[str, str] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The number of steps in each part, but for the last."""
        return self.inside.size or 0

    @property
    def near(self) -> Iterator[tuple[str, int]]:
        """The axes of steps of all that can be read of a part."""
        for group in (self, *self.again):
            yield from group.along.items()

    def joined(self, other: _Group) -> _Group:
        """Both in the same parts."""
        return replace(
            self,
            carried=(*self.carried, *other.carried),
            steps=self.steps | other.steps,
            along=self.along | other.along,
            again=tuple(dict.fromkeys((*self.again, *other.again))),
        )


class _Parts:
    def __init__(self, program: Program, size_of: Callable[[Axis], int]) -> None:
        self.size_of = size_of
        behind = depending_on(program, (t.name for t in program.of_kind("cotangent")))
        self.before = program.definition.keys() - behind
        first = sorted(program.equations, key=lambda e: e.target in behind)
        self.program = program = replace(program, equations=tuple(first))
        self.editor = ProgramEditor(program)
        self.groups = self._groups()
        self.group_of = {target: group for group in self.groups for target in group.steps}
        self.readers: dict[str, list[Equation]] = {}
        for equation in program.equations:
            for name in equation.reads:
                self.readers.setdefault(name, []).append(equation)
        self.kept: set[str] = set()
        self.along: dict[str, int] = {}
        self.names: dict[int, dict[str, str]] = {}
        self.written: set[str] = set()

    def run(self) -> Program:
        """The program in parts."""
        while self._one_more() or self._one_less():
            pass
        self.kept = {name for group in self.groups for name in group.along if self._is_kept(name, group)}
        self.names = {id(group): self._split(group) for group in self.groups}
        self.along = {name: place for group in self.groups for name, place in group.along.items()}
        for equation in self.program.equations:
            group = self.group_of.get(equation.target)
            own = self.names[id(group)] if group else {}
            self._complete(equation.reads - own.keys() & self.program.carried.keys())
            if group is None:
                self.editor.add(equation)
                continue
            for source in group.again:
                if equation.reads & source.along.keys() - own.keys() - self.kept:
                    own |= self._form_again(group, source)
            self._add(group, equation, own, group.steps[equation.target])
            self._complete({equation.target})
        self._complete(self.kept)
        for group in self.groups:
            self._hand_on(group)
        made = self.editor.program()
        needed = made.needed(self.program.asked_for)
        idle = {e.target for e in made.equations} - needed
        return replace(
            made,
            tensors=tuple(t for t in made.tensors if t.name not in idle),
            equations=tuple(e for e in made.equations if e.target in needed),
        )

    # What is computed in parts ------------------------------------------------------------------

    def _groups(self) -> list[_Group]:
        """The recurrences that can be, those of the gradient with what these need again."""
        found: list[_Group] = []
        for part in in_order(self.program, self.program.equations):
            if not isinstance(part, Recurrence) or not part.equations or not self._can_be_in_parts(part):
                continue
            size = self.size_of(part.axis)
            number = Axis.of((part.axis.whole + size - 1) // size)
            is_even = part.axis.size is not None and part.axis.size % size == 0
            inside = Axis(None, size, within=None if is_even else part.axis)
            along = {name: self.program.carried[name].along for name in part.carried}
            along |= {e.target: e.indices.index(part.steps[e.target]) for e in part.equations}
            is_forward = part.equations[0].target in self.before
            read = self._read_for(part.equations)
            parts = replace(number, of_parts=part.carried[0])
            group = _Group(
                part.axis, parts, inside, part.carried, is_forward, part.back, dict(part.steps), along
            )
            if not is_forward:
                possible = (g for g in found if g.is_forward and read & g.along.keys())
                group.again = tuple(g for g in possible if self._are_own_steps(group, g.along))
            found.append(group)
        return found if any(group.again for group in found) else []

    def _read_for(self, equations: Iterable[Equation]) -> set[str]:
        """What equations read, or what slopes are made of that they read."""
        read = set[str]().union(*(e.reads for e in equations))
        slopes = (name for name in read if self.program.tensor[name].kind == "derivative")
        return read.union(*(self.program.definition[name].reads for name in slopes))

    def _can_be_in_parts(self, part: Recurrence) -> bool:
        """Whether it has more steps than a part, and others need more of it than the last one."""
        if part.axis.size is None:
            return True
        last = sp.Integer(0 if part.back else part.axis.size - 1)
        return part.axis.size > self.size_of(part.axis) and not self._is_needed_at(part, last)

    def _is_needed_at(self, part: Recurrence, last: sp.Expr) -> bool:
        """Whether all that others read of a recurrence is this step of it: then it keeps no more anyway."""
        along = {e.target: e.indices.index(part.steps[e.target]) for e in part.equations}
        along |= {name: self.program.carried[name].along for name in part.carried}
        others = (e for e in self.program.equations if e.target not in part.steps)
        read = (entry for e in others for expr in (e.body, *e.indices) for entry in entries(expr))
        handed = (c.reads for name, c in self.program.carried.items() if name not in part.carried)
        is_asked = bool(along.keys() & self.program.asked_for.union(*handed))
        return not is_asked and all(e.indices[along[e.tensor]] == last for e in read if e.tensor in along)

    def _one_more(self) -> bool:
        """Take another equation into a group, if one can be."""
        for equation in reversed(self.program.equations):
            if equation.target in self.group_of:
                continue
            for group, step in (*self._feeding(equation), *self._made_of(equation)):
                if self._take(group, equation, step):
                    return True
        return False

    def _take(self, group: _Group, equation: Equation, step: sp.Symbol) -> bool:
        """Add an equation to a group, if all in it still reads its own steps, and is one loop."""
        if not any(loop.index == step and loop.axis.fits(group.whole) for loop in equation.loops):
            return False
        group.steps[equation.target] = step
        self.group_of[equation.target] = group
        if step in equation.indices:
            group.along[equation.target] = equation.indices.index(step)
        if self._reads_own_steps(group) and self._is_one_loop(group):
            return True
        del group.steps[equation.target], self.group_of[equation.target]
        group.along.pop(equation.target, None)
        return False

    def _one_less(self) -> bool:
        """Compute two recurrences in the same parts, where one reads the other at its own steps."""
        for first, second in combinations(self.groups, 2):
            goes_alike = (first.is_forward, first.is_back) == (second.is_forward, second.is_back)
            reads = set[str]().union(*(self.program.definition[target].reads for target in second.steps))
            reads_it = first.whole.fits(second.whole) and bool(reads & first.along.keys())
            if goes_alike and reads_it and self._join(first, second):
                return True
        return False

    def _join(self, first: _Group, second: _Group) -> bool:
        """Put one group in the place of two, if all in it still reads its own steps, and is one loop."""
        joined, groups = first.joined(second), self.groups
        again = [group.again for group in groups]
        self.groups = [joined if group is first else group for group in groups if group is not second]
        for group in self.groups:
            group.again = tuple(dict.fromkeys(joined if s in (first, second) else s for s in group.again))
        self.group_of |= dict.fromkeys(joined.steps, joined)
        if self._reads_own_steps(joined) and self._is_one_loop(joined):
            return True
        self.groups = groups
        for group, sources in zip(groups, again, strict=True):
            group.again = sources
            self.group_of |= dict.fromkeys(group.steps, group)
        return False

    def _feeding(self, equation: Equation) -> Iterator[tuple[_Group, sp.Symbol]]:
        """The group of all that reads an equation; what is formed again there counts as its own."""
        name, readers = equation.target, self.readers.get(equation.target, ())
        if equation.scatters or isinstance(equation.body, drawn) or name in self.program.results:
            return
        owners = [self.group_of.get(reader.target) for reader in readers]
        for group in self.groups:
            is_of_time = group.is_forward == (name in self.before)
            if is_of_time and any(o is group for o in owners) and all(_is_near(o, group) for o in owners):
                entry = next(e for r in readers for e in entries(r.body) if e.tensor == name)
                places = (n for n, i in enumerate(entry.indices) if i in self._steps_of(entry, readers))
                for place in places:
                    if isinstance(step := equation.indices[place], sp.Symbol):
                        yield group, step

    def _steps_of(self, entry: Entry, readers: Iterable[Equation]) -> set[sp.Symbol]:
        """The indices of steps of those that read an entry."""
        return {self.group_of[r.target].steps[r.target] for r in readers if entry in entries(r.body)}

    def _made_of(self, equation: Equation) -> Iterator[tuple[_Group, sp.Symbol]]:
        """The group that an equation reads: entry by entry, and of the gradient in sums and products too."""
        if isinstance(equation.body, drawn):
            return
        is_before = equation.target in self.before
        for group in (g for g in self.groups if g.is_forward == is_before):
            found = {
                e.indices[group.along[e.tensor]] for e in entries(equation.body) if e.tensor in group.along
            }
            if len(found) != 1 or (is_before and not equation.is_elementwise):
                continue
            (step,) = found
            if step in equation.indices or (equation.reduction == "sum" and not equation.scatters):
                yield group, step

    def _reads_own_steps(self, group: _Group) -> bool:
        """Whether all equations of a group, and of those that form it again, read their own steps of it."""
        readers = (g for g in self.groups if _is_near(g, group))
        return all(self._are_own_steps(reader, dict(reader.near)) for reader in readers)

    def _are_own_steps(self, reader: _Group, along: Mapping[str, int]) -> bool:
        """Whether the equations of a group read these tensors at no other step than their own."""
        for target, step in reader.steps.items():
            equation = self.program.definition[target]
            read = (e for expr in (equation.body, *equation.indices) for e in entries(expr))
            if any(e.indices[along[e.tensor]] != step for e in read if e.tensor in along):
                return False
        return True

    def _is_one_loop(self, group: _Group) -> bool:
        """Whether nothing else stands between the equations of a group: needs some, and others need it.

        All of another group is computed at once too. What is carried along all steps, and no part of a
        circle, stands between as an equation does.
        """
        after: set[str] = set()
        others = {n: c for n, c in self.program.carried.items() if n not in group.carried}
        while True:
            size = len(after)
            after |= {
                n for n, c in others.items() if c.reads & (after | group.along.keys() | group.steps.keys())
            }
            for equation in self.program.equations:
                reads = self._reads(equation)
                is_own = equation.target in group.steps
                if is_own and reads & after:
                    return False
                if not is_own and reads & (after | group.along.keys() | group.steps.keys()):
                    other = self.group_of.get(equation.target)
                    after |= {equation.target, *(other.steps if other else ())}
            if len(after) == size:
                return True

    def _is_kept(self, name: str, group: _Group) -> bool:
        """Whether others need what a group makes of all steps."""
        handed = self.program.carried.items()
        goes_elsewhere = any(name in carried.reads for n, carried in handed if n not in group.carried)
        owners = (self.group_of.get(reader.target) for reader in self.readers.get(name, ()))
        is_asked_for = name in self.program.asked_for or goes_elsewhere
        return is_asked_for or not all(_is_near(owner, group) for owner in owners)

    def _reads(self, equation: Equation) -> set[str]:
        """What an equation reads, and what that is carried from."""
        found, handed = {*equation.reads}, self.program.carried
        while more := {n for name in found & handed.keys() for n in handed[name].reads} - found:
            found |= more
        return found

    # Two axes -----------------------------------------------------------------------------------

    def _split(self, group: _Group) -> dict[str, str]:
        """Give what a group makes two axes, and a name of its own where all steps are kept too."""
        names = {n: self.editor.fresh(f"{n}_part") if n in self.kept else n for n in group.along}
        for name, own in names.items():
            tensor = self.program.tensor[name]
            if name in self.kept and tensor.carried:
                self.editor.tensors[name] = replace(tensor, kind="temporary", carried=None)
            self._put_in_parts(name, own, group, group)
        for name in group.carried:
            carried = self.program.carried[name]
            inside = self.editor.tensors[names[name]].axes
            axes = (*inside[: carried.along + 1], *inside[carried.along + 2 :])
            ended = self.editor.new_tensor(f"{name}_ended", axes)
            begun = self.editor.fresh(f"{name}_begun")
            on = Carried(ended, 0, carried.back, carried.start)
            self.editor.tensors[begun] = Tensor(begun, axes, "carried", carried=on)
            group.begun[name], group.ended[name] = begun, ended
            self._carry(name, names, group)
        return names

    def _put_in_parts(self, name: str, own: str, source: _Group, group: _Group) -> None:
        """Define a tensor that has of each part of a group what another one has of all steps."""
        tensor, place = self.program.tensor[name], source.along[name]
        axes = (*tensor.axes[:place], group.inside, *tensor.axes[place + 1 :])
        kind = "temporary" if tensor.carried or source is not group else tensor.kind
        self.editor.tensors[own] = Tensor(own, (group.parts, *axes), kind)

    def _carry(self, name: str, names: Mapping[str, str], source: _Group) -> None:
        """Let a tensor be carried from step to step in each part."""
        carried, own = self.program.carried[name], self.editor.tensors[names[name]]
        inside = Carried(names[carried.source], carried.along + 1, carried.back, source.begun[name])
        self.editor.tensors[own.name] = replace(own, kind="carried", carried=inside)

    def _form_again(self, group: _Group, source: _Group) -> dict[str, str]:
        """Form in each part of a group what it needs of another one; the names of that."""
        handed = self.program.carried
        needed = {
            n for t in group.steps for n in self.program.definition[t].reads & source.along.keys()
        } - self.kept
        while True:
            made = (self.program.definition[n].reads & source.along.keys() for n in needed - handed.keys())
            more = set[str]().union(*made) - self.kept
            more |= {handed[name].source for name in needed & {*source.carried}}
            if more <= needed:
                break
            needed |= more
        names = {name: self.editor.fresh(f"{name}_again") for name in source.along if name in needed}
        for name, own in names.items():
            self._put_in_parts(name, own, source, group)
        for name in names.keys() & {*source.carried}:
            self._carry(name, names, source)
        for equation in self.program.equations:
            if equation.target in names:
                self._complete(equation.reads - names.keys() & handed.keys())
                self._add(group, equation, names, source.steps[equation.target])
        return names

    # Equations ----------------------------------------------------------------------------------

    def _add(self, group: _Group, equation: Equation, names: Mapping[str, str], step: sp.Symbol) -> None:
        """An equation over the parts of a group and the steps in each."""
        loops: list[Loop] = []
        for loop in equation.loops:
            parted = (Loop(PART, group.parts), Loop(STEP, group.inside))
            loops += parted if loop.index == step else (loop,)
        told = _Told(names, self.along, step, group.size)
        target = told(Entry(equation.target, equation.indices))
        onto = names.get(equation.onto, equation.onto)
        self.editor.add(
            Equation(
                target.tensor, target.indices, tuple(loops), equation.reduction, told(equation.body), onto
            )
        )

    def _hand_on(self, group: _Group) -> None:
        """What each part hands on, of which no other follows the last one, which may have fewer steps: it
        has nothing to hand on then."""
        for name in group.carried:
            carried = self.program.carried[name]
            source = self.names[id(group)][carried.source]
            place, loops = carried.along + 1, self._loops(source)
            indices = [loop.index for loop in loops]
            others = (*loops[:place], *loops[place + 1 :])
            target = tuple(loop.index for loop in others)
            if carried.back or group.inside.within is None:
                indices[place] = sp.Integer(0 if carried.back else group.size - 1)
                made = Equation(group.ended[name], target, others, "none", Entry(source, indices))
            else:
                last = delta(indices[place], sp.Integer(group.size - 1))
                made = Equation(group.ended[name], target, loops, "sum", last * Entry(source, indices))
            self.editor.add(made)

    def _complete(self, names: Iterable[str]) -> None:
        """Put together those tensors that are kept of all steps, of their parts, once each."""
        for name in sorted({*names} & self.kept - self.written):
            self.written.add(name)
            self._put_together(name)

    def _put_together(self, name: str) -> None:
        group = next(g for g in self.groups if name in g.along)
        own, place = self.names[id(group)][name], group.along[name]
        loops = self._loops(own)
        part, *indices = (loop.index for loop in loops)
        body = Entry(own, (part, *indices))
        indices[place] += group.size * part
        self.editor.add(Equation(name, tuple(indices), loops, "sum", body))

    def _loops(self, name: str) -> tuple[Loop, ...]:
        axes = self.editor.tensors[name].axes
        return tuple(Loop(index_symbol(f"_d{n}"), axis) for n, axis in enumerate(axes))


def _is_near(reader: _Group | None, group: _Group) -> bool:
    """Whether a group reads, in each part, the same part of another."""
    return reader is not None and (reader is group or any(group is other for other in reader.again))


@dataclass(frozen=True)
class _Told:
    """Rewrites expressions over steps: tensors by their `names` have parts, all else has all steps."""

    names: Mapping[str, str]
    along: Mapping[str, int]
    step: sp.Symbol
    size: int

    def __call__(self, expr: sp.Expr) -> sp.Expr:
        if isinstance(expr, Entry):
            indices = [self(index) for index in expr.indices]
            if expr.tensor not in self.names or expr.tensor not in self.along:
                return Entry(expr.tensor, indices)
            indices[self.along[expr.tensor]] = STEP
            return Entry(self.names[expr.tensor], (PART, *indices))
        if expr in (self.step, leading(self.step)):
            return self.size * PART + STEP
        return with_args(expr, [self(part) for part in expr.args])
