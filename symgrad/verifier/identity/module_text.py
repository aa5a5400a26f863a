"""What of a module's text is run as plain Python: its functions without their decorators, and its facts."""

from __future__ import annotations

import ast
import builtins
import math
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from symgrad.errors import ModuleError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import CodeType

_FACTS = frozenset(["INPUTS", "TARGETS", "FREE_AXES", "LEAST_SIZES", "AXES", "CLASSES", "SIZE", "SHAPES"])


ENTRIES = (
    "forward",
    "predict",
    "loss",
    "loss_and_grad",
    "input_gradients",
    "_backward",
    "_gradient_in_pieces",
    "_step_gradient",
    "_update",
    "_step",
    "_first_states",
    "_sizes",
    "_tensors",
    "step",
)
"""The functions under trial in every text."""

BLOCK = "BLOCK"
"""The fact that says how many rows a sum over rows takes at a time."""

REPLACED = frozenset(
    [
        *("exp", "expm1", "log", "log1p", "sqrt", "tanh", "sigmoid", "softplus", "logcosh", "erf", "erfc"),
        *("maximum", "minimum", "view", "gemm", "masked_gemm", "copy", "prefetch", "draw", "in_parts"),
        *("difference_first", "quotient_first", "product_first"),
        *(
            "flatten",
            "unflatten",
            "_array",
            "_kept",
            "_given",
            "_as_vector",
            "_with_memory",
            "_given_at_step",
            "euclidean_norm",
        ),
    ]
)
"""Functions of a text that stand for mathematics, memory or BLAS, or only check what a caller gave."""


@dataclass(frozen=True)
class JudgedText:
    """What of a module's text says what is computed: its functions, and its facts as they stand there.

    `floats` are the names that stand for its numbers with a fraction, `kernels` the functions that depend on
    nothing but their arguments, `unknown` the names that nothing defines.
    """

    code: CodeType
    facts: Mapping[str, Any]
    floats: Mapping[str, float]
    kernels: frozenset[str]
    unknown: frozenset[str] = frozenset()


def parse(text: str, further: Iterable[str] = ()) -> JudgedText:
    """The functions and facts of a module's text, with those `further` ones under trial that it has.

    Raises:
        ModuleError: it is no Python, or lacks what every module has.
    """
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise ModuleError(f"the text is no Python: {error}") from error
    literals = _Literals()
    used = _used(tree.body, (*ENTRIES, *further))
    unknown = _unknown(used, tree.body)
    if any(ast.While in seen.kinds for seen in used.values()):
        raise ModuleError("the text has a loop whose end cannot be foreseen")
    facts = dict(fact for node in tree.body for fact in _fact(node))
    missing = _FACTS - facts.keys()
    if missing:
        raise ModuleError(f"the text lacks {', '.join(sorted(missing))}", remedy="generate it again")
    kept = [literals.visit(node) for node in used]
    code = compile(ast.Module(kept, []), "the module's text", "exec")
    return JudgedText(code, facts, literals.floats, kernels_of(used, facts), frozenset(unknown))


@dataclass(frozen=True)
class Seen:
    """What a statement is made of: its names, those it asks for, those it gives a meaning; kinds of nodes."""

    names: set[str]
    loaded: set[str]
    bound: set[str]
    kinds: set[type[ast.AST]]


def seen_in(statement: ast.stmt) -> Seen:
    """What a statement and all inside it is made of."""
    seen = Seen(set(), set(), set(), set())
    for node in ast.walk(statement):
        seen.kinds.add(type(node))
        match node:
            case ast.Name(name, context):
                seen.names.add(name)
                if not isinstance(context, ast.Del):
                    (seen.loaded if isinstance(context, ast.Load) else seen.bound).add(name)
            case ast.FunctionDef(name) | ast.ClassDef(name) | ast.arg(name):
                seen.bound.add(name)
            case ast.alias(name, other):
                seen.bound.add(other or name.partition(".")[0])
            case ast.ExceptHandler(name=str(name)):
                seen.bound.add(name)
    return seen


