"""Follows a text statement by statement: sizes and indices are polynomials, everything else is unknown."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, TypeAlias

from symgrad.verifier.static.extents import UNKNOWN, FollowedFunction, SizedArray, Value, joined, lifted
from symgrad.verifier.static.followed_calls import METHODS, MODULE, NUMPY, FollowedModule, inputs_of, state_of
from symgrad.verifier.static.obligations import Obligations
from symgrad.verifier.static.size_operations import (
    attribute,
    combined,
    compared,
    facts_of,
    index_of,
    signed,
    truth_of,
)
from symgrad.verifier.static.size_polynomials import Size, is_never_negative

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Names: TypeAlias = dict[str, Value]
Item: TypeAlias = tuple[Value, list[Size]]
"""What a loop runs over, and sizes that are not negative where it runs: none, where it is one known value."""


class Follower:
    """A text that is followed; `obligations` keeps what was to be shown on the way."""

    def __init__(self, tree: ast.Module, facts: Mapping[str, Any]) -> None:
        self.obligations = Obligations()
        known = {name: lifted(value) for name, value in facts.items()}
        inputs, state = inputs_of(known), state_of(tree, known)
        self.module = FollowedModule(known, inputs, state, self.obligations, self._called_by_name)
        self._functions = {
            node.name: FollowedFunction(node) for node in tree.body if isinstance(node, ast.FunctionDef)
        }
        self._others = dict(_aliases(tree))
        self._compiled = set(_listed(tree))
        self._given: dict[Any, Value] = {}

    def enter(self, name: str) -> None:
        """Follow a public function, called with arguments of which only the checks tell anything."""
        function = self._functions.get(name)
        if function is not None:
            names = [argument.arg for argument in function.node.args.args]
            given = {n: self.module.state if n == "state" else UNKNOWN for n in names}
            self.called(function, [], given)

    def _called_by_name(self, name: str, given: Sequence[Value]) -> Value:
        function = self._functions.get(name)
        return UNKNOWN if function is None else self.called(function, given, {})

    def called(
        self, function: FollowedFunction, given: Sequence[Value], options: Mapping[str, Value]
    ) -> Value:
        """What a function of the text gives, after all its subscripts have been looked at."""
        node = function.node
        names = self._bound(node, given, options)
        key = (node.name, tuple(map(_key, names.values())), tuple(self.obligations.known))
        if key not in self._given:
            self._given[key] = UNKNOWN  # what a call within itself gives
            with self.obligations.within(node.name, is_compiled=self._is_compiled(node)):
                self._given[key] = _Body(self, names).result(node.body)
        return self._given[key]

    def _is_compiled(self, node: ast.FunctionDef) -> bool:
        return bool(node.decorator_list) or node.name in self._compiled

    def _bound(self, node: ast.FunctionDef, given: Sequence[Value], options: Mapping[str, Value]) -> Names:
        names = [argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)]
        defaults = [*node.args.defaults, *node.args.kw_defaults]
        outside = _Body(self, {})
        last = {
            n: outside.value(d)
            for n, d in zip(names[len(names) - len(defaults) :], defaults, strict=True)
            if d
        }
        return {**dict.fromkeys(names, UNKNOWN), **last, **dict(zip(names, given, strict=False)), **options}

    def named(self, name: str) -> Value:
        """What a name of the module stands for."""
        name = self.own_name(name)
        if name in self.module.facts:
            return self.module.facts[name]
        return self._functions.get(name, UNKNOWN)

    def own_name(self, name: str) -> str:
        """The name that a function was defined by."""
        return self._others.get(name, name)


def _listed(tree: ast.Module) -> Iterator[str]:
    """The functions that a module lists to be compiled."""
    for node in tree.body:
        match node:
            case ast.Assign(
                [ast.Name("KERNELS" | "DRIVERS" | "DRIVER_SECTIONS" | "UPDATES")],
                ast.Tuple(parts),
            ):
                yield from (part.id for part in parts if isinstance(part, ast.Name))


def _aliases(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        match node:
            case ast.Assign([ast.Name(name)], ast.Name(other)):
                yield name, other


def _key(value: Value) -> Any:
    return tuple(map(_key, value.values())) if isinstance(value, dict) else value


class _Body:
    """The body of a function, its names bound to what they may be."""

    def __init__(self, follower: Follower, names: Names) -> None:
        self.follower, self.obligations, self.names = follower, follower.obligations, names
        self._returned: list[Value] = []

    def result(self, body: Sequence[ast.stmt]) -> Value:
        self._block(body)
        found = self._returned or [None]
        value = found[0]
        for other in found[1:]:
            value = joined(value, other)
        return value

    def _block(self, body: Sequence[ast.stmt]) -> bool:
        """Follow statements; whether what stands behind them is reached."""
        return all(self._statement(node) for node in body)

    def _statement(self, node: ast.stmt) -> bool:
        match node:
            case ast.Return(value):
                self._returned.append(None if value is None else self.value(value))
                return False
            case ast.Raise():
                return False
            case ast.Assign(targets, value):
                found = self.value(value)
                for target in targets:
                    self._assign(target, found)
            case ast.AugAssign(target, operation, value):
                found = combined(operation, self.value(target), self.value(value))
                self._assign(target, found)
            case ast.Expr(ast.Call(ast.Attribute(ast.Name(name), "append"), [value])):
                items, more = self.names.get(name), self.value(value)
                self.names[name] = (*items, more) if isinstance(items, tuple) else UNKNOWN
            case ast.Delete([ast.Subscript(base, key)]):
                known, named = self.value(base), self.value(key)
                if isinstance(known, dict) and isinstance(named, str):
                    known.pop(named, None)
            case ast.Expr(value):
                self.value(value)
            case ast.For(target, iterated, body):
                self._loop(target, self._items(iterated), body)
            case ast.If(test, body, other):
                return self._choice(test, body, other)
            case ast.With(_, body):
                self._managed(node, body)
            case ast.Try(body, handlers, [], []):
                return self._tried(body, handlers)
            case _:
                self._forget([node])
        return True

    def _assign(self, target: ast.expr, value: Value) -> None:
        match target:
            case ast.Name(name):
                self.names[name] = value
            case ast.Tuple(parts) | ast.List(parts):
                fits = isinstance(value, tuple) and len(value) == len(parts)
                for part, found in zip(parts, value if fits else [UNKNOWN] * len(parts), strict=True):
                    self._assign(part, found)
            case ast.Subscript(base, key) if isinstance(self.value(base), dict):
                known, name = self.value(base), self.value(key)
                if isinstance(name, str):
                    known[name] = value
            case _:
                self.value(target)

    def _forget(self, body: Sequence[ast.stmt]) -> None:
        """Names that are given a value there may be anything."""
        for node in body:
            for part in ast.walk(node):
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                    self.names[part.id] = UNKNOWN

    def _loop(self, target: ast.expr, items: Sequence[Item] | None, body: list[ast.stmt]) -> None:
        """Follow a body once for each item, or once for any of them.

        What is read there before it is given a value is unknown then, since an earlier item may have left it.
        """
        before = dict(self.names)
        for item, facts in items or [(UNKNOWN, [])]:
            if not items or facts:
                self._forget(body)
            self._assign(target, item)
            with self.obligations.knowing(facts):
                self._block(body)
            if not items or not all(map(is_never_negative, facts)):
                self.names = _of_all([before, self.names])

    def _items(self, node: ast.expr) -> list[Item] | None:
        """What a loop runs over, and what is known where it does; None where that is unknown."""
        match node:
            case ast.Call(ast.Name("range"), [*ends]):
                found = [self.value(end) for end in ends]
                return [index_of(node, *found)] if all(isinstance(end, Size) for end in found) else None
        values = self.value(node)
        return [(value, []) for value in values] if isinstance(values, tuple) else None

    def _managed(self, node: ast.stmt, body: Sequence[ast.stmt]) -> None:
        """Follow what a context is around; the context may end it early and let what follows go on."""
        before = dict(self.names)
        for item in (part for part in ast.walk(node) if isinstance(part, ast.withitem)):
            self.value(item.context_expr)
        self._block(body)
        self.names = _of_all([before, self.names])
        self._forget([node])

    def _tried(self, body: list[ast.stmt], handlers: Sequence[ast.ExceptHandler]) -> bool:
        """Follow a body to its end, and what handles an error, which may be raised anywhere in it."""
        before, ends = dict(self.names), []
        if self._block(body):
            ends.append(self.names)
        for handler in handlers:
            self.names = dict(before)
            self._forget(body)
            if self._block(handler.body):
                ends.append(self.names)
        self.names = _of_all(ends) if ends else before
        return bool(ends)

    def _choice(self, test: ast.expr, body: list[ast.stmt], other: list[ast.stmt]) -> bool:
        truth = self._truth(test)
        before, ends = dict(self.names), []
        for holds, block in ((True, body), (False, other)):
            if truth in (UNKNOWN, holds):
                self.names = dict(before)
                with self.obligations.knowing(self._facts(test, holds)):
                    if self._block(block):
                        ends.append(self.names)
        self.names = _of_all(ends) if ends else before
        return bool(ends)

    def value(self, node: ast.expr) -> Value:
        """What an expression may stand for."""
        match node:
            case ast.Constant(value):
                return lifted(value)
            case ast.Name(name):
                return self.names[name] if name in self.names else self.follower.named(name)
            case ast.Tuple(parts) | ast.List(parts):
                return tuple(self._values(parts))
            case ast.BinOp(left, operation, right):
                return combined(operation, self.value(left), self.value(right))
            case ast.UnaryOp(operation, operand):
                return signed(operation, self.value(operand))
            case ast.Compare(left, [operation], [right]):
                return compared(operation, self.value(left), self.value(right))
            case ast.BoolOp():
                return self._both(node)
            case ast.IfExp(test, body, other):
                return self._either(test, body, other)
            case ast.Attribute(base, name):
                return attribute(self.value(base), name)
            case ast.Subscript(base, index):
                return self._chosen(self.value(base), index, node)
            case ast.Call():
                return self._called(node)
            case ast.ListComp(element, [generator]) | ast.GeneratorExp(element, [generator]):
                return self._each(element, generator)
        for part in ast.iter_child_nodes(node):
            if isinstance(part, ast.expr):
                self.value(part)
        return UNKNOWN

    def _values(self, nodes: Sequence[ast.expr]) -> list[Value]:
        found: list[Value] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                values = self.value(node.value)
                found += values if isinstance(values, tuple) else [UNKNOWN]
            else:
                found.append(self.value(node))
        return found

    def _truth(self, test: ast.expr) -> Value:
        """Whether a condition holds; unknown where it may."""
        return truth_of(self.value(test))

    def _both(self, node: ast.BoolOp) -> Value:
        """All of some conditions, or one of them; each is looked at where those before it leave it open."""
        decides = isinstance(node.op, ast.Or)
        facts: list[Size] = []
        is_open = False
        for part in node.values:
            with self.obligations.knowing(facts):
                found = self.value(part)
            truth = truth_of(found)
            if truth is decides or (part is node.values[-1] and not is_open):
                return found
            is_open |= truth is not (not decides)
            facts += self._facts(part, not decides)
        return UNKNOWN if is_open else not decides

    def _either(self, test: ast.expr, body: ast.expr, other: ast.expr) -> Value:
        truth, found = self._truth(test), []
        for holds, node in ((True, body), (False, other)):
            if truth in (UNKNOWN, holds):
                with self.obligations.knowing(self._facts(test, holds)):
                    found.append(self.value(node))
        return found[0] if len(found) == 1 else joined(*found)

    def _facts(self, test: ast.expr, holds: bool) -> list[Size]:
        """Sizes that are not negative where a condition holds, or where it does not."""
        match test:
            case ast.BoolOp(ast.And(), parts) if holds:
                return [fact for part in parts for fact in self._facts(part, holds)]
            case ast.Compare(left, [*operations], [*others]) if holds or len(operations) == 1:
                ends = [self.value(end) for end in (left, *others)]
                pairs = zip(ends, operations, ends[1:], strict=False)
                return [fact for a, op, b in pairs for fact in facts_of(op, a, b, holds)]
        return []

    def _each(self, element: ast.expr, generator: ast.comprehension) -> Value:
        items = self.value(generator.iter)
        if not isinstance(items, tuple):
            return UNKNOWN
        found = []
        before = dict(self.names)
        for item in items:
            self._assign(generator.target, item)
            kept = [self._truth(test) for test in generator.ifs]
            if UNKNOWN in kept:
                return UNKNOWN
            if all(kept):
                found.append(self.value(element))
        self.names = before
        return tuple(found)

    def _chosen(self, base: Value, index: ast.expr, node: ast.Subscript) -> Value:
        parts = index.elts if isinstance(index, ast.Tuple) else [index]
        if isinstance(base, SizedArray):
            return self._entries(base, parts, node)
        found = [self.value(part) for part in parts if not isinstance(part, ast.Slice)]
        match base, found:
            case tuple(), [] if isinstance(index, ast.Slice):
                ends = [None if e is None else self.value(e) for e in (index.lower, index.upper)]
                whole_ends = [e.number if isinstance(e, Size) else e for e in ends]
                return base[slice(*whole_ends)] if UNKNOWN not in whole_ends else UNKNOWN
            case tuple(), [Size(number=int(place))] if -len(base) <= place < len(base):
                return base[place]
            case dict(), [key] if isinstance(key, str):
                return base.get(key, UNKNOWN)
        with self.obligations.at(node):
            self.obligations.leave()
        return UNKNOWN

    def _entries(self, array: SizedArray, parts: Sequence[ast.expr], node: ast.Subscript) -> Value:
        indices: list[Value] = []
        for part in parts:
            match part:
                case ast.Constant(value) if value is Ellipsis:
                    return array
                case ast.Slice(start, end, None):
                    indices.append(slice(*(None if e is None else self.value(e) for e in (start, end))))
                case _:
                    indices.append(self.value(part))
        with self.obligations.at(node):
            found = self.obligations.entries_of(array, indices)
        return found if found.shape else found.entry()

    def _called(self, node: ast.Call) -> Value:
        given = self._values(node.args)
        options = {option.arg: self.value(option.value) for option in node.keywords if option.arg}
        function: Value = UNKNOWN
        match node.func:
            case ast.Name(name) if name in self.names:
                model, function = None, self.names[name]
            case ast.Name(name):
                name = self.follower.own_name(name)
                model, function = MODULE.get(name), self.follower.named(name)
            case ast.Attribute(ast.Name("np"), name):
                model = NUMPY.get(name)
            case ast.Attribute(base, name):
                model, given = METHODS.get(name), [self.value(base), *given]
            case _:
                model = None
        with self.obligations.at(node):
            if model is not None:
                return model(self.follower.module, *given)
            return (
                self.follower.called(function, given, options)
                if isinstance(function, FollowedFunction)
                else UNKNOWN
            )


def _of_all(ends: Sequence[Names]) -> Names:
    """The names after one of some ways, whichever."""
    first, *others = ends
    for other in others:
        first = {n: joined(first.get(n, UNKNOWN), other.get(n, UNKNOWN)) for n in {**first, **other}}
    return first
