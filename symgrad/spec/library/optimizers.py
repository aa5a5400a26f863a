"""Optimisers as equations, applied in order; `theta` on the right is the parameter before the step.

Where libraries differ, the plain name follows PyTorch and the note says what others do. `weight_decay`
is coupled, a part of the gradient, unless the note says otherwise. The default learning rate of sgd and of
the momentum methods is 0.01, as Keras has it; PyTorch's is 0.001.
"""

from symgrad.spec.library.entries import Finish, Optimizer
from symgrad.spec.library.hyper import OF_FINISHES

COUPLED_DECAY = ("g", "g + weight_decay * theta")
FIRST_MOMENT = ("m", "b1 * m + (1 - b1) * g")
SECOND_MOMENT = ("v", "b2 * v + (1 - b2) * g**2")
NOISE = "from a part of the rows, the signs of the gradient are partly noise, and noise would set the rates"

OPTIMIZERS = (
    Optimizer(
        "sgd(learning_rate=0.01, weight_decay=0)",
        "Robbins & Monro 1951",
        update=(COUPLED_DECAY, ("theta", "theta - learning_rate * g")),
    ),
    Optimizer(
        "momentum(learning_rate=0.01, momentum=0.9, dampening=0, weight_decay=0)",
        "Polyak 1964, in the form of PyTorch's SGD",
        "the velocity sums gradients, so a schedule acts on all of it; the first gradient is not dampened",
        state=(("v", "0"),),
        update=(
            COUPLED_DECAY,
            ("v", "momentum * v + (1 - where(t > 1, dampening, 0)) * g"),
            ("theta", "theta - learning_rate * v"),
        ),
    ),
    Optimizer(
        "classical_momentum(learning_rate=0.01, momentum=0.9, weight_decay=0)",
        "Polyak 1964, in the form of Sutskever et al. 2013",
        "the velocity sums steps; the path of momentum as long as the learning rate stays the same",
        state=(("v", "0"),),
        update=(
            COUPLED_DECAY,
            ("v", "momentum * v - learning_rate * g"),
            ("theta", "theta + v"),
        ),
    ),
    Optimizer(
        "nesterov(learning_rate=0.01, momentum=0.9, weight_decay=0)",
        "Nesterov 1983, in the form of Sutskever et al. 2013",
        "the gradient is taken where the velocity alone would lead, and so is the loss that a step tells",
        state=(("v", "0"),),
        gradient_at="theta + momentum * v",
        update=(
            ("g", "g + weight_decay * (theta + momentum * v)"),
            ("v", "momentum * v - learning_rate * g"),
            ("theta", "theta + v"),
        ),
    ),
    Optimizer(
        "simplified_nesterov(learning_rate=0.01, momentum=0.9, weight_decay=0)",
        "Bengio et al. 2012",
        "nesterov with the point ahead as theta; PyTorch's SGD with nesterov=True as long as the learning "
        "rate stays the same",
        state=(("v", "0"),),
        update=(
            COUPLED_DECAY,
            ("theta", "theta + momentum**2 * v - learning_rate * (1 + momentum) * g"),
            ("v", "momentum * v - learning_rate * g"),
        ),
    ),
    Optimizer(
        "adagrad(learning_rate=0.01, eps=1e-10, initial_accumulator=0, weight_decay=0)",
        "Duchi et al. 2011",
        "eps stands outside the root; optax and TensorFlow start at initial_accumulator=0.1",
        state=(("r", "initial_accumulator"),),
        update=(
            COUPLED_DECAY,
            ("r", "r + g**2"),
            ("theta", "theta - learning_rate * g / (sqrt(r) + eps)"),
        ),
    ),
    Optimizer(
        "rmsprop(learning_rate=0.01, alpha=0.99, eps=1e-8, weight_decay=0)",
        "Tieleman & Hinton 2012",
        "eps stands outside the root, as in PyTorch",
        state=(("r", "0"),),
        update=(
            COUPLED_DECAY,
            ("r", "alpha * r + (1 - alpha) * g**2"),
            ("theta", "theta - learning_rate * g / (sqrt(r) + eps)"),
        ),
    ),
    Optimizer(
        "rmsprop_eps_inside(learning_rate=0.01, alpha=0.99, eps=1e-8, weight_decay=0)",
        "Tieleman & Hinton 2012, in the form of Goodfellow et al. 2016, algorithm 8.5",
        "eps stands inside the root, as in optax",
        state=(("r", "0"),),
        update=(
            COUPLED_DECAY,
            ("r", "alpha * r + (1 - alpha) * g**2"),
            ("theta", "theta - learning_rate * g / sqrt(r + eps)"),
        ),
    ),
    Optimizer(
        "adadelta(rho=0.9, eps=1e-6, weight_decay=0)",
        "Zeiler 2012, algorithm 1",
        "no step size, which is PyTorch's with lr=1; eps stands inside both roots",
        state=(("r", "0"), ("s", "0")),
        update=(
            COUPLED_DECAY,
            ("r", "rho * r + (1 - rho) * g**2"),
            ("v", "-sqrt(s + eps) / sqrt(r + eps) * g"),
            ("s", "rho * s + (1 - rho) * v**2"),
            ("theta", "theta + v"),
        ),
    ),
    Optimizer(
        "adam(learning_rate=0.001, b1=0.9, b2=0.999, eps=1e-8, weight_decay=0)",
        "Kingma & Ba 2015, algorithm 1; eps is added outside the root",
        state=(("m", "0"), ("v", "0")),
        update=(
            COUPLED_DECAY,
            FIRST_MOMENT,
            SECOND_MOMENT,
            ("theta", "theta - learning_rate * (m / (1 - b1**t)) / (sqrt(v / (1 - b2**t)) + eps)"),
        ),
    ),
    Optimizer(
        "adamw(learning_rate=0.001, b1=0.9, b2=0.999, eps=1e-8, weight_decay=0.01)",
        "Loshchilov & Hutter 2019",
        "decay is decoupled, and multiplied by the learning rate, as in PyTorch; optax decays by 1e-4",
        state=(("m", "0"), ("v", "0")),
        update=(
            FIRST_MOMENT,
            SECOND_MOMENT,
            (
                "theta",
                "theta - learning_rate * weight_decay * theta"
                " - learning_rate * (m / (1 - b1**t)) / (sqrt(v / (1 - b2**t)) + eps)",
            ),
        ),
    ),
    Optimizer(
        "lazy_adam(learning_rate=0.001, b1=0.9, b2=0.999, eps=1e-8)",
        "Kingma & Ba 2015; lazily, as TensorFlow Addons' LazyAdam",
        "another path than adam's: what has no gradient, as words that a batch does not hold, rests, where "
        "adam goes on by its moments; t counts all steps",
        state=(("m", "0"), ("v", "0")),
        update=(
            ("m", "where(g == 0, m, b1 * m + (1 - b1) * g)"),
            ("v", "where(g == 0, v, b2 * v + (1 - b2) * g**2)"),
            ("step", "learning_rate * (m / (1 - b1**t)) / (sqrt(v / (1 - b2**t)) + eps)"),
            ("theta", "theta - where(g == 0, 0, step)"),
        ),
    ),
    Optimizer(
        "amsgrad(learning_rate=0.001, b1=0.9, b2=0.999, eps=1e-8, weight_decay=0)",
        "Reddi et al. 2018, with the bias correction of PyTorch's Adam(amsgrad=True)",
        "corrects the largest v; optax keeps the largest corrected v, the paper corrects nothing",
        state=(("m", "0"), ("v", "0"), ("largest", "0")),
        update=(
            COUPLED_DECAY,
            FIRST_MOMENT,
            SECOND_MOMENT,
            ("largest", "max(largest, v)"),
            ("theta", "theta - learning_rate * (m / (1 - b1**t)) / (sqrt(largest / (1 - b2**t)) + eps)"),
        ),
    ),
    Optimizer(
        "nadam(learning_rate=0.002, b1=0.9, b2=0.999, eps=1e-8, momentum_decay=0.004, weight_decay=0)",
        "Dozat 2016, with his schedule of the momentum",
        "as in PyTorch; Keras has momentum_decay=1, optax holds mu at b1",
        state=(("m", "0"), ("v", "0"), ("product", "1")),
        update=(
            COUPLED_DECAY,
            FIRST_MOMENT,
            SECOND_MOMENT,
            ("mu", "b1 * (1 - 0.96**(t * momentum_decay) / 2)"),
            ("mu_next", "b1 * (1 - 0.96**((t + 1) * momentum_decay) / 2)"),
            ("product", "mu * product"),
            ("direction", "mu_next * m / (1 - mu_next * product) + (1 - mu) * g / (1 - product)"),
            ("theta", "theta - learning_rate * direction / (sqrt(v / (1 - b2**t)) + eps)"),
        ),
    ),
    Optimizer(
        "adamax(learning_rate=0.002, b1=0.9, b2=0.999, eps=1e-8, weight_decay=0)",
        "Kingma & Ba 2015, algorithm 2",
        "eps is added to |g|, as in PyTorch and optax; the paper has none",
        state=(("m", "0"), ("u", "0")),
        update=(
            COUPLED_DECAY,
            FIRST_MOMENT,
            ("u", "max(b2 * u, abs(g) + eps)"),
            ("theta", "theta - learning_rate * (m / (1 - b1**t)) / u"),
        ),
    ),
    Optimizer(
        "lion(learning_rate=0.0001, b1=0.9, b2=0.99, weight_decay=0)",
        "Chen et al. 2023",
        "decay is decoupled, and multiplied by the learning rate; optax decays by 1e-3",
        state=(("m", "0"),),
        update=(
            (
                "theta",
                "theta - learning_rate * weight_decay * theta - learning_rate * sign(b1 * m + (1 - b1) * g)",
            ),
            ("m", "b2 * m + (1 - b2) * g"),
        ),
    ),
    Optimizer(
        "rprop(learning_rate=0.01, eta_minus=0.5, eta_plus=1.2, min_step_size=1e-6, max_step_size=50)",
        "Riedmiller & Braun 1993, in the form of Igel & Huesken 2000 without weight-backtracking",
        "as in PyTorch: a weight rests for one step after its gradient has changed sign; learning_rate is "
        "the first step size",
        state=(("rate", "learning_rate"), ("last", "0")),
        update=(
            ("agrees", "sign(g) * sign(last)"),
            ("change", "where(agrees > 0, eta_plus, 1) * where(agrees < 0, eta_minus, 1)"),
            ("rate", "min(max(rate * change, min_step_size), max_step_size)"),
            ("last", "where(agrees < 0, 0, g)"),
            ("theta", "theta - rate * sign(last)"),
        ),
        full_batch=NOISE,
    ),
    Optimizer(
        "delta_bar_delta(learning_rate=0.01, kappa=0.001, phi=0.1, average=0.7)",
        "Jacobs 1988",
        "the paper's theta is called average; learning_rate is the first rate of every weight",
        state=(("rate", "learning_rate"), ("mean", "0")),
        update=(
            ("agrees", "sign(g) * sign(mean)"),
            ("rate", "rate + where(agrees > 0, kappa, 0) - where(agrees < 0, phi * rate, 0)"),
            ("mean", "(1 - average) * g + average * mean"),
            ("theta", "theta - rate * g"),
        ),
        full_batch=NOISE,
    ),
)

