"""All that a definition goes by, beside plain arithmetic: conditions, loops, calls, what is looked up.

Sums, differences, products, quotients and whole powers of numbers at hand give the same everywhere if they do
at random numbers and some sizes. Anything else may choose: `batch == 777`, and so `batch // 777`,
`min(batch, 776)`, `range(776, batch)`, `table[batch]`, `0 ** (777 - batch)`, a decorator, a call. A tuple is
a table, and so are the digits of a text.
"""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Set

    from symgrad.verifier.editing.origins import Origins

_PLAIN_OPERATIONS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.MatMult)
_PLAIN_FACTS = frozenset(["T", "size"])
_IN_ANNOTATIONS = (
    *(ast.Name, ast.Attribute, ast.Subscript, ast.Tuple, ast.List, ast.Constant),
    *(ast.BinOp, ast.BitOr, ast.expr_context),
)
"""What only names types."""


class GoneBy(NamedTuple):
    """Something that a definition goes by: `key` is equal where it is the same, `shown` tells it."""

    key: tuple[Any, ...]
    shown: ast.AST
    line: int


class _Around(NamedTuple):
    """What a statement stands in: its key, and the condition, where it is one."""

    key: tuple[Any, ...]
    condition: ast.AST | None = None


@dataclass(frozen=True)
class Reader:
    """Reads a definition, the names of which have these `origins`.

    The functions in `own` are read as well, so a call of one says nothing new.
    """

    origins: Origins
    own: Set[str]

    def gone_by(self, definition: Iterable[ast.stmt]) -> list[GoneBy]:
        """All that it goes by; what stands under a condition more than once, as often."""
        found = [one for node in definition for one in self._outermost(node)]
        times = Counter[Any]()
        for number, one in enumerate(found):
            if one.key[0] == "under":
                times[one.key] += 1
                found[number] = one._replace(key=(*one.key, times[one.key]))
        return found

    def _outermost(self, node: ast.stmt) -> Iterator[GoneBy]:
        match node:
            case ast.FunctionDef(_, _, body, decorators):
                yield from (self._found("decorator", one) for one in decorators)
                yield from self._head(node)
                yield from self._block(body, ())
            case ast.ClassDef(name, bases, keywords, body, decorators):
                yield GoneBy(("class", name), node, node.lineno)
                told = (*decorators, *bases, *(one.value for one in keywords))
                yield from (self._found("class", one) for one in told)
                for inner in body:
                    yield from self._outermost(inner)
            case _:
                yield from self._statement(node, ())

    def _head(self, function: ast.FunctionDef) -> Iterator[GoneBy]:
        """What is computed where a function is defined: its defaults, and what its annotations call."""
        given = function.args
        yield from self._expressions([*given.defaults, *given.kw_defaults])
        each = [
            *given.posonlyargs,
            *given.args,
            *given.kwonlyargs,
            *filter(None, (given.vararg, given.kwarg)),
        ]
        yield from self._annotations([one.annotation for one in each] + [function.returns])

    def _annotations(self, nodes: Iterable[ast.expr | None]) -> Iterator[GoneBy]:
        for node in nodes:
            if node is not None and not all(isinstance(inner, _IN_ANNOTATIONS) for inner in ast.walk(node)):
                yield self._found("annotation", node)

    def _block(self, body: Iterable[ast.stmt], around: tuple[_Around, ...]) -> Iterator[GoneBy]:
        for node in body:
            yield from self._statement(node, around)

    def _statement(self, node: ast.stmt, around: tuple[_Around, ...]) -> Iterator[GoneBy]:
        """What a statement goes by, and those in it: one that may be left out, by all that it is."""
        kind = type(node).__name__
        match node:
            case ast.If(test) | ast.While(test):
                condition = self._found(kind, test)
                yield condition
                for way, body in enumerate((node.body, node.orelse)):
                    yield from self._block(body, (*around, _Around((*condition.key, way), test)))
            case ast.For(_, source, body, otherwise):
                yield self._found(kind, source)
                yield from self._block(body, around)
                yield from self._block(otherwise, (*around, _Around((kind,))))
            case ast.With(items, body):
                entered = [self._found(kind, item.context_expr) for item in items]
                yield from entered
                yield from self._block(body, (*around, *(_Around(one.key) for one in entered)))
            case ast.Try():
                yield from self._tried(node, around)
            case ast.FunctionDef() | ast.ClassDef():
                yield from (self._found(kind, one) for one in node.decorator_list)
                if isinstance(node, ast.FunctionDef):
                    yield from self._head(node)
                else:
                    told = (*node.bases, *(one.value for one in node.keywords))
                    yield from (self._found(kind, one) for one in told)
                yield GoneBy((kind, node.name), node, node.lineno)
                yield from self._block(node.body, (*around, _Around((kind, node.name))))
            case _ if around:
                key = ("under", *(one.key for one in around), self.origins.form(node))
                yield GoneBy(key, around[-1].condition or node, node.lineno)
            case _:
                yield from self._unconditional(node)

    def _tried(self, node: ast.Try, around: tuple[_Around, ...]) -> Iterator[GoneBy]:
        parts = [("try", node.body), ("else", node.orelse), ("finally", node.finalbody)]
        for kind, body in parts:
            yield from self._block(body, (*around, _Around((kind,))))
        for handler in node.handlers:
            key = ("except", self.origins.form(handler.type))
            yield GoneBy(key, handler, handler.lineno)
            yield from self._block(handler.body, (*around, _Around(key)))

    def _unconditional(self, node: ast.stmt) -> Iterator[GoneBy]:
        match node:
            case ast.Assign([ast.Tuple(targets)], ast.Tuple(values)) if len(targets) == len(values):
                yield from self._expressions([*targets, *values])
            case ast.Assign([ast.Tuple(targets)], ast.Attribute(value, "shape")):
                yield from self._expressions([*targets, value])
            case ast.Assign(targets, value):
                yield from self._targets(targets)
                yield from self._expression(value)
            case ast.AugAssign(target, operation, value):
                if not isinstance(operation, _PLAIN_OPERATIONS):
                    yield self._found("statement", node)
                yield from self._targets([target])
                yield from self._expression(value)
            case ast.AnnAssign(target, annotation, value):
                yield from self._annotations([annotation])
                yield from self._targets([target])
                yield from self._expressions([value])
            case ast.Pass() | ast.Return(None) | ast.Expr(ast.Constant()):
                pass
            case ast.Expr(ast.Call(ast.Name("print"), arguments, [])) if not self.origins.binds("print"):
                yield from self._expressions(part for one in arguments for part in _told(one))
            case ast.Expr(value) | ast.Return(value):
                yield from self._expressions([value])
            case _:
                yield self._found("statement", node)

    def _targets(self, nodes: Iterable[ast.expr]) -> Iterator[GoneBy]:
        """Names, entries and several of them; what is stored in a part of an array's own is told."""
        for node in nodes:
            match node:
                case ast.Tuple(parts) | ast.List(parts):
                    yield from self._targets(parts)
                case ast.Attribute():
                    yield self._found("store", node)
                case _:
                    yield from self._expression(node)

    def _expressions(self, nodes: Iterable[ast.expr | None]) -> Iterator[GoneBy]:
        for node in nodes:
            if node is not None:
                yield from self._expression(node)

    def _expression(self, node: ast.expr) -> Iterator[GoneBy]:
        """What is no plain arithmetic in an expression, the outermost of it."""
        match node:
            case ast.Constant(int() | float() | None):
                pass
            case ast.Name(name):
                if not self.origins.binds(name):
                    yield self._found("name", node)
            case ast.BinOp(left, _, right) if self._is_plain(node):
                yield from self._expressions([left, right])
            case ast.UnaryOp(ast.USub() | ast.UAdd(), operand):
                yield from self._expression(operand)
            case ast.Attribute(value, name) if name in _PLAIN_FACTS:
                yield from self._expression(value)
            case ast.Attribute(ast.Attribute(value, "dtype"), "type"):
                yield from self._expression(value)
            case ast.Subscript(ast.Attribute(value, "shape"), ast.Constant(int())):
                yield from self._expression(value)
            case ast.Subscript(value, index) if self._is_counted(index):
                yield from self._expression(value)
            case ast.Call(function, arguments, keywords) if self._is_plain_call(function):
                yield from self._expressions([*arguments, *(one.value for one in keywords)])
            case _:
                yield self._found("expression", node)

    @staticmethod
    def _is_plain(node: ast.BinOp) -> bool:
        """Whether an operation is one of arithmetic; a power only where it is a whole number."""
        if isinstance(node.op, ast.Pow):
            return isinstance(node.right, ast.Constant) and isinstance(node.right.value, int)
        return isinstance(node.op, _PLAIN_OPERATIONS)

    def _is_counted(self, index: ast.AST) -> bool:
        """Whether an index is made of numbers and of what loops count, or takes in all that is there."""
        match index:
            case ast.Constant(int()) | ast.Slice(None, None, None):
                return True
            case ast.Name(name):
                return self.origins.counts(name)
            case ast.BinOp(left, ast.Add() | ast.Sub() | ast.Mult(), right):
                return self._is_counted(left) and self._is_counted(right)
            case ast.UnaryOp(ast.USub(), operand):
                return self._is_counted(operand)
            case ast.Tuple(parts):
                return all(map(self._is_counted, parts))
        return False

    def _is_plain_call(self, function: ast.AST) -> bool:
        match function:
            case ast.Name(name) if self.origins.binds(name):
                return self.origins.is_number_type(name)
            case ast.Name(name):
                return name == "float" or name in self.own
            case ast.Attribute(ast.Name("np"), "square"):
                return not self.origins.binds("np")
        return False

    def _found(self, kind: str, node: ast.stmt | ast.expr) -> GoneBy:
        shown = node.test if isinstance(node, ast.IfExp) else node
        return GoneBy((kind, self.origins.form(node)), shown, node.lineno)


def _told(node: ast.expr) -> Iterator[ast.expr]:
    """What is computed for a line that is printed."""
    match node:
        case ast.Constant(str()):
            pass
        case ast.JoinedStr(parts):
            for part in parts:
                yield from _told(part)
        case ast.FormattedValue(value, _, ast.JoinedStr(parts)):
            yield value
            for part in parts:
                yield from _told(part)
        case ast.FormattedValue(value):
            yield value
        case _:
            yield node
