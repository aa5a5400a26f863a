"""Kernels remembered on equal memory: they leave what they would leave; nothing unlike is taken for equal."""

import ast

import numpy as np
import pytest

from symgrad.verifier.identity.elements import MODULUS, PRIMES, Element, element
from symgrad.verifier.identity.memory.bounded_memory import BoundsError, Kind, laid_over
from symgrad.verifier.identity.memory.remembered import remembered
from symgrad.verifier.identity.memory.workspace import workspace
from symgrad.verifier.identity.module_text import kernels_of, seen_in

KIND = Kind(element, taken=lambda number: number)
SIZE = 12


def memory(numbers):
    found = np.empty(len(numbers), dtype=object)
    found[:] = numbers
    return workspace(found, KIND, "work")


def add(a, b, factor):
    """b ← factor·b + a, number by number."""
    for place in range(a.size):
        b[place] = factor * b[place] + a[place]


def fill(a, number):
    a[:] = number


def counted(kernel):
    calls = []

    def apply(*arguments):
        calls.append(arguments)
        return kernel(*arguments)

    return remembered(apply), calls


def filled(first=7):
    work = memory([Element(k) for k in range(SIZE)])
    for start in (0, 3):
        part = work.part(start, (3,))
        for place in range(3):
            part[place] = Element(first + start + place)
    return work


def test_it_runs_once_and_leaves_the_same():
    kernel, calls = counted(add)
    one, two = filled(), filled()
    for work in (one, two):
        kernel(work.part(0, (3,)), work.part(3, (3,)), 2)
    assert len(calls) == 1
    assert one.content() == two.content() != filled().content()


LIKE = Element((7 + MODULUS // PRIMES[-1]) % MODULUS)
"""7 in all fields but the lowest."""


def changed_lower_field(work):
    work.part(0, (3,))[0] = LIKE
    return (work.part(0, (3,)), work.part(3, (3,)), 2)


def other_memory(work):
    return (work.part(0, (3,)), filled().part(3, (3,)), 2)


def same_array_twice(work):
    return (work.part(0, (3,)), work.part(0, (3,)), 2)


def other_factor(work):
    return (work.part(0, (3,)), work.part(3, (3,)), 3)


@pytest.mark.parametrize("call", [changed_lower_field, other_memory, same_array_twice, other_factor])
def test_what_is_unlike_runs_again(call):
    kernel, calls = counted(add)
    work = filled()
    kernel(work.part(0, (3,)), work.part(3, (3,)), 2)
    assert Element(7) == LIKE
    kernel(*call(filled()))
    assert len(calls) == 2


def test_what_another_array_wrote_is_still_told():
    kernel, _ = counted(add)
    work = filled()
    kernel(work.part(0, (3,)), work.part(3, (3,)), 2)
    again = filled()
    again.part(0, (6,))[1] = Element(8)
    assert again.numbers[1].residue == filled().numbers[1].residue
    with pytest.raises(BoundsError, match="another array has been since"):
        kernel(again.part(0, (3,)), again.part(3, (3,)), 2)


@pytest.mark.parametrize("seed", range(20))
def test_random_calls_leave_what_they_leave_without_memory(seed):
    rng = np.random.default_rng(seed)
    known = {kernel: remembered(kernel) for kernel in (add, fill)}
    for more in (0, 0, 5, 0):  # a workspace of another size has the same arrays at its beginning
        plain, quick = (memory([Element(k) for k in range(SIZE + more)]) for _ in range(2))
        given = [laid_over(np.array([1, 2, 3], dtype=object), KIND, "given") for _ in range(2)]
        script = np.random.default_rng(seed)  # the same calls each time, with a rare difference
        for _ in range(30):
            start, other, factor = (int(script.integers(0, n)) for n in (4, 4, 2))
            factor += int(rng.integers(0, 20) == 0)
            of_given = bool(script.integers(0, 2))
            for work, own, use in ((plain, given[0], False), (quick, given[1], True)):
                a = own if of_given else work.part(3 * start, (3,))
                b = work.part(3 * other, (3,))
                (known[fill] if use else fill)(b if of_given else a, Element(start))
                (known[fill] if use else fill)(b, Element(factor))
                (known[add] if use else add)(a, b, factor)
            assert [n.residue for n in plain.numbers] == [n.residue for n in quick.numbers]
            assert plain.owners == quick.owners


KERNELS = """
COUNT = 3

def exp(x):
    return x

def pure(a, batch):
    for n in range(batch):
        a[n] = exp(a[n])

def of_a_fact(a):
    a[0] = COUNT

def counting(a):
    global calls
    calls += 1

def with_memory(a, seen=[]):
    seen.append(a)

def driver(a, batch):
    pure(a, batch)
"""


def test_only_what_depends_on_its_arguments_alone_is_remembered():
    used = {node: seen_in(node) for node in ast.parse(KERNELS).body}
    assert kernels_of(used, {"COUNT": 3}) == {"exp", "pure"}
