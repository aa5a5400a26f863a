"""What the hyper-parameters of optimisers may be: by name, since a name means the same in all of them."""

RANGES = (
    ("learning_rate", "(0, inf)"),
    ("weight_decay", "[0, inf)"),
    ("momentum", "[0, 1)"),
    ("dampening", "[0, 1)"),
    ("b1", "[0, 1)"),
    ("b2", "[0, 1)"),
    ("alpha", "[0, 1)"),
    ("rho", "[0, 1)"),
    ("eps", "[0, inf)"),
    ("initial_accumulator", "[0, inf)"),
    ("momentum_decay", "[0, inf)"),
    ("eta_minus", "(0, 1)"),
    ("eta_plus", "(1, inf)"),
    ("min_step_size", "(0, inf)"),
    ("max_step_size", "[min_step_size, inf)"),
    ("kappa", "[0, inf)"),
    ("phi", "[0, 1)"),
    ("average", "[0, 1)"),
)
"""Outside of these a step goes uphill, grows from itself, or is no number."""

LONG, SHORT = "so long a step leaves every minimum behind", "so short a step learns nothing"
USUAL_STEPS = "[1e-12, 1000]"
"""Of a step by a gradient of 1."""

USUAL = (
    ("learning_rate", "(0, 1000]", LONG),
    ("learning_rate", "[1e-12, inf)", SHORT),
    ("weight_decay", "[0, 1]", "weights would be pulled past 0"),
    ("eps", "(0, inf)", "where a gradient is 0, a step is 0 / 0"),
    ("eps", "[0, 1]", "it is far above what it is added to, and steps hardly know of that"),
    ("initial_accumulator", "[0, 1e6]", "steps would be divided by its root"),
    ("momentum_decay", "[0, 100]", "the momentum would not grow from step to step"),
    ("eta_minus", "[1e-6, 1)", "what turns once would stand still"),
    ("eta_plus", "(1, 100]", LONG),
    ("min_step_size", "(0, 1000]", LONG),
    ("max_step_size", "[1e-12, 1e6]", "that bounds no step, or all of them to nothing"),
    ("kappa", "[0, 1000]", LONG),
)
"""Outside of these nobody wants to be, with the reason; not refused, since there the rule still holds."""

SYMBOLS = {"b1": "β₁", "b2": "β₂"}
"""How papers write those whose names are also those of biases."""

OF_FINISHES = (
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
"""Those of the settings of finishes that count something."""