def _bare(definition: ast.stmt) -> None:
    """Take its decorators, and the types of its arguments and answers, from a function."""
    for node in ast.walk(definition) if isinstance(definition, ast.FunctionDef) else ():
        match node:
            case ast.FunctionDef():
                node.decorator_list, node.returns = [], None
            case ast.arg():
                node.annotation = None


def _unknown(used: Mapping[ast.stmt, Seen], body: list[ast.stmt]) -> set[str]:
    """The names that these statements ask for, and nothing in the text gives a meaning."""
    found = set[str]().union(*(seen.loaded for seen in used.values()))
    found -= {*dir(builtins)}.union(*(seen.bound for seen in used.values()))
    found -= {name for node in body for name in _defined(node)}
    found = found.difference(*(seen_in(node).bound for node in body if not _defined(node)))
    return found.difference(*(seen_in(node).bound for node in body)) if found else found


def _used(body: list[ast.stmt], entries: Iterable[str]) -> dict[ast.stmt, Seen]:
    """The definitions that the functions under trial reach, made bare, in the order of the text."""
    definitions: dict[str, list[ast.stmt]] = {}
    for node in body:
        for name in _defined(node):
            definitions.setdefault(name, []).append(node)
    used: dict[ast.stmt, Seen] = {}
    reached: set[str] = set()
    waiting = [name for name in entries if name in definitions]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            for node in definitions[name]:
                _bare(node)
                used[node] = seen_in(node)
                waiting += used[node].names & definitions.keys() - REPLACED
    return {node: used[node] for node in body if node in used}


def kernels_of(used: Mapping[ast.stmt, Seen], facts: Mapping[str, Any]) -> frozenset[str]:
    """The functions that ask for no other of the text but those that are replaced, and for no fact but how
    many rows are a block.
    """
    own = facts.keys() - {BLOCK} | {name for node in used for name in _defined(node)} - REPLACED
    functions = {node: seen for node, seen in used.items() if isinstance(node, ast.FunctionDef)}
    return frozenset(
        f.name
        for f, seen in functions.items()
        if not (own & (seen.loaded - seen.bound) or _keeps_state(f, seen))
    )


def _keeps_state(function: ast.FunctionDef, seen: Seen) -> bool:
    """Whether a call may leave something to the next one: in a name of the module, or a value by default."""
    given = function.args
    return bool(given.defaults or given.kw_defaults or seen.kinds & {ast.Global, ast.Nonlocal})


def _defined(node: ast.stmt) -> list[str]:
    match node:
        case ast.FunctionDef(name) | ast.ClassDef(name):
            return [name]
    return []


def _fact(node: ast.stmt) -> Iterator[tuple[str, Any]]:
    """A name in capitals and the plain value that it is given."""
    match node:
        case ast.Assign([ast.Name(name)], value) if name.isupper():
            with suppress(ValueError):
                yield name, _value(value)


def _value(node: ast.expr) -> Any:
    """A literal, a float in it as the decimal it shows; an array as nested lists of fractions."""
    match node:
        case ast.Constant(float() as number):
            return Fraction(repr(number))
        case ast.Constant(value):
            return value
        case ast.UnaryOp(ast.USub(), operand):
            return -_value(operand)
        case ast.Tuple(parts):
            return tuple(_value(part) for part in parts)
        case ast.List(parts):
            return [_value(part) for part in parts]
        case ast.Dict(keys, values):
            return {_value(k): _value(v) for k, v in zip(keys, values, strict=True) if k is not None}
        case ast.Call(ast.Attribute(ast.Name("np"), "array"), [argument]):
            return _value(argument)
    raise ValueError(f"{ast.unparse(node)} is no plain value")


class _Literals(ast.NodeTransformer):
    """Floats become names, so that each can stand for an exact number."""

    def __init__(self) -> None:
        self.floats: dict[str, float] = {}

    def visit_Constant(self, node: ast.Constant) -> ast.expr:  # the name ast calls
        if not isinstance(node.value, float) or not math.isfinite(node.value):
            return node
        name = f"float {node.value!r}"
        self.floats[name] = node.value
        return ast.copy_location(ast.Name(name, ast.Load()), node)
