"""Formulas: from text to syntax, without ever evaluating anything."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from symgrad.errors import Position, SpecError
from symgrad.spec.language.arrays.rearrangements import REARRANGEMENTS
from symgrad.spec.language.formula_constants import check_constants
from symgrad.spec.language.indexing.affine import CHOOSE
from symgrad.spec.language.names import shorten
from symgrad.spec.language.sizes.whole_numbers import SIZE
from symgrad.spec.language.syntax import (
    Binary,
    BinaryOperator,
    Boolean,
    Call,
    Compare,
    Comparison,
    Index,
    Name,
    Negate,
    Node,
    Number,
    Slice,
    Text,
    Transpose,
    Tuple,
)
from symgrad.spec.language.tokens import exact, place, tokenize
from symgrad.spec.language.wellformed import MAX_DEPTH, check_order, too_deep

_BINARY: dict[type[ast.operator], BinaryOperator] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.MatMult: "@",
}
_COMPARISON: dict[type[ast.cmpop], Comparison] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
_TRUTH = {"true": True, "false": False}
_HEAD = "a name, or a name with indices such as P[n,k] or P[n, k:10]"


@dataclass(frozen=True)
class Head:
    """The name that an equation defines and its indices, each with the formula of its range if it has one.

    An axis that is taken whole, `:` or `:8`, is an index without a name.
    """

    name: str
    indices: tuple[tuple[str, Node | None], ...]


def parse_formula(text: str, at: Position) -> Node:
    """The syntax of one formula; `at` is where its text begins.

    Line breaks count as spaces, so a formula may run over several lines.

    Raises:
        SpecError: for everything outside the language, at the place in the text.
    """
    tree, reader = _parsed(text, at, "x @ W + b")
    node = reader.node(tree)
    check_constants(node)
    return node


def parse_condition(text: str, at: Position) -> Compare:
    """A comparison, as it stands first in `where`.

    Raises:
        SpecError: for anything else.
    """
    tree, reader = _parsed(text, at, "a < b")
    return reader.condition(tree)


def parse_head(text: str, at: Position) -> Head:
    """The left side of an equation in index notation, `P[n, j:J]`, or of each step, `h[:, t]`.

    Raises:
        SpecError: for anything else, at the place in the text.
    """
    tree, reader = _parsed(text, at, _HEAD)
    if not isinstance(tree, ast.Subscript) or not isinstance(tree.value, ast.Name):
        raise SpecError(f"'{shorten(text)}' is no name of an equation", at=at, remedy=f"expected {_HEAD}")
    places = tree.slice.elts if isinstance(tree.slice, ast.Tuple) else [tree.slice]
    return Head(tree.value.id, tuple(reader.ranged(place) for place in places))


def parse_entry(text: str, at: Position) -> Index | None:
    """The entry that a left side names, `h[n, -1, i]` or `h[:, -1]`, or None where it has ranges.

    Raises:
        SpecError: for anything else, at the place in the text.
    """
    tree, reader = _parsed(text, at, _HEAD)
    node = reader.node(tree)
    if not isinstance(node, Index):
        return None
    slices = [place for place in node.indices if isinstance(place, Slice)]
    return node if all(place == Slice(None, None, None, place.at) for place in slices) else None


def _parsed(text: str, at: Position, example: str) -> tuple[ast.expr, _Converter]:
    """Python's tree of a text whose tokens are in order, and what converts it."""
    tokens = tokenize(text, at)
    check_order(tokens)
    start = tokens[0].offset
    flat = "".join(" " if c.isspace() else c for c in text)
    try:
        tree = ast.parse(flat[start:], mode="eval").body
    except (RecursionError, MemoryError):
        raise too_deep(at) from None
    except SyntaxError:
        raise SpecError("this is not a formula", at=at, remedy=f"expected one such as {example}") from None
    reader = _Converter(text, start, at)
    _check_depth(tree, reader)
    return tree, reader


