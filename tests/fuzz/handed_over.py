"""Rows that are scaled, centred and standardised, and read again behind sums: what passes hand on.

Most of it is formed again where it is read; between it stand products, choices and functions, which are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fuzz.drawing import Draw

if TYPE_CHECKING:
    from random import Random

Spec = dict[str, Any]

_MEAN, _VAR = "mean({of}, axis={axis})", "var({of}, axis={axis})"
_OF_ROWS = (
    "{of} + {p}",
    "{p} * {of}",
    "{p} * {of} - {q}",
    "({of} - {p}) / sqrt({q}**2 + 0.5)",
    "{of} / ({q}**2 + 1)",
)
_OF_SUMS = (
    f"{{of}} - {_MEAN}",
    f"({{of}} - {_MEAN}) / sqrt({_VAR} + 0.1)",
    f"{{of}} / sqrt({_MEAN.format(of='({of})**2', axis='{axis}')} + 0.3)",
)
_STANDARDISED = (f"{{p}} * ({{of}} - {_MEAN}) / sqrt({_VAR} + 0.1) + {{q}}",)
_OTHERS = ("tanh({of})", "relu({of})", "{of} * {other}", "{of} - {other}", "{of} @ {W}", "{of}**2 / 2")
_ALONG = ("0", "0", "-1, keepdims=true")


def handed_over_spec(random: Random) -> Spec:
    """Some such formulas one behind another, and a loss of several of them."""
    draw = Draw(random)
    width, names = draw.whole(2, 5), ["x"]
    parameters: dict[str, list[int]] = {}
    equations: dict[str, str] = {}

    def parameter(*axes: int) -> str:
        name = f"p{len(parameters)}"
        parameters[name] = [*axes]
        return name

    for number in range(draw.whole(3, 8)):
        form = draw.one(draw.one((_OF_ROWS, _OF_SUMS, _STANDARDISED, _OTHERS)) if number else _OF_ROWS)
        filled = {"of": draw.one(names[-2:]), "other": draw.one(names), "axis": draw.one(_ALONG)}
        filled |= {name: parameter(width) for name in "pq" if f"{{{name}}}" in form}
        filled |= {"W": parameter(width, width)} if "{W}" in form else {}
        equations[f"h{number}"] = form.format(**filled)
        names = [*(name for name in names if name != "x"), f"h{number}"]
    read = sorted({names[-1], *(draw.one(names) for _ in range(draw.whole(0, 2)))})
    return {
        "name": "handed_over",
        "dtype": "float64",
        "inputs": {"x": ["batch", width]},
        "targets": {"t": ["batch", width]},
        "parameters": parameters,
        "equations": equations,
        "loss": " + ".join(f"mse({name}, t)" for name in read),
        "train": {"optimizer": draw.one(("sgd(learning_rate=0.1)", "momentum(learning_rate=0.1)", "adam"))},
    }
