"""Whether the arrays of a text stay apart at all sizes: not only at those it is run at.

Where an array begins and how large it is are polynomials of the free sizes. A text is run, every access
checked, at few small sizes. That an array ends before another one begins says that a polynomial is nowhere
negative. One that is affine in each of the sizes is least at a corner of the box of sizes; so it is enough to
look at all corners, where every size is 1 or greater than any number in a text. For a size that is squared
the sign at the far corner is that of the leading term; sizes that follow from others, as `T//2`, are what
they are there. `subscripts` shows that arrays stay in their memory.
"""

from __future__ import annotations

import ast
import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from symgrad.verifier.module_tree import tree_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_FAR = 10**15
"""More than any number in a text; each further size is as much greater again, as sizes differ."""

Sizes = dict[str, int]


@dataclass(frozen=True)
class ArrayPlace:
    """An array that a driver lays into a memory: its first number, and one behind its last."""

    name: str
    memory: str
    first: int
    end: int

    def is_apart(self, other: ArrayPlace) -> bool:
        return self.memory != other.memory or self.end <= other.first or other.end <= self.first


@dataclass(frozen=True)
class _Laid:
    """An array that a statement lays into memory, its start and its shape as they are written."""

    name: str
    memory: str
    start: ast.expr
    shape: list[ast.expr]


def layout_fault(text: str, tried: Sequence[Sequence[int]]) -> str:
    """Which arrays of a text overlap at sizes beyond those tried; nothing where all is well.

    `tried` are the free sizes it is run at, in the order of its own.
    """
    functions = {node.name: node for node in tree_of(text).body if isinstance(node, ast.FunctionDef)}
    workspace = functions.get("_work_size")
    if workspace is None:
        return ""
    sizing = functions.get("_sizes", workspace)
    free = [argument.arg for argument in sizing.args.args]
    if any(len(sizes) != len(free) for sizes in tried):
        return "the workspace is not measured by the free sizes"
    far = [[1, _FAR * 2**n] for n in range(len(free))]
    corners, small = (
        [_all_sizes(sizing, workspace, dict(zip(free, sizes, strict=True))) for sizes in found]
        for found in (itertools.product(*far), tried)
    )
    for function in functions.values():
        laid = [] if function is workspace else _laid(function, functions)
        for sizes in corners if len(laid) > 1 else []:
            fault = _fault(laid, sizes, small)
            if fault:
                return f"{fault}, in {function.name} at {sizes}"
    return ""


def _all_sizes(sizing: ast.FunctionDef, workspace: ast.FunctionDef, free: Sizes) -> Sizes:
    """The free sizes, and those that follow from them, by the names that functions have for them."""
    match sizing.body[-1]:
        case ast.Return(ast.Tuple(written)):
            names = [argument.arg for argument in workspace.args.args]
            found = [_value(size, free) for size in written]
            return {n: size for n, size in zip(names, found, strict=False) if size is not None}
    return free


def _laid(function: ast.FunctionDef, functions: Mapping[str, ast.FunctionDef]) -> list[_Laid]:
    """The arrays that a function lays into memory as a whole, and those to which it hands its own arguments
    by their names: `name = view(memory, start, shape)`, each once.
    """
    found: dict[str, _Laid] = {}
    for statement in function.body:
        match statement:
            case ast.Expr(ast.Call(ast.Name(name), given)) if (
                name in functions
                and name != function.name
                and [ast.unparse(part) for part in given] == [a.arg for a in functions[name].args.args]
            ):
                inside = functions[name].body
            case _:
                inside = [statement]
        for inner in inside:
            match inner:
                case ast.Assign(
                    [ast.Name(name)],
                    ast.Call(ast.Name("view"), [ast.Name(memory), start, ast.Tuple(shape)]),
                ):
                    found[ast.dump(inner)] = _Laid(name, memory, start, shape)
    return list(found.values())


def _fault(laid: Sequence[_Laid], sizes: Sizes, tried: Sequence[Sizes]) -> str:
    there = list(_places(laid, sizes))
    here = [list(_places(laid, small)) for small in tried]
    for a, b in itertools.combinations(range(len(there)), 2):
        if not there[a].is_apart(there[b]) and any(places[a].is_apart(places[b]) for places in here):
            return f"{there[a].name} and {there[b].name} overlap"
    return ""


def _places(laid: Iterable[_Laid], sizes: Sizes) -> Iterator[ArrayPlace]:
    """Where arrays lie, of which that is a polynomial of the sizes."""
    for array in laid:
        first = _value(array.start, sizes)
        extents = [_value(extent, sizes) for extent in array.shape]
        if first is not None and None not in extents:
            end = first + math.prod(extent for extent in extents if extent is not None)
            yield ArrayPlace(array.name, array.memory, first, end)


def _value(node: ast.expr, sizes: Mapping[str, int]) -> int | None:
    """A polynomial of the sizes; None for anything else."""
    match node:
        case ast.Constant(int() as number):
            return number
        case ast.Name(name):
            return sizes.get(name)
        case ast.UnaryOp(ast.USub(), operand):
            inner = _value(operand, sizes)
            return None if inner is None else -inner
        case ast.BinOp(left, ast.Add() | ast.Sub() | ast.Mult() | ast.FloorDiv() as operation, right):
            a, b = _value(left, sizes), _value(right, sizes)
            if a is None or b is None:
                return None
            match operation:
                case ast.FloorDiv():
                    return a // b if b else None
                case ast.Add():
                    return a + b
                case ast.Sub():
                    return a - b
            return a * b
    return None
