"""Scores by the names that scikit-learn gives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from symgrad.errors import DataError, ModuleError, did_you_mean, how_to_install
from symgrad.training.scores.decisions import decisions
from symgrad.training.scores.metrics import scored_entries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

    from symgrad.training.dataset.data import Dataset
    from symgrad.training.scores.metrics import ScoredEntries


Scorer: TypeAlias = Callable[[Any, Any, Any], float]
"""Takes an estimator, its inputs and the truth."""


class _Answers:
    """An estimator that has its predictions already: what scikit-learn's scorers ask."""

    def __init__(self, prediction: Any, kind: str) -> None:
        self.prediction, self._estimator_type = prediction, kind

    def fit(self, *_: Any) -> None:
        """It is what was trained."""

    def predict(self, _: Any) -> Any:
        """The prediction for each entry."""
        return self.prediction

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import Tags, TargetTags

        return Tags(self._estimator_type, TargetTags(required=True))


class _Probabilities(_Answers):
    """One of classes, with the probability of each."""

    def __init__(self, prediction: Any, probabilities: Any) -> None:
        super().__init__(prediction, "classifier")
        self.probabilities, self.classes_ = probabilities, np.arange(probabilities.shape[-1])

    def predict_proba(self, _: Any) -> Any:
        """The probabilities of each entry."""
        return self.probabilities


def scorers(names: Sequence[str]) -> dict[str, Scorer]:
    """What scores by these names.

    Raises:
        ModuleError: scikit-learn is missing, or has no such metric.
    """
    if not names:
        return {}
    known = scorer_names(names)
    from sklearn.metrics import get_scorer

    for name in names:
        if name not in known:
            higher = f"write neg_{name}, as higher scores are better" if f"neg_{name}" in known else ""
            remedy = higher or did_you_mean(name, known) or f"one of {', '.join(known)}"
            raise ModuleError(f"scikit-learn has no metric '{name}'", at=name, remedy=remedy)
    return {name: get_scorer(name) for name in names}


def scorer_names(asked: Sequence[str]) -> Sequence[str]:
    """The names of all scores, of which some are asked for. Raises ModuleError: scikit-learn is missing."""
    try:
        from sklearn.metrics import get_scorer_names
    except ModuleNotFoundError:
        problem = f"scikit-learn is missing, which measures {', '.join(asked)}"
        raise ModuleError(problem, remedy=how_to_install("sklearn")) from None
    found: list[str] = get_scorer_names()
    return found


def named_scores(
    module: ModuleType, params: Any, dataset: Dataset, named: Mapping[str, Scorer]
) -> tuple[tuple[str, float], ...]:
    """Scores of a module with these parameters by name, in that order; higher is better.

    Raises:
        ModuleError: a score does not fit this network.
        DataError: predictions and targets of this network cannot be compared.
    """
    if not named:
        return ()
    scored = scored_entries(module, params, dataset)
    if scored is None:
        raise DataError("predictions and targets cannot be compared", at=module.SPEC_NAME)
    answers, target = _answers(module, scored)
    found = []
    for name, scorer in named.items():
        try:
            found.append((name, float(scorer(answers, np.zeros((len(target), 1)), target))))
        except (ValueError, AttributeError, TypeError) as error:
            raise ModuleError(f"'{name}' does not fit: {error}", at=module.SPEC_NAME) from None
    return tuple(found)


def _answers(module: ModuleType, scored: ScoredEntries) -> tuple[_Answers, Any]:
    """What scorers ask, and what is right."""
    decided = decisions(module, scored)
    if decided is None:
        return _Answers(scored.prediction, "regressor"), scored.target
    if decided.are_probabilities:
        sums = decided.probabilities.sum(axis=-1, keepdims=True)  # 1, but for rounding
        return _Probabilities(decided.prediction, decided.probabilities / sums), decided.target
    return _Answers(decided.prediction, "classifier"), decided.target
