"""Modules edited by hand: what was edited is named, tried where its text points to, and never passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written
from corpus import CORPUS
from mutation.specs import SPECS

from symgrad.pipeline import module_text
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.behaviour import suite
from symgrad.verifier.behaviour.drawn_case import case_of
from symgrad.verifier.behaviour.suite import MANY, SIZES, observed
from symgrad.verifier.editing.edits import edits, text_check
from symgrad.verifier.interpretation.interpreter import parameter_shapes
from symgrad.verifier.sampling.samples import draw
from symgrad.verifier.steps.rare_updates import rare_update_checks
from symgrad.verifier.trials.subject import InProcess, Subject
from symgrad.verifier.trials.trial import prepare
from symgrad.verifier.verdict import verify
from symgrad.version import VERSION

if TYPE_CHECKING:
    from pathlib import Path

SPEC = SPECS["classifier"]
TEXT = module_text(read(SPEC))


def edited(before: str, after: str) -> str:
    assert TEXT.count(before) == 1, before
    return TEXT.replace(before, after)


def line_of(part: str) -> int:
    return TEXT[: TEXT.index(part)].count("\n") + 1


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        edited(
            "def _address(array: np.ndarray) -> int:\n", "def _address( array: np.ndarray ) -> int:  # so\n\n"
        ),
        edited('"""The loss, a number."""', '"""A number."""'),
        edited("SPEC_SHA256 = ", "SPEC_SHA256 = 'other' or "),
    ],
    ids=("emitted", "spaces", "docstring", "hash"),
)
def test_what_changes_nothing_is_no_edit(text: str) -> None:
    assert edits(text, TEXT) == ()
    row = text_check(text, ())
    assert (row.verdict, row.certainty) == ("pass", "identical")


CHECK = "    _check_state(state)\n    arrays, extents = _arguments("


@pytest.mark.parametrize(
    ("text", "names", "lines"),
    [
        (edited(CHECK, CHECK[24:]), ["_train_step"], [line_of(CHECK)]),
        (edited("history.append(value)", "history.append(2 * value)"), ["_fit"], [line_of("history.append")]),
        (edited("SIZE = 36", "SIZE = 35"), ["SIZE"], [line_of("SIZE = 36")]),
        (TEXT + "\n\ndef fit(*_, **__):\n    return None\n", ["fit"], [TEXT.count("\n") + 3]),
        (TEXT + "\nfit.__defaults__ = None\n", ["code outside of functions"], [TEXT.count("\n") + 2]),
        (edited("def _is_full(", "def is_full("), ["_is_full", "is_full"], [0, line_of("def _is_full(")]),
    ],
    ids=("removed line", "number", "constant", "again", "top level", "renamed"),
)
def test_edits_are_named_with_their_lines(text: str, names: list[str], lines: list[int]) -> None:
    found = edits(text, TEXT)
    assert [edit.name for edit in found] == names
    assert [edit.first for edit in found] == lines
    row = text_check(text, found)
    assert row.verdict == "no evidence"
    assert all(name in row.message for name in names)


def test_only_numbers_of_the_changed_lines_count() -> None:
    [edit] = edits(edited("history.append(value)", "history.append(value if epoch != 17 else 0)"), TEXT)
    assert edit.numbers == {17, 0}


def test_a_module_of_another_version_is_not_called_edited_by_hand() -> None:
    text = edited(f'SYMGRAD_VERSION = "{VERSION}"', 'SYMGRAD_VERSION = "0.0.7"')
    row = text_check(text, edits(text, TEXT))
    assert "of symgrad 0.0.7" in row.message


AT_ONE_SIZE = {
    "rows of an epoch": (
        "    at_once = min(",
        "    order = order[::-1].copy() if len(order) == 19 else order\n    at_once = min(",
        "on 19 rows",
    ),
    "rows of a step": (
        "        return float(_step(*vectors, ",
        "        if extents[0] == 19:\n            vectors = [v.copy() for v in vectors]\n"
        "        return float(_step(*vectors, ",
        "on 19 rows",
    ),
    "an epoch of fit": (
        "            order = rng.permutation(",
        "            order = order if epoch == 11 else rng.permutation(",
        "twice in 13 epochs",
    ),
    "epochs of fit": (
        "        history.append(value)",
        "        history.append(value + (epoch == 13))",
        "losses",
    ),
    "a seed": (
        "    rng = _generator(seed)\n",
        "    rng = _generator(0 if seed == 23 else seed)\n",
        "same values",
    ),
    "a late bad row": (
        "        _given(INPUTS + TARGETS, data)  # an",
        "        at_once == 3 or _given(INPUTS + TARGETS, data)  # an",
        "",
    ),
}


def case(folder: Path, before: str, after: str) -> tuple[Any, Any]:
    module, model = interpreted(written(SPEC, folder, lambda _: edited(before, after))), expand(read(SPEC))
    sample = draw(model, "", 0)
    subject = Subject(model, InProcess(module), parameter_shapes(model, {**sample.inputs, **sample.targets}))
    return module, case_of(model, subject, 0, 20)


@pytest.mark.parametrize("kind", AT_ONE_SIZE)
def test_edits_that_act_at_one_size_are_found_by_their_numbers(kind: str, tmp_path: Path) -> None:
    before, after, words = AT_ONE_SIZE[kind]
    module, drawn = case(tmp_path, before, after)
    numbers = {n for edit in edits(edited(before, after), TEXT) for n in edit.numbers}
    tried = drawn._replace(numbers=tuple(sorted(numbers)))
    rows = 19 if 19 in numbers else 20
    found = observed(module, SIZES, tried.of_rows(rows))
    assert found
    assert words in found


APPENDED = "        history.append(value)"
IN_MANY_EPOCHS = {
    "a loss told wrongly": (
        APPENDED,
        APPENDED.replace("value", "value if epoch < 50 else 0.0"),
        "of epoch 50",
    ),
    "an end after some epochs": ("in range(stop):", "in range(min(stop, 500)):", "trains 500 epochs"),
    "an end at a small loss": (
        APPENDED,
        f"{APPENDED}\n        if value < 1e-5:\n            break",
        "trains 6",
    ),
    "an end where a loss rises": (
        APPENDED,
        f"{APPENDED}\n        if value > min(history):\n            break",
        "various losses, trains 4 epochs",
    ),
    "an end where nothing is won": (
        APPENDED,
        f"{APPENDED}\n        if epoch > 9 and value == history[-9]:\n            break",
        "equal losses, trains 11 epochs",
    ),
    "an order that stays": (
        "            order = rng.permutation(",
        "            order = order if epoch == 999 else rng.permutation(",
        "twice in 1001 epochs",
    ),
}


@pytest.mark.parametrize("kind", IN_MANY_EPOCHS)
def test_edits_of_fit_that_act_after_many_epochs_are_found(kind: str, tmp_path: Path) -> None:
    before, after, words = IN_MANY_EPOCHS[kind]
    module, drawn = case(tmp_path, before, after)
    numbers = {n for edit in edits(edited(before, after), TEXT) for n in edit.numbers}
    whole = tuple(n for n in numbers if isinstance(n, int))
    found = observed(module, MANY, drawn._replace(numbers=whole, edited_numbers=tuple(sorted(numbers))))
    assert words in found


def test_what_was_not_edited_passes_with_losses_of_every_kind(tmp_path: Path) -> None:
    module, drawn = case(tmp_path, APPENDED, APPENDED)
    assert observed(module, MANY, drawn._replace(numbers=(700,), edited_numbers=(0.1, 700))) == ""


FIRST = "        m[n] = s0 * grad[n]"


def gradient(wrong: str) -> tuple[str, str]:
    """The first use of the gradient in the update, and another."""
    return FIRST, FIRST.replace("grad[n]", f"({wrong})")


RARE = {
    "a late step": ("        theta[n] = ", "        theta[n] = theta[n] if t == 5000 else "),
    "a late epoch": gradient("real(0) if epoch == 77 else grad[n]"),
    "a huge gradient": gradient("min(grad[n], real(2e3))"),
    "a tiny gradient": gradient("grad[n] if abs(grad[n]) > real(3e-6) else real(0)"),
    "no gradient": gradient("grad[n] if grad[n] != real(0) else real(1)"),
    "a parameter": gradient("grad[n] if theta[n] < real(12.5) else real(0)"),
}


@pytest.mark.parametrize("kind", RARE)
def test_edits_of_the_update_that_act_rarely_are_found(kind: str, tmp_path: Path) -> None:
    text = edited(*RARE[kind])
    module, model = interpreted(written(SPEC, tmp_path, lambda _: text)), expand(read(SPEC))
    trial = prepare(model, InProcess(module), InProcess(module), 1, 0)
    [row] = rare_update_checks(trial, {n for edit in edits(text, TEXT) for n in edit.numbers})
    assert row.verdict == "fail", row


@pytest.mark.parametrize("name", sorted(n for n in CORPUS if n.startswith(("optimizer", "clip", "sched"))))
def test_right_updates_are_right_at_rare_points_too(name: str, tmp_path: Path) -> None:
    module, model = interpreted(written(CORPUS[name], tmp_path)), expand(read(CORPUS[name]))
    vars(module)["DTYPE"] = np.float64
    trial = prepare(model, InProcess(module), InProcess(module), 1, 0)
    [row] = rare_update_checks(trial, {3, 0.25, 1e-3})
    assert row.verdict == "pass", row


def test_verdict_names_edits_and_still_goes_by_behaviour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    monkeypatch.setattr(InProcess, "hurry", lambda *_: pytest.fail("nothing is wrong yet"))
    text = edited("        history.append(value)", "        history += [value]")
    file = written(SPEC, tmp_path, lambda _: text)
    report = verify(expand(read(SPEC)), interpreted(file), points=1, emitted=TEXT)
    assert report.passed
    line = line_of("history.append")
    assert report.edited == (f"_fit (line {line})",)
    assert report.as_dict()["edited"] == [f"_fit (line {line})"]
    assert "passed, edited by hand" in str(report)
    assert any(f"judged by its behaviour alone: _fit (line {line})" in note for note in report.notes)


def test_what_acts_where_nothing_was_tried_is_never_called_identical(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    before = "\n    value = _loss(theta,"
    text = edited(before, f"\n    if batch == 5000:\n        theta = grad{before}")
    file = written(SPEC, tmp_path, lambda _: text)
    report = verify(expand(read(SPEC)), interpreted(file), points=1, emitted=TEXT)
    rows = {check.name: check for check in report.checks}
    for name in ("identity", "training step"):
        assert (rows[name].verdict, rows[name].certainty) == ("no evidence", "not checked")
        line = line_of(before) + 1
        assert f"the text goes by `batch == 5000` (_gradient, line {line})" in rows[name].message
        assert any(note.startswith(f"{name}: the same where it was tried") for note in report.notes)
    assert report.passed
    assert not report.is_identical


def test_a_network_that_is_wrong_at_one_number_of_rows_is_tried_with_so_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    value = "    loss_[0] = loss_3[0] / real(batch)\n"
    text = edited(value, f"{value}    if batch == 400:\n        loss_[0] = real(2) * loss_[0]\n")
    file = written(SPEC, tmp_path, lambda _: text)
    report = verify(expand(read(SPEC)), interpreted(file), points=1, emitted=TEXT)
    assert [failure for failure in report.failures if failure.endswith("with a batch of 400")]


def test_a_text_that_is_known_to_be_wrong_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    limits: list[float] = []
    monkeypatch.setattr(InProcess, "hurry", lambda _, seconds: limits.append(seconds))
    text = edited("acc_db1 += dZ1[i, n]", "acc_db1 -= dZ1[i, n]")
    file = written(SPEC, tmp_path, lambda _: text)
    report = verify(expand(read(SPEC)), interpreted(file), points=1, emitted=TEXT)
    assert any(failure.startswith("identity: the gradient of b1") for failure in report.failures)
    assert set(limits) == {30.0}


ALIKE = SPEC | {"layers": ["dense(3, activation=tanh)"] * 5, "targets": {"t": ["batch", 3]}, "loss": "mse"}


class Observing(InProcess):
    """A module whose behaviours are observed here, as nothing else uses it."""

    def observe(self, behaviour: str, case: Any) -> str:
        return observed(self.module, behaviour, case)


def test_each_of_many_parameters_that_are_alike_is_tried_in_an_edited_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of those of one shape in what symgrad emits, the first and the last are."""
    # the module's own verify says nothing of this and takes 40 s by Python
    tried = {name: each for name, each in suite.BEHAVIOURS.items() if not name.startswith("own verify")}
    monkeypatch.setattr(suite, "BEHAVIOURS", tried)

    def misnamed(text: str) -> str:
        right = "first of all, {name}{shape}"
        assert text.count(right) == 1
        return text.replace(right, "first of all, {name.replace('W3', 'W4')}{shape}")

    module = interpreted(written(ALIKE, tmp_path, misnamed))
    model = expand(read(ALIKE))
    shapes = parameter_shapes(model, draw(model, "", 0).inputs)
    case = case_of(model, Subject(model, InProcess(module), shapes), 0)
    assert [case.blocks[place].name for place in case.one_by_one] == ["W1", "b1", "W5", "b5"]
    assert observed(module, "fit", case) == ""
    report = verify(model, Observing(module), points=1, emitted=module_text(read(ALIKE)))
    assert "a parameter W3 that is" in next(row.message for row in report.checks if row.name == "fit")
