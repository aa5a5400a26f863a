"""Where training and inference differ: what asks for a tensor without saying of which of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.errors import SpecError

if TYPE_CHECKING:
    from symgrad.spec.model import Model


def check_modes(model: Model) -> None:
    """Refuse derivatives and claims of what is one thing in training and another in inference.

    Raises:
        SpecError: naming the first of them.
    """
    spec, twice = model.spec, dict(model.in_training)
    for name in spec.gradients:
        if name in twice:
            problem = f"'{name}' is one tensor in training and another in inference"
            at = spec.place_of("gradients", name)
            raise SpecError(
                problem, at=at, remedy="name an input or what stands before the first training(...)"
            )
    if model.evaluation is None and not twice:
        return
    if spec.derive:
        what = f"'{next(iter(twice), 'loss')}'"
        problem = f"'{spec.derive[0]}' is not derived where training and inference differ, as in {what}"
        remedy = "leave it out, or what is drawn or chosen by training(...)"
        raise SpecError(problem, at=spec.derive[0].at, remedy=remedy)
    if spec.manual:
        problem = f"'{spec.manual[0].name}' does not say whether it claims training or inference"
        raise SpecError(problem, at=spec.manual[0].at, remedy="leave manual out where training(...) stands")
