"""The emitted modules' call of BLAS, c ← alpha·a·b + beta·c, against NumPy."""

from __future__ import annotations

import sys
from ctypes import CDLL, CFUNCTYPE, c_void_p, cast
from glob import glob
from itertools import count, product
from typing import TYPE_CHECKING, Any

import llvmlite.binding
import numba
import numpy as np
import pytest
from building import by_rows, interpreted, written
from module_use import LINE

from symgrad.compiler.loading.load import load
from symgrad.runtime.numba.products.masked_products import masked_gemm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

SMALL, MIDDLE, LARGE = (3, 5, 4), (96, 80, 112), (130, 100, 90)
AMD, INTEL = "znver4", "cascadelake"
NUMBERS = count()
FACTORS = ((1.0, 0.0), (-0.5, 1.0), (2.0, 0.75))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with by_rows():
        return written(LINE, tmp_path_factory.mktemp("products"))


def compiled(module: ModuleType) -> Callable[..., None]:
    gemm = module.gemm
    return numba.njit(lambda alpha, a, b, beta, c: gemm(alpha, a, b, beta, c))


@pytest.fixture(scope="module")
def gemm(file: Path) -> Callable[..., None]:
    """What users get: with oneDNN and MKL, where they are installed."""
    module = load(file)
    assert libraries("", llvmlite.binding.get_host_cpu_name()) == module.BLAS
    return compiled(module)


def can_be_loaded(library: str) -> bool:
    for name in glob(f"{sys.prefix}/lib/{library}.*"):
        try:
            return bool(CDLL(name))
        except OSError:
            continue
    return False


def libraries(choice: str, processor: str) -> str:
    """What a module says of its products on a processor, where it may have a library by choice or any."""
    has = {
        name: choice in ("", name) and can_be_loaded(file)
        for name, file in (("onednn", "libdnnl"), ("mkl", "libmkl_rt"))
    }
    is_amd = processor.startswith("znver")
    by_mkl = "MKL for products of a middle size" if is_amd else "MKL for large products"
    uses = (
        (has["onednn"] and (is_amd or not has["mkl"]), "oneDNN for large products in float32"),
        (has["mkl"], by_mkl),
    )
    return ", ".join(["SciPy's", *(use for is_there, use in uses if is_there)])


