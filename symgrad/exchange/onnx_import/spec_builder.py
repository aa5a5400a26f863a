"""The equations of a spec while the nodes of a graph are read."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from symgrad.errors import ModuleError, SpecError
from symgrad.errors import Position as Place
from symgrad.exchange.onnx_import.read_formulas import (
    ATOM,
    PRODUCT,
    AlongAxis,
    AppliedFormula,
    FixedNumber,
    ReadValue,
    ReducedFormula,
    TensorEntry,
    Tree,
    WholeFormula,
    axes_of,
    has_all_axes,
    indexed_text,
    moved,
    named,
    nodes_of,
    plain_text,
    rebuilt,
    runs_along,
)
from symgrad.spec import library
from symgrad.spec.language.names import check_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from symgrad.exchange.onnx_import.onnx_graph import Dim, OnnxGraph, OnnxNode

_LETTERS = "nijklmpqrsuvwzabcdfghotxy"
_LONGEST_NAME = 40
_LONGEST_FORMULA = 20
"""In nodes: what is longer becomes an equation of its own."""
_FIRST_BOUND = 1000
ACTIVATIONS = (
    *("Relu", "Sigmoid", "Tanh", "Softplus", "Softsign", "Mish", "HardSwish", "LeakyRelu", "Elu", "Celu"),
    *("Selu", "Gelu", "HardSigmoid"),
)
"""Operators that stand with the dense layer before them in one equation."""


@dataclass(frozen=True)
class DenseRow:
    """The dense layer that an equation is: its width, its activation as an argument, its arrays."""

    before: str
    units: int
    activation: str | None
    weight: NDArray[Any]
    bias: NDArray[Any] | None
    called: tuple[str, ...]


@dataclass(frozen=True)
class MadeEquation:
    """`left: formula`, where it is a dense layer with its row."""

    name: str
    left: str
    formula: str
    row: DenseRow | None = None


class FreshNames:
    """FreshNames that a spec may have, each given once."""

    def __init__(self) -> None:
        self.taken: set[str] = set()

    def fresh(self, wanted: str, *behind: str) -> str:
        """A name like this that is free, also with each of these behind it."""
        word = re.sub(r"\W+", "_", wanted, flags=re.ASCII).strip("_")[:_LONGEST_NAME] or "tensor"
        word = word if word[0].isalpha() else f"_{word}".replace("_", "v", 1)
        for number in itertools.count(1):
            name = word if number == 1 else f"{word}_{number}"
            if _is_good(name) and not {name, *(name + more for more in behind)} & self.taken:
                self.taken |= {name, *(name + more for more in behind)}
                return name
        raise AssertionError


def _is_good(name: str) -> bool:
    try:
        check_name(name, Place("", 1, 1))
    except SpecError:
        return False
    return not any(name in kind for kind in (library.activations, library.layers, library.losses))


class SpecBuilder:
    """What is known so far, by names in the graph, and the spec that comes of it.

    `known` are arrays, shapes among them, whose entries may be names of free axes; `tuples` are indices side
    by side; `rows` are dense layers, `open` those that wait for their activation; `scores` are results that a
    loss makes of others: the loss, and the other. `inputs` are called otherwise in the spec; `classes` counts
    those of inputs that are labels.
    """

    def __init__(self, graph: OnnxGraph, written: frozenset[str]) -> None:
        self.graph, self.written, self.uses = graph, written, graph.uses
        self.names = FreshNames()
        self.values: dict[str, ReadValue] = {}
        self.known: dict[str, NDArray[Any]] = dict(graph.arrays)
        self.equations: list[MadeEquation] = []
        self.parameters: dict[str, NDArray[Any]] = {}
        self.constants: dict[str, NDArray[Any]] = {}
        self.scores: dict[str, tuple[str, str]] = {}
        self.rows: dict[str, tuple[str, DenseRow]] = {}
        self.open: set[str] = set()
        self.tuples: dict[str, list[ReadValue]] = {}
        self.classes: dict[str, int] = {}
        self.inputs: dict[str, str] = {}
        self._arrays: dict[str, ReadValue] = {}
        self._bound = itertools.count(_FIRST_BOUND)
        words = {re.sub(r"\W+", "_", n) for n in (*graph.arrays, *(i.name for i in graph.inputs))}
        self._letters = [letter for letter in _LETTERS if letter not in words]

    def input(self, node: OnnxNode, number: int) -> ReadValue:
        """An operand as a formula: a result, a number, a parameter. Raises ModuleError for none."""
        name = node.inputs[number] if number < len(node.inputs) else ""
        if name in self.values:
            return self.values[name]
        if name not in self.known:
            node.refuse(f"input {number + 1} is missing or no array of numbers")
        array = self.known[name]
        if array.dtype.kind == "O":
            node.refuse("computes with the number of rows", "no formula has it; a mean is one operator")
        if array.dtype.kind not in "fiu":
            node.refuse(f"'{name}' holds {array.dtype}, not numbers")
        if name not in self._arrays:
            self._arrays[name] = self._array(name, array)
        return self._arrays[name]

    def _array(self, name: str, array: NDArray[Any]) -> ReadValue:
        is_constant = name in self.written or array.dtype.kind != "f" or name.startswith("/") or "::" in name
        if array.size == 1 and is_constant:
            return ReadValue(
                (1,) * array.ndim, FixedNumber(float(array.astype(self.graph.float_type).item()))
            )
        where = self.constants if name in self.written or array.dtype.kind != "f" else self.parameters
        return self.given(where, name, array)

    def given(self, where: dict[str, NDArray[Any]], wanted: str, array: NDArray[Any]) -> ReadValue:
        """A parameter or a constant of the spec, without axes of length 1 that are not needed."""
        axes = [axis for axis, size in enumerate(array.shape) if size != 1]
        name = self.names.fresh(wanted)
        where[name] = array.reshape([array.shape[axis] for axis in axes])
        found = named(name, where[name].shape)
        positions: dict[int, Tree] = {k: AlongAxis(axis) for k, axis in enumerate(axes)}
        return ReadValue(tuple(array.shape), moved(found.tree, positions))

    def array(self, node: OnnxNode, number: int) -> NDArray[Any] | None:
        """An operand that is known before anything is computed; None where it is left out."""
        name = node.inputs[number] if number < len(node.inputs) else ""
        if not name:
            return None
        if name not in self.known:
            node.refuse(f"'{name}' depends on data", "expected an array that is in the file")
        return self.known[name]

    def applied(
        self,
        node: OnnxNode,
        form: str,
        operands: Sequence[ReadValue],
        level: int = ATOM,
        needs: Sequence[int] = (),
    ) -> ReadValue:
        """An operation entry by entry, broadcast as NumPy does. Raises ModuleError for misfits."""
        rank = max((len(operand.shape) for operand in operands), default=0)
        shape: tuple[Dim, ...] = (1,) * rank
        trees = []
        for operand in operands:
            shift = rank - len(operand.shape)
            padded = (1,) * shift + operand.shape
            shape = tuple(_broadcast(node, a, b) for a, b in zip(shape, padded, strict=True))
            trees.append(
                moved(operand.tree, {axis: AlongAxis(axis + shift) for axis in range(len(operand.shape))})
            )
        tree = AppliedFormula(form, level, tuple(needs) or (0,) * len(trees), tuple(trees))
        return ReadValue(shape, tree)

    def stored(
        self, value: ReadValue, wanted: str, row: DenseRow | None = None, *, every_axis: bool = False
    ) -> ReadValue:
        """The value as a tensor of the spec: with an equation for it, where it is none yet.

        With `every_axis` the tensor has the axes of length 1 too.
        """
        tree, shape = value.tree, value.shape
        is_tensor = isinstance(tree, TensorEntry) and all(isinstance(i, AlongAxis) for i in tree.indices)
        if is_tensor and (not every_axis or has_all_axes(tree, len(shape))):
            return value
        axes = list(range(len(shape))) if every_axis else axes_of(tree)
        compact = moved(tree, {axis: AlongAxis(k) for k, axis in enumerate(axes)})
        sizes = tuple(shape[axis] for axis in axes)
        plain = plain_text(compact, len(axes)) if axes == axes_of(tree) else None
        if plain is None:
            compact = self._without_wholes(compact, wanted)
        name = self.names.fresh(wanted, *(("_W", "_b") if row is not None else ()))
        if plain is not None:
            self.equations.append(MadeEquation(name, name, plain[0], row))
        else:
            self.equations.append(self._indexed(name, compact, sizes))
        return ReadValue(shape, TensorEntry(name, tuple(map(AlongAxis, axes)), sizes))

    def indexed(self, value: ReadValue, wanted: str) -> ReadValue:
        """The value as a tensor of its own, by an equation with indices."""
        name = self.names.fresh(wanted)
        self.equations.append(self._indexed(name, value.tree, value.shape))
        return named(name, value.shape)

    def _indexed(self, name: str, tree: Tree, sizes: tuple[Dim, ...]) -> MadeEquation:
        """An equation with indices, which says how long axes are that are no whole axis of a tensor."""
        letters = [letter for letter in self._letters if letter not in self.names.taken]
        heads = []
        for axis, size in enumerate(sizes):
            is_known = runs_along(tree, axis, size)
            if isinstance(size, str) and not is_known:
                problem = f"'{name}' repeats entries along '{size}', whose length no formula says"
                raise ModuleError(problem, remedy="only axes with a number as length can be repeated along")
            heads.append(letters[axis] if is_known else f"{letters[axis]}:{size}")
        left = f"{name}[{', '.join(heads)}]" if heads else name
        return MadeEquation(name, left, indexed_text(tree, sizes, letters))

    def _without_wholes(self, tree: Tree, wanted: str) -> Tree:
        """The tree with an equation for each formula over whole tensors."""

        def change(node: Tree) -> Tree | None:
            if not isinstance(node, WholeFormula):
                return None
            turned = replace(node, axes=tuple(range(len(node.axes))))
            there = self.stored(ReadValue(node.sizes, turned), wanted)
            return moved(there.tree, {k: AlongAxis(axis) for k, axis in enumerate(node.axes)})

        return rebuilt(tree, change)

    def finished(self, node: OnnxNode, value: ReadValue, name: str) -> None:
        """Keep a result, with an equation of its own where it is used more than once or has grown long, and
        for every dense layer with the activation that alone takes it."""
        own, taken = self.rows.get(name), node.inputs[0] if node.inputs else ""
        if own is not None and not self._feeds_activation(name):
            value = self.stored(value, *own)
        elif taken in self.open:
            wanted, row = self.rows[taken]
            value = self.stored(value, wanted, replace(row, activation=_activation(value.tree)))
        nodes = nodes_of(value.tree)
        is_index = not any(isinstance(node, TensorEntry | WholeFormula) for node in nodes)
        if (self.uses[name] > 1 or len(nodes) > _LONGEST_FORMULA) and not is_index:
            value = self.stored(value, base_name(name, node))
        self.values[name] = value

    def _feeds_activation(self, name: str) -> bool:
        """Whether an activation alone takes a dense layer, which is no sigmoid that the loss will hold."""
        takers = [node for node in self.graph.nodes if name in node.inputs]
        outputs = {tensor.name for tensor in self.graph.outputs}
        if self.uses[name] != 1 or not takers:
            return False
        is_last = takers[0].operator == "Sigmoid" and takers[0].outputs[0] in outputs
        if takers[0].operator not in ACTIVATIONS or is_last:
            return False
        self.open.add(name)
        return True

    def reduced(self, function: str, value: ReadValue, axes: Sequence[int], wanted: str) -> ReadValue:
        """A reduction over some axes, which are gone then."""
        kept = [axis for axis in range(len(value.shape)) if axis not in axes]
        shape = tuple(value.shape[axis] for axis in kept)
        text = plain_text(value.tree, len(value.shape))
        used = axes_of(value.tree)
        if text is not None and used == list(range(len(value.shape))) and len(axes) in (1, len(used)):
            over = f", axis={axes[0]}" if len(axes) == 1 < len(used) else ""
            return ReadValue(
                shape, WholeFormula(f"{function}({text[0]}{over})", ATOM, tuple(range(len(kept))), shape)
            )
        value = self.stored(value, wanted)
        bound = {axis: next(self._bound) for axis in axes if axis in axes_of(value.tree)}
        to: dict[int, Tree] = {axis: AlongAxis(k) for k, axis in enumerate(kept)}
        to |= {axis: AlongAxis(number) for axis, number in bound.items()}
        body = moved(value.tree, to)
        return ReadValue(shape, ReducedFormula(function, body, tuple(bound.values())) if bound else body)

    def product(
        self, operands: Sequence[ReadValue], terms: Sequence[Sequence[str]], result: Sequence[str]
    ) -> ReadValue:
        """A sum of products in Einstein's notation: each operand's axes by their letters."""
        sizes: dict[str, Dim] = {}
        for operand, letters in zip(operands, terms, strict=True):
            for letter, size in zip(letters, operand.shape, strict=True):
                sizes[letter] = size if sizes.get(letter, 1) == 1 else sizes[letter]
        places = {letter: k for k, letter in enumerate(result)}
        bound = {letter: next(self._bound) for letter in sizes if letter not in places}
        factors = []
        for operand, letters in zip(operands, terms, strict=True):
            tree = self.stored(operand, "factor").tree
            factors.append(
                moved(tree, {k: AlongAxis((places | bound)[letter]) for k, letter in enumerate(letters)})
            )
        form = " * ".join(["{}"] * len(factors))
        body = AppliedFormula(form, PRODUCT, (PRODUCT,) * len(factors), tuple(factors))
        summed_over = tuple(number for number in bound.values() if number in axes_of(body))
        summed: Tree = ReducedFormula("sum", body, summed_over) if summed_over else body
        return ReadValue(tuple(sizes[letter] for letter in result), summed)

    def called(self, node: OnnxNode, number: int) -> str:
        """A name for an operand, where it needs one."""
        name = node.inputs[number]
        return base_name(name, next((n for n in self.graph.nodes if name in n.outputs), node))

    def whole(self, value: ReadValue, wanted: str) -> tuple[str, ReadValue]:
        """What a value is called as a whole tensor, a matrix maybe transposed, and the value, stored."""
        value = self.stored(value, wanted, every_axis=True)
        rank = len(value.shape)
        text = plain_text(value.tree, rank)
        if text is not None:
            return text[0], value
        if isinstance(value.tree, TensorEntry) and rank == 2:
            return f"{value.tree.tensor}.T", value
        copied = ReadValue(value.shape, AppliedFormula("{}", ATOM, (0,), (value.tree,)))
        return self.whole(copied, wanted)


def _activation(tree: Tree) -> str | None:
    """An activation of the library as a layer's argument has it; None where it is another formula."""
    if not isinstance(tree, AppliedFormula) or not isinstance(tree.operands[0], WholeFormula):
        return None
    name, _, rest = tree.form.partition("(")
    arguments = re.sub(r"\{0?\}(, )?", "", rest).removesuffix(")")
    if name not in library.activations:
        return None
    return f"{name}({arguments})" if arguments else name


def _broadcast(node: OnnxNode, a: Dim, b: Dim) -> Dim:
    if a == b or b == 1:
        return a
    if a == 1:
        return b
    return node.refuse(f"an axis of length {a} beside one of {b}", "lengths must be equal, or one of them 1")


def base_name(name: str, node: OnnxNode) -> str:
    """What a result is called in the spec: `/fc1/Gemm_output_0` is fc1, `Z1/Add_2` is Z1."""
    parts = [part for part in name.split("/") if part]
    if len(parts) > 1 and parts[-1].startswith(
        node.operator if node.operator != "Dense" else ("Gemm", "Add", "MatMul")
    ):
        parts.pop()
    return "_".join(parts) or name


def layer_name(weight: str, result: str, node: OnnxNode) -> str:
    """`fc1.weight` is of fc1; else the result's name is taken."""
    found = re.fullmatch(r"(.*[A-Za-z0-9])[._/](weight|kernel|W)", weight)
    return found[1] if found else base_name(result, node)
