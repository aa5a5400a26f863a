"""Specs that must be refused, by name: what no reader, expander or elaborator may accept.

A new one is one entry; its message goes to tests/golden/bad_specs.txt.
"""

from __future__ import annotations

from bad_formulas import CODE, FUNCTIONS, NUMBERS, OPERATORS, SIZES, formula, graph
from bad_words import SLIPS, WORDS


def chain(*layers: str, tail: str = "") -> str:
    """A spec of layers on the input x."""
    lines = "".join(f"  - {layer}\n" for layer in layers)
    return f"inputs: {{x: [N, 3]}}\nlayers:\n{lines}{tail}"


def train(block: str) -> str:
    """A good spec with a train block."""
    return graph("y: dense(x, 1)", tail=f"targets: {{t: [N, 1]}}\nloss: mse\ntrain:\n  {block}\n")


def optimizer(hyper: str, state: str, update: str) -> str:
    """A good spec with an optimiser of its own."""
    return train(f"optimizer: {{hyper: {{{hyper}}}, state: {{{state}}}, update: {{{update}}}}}")


NAMES = {
    "keyword": graph("lambda: x"),
    "dunder": graph("__class__: x"),
    "underscored name": graph("_y: x"),
    "language function": graph("exp: x"),
    "truth as a name": graph("true: x"),
    "number as a name": graph("1: x"),
    "spaces in a name": graph("my name: x"),
    "newline in a name": graph('"a\\nb": x'),
    "template in a name": graph('"{{ a }}": x'),
    "full width letters": graph("ｅｖａｌ: x"),
    "Cyrillic look-alike": graph("х: x"),
    "Cyrillic in a formula": formula("х + 1"),
    "mixed script": graph("pаy: x"),
    "Greek": formula("σ(x)"),
    "minus sign": formula("x − 1"),
    "middle dot": formula("x · 2"),
    "superscript": formula("x²"),
    "zero width space": formula('"x\u200b + 1"'),
    "right to left": formula('"x \u202e+ 1"'),
    "empty name": graph('"": x'),
    "input and equation": graph("x: x + 1"),
    "input and target": graph("y: x", head="targets: {x: [N]}\n"),
    "equation and state": graph("m: x", head="state: {m: {axes: [3], init: 0, next: m}}\n"),
    "equation twice": graph('z: x\n  "z[n, d]": x[n, d]'),
    "parameter and function": graph("y: x", head="parameters: {w: []}\nfunctions: {w(a): a}\n"),
    "axis and equation": graph("D: x", head="axes: {D: 4}\n"),
    "free axis and equation": graph("N: x"),
    "axis name in a list": "inputs: {x: [exp, 3]}\nequations: {y: x}",
    "index twice": graph('"y[n,n]": x[n,n]'),
    "index that is a number": graph('"y[0]": x[0,0]'),
    "index on the left unclosed": graph('"y[n": x[n,0]'),
    "call on the left": graph("y(n): x"),
    "output that is no name": graph("y: x", tail="outputs: [y + 1]"),
    "output twice": graph("y: x", tail="outputs: [y, y]"),
    "gradient that is no name": graph("y: x", tail="gradients: [2]"),
    "name of the spec": graph("y: x", head="name: ../../etc\n"),
    "newline in the name of the spec": graph("y: x", head='name: "a\\nb"\n'),
    "template in the name of the spec": graph("y: x", head='name: "{{ 7 * 7 }}"\n'),
}

