"""Ordinary mathematics that is not in the language itself, as formulas over it."""

from symgrad.spec.library.entries import Function

MATHEMATICS = (
    Function("ln(x)", "natural logarithm; Napier 1614", "log by its other name", formula="log(x)"),
    Function("log2(x)", "logarithm to the base 2", formula="log(x) / log(2)"),
    Function("log10(x)", "logarithm to the base 10; Briggs 1624", formula="log(x) / log(10)"),
    Function("pow(x, y)", "definition", "x**y by its other name", formula="x**y"),
    Function("square(x)", "definition", formula="x**2", image="[0, inf)"),
    Function(
        "clip(x, low, high)",
        "definition",
        "the slopes at low and at high are 0",
        formula="where(x <= low, low, where(x >= high, high, x))",
        ranges=(("high", "(low, inf)"),),
    ),
    Function(
        "atan2(y, x)",
        "the angle of the point (x, y), from -pi to pi",
        "0, with slope 0, at the origin; pi at y = 0 and x < 0",
        formula="where(y > abs(x), pi / 2 - atan(x / y), where(y < -abs(x), -pi / 2 - atan(x / y), "
        "where(x > 0, atan(y / x), where(x == 0, 0, where(y >= 0, pi + atan(y / x), atan(y / x) - pi)))))",
    ),
    Function(
        "var(x)",
        "variance; Fisher 1918",
        "divided by how many there are, as in NumPy; PyTorch divides by one less",
        formula="mean((x - mean(x, keepdims=true))**2)",
        over_axes=True,
        image="[0, inf)",
    ),
    Function(
        "std(x)",
        "standard deviation; Pearson 1894",
        "as var; where all are equal it is 0, with slope 0",
        formula="where(var(x) > 0, sqrt(var(x)), 0)",
        over_axes=True,
        image="[0, inf)",
    ),
    Function(
        "norm(x)",
        "Euclidean length",
        "at 0 the slope is 0",
        formula="where(sum(x**2) > 0, sqrt(sum(x**2)), 0)",
        over_axes=True,
        image="[0, inf)",
    ),
)
