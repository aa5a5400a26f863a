"""The stages from a spec to its module: one list, each program equal to the one before, shown as they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from building import with_turned_copies
from corpus import CORPUS, TRIED
from seeds import one_in

import symgrad as sg
from symgrad.calculus.program import Program, check
from symgrad.graphs.interpret import interpret
from symgrad.graphs.point import point
from symgrad.pipeline import STAGES, Stages, module_text, stages_of
from symgrad.report.stage_view import stage_view
from symgrad.spec.reader import read
from symgrad.verifier.sampling.samples import draw

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def test_every_stage_computes_what_the_one_before_does() -> None:
    """Outputs, loss and gradients of the corpus, the latter by what they are gradients of.

    Of every other spec, the rest for other sources.
    """
    tried = 0
    for name in one_in(2, TRIED):
        stages = stages_of(read(CORPUS[name]))
        arrays, sizes = point(stages.model, draw(stages.model, "here", 1, batch=3).arrays, None, dict)
        known: dict[str, np.ndarray] = {}
        for stage, program in _programs(stages):
            assert check(program) is program  # wholly, where each stage looked at what it changed
            found = _results(program, arrays, sizes)
            for result in known.keys() & found.keys():
                # a stage may say what is where the plain formula has no number: 0 times infinity
                has_number = ~np.isnan(known[result])
                before, after = known[result][has_number], found[result][has_number]
                np.testing.assert_allclose(after, before, 1e-9, 1e-12, err_msg=f"{name}: {stage}")
                tried += 1
            known |= found
        assert not any(np.isnan(array).any() for array in known.values()), name
    assert tried > 9 * len(TRIED)


def _programs(stages: Stages) -> Iterator[tuple[str, Program]]:
    """The program of every stage, and the last of them as large networks are arranged."""
    for stage in STAGES:
        if stage.way == "Program → Program" or stage.attrname == "formulas":
            yield str(stage.attrname), getattr(stages, str(stage.attrname))
    large = Stages(stages.model)
    vars(large).update(in_order=stages.in_order)
    with with_turned_copies():
        yield "arranged by rows", large.arranged


def _results(
    program: Program, arrays: dict[str, np.ndarray], sizes: Mapping[str, int]
) -> dict[str, np.ndarray]:
    values = interpret(program, arrays, sizes)
    gradients = {f"∂{g.of}": values[g.name] for g in program.gradients}
    in_parts = {t.name for t in program.tensors if any(axis.of_parts for axis in t.axes)}
    names = program.results & values.keys() - in_parts
    found = {name: _as_declared(program, name, values[name]) for name in names}
    return found | gradients


def _as_declared(program: Program, name: str, array: np.ndarray) -> np.ndarray:
    """An array with its axes in the order of the spec, whichever it has in memory."""
    order = program.tensor[name].order
    return np.moveaxis(array, range(len(order)), order) if order else array


@pytest.mark.parametrize("name", [*list(CORPUS)[::9], "optimizer_nesterov"])
def test_what_is_shown_as_changed_is_all_that_changed(name: str) -> None:
    view = stage_view(read(CORPUS[name]))  # without doubts about what is meant
    rows = {row.name: row for row in view.rows}
    assert [*rows] == ["model", *(stage.attrname for stage in STAGES)]
    programs = [row for row in rows.values() if row.way == "Program → Program"]
    before = rows["formulas"].lines
    for row in programs:
        assert row.changes is not None
        kept = [line for line in before if line not in row.removed]
        assert sorted((*kept, *row.added)) == sorted(row.lines), row.name
        before = row.lines
    assert any(row.added for row in programs)


def test_a_stage_is_computed_once_and_when_it_is_asked_for() -> None:
    stages = stages_of(read(CORPUS["skip"]))
    assert not vars(stages).keys() & {stage.attrname for stage in STAGES}
    assert stages.derived is stages.derived
    assert "plan" not in vars(stages)
    assert stages.text == module_text(read(CORPUS["skip"])) == Stages(stages.model).text


def test_the_page_and_the_data_tell_the_same() -> None:
    view = sg.stages(CORPUS["skip"])
    data, page = json.loads(json.dumps(view.as_dict())), str(view)
    assert [stage["name"] for stage in data["stages"]] == [row.name for row in view.rows]
    for stage in data["stages"]:
        assert f"{stage['name']}: {stage['way']}\n  {stage['about']}\n" in page
        for line in (*stage["removed"], *stage["added"]):
            assert line in page
