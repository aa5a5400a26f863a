"""Faults planted in the text of a module, whatever its indices are called."""

from __future__ import annotations

import re

_NAME = re.compile(r"\{(\w+)\}")


def planted(text: str, right: str, wrong: str) -> str:
    """The text with `wrong` in place of `right`: in both, `{i}` is an index of any name, the same everywhere.

    Fails where the text has nothing of that form.
    """
    pattern, seen = "", set()
    for number, part in enumerate(_NAME.split(right)):
        if number % 2:
            pattern += f"(?P={part})" if part in seen else rf"\b(?P<{part}>[a-z]\w*)\b"
            seen.add(part)
        else:
            pattern += re.escape(part)
    found, count = re.subn(pattern, lambda match: _NAME.sub(lambda name: match[name[1]], wrong), text)
    assert count, f"nowhere in the text: {right}"
    return found
