"""150 specs that make no sense at first sight, each with the decision: REFUSE, WARN, or why it is fine.

What is said of the others is in tests/golden/nonsense.txt.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Decision:
    """What becomes of a spec; a fine one has its reason."""

    verdict: str
    reason: str = ""


REFUSE, WARN = Decision("refused"), Decision("warned")

VALUES = """\
inputs: {x: [batch, 2]}
targets: {t: [batch, 1]}
layers:
  - dense(8, activation=tanh)
  - dense(1)
loss: mse
"""
CLASSES = """\
inputs: {x: [batch, 2]}
targets: {t: {axes: [batch], classes: 3}}
"""
GRAPH = """\
inputs: {x: [batch, 2]}
targets: {t: [batch, 1]}
parameters: {W: [2, 1]}
"""


def fine(reason: str) -> Decision:
    return Decision("fine", reason)


def train(*lines: str) -> str:
    return VALUES + "train:\n" + "".join(f"  {line}\n" for line in lines)


def optimizer(call: str) -> str:
    rule = call.partition("(")[0]
    full = rule in ("rprop", "delta_bar_delta")
    return train(f'optimizer: "{call}"', *(["batch_size: full"] if full else []))


def schedule(formula: str) -> str:
    return train(f'schedule: "{formula}"')


def own(update: str, hyper: str = "eta: 0.1", rest: str = "") -> str:
    return train(
        "optimizer:", f"  hyper: {{{hyper}}}", *([f"  {rest}"] if rest else []), f"  update: {{{update}}}"
    )


def hidden(init: str) -> str:
    return VALUES.replace("activation=tanh", f"activation=tanh, init={init}")


def weights(init: str) -> str:
    inits = f"W: {{axes: [2, 8], init: {init}}}, V: [8, 1]"
    return graph("y: tanh(x @ W) @ V", head=GRAPH.replace("W: [2, 1]", inits))


def last(layer: str) -> str:
    return VALUES.replace("  - dense(1)\n", f'  - dense(1)\n  - "{layer}"\n')


def classes(*layers: str, loss: str = "softmax_cross_entropy") -> str:
    lines = "".join(f"  - {layer}\n" for layer in ("dense(3)", *layers))
    return f'{CLASSES}layers:\n{lines}loss: "{loss}"\n'


def values(*layers: str, loss: str) -> str:
    lines = "".join(f"  - {layer}\n" for layer in ("dense(1)", *layers))
    return VALUES.replace("  - dense(1)\nloss: mse\n", f'{lines}loss: "{loss}"\n')


def graph(
    equations: str = "y: x @ W", loss: str = "mse(y, t)", tail: str = "", head: str = GRAPH, **also: str
) -> str:
    head = head + "".join(f"{key}: {value}\n" for key, value in also.items())
    return f'{head}equations:\n  {equations}\nloss: "{loss}"\n{tail}'


def start(init: str, formula: str) -> str:
    head = GRAPH.replace("W: [2, 1]", f"W: [2, 1], s: {{axes: [], init: {init}}}")
    return graph(f"y: {formula}", head=head)


def columns(text: str) -> str:
    return train(f"data: {{path: a.csv, columns: {text}}}")


OPTIMIZERS = {
    call: (optimizer(call), decision)
    for call, decision in {
        "sgd(learning_rate=-0.1)": REFUSE,
        "sgd(learning_rate=0)": REFUSE,
        "sgd(learning_rate=1e30)": WARN,
        "sgd(weight_decay=-1)": REFUSE,
        "momentum(momentum=1.5)": REFUSE,
        "momentum(momentum=-0.5)": REFUSE,
        "momentum(momentum=1)": REFUSE,
        "momentum(dampening=2)": REFUSE,
        "momentum(dampening=-1)": REFUSE,
        "nesterov(momentum=1.2)": REFUSE,
        "adam(b1=1.5)": REFUSE,
        "adam(b2=2)": REFUSE,
        "adam(eps=-1)": REFUSE,
        "adam(eps=0)": WARN,
        "adam(learning_rate=-1)": REFUSE,
        "adam(weight_decay=-0.1)": REFUSE,
        "adamw(weight_decay=-3)": REFUSE,
        "adamw(weight_decay=2000)": WARN,
        "rmsprop(alpha=2)": REFUSE,
        "rmsprop(alpha=-1)": REFUSE,
        "rmsprop(eps=-1e-8)": REFUSE,
        "rmsprop(eps=0)": WARN,
        "adadelta(rho=1.5)": REFUSE,
        "adadelta(rho=1)": REFUSE,
        "adadelta(eps=0)": WARN,
        "adagrad(initial_accumulator=-1)": REFUSE,
        "adagrad(eps=-1)": REFUSE,
        "lion(b1=2)": REFUSE,
        "nadam(b1=1)": REFUSE,
        "rprop(eta_minus=2, eta_plus=0.5)": REFUSE,
        "rprop(eta_minus=-1)": REFUSE,
        "delta_bar_delta(kappa=-1)": REFUSE,
    }.items()
}

SCHEDULES = {
    formula: (schedule(formula), decision)
    for formula, decision in {
        "exponential(decay=-1)": REFUSE,
        "exponential(decay=1e9)": WARN,
        "step_decay(-3)": REFUSE,
        "step_decay(2.5)": fine("floor(epoch / 2.5) is a step after 2.5, 5, 7.5, ... epochs"),
        "cosine(total=-5)": REFUSE,
        "cosine(eta_min=-1)": REFUSE,
        "cosine(eta_min=5)": WARN,
        "polynomial(power=-1)": REFUSE,
        "linear_warmup(-5)": REFUSE,
        "one_cycle(total=-2)": REFUSE,
        "inverse(decay=-1)": REFUSE,
        "0": REFUSE,
        "-1": REFUSE,
        "-learning_rate": REFUSE,
        "learning_rate * epoch": WARN,
        "learning_rate * 0": REFUSE,
        "learning_rate - epoch": REFUSE,
        "1e300 * learning_rate": REFUSE,
        "learning_rate / (epoch - 3)": REFUSE,
        "log(1 - epoch) * learning_rate": REFUSE,
        "sqrt(5 - epoch) * learning_rate": REFUSE,
        "learning_rate ** (epoch * 500)": WARN,
        "1": WARN,
    }.items()
}

TRAINING = {
    "validation: '0.2'": (train("validation: '0.2'"), REFUSE),
    "validation: 1e-12": (train("validation: 1.0e-12"), REFUSE),
    "validation: 0.999999999": (train("validation: 0.999999999"), REFUSE),
    "stop: {'tolerance': 1000000000.0}": (train("stop: {tolerance: 1000000000.0}"), WARN),
    "stop: {'time_limit': 1e-09}": (train("stop: {time_limit: 1.0e-09}"), WARN),
    "stop: {'patience': 1000000000}": (train("stop: {patience: 1000000000}"), WARN),
    "clip_norm: 1e-300": (train("clip_norm: 1.0e-300"), REFUSE),
    "clip_norm: 1e+300": (train("clip_norm: 1.0e+300"), REFUSE),
    "clip_value: 1e-300": (train("clip_value: 1.0e-300"), REFUSE),
    "micro_batch_size: 1": (
        train("micro_batch_size: 1"),
        fine("the gradient of a batch from one row at a time: the same gradient in the least memory"),
    ),
    "data: 'xxx…": (train(f"data: {'x' * 5000}"), REFUSE),
    "data: 'no_such.csv'": (
        train("data: no_such.csv"),
        fine("a module needs no data; who trains on the file is told that it is not there"),
    ),
    "data: 'con.csv'": (train("data: con.csv"), REFUSE),
    "data: '~/.ssh/id'": (train("data: ~/.ssh/id"), REFUSE),
}

STARTS = {
    "init of hidden W: normal(std=0)": (hidden("normal(std=0)"), REFUSE),
    "parameters init: normal(std=0)": (weights("normal(std=0)"), REFUSE),
    "init of hidden W: uniform(limit=0)": (hidden("uniform(limit=0)"), REFUSE),
    "parameters init: uniform(limit=0)": (weights("uniform(limit=0)"), REFUSE),
    "init of hidden W: normal(std=1e30)": (hidden("normal(std=1e30)"), WARN),
    "parameters init: normal(std=1e30)": (weights("normal(std=1e30)"), WARN),
    "init of hidden W: zeros": (hidden("zeros"), WARN),
    "parameters init: zeros": (weights("zeros"), WARN),
    "init of hidden W: constant(value=0.5)": (hidden("constant(value=0.5)"), WARN),
    "parameters init: constant(value=0.5)": (weights("constant(value=0.5)"), WARN),
    "parameters init: -5": (weights("-5"), WARN),
}

LAYERS = {
    "last layer: dense(2, activation=softmax)": (
        CLASSES.replace("{axes: [batch], classes: 3}", "[batch, 2]")
        + 'layers: ["dense(2, activation=softmax)"]\nloss: mse\n',
        fine("the mean squared error of probabilities is the Brier score"),
    ),
    "last layer: relu": (last("relu"), fine("what is predicted may be a quantity that is never negative")),
    "last layer: leaky_relu(-5)": (last("leaky_relu(-5)"), WARN),
    "last layer: elu(alpha=-1)": (last("elu(alpha=-1)"), REFUSE),
    "last layer: elu(alpha=0)": (last("elu(alpha=0)"), WARN),
    "last layer: celu(alpha=-1)": (last("celu(alpha=-1)"), REFUSE),
    "last layer: hardtanh(1, -1)": (last("hardtanh(1, -1)"), REFUSE),
    "last layer: maxout(2, pieces=1)": (last("maxout(1, pieces=1)"), WARN),
    "last layer: layer_norm(3)": (last("layer_norm(3)"), WARN),
    "last layer: group_norm(1, 3)": (last("group_norm(1, 3)"), WARN),
}

LOSSES = {
    "classes: softmax before softmax_cross_entropy": (classes("softmax"), WARN),
    "classes: log_softmax before softmax_cross_entropy": (classes("log_softmax"), WARN),
    "classes: nll on raw scores": (classes(loss="nll"), WARN),
    "classes: nll on softmax": (classes("softmax", loss="nll"), WARN),
    "classes: label_smoothing=1": (classes(loss="softmax_cross_entropy(label_smoothing=1)"), REFUSE),
    "classes: multi_margin margin=-1": (classes(loss="multi_margin(margin=-1)"), REFUSE),
    "classes: relu output": (classes("relu"), WARN),
    "values: sigmoid before BCE with logits": (
        values("sigmoid", loss="binary_cross_entropy_with_logits"),
        WARN,
    ),
    "values: BCE on a linear output": (values(loss="binary_cross_entropy"), WARN),
    "values: BCE on relu": (values("relu", loss="binary_cross_entropy"), WARN),
    "values: BCE on tanh": (values("tanh", loss="binary_cross_entropy"), WARN),
    "values: huber delta=-1": (values(loss="huber(delta=-1)"), REFUSE),
    "values: huber delta=0": (values(loss="huber(delta=0)"), REFUSE),
    "values: smooth_l1 beta=-1": (values(loss="smooth_l1(beta=-1)"), REFUSE),
    "values: kl_div of raw scores": (values(loss="kl_div"), WARN),
    "values: hinge on values": (
        values(loss="hinge"),
        fine("the spec does not say that t is other than -1 and 1: the data decide"),
    ),
    "values: poisson": (
        values(loss="poisson_nll"),
        fine("the output is the logarithm of the rate: every number is one"),
    ),
}

GRAPHS = {
    "loss: t only": (graph(loss="mean(t**2)"), REFUSE),
    "loss: x only": (graph(loss="mean(x**2)"), REFUSE),
    "loss unbounded": (graph(loss="mean(y)"), WARN),
    "loss -mse": (graph(loss="-mse(y, t)"), WARN),
    "loss log of what may be negative": (graph(loss="mean(log(y) - t)**2"), WARN),
    "loss sqrt(y)": (graph(loss="mean(sqrt(y) - t)**2"), WARN),
    "target unused": (graph(loss="mean(y**2)"), WARN),
    "input unused": (graph(head=GRAPH.replace("2]}", "2], z: [batch, 3]}", 1)), WARN),
    "parameter unused": (
        graph(head=GRAPH.replace("1]}\n", "1], b: [1]}\n", 2).replace("1], b: [1]}", "1]}", 1)),
        WARN,
    ),
    "equation unused": (graph("y: x @ W\n  h: tanh(y)", tail="outputs: y\n"), WARN),
    "axis unused": (graph(axes="{D: 4}"), WARN),
    "constant unused": (graph(constants="{c: 2}"), WARN),
    "function unused": (graph(functions='{"f(a)": a**2}'), WARN),
    "outputs an input": (graph(tail="outputs: [x]\n"), REFUSE),
    "gradients of a target": (
        graph(tail="gradients: [t]\n"),
        fine("the loss is a function of its target too, and so has a gradient by it"),
    ),
    "gradients of an equation": (
        graph(tail="gradients: [y]\n"),
        fine("the gradient that reaches y: what lectures call its delta"),
    ),
    "function relu is -x": (graph("y: relu(x @ W)", functions='{"relu(a)": -a}'), WARN),
    "function of nothing": (graph("y: x @ W * f()", functions='{"f()": 2}'), WARN),
    "function that ignores its argument": (graph("y: x @ W * f(x @ W)", functions='{"f(a)": 2}'), WARN),
    "axis twice in one tensor": (
        graph("y: mean(x) * W", head=GRAPH.replace("batch, 2", "batch, batch"), loss="mean(t * mean(y))"),
        WARN,
    ),
    "batch last": (
        graph(
            "y: W.T @ x",
            head=GRAPH.replace("x: [batch, 2]", "x: [2, batch]").replace("t: [batch, 1]", "t: [1, batch]"),
        ),
        fine("samples as columns: the notation of many books"),
    ),
    "input of huge size": (
        graph(head=GRAPH.replace("batch, 2", "batch, 1000000000").replace("[2, 1]", "[1000000000, 1]")),
        WARN,
    ),
    "no batch axis": (
        graph(head=GRAPH.replace("batch", "4")),
        fine("a fixed table of four rows"),
    ),
    "constants 1e-60 in float32": (graph("y: x @ W * c", constants="{c: 1.0e-60}"), REFUSE),
    "number 1e39 in float32": (graph("y: x @ W * 1e39"), REFUSE),
    "number 1e-60 in float32": (graph("y: x @ W * 1e-60"), REFUSE),
    "weights negative": (graph(loss="mse(y, t, weights=w)", constants="{w: -1}"), REFUSE),
    "division by a parameter that starts at 0": (start("0", "x @ W / s"), REFUSE),
    "log of a parameter that starts at 0": (start("0", "x @ W * log(s)"), REFUSE),
    "sqrt of a parameter that starts at -1": (start("-1", "x @ W * sqrt(s)"), REFUSE),
    "manual of nothing": (graph(tail="manual: {dQ: x.T @ (y - t)}\n"), WARN),
    "data columns twice": (columns("{x: [a, a], t: [b]}"), REFUSE),
    "data columns too few": (
        columns("{x: [a], t: [b]}"),
        fine("a column of words gives an entry for each word; who trains on numbers is told"),
    ),
    "data columns too many": (columns("{x: [a, b, c], t: [d]}"), REFUSE),
    "data same column for input and target": (columns("{x: [a, b], t: [b]}"), WARN),
}

OWN = {
    "theta - 0*g": (own("theta: theta - 0*g", "z: 1").replace("  hyper: {z: 1}\n", ""), REFUSE),
    "theta - 1e-46*g": ("dtype: float64\n" + own("theta: theta - a*g", "a: 1e-46"), REFUSE),
    "theta: 5": (own("theta: 5"), REFUSE),
    "theta: theta": (own("theta: theta"), REFUSE),
    "theta + g": (own("theta: theta + eta*g"), WARN),
    "theta: g": (own("theta: eta*g"), REFUSE),
    "theta - 1/(t-1)*g": (own("theta: theta - eta/(t-1)*g"), REFUSE),
    "log of g": (own("theta: theta - eta*log(g)"), REFUSE),
    "sqrt of g": (own("theta: theta - eta*sqrt(g)"), REFUSE),
    "hyper unused": (own("theta: theta - eta*g", "eta: 0.1, b: 0.9"), WARN),
    "hyper negative": (own("theta: theta - eta*g", "eta: -0.1"), WARN),
    "gradient far off": (own("theta: theta - eta*g", rest="gradient_at: theta + 1000"), WARN),
}

SQUARE = """\
axes: {D: 3, K: 3}
inputs: {X: [N, D]}
parameters: {W: [D, K], V: [K, K], c: [D]}
"""
ALIKE = "equations: {y: 'sigmoid(dense(x, 1))', z: sigmoid(y)}\nloss: mse(z, t)\n"

RELATED = {
    "Y48 axes of two names added": (SQUARE + "equations: {Z: X @ W + c}\nloss: sum((Z @ V)**2)\n", REFUSE),
    "axes of two names contracted": (
        SQUARE + "equations: {Z: X @ V + sum(c)}\nloss: sum((Z @ V)**2)\n",
        REFUSE,
    ),
    "axes of two names under one index": (
        SQUARE + 'equations: {"Z[n]": "sum(X[n, i] * V[i, i], i)"}\nloss: sum(Z**2)\n',
        REFUSE,
    ),
    "an axis of a name and one of a size": (
        SQUARE.replace("[D, K]", "[3, K]").replace("V: [K, K], c: [D]", "c: [3]")
        + "equations: {Z: X @ W + c}\nloss: sum(Z**2)\n",
        fine("a size without a name fits an axis of that size"),
    ),
    "Y62 cosine in steps over epochs": (schedule("cosine(k=step)"), REFUSE),
    "A22d one_cycle in steps over epochs": (schedule("one_cycle(k=step + 1)"), REFUSE),
    "cosine in steps over steps": (
        schedule("cosine(k=step, total=100 * epochs)"),
        fine("a factor makes steps of epochs"),
    ),
    "polynomial over a part of the epochs": (schedule("polynomial(total=4)"), WARN),
    "E18 named math": ("name: math\n" + VALUES, REFUSE),
    "E18 named numpy": ("name: numpy\n" + VALUES, REFUSE),
    "named by a word of Python": ("name: class\n" + VALUES, REFUSE),
    "W11 one class": (VALUES.replace("mse", "softmax_cross_entropy"), REFUSE),
    "softmax over one unit": (last("softmax"), WARN),
    "Y59 sigmoid of sigmoid": (VALUES.partition("layers")[0] + ALIKE, WARN),
    "the target among the inputs": (graph("y: x @ W + t"), WARN),
    "learning rate of an own optimiser": (
        own("theta: theta - learning_rate*g", "learning_rate: -0.1"),
        REFUSE,
    ),
    "own optimiser without a value at 0": (own("theta: theta - eta*g/abs(g)"), WARN),
    "a head that no loss reads": (
        VALUES.partition("layers")[0]
        + "equations: {y: 'dense(x, 1)', z: 'dense(x, 2)'}\noutputs: [y, z]\nloss: mse(y, t)\n",
        WARN,
    ),
    "a gradient that is always 0": (
        graph(tail="gradients: [z]\n", head=GRAPH.replace("2]}", "2], z: [batch]}", 1)),
        WARN,
    ),
    "weights of a constant below 0": (
        graph(loss="mse(y, t, weights=w)", constants="{w: [1, -1]}"),
        REFUSE,
    ),
    "a residual is no pair of axes": (
        "inputs: {x: [batch, 4]}\ntargets: {t: [batch, 4]}\n"
        "equations: {h: 'tanh(dense(x, 4)) + x', y: 'dense(h, 4)'}\nloss: mse\n",
        fine("sizes without names are one axis"),
    ),
    "binary cross-entropy of a formula": (
        graph("p: 1 / (1 + exp(-x @ W))", "binary_cross_entropy(p, t)"),
        fine("what the formula gives is not known to be other than probabilities"),
    ),
    "log of a softmax": (
        CLASSES
        + 'layers: ["dense(3, activation=softmax)"]\n'
        + 'loss: "-mean(sum(onehot(t) * log(A1), axis=1))"\n',
        fine("log-probabilities, written out"),
    ),
    "zeros in the last layer": (
        VALUES.replace("dense(1)", "dense(1, init=zeros)"),
        fine("the units below differ, and what is above sees one output"),
    ),
}

RATES = {
    "schedule that float32 takes for 0": (schedule("learning_rate * 1e-200"), REFUSE),
    "the same in float64": ("dtype: float64\n" + schedule("learning_rate * 1e-200"), WARN),
    "schedule that float64 takes for 0": (
        "dtype: float64\n" + schedule("learning_rate * 1e-200 * 1e-200"),
        REFUSE,
    ),
    "schedule of few digits": (schedule("learning_rate * 1e-38"), WARN),
    "schedule far too small": (schedule("learning_rate * 1e-20"), WARN),
    "schedule far too large": (schedule("learning_rate * 1e30"), WARN),
    "schedule too large from some epoch on": (schedule("learning_rate * 100**epoch"), WARN),
    "schedule that falls to 0 in float32": (schedule("exponential(decay=12)"), WARN),
    "the same late in a long run": (
        train("epochs: 1000000", 'schedule: "exponential(decay=0.0117)"'),
        WARN,
    ),
    "schedule that falls within what float32 holds": (
        schedule("exponential(decay=5)"),
        fine("0.01 * exp(-45) is small, and a number with all its digits"),
    ),
    "sgd(learning_rate=1e-30)": (optimizer("sgd(learning_rate=1e-30)"), WARN),
    "adam(eps=1e10)": (optimizer("adam(eps=1e10)"), WARN),
    "adam(eps=1e-40)": (optimizer("adam(eps=1e-40)"), WARN),
    "adam(eps=1e-40) in float64": (
        "dtype: float64\n" + optimizer("adam(eps=1e-40)"),
        fine("float64 holds it, and nothing is divided by 0"),
    ),
    "adam(eps=1e-320) in float64": ("dtype: float64\n" + optimizer("adam(eps=1e-320)"), WARN),
    "adam(eps=1)": (optimizer("adam(eps=1)"), fine("some networks were trained so, see TensorFlow's note")),
    "adagrad(initial_accumulator=1e20)": (optimizer("adagrad(initial_accumulator=1e20)"), WARN),
    "nadam(momentum_decay=1e9)": (optimizer("nadam(momentum_decay=1e9)"), WARN),
    "rprop(eta_plus=1e9)": (optimizer("rprop(eta_plus=1e9)"), WARN),
    "rprop(eta_minus=1e-20)": (optimizer("rprop(eta_minus=1e-20)"), WARN),
    "rprop(max_step_size=1e20)": (optimizer("rprop(max_step_size=1e20)"), WARN),
    "delta_bar_delta(kappa=1e20)": (optimizer("delta_bar_delta(kappa=1e20)"), WARN),
    "own steps far too long": (own("theta: theta - eta*g", "eta: 1.0e+30"), WARN),
    "own steps far too short": (own("theta: theta - eta*g", "eta: 1.0e-13"), WARN),
    "some parameters far too fast": (train("per_parameter: {W1: {learning_rate: 1.0e+30}}"), WARN),
    "a schedule that is 0 for some parameters": (
        train('schedule: "learning_rate * 1e-10"', "per_parameter: {W1: {learning_rate: 1.0e-36}}"),
        REFUSE,
    ),
}
NAMES = {
    "a score misspelt": (train("metrics: [f1_macr]"), WARN),
    "a score without its sign": (train("metrics: [accuracy, mean_squared_error]"), WARN),
    "a score of nobody": (train("metrics: goodness"), WARN),
    "a score to watch misspelt": (train("stop: {patience: 3, watch: acuracy}"), WARN),
    "the loss to watch": (train("stop: {patience: 3, watch: loss}"), fine("it is what training knows")),
    "missing values filled by what float32 cannot hold": (train("missing: -1.0e+60"), REFUSE),
    "missing values filled by what float32 takes for 0": (train("missing: 1.0e-60"), REFUSE),
    "missing values filled by 0": (train("missing: 0"), fine("0 is a number")),
    "no columns for a target": (columns("{x: [a, b], t: []}"), REFUSE),
    "words in a column that nothing takes": (
        train("categorical: [aa]", "data: {path: a.csv, columns: {x: [a, b], t: [c]}}"),
        WARN,
    ),
    "words in columns of a pattern": (
        train("categorical: [p1]", "data: {path: a.csv, columns: {x: ['p*'], t: [c]}}"),
        fine("p1 may be one of p*"),
    ),
    "words in columns taken in order": (
        train("categorical: [aa]", "data: {path: a.csv, columns: {t: [c]}}"),
        fine("the file says what its columns are called; who trains is told"),
    ),
    "points that float32 cannot hold": (
        graph(
            loss="mean(y**2)",
            head=GRAPH.replace("targets: {t: [batch, 1]}\n", ""),
            tail="train: {data: {points: {x: [0, 1.0e+39]}, number: 10}}\n",
        ),
        REFUSE,
    ),
}

GROUPS = {
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "train": TRAINING,
    "start": STARTS,
    "layer": LAYERS,
    "loss": LOSSES,
    "graph": GRAPHS,
    "own optimiser": OWN,
}
NONSENSE = {f"{group}: {name}": case for group, cases in GROUPS.items() for name, case in cases.items()}
CASES = (
    NONSENSE
    | {f"related: {name}": case for name, case in RELATED.items()}
    | {f"rates: {name}": case for name, case in RATES.items()}
    | {f"names: {name}": case for name, case in NAMES.items()}
)
"""What the 150 left open: reported cases, and what is near to them and fine."""
