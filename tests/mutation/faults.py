"""Faults that a compiler, or a hand that edits a module, could make: one place of the text changed."""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mutation.regions import regions

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPERATORS: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add, ast.Div),
    ast.Div: (ast.Mult,),
    ast.Pow: (ast.Mult,),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
    ast.BitAnd: (ast.BitOr,),
    ast.FloorDiv: (ast.Mult,),
}
_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_NAMES = {
    "sigmoid": "tanh",
    "tanh": "sigmoid",
    "exp": "expm1",
    "maximum": "minimum",
    "minimum": "maximum",
    "max": "min",
    "min": "max",
    "any": "all",
    "all": "any",
    "zeros": "ones",
    "float64": "float32",
    "float32": "float64",
    "int64": "int32",
    "normal": "uniform",
    "uniform": "normal",
    "TypeError": "ValueError",
    "ValueError": "TypeError",
    "fitting": "array",
    "sqrt": "abs",
    "square": "abs",
}
_COMMUTATIVE = {"max", "min", "maximum", "minimum", "shares_memory"}


@dataclass(frozen=True)
class Fault:
    """One change of a module's text."""

    kind: str
    region: str
    function: str
    line: int
    before: str
    after: str
    parts: tuple[bytes, int, int, bytes]

    @property
    def text(self) -> str:
        """The text with the fault: made when it is wanted, as there are thousands of faults."""
        content, start, end, new = self.parts
        return (content[:start] + new + content[end:]).decode()

    @property
    def title(self) -> str:
        return f"{self.function}:{self.line} {self.kind}: {self.before} -> {self.after}"


@dataclass(frozen=True)
class _Change:
    """A node for another."""

    kind: str
    node: ast.AST
    new: ast.AST | None


def faults(text: str) -> Iterator[Fault]:
    """Every fault that can be planted in a module."""
    lines = text.encode().splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    content = text.encode()
    for region in regions(ast.parse(text)):
        for change in _changes(region.node):
            yield _planted(content, starts, region.kind, region.name, change)


def _planted(content: bytes, starts: list[int], region: str, function: str, change: _Change) -> Fault:
    node: Any = change.node
    start = starts[node.lineno - 1] + node.col_offset
    end = starts[node.end_lineno - 1] + node.end_col_offset
    new = "pass" if change.new is None else ast.unparse(change.new)
    if isinstance(change.new, ast.expr):
        new = f"({new})" if _needs_brackets(change.new) else new
    before, after = (" ".join(text.split()) for text in (content[start:end].decode(), new))
    parts = content, start, end, new.encode()
    return Fault(change.kind, region, function, node.lineno, before, after, parts)


def _needs_brackets(node: ast.expr) -> bool:
    return isinstance(node, ast.BinOp | ast.BoolOp | ast.Compare | ast.UnaryOp | ast.IfExp | ast.Lambda)


def _changes(root: ast.stmt) -> Iterator[_Change]:
    """All changes inside a definition, its signature's defaults included, texts and annotations not."""
    for node in _walk(root):
        yield from _of_statement(node)
        if isinstance(node, ast.expr):
            yield from _of_expression(node)


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that do something: no messages, no docstrings, no annotations, no decorators."""
    yield node
    for field, value in ast.iter_fields(node):
        if field in ("decorator_list", "annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            is_text = isinstance(child, ast.JoinedStr) or (
                isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
            )
            if isinstance(child, ast.AST) and not is_text:
                yield from _walk(child)


def _of_statement(node: ast.AST) -> Iterator[_Change]:
    if isinstance(node, ast.AugAssign):
        if isinstance(node.op, ast.Add | ast.Sub):
            other = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
            yield _Change("operator", node, _with(node, op=other))
        target = copy.deepcopy(node.target)
        yield _Change("missing sum", node, ast.Assign([target], node.value, lineno=node.lineno))
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
        is_zero = isinstance(node.value, ast.Constant) and node.value.value == 0
        yield _Change("missing zeroing" if is_zero else "dropped statement", node, None)
    if isinstance(node, ast.AugAssign | ast.Raise) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ):
        yield _Change("dropped check" if isinstance(node, ast.Raise) else "dropped statement", node, None)
    if isinstance(node, ast.If):
        yield _Change("branch", node.test, ast.Constant(value=True))
        yield _Change("branch", node.test, ast.Constant(value=False))


def _of_expression(node: ast.expr) -> Iterator[_Change]:
    match node:
        case ast.BinOp():
            for operator in _OPERATORS.get(type(node.op), ()):
                yield _Change("operator", node, _with(node, op=operator()))
        case ast.Compare(ops=[only]):
            for comparison in _COMPARISONS.get(type(only), ()):
                yield _Change("comparison", node, _with(node, ops=[comparison()]))
        case ast.BoolOp():
            other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield _Change("branch", node, _with(node, op=other))
        case ast.UnaryOp(op=ast.USub() | ast.Not()):
            yield _Change("operator", node, node.operand)
        case ast.IfExp():
            yield _Change("branch", node, _with(node, body=node.orelse, orelse=node.body))
        case ast.Constant():
            yield from (_Change("constant", node, ast.Constant(value=v)) for v in _other_values(node.value))
        case ast.Attribute(attr="T"):
            yield _Change("transpose", node, node.value)
        case ast.Call():
            yield from _of_call(node)
        case ast.Subscript(slice=ast.Tuple(elts=[first, second, *rest]), ctx=ast.Load()):
            swapped = ast.Tuple([second, first, *rest], ast.Load())
            yield _Change("index", node, _with(node, slice=swapped))
        case ast.Name() | ast.Attribute():
            yield from _renamed(node)


def _of_call(node: ast.Call) -> Iterator[_Change]:
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    if name == "range":
        last = len(node.args) - 1 if len(node.args) < 3 else 1
        fewer = ast.BinOp(node.args[last], ast.Sub(), ast.Constant(value=1))
        yield _Change("bound", node, _with(node, args=[*node.args[:last], fewer, *node.args[last + 1 :]]))
    elif name in ("view", "_array") and len(node.args) == 3:
        further = ast.BinOp(node.args[1], ast.Add(), ast.Constant(value=1))
        yield _Change("offset", node, _with(node, args=[node.args[0], further, *node.args[2:]]))
    elif name == "copy" and isinstance(node.func, ast.Attribute) and not node.args:
        yield _Change("stale buffer", node, node.func.value)
    elif (
        name not in _COMMUTATIVE
        and len(node.args) >= 2
        and not any(isinstance(a, ast.Starred) for a in node.args[:2])
    ):
        first, second, *rest = node.args
        if ast.unparse(first) != ast.unparse(second):
            yield _Change("arguments exchanged", node, _with(node, args=[second, first, *rest]))


def _renamed(node: ast.Name | ast.Attribute) -> Iterator[_Change]:
    name = node.id if isinstance(node, ast.Name) else node.attr
    if name in _NAMES and isinstance(node.ctx, ast.Load):
        kind = "dtype" if name.startswith(("int", "float")) else "another function"
        field = "id" if isinstance(node, ast.Name) else "attr"
        yield _Change(kind, node, _with(node, **{field: _NAMES[name]}))


def _other_values(value: object) -> Iterator[object]:
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield value + 1
    elif isinstance(value, float):
        yield value * (1 + 1e-3) if value else 1.0
    elif value == "full":
        yield "none"


def _with(node: Any, **changes: Any) -> Any:
    """A copy of a node with other fields."""
    new = copy.copy(node)
    for name, value in changes.items():
        setattr(new, name, value)
    return new
