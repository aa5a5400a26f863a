"""The functions that callers of an emitted module use, each with its own arguments, in a line or two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.compiler.targets.numba.records import Definition, ResultText
from symgrad.compiler.targets.numba.signatures import Signatures, as_tuple, listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from symgrad.spec.model import TrainSpec

_LOOK_AHEAD = (
    "",
    "`grads` are the gradients at gradient_point(params, state), not at `params`.",
)
_HYPER = "`hyper` is a dict of those numbers in HYPER that shall be others."
_KEY_OF_STEP = "_key(seed, step)"
_DRAWN = ("", "Numbers are drawn as in the step of training that `step` steps went before, with this seed.")
_PREDICTED_BY_CHANCE = "The prediction with what draws as in training, and all else as in inference."
_OFTEN = (
    "The mean of draw_prediction over so many draws, and the deviation of one of them: (mean, spread).",
    "",
    "The same `seed` draws the same. `before` says how many rows went before, of data that come in parts.",
)
_EPOCH = (
    "",
    "`order` holds row numbers; without it the rows are taken as they stand. Training stops at a loss",
    "that is not finite, before the parameters are touched, and returns it. Rows are looked at when their",
    "batch comes: an entry that is not finite raises ValueError before the step that would use it.",
    _HYPER,
    "With `comm`, a communicator of mpi4py, all of its ranks make the same call and each computes a part of",
    "every batch: the steps of one alone but for rounding, to the same bits on all ranks and whenever they",
    "are as many.",
)
_SHARED = "With `comm`, a communicator of mpi4py, its ranks make the same call and share the rows."
_FIT = (
    "Train for some epochs: (params, history), history being the mean loss of every epoch.",
    "",
    "Without `params` training starts from init_params(seed); with them, from a copy. A given `state` then",
    'holds what training left. Rows are shuffled "each_epoch" (or True), "once" or "never" (or False). What',
    "is not said is as the spec has it.",
    "",
    "Of all `epochs` only those from `start` up to `stop` are trained: fit(..., stop=3, state=state), then",
    "fit(..., start=3, params=params, state=state), is the same to the last bit as both at once.",
    _HYPER,
    "`after_epoch(epoch, loss, params)` is called after each, with a copy: True ends training, a dict is",
    "`hyper` from there on. `after_steps=(100, told)` calls told(step, loss, params) after each 100 steps of",
    "all, with the mean loss per row of those since the call before in this epoch. Numbers that are not",
    "finite raise FloatingPointError, which names the step and the first tensor that holds one.",
    "With `comm` ranks share every batch as in train_epoch, and each calls these functions.",
)
_WITHOUT_FINISH = (
    "",
    "The spec's `finish`, which comes after the epochs, is not made here: `symgrad train` makes it.",
)
_WITHOUT_SETS = (
    "",
    "The spec's batches of other sets of points, {}, are drawn by `symgrad train`: here",
    "those go whole into every step.",
)
_FIT_TOLD = (
    *("batch_size", "seed", "params", "state", "shuffle", "hyper", "after_epoch", "after_steps", "comm"),
)


def first_values(draws: Sequence[str]) -> Definition:
    """`init_params`: a line for each parameter's part of the vector."""
    doc = "First values of all parameters, the same for the same seed."
    lines = ("rng = _generator(seed)", "vector = np.empty(SIZE, DTYPE)", *draws, "return unflatten(vector)")
    return Definition("init_params", "seed=0", (doc,), lines)


def evaluations(
    calls: Signatures, outputs: Sequence[ResultText], predictions: Sequence[ResultText]
) -> tuple[Definition, ...]:
    """`forward` and `predict`; inputs that nothing of them is computed from may be left out."""
    given, arrays, said = _inputs(calls)
    return tuple(
        Definition(
            name,
            listed(["params", *given]),
            (f"{', '.join(f'{r.name} {r.comment}' for r in found)}.", *said),
            (f"return _evaluated(_{name}, {results}, params, {arrays})",),
        )
        for name, results, found in (
            ("forward", "_outputs", outputs),
            ("predict", "_predictions", predictions),
        )
    )


