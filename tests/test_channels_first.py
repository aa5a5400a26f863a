"""Layers of images whose channels stand first: what they give, where it lies in memory, what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from seeds import SEED

from symgrad.errors import SpecError
from symgrad.graphs.interpret import interpret
from symgrad.pipeline import module_text, stages_of
from symgrad.spec import library
from symgrad.spec.expansion.layers.chain import chain_equations
from symgrad.spec.reader import read

if TYPE_CHECKING:
    from symgrad.calculus.program import Program

IMAGES = [name for name, entry in library.layers.items() if "layout" in dict(entry.signature.defaults)]
CALLS = {
    "conv": "units=3, kernel=2, stride=2, padding=1, activation=tanh",
    "conv_transpose": "units=3, kernel=3, stride=2",
    "max_pool": "kernel=2, stride=1",
    "avg_pool": "kernel=2, padding=1",
    "adaptive_avg_pool": "output_size=1",
    "adaptive_max_pool": "output_size=2, equal=false",
    "group_norm": "groups=2",
    "squeeze_excite": "reduction=2",
    "patch_embedding": "units=3, patch=1",
}
SIZES = (3, 4, 2)


def given_to(name: str) -> tuple[int, str]:
    """How many axes of places a layer's images have here, and its arguments."""
    rank = int(name[-2]) if name.endswith("d") and name[-2].isdigit() else 2
    return rank, CALLS.get(name.removesuffix(f"{rank}d"), "")


def spec_of(equations: dict[str, str], axes: tuple[int, ...]) -> dict[str, Any]:
    return {
        "dtype": "float64",
        "inputs": {"x": ["batch", *axes]},
        "equations": equations,
        "loss": f"sum(sin({list(equations)[-1]}))",
        "gradients": ["x"],
        "outputs": [list(equations)[-1]],
    }


