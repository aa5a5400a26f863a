"""Random well-formed networks, for hypothesis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

LOSSES = {
    "mse(y, t)": "values",
    "huber(y, t, delta=0.5) + 0.01*sum(U**2)": "values",
    "mean(log(1 + (y - t)**2))": "values",
    "binary_cross_entropy_with_logits(y, t)": "values",
    "softmax_cross_entropy(y, t)": "labels",
    "-mean(sum(t * log(softmax(y)), axis=1))": "values",
}
ACTIVATIONS = (
    "tanh",
    "sigmoid",
    "relu",
    "silu",
    "softplus",
    "gelu",
    "elu",
    "mish",
    "softsign",
    "hardswish",
    "prelu",
)
SAME_WIDTH = (
    "{a} * tanh({b})",
    "{a} - {b} / (1 + abs({b}))",
    "where({a} > {b}, {a}, 0.3*{b})",
    "max({a}, {b})",
    "{a} * exp(-{b}**2)",
    "({a} + {b}) / sqrt(1 + {a}**2)",
)
ALONE = (
    "{a} - mean({a}, axis=1, keepdims=true)",
    "softmax({a})",
    "{a} / sqrt(0.1 + mean({a}**2, axis=0, keepdims=true))",
    "sin({a}) * slope",
    "log_softmax({a})",
)


@st.composite
def networks(draw: Callable[..., Any], loss: str) -> dict[str, Any]:
    """A graph of two to five equations over one input, with a parameter that may be used several times."""
    width = {"x": draw(st.integers(2, 4))}
    shared = draw(st.sampled_from((2, 3, 5)))
    equations: dict[str, str] = {}
    for number in range(draw(st.integers(2, 5))):
        name, source = f"h{number}", draw(st.sampled_from(sorted(width)))
        partners = [n for n in sorted(width) if width[n] == width[source]]
        kind = draw(st.sampled_from(("dense", "shared", "pair", "alone")))
        if kind == "shared" and width[source] == shared:
            equations[name], width[name] = f"tanh({source} @ U)", shared
        elif kind == "pair":
            partner = draw(st.sampled_from(partners))
            equations[name] = draw(st.sampled_from(SAME_WIDTH)).format(a=source, b=partner)
            width[name] = width[source]
        elif kind == "alone":
            equations[name], width[name] = draw(st.sampled_from(ALONE)).format(a=source), width[source]
        else:
            units = draw(st.sampled_from((shared, 4)))
            equations[name] = f"dense({source}, {units}, activation={draw(st.sampled_from(ACTIVATIONS))})"
            width[name] = units
    equations["y"] = f"dense(h{len(equations) - 1}, 3) + 0.1*sum(U)"
    labelled = LOSSES[loss] == "labels"
    return {
        "name": "random_net",
        "inputs": {"x": ["n", width["x"]]},
        "targets": {"t": {"axes": ["n"], "classes": 3} if labelled else ["n", 3]},
        "parameters": {
            "U": {"axes": [shared, shared], "init": "normal(std=0.5)"},
            "slope": {"axes": [], "init": 1},
        },
        "equations": equations,
        "loss": loss,
        "train": {"optimizer": draw(st.sampled_from(("sgd", "momentum", "adam")))},
    }
