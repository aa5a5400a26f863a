"""What a spec's own text means: its formulas walked with Python's `ast` and computed with NumPy.

Every value has a leading axis of probes, one for each number that is differentiated (of size 1 where it does
not depend on them). Index notation is computed entry by entry, as it is defined.
"""

from __future__ import annotations

import ast
import itertools
import operator
from dataclasses import dataclass, field, replace
from functools import cache
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from fuzz import derivatives, placements, rearrangements
from fuzz.blocks import embedded
from fuzz.broadcast import aligned, matmul, spread
from fuzz.indices import given_ranges, index_ranges, left_names, place_of
from fuzz.layers import LAYERS, OF_LAYERS, layer_numbers, layer_value, own_name
from fuzz.philox import drawn_at
from symgrad.spec import library
from symgrad.spec.reductions import REDUCTIONS
from symgrad.spec.scalars import SCALARS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from fuzz.arithmetic import Arithmetic
    from fuzz.philox import Key

Spec = dict[str, Any]

RELATIONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


@dataclass(frozen=True)
class Labels:
    """Whole numbers below `classes`; `ignore` stands for none."""

    array: np.ndarray
    classes: int
    ignore: int | None = None


@dataclass(frozen=True)
class Scope:
    """What names stand for: tensors and labels, arguments of a function, sizes of axes, places of indices.

    `before` are the steps that led here, which derivatives go through again; `shifts` is what these add to
    tensors. Numbers are drawn by the `key`.
    """

    tensors: dict[str, np.ndarray | Labels]
    sizes: Mapping[str, int]
    functions: Mapping[str, tuple[str, str]]
    arithmetic: Arithmetic
    indices: Mapping[str, int]
    ranges: Mapping[str, int] = field(default_factory=dict)
    owner: str = ""
    numbers: Mapping[int, str] = field(default_factory=dict)
    bound: Mapping[str, np.ndarray | Labels] | None = None
    before: Sequence[tuple[str, str, str]] = ()
    shifts: Mapping[str, np.ndarray] = field(default_factory=dict)
    key: Key = (0, 0)

    def named_sizes(self, indices: Collection[str]) -> dict[str, int]:
        """The sizes whose names are not those of indices."""
        return {name: size for name, size in self.sizes.items() if name not in indices}


@cache
def tree_of(formula: str) -> ast.expr:
    """The syntax of a formula; line breaks are spaces."""
    return ast.parse(" ".join(str(formula).split()), mode="eval").body


def evaluate(formula: str, scope: Scope) -> np.ndarray:
    """The value of a formula, with an axis of probes first."""
    return numeric(value(tree_of(formula), scope), scope)


def equation(key: str, formula: str, scope: Scope) -> np.ndarray:
    """The tensor that an equation defines; its left side may name indices."""
    if "[" not in key:
        return evaluate(formula, replace(scope, numbers=layer_numbers(tree_of(formula))))
    names = left_names(key)
    shapes = {name: own_shape(t) for name, t in scope.tensors.items()}
    given = given_ranges(tree_of(formula), {*REDUCERS, *REDUCTIONS}, scope.sizes, key)
    ranges = index_ranges(tree_of(formula), shapes, given, scope.named_sizes(names))
    shape = tuple(ranges[n] for n in names)
    entries = [
        evaluate(formula, replace(scope, indices=dict(zip(names, at, strict=True)), ranges=ranges))
        for at in np.ndindex(*shape)
    ]
    probes = max(entry.shape[0] for entry in entries)
    stacked = np.stack([np.broadcast_to(entry.reshape(entry.shape[0]), (probes,)) for entry in entries], -1)
    return stacked.reshape((probes, *shape))


def own_shape(tensor: np.ndarray | Labels) -> tuple[int, ...]:
    """The shape of a tensor without its probes."""
    return tensor.array.shape if isinstance(tensor, Labels) else tensor.shape[1:]


def numeric(found: np.ndarray | Labels, scope: Scope) -> np.ndarray:
    """Labels count as the numbers they are."""
    if isinstance(found, Labels):
        return scope.arithmetic.number(found.array)[None]
    scope.arithmetic.watch(found)
    return found


