"""Training standardises what inputs measure, and leaves as they are those that say what is there, or counts.

Random specs put inputs of known meaning at all places where the language takes them. Beside each the same
spec is trained on data that were scaled by hand.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written
from seeds import SEED

import symgrad as sg
from symgrad.spec import library
from symgrad.training.dataset.data import load_data

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

ROWS, STEPS = 12, 4
HIDING = {
    "lengths": ("n", "last(rnn(x, 2, lengths={n}), {n})"),
    "lengths of a pool": ("n", "global_avg_pool(x, lengths={n})"),
    "lengths of a block": ("n", "last(transformer_block(x, 1, lengths={n}))"),
    "a mask": ("m", "global_max_pool(x, {m})"),
    "a mask of attention": ("m", "last(attention(x, 1, mask={m}))"),
    "a mask that is a feature too": ("m", "concat(global_max_pool(x, mask={m}), {m})"),
    "neighbours": ("a", "flatten(graph_conv(x, {a}, 2), 1)"),
    "a condition": ("m", "flatten(where({m} > 0, q, 0 * q), 1)"),
    "a condition in a function": ("m", "flatten(seen({m}, q), 1)"),
}
"""What hides places of x: the input that says so, and the formula that it stands in."""
WRITTEN_OUT = {
    "own lengths": ("n", "where(j < {}[i], x[i,j,k], 0)"),
    "own lengths, as a difference": ("n", "where(j - {}[i] < 0, x[i,j,k], 0)"),
    "own lengths in a function": ("n", "before(j, {}[i], x[i,j,k])"),
    "own mask": ("m", "where({}[i,j] > 0.5, x[i,j,k], 0)"),
    "own mask that only counts": ("m", "where({}[i,j] == 1, x[i,j,k], 0)"),
}
"""The same in index notation."""
LOSSES = {
    "weights": "mse(y, t, weights={})",
    "weights, and a sum beside": "mse(y, t, weights={}) + 0.1 * l2(y_W)",
    "weights by position": "weighted_mean((y - t)**2, {})",
    "weights by arithmetic": "mean({} * (y[:, 0] - t[:, 0])**2) / mean({}) + 0.1 * l2(y_W)",
    "weights in a function": "mean(weighed(y[:, 0], t[:, 0], {}))",
    "a variance": "gaussian_nll(y[:, 0], t[:, 0], {})",
    "weights of positives": "binary_cross_entropy_with_logits(y[:, 0], t[:, 0], {})",
    "weights where no target is": "weighted_mean((r - x[:, -1])**2, {}) + mse(y, t)",
    "nothing": "mse(y, t)",
}
"""Where numbers stand that say how much rows count."""
WAYS = {
    "its name": "{}",
    "another name": "also_{}",
    "arithmetic": "(3 * {} - {}) / 2",
    "a function": "same({})",
}


def drawn(seed: int) -> dict[str, Any]:
    """A spec in which x and q are quantities, and n, m, w and a are none."""
    rng = np.random.default_rng(seed)
    hiding, by_index, loss = (str(rng.choice([*table])) for table in (HIDING, WRITTEN_OUT, LOSSES))
    way, way_of_weights = (WAYS[str(rng.choice([*WAYS]))] for _ in range(2))
    used, formula = HIDING[hiding]
    given, networks = way.format(used, used), {}
    if hiding != "lengths" and rng.random() < 0.5:
        inside = {"p": formula.format(**{used: used}), "v": "dense(p, 2)"}
        networks, hidden = {f"net(x, q, {used})": {"equations": inside}}, f"net(x, q, {given})"
    else:
        hidden = formula.format(**{used: given})
    also, of_entry = WRITTEN_OUT[by_index]
    return {
        "name": "said",
        "dtype": "float64",
        "inputs": {
            "x": ["N", STEPS, 2],
            "q": ["N", STEPS],
            "n": ["N"],
            "m": ["N", STEPS],
            "w": ["N"],
            "a": ["N", STEPS, STEPS],
        },
        "targets": {"t": ["N", 1]},
        "functions": {
            "same(a)": "a",
            "seen(a, b)": "where(a > 0, b, 0 * b)",
            "before(j, a, b)": "where(j < a, b, 0)",
            "weighed(a, b, c)": "c * (a - b)**2",
        },
        "networks": networks,
        "equations": {
            **{f"also_{name}": name for name in "nmwa"},
            "p": hidden,
            "z[i,j,k]": of_entry.format(rng.choice([also, f"also_{also}"])),
            "r": "dense(x[:, 0], 2)",
            "y": "dense(concat(p, flatten(z, 1), q, r), 1)",
        },
        "loss": LOSSES[loss].format(*[way_of_weights.format("w", "w")] * 2),
        "train": {"optimizer": "sgd(learning_rate=0.01)", "epochs": 2, "batch_size": 5},
    }


def data_of(seed: int) -> dict[str, NDArray[np.float64]]:
    """Numbers far from mean 0 and deviation 1."""
    rng = np.random.default_rng(seed)
    return {
        "x": rng.normal(3, 2, (ROWS, STEPS, 2)),
        "q": rng.normal(-2, 3, (ROWS, STEPS)),
        "n": rng.integers(0, STEPS + 1, ROWS).astype(float),
        "m": rng.integers(0, 2, (ROWS, STEPS)).astype(float),
        "w": rng.uniform(0.5, 2, ROWS),
        "a": rng.integers(0, 2, (ROWS, STEPS, STEPS)).astype(float),
        "t": rng.uniform(size=(ROWS, 1)),
    }


@pytest.mark.parametrize("seed", range(SEED, SEED + 8))
def test_training_is_that_on_quantities_scaled_by_hand(seed: int, tmp_path: Path) -> None:
    spec, data = drawn(seed), data_of(seed)
    by_hand = dict(data)
    for name in "xq":
        by_hand[name] = (data[name] - data[name].mean(axis=0)) / data[name].std(axis=0)
    asked = {**spec, "train": {**spec["train"], "standardize": True}}
    # Python's numbers tell of inf - inf where a row is hidden as a whole, compiled code does not.
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore", sg.SpecWarning)
        module = interpreted(written(asked, tmp_path))
        run = sg.train(asked, module, data=data, progress=False)
        plain = sg.train(spec, interpreted(written(spec, tmp_path)), data=by_hand, progress=False)
    found, expected = (module.flatten(of.checkpoint.fitted) for of in (run, plain))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    assert not np.isnan(found).any()
    assert "'n' and 'm' and 'w' and 'a' stayed as in the data" in str(run)
    assert "stayed" not in str(plain)


def test_every_operand_says_whether_it_hides() -> None:
    for entry in library.layers.values():
        hiding = {h.operand for form in (entry, *(form for _, form in entry.forms)) for h in form.hiding}
        assert {*entry.operands} - hiding <= {"x", "other", "memory", "labels"}, entry.name


def test_what_is_compared_and_measured_is_doubted() -> None:
    """A threshold in the data's own numbers would be another one."""
    spec: dict[str, Any] = {
        "inputs": {"x": ["N", 2]},
        "targets": {"t": ["N", 1]},
        "equations": {"y": "dense(x * where(x > 65, 1, 0.1), 1)"},
        "loss": "mse(y, t)",
        "train": {"standardize": True},
    }
    with pytest.warns(sg.SpecWarning, match=r"equations\.y:1:17: a condition on 'x'.*scale in the formula"):
        sg.read(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("error", sg.SpecWarning)
        sg.read({**spec, "train": {}})
        sg.read({**spec, "equations": {"y": "dense(where(x > 65, 1, 0.1), 1)"}})


LABELLED: dict[str, Any] = {
    "name": "labelled",
    "inputs": {"x": ["N", STEPS, 2], "n": ["N"]},
    "targets": {"t": {"axes": ["N", 3], "classes": 4}, "u": ["N"]},
    "networks": {"net(a, b)": {"equations": {"p": "attention(a, 1, lengths=b)", "v": "dense(p, 5)"}}},
    "equations": {"k": "n", "y": "net(x, k)", "L": "ctc(y, t, lengths=k, label_lengths=u)"},
    "loss": "mean(L)",
}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"n": [1, 5, 3]}, r"n\[1\]: 5 is no length of a row \(for 'n'\); .* 0 to 4, the places of 'x'"),
        ({"u": [1, 1, 4]}, r"u\[2\]: 4 is no length of a row \(for 'u'\); .* 0 to 3, the places of 't'"),
        ({"u": [0.5, 1, 1]}, r"u\[0\]: 0.5 is no length"),
    ],
)
def test_lengths_are_held_against_data_by_whatever_call(wrong: dict[str, Any], told: str) -> None:
    rng = np.random.default_rng(0)
    data = {
        "x": rng.normal(size=(3, STEPS, 2)),
        "n": [4, 4, 0],
        "t": rng.integers(0, 4, (3, 3)),
        "u": [3, 0, 1],
    }
    load_data(sg.read(LABELLED), data)
    with pytest.raises(sg.DataError, match=told):
        load_data(sg.read(LABELLED), {**data, **wrong})
