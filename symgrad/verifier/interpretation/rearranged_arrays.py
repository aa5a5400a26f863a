"""What slices, reshape, transpose, split, einsum, outer, cumsum, one_hot and gather mean, of arrays.

Every array has one leading dimension for each index in scope, its own axes behind these.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import ShapeError, SpecError
from symgrad.spec.language.arrays.rearrangements import (
    arguments_by_name,
    axis_given,
    cut_of,
    entry_at,
    is_rest,
    letters_of,
    listed,
    order_of,
    split_cut,
)
from symgrad.spec.language.sizes.whole_numbers import whole_number
from symgrad.spec.language.syntax import Negate, Number, Slice
from symgrad.verifier.interpretation.index_products import contract
from symgrad.verifier.interpretation.tensors import TensorValue, onehot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from symgrad.spec.language.arrays.rearrangements import Cut
    from symgrad.spec.language.syntax import Call, Index, Node
    from symgrad.verifier.interpretation.arithmetic import Arithmetic
    from symgrad.verifier.interpretation.array_library import Array


class RearrangedArrays:
    """Calls in a scope of `depth` indices; `value_of` gives the value of an argument."""

    def __init__(
        self,
        value_of: Callable[[Node], TensorValue],
        sizes: Mapping[str, int],
        depth: int,
        arithmetic: Arithmetic,
    ) -> None:
        self.value_of, self.sizes, self.depth, self.arithmetic = value_of, sizes, depth, arithmetic
        self.work = 0

    def __call__(self, call: Call) -> TensorValue:
        """The value of a call.

        Raises:
            SpecError, ShapeError: arguments that do not fit.
        """
        known = {
            "reshape": self.reshaped,
            "transpose": self.transposed,
            "split": self.part,
            "einsum": self.contracted,
            "outer": self.outer,
            "cumsum": self.running_sum,
            "one_hot": self.one_hot,
            "gather": self.gathered,
        }
        return known[call.function](call)

    def reshaped(self, call: Call) -> TensorValue:
        given = arguments_by_name(call)
        value = self.value_of(given["x"])
        items = listed(call, given["shape"])
        shape = [-1 if is_rest(n) else whole_number(n, "reshape: a size", self.sizes) for n in items]
        lead, own = value.array.shape[: value.depth], value.array.shape[value.depth :]
        entries, known = math.prod(own), math.prod(n for n in shape if n != -1)
        shape = [entries // known if n == -1 else n for n in shape]
        if math.prod(shape) != entries:
            raise ShapeError(f"reshape of {own} to {tuple(shape)}", at=call.at)
        return replace(value, array=value.array.reshape((*lead, *shape)), rank=len(shape))

    def transposed(self, call: Call) -> TensorValue:
        value = self.value_of(call.arguments[0])
        return permuted(value, order_of(call, value.rank, self.sizes), self.arithmetic)

    def part(self, call: Call) -> TensorValue:
        given = arguments_by_name(call)
        value = self.value_of(given["x"])
        place = axis_given(call, given.get("axis"), -1, value.rank, self.sizes) + value.depth
        cut = split_cut(call, given, value.array.shape[place], self.sizes)
        chosen = (*(slice(None),) * place, _python(cut))
        return replace(value, array=value.array[chosen])

    def contracted(self, call: Call) -> TensorValue:
        values = [self.value_of(node) for node in call.arguments[1:]]
        letters = letters_of(call, [value.rank for value in values])
        order = letters.result + letters.summed
        sizes: dict[str, int] = {}
        for own, value in zip(letters.operands, values, strict=True):
            for letter, size in zip(own, value.array.shape[value.depth :], strict=True):
                if sizes.setdefault(letter, size) != size:
                    raise ShapeError(f"einsum: '{letter}' has sizes {sizes[letter]} and {size}", at=call.at)
        factors = [
            self._laid_out(value, own, order, sizes)
            for own, value in zip(letters.operands, values, strict=True)
        ]
        summed = [sizes[letter] for letter in letters.summed]
        factors.append(self.arithmetic.array(np.ones((1,) * (self.depth + len(order)))))
        total, work = contract(factors, summed, self.arithmetic)
        self.work += work
        shape = [sizes[letter] for letter in letters.result]
        whole = self.arithmetic.library.broadcast_to(total, (*total.shape[: self.depth], *shape))
        return TensorValue(whole, len(shape))

    def _laid_out(self, value: TensorValue, own: str, order: str, sizes: Mapping[str, int]) -> Array:
        """The array with an axis for every letter in order, of size 1 for those that it lacks."""
        array = value.padded(self.depth, value.rank)
        places = []
        for letter in own:
            shape = [sizes[letter] if other == letter else 1 for other in order]
            places.append(np.arange(sizes[letter]).reshape(shape))
        if not places:
            return array.reshape((*array.shape, *(1 for _ in order)))
        at: Any = (*(slice(None),) * self.depth, *places)
        return self.arithmetic.array(array[at])

    def outer(self, call: Call) -> TensorValue:
        given = arguments_by_name(call)
        a, b = self.value_of(given["a"]), self.value_of(given["b"])
        left, right = a.padded(self.depth, a.rank), b.padded(self.depth, b.rank)
        column = left.reshape((*left.shape, *(1 for _ in range(b.rank))))
        lead, own = right.shape[: self.depth], right.shape[self.depth :]
        row = right.reshape((*lead, *(1 for _ in range(a.rank)), *own))
        return TensorValue(self.arithmetic.array(column * row), a.rank + b.rank)

    def running_sum(self, call: Call) -> TensorValue:
        """One entry after another added: nothing of the triangular product that a module may form."""
        given = arguments_by_name(call)
        value = self.value_of(given["x"])
        place = axis_given(call, given["axis"], -1, value.rank, self.sizes) + value.depth
        before = (slice(None),) * place
        size = value.array.shape[place]
        sums = [value.array[(*before, slice(0, 1))]]
        for n in range(1, size):
            sums.append(self.arithmetic.array(sums[-1] + value.array[(*before, slice(n, n + 1))]))
        return TensorValue(self.arithmetic.library.concatenate(sums, place), value.rank)

    def one_hot(self, call: Call) -> TensorValue:
        given = arguments_by_name(call)
        value = self.value_of(given["labels"])
        classes = whole_number(given["classes"], "one_hot: classes", self.sizes)
        if value.classes is None or classes < value.classes:
            raise SpecError("one_hot takes integer labels below the number of classes", at=call.at)
        return onehot(replace(value, classes=classes), self.arithmetic)

    def gathered(self, call: Call) -> TensorValue:
        given = arguments_by_name(call)
        value, chosen = self.value_of(given["x"]), self.value_of(given["labels"])
        place = axis_given(call, given.get("axis"), 0, value.rank, self.sizes)
        if chosen.classes is None or self.depth:
            raise SpecError("gather takes integer labels, and no indices around it", at=call.at)
        rows = onehot(chosen, self.arithmetic).array.reshape((-1, chosen.classes))
        order = [place, *(n for n in range(value.rank) if n != place)]
        table = permuted(value, order, self.arithmetic).array
        rest = table.shape[1:]
        found = self.arithmetic.library.matmul(rows, table.reshape((chosen.classes, math.prod(rest))))
        whole = TensorValue(found.reshape((*chosen.array.shape, *rest)), chosen.rank + value.rank - 1)
        labelled, before = range(chosen.rank), range(chosen.rank, chosen.rank + place)
        after = range(chosen.rank + place, whole.rank)
        return permuted(whole, (*before, *labelled, *after), self.arithmetic)


def permuted(value: TensorValue, order: Sequence[int], arithmetic: Arithmetic) -> TensorValue:
    """The own axes in another order."""
    axes = (*range(value.depth), *(value.depth + n for n in order))
    return replace(value, array=arithmetic.library.permute(value.array, axes))


def _python(cut: Cut[int]) -> slice:
    end = cut.start + cut.step * cut.count
    return slice(cut.start, end if end >= 0 else None, cut.step)


def sliced(
    node: Index,
    value: TensorValue,
    places_of: Callable[[Node], Array],
    depth: int,
    sizes: Mapping[str, int],
    arithmetic: Arithmetic,
) -> TensorValue:
    """The part of a tensor that slices, numbers and indices name; `places_of` gives those of an index."""
    own = value.array.shape[value.depth :]
    if len(node.indices) > len(own):
        raise ShapeError(f"'{node.tensor}' has {len(own)} axes", at=node.at)
    chosen: list[slice] = [slice(None)] * value.depth
    places: list[Array] = []
    for item, size in zip(node.indices, own, strict=False):
        if isinstance(item, Slice):
            chosen.append(_python(cut_of(item, size, f"an axis of '{node.tensor}'", sizes)))
        else:
            chosen.append(slice(None))
            places.append(_places(item, size, node.tensor, places_of, sizes))
    kept = [n for n in range(len(own)) if n >= len(node.indices) or isinstance(node.indices[n], Slice)]
    gone = [n for n in range(len(own)) if n not in kept]
    cut = replace(value, array=value.array[tuple(chosen)])
    turned = permuted(cut, [*gone, *kept], arithmetic)
    if value.depth and any(place.ndim for place in places):
        raise SpecError(f"'{node.tensor}' cannot be indexed like this", at=node.at)
    at: Any = (*(slice(None),) * value.depth, *(int(p) if value.depth else p for p in places))
    array = arithmetic.array(turned.array[at])
    lead = array.shape[: array.ndim - len(kept)] or (1,) * depth
    shape = array.shape[array.ndim - len(kept) :]
    return replace(value, array=array.reshape((*lead, *shape)), rank=len(kept))


def _places(
    item: Node, size: int, tensor: str, places_of: Callable[[Node], Array], sizes: Mapping[str, int]
) -> Array:
    if isinstance(item, Number) or (isinstance(item, Negate) and isinstance(item.operand, Number)):
        return np.asarray(entry_at(whole_number(item, "an index", sizes), size, tensor, item.at))
    places = places_of(item)
    if places.size and not (places.min() >= 0 and places.max() < size):
        raise ShapeError(f"an index of '{tensor}' leaves its axis of {size}", at=item.at)
    return places
