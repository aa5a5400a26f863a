"""A whole spec at one point: loss, outputs and gradient as its text defines them."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np

from fuzz.arithmetic import Arithmetic
from fuzz.layers import LEARNT
from fuzz.oracle import Labels, Scope, equation, evaluate, tree_of
from symgrad.spec import library

Spec = dict[str, Any]
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Meaning:
    """`gradient` has the slopes asked for; `margin`, `ties` and `clean` are those of the arithmetic."""

    loss: float
    gradient: dict[str, np.ndarray]
    outputs: list[np.ndarray]
    margin: float
    ties: int
    clean: bool

    @property
    def finite(self) -> bool:
        return all(np.isfinite(a).all() for a in (self.loss, *self.gradient.values(), *self.outputs))


def formula_of(spec: Spec) -> str:
    """The formula of f over inputs alone, where it may read an h."""
    return re.sub(r"\bh\b", f"({spec['equations'].get('h')})", spec["equations"]["f"])


def meaning(
    spec: Spec,
    arrays: Arrays,
    wrt: Arrays,
    kind: type = np.clongdouble,
    rounding: np.random.Generator | None = None,
) -> Meaning:
    """The value of a spec where every tensor it declares, and every parameter of its layers, is given.

    `wrt` says which entries of which tensors, counted in a row, are differentiated. With a `rounding`, each
    entry of what an equation gives is moved by up to its last place.
    """
    arithmetic = Arithmetic(kind)
    scope = scope_at(spec, arrays, wrt, arithmetic)
    with np.errstate(all="ignore"):
        last = run_steps(steps_of(spec), scope, rounding)
        names = spec.get("outputs") or [last]
        outputs = [np.asarray(scope.tensors[n][0].real, float) for n in names]  # type: ignore[index]  # no labels
        found = evaluate(_loss_formula(spec, names), scope)
    total = sum(entries.size for entries in wrt.values())
    slopes = np.asarray(np.broadcast_to(found, (max(1, total),)).imag / arithmetic.step, float)
    ends = np.cumsum([entries.size for entries in wrt.values()])
    gradient = {name: slopes[end - wrt[name].size : end] for name, end in zip(wrt, ends, strict=True)}
    return Meaning(
        float(found[0].real), gradient, outputs, arithmetic.margin, arithmetic.ties, arithmetic.clean
    )


def run_steps(
    steps: list[tuple[str, str, str]], scope: Scope, rounding: np.random.Generator | None = None
) -> str:
    """Compute the equations in order; the name of the last."""
    last = ""
    for number, (key, formula, owner) in enumerate(steps):
        last = key.partition("[")[0]
        here = replace(scope, owner=owner, before=tuple(steps[:number]))
        found = scope.tensors[last] = equation(key, formula, here)
        if rounding is not None and isinstance(found, np.ndarray):
            moved = 1 + np.finfo(found.dtype).eps * rounding.uniform(-1, 1, found.shape[1:])
            scope.tensors[last] = found * moved.astype(found.real.dtype)
    return last


def steps_of(spec: Spec) -> list[tuple[str, str, str]]:
    """The equations in order: left side, formula, and what the parameters of its layers are named after."""
    if "layers" not in spec:
        owners = spec.get("owners", {})
        return [(key, formula, owners.get(key, key)) for key, formula in spec["equations"].items()]
    steps: list[tuple[str, str, str]] = []
    _add_chain(spec["layers"], next(iter(spec["inputs"])), 0, steps)
    return steps


def _add_chain(
    layers: list[Any], previous: str, depth: int, steps: list[tuple[str, str, str]]
) -> tuple[str, int]:
    """Add the steps of layers, repeated and joined ones too; the name of the last, and how many count."""
    for layer in layers:
        if isinstance(layer, dict):
            ((kind, inside),) = layer.items()
            start, times = previous, inside["times"] if kind == "repeat" else 1
            for _ in range(times):
                block = inside["layers"] if kind == "repeat" else inside
                previous, depth = _add_chain(block, previous, depth, steps)
            if kind != "repeat":
                joined = f"{start} + {previous}", f"concat({start}, {previous}, axis=-1)"
                name = _unused(f"{'R' if kind == 'residual' else 'C'}{depth}", [key for key, *_ in steps])
                steps.append((name, joined[kind == "concat"], name))
                previous = name
            continue
        call = _as_call(layer)
        depth += call.func.id in LEARNT or depth == 0
        activation = [k.value for k in call.keywords if k.arg == "activation"]
        bare = ast.Call(call.func, call.args, [k for k in call.keywords if k.arg != "activation"])
        for step in (bare, *map(_as_call, activation)):
            prefix = "Z" if step.func.id == "dense" else "A"
            name = _unused(f"{prefix}{depth}", [key for key, *_ in steps])
            inside = ast.Call(step.func, [ast.Name(previous, ast.Load()), *step.args], step.keywords)
            steps.append((name, ast.unparse(inside), f"#{name[1:]}"))
            previous = name
    return previous, depth


def _unused(name: str, taken: list[str]) -> str:
    """The name, or with the first free suffix _2, _3, ..."""
    numbered = (f"{name}_{number}" for number in count(2))
    return name if name not in taken else next(n for n in numbered if n not in taken)


def _as_call(given: str | ast.expr) -> Any:
    tree = tree_of(given) if isinstance(given, str) else given
    return tree if isinstance(tree, ast.Call) else ast.Call(tree, [], [])


def _loss_formula(spec: Spec, outputs: list[str]) -> str:
    """The loss; one without arguments is applied to the output and the target."""
    call = _as_call(spec["loss"])
    if call.args or getattr(call.func, "id", "") not in library.losses:
        return str(spec["loss"])
    given = [ast.Name(n, ast.Load()) for n in (outputs[0], next(iter(spec["targets"])))]
    return ast.unparse(ast.Call(call.func, given, call.keywords))


def scope_at(spec: Spec, arrays: Arrays, wrt: Arrays, arithmetic: Arithmetic) -> Scope:
    """The given tensors, with a small imaginary step in one entry for each probe."""
    tensors: dict[str, np.ndarray | Labels] = {}
    sizes = {str(name): int(size) for name, size in spec.get("axes", {}).items()}
    declared = {**spec.get("inputs", {}), **spec.get("targets", {})}
    for name, given in {**spec.get("constants", {}), **arrays}.items():
        about = declared.get(name)
        array = np.asarray(given)
        axes = about["axes"] if isinstance(about, dict) else about or []
        sizes |= {axis: size for axis, size in zip(axes, array.shape, strict=False) if isinstance(axis, str)}
        if isinstance(about, dict) and "classes" in about:
            tensors[name] = Labels(array, about["classes"], about.get("ignore"))
            continue
        tensors[name] = arithmetic.number(array)[None]
    total, start = sum(entries.size for entries in wrt.values()), 0
    for name, entries in wrt.items():
        stepped = np.repeat(arithmetic.number(arrays[name])[None], total, axis=0)
        rows = np.arange(start, start + entries.size)
        stepped.reshape(total, -1)[rows, entries] += 1j * arithmetic.step
        tensors[name], start = stepped, start + entries.size
    functions = {key.partition("(")[0]: (key, str(f)) for key, f in spec.get("functions", {}).items()}
    return Scope(tensors, sizes, functions, arithmetic, {}, key=spec.get("key", (0, 0)))
