"""The work that symgrad and its peers are timed on: networks, sizes, batches, optimisers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from benchmarks.networks import NETWORKS, shapes_of

if TYPE_CHECKING:
    from collections.abc import Iterator

Array = np.ndarray[Any, Any]

LENGTH, CHANNELS, FEATURES = 5, 4, 3  # the sizes of examples/attention.yaml
EXAMPLES = Path(__file__).parent.parent.parent / "examples"


@dataclass(frozen=True)
class Problem:
    """Dense layers of these sizes with an activation between them, a loss, an optimiser, and a batch.

    An epoch is `steps` batches of `batch` rows, drawn anew: the rows are gathered by their numbers.
    `kind` is what is learnt: `classes` has softmax cross-entropy on the last layer; `squares` compares its
    ReLU with the labels' one-hot rows, so that no softmax is left; `binary` has the cross-entropy of one
    score; `attention` is examples/attention.yaml, without sizes. `example` names a spec to use as it is,
    `network` one of networks.py: then there are no sizes, and the first losses of all must agree.
    `derives` is what is computed of the batches instead of training on them: `hvp`, the Hessian of the loss
    times `direction()`, or `per_sample`, the gradient of every row's own loss. The gradient of a batch may be
    summed over pieces of so many rows as `piece` says; symgrad chooses pieces by itself.
    """

    name: str
    sizes: tuple[int, ...]
    batch: int
    steps: int
    activation: Literal["relu", "tanh"] = "relu"
    optimizer: Literal["sgd", "adam"] = "sgd"
    learning_rate: float = 0.01
    kind: Literal["classes", "squares", "binary", "attention"] = "classes"
    example: str = ""
    network: str = ""
    dtype: Literal["float32", "float64"] = "float32"
    derives: Literal["", "hvp", "per_sample"] = ""
    piece: int = 0

    @property
    def is_compared_at_first(self) -> bool:
        """Whether a peer with another first number is refused."""
        return bool(self.network or self.derives)

    @property
    def rows(self) -> int:
        """The rows of an epoch."""
        return self.batch * self.steps

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of W1, b1, W2, b2, ... or of Wq, Wk, Wv."""
        if self.network:
            return tuple(shapes_of(self.network).values())
        if self.kind == "attention":
            return ((CHANNELS, FEATURES),) * 3
        pairs = zip(self.sizes, self.sizes[1:], strict=False)
        return tuple(shape for rows, columns in pairs for shape in ((rows, columns), (columns,)))

    def weights(self) -> list[Array]:
        """The first values of the parameters, the same for all: biases are not zero."""
        return self._parameters(1)

    def direction(self) -> list[Array]:
        """What a Hessian is multiplied by, as the parameters."""
        return self._parameters(4)

    def _parameters(self, seed: int) -> list[Array]:
        rng = np.random.default_rng(seed)
        widths = (math.prod(shape[:-1]) ** -0.5 if len(shape) > 1 else 0.1 for shape in self.shapes)
        draws = (rng.normal(0, width, shape) for width, shape in zip(widths, self.shapes, strict=True))
        return [array.astype(self.dtype) for array in draws]

    def data(self) -> tuple[Array, Array]:
        """Inputs; labels in int64, or values. Of a residual the two inputs of the network."""
        rng = np.random.default_rng(2)
        if self.network:
            declared = NETWORKS[self.network]
            x, t = (declared["inputs"] | declared.get("targets", {})).values()
            return self._drawn(rng, x), self._drawn(rng, t)
        if self.kind == "attention":
            x = rng.standard_normal((self.rows, LENGTH, CHANNELS), np.float32)
            return x, rng.standard_normal((self.rows, LENGTH, FEATURES), np.float32)
        x = rng.standard_normal((self.rows, self.sizes[0]), np.float32)
        if self.kind == "binary":
            return x, (x[:, :1] > rng.standard_normal((self.rows, 1), np.float32)).astype(np.float32)
        return x, rng.integers(0, self.sizes[-1], self.rows)

    def _drawn(self, rng: np.random.Generator, declared: Any) -> Array:
        """Numbers, or labels, for an input or a target of a network."""
        if isinstance(declared, dict):
            return rng.integers(0, declared["classes"], (self.rows, *declared["axes"][1:]))
        return rng.standard_normal((self.rows, *declared[1:]), np.float32).astype(self.dtype)

    def orders(self) -> Iterator[Array]:
        """The order of the rows in each epoch, without end."""
        rng = np.random.default_rng(3)
        while True:
            yield rng.permutation(self.rows)

    def spec(self) -> str | dict[str, Any]:
        """The same as a symgrad spec: the path of a file, or a dict."""
        if self.example:
            return str(EXAMPLES / self.example)
        rule = f"{self.optimizer}(learning_rate={self.learning_rate})"
        name = "bench_" + "".join(letter if letter.isalnum() else "_" for letter in self.name)
        about: dict[str, Any] = {
            "name": name,
            "dtype": self.dtype,
            "train": {"optimizer": rule, "batch_size": self.batch},
        }
        if self.derives:
            about |= {"derive": [self.derives]}
        if self.network:
            return about | NETWORKS[self.network]
        return about | (_ATTENTION if self.kind == "attention" else self._layers())

    def _layers(self) -> dict[str, Any]:
        *hidden, last = self.sizes[1:]
        top = f"dense({last}, activation=relu)" if self.kind == "squares" else f"dense({last})"
        losses = {
            "classes": "softmax_cross_entropy",
            "squares": f"mse(A{len(self.sizes) - 1}, onehot(t))",
            "binary": "binary_cross_entropy_with_logits",
        }
        return {
            "inputs": {"x": ["batch", self.sizes[0]]},
            "targets": {"t": ["batch", 1] if self.kind == "binary" else {"axes": ["batch"], "classes": last}},
            "layers": [*(f"dense({units}, activation={self.activation})" for units in hidden), top],
            "loss": losses[self.kind],
        }