def with_blas(file: Path, choice: str, processor: str) -> ModuleType:
    """A module that goes by another processor; what it compiles has names of its own.

    By the same name LLVM takes what was compiled before, with what libraries and numbers meant then.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(llvmlite.binding, "get_host_cpu_name", lambda: processor)
        patch.delenv("SYMGRAD_BLAS", raising=False)
        if choice:
            patch.setenv("SYMGRAD_BLAS", choice)
        module = load(file)
    of_module, number = module._of_module, next(NUMBERS)
    module._of_module = lambda builder, name, kinds: of_module(builder, f"{name}_{number}", kinds)
    return module


def check(gemm: Callable[..., None], a: Any, b: Any, alpha: float, beta: float) -> None:
    """The product into a `c` that holds numbers, or NaN where they are to be forgotten."""
    exact = np.dot(a.astype(np.float64), b.astype(np.float64))
    before = np.full(exact.shape, np.nan, a.dtype) if beta == 0 else np.ones(exact.shape, a.dtype)
    expected = alpha * exact + (beta * before if beta else 0)
    found = before.copy()
    gemm(alpha, a, b, beta, found)
    np.testing.assert_allclose(found, expected, rtol=0, atol=20 * np.finfo(a.dtype).eps * np.abs(exact).max())


def matrices(sizes: tuple[int, int, int], dtype: Any, a_order: str, b_order: str) -> tuple[Any, Any]:
    rows, inner, columns = sizes
    rng = np.random.default_rng(rows)
    a, b = rng.normal(size=(rows, inner)), rng.normal(size=(inner, columns))
    # A transposed array is what stands in a module; np.asarray would call a column by both names.
    return tuple(
        np.ascontiguousarray(m.T, dtype).T if order == "F" else np.ascontiguousarray(m, dtype)
        for m, order in ((a, a_order), (b, b_order))
    )


LONG = ((3, 9001, 1), (1, 8192, 2))
"""Sums of many terms, of a matrix with a vector."""
LAYOUTS = [
    *product(["float64"], "CF", "CF"),
    ("float32", "C", "C"),
    ("float32", "F", "C"),
    ("float32", "C", "F"),
]


@pytest.mark.parametrize(("dtype", "a_order", "b_order"), LAYOUTS)
def test_matrices(gemm: Callable[..., None], dtype: str, a_order: str, b_order: str) -> None:
    for sizes, (alpha, beta) in product(
        (SMALL, MIDDLE, LARGE, (33, 1, 2), *(LONG if dtype == "float32" else ())), FACTORS
    ):
        check(gemm, *matrices(sizes, dtype, a_order, b_order), alpha, beta)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_zeros_mask_what_is_no_number(dtype: str) -> None:
    masked = numba.njit(lambda alpha, a, b, beta, c: masked_gemm(alpha, a, b, beta, c))
    a, b = matrices(SMALL, dtype, "F", "C")
    check(masked, a, b, -0.5, 1.0)
    hidden, a[:, 2] = b.copy(), 0
    hidden[2] = np.nan, np.inf, -np.inf, np.nan
    found, expected = np.ones((2, 3, 4), dtype)
    masked(2.0, a, hidden, 0.75, found)
    np.testing.assert_allclose(found, 2 * a @ b + 0.75, rtol=1e-5)
    a[1, 2], expected[1] = 1, hidden[2]  # seen by one row
    masked(2.0, a, hidden, 0.0, found)
    np.testing.assert_allclose(found, np.where(np.arange(3)[:, None] == 1, expected, 2 * a @ b), rtol=1e-5)


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_long_sum_of_equal_numbers_keeps_its_digits(gemm: Callable[..., None], order: str) -> None:
    """Added up in order, a million of them would keep two digits."""
    a, b = (
        np.full(shape, value, np.float32, order) for shape, value in (((2, 10**6), 0.1), ((10**6, 1), 0.3))
    )
    found = np.zeros((2, 1), np.float32)
    gemm(np.float32(1), a, b, np.float32(0), found)
    np.testing.assert_allclose(found, 1e6 * np.float64(a[0, 0]) * np.float64(b[0, 0]), rtol=5e-5)


def section(matrix: np.ndarray, transposed: bool) -> np.ndarray:
    """The same matrix, or its transpose taken back, as a part of an array with gaps full of garbage."""
    held = matrix.T if transposed else matrix
    whole = np.full((held.shape[0], 3, held.shape[1]), np.nan, matrix.dtype)
    whole[:, 1] = held
    return whole[:, 1].T if transposed else whole[:, 1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_matrices_that_are_parts_of_arrays(gemm: Callable[..., None], dtype: str) -> None:
    for sizes in ((3, 5, 4), (1, 5, 4), (3, 1, 4), (3, 5, 1), (1, 1, 1), (130, 100, 90)):
        a, b = matrices(sizes, dtype, "C", "C")
        for forms in product((False, True), repeat=2):
            check(gemm, *(section(m, t) for m, t in zip((a, b), forms, strict=True)), 2.0, 0.0)
        whole = np.full((sizes[0], 3, sizes[2]), 7.0, a.dtype)
        gemm(1.0, section(a, True), b, 0.5, whole[:, 1])
        exact = np.dot(a.astype(np.float64), b.astype(np.float64)) + 3.5
        near = 20 * np.finfo(a.dtype).eps * np.abs(exact).max()
        np.testing.assert_allclose(whole[:, 1], exact, rtol=0, atol=near)
        assert (whole[:, ::2] == 7).all()


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_matrix_with_gaps_everywhere_is_refused(gemm: Callable[..., None], place: int) -> None:
    given = [np.ones((4, 4)), np.ones((4, 4)), np.zeros((4, 4))]
    given[place] = np.ones((8, 8))[::2, ::2]
    with pytest.raises(ValueError, match="gaps in its rows and in its columns"):
        gemm(1.0, *given[:2], 0.0, given[2])


def test_a_target_by_columns_is_refused(gemm: Callable[..., None]) -> None:
    with pytest.raises(ValueError, match="gaps"):
        gemm(1.0, np.ones((4, 4)), np.ones((4, 4)), 0.0, section(np.ones((4, 4)), True))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_matrix_and_a_vector(gemm: Callable[..., None], dtype: str, order: str) -> None:
    for sizes, (alpha, beta) in product((SMALL, MIDDLE, (1100, 1000, 1)), FACTORS):
        matrix, other = matrices(sizes, dtype, order, "C")
        check(gemm, matrix, other[:, 0].copy(), alpha, beta)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("processor", [AMD, INTEL])
@pytest.mark.parametrize("choice", ["scipy", "mkl", "onednn", ""])
def test_libraries_are_chosen_and_fit_the_processor(
    file: Path, dtype: str, choice: str, processor: str
) -> None:
    module = with_blas(file, choice, processor)
    assert libraries(choice, processor) == module.BLAS
    gemm = compiled(module)
    for sizes, (alpha, beta) in product((SMALL, MIDDLE, LARGE, (700, 2, 800)), FACTORS):
        check(gemm, *matrices(sizes, dtype, "F", "C"), alpha, beta)


@pytest.fixture
def chosen(file: Path) -> Iterator[Callable[..., str]]:
    """Which library is called for a product, where there is MKL: told by stand-ins that compute nothing."""
    calls: list[str] = []
    routine = CFUNCTYPE(None, *[c_void_p] * 13)
    stand_ins = {name: routine(lambda *_, name=name: calls.append(name)) for name in ("scipy", "mkl")}

    def library(processor: str, dtype: str, layout: str, sizes: tuple[int, int, int]) -> str:
        module = with_blas(file, "mkl", processor)
        for letter in "sd":
            for name, symbol in (("scipy", f"symgrad_{letter}gemm"), ("mkl", f"symgrad_mkl_{letter}gemm")):
                llvmlite.binding.add_symbol(symbol, cast(stand_ins[name], c_void_p).value)
        llvmlite.binding.add_symbol("symgrad_threads", 1)  # of blocks that several take each is chosen for
        compiled(module)(1.0, *matrices(sizes, dtype, *layout), 0.0, np.zeros(sizes[::2], dtype))
        (called,) = calls
        calls.clear()
        return called

    yield library
    load(file)  # and gives the names back to the libraries


BOUNDS = {
    # on Intel's processors, in these layouts and types: the last that is SciPy's, and the first that is MKL's
    "large": (["CC", "FC", "FF"], ["float32", "float64"], (32, 999, 31), (32, 1000, 32)),
    "rows with rows, long": (["CF"], ["float32", "float64"], (255, 65, 16), (256, 65, 16)),
    "rows with rows, long, by one": (["CF"], ["float32", "float64"], (16, 64, 256), (16, 65, 256)),
    "rows with rows, thin": (["CF"], ["float32", "float64"], (15, 65, 1000), (16, 65, 1000)),
    "rows with rows, narrow below": (["CF"], ["float32"], (64, 1000, 127), (64, 1000, 128)),
    "rows with rows, narrow beside": (["CF"], ["float32"], (64, 1000, 100), (65, 1000, 100)),
    "rows with rows, narrow and thin": (["CF"], ["float32"], (16, 1000, 100), (15, 1000, 100)),
    "rows with rows, large": (["CF"], ["float64"], (32, 999, 31), (32, 1000, 32)),
    "rows a page apart": (["CC", "FC"], ["float64"], (32, 512, 1024), (32, 512, 1023)),
    "few rows a page apart": (["CC", "FC"], ["float64"], (32, 512, 512), (32, 511, 512)),
    "a page apart, for few rows": (["CC", "FC"], ["float64"], (32, 512, 512), (31, 512, 512)),
    "a page apart, for many rows": (["CC", "FC"], ["float64"], (160, 512, 512), (161, 512, 512)),
}


@pytest.mark.parametrize("bound", BOUNDS)
def test_mkl_takes_the_products_that_it_is_faster_with(chosen: Callable[..., str], bound: str) -> None:
    layouts, dtypes, of_scipy, of_mkl = BOUNDS[bound]
    for dtype, layout in product(dtypes, layouts):
        assert chosen(INTEL, dtype, layout, of_scipy) == "scipy"
        assert chosen(INTEL, dtype, layout, of_mkl) == "mkl"


@pytest.mark.parametrize("layout", ["CC", "CF", "FC"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_on_amd_mkl_takes_what_is_of_a_middle_size(
    chosen: Callable[..., str], dtype: str, layout: str
) -> None:
    for sizes in ((32, 512, 32), (64, 128, 64), (32, 512, 512), (256, 256, 256)):
        assert chosen(AMD, dtype, layout, sizes) == "mkl"
    for sizes in ((32, 511, 32), (31, 1000, 64), (1000, 1000, 31), (512, 512, 256)):
        assert chosen(AMD, dtype, layout, sizes) == "scipy"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_are_right_whoever_makes_them(gemm: Callable[..., None], dtype: str) -> None:
    for layouts, _, *bounds in BOUNDS.values():
        for layout, sizes in product(layouts, bounds):
            check(gemm, *matrices(sizes, dtype, *layout), -0.5, 1.0)


def test_by_python_it_is_the_same(file: Path) -> None:
    for sizes, (alpha, beta) in product((SMALL, MIDDLE), FACTORS):
        check(interpreted(file).gemm, *matrices(sizes, "float64", "F", "C"), alpha, beta)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_not_finite_stays_so(gemm: Callable[..., None], dtype: str) -> None:
    for sizes in (SMALL, MIDDLE, LARGE):
        a, b = matrices(sizes, dtype, "C", "C")
        a[1, 2], b[0, 1] = np.nan, np.inf
        found = np.zeros((sizes[0], sizes[2]), dtype)
        gemm(1.0, a, b, 0.0, found)
        assert np.isnan(found[1]).all()
        assert not np.isfinite(found[:, 1]).any()
        assert np.isfinite(np.delete(np.delete(found, 1, 0), 1, 1)).all()
