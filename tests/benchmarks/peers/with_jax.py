"""JAX: a jitted step called from Python, or a jitted scan over the epoch; the state is donated."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from benchmarks.networks import shapes_of
from benchmarks.peers import NotApplicable, Training, norm
from benchmarks.peers.jax_networks import loss_of
from benchmarks.peers.jax_residuals import residual_of
from benchmarks.residuals import RESIDUALS

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.peers.jax_residuals import Way
    from benchmarks.problems import Array, Problem

FEW_CLASSES = 100  # up to here a one-hot product is faster than picking the labels' entries, above slower


def steps(problem: Problem) -> Training:
    """A jitted step, its parameters a list of arrays."""
    return _steps(problem, problem.weights(), lambda weights: weights)


def steps_of_vector(problem: Problem) -> Training:
    """A jitted step, its parameters one vector: there is less to hand over."""
    vector, unravel = ravel_pytree(problem.weights())
    return _steps(problem, np.asarray(vector), unravel)


def steps_by_jvp(problem: Problem) -> Training:
    """A jitted step, the slopes of a residual forward."""
    return _steps(problem, problem.weights(), lambda weights: weights, "jvp")


def steps_by_jet(problem: Problem) -> Training:
    """A jitted step, the slopes of a residual as Taylor series."""
    return _steps(problem, problem.weights(), lambda weights: weights, "jet")


def steps_by_jvp_in_pieces(problem: Problem) -> Training:
    """The same, the gradient summed over pieces of the batch."""
    _demand_pieces(problem)
    return _steps(problem, problem.weights(), lambda weights: weights, "jvp", in_pieces=True)


def steps_by_jet_in_pieces(problem: Problem) -> Training:
    """The same with Taylor series."""
    _demand_pieces(problem)
    return _steps(problem, problem.weights(), lambda weights: weights, "jet", in_pieces=True)


def _demand_pieces(problem: Problem) -> None:
    if not problem.piece:
        raise NotApplicable("the problem has no pieces")


def calls(problem: Problem) -> Training:
    """What the problem derives, jitted; the norm of the last answer."""
    loss_of, weights = _loss(problem), [jnp.asarray(w) for w in problem.weights()]
    direction = [jnp.asarray(v) for v in problem.direction()]
    x, t = map(jnp.asarray, problem.data())
    gradient = jax.grad(loss_of)

    @jax.jit
    def derive(weights: Any, direction: Any, x: jax.Array, t: jax.Array, rows: jax.Array) -> Any:
        x, t = x[rows], t[rows]
        if problem.derives == "hvp":
            return jax.jvp(lambda w: gradient(w, x, t), (weights,), (direction,))[1]
        of_row = lambda row, label: gradient(weights, row[None], label[None])  # noqa: E731  # as vmap takes it
        return jax.vmap(of_row)(x, t)

    def epoch(order: Array) -> float:
        for rows in order.astype("int32").reshape(-1, problem.batch):
            found = jax.block_until_ready(derive(weights, direction, x, t, rows))
        return norm(map(np.asarray, found))

    return Training(lambda: None, epoch)


def scan(problem: Problem) -> Training:
    """A jitted epoch."""
    return _scan(problem, 1)


def unrolled_scan(problem: Problem) -> Training:
    """A jitted epoch that takes four steps in a row."""
    return _scan(problem, 4)


def _steps(
    problem: Problem,
    weights: Any,
    unpack: Callable[[Any], list[jax.Array]],
    way: Way = "grad",
    *,
    in_pieces: bool = False,
) -> Training:
    jax.config.update("jax_enable_x64", problem.dtype == "float64")
    x, t = map(jnp.asarray, problem.data())
    one = _step(problem, unpack, way, in_pieces=in_pieces)

    @partial(jax.jit, donate_argnums=(0, 1))
    def step(state: Any, total: jax.Array, x: jax.Array, t: jax.Array, rows: jax.Array) -> Any:
        state, loss = one(state, x[rows], t[rows])
        return state, total + loss

    state: Any = None

    def restart() -> None:
        nonlocal state
        state = _first_state(problem, weights)

    restart()

    def epoch(order: Array) -> float:
        nonlocal state
        total = jnp.array(np.zeros((), problem.dtype))
        for rows in order.astype("int32").reshape(-1, problem.batch):
            state, total = step(state, total, x, t, rows)
        return float(total) / problem.steps

    return Training(restart, epoch)


def _scan(problem: Problem, unroll: int) -> Training:
    jax.config.update("jax_enable_x64", problem.dtype == "float64")
    x, t = map(jnp.asarray, problem.data())
    one = _step(problem, lambda weights: weights)

    @partial(jax.jit, donate_argnums=0)
    def whole(state: Any, x: jax.Array, t: jax.Array, order: jax.Array) -> Any:
        batches = order.reshape(-1, problem.batch)
        state, losses = jax.lax.scan(lambda s, r: one(s, x[r], t[r]), state, batches, unroll=unroll)
        return state, losses.mean()

    state: Any = None

    def restart() -> None:
        nonlocal state
        state = _first_state(problem, problem.weights())

    restart()

    def epoch(order: Array) -> float:
        nonlocal state
        state, loss = whole(state, x, t, order)
        return float(loss)

    return Training(restart, epoch)


def _first_state(problem: Problem, weights: Any) -> Any:
    """Copies of NumPy's arrays, which may be donated; to make them in JAX would compile functions."""
    state = weights
    if problem.optimizer == "adam":
        zeros = jax.tree.map(np.zeros_like, weights)
        state = (weights, zeros, zeros, np.float32(0))
    return jax.tree.map(jnp.array, state)


