"""Networks as scikit-learn's estimators: Classifier, Regressor and Transformer.

They fit into pipelines, searches and cross-validation, and can be pickled. They need scikit-learn 1.6 or
newer, which the extra `sklearn` brings.
"""

from symgrad.sklearn.classifier import Classifier
from symgrad.sklearn.regressor import Regressor
from symgrad.sklearn.transformer import Transformer

__all__ = ["Classifier", "Regressor", "Transformer"]


def __dir__() -> list[str]:  # what help() and completion list
    return sorted(__all__)
