"""How far each index of an index notation runs, read off the shapes of the tensors it indexes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.errors import ShapeError
from symgrad.spec.language.indexing.affine import affine_terms
from symgrad.spec.language.indexing.digits import takes_digits
from symgrad.spec.language.syntax import Binary, Index, Name, Node, Number
from symgrad.spec.language.trees import walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


def index_sizes(
    formula: Node,
    wanted: Iterable[str],
    shapes: Mapping[str, tuple[int, ...]],
    known: Mapping[str, int],
    named: Mapping[str, int],
) -> dict[str, int]:
    """The size of every index in `wanted`; `known` are those given, or those of indices around the formula.
    `named` are sizes by the names of axes, which may stand in indices too.

    An index that stands alone runs over the axis it indexes. One that occurs only in affine forms such
    as `X[2*i + u]` runs as far as the axis allows for every value of the other indices.

    Raises:
        ShapeError: an index runs over axes of two sizes, or its range is not known.
    """
    uses = [
        (node, index, size)
        for node in walk(formula)
        if isinstance(node, Index) and node.tensor in shapes
        for index, size in zip(node.indices, shapes[node.tensor], strict=False)
    ]
    sizes = dict(known)
    for node, index, size in uses:
        if not isinstance(index, Name) or (index.id in known and known[index.id] <= size):
            continue
        if sizes.setdefault(index.id, size) != size:
            problem = f"index '{index.id}' runs over {sizes[index.id]} and over {size} entries"
            raise ShapeError(problem, at=node.at, remedy="use two index names")
    forms = [(index, size) for _, index, size in uses if isinstance(index, Binary)]
    affine = [(affine_terms(index), size) for index, size in forms if not takes_digits(index)]
    while found := [
        *(limit for terms, size in affine for limit in _limit(terms, size, sizes, named)),
        *(limit for index, size in forms for limit in _limit_of_quotient(index, size, sizes)),
    ]:
        for name, limit in found:
            sizes[name] = min(limit, sizes.get(name, limit))
        if min(sizes.values()) < 1:
            raise ShapeError("no value of an index keeps it inside its axis", at=formula.at)
    missing = [name for name in wanted if name not in sizes]
    if missing:
        problem = f"the range of index '{missing[0]}' is not known"
        raise ShapeError(problem, at=formula.at, remedy="let it index a tensor alone")
    return sizes


def indices_used(formula: Node) -> set[str]:
    """The names that stand inside an index somewhere in a formula."""
    places = [p for node in walk(formula) if isinstance(node, Index) for p in node.indices]
    return {node.id for place in places for node in walk(place) if isinstance(node, Name)}


def _limit_of_quotient(form: Binary, size: int, sizes: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """How far an index may run of which a quotient stands alone: `i // 2` over 3 lets i run over 6."""
    match form:
        case Binary("//", Name(name), Number(by)) if name not in sizes:
            yield name, size * int(by)
        case Binary("//", Binary() as inner, Number(by)):
            yield from _limit_of_quotient(inner, size * int(by), sizes)


def _limit(
    terms: Mapping[str, int], size: int, sizes: Mapping[str, int], named: Mapping[str, int]
) -> Iterator[tuple[str, int]]:
    """The index of an affine form whose range is not known yet, if there is one, and how far it may run."""
    fixed = terms.get("", 0) + sum(
        terms[name] * named[name] for name in (terms.keys() & named.keys()) - sizes.keys()
    )
    unknown = [name for name in terms if name and name not in sizes and name not in named]
    if len(unknown) != 1 or terms[unknown[0]] < 1:
        return
    known = (factor * (sizes[name] - 1) for name, factor in terms.items() if name in sizes)
    reach = fixed + sum(max(step, 0) for step in known)
    yield unknown[0], (size - 1 - reach) // terms[unknown[0]] + 1
