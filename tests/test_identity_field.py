"""The numbers that identity is tried on: a tower of finite fields, and what holds in it as in the reals."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from random import Random

import numpy as np
import pytest

from symgrad.pipeline import module_text
from symgrad.spec.expand import expand
from symgrad.spec.language.builtins import SCALAR_FUNCTIONS, STEPWISE_FUNCTIONS
from symgrad.spec.reader import read
from symgrad.verifier.identity.check import identity_of
from symgrad.verifier.identity.elements import (
    MODULUS,
    PRIMES,
    UNDEFINED,
    Element,
    UnsuitableError,
    element,
    power,
    root,
)
from symgrad.verifier.identity.exact_constants import Constant, constant_of
from symgrad.verifier.identity.field import Functions, field, matmul, random_elements, sign
from symgrad.verifier.identity.residue_products import pays_off, product_of_residues
from symgrad.verifier.interpretation.arithmetic import FIFTY_DIGITS

DRAWS = 20


@pytest.fixture
def functions():
    return Functions(seed=3)


@pytest.fixture
def numbers():
    return random_elements(np.random.default_rng(5), (DRAWS,)).tolist()


def test_the_tower_is_one():
    for above, below in itertools.pairwise(PRIMES):
        assert (above - 1) % below == 0
        assert pow(3, (above - 1) // below, above) != 1
    assert all(p % 8 == 7 and pow(3, p - 1, p) == 1 for p in PRIMES)


def test_elements_are_a_field(numbers):
    for a, b, c in zip(numbers, numbers[1:], numbers[2:], strict=False):
        assert a * (b + c) == a * b + a * c
        assert (a / b) * b == a
        assert a - b == -(b - a)
        assert a**3 / a**-2 == a**5
        assert a * Fraction(3, 4) + 0.25 * a == a


def test_what_is_divided_by_0_stays_undefined(functions, numbers):
    a, zero = numbers[0], Element(0)
    for undefined in (a / zero, zero / 0, 1 / zero, zero**-2):
        assert undefined is UNDEFINED
        assert all(x is UNDEFINED for x in (undefined * zero, 0 * undefined, a - undefined, -undefined / a))
        assert not undefined < a
        assert not a < undefined
        assert undefined != a
        assert field(0).functions["exp"](np.array(undefined, dtype=object)) is not None


def test_exp_is_a_homomorphism_and_log_its_inverse(functions, numbers):
    for a, b in itertools.pairwise(numbers):
        exp, log = functions.exp, functions.log
        assert exp(a + b) == exp(a) * exp(b)
        assert exp(-a) * exp(a) == 1
        assert log(exp(a)) == a
        assert log(b * exp(a)) == log(b) + a
        assert log(1 / b) == -log(b)
        assert exp(-2 * log(b)) * b**2 == 1


def test_exp_of_exp_is_a_homomorphism_too(functions, numbers):
    for a, b in itertools.pairwise(numbers):
        inner = functions.exp(a), functions.exp(b)
        assert functions.exp(inner[0] - inner[1]) == functions.exp(inner[0]) / functions.exp(inner[1])


def test_logarithms_of_sums_survive_a_shift(functions, numbers):
    exp, log = functions.exp, functions.log
    total = sum((exp(z) for z in numbers), Element(0))
    shares = [log(exp(z) / total) for z in numbers]
    top = numbers[7]
    shifted = log(sum((exp(z - top) for z in numbers), Element(0)))
    assert shares == [z - top - shifted for z in numbers]


def test_both_forms_of_the_same_function(functions, numbers):
    table = functions.table()
    for x in numbers:
        e = functions.exp(x)
        assert 1 / (1 + 1 / e) == e / (1 + e)
        assert functions.log(1 + e) == x + functions.log(1 + 1 / e)
        assert table["tanh"](x) == 2 / (1 + functions.exp(-2 * x)) - 1
        assert table["cosh"](x) ** 2 - table["sinh"](x) ** 2 == 1
        assert table["sin"](x) ** 2 + table["cos"](x) ** 2 == 1
        assert table["asin"](x) + table["acos"](x) == table["acos"](Element(0))
        assert table["erf"](-x) == -table["erf"](x)


def test_roots_and_order(functions, numbers):
    for a, b in itertools.pairwise(numbers):
        assert root(a * a) == abs(a)
        assert root(a) * root(b) == root(a * b)
        assert root(a) ** 2 in (a, -a)
        assert sign(a * b) == sign(a) * sign(b)
        assert (1 - a * b > 0) == (a * b < 1)
        assert (a > b) == (b < a) == (not a <= b)
        assert functions.exp(a) > 0
        assert power(a * a, Fraction(3, 2)) == abs(a) ** 3
    assert all(element(n) > 0 > element(-n) for n in range(1, 37))


def test_every_function_of_the_language_is_there():
    assert field(0).functions.keys() == SCALAR_FUNCTIONS | STEPWISE_FUNCTIONS


def test_the_same_argument_has_the_same_value_in_one_trial_alone(numbers):
    one, again, other = (Functions(seed).log(numbers[0]) for seed in (1, 1, 2))
    assert one == again != other


@pytest.mark.parametrize(
    ("number", "constant"),
    [
        (0.1, Constant(Fraction(1, 10))),
        (0.134145, Constant(Fraction(134145, 10**6))),
        (1 / 3, Constant(Fraction(1, 3))),
        (0.5773502691896257, Constant(Fraction(1, 3), 3)),
        (1.5957691216057308, Constant(Fraction(2), 2, -1)),
        (3.141592653589793, Constant(Fraction(1), 1, 2)),
        (0.6180339887498949, None),
        (0.5773502691896258 + 1e-14, None),
    ],
)
def test_digits_tell_a_constant(number, constant):
    assert constant_of(number) == constant


def test_a_constant_has_its_value():
    value = Constant(Fraction(2), 2, -1).value(FIFTY_DIGITS)
    assert float(value) == 1.5957691216057308
    shifted = Constant(Fraction(2), 2, -1).value(field(0)) / Constant(Fraction(1), 2).value(field(0))
    assert shifted * Constant(Fraction(1), 1, 1).value(field(0)) == 2


def residues(rng, shape):
    """Of every size: the least and the greatest among them."""
    numbers = [rng.choice([0, 1, MODULUS - 1, rng.randrange(MODULUS)]) for _ in range(math.prod(shape))]
    found = np.empty(len(numbers), dtype=object)
    found[:] = numbers
    return found.reshape(shape)


SHAPES = [
    ((1, 1), (1, 1)),
    ((3, 4), (4, 5)),
    ((2, 3, 4), (4, 5)),
    ((3, 4), (2, 4, 5)),
    ((2, 1, 3, 4), (5, 4, 2)),
    ((2, 1024), (1024, 2)),
    ((3, 2500), (2500, 2)),
]


@pytest.mark.parametrize(("left", "right"), SHAPES)
def test_products_by_small_primes_are_those_of_whole_numbers(left, right):
    rng = Random(str((left, right)))
    a, b = residues(rng, left), residues(rng, right)
    assert np.array_equal(product_of_residues(a, b), np.matmul(a, b) % MODULUS)


@pytest.mark.parametrize("length", [1, 1023, 1024, 1025, 3000])
def test_the_largest_sums_of_products_stay_exact(length):
    largest = np.full((2, length), MODULUS - 1, dtype=object)
    assert np.array_equal(product_of_residues(largest, largest.T), np.full((2, 2), length % MODULUS))


@pytest.mark.parametrize("size", [1, 30, 40])
def test_matmul_is_that_of_elements_at_any_size(size):
    a, b = (random_elements(np.random.default_rng(seed), (size, size)) for seed in (1, 2))
    assert pays_off(a, b) == (size > 32)
    for row, column in itertools.product((0, size - 1), repeat=2):
        assert matmul(a, b)[row, column] == sum(a[row] * b[:, column], Element(0))


def test_roots_of_other_orders_keep_the_laws_of_powers() -> None:
    """What a formula rewrites by these laws is the same element; a root that is not unique is refused."""
    for n in (3, 4, 5, 6, 7, 10, 12, 32, 52):
        part = Fraction(1, n)
        for a, b in zip(drawn(3, 5), drawn(3, 6), strict=True):
            x, y = a * a, b * b
            assert power(power(x, part), n) == x
            assert power(x * y, part) == power(x, part) * power(y, part)
            assert power(x, part) * power(x, 1 - part) == x
            assert power(x, -part) == 1 / power(x, part)
            assert power(x, element(part)) == power(x, part)
    assert power(drawn(1, 7)[0], 0) == 1
    with pytest.raises(UnsuitableError, match="a root of order 53"):
        power(drawn(1, 8)[0], Fraction(1, 53))
    with pytest.raises(UnsuitableError, match="no simple fraction"):
        power(drawn(1, 9)[0], drawn(1, 10)[0])


def drawn(count: int, seed: int) -> list[Element]:
    rng = np.random.default_rng(seed)
    return [Element(int.from_bytes(rng.bytes(40)) % MODULUS) for _ in range(count)]


def test_waves_of_places_are_identical() -> None:
    labels = {"axes": ["n", 2], "classes": 3}
    equations = {"E": "embedding(x, 12)", "z": "dense(sinusoidal(E), 3)"}
    spec = {"inputs": {"x": labels}, "targets": {"t": labels}, "equations": equations}
    found = read({**spec, "loss": "softmax_cross_entropy(z, t)"})
    assert identity_of(expand(found), module_text(found)).state == "identical"
