"""Python names for tensors and axes in an emitted module: the user's own, unless the module needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping


def identifiers(
    names: Iterable[str], taken: Collection[str], spelled: Mapping[str, str] | None = None
) -> dict[str, str]:
    """A Python identifier for each name, as it is `spelled` or itself, with underscores where it is taken."""
    found: dict[str, str] = {}
    used = set(taken)
    for name in names:
        identifier = (spelled or {}).get(name, name)
        while identifier in used:
            identifier += "_"
        used.add(identifier)
        found[name] = identifier
    return found
