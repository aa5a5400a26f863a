"""From a plan to plain Python: the kernels and function bodies of the compiled module, its arrays checked.

It computes what the compiled module computes, in the same order, slowly: a second reading of the same data.
"""

from __future__ import annotations

import builtins
import keyword
from inspect import getsource
from typing import TYPE_CHECKING

from symgrad.compiler.kernels.function_bodies import FunctionBodies
from symgrad.compiler.kernels.kernels import BLOCK
from symgrad.compiler.kernels.update_kernels import state_names, update_body
from symgrad.compiler.planning import row_blocks
from symgrad.compiler.planning.update_plan import plan_update
from symgrad.compiler.targets.python import support
from symgrad.compiler.targets.python.printer import INDENT, Printer
from symgrad.elaborate.optimizer import after_gradient
from symgrad.spec.scalars import INNER, SCALARS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from symgrad.calculus.program import Program, Tensor
    from symgrad.compiler.planning.plan import PhaseName, Plan
    from symgrad.spec.model import Spec

_OWN = """
np math Array view memory gemm masked_gemm accumulate accumulate_rows clear_rows difference_first
in_parts start stop quotient_first product_first theta grad
destination work keep scale real value layer found computed updated _forward _prediction _loss _gradient
_update step epoch epochs size t g learning_rate norm state vector euclidean_norm first BLOCK
"""
_FUNCTIONS = {"Max": "np.maximum", "Min": "np.minimum", "square": "np.square"}
OWN_NAMES = frozenset((*keyword.kwlist, *dir(builtins), *_OWN.split(), *SCALARS))
"""What the text calls its own."""


def _spelled(function: str, plain: bool) -> str:  # noqa: ARG001  # nothing is vectorised here
    row = INNER.get(function)
    if row is not None:
        return row.code or row.name
    return _FUNCTIONS.get(function, function)


PYTHON = Printer(_spelled)


def python_text(spec: Spec, plan: Plan, update: Program) -> str:
    """A module of two public functions, `computed(theta, *data)` and where there is a loss `updated`.

    `computed` gives a dict of copies.

    `outputs` and `predictions` are by name, and where there is a loss there are `loss`, `grad` with the
    entries of theta, and `of_data`, the derivatives that the spec's `gradients` names.
    `updated(theta, grad, state, epoch, epochs)` gives theta and state after a step of the optimiser.
    """
    return "\n".join((*_PythonModule(spec, plan, update).lines(), ""))


