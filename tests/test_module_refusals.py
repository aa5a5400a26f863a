"""What emitted modules refuse, and in which words; and the odd arguments that they take."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written
from module_use import LINE, MLP, flat_copy, line_data, mlp_data

from symgrad.runtime.given_arrays import _check_digits

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

X, Y = line_data()
POINTS, LABELS = mlp_data(8)


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """One layer in float32."""
    return interpreted(written(LINE, tmp_path_factory.mktemp("line")))


@pytest.fixture(scope="module")
def mlp(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """Two layers in float64, with labels for targets."""
    return interpreted(written(MLP, tmp_path_factory.mktemp("mlp")))


def changed(array: np.ndarray, index: Any, value: Any) -> np.ndarray:
    """A copy with another value at one place."""
    copy = array.copy()
    copy[index] = value
    return copy


BAD_DATA = {
    "a wrong width": (X[:, :2], Y, ValueError, r"x: expected shape \[batch, 3\], got \[8, 2\]"),
    "a vector": (X[0], Y, ValueError, r"x: expected shape \[batch, 3\], got \[3\]"),
    "a number": (1.0, Y, ValueError, r"x: expected shape \[batch, 3\], got \[\]"),
    "other rows": (X, Y[:5], ValueError, "y: expected 8 along 'batch', as in the arrays before it, got 5"),
    "no rows": (X[:0], Y[:0], ValueError, "x: no entries along 'batch'"),
    "none": (None, Y, TypeError, "x: expected numbers, got object"),
    "objects": (X.astype(object), Y, TypeError, "x: expected numbers, got object"),
    "complex numbers": (X + 1j, Y, TypeError, "x: expected numbers, got complex"),
    "strings": (X.astype(str), Y, TypeError, "x: expected numbers, got <U"),
    "dates": (X.astype("datetime64[s]"), Y, TypeError, "x: expected numbers, got datetime64"),
    "ragged rows": ([[1, 2, 3], [4]], Y, ValueError, "x: expected an array, got rows of different lengths"),
    "a masked array": (np.ma.masked_array(X, X > 1), Y, TypeError, "x: .* masked array"),
    "nan": (changed(X, (3, 1), np.nan), Y, ValueError, r"x: the entry at \[3, 1\] is nan; expected a finite"),
    "infinity": (X, changed(Y, (7, 0), -np.inf), ValueError, r"y: the entry at \[7, 0\] is -inf"),
    "a whole number that float32 rounds": (
        changed(np.ones((8, 3), np.int64), (3, 1), 2**24 + 1),
        Y,
        ValueError,
        r"x: the entry at \[3, 1\] is 16777217; expected a whole number that float32 holds with all its "
        "digits, or float64, or a rounded one as a float",
    ),
    "a list of such numbers": (
        X,
        [[1, 1]] * 7 + [[1, -(10**12) - 1]],
        ValueError,
        r"y: .*\[7, 1\] is -10000000",
    ),
    "unsigned ones": (np.full((8, 3), 2**64 - 1, np.uint64), Y, ValueError, r"x: .* is 184467440737095516"),
    "more than float32 holds": (
        changed(X.astype(float), (2, 2), 1e39),
        Y,
        ValueError,
        r"x: .*\[2, 2\] is 1e\+39",
    ),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_whole_numbers_are_taken_just_where_the_type_holds_them(dtype: type) -> None:
    """Of every kind, near the ends of what is held and far; what Python's own integers say decides."""
    draw, refused = np.random.default_rng(7), 0
    kinds = [np.dtype(f"{order}{kind}{size}") for order in "<>" for kind in "iu" for size in (1, 2, 4, 8)]
    for kind in kinds * 30:
        ends = np.iinfo(kind)
        near = 2 ** int(draw.integers(0, 8 * kind.itemsize)) + int(draw.integers(-3, 4))
        number = int(np.clip(near * int(draw.choice([-1, 1])), ends.min, ends.max))
        array = draw.integers(0, 9, (3, 2)).astype(kind)
        array[1, 1] = number
        is_held = int(dtype(number)) == number
        refused += not is_held
        with (
            nullcontext() if is_held else pytest.raises(ValueError, match=rf"^x: .* at \[1, 1\] is {number};")
        ):
            _check_digits("x", array, dtype)
    assert 10 < refused < 350


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize(("x", "y", "error", "words"), BAD_DATA.values(), ids=BAD_DATA)
def test_bad_data_is_refused_by_name(line: ModuleType, x: Any, y: Any, error: type, words: str) -> None:
    params = line.init_params(0)
    state, before = line.init_state(params), flat_copy(line, params)
    for call in (
        lambda: line.loss(params, x, y),
        lambda: line.loss_and_grad(params, x, y),
        lambda: line.train_step(params, state, x, y),
        lambda: line.train_epoch(params, state, x, y, batch_size="full"),
        lambda: line.fit(x, y, epochs=1),
    ):
        with pytest.raises(error, match=f"^{words}"):
            call()
    if words.startswith("x"):
        for call in (line.forward, line.predict):
            with pytest.raises(error, match=f"^{words}"):
                call(params, x)
    np.testing.assert_array_equal(line.flatten(params), before)
    assert state.step.tolist() == [0]


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_an_epoch_ends_before_the_batch_of_a_bad_row(line: ModuleType) -> None:
    x = changed(X, (3, 1), np.nan)
    params, other = line.init_params(0), line.init_params(0)
    state, other_state = line.init_state(params), line.init_state(other)
    with pytest.raises(ValueError, match=r"^x: the entry at \[3, 1\] is nan; expected a finite"):
        line.train_epoch(params, state, x, Y, batch_size=2)
    line.train_step(other, other_state, X[:2], Y[:2])
    np.testing.assert_array_equal(line.flatten(params), line.flatten(other))
    assert state.step.tolist() == [1]