def value(node: ast.expr, scope: Scope) -> np.ndarray | Labels:
    """The value of a node."""
    match node:
        case ast.Constant(number):
            return scope.arithmetic.number([repr(number)])
        case ast.Name(name):
            return _name(name, scope)
        case ast.UnaryOp(ast.USub(), operand):
            return -numeric(value(operand, scope), scope)
        case ast.BinOp(_, ast.FloorDiv() | ast.Mod(), _):
            return scope.arithmetic.number([place_of(node, {**scope.sizes, **scope.indices}, {})])
        case ast.BinOp(left, operation, right):
            a, b = (numeric(value(side, scope), scope) for side in (left, right))
            if isinstance(operation, ast.Pow) and _is_formula(right, scope):
                scope.arithmetic.near(np.where(a.real < 0, 0, 1))  # whole exponents are there by chance
            return matmul(a, b) if isinstance(operation, ast.MatMult) else _binary(operation, a, b, scope)
        case ast.Attribute(operand, "T"):
            array = numeric(value(operand, scope), scope)
            return array.transpose((0, *reversed(range(1, array.ndim))))
        case ast.Subscript(ast.Name(name), places):
            return _entry(name, places, scope)
        case ast.Call(ast.Name(name)):
            return _call(name, node, scope)
    raise NotImplementedError(ast.dump(node))


def _is_formula(exponent: ast.expr, scope: Scope) -> bool:
    return any(isinstance(node, ast.Name) and node.id in scope.tensors for node in ast.walk(exponent))


def _name(name: str, scope: Scope) -> np.ndarray | Labels:
    if scope.bound is not None and name in scope.bound:
        return scope.bound[name]
    if name in scope.tensors:
        return scope.tensors[name]
    if name in scope.sizes:
        return scope.arithmetic.number([scope.sizes[name]])
    if name in scope.indices:
        return scope.arithmetic.number([scope.indices[name]])
    if name == "inf":
        return scope.arithmetic.hidden()
    return scope.arithmetic.number(
        [{"pi": np.arccos(np.longdouble(-1)), "e": np.exp(np.longdouble(1))}[name]]
    )


