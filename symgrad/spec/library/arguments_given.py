"""Conditions on the arguments of a layer's call, which choose among its forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.spec.language.syntax import Boolean, Name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from symgrad.spec.library.layer_entries import Arguments


def is_given(argument: str) -> Callable[[Arguments], bool]:
    """Whether an argument that is `false` without a value has one."""
    return lambda values: values[argument] != Boolean(False, values[argument].at)


def all_given(arguments: Collection[str]) -> Callable[[Arguments], bool]:
    """Whether each of them has one."""
    return lambda values: all(is_given(argument)(values) for argument in arguments)


def is_called(argument: str, name: str) -> Callable[[Arguments], bool]:
    """Whether an argument is this name."""
    return lambda values: values[argument] == Name(name, values[argument].at)