@pytest.mark.parametrize(
    ("label", "words"),
    [(4, "is 4"), (-1, "is -1"), (1.5, "is 1.5"), (np.nan, "is nan"), (1e300, r"is 1e\+300")],
)
def test_labels_are_whole_numbers_in_range(mlp: ModuleType, label: float, words: str) -> None:
    labels = changed(LABELS.astype(np.result_type(label)), 2, label)
    with pytest.raises(
        ValueError, match=rf"^t: the entry at \[2\] {words}; expected a whole number from 0 to 3"
    ):
        mlp.loss(mlp.init_params(), POINTS, labels)


def test_missing_and_surplus_arguments_are_python_errors(line: ModuleType) -> None:
    with pytest.raises(TypeError, match=r"missing 1 required positional argument: 'y'"):
        line.loss(line.init_params(), X)
    with pytest.raises(TypeError, match=r"takes 2 positional arguments but 3 were given"):
        line.forward(line.init_params(), X, Y)


BAD_PARAMS: dict[str, tuple[Callable[[Any], Any], type, str]] = {
    "none": (lambda p: None, TypeError, "params: expected Params with 2 arrays, got NoneType"),
    "a list": (list, TypeError, "params: expected Params with 2 arrays, got list"),
    "one too few": (lambda p: p[:1], TypeError, "params: expected Params with 2 arrays"),
    "another type": (
        lambda p: p._replace(W1=p.W1.astype(float)),
        ValueError,
        r"params.W1: expected float32 of shape \[3, 2\], got float64 of shape \[3, 2\]",
    ),
    "another shape": (
        lambda p: p._replace(b1=p.b1[:1]),
        ValueError,
        r"params.b1: .* got float32 of shape \[1\]",
    ),
    "a list of numbers": (lambda p: p._replace(b1=[0, 0]), ValueError, "params.b1: .* got list"),
    "big-endian": (lambda p: p._replace(W1=p.W1.astype(">f4")), ValueError, "params.W1: .* got >f4"),
}


@pytest.mark.parametrize(("change", "error", "words"), BAD_PARAMS.values(), ids=BAD_PARAMS)
def test_bad_parameters_are_refused(line: ModuleType, change: Any, error: type, words: str) -> None:
    params = line.init_params(0)
    bad = change(params)
    for call in (
        lambda: line.forward(bad, X),
        lambda: line.loss_and_grad(bad, X, Y),
        lambda: line.flatten(bad),
        lambda: line.init_state(bad),
        lambda: line.train_step(bad, line.init_state(params), X, Y),
        lambda: line.fit(X, Y, epochs=1, params=bad) if bad is not None else line.flatten(bad),
    ):
        with pytest.raises(error, match=f"^{words}"):
            call()
    with pytest.raises(error, match=f"^{words.replace('params', 'grads')}"):
        line.update(params, bad, line.init_state(params))


def test_training_demands_parameters_that_are_one_writable_vector(line: ModuleType) -> None:
    params = line.init_params(0)
    state = line.init_state(params)
    loose = line.Params(*(p.copy() for p in params))
    assert line.loss(loose, X, Y) == line.loss(params, X, Y)
    frozen = line.unflatten(line.flatten(params).copy())
    frozen.b1.flags.writeable = False
    assert line.loss(frozen, X, Y) == line.loss(params, X, Y)
    for bad, words in ((loose, "params: .* unflatten"), (frozen, "params: .* read-only")):
        for call in (
            lambda bad=bad: line.update(bad, params, state),
            lambda bad=bad: line.train_step(bad, state, X, Y),
            lambda bad=bad: line.train_epoch(bad, state, X, Y, batch_size=2),
        ):
            with pytest.raises(ValueError, match=f"^{words}"):
                call()
    line.train_step(line.unflatten(line.flatten(loose)), state, X, Y)


