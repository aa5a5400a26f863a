"""The blocks of a network: each equation a user named, with what he wrote in it and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from symgrad.calculus.program import Equation, Program, Tensor


@dataclass(frozen=True)
class NetworkBlock:
    """One named tensor and those its formula reads, all given; `program` defines it and nothing more."""

    name: str
    program: Program

    @property
    def equation(self) -> Equation:
        return self.program.definition[self.name]

    @property
    def reads(self) -> tuple[Tensor, ...]:
        """What it can be differentiated with respect to: its inputs before its parameters."""
        used = {name for equation in self.program.equations for name in equation.reads}
        found = [t for t in self.program.tensors if t.name in used and not t.is_integer]
        return tuple(t for kind in ("input", "parameter") for t in found if t.kind == kind)


def blocks(program: Program, derived: Callable[[Program], Program]) -> tuple[NetworkBlock, ...]:
    """The blocks of a primal program that no stage has changed across equations, in its order.

    Each is `derived` by itself: a loss `-mean(log(P))` reads P, whatever P is made of.
    """
    named = [e.target for e in program.equations if program.tensor[e.target].kind == "value"]
    return tuple(NetworkBlock(name, derived(_alone(name, program))) for name in named)


def _alone(name: str, program: Program) -> Program:
    own = {name}
    for equation in reversed(program.equations):
        if equation.target in own:
            own |= {n for n in equation.reads if program.tensor[n].kind == "temporary"}
    tensors = tuple(_given(t) if t.name != name else t for t in program.tensors)
    equations = tuple(e for e in program.equations if e.target in own)
    return replace(
        program, tensors=tensors, equations=equations, outputs=(name,), loss=None, prediction=(), gradients=()
    )


def _given(tensor: Tensor) -> Tensor:
    is_given = tensor.kind in ("value", "carried")
    return replace(tensor, kind="input", carried=None) if is_given else tensor
