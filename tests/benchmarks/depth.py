"""How the time to derive and to compile grows with depth: `python tests/benchmarks/depth.py`.

Networks of 12, 25, 50 and 100 equal dense layers of 64 neurons. Each is measured in a process of its own
with an empty Numba cache: from the spec to the module's text, then importing the module and its first
compiled training step. The last column is both together per layer, relative to the shallowest network.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

DEPTHS = (12, 25, 50, 100)
ROOT = Path(__file__).parent.parent.parent


def deep(layers: int) -> dict[str, Any]:
    """A spec with so many equal layers, and one more for ten classes."""
    return {
        "name": f"deep_{layers}",
        "inputs": {"x": ["batch", 64]},
        "targets": {"t": {"axes": ["batch"], "classes": 10}},
        "layers": [*["dense(64, activation=tanh)"] * layers, "dense(10)"],
        "loss": "softmax_cross_entropy",
        "train": {"optimizer": "adam"},
    }


def measure(layers: int, folder: Path) -> dict[str, float]:
    """The times of one depth, in this process, which must be a new one."""
    import numpy as np

    from symgrad.compiler.load import load
    from symgrad.pipeline import module_text
    from symgrad.spec.reader import read

    module_text(read(deep(1)))  # imports and SymPy's own first calls are not a matter of depth
    start = time.perf_counter()
    text = module_text(read(deep(layers)))
    derived = time.perf_counter() - start
    file = folder / "deep.py"
    file.write_text(text, encoding="utf-8")
    x, t = np.zeros((32, 64), np.float32), np.zeros(32, np.int64)
    start = time.perf_counter()
    module = load(file)
    params = module.init_params()
    module.train_step(params, module.init_state(params), x, t)
    compiled = time.perf_counter() - start
    return {"derive": derived, "lines": len(text.splitlines()), "compile": compiled}


def in_new_process(layers: int) -> dict[str, float]:
    """The times of one depth, with nothing left over from another."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, __file__, str(layers), folder]
        run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
        found: dict[str, float] = json.loads(run.stdout)
        return found


def main() -> None:
    """Print the table."""
    print(f"{'layers':>6} {'derive s':>9} {'lines':>7} {'first step s':>13} {'time per layer':>15}")
    first = 0.0
    for layers in DEPTHS:
        found = in_new_process(layers)
        share = (found["derive"] + found["compile"]) / layers
        first = first or share
        print(
            f"{layers:>6} {found['derive']:>9.2f} {found['lines']:>7.0f} {found['compile']:>13.2f}"
            f" {share / first:>14.2f}x"
        )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(int(sys.argv[1]), Path(sys.argv[2]))))
    else:
        main()
