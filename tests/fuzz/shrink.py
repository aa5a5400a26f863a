"""A failing spec made smaller, one change at a time, as long as it fails in the same way."""

from __future__ import annotations

import ast
import time
from random import Random
from typing import TYPE_CHECKING, Any

from fuzz.judge import judge

if TYPE_CHECKING:
    from collections.abc import Iterator

TENSORS = ("inputs", "targets", "parameters")
Spec = dict[str, Any]


def shrunk(spec: Spec, kind: str, by_rows: bool, seconds: float = 20.0) -> Spec:
    """The smallest spec found in this time that has the same kind of failure."""
    ends, found = time.perf_counter() + seconds, spec
    while True:
        for smaller in smaller_specs(found):
            if time.perf_counter() > ends:
                return found
            if any(judge(smaller, Random(seed), by_rows, limit=5).kind == kind for seed in (0, 1)):
                found = smaller
                break
        else:
            return found


def smaller_specs(spec: Spec) -> Iterator[Spec]:
    """The spec without something, or with a smaller formula or axis; the large steps first."""
    yield from _without_equations(spec)
    for block in ("gradients", "outputs", "constants", "parameters", "inputs", "targets", "functions"):
        yield from _without_entries(spec, block)
    layers = spec.get("layers", [])
    for at in range(len(layers)) if len(layers) > 1 else ():
        yield {**spec, "layers": [*layers[:at], *layers[at + 1 :]]}
    for path, formula in _formulas(spec):
        yield from (_changed(spec, path, text) for text in smaller_formulas(formula))
    yield from _smaller_axes(spec)
    for key in ("schedule", "clip_norm", "clip_value"):
        if key in spec.get("train", {}):
            yield {**spec, "train": {k: v for k, v in spec["train"].items() if k != key}}


def _without_equations(spec: Spec) -> Iterator[Spec]:
    """Each equation left out; where it is the last, the loss is the mean of the one before."""
    equations = spec.get("equations", {})
    for key in equations:
        rest = {k: v for k, v in equations.items() if k != key}
        if rest:
            yield {**spec, "equations": rest}
            yield {**spec, "equations": rest, "loss": f"mean({[*rest][-1].partition('[')[0]})", "outputs": []}


def _without_entries(spec: Spec, block: str) -> Iterator[Spec]:
    entries = spec.get(block) or ()
    for key in entries:
        rest: Any = [e for e in entries if e != key]
        rest = {k: entries[k] for k in rest} if isinstance(entries, dict) else rest
        yield {k: v for k, v in {**spec, block: rest}.items() if v or k != block}


def _formulas(spec: Spec) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every formula of a spec, and the keys that lead to it."""
    yield ("loss",), spec["loss"]
    for key, formula in spec.get("equations", {}).items():
        if isinstance(formula, str):  # what is solved would be no contraction any longer
            yield ("equations", key), formula
    rule = spec.get("train", {}).get("optimizer")
    for key, formula in rule["update"].items() if isinstance(rule, dict) else ():
        yield ("train", "optimizer", "update", key), formula


def _changed(spec: Spec, path: tuple[str, ...], value: Any) -> Spec:
    first, *rest = path
    return {**spec, first: _changed(spec[first], tuple(rest), value) if rest else value}


def smaller_formulas(formula: str) -> Iterator[str]:
    """The formula with one part replaced by a part of it, or by a number, from the whole down."""
    tree = ast.parse(formula, mode="eval").body
    nodes = [n for n in ast.walk(tree) if isinstance(n, ast.expr)]
    for node in nodes:
        if isinstance(node, ast.Name | ast.Constant | ast.Compare):
            continue
        parts = [n for n in ast.iter_child_nodes(node) if isinstance(n, ast.expr)]
        if isinstance(node, ast.Call):
            parts = [*node.args[:3], *(k.value for k in node.keywords)]
        for part in [*parts, ast.Constant(1)]:
            yield ast.unparse(_Replaced(node, part).visit(ast.parse(formula, mode="eval"))).strip()


class _Replaced(ast.NodeTransformer):
    """Puts one part in the place of another, which is known by where it stands."""

    def __init__(self, old: ast.expr, new: ast.expr) -> None:
        self.key, self.new = ast.dump(old, include_attributes=True), new

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.expr) and ast.dump(node, include_attributes=True) == self.key:
            return self.new
        return self.generic_visit(node)


def _smaller_axes(spec: Spec) -> Iterator[Spec]:
    """Every size made 2 or 1 wherever it stands."""
    declared = [_axes(about) for block in TENSORS for about in spec.get(block, {}).values()]
    sizes = {axis for axes in declared for axis in axes if isinstance(axis, int) and axis > 1}
    for size in sorted(sizes, reverse=True):
        for smaller in {2, 1, size - 1} - {size}:
            yield {
                block: {n: _resized(about, size, smaller) for n, about in of.items()}
                if block in TENSORS
                else of
                for block, of in spec.items()
            }


def _axes(about: Any) -> list[Any]:
    return about["axes"] if isinstance(about, dict) else about


def _resized(about: Any, old: int, new: int) -> Any:
    if isinstance(about, dict):
        return {**about, "axes": _resized(about["axes"], old, new)}
    return [new if a == old else a for a in about]
