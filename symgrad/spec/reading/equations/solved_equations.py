"""Equations that are solved, `"z[n,i]": {solve: "tanh(sum(z[n,j] * W[j,i], j) + x[n,i])", ...}`, written out.

The formula is what z equals, and reads z, entry by entry or as a whole, `"z[:, :3]": {solve: "tanh(z @ W)"}`.
What stands for it:

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

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from symgrad.errors import SpecError
from symgrad.spec.language.builtins import ALONG, STOP_GRADIENT
from symgrad.spec.language.formula import Head, parse_head
from symgrad.spec.language.names import check_name
from symgrad.spec.language.syntax import Binary, Call, Index, Name, Node, Number, Slice
from symgrad.spec.language.trees import is_number, names_in, substitute, transform, walk
from symgrad.spec.model import EachStep, EquationSpec, SolvedSpec, StartSpec
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
        SpecError: one does not read itself, or reads itself otherwise than its left side says; or is no
            equation of single entries, as Newton's method takes it.
    """
    found: dict[str, Solved] = {}
    for name, block in blocks.items():
        if isinstance(block, SolvedBlock):
            key: Key = ("equations", name)
            head = _left_side(name, document.place(key).key)
            kind = _OfEntries if any(index for index, _ in head.indices) else _AsAWhole
            found[name] = kind(head, key, block, taken, document).solved()
    return found


def _left_side(text: str, at: Position) -> Head:
    """The name that is solved for, and what is said of its axes."""
    if "," in text.partition("[")[0]:
        names = [name.strip() for name in text.partition("[")[0].split(",")]
        problem = f"'{text}' are several names, and one is solved for"
        remedy = f"put them side by side in one: {names[0]}[n, i:{len(names)}]"
        raise SpecError(problem, at=at, remedy=remedy)
    head = parse_head(text, at) if "[" in text else Head(text, ())
    named = [index for index, _ in head.indices if index]
    if named and len(named) < len(head.indices):
        problem = f"'{text}' is solved for entry by entry, or as a whole"
        raise SpecError(problem, at=at, remedy=f'give each axis an index, "{head.name}[n,i]", or none')
    if len({*named}) < len(named):
        raise SpecError("an index stands twice on the left", at=at, remedy="give each axis its own")
    for name in (head.name, *named):
        check_name(name, at)
    return head


