"""Numbers that are drawn, and noise in training: formulas over `uniform`, the draw that the language has."""

from symgrad.spec.library.entries import Function

_PER_ENTRY = "a number for each entry of like, and for each index of an equation"
_SCALED = "in training; inference takes x as it is"
_ALPHA = "1.7580993408473766"

DRAWS = (
    Function(
        "bernoulli(p, like=0)",
        "Bernoulli 1713",
        f"1 with probability p, else 0; {_PER_ENTRY}",
        formula="where(uniform(like=like) < p, 1, 0)",
        ranges=(("p", "[0, 1]"),),
    ),
    Function(
        "normal(like=0)",
        "Box & Muller 1958",
        f"mean 0, deviation 1, none beyond 5.8; {_PER_ENTRY}",
        formula="sqrt(-2 * log(uniform(like=like))) * cos(2 * pi * uniform(like=like))",
    ),
    Function(
        "exponential(like=0)",
        "inverse distribution",
        f"mean 1; {_PER_ENTRY}",
        formula="-log(uniform(like=like))",
    ),
    Function("gumbel(like=0)", "Gumbel 1935", _PER_ENTRY, formula="-log(-log(uniform(like=like)))"),
)

NOISES = (
    Function(
        "dropout(x, p=0.5)",
        "Srivastava et al. 2014",
        f"an entry is lost with probability p {_SCALED}",
        formula="training(x * bernoulli(1 - p, like=x) / (1 - p), x)",
        ranges=(("p", "[0, 1)"),),
    ),
    Function(
        "dropout1d(x, p=0.5)",
        "Tompson et al. 2015",
        f"x is [batch, places, channels]; a channel of a row is lost with probability p {_SCALED}",
        formula="training(x * bernoulli(1 - p, like=sum(x, axis=1, keepdims=true)) / (1 - p), x)",
        ranges=(("p", "[0, 1)"),),
    ),
    Function(
        "dropout2d(x, p=0.5)",
        "Tompson et al. 2015",
        f"x is [batch, height, width, channels]; a channel of a row is lost with probability p {_SCALED}",
        formula="training(x * bernoulli(1 - p, like=sum(sum(x, axis=1, keepdims=true), axis=2, "
        "keepdims=true)) / (1 - p), x)",
        ranges=(("p", "[0, 1)"),),
    ),
    Function(
        "alpha_dropout(x, p=0.5)",
        "Klambauer et al. 2017",
        f"for selu: an entry is where selu ends with probability p, mean and variance stay, {_SCALED}",
        formula=f"training((where(uniform(like=x) < 1 - p, x, -{_ALPHA}) + {_ALPHA} * p)"
        f" / sqrt((1 - p) * (1 + p * {_ALPHA}**2)), x)",
        ranges=(("p", "[0, 1)"),),
    ),
    Function(
        "gaussian_dropout(x, p=0.5)",
        "Srivastava et al. 2014",
        f"as dropout, with factors of mean 1 and variance p/(1 - p) {_SCALED}",
        formula="training(x * (1 + sqrt(p / (1 - p)) * normal(like=x)), x)",
        ranges=(("p", "[0, 1)"),),
    ),
    Function(
        "gaussian_noise(x, std=0.1)",
        "Sietsma & Dow 1991",
        f"is added {_SCALED}",
        formula="training(x + std * normal(like=x), x)",
        ranges=(("std", "[0, inf)"),),
    ),
    Function(
        "stochastic_depth(x, p=0.5)",
        "Huang et al. 2016",
        f"all of a row is lost with probability p {_SCALED}; x + stochastic_depth(f(x)) passes by f",
        formula="training(x * spread(bernoulli(1 - p, like=sum(flatten(x, 1), axis=1)), x) / (1 - p), x)",
        ranges=(("p", "[0, 1)"),),
    ),
)
