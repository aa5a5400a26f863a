"""A module's text beside the text that symgrad emits for its spec: what was edited by hand, and where.

An edit is no fault: a module belongs to its user. But nothing that is the same in all emitted modules speaks
for what was edited; only its behaviour does, where it is tried, and the report says so.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from symgrad.verifier.report import Check
from symgrad.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_ELSEWHERE = "code outside of functions"
_WHAT = f"the text, beside what symgrad {VERSION} emits for this spec"
_MOST = 8
SHA256 = "SPEC_SHA256"  # the verdict has a note on it
OF_VERSION = "SYMGRAD_VERSION"


@dataclass(frozen=True)
class Edit:
    """A definition that is not as it was emitted, its changed lines, and the numbers in them."""

    name: str
    first: int
    last: int
    numbers: frozenset[float] = frozenset()

    def __str__(self) -> str:
        if not self.first:
            return f"{self.name} (removed)"
        lines = f"line {self.first}" if self.first == self.last else f"lines {self.first}-{self.last}"
        return f"{self.name} ({lines})"


def edits(text: str, emitted: str) -> tuple[Edit, ...]:
    """What was edited in a module; comments, docstrings and the way lines are set are no edit."""
    if text == emitted:
        return ()
    now, then = (definitions(ast.parse(source)) for source in (text, emitted))
    changed = _changed_lines(text, emitted)
    found = [
        _edit(name, node, changed)
        for name, nodes in now.items()
        if name != SHA256 and forms(nodes) != forms(then.get(name, []))
        for node in _other(nodes, then.get(name, []))
    ]
    found += [Edit(name, 0, 0) for name in then if name not in now]
    if not found and list(now) != list(then):
        found = [Edit("the order of definitions", min(changed), max(changed))]
    return tuple(sorted(found, key=lambda edit: edit.first))


def definitions(tree: ast.Module) -> Mapping[str, list[ast.stmt]]:
    """The statements of a module by the name they define; all others by one name."""
    found: dict[str, list[ast.stmt]] = defaultdict(list)
    for node in tree.body:
        found[_name(node)].append(node)
    return found


def _name(node: ast.stmt) -> str:
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
    return _ELSEWHERE


def forms(nodes: Iterable[ast.stmt]) -> list[str]:
    """Statements without their places and docstrings, which are taken out of them."""
    return [_form(node) for node in nodes if not _is_text(node)]


def _form(node: ast.stmt) -> str:
    """A statement without its places and docstrings."""
    for inner in ast.walk(node):
        if (
            isinstance(inner, ast.FunctionDef | ast.ClassDef)
            and len(inner.body) > 1
            and _is_text(inner.body[0])
        ):
            del inner.body[0]
    return ast.dump(node)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _other(nodes: list[ast.stmt], then: list[ast.stmt]) -> list[ast.stmt]:
    """Those that were not there; the last, where some are missing or stand in another order."""
    known = forms(then)
    return [n for n in nodes if not _is_text(n) and _form(n) not in known] or nodes[-1:]


def _changed_lines(text: str, emitted: str) -> frozenset[int]:
    """The lines of a text that are new, and those before which some are missing, counted from 1."""
    blocks = SequenceMatcher(None, emitted.splitlines(), text.splitlines(), autojunk=False).get_opcodes()
    return frozenset(
        line + 1
        for kind, _, _, start, end in blocks
        if kind != "equal"
        for line in range(start, max(end, start + 1))
    )


def _edit(name: str, node: ast.stmt, changed: frozenset[int]) -> Edit:
    start = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    end = node.end_lineno or start
    lines = [line for line in changed if start <= line <= end] or [start, end]
    first, last = min(lines), max(lines)
    inside = [n for n in ast.walk(node) if isinstance(n, ast.Constant) and first <= n.lineno <= last]
    numbers = {n.value for n in inside if isinstance(n.value, int | float) and not isinstance(n.value, bool)}
    return Edit(name, first, last, frozenset(numbers))


def version_of(text: str) -> str:
    """The version of symgrad that a module says it was made by; empty where it says nothing."""
    for node in ast.parse(text).body:
        if _name(node) == OF_VERSION and isinstance(node, ast.Assign):
            return str(ast.literal_eval(node.value))
    return ""


def text_check(text: str, found: tuple[Edit, ...]) -> Check:
    """Whether a module is as symgrad emits it, or what of it was edited by hand."""
    if not found:
        return Check("text", _WHAT, 0.0, 0.0, "pass", "", "identical")
    version = version_of(text)
    if version == VERSION:
        message = f"edited by hand, so judged by its behaviour alone: {listed(found)}"
    else:
        what = f"the module is of symgrad {version}" if version else "the module names no version of symgrad"
        message = f"{what}, not {VERSION}: it was judged by its behaviour alone"
    return Check("text", _WHAT, float(len(found)), 0.0, "no evidence", message)


def listed(found: tuple[Edit, ...]) -> str:
    """The edits in words, the first of them where there are many."""
    return ", ".join(map(str, found[:_MOST])) + (
        f", and {len(found) - _MOST} more" if len(found) > _MOST else ""
    )
