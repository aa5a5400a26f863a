"""Forward-mode differentiation of a program: the derivative of a tensor by entries of another.

A tensor's tangent is made of those of what it reads, equation by equation: SymPy's derivative of the body
with respect to each entry X[α], times the tangent of X at α. Directions stand before the last axis, so that a
layer multiplies all of them by its matrix at once. What a tangent does not depend on is no axis of
it, and one that is a number or an entry gets no name. Tangents are kept, so that those of tangents, the
higher derivatives, use them: for a fixed program there is one more equation for each order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import sympy as sp

from symgrad.calculus.deltas import resolve_sum, with_deltas_decided
from symgrad.calculus.deriving.derivatives import derivative_of_reduction, derivatives
from symgrad.calculus.program import Equation, Loop, Tensor
from symgrad.calculus.terms import Entry, delta, entries, index_symbol, indices_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from symgrad.calculus.axes import Axes

ROW: Final = "row"
EACH: Final = "each"
Place: TypeAlias = int | Literal["row", "each"]
"""An entry's place on an axis: a number, that of the entry it is the derivative of, or every one in turn."""


@dataclass(frozen=True)
class Direction:
    """What varies: an entry of a tensor, by its place on each of its axes."""

    tensor: str
    places: tuple[Place, ...]
    axes: Axes

    @property
    def name(self) -> str:
        """The tensor, with the places that are numbers, unless all of them are 0."""
        numbers = [str(place) for place in self.places if isinstance(place, int)]
        return self.tensor + ("".join(numbers) if any(number != "0" for number in numbers) else "")

    @property
    def loops(self) -> tuple[Loop, ...]:
        """Those along which every entry varies in turn."""
        along = enumerate(zip(self.places, self.axes, strict=True))
        return tuple(Loop(index_symbol(f"_s{n}"), axis) for n, (place, axis) in along if place == EACH)

    @property
    def seeds(self) -> tuple[sp.Symbol, ...]:
        """The indices of these."""
        return tuple(loop.index for loop in self.loops)

    def among(self, indices: Sequence[sp.Expr]) -> tuple[sp.Expr, ...]:
        """The indices of a tangent: what a layer multiplies by its matrix stays last."""
        return (*indices[:-1], *self.seeds, *indices[-1:])

    def slope(self, indices: Sequence[sp.Expr]) -> sp.Expr:
        """The derivative of an entry of the tensor itself."""
        factors = []
        for number, (index, place) in enumerate(zip(indices, self.places, strict=True)):
            if place != ROW:
                varied = index_symbol(f"_s{number}") if place == EACH else sp.Integer(place)
                factors.append(delta(varied, index))
        return sp.Mul(*factors)


@dataclass(frozen=True)
class Along:
    """What varies: all of a tensor, whose entry at `indices` changes by `change`, over its own loops too."""

    tensor: str
    indices: tuple[sp.Expr, ...]
    change: sp.Expr
    loops: tuple[Loop, ...]

    @property
    def seeds(self) -> tuple[sp.Symbol, ...]:
        """The indices that the change has beside those of the tensor."""
        return tuple(loop.index for loop in self.loops)

    def among(self, indices: Sequence[sp.Expr]) -> tuple[sp.Expr, ...]:
        """The indices of a tangent: what counts steps comes first."""
        return (*self.seeds, *indices)

    def slope(self, indices: Sequence[sp.Expr]) -> sp.Expr:
        """What an entry of the tensor changes by."""
        return self.change.xreplace(dict(zip(self.indices, indices, strict=True)))


@dataclass(frozen=True)
class Tangent:
    """A derivative: a body over the indices of a tensor and those of a direction."""

    indices: tuple[sp.Symbol, ...]
    body: sp.Expr

    def at(self, indices: Sequence[sp.Expr]) -> sp.Expr:
        """The derivative of one entry."""
        return self.body.xreplace(dict(zip(self.indices, indices, strict=True)))


