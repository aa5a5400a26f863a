"""The words of other libraries lead to words that are there, and what is advised instead can be written."""

from __future__ import annotations

import pytest

from symgrad.errors import Position
from symgrad.spec import library, other_names
from symgrad.spec.expansion.loss_formulas import KEYWORDS
from symgrad.spec.language.builtins import DERIVATIVE, LANGUAGE_FUNCTIONS
from symgrad.spec.language.formula import parse_formula
from symgrad.spec.other_names import meant
from symgrad.spec.reading import schema

ENTRIES = {
    **library.functions,
    **library.layers,
    **library.optimizers,
    **library.schedules,
    **library.initializers,
}
BLOCKS = (
    *(schema.SpecBlock, schema.TrainBlock, schema.OptimizerBlock, schema.StopBlock, schema.DataBlock),
    *(schema.TargetBlock, schema.ParameterBlock),
)
KEYS = {key for block in BLOCKS for key in block.model_fields}
SIGNATURES = [entry.signature for entry in (*ENTRIES.values(), *library.finishes.values())]
ARGUMENTS = {*KEYWORDS, *(n for s in SIGNATURES for n in (*s.arguments, *(name for name, _ in s.defaults)))}


def test_every_word_leads_to_one_that_is_there() -> None:
    known = {*ENTRIES, *library.finishes, *KEYS, *ARGUMENTS, DERIVATIVE, *LANGUAGE_FUNCTIONS}
    assert set(other_names._ALSO_CALLED) <= known
    for kind in (
        library.losses,
        library.optimizers,
        library.finishes,
        library.schedules,
        library.initializers,
        library.activations,
    ):
        for ours, others in other_names._ALSO_CALLED.items():
            for word in others.split():
                if ours in kind and word not in kind:
                    assert meant(word, kind, "").startswith("did you mean '"), word


def test_no_word_is_an_entry_of_the_same_kind() -> None:
    """A word that is taught as an alias and means something else here would never be heard of."""
    kinds = (library.functions, library.optimizers, library.schedules, library.initializers)
    for kind in kinds:
        for ours, others in other_names._ALSO_CALLED.items():
            assert not (ours in kind and set(others.split()) & set(kind)), ours


@pytest.mark.parametrize("words", other_names._INSTEAD)
def test_what_stands_instead_can_be_written(words: str) -> None:
    remedy = other_names._INSTEAD[words]
    assert meant(words.split()[0].upper(), ENTRIES, "") == remedy
    if remedy.startswith("write ") and ":" not in remedy and "as " not in remedy:
        formula = remedy.removeprefix("write ").partition(", ")[0]
        if formula.count("(") == formula.count(")"):
            parse_formula(formula, Position("remedy", 1, 1))


def test_capitals_underscores_and_endings_do_not_count() -> None:
    for word in ("MSE", "MSELoss", "mean_squared_error", "MeanSquaredError", "mean-squared-error"):
        assert meant(word, library.losses, "") == "did you mean 'mse'?"
    assert meant("sigmiod", library.functions, "nothing") == "did you mean 'sigmoid'?"
    assert meant("qqq", library.losses, "there are many") == "there are many"
