"""Scaling over machines that this one emulates: what ranks.py compares, over links of some rates.

    python tests/benchmarks/machines.py --torch .venv/torch/bin/python --rates 1Gbit,10Gbit,none

A machine is a network namespace with a host name of its own, joined to the others by a switch through a link
that sends no more than so many bits a second in either direction. Each job's ranks lie one on each machine;
Open MPI begins them there as it would by ssh. So messages go through TCP, and no rank sees the memory of
another; but all machines compute with the cores of this one, and the core of a rank also copies what it sends
and takes. Needs Linux, root, `ip` and `tc` (iproute2), `unshare` (util-linux), and Open MPI 5.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

sys.path.insert(0, str(Path(__file__).parent))

from ranks import BATCH, NETWORKS, Place, compared, jobs

if TYPE_CHECKING:
    from types import FrameType

NETWORK, PORT = "10.78.5", 29500
LINK, UNLIMITED = "eth0", "none"
AGENT = """#!/bin/sh
# AGENT ADDRESS COMMAND...: as ssh would
machine=%s-${1##*.}
shift
exec ip netns exec $machine unshare --uts sh -c "hostname $machine; $*"
"""
BURST = 1e-3
"""Seconds in which a link that was idle may send faster; no less than a segment that Linux hands over."""
SEGMENT = 1 << 17
STOPS = (signal.SIGINT, signal.SIGTERM)


class Machines:
    """So many emulated machines, which are there inside a `with` and go with all that runs on them."""

    def __init__(self, count: int) -> None:
        self.numbers = range(1, count + 1)
        self.name = f"machine-{os.getpid()}"
        self.switch = f"{self.name}-switch"
        self.folder = tempfile.TemporaryDirectory(prefix="symgrad-machines-")

    def __enter__(self) -> Self:
        try:
            self._set_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _set_up(self) -> None:
        Path(self.agent).write_text(AGENT % self.name)
        Path(self.agent).chmod(0o755)
        _do("ip netns add", self.switch)
        _do("ip -n", self.switch, "link add bridge type bridge")
        _do("ip -n", self.switch, "link set bridge up")
        for n in self.numbers:
            machine, port = f"{self.name}-{n}", f"port{n}"
            _do("ip netns add", machine)
            _do("ip -n", machine, f"link add {LINK} type veth peer name {port} netns", self.switch)
            _do("ip -n", self.switch, f"link set {port} master bridge up")
            _do("ip -n", machine, f"addr add {NETWORK}.{n}/24 dev {LINK}")
            for link in ("lo", LINK):
                _do("ip -n", machine, f"link set {link} up")

    def __exit__(self, *_: object) -> None:
        for name in (*(f"{self.name}-{n}" for n in self.numbers), self.switch):
            inside = ["ip", "netns", "pids", name]
            for process in subprocess.run(inside, capture_output=True, text=True, check=False).stdout.split():
                with suppress(ProcessLookupError):
                    os.kill(int(process), signal.SIGKILL)
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
        self.folder.cleanup()

    @property
    def agent(self) -> str:
        """The program that begins a command on a machine."""
        return str(Path(self.folder.name, "agent"))

    def limit(self, rate: str) -> None:
        """Let each link carry so much, both ways: a rate as `tc` reads it, or `none` for no limit."""
        for n in self.numbers:
            for name, link in ((f"{self.name}-{n}", LINK), (self.switch, f"port{n}")):
                _do("tc -n", name, "qdisc replace dev", link, f"root {_shaped(rate)}")

    def place(self, rate: str) -> Place:
        """Ranks, one on each machine, over links of this rate."""
        hosts = ",".join(f"{NETWORK}.{n}:1" for n in self.numbers)

        def by_mpi(ranks: int) -> list[str]:
            from symgrad.ranks.mpi_world import mpiexec_here

            return [*by_hand(0), mpiexec_here(), "--host", hosts, "--map-by", "node", "-n", str(ranks)]

        def by_hand(rank: int) -> list[str]:
            machine = f"{self.name}-{rank + 1}"
            begun = ["ip", "netns", "exec", machine, "unshare", "--uts", "sh", "-c"]
            return [*begun, f'hostname {machine}; exec "$@"', "sh"]

        environment = {"PRTE_MCA_plm_ssh_agent": self.agent, "GLOO_SOCKET_IFNAME": LINK}
        ready = partial(self.limit, rate)
        return Place(by_mpi, by_hand, lambda: f"{NETWORK}.1:{PORT}", len(self.numbers), environment, ready)


def _shaped(rate: str) -> str:
    if rate == UNLIMITED:
        return "pfifo limit 1000"
    burst = max(float(rate.removesuffix("Gbit")) * 1e9 / 8 * BURST, SEGMENT)
    return f"tbf rate {rate} burst {burst:.0f} latency 50ms"


def _rates(text: str) -> list[str]:
    rates = text.split(",")
    if not all(re.fullmatch(rf"{UNLIMITED}|(?=.*[1-9])\d+(\.\d+)?Gbit", rate) for rate in rates):
        raise argparse.ArgumentTypeError(f"{text!r}: write 1Gbit,10Gbit,{UNLIMITED}")
    return rates


def _do(*words: str) -> None:
    """Run a command of these words, which must do what it is told."""
    command = " ".join(words).split()
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SystemExit(f"machines cannot be emulated here: {' '.join(command)}: {ran.stderr.strip()}")


def _demand_what_it_takes() -> None:
    if sys.platform != "linux" or os.geteuid() != 0:
        raise SystemExit("machines are emulated by network namespaces: run this on Linux, as root")
    missing = [name for name in ("ip", "tc", "unshare", "hostname") if shutil.which(name) is None]
    if missing:
        raise SystemExit(f"machines are emulated with {', '.join(missing)}, which this system lacks")


def _ended(number: int, _: FrameType | None) -> None:
    for kind in STOPS:
        signal.signal(kind, signal.SIG_IGN)  # so that nothing is left behind
    raise SystemExit(128 + number)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--torch", help="an interpreter that has PyTorch")
    options.add_argument("--machines", type=int, default=2, choices=range(2, 17), metavar="2..16")
    options.add_argument("--rates", type=_rates, default="1Gbit,10Gbit,none", help="of links, each way")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--quick", action="store_true", help="one network once: to see that it runs")
    asked = options.parse_args()
    _demand_what_it_takes()
    for kind in STOPS:
        signal.signal(kind, _ended)
    peers = ("symgrad", "torch") if asked.torch else ("symgrad",)
    networks = tuple(NETWORKS)[: 1 if asked.quick else None]
    with Machines(asked.machines) as machines:
        places = {rate: machines.place(rate) for rate in asked.rates}
        asked_jobs = [*jobs(networks, peers, tuple(places), asked.machines)]
        if asked.quick:
            asked_jobs = [job for job in asked_jobs if job.rows == BATCH]
        compared(places, asked_jobs, asked.torch or "", 1 if asked.quick else asked.rounds)


if __name__ == "__main__":
    main()
