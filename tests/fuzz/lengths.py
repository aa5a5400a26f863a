"""Random networks of recurrent layers whose rows end where lengths say, some before their first step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fuzz.drawing import Draw, steps_at_once

if TYPE_CHECKING:
    from random import Random


def lengths_spec(random: Random) -> dict[str, Any]:
    """One or two layers upon each other, or side by side, and the last step of each row."""
    draw = Draw(random)
    sizes, steps = random.sample([1, 2, 3, 4], 4), draw.one((1, 2, 3, 4, 6))
    is_free = draw.chance(0.4)
    axis = "T" if is_free or draw.chance(0.5) else steps
    rows = {"axes": ["batch"], "lengths": axis}
    equations: dict[str, str] = {}
    now = "x"
    for number in range(draw.whole(1, 2)):
        ends, both = draw.chance(0.8), draw.chance(0.4)
        said = ", lengths=n" * ends + ", bidirectional=true" * both
        layer = f"{draw.one(('rnn', 'gru', 'lstm'))}({now}, {sizes[number + 1]}{said})"
        if draw.chance(0.25):
            layer = f"tanh({layer}) + {draw.one(('0.5', '1/3'))}"
        equations[f"h{number}"] = layer
        now = f"h{number}"
    kinds = (
        f"last({now}, lengths=n)",
        f"last({now}, lengths=n)",
        f"last({now})",
        f"sin(mean({now}, axis=1))",
    )
    equations["y"] = draw.one(kinds)
    outputs = ["y", now] if draw.chance(0.5) else ["y"]
    if not any("lengths=n" in formula for formula in equations.values()):
        equations["y"] = f"last({now}, lengths=n)"
    parts = steps_at_once(random, steps)
    return {
        "name": "lengths",
        "dtype": "float64",
        "axes": {"T": steps} if axis == "T" and not is_free else {},
        "inputs": {"x": ["batch", axis, sizes[0]], "n": rows},
        "equations": equations,
        "outputs": outputs,
        "loss": " + ".join(f"mean(({name} - 0.2)**2)" for name in outputs),
        "gradients": ["x"] if draw.chance(0.5) else [],
        "train": {"optimizer": "sgd(learning_rate=0.1)", "epochs": 1, **parts},
    }
