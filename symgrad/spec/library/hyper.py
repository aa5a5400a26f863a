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

USUAL = (
    ("learning_rate", "(0, 1000]", "so long a step leaves every minimum behind"),
    ("weight_decay", "[0, 1]", "weights would be pulled past 0"),
    ("eps", "(0, inf)", "where a gradient is 0, a step is 0 / 0"),
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
