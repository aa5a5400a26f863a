"""Names in the train block that nothing bears: scores and columns of words, most likely misspelt."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from symgrad.errors import SpecWarning, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.spec.model import DataSpec, Model, Spec

SCORES = frozenset((
    "accuracy", "adjusted_mutual_info_score", "adjusted_rand_score", "average_precision",
    "balanced_accuracy", "completeness_score", "d2_absolute_error_score", "d2_brier_score",
    "d2_log_loss_score", "explained_variance", "f1", "f1_macro", "f1_micro", "f1_samples",
    "f1_weighted", "fowlkes_mallows_score", "homogeneity_score", "jaccard", "jaccard_macro",
    "jaccard_micro", "jaccard_samples", "jaccard_weighted", "matthews_corrcoef",
    "mutual_info_score", "neg_brier_score", "neg_log_loss", "neg_max_error",
    "neg_mean_absolute_error", "neg_mean_absolute_percentage_error", "neg_mean_gamma_deviance",
    "neg_mean_poisson_deviance", "neg_mean_squared_error", "neg_mean_squared_log_error",
    "neg_median_absolute_error", "neg_negative_likelihood_ratio", "neg_root_mean_squared_error",
    "neg_root_mean_squared_log_error", "normalized_mutual_info_score", "positive_likelihood_ratio",
    "precision", "precision_macro", "precision_micro", "precision_samples", "precision_weighted",
    "r2", "rand_score", "recall", "recall_macro", "recall_micro", "recall_samples",
    "recall_weighted", "roc_auc", "roc_auc_ovo", "roc_auc_ovo_weighted", "roc_auc_ovr",
    "roc_auc_ovr_weighted", "top_k_accuracy", "v_measure_score",
))  # fmt: skip
"""Names of scikit-learn's scores, of which releases have more or fewer: training asks the one installed."""


def misnamed_in_training(model: Model) -> Iterator[SpecWarning]:
    """Scores that scikit-learn has none of, and words said of columns that no tensor takes."""
    spec = model.spec
    watch = spec.train.stop.watch
    for key, names in (("metrics", spec.train.metrics), ("stop", (watch,) if watch else ())):
        for name in names:
            if name not in SCORES and not (key == "stop" and name == "loss"):
                problem = f"scikit-learn has no score '{name}'"
                yield SpecWarning(problem, at=spec.place_of("train", key), remedy=_score_instead(name))
    yield from _categorical(spec)


def _score_instead(name: str) -> str:
    if f"neg_{name}" in SCORES:
        return f"write neg_{name}, as higher scores are better"
    return did_you_mean(name, sorted(SCORES)) or "write accuracy, f1_macro or r2, for example"


def _categorical(spec: Spec) -> Iterator[SpecWarning]:
    sources = spec.train.sources
    tensors = {tensor.name for tensor in (*spec.inputs, *spec.targets)}
    taken = [column for data in sources for _, columns in data.columns for column in columns]
    if not sources or any(_names_some(data, tensors) for data in sources):
        return  # what is not named is taken in order, and known with the file alone
    for name in spec.train.categorical:
        if not any(fnmatchcase(name, column) for column in taken):
            problem = f"'categorical' names '{name}', which is no column that a tensor takes"
            remedy = did_you_mean(name, taken) or f"expected {' or '.join(taken)}"
            yield SpecWarning(problem, at=spec.place_of("train", "categorical"), remedy=remedy)


def _names_some(data: DataSpec, tensors: set[str]) -> bool:
    return data.points is None and not tensors <= dict(data.columns).keys()
