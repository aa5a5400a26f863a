"""Identity, a run with checked bounds and a certificate of every example, lecture and row of the library."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from proofs.proving import Proof, proofs
from proofs.specs import specs

_KINDS = ("identity", "bounds", "certificate")


def main() -> int:
    """Prove and print, row by row; 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="python tests/proofs", description=__doc__)
    parser.add_argument("words", nargs="*", help="only those whose names hold one of these")
    print(
        f"{'spec':32}{'identity':>16}{'s':>8}{'bounds':>16}{'s':>8}{'certificate':>16}{'s':>8}{'units':>10}"
    )
    table = []
    for name, spec in specs(parser.parse_args().words):
        table.append(proofs(spec))
        print(_row(name, table[-1]), flush=True)
    print()
    for kind, column in zip(_KINDS, zip(*table, strict=True), strict=False):
        counts = Counter(proof.word for proof in column)
        told = ", ".join(f"{count} {word}" for word, count in counts.most_common())
        print(f"{kind:12}{sum(proof.seconds for proof in column):8.1f} s  {told}")
    return int(any(proof.is_wrong for row in table for proof in row))


def _row(name: str, row: tuple[Proof, ...]) -> str:
    """One line, and one more for everything that needs words."""
    cells = "".join(f"{proof.word:>16}{proof.seconds:8.2f}" for proof in row)
    units = "" if row[-1].units is None else f"{row[-1].units:10.4g}"
    words = [f"\n    {proof.verdict}" for proof in row if proof.word != proof.verdict]
    return f"{name:32}{cells}{units}{''.join(words)}"


if __name__ == "__main__":
    sys.exit(main())
