"""Arrays laid over memory by compiled code."""

from collections.abc import Callable
from typing import Any

from numba import config, types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

from symgrad.runtime.kept_memory import _array
from symgrad.runtime.numba.brief_code import _array_at, _part


def _typed_view(context: Any, vector: Any, start: Any, shape: Any) -> tuple[Any, Callable]:
    """The same for compiled code: neither checks nor counted references, as the vector outlives the view."""
    if getattr(vector, "layout", "C") != "C":
        raise TypingError(f"a view of {vector}, whose entries lie apart")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = _part(context, builder, vector, arguments[0], "data")
        place, sizes = arguments[1], cgutils.unpack_tuple(builder, arguments[2])
        place, *sizes = (
            context.cast(builder, number, kind, types.intp)
            for number, kind in zip((place, *sizes), (signature.args[1], *signature.args[2]), strict=True)
        )
        return _array_at(context, builder, signature.return_type, builder.gep(data, [place]), sizes)

    return types.Array(vector.dtype, len(shape), "C")(vector, start, shape), generate


view = _array if config.DISABLE_JIT else intrinsic(_typed_view)
