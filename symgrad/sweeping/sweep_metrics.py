"""What trials are compared by: a number that training measures, and whether less of it is better."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from symgrad.errors import ModuleError, SpecError, did_you_mean
from symgrad.spec.expand import expand
from symgrad.training.records.history import finite
from symgrad.training.scores.scorers import scorer_names

if TYPE_CHECKING:
    from symgrad.spec.model import Spec
    from symgrad.training.run import Run

Direction: TypeAlias = Literal["minimize", "maximize"]
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
_DIRECTION: dict[str, Direction] = {
    "loss": "minimize",
    "accuracy": "maximize",
    "r2": "maximize",
    "rmse": "minimize",
}
"""Of what is measured on rows, beside the scores of scikit-learn, of which more is better."""
_OF_RUN = ("trained_epochs", "kept_epoch")
"""Of which nobody knows whether less is better."""
HELD_OUT, TRAINING = "held_out_", "training_"


@dataclass(frozen=True)
class SweepMetric:
    """The number that trials are sorted by."""

    name: str
    direction: Direction

    def is_better(self, value: float, than: float) -> bool:
        """Whether one value is better than another."""
        return value < than if self.direction == "minimize" else value > than

    @property
    def scorers(self) -> tuple[str, ...]:
        """The score of scikit-learn's that must be measured for it, if one."""
        own = self.name.removeprefix(HELD_OUT)
        return () if own in _DIRECTION or not self.name.startswith(HELD_OUT) else (own,)


def numbers_of(run: Run) -> dict[str, float | None]:
    """What was measured of a run, by the names that a metric may have; None for what is no finite number."""
    parts = {TRAINING: run.training, HELD_OUT: run.validation}
    measured = {
        f"{part}{name}": value
        for part, metrics in parts.items()
        if metrics is not None
        for name, value in asdict(metrics).items()
        if name in _DIRECTION and value is not None
    }
    measured |= {f"{HELD_OUT}{name}": value for name, value in run.named_metrics}
    measured |= {"trained_epochs": len(run.history.records), "kept_epoch": run.checkpoint.epoch}
    return {name: finite(value) for name, value in measured.items()}


def chosen_metric(spec: Spec, name: str | None, direction: Direction | None) -> SweepMetric:
    """The metric of a sweep: the loss, of held-out rows where there are any, unless another is asked for.

    Raises:
        SpecError: it is not measured when this spec is trained; its direction is not known, or is another.
        ModuleError: it is a score of scikit-learn's, and that is missing.
    """
    known = _measured(spec)
    if name is None:
        name = f"{HELD_OUT}loss" if f"{HELD_OUT}loss" in known else f"{TRAINING}loss"
    if not isinstance(name, str) or name not in known:
        _demand_score(spec, str(name), known)
    own = _DIRECTION.get(name.removeprefix(HELD_OUT).removeprefix(TRAINING))
    if name in _OF_RUN:
        if direction is None:
            problem = f"nobody knows whether more of {name} is better"
            raise SpecError(problem, at="metric", remedy="say --minimize or --maximize")
        return SweepMetric(name, direction)
    own = own or "maximize"
    if direction not in (None, own):
        better = "less" if own == "minimize" else "more"
        raise SpecError(f"of {name} {better} is better", at="metric", remedy=f"leave --{direction} out")
    return SweepMetric(name, own)


def _measured(spec: Spec) -> tuple[str, ...]:
    """The names of what is measured whenever this spec is trained."""
    model = expand(spec)
    scores = ("r2", "rmse") if model.task == "values" else ("accuracy",)
    parts = (HELD_OUT, TRAINING) if spec.train.validation is not None else (TRAINING,)
    named = spec.train.metrics if spec.train.validation is not None else ()
    return (
        *(f"{part}{name}" for part in parts for name in ("loss", *scores)),
        *(f"{HELD_OUT}{name}" for name in named),
        *_OF_RUN,
    )


def _demand_score(spec: Spec, name: str, known: tuple[str, ...]) -> None:
    """Accept a score of scikit-learn's on held-out rows."""
    own = name.removeprefix(HELD_OUT)
    is_score = name.startswith(HELD_OUT) and own not in _DIRECTION
    if name.startswith(HELD_OUT) and spec.train.validation is None:
        remedy = "write validation: 0.2 in its train block, or take training_loss"
        raise SpecError(f"'{name}', and the spec holds no rows out", at="metric", remedy=remedy)
    near = did_you_mean(name, known)
    if is_score:
        try:
            scores = scorer_names([own])
        except ModuleError:
            if not near:
                raise
        else:
            if own in scores:
                return
            others = (f"{HELD_OUT}{score}" for score in scores if score not in _DIRECTION)
            near = did_you_mean(name, (*known, *others))
    remedy = near or f"expected {', '.join(known)}, or {HELD_OUT}NAME for a score of scikit-learn's"
    raise SpecError(f"'{name}' is not measured when {spec.name} is trained", at="metric", remedy=remedy)
