"""The functions of a module beside those of all, derivatives beyond the gradient and networks by themselves:
compiled, and for callers.
"""

from __future__ import annotations

import builtins
import keyword
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from symgrad.calculus.axes import show_axes
from symgrad.compiler.kernels.statements import KEY
from symgrad.compiler.targets.numba.network import driver
from symgrad.compiler.targets.numba.records import Definition, Driver
from symgrad.compiler.targets.numba.signatures import as_tuple, listed
from symgrad.compiler.targets.numba.spelling import NUMBA
from symgrad.compiler.targets.numba.tensor_texts import argument_in, result_in
from symgrad.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from symgrad.compiler.planning.beside.further_plan import FurtherPlan
    from symgrad.compiler.targets.numba.lowered_model import LoweredBeside
    from symgrad.compiler.targets.numba.records import ArgumentText
    from symgrad.compiler.targets.numba.runtime import RuntimePart
    from symgrad.compiler.targets.numba.signatures import Signatures
    from symgrad.spec.model import FurtherKind

_SAID: Mapping[FurtherKind | Literal["network", "drawn"], str] = {
    "hvp": "The Hessian of the loss by the parameters, times `vector`",
    "gauss_newton": "Jᵀ(H(Jv)), the Gauss-Newton matrix of the loss times v, `vector`",
    "per_sample": "The gradient of the loss of each row alone, as Params with the rows in front",
    "jacobian": "The derivatives of {} by {}",
    "hessian": "The second derivatives of the loss by {}",
    "network": "The network {}",
    "drawn": "The prediction, by numbers that are drawn",
}
_DIRECTION = (
    "",
    "`vector` is Params or one vector of SIZE numbers, and so is the answer; `params` may be either.",
)
_OUT = (
    "",
    "`out` is an earlier answer for as many rows: its memory is used again, and it is the answer.",
)


def computed(calls: Signatures, found: LoweredBeside[FurtherPlan]) -> Iterator[Definition | Driver]:
    """The size of its workspace, what computes it, and what of the workspace callers get."""
    (name, size_of, results_of), views = found.planned.compiled, found.drivers.views
    size = (f"return {NUMBA.text(views.work_size)}",)
    doc = f"How many numbers the workspace of {name} holds."
    yield Definition(size_of, listed(calls.extents), (doc,), size)
    takes_direction = found.planned.takes_direction
    vectors = ["theta", "direction", "product"] if takes_direction else ["theta"]
    doc = f"{_said(found)}, {'into `product`' if takes_direction else 'in the workspace'}."
    data = [argument.variable for argument in taken(calls, found)]
    data += [KEY.name] if found.planned.asked.kind == "drawn" else []
    yield from driver(name, listed([*vectors, *data, "work", *calls.extents]), doc, found.body)
    if not takes_direction:
        program = found.drivers.program
        outputs = program.prediction if found.planned.asked.kind == "drawn" else program.outputs
        results = [result_in(found.drivers, output) for output in outputs]
        is_most = found.planned.asked.kind == "per_sample"  # of the memory, so that a copy would double it
        lines = ("return (", *(f"    {r.view if is_most else r.copied}," for r in results), ")")
        doc = f"{'What' if is_most else 'Copies of what'} {name} left in the workspace."
        yield Definition(results_of, listed(["work", *calls.extents]), (doc,), lines)


def offered(calls: Signatures, found: LoweredBeside[FurtherPlan]) -> Definition:
    """What callers use."""
    arguments = [argument.variable for argument in taken(calls, found)]
    function, data = found.planned.function, as_tuple(arguments)
    compiled, size_of, results_of = found.planned.compiled
    if found.planned.takes_direction:
        line = f"return _product_with({compiled}, {size_of}, params, vector, {data})"
        given = listed(["params", "vector", *arguments])
        return Definition(function, given, (f"{_said(found)}.", *_DIRECTION), (line,))
    if found.planned.asked.kind == "per_sample":
        line = f"return _of_rows({compiled}, {size_of}, {results_of}, params, {data}, out)"
        given = listed(["params", *arguments, "out=None"])
        return Definition(function, given, (f"{_said(found)}.", *_OUT), (line,))
    answer = f"_found_in_work({compiled}, {size_of}, {results_of}, params, {_names(found)}, {data})"
    (output,) = (found.drivers.program.tensor[name] for name in found.drivers.program.outputs)
    said = f"{_said(found)}, {show_axes(output.axes)}."
    return Definition(function, listed(["params", *arguments]), (said,), (f"return {answer}[0]",))


def check_network_names(
    beside: Sequence[LoweredBeside[FurtherPlan]], defined: Iterable[str], parts: Iterable[RuntimePart]
) -> None:
    """Refuse networks by themselves whose names a module needs: `defined` are all that it gives a meaning,
    each as often as it does, beside those of the parts of its runtime.

    Raises:
        SpecError: naming the first.
    """
    names = Counter(defined)
    needed = {"np", "Params", "State", "Gradients", *keyword.kwlist, *dir(builtins)}.union(
        *(part.bound for part in parts)
    )
    for found in beside:
        function, at = found.planned.function, found.planned.asked.at
        own = (function, *found.planned.compiled)
        if found.planned.asked.kind == "network" and any(n in needed or names[n] > 1 for n in own):
            problem = f"a module has '{function}' of its own, and cannot offer the network of that name"
            raise SpecError(problem, at=at, remedy=f"choose another name, such as '{function}_net'")


def own_arguments(found: LoweredBeside[FurtherPlan]) -> tuple[ArgumentText, ...]:
    """What a network by itself is given, by the names that callers are told."""
    if found.planned.asked.kind != "network":
        return ()
    inputs = found.drivers.program.of_kind("input")
    return tuple(
        replace(argument_in(found.drivers, tensor), name=f"{tensor.name} of {found.planned.function}")
        for tensor in inputs
    )


def taken(calls: Signatures, found: LoweredBeside[FurtherPlan]) -> tuple[ArgumentText, ...]:
    """The data that it takes."""
    match found.planned.asked.kind:
        case "network":
            return own_arguments(found)
        case "jacobian" | "drawn":
            return calls.inputs
    return calls.arguments


def _names(found: LoweredBeside[FurtherPlan]) -> str:
    """By which names its data are checked."""
    match found.planned.asked.kind:
        case "network":
            return as_tuple(f'"{argument.name}"' for argument in own_arguments(found))
        case "jacobian":
            return "INPUTS"
    return "INPUTS + TARGETS"


def _said(found: LoweredBeside[FurtherPlan]) -> str:
    asked = found.planned.asked
    of = [asked] if asked.kind == "network" else [] if asked.kind == "drawn" else asked.of
    return _SAID[asked.kind].format(*of)
