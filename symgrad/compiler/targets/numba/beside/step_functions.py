"""The functions of one step of time in an emitted module: compiled, and for callers; what they are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.calculus.axes import show_axes
from symgrad.compiler.targets.numba.network import driver
from symgrad.compiler.targets.numba.records import Definition, Driver, FactText, FieldText
from symgrad.compiler.targets.numba.signatures import as_tuple, listed
from symgrad.compiler.targets.numba.spelling import NUMBA
from symgrad.compiler.targets.numba.tensor_texts import result_in, shape_told
from symgrad.spec.model import STEP_FUNCTION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.calculus.program import Tensor
    from symgrad.compiler.planning.beside.further_plan import StepPlan
    from symgrad.compiler.targets.numba.lowered_model import LoweredBeside
    from symgrad.compiler.targets.numba.signatures import Signatures

_DOC = (
    "One step of time: what is predicted there, as predict has it, and what is carried to the next step.",
    "",
    "It begins with step(params, None{given}) and goes on with step(params, carry{given}). It is given what",
    "is of one step, without the axis of steps. What looks at the last step sees this one.",
)


def computed(calls: Signatures, found: LoweredBeside[StepPlan]) -> Iterator[Definition | Driver]:
    """The size of its workspace, what computes it, and what of the workspace callers get."""
    (name, size_of, results_of), views = found.planned.compiled, found.drivers.views
    size, doc = NUMBA.text(views.work_size), f"How many numbers the workspace of {name} holds."
    yield Definition(size_of, listed(calls.extents), (doc,), (f"return {size}",))
    given = [found.drivers.names[tensor.name] for tensor in _given(found)]
    doc = "One step of time, in the workspace."
    yield from driver(name, listed(["theta", *given, "work", *calls.extents]), doc, found.body)
    results = [result_in(found.drivers, output) for output in found.drivers.program.outputs]
    lines = ("return (", *(f"    {r.copied}," for r in results), ")")
    doc = "Copies of what is predicted, of what is carried on, and of what is carried to the first step."
    yield Definition(results_of, listed(["work", *calls.extents]), (doc,), lines)


def offered(found: LoweredBeside[StepPlan]) -> Definition:
    """What callers use."""
    given = [found.drivers.names[t.name] for t in _given(found) if t.name not in found.planned.step.carried]
    doc = tuple(line.format(given="".join(f", {name}" for name in given)) for line in _DOC)
    line = f"return _stepped(params, carry, {as_tuple(given)})"
    return Definition(STEP_FUNCTION, listed(["params", "carry", *given]), doc, (line,))


def carry_fields(found: LoweredBeside[StepPlan]) -> tuple[FieldText, ...]:
    """What is carried from step to step, by the names of its sources."""
    tensor, step = found.drivers.program.tensor, found.planned.step
    return tuple(FieldText(source, show_axes(tensor[name].axes)) for name, source in step.carried.items())


def told(found: LoweredBeside[StepPlan]) -> Iterator[FactText]:
    """The axes of what a step is given, and which axis of the whole counts steps."""
    step, program = found.planned.step, found.drivers.program
    given = {t.name: shape_told(t) for t in _given(found)}
    named = {f"carry.{step.carried[n]}" if n in step.carried else n: axes for n, axes in given.items()}
    inputs = [name for name in given if name not in step.carried]
    yield FactText("STEP_INPUTS", as_tuple(f'"{name}"' for name in inputs), "what a step of time is given")
    yield FactText("STEP_AXES", _lines(named), "and what it carries on, with their axes")
    yield FactText(
        "STEPS", _lines({n: str(place) for n, place in step.places.items()}), "which axis of all counts steps"
    )
    yield FactText("PREDICTED_AT_STEP", str(len(program.outputs) - 2 * len(step.carried)), "how many tensors")


def _given(found: LoweredBeside[StepPlan]) -> tuple[Tensor, ...]:
    """Inputs, then what is carried."""
    return found.drivers.program.of_kind("input")


def _lines(items: dict[str, str]) -> str:
    lines = (f'    "{name}": {value},' for name, value in items.items())
    return "\n".join(["{", *lines, "}"]) if items else "{}"
