"""The examples in folders of their own: their data come as they say, and a step lowers the loss."""

from __future__ import annotations

import gzip
import re
import runpy
import shutil
import struct
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import pytest
from building import interpreted, written

import symgrad as sg
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.training.dataset.data import Dataset, load_data
from symgrad.training.split import split
from symgrad.verifier.trials.single import single_checks
from symgrad.verifier.trials.subject import InProcess
from symgrad.verifier.trials.trial import prepare

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = Path(__file__).parent.parent / "examples"
DIGITS = EXAMPLES / "data" / "digits.csv"


@pytest.fixture
def of(tmp_path: Path) -> Callable[[str], Path]:
    """A file of a copy of the examples' folder, so that scripts write beside the copy."""

    def file(name: str) -> Path:
        folder = tmp_path / Path(name).parent.name
        if not folder.exists():
            shutil.copytree((EXAMPLES / name).parent, folder)
        return folder / Path(name).name

    return file


def learns(example: Path, data: Dataset, rows: int = 2, rate: float = 1e-3) -> None:
    """A step against the gradient on a few rows, in double precision, run by Python, lowers the loss."""
    folder = example.parent
    module = interpreted(written(example.read_text().replace("float32", "float64"), folder))
    arrays = [
        array.astype(float) if array.dtype.kind == "f" else array
        for array in data.take(np.arange(rows)).arrays
    ]
    params = module.init_params(0)
    before, grads = module.loss_and_grad(params, *arrays)
    step = module.unflatten(module.flatten(params) - rate * module.flatten(grads))
    assert np.isfinite(before)
    assert module.loss_and_grad(step, *arrays)[0] < before  # by the same draws, where some are drawn


def test_digits_are_pictures_row_by_row(of: Callable[[str], Path]) -> None:
    example = of("images/digits_cnn.yaml")
    data = load_data(read(example), DIGITS)
    pixels = np.loadtxt(DIGITS, delimiter=",", skiprows=1, max_rows=2)[:, :64]
    assert (data.inputs["x"][:2, :, :, 0] == pixels.reshape(2, 8, 8)).all()
    learns(example, data)


def test_the_autoencoder_takes_pixels_alone(of: Callable[[str], Path]) -> None:
    example = of("images/digits_autoencoder.yaml")
    data = load_data(read(example), DIGITS)
    assert data.inputs["x"].shape == (1797, 64)
    learns(example, data)


def test_the_half_behind_the_code_stands_alone_without_the_data_of_the_whole() -> None:
    pytest.importorskip("sklearn")
    from symgrad.sklearn.changed_specs import after

    half = expand(after(read(EXAMPLES / "images" / "digits_autoencoder.yaml"), "code", (8,), ("y",)))
    assert [tensor.name for tensor in half.spec.inputs] == ["code"]
    assert half.spec.train.data is None


