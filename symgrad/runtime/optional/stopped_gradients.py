"""Where formulas stop gradients, a module checks those of its own that pass none of these places."""

from symgrad.runtime.own_check import _told, _worst_of_each
from symgrad.runtime.smallest_model import SPEC_NAME, STOPPED


def verify(points: int = 3, seed: int = 0) -> bool:
    """Compare gradients with differences of the loss, in float64, and print the verdict.

    Differences pass through stop_gradient, gradients do not: those that it stops anywhere are not compared.
    Returns True where some are compared, and all of them agree. symgrad's own `verify` holds all to the spec.
    """
    worst = {name: found for name, found in _worst_of_each(points, seed).items() if name not in STOPPED}
    passed = _told(worst)
    for name in STOPPED:
        print(f"{name:>12} is not compared: stop_gradient, or a solver, holds values that it moves")
    if not worst:
        why = "as stop_gradient or a solver holds values on every way to the loss"
        print(f"{SPEC_NAME}: NOTHING is compared, {why}; symgrad verify compares this file with its spec")
        return False
    verdict = "every gradient that is compared agrees with differences of the loss"
    print(f"{SPEC_NAME}: {verdict if passed else 'a gradient is WRONG'}")
    return passed
