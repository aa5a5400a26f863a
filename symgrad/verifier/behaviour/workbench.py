"""A module on the bench: its public functions as a user calls them, with data and parameters to spoil."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from symgrad.verifier.interpretation.array_library import Array
    from symgrad.verifier.trials.behaviour_case import BehaviourCase, DataTensor

Kinds: TypeAlias = "type[Exception] | tuple[type[Exception], ...]"
"""The errors that a refusal may raise."""


@dataclass(frozen=True)
class Bench:
    """A module and the case it is tried with."""

    module: Any
    case: BehaviourCase

    @property
    def dtype(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = np.dtype(self.module.DTYPE)
        return dtype

    @property
    def takes_hyper(self) -> bool:
        """Whether callers may change hyper-parameters, as in all that symgrad emits."""
        return hasattr(self.module, "HYPER")

    def params(self) -> Any:
        """The case's parameters, in one vector of their own."""
        if not self.case.blocks:
            return self.module.Params()
        return self.module.unflatten(self.case.vector.astype(self.dtype))

    def state(self) -> Any:
        return self.module.init_state(self.params())

    def data(self) -> list[Array]:
        """Inputs, then targets, in arrays of their own."""
        return [self.numbers(tensor) for tensor in self.case.tensors]

    def far(self) -> tuple[Any, list[Array]]:
        """Parameters, or data where there are none, so large that hardly a loss is finite."""
        params, data = self.params(), self.data()
        with np.errstate(all="ignore"):
            for array in params or data:
                if array.dtype == self.dtype:
                    array *= np.finfo(self.dtype).max
        return params, [np.nan_to_num(array) for array in data]

    def numbers(self, tensor: DataTensor) -> Array:
        """The case's numbers for a tensor, as the module takes them."""
        return np.array(tensor.numbers, np.int64 if tensor.classes is not None else self.dtype, order="C")

    def each(self) -> Iterator[Bench]:
        """This one, and one for each network that stands by itself."""
        yield self
        for function, taken in self.case.networks:
            yield Bench(self.module, self.case.of_network(function, taken))

    def calls(self, *, training: bool = True) -> Iterator[DataCall]:
        """The functions that take data, as they stand in the module."""
        inputs, everything = len(self.case.inputs), len(self.case.tensors)
        if self.case.alone:
            yield DataCall(self, self.case.alone, everything)
            return
        for name in ("forward", "predict"):
            yield DataCall(self, name, inputs)
        for name in ("loss", "loss_and_grad") if self.case.has_loss else ():
            yield DataCall(self, name, everything)
        if self.case.gradients:
            yield DataCall(self, "input_gradients", everything)
        for name, kind in self.case.further:
            yield DataCall(self, name, inputs if kind == "jacobian" else everything)
        for name in ("train_step", "train_epoch", "fit") if training and self.case.trains else ():
            yield DataCall(self, name, everything)


@dataclass(frozen=True)
class DataCall:
    """One of a module's functions that take data, the first `count` tensors."""

    bench: Bench
    name: str
    count: int

    @property
    def trains(self) -> bool:
        return self.name in ("train_step", "train_epoch", "fit")

    def may_lack(self, name: str) -> bool:
        """Whether a tensor may be left out of the call."""
        return self.name in ("forward", "predict") and name in self.bench.case.spare

    def __call__(self, data: list[Any], params: Any = None, state: Any = None) -> Any:
        """Its answer; what is not given is the case's."""
        bench, given = self.bench, data[: self.count]
        function = getattr(bench.module, self.name)
        params = bench.params() if params is None else params
        if dict(bench.case.further).get(self.name) in ("hvp", "gauss_newton"):
            return function(params, params, *given)
        if not self.trains:
            return function(params, *given)
        state = bench.state() if state is None else state
        if self.name == "fit":
            return function(*given, epochs=1, batch_size="full", params=params, state=state)
        options = {"batch_size": "full"} if self.name == "train_epoch" else {}
        return function(params, state, *given, **options)


def refusal(
    kinds: Kinds, words: str | tuple[str, ...], function: Callable[..., Any], *arguments: Any, **keywords: Any
) -> str:
    """What is wrong with how a call is refused: it must raise one of these kinds, and begin with a word."""
    return told(kinds, words, (), function, *arguments, **keywords)


def told(
    kinds: Kinds,
    words: str | tuple[str, ...],
    parts: tuple[str, ...],
    function: Callable[..., Any],
    *arguments: Any,
    **keywords: Any,
) -> str:
    """The same, where the message must also hold each of these parts."""
    try:
        function(*arguments, **keywords)
    except kinds as error:
        message = str(error)
        if not message.startswith(words):
            return f"is refused, but as '{first_line(error)}'"
        missing = [part for part in parts if part not in message]
        return f"is refused, but without '{missing[0]}': '{first_line(error)}'" if missing else ""
    except Exception as error:  # noqa: BLE001  # whatever else it raises is its fault
        return f"raises {type(error).__name__}: {first_line(error)}"
    return "is not refused"


def first_line(error: BaseException) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else ""


def same(one: Any, other: Any, tolerance: float = 0.0) -> bool:
    """Whether two answers hold the same numbers of the same shapes and types, but for rounding."""
    a, b = flat(one), flat(other)
    return len(a) == len(b) and all(_alike(x, y, tolerance) for x, y in zip(a, b, strict=True))


def _alike(x: Array, y: Array, tolerance: float) -> bool:
    if x.shape != y.shape or x.dtype != y.dtype:
        return False
    if np.array_equal(x, y, equal_nan=True):
        return True
    held = np.isfinite(x)
    if not np.array_equal(np.where(held, 0, x), np.where(np.isfinite(y), 0, y), equal_nan=True):
        return False
    scale = float(np.max(np.abs(y[held]), initial=0.0))
    with np.errstate(over="ignore"):
        return bool(np.max(np.abs(x[held] - y[held])) <= tolerance * scale)


def flat(answer: Any) -> list[Array]:
    """All arrays in an answer."""
    if isinstance(answer, tuple | list):
        return [array for part in answer for array in flat(part)]
    return [np.asarray(answer)]


def kept(answer: Any) -> Any:
    """A copy that later calls cannot change."""
    return copy.deepcopy(answer)


def drawn_by(state: Any) -> dict[str, int]:
    """How `loss_and_grad` is told what the next step from a state draws by, where something is drawn."""
    counted = dict(zip(("step", "seed"), map(int, state.step), strict=False))
    return counted if "seed" in counted else {}
