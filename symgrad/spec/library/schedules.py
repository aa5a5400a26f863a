"""Learning-rate schedules as equations over `learning_rate`, `epoch`, `epochs` and `step`.

`k` counts what time is measured in: epochs, unless a call says `k=step`; `total` is their number.
"""

from symgrad.spec.library.entries import Schedule

ONE_CYCLE = (
    ("pct_start", "[0, 1)"),
    ("div_factor", "[1, inf)"),
    ("final_div_factor", "[1, inf)"),
    ("total", "(0, inf)"),
)

SCHEDULES = (
    Schedule("constant()", "definition", formula="learning_rate"),
    Schedule(
        "inverse(decay=0.01, k=epoch)",
        "lecture 002: eta_k = eta_0 / (1 + k * decay)",
        formula="learning_rate / (1 + decay * k)",
        ranges=(("decay", "[0, inf)"),),
    ),
    Schedule(
        "exponential(decay=0.01, k=epoch)",
        "lecture 002: eta_k = eta_0 * exp(-k * decay)",
        "PyTorch's ExponentialLR has gamma = exp(-decay)",
        formula="learning_rate * exp(-decay * k)",
        ranges=(("decay", "[0, inf)"),),
    ),
    Schedule(
        "step_decay(step_size, gamma=0.1, k=epoch)",
        "PyTorch's StepLR",
        formula="learning_rate * gamma ** floor(k / step_size)",
        ranges=(("step_size", "(0, inf)"), ("gamma", "(0, inf)")),
        usual=(("gamma", "(0, 1]", "the rate would grow"),),
    ),
    Schedule(
        "polynomial(power=1, total=epochs, k=epoch)",
        "PyTorch's PolynomialLR",
        "0 from `total` on",
        formula="learning_rate * (1 - min(k / total, 1)) ** power",
        ranges=(("power", "(0, inf)"), ("total", "(0, inf)")),
    ),
    Schedule(
        "cosine(eta_min=0, total=epochs, k=epoch)",
        "Loshchilov & Hutter 2017, without restarts",
        "PyTorch's CosineAnnealingLR with T_max = total; eta_min from `total` on",
        formula="eta_min + (learning_rate - eta_min) * (1 + cos(pi * min(k / total, 1))) / 2",
        ranges=(("eta_min", "[0, inf)"), ("total", "(0, inf)")),
        usual=(("eta_min", "[0, learning_rate]", "the rate would rise"),),
    ),
    Schedule(
        "linear_warmup(total=5, start_factor=1/3, k=epoch)",
        "Goyal et al. 2017",
        "PyTorch's LinearLR; linear_warmup(learning_rate=cosine()) warms up to another schedule",
        formula="learning_rate * (start_factor + (1 - start_factor) * min(k / total, 1))",
        ranges=(("total", "(0, inf)"), ("start_factor", "(0, 1]")),
    ),
    Schedule(
        "one_cycle(pct_start=0.3, div_factor=25, final_div_factor=1e4, total=epochs, k=epoch)",
        "Smith & Topin 2018, with half waves for straight lines",
        "PyTorch's OneCycleLR; learning_rate is the largest",
        formula="""learning_rate * where(k < pct_start * total - 1,
            1 - (1 - 1 / div_factor)
                * (1 + cos(pi * k / max(pct_start * total - 1, 1e-9))) / 2,
            1 / div_factor / final_div_factor + (1 - 1 / div_factor / final_div_factor)
                * (1 + cos(pi * min((k - pct_start * total + 1) / total / (1 - pct_start), 1))) / 2)""",
        ranges=ONE_CYCLE,
    ),
    Schedule(
        "one_cycle_linear(pct_start=0.3, div_factor=25, final_div_factor=1e4, total=epochs, k=epoch)",
        "Smith & Topin 2018",
        "PyTorch's OneCycleLR with anneal_strategy='linear'; learning_rate is the largest",
        formula="""learning_rate * where(k < pct_start * total - 1,
            1 / div_factor + (1 - 1 / div_factor) * k / max(pct_start * total - 1, 1e-9),
            1 - (1 - 1 / div_factor / final_div_factor)
                * min((k - pct_start * total + 1) / total / (1 - pct_start), 1))""",
        ranges=ONE_CYCLE,
    ),
)
