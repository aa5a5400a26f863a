"""Windows copied side by side, where that makes a sum of products one of matrices (im2col).

A convolution `Z[n,i,o] = Σ_{u,c} x[n,i+u,c]·W[u,c,o]` reads windows of x that overlap, which no library of
products takes. With a copy `C[n,i,u,c] = x[n,i+u,c]` it is a product of the matrices [n·i, u·c] and [u·c, o].
So is its slope in W, of the same copy, and the slope in x, formed for each window and then added where that
lies. Rows that are looked up, `E[t[n,i],c]`, are copied as well.

Of windows along two axes the outer one need not be copied: `Σ_{u,v,c} x[n,i+u,j+v,c]·W[u,v,c,o]` is, of the
copy `C[n,i,j,v,c] = x[n,i,j+v,c]`, for every n and u a product of the matrices [i·j, v·c] and [v·c, o] whose
rows begin u later. The copy is so many times smaller as there are u. Which windows are copied, all of them,
these or none, is chosen by what that costs.

Sources: Chellapilla, Puri, Simard: High performance convolutional neural networks for document processing,
2006; Cho, Brand: MEC: memory-efficient convolution for deep neural network, 2017.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, prod
from operator import itemgetter
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import sympy as sp

from symgrad.calculus.contraction import as_contraction, is_plain, start_of, two_factors
from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.program import Equation, Loop, Program, canonical
from symgrad.calculus.terms import Entry, indices_in
from symgrad.passes.windowing.window_costs import cost_of_copy, cost_of_products

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from symgrad.calculus.axes import Axes
    from symgrad.calculus.program import Tensor

T = TypeVar("T")

LEAST_USES = 4
"""So many multiplications with each number of a window pay for its copy."""


def with_windows(program: Program) -> Program:
    """The program that copies windows where products are made of them."""
    windows = _Windows(program)
    results = (*program.outputs, *program.prediction, *((program.loss,) if program.loss else ()))
    before = program.needed(results)
    for equation in program.equations:
        windows.add(equation, is_backward=equation.target not in before)
    return windows.editor.program()


class _Windows:
    """The new program, and the copies it has so far, by what stands in them.

    What is multiplied row by row is copied anew in the backward pass, as it is in the cache then and takes no
    memory in between; other copies are kept.
    """

    def __init__(self, program: Program) -> None:
        self.editor = ProgramEditor(program)
        self.copies: dict[tuple[Equation, bool], str] = {}

    def add(self, equation: Equation, is_backward: bool) -> None:
        """The equation, behind the copies it is a product of, or before the sum its product is taken into."""
        if as_contraction(equation) is None:
            if equation.scatters:
                equation = self._behind_its_product(equation)
            else:
                equation = self._of_copies(equation, is_backward)
        self.editor.add(equation)

    def _behind_its_product(self, equation: Equation) -> Equation:
        """What is left of an equation that adds products to windows: the sum alone."""
        found = _product_added(equation, self.editor.tensors[equation.target].axes)
        if found is None:
            return equation
        name = self.editor.new_tensor(f"{equation.target}_windows", found.axes)
        self.editor.add(replace(equation, target=name, indices=found.indices))
        return replace(equation, indices=found.places, loops=found.loops, body=found.entry(name))

    def _of_copies(self, equation: Equation, is_backward: bool) -> Equation:
        """The product of a copy that a sum of products is; itself where it is none or that does not pay."""
        possible = _copies(equation, self.editor.tensors)
        if not possible:
            return equation
        keys = {c: (c.key, is_backward and c.is_by_rows(equation)) for c in possible if c is not None}
        copy = next((c for c, key in keys.items() if key in self.copies), possible[0])
        if copy is None:
            return equation
        name = self.copies.get(keys[copy])
        if name is None:
            name = self.editor.new_tensor(f"{copy.window.tensor}_windows", copy.layout.axes)
            self.editor.add(copy.named(name))
            self.copies[keys[copy]] = name
        return copy.read_by(equation, name)


@dataclass(frozen=True)
class _Layout:
    """How windows of a tensor lie side by side in another one, over these `loops`.

    `places` are the indices in the tensor, over the same loops; with `indices` an equation that has the
    tensor's windows finds them.
    """

    loops: tuple[Loop, ...]
    places: tuple[sp.Expr, ...]
    indices: tuple[sp.Expr, ...]

    @property
    def axes(self) -> Axes:
        return tuple(loop.axis for loop in self.loops)

    def entry(self, name: str) -> Entry:
        return Entry(name, tuple(loop.index for loop in self.loops))


@dataclass(frozen=True)
class _Copy:
    """Windows that one factor of an equation is an entry of, and how their copy lies."""

    window: Entry
    layout: _Layout

    def named(self, name: str) -> Equation:
        """The copy, under a name."""
        entry = self.layout.entry(name)
        body = Entry(self.window.tensor, self.layout.places)
        return Equation(name, entry.indices, self.layout.loops, "none", body)

    @property
    def key(self) -> Equation:
        """The same for copies of the same."""
        return canonical(self.named(""))

    def is_by_rows(self, equation: Equation) -> bool:
        """Whether an equation of the copy is as many products as there are rows, or more."""
        return as_contraction(self.read_by(equation, self.window.tensor)) is None

    def read_by(self, equation: Equation, name: str) -> Equation:
        """The equation of the copy instead of the windows."""
        return equation.with_body(equation.body.xreplace({self.window: Entry(name, self.layout.indices)}))


def _layouts(places: Sequence[sp.Expr], axes: Axes, order: Sequence[Loop]) -> Iterator[_Layout]:
    """The ways in which windows lie in an order of their loops: but for one axis, and along all of them."""
    for number, (place, axis) in enumerate(zip(places, axes, strict=True)):
        others = indices_in(sp.Tuple(*places[:number], *places[number + 1 :]))
        for moved in order:
            found = start_of(place, frozenset((moved.index,)))
            if found is None or indices_in(place) & others:
                continue
            kept = tuple(o for o in order if o == moved or o.index not in indices_in(place))
            if any(o.axis.of_parts for o in order if o == moved or o not in kept):
                continue  # what is made part by part is not there as a whole
            loops = tuple(Loop(o.index, axis) if o == moved else o for o in kept)
            copied = (*places[:number], moved.index, *places[number + 1 :])
            yield _Layout(loops, copied, tuple(place if o == moved else o.index for o in kept))
    yield _Layout(tuple(order), tuple(places), tuple(o.index for o in order))


def _copies(equation: Equation, tensors: Mapping[str, Tensor]) -> list[_Copy | None]:
    """The copies of one factor that make a sum of products one of matrices, and None where none is needed.

    The best comes first.
    """
    found = two_factors(equation)
    if found is None:
        return []
    loops = {loop.index: loop for loop in equation.loops}
    copies: dict[_Copy | None, _Price] = {None: (cost_of_products(equation), False)}
    for window, other in (found[1:], found[:0:-1]):
        inner = [loops[i] for i in other.indices if i in loops and i not in equation.indices]
        outer = [loops[i] for i in equation.indices if i in indices_in(window)]
        is_summed_alone = indices_in(window) & loops.keys() - {loop.index for loop in (*inner, *outer)}
        if is_summed_alone or is_plain(window) or not is_plain(other):
            continue
        if _uses(equation, {*inner, *outer}) < LEAST_USES:
            continue
        for order in ((*outer, *inner), (*inner, *outer)):
            for layout in _layouts(window.indices, tensors[window.tensor].axes, order):
                copy = _Copy(window, layout)
                copies[copy] = _price(copy.read_by(equation, window.tensor), layout)
    return _cheapest_first(copies)


def _product_added(equation: Equation, axes: Axes) -> _Layout | None:
    """How the product of matrices lies best that an equation adds to places of its target, by itself.

    None where it adds none, or at once to its target.
    """
    found = two_factors(equation)
    loops = {loop.index: loop for loop in equation.loops}
    places = {loops[i] for i in indices_in(sp.Tuple(*equation.indices)) if i in loops}
    if found is None or _uses(equation, places) < LEAST_USES:
        return None
    outer = [[loops[i] for i in entry.indices if i in loops and loops[i] in places] for entry in found[1:]]
    layouts: dict[_Layout | None, _Price] = {None: (cost_of_products(equation), False)}
    for order in ((*outer[0], *outer[1]), (*outer[1], *outer[0])):
        if {*order} == places:
            for layout in _layouts(equation.indices, axes, order):
                layouts[layout] = _price(replace(equation, indices=layout.indices), layout)
    return next(iter(_cheapest_first(layouts)), None)


_Price: TypeAlias = tuple[float | None, bool]
"""What a way costs, None where it is none; and of equal ones, whether its free axes, the rows, come late."""


def _price(equation: Equation, layout: _Layout) -> _Price:
    cost = cost_of_products(equation)
    loops = layout.loops
    comes_late = any(loop.axis.is_free for loop in loops) and not loops[0].axis.is_free
    return None if cost is None else cost + cost_of_copy(loops), comes_late


def _cheapest_first(possible: Mapping[T, _Price]) -> list[T]:
    """The ways that there are, by what they cost."""
    costs = [(cost, comes_late, way) for way, (cost, comes_late) in possible.items() if cost is not None]
    return [way for *_, way in sorted(costs, key=itemgetter(1, 0))]


def _uses(equation: Equation, loops: Collection[Loop]) -> float:
    """How often an equation uses each number over these loops; a free axis is long."""
    return prod(loop.axis.size or inf for loop in equation.loops if loop not in loops)
