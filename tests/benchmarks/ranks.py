"""Scaling over ranks: symgrad by MPI beside torch.distributed with gloo, at the same steps, in turns.

    python tests/benchmarks/ranks.py --torch .venv/torch/bin/python --rounds 7

Strong: the batch stays, ranks share it. Weak: every rank has as many rows as one process had. Each rank is
bound to a core and has one thread. A time is the median step of a job; the table has the least of all rounds,
as other work on the machine only adds to a time, and the median. What the first rank worked, by the clock of
its process, is the median of all: waiting takes none of it, so it says what a quiet machine could come to.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

ROOT = Path(__file__).parents[2]
NETWORKS = {"784-256-10": (256,), "784-1000-1000-10": (1000, 1000)}
BATCH, STEPS, RATE = 512, 12, 0.01


def data(rows: int) -> tuple[Any, Any]:
    draw = np.random.default_rng(0)
    return draw.normal(size=(rows, 784)).astype(np.float32), draw.integers(0, 10, rows)


def bound(rank: int) -> None:
    """Bind this process to a core of its own, where the system lets it."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[rank % len(cores)]})


class TimedComm:
    """A communicator, and for how long its calls were waited for."""

    def __init__(self, comm: Any) -> None:
        self.comm, self.seconds = comm, 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.comm, name)

    def Allgather(self, sent: Any, taken: Any) -> None:
        self.timed(lambda: self.comm.Allgather(sent, taken))

    def Ialltoallv(self, sent: Any, taken: Any) -> Any:
        return TimedRequest(self, self.timed(lambda: self.comm.Ialltoallv(sent, taken)))

    def timed(self, call: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        given = call()
        self.seconds += time.perf_counter() - start
        return given


class TimedRequest:
    """What was begun."""

    def __init__(self, comm: TimedComm, request: Any) -> None:
        self.comm, self.request = comm, request

    def Wait(self) -> None:
        self.comm.timed(self.request.Wait)


def symgrad_steps(network: str, batch: int, ranks: int) -> None:
    """Steps of symgrad on one rank of some; the first prints the time of each, and the loss it comes to."""
    shared: dict[str, Any] = {}
    comm = None
    if ranks > 1:
        from mpi4py import MPI

        from symgrad.ranks.patient_comm import PatientComm

        comm = TimedComm(PatientComm(MPI.COMM_WORLD))
        shared = {"comm": comm}
    bound(comm.Get_rank() if comm else 0)
    hosts = comm.allgather(socket.gethostname()) if comm else [socket.gethostname()]
    import symgrad as sg

    layers = [f"dense({units}, activation=relu)" for units in NETWORKS[network]]
    spec = {
        "name": "scaled",
        "inputs": {"x": ["batch", 784]},
        "targets": {"t": {"axes": ["batch"], "classes": 10}},
        "layers": [*layers, "dense(10)"],
        "loss": "softmax_cross_entropy",
        "train": {"optimizer": f"sgd(learning_rate={RATE})", "batch_size": batch},
    }
    module = sg.build(spec, identity=False)
    x, t = data(batch)
    params = module.init_params(0)
    state, times, waits, worked = module.init_state(params), [], [], []
    for _ in range(STEPS):
        before, start, busy = comm.seconds if comm else 0.0, time.perf_counter(), time.process_time()
        loss = module.train_epoch(params, state, x, t, batch_size=batch, **shared)
        times.append(time.perf_counter() - start)
        worked.append(time.process_time() - busy)
        waits.append((comm.seconds if comm else 0.0) - before)
    if comm is None or comm.Get_rank() == 0:
        found = {"times": times[2:], "worked": worked[2:], "waits": waits[2:], "loss": float(loss)}
        print(json.dumps({**found, "hosts": hosts}))


def torch_steps(network: str, batch: int, rank: int, ranks: int, address: str) -> None:
    """The same in PyTorch."""
    bound(rank)
    import torch
    from torch import distributed, nn

    torch.set_num_threads(1)
    torch.manual_seed(0)
    sizes = (784, *NETWORKS[network], 10)
    layers: list[Any] = []
    for number, (before, after) in enumerate(pairwise(sizes)):
        layers += [nn.Linear(before, after), *([nn.ReLU()] if number < len(sizes) - 2 else [])]
    model: Any = nn.Sequential(*layers)
    if ranks > 1:
        distributed.init_process_group("gloo", f"tcp://{address}", rank=rank, world_size=ranks)
        model = nn.parallel.DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), RATE)
    x, t = data(batch)
    own = slice(batch * rank // ranks, batch * (rank + 1) // ranks)
    inputs, targets = torch.tensor(x[own]), torch.tensor(t[own])
    times, worked = [], []
    for _ in range(STEPS):
        start, busy = time.perf_counter(), time.process_time()
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(inputs), targets)
        loss.backward()
        optimizer.step()
        times.append(time.perf_counter() - start)
        worked.append(time.process_time() - busy)
    mean = loss.detach() / ranks
    if ranks > 1:
        distributed.all_reduce(mean)
        distributed.destroy_process_group()
    if rank == 0:
        print(json.dumps({"times": times[2:], "worked": worked[2:], "loss": float(mean)}))


