"""PyTorch, eager and compiled. The rows are gathered once an epoch, which is faster than once a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional as F  # noqa: N812  # the name all its users give it

from benchmarks.networks import shapes_of
from benchmarks.peers import NotApplicable, Training, norm
from benchmarks.peers.torch_networks import CHANNELS_FIRST, IMAGES, KERNELS, loss_of
from benchmarks.peers.torch_residuals import residual_of
from benchmarks.residuals import RESIDUALS

if TYPE_CHECKING:
    from benchmarks.problems import Array, Problem

Step = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], Any]


def optimizer(problem: Problem) -> Training:
    """`backward` and the library's fused optimiser."""
    weights, loss_of = _weights(problem), _loss(problem)
    kind = torch.optim.Adam if problem.optimizer == "adam" else torch.optim.SGD

    def make_step() -> Step:
        rule = kind(weights, lr=problem.learning_rate, fused=True)

        def step(total: torch.Tensor, x: torch.Tensor, t: torch.Tensor) -> None:
            loss = loss_of(weights, x, t)
            rule.zero_grad(set_to_none=True)
            loss.backward()
            rule.step()
            total += loss.detach()

        return step

    return _training(problem, weights, make_step)


def functional(problem: Problem) -> Training:
    """Gradients without `.grad` fields; for SGD one call that updates all parameters."""
    if problem.optimizer == "adam":
        return optimizer(problem)
    weights, loss_of = _weights(problem), _loss(problem)

    def step(total: torch.Tensor, x: torch.Tensor, t: torch.Tensor) -> None:
        loss = loss_of(weights, x, t)
        gradients = torch.autograd.grad(loss, weights, materialize_grads=True)
        with torch.no_grad():
            torch._foreach_add_(weights, gradients, alpha=-problem.learning_rate)
            total += loss

    return _training(problem, weights, lambda: step)


def functional_in_pieces(problem: Problem) -> Training:
    """The same, the gradient summed over pieces of the batch."""
    if not problem.piece:
        raise NotApplicable("the problem has no pieces")
    weights, loss_of = _weights(problem), _loss(problem)
    share = problem.piece / problem.batch

    def step(total: torch.Tensor, x: torch.Tensor, t: torch.Tensor) -> None:
        whole = [torch.zeros_like(w) for w in weights]
        for piece in zip(x.split(problem.piece), t.split(problem.piece), strict=True):
            loss = loss_of(weights, *piece)
            gradients = torch.autograd.grad(loss, weights, materialize_grads=True)
            with torch.no_grad():
                torch._foreach_add_(whole, gradients)
                total += share * loss
        with torch.no_grad():
            torch._foreach_add_(weights, whole, alpha=-problem.learning_rate * share)

    return _training(problem, weights, lambda: step)


def functional_on_one_thread(problem: Problem) -> Training:
    """The same with one thread where there are more: small products are slower on several."""
    threads = torch.get_num_threads()
    if threads == 1:
        raise NotApplicable("there is one thread only")
    training = functional(problem)

    def epoch(order: Array) -> float:
        torch.set_num_threads(1)
        try:
            return training.epoch(order)
        finally:
            torch.set_num_threads(threads)

    return Training(training.restart, epoch)


def compiled_step(problem: Problem) -> Training:
    """Loss, gradient and update in one compiled function, called through a C++ wrapper."""
    if problem.network in RESIDUALS:
        raise NotApplicable("torch.compile takes no backward pass through a backward pass")
    torch._dynamo.reset()  # else the shapes of the problem before count
    weights = [w.detach() for w in _weights(problem)]
    loss_of, rate = _loss(problem), problem.learning_rate
    moments = [[torch.zeros_like(w) for w in weights] for _ in range(2 if problem.optimizer == "adam" else 0)]
    n = torch.zeros(())

    def whole(weights: Any, moments: Any, n: Any, total: Any, x: Any, t: Any) -> None:
        gradients, loss = torch.func.grad_and_value(loss_of)(weights, x, t)
        total += loss
        if not moments:
            for w, g in zip(weights, gradients, strict=True):
                w.sub_(g, alpha=rate)
            return
        n += 1
        for w, g, m, v in zip(weights, gradients, *moments, strict=True):
            m.mul_(0.9).add_(g, alpha=0.1)
            v.mul_(0.999).addcmul_(g, g, value=0.001)
            w.sub_(rate * (m / (1 - 0.9**n)) / (torch.sqrt(v / (1 - 0.999**n)) + 1e-8))

    compiled = torch.compile(whole, options={"cpp_wrapper": True})

    def make_step() -> Step:
        for array in (*chain(*moments), n):
            array.zero_()

        def step(total: torch.Tensor, x: torch.Tensor, t: torch.Tensor) -> None:
            with torch.no_grad():
                compiled(weights, moments, n, total, x, t)

        return step

    return _training(problem, weights, make_step)


