"""Kernels as data: what they apply is asked of their nodes, and those of one form do the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from building import staged

from symgrad.compiler.kernels.function_bodies import FunctionBodies
from symgrad.compiler.kernels.instructions import Applied, Literal, Note, Variable, changed, replaced, walk
from symgrad.compiler.targets.numba.spelling import NUMBA

if TYPE_CHECKING:
    from symgrad.compiler.kernels.kernels import Kernel

NAMES = ["norms", "convolution", "own_softmax", "layer_maxout", "embedding"]


def kernels_of(name: str) -> list[Kernel]:
    plan = staged(name).plan
    bodies = FunctionBodies(plan, frozenset())
    for phase in plan.phases:
        bodies.body(phase)
    return [named.kernel for named in bodies.kernels.values()]


@pytest.fixture(scope="module", params=NAMES)
def kernels(request: pytest.FixtureRequest) -> list[Kernel]:
    return kernels_of(request.param)


def test_a_form_does_not_depend_on_names_and_notes(kernels: list[Kernel]) -> None:
    for kernel in kernels:
        names = {v: Variable(f"{v.name}_of_others") for v in walk(kernel.body) if isinstance(v, Variable)}
        for size in kernel.sizes:
            names.pop(Variable(size), None)
        other = replaced((kernel.arrays, kernel.body), names)
        renamed = replace(kernel, arrays=other[0], body=(Note("of another network"), *other[1]))
        assert renamed.form == kernel.form
        assert list(NUMBA.lines(renamed.body)) != list(NUMBA.lines(kernel.body))


def test_a_form_tells_numbers_functions_and_which_array_is_which(kernels: list[Kernel]) -> None:
    def other(node: object) -> object:
        match node:
            case Literal(value):
                return Literal(value + 1)
            case Applied(function):
                return replace(node, function=f"{function}_")
        return node

    for kernel in kernels:
        body = changed(kernel.body, other)
        if body != kernel.body:
            assert replace(kernel, body=body).form != kernel.form
        if len(kernel.arrays) > 1:
            assert replace(kernel, arrays=kernel.arrays[::-1]).form != kernel.form