def drawn_predictions(calls: Signatures) -> tuple[Definition, ...]:
    """`draw_prediction` and `predict_often`, the prediction by chance."""
    given, arrays, said = _inputs(calls)
    return (
        Definition(
            "draw_prediction",
            listed(["params", *given, "seed=0, step=0"]),
            (_PREDICTED_BY_CHANCE, *_DRAWN, *said),
            (f"return _drawn_prediction(params, {arrays}, {_KEY_OF_STEP})",),
        ),
        Definition(
            "predict_often",
            listed(["params", *given, "draws=50, seed=0, before=0"]),
            (*_OFTEN, *said),
            (f"return _mean_and_spread(params, {arrays}, draws, seed, before)",),
        ),
    )


def _inputs(calls: Signatures) -> tuple[list[str], str, tuple[str, ...]]:
    """How inputs are asked for, as arrays, and what is said of those that may be left out."""
    inputs = [a.variable for a in calls.inputs]
    spare = [a.variable for a in calls.inputs if a.is_spare]
    first = next((place for place, a in enumerate(calls.inputs) if a.is_spare), len(inputs))
    given = [*inputs[:first], *(f"{variable}=None" for variable in inputs[first:])]
    arrays = f"_with_spare({as_tuple(inputs)})" if spare else as_tuple(inputs)
    said = ("", f"{', '.join(spare)} may be left out: nothing of this depends on them.") if spare else ()
    return given, arrays, said


def losses(calls: Signatures, *, differ: bool) -> tuple[Definition, ...]:
    """`loss` and `loss_and_grad`; whether they `differ`, one of inference and one of training."""
    said = "The loss, a number, as inference has it." if differ else "The loss, a number."
    both = "The loss as training has it, and its gradient, as Params."
    arguments = listed(["params", calls.data])
    drawn, by = _drawn(calls)
    return (
        Definition("loss", arguments, (said,), (f"return _loss_of(params, {_data(calls, key='KEY')})",)),
        Definition(
            "loss_and_grad",
            listed([arguments, drawn]),
            (both if differ else "The loss and its gradient, as Params.", *by),
            (f"return _loss_and_gradient(params, {_data(calls, key=_KEY_OF_STEP)})",),
        ),
    )


def input_gradients(calls: Signatures, names: Sequence[str]) -> Definition:
    """`input_gradients`, of what the spec asks for."""
    doc = f"The derivatives of the loss with respect to {', '.join(names)}."
    drawn, by = _drawn(calls)
    arguments = listed(["params", calls.data, drawn])
    line = f"return _gradients_in_work(params, {_data(calls, key=_KEY_OF_STEP)})"
    return Definition("input_gradients", arguments, (doc, *by), (line,))


def _drawn(calls: Signatures) -> tuple[str, tuple[str, ...]]:
    """By what a caller says which numbers are drawn, and what is told of that."""
    return ("seed=0, step=0", _DRAWN) if calls.draws else ("", ())


def gradient_point(calls: Signatures, rule: Sequence[str]) -> Definition:
    """`gradient_point`, where an optimiser looks ahead."""
    doc = f"Where the optimiser takes the gradient of its next step, as Params: {'; '.join(rule)}."
    lines = (
        "_check_params(params)",
        "_check_state(state)",
        "ahead = np.empty(SIZE, DTYPE)",
        f"_look_ahead(flatten(params), ahead, *state, *_setting({_setting(calls)}))",
        "return unflatten(ahead)",
    )
    return Definition("gradient_point", f"params, state, {calls.setting_options}", (doc,), lines)


def averaged() -> Definition:
    """`averaged`, where the spec asks for a moving average."""
    doc = (
        "The moving average of the parameters over the steps made, as Params of their own.",
        "",
        "Before the first step, and where no step changes them, parameters are what they are.",
    )
    return Definition("averaged", "params, state", doc, ("return _averaged(params, state)",))


