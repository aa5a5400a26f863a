"""The example notebooks run from the first cell to the last, in a kernel as Jupyter starts it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).parent.parent / "examples"
NOTEBOOKS = sorted((EXAMPLES / "notebooks").glob("*.ipynb"))
SHOWN = {
    "1_generate": (r"dW1 = xᵀ·dZ1", r"gemm\(1, x\.T, dZ1, 0, dW1\)", r"'W1': \(64, 64\)", r"True"),
    "2_inspect": (r"∇Ω_h", r"\\subsection\*\{Gradients\}", r"dh_W = xᵀ·dh_Z +through h_Z = x·h_W \+ h_b"),
    "3_verify": (r"gradients_only: passed", r"identical", r"a gradient is WRONG", r"every gradient agrees"),
    "4_train": (r"epoch 12/12", r"held-out accuracy 0\.9", r"as the callback asked", r"digits: 16 epochs"),
    "5_predict_and_evaluate": (r"held-out accuracy: 0\.9", r"balanced_accuracy", r"array\(\[0, 1, 2, 3"),
    "6_scikit_learn": (r"it has not seen: 0\.9", r"'classifier__learning_rate': 0\.01"),
    "7_export": (r"ONNX Runtime agrees", r"largest difference: \S+e-0[6-9]", r"from digits\.safetensors"),
}
"""What a reader of each must have seen at its end."""
EXECUTE = """
import nbclient, nbformat
notebook = nbformat.read("all.ipynb", as_version=4)
nbclient.NotebookClient(notebook, timeout=300, allow_errors=True).execute()
nbformat.write(notebook, "all.ipynb")
"""


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """The cells of each notebook with their outputs.

    One kernel runs them one after the other, and forgets all names between them: to start one takes as long
    as a notebook. It has a process of its own, so that what its sockets say of themselves is no warning here.
    """
    examples = tmp_path_factory.mktemp("checkout") / "examples"
    shutil.copytree(EXAMPLES, examples, ignore=shutil.ignore_patterns("__pycache__", "runs", "lectures"))
    shutil.copytree(EXAMPLES / "lectures", examples / "lectures")
    cells = {path.stem: nbformat.read(path, as_version=4).cells for path in NOTEBOOKS}
    joined = [cell for found in cells.values() for cell in (nbformat.v4.new_code_cell("%reset -f"), *found)]
    file = examples / "notebooks" / "all.ipynb"
    for number, cell in enumerate(joined):
        cell["id"] = f"cell-{number}"
    nbformat.write(nbformat.v4.new_notebook(cells=joined), file)
    subprocess.run([sys.executable, "-c", EXECUTE], cwd=file.parent, check=True, capture_output=True)
    done = iter(nbformat.read(file, as_version=4).cells)
    return {name: [next(done) for _ in range(len(found) + 1)][1:] for name, found in cells.items()}


def texts(cells: list[Any]) -> Iterator[str]:
    for cell in cells:
        for output in cell.get("outputs", ()):
            assert output["output_type"] != "error", "\n".join(output["traceback"])
            yield output.get("text") or output["data"]["text/plain"]


@pytest.mark.parametrize("name", SHOWN)
def test_a_notebook_runs_to_its_end(name: str, executed: dict[str, list[Any]]) -> None:
    shown = "\n".join(texts(executed[name]))
    for pattern in SHOWN[name]:
        assert re.search(pattern, shown), f"{pattern} is not in\n{shown}"


def test_training_shows_its_curve_and_nothing_twice(executed: dict[str, list[Any]]) -> None:
    curve, run = executed["4_train"][1].outputs
    assert '<progress value="12" max="12"' in curve["data"]["text/html"]
    assert "held-out" in curve["data"]["text/html"]
    assert run["data"]["image/svg+xml"].startswith("<svg")
    for cells in executed.values():
        for cell in cells:
            shown = [output for output in cell.get("outputs", ()) if output["output_type"] != "stream"]
            assert len(shown) <= 1 + ("sg.train" in cell.source)


def test_they_are_kept_without_outputs() -> None:
    assert [path.stem for path in NOTEBOOKS] == list(SHOWN)
    for path in NOTEBOOKS:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        for cell in notebook.cells:
            assert not cell.get("outputs")
            assert cell.get("execution_count") is None