def calls(problem: Problem) -> Training:
    """What the problem derives: a product by two backward passes, the gradients of rows by vmap."""
    weights, loss_of = tuple(_weights(problem)), _loss(problem)
    direction = tuple(map(torch.from_numpy, problem.direction()))

    def derive(x: torch.Tensor, t: torch.Tensor) -> Any:
        if problem.derives == "per_sample":
            return _per_sample(loss_of, tuple(w.detach() for w in weights), x, t)
        gradients = torch.autograd.grad(loss_of(weights, x, t), weights, create_graph=True)
        return torch.autograd.grad(gradients, weights, direction)

    return _calls(problem, derive)


def calls_by_transforms(problem: Problem) -> Training:
    """The same through torch.func: a product forward through the gradient."""
    weights, loss_of = tuple(w.detach() for w in _weights(problem)), _loss(problem)
    direction = tuple(map(torch.from_numpy, problem.direction()))

    def derive(x: torch.Tensor, t: torch.Tensor) -> Any:
        if problem.derives == "per_sample":
            return _per_sample(loss_of, weights, x, t)
        gradient = torch.func.grad(loss_of)
        return torch.func.jvp(lambda w: gradient(w, x, t), (weights,), (direction,))[1]

    return _calls(problem, derive)


def _per_sample(loss_of: Any, weights: Any, x: torch.Tensor, t: torch.Tensor) -> Any:
    gradient = torch.func.grad(lambda w, x, t: loss_of(w, x[None], t[None]))
    return torch.func.vmap(gradient, (None, 0, 0))(weights, x, t)


def _calls(problem: Problem, derive: Callable[[torch.Tensor, torch.Tensor], Any]) -> Training:
    x, t = map(torch.from_numpy, problem.data())

    def epoch(order: Array) -> float:
        for rows in torch.from_numpy(order).split(problem.batch):
            found = derive(x[rows], t[rows])
        return norm(array.detach().numpy() for array in found)

    return Training(lambda: None, epoch)


def _weights(problem: Problem) -> list[torch.Tensor]:
    return [w.requires_grad_() for w in _first_weights(problem)]


def _first_weights(problem: Problem) -> list[torch.Tensor]:
    orders = KERNELS.get(problem.network, {})
    return [_ordered(w, orders) for w in problem.weights()]


def _ordered(array: Array, orders: dict[int, tuple[int, ...]]) -> torch.Tensor:
    """The array with its axes in PyTorch's order, where it has another."""
    tensor = torch.from_numpy(array)
    return tensor.permute(orders[tensor.ndim]).contiguous() if tensor.ndim in orders else tensor


def _training(problem: Problem, weights: list[torch.Tensor], make_step: Callable[[], Step]) -> Training:
    inputs, targets = problem.data()
    x, t = _ordered(inputs, IMAGES if problem.network in CHANNELS_FIRST else {}), torch.from_numpy(targets)
    step = make_step()

    def restart() -> None:
        nonlocal step
        with torch.no_grad():
            for mine, given in zip(weights, _first_weights(problem), strict=True):
                mine.copy_(given)
        step = make_step()

    def batches(order: Array) -> Iterable[tuple[torch.Tensor, torch.Tensor]]:
        rows = torch.from_numpy(order)
        return zip(x[rows].split(problem.batch), t[rows].split(problem.batch), strict=True)

    def epoch(order: Array) -> float:
        total = torch.zeros((), dtype=weights[0].dtype)  # rows may be labels
        for inputs, targets in batches(order):
            step(total, inputs, targets)
        return float(total) / problem.steps

    return Training(restart, epoch)


def _loss(problem: Problem) -> Callable[[list[torch.Tensor], torch.Tensor, torch.Tensor], torch.Tensor]:
    act = torch.relu if problem.activation == "relu" else torch.tanh
    if problem.network:
        is_residual = problem.network in RESIDUALS
        network = residual_of(problem.network.split()[0]) if is_residual else loss_of(problem.network)
        names = tuple(shapes_of(problem.network))
        return lambda weights, x, t: network(dict(zip(names, weights, strict=True)), x, t)

    def attention(weights: list[torch.Tensor], x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        q, k, v = (x @ w for w in weights)
        return F.mse_loss(torch.softmax(q @ k.mT * q.shape[-1] ** -0.5, dim=-1) @ v, t)

    def dense(weights: list[torch.Tensor], x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        for i in range(0, len(weights), 2):
            x = torch.addmm(weights[i + 1], x, weights[i])
            if i < len(weights) - 2:
                x = act(x)
        if problem.kind == "binary":
            return F.binary_cross_entropy_with_logits(x, t)
        if problem.kind == "squares":
            return F.mse_loss(torch.relu(x), F.one_hot(t, problem.sizes[-1]).float())
        return F.cross_entropy(x, t)

    return attention if problem.kind == "attention" else dense
