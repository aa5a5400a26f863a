"""The library: every layer, activation, loss, regulariser, optimiser, schedule and initialiser."""

from __future__ import annotations

from symgrad.spec.library.activations import ACTIVATIONS
from symgrad.spec.library.entries import (
    Entry,
    Function,
    Initializer,
    Layer,
    LayerParameter,
    Optimizer,
    Schedule,
    Signature,
)
from symgrad.spec.library.initializers import INITIALIZERS
from symgrad.spec.library.layers import LAYERS
from symgrad.spec.library.losses import LOSSES, REGULARISERS
from symgrad.spec.library.optimizers import OPTIMIZERS
from symgrad.spec.library.schedules import SCHEDULES

activations = {entry.name: entry for entry in ACTIVATIONS}
losses = {entry.name: entry for entry in LOSSES}
regularisers = {entry.name: entry for entry in REGULARISERS}
functions = activations | losses | regularisers
layers = {entry.name: entry for entry in LAYERS}
optimizers = {entry.name: entry for entry in OPTIMIZERS}
schedules = {entry.name: entry for entry in SCHEDULES}
initializers = {entry.name: entry for entry in INITIALIZERS}

__all__ = [
    "Entry",
    "Function",
    "Initializer",
    "Layer",
    "LayerParameter",
    "Optimizer",
    "Schedule",
    "Signature",
    "activations",
    "functions",
    "initializers",
    "layers",
    "losses",
    "optimizers",
    "regularisers",
    "schedules",
]
