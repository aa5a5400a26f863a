"""What a network learnt, from whatever holds it: a run, a checkpoint, a module's Params, arrays by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from symgrad.errors import DataError
from symgrad.training.checkpoint import Checkpoint
from symgrad.training.dataset.preparation import Preparation
from symgrad.training.run import Run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from symgrad.calculus.program import Program

LearntSource: TypeAlias = Run | Checkpoint | Mapping[str, Any] | tuple[Any, ...]


@dataclass(frozen=True)
class Learnt:
    """Parameters by name, how data become what the network takes, and the hash of that, where it is known."""

    params: Mapping[str, NDArray[Any]]
    preparation: Preparation
    network_sha256: str = ""


def learnt_of(source: LearntSource) -> Learnt:
    """Parameters, with the preparation where the source knows it.

    Raises:
        DataError: the source is none of those.
    """
    if isinstance(source, Run):
        source = source.checkpoint
    if isinstance(source, Checkpoint):
        return Learnt(source.fitted._asdict(), source.preparation, source.module.NETWORK_SHA256)
    named = source._asdict() if hasattr(source, "_asdict") else source
    if not isinstance(named, Mapping):
        problem = f"a {type(source).__name__} holds no parameters by name"
        raise DataError(problem, remedy="give a run, a checkpoint, Params of a module or a dict of arrays")
    return Learnt({name: np.asarray(array) for name, array in named.items()}, Preparation())


def fitting(program: Program, params: Mapping[str, NDArray[Any]], at: str) -> None:
    """Nothing, where these are arrays of finite numbers for all parameters of a program.

    Raises:
        DataError: names or shapes differ, or a number is not finite.
    """
    shapes = {t.name: tuple(axis.size or 1 for axis in t.axes) for t in program.of_kind("parameter")}
    if params.keys() != shapes.keys():
        missing, other = sorted(shapes.keys() - params.keys()), sorted(params.keys() - shapes.keys())
        named = (("missing:", missing), ("unknown:", other))
        parts = [f"{what} {', '.join(names)}" for what, names in named if names]
        raise DataError(f"these are not the parameters of the network; {'; '.join(parts)}", at=at)
    for name, shape in shapes.items():
        if params[name].shape != shape:
            raise DataError(f"'{name}' has shape {list(params[name].shape)}, expected {list(shape)}", at=at)
        if not np.isfinite(params[name]).all():
            raise DataError(f"'{name}' holds a number that is not finite", at=at)
