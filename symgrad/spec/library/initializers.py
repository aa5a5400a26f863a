"""Initialisers: a distribution and its scale."""

from symgrad.spec.library.entries import Initializer

INITIALIZERS = (
    Initializer("zeros()", "definition", distribution="constant", scale="0"),
    Initializer("constant(value=0)", "definition", distribution="constant", scale="value"),
    Initializer("ones()", "definition", distribution="constant", scale="1"),
    Initializer(
        "identity(gain=1)",
        "Le, Jaitly & Hinton 2015",
        "gain on the diagonal of a matrix, 0 elsewhere",
        distribution="identity",
        scale="gain",
        ranges=(("gain", "(0, inf)"),),
    ),
    Initializer(
        "orthogonal(gain=1)",
        "Saxe, McClelland & Ganguli 2014",
        "orthonormal rows or columns, whichever are fewer, of the matrix [all axes but the last, the last]",
        distribution="orthogonal",
        scale="gain",
        ranges=(("gain", "(0, inf)"),),
    ),
    Initializer(
        "truncated_normal(std=0.02)",
        "definition",
        "drawn again beyond two standard deviations, which leaves a deviation of 0.88 std",
        distribution="truncated_normal",
        scale="std",
        ranges=(("std", "(0, inf)"),),
        usual=(("std", "(0, 1000]", "training would start far from everything"),),
    ),
    Initializer(
        "normal(std=0.01)",
        "definition",
        distribution="normal",
        scale="std",
        ranges=(("std", "(0, inf)"),),
        usual=(("std", "(0, 1000]", "training would start far from everything"),),
    ),
    Initializer(
        "uniform(limit=0.05)",
        "definition",
        "between -limit and limit",
        distribution="uniform",
        scale="limit",
        ranges=(("limit", "(0, inf)"),),
        usual=(("limit", "(0, 1000]", "training would start far from everything"),),
    ),
    Initializer(
        "glorot_uniform()",
        "Glorot & Bengio 2010, equation 16",
        distribution="uniform",
        scale="sqrt(6 / (fan_in + fan_out))",
    ),
    Initializer(
        "glorot_normal()",
        "Glorot & Bengio 2010",
        distribution="normal",
        scale="sqrt(2 / (fan_in + fan_out))",
    ),
    Initializer("he_uniform()", "He et al. 2015, for ReLU", distribution="uniform", scale="sqrt(6 / fan_in)"),
    Initializer("he_normal()", "He et al. 2015, for ReLU", distribution="normal", scale="sqrt(2 / fan_in)"),
    Initializer("lecun_uniform()", "LeCun et al. 1998", distribution="uniform", scale="sqrt(3 / fan_in)"),
    Initializer("lecun_normal()", "LeCun et al. 1998", distribution="normal", scale="sqrt(1 / fan_in)"),
)
