"""The commands that measure: specs on this machine, and the machine. Functions are imported when run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from symgrad.cli.group import FILE, main

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
@click.option("--json", "as_json", is_flag=True, help="Write the findings as JSON on stdout.")
def doctor(as_json: bool) -> int:
    """Examine this machine and installation.

    Versions, cores, BLAS and its speed, memory, Numba, the cache folder and optional packages; a small module
    is generated, compiled and verified. Exit code 1 says that symgrad cannot work here.
    """
    from symgrad.cli.measuring import examine

    return examine(as_json)
