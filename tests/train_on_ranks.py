"""What ranks of MPI make of whole trainings, beside one process: run by mpiexec, see test_ranks.py."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from mpi4py import MPI

import symgrad as sg
from symgrad.errors import SymgradError, SymgradWarning
from symgrad.ranks.patient_comm import PatientComm

WORLD, FOLDER = MPI.COMM_WORLD, Path(sys.argv[1])
ROWS = 41
RNG = np.random.default_rng(0)
X, T = RNG.normal(size=(ROWS, 3)), RNG.integers(0, 3, ROWS)
BROKEN = np.where(np.arange(3 * ROWS).reshape(ROWS, 3) == 50, np.inf, X)


def spec(ignore: int | None = None, /, **others: Any) -> dict[str, Any]:
    own = {k: others.pop(k) for k in ("equations", "loss", "state", "inputs", "layers") if k in others}
    target = {"axes": ["batch"], "classes": 3} | ({} if ignore is None else {"ignore": ignore})
    train = {"optimizer": "momentum(learning_rate=0.1)", "batch_size": 7, "epochs": 3, **others}
    return {
        "name": "ranks",
        "dtype": "float64",
        "inputs": {"x": ["batch", 3]},
        "targets": {"t": target},
        "equations": {"h": "tanh(dense(x, 4))", "z": "dense(h, 3)"},
        "loss": "softmax_cross_entropy(z, t) + 0.01*l2(z_W)",
        **own,
        "train": train,
    }


DROPOUT = {"h": "dropout(tanh(dense(x, 4)), 0.5)", "z": "dense(h, 3)"}
POINTS = {
    "name": "points",
    "dtype": "float64",
    "inputs": {"x": ["N", 1], "b": ["M", 1]},
    "networks": {"net(x)": ["dense(4, activation=tanh)", "dense(1)"]},
    "equations": {"u": "net(x)", "v": "net(b)", "r": "d(u, x) + u"},
    "loss": "mean(r**2) + mean((v - 1)**2)",
    "outputs": ["u"],
    "train": {
        "data": {
            "sets": {
                "N": {"points": {"x": [0, 1]}, "number": 23},
                "M": {"points": {"b": [0, 1]}, "number": 5},
            }
        },
        "batch_size": {"N": 8, "M": 2},
        "epochs": 2,
    },
}
TRAININGS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "held out, stopped early, averaged": (
        spec(
            1,
            validation=0.25,
            stop={"patience": 1},
            average=0.8,
            epochs=8,
            monitor="gradients",
            shard="optimizer",
        ),
        {"metrics": ["f1_macro"]},
    ),
    "clipped, in micro-batches": (
        spec(clip_norm=0.2, micro_batch_size=2, optimizer="adam", schedule="cosine", shard="optimizer"),
        {},
    ),
    "drawn": (spec(equations=DROPOUT), {"seed": 7}),
    "a state": (
        spec(
            equations={"h": "tanh(dense(x, 4))", "hm": "mean(h, axis=0)", "z": "dense(h, 3) + sum(m)"},
            state={"m": {"axes": [4], "init": 0, "next": "0.9*m + 0.1*hm"}},
        ),
        {},
    ),
    "batch norm": (
        spec(equations={"d": "dense(x, 4)", "h": "tanh(batch_norm(d))", "z": "dense(h, 3)"}, validation=0.25),
        {},
    ),
    "numbers changed and ended by callbacks": (
        spec(epochs=9, shard="optimizer"),
        {
            "after_steps": (4, lambda now, _: {"learning_rate": 0.05} if now.step == 8 else None),
            "after_epoch": lambda now, _: now.epoch == 4,
        },
    ),
    "sets of points": (POINTS, {"data": None}),
    "a finish": (spec(finish="lbfgs(max_iterations=4)", shard="optimizer"), {}),
    "a file": (spec(validation=0.25, standardize=True), {"data": FOLDER / "rows.npz"}),
}
REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "coupled": (
        spec(equations={"e[n,i]": "mean(tanh(x[n,i] - x[p,i]), p)", "z": "dense(e, 3)"}),
        {},
        "ranks cannot share the rows of a batch: 'e' pairs rows with other rows",
    ),
    "diverging": (spec(optimizer="momentum(learning_rate=1e200)", shard="optimizer"), {}, "in batch 2 of 6"),
    "infinite": (spec(), {"data": (BROKEN, T)}, "x[16, 2]: inf is not a finite number"),
    "a callback that fails": (spec(), {"after_epoch": lambda now, _: 1 / 0}, "division by zero"),
}


def bits(run: Any) -> tuple[Any, ...]:
    """What a training came to: the vector kept, the state, the numbers of all epochs."""
    numbers = [
        (r.loss, r.score, r.validation_loss, r.validation_score, r.learning_rate, *dict(r.metrics).values())
        for r in run.history.records
    ]
    flat = [float("nan") if number is None else number for row in numbers for number in row]
    module = run.checkpoint.module
    state = (np.copy(values) for values in run.checkpoint.state)
    return np.copy(module.flatten(run.checkpoint.fitted)), np.array(flat), *state


def same(found: Any, expected: Any, what: str) -> None:
    for mine, other in zip(bits(found), bits(expected), strict=True):
        np.testing.assert_array_equal(mine, other, err_msg=what)


def near(found: Any, expected: Any, what: str) -> None:
    for mine, other in zip(bits(found), bits(expected), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-11, atol=1e-12, err_msg=what)


def trainings(comm: Any, folder: Path) -> None:
    """All ranks, and one of them alone; once more to the same bits where numbers are drawn."""
    for number, (what, (own, how)) in enumerate(TRAININGS.items()):
        module = generated(own, folder / f"net{number}.py", comm)
        given = {"module": module, "data": (X, T), "progress": False, **how}
        shared = sg.train(own, comm=comm, **given)
        if comm.Get_rank() == 0:
            alone = sg.train(own, **given)
            near(shared, alone, what)
            assert shared.stop_reason == alone.stop_reason, what
        if what == "drawn":
            same(sg.train(own, comm=comm, **given), shared, "other bits the second time")
        for theirs in comm.allgather(shared.checkpoint.module.flatten(shared.checkpoint.fitted)):
            np.testing.assert_array_equal(theirs, bits(shared)[0], err_msg=f"{what}: ranks differ")


def generated(own: Any, file: Path, comm: Any) -> str:
    """The module, which the first rank writes."""
    if comm.Get_rank() == 0:
        sg.generate(own, file, identity=False)
    comm.Barrier()
    return str(file)


def refusals(comm: Any, folder: Path) -> None:
    for number, (what, (own, how, said)) in enumerate(REFUSED.items()):
        module = generated(own, folder / f"refused{number}.py", comm)
        try:
            sg.train(own, comm=comm, **{"module": module, "data": (X, T), "progress": False, **how})
        except SymgradError as error:
            found = str(error)
        else:
            found = "nothing"
        assert said in found, f"{what}: {found}"
    found = "nothing"
    try:
        own = X + 1e-9 * (comm.Get_rank() == 2)
        sg.train(spec(), str(folder / "refused2.py"), comm=comm, data=(own, T), progress=False)
    except SymgradError as error:
        found = str(error)
    assert "rank 2 has other data than rank 0" in found, found
    found = "nothing"
    try:
        file = FOLDER / ("others.npz" if comm.Get_rank() == 1 else "rows.npz")
        sg.train(spec(), str(folder / "refused2.py"), comm=comm, data=file, progress=False)
    except SymgradError as error:
        found = str(error)
    assert "rank 1 has other data than rank 0" in found, found
    rows, found = X[:-1] if comm.Get_rank() == 1 else X, "nothing"
    try:
        sg.train(spec(), str(folder / "refused2.py"), comm=comm, data=(rows, T), progress=False)
    except SymgradError as error:
        found = str(error)
    assert "the numbers of rows differ" in found, found
    assert ("rank 1: " in found) == (comm.Get_rank() != 1), found


def resumed(comm: Any, folder: Path) -> None:
    """Whole and in two parts, the second by as many ranks or by one."""
    own = spec(epochs=6, validation=0.25, checkpoint={"epochs": 1, "keep": 9}, shard="optimizer")
    module = generated(own, folder / f"resumed{comm.Get_size()}.py", comm)
    whole = sg.train(own, module, data=(X, T), progress=False, comm=comm)
    parts = f"{comm.Get_size()} ranks"
    for ranks in (comm.Get_size(), 1):
        run = folder / f"{comm.Get_size()} then {ranks}"
        sg.train(own, module, data=(X, T), out=run, epochs=3, progress=False, comm=comm)
        on = comm.Split(0 if comm.Get_rank() < ranks else 1, comm.Get_rank())
        if comm.Get_rank() < ranks:
            again = sg.train(module=module, resume=run, data=(X, T), epochs=6, progress=False, comm=on)
            (same if ranks == comm.Get_size() else near)(again, whole, f"{parts}, then {ranks}")
            count = "1 rank" if ranks == 1 else f"{ranks} ranks"
            other = f"the epochs before were made by {parts}, those now by {count}: "
            told = any(note.startswith(other) for note in again.notes)
            assert told == (ranks != comm.Get_size()), again.notes
            files = {file.name for file in run.iterdir()} if comm.Get_rank() == 0 else {"checkpoint.npz"}
            assert "checkpoint.npz" in files
        comm.Barrier()
        ended = sg.train(module=module, resume=run, data=(X, T), progress=False, comm=comm)
        assert not any("made by" in note for note in ended.notes), ended.notes


def apart(comm: Any, folder: Path) -> None:
    """The same on machines of their own: gradients go in buckets, while the rest of them is formed."""
    wide = {"h": "tanh(dense(x, 40))", "g": "tanh(dense(h, 37))", "z": "dense(g, 3)"}
    trained = {
        "plain": spec(equations=wide),
        "clipped, divided": spec(equations=wide, clip_norm=0.2, optimizer="adam", shard="optimizer"),
        "ahead, normed": spec(
            equations={**wide, "g": "tanh(batch_norm(dense(h, 37)))"},
            optimizer="nesterov(learning_rate=0.1)",
        ),
    }
    with patch("symgrad.compiler.planning.beside.buckets.LEAST", 1):
        names = {what: generated(own, folder / f"apart{what[0]}.py", comm) for what, own in trained.items()}
    for what, own in trained.items():
        given = {"module": names[what], "data": (X, T), "progress": False}
        together = sg.train(own, comm=comm, **given)
        assert len(together.checkpoint.module.BUCKETS) > 1
        for piece in (1 << 18, 200):
            machine = patch.object(PatientComm, "machine", lambda ranks: ranks.Get_rank())
            with machine, patch("symgrad.ranks.sent_behind.PIECE", piece):
                same(sg.train(own, comm=comm, **given), together, f"{what}, in pieces of {piece} bytes")


def main() -> None:
    warnings.simplefilter("ignore", SymgradWarning)
    if WORLD.Get_rank() == 0:
        np.savez(FOLDER / "rows.npz", x=X, t=T)
        np.savez(FOLDER / "others.npz", x=X + 1e-9, t=T)
    trainings(WORLD, FOLDER)
    refusals(WORLD, FOLDER)
    resumed(WORLD, FOLDER)
    apart(WORLD, FOLDER)
    WORLD.Barrier()
    if WORLD.Get_rank() == 0:
        print("all as alone")


main()
