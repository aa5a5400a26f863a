"""Where formulas stop gradients, a module cannot check its own: differences of its loss pass through all."""

from symgrad.runtime.smallest_model import SPEC_NAME


def verify(points: int = 3, seed: int = 0) -> bool:
    """Nothing is compared: with stop_gradient the gradient is not the slope of the loss.

    symgrad's own `verify` holds the gradient to the spec.
    """
    print(f"{SPEC_NAME}: stop_gradient holds values, so differences of the loss say nothing of its gradient")
    return True
