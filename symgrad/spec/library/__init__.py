"""The library: every layer, activation, loss, regulariser, optimiser, schedule and initialiser."""

from __future__ import annotations

from symgrad.spec.library.activations import ACTIVATIONS
from symgrad.spec.library.convolutions import CONVOLUTIONS
from symgrad.spec.library.entries import (
    Finish,
    Function,
    Initializer,
    LibraryEntry,
    Optimizer,
    Schedule,
    Signature,
)
from symgrad.spec.library.formulas.alignments import ALIGNMENTS
from symgrad.spec.library.formulas.mathematics import MATHEMATICS
from symgrad.spec.library.formulas.noise import DRAWS, NOISES
from symgrad.spec.library.initializers import INITIALIZERS
from symgrad.spec.library.layer_entries import Layer, LayerDemand, LayerForm, LayerParameter
from symgrad.spec.library.layers import LAYERS, LEARNED_ACTIVATIONS
from symgrad.spec.library.losses import AVERAGES, LOSSES, PARTS, REGULARISERS
from symgrad.spec.library.norms import NORMS
from symgrad.spec.library.optimizers import FINISHES, OPTIMIZERS
from symgrad.spec.library.pooling import POOLING
from symgrad.spec.library.schedules import SCHEDULES
from symgrad.spec.library.sequence_layers import SEQUENCE_LAYERS
from symgrad.spec.library.transformers import TRANSFORMERS

activations = {entry.name: entry for entry in ACTIVATIONS}
losses = {entry.name: entry for entry in LOSSES}
regularisers = {entry.name: entry for entry in REGULARISERS}
averages = {entry.name: entry for entry in AVERAGES}
parts = {entry.name: entry for entry in PARTS}
mathematics = {entry.name: entry for entry in MATHEMATICS}
draws = {entry.name: entry for entry in DRAWS}
noises = {entry.name: entry for entry in NOISES}
functions = activations | losses | regularisers | averages | parts | mathematics | draws | noises
learned_activations = {entry.name: entry for entry in LEARNED_ACTIVATIONS}
_LAYERS = (*LAYERS, *CONVOLUTIONS, *POOLING, *NORMS, *SEQUENCE_LAYERS, *TRANSFORMERS, *ALIGNMENTS)
layers = {entry.name: entry for entry in _LAYERS} | learned_activations
optimizers = {entry.name: entry for entry in OPTIMIZERS}
finishes = {entry.name: entry for entry in FINISHES}
schedules = {entry.name: entry for entry in SCHEDULES}
initializers = {entry.name: entry for entry in INITIALIZERS}

__all__ = [
    "Finish",
    "Function",
    "Initializer",
    "Layer",
    "LayerDemand",
    "LayerForm",
    "LayerParameter",
    "LibraryEntry",
    "Optimizer",
    "Schedule",
    "Signature",
    "activations",
    "averages",
    "draws",
    "finishes",
    "functions",
    "initializers",
    "layers",
    "learned_activations",
    "losses",
    "mathematics",
    "noises",
    "optimizers",
    "parts",
    "regularisers",
    "schedules",
]
