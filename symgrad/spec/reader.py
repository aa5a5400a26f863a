"""Read a spec: a file, a text or a dict becomes one frozen `Spec`, or one located error."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from symgrad.errors import Position, SpecError
from symgrad.spec.model import Spec
from symgrad.spec.reading.document import (
    Document,
    ItemPlace,
    Key,
    Plain,
    canonical,
    from_mapping,
    is_path,
    text_of_file,
)
from symgrad.spec.reading.from_schema import build
from symgrad.spec.reading.validate import validate
from symgrad.spec.reading.yaml_text import from_yaml

SpecSource: TypeAlias = Spec | str | os.PathLike[str] | Mapping[str, object]
"""What a spec may be given as: itself, the path of a YAML file, YAML text, or a dict."""


def read(source: SpecSource) -> Spec:
    """The spec in a YAML file, in YAML text or in a dict; a `Spec` is itself.

    A string is a text when it has a line break or a `key: value` and no file bears its name.

    Raises:
        SpecError: for everything a spec cannot say, with `file:line:column`, the cause and a remedy.
    """
    if isinstance(source, Spec):
        return source
    document = _document(source)
    return build(validate(document), document)


def source_of(spec: Spec) -> str | dict[str, Any]:
    """What `read` makes the same spec of, but for its path: its text, or the dict where it was one."""
    try:
        found = json.loads(spec.text)
    except ValueError:
        return spec.text
    is_dict = isinstance(found, dict) and canonical(found) == spec.text
    return found if is_dict else spec.text


def rewritten(spec: Spec, change: Callable[[dict[str, Plain]], Iterable[Key]]) -> Spec:
    """The spec as if its text had been written otherwise: `change` is given a copy of the plain data, and
    answers which entries it has set; all others keep their places.

    Raises:
        SpecError: for what no spec can say.
    """
    source = source_of(spec)
    written = from_yaml(source, spec.at.source) if isinstance(source, str) else from_mapping(source)
    data = {**deepcopy(written.data), "name": spec.name}
    is_set = set(change(data))
    changed = from_mapping(data)

    def place(key: Key) -> ItemPlace:
        beside = any(key[:length] in is_set for length in range(len(key) + 1))
        return _beside(key) if beside or key not in written.places else written.places[key]

    document = replace(changed, source=written.source, places={key: place(key) for key in changed.places})
    return replace(build(validate(document), document), path=spec.path)


def with_train(spec: Spec, settings: Mapping[str, object]) -> Spec:
    """The spec as if its train block had been written with these entries.

    Raises:
        SpecError: for what no train block can say.
    """

    def change(data: dict[str, Any]) -> Iterable[Key]:
        block = data.get("train")
        data["train"] = {**(block if isinstance(block, dict) else {}), **settings}
        return [("train", name) for name in settings]

    return rewritten(spec, change)


def _beside(key: Key) -> ItemPlace:
    """The place of what was said beside the text of a spec: it names the key."""
    at = Position(".".join(map(str, key)), 1, 1)
    return ItemPlace(at, at, None)


def with_frozen(spec: Spec, names: Sequence[str]) -> Spec:
    """The spec with more parameters that training leaves as they are; patterns such as `b*` name them too.

    Raises:
        SpecError: there is none of a name, or nothing is left to train.
    """
    freeze = list(dict.fromkeys((*spec.train.freeze, *names)))
    return with_train(spec, {"freeze": freeze}) if names else spec


def _document(source: object) -> Document:
    if isinstance(source, Mapping):
        return from_mapping(source)
    if not isinstance(source, str | os.PathLike):
        problem = f"a spec of type {type(source).__name__}"
        raise SpecError(problem, remedy="expected a path, YAML text, a dict or a Spec")
    name = os.fspath(source)
    if not isinstance(name, str):
        raise SpecError("a path of bytes", remedy="expected a path of type str")
    if not is_path(source):
        return from_yaml(name, "<text>")
    return from_yaml(text_of_file(Path(name), name), name, Path(name))
