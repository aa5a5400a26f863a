"""The demands, in the order of the lectures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from symgrad.lectures import descent, examples, manual_derivatives, programs, updates
from symgrad.lectures.demand import DemandSpecs

Check: TypeAlias = Callable[[DemandSpecs], str]


@dataclass(frozen=True)
class Demand:
    """What a lecture asks for, the specs that do it, and the check: evidence, or DisagreementError."""

    number: int
    lecture: str
    demand: str
    specs: tuple[str, ...]
    check: Check


ROWS = (
    Demand(
        1,
        "000",
        "fully connected layer on a batch: gradients of W and b",
        ("01_dense_layer",),
        manual_derivatives.dense_layer,
    ),
    Demand(
        2,
        "000",
        "gradients use the weights from before the update",
        ("02_update_order",),
        updates.update_order,
    ),
    Demand(
        3,
        "000",
        "gradient descent until a termination criterion",
        ("03_gradient_descent",),
        descent.termination,
    ),
    Demand(
        4,
        "001",
        "softmax and cross-entropy: softmax(s) − onehot(y), stable",
        ("04_softmax",),
        manual_derivatives.softmax,
    ),
    Demand(
        5,
        "001",
        "numerical beside analytic differentiation",
        ("05_gradient_check",),
        manual_derivatives.gradient_check,
    ),
    Demand(6, "001", "least squares on a linear model", ("06_least_squares",), updates.least_squares),
    Demand(
        7,
        "001",
        "sigmoid perceptron; σ′ = σ(1−σ) is found",
        ("07_sigmoid_perceptron",),
        updates.sigmoid_perceptron,
    ),
    Demand(
        8,
        "001",
        "several neurons, three layers, compositions: one rule per parameter",
        ("08_multi_class", "08_three_layers", "08_composition"),
        manual_derivatives.compositions,
    ),
    Demand(
        9,
        "001",
        "any directed acyclic graph: (x+y)z with numbers; shared nodes",
        ("09_graph", "09_shared_node"),
        programs.graph_with_numbers,
    ),
    Demand(
        10,
        "001",
        "what the backward pass needs is stored, and only that",
        ("10_stored_values",),
        programs.stored_values,
    ),
    Demand(
        11,
        "002",
        "mini-batch backpropagation in matrices: B and P by name",
        ("11_minibatch_backprop",),
        manual_derivatives.minibatch_backprop,
    ),
    Demand(
        12,
        "002",
        "learning-rate decay, inverse and exponential",
        ("12_inverse_decay", "12_exponential_decay"),
        descent.decay,
    ),
    Demand(13, "002", "the optimisers as stated there", ("13_optimizers",), descent.optimizers),
    Demand(14, "003", "Widrow-Hoff LMS", ("14_widrow_hoff",), updates.widrow_hoff),
    Demand(
        15,
        "003",
        "forward signal times backward signal; biases are dead ends",
        ("15_forward_backward",),
        manual_derivatives.forward_backward,
    ),
    Demand(
        16,
        "004",
        "a chain of blocks with local Jacobians, parameters of any kind",
        ("16_blocks",),
        manual_derivatives.blocks,
    ),
    Demand(
        17,
        "004",
        "three and more losses with ∂L/∂x_p",
        ("17_squared_error", "17_mean_squared_error", "17_cross_entropy", "17_hinge"),
        manual_derivatives.losses,
    ),
    Demand(
        18,
        "004",
        "initialisation, loss, update rule, batches: one word each",
        ("18_refinements",),
        descent.one_word_each,
    ),
    Demand(19, "004", "epochs and iterations; batches drawn once, or anew", ("19_epochs",), descent.batches),
    Demand(
        20,
        "004",
        "one subgradient in every spelling of a function",
        ("20_subgradients",),
        programs.subgradients,
    ),
    Demand(
        21, "004", "homework 1: the rules of six weights as scalars", ("21_homework1",), updates.homework1
    ),
    Demand(
        22,
        "004",
        "homework 2: two Gaussian classes, without and with bias, beside PyTorch",
        ("22_without_bias", "22_with_bias"),
        examples.homework2,
    ),
    Demand(23, "004", "homework 3: 1 against 2 with 784-1000-1000-1", ("23_homework3",), examples.homework3),
)
