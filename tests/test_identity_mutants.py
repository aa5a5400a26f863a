"""Faults planted in the kernels and drivers of small modules: they are found, or change nothing at all.

What the finite field does not tell from the original is run again in real numbers of 50 digits, at sizes of
their own: it must be the same there too. Of the rest one in a hundred may be left: an array laid where there
is room for it at the sizes of the field, and not at others.
"""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from corpus import CORPUS
from module_use import compiled_functions

import symgrad as sg
from symgrad.pipeline import module_text
from symgrad.spec.expand import expand
from symgrad.verifier.identity.check import ExactReference, reference
from symgrad.verifier.identity.elements import UnsuitableError
from symgrad.verifier.identity.field import field
from symgrad.verifier.identity.machine import TextFaultError, UnknownError
from symgrad.verifier.identity.module_text import parse
from symgrad.verifier.identity.points import field_points, real_points
from symgrad.verifier.identity.same_entries import DifferenceError, close
from symgrad.verifier.interpretation.arithmetic import FIFTY_DIGITS
from symgrad.verifier.static.subscripts import subscript_findings

if TYPE_CHECKING:
    from collections.abc import Iterator

SPECS = {
    "columns": CORPUS["weighted_labels"],
    "scattered": CORPUS["embedding"],
    "products": {
        "inputs": {"x": ["batch", 70]},
        "targets": {"t": ["batch", 2]},
        "layers": ["dense(70, activation=tanh)", "dense(2)"],
        "loss": "mse",
    },
}
OTHER = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add, ast.Mult),
    ast.Mult: (ast.Add, ast.Div),
    ast.Div: (ast.Mult, ast.Sub),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Eq: (ast.NotEq,),
}
NAMES = {"sigmoid": "tanh", "tanh": "sigmoid", "exp": "tanh", "log": "exp", "square": "exp"}
COUNTS = {"columns": 100, "scattered": 45, "products": 45}


TRAINED = {"_step", "_epoch", "_end_of_step", "_shares"}


@dataclass(frozen=True)
class Fault:
    """One change of one thing in a function of a module: its place in a walk, and which of its changes."""

    function: ast.FunctionDef
    place: int
    change: int

    def planted(self, text: str) -> str:
        """The module's text with it; all but this function is left as it stands."""
        changed, lines = copy.deepcopy(self.function), text.splitlines()
        changes(list(ast.walk(changed))[self.place])[self.change]()
        lines[self.function.lineno - 1 : self.function.end_lineno] = [ast.unparse(changed)]
        return "\n".join(lines)


def faults(tree: ast.Module) -> Iterator[Fault]:
    """Each change of each thing in the functions that are compiled, those that train apart."""
    tried = compiled_functions(tree, ("KERNELS", "DRIVERS")) - TRAINED
    for function in (f for f in tree.body if isinstance(f, ast.FunctionDef) and f.name in tried):
        guards = {id(part) for node in ast.walk(function) if is_guard(node) for part in ast.walk(node.test)}
        for place, node in enumerate(ast.walk(function)):
            for change in range(len(changes(node)) if id(node) not in guards else 0):
                yield Fault(function, place, change)


def is_guard(node: ast.AST) -> bool:
    """Whether it asks if a factor is exactly 0, which no random point has: test_policies.py tries those."""
    return isinstance(node, ast.IfExp) and any(
        isinstance(part, ast.Compare) and isinstance(part.ops[0], ast.Eq) and is_0(part.comparators[0])
        for part in ast.walk(node.test)
    )


def is_0(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node) == "real(0)"


def changes(node: ast.AST):
    """What can be done to a node."""
    match node:
        case ast.BinOp(op=op) if type(op) in OTHER:
            return [lambda new=new: setattr(node, "op", new()) for new in OTHER[type(op)]]
        case ast.Compare(ops=[op]) if type(op) in OTHER:
            return [lambda new=new: setattr(node, "ops", [new()]) for new in OTHER[type(op)]]
        case ast.AugAssign(op=ast.Add()):
            return [lambda: setattr(node, "op", ast.Sub())]
        case ast.Attribute(attr="T"):
            return [lambda: setattr(node, "attr", "shape")]
        case ast.Constant(value=int(value)) if not isinstance(value, bool):
            return [lambda: setattr(node, "value", value + 1), lambda: setattr(node, "value", value - 1)]
        case ast.Name(id=name) if name in NAMES:
            return [lambda: setattr(node, "id", NAMES[name])]
        case ast.Subscript(slice=ast.Tuple(elts=[first, second, *_]) as places):
            return [lambda: setattr(places, "elts", [second, first, *places.elts[2:]])]
        case ast.Assign(targets=[ast.Subscript()]) | ast.Expr(value=ast.Call()):
            return [lambda: erase(node)]
    return []


def erase(statement: ast.stmt) -> None:
    """Make a statement do nothing."""
    statement.__class__ = ast.Expr
    statement.value = ast.Constant(None)


@dataclass
class Count:
    """What became of the faults."""

    planted: int = 0
    found: int = 0
    harmless: int = 0
    missed: tuple[str, ...] = ()


def is_found(references: list[ExactReference], text: str) -> bool:
    """Whether a text is told from the spec."""
    try:
        parsed = parse(text)
        for each in references:
            each.compare(parsed)
    except (DifferenceError, TextFaultError, UnknownError, UnsuitableError, SyntaxError):
        return True
    return False


@pytest.mark.parametrize("name", SPECS)
def test_planted_faults_are_found(name):
    spec = sg.read(SPECS[name])
    model, text = expand(spec), module_text(spec)
    exact = [reference(model, point, field(1)) for point in field_points(model, 1, 1e7)]
    real = [reference(model, point, FIFTY_DIGITS, close) for point in real_points(model, 1)]
    assert not is_found(exact, text)
    assert not is_found(real, text)
    all_faults = list(faults(ast.parse(text)))
    step = -(-len(all_faults) // COUNTS[name])
    count = Count()
    for fault in all_faults[::step]:
        changed = fault.planted(text)
        count.planted += 1
        if is_found(exact, changed) or subscript_findings(changed, parse(changed).facts).fault:
            count.found += 1
        elif is_found(real, changed):
            count.missed += (changed,)
        else:
            count.harmless += 1
    assert count.planted >= 40
    assert len(count.missed) <= 0.02 * count.planted, count.missed
    assert count.found >= 0.85 * count.planted, count
