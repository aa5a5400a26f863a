"""What the runtime needs of a model, by the example of the smallest, y = w·x; a module has its own."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

SPEC_NAME = "smallest"
SPEC_SHA256 = ""
NETWORK_SHA256 = ""  # of what forward and predict compute
SYMGRAD_VERSION = ""
DTYPE: type[np.floating] = np.float64
TASK = "values"
EPOCHS = 0  # how many epochs a schedule expects where the caller does not say; 0: it asks for none
MICRO_BATCH_SIZE = 0  # rows whose gradient is computed at once; 0: all of a batch
SET_ROWS = 0  # of several sets, the points whose gradient is computed at once, where they go in pieces
INPUTS = ("x",)
PREDICTED_FROM = ("x",)  # inputs that predict asks for
TARGETS = ("t",)
FREE_AXES = ("batch",)
BATCH_AXIS = "batch"  # the axis of rows; empty: there is none
PART = 32768  # entries of a pass that a thread takes at a time
BY_COLUMNS = False  # whether the batch axis comes last in memory
COUPLED = ""  # why ranks cannot share the rows of a batch, where they cannot
ADDS_UP = False  # whether the loss of a batch is the sum of its pieces' losses; else it is their mean
FULL_BATCH = ""  # why every step needs all rows, where it does
AXES: dict[str, tuple[str | int, ...]] = {"x": ("batch",), "t": ("batch",)}
CLASSES: dict[str, int] = {}  # how many labels there are
IGNORED: dict[str, int] = {}  # labels that mean: none
LEAST_SIZES: dict[str, int] = {}  # of free axes, where over 1
SCORED = ""  # the target that predictions are scored against, where there are several
CONSTANTS: dict[str, np.ndarray] = {}  # at the front of every workspace
SHAPES: dict[str, tuple[int, ...]] = {"w": ()}
SIZE = 1  # entries of all parameters
TRAINED_SIZE = 1  # entries of those that training changes, where it leaves others as they are
SEED = 0  # what training draws by, where formulas draw numbers
KEY = (0, 0, 0)  # what inference draws by: a seed, the steps and the rows before
STATES: tuple[str, ...] = ()  # parameters that a step computes anew, where there are such
AVERAGE = "average"  # the state that is a moving average, where there is one
TRAINED = ((0, 1, 0),)  # where what training changes begins in the vector, how much it is, where in a state
BUCKETS = ((1, 0, 1),)  # by which part of a step of ranks the gradient is finished, from where to where
HYPER = {"learning_rate": 0.1}  # numbers that a call may change
RANGES = {"learning_rate": "(0, inf)"}
NEVER_ZERO: tuple[str, ...] = ()  # since something is divided by it
LEFT_OUT = ("weight_decay",)  # 0 in the spec, so that no step computes it
STEP_MEMORY = ("grad",)  # what a step needs besides, of the parameters' size
STEP_INPUTS = ("x",)  # what a step of time is given, where a recurrence can go on step by step
STEP_AXES: dict[str, tuple[str | int, ...]] = {
    "x": ("batch",),
    "carry.h": ("batch",),
}  # and what it carries on
STEPS = {"x": 1}  # which axis of all counts steps
PREDICTED_AT_STEP = 1  # how many tensors
STOPPED: tuple[str, ...] = ()  # what reaches the loss through stop_gradient, where a formula has that
GRADIENTS: tuple[str, ...] = ()  # what else has a derivative


class Params(NamedTuple):
    """The parameters, as views of one vector."""

    w: np.ndarray


class State(NamedTuple):
    """The optimiser's state: the number of steps made, and a vector per state variable."""

    step: np.ndarray


class Carry(NamedTuple):
    """What is carried from one step of time to the next."""

    h: np.ndarray


def init_params(seed: Any = 0) -> Params:
    """First values of all parameters, the same for the same seed."""
    return Params(np.random.default_rng(seed).normal(size=(1,)).reshape(()))


def predict(params: Params, *inputs: Any) -> np.ndarray:
    """The prediction, w·x."""
    (x,) = inputs
    return np.asarray(params.w * x)


def _sizes(n: int) -> tuple[int, ...]:
    return (n,)


def _work_size(n: int) -> int:
    return n


def _forward(theta: Any, *given: Any) -> None:
    x, work, n = given
    work[:n] = theta[0] * x


def _outputs(theta: Any, *given: Any) -> np.ndarray:
    _, work, n = given
    return np.copy(work[:n])


def _tensors(*given: Any) -> tuple[tuple[str, np.ndarray], ...]:
    """Those that stand in the workspace after _loss, by name."""
    work, n = given
    return (("y", work[:n]),)


def _loss(theta: Any, *given: Any) -> float:
    x, t, work, n = given
    _forward(theta, x, work, n)
    return float(np.square(work[:n] - t).mean())


