"""Specs whose indices bear other names: nothing of what they mean may depend on these."""

from __future__ import annotations

import ast
import string
from typing import TYPE_CHECKING, Any

from symgrad.spec.reductions import REDUCTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from random import Random

Spec = dict[str, Any]

LETTERS = (*string.ascii_letters,)
ODD = (
    *("n", "batch", "i0", "np", "x", "theta", "grad", "range", "e", "pi", "alpha", "Gamma", "lambda_", "N"),
    *("real", "work", "params", "value", "acc", "first", "done", "steps", "BLOCK", "SIZE", "DTYPE", "math"),
    *("s0", "f0", "c0", "i1", "i2", "p", "s", "p2", "s2", "dy0"),
    *("t_2", "key", "out", "row", "self", "print", "len", "int", "float"),
    *("Params", "loss_and_grad", "relu", "delta", "d", "T", "l" * 64, "i_" * 30, "Kernel", "view", "gemm"),
)
"""What a module, a page or another index may be called, and no tensor that symgrad names: that would be
called otherwise then.
"""


class _Names(ast.NodeTransformer):
    """Gives indices other names; tensors that are indexed and functions keep theirs."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self.names.get(node.id, node.id))

    def visit_Subscript(self, node: ast.Subscript) -> ast.Subscript:
        base = node.value if isinstance(node.value, ast.Name) else self.visit(node.value)
        return ast.Subscript(base, self.visit(node.slice))

    def visit_Call(self, node: ast.Call) -> ast.Call:
        reduces = isinstance(node.func, ast.Name) and node.func.id in REDUCTIONS
        keywords = [
            ast.keyword(self.names.get(k.arg or "", k.arg) if reduces else k.arg, self.visit(k.value))
            for k in node.keywords
        ]
        return ast.Call(node.func, [*map(self.visit, node.args)], keywords)


def indices_on_the_left(key: str) -> list[str]:
    """The indices of `p[n, j:J]` or `h[:, t]`."""
    if "[" not in key:
        return []
    places = _tree(key).slice
    found = [p.lower if isinstance(p, ast.Slice) else p for p in getattr(places, "elts", [places])]
    return [place.id for place in found if isinstance(place, ast.Name)]


def indices_inside(formula: str, values: set[str]) -> Iterator[str]:
    """What the reductions of a formula run over; `values` are the names of all else."""
    for node in ast.walk(_tree(formula)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in REDUCTIONS:
            yield from (n.id for n in node.args[1:] if isinstance(n, ast.Name) and n.id not in values)
            yield from (k.arg for k in node.keywords if k.arg and k.arg not in ("axis", "keepdims"))


def names_beside(formula: str, indices: set[str]) -> set[str]:
    """The names that stand alone in a formula and are no indices: no index may bear one."""
    tree = _tree(formula)
    indexed = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Subscript)}
    called = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    alone = (n for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in indexed | called)
    keywords = {k.arg for k in ast.walk(tree) if isinstance(k, ast.keyword) if k.arg}
    return ({n.id for n in alone} | keywords) - indices


def values_of(spec: Spec) -> set[str]:
    """The names of tensors, sizes and functions of a spec."""
    found = {*spec.get("axes", {}), *spec.get("constants", {})}
    found |= {signature.partition("(")[0] for signature in spec.get("functions", {})}
    for block in ("inputs", "targets", "parameters", "state"):
        for name, about in (spec.get(block) or {}).items():
            axes = about.get("axes", []) if isinstance(about, dict) else about
            found |= {name, *(a for a in axes if isinstance(a, str) and a.isidentifier())}
    for key in spec.get("equations") or {}:
        found |= {name.strip() for name in key.partition("[")[0].split(",")}
    return found


def rewritten(spec: Spec) -> Spec:
    """The spec with its own indices, its formulas written as those of a `renamed` one are."""
    equations = (spec.get("equations") or {}).items()
    found = {
        **spec,
        "equations": {_rewritten(k) if "[" in k else k: _rewritten(str(f)) for k, f in equations},
    }
    loss = spec.get("loss")
    return {**found, "loss": _rewritten(loss)} if isinstance(loss, str) and "(" in loss else found


def renamed(spec: Spec, random: Random, daring: float = 0.15) -> tuple[Spec, set[str]]:
    """The spec with indices renamed, in each equation in another way, and the names of tensors and sizes
    that became indices.
    """
    values, dared = values_of(spec), set[str]()
    once = random.random() < 0.3
    known: dict[str, str] = {}

    def change(key: str, formula: str) -> tuple[str, str]:
        left = [name for name in indices_on_the_left(key) if name not in values]
        indices = list(dict.fromkeys((*left, *indices_inside(formula, values))))
        banned = names_beside(formula, {*indices})
        if "[" in key:
            banned |= names_beside(key, {*left})
            if len(left) < key.count(",") + 1:  # where a recurrence starts, a size says behind which end
                banned |= values
        names: dict[str, str] = {}
        for index in indices:
            name = known.get(index, "") if once else ""
            while not name or name in banned or name in names.values():
                drawn = random.random()
                pool = sorted(values) if drawn < daring else ODD if drawn < 0.6 else LETTERS
                name = random.choice(pool)
            names[index] = known[index] = name
            dared.update({name} & values)
        return _renamed(key, names) if "[" in key else key, _renamed(formula, names)

    equations = dict(change(k, str(f)) for k, f in (spec.get("equations") or {}).items())
    found = {**spec, "equations": equations}
    if isinstance(spec.get("loss"), str) and "(" in spec["loss"]:
        found["loss"] = change("", spec["loss"])[1]
    return found, dared


def _renamed(text: str, names: Mapping[str, str]) -> str:
    return ast.unparse(_Names(names).visit(_tree(text)))


def _rewritten(text: str) -> str:
    return _renamed(text, {})


def _tree(text: str) -> Any:
    return ast.parse(text.strip(), mode="eval").body