LAYERS = {
    "unknown layer": chain("dens(32)"),
    "function among layers": chain("dense(3)", "transpose(1, 0)"),
    "operand of a layer": chain("dense(x, 3)"),
    "operand where a number would stand": chain("dense(3)", "layer_norm(Z1)"),
    "operand of an activation": chain("leaky_relu(x)"),
    "number of labels": chain("embedding(10, 3)").replace("[N, 3]", "{axes: [N], classes: 10}"),
    "no units": chain("dense()"),
    "zero units": chain("dense(0)"),
    "negative units": chain("dense(-3)"),
    "half a unit": chain("dense(2.5)"),
    "true units": chain("dense(true)"),
    "true as a keyword": chain("dense(units=true)"),
    "too many units": chain("dense(10**12)"),
    "too many units as digits": chain("dense(1000000000000)"),
    "unknown activation": chain("dense(3, activation=rleu)"),
    "activation that is a number": chain("dense(3, activation=3)"),
    "unknown keyword": chain("dense(3, activtion=relu)"),
    "too many arguments": chain("dense(3, true, zeros, zeros, relu, 3)"),
    "argument twice": chain("dense(3, units=3)"),
    "bias that is a number": chain("dense(3, bias=0)"),
    "unknown initialiser": chain("dense(3, init=glorot)"),
    "layer that is a formula": chain("dense(3) + 1"),
    "layer that is a mapping": chain("dense: {units: 3}"),
    "layer that is a number": chain("3"),
    "layer with a template": chain('"{{ dense }}"'),
    "layer with a newline": chain('"dense\\n(3)\\nimport os"'),
    "layer in index notation": graph('"y[n, k]": dense(x, 3)'),
    "comma in a flow list": "inputs: {x: [N, 3]}\nlayers: [dense(3, bias=false), relu]",
    "no layers": "inputs: {x: [N, 3]}\nlayers: []",
    "chain of two inputs": "inputs: {x: [N, 3], z: [N, 3]}\nlayers: [dense(3)]",
    "layers and equations": chain("relu", tail="equations: {y: x}"),
    "neither": "inputs: {x: [N, 3]}",
}

LOSSES = {
    "unknown loss": chain("dense(1)", tail="targets: {t: [N, 1]}\nloss: msee"),
    "loss without a target": chain("dense(1)", tail="loss: mse"),
    "strange reduction": chain("dense(1)", tail="targets: {t: [N, 1]}\nloss: mse(reduction=median)"),
    "layer in the loss": graph("y: x", tail="loss: sum(dense(x, 1))"),
    "loss that is a list": graph("y: x", tail="loss: [y]"),
}

TENSORS = {
    "size zero": "inputs: {x: [N, 0]}\nequations: {y: x}",
    "negative size": "inputs: {x: [N, -3]}\nequations: {y: x}",
    "half a size": "inputs: {x: [N, 2.5]}\nequations: {y: x}",
    "true size": "inputs: {x: [N, true]}\nequations: {y: x}",
    "size that is a list": "inputs: {x: [N, [3]]}\nequations: {y: x}",
    "size that is a formula": "inputs: {x: [N, 2*D]}\nequations: {y: x}",
    "memory": "inputs: {x: [N, 100000, 100000]}\nequations: {y: x}",
    "memory of a parameter": graph("y: x", head="axes: {D: 1000000}\nparameters: {W: [D, D]}\n"),
    "large axis": graph("y: x", head="axes: {D: 1000000000000}\n"),
    "axes that are no list": "inputs: {x: 3}\nequations: {y: x}",
    "inputs that are a list": "inputs: [x]\nequations: {y: x}",
    "one class": graph("y: x", head="targets: {t: {axes: [N], classes: 1}}\n"),
    "classes of an axis without a size": graph("y: x", head="targets: {t: {axes: [N], classes: V}}\n"),
    "classes of an axis 1 long": graph("y: x", head="axes: {V: 1}\ntargets: {t: {axes: [N], classes: V}}\n"),
    "classes misspelt": graph("y: x", head="targets: {t: {axes: [N], clases: 10}}\n"),
    "axes missing": graph("y: x", head="targets: {t: {classes: 10}}\n"),
    "initial value that is a formula": graph("y: x", head="parameters: {w: {axes: [], init: 1 + 1}}\n"),
    "initial value by an unknown call": graph("y: x", head="parameters: {w: {axes: [], init: normall(1)}}\n"),
    "initial value by a name": graph("y: x", head="parameters: {w: {axes: [], init: normal(std=x)}}\n"),
    "many axes": f"inputs: {{x: [{', '.join('2' * 40)}]}}\nequations: {{y: x}}",
}

