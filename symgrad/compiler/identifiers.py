"""Python names for tensors and axes in the emitted module: the user's own, unless the module needs them."""

from __future__ import annotations

import builtins
import keyword
from typing import TYPE_CHECKING

from symgrad.compiler.elementary import ULPS

if TYPE_CHECKING:
    from collections.abc import Iterable

_MODULE_NAMES = """
np math threading sys njit compiled real value acc theta grad work params grads state step epoch
order batch_size epochs seed shuffle points tolerance exactly rows start total
scale norm learning_rate piece most share weight chosen entry
Params State forward predict loss loss_and_grad input_gradients init_params init_state update
train_step train_epoch fit flatten unflatten verify self layer ahead gradient_point copy gathered
accurately bits from_bits maximum minimum formed_first
view kernel exact_kernel driver gemm carry into keep compiled
DTYPE TASK EPOCHS MICRO_BATCH_SIZE INPUTS TARGETS FREE_AXES AXES CLASSES IGNORED SCORED CONSTANTS
SIZE SHAPES IN_ORDER Gradients NamedTuple scipy
"""
RESERVED = frozenset(keyword.kwlist) | frozenset(dir(builtins)) | frozenset(_MODULE_NAMES.split())
RESERVED |= {*ULPS, *(name.upper() for name in ULPS)}


def identifiers(names: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """A Python identifier for each name, with underscores where it is `taken` or the module's own."""
    found: dict[str, str] = {}
    taken = {*RESERVED, *taken}
    for name in names:
        identifier = name
        while identifier in taken:
            identifier += "_"
        taken.add(identifier)
        found[name] = identifier
    return found
