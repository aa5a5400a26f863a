"""Windows copied side by side, where that makes a sum of products one product of matrices (im2col).

A convolution `Z[n,i,o] = Σ_{u,c} x[n,i+u,c]·W[u,c,o]` reads windows of x that overlap, which no library of
products takes. With a copy `C[n,i,u,c] = x[n,i+u,c]` it is a product of the matrices [n·i, u·c] and [u·c, o].
So is its slope in W, of the same copy, and the slope in x, formed for each window and then added where that
lies. Rows that are looked up, `E[t[n,i],c]`, are copied as well.

Source: Chellapilla, Puri, Simard: High performance convolutional neural networks for document processing,
2006.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf, prod
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.contraction import as_contraction, as_product, is_plain, two_factors
from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.program import Equation, Loop, Program, canonical
from symgrad.calculus.terms import Entry, indices_in

if TYPE_CHECKING:
    from collections.abc import Iterable

LEAST_USES = 4
"""So many multiplications with each number of a window pay for its copy."""


def with_windows(program: Program) -> Program:
    """The program that copies windows where products are made of them."""
    windows = _Windows(program)
    for equation in program.equations:
        windows.add(equation)
    return windows.editor.program()


class _Windows:
    """The new program, and the copies it has so far, by what stands in them."""

    def __init__(self, program: Program) -> None:
        self.editor = ProgramEditor(program)
        self.copies: dict[Equation, str] = {}

    def add(self, equation: Equation) -> None:
        """The equation, behind the copies it is a product of, or before the sum its product is taken into."""
        if equation.scatters:
            equation = self._behind_its_product(equation)
        elif as_contraction(equation) is None:
            equation = self._of_copies(equation)
        self.editor.add(equation)

    def _behind_its_product(self, equation: Equation) -> Equation:
        """What is left of an equation that adds products to windows: the sum alone."""
        product = _product_added(equation)
        if product is None:
            return equation
        axes = tuple(loop.axis for loop in product.free)
        name = self.editor.new_tensor(f"{equation.target}_windows", axes)
        self.editor.add(replace(product, target=name))
        return replace(equation, loops=product.free, body=Entry(name, product.indices))

    def _of_copies(self, equation: Equation) -> Equation:
        """The product of a copy that a sum of products is; itself where it is none or that does not pay."""
        possible = _copies(equation)
        if not possible:
            return equation
        copy = next((copy for copy in possible if canonical(copy) in self.copies), possible[0])
        name = self.copies.get(canonical(copy))
        if name is None:
            name = self.editor.new_tensor(copy.target, tuple(loop.axis for loop in copy.loops))
            self.editor.add(replace(copy, target=name))
            self.copies[canonical(copy)] = name
        return _of_copy(equation, copy, name)


def _of_copy(equation: Equation, copy: Equation, name: str) -> Equation:
    return equation.with_body(equation.body.xreplace({copy.body: Entry(name, copy.indices)}))


def _copies(equation: Equation) -> list[Equation]:
    """The copies of one factor that make a sum of products a product of matrices, the best one first."""
    found = two_factors(equation)
    if found is None:
        return []
    loops = {loop.index: loop for loop in equation.loops}
    copies = []
    for window, other in (found[1:], found[:0:-1]):
        inner = [i for i in other.indices if i in loops and i not in equation.indices]
        outer = [i for i in equation.indices if i in indices_in(window)]
        uses = _amount(loop for loop in equation.loops if loop.index not in {*inner, *outer})
        if is_plain(window) or not is_plain(other) or uses < LEAST_USES:
            continue
        for order in ((*outer, *inner), (*inner, *outer)):
            copy = Equation(f"{window.tensor}_windows", order, tuple(loops[i] for i in order), "none", window)
            if as_product(_of_copy(equation, copy, copy.target)) is not None:
                copies.append(copy)
    return sorted(copies, key=_begins_with_size)


def _begins_with_size(equation: Equation) -> bool:
    """Whether another axis stands before the free ones, which are the rows of tensors."""
    return any(loop.axis.is_free for loop in equation.loops) and not equation.free[0].axis.is_free


def _product_added(equation: Equation) -> Equation | None:
    """The product of matrices that an equation adds to places of its target, by itself; or None."""
    found = two_factors(equation)
    places = indices_in(sp.Tuple(*equation.indices))
    inner = [loop for loop in equation.loops if loop.index not in places]
    if found is None or _amount(inner) < LEAST_USES:
        return None
    outer = [[i for i in entry.indices if i in places] for entry in found[1:]]
    orders = ((*outer[0], *outer[1]), (*outer[1], *outer[0]))
    products = [replace(equation, indices=order) for order in orders if {*order} == places]
    products = [product for product in products if as_product(product) is not None]
    return min(products, key=_begins_with_size, default=None)


def _amount(loops: Iterable[Loop]) -> float:
    """How often the body of these loops runs; a free axis is long."""
    return prod(loop.axis.size or inf for loop in loops)
