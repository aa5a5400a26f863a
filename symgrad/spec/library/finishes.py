"""Ways to end a training: whole iterations on all rows, which look at more than one gradient at a time.

They are SciPy's own where SciPy has them. θ is the vector of all parameters that are trained, L the loss
on all rows.
"""

from symgrad.spec.library.entries import Finish

RANGES = (
    ("max_iterations", "[1, 1000000]"),
    ("memory", "[1, 1000]"),
    ("gradient_tolerance", "[0, inf)"),
    ("loss_tolerance", "[0, 1)"),
    ("step_tolerance", "[0, 1)"),
    ("damping", "(0, inf)"),
    ("first_radius", "(0, inf)"),
    ("max_radius", "(first_radius, inf)"),
)
WHOLE = ("max_iterations", "memory")
"""Those of the settings that count something."""

FINISHES = (
    Finish(
        "lbfgs(max_iterations=500, memory=50, gradient_tolerance=1e-8, loss_tolerance=0)",
        "Liu & Nocedal 1989; Nocedal & Wright 2006, algorithm 7.5; SciPy's L-BFGS-B, without bounds",
        "H is made of the last `memory` changes of θ and g; the step length meets the Wolfe conditions",
        ranges=RANGES,
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
        ranges=RANGES,
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
        ranges=RANGES,
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
        ranges=RANGES,
        rule=(
            ("(G + λ·I)·p = −∇L(θ)", r"(G + \lambda I)\, p = -\nabla L(\theta)"),
            ("θ ← θ + p, where the loss falls; else λ grows", r"\theta \leftarrow \theta + p"),
        ),
        needs="gauss_newton",
    ),
)
