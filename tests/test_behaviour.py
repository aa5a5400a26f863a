"""How modules behave for their callers: emitted ones as they should; planted faults are found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written
from mutation.specs import SPECS
from seeds import one_in

from symgrad.isolation.messages import packed, unpacked
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.behaviour.declared import is_long
from symgrad.verifier.behaviour.drawn_case import case_of
from symgrad.verifier.behaviour.suite import BEHAVIOURS, LONG, SEEDS, observed
from symgrad.verifier.behaviour.workbench import same
from symgrad.verifier.interpretation.interpreter import parameter_shapes
from symgrad.verifier.sampling.samples import draw
from symgrad.verifier.trials.behaviour_case import BehaviourCase, record
from symgrad.verifier.trials.subject import InProcess, Subject

if TYPE_CHECKING:
    from pathlib import Path

KINDS = ("single", "ignoring", "pieces", "convolution", "scalars")


def bench(spec: dict[str, Any], folder: Path, before: str = "", after: str = "") -> tuple[Any, BehaviourCase]:
    """A module, after an edit of its text, and the case it is tried with."""

    def edit(text: str) -> str:
        assert before in text
        return text.replace(before, after) if before else text

    module, model = interpreted(written(spec, folder, edit)), expand(read(spec))
    sample = draw(model, "", 0)
    shapes = parameter_shapes(model, {**sample.inputs, **sample.targets})
    return module, case_of(model, Subject(model, InProcess(module), shapes), 0)


@pytest.mark.parametrize("name", KINDS)
def test_emitted_modules_behave(name: str, tmp_path: Path) -> None:
    module, case = bench(SPECS[name], tmp_path)
    tried = (
        BEHAVIOURS if name == "pieces" else BEHAVIOURS.keys() - {"own verify", LONG, SEEDS}
    )  # slow by Python
    faults = {behaviour: observed(module, behaviour, case) for behaviour in tried}
    assert not any(faults.values()), faults


def test_single_precision_without_parameters_is_no_fault(tmp_path: Path) -> None:
    spec = {"inputs": {"x": ["n", 3]}, "equations": {"y": "x**2"}, "loss": "sum(y)", "gradients": ["x"]}
    module, case = bench({"dtype": "float32", **spec}, tmp_path)
    assert observed(module, "number type", case) == ""
    module, case = bench({"dtype": "float32", **spec}, tmp_path, ".copy()", ".astype(np.float64)")
    assert "does not answer in float32" in observed(module, "number type", case)


WITHOUT_PARAMETERS = {
    "dtype": "float64",
    "inputs": {"x": ["n"]},
    "equations": {"f": "sum(1/x**2)"},
    "loss": "f",
    "gradients": ["x"],
}


def test_modules_without_parameters_behave(tmp_path: Path) -> None:
    module, case = bench(WITHOUT_PARAMETERS, tmp_path)
    tried = BEHAVIOURS.keys() - {LONG, SEEDS, "ranks"}  # which share nothing where nothing is trained
    faults = {behaviour: observed(module, behaviour, case) for behaviour in tried}
    assert not any(faults.values()), faults


def test_an_infinite_row_is_missed_without_parameters_too(tmp_path: Path) -> None:
    before = "        if not np.isfinite(gathered):\n            return np.nan\n"
    module, case = bench(WITHOUT_PARAMETERS, tmp_path, before, "")
    assert "x with inf at entry 0 is not refused" in observed(module, "epochs", case)


SUM = {
    "dtype": "float64",
    "inputs": {"x": ["n"]},
    "parameters": {"w": {"axes": [], "init": 1.0}},
    "equations": {"y": "w*x"},
    "loss": "sum(y)",
    "train": {"optimizer": "sgd(learning_rate=0.1)", "clip_norm": 1.0},
}


def test_a_loss_that_is_just_held_is_the_loss_of_its_epoch(tmp_path: Path) -> None:
    module, case = bench(SUM, tmp_path)
    case = case._replace(vector=np.ones(1))
    assert observed(module, "epochs", case) == ""
    module, _ = bench(SUM, tmp_path, "value * (n / order.shape[0])", "value * n / order.shape[0]")
    assert "with rows of x at 1.3e+308 is not train_step's step" in observed(module, "epochs", case)


def test_a_module_judges_itself_where_parameters_must_be_positive(tmp_path: Path) -> None:
    spec = {
        "dtype": "float64",
        "inputs": {"x": ["n", 3]},
        "targets": {"t": ["n"]},
        "parameters": {"s": {"axes": [3], "init": "constant(0.5)"}},
        "equations": {"y": "sum(log(s)*sqrt(x), axis=1)"},
        "loss": "mse(y, t)",
    }
    module, case = bench(spec, tmp_path)
    assert observed(module, "own verify", case) == ""


BATCHED = SPECS["classifier"]
FAULTS = {
    "ranks count rows twice": (
        "ranks",
        "[scale / sum(weights)",
        "[2 * scale / sum(weights)",
        "they do not end where one process does",
    ),
    "ranks take the first rows alone": (
        "ranks",
        "for rank in (stretches.rank, stretches.rank + 1)",
        "for rank in (0, 1)",
        "they do not end where one process does",
    ),
    "each rank goes its own way": (
        "ranks",
        "            begun.append(_handed_out(self.comm, self.theta, stretch.ends))",
        "",
        "they do not end with the same numbers",
    ),
    "ranks hand out no state": (
        "ranks",
        "    _hand_out_state(comm, whole)",
        "    pass",
        "each with its part of the state",
    ),
    "ranks go on from different parameters": (
        "ranks",
        "if (found != found[0]).any():",
        "if False:",
        "of which one has other parameters",
    ),
    "a rank is alone with what it refuses": (
        "ranks",
        "    if -1 in found:",
        "    if False:",
        "of which one has a batch_size of 0",
    ),
    "fit ignores batch_size": (
        "fit",
        "*data, batch_size=batch_size",
        '*data, batch_size="full"',
        "batch_size=2",
    ),
    "fit shuffles alike in every epoch": (
        "fit",
        "order = rng.permutation(",
        "order = np.random.default_rng(seed).permutation(",
        "draws 1 different orders in 3 epochs",
    ),
    "fit trains an epoch less": (
        "fit",
        "for epoch in range(stop):",
        "for epoch in range(stop - 1):",
        "trains 2 epochs",
    ),
    "fit ignores the seed": ("fit", "_generator(seed), []", "_generator(0), []", "from another seed"),
    "fit trains what it is given": (
        "fit",
        "else _copy_of_params(params)",
        "else params",
        "changes the parameters",
    ),
    "fit begins anywhere": ("fit", "init_params(seed) if", "init_params(0) if", "begin at init_params(seed)"),
    "fit keeps the state to itself": ("fit", "old[...] = new", "pass", "does not leave the state"),
    "fit goes on with the first orders": (
        "fit",
        "for epoch in range(stop):",
        "for epoch in range(start, stop):",
        "something else than all at once",
    ),
    "fit counts epochs from 0 to after_epoch": (
        "fit",
        "after_epoch(epoch + 1, ",
        "after_epoch(epoch, ",
        "tells after_epoch of the epochs [0, 1, 2]",
    ),
    "fit lets after_epoch change its parameters": (
        "fit",
        "value, _copy_of_params(params))",
        "value, params)",
        "tells after_epoch other parameters",
    ),
    "fit forgets what after_epoch changes": (
        "fit",
        "{**(hyper or {}), **said}",
        "hyper",
        "with after_epoch that changes",
    ),
    "fit goes on where after_epoch says stop": (
        "fit",
        "if stops:",
        "if False:",
        "ends after epoch 1 trains 3",
    ),
    "fit counts the steps of each epoch alone": (
        "fit",
        'before = setting["epoch"] * steps',
        "before = 0",
        "after_steps=(2, ...) of the steps",
    ),
    "fit lets after_steps change its parameters": (
        "fit",
        "copied = _copy_of_params(params)",
        "copied = params",
        "trains otherwise than fit that tells nobody",
    ),
    "fit takes a step twice where it is told of some": (
        "fit",
        "[first * size : last * size]",
        "[first * size : last * size + 1]",
        "trains otherwise than fit that tells nobody",
    ),
    "fit forgets what after_steps changes": (
        "fit",
        'stops, hyper = _answered("after_steps"',
        'stops, _ = _answered("after_steps"',
        "after_steps that changes",
    ),
    "fit goes on where after_steps says stop": (
        "fit",
        "return mean, True, hyper",
        "pass",
        "fit that after_steps ends after step 1",
    ),
    "fit tells another loss of an epoch that after_steps ends": (
        "fit",
        "return mean, True, hyper",
        "return mean * count, True, hyper",
        "ends after step 1 tells other losses",
    ),
    "a checkpoint of another network is taken": (
        "checkpoints",
        "if not difference and str(arrays",
        "if False and str(arrays",
        "a checkpoint of another network is not refused",
    ),
    "a checkpoint is not looked at for damage": (
        "checkpoints",
        "!= _digest(arrays)",
        '== ""',
        "whose checksum is another one's is not refused",
    ),
    "inputs are not standardised": (
        "checkpoints",
        'rows - np.array(record["mean"])',
        "rows",
        "standardises inputs otherwise",
    ),
    "labels are those of another class": (
        "checkpoints",
        "found.argmax(-1)",
        "found.argmin(-1)",
        "not the classes",
    ),
    "a checkpoint with NaN is taken": (
        "checkpoints",
        "not np.isfinite(array).all()",
        "not np.isfinite(array).any()",
        "that is not finite is not refused",
    ),
    "a checkpoint runs code": ("checkpoints", "allow_pickle=False", "allow_pickle=True", "pickled"),
    "any format is read": ("checkpoints", "if version != CHECKPOINT_FORMAT", "if False", "of another format"),
    "a file that is not written is not told": (
        "checkpoints",
        "temporary.unlink(missing_ok=True)\n        raise",
        "temporary.unlink(missing_ok=True)",
        "where a folder has this name is not refused",
    ),
    "what is not put in its place stays": (
        "checkpoints",
        "temporary.unlink(missing_ok=True)\n        raise",
        "raise",
        "leaves a part of it",
    ),
    "a key of its own is taken": (
        "checkpoints",
        "filter(_is_own, more)",
        "()",
        "under the key params.mine is not refused",
    ),
    "a folder stays open": ("checkpoints", "os.close(handle)", "pass", "leave files open"),
    "a file may be lost": (
        "checkpoints",
        "os.fsync(handle)\n        temp",
        "temp",
        "before all of the file is",
    ),
    "a folder may be lost": ("checkpoints", "_to_disk(path.parent)", "pass", "before the folder is on"),
    "rights are lost": ("checkpoints", "path.stat().st_mode if", "0o600 if", "other rights"),
    "a checksum of contents alone": (
        "checkpoints",
        'found.update(f"{name} {array.dtype.str}',
        'str(f"{name} {array.dtype.str}',
        "whose checksum is another one's is not refused",
    ),
    "what is foreign in a checkpoint is lost": (
        "checkpoints",
        "if not _is_own(key)}",
        "if _is_own(key)}",
        "beside what is its own",
    ),
    "a gap is taken for a number": (
        "raw rows",
        "found = np.full((len(cells), 1), np.nan)",
        "found = np.zeros((len(cells), 1))",
        "takes a table otherwise",
    ),
    "a word that was not there counts as the first": (
        "raw rows",
        "index.get(word, len(words))",
        "index.get(word, 0)",
        "with 'blue' in it is not refused",
    ),
    "a row's number is wrong in a message": (
        "raw rows",
        "raise ValueError(problem.format(cell, row + 1))\n    return codes",
        "raise ValueError(problem.format(cell, row))\n    return codes",
        "with 'blue' in it",
    ),
    "a column of one word is not taken": (
        "raw rows",
        "isinstance(words[0], bool)",
        "isinstance(words[1], bool)",
        "IndexError",
    ),
    "rows are not taken": (
        "raw rows",
        "{key: [row.get(key) for row in table]",
        "{key: [row.get(key) for row in table[::-1]]",
        "takes rows, a dict each",
    ),
    "columns of two lengths are taken": (
        "raw rows",
        '> 1:\n        raise ValueError(f"{name}: columns of different lengths")',
        '> 9:\n        raise ValueError(f"{name}: columns of different lengths")',
        "too short",
    ),
    "a column may stand there twice": ("raw rows", "if count > 1:", "if count > 2:", "with a column twice"),
    "a column that is missing has another name": (
        "raw rows",
        "if name in table and not all(",
        "if name in table or not all(",
        "without the column",
    ),
    "one column hides the array of all": (
        "raw rows",
        "not all(column in table",
        "not any(column in table",
        "raised ValueError: x: there is no column",
    ),
    "a cell that is none is not said to be in a column": (
        "raw rows",
        "{{!r}} in row {{}} of {columns[number % len(columns)]!r}",
        "{{!r}} in row {{}} of {name!r}",
        "but without",
    ),
    "none is missing in words alone": (
        "raw rows",
        "are_words = all(",
        "are_words = any(",
        "raised ValueError: x",
    ),
    "one gap is not seen": (
        "raw rows",
        "not any(map(_is_no_number",
        "not all(map(_is_no_number",
        "raised TypeError: x",
    ),
    "numbers that are words among others are taken as they are": (
        "raw rows",
        'record.get("categories") or record.get("classes")',
        'record.get("categories") and record.get("classes")',
        "raised ",
    ),
    "words that are all of three entries": (
        "raw rows",
        "else len(words))\n        is_one_hot",
        "else min(len(words), 2))\n        is_one_hot",
        "raised ",
    ),
    "whatever after_epoch answers is taken": (
        "fit",
        "if said is None or isinstance(said, (bool, np.bool_)):",
        "if True:",
        "an after_epoch that answers 'yes' is not refused",
    ),
    "what is no function is called": (
        "fit",
        "if after_epoch is not None and not callable(after_epoch):",
        "if False:",
        "after_epoch=1 is refused, but as",
    ),
    "a number of steps alone is taken": (
        "fit",
        "or len(after_steps) != 2 or",
        "or",
        "after_steps=(1,) raises IndexError",
    ),
    "another step broke": ("fit", "int(state.step[0]) + 1", "int(state.step[0])", "step 1: first of all"),
    "what broke last is named": ("fit", "places[0]", "places[-1]", "first of all"),
    "the epoch is lost": (
        "checkpoints",
        "*names, epoch,",
        "*names, 0,",
        "epoch 0",
    ),
    "another network's hash": (
        "declarations",
        'NETWORK_SHA256 = "',
        'NETWORK_SHA256 = "0',
        "NETWORK_SHA256 is",
    ),
    "fit counts no epochs": ("fit", '{"epoch": epoch}', '{"epoch": 0}', "counts its epochs"),
    "no order means reversed": (
        "epochs",
        "np.arange(sizes[BATCH_AXIS]) if",
        "np.arange(sizes[BATCH_AXIS])[::-1].copy() if",
        "without an order",
    ),
    "the last batch is left out": (
        "epochs",
        "for start in range(0, order.shape[0], batch_size)",
        "for start in range(0, order.shape[0] - batch_size + 1, batch_size)",
        "is not a step on each batch",
    ),
    "a rate of 10**400 is taken": (
        "epochs",
        'raise ValueError(f"hyper: {name} is larger than any number of {np.dtype(DTYPE)}") from None',
        "number = 0.1",
        "is not refused",
    ),
    "steps are not counted": ("epochs", "step[0] += 1", "step[0] = 1", "counts [1] steps"),
    "a late NaN is not refused": (
        "epochs",
        "_given(INPUTS + TARGETS, data)  #",
        "pass  #",
        "x with a bad entry",
    ),
    "labels are not checked": ("bad data", "(fitting < CLASSES[name])", "(fitting < 99)", "t with 4"),
    "finiteness is not checked": ("bad data", "np.isfinite(fitting)", "fitting == fitting", "x with inf"),
    "whole numbers are rounded": (
        "bad data",
        'if array.dtype.kind in "iu":',
        "if False:",
        f"x with the whole number {2**53 + 1} at entry 0 is not refused",
    ),
    "whole numbers below 0 are rounded": (
        "bad data",
        "max(-int(array.min()), int(array.max()))",
        "int(array.max())",
        f"the whole number {-(2**53) - 1} at entry 0 is not refused",
    ),
    "whole numbers of a digit more are rounded": ("bad data", "nmant + 1", "nmant + 2", "the whole number"),
    "unsigned whole numbers are rounded": (
        "bad data",
        'np.uint64 if array.dtype.kind == "u" else np.int64',
        "np.int64",
        f"the whole number {2**64 - 1} at entry 0 is not refused",
    ),
    "whole numbers that are held are refused": (
        "good data",
        "sizes // np.maximum(units, 1) <",
        "sizes <",
        f"with the whole number {2**53 + 2} is not taken",
    ),
    "data is changed": (
        "good data",
        "fitting, array = _fitting(",
        "value *= 2; fitting, array = _fitting(",
        "changes x",
    ),
    "answers are overwritten": (
        "answers",
        "-1, 0).copy()",
        "-1, 0)",
        "overwrites",
    ),
    "threads share memory": ("answers", "threading.local()", "NamedTuple", "in two threads"),
    "seeds are ignored": (
        "first values",
        "rng = _generator(seed)",
        "rng = _generator(3)",
        "seed=-1 is not",
    ),
    "another first seed": (
        "first values",
        "init_params(seed=0)",
        "init_params(seed=1)",
        "not init_params(0)",
    ),
    "first values too wide": (
        "first values",
        "rng.uniform(-0.9",
        "1.05 * rng.uniform(-0.9",
        "W1 has the deviation",
    ),
    "states are not checked": ("arguments", "    _check_state(state)\n", "", "state as a plain tuple"),
    "flatten copies": ("container", "if not _lie_in_one_vector", "if _lie_in_one_vector", "flatten copies"),
    "large numbers are none": (
        "epochs",
        "sign += rows[k] * 0",
        "sign += rows[k]",
        "is not train_step's step",
    ),
    "an epoch's error of another kind": (
        "epochs",
        'raise ValueError(f"order:',
        'raise TypeError(f"order:',
        "raises TypeError: order:",
    ),
    "a refusal that does not say what is expected": (
        "bad data",
        "from 0 to {CLASSES[name] - 1}",
        "",
        "but without 'from 0 to 3'",
    ),
    "another task": ("declarations", 'TASK = "classes"', 'TASK = "values"', "TASK is 'values'"),
    "a verify that is always right": (
        "own verify",
        "share <= 1 for",
        "True for",
        "passes with a gradient of W1",
    ),
}


@pytest.mark.parametrize("fault", one_in(2, FAULTS))
def test_every_fault_is_found_and_named(fault: str, tmp_path: Path) -> None:
    behaviour, before, after, words = FAULTS[fault]
    module, case = bench(BATCHED, tmp_path, before, after)
    assert words in observed(module, behaviour, case)


@pytest.mark.parametrize(
    ("name", "behaviour", "before", "after", "words"),
    [
        (
            "single",
            "fit",
            "[numbers[first : first + size]",
            "[numbers[first : first + 1]",
            "a row of t that is too large is refused, but as 'a parameter",
        ),
        ("ignoring", "bad data", 'f", or {IGNORED[name]} for none"', '""', "without '-100 for none'"),
        (
            "single",
            "number type",
            "good.all():\n        return fitting",
            "good.all():\n        return array",
            "lists otherwise",
        ),
        (
            "ahead",
            "epochs",
            "if not np.isfinite(value):\n            return float(value)",
            "if False:\n            return float(value)",
            "goes on after a batch whose loss is not finite",
        ),
        ("single", "answers", ", -1, 0).copy()", ", -1, 0)", "overwrites its answer"),
        ("convolution", "container", "not _lie_in_one_vector(params)", "False", "is every second row"),
        ("binary", "container", "owner.shape == (SIZE,)", "owner.shape != (SIZE,)", "in the midst"),
        ("convolution", "own verify", "if name in arrays:", "if False:", "does not say of every gradient"),
        (
            "scalars",
            "own verify",
            '"wrong" if not share',
            '"wrong" if share',
            "does not say of every gradient",
        ),
        ("single", "own verify", 'of the loss" if passed', 'of the loss" if not passed', "wrong, and passes"),
        ("embedding", "raw rows", 'record.get("classes") or []', "[]", "expected a whole number from 0 to 5"),
        ("in_sections", SEEDS, "for s in (h, h / 2)", "for s in (h, h * 2)", "fails with seed=2"),
        ("pieces", LONG, "share <= 1 for", "True for", "passes with a gradient of"),
        ("pieces", LONG, "value_at(s) - value_at(-s)", "value_at(s) + value_at(-s)", "own verify fails"),
        ("pieces", "own verify", "verify(points: int = 3", "verify(points: int = 2", "takes {'points': 2"),
        (
            "attention",
            "first values",
            "rng.normal(0.0, 0.6",
            "rng.normal(0.001, 0.6",
            "another scale or location",
        ),
        ("attention", "first values", "rng.normal(0.0, 0.632", "rng.normal(0.0, 0.633", "another scale"),
        ("scalars", "arguments", '        raise TypeError(f"state:', '        (f"state:', "as a plain tuple"),
        (
            "in_pieces",
            "fit",
            "array[rows] if name in has_rows else array",
            "array if name in has_rows else array[rows]",
            "parameters that are too large, in batches, is refused, but without",
        ),
        (
            "next_words",
            "raw rows",
            "[[]] * len(cells)",
            "[[]] + len(cells)",
            "'blue', where nothing was learnt",
        ),
        ("in_sections", "raw rows", "np.zeros(width), np", "np.ones(width), np", "unseen ignore"),
        ("scalars", "fit", "raise FloatingPointError(", "FloatingPointError(", "finite is not refused"),
        (
            "scalars",
            "fit",
            "int(state.step[0]) + 1",
            "int(state.step[0]) - 1",
            "but without 'in epoch 1, step 1'",
        ),
        (
            "next_words",
            "raw rows",
            "np.ndim(found) == 1 and AXES",
            "np.ndim(found) == 1 or AXES",
            "one column for w, which has more",
        ),
        ("convolution", "raw rows", "if array.dtype == object and not words", "if False", "array of objects"),
        ("further", "arguments", "if array.shape != (SIZE,):", "if False:", "hvp: a vector that is too long"),
        ("embedding", "fit", "range(0, len(numbers), size)", "range(0, len(numbers) - 1, size)", "too large"),
        ("convolution", "epochs", "if name in LEFT_OUT:", "if False:", "hyper with weight_decay is refused"),
    ],
)
def test_faults_of_other_kinds_of_modules(
    name: str, behaviour: str, before: str, after: str, words: str, tmp_path: Path
) -> None:
    module, case = bench(SPECS[name], tmp_path, before, after)
    assert words in observed(module, behaviour, case)


def test_two_words_alone_fill_two_entries(tmp_path: Path) -> None:
    spec = SPECS["classifier"] | {"inputs": {"x": ["batch", 2]}}
    for before, after in (("", ""), ("size in (1, 2) else 0", "size in (1,) else 0")):
        module, case = bench(spec, tmp_path, before, after)
        assert ("otherwise" in observed(module, "raw rows", case)) is bool(after)


def test_where_its_own_verify_takes_long_it_is_tried_less(tmp_path: Path) -> None:
    assert [name for name in ("pieces", "heads") if is_long(bench(SPECS[name], tmp_path)[1])] == ["heads"]


def test_a_case_arrives_as_it_was_sent(tmp_path: Path) -> None:
    _, case = bench(BATCHED, tmp_path)
    np.testing.assert_equal(unpacked(packed(case), record), case)


def test_answers_that_are_not_finite_in_some_entries_are_the_same_but_for_rounding() -> None:
    one = np.array([np.nan, np.inf, 1.0, -np.inf])
    assert same(one, one * (1 + 1e-9), 1e-5)
    assert not same(one, one * (1 + 1e-3), 1e-5)
    for other in ([np.nan, np.inf, 1, np.inf], [0, np.inf, 1, -np.inf], [np.nan, np.inf, np.nan, -np.inf]):
        assert not same(one, np.array(other), 1e-5)
        assert not same(np.array(other), one, 1e-5)
