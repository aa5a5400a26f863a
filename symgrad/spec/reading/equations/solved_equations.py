"""Equations that are solved, `"z[n,i]": {solve: "tanh(sum(z[n,j] * W[j,i], j) + x[n,i])", ...}`, written out.

The formula is what z equals, and reads z. What stands for it:

- `z_step[k,n,i]`, a recurrence over all steps but the last, and `z_held`, where it has got to, as a constant.
- The last step, made of `z_held`, through which alone derivatives pass. By the implicit function theorem
  z = g(z) moves by dz = dg + J·dz, where dg is what g moves by beside z, and J its derivative by z.
- `picard`: z = g(z_held) + Σ_k z_move[k], where z_move is J·z_move one step before, and starts with
  g − stop_gradient(g): 0, with the slope of g. So z is g(z_held), and its slope dg + J·dg + J·J·dg + ..., a
  term for each step; backward that is λ = v + Jᵀ·λ.
- `newton`, where each entry is told by itself alone: z = z_held − (z_held − g)/(1 − J), with a constant
  denominator.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from symgrad.errors import SpecError
from symgrad.spec.language.builtins import ALONG, STOP_GRADIENT
from symgrad.spec.language.formula import parse_head
from symgrad.spec.language.names import check_name
from symgrad.spec.language.syntax import Binary, Call, Index, Name, Node, Number
from symgrad.spec.language.trees import names_in, transform, walk
from symgrad.spec.model import EquationSpec, SolvedSpec, StartSpec
from symgrad.spec.reading.located import formula_at
from symgrad.spec.reading.schema import SolvedBlock
from symgrad.spec.taken_names import unused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.errors import Position
    from symgrad.spec.reading.document import Document, Key


@dataclass(frozen=True)
class Solved:
    """What stands for an equation that is solved: equations, and what their recurrences start with."""

    spec: SolvedSpec
    equations: tuple[EquationSpec, ...]
    starts: tuple[StartSpec, ...]


def solved_in(blocks: Mapping[str, object], taken: set[str], document: Document) -> dict[str, Solved]:
    """What stands for the equations that are solved, by their keys, in names that are not `taken`.

    Raises:
        SpecError: one has no indices, does not read itself entry by entry, or is no equation of single
            entries, as Newton's method takes it.
    """
    found: dict[str, Solved] = {}
    for name, block in blocks.items():
        if isinstance(block, SolvedBlock):
            found[name] = _Solving(("equations", name), block, taken, document).solved()
    return found


class _Solving:
    def __init__(self, key: Key, block: SolvedBlock, taken: set[str], document: Document) -> None:
        self.at = at = document.place(key).key
        self.name, self.indices, self.ranges = _left_side(str(key[-1]), at)
        self.formula = formula_at(document, (*key, "solve"), block.solve)
        self.start = formula_at(document, (*key, "start"), block.start)
        self.block, self.taken = block, taken
        self._check()
        self.counter = unused("k", {*taken, *self.indices, *names_in(self.formula), *names_in(self.start)})
        self.step, self.held = self._named("step"), self._named("held")

    def solved(self) -> Solved:
        """What stands for the equation."""
        make = self._by_iterating if self.block.method == "picard" else self._by_slopes
        equations, starts = make()
        iterated = tuple(e.name for e in equations if self.counter in e.index_names and e.name != self.name)
        spec = SolvedSpec(self.name, self.block.method, self.block.steps, iterated, self.held, self.at)
        return Solved(spec, equations, starts)

    # Methods ------------------------------------------------------------------------------------

    def _by_iterating(self) -> tuple[tuple[EquationSpec, ...], tuple[StartSpec, ...]]:
        following, move = self._named("next"), self._named("move")
        once, moved = self._entry(following), self._before(move)
        total = Call("sum", (self._at_step(move), Name(self.counter, self.at)), (), self.at)
        equations = (
            self._each_step(self.step, self._read(self.step, self._steps_before())),
            self._held(),
            self._equation(following, self._read(self.held, ())),
            self._each_step(move, Call(ALONG, (once, self._entry(self.held), moved), (), self.at)),
            self._equation(self.name, Binary("+", once, total, self.at)),
        )
        begun = Binary("-", once, Call(STOP_GRADIENT, (once,), (), self.at), self.at)
        return equations, (self._start(self.step, self.start), self._start(move, begun))

    def _by_slopes(self) -> tuple[tuple[EquationSpec, ...], tuple[StartSpec, ...]]:
        gap, rate, rest = self._named("gap"), self._named("rate"), self._named("rest")
        before, held, one = self._before(self.step), self._entry(self.held), Number(Fraction(1), self.at)
        missing = Binary("-", before, self._read(self.step, self._steps_before()), self.at)
        slope = Call(ALONG, (self._entry(rest), held, one), (), self.at)
        step = Binary("/", self._at_step(gap), self._at_step(rate), self.at)
        last = Binary("/", self._entry(rest), Call(STOP_GRADIENT, (slope,), (), self.at), self.at)
        equations = (
            self._each_step(gap, missing),
            self._each_step(rate, Call(ALONG, (missing, before, one), (), self.at)),
            self._each_step(self.step, Binary("-", before, step, self.at)),
            self._held(),
            self._equation(rest, Binary("-", held, self._read(self.held, ()), self.at)),
            self._equation(self.name, Binary("-", held, last, self.at)),
        )
        return equations, (self._start(self.step, self.start),)

    # Equations ----------------------------------------------------------------------------------

    def _named(self, word: str) -> str:
        found = unused(f"{self.name}_{word}", self.taken)
        self.taken.add(found)
        return found

    def _steps_before(self) -> tuple[Node, ...]:
        one = Number(Fraction(1), self.at)
        return (Binary("-", Name(self.counter, self.at), one, self.at),)

    def _entry(self, tensor: str, first: tuple[Node, ...] = ()) -> Index:
        return Index(tensor, (*first, *(Name(index, self.at) for index in self.indices)), self.at)

    def _at_step(self, tensor: str) -> Index:
        return self._entry(tensor, (Name(self.counter, self.at),))

    def _before(self, tensor: str) -> Index:
        return self._entry(tensor, self._steps_before())

    def _read(self, tensor: str, first: tuple[Node, ...]) -> Node:
        """The formula, with another tensor in place of what is solved for."""

        def change(node: Node) -> Node:
            if not isinstance(node, Index) or node.tensor != self.name:
                return node
            return Index(tensor, (*first, *node.indices), node.at)

        return transform(self.formula, change)

    def _equation(self, name: str, formula: Node) -> EquationSpec:
        return EquationSpec(name, self.indices, formula, self.at, self.ranges)

    def _each_step(self, name: str, formula: Node) -> EquationSpec:
        count = (self.counter, Number(Fraction(self.block.steps - 1), self.at))
        return EquationSpec(name, (self.counter, *self.indices), formula, self.at, (count, *self.ranges))

    def _held(self) -> EquationSpec:
        last = self._entry(self.step, (Number(Fraction(self.block.steps - 2), self.at),))
        return self._equation(self.held, Call(STOP_GRADIENT, (last,), (), self.at))

    def _start(self, name: str, formula: Node) -> StartSpec:
        return StartSpec(name, (None, *self.indices), 1, "", formula, self.at)

    # What is refused ----------------------------------------------------------------------------

    def _check(self) -> None:
        name, left = self.name, f"{self.name}[{','.join(self.indices)}]"
        for node in (*walk(self.formula), *walk(self.start)):
            if isinstance(node, Name) and node.id == name:
                problem = f"'{name}' is solved for entry by entry, here it stands as a whole"
                raise SpecError(problem, at=node.at, remedy=f"give it indices: {left}")
            if isinstance(node, Index) and node.tensor == name and len(node.indices) != len(self.indices):
                problem = f"'{name}' has {len(self.indices)} axes, here it has {len(node.indices)} indices"
                raise SpecError(problem, at=node.at, remedy=f"give it one for each axis: {left}")
            if isinstance(node, Name) and node.id == "inf":
                problem = f"nothing that solves for '{name}' may be infinite"
                raise SpecError(problem, at=node.at, remedy="leave inf to equations above, as in masks")
        if name in names_in(self.start):
            problem = f"the start of '{name}' reads '{name}'"
            raise SpecError(problem, at=self.start.at, remedy="begin with a number, a parameter or an input")
        read = [n for n in walk(self.formula) if isinstance(n, Index) and n.tensor == name]
        if not read:
            problem = f"nothing is to be solved: this formula does not read '{name}'"
            raise SpecError(problem, at=self.formula.at, remedy=f'write "{left}": with the formula alone')
        for node in read if self.block.method == "newton" else ():
            if tuple(p.id if isinstance(p, Name) else "" for p in node.indices) != self.indices:
                problem = f"newton solves equations of one entry each, this one reads another of '{name}'"
                remedy = f"write method: picard, or let each entry be told by {left} alone"
                raise SpecError(problem, at=node.at, remedy=remedy)


def _left_side(text: str, at: Position) -> tuple[str, tuple[str, ...], tuple[tuple[str, Node], ...]]:
    """The name that is solved for, its indices, and the ranges that stand there."""
    if "," in text.partition("[")[0]:
        problem = f"'{text}' are several names, and one is solved for"
        raise SpecError(problem, at=at, remedy="put them side by side in one: z[n,i] for i below 2, say")
    head = parse_head(text, at) if "[" in text else None
    if head is None or not all(index for index, _ in head.indices):
        problem = f"'{text}' is solved for entry by entry"
        name = text.partition("[")[0].strip()
        raise SpecError(problem, at=at, remedy=f'give each axis an index: "{name}[n,i]"')
    indices = tuple(check_name(index, at) for index, _ in head.indices)
    if len({*indices}) < len(indices):
        raise SpecError("an index stands twice on the left", at=at, remedy="give each axis its own")
    ranges = tuple((index, size) for index, size in head.indices if size is not None)
    return check_name(head.name, at), indices, ranges