def test_the_variational_autoencoder_is_right_in_single_precision_and_draws(
    of: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Beside double precision by the numbers that are drawn for each place of a batch, and in a picture."""
    example = of("images/digits_vae.yaml")
    spec = read(example)
    learns(example, load_data(spec, DIGITS))
    module, twin = (interpreted(written(spec, example.parent)) for _ in range(2))
    twin.DTYPE = np.float64
    checks = [*single_checks(prepare(expand(spec), InProcess(module), InProcess(twin), 1, 0))]
    assert {c.name: c.verdict for c in checks if c.verdict != "pass"} == {}
    run = tmp_path / "run"
    run.mkdir()
    written(spec, run).rename(run / "digits_vae.py")
    module.save(run / "checkpoint.npz", module.init_params(0))
    monkeypatch.setattr("sys.argv", ["", str(run), str(tmp_path / "drawn.png")])
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    shutil.copytree(EXAMPLES / "data", tmp_path / "data")
    runpy.run_path(str(of("images/digits_drawn.py")))
    assert (tmp_path / "drawn.png").stat().st_size > 1000


def test_batch_norm_and_dropout_learn(of: Callable[[str], Path]) -> None:
    """Fewer channels, as Python counts them one by one."""
    example = of("images/digits_batch_norm.yaml")
    example.write_text(example.read_text().replace("conv2d(32", "conv2d(2").replace("dense(64", "dense(4"))
    learns(example, load_data(read(example), DIGITS), rows=3)


def idx(path: Path, values: Any) -> None:
    header = struct.pack(f">4B{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    path.write_bytes(gzip.compress(header + values.astype("u1").tobytes()))


def test_pictures_of_28_by_28_come_from_idx_files(of: Callable[[str], Path]) -> None:
    example = of("images/mnist_cnn.yaml")
    pictures = np.random.default_rng(0).integers(0, 256, (3, 28, 28))
    idx(example.with_name("train-images-idx3-ubyte.gz"), pictures)
    idx(example.with_name("train-labels-idx1-ubyte.gz"), np.array([3, 1, 9]))
    data = load_data(read(example))
    assert (data.inputs["x"][..., 0] == pictures).all()
    assert data.targets["t"].tolist() == [3, 1, 9]


def test_ratings_are_drawn_and_factorised(of: Callable[[str], Path]) -> None:
    example = of("recommendation/ratings.yaml")
    runpy.run_path(str(example.with_name("draw_ratings.py")))
    data = load_data(read(example))
    assert data.inputs["user"].max() == 199
    assert data.inputs["item"].max() == 119
    learns(example, data, rows=20)


def test_words_of_a_grammar_are_drawn_and_foretold(of: Callable[[str], Path]) -> None:
    example = of("language/word_vectors.yaml")
    runpy.run_path(str(example.with_name("draw_sentences.py")), run_name="__main__")
    data = load_data(read(example))
    words = data.preparation.inputs["word"].classes
    assert words == data.preparation.targets["near"].classes
    assert {"eats", "woman", "plate"} < set(words)
    learns(example, data, rows=20)


def test_drawn_shapes_feed_the_unet_which_learns(of: Callable[[str], Path]) -> None:
    """Smaller pictures and fewer channels, as Python counts them one by one."""
    example, script = of("images/shapes_unet.yaml"), of("images/draw_shapes.py")
    script.write_text(script.read_text().replace("16, 2000", "8, 4"))
    text = re.sub(r", (8|16|32), kernel", ", 2, kernel", example.read_text())
    example.write_text(text.replace("[batch, 16, 16", "[batch, 8, 8"))
    runpy.run_path(str(script))
    data = load_data(read(example))
    assert data.inputs["x"].shape == (4, 8, 8, 1)
    assert set(np.unique(data.targets["t"])) == {0, 1, 2, 3}
    learns(example, data)


def test_tags_are_found_by_the_sum_of_all_sequences(
    of: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside all sequences of four tags, one by one, scored by the chances that words were drawn by."""
    example, script = of("language/tagging.yaml"), of("language/tags.py")
    script.write_text(script.read_text().replace("4000, 20,", "200, 4,"))
    example.write_text(example.read_text().replace("T: 20", "T: 4").replace("float32", "float64"))
    monkeypatch.setattr("sys.argv", [""])
    drawn = runpy.run_path(str(script), run_name="__main__")
    data = load_data(read(example))
    learns(example, data, rows=20)
    module = interpreted(written(read(example), example.parent))
    params = module.init_params(0)
    params.U_W[:], params.A[:] = np.log(drawn["draws"].T), np.log(drawn["follows"])
    word, tag = data.inputs["word"][:9], data.targets["tag"][:9]
    every = np.array([*product(range(5), repeat=4)])

    def score(tags: Any) -> Any:
        own = params.U_W[word[:, None, :], tags] if tags.ndim == 3 else params.U_W[word, tags]
        return own.sum(-1) + params.A[tags[..., :-1], tags[..., 1:]].sum(-1)

    weights = np.exp(score(every[None]))
    surprise = np.log(weights.sum(1)) - score(tag)
    assert module.loss(params, word, tag) == pytest.approx(surprise.mean(), rel=1e-12)
    chances = np.stack([weights @ (every == k) for k in range(5)], axis=2) / weights.sum(1)[:, None, None]
    np.testing.assert_allclose(module.predict(params, word), chances, rtol=1e-9, atol=1e-300)
    known = drawn["chances_of_tags"](word)
    np.testing.assert_allclose(known / known.sum(2, keepdims=True), chances, rtol=1e-9, atol=1e-300)
    run = example.parent / "run"
    run.mkdir()
    written(read(example), run).rename(run / "tagging.py")
    module.save(run / "checkpoint.npz", params)
    monkeypatch.setattr("sys.argv", ["", str(run)])
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    capsys.readouterr()
    runpy.run_path(str(script), run_name="__main__")
    alone, field, chain = (float(line.split()[-5][:-1]) for line in capsys.readouterr().out.splitlines())
    assert alone < field == chain


def test_a_recurrent_network_of_letters_learns(of: Callable[[str], Path]) -> None:
    example = of("language/lstm_characters.yaml")
    small = example.read_text().replace("96", "5").replace("embedding(32)", "embedding(3)")
    example.write_text(small.replace("T: 32", "T: 4").replace("window: 32, step: 16", "window: 4, step: 4"))
    learns(example, load_data(read(example)), rows=5, rate=0.1)


@pytest.fixture
def time(of: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the folder with shorter sequences and smaller networks, as Python counts one by one."""
    folder = of("time/draw_series.py").parent
    shorter = {
        "draw_series.py": (("10_000, 100", "20, 6"), ("1001", "31")),
        "beside_truth.py": (("2000", "5"), ("1001", "31")),
        "adding.yaml": (("batch, 100", "batch, 6"), ("lstm(32)", "lstm(3)")),
        "spiral.yaml": (
            ("dense(50", "dense(4"),
            ("batch, 20", "batch, 6"),
            ("t:20", "t:6"),
            ("ahead: 20", "ahead: 6"),
        ),
        "sunspots.yaml": (("past / 100, 8", "past / 100, 2"),),
    }
    for name, changes in shorter.items():
        text = (folder / name).read_text()
        for long, short in changes:
            assert long in text
            text = text.replace(long, short)
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    runpy.run_path(str(folder / "draw_series.py"), run_name="__main__")
    return folder


def test_marked_numbers_are_added(time: Path) -> None:
    data = load_data(read(time / "adding.yaml"))
    numbers, marks = np.moveaxis(data.inputs["x"], 2, 0)
    assert (marks.reshape(20, 2, 3).sum(2) == 1).all()
    np.testing.assert_allclose(data.targets["t"][:, 0], (numbers * marks).sum(1), rtol=1e-6)
    learns(time / "adding.yaml", data, rows=10)


def test_a_spiral_is_followed_by_steps_of_runge_and_kutta(time: Path) -> None:
    example = time / "spiral.yaml"
    data = load_data(read(example))
    points = np.loadtxt(time / "spiral.csv", delimiter=",", skiprows=1)
    assert (data.inputs["start"] == points[:25]).all()
    assert (data.targets["path"][24] == points[25:]).all()
    learns(example, data, rows=5)
    module = interpreted(written(read(example), time))
    p = module.init_params(0)
    p.slope_b1[:], p.slope_b2[:] = 0.3, -0.2

    def slope(y: Any) -> Any:
        return np.tanh(y**3 @ p.slope_W1 + p.slope_b1) @ p.slope_W2 + p.slope_b2

    y, path, dt = points[:4], [], 0.025
    for _ in range(6):
        k1 = slope(y)
        k2 = slope(y + dt / 2 * k1)
        k3 = slope(y + dt / 2 * k2)
        y = y + dt / 6 * (k1 + 2 * k2 + 2 * k3 + slope(y + dt * k3))
        path.append(y)
    np.testing.assert_allclose(module.predict(p, points[:4]), np.stack(path, 1), rtol=1e-12)


def test_sunspots_are_foretold_a_year_ahead_and_those_held_out_are_the_last(
    of: Callable[[str], Path], time: Path
) -> None:
    spec = sg.read(time / "sunspots.yaml")  # no warning: the year before is no target
    year, spots = np.loadtxt(of("data/sunspots.csv"), delimiter=",", skiprows=1).T
    data = load_data(spec, of("data/sunspots.csv"))
    training, held_out = split(data, float(spec.train.validation), 0)
    assert (held_out.targets["next"][:, 0] == spots[year > 1920]).all()
    assert (training.targets["next"][:, 0] == spots[(year > 1711) & (year <= 1920)]).all()
    assert (held_out.inputs["past"][0, :, 0] == spots[(year > 1908) & (year <= 1920)]).all()
    learns(time / "sunspots.yaml", data, rows=5)


def test_what_was_learnt_of_time_is_drawn_beside_what_is_true(
    of: Callable[[str], Path], time: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By networks that have learnt nothing, in a picture."""
    of("data/sunspots.csv")
    runs = [time / name for name in ("adding", "spiral", "sunspots")]
    for run in runs:
        run.mkdir()
        module = interpreted(written(read(run.with_suffix(".yaml")), run))
        (run / "module.py").rename(run / f"{run.name}.py")
        module.save(run / "checkpoint.npz", module.init_params(0))
    monkeypatch.setattr("sys.argv", ["", *map(str, runs), str(time / "drawn.png")])
    runpy.run_path(str(time / "beside_truth.py"), run_name="__main__")
    assert (time / "drawn.png").stat().st_size > 1000
    assert "linear: 1921-1955 0.126, 1956-1979 0.358" in capsys.readouterr().out


PHYSICS = EXAMPLES / "physics"


@pytest.fixture(scope="module")
def physics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the folder with the points drawn."""
    folder = tmp_path_factory.mktemp("examples") / "physics"
    shutil.copytree(PHYSICS, folder, ignore=shutil.ignore_patterns("*.csv", "*.npz"))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        runpy.run_path(str(folder / "draw_points.py"), run_name="__main__")
    return folder


@pytest.mark.parametrize("name", [path.stem for path in sorted(PHYSICS.glob("*.yaml"))])
def test_laws_of_physics_are_learnt(name: str, physics: Path) -> None:
    example = physics / f"{name}.yaml"
    learns(example, load_data(read(example)), rows=3, rate=1e-6)


@pytest.fixture(scope="module")
def solutions() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(PHYSICS / "solutions.py")))


def slope(f: Callable[..., Any], at: tuple[Any, ...], number: int, order: int) -> Any:
    """A derivative by one of the numbers, by differences of fourth order."""
    h = 2e-3
    steps = {1: (1 / 12, -2 / 3, 0, 2 / 3, -1 / 12), 2: (-1 / 12, 4 / 3, -5 / 2, 4 / 3, -1 / 12)}[order]
    moved = [f(*(a + k * h * (n == number) for n, a in enumerate(at))) for k in range(-2, 3)]
    return sum(c * v for c, v in zip(steps, moved, strict=True)) / h**order


def test_exact_solutions_obey_their_equations(solutions: SimpleNamespace) -> None:
    x, y = np.random.default_rng(0).uniform(0.1, 0.9, (2, 20))
    s, nu, pi = solutions, 0.01 / np.pi, np.pi
    source = pi**2 * np.sin(pi * x) + 4 * pi**2 * np.sin(4 * pi * x)
    u = s.burgers(x, y)
    residuals = {
        "poisson": slope(s.poisson, (x,), 0, 2) + source,
        "heat": slope(s.heat, (x, y), 1, 1) - 0.1 * slope(s.heat, (x, y), 0, 2),
        "helmholtz": slope(s.helmholtz, (x, y), 0, 2)
        + slope(s.helmholtz, (x, y), 1, 2)
        + 17 * pi**2 * s.helmholtz(x, y),
        "burgers": slope(s.burgers, (x, y), 1, 1)
        + u * slope(s.burgers, (x, y), 0, 1)
        - nu * slope(s.burgers, (x, y), 0, 2),
        "oscillation": slope(s.oscillation, (x,), 0, 2)
        + s.DAMPING * slope(s.oscillation, (x,), 0, 1)
        + s.STIFFNESS * s.oscillation(x),
    }
    assert {name: np.abs(r).max() < 1e-5 for name, r in residuals.items()} == dict.fromkeys(residuals, True)
    assert np.abs(s.burgers(x, 0.0) + np.sin(pi * x)).max() < 1e-12
    assert (s.oscillation(0.0), abs(slope(s.oscillation, (0.0,), 0, 1)) < 1e-9) == (1, True)


def test_forces_are_slopes_of_energies(solutions: SimpleNamespace) -> None:
    r = np.random.default_rng(0).normal(size=(3, 4, 3))
    _, force = solutions.energies_and_forces(r)
    step = 1e-5 * np.eye(12).reshape(12, 1, 4, 3)
    after, before = (np.stack([solutions.energies_and_forces(r + s * d)[0] for d in step]) for s in (1, -1))
    np.testing.assert_allclose(-(after - before).T.reshape(3, 4, 3) / 2e-5, force, 1e-6, 1e-7)
