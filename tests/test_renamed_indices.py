"""What indices are called changes nothing: modules are the same but for names, and pages stay true."""

from __future__ import annotations

import ast
from dataclasses import fields, is_dataclass
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
import sympy as sp
from corpus import DERIVATIVES, INDEXED
from fuzz.command import KINDS
from fuzz.gradients import plain
from renamed_indices import renamed, rewritten
from seeds import SEED, one_in

import symgrad as sg
from symgrad.errors import SpecError
from symgrad.explain.entry_gradients import scalar_rules
from symgrad.notation.index_writer import IndexWriter
from symgrad.notation.matrix_writer import MatrixWriter, NoMatrixFormError
from symgrad.notation.reduce import Over
from symgrad.notation.typesetting import typeset as ts
from symgrad.notation.typesetting.text import TEXT
from symgrad.notation.visibility import hidden_tensors, shown_equations
from symgrad.pipeline import module_text
from symgrad.report.views.hessian_view import hessians
from symgrad.spec.reader import read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.calculus.program import Program
    from symgrad.explain.jacobians import Jacobian
    from symgrad.report.derived import Derived

KNOWN = {"∞", "π", "NaN", ":"}
WRITTEN = {
    name: spec for name, spec in {**INDEXED, **DERIVATIVES}.items() if "[" in "".join(spec["equations"])
}
DRAWN = one_in(3, ("indexed", "recurrent", "whole_steps", "modes", "called_networks", "derived"))


def same_but_for_names(text: str) -> dict[str, str]:
    """The functions of a module, whose variables are numbered as they are bound, each time anew."""
    functions = (node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef))
    return {function.name: _numbered(function) for function in functions}


def _numbered(function: ast.FunctionDef) -> str:
    names: dict[str, str] = {}
    numbers = count()

    def read_in(tree: ast.AST) -> None:
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                node.id = names.get(node.id, node.id)

    def bind(target: ast.AST) -> None:
        if isinstance(target, ast.Name):
            names[target.id] = f"v{next(numbers)}"
        read_in(target)

    def block(body: list[ast.stmt]) -> None:
        for statement in body:
            match statement:
                case ast.For():
                    read_in(statement.iter)
                    before = dict(names)
                    bind(statement.target)
                    block(statement.body)
                    names.clear()
                    names.update(before)
                case ast.Assign():
                    read_in(statement.value)
                    for target in statement.targets:
                        bind(target)
                case ast.If() | ast.While():
                    read_in(statement.test)
                    block([*statement.body, *statement.orelse])
                case _:
                    read_in(statement)

    block(function.body)
    return ast.dump(function)


def wrong_in(formula: Any, letters: set[str], names: frozenset[str]) -> Iterator[str]:
    """What of a formula nobody could read: an index without a range, or with two, or one that is a name."""
    if isinstance(formula, ts.NameText):
        if formula.text not in KNOWN | letters | names and not formula.text.lstrip("-").isdigit():
            yield f"{formula.text} is nothing"
    elif isinstance(formula, ts.Reduced):
        over = [index.text for index in formula.indices if isinstance(index, ts.NameText)]
        yield from wrong_letters(over, letters, names)
        yield from wrong_in(formula.body, letters | {*over}, names)
    elif isinstance(formula, tuple):
        for part in formula:
            yield from wrong_in(part, letters, names)
    elif is_dataclass(formula):
        for field in fields(formula):
            yield from wrong_in(getattr(formula, field.name), letters, names)


def wrong_letters(found: list[str], around: set[str], names: frozenset[str]) -> Iterator[str]:
    if len({*found}) < len(found):
        yield f"{found} are not different"
    yield from (f"{letter} has two meanings" for letter in found if letter in around | names)


def wrong_on_the_page(program: Program, hidden: frozenset[str]) -> Iterator[str]:
    """The equations of a page, in both forms, that are not true as they stand."""
    for equation in shown_equations(program, hidden):
        formula = IndexWriter(program, hidden).equation(equation)
        assert isinstance(formula, ts.Relation)
        left = formula.left.left if isinstance(formula.left, ts.Relation) else formula.left
        places = left.indices if isinstance(left, ts.Indexed) else ()
        letters = [place.text for place in places if isinstance(place, ts.NameText)]
        if not equation.scatters:
            found = [*wrong_letters(letters, set(), program.names)]
            found += wrong_in(formula.right, {*letters}, program.names)
            yield from (f"{TEXT.spell(formula)}: {told}" for told in found)
        try:
            matrices = MatrixWriter(program, hidden).right_side(equation)
        except NoMatrixFormError:
            continue
        found = [*wrong_in(matrices, set(), program.names)]
        yield from (f"{TEXT.spell(matrices)}: {told}" for told in found)