def computed(program: Program, given: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The output, and the slopes of the loss in everything given."""
    found = interpret(program, given, {"batch": len(given["x"])})
    return found[program.outputs[0]], {g.of: found[g.name] for g in program.gradients}


@pytest.mark.parametrize("name", IMAGES)
def test_a_layer_gives_the_same_with_its_channels_first(name: str) -> None:
    rng = np.random.default_rng(SEED)
    rank, arguments = given_to(name)
    x = rng.normal(size=(2, *SIZES[:rank], 4))
    call = f"{name}(x, {arguments})" if arguments else f"{name}(x)"
    turned = f"{call[:-1]}, layout=channels_first)"
    first = stages_of(read(spec_of({"y": turned}, (4, *SIZES[:rank])))).laid_out
    last = stages_of(read(spec_of({"y": call}, (*SIZES[:rank], 4))))
    weights = {t.name: rng.normal(size=[a.size for a in t.axes]) for t in first.of_kind("parameter")}
    y, slopes = computed(first, {"x": np.moveaxis(x, -1, 1), **weights})
    expected, expected_slopes = computed(last.derived, {"x": x, **weights})
    has_places = expected.ndim == rank + 2
    np.testing.assert_allclose(y, np.moveaxis(expected, -1, 1) if has_places else expected, 1e-10, 1e-12)
    expected_slopes["x"] = np.moveaxis(expected_slopes["x"], -1, 1)
    for of, slope in expected_slopes.items():
        np.testing.assert_allclose(slopes[of], slope, 1e-9, 1e-11, err_msg=of)


def a_chain(rng: np.random.Generator) -> dict[str, str]:
    """Entrywise steps, turned axes, running sums and joined tensors, each over those before it."""
    equations, shapes = {"A0": "tanh(x)"}, {"x": (2, 3, 4), "A0": (2, 3, 4)}
    for number in range(1, 8):
        name, of = f"A{number}", str(rng.choice(list(equations)))
        shape = shapes[of]
        alike = str(rng.choice([n for n, s in shapes.items() if s == shape and n != "x"]))
        order = [0, *(int(i) for i in rng.permutation([1, 2]))]
        kind = int(rng.integers(5))
        if kind < 2:
            equations[name] = f"transpose({of}, {', '.join(map(str, order))})"
            shapes[name] = tuple(shape[i] for i in order)
            continue
        equations[name] = (
            f"sin({of}) * {alike} + 0.5*{of}",
            f'einsum("nij,nkj,nkl->nil", {of}, {alike}, {of})',
            f"{of} + max(pad({alike}, 1, 1), axis=1, keepdims=true)",
        )[kind - 2]
        shapes[name] = shape
    return equations


@pytest.mark.parametrize("number", range(12))
def test_values_lie_otherwise_and_are_the_same(number: int) -> None:
    rng = np.random.default_rng([SEED, number])
    stages = stages_of(read(spec_of(a_chain(rng), (3, 4))))
    x = {"x": rng.normal(size=(2, 3, 4))}
    y, slopes = computed(stages.laid_out, x)
    expected, expected_slopes = computed(stages.derived, x)
    np.testing.assert_allclose(y, expected, 1e-11, 1e-12)
    np.testing.assert_allclose(slopes["x"], expected_slopes["x"], 1e-9, 1e-11)


def test_layers_behind_each_other_turn_nothing_but_their_input_and_result() -> None:
    equations = {
        "A0": "conv2d(x, 3, kernel=3, padding=1, activation=relu, layout=channels_first)",
        "A1": "batch_norm2d(A0, layout=channels_first)",
        "A2": "relu(A1)",
        "A3": "max_pool2d(A2, 2, layout=channels_first)",
    }
    program = stages_of(read(spec_of(equations | {"y": "tanh(A3)"}, (2, 4, 6)))).laid_out
    names = {t.name: [axis.size for axis in t.axes] for t in program.tensors if t.kind == "value"}
    assert names["A0"] == names["A2"] == [None, 4, 6, 3]
    assert names["y"] == [None, 3, 2, 3]
    assert not {"A3", "A1_T", "A3_T"} & names.keys()


def test_branches_are_joined_along_their_channels() -> None:
    """Where as many channels would join along the width too, and nobody would be told."""
    branch = ["conv2d(2, kernel=3, padding=1, layout=channels_first)", "relu"]
    spec = {"inputs": {"x": ["batch", 2, 4, 5]}, "layers": [{"concat": branch}], "loss": "sum(C1)"}
    joined = stages_of(read(spec)).formulas.tensor["C1"]
    assert [axis.size for axis in joined.axes] == [None, 4, 4, 5]


CONV = "conv2d(2, kernel=3, padding=1, layout=channels_first)"


@pytest.mark.parametrize(
    ("layers", "axes"),
    [
        ([CONV, {"concat": ["relu"]}], [4, 4, 5]),
        ([{"concat": ["relu"]}, CONV], [4, 4, 5]),
        ([CONV, {"concat": [{"residual": ["relu"]}]}], [4, 4, 5]),
        ([CONV, "flatten(2)", {"concat": ["relu"]}], [2, 40]),
        ([CONV, "global_avg_pool(layout=channels_first)", {"concat": ["tanh"]}], [4]),
    ],
)
def test_branches_without_layers_of_images_follow_those_around_them(
    layers: list[Any], axes: list[int]
) -> None:
    chain = chain_equations(read({"inputs": {"x": ["batch", 2, 4, 5]}, "layers": layers, "loss": "mse"}))
    spec = {"inputs": {"x": ["batch", 2, 4, 5]}, "layers": layers, "loss": f"sum({chain[-1].name})"}
    joined = next(equation.name for equation in chain if equation.name.startswith("C"))
    found = stages_of(read(spec)).formulas.tensor[joined]
    assert [axis.size for axis in found.axes] == [None, *axes]


def test_channels_that_stand_elsewhere_are_not_joined() -> None:
    layers = [CONV, {"concat": ["conv2d(3, kernel=1)"]}]
    spec = {"inputs": {"x": ["batch", 2, 4, 5]}, "layers": layers, "loss": "sum(C2)"}
    with pytest.raises(
        SpecError, match="concat joins channels_last to channels_first; write layout=channels"
    ):
        stages_of(read(spec)).formulas  # noqa: B018  # a property that computes


@pytest.mark.parametrize(
    ("call", "problem", "remedy"),
    [
        ("conv2d(1, 6, 5)", "conv2d: 5 has no name", "write conv2d(6, kernel=5), or stride=5"),
        ("conv_transpose2d(4, 8, 3)", "3 has no name", "write conv_transpose2d(8, kernel=3)"),
        ("conv2d(1, 6, 5, activation=relu)", "conv2d: 5 has no name", "stride=5 if that is meant"),
        ("max_pool2d(2, layout=NCHW)", "layout is NCHW", "expected channels_first or channels_last"),
        ("conv1d(2, 3, layout=channels_first)", "takes \\[batch, channels, steps\\]", "3 axes"),
    ],
)
def test_a_slip_is_told_with_what_to_write(call: str, problem: str, remedy: str) -> None:
    text = f'{{inputs: {{x: [batch, 5, 6, 7]}}, layers: ["{call}"], loss: "sum(A1)"}}'
    with pytest.raises(SpecError, match=problem) as found:
        module_text(read(text))
    assert remedy in str(found.value)
