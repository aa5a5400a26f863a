"""Random networks of repeated, residual and joined layers by name, one inside the other.

Each is drawn as a chain, and written out here as equations, which the oracle judges: the chain is set beside
them. Blocks come often enough to become loops in a module.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fuzz.layered import MOST, Layered, call_of, finished
from fuzz.reach import depends_on_parameters
from symgrad.spec import library

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

Spec = dict[str, Any]
LARGEST = 14
"""So many calls of layers a chain may have, written out; a transformer block counts four."""
TRIES = 30
OF_IMAGES = frozenset(name for name, entry in library.layers.items() if "layout" in entry.text)


@dataclass(frozen=True)
class Call:
    """A layer with its arguments."""

    name: str
    arguments: str

    @property
    def layer(self) -> Any:
        """What a chain says."""
        return call_of(self.name, self.arguments)

    @property
    def size(self) -> int:
        return 4 if self.name == "transformer_block" else 1

    @property
    def is_turned(self) -> bool:
        """Whether its channels stand first."""
        return "layout=channels_first" in self.arguments


@dataclass(frozen=True)
class Block:
    """Parts several times in a row, or beside their input."""

    kind: str
    parts: tuple[Part, ...]
    times: int = 1

    @property
    def layer(self) -> Any:
        """What a chain says."""
        layers = [part.layer for part in self.parts]
        return {self.kind: {"times": self.times, "layers": layers} if self.kind == "repeat" else layers}

    @property
    def size(self) -> int:
        return self.times * sum(part.size for part in self.parts)

    @property
    def is_turned(self) -> bool:
        return any(part.is_turned for part in self.parts)


Part = Call | Block


@dataclass
class Repeated:
    """Draws parts whose values have axes `shape` behind that of the batch, and writes them out."""

    draw: Layered
    shape: list[int] = field(default_factory=list)

    def parts(self, depth: int, room: int) -> tuple[Part, ...]:
        """Some parts that make of the shape one of the same kind."""
        found: list[Part] = []
        for _ in range(self.draw.whole(1, 2 if depth else 3)):
            before = self.shape
            part = self.block(depth, room) if depth < 3 and self.draw.chance(0.5) else self.call(depth > 0)
            if part is not None and sum(p.size for p in found) + part.size <= room:
                found.append(part)
            else:
                self.shape = before
        return tuple(found)

    def call(self, keeps_shape: bool) -> Call | None:
        """A layer that needs no other input, and maybe keeps the shape."""
        draw = self.draw
        for _ in range(TRIES):
            before = draw.now, draw.shape, draw.equations, draw.inputs, len(draw.steps)
            draw.shape, draw.equations, draw.inputs = [*self.shape], {**draw.equations}, {**draw.inputs}
            draw.step()
            made, is_plain = draw.shape, draw.is_chain and draw.inputs == before[3]
            calls, draw.steps = draw.steps[before[4] :], draw.steps[: before[4]]
            draw.now, draw.shape, draw.equations, draw.inputs, _ = before
            draw.is_chain = True
            if calls and is_plain and (made == self.shape or not keeps_shape):
                self.shape = made
                return Call(*calls[0])
        return None

    def block(self, depth: int, room: int) -> Block | None:
        """Parts that give their shape back; where they were joined to their input, by a layer behind it."""
        kind, shape = self.draw.one(("repeat", "repeat", "residual", "concat")), [*self.shape]
        times = self.draw.whole(2, 6) if kind == "repeat" else 1
        parts = self.parts(depth + 1, (room - 1) // times)
        if not parts or (kind == "concat" and (depth or 2 * shape[-1] * len(shape) > MOST)):
            return None
        block = Block(kind, parts, times)
        if kind == "concat":
            channels = 0 if block.is_turned else len(shape) - 1
            self.shape = [2 * n if axis == channels else n for axis, n in enumerate(shape)]
        return block

    # Written out ----------------------------------------------------------------------------------

    def write(self, parts: tuple[Part, ...]) -> None:
        """The equations of parts, one after another."""
        for part in parts:
            if isinstance(part, Call):
                self.draw.define(part.name, part.arguments, self.draw.shape)
                continue
            start = self.draw.now
            for _ in range(part.times):
                self.write(part.parts)
            if part.kind != "repeat":
                joined = (
                    "{} + {}"
                    if part.kind == "residual"
                    else f"concat({{}}, {{}}, axis={1 if part.is_turned else -1})"
                )
                own = self.draw.name()
                self.draw.equations[own] = joined.format(start, self.draw.now)
                self.draw.now = own


def blocks_in(parts: tuple[Part, ...]) -> Iterator[Block]:
    """All blocks, those within others too."""
    for part in parts:
        if isinstance(part, Block):
            yield part
            yield from blocks_in(part.parts)


def calls_in(parts: tuple[Part, ...]) -> Iterator[Call]:
    """All layers, those of blocks too."""
    for part in parts:
        yield from (part,) if isinstance(part, Call) else calls_in(part.parts)


def is_joined_alike(parts: tuple[Part, ...]) -> bool:
    """Whether every concat joins channels where all layers of images have them; other chains are refused."""
    joined = [b for b in blocks_in(parts) if b.kind == "concat"]
    turned = {call.is_turned for call in calls_in(parts) if call.name in OF_IMAGES}
    return not joined or turned <= {False} or (turned == {True} and all(b.is_turned for b in joined))


def repeated_spec(random: Random) -> Spec:
    """A chain with blocks, and the same as equations."""
    while True:
        draw = Layered(random)
        if draw.steps:
            continue
        made = Repeated(draw, [*draw.shape])
        parts = made.parts(0, LARGEST)
        if not any(isinstance(part, Block) for part in parts):
            continue
        if not is_joined_alike(parts):
            continue
        made.write(parts)
        draw.shape = made.shape
        spec = {**finished(draw), "chain": [part.layer for part in parts]}
        if depends_on_parameters(spec):
            return spec