_ATTENTION = {
    "inputs": {"x": ["batch", LENGTH, CHANNELS]},
    "targets": {"t": ["batch", LENGTH, FEATURES]},
    "parameters": {name: [CHANNELS, FEATURES] for name in ("Wq", "Wk", "Wv")},
    "equations": {
        "Q": "x @ Wq",
        "K": "x @ Wk",
        "V": "x @ Wv",
        "S[b,i,j]": f"sum(Q[b,i,d] * K[b,j,d], d) / sqrt({FEATURES})",
        "P[b,i,j]": "exp(S[b,i,j]) / sum(exp(S[b,i,k]), k)",
        "O[b,i,d]": "sum(P[b,i,j] * V[b,j,d], j)",
    },
    "loss": "mean((O - t)**2)",
}

_DTYPES: tuple[Literal["float32"], Literal["float64"]] = ("float32", "float64")
_FURTHER: tuple[tuple[Literal["hvp", "per_sample"], str, tuple[int, ...], int, int], ...] = (
    ("hvp", "64-64-10", (64, 64, 10), 32, 100),
    ("hvp", "64-64-10", (64, 64, 10), 256, 40),
    ("hvp", "784-128-10", (784, 128, 10), 32, 40),
    ("hvp", "784-128-10", (784, 128, 10), 256, 10),
    ("per_sample", "64-64-10", (64, 64, 10), 256, 10),
    ("per_sample", "784-128-10", (784, 128, 10), 256, 2),
)
SMALL, MIDDLE, LARGE = (64, 32, 32, 10), (784, 128, 128, 10), (784, 1000, 1000, 2)
MANY_CLASSES = (64, 32, 32, 1000)

PROBLEMS = (  # each beside the one it is compared with: machines change their speed in the course of minutes
    Problem("2-4-4-2 b1", (2, 4, 4, 2), 1, 2000),
    Problem("2-4-4-2 b32", (2, 4, 4, 2), 32, 1000),
    Problem("64-32-32-10 b32", SMALL, 32, 500),
    Problem("64-32-32-10 b32 tanh", SMALL, 32, 500, activation="tanh"),
    Problem("784-128-128-10 b64", MIDDLE, 64, 50),
    Problem("784-128-128-10 b64 tanh", MIDDLE, 64, 50, activation="tanh"),
    Problem("784-1000-1000-2 b100", LARGE, 100, 5),
    Problem("784-1000-1000-2 b100 tanh", LARGE, 100, 5, activation="tanh"),
    Problem("784-1000-1000-10 b512", (784, 1000, 1000, 10), 512, 3),
    Problem("64-32-32-1000 b32", MANY_CLASSES, 32, 100),
    Problem("64-32-32-1000 b32 tanh", MANY_CLASSES, 32, 100, activation="tanh"),
    Problem("64-32-32-1000 b32 relu at the end", MANY_CLASSES, 32, 100, kind="squares"),
    Problem("20 layers of 64 b32", (*(64,) * 20, 10), 32, 100),
    Problem("attention b32", (), 32, 200, kind="attention"),
    Problem("logistic 100000x50 b250", (50, 1), 250, 400, kind="binary"),
    Problem("64-32-32-10 b32 adam", SMALL, 32, 500, optimizer="adam", learning_rate=1e-4),
    Problem("784-128-128-10 b64 adam", MIDDLE, 64, 50, optimizer="adam", learning_rate=1e-5),
    Problem("784-1000-1000-2 b100 adam", LARGE, 100, 5, optimizer="adam", learning_rate=1e-5),
)

