"""A spec's names never take the place of the module's own."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from building import by_rows, interpreted, written
from corpus import CORPUS
from module_use import compiled_functions

from symgrad.compiler.targets.numba.own_names import PRIVATE
from symgrad.pipeline import module_text
from symgrad.spec.reader import read

GENERATED = Path(__file__).parent.parent / "generated"
KINDS = ("optimizer_nesterov", "optimizer_nadam", "ignored_class", "constants", "micro_batches")
NAMES = ("loss", "sample", "step", "forward", "Cache", "kept", "address", "in_scipy", "typed_view")


def definitions(text: str) -> list[str]:
    """The names of a module's functions and classes."""
    return [n.name for n in ast.parse(text).body if isinstance(n, (ast.FunctionDef, ast.ClassDef))]


def own_names(text: str) -> set[str]:
    """What a module calls anything by itself, kernels apart, with an underscore in front."""
    found, tree = set(), ast.parse(text)
    kernels = compiled_functions(tree, ("KERNELS",)) - {"_shares", "_end_of_step"}
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found |= {node.name} - kernels
        else:
            found |= {
                n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
            }
    return {name for name in found if name.startswith("_")}


def test_the_private_names_of_all_kinds_of_modules_are_kept_from_kernels() -> None:
    texts = [file.read_text(encoding="utf-8") for file in GENERATED.glob("*.py")]
    texts += [module_text(read(CORPUS[kind])) for kind in KINDS]
    for text in texts:
        counted = {name for name in own_names(text) if name.startswith("_part_of_step_")}  # kept by the model
        assert own_names(text) - counted <= PRIVATE


def test_no_name_of_a_module_stands_for_two_things() -> None:
    """A constant of the runtime's would take the place of one of the model's."""
    texts = [file.read_text(encoding="utf-8") for file in GENERATED.glob("*.py")]
    for text in [*texts, *(module_text(read(CORPUS[kind])) for kind in KINDS)]:
        names = definitions(text)
        for node in ast.parse(text).body:
            if isinstance(node, ast.Assign):
                parts = (part for target in node.targets for part in ast.walk(target))
                names += [part.id for part in parts if isinstance(part, ast.Name)]
        assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("name", NAMES)
def test_an_equation_may_have_any_name(name: str, tmp_path: Path) -> None:
    """One kernel computes nothing but it, and would be called as the module's own function is."""
    spec: dict[str, Any] = {
        "name": "named",
        "dtype": "float64",
        "inputs": {"x": ["n", 3]},
        "parameters": {"w": {"axes": [3, 2], "init": "constant(value=1)"}},
        "equations": {name: "tanh(x)", "y": f"{name} @ w"},
        "loss": "mean(y)",
        "outputs": ["y", name],
    }
    with by_rows():
        module = interpreted(written(spec, tmp_path))
    names = definitions(Path(module.__file__ or "").read_text(encoding="utf-8"))
    assert len(names) == len(set(names))
    x = np.arange(6.0).reshape(2, 3)
    y, values = module.forward(module.init_params(0), x)
    np.testing.assert_allclose(values, np.tanh(x), rtol=1e-14)
    np.testing.assert_allclose(y, np.tanh(x).sum(axis=1, keepdims=True).repeat(2, 1), rtol=1e-14)


def _told(text: str) -> set[str]:
    """What the functions for callers of a module are given beside data."""
    defined = (n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef))
    return {
        argument.arg
        for function in defined
        if not function.name.startswith("_") and "params" in {a.arg for a in function.args.args}
        for argument in (*function.args.args, *function.args.kwonlyargs)
    }


ARGUED: list[dict[str, Any]] = [
    {"equations": {"y": "tanh(x @ W)"}, "derive": ["hvp", "per_sample", "jacobian(y, x)", "hessian(W)"]},
    {"equations": {"y": "dropout(x @ W, 0.5)"}},
    {"inputs": {"x": ["n", "T", 3]}, "equations": {"h": "rnn(x, 3)", "y": "h[:, -1] @ W"}},
]


@pytest.mark.parametrize("kind", ARGUED)
def test_inputs_may_have_the_names_of_all_arguments(kind: dict[str, Any]) -> None:
    """One would stand twice among the arguments of a function otherwise: the text would be no Python."""
    spec = {"name": "named", "inputs": {"x": ["n", 3]}, "parameters": {"W": [3, 2]}, "loss": "mean(y**2)"}
    told = sorted(_told(module_text(read({**spec, **kind}))) - {"x"})
    assert "params" in told
    inputs = {**(kind.get("inputs") or spec["inputs"]), **{name: ["n"] for name in told}}
    ast.parse(
        module_text(
            read({**spec, **kind, "inputs": inputs, "loss": f"mean(y**2) + mean({' + '.join(told)})"})
        )
    )