@pytest.mark.parametrize(
    ("vector", "words"),
    [
        (np.zeros(8), "got float64"),
        (np.zeros(7, np.float32), r"got float32 of shape \[7\]"),
        ([0.0] * 8, "got list"),
        (np.zeros(16, np.float32)[::2], "contiguous"),
    ],
)
def test_unflatten_takes_one_contiguous_vector(line: ModuleType, vector: Any, words: str) -> None:
    with pytest.raises(ValueError, match=f"^vector: expected .*{words}"):
        line.unflatten(vector)


def test_states_are_checked(mlp: ModuleType) -> None:
    params = mlp.init_params(0)
    state = mlp.init_state(params)
    frozen = state.v.copy()
    frozen.flags.writeable = False
    for bad, error, words in (
        (tuple(state), TypeError, "state: expected State, as init_state makes it, got tuple"),
        (state._replace(step=0), ValueError, "state.step: expected int64 .* got int"),
        (state._replace(m=state.m[:3]), ValueError, "state.m: expected float64"),
        (state._replace(v=frozen), ValueError, "state.v: .* read-only"),
    ):
        for call in (
            lambda bad=bad: mlp.update(params, params, bad),
            lambda bad=bad: mlp.train_step(params, bad, POINTS, LABELS),
            lambda bad=bad: mlp.train_epoch(params, bad, POINTS, LABELS, batch_size=2),
        ):
            with pytest.raises(error, match=f"^{words}"):
                call()


@pytest.mark.parametrize("size", [0, -1, 2.0, True, np.True_, None, "all", np.array([2, 3])])
def test_batch_sizes_are_whole_numbers(line: ModuleType, size: Any) -> None:
    params = line.init_params(0)
    with pytest.raises(ValueError, match=r"^batch_size: expected a whole number from 1 or 'full', got"):
        line.train_epoch(params, line.init_state(params), X, Y, batch_size=size)
    with pytest.raises(ValueError, match=r"^batch_size: expected a whole number from 1 or 'full', got"):
        line.fit(X, Y, epochs=1, batch_size=size)


@pytest.mark.parametrize(
    "order", [[8], [-1, 0], [], [[0, 1]], [0.0, 1.0], [True, False], "01", [[0], [1, 2]], 3, [2**63]]
)
def test_an_order_is_a_vector_of_row_numbers(line: ModuleType, order: Any) -> None:
    params = line.init_params(0)
    with pytest.raises((TypeError, ValueError), match=r"^order: expected "):
        line.train_epoch(params, line.init_state(params), X, Y, batch_size=2, order=order)


def test_epochs_and_seeds_are_whole_numbers(line: ModuleType) -> None:
    params = line.init_params(0)
    state = line.init_state(params)
    for epoch in (-1, 0.5, "1", None, True):
        with pytest.raises(ValueError, match=r"^epoch: expected a whole number from 0, got"):
            line.train_step(params, state, X, Y, epoch=epoch)
        with pytest.raises(ValueError, match=r"^epoch: "):
            line.update(params, params, state, epoch=epoch)
        with pytest.raises(ValueError, match=r"^epoch: "):
            line.train_epoch(params, state, X, Y, batch_size=4, epoch=epoch)
    for epochs in (0, 2.0, True):
        with pytest.raises(ValueError, match=r"^epochs: expected a whole number from 1, got"):
            line.fit(X, Y, epochs=epochs)
    for seed, error in (("one", TypeError), (-1, ValueError), (0.5, TypeError)):
        with pytest.raises(error, match=r"^seed: expected a whole number from 0, got"):
            line.init_params(seed)
        with pytest.raises(error, match=r"^seed: "):
            line.fit(X, Y, epochs=1, seed=seed, params=params)


def test_arrays_of_every_layout_and_kind_of_number_are_taken(line: ModuleType) -> None:
    params, whole = line.init_params(0), np.arange(24).reshape(8, 3) - 11
    expected = line.loss_and_grad(params, whole.astype(np.float32), Y)
    frozen, backwards = whole.astype(np.float32), whole[::-1].astype(np.float32)
    frozen.flags.writeable = False
    packed = np.frombuffer(b"." + whole.astype(np.float32).tobytes(), np.float32, offset=1).reshape(8, 3)
    assert not packed.flags.aligned
    for x in (
        *(whole, whole.astype(float), whole.tolist(), whole.astype(np.int8), whole.astype(">f8")),
        *(np.asfortranarray(whole, np.float32), backwards[::-1], frozen, packed),
    ):
        value, grads = line.loss_and_grad(params, x, Y.tolist())
        assert value == expected[0]
        assert all(np.array_equal(g, e) for g, e in zip(grads, expected[1], strict=True))
    with warnings.catch_warnings(action="error"):
        assert np.isfinite(line.loss(params, whole > 0, Y.astype(np.float16)))
