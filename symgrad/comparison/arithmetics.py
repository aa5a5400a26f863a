"""Number types that give derivatives with the values: complex numbers, PyTorch's tensors and JAX's arrays.

Each is one more arithmetic for the interpreter, so all ways evaluate the same formulas.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.spec.language.builtins import SCALAR_FUNCTIONS, STEPWISE_FUNCTIONS
from symgrad.spec.scalars import SCALARS
from symgrad.verifier.interpretation.arithmetic import DOUBLE, Arithmetic, with_formulas
from symgrad.verifier.interpretation.array_library import Array, ArrayLibrary

if TYPE_CHECKING:
    from collections.abc import Callable


def _from(library: Any) -> dict[str, Callable[[Any], Any]]:
    """A library's functions that bear the names of the language's."""
    found = {name: SCALARS[name].of(library) for name in SCALAR_FUNCTIONS | STEPWISE_FUNCTIONS}
    return {name: function for name, function in found.items() if function is not None}


def _from_numpy(library: Any) -> dict[str, Callable[[Any], Any]]:
    """The functions of NumPy, or of a library that takes after it."""
    return {row.name: getattr(library, row.numpy) for row in SCALARS.values() if row.numpy}


def complex_numbers() -> Arithmetic:
    """Double precision in both parts: an imaginary step carries a slope through analytic formulas."""
    from scipy import special

    return Arithmetic(
        name="complex numbers",
        epsilon=DOUBLE.epsilon,
        dtype=np.dtype(np.complex128),
        convert=lambda values: values.astype(np.complex128),
        number=complex,
        divide=np.divide,
        power=np.power,
        functions=with_formulas(_from(special) | _from_numpy(np), complex),
        steps=(),
        extrapolate=False,
    )


def pytorch(torch: Any, dtype: str = "float64") -> Arithmetic:
    """Tensors that remember how they were computed."""
    kind = getattr(torch, dtype)

    def convert(values: Any) -> Array:
        array: Array = torch.as_tensor(values, dtype=kind)
        return array

    def over(reduce: Callable[..., Any]) -> Callable[[Any, tuple[int, ...]], Any]:
        # PyTorch takes "no axes" for "all axes".
        return lambda array, axes: reduce(array, axes) if axes else array

    return Arithmetic(
        name="PyTorch",
        epsilon=float(np.finfo(dtype).eps),
        dtype=kind,
        convert=convert,
        number=float,
        divide=operator.truediv,
        power=operator.pow,
        functions=with_formulas(_from(torch), float),
        steps=(),
        extrapolate=False,
        library=ArrayLibrary(
            kind=torch.Tensor,
            integers=lambda values: torch.as_tensor(values, dtype=torch.int64),
            where=torch.where,
            matmul=torch.matmul,
            broadcast_to=torch.broadcast_to,
            permute=torch.permute,
            concatenate=torch.cat,
            sum=over(torch.sum),
            max=over(torch.amax),
            min=over(torch.amin),
            is_concrete=False,
            stopped=lambda tensor: tensor.detach(),
        ),
    )


def jax_arrays(jax: Any, dtype: str = "float64") -> Arithmetic:
    """Arrays that JAX traces; those of float64 need its 64-bit mode."""
    jnp = jax.numpy

    def convert(values: Any) -> Array:
        array: Array = jnp.asarray(values, dtype=dtype)
        return array

    def integers(values: Any) -> Array:
        """What is known while JAX traces stays an array of NumPy's, so that it can be looked at."""
        return values if isinstance(values, jax.Array) else np.asarray(values, dtype=int)

    return Arithmetic(
        name="JAX",
        epsilon=float(np.finfo(dtype).eps),
        dtype=np.dtype(dtype),
        convert=convert,
        number=float,
        divide=operator.truediv,
        power=operator.pow,
        functions=with_formulas(_from(jax.scipy.special) | _from_numpy(jnp), float),
        steps=(),
        extrapolate=False,
        library=ArrayLibrary(
            kind=jax.Array,
            integers=integers,
            where=jnp.where,
            matmul=jnp.matmul,
            broadcast_to=jnp.broadcast_to,
            permute=jnp.transpose,
            concatenate=jnp.concatenate,
            sum=jnp.sum,
            max=jnp.max,
            min=jnp.min,
            is_concrete=False,
            stopped=jax.lax.stop_gradient,
        ),
    )