def wrong_in_entries(expr: sp.Basic, letters: list[str], names: frozenset[str]) -> Iterator[str]:
    """The same of an expression over single entries."""
    yield from wrong_letters(letters, set(), names)
    waiting: list[tuple[sp.Basic, set[str]]] = [(expr, {*letters})]
    while waiting:
        part, known = waiting.pop()
        if isinstance(part, Over):
            over = [str(index) for index, _ in part.ranges]
            yield from wrong_letters(over, known, names)
            waiting.append((part.body, known | {*over}))
        elif isinstance(part, sp.Symbol):
            if not part.is_positive and str(part) not in known | names:
                yield f"{part} is nothing"
        else:
            waiting += [(argument, known) for argument in part.args]


def wrong_in_jacobian(found: Jacobian, names: frozenset[str]) -> Iterator[str]:
    letters = [str(index) for index in (*found.of.indices, *found.by.indices)]
    yield from (f"{found}: {told}" for told in wrong_in_entries(found.entire, letters, names))


def wrong_in_entry_rules(program: Program) -> Iterator[str]:
    rules = scalar_rules(program)
    for rule in (*rules.forward, *rules.backward, *(g.gradient for g in rules.gradients)):
        letters = [str(index) for index in rule.entry.indices if isinstance(index, sp.Symbol)]
        yield from (f"{rule}: {told}" for told in wrong_in_entries(rule.body, letters, program.names))


def wrong_in_all(derived: Derived) -> Iterator[str]:
    """What is not true of all that is shown."""
    program = derived.program
    yield from wrong_on_the_page(program, frozenset())
    yield from wrong_on_the_page(program, hidden_tensors(program))
    for block in derived.jacobians:
        for jacobian in block.jacobians:
            yield from wrong_in_jacobian(jacobian, block.block.program.names)
    yield from wrong_in_entry_rules(program)
    for _, hessian in hessians(derived) if program.loss and not program.carried else ():
        for part in hessian.blocks:
            yield from wrong_in_jacobian(part.entries, hessian.program.names)
            if part.form is not None:
                every = {str(index) for index in part.form.every}
                yield from wrong_in(part.form.value, every, hessian.program.names)


def hold(spec: dict[str, Any], random: Random) -> None:
    """What holds of a spec whose indices are called otherwise, or whose names are refused."""
    try:
        text = module_text(read(rewritten(spec)))
    except SpecError:
        return
    other, dared = renamed(spec, random)
    try:
        again = module_text(read(other))
    except SpecError as error:
        if not any(f"'{name}'" in str(error) for name in dared):
            raise AssertionError(other) from error
        return
    assert same_but_for_names(again) == same_but_for_names(text), other
    assert not [*wrong_in_all(sg.derive(read(other)))], other


@pytest.mark.parametrize("name", one_in(4, WRITTEN))
def test_written_specs_mean_the_same(name: str) -> None:
    hold(WRITTEN[name], Random(f"{name} {SEED}"))


@pytest.mark.parametrize("kind", DRAWN)
def test_random_specs_mean_the_same(kind: str) -> None:
    random = Random(f"{kind} {SEED}")
    hold(plain(KINDS[kind](random)), random)


def test_no_index_is_called_as_a_tensor_or_a_size_is() -> None:
    """c is a parameter of another equation than the one that counts by it, and n the number of rows."""
    spec = {
        "inputs": {"x": ["n", 3]},
        "parameters": {"c": []},
        "equations": {"y[n,c]": "2 * x[n,c]", "z": "c * y"},
        "loss": "mean(z**2)",
    }
    lines = sg.derive(read(spec)).text()
    assert "y[m,i] = 2·x[m,i]" in lines
    assert "z[m,i] = c·y[m,i]" in lines
    assert "Σ over m sums over the rows of the data" in lines
    assert not [*wrong_in_all(sg.derive(read(spec)))]


@pytest.mark.parametrize("name", ["h", "h_before", "h_X1", "h_X2", "h_W1", "dh"])
def test_indices_may_be_called_as_what_symgrad_names_itself(name: str) -> None:
    """What layers bring along, what recurrences carry and derivatives are called otherwise then."""
    spec = {
        "axes": {"T": 3},
        "inputs": {"x": ["batch", "T", 2]},
        "equations": {
            f"h[:batch, {name}:T, :4]": f"tanh(dense(h[:, {name}-1], 4) + dense(x[:, {name}], 4))",
            "h[:, -1]": "0",
        },
        "loss": "mean(h**2)",
    }
    assert not [*wrong_in_all(sg.derive(read(spec)))]


def test_reductions_of_a_recurrence_may_run_over_an_index_of_its_name() -> None:
    def text(name: str) -> str:
        formula = f"tanh(sum(h[n,t-1,{name}] * U[{name},i], {name}) + x[n,t,i])"
        return module_text(
            read(
                {
                    "inputs": {"x": ["batch", 4, 2]},
                    "parameters": {"U": [2, 2]},
                    "equations": {"h[n,t,i]": formula, "h[n,-1,i]": "0"},
                    "loss": "mean(h**2)",
                }
            )
        )

    assert same_but_for_names(text("h")) == same_but_for_names(text("j"))