def sampled() -> Definition:
    """`sample`, where the network says which label comes next."""
    doc = (
        "The labels `start`, a list, a vector or bytes, and `length` more, drawn by the chances of each.",
        "",
        "A `temperature` below 1 makes what is likely more so, 0 takes the likeliest; the `top_k` likeliest",
        "are drawn from. It ends behind a label `stop`. The same `seed` draws the same.",
    )
    return Definition(
        "sample",
        "params, start, length, temperature=1.0, top_k=None, seed=0, stop=None",
        doc,
        ("return _sampled(params, start, length, temperature, top_k, seed, stop)",),
    )


def training(calls: Signatures, train: TrainSpec, held: Sequence[str]) -> tuple[Definition, ...]:
    """`update`, `train_step`, `train_epoch` and `fit`; the states `held` by `update` are the model's."""
    stay = ("", f"It leaves {', '.join(held)}, which train_step, train_epoch and fit let live on.")
    looks_ahead, data, setting = calls.point == "ahead", _data(calls), _setting(calls)
    epochs = ", and at `epochs`, their number" if calls.counts_epochs else ""
    schedule = f"A learning-rate schedule may look at `epoch`, counted from 0{epochs}."
    where = "at gradient_point, " if looks_ahead else ""
    step = f"One step on one batch, in place; the loss {where}before it."
    epoch = ("Steps over all rows in batches, in place; the mean loss per row.", *_EPOCH)
    given, options = listed(["params", "state", calls.data]), calls.setting_options
    sets = "_of_sets" if calls.takes_sets else ""
    begun = ("state = _begun(params, state, hyper, seed, start)",) if calls.draws else ()
    return (
        Definition(
            "update",
            f"params, grads, state, {options}",
            (
                f"One step of the optimiser, in place. {schedule}",
                "",
                _HYPER,
                *(_LOOK_AHEAD if looks_ahead else ()),
                *(stay if held else ()),
            ),
            (f"_updated(params, grads, state, {setting})",),
        ),
        Definition(
            "train_step",
            f"{given}, {options}, comm=None",
            (f"{step} A loss that is not finite changes nothing.", "", _SHARED),
            (
                "if comm is not None:",
                f'    return _shared_epoch(params, state, {data}, "full", None, {setting}, comm)',
                f"return _train_step{sets}(params, state, {data}, {setting})",
            ),
        ),
        Definition(
            "train_epoch",
            f"{given}, batch_size, order=None, {options}, comm=None",
            epoch,
            (
                "if comm is not None:",
                f"    return _shared_epoch(params, state, {data}, batch_size, order, {setting}, comm)",
                f"return _train_epoch{sets}(params, state, {data}, batch_size, order, {setting})",
            ),
        ),
        Definition(
            "fit",
            listed([calls.data, "*", *_fit_options(calls, train)]),
            (*_FIT, *(_WITHOUT_FINISH if train.finish else ()), *_without_sets(train)),
            (*begun, f"return _fit({data}, (epochs, start, stop), {', '.join(_FIT_TOLD)})"),
        ),
    )


def _without_sets(train: TrainSpec) -> tuple[str, ...]:
    """What `fit` does not do of sets of points."""
    named = ", ".join(f"{size} of {name}" for name, size in train.set_batches)
    return tuple(line.format(named) for line in _WITHOUT_SETS) if named else ()


def _fit_options(calls: Signatures, train: TrainSpec) -> tuple[str, ...]:
    """What `fit` does where its caller does not say: the spec's train block."""
    batch_size = train.batch_size if calls.batch_axis else "full"
    options = {
        "epochs": train.epochs,
        "batch_size": batch_size,
        "seed": train.seed,
        "params": None,
        "state": None,
        "shuffle": train.shuffle,
        "start": 0,
        "stop": None,
        "hyper": None,
        "after_epoch": None,
        "after_steps": None,
        "comm": None,
    }
    return tuple(
        f'{name}="{value}"' if isinstance(value, str) else f"{name}={value}"
        for name, value in options.items()
    )


def _data(calls: Signatures, *, key: str = "") -> str:
    """The data, and a key that numbers are drawn by, where they are."""
    drawn_by = [key] if key and calls.draws else []
    return as_tuple([*(a.variable for a in calls.arguments), *drawn_by])


def _setting(calls: Signatures) -> str:
    return as_tuple(calls.setting.split(", "))