class _PythonModule:
    def __init__(self, spec: Spec, plan: Plan, update: Program) -> None:
        self.update = update
        self.spec, self.plan, self.program = spec, plan, plan.program
        self.bodies = FunctionBodies(plan, OWN_NAMES)
        self.phases = {phase.name: self.bodies.body(phase) for phase in plan.phases}
        self.sizes = list(self.bodies.extent_names.values())
        self.inputs = self.program.of_kind("input")
        self.data = (*self.inputs, *self.program.of_kind("target"))

    def lines(self) -> Iterator[str]:
        """The lines of the module."""
        yield from _support()
        yield f"\n\n# --- {self.spec.name} ---"
        if self.plan.blocks:
            yield f"\n{BLOCK.name} = {row_blocks.BLOCK_ROWS}"
        for named in self.bodies.kernels.values():
            yield from _function(named.name, named.arguments, named.doc, PYTHON.lines(named.kernel.body))
        for phase, body in self.phases.items():
            yield from _function(f"_{phase}", self._arguments(phase), f"The {phase}.", PYTHON.lines(body))
        doc = "All results by their names, each a copy."
        yield from _function("computed", ("theta", *map(self._name, self.data)), doc, self._computed())
        if self.program.loss:
            yield from self._updated()

    def _updated(self) -> Iterator[str]:
        """The step of the optimiser, in place and of copies."""
        states = state_names(self.update, OWN_NAMES).values()
        body = PYTHON.lines(update_body(plan_update(after_gradient(self.update)), OWN_NAMES))
        arguments = ("theta", "grad", "step", *states, "epoch", "epochs")
        yield from _function("_update", arguments, "A step, in place.", body)
        copies = (
            "theta, state = Array(theta.copy()), [Array(vector.copy()) for vector in state]",
            "_update(theta, Array(grad), *state, epoch, epochs)",
            "return theta.numbers, [vector.numbers for vector in state]",
        )
        doc = "Theta and the state, which counts steps first, after a step."
        yield from _function("updated", ("theta", "grad", "state", "epoch", "epochs"), doc, copies)

    def _name(self, tensor: Tensor) -> str:
        return self.bodies.names[tensor.name]

    def _arguments(self, phase: PhaseName) -> tuple[str, ...]:
        """The parameters of a phase's function."""
        gradient = ("destination", "keep", "scale") if self.program.accumulated else ("grad",)
        data = self.data if phase in ("loss", "gradient") else self.inputs
        vectors = gradient if phase == "gradient" else ()
        return ("theta", *vectors, *map(self._name, data), "work", *self.sizes)

    def _computed(self) -> Iterator[str]:
        program = self.program
        yield "theta, keep, scale = Array(theta), 0, 1"
        yield from self._sizes()
        for tensor in self.data:
            moved = "np.moveaxis({0}, 0, -1)" if self.plan.is_by_columns(tensor.name) else "{0}"
            yield f"{self._name(tensor)} = Array({moved.format(self._name(tensor))})"
        yield from self._run("forward", "prediction")
        yield f"found = {{'outputs': {self._copies({n: n for n in program.outputs})}}}"
        yield f"found['predictions'] = {self._copies({n: n for n in program.prediction})}"
        if program.loss:
            yield from self._loss(program.loss)
        yield "return found"

    def _loss(self, loss: str) -> Iterator[str]:
        yield from self._run("forward", "loss")
        yield f"found['loss'] = {self._copy(loss)}"
        yield "grad = destination = memory(theta.size, theta.dtype)"
        yield f"_gradient({', '.join(self._arguments('gradient'))})"
        yield "found['grad'] = grad.numbers.copy()"
        of = {g.of: g.name for g in self.program.gradients}
        yield f"found['of_data'] = {self._copies({name: of[name] for name in self.spec.gradients})}"

    def _sizes(self) -> Iterator[str]:
        """The sizes of free axes, as the first array has them that has the axis."""
        found: dict[str, str] = {}
        for tensor in self.data:
            for number, axis in enumerate(tensor.axes):
                if axis.is_free:
                    found.setdefault(axis.name or "", f"{self._name(tensor)}.shape[{number}]")
        sizes = [found[axis] for axis in self.bodies.free_axes]
        derived = self.bodies.size_texts[len(sizes) :]
        for identifier, size in zip(self.sizes, (*sizes, *derived), strict=True):
            yield f"{identifier} = {size}"

    def _run(self, *phases: PhaseName) -> Iterator[str]:
        """Phases one after another, in memory that holds no number at first."""
        constants = "".join(f", {list(c.values)}" for c in self.spec.constants)
        yield f"work = memory({PYTHON.text(self.bodies.views.work_size)}, theta.dtype{constants})"
        for phase in phases:
            yield f"_{phase}({', '.join(self._arguments(phase))})"

    def _copies(self, tensors: Mapping[str, str]) -> str:
        """A dict of tensors under names."""
        return f"{{{', '.join(f'{name!r}: {self._copy(tensor)}' for name, tensor in tensors.items())}}}"

    def _copy(self, tensor: str) -> str:
        """A tensor in the order of its axes, apart from the memory it was computed in."""
        numbers = f"{PYTHON.text(self.bodies.views.view(tensor))}.numbers"
        if not self.program.tensor[tensor].axes:
            numbers += ".reshape(())"
        moved = f"np.moveaxis({numbers}, -1, 0)" if self.plan.is_by_columns(tensor) else numbers
        return f"{moved}.copy()"


def _support() -> Iterator[str]:
    """What every such module needs, and the functions that are formulas of others."""
    yield getsource(support).rstrip()
    for row in SCALARS.values():
        if not row.code and not hasattr(support, row.name):
            yield from _function(row.name, ("x",), row.formula, [f"return {row.formula}"])


def _function(name: str, arguments: Iterable[str], doc: str, body: Iterable[str]) -> Iterator[str]:
    yield from ("", "", f"def {name}({', '.join(arguments)}):", f'{INDENT}"""{doc}"""')
    yield from (f"{INDENT}{line}" for line in body)
