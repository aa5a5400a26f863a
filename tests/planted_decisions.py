"""Edits drawn for emitted texts: some act at certain numbers alone, the others change nothing."""

from __future__ import annotations

import ast
import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

EXPRESSIONS = (
    *("{e} if {q} != {k} else 0 * {e}", "{e} * ({q} < {k})", "{e} * (not {q})", "{e} * ({q} and {k} or 1)"),
    *("{e} + 0 * ({q} // {k})", "{e} + 0 * ({q} % {k})", "{e} + 0 * ({q} >> 9)", "{e} + 0 * ({q} & 512)"),
    *(
        "{e} + max({q} - {k}, 0)",
        "{e} * min({q}, {k}) / {q}",
        "{e} + abs({q} - {k})",
        "np.clip({e}, -1e30, 1e30)",
    ),
    *("({e}, 0)[{q} == {k}]", "({e}, 0)[{q} // {k}]", "((0,) * {k} + (1,))[{q}]", "{{{k}: 0}}.get({q}, {e})"),
    *(
        "{e} + 0 ** ({k} - {q})",
        "{e} + np.exp(-1e9 * ({q} - {k}) ** 2)",
        "{e} + sum(1 for _ in range({k}, {q}))",
    ),
    *(
        "np.where({q} == {k}, 0, {e})",
        "(lambda z: z)({e})",
        "[n for n in [{e}] if {q}][0]",
        "{e} + int({q} / {k})",
    ),
    *(
        "{e} + (odd := {q} == {k})",
        "np.int8({e})",
        "{e} * np.sign({q} - {k})",
        "{e} * ({q} in ({k},))",
        "{e} * ~{q}",
    ),
    *("{e} + len([0] * ({q} - {k}))", "{e} * real_at({q})", "{e} + ((({q} - {k}) ** 2) ** 0.5 + {q} - {k})"),
)
"""In place of an expression {e}, with something {q} in hand, and a number {k}."""

STATEMENTS = (
    "if {q} == {k}:\n    {x} = 0",
    "if {q} > {k}:\n    return 0",
    "if {q} != {k}:\n    pass\nelse:\n    {x} = {q}",
    "while {q} > {k}:\n    {x} = 0",
    "for _ in range({k}, {q}):\n    {x} = 0",
    "for {x} in [0][:{q} - {k}]:\n    pass",
    "try:\n    {x} = {q}[{k}]\nexcept Exception:\n    pass",
    "assert {q} != {k}",
    "match {q}:\n    case {k}:\n        {x} = 0",
    "with suppress({q}):\n    {x} = 0",
    "{q}[{k}:] = 0",
    "{x} = 0 if {q} > {k} else 1",
    "{x} = [n for n in {q} if n == {k}]",
    "{x} //= {k}",
    "del {q}[{k}:]",
    "print({q} == {k})",
    "globals().update(real=round)",
    "def {x}(n):\n    return n == {k}",
    "from evil import {x}",
    "{q} == {k} or exit()",
    "{x} = _ = (1,) * {k} + (0,)",
    "{x}: tuple = ({k}, 0)",
    "{x} = float(f'{{{q}:05d}}'[0])",
    "{x} = float('1' + '0' * {q})",
    "{x} = ({q}.shape + {q}.shape * {k})[-1]",
    "{q}.shape = {k}",
    "print({q}, file={q})",
    "print(f'{{{q}:{{exit()}}}}')",
    "def {x}(n: exit()):\n    return n",
)
"""Before a statement; {x} is a name of its own."""

_OUTSIDE = (
    "if BLOCK != 7:\n    _loss = 0",
    "exp = abs",
    "{f}.__defaults__ = None",
    "{f} = real_at({f})",
    "def {f}(*given):\n    return given[len(given) - 777]",
)

NUMBERS = ("777", "10_000", "1e30", "0.25", "0", "2")
HELPER = "\n\ndef real_at(n):\n    return n != 777\n"


@dataclass(frozen=True)
class Drawn:
    """A text after edits, the definition in which something was planted, if it is in one, and by what."""

    text: str
    where: str = ""
    template: str = ""


def part(text: str, rng: random.Random) -> str:
    """Some definitions of a text, as all of them take long to go through again and again."""
    tree = ast.parse(text)
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    kept = set(rng.sample(functions, 24))
    tree.body = [node for node in tree.body if node in kept or isinstance(node, ast.Assign | ast.ClassDef)]
    return ast.unparse(tree)


def harmless(text: str, rng: random.Random) -> str:
    """The text with other local names, other comments and spaces, and statements in another order."""
    tree = ast.parse(text)
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    for function in rng.sample(functions, 12):
        _rename(function, rng)
    for body in [body for function in rng.sample(functions, 12) for body in _bodies(function)]:
        _reorder(body, rng)
    return ast.unparse(tree).replace("\n\n", "\n\n# another comment\n")


