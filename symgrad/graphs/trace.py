"""Programs that say which value is computed from which, for every use of a value by itself.

A *use* is an equation of its own, a copy of a whole tensor, that one operation (or one equation of the
spec) reads instead of the tensor. The gradient with respect to a use is therefore what flows back along
that one edge of the computation graph, and the gradients of all uses of a tensor add up to its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Literal, TypeAlias

from symgrad.calculus.program import Equation, Program, Tensor
from symgrad.calculus.terms import Entry
from symgrad.elaborate.elaborate import elaborate
from symgrad.elaborate.formulas import Evaluator
from symgrad.errors import SpecError
from symgrad.spec import library
from symgrad.spec.expansion.calls import bind
from symgrad.spec.expansion.steps.streams import STREAM, as_written
from symgrad.spec.language.builtins import ALONG, UNIFORM, is_derivative
from symgrad.spec.language.syntax import Binary, Call, Index, Name, Node
from symgrad.spec.language.trees import replaced
from symgrad.spec.language.unparse import unparse
from symgrad.spec.reads import asks_for_derivative

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.elaborate.operands import EquationBuilder, Value
    from symgrad.elaborate.scope import Scope
    from symgrad.spec.model import FunctionSpec, Model

Detail: TypeAlias = Literal["gates", "blocks"]

MAX_OPERATIONS = 1000
"""A picture of more cannot be read."""


@dataclass(frozen=True)
class Operand:
    """What an operation is given: a tensor and its use of it, or a constant, which has no tensor.

    `text` is how the formula says it.
    """

    text: str
    tensor: str | None = None
    use: str | None = None


@dataclass(frozen=True)
class Operation:
    """The node of a formula that a tensor is the value of, and its operands from left to right.

    `arguments` are the names that a library function has for its operands.
    """

    node: Node
    operands: tuple[Operand, ...]
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trace:
    """A primal program; `uses` says which tensor each copy is a use of, `operations` are by target.

    There are operations only where every operation of every formula has an equation of its own.
    """

    program: Program
    uses: Mapping[str, str]
    operations: Mapping[str, Operation]


def has_derivatives(model: Model) -> bool:
    """Whether a formula asks for a derivative, or something is solved for by one."""
    functions = {function.name: function for function in model.functions}
    formulas = (*(e.formula for e in model.equations), *((model.loss,) if model.loss else ()))
    return bool(model.spec.solved) or any(asks_for_derivative(formula, functions) for formula in formulas)


def _with_reads_for_derivatives(model: Model) -> Model:
    """The model with something in place of every derivative that reads the same, and is as large.

    A derivative is by a tensor in all of its uses at once, not by the copies that a picture has of it.
    """
    functions = {function.name for function in model.functions}

    def change(node: Node) -> Node | None:
        if not isinstance(node, Call) or not (is_derivative(node, functions) or node.function == ALONG):
            return None
        of, *by = (replaced(argument, change) for argument in node.arguments)
        if any(isinstance(part, Index) for part in (of, *by)):
            return reduce(lambda a, b: Binary("*", a, b, node.at), by, of)
        others = (Call("mean", (part,), (), node.at) for part in (of, *by[1:]))
        return reduce(lambda a, b: Binary("+", a, b, node.at), others, by[0])

    return replace(
        model,
        functions=tuple(replace(f, formula=replaced(f.formula, change)) for f in model.functions),
        equations=tuple(replace(e, formula=replaced(e.formula, change)) for e in model.equations),
        loss=None if model.loss is None else replaced(model.loss, change),
    )


def trace(model: Model, detail: Detail) -> Trace:
    """The program of a model in which every use of a value is a copy.

    With `gates` every operation of every formula is an equation, and equal operations are one; the
    spec's own functions are opened, those of the library are operations. A derivative is read off what it is
    of and by, and not computed: a program with one has its structure alone.

    Raises:
        SpecError: as `elaborate` does, or more than MAX_OPERATIONS gates.
    """
    model = _with_reads_for_derivatives(model)
    made: list[_Tracer] = []

    def tracer(
        builder: EquationBuilder, functions: Mapping[str, FunctionSpec], sizes: Mapping[str, int]
    ) -> Evaluator:
        made.append((_GateTracer if detail == "gates" else _BlockTracer)(builder, functions, sizes))
        return made[0]

    program = elaborate(replace(model, prediction=None), tracer)
    uses = {use: tensor for use, tensor in made[0].uses.items() if use in program.definition}
    return Trace(program, uses, made[0].operations)


class _Tracer(Evaluator):
    def __init__(
        self, builder: EquationBuilder, functions: Mapping[str, FunctionSpec], sizes: Mapping[str, int]
    ) -> None:
        super().__init__(builder, functions, sizes)
        self.uses: dict[str, str] = {}
        self.operations: dict[str, Operation] = {}

    def _use(self, tensor: str) -> str:
        """A new copy of a tensor; labels are used as they are, no gradient flows into them."""
        whole = self.builder.tensors[self.uses.get(tensor, tensor)]
        if whole.is_integer:
            return tensor
        name = self.builder.unused(f"{whole.name}_use")
        value = self.builder.tensor_value(whole)
        self.builder.define(Tensor(name, whole.axes, "temporary"), value.indices, value.body)
        self.uses[name] = whole.name
        return name


class _BlockTracer(_Tracer):
    """Every equation of the spec uses a tensor once, however often its formula names it."""

    def __init__(
        self, builder: EquationBuilder, functions: Mapping[str, FunctionSpec], sizes: Mapping[str, int]
    ) -> None:
        super().__init__(builder, functions, sizes)
        self.used: dict[tuple[str, str], str] = {}

    def _value(self, node: Node, around: Scope) -> Value:
        value = super()._value(node, around)
        body = value.body
        if not isinstance(node, Name | Index) or not isinstance(body, Entry):
            return value
        tensor = self.builder.tensors[body.tensor]
        if tensor.kind == "temporary":
            return value
        key = (around.owner, tensor.name)
        if self.used.get(key) not in self.builder.tensors:  # what a draw is like alone is forgotten
            self.used[key] = self._use(tensor.name)
        return replace(value, body=Entry(self.used[key], body.indices))


class _GateTracer(_Tracer):
    """Every operation is an equation; `frames` hold the operands of the operations being evaluated.

    `mark` counts the equations there were when the last operand was complete: what comes after belongs
    to the operation itself.
    """

    def __init__(
        self, builder: EquationBuilder, functions: Mapping[str, FunctionSpec], sizes: Mapping[str, int]
    ) -> None:
        super().__init__(builder, functions, sizes)
        sealed = [f for f in functions.values() if f.formula.at.source.startswith("<library:")]
        self.library = {f.name for f in sealed}
        self.sealed_formulas = {id(f.formula) for f in sealed}
        self.is_sealed = False
        self.frames: list[list[Operand]] = [[]]
        self.mark = 0
        self.known: dict[tuple[object, ...], str] = {}

    def _value(self, node: Node, around: Scope) -> Value:
        if self.is_sealed:
            return super()._value(node, around)
        if id(node) in self.sealed_formulas:
            self.is_sealed = True
            value = super()._value(node, around)
            self.is_sealed = False
            return value
        self.frames.append([])
        value = super()._value(node, around)
        value, operand = self._traced(node, around, value, self.frames.pop())
        self.frames[-1].append(operand)
        self.mark = len(self.builder.equations)
        return value

    def _traced(
        self, node: Node, around: Scope, value: Value, operands: list[Operand]
    ) -> tuple[Value, Operand]:
        """The value by its use, and what the operation around it is given."""
        if not value.body.atoms(Entry):
            self._forget()
            is_argument = isinstance(node, Name) and node.id in around.bound
            return value, Operand(str(value.body) if is_argument else unparse(self._written(node)))
        if isinstance(node, Call) and node.function in self.functions and node.function not in self.library:
            return value, operands[-1]
        if not isinstance(node, Name | Index):
            value = self._gate(node, around, value, operands)
        use = self._use(value.body.tensor)
        tensor = self.uses.get(use, use)
        value = replace(value, body=Entry(use, value.body.indices))
        return value, Operand(unparse(self._written(node)), tensor, use if use != tensor else None)

    def _gate(self, node: Node, around: Scope, value: Value, operands: list[Operand]) -> Value:
        """The value as an entry of the tensor that holds this operation, an earlier one if it is equal."""
        builder = self.builder
        if not self._is_last(value):
            value = builder.temporary(around.owner, value)
        own, target = builder.equations[self.mark :], value.body.tensor
        key = (_kind(node), *self._without_names(own))
        if key in self.known:
            for equation in own:
                del builder.tensors[equation.target]
            del builder.equations[self.mark :]
            return replace(value, body=Entry(self.known[key], value.body.indices))
        if len(self.operations) >= MAX_OPERATIONS:
            raise SpecError(
                f"more than {MAX_OPERATIONS:,} operations, too many for a picture",
                at=node.at,
                remedy="draw the equations instead: the detail 'blocks'",
            )
        self.known[key] = target
        self.operations[target] = self._operation(node, operands)
        return value

    def _forget(self) -> None:
        """Drop the operations whose results the evaluator has found to be unneeded, as x in 0·x."""
        tensors = self.builder.tensors
        self.known = {key: target for key, target in self.known.items() if target in tensors}
        self.operations = {name: o for name, o in self.operations.items() if name in tensors}

    def _is_last(self, value: Value) -> bool:
        """Whether the value is the tensor that the operation's last equation defines, a reduction's say."""
        body, equations = value.body, self.builder.equations
        if len(equations) == self.mark or not isinstance(body, Entry):
            return False
        ends_alike = body.indices[len(body.indices) - len(value.indices) :] == value.indices
        return body.tensor == equations[-1].target and ends_alike

    def _without_names(self, equations: list[Equation]) -> tuple[Equation, ...]:
        """Equations that are equal when the same is computed from the same tensors."""
        names = {equation.target: f"#{number}" for number, equation in enumerate(equations)}
        renamed = []
        for equation in equations:
            found = {e: names.get(e.tensor) or self.uses.get(e.tensor) for e in equation.body.atoms(Entry)}
            changed = {e: Entry(name, e.indices) for e, name in found.items() if name}
            body = equation.body.xreplace(changed)
            renamed.append(replace(equation, target=names[equation.target], body=body))
        return tuple(renamed)

    def _operation(self, node: Node, operands: list[Operand]) -> Operation:
        """The operation as it is written; a call binds defaults too, and these before the others."""
        written = self._written(node)
        if isinstance(node, Call) and node.function == UNIFORM:
            return Operation(written, tuple(operands[1:]))  # the first is its stream
        if not isinstance(node, Call) or node.function not in self.library:
            return Operation(written, tuple(operands))
        function = self.functions[node.function]
        signature = library.Signature(function.name, function.arguments, function.defaults)
        given = dict(zip(bind(node, signature), operands, strict=True))
        known = (*signature.arguments, *(name for name, _ in signature.defaults))
        names = (*known[: len(node.arguments)], *(name for name, _ in node.keywords if name != STREAM))
        return Operation(written, tuple(given[name] for name in names), names)

    def _written(self, node: Node) -> Node:
        return as_written(node, self.functions.values())


def _kind(node: Node) -> tuple[object, ...]:
    """What kind of operation this is, its operands aside."""
    return type(node), getattr(node, "operator", None), getattr(node, "function", None)