FINISHES = (
    Finish(
        "lbfgs(max_iterations=500, memory=50, gradient_tolerance=1e-8, loss_tolerance=0)",
        "Liu & Nocedal 1989; Nocedal & Wright 2006, algorithm 7.5; SciPy's L-BFGS-B, without bounds",
        "H is made of the last `memory` changes of θ and g; the step length meets the Wolfe conditions",
        ranges=OF_FINISHES,
        rule=(
            ("g = ∇L(θ)", r"g = \nabla L(\theta)"),
            (
                "θ ← θ − α·H·g, with H near to (∇²L)⁻¹",
                r"\theta \leftarrow \theta - \alpha H g,\quad H \approx (\nabla^2 L)^{-1}",
            ),
        ),
    ),
    Finish(
        "newton_cg(max_iterations=100, step_tolerance=1e-8)",
        "Nocedal & Wright 2006, algorithm 7.1; SciPy's Newton-CG",
        "conjugate gradients on products with the Hessian, by `hvp` of the module, end where it curves down",
        ranges=OF_FINISHES,
        rule=(
            ("∇²L(θ)·p = −∇L(θ), solved in part", r"\nabla^2 L(\theta)\, p = -\nabla L(\theta)"),
            ("θ ← θ + α·p", r"\theta \leftarrow \theta + \alpha p"),
        ),
        needs="hvp",
    ),
    Finish(
        "trust_ncg(max_iterations=100, gradient_tolerance=1e-8, first_radius=1, max_radius=1000)",
        "Steihaug 1983; Nocedal & Wright 2006, algorithm 7.2; SciPy's trust-ncg",
        "the radius grows where the quadratic model tells the loss well; products by `hvp` of the module",
        ranges=OF_FINISHES,
        rule=(
            (
                "p minimises ∇L(θ)·p + pᵀ·∇²L(θ)·p/2, where |p| ≤ Δ",
                r"p = \arg\min_{|p| \le \Delta} \nabla L(\theta)^T p + p^T \nabla^2 L(\theta)\, p / 2",
            ),
            ("θ ← θ + p, where the loss falls", r"\theta \leftarrow \theta + p"),
        ),
        needs="hvp",
    ),
    Finish(
        "levenberg_marquardt(max_iterations=100, gradient_tolerance=1e-8, damping=0.001)",
        "Levenberg 1944; Marquardt 1963; damping as in Nielsen 1999; of other losses than squares, "
        "Schraudolph 2002",
        "G is Jᵀ(H(J·)), by `gauss_newton` of the module; the system is solved by conjugate gradients; "
        "damping is in units of the largest curvature at the start",
        ranges=OF_FINISHES,
        rule=(
            ("(G + λ·I)·p = −∇L(θ)", r"(G + \lambda I)\, p = -\nabla L(\theta)"),
            ("θ ← θ + p, where the loss falls; else λ grows", r"\theta \leftarrow \theta + p"),
        ),
        needs="gauss_newton",
    ),
)
"""What ends a training after its epochs: iterations on all rows, SciPy's own where SciPy has them.

θ is the vector of all parameters that are trained, L the loss on all rows."""