class _Solving(ABC):
    """What stands for one equation, in the names of its spec."""

    def __init__(self, head: Head, key: Key, block: SolvedBlock, taken: set[str], document: Document) -> None:
        self.name, self.head, self.at = head.name, head, document.place(key).key
        self.formula = formula_at(document, (*key, "solve"), block.solve)
        self.start = formula_at(document, (*key, "start"), block.start)
        self.block, self.taken = block, taken
        self.check()
        named = {index for index, _ in head.indices}
        self.counter = unused("k", {*taken, *named, *names_in(self.formula), *names_in(self.start)})
        self.step, self.held = self.named("step"), self.named("held")

    def solved(self) -> Solved:
        """What stands for the equation."""
        make = self.by_iterating if self.block.method == "picard" else self.by_slopes
        equations, starts = make()
        iterated = tuple(e.name for e in equations if self.counter in e.index_names and e.name != self.name)
        of = self.left, self.formula, self.at
        spec = SolvedSpec(self.name, self.block.method, self.block.steps, iterated, self.held, *of)
        solving = self.name, self.counter
        return Solved(spec, tuple(replace(e, solving=solving) for e in equations), starts)

    def by_iterating(self) -> tuple[tuple[EquationSpec, ...], tuple[StartSpec, ...]]:
        """Picard's method."""
        following, move = self.named("next"), self.named("move")
        once, moved = self.now(following), self.before(move)
        equations = (
            self.each_step(self.step, self.read_before()),
            self.equation(self.held, Call(STOP_GRADIENT, (self.last_step(),), (), self.at)),
            self.equation(following, self.read_held()),
            self.each_step(move, Call(ALONG, (once, self.now(self.held), moved), (), self.at)),
            self.equation(self.name, Binary("+", once, self.total(move), self.at)),
        )
        begun = Binary("-", once, Call(STOP_GRADIENT, (once,), (), self.at), self.at)
        return equations, (self.begin(self.step, self.start), self.begin(move, begun))

    @abstractmethod
    def by_slopes(self) -> tuple[tuple[EquationSpec, ...], tuple[StartSpec, ...]]:
        """Newton's method."""

    @property
    @abstractmethod
    def left(self) -> str:
        """What the formula reads, and gives."""

    # How equations are written ------------------------------------------------------------------

    @abstractmethod
    def now(self, tensor: str) -> Node:
        """A tensor, where equations define others of its kind."""

    @abstractmethod
    def before(self, tensor: str) -> Node:
        """What it was a step before."""

    @abstractmethod
    def last_step(self) -> Node:
        """The last of the steps that are iterated."""

    @abstractmethod
    def total(self, tensor: str) -> Node:
        """The sum of a tensor over its steps."""

    @abstractmethod
    def read_before(self) -> Node:
        """The formula, which reads the step before."""

    @abstractmethod
    def read_held(self) -> Node:
        """The formula, which reads what the last step begins with."""

    @abstractmethod
    def equation(self, name: str, formula: Node) -> EquationSpec:
        """An equation that is made once."""

    @abstractmethod
    def each_step(self, name: str, formula: Node) -> EquationSpec:
        """An equation of each step but the last."""

    @abstractmethod
    def begin(self, name: str, formula: Node) -> StartSpec:
        """What is carried to the first step."""

    def named(self, word: str) -> str:
        """The name of a tensor that nobody wrote."""
        found = unused(f"{self.name}_{word}", self.taken)
        self.taken.add(found)
        return found

    def number(self, value: int) -> Number:
        """A number where the equation stands."""
        return Number(Fraction(value), self.at)

    @property
    def count(self) -> Number:
        """How many steps are iterated."""
        return self.number(self.block.steps - 1)

    @property
    def one_before(self) -> Node:
        """The index of the step before."""
        return Binary("-", Name(self.counter, self.at), self.number(1), self.at)

    # What is refused ----------------------------------------------------------------------------

    def check(self) -> None:
        """Refuse what is no equation for the name.

        Raises:
            SpecError: saying what.
        """
        if self.name in names_in(self.start):
            problem = f"the start of '{self.name}' reads '{self.name}'"
            raise SpecError(problem, at=self.start.at, remedy="begin with a number, a parameter or an input")
        if self.name not in names_in(self.formula):
            problem = f"nothing is to be solved: this formula does not read '{self.name}'"
            raise SpecError(problem, at=self.formula.at, remedy="write the formula alone, as other equations")
        for node in (*walk(self.formula), *walk(self.start)):
            if isinstance(node, Name) and node.id == "inf":
                problem = f"nothing that solves for '{self.name}' may be infinite"
                raise SpecError(problem, at=node.at, remedy="leave inf to equations above, as in masks")
            self.check_node(node)

    @abstractmethod
    def check_node(self, node: Node) -> None:
        """Refuse a part of the formula that reads the name otherwise than its left side says."""