class Tangents:
    """The tangents of the tensors of a program that grows by them.

    `tensors` and `equations` are the program so far, `add` defines a tensor there, `fresh` gives names.
    """

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        equations: Sequence[Equation],
        add: Callable[[Tensor, Equation], None],
        fresh: Callable[[str], str],
    ) -> None:
        self.tensors, self.equations = tensors, equations
        self.add, self.fresh = add, fresh
        self.known: dict[tuple[str, Direction | Along], Tangent | None] = {}
        self.needed: set[str] = set()
        self.blind: set[str] = set()
        """What has a slope with jumps that was differentiated since this was emptied: it is 0 beside them."""
        self._flat: dict[tuple[str, Direction | Along], str] = {}

    def of(self, name: str, direction: Direction | Along) -> Tangent | None:
        """The tangent of a tensor; None where it is 0, as the tensor does not depend on what varies."""
        self.needed = needed = needed_from(self.equations, name, direction.tensor)
        for equation in [e for e in self.equations if e.target in needed]:
            if not self._is_known(equation.target, direction):
                self.known[equation.target, direction] = self._of_equation(equation, direction)
        self.blind |= {self._flat[key] for key in ((t, direction) for t in needed) if key in self._flat}
        if name == direction.tensor:
            indices = _standard_indices(len(self.tensors[name].axes))
            return Tangent(indices, direction.slope(indices))
        return self.known[name, direction] if name in needed else None

    def _is_known(self, name: str, direction: Direction | Along) -> bool:
        """Whether the tangent was made, and what it is made of is still there."""
        if (name, direction) not in self.known:
            return False
        found = self.known[name, direction]
        return found is None or all(e.tensor in self.tensors for e in entries(found.body))

    def _slope_of(self, entry: Entry, direction: Direction | Along) -> sp.Expr:
        if entry.tensor == direction.tensor:
            return direction.slope(entry.indices)
        found = self.known.get((entry.tensor, direction))
        return sp.Integer(0) if found is None else found.at(entry.indices)

    def _of_equation(self, equation: Equation, direction: Direction | Along) -> Tangent | None:
        slopes = derivatives(equation)
        total = sp.Add(*(d * self._slope_of(e, direction) for e, d in slopes if d != 0))
        flat = [e for e, d in slopes if d == 0 and self._slope_of(e, direction) != 0]
        if flat and self.tensors[equation.target].by:
            self._flat[equation.target, direction] = self.tensors[equation.target].of
        if total == 0:
            return None
        made = Equation(
            equation.target,
            (*equation.indices, *direction.seeds) if equation.scatters else direction.among(equation.indices),
            (*equation.loops, *direction.loops),
            "none" if equation.reduction == "none" else "sum",
            total,
        )
        if equation.reduction in ("max", "min", "logsumexp"):
            made = replace(made, body=total * self._weight(equation))
        return self._named(_without_single_terms(made, self.tensors), equation, direction)

    def _weight(self, equation: Equation) -> sp.Expr:
        """The derivative of a reduction with respect to its body; ties share the slope of an extremum."""
        weight = derivative_of_reduction(equation)
        if equation.reduction == "logsumexp":
            return weight
        name = self.fresh(f"ties_{equation.target}")
        tensor = Tensor(name, self.tensors[equation.target].axes, "temporary")
        self.add(tensor, replace(equation, target=name, reduction="sum", body=weight))
        return weight / Entry(name, equation.indices)

    def _named(self, made: Equation, of: Equation, direction: Direction | Along) -> Tangent:
        """The tangent that an equation makes: a short body as it is, any other as a tensor of its own."""
        if not made.scatters:
            used = made.body_indices
            kept = tuple(i for i in made.indices if i in used)
            gone = set(made.indices) - set(kept)
            made = replace(made, indices=kept, loops=tuple(x for x in made.loops if x.index not in gone))
        rank = len(of.indices)
        standard = (*_standard_indices(rank), *direction.seeds)
        is_short = made.reduction == "none" and not made.scatters and _is_short(made.body)
        if is_short:
            names = dict(zip(of.indices, standard, strict=False))
            return Tangent(standard[:rank], made.body.xreplace(names))
        tensor = replace(self._tensor(of, direction), axes=self._axes(made, of, direction))
        name = tensor.name
        self.add(tensor, replace(made, target=name))
        if made.scatters:
            return Tangent(standard[:rank], Entry(name, standard))
        places = dict(zip((*of.indices, *direction.seeds), standard, strict=True))
        return Tangent(standard[:rank], Entry(name, tuple(places[i] for i in made.indices)))

    def _tensor(self, of: Equation, direction: Direction | Along) -> Tensor:
        """What an equation's tangent is called, and of what it is the derivative by what."""
        if isinstance(direction, Along):
            return Tensor(self.fresh(f"{of.target}_move"), (), "temporary")
        by = (*self.tensors[of.target].by, direction.name)
        base = self.tensors[of.target].of or self._named_alike(of, direction)
        return Tensor(self.fresh(derivative_name(base, by)), (), "temporary", of=base, by=by)

    def _named_alike(self, equation: Equation, direction: Direction) -> str:
        """The tensor whose derivative it is too: Z, where that is a temporary and what does not vary."""
        readers = [e for e in self.equations if equation.target in e.reads and not self.tensors[e.target].by]
        if self.tensors[equation.target].kind != "temporary" or len(readers) != 1:
            return equation.target
        slopes = {e: d for e, d in derivatives(readers[0]) if e.tensor in {*self.needed, direction.tensor}}
        alone = {Entry(equation.target, readers[0].indices): sp.Integer(1)}
        is_alike = readers[0].is_elementwise and not readers[0].scatters and slopes == alone
        return self._named_alike(readers[0], direction) if is_alike else equation.target

    def _axes(self, made: Equation, of: Equation, direction: Direction | Along) -> Axes:
        own, runs = self.tensors[of.target].axes, [loop.axis for loop in direction.loops]
        if made.scatters:
            return (*own, *runs)
        axis_of = dict(zip((*of.indices, *direction.seeds), (*own, *runs), strict=True))
        return tuple(axis_of[i] for i in made.indices)


