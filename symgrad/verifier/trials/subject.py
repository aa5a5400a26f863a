"""The module under trial: every call of it is guarded, every answer is looked at before it is believed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from symgrad.errors import ModuleError
from symgrad.spec.reads import draws, writes_on
from symgrad.verifier.interpretation.philox_numbers import INFERENCE, Key
from symgrad.verifier.report import any_failed
from symgrad.verifier.text_checks import text_checks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from symgrad.spec.model import Model
    from symgrad.verifier.interpretation.array_library import Array
    from symgrad.verifier.interpretation.interpreter import Shape
    from symgrad.verifier.report import Check
    from symgrad.verifier.sampling.samples import Sample
    from symgrad.verifier.text_identity import Identity
    from symgrad.verifier.trials.behaviour_case import BehaviourCase

_ALWAYS = (
    *("DTYPE", "SPEC_SHA256", "INPUTS", "TARGETS"),
    *("Params", "init_params", "forward", "predict", "flatten", "unflatten"),
)


class FaultError(Exception):
    """The module raised, or answered with what cannot be compared; the message says which function.

    `parameter` names the one parameter concerned, where there is one.
    """

    def __init__(self, message: str, parameter: str = "") -> None:
        self.parameter = parameter
        super().__init__(message)


@dataclass(frozen=True)
class Facts:
    """What a module says of itself without being called; `fields` are those of its Params, in order.

    `by_python` are its functions that Python runs over compiled kernels, where they are not compiled.
    """

    at: str
    names: frozenset[str]
    dtype: np.dtype[Any]
    spec_sha256: str
    fields: tuple[str, ...]
    by_python: tuple[str, ...] = ()


@runtime_checkable
class Door(Protocol):
    """The only way to a module, wherever it runs."""

    @property
    def facts(self) -> Facts: ...

    def call(self, function: str, *arguments: Any, **keywords: Any) -> Any:
        """The answer of a function, which may change the arrays in the named tuples it is given.

        Raises:
            FaultError: it gave none.
        """
        ...

    def observe(self, behaviour: str, case: BehaviourCase) -> str | None:
        """What is wrong with a behaviour of the module; None where trying it could harm this process.

        Raises:
            FaultError: the module was the end of its process.
        """
        ...

    def text_checks(
        self, model: Model, seed: int, when_wrong: Callable[[], None], known: Identity | None = None
    ) -> Callable[[], list[Check]]:
        """Let what is judged from the text in the module's file be judged, beside other things if possible.

        `when_wrong` is called as soon as a row failed, or none could be found. `known` is what was found of
        this very text before, asked the same.
        What is given waits for the rows; it raises FaultError where the text, run by Python, was the end of
        its process.
        """
        ...

    def hurry(self, seconds: float) -> None:
        """Let no later call last longer than this, where calls can be stopped."""
        ...

    def ahead(
        self, answers: Sequence[Callable[[], object]], training: Sequence[Callable[[], object]]
    ) -> None:
        """Make these calls in good time, those that train last or beside the others, if that is possible."""
        ...


@dataclass(frozen=True)
class InProcess:
    """A module of this process: one that was made in memory, or that tests trust."""

    module: Any

    @cached_property
    def facts(self) -> Facts:
        module = self.module
        at = str(getattr(module, "__file__", None) or getattr(module, "__name__", "the module"))
        dtype, sha256 = (getattr(module, name, None) for name in ("DTYPE", "SPEC_SHA256"))
        fields = tuple(getattr(getattr(module, "Params", None), "_fields", ()))
        return Facts(at, frozenset(dir(module)), np.dtype(dtype), str(sha256), fields)

    def call(self, function: str, *arguments: Any, **keywords: Any) -> Any:
        try:
            with np.errstate(all="ignore"):
                return getattr(self.module, function)(*arguments, **keywords)
        except (Exception, SystemExit) as error:
            message = str(error).splitlines()
            text = f"{function} raised {type(error).__name__}: {message[0] if message else ''}"
            raise FaultError(text) from error

    def observe(self, behaviour: str, case: BehaviourCase) -> str | None:  # noqa: ARG002  # a door's
        return None

    def text_checks(
        self, model: Model, seed: int, when_wrong: Callable[[], None], known: Identity | None = None
    ) -> Callable[[], list[Check]]:
        def judge() -> list[Check]:
            rows = list(text_checks(model, self.facts.at, seed, known))
            if any_failed(rows):
                when_wrong()
            return rows

        return judge

    def hurry(self, seconds: float) -> None:
        pass

    def ahead(
        self, answers: Sequence[Callable[[], object]], training: Sequence[Callable[[], object]]
    ) -> None:
        """Nothing is compiled faster in this process by asking sooner."""


def demand_names(model: Model, facts: Facts) -> None:
    """Refuse a module without the stable names that checking this model needs.

    Raises:
        ModuleError: naming what is missing.
    """
    names = list(_ALWAYS)
    if model.loss is not None:
        names += ["loss", "loss_and_grad"]
        names += ["averaged"] if model.optimizer.average else []
        names += ["init_state", "update", "train_step", "train_epoch"] if model.parameters else []
        names += ["gradient_point"] if model.parameters and model.optimizer.look_ahead is not None else []
        names += ["input_gradients"] if model.spec.gradients else []
    names += ["sample"] if writes_on(model) else []
    names += [asked.function for asked in model.beside]
    missing = [name for name in names if name not in facts.names]
    if missing:
        raise ModuleError(f"the module lacks {', '.join(missing)}", at=facts.at, remedy="generate it again")


@dataclass(frozen=True)
class Subject:
    """A module that is to implement `model`, with parameters of known shapes."""

    model: Model
    door: Door
    shapes: Mapping[str, Shape]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.door.facts.dtype

    def call(self, function: str, *arguments: Any, **keywords: Any) -> Any:
        """The answer of one of the module's functions.

        Raises:
            FaultError: it raised anything at all, or ended its process.
        """
        return self.door.call(function, *arguments, **keywords)

    def fields(self) -> tuple[str, ...]:
        """The parameters' names in the module's own order."""
        names = self.door.facts.fields
        if sorted(names) != sorted(self.shapes):
            has, due = (", ".join(found) or "none" for found in (names, self.shapes))
            raise FaultError(f"Params has the fields {has}, the spec {due}")
        return names

    def vector(self, parameters: Mapping[str, Array]) -> Array:
        """All parameters in one new vector, in the module's order and number type."""
        parts = [np.ravel(parameters[name]) for name in self.fields()]
        return np.concatenate(parts).astype(self.dtype) if parts else np.zeros(0, self.dtype)

    def params(self, vector: Array) -> Any:
        """The module's Params as views of `vector`."""
        return self.call("unflatten", vector) if self.shapes else self.call("Params")

    def blocks(self, params: Any, what: str) -> dict[str, Array]:
        """A copy of every block of a Params, checked for its shape, in double precision."""
        found = {}
        for name, shape in self.shapes.items():
            if not hasattr(params, name):
                raise FaultError(f"{what} has no '{name}'", name)
            try:
                found[name] = numbers(getattr(params, name), shape, f"{what}: {name}")
            except FaultError as fault:
                raise FaultError(str(fault), name) from fault
        return found

    def data(self, sample: Sample) -> list[Array]:
        """Fresh copies of a sample's inputs and targets, as the module takes them."""
        return self.cast(sample.data)

    def inputs(self, sample: Sample) -> list[Array]:
        """Fresh copies of a sample's inputs."""
        return self.cast(sample.inputs.values())

    def cast(self, arrays: Iterable[Array]) -> list[Array]:
        """Copies: labels as int64, all else in the module's number type."""
        return [np.array(a, dtype=np.int64 if a.dtype.kind == "i" else self.dtype, order="C") for a in arrays]

    def tensors(self, function: str, sample: Sample, shapes: Sequence[Shape]) -> list[Array]:
        """What `forward` or `predict` answer: one array per output."""
        answer = self.call(function, self.params(self.vector(sample.parameters)), *self.inputs(sample))
        arrays = answer if isinstance(answer, tuple) else (answer,)
        if len(arrays) != len(shapes):
            raise FaultError(f"{function} gives {len(arrays)} arrays, expected {len(shapes)}")
        return [numbers(a, shape, function) for a, shape in zip(arrays, shapes, strict=True)]

    def loss(self, sample: Sample) -> float:
        """The loss at a sample."""
        params = self.params(self.vector(sample.parameters))
        return number(self.call("loss", params, *self.data(sample)), "loss")

    def loss_and_grad(
        self, parameters: Array, data: Iterable[Array], key: Key = INFERENCE
    ) -> tuple[float, dict[str, Array]]:
        """The loss and a copy of every gradient, at a vector of parameters; numbers are drawn by a key."""
        given = {} if key == INFERENCE else key._asdict()
        answer = self.call("loss_and_grad", self.params(parameters.copy()), *self.cast(data), **given)
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise FaultError("loss_and_grad does not give a pair (loss, gradients)")
        return number(answer[0], "loss_and_grad"), self.blocks(answer[1], "loss_and_grad")

    def key(self, step: int) -> Key:
        """What training by the spec draws by, in the step that so many steps went before."""
        return Key(self.model.spec.train.seed, step) if draws(self.model) else INFERENCE

    def input_gradients(self, sample: Sample, shapes: Mapping[str, Shape]) -> dict[str, Array]:
        """A copy of the gradients of some tensors, of these shapes, that are asked for beside parameters."""
        params = self.params(self.vector(sample.parameters))
        answer = self.call("input_gradients", params, *self.data(sample))
        found = {}
        for name, shape in shapes.items():
            if not hasattr(answer, name):
                raise FaultError(f"input_gradients has no '{name}'")
            found[name] = numbers(getattr(answer, name), shape, f"input_gradients: {name}")
        return found


def number(value: Any, what: str) -> float:
    """A float out of an answer; nan and infinity pass, a comparison will refuse them."""
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise FaultError(f"{what} gives {type(value).__name__}, not a number") from error


def numbers(value: Any, shape: Shape, what: str) -> Array:
    """A double-precision copy of an array in an answer, which must have this shape."""
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise FaultError(f"{what} gives {type(value).__name__}, not an array of numbers") from error
    if array.shape != tuple(shape):
        raise FaultError(f"{what} has shape {array.shape}, expected {tuple(shape)}")
    return array
