"""The ways to end a training, by the names of the library's rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from scipy.optimize import minimize

from symgrad.training.finishing.levenberg_marquardt import levenberg_marquardt

if TYPE_CHECKING:
    from symgrad.training.finishing.objective import Objective, Vector

Told: TypeAlias = "Callable[[Vector, float], object]"
"""Is told of every iterate, and its loss."""


@dataclass(frozen=True)
class Ending:
    """Why iterations ended: the loss converged, as many were made as may be, or none finds less loss."""

    is_converged: bool
    is_limit: bool
    said: str


Method: TypeAlias = "Callable[[Objective, Mapping[str, float], Told], Ending]"
_LIMIT = 1
"""SciPy's status of a minimisation that made as many iterations as it may."""
AS_MANY = "as many as it may"
_SEARCHES = 50
"""So many points may one line search try."""


def _lbfgs(objective: Objective, settings: Mapping[str, float], told: Told) -> Ending:
    options = {
        "maxiter": int(settings["max_iterations"]),
        "maxfun": _SEARCHES * int(settings["max_iterations"]),
        "maxcor": int(settings["memory"]),
        "gtol": settings["gradient_tolerance"],
        "ftol": settings["loss_tolerance"],
        "maxls": _SEARCHES,
    }
    return _by_scipy("L-BFGS-B", objective, options, told)


def _newton_cg(objective: Objective, settings: Mapping[str, float], told: Told) -> Ending:
    options = {"maxiter": int(settings["max_iterations"]), "xtol": settings["step_tolerance"]}
    return _by_scipy("Newton-CG", objective, options, told, hessp=objective.product("hvp"))


def _trust_ncg(objective: Objective, settings: Mapping[str, float], told: Told) -> Ending:
    options = {
        "maxiter": int(settings["max_iterations"]),
        "gtol": settings["gradient_tolerance"],
        "initial_trust_radius": settings["first_radius"],
        "max_trust_radius": settings["max_radius"],
    }
    return _by_scipy("trust-ncg", objective, options, told, hessp=objective.product("hvp"))


def _by_scipy(
    method: str, objective: Objective, options: Mapping[str, Any], told: Told, **products: Any
) -> Ending:
    """Minimise by one of SciPy's methods, which calls its callback by the name of this argument."""

    last = objective.start

    def callback(intermediate_result: Any) -> None:
        nonlocal last
        if not np.array_equal(
            intermediate_result.x, last
        ):  # a trust region that only shrinks tells its point again
            last = intermediate_result.x.copy()
            told(last, float(intermediate_result.fun))

    found = minimize(
        objective.loss_and_gradient,
        objective.start,
        method=method,
        jac=True,
        callback=callback,
        options=dict(options),
        **products,
    )
    is_limit = found.status == _LIMIT
    return Ending(bool(found.success), is_limit, AS_MANY if is_limit else str(found.message))


def _levenberg_marquardt(objective: Objective, settings: Mapping[str, float], told: Told) -> Ending:
    is_converged, is_limit, said = levenberg_marquardt(
        objective.loss_and_gradient,
        objective.product("gauss_newton"),
        objective.start,
        told,
        iterations=int(settings["max_iterations"]),
        damping=settings["damping"],
        tolerance=settings["gradient_tolerance"],
    )
    return Ending(is_converged, is_limit, AS_MANY if is_limit else said)


METHODS: Mapping[str, Method] = {
    "lbfgs": _lbfgs,
    "newton_cg": _newton_cg,
    "trust_ncg": _trust_ncg,
    "levenberg_marquardt": _levenberg_marquardt,
}