def _step(
    problem: Problem, unpack: Callable[[Any], list[jax.Array]], way: Way = "grad", *, in_pieces: bool = False
) -> Callable[..., Any]:
    loss_of, rate = _loss(problem, way), problem.learning_rate
    gradient = jax.value_and_grad(lambda weights, x, t: loss_of(unpack(weights), x, t))
    if in_pieces:
        gradient = _mean_over_pieces(gradient, problem.piece)

    def sgd(weights: Any, x: jax.Array, t: jax.Array) -> Any:
        loss, gradients = gradient(weights, x, t)
        return jax.tree.map(lambda w, g: w - rate * g, weights, gradients), loss

    def adam(state: Any, x: jax.Array, t: jax.Array) -> Any:
        weights, m, v, n = state
        loss, g = gradient(weights, x, t)
        n = n + 1
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g**2, v, g)
        a, b = 1 / (1 - 0.9**n), 1 / (1 - 0.999**n)
        weights = jax.tree.map(lambda w, m, v: w - rate * (a * m) / (jnp.sqrt(b * v) + 1e-8), weights, m, v)
        return (weights, m, v, n), loss

    return sgd if problem.optimizer == "sgd" else adam


def _mean_over_pieces(gradient: Callable[..., Any], rows: int) -> Callable[..., Any]:
    def whole(weights: Any, x: jax.Array, t: jax.Array) -> Any:
        pieces = tuple(array.reshape(-1, rows, *array.shape[1:]) for array in (x, t))

        def add(total: Any, piece: Any) -> Any:
            return jax.tree.map(jnp.add, total, gradient(weights, *piece)), None

        zeros = jax.tree.map(jnp.zeros_like, (jnp.zeros((), x.dtype), weights))
        return jax.tree.map(lambda sum_: sum_ * (rows / len(x)), jax.lax.scan(add, zeros, pieces)[0])

    return whole


def _loss(
    problem: Problem, way: Way = "grad"
) -> Callable[[list[jax.Array], jax.Array, jax.Array], jax.Array]:
    act = jax.nn.relu if problem.activation == "relu" else jnp.tanh
    if problem.network:
        is_residual = problem.network in RESIDUALS
        equation = problem.network.split()[0]
        network = residual_of(equation, way) if is_residual else loss_of(problem.network)
        names = tuple(shapes_of(problem.network))
        return lambda weights, x, t: network(dict(zip(names, weights, strict=True)), x, t)

    def attention(weights: list[jax.Array], x: jax.Array, t: jax.Array) -> jax.Array:
        q, k, v = (x @ w for w in weights)
        p = jax.nn.softmax(q @ k.swapaxes(1, 2) * q.shape[-1] ** -0.5)
        return jnp.mean((p @ v - t) ** 2)

    def dense(weights: list[jax.Array], x: jax.Array, t: jax.Array) -> jax.Array:
        for i in range(0, len(weights), 2):
            x = x @ weights[i] + weights[i + 1]
            if i < len(weights) - 2:
                x = act(x)
        if problem.kind == "binary":
            return jnp.mean(jax.nn.softplus(x) - t * x)
        if problem.kind == "squares":
            return jnp.mean((jax.nn.relu(x) - jax.nn.one_hot(t, x.shape[1])) ** 2)
        if x.shape[1] <= FEW_CLASSES:
            return -jnp.sum(jax.nn.log_softmax(x) * jax.nn.one_hot(t, x.shape[1])) / len(t)
        return jnp.mean(jax.nn.logsumexp(x, axis=1) - jnp.take_along_axis(x, t[:, None], 1)[:, 0])

    return attention if problem.kind == "attention" else dense