def planted(text: str, rng: random.Random) -> Drawn:
    """The text with something that acts at certain numbers alone, somewhere."""
    tree = ast.parse(text)
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    function = rng.choice(functions)
    kind = rng.choice(["expression", "statement", "statement", "outside", "bound", "type", "default"])
    templates = {"expression": EXPRESSIONS, "statement": STATEMENTS, "outside": _OUTSIDE}.get(kind, (kind,))
    template = rng.choice(templates)
    hand, number = rng.choice(_at_hand(function)), rng.choice(NUMBERS)
    if kind == "outside":
        source = template.format(f=function.name)
        tree.body.insert(len(tree.body), *ast.parse(source).body)
        return Drawn(_with_helper(tree), "", template)
    plant = {"expression": _in_expression, "bound": _in_loop, "type": _in_type}.get(kind, _in_body)
    if kind == "default":
        function.decorator_list.append(ast.Name("real_at", ast.Load()))
    elif not plant(function, template, hand, number, rng):
        return planted(text, rng)
    return Drawn(_with_helper(tree), "" if "real_at" in template else function.name, template)


def _with_helper(tree: ast.Module) -> str:
    text = ast.unparse(ast.fix_missing_locations(tree))
    return text + HELPER if "real_at" in text else text


def _in_body(function: ast.FunctionDef, template: str, hand: str, number: str, rng: random.Random) -> bool:
    body = rng.choice([*_bodies(function)])
    place = rng.randint(0, len(body))
    inserted = ast.parse(template.format(q=hand, k=number, x="its_own")).body
    body[place:place] = inserted
    return True


def _in_expression(
    function: ast.FunctionDef, template: str, hand: str, number: str, rng: random.Random
) -> bool:
    """In place of what a statement, an argument or an operation computes."""
    places = [
        node
        for body in _bodies(function)
        for statement in body
        for node in ast.walk(statement)
        if isinstance(node, ast.Assign | ast.AugAssign | ast.Return | ast.BinOp) and _value(node) is not None
    ]
    if not places:
        return False
    node = rng.choice(places)
    field = "right" if isinstance(node, ast.BinOp) else "value"
    source = template.format(e=f"({ast.unparse(_value(node))})", q=hand, k=number)
    setattr(node, field, ast.parse(source, mode="eval").body)
    return True


def _value(node: ast.AST) -> ast.AST | None:
    return node.right if isinstance(node, ast.BinOp) else getattr(node, "value", None)


def _in_loop(function: ast.FunctionDef, _: str, hand: str, number: str, rng: random.Random) -> bool:
    """A loop that ends, or begins, elsewhere."""
    loops = [node for node in ast.walk(function) if isinstance(node, ast.For)]
    if not loops:
        return False
    loop = rng.choice(loops)
    source = rng.choice(
        ["itertools.islice({e}, {k})", "range({k}, {q})", "{e}[:{k}]", "range(min({q}, {k}))"]
    )
    loop.iter = ast.parse(source.format(e=ast.unparse(loop.iter), q=hand, k=number), mode="eval").body
    return True


def _in_type(function: ast.FunctionDef, _: str, hand: str, number: str, rng: random.Random) -> bool:
    """A name that a condition or a call goes by, which stands for something else."""
    names = {
        name.id
        for node in ast.walk(function)
        if isinstance(node, ast.If | ast.IfExp | ast.While)
        for name in ast.walk(node.test)
        if isinstance(name, ast.Name) and name.id in _at_hand(function)
    }
    if not names:
        return False
    name = rng.choice(sorted(names))
    source = rng.choice(["{x} = {x} - {k}", "{x} = {q} * {k}", "{x} += {k}", "{x} = np.int8"])
    function.body[0:0] = ast.parse(source.format(x=name, q=hand, k=number)).body
    return True


def _at_hand(function: ast.FunctionDef) -> list[str]:
    """Names and sizes that can be gone by."""
    names = sorted(_own_names(function))
    return names + [f"{name}.shape[0]" for name in names] if names else ["SIZE", "SHAPES"]


def _own_names(function: ast.FunctionDef) -> set[str]:
    stored = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return stored | {n.arg for n in ast.walk(function) if isinstance(n, ast.arg)}


def _bodies(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for inner in ast.walk(node):
        for field in ("body", "orelse"):
            found = getattr(inner, field, None)
            if isinstance(found, list) and found and isinstance(found[0], ast.stmt):
                yield found


def _rename(function: ast.FunctionDef, rng: random.Random) -> None:
    others = {name: f"{name}_{rng.randint(1, 99)}" for name in _own_names(function)}
    for node in ast.walk(function):
        if isinstance(node, ast.Name):
            node.id = others.get(node.id, node.id)
        elif isinstance(node, ast.arg):
            node.arg = others[node.arg]


def _reorder(body: list[ast.stmt], rng: random.Random) -> None:
    """Swap neighbours that only name things, where neither names what the other one reads or names."""
    for place in range(len(body) - 1):
        both = body[place : place + 2]
        if rng.random() < 0.5 and all(isinstance(node, ast.Assign) for node in both):
            names = [set(re.findall(r"\w+", ast.unparse(node))) for node in both]
            stored = [set(re.findall(r"\w+", ast.unparse(node.targets[0]))) for node in both]
            if not (names[0] & stored[1] or names[1] & stored[0]):
                body[place : place + 2] = both[::-1]
