"""The names that an emitted module needs for itself, so that no tensor and no axis bears one."""

from __future__ import annotations

import builtins
import keyword

from symgrad.compiler.targets.numba.runtime import runtime_names

_OF_MODELS = """
np math threading sys njit scipy NamedTuple self
real value acc theta grad work params grads state step epoch order batch_size epochs seed shuffle points
tolerance exactly rows start stop total scale norm piece most share weight chosen entry layer
ahead gathered destination keep Gradients forward predict loss loss_and_grad input_gradients gradient_point
update train_step fit hyper first BLOCK sample comm Carry carry
hvp gauss_newton whole part per_sample_grad jacobian hessian direction vector product out key draws before
draw_prediction predict_often PREDICTS_BY_ROWS LOSS_BY_ROWS
"""
_PRIVATE_OF_MODELS = """
_predict _predictions _backward _gradient_in_pieces _look_ahead _shares _end_of_step _first_states
_step_gradient _share_of_step _rest_of_step _norm_of_stretch _ahead_of_stretch _advance _evaluation
_weight_of_rows _share_work_size _told_sums _one_step _one_step_work_size _one_step_results
_update_looked_up _update_part _look_ahead_part _end_of_part
"""
SECTIONED = (
    "_forward",
    "_predict",
    "_evaluation",
    "_loss",
    "_backward",
    "_gradient",
    "_step_gradient",
)
"""The functions whose sections, where they are long, are named after them, with a number."""

PRIVATE = frozenset(name for name in runtime_names() if name.startswith("_")) | {*_PRIVATE_OF_MODELS.split()}
"""What a module itself calls with an underscore in front, as it does with the kernels it is given."""
RESERVED = frozenset(keyword.kwlist) | frozenset(dir(builtins)) | frozenset(_OF_MODELS.split())
RESERVED |= runtime_names() - PRIVATE
OWN_NAMES = RESERVED | PRIVATE
