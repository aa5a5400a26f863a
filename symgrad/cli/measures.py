"""The commands that measure: specs on this machine, and the machine. Functions are imported when run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from symgrad.cli.group import FILE, SECONDS, SEED, main

if TYPE_CHECKING:
    from pathlib import Path


@main.command()
@click.argument("spec", type=FILE)
@click.option("--batch", type=click.IntRange(1), help="Rows in a step.  [the spec's]")
@click.option("--rows", type=click.IntRange(1), help="Rows in an epoch.  [the data's]")
@click.option("--random", is_flag=True, help="Draw the data, even where the spec has some.")
@click.option("--cores", type=click.IntRange(1), default=1, show_default=True, help="Cores to run on.")
@click.option(
    "--seconds",
    type=click.FloatRange(0.1, 3600),
    default=5.0,
    show_default=True,
    help="How long all take turns; compiling comes on top.",
)
@click.option("--no-peers", is_flag=True, help="Time symgrad alone.")
@click.option(
    "--torch-compile", "with_compile", is_flag=True, help="Time torch.compile too: slow to compile."
)
@click.option("--json", "as_json", is_flag=True, help="Write the benchmark as JSON on stdout.")
def bench(spec: Path, as_json: bool, no_peers: bool, **options: Any) -> int:
    """Time the training step of SPEC.

    How long it takes, which part of that the machine's limit is, and where the rest of it goes; and PyTorch
    and JAX at the same work, where they are installed. Exit code 1 says that their losses are not symgrad's.
    """
    from symgrad.cli.measuring import bench_spec

    return bench_spec(spec, as_json, peers=not no_peers, **options)


@main.command()
@click.argument("spec", type=FILE)
@click.option(
    "--ranks", type=click.IntRange(1, 1 << 20), default=64, show_default=True, help="The most ranks."
)
@click.option("--bandwidth", metavar="RATE", default="10Gb", show_default=True, help="Between machines.")
@click.option(
    "--latency",
    metavar="TIME",
    default="20us",
    show_default=True,
    help="Of a message on its way between them.",
)
@click.option("--ranks-per-machine", type=click.IntRange(1), help="Ranks on each.  [its cores]")
@click.option("--batch", type=click.IntRange(1), help="Rows in a step.  [the spec's]")
@click.option("--weak", is_flag=True, help="So many rows for every rank, not for all.")
@click.option("--random", is_flag=True, help="Draw the data, even where the spec has some.")
@click.option(
    "--measure",
    multiple=True,
    type=click.IntRange(1, 1024),
    help="Time real steps on so many ranks of this machine too; may be repeated.",
)
@click.option("--picture", type=FILE, help="Draw speed-up and times into this file.")
@click.option("--json", "as_json", is_flag=True, help="Write the plan as JSON on stdout.")
def plan(spec: Path, picture: Path | None, as_json: bool, **options: Any) -> int:
    """Predict how training SPEC scales to more ranks.

    Steps are timed on this machine, alone and on all cores, and what ranks send each other; what 64 ranks on
    machines like this one would take is computed from that: time, what part of it is sending, memory.
    """
    from symgrad.cli.measuring import plan_spec

    return plan_spec(spec, picture, as_json, **options)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Write the findings as JSON on stdout.")
def doctor(as_json: bool) -> int:
    """Examine this machine and installation.

    Versions, cores, BLAS and its speed, memory, Numba, the cache folder and optional packages; a small module
    is generated, compiled and verified. Exit code 1 says that symgrad cannot work here.
    """
    from symgrad.cli.measuring import examine

    return examine(as_json)


@main.command()
@click.argument("spec", type=FILE)
@click.option("--data", type=FILE, help="Take rows of this file.  [the spec's train.data]")
@click.option("--least", type=SECONDS, default=1e-7, show_default=True, help="The first rate.")
@click.option("--most", type=SECONDS, default=10.0, show_default=True, help="The last rate.")
@click.option("--steps", type=click.IntRange(10), default=200, show_default=True, help="Rates to try.")
@click.option("--seed", type=SEED, help="Draws first values and rows.  [the spec's]")
@click.option("--picture", type=FILE, help="Draw the losses into this file.")
@click.option("--json", "as_json", is_flag=True, help="Write what was found as JSON on stdout.")
def rates(spec: Path, picture: Path | None, as_json: bool, **options: Any) -> int:
    """Find a learning rate for SPEC.

    The range test of Smith (2017): one step with each of many rates, from tiny to huge. It suggests the one
    where the loss falls most steeply, and stops where it diverges. It trains nothing and keeps nothing. Exit
    code 1 says that the loss falls at none of them.
    """
    from symgrad.cli.measuring import find_rates

    return find_rates(spec, picture, as_json, **options)
