"""The libraries side by side: each written the way its experienced users write it for speed."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.residuals import RESIDUALS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from benchmarks.problems import Array, Problem


class Training(NamedTuple):
    """A problem set up in one library: back to the first weights, and an epoch in an order of the rows.

    `epoch` gives the mean loss of its batches.
    """

    restart: Callable[[], None]
    epoch: Callable[[Array], float]


def norm(arrays: Iterable[Array]) -> float:
    """The root of the sum of all squares, by which answers are compared."""
    return float(sum(np.vdot(array, array) for array in arrays)) ** 0.5


class NotApplicable(Exception):  # noqa: N818  # not an error: some libraries cannot do some problems
    """Why a peer does not take part in a problem."""


@dataclass(frozen=True)
class Peer:
    """A row of the tables: functions of a module of this package, of which the fastest one counts.

    `needs` are the distributions that must be installed; `libraries` are the modules that are imported
    before its first step is timed, with those that the library itself imports late; `environment` is set in
    its process, and `keeping` too where compiled code is to be kept that the library keeps only when told so.
    `networks` says whether it is written here for more than the training of dense layers; `further` are its
    ways to what a problem derives beyond the gradient, `residual` to losses with derivatives of terms.
    """

    name: str
    home: str
    variants: tuple[str, ...]
    needs: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    keeping: tuple[tuple[str, str], ...] = ()
    networks: bool = True
    further: tuple[str, ...] = ()
    residual: tuple[str, ...] = ()

    def variants_for(self, problem: Problem) -> tuple[str, ...]:
        """The names of the functions that set a problem up.

        Raises:
            NotApplicable: it has no way to what the problem derives.
        """
        if problem.network in RESIDUALS and self.residual:
            return self.residual
        if problem.derives and not self.further:
            raise NotApplicable("it is not written here for derivatives beyond the gradient")
        return self.further if problem.derives else self.variants

    def load(self, problem: Problem) -> tuple[Callable[[Problem], Training], ...]:
        """The functions that set a problem up."""
        home = import_module(f"benchmarks.peers.{self.home}")
        return tuple(getattr(home, variant) for variant in self.variants_for(problem))

    def import_libraries(self) -> None:
        """Import what the library's user imports."""
        for name in self.libraries:
            if name not in sys.modules:
                import_module(name)


_SYMGRAD = (
    "numba",
    "scipy.linalg",
    "sympy",
    "symgrad",
    "symgrad.api",
    "symgrad.pipeline",
    "symgrad.compiler.loading.cache",
)

_JAX = ("jax", "jax.numpy", "jax.flatten_util")
_JAX_CACHE = (
    ("JAX_ENABLE_COMPILATION_CACHE", "true"),
    ("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0"),
    ("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1"),
)

PEERS = (
    Peer("symgrad", "with_symgrad", ("epochs",), ("numba", "scipy"), _SYMGRAD, further=("calls",)),
    Peer(
        "symgrad OpenBLAS", "with_symgrad", ("epochs_by_scipy",), ("numba", "scipy"), _SYMGRAD,
        environment=(("SYMGRAD_BLAS", "scipy"),),
    ),
    Peer("symgrad step", "with_symgrad", ("steps",), ("numba", "scipy"), _SYMGRAD),
    Peer("NumPy", "with_numpy", ("train",), ("numpy",), networks=False),
    Peer(
        "PyTorch", "with_torch", ("functional", "optimizer", "functional_on_one_thread"),
        ("torch",), ("torch", "torch._dynamo"), further=("calls", "calls_by_transforms"),
        residual=("functional", "optimizer", "functional_in_pieces"),
    ),
    Peer("torch.compile", "with_torch", ("compiled_step",), ("torch",), ("torch", "torch._inductor")),
    Peer(
        "JAX step", "with_jax", ("steps", "steps_of_vector"), ("jax",), _JAX, keeping=_JAX_CACHE,
        further=("calls",), residual=(
            "steps", "steps_by_jvp", "steps_by_jet", "steps_by_jvp_in_pieces", "steps_by_jet_in_pieces",
        ),
    ),
    Peer("JAX scan", "with_jax", ("scan", "unrolled_scan"), ("jax",), _JAX, keeping=_JAX_CACHE),
    Peer(
        "PyTensor", "with_pytensor", ("steps", "scan"), ("pytensor",), ("pytensor", "pytensor.tensor"),
        networks=False,
    ),
    Peer(
        "autograd", "with_autograd", ("train",), ("autograd",), ("autograd", "autograd.numpy"),
        networks=False,
    ),
    Peer(
        "scikit-learn", "with_sklearn", ("train",), ("scikit-learn",), ("sklearn.neural_network",),
        networks=False,
    ),
)  # fmt: skip
