"""The text of a spec with every draw and every choice written out: its stream, and what a mode chooses."""

from __future__ import annotations

import ast
import copy
from collections import Counter
from typing import TYPE_CHECKING, Any

from fuzz.layers import LAYERS
from fuzz.oracle import tree_of
from fuzz.recurrent import STARTED
from symgrad.spec.library.formulas.noise import DRAWS, NOISES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Spec = dict[str, Any]
DRAWN, CHOICE = "uniform", "training"


class Draws(ast.NodeTransformer):
    """Numbers the draws of formulas in the order in which they stand, an argument before its function.

    What draws or chooses by its formula is replaced by that. What is given to a layer is drawn before all
    else of its formula.
    """

    def __init__(self, functions: Mapping[str, str]) -> None:
        texts = {entry.text: str(entry.formula) for entry in (*DRAWS, *NOISES)} | dict(functions)
        self.functions = {key.partition("(")[0]: (key, formula) for key, formula in texts.items()}
        self.count = 0
        self.firsts: dict[tuple[int, int], int] = {}
        self.seen: Counter[int] = Counter()

    def written(self, formula: str) -> ast.expr:
        """The formula with its draws numbered."""
        self.seen = Counter()
        return self._numbered(formula)

    def _numbered(self, formula: str) -> ast.expr:
        tree = copy.deepcopy(tree_of(formula))
        for call in _calls_of_layers(tree):
            call.args = [self.visit(a) for a in call.args]
        found: ast.expr = self.visit(tree)
        return found

    def visit_Call(self, call: ast.Call) -> ast.expr:
        self.generic_visit(call)
        told = {str(k.arg): k.value for k in call.keywords if k.arg in ("mark", "place")}
        if "mark" in told:
            call.keywords = [k for k in call.keywords if k.arg not in told]
            return self._marked(call, ast.literal_eval(told["mark"]), told["place"])
        name = getattr(call.func, "id", "")
        if name == DRAWN and not any(k.arg == "stream" for k in call.keywords):
            call.keywords.append(ast.keyword("stream", ast.Constant(self.count)))
            self.count += 1
        if name in self.functions and self._is_chance(name):
            signature, formula = self.functions[name]
            return _Given(_arguments(signature, call)).visit(self._numbered(formula))  # type: ignore[no-any-return]  # of any node
        return call

    def _marked(self, call: ast.Call, mark: int, place: ast.expr) -> ast.expr:
        """A draw that stands in several texts, often in each: the streams of the first, at a given place."""
        times = self.seen[mark] if mark >= 0 else 0
        self.seen[mark] += 1
        count, self.count = self.count, self.firsts.setdefault((mark, times), self.count)
        found: ast.expr = self.visit(call)
        self.count = max(count, self.count)
        for node in ast.walk(found):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == DRAWN:
                node.keywords.append(ast.keyword("place", place))
        return found

    def _is_chance(self, name: str) -> bool:
        names = {n.id for n in ast.walk(tree_of(self.functions[name][1])) if isinstance(n, ast.Name)}
        return bool(names & {DRAWN, CHOICE}) or any(self._is_chance(n) for n in names & self.functions.keys())


class _Given(ast.NodeTransformer):
    """Arguments as what they are given."""

    def __init__(self, given: Mapping[str, ast.expr]) -> None:
        self.given = given

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return copy.deepcopy(self.given.get(node.id, node))


class _Chosen(ast.NodeTransformer):
    """One of the two formulas of every choice; without a place, that of training where it draws."""

    def __init__(self, place: int | None) -> None:
        self.place = place

    def visit_Call(self, call: ast.Call) -> ast.expr:
        if _is_start(call):
            start: ast.expr = self.visit(call.args[0])
            return start
        if getattr(call.func, "id", "") != CHOICE:
            self.generic_visit(call)
            return call
        place = int(not _draws(call.args[0])) if self.place is None else self.place
        chosen: ast.expr = self.visit(call.args[place])
        return chosen


def _is_start(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") == STARTED


def _draws(formula: ast.AST) -> bool:
    if isinstance(formula, ast.Name):
        return formula.id == DRAWN
    return not _is_start(formula) and any(map(_draws, ast.iter_child_nodes(formula)))


def _arguments(signature: str, call: ast.Call) -> dict[str, ast.expr]:
    declared = tree_of(signature)
    assert isinstance(declared, ast.Call)
    names = [
        *(a.id for a in declared.args if isinstance(a, ast.Name)),
        *(str(k.arg) for k in declared.keywords),
    ]
    defaults = {str(k.arg): k.value for k in declared.keywords}
    by_name = {str(k.arg): k.value for k in call.keywords}
    return {**defaults, **dict(zip(names, call.args, strict=False)), **by_name}


def _calls_of_layers(tree: ast.expr) -> Iterator[ast.Call]:
    """Those inside of others first."""
    for child in ast.iter_child_nodes(tree):
        yield from _calls_of_layers(child)  # type: ignore[arg-type]  # of any node
    if isinstance(tree, ast.Call) and getattr(tree.func, "id", "") in LAYERS:
        yield tree


def written_out(spec: Spec) -> tuple[Spec, Spec, Spec]:
    """The spec as training has it, as inference has it, and as inference has it but for what draws.

    Next values of states are equations `next_m` of training.

    What a recurrence is for each of its steps stands under `written`, and under `marked` what it is for all.
    """
    draws = Draws(spec.get("functions", {}))
    equations, starts = spec.get("marked", (spec["equations"].values(), ()))
    trees = [draws.written(formula.replace("§", "")) for formula in equations]
    nexts = {f"next_{name}": draws.written(about["next"]) for name, about in spec.get("state", {}).items()}
    for formula in starts:
        draws.written(formula.replace("§", ""))
    loss = draws.written(str(spec["loss"]))
    named = dict(zip(spec["equations"], trees, strict=False))
    if "written" in spec:
        named = {key: draws.written(formula.replace("§", "")) for key, formula in spec["written"].items()}
    plain = {key: value for key, value in spec.items() if key != "state"}

    def in_mode(place: int | None) -> Spec:
        def text(tree: ast.expr) -> str:
            return ast.unparse(_Chosen(place).visit(copy.deepcopy(tree)))

        found = {**named, **nexts} if place == 0 else named
        return {**plain, "equations": {key: text(t) for key, t in found.items()}, "loss": text(loss)}

    return in_mode(0), in_mode(1), in_mode(None)
