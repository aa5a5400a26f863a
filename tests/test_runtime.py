"""The runtime, run as the Python that it is, by the example of the smallest model; its text in modules."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from building import interpreted, written
from corpus import CORPUS

from symgrad.compiler.targets.numba.runtime import merged_imports, runtime_names, runtime_part
from symgrad.pipeline import module_text
from symgrad.runtime import (
    evaluations,
    given_arrays,
    kept_memory,
    own_check,
    parameter_vectors,
)
from symgrad.runtime import smallest_model as model
from symgrad.runtime.training import fit_epochs, row_epochs, training_steps, whole_epochs
from symgrad.spec.reader import read

ROOM = Path(model.__file__).parent
FILES = sorted(
    file.relative_to(ROOM).with_suffix("").as_posix()
    for file in ROOM.rglob("*.py")
    if file.stem not in ("__init__", "smallest_model")
)
X = np.array([1.0, 2.0, -3.0, 0.5, 4.0])
T = 2 * X
KINDS = ("optimizer_nesterov", "optimizer_nadam", "ignored_class", "constants", "micro_batches")


def first() -> model.Params:
    return parameter_vectors.unflatten(np.array([0.5]))


def test_a_model_is_evaluated() -> None:
    np.testing.assert_array_equal(
        evaluations._evaluated(model._forward, model._outputs, first(), (X,)), 0.5 * X
    )


def test_loss_and_gradient() -> None:
    loss, gradient = training_steps._loss_and_gradient(first(), (X, T))
    assert loss == training_steps._loss_of(first(), (X, T)) == pytest.approx(2.25 * (X**2).mean())
    np.testing.assert_allclose(gradient.w, -3 * (X**2).mean())


def test_an_update_and_a_step_move_the_parameters_alike() -> None:
    by_hand, by_step = first(), first()
    _, gradient = training_steps._loss_and_gradient(by_hand, (X, T))
    states = [parameter_vectors.init_state(by_hand) for _ in range(2)]
    training_steps._updated(by_hand, gradient, states[0], (0, None))
    training_steps._train_step(by_step, states[1], (X, T), (0, None))
    assert by_hand == by_step != first()
    assert [int(s.step[0]) for s in states] == [1, 1]


def test_an_epoch_takes_the_rows_in_batches() -> None:
    order, params, expected = np.array([4, 0, 3, 1, 2]), first(), first()
    mean = row_epochs._train_epoch(params, parameter_vectors.init_state(params), (X, T), 2, order, (0, None))
    state, total = parameter_vectors.init_state(expected), 0.0
    for rows in (order[:2], order[2:4], order[4:]):
        total += len(rows) * training_steps._train_step(expected, state, (X[rows], T[rows]), (0, None))
    assert params == expected
    assert mean == pytest.approx(total / len(order))


def test_fit_trains_and_leaves_what_it_was_given() -> None:
    params = first()
    how = 2, 0, params, None, "each_epoch", None
    fitted, history = fit_epochs._fit((X, T), (30, 0, None), *how, None, None, None)
    assert params == first()
    assert history[-1] < 1e-3 < history[0]
    assert fitted.w == pytest.approx(2.0, abs=1e-2)


@pytest.mark.parametrize(
    ("order", "size", "message"),
    [
        ([0, 5], 2, "order: expected a vector of row numbers from 0 to 4"),
        ([0.5], 2, "order: expected a vector"),
        (None, 0, "batch_size: expected a whole number from 1 or 'full', got 0"),
        (None, "all", "batch_size: expected a whole number from 1 or 'full', got 'all'"),
    ],
)
def test_an_epoch_refuses(order: object, size: object, message: str) -> None:
    params = first()
    with pytest.raises(ValueError, match=message):
        row_epochs._train_epoch(params, parameter_vectors.init_state(params), (X, T), size, order, (0, None))
    assert params == first()


def test_without_rows_there_is_one_step() -> None:
    params, other = first(), first()
    loss = whole_epochs._train_epoch(
        params, parameter_vectors.init_state(params), (X, T), "full", None, (0, None)
    )
    assert loss == training_steps._train_step(other, parameter_vectors.init_state(other), (X, T), (0, None))
    assert params == other
    with pytest.raises(ValueError, match="no axis of rows"):
        whole_epochs._train_epoch(params, parameter_vectors.init_state(params), (X, T), 2, None, (0, None))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([[1.0]], r"x: expected shape \[batch\], got \[1, 1\]"),
        ([np.nan, 1.0], r"x: the entry at \[0\] is nan; expected a finite number"),
        ([], "x: no entries along 'batch'"),
        (["a"], "x: expected numbers"),
        ([[1.0], [1.0, 2.0]], "x: expected an array, got rows of different lengths"),
    ],
)
def test_arguments_are_checked(value: object, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        given_arrays._given(("x",), (value,))


def test_memory_is_kept_and_grows() -> None:
    few = kept_memory._kept("some", 3)
    assert kept_memory._kept("some", 2).base is few.base
    assert kept_memory._kept("some", 9).size == 9
    np.testing.assert_array_equal(kept_memory._array(np.arange(6), 1, (2, 2)), [[1, 2], [3, 4]])


def test_it_checks_the_gradient_of_the_model(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert own_check.verify()

    def wrong(theta: np.ndarray, grad: np.ndarray, *given: object) -> float:
        value = model._gradient(theta, grad, *given)
        grad *= 1.001
        return value

    monkeypatch.setattr(own_check, "_gradient", wrong)
    assert not own_check.verify()
    assert "a gradient is WRONG" in capsys.readouterr().out


def test_no_name_has_two_meanings() -> None:
    """All files are read as one text; only those of which a module takes one have names in common."""
    either = {"numba/gathered_rows": {"_gather"}, "training/whole_epochs": {"_train_epoch"}}
    either["numba/sharing/gathered_in_parts"] = {"_gather"}
    either["training/shared_epochs"] = {"_shared_epoch"}
    either["numba/float64_numbers"] = set(runtime_part("numba/float32_numbers").names)
    either["optional/without_loss"] = set(runtime_part("optional/without_loss").names)
    either["optional/stopped_gradients"] = {"verify"}
    either["optional/evaluated_loss"] = {"_loss_of"}
    either["optional/checked_beside"] = {"_gradients_of"}
    either["optional/states_of_trained"] = set(runtime_part("optional/states_of_trained").names)
    either["optional/pieces/loss_in_pieces"] = {"_loss_of", "_loss_and_gradient"}
    either["optional/pieces/sets_in_pieces"] = {"_by_pieces"}
    either["optional/pieces/product_in_pieces"] = {"_product_with"}
    either["optional/sequences/chances_by_steps"] = {"_chances_in_turn"}
    either["optional/drawing/drawing_arguments"] = {"_arguments"}
    either["optional/drawing/drawing_state"] = {"init_state", "_check_state"}
    either["optional/drawing/drawing_steps"] = {"_train_step", "_rows_of"}
    either["optional/ranks/norm_over_ranks"] = {"_norm_over_ranks"}
    either["optional/ranks/point_ahead"] = {"_point"}
    either["optional/ranks/exchanged_sums"] = {"_own_share", "_room_for_share"}
    seen: dict[str, str] = {}
    for name in FILES:
        for defined in runtime_part(name).names - either.get(name, set()):
            assert seen.setdefault(defined, name) == name, f"{defined} in {name} and {seen[defined]}"
    assert "_evaluated" in runtime_names()


def test_imports_are_merged() -> None:
    lines = merged_imports(map(runtime_part, FILES), [("numpy", "")])
    assert lines.index("") < lines.index("import numpy as np")
    assert len(lines) == len(set(lines))
    tree = ast.parse("\n".join(lines))
    assert not any("symgrad" in ast.unparse(node) for node in tree.body)


@pytest.mark.parametrize("name", KINDS)
def test_the_model_comes_first_and_the_runtime_stands_below_as_it_is(name: str, tmp_path: Path) -> None:
    text = module_text(read(CORPUS[name]))
    head, tail = text.split("# The model ends here.")
    assert "numba" not in head.split("class Params")[1]
    for part in ("numba/compiling", "kept_memory", "given_arrays", "training/row_epochs", "own_check"):
        assert runtime_part(part).text in tail
        assert runtime_part(part).text not in head
    module = interpreted(written(CORPUS[name], tmp_path))
    assert module.verify(points=1)