def _draw_prediction(*given: Any) -> None:
    """The prediction with numbers that are drawn, where some are: here none."""
    theta, x, _, work, n = given
    _forward(theta, x, work, n)


def _draw_prediction_work_size(n: int) -> int:
    return n


def _draw_prediction_results(*given: Any) -> tuple[np.ndarray, ...]:
    work, n = given
    return (np.copy(work[:n]),)


def _evaluation(theta: np.ndarray, *rest: Any) -> float:
    """The loss of inference, where that is another one."""
    return _loss(theta, *rest)


def _gradient(theta: Any, grad: Any, *given: Any) -> float:
    x, t, work, n = given
    value = _loss(theta, *given)
    grad[0] = 2 * ((work[:n] - t) * x).mean()
    return value


def _input_gradients(*given: Any) -> tuple[np.ndarray, ...]:
    return ()


def _one_step(theta: Any, *given: Any) -> None:
    x, h, work, n = given
    work[:n] = h + theta[0] * x


def _one_step_work_size(n: int) -> int:
    return n


def _one_step_results(work: Any, n: int) -> tuple[np.ndarray, ...]:
    return np.copy(work[:n]), np.copy(work[:n]), np.zeros(n)


def _update(theta: Any, grad: Any, step: Any, *setting: Any) -> None:
    _, hyper = setting
    theta -= hyper[0] * grad
    step[0] += 1


def _first_states(hyper: Any) -> tuple[float, ...]:
    return ()


def _step(theta: Any, grad: Any, state: Any, epoch: Any, hyper: Any, *given: Any) -> float:
    value = _gradient(theta, grad, *given)
    if np.isfinite(value):
        _update(theta, grad, *state, epoch, hyper)
    return value


def _share_of_step(theta: Any, grad: Any, *given: Any) -> Any:
    _, _, x, t, order, start, n, rows, work, _ = given  # the last: the part of the step, here all of it
    gathered = 0.0
    for array, row in zip((x, t), rows, strict=True):
        gathered += _gather(array, order, start, n, 1, row)
    if not np.isfinite(gathered):
        return np.nan, 1.0
    return _gradient(theta, grad, rows[0][:n], rows[1][:n], work, n), float(n)


def _share_work_size(n: int) -> int:
    return n


def _told_sums(grad: Any, work: Any, *_: int) -> tuple[tuple[tuple[str, np.ndarray], ...], ...]:
    """What ranks tell each other within a step, where rows know of each other: nothing."""
    return ()


def _norm_of_stretch(grad: Any, first: int) -> float:
    return float(np.sqrt(np.square(grad).sum()))


def _ahead_of_stretch(theta: Any, ahead: Any, *given: Any) -> None:
    """Where a step takes its gradient elsewhere than at the parameters: here at these."""
    ahead[:] = theta


def _rest_of_step(theta: Any, grad: Any, state: Any, *given: Any) -> None:
    _, _, _, epoch, hyper = given
    _update(theta, grad, *state, epoch, hyper)


def train_epoch(params: Any, state: Any, *data: Any, batch_size: Any, order: Any, **setting: Any) -> float:
    """Steps over all rows in batches, in place; the mean loss per row."""
    order = np.arange(data[0].size) if order is None else order
    vectors, rows = (params.w.reshape(1), np.empty(1)), (np.empty(batch_size), np.empty(batch_size))
    hyper = np.array([*HYPER.values()])
    return _epoch(
        *vectors, state, setting["epoch"], hyper, *data, order, batch_size, rows, np.empty(batch_size)
    )


def _epoch(theta: Any, grad: Any, state: Any, epoch: Any, hyper: Any, *given: Any) -> float:
    x, t, order, batch_size, rows, work = given
    total = 0.0
    for start in range(0, order.shape[0], batch_size):
        n = min(batch_size, order.shape[0] - start)
        gathered = 0.0
        for array, row in zip((x, t), rows, strict=True):
            gathered += _gather(array, order, start, n, 1, row)
        if not np.isfinite(gathered):
            return np.nan
        value = _step(theta, grad, state, epoch, hyper, rows[0][:n], rows[1][:n], work, n)
        if not np.isfinite(value):
            return float(value)
        total += value * (n / order.shape[0])
    return float(total)


def _gather(array: Any, order: Any, start: int, count: int, width: int, rows: Any) -> float:
    rows[:count] = array[order[start : start + count]]
    return float((rows[:count] * 0).sum())


# What is compiled, and how: here nothing.
KERNELS: tuple[Callable, ...] = ()
DRIVERS: tuple[Callable, ...] = ()
DRIVER_SECTIONS: tuple[Callable, ...] = ()
UPDATES: tuple[Callable, ...] = ()
JOINS_DRIVERS = True  # whether a driver becomes a part of those that call it, and is compiled once
