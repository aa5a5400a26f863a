"""The part of a module that is the same in every module, held against the text of the version it claims.

What a template writes without a look at the spec is common. Where it was edited, or the file is of another
version, nothing is wrong yet: its behaviour is judged, and the report says that it was.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import TYPE_CHECKING

from symgrad.shipped import template_folder
from symgrad.verifier.report import Check
from symgrad.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_START = re.compile(r"^(?:@.*\n)*(?:def|class) (?P<name>\w+)", re.MULTILINE)
_END = re.compile(r"\n(?=[^\s)\]}{])")
_TAGS = re.compile(r"(?:\s*\{%[^\n]*%\}|\s*\{#.*?#\})+\s*\Z", re.DOTALL)
_MOST = 6


def common_part(text: str) -> Iterator[Check]:
    """One row for the definitions of a module that are common to all."""
    known, tree = common_definitions(), ast.parse(text)
    found = {
        n.name: n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name in known
    }
    what, version = f"{len(found)} definitions as symgrad {VERSION} writes them", _version(tree)
    edited = [name for name, node in found.items() if ast.dump(node) not in known[name]]
    if version != VERSION:
        message = f"the module is of symgrad {version}; its common part was judged by its behaviour alone"
    elif edited:
        names = ", ".join(edited[:_MOST]) + (", ..." if len(edited) > _MOST else "")
        message = f"edited, so judged by its behaviour alone: {names}"
    else:
        message = ""
    yield Check("common part", what, float(len(edited)), 0.0, "no evidence" if message else "pass", message)


def _version(tree: ast.Module) -> str:
    """The version of symgrad that a module says it was made by."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SYMGRAD_VERSION":
            return str(ast.literal_eval(node.value))
    return "of which it says nothing"


@cache
def common_definitions() -> Mapping[str, frozenset[str]]:
    """What the templates define in so many words: by its name, the forms it has, as parsed."""
    found: dict[str, set[str]] = {}
    for file in sorted((template_folder() / "numba").iterdir()):
        for name, body in _definitions(file.read_text(encoding="utf-8")):
            form = "" if "{{" in body or "{%" in body else ast.dump(ast.parse(body).body[0])
            found.setdefault(name, set()).add(form)
    return {name: frozenset(forms) for name, forms in found.items() if "" not in forms}


def _definitions(template: str) -> Iterator[tuple[str, str]]:
    """The names of a template's definitions, and how they stand there."""
    for start in _START.finditer(template):
        end = _END.search(template, start.end())
        yield start["name"], _TAGS.sub("\n", template[start.start() : end.start() if end else len(template)])