MANUAL = {
    "manual that is a list": graph("y: x", tail="manual: [dy]"),
    "manual without formulas": graph("y: x", tail="manual:\n"),
    "manual formula that is empty": graph("y: x", tail="manual:\n  dy:\n"),
    "manual name that is a keyword": graph("y: x", tail="manual: {lambda: x}"),
    "manual name that is a function": graph("y: x", tail="manual: {exp: x}"),
    "manual name of an input": graph("y: x", tail="manual: {x: y}"),
    "manual name of an equation": graph("y: x", tail="manual: {y: x}"),
    "manual name of an axis": graph("y: x", tail="manual: {N: x}"),
    "manual name of a layer's tensor": graph("y: dense(x, 1)", tail="manual: {y_W: x}"),
    "manual name twice": graph("y: x", tail='manual: {dy: x, "dy[n,d]": "x[n,d]"}'),
    "manual index twice": graph("y: x", tail='manual: {"dy[n,n]": "x[n,n]"}'),
    "manual formula with a layer": graph("y: x", tail='manual: {dy: "dense(x, 3)"}'),
    "output as long as only a target says": (
        "name: g\ninputs: {x: [N, 3]}\ntargets: {t: [N, T]}\nparameters: {U: [3]}\nequations:\n"
        '  "y[n,k:size(t, 1)]": sum(x[n,j]*U[j], j)*(k+1)\nloss: mse(y, t)\n'
    ),
    "tensor called as a function": graph("y: tanh(x)\n  z: y(0)"),
    "manual formula with an unknown function": graph("y: x", tail="manual: {dy: sofmax(x)}"),
    "manual formula that is code": graph("y: x", tail="manual: {dy: __import__('os')}"),
    "manual formula that is two": graph("y: x", tail='manual: {dy: "x; y"}'),
}

