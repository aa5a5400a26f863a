"""One spec through symgrad and before the judge of its kind, in limited time."""

from __future__ import annotations

import signal
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import symgrad
from fuzz.called_networks import judge_called_networks
from fuzz.derivative_judge import judge_derivatives
from fuzz.derived import judge_derived
from fuzz.extremes import judge_extremes
from fuzz.fixed_points import judge_fixed_points
from fuzz.free_axes import judge_free_axes
from fuzz.gradients import Outcome, judge_compiled, judge_gradient
from fuzz.kinks import judge_kinks
from fuzz.layered_judge import judge_layered
from fuzz.magnitudes import judge_magnitudes
from fuzz.modes_judge import judge_modes
from fuzz.recurrent import judge_recurrent
from fuzz.resampled import judge_resampled
from fuzz.shared import judge_shared
from fuzz.some_rows import judge_some_rows
from fuzz.steps import judge_steps

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

Spec = dict[str, Any]

JUDGES = {
    "derivatives": judge_derivatives,
    "derived": judge_derived,
    "optimizer": judge_steps,
    "extremes": judge_extremes,
    "free_axes": judge_free_axes,
    "kinks": judge_kinks,
    "layered": judge_layered,
    "magnitudes": judge_magnitudes,
    "recurrent": judge_recurrent,
    "whole_steps": judge_recurrent,
    "called_networks": judge_called_networks,
    "slope_networks": judge_derivatives,
    "modes": judge_modes,
    "chance": judge_modes,
    "shared": judge_shared,
    "some_rows": judge_some_rows,
    "coupled": judge_shared,
    "fixed_points": judge_fixed_points,
    "resampled": judge_resampled,
}
"""By the name of a spec; all others have gradients that are compared at random points."""
LIMIT = 30.0
"""Seconds of processor time that deriving and running one small spec may take; where it is the oracle that
computes when they are over, nothing was found out.
"""
PACKAGE = str(Path(symgrad.__file__).parent)


class OutOfTimeError(Exception):
    """A spec took longer than it may."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise OutOfTimeError in the main thread where the body takes more processor time."""

    def stop(*_: object) -> None:
        raise OutOfTimeError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def judge(
    spec: Spec, random: Random, by_rows: bool = False, limit: float = LIMIT, compiled: bool = False
) -> Outcome:
    """The outcome of one spec at random points, run by Python or compiled.

    `by_rows` stores small networks as large ones are.
    """
    kind = judge_compiled if compiled else JUDGES.get(spec["name"], judge_gradient)
    try:
        with limited(limit), np.errstate(all="ignore"):
            return kind(spec, random, by_rows)
    except OutOfTimeError as error:
        files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
        is_ours = any(name.startswith(PACKAGE) or name == "<emitted>" for name in files)
        return Outcome("hang" if is_ours else "unsound", f"more than {limit:.0f} s")
    except Exception as error:  # noqa: BLE001  # what a spec makes symgrad raise is what this looks for
        frames = traceback.extract_tb(error.__traceback__)
        ours = [f for f in frames if "/symgrad/" in f.filename or f.filename == "<emitted>"] or frames
        place = f"{ours[-1].filename.rpartition('/')[2]}:{ours[-1].lineno}"
        return Outcome(f"{type(error).__name__} in {ours[-1].name}", f"{error} ({place})")
