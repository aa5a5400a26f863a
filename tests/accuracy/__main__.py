"""The worst errors of every function and its slope, in units in the last place, and of its polynomial."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from accuracy.certificate import certificates
from accuracy.measure import rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python tests/accuracy", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="a twelfth of the places tried")
    count = parser.parse_args().count
    print(f"{'function':12}{'precision':10}{'value':>8}  {'at':>14}{'slope':>10}  {'at':>14}")
    for dtype in ("float32", "float64"):
        with tempfile.TemporaryDirectory() as folder:
            for row in rows(dtype, Path(folder), count):
                value, slope = row.value, row.slope
                places = f"{value.units:8.2f}  {value.at:14.6g}{slope.units:10.2f}  {slope.at:14.6g}"
                print(f"{row.function:12}{row.dtype:10}{places}")
    print()
    print(f"{'polynomial':12}{'precision':10}{'sup-norm error':>16}  {'in units':>9}  how")
    for found in certificates():
        print(f"{found.function:12}{found.dtype:10}{found.error:16.2e}  {found.units:9.4f}  {found.how}")


if __name__ == "__main__":
    main()
