"""The functions of a derivative beyond the gradient in an emitted module: compiled, and for callers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.calculus.axes import show_axes
from symgrad.compiler.targets.numba.network import driver
from symgrad.compiler.targets.numba.records import Definition, Driver
from symgrad.compiler.targets.numba.signatures import as_tuple, listed
from symgrad.compiler.targets.numba.spelling import NUMBA
from symgrad.compiler.targets.numba.tensor_texts import result_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from symgrad.compiler.planning.further_plan import FurtherPlan
    from symgrad.compiler.targets.numba.lowered_model import LoweredBeside
    from symgrad.compiler.targets.numba.signatures import Signatures
    from symgrad.spec.model import FurtherKind

_SAID: Mapping[FurtherKind, str] = {
    "hvp": "The Hessian of the loss by the parameters, times `vector`",
    "gauss_newton": "Jᵀ(H(Jv)), the Gauss-Newton matrix of the loss times v, `vector`",
    "per_sample": "The gradient of the loss of each row alone, as Params with the rows in front",
    "jacobian": "The derivatives of {} by {}",
    "hessian": "The second derivatives of the loss by {}",
}
_DIRECTION = (
    "",
    "`vector` is Params or one vector of SIZE numbers, and so is the answer; `params` may be either.",
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
    data = calls.loss if found.planned.takes_targets else calls.forward
    yield from driver(name, listed([*vectors, data]), doc, found.body)
    if not takes_direction:
        results = [result_in(found.drivers, output) for output in found.drivers.program.outputs]
        is_most = found.planned.asked.kind == "per_sample"  # of the memory, so that a copy would double it
        lines = ("return (", *(f"    {r.view if is_most else r.copied}," for r in results), ")")
        doc = f"{'What' if is_most else 'Copies of what'} {name} left in the workspace."
        yield Definition(results_of, listed(["work", *calls.extents]), (doc,), lines)


def offered(calls: Signatures, found: LoweredBeside[FurtherPlan]) -> Definition:
    """What callers use."""
    arguments = [a.variable for a in (calls.arguments if found.planned.takes_targets else calls.inputs)]
    names = "INPUTS + TARGETS" if found.planned.takes_targets else "INPUTS"
    function, data = found.planned.function, as_tuple(arguments)
    compiled, size_of, results_of = found.planned.compiled
    if found.planned.takes_direction:
        line = f"return _product_with({compiled}, {size_of}, params, vector, {data})"
        given = listed(["params", "vector", *arguments])
        return Definition(function, given, (f"{_said(found)}.", *_DIRECTION), (line,))
    answer = f"_found_in_work({compiled}, {size_of}, {results_of}, params, {names}, {data})"
    outputs = [found.drivers.program.tensor[name] for name in found.drivers.program.outputs]
    is_one = found.planned.asked.kind != "per_sample"
    line = f"return {answer}[0]" if is_one else f"return Params(*_with_memory({answer}))"
    said = f"{_said(found)}{f', {show_axes(outputs[0].axes)}' if is_one else ''}."
    return Definition(function, listed(["params", *arguments]), (said,), (line,))


def _said(found: LoweredBeside[FurtherPlan]) -> str:
    return _SAID[found.planned.asked.kind].format(*found.planned.asked.of)
