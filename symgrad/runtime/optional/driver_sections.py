"""The sections of long drivers."""

from collections.abc import Callable
from typing import Any

from symgrad.runtime.numba.compiling import compiled
from symgrad.runtime.smallest_model import DRIVER_SECTIONS


def driver_section(function: Callable) -> Any:
    """Compile a section of a driver once for all that run it: never as a part of them, which takes longer."""
    return compiled(function, may_regroup_sums=False, inline="never", no_cfunc_wrapper=True)


globals().update({_section_of.__name__: driver_section(_section_of) for _section_of in DRIVER_SECTIONS})
