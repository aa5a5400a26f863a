"""Programs with derivatives beside what moving each entry by itself gives: outputs, loss, and its slope."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fuzz.derivatives import CoupledError
from fuzz.gradients import GARBAGE, LARGE, NEAR, TRIES, Outcome, drawn_data, module_of, plain
from fuzz.jets import Jet, Jets, slopes, values
from fuzz.meaning import run_steps, scope_at, steps_of
from fuzz.modules import with_garbage
from fuzz.oracle import evaluate
from symgrad.errors import SpecError, SymgradWarning
from symgrad.pipeline import stages_of
from symgrad.spec.reader import read
from symgrad.verifier.interpretation.arithmetic import NATIVE
from symgrad.verifier.interpretation.interpreter import interpret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

Spec = dict[str, Any]
NEARLY = {"float64": 1e-7, "float32": 3e-3}


def judge_derivatives(spec: Spec, random: Random, by_rows: bool) -> Outcome:
    """Everything at one sound point, in memory full of garbage; the meaning is of what is written out."""
    spec, written = plain(spec), {**plain(spec), **spec.get("instead", {})}
    shapes = {n: p["axes"] if isinstance(p, dict) else p for n, p in written["parameters"].items()}
    rng = np.random.default_rng(random.randrange(2**32))
    module, refusal = None, None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SymgradWarning)
        try:
            module = module_of(spec, by_rows)
        except SpecError as error:
            refusal = error
    for _ in range(TRIES):
        arrays = drawn_data(written, shapes, rng, False)
        along = {n: rng.normal(size=arrays[n].shape) for n in shapes}
        try:
            exact = _meaning(written, arrays, along)
        except CoupledError as coupled:
            return Outcome("unsound") if refusal else Outcome("coupled rows are taken apart", str(coupled))
        if exact is None:
            continue
        if refusal is not None and "alone" in refusal.problem and _may_hide_rows(written):
            return Outcome("unsound")
        if refusal is not None:
            return Outcome(f"refused: {refusal.problem[:60]}", str(refusal))
        return _compared(spec, module, arrays, along, exact)
    return Outcome("unsound")


def _meaning(
    spec: Spec, arrays: Mapping[str, np.ndarray], along: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray] | None:
    """Outputs, loss, and its slope along a direction; None near a kink or where numbers are huge."""
    spec = _written_out(spec)
    arithmetic = Jets()
    bit = arithmetic.direction()
    scope = scope_at(spec, arrays, {}, arithmetic)
    for name, direction in along.items():
        moving = np.vectorize(lambda v: Jet({bit: float(v)}), otypes=[object])(direction)
        scope.tensors[name] = scope.tensors[name] + moving.reshape(direction.shape)[None]
    run_steps(steps_of(spec), scope)
    found = {n: values(scope.tensors[n][0]) for n in spec["outputs"]}
    loss = evaluate(spec["loss"], replace(scope))
    found |= {"loss": values(loss[0]), "slope": values(slopes(loss, bit)[0])}
    sound = all(np.isfinite(a).all() and np.abs(a).max(initial=0) < LARGE for a in found.values())
    return found if sound and arithmetic.clean and arithmetic.margin > NEAR["float32"] else None


def _written_out(spec: Spec) -> Spec:
    """The spec with derivatives where functions that take them are called."""
    functions = {}
    for signature, body in spec.get("functions", {}).items():
        if "d(" in body:
            call = ast.parse(signature, mode="eval").body
            assert isinstance(call, ast.Call)
            assert isinstance(call.func, ast.Name)
            functions[call.func.id] = [ast.unparse(a) for a in call.args], body
    equations = (
        {
            key: ast.unparse(_Called(functions).visit(ast.parse(f, mode="eval")))
            for key, f in spec["equations"].items()
        }
        if functions
        else spec["equations"]
    )
    return {**spec, "equations": equations}


class _Called(ast.NodeTransformer):
    """Calls of these functions, by name their parameters and their body, as what they are."""

    def __init__(self, functions: Mapping[str, tuple[list[str], str]]) -> None:
        self.functions = functions

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.func, ast.Name) or node.func.id not in self.functions:
            return node
        names, body = self.functions[node.func.id]
        given = dict(zip(names, node.args, strict=True))
        return _Named(given).visit(ast.parse(body, mode="eval").body)


class _Named(ast.NodeTransformer):
    """Names as what they stand for."""

    def __init__(self, given: Mapping[str, ast.expr]) -> None:
        self.given = given

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return self.given.get(node.id, node)


def _may_hide_rows(spec: Spec) -> bool:
    """Whether rows may know of each other and the point not show it: by an index, or what was not chosen.

    By a sum of indices they do, but where one of them has a single place: sizes are not asked.
    """
    signs = ("//", "%", "where(", "max(", "min(")
    formulas = spec["equations"].values()
    return any(sign in formula for formula in formulas for sign in signs) or any(
        re.search(r"\[[^]]*[a-z]\w* \+ [a-z]", formula) for formula in formulas
    )


def _compared(spec: Spec, module: Any, arrays: Any, along: Any, exact: dict[str, np.ndarray]) -> Outcome:
    dtype = np.dtype(spec["dtype"])
    for garbage in GARBAGE:
        module = with_garbage(module, garbage)
        parts = [np.empty(0), *(np.ravel(arrays[n]) for n in module.SHAPES)]
        params = module.unflatten(np.concatenate(parts).astype(dtype))
        data = [arrays[n] for n in (*module.INPUTS, *module.TARGETS)]
        loss, gradient = module.loss_and_grad(params, *data)
        outputs = module.forward(params, *[arrays[n] for n in module.INPUTS])
        outputs = outputs if len(spec["outputs"]) > 1 else (outputs,)
        slope = sum(np.sum(getattr(gradient, n) * along[n]) for n in module.SHAPES)
        found = {**dict(zip(spec["outputs"], outputs, strict=True)), "loss": loss, "slope": slope}
        if wrong := _different(found, exact, NEARLY[dtype.name]):
            return Outcome(wrong[0], wrong[1])
    judged = interpret(stages_of(read(spec)).model, arrays, NATIVE)
    read_so = {**dict(zip(spec["outputs"], judged.outputs, strict=True)), "loss": judged.loss}
    if all(np.isfinite(np.asarray(a, float)).all() for a in read_so.values()) and (
        wrong := _different(read_so, exact, 1e-7)
    ):
        return Outcome("the verifier reads otherwise", wrong[1])
    return Outcome("right")


def _different(
    found: Mapping[str, Any], exact: Mapping[str, np.ndarray], near: float
) -> tuple[str, str] | None:
    for name, ours in found.items():
        array, right = np.asarray(ours, float), exact[name]
        if array.shape != right.shape:
            return f"wrong shape of {name[0]}", f"{name}: {array.shape}, not {right.shape}"
        scale = max(1e-2, float(np.abs(right).max(initial=0)))
        if not (np.abs(array - right) <= near * scale).all():
            return f"wrong {name if name in ('loss', 'slope') else 'output'}", f"{name}: {array} not {right}"
    return None
