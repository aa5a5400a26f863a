"""Formulas to values: what each construct of the spec language means."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.indices import index_axes
from symgrad.calculus.program import Axes, Axis, Reduction, show_axes
from symgrad.calculus.terms import Entry, delta, expm1, extent_symbol, log1p
from symgrad.calculus.values import Builder, Value, scalar
from symgrad.errors import ShapeError, SpecError, did_you_mean
from symgrad.spec import library
from symgrad.spec.builtins import LANGUAGE_FUNCTIONS, REDUCTIONS
from symgrad.spec.syntax import (
    Binary,
    Boolean,
    Call,
    Compare,
    Index,
    Name,
    Negate,
    Node,
    Number,
    Transpose,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from symgrad.errors import Position
    from symgrad.spec.model import EquationSpec, FunctionSpec

SCALAR: Mapping[str, Callable[[sp.Expr], sp.Expr]] = {
    "exp": sp.exp,
    "log": sp.log,
    "log1p": log1p,
    "expm1": expm1,
    "sqrt": sp.sqrt,
    "sin": sp.sin,
    "cos": sp.cos,
    "tan": sp.tan,
    "sinh": sp.sinh,
    "cosh": sp.cosh,
    "tanh": sp.tanh,
    "asin": sp.asin,
    "acos": sp.acos,
    "atan": sp.atan,
    "erf": sp.erf,
    "abs": sp.Abs,
    "sign": sp.sign,
}

ARITHMETIC: Mapping[str, Callable[[sp.Expr, sp.Expr], sp.Expr]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "**": lambda a, b: a**b,
}

RELATION = {"<": sp.Lt, "<=": sp.Le, ">": sp.Gt, ">=": sp.Ge, "==": sp.Eq, "!=": sp.Ne}


def larger(a: sp.Expr, b: sp.Expr) -> sp.Expr:
    """max(a, b) as a choice. At a tie b's slope counts; a constant stands last, so relu'(0) = 0.

    Written with <= so that a NaN in `a` is chosen and not hidden.
    """
    a, b = (b, a) if a.is_number and not b.is_number else (a, b)
    return sp.Piecewise((b, a <= b), (a, True))


def smaller(a: sp.Expr, b: sp.Expr) -> sp.Expr:
    """min(a, b) as a choice, with the policy of `larger`."""
    a, b = (b, a) if a.is_number and not b.is_number else (a, b)
    return sp.Piecewise((b, a >= b), (a, True))


class Evaluator:
    """Evaluates formulas in the scope of what has been defined so far."""

    def __init__(
        self, builder: Builder, functions: Mapping[str, FunctionSpec], sizes: Mapping[str, int]
    ) -> None:
        self.builder = builder
        self.functions = functions
        self.sizes = sizes
        self.free_axes: set[str] = set()
        self.owner = ""
        self.bound: dict[str, Value] = {}
        self.index: dict[str, sp.Symbol] = {}

    def note_free_axes(self, axes: Axes) -> None:
        """Remember the names of free axes: a formula may use them as sizes."""
        self.free_axes |= {axis.name for axis in axes if axis.size is None and axis.name}

    def evaluate(self, formula: Node, owner: str, bound: Mapping[str, Value] | None = None) -> Value:
        """The value of a formula; `owner` names the temporaries it needs, `bound` are values by name."""
        self.owner, self.bound, self.index = owner, dict(bound or {}), {}
        return self._value(formula)

    def in_index_notation(self, equation: EquationSpec) -> Value:
        """The value of `name[n,k]: formula`, whose indices are scalars inside the formula."""
        self.owner, self.bound, self.index = equation.name, {}, {}
        names = equation.indices or ()
        axes = index_axes(equation, self.builder.tensors)
        self.index = {name: self.builder.index(axes[name]) for name in names}
        value = self._value(equation.formula)
        if value.axes:
            raise ShapeError(
                f"each entry of '{equation.name}' must be one number, this is {show_axes(value.axes)}",
                at=equation.formula.at,
                remedy="index every tensor: X[n,d]",
            )
        return Value(tuple(axes[n] for n in names), tuple(self.index[n] for n in names), value.body)

    # Dispatch -------------------------------------------------------------------------------

    def _value(self, node: Node) -> Value:
        match node:
            case Number(value):
                return scalar(sp.Rational(value.numerator, value.denominator))
            case Name():
                return self._name(node)
            case Negate(operand):
                return self._combine(lambda a: -a, "-", node.at, operand)
            case Binary("@", left, right, at):
                return self.builder.matmul(self.owner, self._value(left), self._value(right), at)
            case Binary(operator, left, right, at):
                return self._combine(ARITHMETIC[operator], operator, at, left, right)
            case Transpose(operand):
                value = self._value(operand)
                return Value(value.axes[::-1], value.indices[::-1], value.body)
            case Index():
                return self._entry(node)
            case Call():
                return self._call(node)
            case Compare(at=at):
                raise SpecError("a comparison may stand only as the first argument of where", at=at)
            case Boolean(at=at):
                raise SpecError("true and false may stand only as a keyword's value", at=at)
        raise TypeError(node)

    def _combine(
        self, function: Callable[..., sp.Expr], what: str, at: Position, *operands: Node
    ) -> Value:
        values = [self._value(operand) for operand in operands]
        value = self.builder.combine(function, values, f"'{what}'", at)
        if value.body.has(sp.zoo, sp.nan, sp.oo) or value.body.is_real is False:
            raise SpecError(f"'{what}' gives no real number here", at=at, remedy="check for division by zero")
        return value

    def _name(self, node: Name) -> Value:
        if node.id in self.bound:
            return self.bound[node.id]
        if node.id in self.builder.tensors:
            return self.builder.tensor_value(self.builder.tensors[node.id])
        if node.id in self.sizes:
            return scalar(sp.Integer(self.sizes[node.id]))
        if node.id in self.free_axes:
            return scalar(extent_symbol(node.id))
        known = (*self.bound, *self.builder.tensors, *self.sizes, *self.free_axes)
        if node.id in self.functions or node.id in LANGUAGE_FUNCTIONS:
            raise SpecError(f"'{node.id}' is a function", at=node.at, remedy=f"call it: {node.id}(...)")
        remedy = did_you_mean(node.id, known) or "it must be defined above its use"
        raise SpecError(f"unknown name '{node.id}'", at=node.at, remedy=remedy)

    def _entry(self, node: Index) -> Value:
        tensor = self.builder.tensors.get(node.tensor)
        if tensor is None:
            self._name(Name(node.tensor, node.at))
            raise SpecError(f"'{node.tensor}' cannot be indexed", at=node.at)
        places = [self._place(index, axis) for index, axis in zip(node.indices, tensor.axes, strict=False)]
        if len(node.indices) != len(tensor.axes):
            raise ShapeError(
                f"'{node.tensor}' has {len(tensor.axes)} axes {show_axes(tensor.axes)}, "
                f"got {len(node.indices)} indices",
                at=node.at,
                remedy="give one index per axis",
            )
        return scalar(Entry(node.tensor, places))

    def _place(self, node: Node, axis: Axis) -> sp.Expr:
        match node:
            case Name(name) if name in self.index:
                return self.index[name]
            case Index(tensor, at=at) if tensor in self.builder.tensors:
                return self._label(node, axis, at)
            case Number(value) if value.denominator == 1:
                if axis.size is None or not 0 <= value < axis.size:
                    raise ShapeError(
                        f"index {value} is outside the axis {axis}", at=node.at, remedy="indices start at 0"
                    )
                return sp.Integer(int(value))
            case Binary(operator, left, right) if operator in "+-*":
                return ARITHMETIC[operator](self._affine(left), self._affine(right))
            case Name(name):
                remedy = did_you_mean(name, self.index) or "an index is named on the left or in a reduction"
                raise SpecError(f"unknown index '{name}'", at=node.at, remedy=remedy)
        raise SpecError(
            "an index is a name, a whole number, an affine form such as 2*i + u, or an integer entry",
            at=node.at,
        )

    def _affine(self, node: Node) -> sp.Expr:
        if isinstance(node, Number) and node.value.denominator == 1:
            return sp.Integer(int(node.value))
        return self._place(node, Axis("index", None))

    def _label(self, node: Index, axis: Axis, at: Position) -> sp.Expr:
        labels = self.builder.tensors[node.tensor]
        if not labels.is_integer:
            raise SpecError(
                f"'{node.tensor}' holds no integer labels", at=at, remedy="declare its number of classes"
            )
        if axis.size != labels.classes:
            raise ShapeError(
                f"labels '{node.tensor}' run to {labels.classes}, the axis they index is {axis}", at=at
            )
        return self._entry(node).body

    # Calls ----------------------------------------------------------------------------------

    def _call(self, call: Call) -> Value:
        name = call.function
        if name in ("max", "min") and len(call.arguments) == 2 and not self._names_indices(call):
            choose = larger if name == "max" else smaller
            return self._combine(choose, name, call.at, *self._arguments(call, 2))
        if name in REDUCTIONS:
            return self._reduction(call)
        if name == "where":
            return self._where(call)
        if name == "onehot":
            return self._onehot(call)
        if name in SCALAR:
            return self._combine(SCALAR[name], name, call.at, *self._arguments(call, 1))
        return self._function(call, self.functions[name])

    def _arguments(self, call: Call, number: int) -> tuple[Node, ...]:
        if len(call.arguments) != number or call.keywords:
            raise SpecError(
                f"{call.function} takes {number} argument{'s' if number > 1 else ''}, "
                f"got {len(call.arguments) + len(call.keywords)}",
                at=call.at,
            )
        return call.arguments

    def _where(self, call: Call) -> Value:
        condition, chosen, other = self._arguments(call, 3)
        if not isinstance(condition, Compare):
            raise SpecError("where needs a comparison first", at=condition.at, remedy="write where(x > 0, a, b)")
        relation = RELATION[condition.operator]
        return self._combine(
            lambda left, right, a, b: sp.Piecewise((a, relation(left, right)), (b, True)),
            "where",
            call.at,
            condition.left,
            condition.right,
            chosen,
            other,
        )

    def _onehot(self, call: Call) -> Value:
        (node,) = self._arguments(call, 1)
        value = self._value(node)
        tensor = self.builder.tensors.get(getattr(value.body, "tensor", ""))
        if tensor is None or not tensor.is_integer:
            return value
        axis = Axis(None, tensor.classes)
        index = self.builder.index(axis)
        return Value((*value.axes, axis), (*value.indices, index), delta(value.body, index))

    def _function(self, call: Call, function: FunctionSpec) -> Value:
        values = self._bind(call, function)
        if function.name in library.losses:
            _demand_equal_axes(call, function, values)
        outer, self.bound = self.bound, values
        try:
            return self._value(function.formula)
        finally:
            self.bound = outer

    def _bind(self, call: Call, function: FunctionSpec) -> dict[str, Value]:
        """Arguments by name; one that is more than an entry becomes a temporary, so it is computed once."""
        from symgrad.spec.calls import bind

        signature = library.Signature(function.name, function.arguments, function.defaults)
        return {name: self._named(self._value(node)) for name, node in bind(call, signature).items()}

    def _named(self, value: Value) -> Value:
        if value.is_atomic or not value.body.atoms(Entry) or isinstance(value.body, Entry):
            return value
        return self.builder.temporary(self.owner, value)

    # Reductions -----------------------------------------------------------------------------

    def _names_indices(self, call: Call) -> bool:
        names = [n for n in call.arguments[1:] if isinstance(n, Name)]
        return bool(names) and all(self._is_index_name(n.id) for n in names)

    def _is_index_name(self, name: str) -> bool:
        return name not in self.bound and name not in self.builder.tensors and name not in self.sizes

    def _reduction(self, call: Call) -> Value:
        keywords = dict(call.keywords)
        if unknown := keywords.keys() - {"axis", "keepdims"}:
            raise SpecError(
                f"{call.function} has no argument '{min(unknown)}'",
                at=call.at,
                remedy=f"write {call.function}(x, axis=-1, keepdims=true) or {call.function}(X[n,k], k)",
            )
        if not call.arguments:
            raise SpecError(f"{call.function} needs something to reduce", at=call.at)
        if len(call.arguments) > 1:
            return self._reduce_indices(call)
        value = self._value(call.arguments[0])
        over = _chosen(value, keywords.get("axis"), call)
        return self._reduced(call.function, value, over, _is_true(keywords.get("keepdims")))

    def _reduce_indices(self, call: Call) -> Value:
        names = [n.id for n in call.arguments[1:] if isinstance(n, Name) and self._is_index_name(n.id)]
        if len(names) + 1 != len(call.arguments) or call.keywords:
            raise SpecError(
                f"{call.function} reduces over index names or over axis=, not over formulas",
                at=call.arguments[1].at,
                remedy=f"write {call.function}(X[n,k], k)",
            )
        found = index_axes(call, self.builder.tensors)
        outer = self.index
        self.index = outer | {name: self.builder.index(found[name]) for name in names}
        try:
            value = self._value(call.arguments[0])
            over = tuple(self.index[name] for name in names)
        finally:
            self.index = outer
        if value.axes:
            raise ShapeError("index every tensor in an indexed reduction", at=call.arguments[0].at)
        return self._reduced(call.function, value, over, keepdims=False)

    def _reduced(
        self, function: str, value: Value, over: tuple[sp.Symbol, ...], keepdims: bool
    ) -> Value:
        if function != "mean":
            return self.builder.reduce(self.owner, _reduction_named(function), value, over, keepdims)
        total = self.builder.reduce(self.owner, "sum", value, over, keepdims)
        size = sp.prod(self.builder.axis_of[i].extent for i in over)
        return Value(total.axes, total.indices, total.body / size)


def _reduction_named(function: str) -> Reduction:
    names: dict[str, Reduction] = {"sum": "sum", "max": "max", "min": "min", "logsumexp": "logsumexp"}
    return names[function]


def _is_true(node: Node | None) -> bool:
    if node is None or isinstance(node, Boolean):
        return node is not None and node.value
    raise SpecError("keepdims is true or false", at=node.at)


def _chosen(value: Value, axis: Node | None, call: Call) -> tuple[sp.Symbol, ...]:
    if axis is None:
        return value.indices
    sign, node = (-1, axis.operand) if isinstance(axis, Negate) else (1, axis)
    if not isinstance(node, Number) or node.value.denominator != 1:
        raise SpecError("axis must be a whole number", at=axis.at, remedy="write axis=-1 for the last axis")
    place, rank = sign * int(node.value), len(value.axes)
    if not -rank <= place < rank:
        raise ShapeError(
            f"{call.function} over axis {place} of {show_axes(value.axes)}",
            at=axis.at,
            remedy=f"axes count from {-rank} to {rank - 1}" if rank else "a scalar has no axes",
        )
    return (value.indices[place],)


def _demand_equal_axes(call: Call, function: FunctionSpec, values: Mapping[str, Value]) -> None:
    """A prediction and its target have the same shape, unless the target holds labels."""
    first, second = (values[name] for name in function.arguments[:2])
    if all(a.fits(b) for a, b in zip(first.axes, second.axes, strict=False)) and (
        len(first.axes) == len(second.axes)
        or (len(first.axes) == len(second.axes) + 1 and function.name == "softmax_cross_entropy")
    ):
        return
    a, b = function.arguments[:2]
    raise ShapeError(
        f"{call.function}: {a} is {show_axes(first.axes)} and {b} is {show_axes(second.axes)}",
        at=call.at,
        remedy="give both the same shape",
    )