class _OfEntries(_Solving):
    """An equation for each entry, `z[n,i]`."""

    @property
    def indices(self) -> tuple[str, ...]:
        return tuple(index for index, _ in self.head.indices)

    @property
    def left(self) -> str:
        return f"{self.name}[{','.join(self.indices)}]"

    @property
    def ranges(self) -> tuple[tuple[str, Node], ...]:
        return tuple((index, size) for index, size in self.head.indices if size is not None)

    def by_slopes(self) -> tuple[tuple[EquationSpec, ...], tuple[StartSpec, ...]]:
        gap, rate, rest = self.named("gap"), self.named("rate"), self.named("rest")
        before, held, one = self.before(self.step), self.now(self.held), self.number(1)
        missing = Binary("-", before, self.read_before(), self.at)
        slope = Call(ALONG, (self.now(rest), held, one), (), self.at)
        step = Binary("/", self.at_step(gap), self.at_step(rate), self.at)
        last = Binary("/", self.now(rest), Call(STOP_GRADIENT, (slope,), (), self.at), self.at)
        equations = (
            self.each_step(gap, missing),
            self.each_step(rate, Call(ALONG, (missing, before, one), (), self.at)),
            self.each_step(self.step, Binary("-", before, step, self.at)),
            self.equation(self.held, Call(STOP_GRADIENT, (self.last_step(),), (), self.at)),
            self.equation(rest, Binary("-", held, self.read_held(), self.at)),
            self.equation(self.name, Binary("-", held, last, self.at)),
        )
        return equations, (self.begin(self.step, self.start),)

    def entry(self, tensor: str, *first: Node) -> Index:
        """An entry of a tensor, `first` its step if it has some."""
        return Index(tensor, (*first, *(Name(index, self.at) for index in self.indices)), self.at)

    def at_step(self, tensor: str) -> Node:
        """An entry at the step itself."""
        return self.entry(tensor, Name(self.counter, self.at))

    def now(self, tensor: str) -> Node:
        return self.entry(tensor)

    def before(self, tensor: str) -> Node:
        return self.entry(tensor, self.one_before)

    def last_step(self) -> Node:
        return self.entry(self.step, self.number(self.block.steps - 2))

    def total(self, tensor: str) -> Node:
        return Call("sum", (self.at_step(tensor), Name(self.counter, self.at)), (), self.at)

    def read_before(self) -> Node:
        return self._read(self.step, self.one_before)

    def read_held(self) -> Node:
        return self._read(self.held)

    def _read(self, tensor: str, *first: Node) -> Node:
        def change(node: Node) -> Node:
            if not isinstance(node, Index) or node.tensor != self.name:
                return node
            return Index(tensor, (*first, *node.indices), node.at)

        return transform(self.formula, change)

    def equation(self, name: str, formula: Node) -> EquationSpec:
        return EquationSpec(name, self.indices, formula, self.at, self.ranges)

    def each_step(self, name: str, formula: Node) -> EquationSpec:
        ranges = ((self.counter, self.count), *self.ranges)
        return EquationSpec(name, (self.counter, *self.indices), formula, self.at, ranges)

    def begin(self, name: str, formula: Node) -> StartSpec:
        return StartSpec(name, (None, *self.indices), 1, "", formula, self.at)

    def check_node(self, node: Node) -> None:
        name, left = self.name, self.left
        if isinstance(node, Name) and node.id == name:
            problem = f"'{name}' is solved for entry by entry, here it stands as a whole"
            raise SpecError(problem, at=node.at, remedy=f"give it indices: {left}")
        if not isinstance(node, Index) or node.tensor != name:
            return
        if len(node.indices) != len(self.indices):
            problem = f"'{name}' has {len(self.indices)} axes, here it has {len(node.indices)} indices"
            raise SpecError(problem, at=node.at, remedy=f"give it one for each axis: {left}")
        named = tuple(place.id if isinstance(place, Name) else "" for place in node.indices)
        if self.block.method == "newton" and named != self.indices:
            problem = f"newton solves equations of one entry each, this one reads another of '{name}'"
            remedy = f"write method: picard, or let each entry be told by {left} alone"
            raise SpecError(problem, at=node.at, remedy=remedy)


class _AsAWhole(_Solving):
    """One equation of a whole tensor, `z` or `z[:, :8]`; its steps are its second axis."""

    def by_slopes(self) -> tuple[tuple[EquationSpec, ...], tuple[StartSpec, ...]]:
        problem = f"newton solves equations of one entry each, '{self.name}' is solved for as a whole"
        raise SpecError(problem, at=self.at, remedy="write method: picard, or give each axis an index")

    @property
    def left(self) -> str:
        return self.name

    def now(self, tensor: str) -> Node:
        return Name(tensor, self.at)

    def before(self, tensor: str) -> Node:
        return Index(tensor, (self._all, self.one_before), self.at)

    def last_step(self) -> Node:
        return Index(self.step, (self._all, self.number(self.block.steps - 2)), self.at)

    def total(self, tensor: str) -> Node:
        return Call("sum", (self.now(tensor),), (("axis", self.number(1)),), self.at)

    def read_before(self) -> Node:
        return substitute(self.formula, {self.name: self.before(self.step)})

    def read_held(self) -> Node:
        return substitute(self.formula, {self.name: self.now(self.held)})

    def equation(self, name: str, formula: Node) -> EquationSpec:
        return EquationSpec(name, None, formula, self.at)

    def each_step(self, name: str, formula: Node) -> EquationSpec:
        sizes = [size for _, size in self.head.indices]
        each = EachStep(self.counter, 1, (*(sizes[:1] or [None]), self.count, *sizes[1:]))
        return EquationSpec(name, None, formula, self.at, each=each)

    def begin(self, name: str, formula: Node) -> StartSpec:
        return StartSpec(name, (":", None), 1, "", formula, self.at)

    @property
    def _all(self) -> Slice:
        return Slice(None, None, None, self.at)

    def check(self) -> None:
        super().check()
        if is_number(self.start) and not any(size for _, size in self.head.indices):
            problem = f"'{self.name}' starts with a number, so nothing says how large it is"
            raise SpecError(
                problem,
                at=self.at,
                remedy=f'say so on the left: "{self.name}[:, :8]", or "{self.name}[:1]" if it is one number',
            )

    def check_node(self, node: Node) -> None:
        if isinstance(node, Index) and node.tensor == self.name:
            problem = f"'{self.name}' is solved for as a whole, here it has indices"
            raise SpecError(problem, at=node.at, remedy=f'give it some on the left too: "{self.name}[n,i]"')
