"""Calls and the signatures they must fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.errors import SpecError
from symgrad.spec.other_names import meant

if TYPE_CHECKING:
    from symgrad.spec.language.syntax import Call, Node
    from symgrad.spec.library import Signature


def bind(call: Call, signature: Signature, extra: tuple[str, ...] = ()) -> dict[str, Node]:
    """The value of every argument of `signature` in this call, in its order, then `extra` ones given.

    Raises:
        SpecError: too many, missing, repeated or unknown arguments.
    """
    known = (*signature.arguments, *(name for name, _ in signature.defaults))
    if len(call.arguments) > len(known):
        raise SpecError(
            f"{call.function} takes at most {len(known)} arguments, got {len(call.arguments)}",
            at=call.at,
            remedy=f"write {usage(signature)}",
        )
    values = dict(zip(known, call.arguments, strict=False))
    for name, value in call.keywords:
        if name not in known and name not in extra:
            remedy = meant(name, (*known, *extra), f"write {usage(signature)}")
            raise SpecError(f"{call.function} has no argument '{name}'", at=value.at, remedy=remedy)
        if name in values:
            raise SpecError(f"{call.function} got '{name}' twice", at=value.at, remedy="give it once")
        values[name] = value
    missing = [name for name in signature.arguments if name not in values]
    if missing:
        raise SpecError(
            f"{call.function} lacks {', '.join(repr(m) for m in missing)}",
            at=call.at,
            remedy=f"write {usage(signature)}",
        )
    bound = {**dict(signature.defaults), **values}
    return {name: bound[name] for name in (*known, *(n for n in values if n not in known))}


def usage(signature: Signature) -> str:
    """How a call of this signature is written: `elu(x, alpha=...)`."""
    optional = [f"{name}=..." for name, _ in signature.defaults]
    return f"{signature.name}({', '.join([*signature.arguments, *optional])})"