@dataclass(frozen=True)
class Place:
    """Where ranks run: what begins a command on all of so many, and on one by hand, where they meet, on how
    many machines; `made_ready` is called before each job.
    """

    by_mpi: Callable[[int], list[str]]
    by_hand: Callable[[int], list[str]]
    address: Callable[[], str]
    machines: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)
    made_ready: Callable[[], None] = lambda: None


def this_machine() -> Place:
    """Ranks of one machine."""
    from symgrad.ranks.mpi_world import mpiexec_here

    return Place(lambda ranks: [mpiexec_here(), "-n", str(ranks)], lambda _: [], _free_address)


def _free_address() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


class Job(NamedTuple):
    """Steps of a network by a peer, over what its ranks exchange, and the rows of a batch that they share."""

    network: str
    peer: str
    over: str
    ranks: int
    rows: int


def done(job: Job, python: str, place: Place) -> dict[str, Any]:
    """What the first rank of a job prints."""
    from symgrad.ranks.mpi_world import environment_of_ranks

    environment = environment_of_ranks() | {"PYTHONPATH": str(ROOT), **place.environment}
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        environment[name] = "1"
    how = [__file__, "--work", job.peer, "--network", job.network]
    how += ["--batch", str(job.rows), "--ranks", str(job.ranks)]
    place.made_ready()
    if job.peer == "symgrad":
        begin = [] if job.ranks == 1 else place.by_mpi(job.ranks)
        command = [*begin, sys.executable, *(["-m", "mpi4py"] if job.ranks > 1 else []), *how]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        found = dict(json.loads(ran.stdout))
        assert len(set(found["hosts"])) == place.machines, found["hosts"]
        return found
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    begin, how = [python, *how], ["--address", place.address()]
    each = [
        subprocess.Popen([*place.by_hand(n), *begin, "--rank", str(n), *how], env=environment, **pipes)
        for n in range(job.ranks)
    ]
    said = [process.communicate() for process in each]
    assert all(process.returncode == 0 for process in each), said
    return dict(json.loads(said[0][0]))


def jobs(networks: Sequence[str], peers: Sequence[str], places: Sequence[str], ranks: int) -> Iterator[Job]:
    """Of each peer a process alone, ranks that share its batch, and ranks that have as many rows each."""
    for network in networks:
        for peer in peers:
            yield Job(network, peer, "", 1, BATCH)
            for place in places:
                for rows in (BATCH, ranks * BATCH):
                    yield Job(network, peer, place, ranks, rows)


def compared(places: Mapping[str, Place], asked: Sequence[Job], python: str, rounds: int) -> None:
    """Print the steps of all jobs, which take turns."""
    found: dict[Job, list[dict[str, Any]]] = {}
    for number in range(rounds):
        for job in asked:
            found.setdefault(job, []).append(done(job, python, places.get(job.over) or this_machine()))
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    for alone in (job for job in asked if job.ranks == 1):
        same = [each for job, each in found.items() if job[:2] == alone[:2] and job.rows == BATCH]
        losses = [one["loss"] for each in same for one in each]
        assert max(losses) - min(losses) <= 1e-5 * max(losses), (alone, losses)
    print(
        "| network | peer | over | ranks | rows | ms, least | median | waiting | worked | speed | by work |"
    )
    print("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for job, each in found.items():
        times, worked = middle(each, "times"), statistics.median(middle(each, "worked"))
        alone_each = found[Job(job.network, job.peer, "", 1, BATCH)]
        share = job.rows / BATCH
        speed = share * min(middle(alone_each, "times")) / min(times)
        by_work = share * statistics.median(middle(alone_each, "worked")) / worked
        waits = [sum(one["waits"]) / sum(one["times"]) for one in each if "waits" in one and job.ranks > 1]
        waiting = f"{min(waits):.0%}" if waits else ""
        print(
            f"| {job.network} | {job.peer} | {job.over} | {job.ranks} | {job.rows} | {min(times):.1f} | "
            f"{statistics.median(times):.1f} | {waiting} | {worked:.1f} | {speed:.2f} | {by_work:.2f} |"
        )


def middle(each: list[dict[str, Any]], what: str) -> list[float]:
    """The median step of every job, in ms."""
    return [1000 * statistics.median(one[what]) for one in each]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--torch", help="an interpreter that has PyTorch")
    options.add_argument("--rounds", type=int, default=7)
    for name in ("--work", "--network", "--address"):
        options.add_argument(name, help=argparse.SUPPRESS)
    for name in ("--batch", "--ranks", "--rank"):
        options.add_argument(name, type=int, default=0, help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.work == "symgrad":
        symgrad_steps(asked.network, asked.batch, asked.ranks)
    elif asked.work == "torch":
        torch_steps(asked.network, asked.batch, asked.rank, asked.ranks, asked.address)
    else:
        peers = ("symgrad", "torch") if asked.torch else ("symgrad",)
        places = {"memory": this_machine()}
        compared(places, [*jobs(tuple(NETWORKS), peers, tuple(places), 2)], asked.torch or "", asked.rounds)


if __name__ == "__main__":
    main()
