"""Norms, embeddings, positions, attention and blocks: values by loops in NumPy, slopes by complex steps.

PyTorch's layers, where it is installed, are asked for the same numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written
from layer_values import compared, spec_of
from seeds import SEED

from symgrad.elaborate.elaborate import elaborate
from symgrad.errors import SpecError
from symgrad.spec.expand import expand
from symgrad.spec.reader import read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import ModuleType

    Values = Mapping[str, np.ndarray]

RNG = np.random.default_rng(SEED)
MEMORY = (3, 7)
"""Places and features of what is looked at from outside."""


# What the layers are, entry by entry -----------------------------------------------------------


def layer_norm(x: np.ndarray, p: Values, eps: float = 1e-5, name: str = "") -> np.ndarray:
    y = np.empty_like(x)
    for at in np.ndindex(x.shape[:-1]):
        row = x[at]
        mean = sum(row) / len(row)
        variance = sum((v - mean) ** 2 for v in row) / len(row)
        y[at] = (row - mean) / np.sqrt(variance + eps) * p[f"gamma{name}"] + p.get(f"beta{name}", 0)
    return y


def rms_norm(x: np.ndarray, p: Values, eps: float = 1.1920929e-7, name: str = "") -> np.ndarray:
    y = np.empty_like(x)
    for at in np.ndindex(x.shape[:-1]):
        y[at] = x[at] / np.sqrt(sum(v * v for v in x[at]) / x.shape[-1] + eps) * p[f"gamma{name}"]
    return y


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.real.max())
    return np.asarray(powers / powers.sum())


def at_place(v: np.ndarray, place: int, base: float) -> np.ndarray:
    """A vector whose halves turn, entry by entry, the slower the further behind."""
    half = len(v) // 2
    angles = np.array([place * base ** (-k / half) for k in range(half)])
    first, second = v[:half], v[half:]
    turned_first = first * np.cos(angles) - second * np.sin(angles)
    return np.concatenate([turned_first, second * np.cos(angles) + first * np.sin(angles)])


def attention(
    x: np.ndarray,
    p: Values,
    memory: np.ndarray | None = None,
    sees: Callable[[int, int, int], bool] = lambda *_: True,
    base: float = 0,
) -> np.ndarray:
    """One query after another; `sees(row, i, j)` says whether place i looks at place j.

    With a base, queries and keys turn with their places.
    """
    memory = x if memory is None else memory
    groups = p["Wq"].shape[1:-1]
    y = np.zeros_like(x)
    for n, i in np.ndindex(x.shape[:2]):
        for head in np.ndindex(groups):
            shared = head[0]
            bias = {name: p.get(name) for name in ("bq", "bk", "bv")}
            query = x[n, i] @ p["Wq"][:, *head] + (0 if bias["bq"] is None else bias["bq"][head])
            seen = [j for j in range(memory.shape[1]) if sees(n, i, j)]
            keys = [
                m @ p["Wk"][:, shared] + (0 if bias["bk"] is None else bias["bk"][shared]) for m in memory[n]
            ]
            values = [
                m @ p["Wv"][:, shared] + (0 if bias["bv"] is None else bias["bv"][shared]) for m in memory[n]
            ]
            if base:
                query, keys = at_place(query, i, base), [at_place(k, j, base) for j, k in enumerate(keys)]
            if not seen:
                continue
            weights = softmax(np.array([query @ keys[j] for j in seen]) / np.sqrt(len(query)))
            found = sum(w * values[j] for w, j in zip(weights, seen, strict=True))
            y[n, i] += found @ p["Wo"][head]
        y[n, i] += p.get("bo", 0)
    return y


def block(x: np.ndarray, p: Values, norm: Callable[..., np.ndarray]) -> np.ndarray:
    h = x + attention(norm(x, p), p, sees=lambda _, i, j: j <= i)
    inner = norm(h, p, name="_2") @ p["W"] + p["b"]
    return np.asarray(h + np.tanh(inner) @ p["W_2"] + p["b_2"])


def waves(x: np.ndarray, _: Values) -> np.ndarray:
    y = x.copy()
    for i, c in np.ndindex(x.shape[1:]):
        angle = i / 10000 ** ((c - c % 2) / x.shape[2])
        y[:, i, c] += np.cos(angle) if c % 2 else np.sin(angle)
    return y


def turned(x: np.ndarray, _: Values) -> np.ndarray:
    y, half = np.empty_like(x), x.shape[3] // 2
    for i, k in np.ndindex(x.shape[1], half):
        turn = np.exp(1j * i / 10000 ** (k / half))
        first, second = x[:, i, :, k], x[:, i, :, k + half]
        y[:, i, :, k] = first * turn.real - second * turn.imag
        y[:, i, :, k + half] = second * turn.real + first * turn.imag
    return y


# Held against the emitted text -----------------------------------------------------------------

SIZES = [(2, 5, 6), (1, 1, 6), (3, 4, 2)]
LAYERS: dict[str, Callable[..., np.ndarray]] = {
    "layer_norm(x)": layer_norm,
    "layer_norm(x, eps=0.1, bias=false)": lambda x, p: layer_norm(x, p, 0.1),
    "rms_norm(x)": rms_norm,
    "positional(x)": lambda x, p: x + p["P"],
    "sinusoidal(x)": waves,
    "attention(x, heads=2)": attention,
    "attention(x, heads=1, causal=true, bias=false)": lambda x, p: attention(
        x, p, sees=lambda _, i, j: j <= i
    ),
    "transformer_block(x, heads=2, hidden=5, causal=true, activation=tanh)": lambda x, p: block(
        x, p, layer_norm
    ),
    "transformer_block(x, 2, norm=rms_norm, activation=tanh, causal=true)": lambda x, p: block(
        x, p, rms_norm
    ),
}


@pytest.mark.parametrize("call", LAYERS)
def test_layers_are_what_they_are_entry_by_entry(call: str, tmp_path: Path) -> None:
    for number, shape in enumerate(SIZES):
        folder = tmp_path / str(number)
        folder.mkdir()
        compared(spec_of(call, shape), {"x": RNG.normal(size=shape)}, LAYERS[call], folder)


def test_grouped_heads_look_where_the_mask_and_the_order_allow(tmp_path: Path) -> None:
    mask = np.array([[1, 1, 0, 1, 0], [1, 0, 0, 0, 0]])

    def meaning(x: np.ndarray, p: Values, m: np.ndarray) -> np.ndarray:
        return attention(x, p, sees=lambda n, i, j: bool(j <= i and m[n, j]))

    call = "attention(x, heads=6, causal=true, mask=m, kv_heads=2)"
    data = {"x": RNG.normal(size=(2, 5, 12)), "m": mask.astype(float)}
    compared(spec_of(call, (2, 5, 12), m=["n", 5]), data, meaning, tmp_path)


@pytest.mark.parametrize("options", ["", ", causal=true, kv_heads=1"])
def test_what_is_hidden_changes_nothing_and_is_a_number(options: str, tmp_path: Path) -> None:
    """Large numbers behind a mask are not seen; NaN is refused there too, by its place."""
    call = f"attention(x, heads=2, mask=m{options})"
    module = interpreted(written(spec_of(call, (2, 3, 4), m=["n", 3]), tmp_path))
    params, mask = module.unflatten(RNG.normal(size=module.SIZE)), np.array([[1.0, 0, 1], [1, 1, 0]])
    x = RNG.normal(size=(2, 3, 4))
    seen = mask > 0
    found = module.predict(params, x, mask)[seen]
    for value in (0.0, 1e100):
        other = np.where(mask[:, :, None] > 0, x, value)
        np.testing.assert_array_equal(module.predict(params, other, mask)[seen], found)
    with pytest.raises(ValueError, match=r"x: the entry at \[0, 1, 0\] is nan; expected a finite number"):
        module.predict(params, np.where(mask[:, :, None] > 0, x, np.nan), mask)


@pytest.mark.filterwarnings("ignore:invalid value")  # NumPy's of -inf - -inf, in text that is not compiled
@pytest.mark.parametrize(
    ("options", "base", "causal"),
    [("rotary=true", 10000, False), ("rotary=50, causal=true, kv_heads=1", 50, True)],
)
def test_rotary_places_and_lengths_of_rows(options: str, base: float, causal: bool, tmp_path: Path) -> None:
    """A row of length 0 finds nothing, and passes no slope on."""
    lengths = np.array([5, 3, 0, 9])

    def meaning(x: np.ndarray, p: Values, L: np.ndarray) -> np.ndarray:
        return attention(x, p, sees=lambda n, i, j: j < L[n] and (j <= i or not causal), base=base)

    data = {"x": RNG.normal(size=(4, 5, 8)), "L": lengths.astype(float)}
    spec = spec_of(f"attention(x, 2, lengths=L, {options})", (4, 5, 8), L=["n"])
    compared(spec, data, meaning, tmp_path)
    module = interpreted(tmp_path / "module.py")
    params = module.unflatten(RNG.normal(size=module.SIZE))
    given = params, data["x"], np.zeros(4)
    assert (module.forward(*given) == params.y_bo).all()
    of_parameters = module.loss_and_grad(*given, data["x"])[1]._asdict()
    slopes = {**of_parameters, "x": module.input_gradients(*given, data["x"]).x}
    assert all((slope == 0).all() for of, slope in slopes.items() if of != "y_bo")


def test_a_block_with_rotary_places_sees_as_far_as_its_rows_reach(tmp_path: Path) -> None:
    def meaning(x: np.ndarray, p: Values, L: np.ndarray) -> np.ndarray:
        h = x + attention(layer_norm(x, p), p, sees=lambda n, _, j: bool(j < L[n]), base=10000)
        inner = layer_norm(h, p, name="_2") @ p["W"] + p["b"]
        return np.asarray(h + np.tanh(inner) @ p["W_2"] + p["b_2"])

    call = "transformer_block(x, 2, hidden=3, activation=tanh, lengths=L, rotary=true)"
    data = {"x": RNG.normal(size=(2, 3, 4)), "L": np.array([2.0, 3.0])}
    compared(spec_of(call, (2, 3, 4), L=["n"]), data, meaning, tmp_path)


@pytest.mark.parametrize("kind", ["avg", "max"])
@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
def test_pooling_over_time_takes_what_is_there(kind: str, layout: str, tmp_path: Path) -> None:
    """Of a row of which nothing is there, it gives 0."""
    order = [0, 1, 2] if layout == "channels_last" else [0, 2, 1]

    def meaning(x: np.ndarray, _: Values, L: np.ndarray, m: np.ndarray) -> np.ndarray:
        y = np.zeros_like(x)
        for n, row in enumerate(x.transpose(order)):
            seen = [v for i, v in enumerate(row) if i < L[n] and m[n, i] > 0]
            for c in range(x.transpose(order).shape[2]):
                met = [v[c] for v in seen]
                found = (
                    0 if not met else sum(met) / len(met) if kind == "avg" else max(met, key=lambda v: v.real)
                )
                y.transpose(order)[n, :, c] = found
        return y * x

    mask = np.array([[1, 0, 1, 1], [1, 1, 1, 1], [0, 0, 1, 1], [1, 1, 0, 1]], dtype=float)
    shape = tuple(np.array([4, 4, 3])[order])
    pooled = f"global_{kind}_pool(x, lengths=L, mask=m, layout={layout})"
    call = f"reshape({pooled}, [n, {'1, 3' if layout == 'channels_last' else '3, 1'}]) * x"
    data = {"x": RNG.normal(size=shape), "L": np.array([4.0, 0.0, 2.0, 9.0]), "m": mask}
    compared(spec_of(call, shape, L=["n"], m=["n", 4]), data, meaning, tmp_path)


def test_cross_attention_looks_at_other_places_of_other_features(tmp_path: Path) -> None:
    def meaning(x: np.ndarray, p: Values, memory: np.ndarray) -> np.ndarray:
        return attention(x, p, memory)

    data = {"x": RNG.normal(size=(2, 5, 4)), "memory": RNG.normal(size=(2, *MEMORY))}
    spec = spec_of("cross_attention(x, memory, heads=2)", (2, 5, 4), memory=["n", *MEMORY])
    compared(spec, data, meaning, tmp_path)


def test_rotary_places_turn_pairs_of_features(tmp_path: Path) -> None:
    shape = (2, 4, 3, 6)
    compared(spec_of("rotary(x)", shape), {"x": RNG.normal(size=shape)}, turned, tmp_path)


@pytest.mark.parametrize("padding", ["", ", padding=2"])
@pytest.mark.parametrize("axes", [[], [4], [3, 2]])
def test_an_embedding_has_a_row_for_each_label(padding: str, axes: list[int], tmp_path: Path) -> None:
    spec = {
        "name": "table",
        "dtype": "float64",
        "inputs": {"c": {"axes": ["n", *axes], "classes": 5}},
        "targets": {"s": ["n", *axes, 3]},
        "equations": {"y": f"embedding(c, 3{padding})"},
        "loss": "sum(y*s)",
    }
    module = interpreted(written(spec, tmp_path))
    labels = RNG.integers(5, size=(6, *axes))
    weights = RNG.normal(size=(*labels.shape, 3))
    table = RNG.normal(size=(5, 3))
    known = table.copy()
    if padding:
        known[2] = 0
    params = module.unflatten(table.ravel())
    np.testing.assert_array_equal(module.forward(params, labels), known[labels])
    _, grads = module.loss_and_grad(params, labels, weights)
    expected = np.zeros((5, 3))
    for at in np.ndindex(labels.shape):
        expected[labels[at]] += weights[at] if not padding or labels[at] != 2 else 0
    np.testing.assert_allclose(grads.y_W, expected, rtol=1e-13)


# PyTorch ----------------------------------------------------------------------------------------


def module_at(
    call: str, shape: tuple[int, ...], folder: Path
) -> tuple[ModuleType, Any, np.ndarray, np.ndarray]:
    module = interpreted(written(spec_of(call, shape), folder))
    params = module.unflatten(RNG.normal(size=module.SIZE))
    return module, params, RNG.normal(size=shape), RNG.normal(size=shape)


def in_rows(weights: np.ndarray) -> np.ndarray:
    """The weights of all heads as PyTorch has them, [out, in]."""
    return weights.reshape(len(weights), -1).T


def with_weights(torch: Any, layer: Any, **weights: np.ndarray) -> Any:
    """The layer of PyTorch with these weights."""
    layer = layer.double()
    with torch.no_grad():
        for name, value in weights.items():
            layer.get_parameter(name.replace("__", ".")).copy_(torch.tensor(np.asarray(value)))
    return layer


def attention_weights(p: Any) -> dict[str, np.ndarray]:
    return {
        "in_proj_weight": np.concatenate([in_rows(w) for w in (p.y_Wq, p.y_Wk, p.y_Wv)]),
        "in_proj_bias": np.concatenate([b.ravel() for b in (p.y_bq, p.y_bk, p.y_bv)]),
        "out_proj__weight": p.y_Wo.reshape(-1, p.y_Wo.shape[-1]).T,
        "out_proj__bias": p.y_bo,
    }


@pytest.mark.parametrize("kind", ["layer_norm", "rms_norm", "attention", "block"])
def test_values_and_slopes_are_those_of_pytorch(kind: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    calls = {
        "layer_norm": "layer_norm(x)",
        "rms_norm": "rms_norm(x)",
        "attention": "attention(x, heads=3, causal=true)",
        "block": "transformer_block(x, heads=3, hidden=5, causal=true)",
    }
    module, p, x, weights = module_at(calls[kind], (2, 4, 6), tmp_path)
    hidden = torch.triu(torch.ones(4, 4, dtype=torch.bool), 1)
    if kind == "layer_norm":
        layer = with_weights(torch, torch.nn.LayerNorm(6), weight=p.y_gamma, bias=p.y_beta)
    elif kind == "rms_norm":
        layer = with_weights(torch, torch.nn.RMSNorm(6, eps=1.1920929e-7), weight=p.y_gamma)
    elif kind == "attention":
        inner = with_weights(
            torch, torch.nn.MultiheadAttention(6, 3, batch_first=True), **attention_weights(p)
        )
        layer = lambda z: inner(z, z, z, attn_mask=hidden, need_weights=False)[0]  # noqa: E731  # one of four
    else:
        made = torch.nn.TransformerEncoderLayer(6, 3, 5, 0, "gelu", batch_first=True, norm_first=True)
        own = {f"self_attn__{n}": v for n, v in attention_weights(p).items()}
        norms = {"norm1__weight": p.y_gamma, "norm1__bias": p.y_beta}
        norms |= {"norm2__weight": p.y_gamma_2, "norm2__bias": p.y_beta_2}
        dense = {"linear1__weight": p.y_W.T, "linear1__bias": p.y_b}
        dense |= {"linear2__weight": p.y_W_2.T, "linear2__bias": p.y_b_2}
        inner = with_weights(torch, made, **own, **norms, **dense)
        layer = lambda z: inner(z, src_mask=hidden)  # noqa: E731  # one of four
    z = torch.tensor(x, requires_grad=True)
    found = layer(z)
    (found * torch.tensor(weights)).sum().backward()
    np.testing.assert_allclose(module.forward(p, x), found.detach().numpy(), rtol=1e-11, atol=1e-13)
    slopes = module.loss_and_grad(p, x, weights) and module.input_gradients(p, x, weights).x
    np.testing.assert_allclose(slopes, z.grad.numpy(), rtol=1e-9, atol=1e-11)


# What is refused --------------------------------------------------------------------------------

LABELS = {"c": {"axes": ["n", 4], "classes": 5}}


@pytest.mark.parametrize(
    ("equation", "problem"),
    [
        ("attention(x, heads=4)", "4 heads cannot share 6 features; expected a number of heads that div"),
        ("attention(x, heads=6, kv_heads=4)", "6 heads cannot share 4 heads of keys and values"),
        ("attention(x, heads=0)", "heads"),
        ("attention(x)", "attention lacks 'heads'; write attention"),
        ("attention(x, heads=2, causal=1)", "causal: expected true or false; write causal=true"),
        ("attention(x, heads=2, mask=true)", r"mask is true; expected a tensor \[batch, places\]"),
        ("attention(x, heads=2, mask=0)", r"attention: mask is 0; expected a tensor \[batch, places\]"),
        ("attention(x, heads=2, lengths=3)", r"attention: lengths is 3; expected a tensor \[batch\], by"),
        ("attention(x, heads=2, mask=c)", "mask takes numbers, 'c' holds integer labels; declare 'c' wi"),
        ("attention(x, heads=2, mask=z)", "attention: mask is of 6 places, x of 4; expected as many"),
        ("attention(x, heads=2, mask=w[:, :3, 0])", "attention: mask is of 3 places, x of 4"),
        ("attention(x, heads=2, mask=2 * x)", r"\[batch, places\], '2 \* x' is \[n, 4, 6\]"),
        ("cross_attention(x, 1, heads=2)", "cross_attention: memory is 1; expected a tensor"),
        ("graph_conv(x, 0, 3)", r"adjacency is 0; expected a tensor \[..., nodes, nodes\]"),
        ("attention(x, heads=2, lengths=w)", r"attention takes \[batch\], 'w' is \[n, 4, 5\]"),
        ("attention(x, heads=2, rotary=true)", "half of the 3 features of a head are needed"),
        ("attention(x, heads=1, rotary=-1)", "rotary is -1; expected true, or the base"),
        ("global_max_pool(x, mask=true)", r"mask is true; expected a tensor \[batch, places\]"),
        ("global_max_pool(x, mask=z)", "global_max_pool: mask is of 6 places, x of 4"),
        ("attention(z, heads=2)", r"attention takes \[batch, places, features\], 'z' is \[n, 6\]"),
        ("transformer_block(x, heads=2, norm=relu)", "unknown norm of a block; write norm=layer_norm"),
        ("transformer_block(x, heads=4)", "4 heads cannot share 6 features"),
        ("embedding(x, 3)", r"embedding takes integer labels, 'x' has none; .* x: \{axes: \[n, 4, 6\], cl"),
        ("embedding(x + 1, 3)", "embedding takes integer labels"),
        ("embedding(c, 3, padding=5)", "the padding 5 is none of the labels below 5"),
        ("embedding(c, 3, padding=-1)", "the padding -1 is none of the labels below 5"),
        ("attention(x, heads=2, mask=w)", r"attention takes \[batch, places\], 'w' is \[n, 4, 5\]"),
        ("cross_attention(x, z, heads=2)", r"cross_attention takes \[batch, places, features\], 'z' is"),
        ("cross_attention(x, memory, heads=2)", "unknown name 'memory'"),
        (
            "attention(x, heads=n)",
            "attention: n is known only with the data; give that axis a size: axes: {n:",
        ),
        ("feed_forward(x, 0)", "feed_forward: hidden is 0; expected a whole number from 1"),
        ("transformer_block(x, 2, hidden=-3)", "transformer_block: hidden is -3"),
        ("transformer_block(x, 2, hidden=1.5)", "hidden is no whole number"),
        ("transformer_block(x, 2, hidden=true)", "hidden is no whole number"),
        ("layer_norm(x, eps=0)", "eps"),
        ("sinusoidal(w)", "half of 5 features are needed; expected an even number"),
        ("layer_norm(sum(x))", "at least one axis|layer_norm takes"),
    ],
)
def test_wrong_calls_are_refused_with_their_place(equation: str, problem: str) -> None:
    spec = {"inputs": {"x": ["n", 4, 6], "z": ["n", 6], "w": ["n", 4, 5], **LABELS}}
    with pytest.raises(SpecError, match=rf"equations\.y:1:\d+: .*{problem}"):
        elaborate(expand(read({**spec, "equations": {"y": equation}})))


def test_what_a_block_brings_along_is_named_after_its_equation_or_number() -> None:
    spec: dict[str, Any] = {"inputs": {"x": ["n", 4, 6]}}
    graph = expand(read({**spec, "equations": {"h": "transformer_block(x, heads=2)"}}))
    names = [
        "gamma",
        "beta",
        "Wq",
        "bq",
        "Wk",
        "bk",
        "Wv",
        "bv",
        "Wo",
        "bo",
        "gamma_2",
        "beta_2",
        "W",
        "b",
        "W_2",
        "b_2",
    ]
    assert [p.name for p in graph.parameters] == [f"h_{name}" for name in names]
    layers = ["dense(6)", {"repeat": {"times": 2, "layers": ["transformer_block(heads=2)"]}}]
    chain = [p.name for p in expand(read({**spec, "layers": layers})).parameters]
    assert {"gamma2", "Wq2", "W2", "W2_2", "gamma3_2", "bo3"} <= {*chain}
