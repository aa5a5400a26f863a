"""A graph of ONNX operators while it grows: what is made twice alike is made once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import helper, numpy_helper

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto

OPSET = 18
"""The first in which all reductions take their axes as an input."""


class Operators:
    """Nodes and constants, in order; results are known by their names, which begin with `stem`."""

    def __init__(self, dtype: str) -> None:
        self.dtype = np.dtype(dtype)
        self.element = helper.np_dtype_to_tensor_dtype(self.dtype)
        self.stem = ""
        self._nodes: list[NodeProto] = []
        self._constants: dict[str, TensorProto] = {}
        self._made: dict[tuple[Any, ...], str] = {}
        self._is_inside = False

    def of(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """The result of an operator."""
        key = (operator, inputs, tuple(sorted((name, str(value)) for name, value in attributes.items())))
        if key not in self._made:
            name = f"{self.stem}/{operator}_{len(self._nodes)}"
            self._nodes.append(helper.make_node(operator, inputs, [name], name, **attributes))
            self._made[key] = name
        return self._made[key]

    def several(self, operator: str, inputs: list[str], outputs: list[str], **attributes: Any) -> list[str]:
        """The results of an operator that has several, by these names."""
        name = f"{self.stem}/{operator}"
        self._nodes.append(helper.make_node(operator, inputs, outputs, name, **attributes))
        return outputs

    def inside(self) -> Operators:
        """An empty graph inside of this one, which knows all that was made here and shares its constants."""
        found = Operators(self.dtype.name)
        found._constants, found._made = self._constants, dict(self._made)
        found._is_inside = True
        return found

    def named(self, name: str, value: str) -> None:
        """Give a result a name of its own."""
        self._nodes.append(helper.make_node("Identity", [value], [name], name))

    def number(self, value: float) -> str:
        """A constant of the network's type."""
        return self._constant(np.array(value, self.dtype))

    def integers(self, *values: int) -> str:
        """A vector of whole numbers: axes, sizes, indices."""
        return self._constant(np.array(values, np.int64))

    def integer(self, value: int) -> str:
        """A whole number."""
        return self._constant(np.array(value, np.int64))

    def given(self, name: str, values: NDArray[Any]) -> None:
        """Numbers that the graph holds under a name: a parameter, a constant of the spec."""
        self._constants[name] = numpy_helper.from_array(np.array(values, order="C"), name)

    def _constant(self, values: NDArray[Any]) -> str:
        key = ("", values.dtype.str, values.shape, values.tobytes())
        if key not in self._made:
            self._made[key] = f"/constant_{len(self._constants)}"  # no name in a spec
            self._constants[self._made[key]] = numpy_helper.from_array(values, self._made[key])
        return self._made[key]

    def graph(
        self, name: str, inputs: list[ValueInfoProto], outputs: list[ValueInfoProto], doc: str
    ) -> GraphProto:
        """All of it."""
        constants = [] if self._is_inside else list(self._constants.values())
        return helper.make_graph(self._nodes, name, inputs, outputs, constants, doc)
