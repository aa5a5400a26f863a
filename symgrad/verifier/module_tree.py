"""The text of a module as a tree, parsed once for all who judge it."""

from __future__ import annotations

import ast
from functools import lru_cache


@lru_cache(maxsize=4)
def tree_of(text: str) -> ast.Module:
    """The text of a module, or of a part of it, as a tree that nobody changes.

    Raises:
        SyntaxError: it is no Python.
    """
    return ast.parse(text)