def _binary(operation: ast.operator, a: np.ndarray, b: np.ndarray, scope: Scope) -> np.ndarray:
    known: dict[type, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
        ast.Add: operator.add,
        ast.Sub: operator.sub,
        ast.Mult: operator.mul,
        ast.Div: scope.arithmetic.quotient,
        ast.FloorDiv: lambda a, b: scope.arithmetic.number(a.real // b.real),
        ast.Mod: lambda a, b: scope.arithmetic.number(a.real % b.real),
        ast.Pow: scope.arithmetic.power,
    }
    return known[type(operation)](*aligned(a, b))


def _entry(name: str, places: ast.expr, scope: Scope) -> np.ndarray | Labels:
    tensor = scope.tensors[name]
    labels = {n: t.array for n, t in scope.tensors.items() if isinstance(t, Labels)}
    if rearrangements.is_sliced(places):
        if isinstance(tensor, Labels):
            return replace(tensor, array=rearrangements.sliced(tensor.array, places, 0, scope.sizes))
        return rearrangements.sliced(tensor, places, 1, scope.sizes)
    found = places.elts if isinstance(places, ast.Tuple) else [places]
    known = {**scope.sizes, **scope.indices}
    at = tuple(place_of(place, known, labels) for place in found)
    if any(not 0 <= i < size for i, size in zip(at, own_shape(tensor), strict=True)):
        raise IndexError(f"{name}[{at}]")
    if isinstance(tensor, Labels):
        return replace(tensor, array=tensor.array[at])
    return tensor[(slice(None), *at)]


def _call(name: str, call: ast.Call, scope: Scope) -> np.ndarray | Labels:
    if name in ("max", "min") and len(call.args) == 2 and not _new_indices(call, scope):
        a, b = aligned(*(numeric(value(n, scope), scope) for n in call.args))
        return scope.arithmetic.larger(*np.broadcast_arrays(a, b), sign=1 if name == "max" else -1)
    if name in derivatives.NAMES and name not in scope.functions:
        return derivatives.Taken(scope, value, equation).call(call, name)
    if name in scope.functions:
        signature, formula = scope.functions[name]
        return _apply(signature, formula, call, scope)
    if name in REDUCERS or name in REDUCTIONS:
        return _reduction(name, call, scope)
    if name == "where":
        return _where(call, scope)
    if name in placements.NAMES:
        return placements.placed(name, call, lambda node: numeric(value(node, scope), scope))
    if name in rearrangements.NAMES:
        return rearrangements.rearranged(
            name,
            call,
            lambda node: numeric(value(node, scope), scope),
            lambda node: _whole_labels(value(node, scope)),
            scope.sizes,
        )
    if name == "uniform":
        return _drawn(call, scope)
    if name == "onehot":
        return onehot(value(call.args[0], scope), scope)
    if name == "spread":
        weights, like = (numeric(value(n, scope), scope) for n in call.args)
        return spread(weights, like)
    if name in library.losses:
        return _loss(name, call, scope)
    if name in library.functions and library.functions[name].formula != f"{name}(x)":
        entry = library.functions[name]
        return _apply(entry.text, entry.formula, call, scope)
    if name in LAYERS:
        return _layer(name, call, scope)
    if not scope.arithmetic.knows(name):
        return _apply(f"{name}(x)", SCALARS[name].formula, call, scope)
    return scope.arithmetic.function(name, numeric(value(call.args[0], scope), scope))


def _whole_labels(found: np.ndarray | Labels) -> np.ndarray:
    assert isinstance(found, Labels)
    return found.array


def onehot(labels: np.ndarray | Labels, scope: Scope) -> np.ndarray:
    """Labels as rows of zeros and a one; of zeros where they are ignored. Numbers are such rows already."""
    if not isinstance(labels, Labels):
        return labels
    rows = (labels.array[..., None] == np.arange(labels.classes)) & (labels.array != labels.ignore)[..., None]
    return scope.arithmetic.number(rows.astype(float))[None]


def _drawn(call: ast.Call, scope: Scope) -> np.ndarray:
    """The numbers of a stream for the place of the indices around, or a given one, and what they are like."""
    given = {str(k.arg): k.value for k in call.keywords}
    like = numeric(value(given["like"], scope), scope).shape[1:] if "like" in given else ()
    place = 0
    for name, index in scope.indices.items():
        place = place * scope.ranges[name] + index
    if "place" in given:
        place = place_of(given["place"], {**scope.sizes, **scope.indices}, {})
    size = prod(like)
    numbers = drawn_at(range(place * size, (place + 1) * size), ast.literal_eval(given["stream"]), scope.key)
    return scope.arithmetic.number(numbers.reshape((1, *like)))


def _where(call: ast.Call, scope: Scope) -> np.ndarray:
    condition = call.args[0]
    assert isinstance(condition, ast.Compare)
    sides = (condition.left, condition.comparators[0], *call.args[1:])
    left, right, a, b = aligned(*(numeric(value(n, scope), scope) for n in sides))
    holds = RELATIONS[type(condition.ops[0])](left.real, right.real)
    if {n.id for n in ast.walk(condition) if isinstance(n, ast.Name)} <= {*scope.indices, *scope.sizes}:
        return np.where(holds, a, b)  # whole numbers, which may be equal
    return scope.arithmetic.choose(holds, left.real - right.real, a, b)


def _apply(signature: str, formula: str, call: ast.Call, scope: Scope) -> np.ndarray | Labels:
    return value(tree_of(formula), replace(scope, bound=arguments(signature, call, scope)))


def arguments(signature: str, call: ast.Call, scope: Scope) -> dict[str, np.ndarray | Labels]:
    """The values of a function's arguments in a call, defaults among them."""
    declared = tree_of(signature)
    assert isinstance(declared, ast.Call)
    names = [*(a.id for a in declared.args), *(str(k.arg) for k in declared.keywords)]  # type: ignore[attr-defined]  # a signature lists names
    given = {str(k.arg): value(k.value, scope) for k in call.keywords if k.arg in names}
    given |= dict(zip(names, (value(a, scope) for a in call.args), strict=False))
    return {str(k.arg): value(k.value, scope) for k in declared.keywords} | given


def _layer(name: str, call: ast.Call, scope: Scope) -> np.ndarray:
    """A layer with the parameters of the equation it stands in, then its activation."""
    keywords = {str(k.arg): k.value for k in call.keywords}

    def parameter(letter: str) -> np.ndarray:
        return numeric(scope.tensors[own_name(scope.owner, letter, scope.numbers.get(id(call), ""))], scope)

    x = value(call.args[0], scope)
    if name == "embedding":
        assert isinstance(x, Labels)
        return embedded(x.array, parameter("W"), options_of(name, call, scope).get("padding"))
    activation = keywords.get("activation", ast.Name("gelu") if name in OF_LAYERS else None)

    def activated(z: np.ndarray) -> np.ndarray:
        return _activated(z, activation, scope) if activation else z

    options = options_of(name, call, scope)
    z = layer_value(name, numeric(x, scope), parameter, options, scope.arithmetic, activated)
    return z if name in OF_LAYERS else activated(z)


def options_of(name: str, call: ast.Call, scope: Scope) -> dict[str, Any]:
    """The arguments of a layer by name: numbers, words, and tensors where the layer takes some."""
    words, takes_tensors = {"true": True, "false": False}, library.layers[name].operands

    def meant(argument: str, node: ast.expr) -> Any:
        match node:
            case ast.Name(word):  # padding=same is a word beside a tensor of that name
                is_tensor = argument in takes_tensors and word in scope.tensors
                return numeric(scope.tensors[word], scope) if is_tensor else words.get(word, word)
            case ast.Call():
                return None
        return ast.literal_eval(node)

    signature = tree_of(library.layers[name].text)
    assert isinstance(signature, ast.Call)
    names = [*(a.id for a in signature.args), *(str(k.arg) for k in signature.keywords)]  # type: ignore[attr-defined]  # a signature lists names
    given = dict(zip(names[1:], call.args[1:], strict=False)) | {str(k.arg): k.value for k in call.keywords}
    return {key: meant(key, node) for key, node in given.items()}


def _activated(z: np.ndarray, activation: ast.expr, scope: Scope) -> np.ndarray:
    """The activation of a layer: a name, or a call of one without its first argument."""
    given = activation if isinstance(activation, ast.Call) else ast.Call(activation, [], [])
    call = ast.Call(given.func, [ast.Name("z_", ast.Load()), *given.args], given.keywords)
    return numeric(value(call, replace(scope, bound={**(scope.bound or {}), "z_": z})), scope)


# Reductions ---------------------------------------------------------------------------------------

REDUCERS: dict[str, Callable[[np.ndarray, Arithmetic], np.ndarray]] = {
    "sum": lambda z, _: z.sum(axis=-1),
    "mean": lambda z, _: z.sum(axis=-1) / z.shape[-1],
    "max": lambda z, arithmetic: arithmetic.extreme(z, 1),
    "min": lambda z, arithmetic: arithmetic.extreme(z, -1),
    "logsumexp": lambda z, arithmetic: arithmetic.log_sum_exp(z),
    "var": lambda z, _: _variance(z),
    "std": lambda z, arithmetic: arithmetic.function("sqrt", _variance(z)),
    "norm": lambda z, arithmetic: arithmetic.function("sqrt", (z**2).sum(axis=-1)),
}


def _variance(z: np.ndarray) -> np.ndarray:
    return ((z - z.mean(axis=-1, keepdims=True)) ** 2).mean(axis=-1)


def _new_indices(call: ast.Call, scope: Scope) -> list[str]:
    known = {*scope.tensors, *(scope.bound or {}), *scope.indices, *scope.sizes}
    positional = [n.id for n in call.args[1:] if isinstance(n, ast.Name) and n.id not in known]
    return [*positional, *(str(k.arg) for k in call.keywords if k.arg not in ("axis", "keepdims"))]


def _reduction(name: str, call: ast.Call, scope: Scope) -> np.ndarray:
    names = _new_indices(call, scope)
    if names:
        return _reduced(name, _over_indices(call, names, scope), scope)
    array = numeric(value(call.args[0], scope), scope)
    keywords = {str(k.arg): k.value for k in call.keywords}
    rank = array.ndim - 1
    over = [ast.literal_eval(keywords["axis"]) % rank + 1] if "axis" in keywords else [*range(1, rank + 1)]
    kept = [axis for axis in range(array.ndim) if axis not in over]
    rows = array.transpose((*kept, *over)).reshape((*(array.shape[k] for k in kept), -1))
    reduced = _reduced(name, rows, scope)
    keepdims = getattr(keywords.get("keepdims"), "id", "false") == "true"
    shape = tuple(1 if axis in over else size for axis, size in enumerate(array.shape))
    return reduced.reshape(shape) if keepdims else reduced


def _reduced(name: str, rows: np.ndarray, scope: Scope) -> np.ndarray:
    """Over the last axis; a reduction without a meaning here is what its row says."""
    if name in REDUCERS:
        return REDUCERS[name](rows, scope.arithmetic)
    row = REDUCTIONS[name]
    each = value(tree_of(row.each), replace(scope, bound={"x": rows}))
    total = REDUCERS[row.kind](numeric(each, scope), scope.arithmetic)
    bound: dict[str, np.ndarray | Labels] = {"x": total, "n": scope.arithmetic.number([rows.shape[-1]])}
    return numeric(value(tree_of(row.total), replace(scope, bound=bound)), scope)


def _over_indices(call: ast.Call, names: list[str], scope: Scope) -> np.ndarray:
    body, shapes = call.args[0], {name: own_shape(t) for name, t in scope.tensors.items()}
    around = {name: scope.ranges[name] for name in scope.indices}
    given = around | given_ranges(call, {*REDUCERS, *REDUCTIONS}, scope.sizes)
    ranges = index_ranges(body, shapes, given, scope.named_sizes((*names, *scope.indices)))
    places = [
        dict(zip(names, at, strict=True)) for at in itertools.product(*(range(ranges[n]) for n in names))
    ]
    scopes = [replace(scope, indices={**scope.indices, **at}, ranges=ranges) for at in places]
    found = [numeric(value(body, inner), inner) for inner in scopes]
    return np.stack(np.broadcast_arrays(*aligned(*found)), axis=-1)


# Losses -------------------------------------------------------------------------------------------


def _loss(name: str, call: ast.Call, scope: Scope) -> np.ndarray:
    entry = library.losses[name]
    bound = arguments(entry.text, call, scope)
    losses = numeric(value(tree_of(entry.formula), replace(scope, bound=bound)), scope)
    keywords = {str(k.arg): k.value for k in call.keywords}
    reduction = getattr(keywords.get("reduction"), "id", entry.reduction)
    if reduction == "none" or scope.bound is not None:  # inside a function a loss is not reduced
        return losses
    weights = numeric(value(keywords["weights"], scope), scope) if "weights" in keywords else None
    counts = _class_counts(bound, scope)
    weights = scope.arithmetic.number([1]) if weights is None else weights
    weighted = spread(weights, losses) * losses
    counted = spread(weights, losses) * spread(counts, losses)
    axes = tuple(range(1, losses.ndim))
    if reduction == "sum":
        return weighted.sum(axis=axes)
    per_sample = np.prod(losses.shape[2:], dtype=int) if reduction == "batchmean" else 1
    total = np.broadcast_to(counted, (counted.shape[0], *losses.shape[1:])).sum(axis=axes)
    return np.where(total == 0, 0, weighted.sum(axis=axes) / np.where(total == 0, 1, total) * per_sample)


def _class_counts(bound: Mapping[str, np.ndarray | Labels], scope: Scope) -> np.ndarray:
    """For how many each sample counts: the weight of its class, 0 for an ignored one."""
    labels = bound.get("t")
    if not isinstance(labels, Labels):
        return scope.arithmetic.number([1])
    class_weights = numeric(bound.get("class_weights", scope.arithmetic.number([1])), scope)
    a, b = aligned(onehot(labels, scope), class_weights)
    return (a * b).sum(axis=-1)
