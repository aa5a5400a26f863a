"""What a check of a demand works with: its specs, and a way to make modules of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from symgrad import api
from symgrad.spec.model import Spec

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike

Build: TypeAlias = Callable[[Spec], ModuleType]


class DisagreementError(Exception):
    """What symgrad derives or does is not what the lecture says."""


@dataclass(frozen=True)
class DemandSpecs:
    """The specs of one demand by name, in their folder, and the function that builds modules."""

    folder: Path
    specs: tuple[str, ...]
    build: Build

    def text(self, name: str) -> str:
        return (self.folder / f"{name}.yaml").read_text(encoding="utf-8")

    def spec(self, name: str | None = None) -> Spec:
        """A spec by name; without one, the first."""
        return api.read(self.folder / f"{name or self.specs[0]}.yaml")

    def changed(self, old: str, new: str, name: str | None = None) -> Spec:
        """A spec in which one piece of text is another."""
        text = self.text(name or self.specs[0])
        demand(old in text, f"the spec does not say '{old}'")
        return api.read(text.replace(old, new))


def demand(condition: object, otherwise: str) -> None:
    """Raise DisagreementError unless the condition holds."""
    if not condition:
        raise DisagreementError(otherwise)


def demand_lines(where: str, page: str, lines: Iterable[str]) -> None:
    """Raise DisagreementError unless every line stands on the page, alone or before its [reasons]."""
    found = {line.split("   [")[0].strip() for line in page.splitlines()}
    for line in lines:
        demand(line in found, f"{where} lacks {line}")


def demand_equal(what: str, ours: ArrayLike, lecture: ArrayLike, tolerance: float) -> None:
    """Raise DisagreementError where two arrays differ, relative to the larger of the lecture's entries."""
    mine, theirs = np.asarray(ours, float), np.asarray(lecture, float)
    demand(mine.shape == theirs.shape, f"{what}: shape {mine.shape} instead of {theirs.shape}")
    scale = max(float(np.abs(theirs).max(initial=0.0)), 1e-300)
    error = float(np.abs(mine - theirs).max(initial=0.0)) / scale
    demand(error <= tolerance, f"{what}: differs by {error:.1e} of its size, more than {tolerance:.0e}")


def random_data(module: Any, rng: np.random.Generator, rows: int) -> list[Any]:
    """Random inputs and targets; every free axis gets `rows` entries."""
    arrays: list[Any] = []
    for name in (*module.INPUTS, *module.TARGETS):
        shape = tuple(rows if isinstance(axis, str) else axis for axis in module.AXES[name])
        if name in module.CLASSES:
            arrays.append(rng.integers(0, module.CLASSES[name], shape))
        else:
            arrays.append(rng.normal(size=shape))
    return arrays