def _check_depth(tree: ast.expr, reader: _Converter) -> None:
    level: list[ast.expr] = [tree]
    for _ in range(MAX_DEPTH):
        level = [e for node in level for e in _expressions(node)]
        if not level:
            return
    raise too_deep(reader.at(level[0]))


def _expressions(node: ast.AST) -> list[ast.expr]:
    found: list[ast.expr] = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            found.append(child)
        elif isinstance(child, ast.keyword):
            found.append(child.value)
    return found


@dataclass(frozen=True)
class _Converter:
    """From Python's syntax tree of `text[start:]` to ours, refusing what is not in the language."""

    text: str
    start: int
    origin: Position

    def at(self, node: ast.expr) -> Position:
        """Where `node` stands in the source."""
        return place(self.text, self.start + node.col_offset, self.origin)

    def refuse(self, node: ast.expr, what: str, remedy: str) -> SpecError:
        return SpecError(f"{what} is not in the language", at=self.at(node), remedy=remedy)

    def node(self, tree: ast.expr) -> Node:
        at = self.at(tree)
        match tree:
            case ast.Name(id=word) if word in _TRUTH:
                raise self.refuse(tree, f"'{word}' outside a keyword argument", "write it as in bias=false")
            case ast.Name(id=word):
                return Name(word, at)
            case ast.Constant(value=str()):
                remedy = "write names without quotes, a transpose as x.T"
                raise self.refuse(tree, "a string", remedy)
            case ast.Constant():
                return self.constant(tree)
            case ast.List():
                remedy = "name its numbers under constants, as in constants: {c: [1, 2, 3]}, and write c here"
                raise self.refuse(tree, "a list", remedy)
            case ast.Tuple():
                remedy = "give it by its name, as in kernel=(3, 3)"
                raise self.refuse(tree, "a tuple outside a keyword argument", remedy)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return Negate(self.node(operand), at)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return Binary(_BINARY[type(op)], self.node(left), self.node(right), at)
            case ast.Call():
                return self.call(tree)
            case ast.Subscript():
                return self.index(tree)
            case ast.Attribute(value=value, attr="T"):
                return Transpose(self.node(value), at)
            case ast.Compare():
                remedy = "a comparison stands only in the first argument of where(condition, a, b)"
                raise self.refuse(tree, "a comparison here", remedy)
        raise self.refuse(tree, "this expression", "expected numbers, names, operators and calls")

    def constant(self, tree: ast.Constant) -> Number:
        if isinstance(tree.value, bool):
            raise self.refuse(tree, f"'{tree.value}' outside a keyword argument", "write it as in bias=false")
        at = self.at(tree)
        end = self.start + (tree.end_col_offset or 0)
        return Number(exact(self.text[self.start + tree.col_offset : end], at), at)

    def call(self, tree: ast.Call) -> Call:
        if not isinstance(tree.func, ast.Name):
            raise self.refuse(tree, "a call of anything but a name", "expected function(arguments)")
        function, at = tree.func.id, self.at(tree.func)
        if function == "where":
            return self.where(tree, at)
        if function == "einsum" and tree.args and isinstance(tree.args[0], ast.Constant):
            text, *operands = tree.args
            arguments = (Text(str(tree.args[0].value), self.at(text)), *map(self.node, operands))
            return Call(function, arguments, self.keywords(tree), at)
        arguments = tuple(self.argument(function, a) for a in tree.args)
        return Call(function, arguments, self.keywords(tree), at)

    def argument(self, function: str, tree: ast.expr) -> Node:
        """A positional argument, which may be a list where sizes are listed."""
        if isinstance(tree, ast.List | ast.Tuple) and function in REARRANGEMENTS:
            return Tuple(tuple(map(self.node, tree.elts)), self.at(tree))
        return self.node(tree)

    def where(self, tree: ast.Call, at: Position) -> Call:
        if len(tree.args) != 3 or tree.keywords:
            remedy = "expected where(condition, a, b)"
            raise SpecError(f"where with {_count(tree)}", at=at, remedy=remedy)
        condition = self.condition(tree.args[0])
        return Call("where", (condition, self.node(tree.args[1]), self.node(tree.args[2])), (), at)

    def condition(self, tree: ast.expr) -> Compare:
        if not isinstance(tree, ast.Compare) or type(tree.ops[0]) not in _COMPARISON:
            problem = "the first argument of where is not a comparison"
            raise SpecError(problem, at=self.at(tree), remedy="expected one such as x > 0")
        if len(tree.ops) > 1:
            raise self.refuse(tree, "a chained comparison", "nest one where(...) in another")
        operator = _COMPARISON[type(tree.ops[0])]
        return Compare(operator, self.node(tree.left), self.node(tree.comparators[0]), self.at(tree))

    def keywords(self, tree: ast.Call) -> tuple[tuple[str, Node], ...]:
        values: dict[str, Node] = {}
        for keyword in tree.keywords:
            name = str(keyword.arg)
            if name in values:
                raise SpecError(f"'{name}' is given twice", at=self.at(keyword.value), remedy="give it once")
            values[name] = self.keyword(tree, keyword.value)
        return tuple(values.items())

    def keyword(self, call: ast.Call, tree: ast.expr) -> Node:
        """A keyword's value, which alone may be a truth value, or a tuple in calls of any function."""
        if isinstance(tree, ast.Tuple):
            return Tuple(tuple(map(self.node, tree.elts)), self.at(tree))
        function = call.func.id if isinstance(call.func, ast.Name) else ""
        return self.truth(tree) or self.argument(function, tree)

    def truth(self, tree: ast.expr) -> Boolean | None:
        match tree:
            case ast.Name(id=word) if word in _TRUTH:
                return Boolean(_TRUTH[word], self.at(tree))
            case ast.Constant(value=bool() as value):
                return Boolean(value, self.at(tree))
        return None

    def index(self, tree: ast.Subscript) -> Index:
        if not isinstance(tree.value, ast.Name):
            raise self.refuse(tree, "indexing anything but a name", "name the tensor in an equation first")
        places = tree.slice.elts if isinstance(tree.slice, ast.Tuple) else [tree.slice]
        return Index(tree.value.id, tuple(self.affine(p) for p in places), self.at(tree))

    def ranged(self, tree: ast.expr) -> tuple[str, Node | None]:
        """`j` or `j:J` of a left side, or an axis that is taken whole, `:` or `:J`."""
        match tree:
            case ast.Name(id=word):
                return word, None
            case ast.Slice(lower=ast.Name(id=word), upper=ast.expr() as size, step=None):
                return word, self.node(size)
            case ast.Slice(lower=None, upper=size, step=None):
                return "", None if size is None else self.node(size)
        at = self.at(tree)
        remedy = "write P[n,k], P[n, k:10] for an index with a range, or h[:, t] for each step"
        raise SpecError("an index on the left is a name", at=at, remedy=remedy)

    def affine(self, tree: ast.expr) -> Node:
        if isinstance(tree, ast.Slice):
            ends = (tree.lower, tree.upper, tree.step)
            start, stop, step = (None if end is None else self.node(end) for end in ends)
            return Slice(start, stop, step, self.at(tree))
        node = self.node(tree)
        if not _is_affine(node):
            remedy = f"expected a name, an integer or an affine form such as 2*i + u; {CHOOSE}"
            raise self.refuse(tree, "this index", remedy)
        return node


def _is_affine(node: Node) -> bool:
    match node:
        case Name() | Index():
            return True
        case Call(function):
            return function == SIZE
        case Number(value):
            return value.denominator == 1
        case Negate(operand):
            return _is_affine(operand)
        case Binary("+" | "-" | "*" | "//" | "%", left, right):
            return _is_affine(left) and _is_affine(right)
    return False


def _count(tree: ast.Call) -> str:
    count = len(tree.args) + len(tree.keywords)
    return f"{count} argument{'' if count == 1 else 's'}"