TRAINING = {
    "unknown optimiser": train("optimizer: adma"),
    "optimiser keyword": train("optimizer: adam(learning_rat=0.1)"),
    "learning rate twice": train("optimizer: adam(lr=0.1, learning_rate=0.2)"),
    "learning rate that is a name": train("optimizer: sgd(lr=x)"),
    "pair of betas": train("optimizer: adam(betas=(0.9, 0.99))"),
    "optimiser that is a number": train("optimizer: 3"),
    "unknown schedule": train("schedule: exponentiel(decay=0.1)"),
    "schedule of an unknown name": train("schedule: learning_rate * epoks"),
    "learning rate beside an optimizer in capitals": train("lr: 0.1\n  optimizer: Adam"),
    "schedule of an unknown function": train("schedule: learning_rate * sigmoid(epoch)"),
    "schedule of a matrix": train("schedule: learning_rate.T"),
    "schedule that is the time": train("schedule: step"),
    "schedule misspelt in a formula": train("schedule: 0.1 * cosin()"),
    "schedule times a schedule": train("schedule: cosine() * linear_warmup()"),
    "schedule that lacks an argument": train("schedule: step_decay"),
    "schedule with an unknown argument": train("schedule: cosine(decay=0.1)"),
    "schedule with a truth value": train("schedule: cosine(total=true)"),
    "schedule with a tensor": train("schedule: cosine(total=x)"),
    "schedule of no length": train("schedule: linear_warmup(learning_rate=cosine(total=0))"),
    "schedule that only rises": train("schedule: one_cycle(pct_start=1)"),
    "schedule that starts with a division by zero": train("schedule: learning_rate / epoch"),
    "schedule that starts at log(0)": train("schedule: learning_rate * log(step)"),
    "schedule with a floor of two": train("schedule: learning_rate * floor(epoch, 2)"),
    "floor in the network": graph("y: floor(x)"),
    "floor as a name": graph("floor: x"),
    "negative epochs": train("epochs: -1"),
    "epochs in words": train("epochs: ten"),
    "half an epoch": train("epochs: 1.5"),
    "batch size zero": train("batch_size: 0"),
    "batch size in words": train("batch_size: all"),
    "micro-batch size zero": train("micro_batch_size: 0"),
    "micro-batch size in words": train("micro_batch_size: full"),
    "micro-batch larger than the batch": train("batch_size: 8\n  micro_batch_size: 9"),
    "micro-batch larger than the default batch": train("micro_batch_size: 100"),
    "shuffle": train("shuffle: always"),
    "seed": train("seed: -1"),
    "seed that is true": train("seed: true"),
    "validation": train("validation: 1.5"),
    "clip norm": train("clip_norm: 0"),
    "patience": train("stop: {patience: 0}"),
    "stop misspelt": train("stop: {patence: 3}"),
    "tolerance": train("stop: {tolerance: -1e-6}"),
    "cycle": train("schedule: one_cycle(pct_start=2)"),
    "time limit": train("stop: {time_limit: 0}"),
    "standardize": train("standardize: 1"),
    "train misspelt": train("epoch: 3"),
    "train that is a list": graph("y: x", tail="train: [adam]"),
    "data leaves the folder": train("data: ../../etc/passwd"),
    "absolute data": train("data: /etc/passwd"),
    "data on a drive": train("data: 'C:\\data.csv'"),
    "data on a share": train("data: '\\\\server\\data.csv'"),
    "data with a newline": train('data: "a\\nb.csv"'),
    "data that is empty": train('data: ""'),
    "validation leaves the folder": train("validation: {path: data/../../other.csv}"),
    "columns of no tensor": train("data: {path: a.csv, columns: {z: [a]}}"),
    "columns that are lists": train("data: {path: a.csv, columns: {x: [[1, 2, 3]]}}"),
    "own optimiser without theta": optimizer("eta: 0.1", "v: 0", "v: g"),
    "own optimiser with a strange name": optimizer("eta: 0.1", "", "theta: theta - etta * g"),
    "own optimiser with a strange function": optimizer("", "", "theta: theta - exec(g)"),
    "own optimiser with a reduction": optimizer("", "", "theta: theta - sum(g)"),
    "own optimiser with a matrix product": optimizer("", "", "theta: theta @ g"),
    "own optimiser that sets g": optimizer("", "", "theta: theta - g, g: 0"),
    "own optimiser with an idle state": optimizer("", "v: 0", "theta: theta - g"),
    "own optimiser with theta as a state": optimizer("", "theta: 0", "theta: theta - g"),
    "own optimiser with a name twice": optimizer("v: 1", "v: 0", "v: g, theta: theta - v"),
    "own optimiser with a formula as a number": optimizer("eta: g", "", "theta: theta - eta * g"),
    "own optimiser without an update": train("optimizer: {hyper: {eta: 0.1}}"),
    "schedule without a learning rate": train(
        "schedule: exponential\n  optimizer: {hyper: {eta: 0.1}, update: {theta: theta - eta * g}}"
    ),
}