def derivative_name(of: str, by: Sequence[str]) -> str:
    """What a derivative is called: u_xx, or loss_W1_W2 where names are longer than a letter."""
    apart = "" if all(len(name) == 1 for name in by) else "_"
    return f"{of}_{apart.join(by)}"


def needed_from(equations: Iterable[Equation], name: str, source: str) -> set[str]:
    """The tensors on the way from a tensor to one that is computed from it, this one with them."""
    equations = list(equations)
    reached = {source}
    for equation in equations:
        if equation.target != source and equation.reads & reached:
            reached.add(equation.target)
    needed = {name} & reached
    for equation in reversed(equations):
        if equation.target in needed:
            needed |= equation.reads & reached
    return needed - {source}


def _without_single_terms(equation: Equation, tensors: Mapping[str, Tensor]) -> Equation:
    """The equation without sums over one term, over what a delta picks, or over nothing that varies."""
    body = with_deltas_decided(equation.body, [x.index for x in equation.loops if x.axis.size == 1])
    if equation.reduction == "none" or equation.scatters:
        return replace(equation, body=body)
    single = {loop.index: sp.Integer(0) for loop in equation.bound if loop.axis.size == 1}
    body = body.xreplace(single)
    loops = tuple(loop for loop in equation.loops if loop.index not in single)
    changed = replace(equation, body=body, loops=loops)
    return resolve_sum(changed, tensors) if changed.bound else replace(changed, reduction="none")


def _is_short(body: sp.Expr) -> bool:
    coefficient, rest = body.as_coeff_Mul()
    return not entries(body) or (abs(coefficient) == 1 and isinstance(rest, Entry)) or not indices_in(body)


def _standard_indices(rank: int) -> tuple[sp.Symbol, ...]:
    return tuple(index_symbol(f"_t{number}") for number in range(rank))


def row_places(equations: Iterable[Equation], source: str, axis: int) -> dict[str, int | None]:
    """Where each tensor that depends on another has the index of one of its axes.

    Row n of such a tensor depends on row n of the source alone. None marks a tensor of which this is not so,
    or not to be seen from its equation.
    """
    places: dict[str, int | None] = {source: axis}
    for equation in equations:
        read = [e for e in (*entries(equation.body), *_inside(equation)) if e.tensor in places]
        if read and equation.target != source:
            places[equation.target] = _row_place(equation, read, places)
    return places


def _inside(equation: Equation) -> list[Entry]:
    return [entry for index in equation.indices for entry in index.atoms(Entry)]


def _row_place(equation: Equation, read: Sequence[Entry], places: Mapping[str, int | None]) -> int | None:
    rows = set()
    for entry in read:
        place = places[entry.tensor]
        rows.add(None if place is None else entry.indices[place])
    if len(rows) != 1:
        return None
    (row,) = rows
    is_index = isinstance(row, sp.Symbol) and equation.indices.count(row) == 1
    others = [i for i in equation.indices if i != row and row in indices_in(i)] if is_index else []
    return equation.indices.index(row) if is_index and not others else None
