"""`sample` of an emitted module: where it is, what it draws, and faults planted in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written

from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.spec.reads import writes_on
from symgrad.verifier.behaviour.drawn_case import case_of
from symgrad.verifier.behaviour.suite import observed
from symgrad.verifier.interpretation.interpreter import parameter_shapes
from symgrad.verifier.sampling.samples import draw
from symgrad.verifier.trials.subject import InProcess, Subject

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SEQUENCES = {"inputs": {"x": {"axes": ["b", 3], "classes": 5}}, "dtype": "float64"}
AT_PLACES = {"targets": {"t": {"axes": ["b", 3], "classes": 5}}}
BEHIND_ALL = {"targets": {"t": {"axes": ["b"], "classes": 5}}}
LOSS = {"loss": "softmax_cross_entropy(z, t)"}
LOOKS_BACK = {
    **SEQUENCES,
    **AT_PLACES,
    "equations": {"E": "embedding(x, 3)", "h": "cumsum(E, axis=1)", "z": "dense(tanh(h), 5)"},
    **LOSS,
}
LOOKS_AHEAD = {
    **SEQUENCES,
    **AT_PLACES,
    "equations": {"E": "embedding(x, 3)", "h": "E + mean(E, axis=1, keepdims=true)", "z": "dense(h, 5)"},
    **LOSS,
}
IN_PAIRS = {  # at the first two places; at the last it sees nothing else
    **LOOKS_AHEAD,
    "equations": {
        "E": "embedding(x, 3)",
        "h[b, i:3, k]": "E[b, i, k] + where(i < 2, E[b, 1, k], 0)",
        "z": "dense(h, 5)",
    },
}
LAST = {**SEQUENCES, **BEHIND_ALL, "equations": {"z": "dense(flatten(embedding(x, 2), 1), 5)"}, **LOSS}
NO_CHANCES = LAST | {"loss": "nll(z, t)"}
SAMPLING = {
    "places": LOOKS_BACK,
    "ahead": LOOKS_AHEAD,
    "pairs": IN_PAIRS,
    "last": LAST,
    "no chances": NO_CHANCES,
}


def bench(spec: dict[str, Any], folder: Path, edit: Callable[[str], str] = str) -> tuple[Any, Any]:
    module, model = interpreted(written(spec, folder, edit)), expand(read(spec))
    found = draw(model, "", 0)
    shapes = parameter_shapes(model, {**found.inputs, **found.targets})
    return module, case_of(model, Subject(model, InProcess(module), shapes), 0)


@pytest.mark.parametrize("name", SAMPLING)
def test_labels_are_drawn_as_predictions_say(name: str, tmp_path: Path) -> None:
    module, case = bench(SAMPLING[name], tmp_path)
    assert case.writes_on
    assert observed(module, "samples", case) == ""


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("seen = labels[-window:]", "seen = labels[:window]", "others than the predictions say"),
        ("found[len(seen) - 1]", "found[-1]", "others than the predictions say"),
        ("order[0]]) / temperature", "order[0]]) * temperature", "others than the predictions say"),
        ('kind="stable")[:most]', 'kind="stable")', "others than the predictions say"),
        ("rng = _generator(seed)\n    for chances", "rng = _generator(0)\n    for chances", "others than"),
        ("if found[-1] == last:", "if found[-2] == last:", "does not end behind the label"),
        ("return found if found.ndim == 1", "labels.pop(); return found if found.ndim == 1", "others than"),
        ("temperature=1.0, top_k=None", "temperature=0, top_k=None", "is not temperature 1, all labels"),
        ("(given < CLASSES[INPUTS[0]])", "(given <= CLASSES[INPUTS[0]])", "stop=5 is not refused"),
        ("_whole(\"top_k\", top_k, 1)", "_whole(\"top_k\", top_k, 0)", "top_k=0 "),
        ("0 <= value <= float(", "value <= float(", "temperature=-1 is not refused"),
    ],
)  # fmt: skip
def test_a_fault_is_found(before: str, after: str, problem: str, tmp_path: Path) -> None:
    def edit(text: str) -> str:
        assert before in text
        return text.replace(before, after)

    module, case = bench(LOOKS_BACK, tmp_path, edit)
    assert problem in observed(module, "samples", case)


def test_what_looks_ahead_must_be_refused(tmp_path: Path) -> None:
    before = "if not np.allclose(found[:seen], other[:seen], rtol=1e-4, atol=1e-6)"

    def edit(text: str) -> str:
        assert before in text
        return text.replace(before, "if False")

    module, case = bench(LOOKS_AHEAD, tmp_path, edit)
    assert "say nothing of the next label is not refused" in observed(module, "samples", case)


def _of(axes: list[Any], classes: int, **more: Any) -> bool:
    return writes_on(
        expand(read({**LOOKS_BACK, "targets": {"t": {"axes": axes, "classes": classes}}, **more}))
    )


def test_only_what_says_the_next_label_samples() -> None:
    assert _of(["b", 3], 5)
    assert not _of(["b", 3], 4, loss="softmax_cross_entropy(z[:, :, :4], t)")
    spec = {**LAST, "inputs": {"x": {"axes": ["b", "T"], "classes": 5}}}
    spec["equations"] = {"z": "dense(mean(embedding(x, 2), axis=1), 5)"}
    assert not writes_on(expand(read(spec)))


def test_parameters_stay_as_they_are(tmp_path: Path) -> None:
    module, _ = bench(LOOKS_BACK, tmp_path)
    params = module.init_params(2)
    before = [np.copy(array) for array in params]
    assert module.sample(params, [0, 1], 5, seed=7) == module.sample(params, b"\0\1", 5, seed=7)
    assert all(np.array_equal(*pair) for pair in zip(params, before, strict=True))