DOCUMENTS = {
    "empty file": "",
    "blank lines": "\n\n\n",
    "comment only": "# nothing\n",
    "null": "null\n",
    "empty mapping": "{}\n",
    "list": "- a: 1\n- b: 2\n",
    "word": "name:\n",
    "plain text": "this is\nnot a spec\n",
    "unknown key": graph("y: x", head="input: {z: [N]}\n"),
    "misspelt key": graph("y: x", head="nmae: a\n"),
    "dtype": graph("y: x", head="dtype: float16\n"),
    "duplicate key": graph("y: x", head="name: a\nname: b\n"),
    "duplicate equation": graph("y: x\n  y: 2 * x"),
    "tag": graph("y: x", head="name: !!python/object/apply:os.system ['id']\n"),
    "harmless tag": graph("y: x", head="name: !!str a\n"),
    "local tag": graph("y: !eval x"),
    "merge key": "base: &base {dtype: float32}\n<<: *base\n",
    "unknown alias": formula("*x"),
    "alias to itself": "a: &a [*a]\n",
    "alias bomb": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(
        f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    ),
    "two documents": "name: a\n---\nname: b\n",
    "NUL byte": "name: a\x00b\n",
    "escaped NUL": 'name: "a\\0b"\n',
    "control character": "name: a\x07\n",
    "lone surrogate": "name: a\ud800\n",
    "nested lists": "inputs: " + "[" * 20_000 + "]" * 20_000,
    "nested mappings": "inputs: " + "{a: " * 20_000 + "}" * 20_000,
    "nested blocks": "".join(" " * i + "a:\n" for i in range(300)),
    "nested dashes": "- " * 20_000,
    "nested questions": "? " * 20_000,
    "key that is a list": "? [a, b]\n: 1\n",
    "key that is a mapping": "? {a: b}\n: 1\n",
    "null key": "null: 1\n",
    "tab": "inputs:\n\tx: [N]\n",
    "unclosed quote": 'name: "a\n',
    "unclosed list": "inputs: {x: [N, 3\n",
    "colon in a formula": formula("x: 3"),
    "at sign first": formula("@x"),
    "large spec": "# comment\n" * 20_000,
    "many items": "outputs: [" + "a," * 20_000 + "a]",
    "many functions": graph("y: x", head="functions:\n" + "".join(f"  f{i}(a): a\n" for i in range(200))),
    "directive": "%YAML 9.9\n---\nname: a\n",
    "percent": "%" * 1_000 + "\n",
    "binary": "\x89PNG\r\n\x1a\n",
}

RECURRENCES = {
    "own step beside a start": graph('"h[n,i]": "tanh(h[n,i] + x[n,i])"\n  "h[n,-1]": 0'),
    "own step beside the one before": graph('"h[n,i]": "tanh(h[n,i] + h[n,i-1] + x[n,i])"\n  "h[n,-1]": 0'),
    "own step without a start": graph('"h[n,i]": "h[n,i-1] + h[n,i] + x[n,i]"'),
    "own step of each other beside a start": graph(
        '"g[n,i]": "h[n,i] + x[n,i]"\n  "h[n,i]": "tanh(g[n,i])"\n  "h[n,-1]": 0'
    ),
    "starts of two axes": graph('"h[n,i]": "h[n-1,i] + h[n,i-1] + x[n,i]"\n  "h[-1,i]": 0\n  "h[n,-1]": 0'),
    "steps along two axes, one start": graph('"h[n,i]": "h[n-1,i] + h[n,i-1] + x[n,i]"\n  "h[n,-1]": 0'),
    "steps along two axes": graph('"h[n,i]": "h[n,i-1] + h[n-1,i] + x[n,i]"'),
    "two starts of one step": graph('"h[n,i]": "h[n,i-1] + x[n,i]"\n  "h[n,-1]": 0\n  "h[:,-1]": 1'),
}

GROUPS: dict[str, dict[str, str]] = {
    "code": CODE,
    "operators": OPERATORS,
    "sizes": SIZES,
    "numbers": NUMBERS,
    "names": NAMES,
    "functions": FUNCTIONS,
    "layers": LAYERS,
    "recurrences": RECURRENCES,
    "losses": LOSSES,
    "tensors": TENSORS,
    "manual": MANUAL,
    "training": TRAINING,
    "documents": DOCUMENTS,
    "words": WORDS,
    "slips": SLIPS,
}

BAD_SPECS = {f"{group}: {name}": text for group, specs in GROUPS.items() for name, text in specs.items()}
