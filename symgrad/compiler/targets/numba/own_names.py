"""The names that an emitted module needs for itself, so that no tensor and no axis bears one."""

from __future__ import annotations

import builtins
import keyword

from symgrad.spec.scalars import ULPS

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
_PRIVATE_NAMES = """
_Cache _Entries _ForArraysApart _KEPT _MKL _ONEDNN _address _arguments _array _as_numbers _awaited
_backward _between _bits _by_columns _check _check_array _check_params _check_state _checked
_checked_but_rows _checked_order _content _copied _copy_of_state _differences _end_of_step _epoch
_fit _fitting _forward _from_bits _gather _gemm_by_numpy _generator _given _gradient
_gradient_in_pieces _gradients_of _in_llvm _in_mkl _in_scipy _input_gradients _is_full _kept
_library _lie_in_one_vector _look_ahead _loss _normal _onednn _others _owner _place_of _predict
_random_parameters _recast _routine _same _sample _shares _show _shuffling _step _typed_copy
_typed_fence _typed_gemm _typed_maximum _typed_minimum _typed_prefetch _typed_view _update _whole
_with_constants _work_size _writable_vector
"""
PRIVATE = frozenset(_PRIVATE_NAMES.split())
"""What a module itself calls with an underscore in front, as it does with the kernels it is given."""
RESERVED = frozenset(keyword.kwlist) | frozenset(dir(builtins)) | frozenset(_MODULE_NAMES.split())
RESERVED |= {*ULPS, *(name.upper() for name in ULPS)}
OWN_NAMES = RESERVED | PRIVATE
