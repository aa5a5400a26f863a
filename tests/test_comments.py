"""Comments of emitted modules are true: after a statement, what its comment defines has the value it says."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from any_letters import of_any_letters
from building import by_rows, interpreted
from corpus import CORPUS

from symgrad.compiler.kernels.identifiers import identifiers
from symgrad.compiler.targets.numba.own_names import OWN_NAMES
from symgrad.graphs.interpret import interpret
from symgrad.graphs.point import point
from symgrad.notation.equations import Writing
from symgrad.pipeline import Stages, stages_of
from symgrad.spec.reader import read
from symgrad.verifier.sampling.samples import draw

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.calculus.program import Program

EXAMPLES = Path(__file__).parent.parent / "examples"
COMMENT = re.compile(
    r"(?P<indent> +)# (?P<formula>.+? \+?= .+?)"
    r"(   (?P<axes>\[[^\]]*\])(?P<row> at a time)?( in (?P<array>\w+))?)?$"
)
DRIVERS = ("_forward", "_predict", "_loss", "_gradient")
SPECS = {
    **{name: CORPUS[name] for name in ("skip", "loss_huber", "activation_gelu", "batched_scores", "norms")},
    **{name: CORPUS[name] for name in ("weighted_labels", "convolution", "own_softmax", "regularised")},
    **{file.stem: str(file) for file in sorted(EXAMPLES.glob("*.yaml"))},
}


@pytest.mark.parametrize("name", SPECS)
def test_after_a_statement_its_comment_is_true(name: str, tmp_path: Path) -> None:
    """Each is the equation of a tensor of the program, and its array has its numbers."""
    with by_rows():
        stages = stages_of(read(SPECS[name]))
        text = stages.text
    sample = draw(stages.model, "here", 1, batch=4)
    arrays, sizes = point(stages.model, sample.arrays, None, dict)
    values = interpret(stages.lean, arrays, sizes)
    written = _written(stages.lean)
    network = text.partition("# --- Kernels")[2].partition("# --- The optimiser")[0]
    assert {_plain(match["formula"]) for match in map(COMMENT.match, network.split("\n")) if match} <= {
        *written
    }
    path = tmp_path / "module.py"
    path.write_text(_watched(text, written, stages), encoding="utf-8")
    module: Any = interpreted(path)
    seen: dict[str, np.ndarray] = {}
    module._seen = lambda tensor, array: seen.update({tensor: np.array(array, float)})
    params = module.Params(*(np.asarray(arrays[field], module.DTYPE) for field in module.Params._fields))
    module.loss_and_grad(params, *sample.data)
    module.predict(params, *sample.inputs.values())
    assert len(seen) > 2
    for tensor, found in seen.items():
        expected = np.broadcast_to(values[tensor], np.shape(values[tensor]))
        np.testing.assert_allclose(found.reshape(expected.shape), expected, 2e-4, 2e-5, err_msg=tensor)


def _written(program: Program) -> dict[str, str]:
    """The tensor of every formula; a gradient formed into a vector has one under its own name too."""
    equations = [replace(e, target=program.accumulated.get(e.target, e.target)) for e in program.equations]
    return {_plain(Writing(program).matrix(e)): e.target for e in (*program.equations, *equations)}


def _plain(formula: str) -> str:
    """Comments call indices as loops do, of which those of one kernel differ; pages need not."""
    return of_any_letters(" ".join(formula.split()))


def _watched(text: str, written: Mapping[str, str], stages: Stages) -> str:
    """The module with a call after every statement under comments: a tensor's name, and its array."""
    names = identifiers((t.name for t in stages.lean.tensors), OWN_NAMES)
    tree, lines = ast.parse(text), text.split("\n")
    drivers = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name in DRIVERS]
    watched: list[tuple[int, str]] = []
    for driver in drivers:
        for statement in driver.body:
            row, last = (
                statement.lineno - 1,
                dict[str, str](),
            )  # an array may hold several, one after the other
            while (match := COMMENT.match(lines[row - 1])) is not None:
                row -= 1
                formula = _plain(match["formula"])
                assert formula in written, formula
                if match["row"]:
                    continue  # what is left is the last row
                last.setdefault(names[match["array"] or written[formula]], written[formula])
            code = "\n".join(lines[statement.lineno - 1 : statement.end_lineno])
            for array, tensor in last.items():
                if re.search(rf"\b{array}\b", code):
                    watched.append((statement.end_lineno or 0, f"    _seen({tensor!r}, {array})"))
    for row, call in sorted(watched, reverse=True):
        lines.insert(row, call)
    return "\n".join(lines)
