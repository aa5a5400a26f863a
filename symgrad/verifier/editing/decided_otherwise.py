"""What an edited text goes by where the text that symgrad emits does not, or no longer goes by.

Identity with the spec is shown at the sizes, steps and numbers that were tried. That it holds at others rests
on how symgrad writes a module; where a text was edited to go by something else, nothing says so.
"""

from __future__ import annotations

import ast
from ast import unparse
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from symgrad.verifier.editing.beyond_arithmetic import GoneBy, Reader
from symgrad.verifier.editing.edits import OF_VERSION, SHA256, definitions, forms
from symgrad.verifier.editing.origins import Origins

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence, Set

    from symgrad.verifier.report import Check

Text: TypeAlias = "Mapping[str, Sequence[ast.stmt]]"
"""The statements of a module by the name they define."""

_ORIGIN = frozenset([SHA256, OF_VERSION])
"""Names of what says where a module comes from, and changes nothing that it computes."""

_EXACT = frozenset(["identity", "training step"])
_MOST, _LONGEST = 3, 60


@dataclass(frozen=True)
class Decision:
    """Something that a definition goes by, its place, and whether it does so no longer.

    What `stands` as in the emitted text is about something else there.
    """

    name: str
    line: int
    text: str
    is_gone: bool = False
    stands: bool = False

    def __str__(self) -> str:
        if self.is_gone:
            return f"no longer by `{self.text}` ({self.name})"
        return f"by `{self.text}` ({self.name}, line {self.line})"


def decisions(text: str, emitted: str) -> tuple[Decision, ...]:
    """What a text goes by otherwise than the one that symgrad emits.

    What is the same but for names, places and the order of statements is not among it. What stands as it did
    comes last.
    """
    if text == emitted:
        return ()
    now, then = (definitions(ast.parse(source)) for source in (text, emitted))
    lines, emitted_lines = text.split("\n"), emitted.split("\n")
    changed = _changed_values(now, then)
    own = now.keys() - then.keys()
    found: list[Decision] = []
    for name, nodes in now.items():
        before = then.get(name, [])
        if name not in _ORIGIN and (forms(nodes) != forms(before) or _loads(nodes, changed)):
            new = {one.key: one for one in Reader(Origins(nodes, changed), own).gone_by(nodes)}
            old = {one.key: one for one in Reader(Origins(before, frozenset()), own).gone_by(before)}
            as_before = {unparse(one.shown) for one in old.values()}
            added = [
                replace(_decision(name, one, lines), stands=unparse(one.shown) in as_before)
                for key, one in new.items()
                if key not in old
            ]
            missing = [
                _decision(name, old[key], emitted_lines, is_gone=True) for key in old if key not in new
            ]
            found += {one.text: one for one in reversed(added or missing)}.values()  # told once
    return tuple(
        sorted([*found, *_bound_again(now, then, changed, lines)], key=lambda one: (one.stands, one.line))
    )


def _bound_again(now: Text, then: Text, changed: Set[str], lines: Sequence[str]) -> Iterator[Decision]:
    """Values in place of the functions of an emitted text."""
    functions = {name for name, nodes in then.items() if any(map(_is_definition, nodes))}
    for node in _values(now):
        for name in sorted(_stored(node) & changed & functions):
            yield _decision(name, GoneBy((), node, node.lineno), lines)


def no_further_than_tried(rows: Iterable[Check], found: Sequence[Decision]) -> Iterator[Check]:
    """The rows of a text that goes by such things: the same where it was tried, and there alone."""
    others = f", and {len(found) - _MOST} more" if len(found) > _MOST else ""
    told = f"{', '.join(map(str, found[:_MOST]))}{others}"
    for row in rows:
        if found and row.name in _EXACT and row.verdict == "pass":
            message = (
                f"the same where it was tried, and unknown elsewhere: unlike symgrad's, the text goes {told}"
            )
            yield replace(row, verdict="no evidence", message=message, certainty="not checked")
        else:
            yield row


def _decision(name: str, one: GoneBy, lines: Sequence[str], *, is_gone: bool = False) -> Decision:
    """What is told of it: what stands in its first line, as it stands there."""
    node: Any = one.shown
    is_whole = node.lineno == node.end_lineno
    first = lines[node.lineno - 1].encode()[node.col_offset : node.end_col_offset if is_whole else None]
    text = first.decode()
    is_long = not is_whole or len(text) > _LONGEST
    return Decision(name, one.line, f"{text[:_LONGEST]}{'…' if is_long else ''}", is_gone)


def _changed_values(now: Text, then: Text) -> frozenset[str]:
    """Names of the module whose values are others, or are made of such."""
    values = _values(now)
    known = set(forms(_values(then)))
    changed = {name for node in values if not known.issuperset(forms([node])) for name in _stored(node)}
    changed -= _ORIGIN
    while (
        more := {n for node in values if _loads([node], changed) for n in _stored(node)} - changed - _ORIGIN
    ):
        changed |= more
    return frozenset(changed)


def _values(text: Text) -> list[ast.stmt]:
    return [node for nodes in text.values() for node in nodes if not _is_definition(node)]


def _is_definition(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef | ast.ClassDef)


def _stored(node: ast.stmt) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _loads(nodes: Iterable[ast.stmt], names: Set[str]) -> bool:
    return bool(names) and any(
        isinstance(inner, ast.Name) and inner.id in names for node in nodes for inner in ast.walk(node)
    )