NETWORK_PROBLEMS = (
    Problem("conv1d 100x4 b32", (), 32, 16, network="conv1d"),
    Problem("LeNet 8x8 b64", (), 64, 32, network="lenet 8"),
    Problem("LeNet 28x28 b64", (), 64, 8, network="lenet 28"),
    Problem("two convolutions 16x16x32 b32", (), 32, 4, network="convolutions"),
    Problem("ResNet block 32x32x16 b32", (), 32, 4, network="resnet 16"),
    Problem("ResNet block 32x32x32 b32", (), 32, 2, network="resnet 32"),
    Problem("attention T16 d32 b32", (), 32, 32, network="attention 16"),
    Problem("attention T128 d256 b8", (), 8, 4, network="attention 128"),
    Problem("attention T128 d256 b8 heads first", (), 8, 4, network="attention 128 heads first"),
    Problem("GPT 1 block d64 T32 b16", (), 16, 8, network="gpt 1"),
    Problem("GPT 2 blocks d64 T32 b16", (), 16, 8, network="gpt 2"),
    Problem("GPT 4 blocks d64 T32 b16", (), 16, 4, network="gpt 4"),
    Problem("GPT 2 blocks d128 T64 b8", (), 8, 4, network="gpt 2 128x64"),
    Problem("GPT 2 blocks d128 T128 b8", (), 8, 2, network="gpt 2 128x128"),
    Problem("Bengio 64 tokens b64", (), 64, 50, network="bengio"),
    Problem("Bengio 10000 tokens b32", (), 32, 10, network="bengio 10000"),
    Problem("LSTM 64 T20 b32", (), 32, 16, network="lstm 64x20"),
    Problem("LSTM 64 T100 b32", (), 32, 4, network="lstm 64x100"),
    Problem("LSTM 256 T20 b32", (), 32, 4, network="lstm 256x20"),
    Problem("GRU 64 T20 b32", (), 32, 16, network="gru 64x20"),
    Problem("GRU 256 T20 b32", (), 32, 4, network="gru 256x20"),
)  # convolutions, attention, transformers, embeddings, recurrences

RESIDUAL_PROBLEMS = tuple(
    Problem(
        f"{equation.capitalize()} {sizes} {points} points {dtype}", (), points, 4 if points == 1000 else 1,
        learning_rate=1e-4, network=f"{equation} {network}", dtype=dtype,
        piece=min(1000, points // 4),
    )
    for equation in ("burgers", "poisson")
    for sizes, network in (("2-20-20-20-1", "3x20"), ("2-50x4-1", "4x50"))
    for points in (1000, 20_000)
    for dtype in _DTYPES
)  # fmt: skip

FURTHER_PROBLEMS = tuple(
    Problem(f"{derives} {name} b{batch}", sizes, batch, steps, activation="tanh", derives=derives)
    for derives, name, sizes, batch, steps in _FURTHER
)

ALL_PROBLEMS = (*PROBLEMS, *NETWORK_PROBLEMS, *RESIDUAL_PROBLEMS, *FURTHER_PROBLEMS)

DIGITS = Problem(
    "digits", (64, 64, 10), 32, 1, optimizer="adam", learning_rate=0.003, example="digits.yaml"
)  # one step: what the first one costs


def deep(layers: int) -> Problem:
    """So many equal layers, and one more for ten classes."""
    return Problem(f"{layers} layers", (*(64,) * (layers + 1), 10), 32, max(10, 1000 // layers))


def wide(units: int) -> Problem:
    """Two equal layers of so many units, and one more for ten classes."""
    return Problem(f"{units} units", (units, units, units, 10), 32, max(4, 100_000 // units**2))


def batched(rows: int) -> Problem:
    """Batches of so many rows."""
    return Problem(f"batches of {rows}", SMALL, rows, max(10, 10_000 // rows))


def parameter_count(problem: Problem) -> int:
    """How many numbers training changes."""
    return sum(math.prod(shape) for shape in problem.shapes)
