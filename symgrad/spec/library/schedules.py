"""Learning-rate schedules as equations over `learning_rate`, `epoch` and `step`."""

from symgrad.spec.library.entries import Schedule

SCHEDULES = (
    Schedule("constant()", "definition", formula="learning_rate"),
    Schedule(
        "exponential(decay=0.01)",
        "lecture 002: eta_k = eta_0 * exp(-k * decay), k counted in epochs",
        formula="learning_rate * exp(-decay * epoch)",
    ),
)
