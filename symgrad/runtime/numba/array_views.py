"""Arrays laid over memory by compiled code."""

from collections.abc import Callable
from typing import Any

from numba import config, types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from symgrad.runtime.kept_memory import _array


def _typed_view(context: Any, vector: Any, start: Any, shape: Any) -> tuple[Any, Callable]:
    """The same for compiled code: neither checks nor counted references, as the vector outlives the view."""
    if getattr(vector, "layout", "C") != "C":
        raise TypingError(f"a view of {vector}, whose entries lie apart")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source = make_array(vector)(context, builder, arguments[0])
        place, sizes = arguments[1], cgutils.unpack_tuple(builder, arguments[2])
        place, *sizes = (
            context.cast(builder, number, kind, types.intp)
            for number, kind in zip((place, *sizes), (signature.args[1], *signature.args[2]), strict=True)
        )
        strides = [source.itemsize]
        for size in reversed(sizes[1:]):
            strides.insert(0, builder.mul(size, strides[0]))
        array = make_array(signature.return_type)(context, builder)
        data = builder.gep(source.data, [place])
        populate_array(array, data=data, shape=sizes, strides=strides, itemsize=source.itemsize, meminfo=None)
        return array._getvalue()

    return types.Array(vector.dtype, len(shape), "C")(vector, start, shape), generate


view = _array if config.DISABLE_JIT else intrinsic(_typed_view)
