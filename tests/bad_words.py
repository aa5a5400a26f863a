"""Specs with words of other libraries, and with slips of the pen that YAML takes for something else."""

from __future__ import annotations

from bad_formulas import formula

CHAIN = "inputs: {x: [N, 3]}\ntargets: {t: [N, 1]}\nlayers: [dense(1)]\n"
LABELS = "inputs: {x: [N, 3]}\ntargets: {t: {axes: [N], classes: 3}}\nlayers: [dense(3)]\n"


def loss(text: str) -> str:
    """A good spec but for its loss."""
    return f"{CHAIN}loss: {text}\n"


def train(block: str) -> str:
    """A good spec but for its train block."""
    return f"{CHAIN}loss: mse\ntrain: {block}\n"


def layers(text: str) -> str:
    """A good spec but for its layers."""
    return f"inputs: {{x: [N, 3]}}\ntargets: {{t: [N, 1]}}\nlayers:{text}\nloss: mse\n"


WORDS = {
    "mean_squared_error": loss("mean_squared_error"),
    "mean_squared_error as a call": loss("mean_squared_error(y, t)"),
    "cross_entropy": loss("cross_entropy"),
    "MSELoss": loss("MSELoss"),
    "BCEWithLogitsLoss": loss("BCEWithLogitsLoss"),
    "capitals": loss("MSE"),
    "rmse": loss("rmse"),
    "maximum": formula("maximum(x, 0)"),
    "arctan": formula("arctan(x)"),
    "squeeze": formula("squeeze(x, 2)"),
    "cat": formula("cat(x, x)"),
    "narrow": formula("narrow(x, 2)"),
    "all dropped": formula("dropout(x, 1)"),
    "numpy": formula("np.exp(x)"),
    "math": formula("2 * math.pi * x"),
    "ReLU": layers(" ['dense(1, activation=ReLU)']"),
    "Linear": layers(" ['Linear(3, 1)']"),
    "xavier": layers(" ['dense(1, init=xavier)']"),
    "CosineAnnealingLR": train("{schedule: CosineAnnealingLR}"),
    "SGD with momentum": train("{optimizer: 'SGD(0.1)'}"),
    "optimiser as a mapping": train("{optimizer: {adam: {learning_rate: 0.1}}}"),
    "optimiser by name": train("{optimizer: {lr: 0.1, name: Adam}}"),
    "optimiser as a list": train("{optimizer: [adam]}"),
    "learning_rate in train": train("{learning_rate: 0.1}"),
    "lr beside an optimiser": train("{optimizer: adam, lr: 0.1}"),
    "patience in train": train("{patience: 5}"),
    "columns in train": train("{data: a.csv, columns: {x: [a, b, c]}}"),
    "early_stopping": train("{early_stopping: true}"),
    "validation_split": train("{validation_split: 0.2}"),
    "loss in train": train("{loss: mse}"),
    "epochs beside train": f"{CHAIN}epochs: 3\n",
    "method": formula("x.sum()"),
    "power T": formula("x^T @ x"),
    "length": formula("len(x)"),
    "random numbers": formula("rand()"),
    "activation in second place": layers(" ['dense(1, relu)']"),
    "out_features": layers(" ['dense(out_features=1)']"),
    "kernel_initializer": layers(" ['dense(1, kernel_initializer=he_normal)']"),
    "momentum of sgd": train("{optimizer: 'sgd(lr=0.1, momentum=0.9)'}"),
    "lambda": train("{schedule: 'lambda epoch: 0.95**epoch'}"),
    "file": train("{data: {file: d.csv}}"),
    "columns beside the path": train("{data: {path: d.csv, x: [a, b, c]}}"),
    "address": train("{data: 'https://a.b/d.csv'}"),
    "device": train("{device: cuda}"),
    "metric": train("{metric: accuracy}"),
    "None as an axis": "inputs: {x: [None, 3]}\nlayers: [dense(1)]\n",
    "shape": "inputs: {x: {shape: [N, 3]}}\nlayers: [dense(1)]\n",
    "class weights in a list": f"{LABELS}loss: softmax_cross_entropy(class_weights=[1, 2, 3])\n",
}

SLIPS = {
    "tab": "train:\n\tepochs: 3\n",
    "tab behind spaces": "train:\n  \tepochs: 3\n",
    "no space after a colon": f"{CHAIN}loss:mse\n",
    "no space in a block": f"{CHAIN}loss: mse\ntrain:\n  epochs: 3\n  batch_size:4\n",
    "no space in the only line": f"{CHAIN}loss: mse\ntrain:\n  epochs:3\n",
    "no space in braces": train("{epochs:3}"),
    "no space before a list": "inputs: {x:[N, 3]}\nlayers: [dense(1)]\n",
    "colon for an equals sign": layers("\n  - dense(units:1)"),
    "minus of a loss": loss("- mse(y, t)"),
    "loss in a list": loss("\n  - mse"),
    "no space after a dash": layers("\n  -dense(1)"),
    "layers without a list": layers(" dense(1)"),
    "layer as a mapping": layers("\n  - dense: {units: 1, bias: false}"),
    "percent": train("{validation: 20%}"),
    "whole percents": train("{validation: 20}"),
    "mapping in a list": "inputs:\n  - x: [N, 3]\nlayers: [dense(1)]\n",
    "fraction in quotes": train("{validation: '0.2'}"),
    "percent in a formula": formula("20% * x"),
    "decimal comma": formula("0,5 * x"),
    "decimal comma of an argument": train("{optimizer: 'adam(lr=0,1)'}"),
    "decimal comma in braces": train("{clip_norm: 1,5}"),
    "decimal comma in quotes": train("{clip_norm: '1,5'}"),
    "number in quotes": train("{epochs: '10'}"),
    "no-break space": formula("x\u00a0* 2"),
    "typographic quotes": formula("\u201cx\u201d + 1"),
    "letter pi": formula("\u03c0 * x"),
    "bars": formula("2 * |x|"),
    "marks between thousands": formula("1.000.000 * x"),
}
