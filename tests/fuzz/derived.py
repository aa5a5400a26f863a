"""Random specs with `derive:`, and what each of these derivatives is along drawn directions."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fuzz.fixed_points import fixed_points_spec
from fuzz.gradients import GARBAGE, LARGE, NEAR, TRIES, Outcome, drawn_data, module_of, plain
from fuzz.jets import Jet, Jets, jet, slopes, values
from fuzz.meaning import run_steps, scope_at, steps_of
from fuzz.modules import with_garbage
from fuzz.networks import graph_spec
from fuzz.oracle import evaluate
from fuzz.recurrent import recurrent_spec, step_by_step
from fuzz.sequences import sequence_spec
from fuzz.tensor_programs import tensor_spec
from symgrad.errors import SpecError, SymgradWarning

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

Spec = dict[str, Any]
NEARLY = {"float64": 1e-7, "float32": 5e-3}
ASKED = ("hvp", "gauss_newton", "per_sample", "hessian", "jacobian")


def derived_spec(random: Random) -> Spec:
    """A spec of another kind, and one of the derivatives beyond the gradient."""
    draw = random.choice(
        (tensor_spec, tensor_spec, graph_spec, sequence_spec, recurrent_spec, fixed_points_spec)
    )
    while True:
        spec = draw(random)
        made = [key.partition("[")[0] for key in spec.get("equations", ())]
        kind = random.choice(ASKED)
        spec.pop("gradients", None)
        if not made or len(str(plain(spec))) > 900:
            continue
        given = [
            *spec.get("parameters", {}),
            *(n for n in spec["inputs"] if isinstance(spec["inputs"][n], list)),
        ]
        if kind in ("hessian", "jacobian") and not given:
            continue
        of = random.choice(list(spec["parameters"])) if spec.get("parameters") else "h0_W"
        text = {
            "hessian": f"hessian({of})",
            "jacobian": f"jacobian({random.choice(made)}, {random.choice([*given, of])})",
        }
        pieces = {"micro_batch_size": random.randint(1, 2)} if random.random() < 0.4 else {}
        train = {**spec.get("train", {}), **pieces}
        return {**spec, "name": "derived", "derive": [text.get(kind, kind)], "train": train}


@dataclass
class Meaning:
    """A spec at a point, whose parameters may move."""

    spec: Spec
    arrays: Mapping[str, np.ndarray]

    def __post_init__(self) -> None:
        self.jets = Jets()

    def at(self, moved: Mapping[str, list[tuple[int, np.ndarray]]]) -> Any:
        """The tensors as some move along directions."""
        scope = scope_at(self.spec, self.arrays, {}, self.jets)
        for name, along in moved.items():
            for bit, direction in along:
                moving = np.vectorize(lambda v, bit=bit: Jet({bit: float(v)}), otypes=[object])(direction)
                scope.tensors[name] = scope.tensors[name] + moving.reshape(direction.shape)[None]
        run_steps(steps_of(self.spec), scope)
        return scope

    def loss(self, scope: Any) -> np.ndarray:
        return evaluate(str(self.spec["loss"]), replace(scope))

    @property
    def is_sound(self) -> bool:
        return bool(self.jets.clean and self.jets.margin > NEAR["float32"])


def judge_derived(spec: Spec, random: Random, by_rows: bool) -> Outcome:
    """The derivative along random directions at one sound point, in memory full of garbage."""
    rng = np.random.default_rng(random.randrange(2**32))
    module: Any = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SymgradWarning)
        try:
            module = _in_pieces(spec, by_rows)
        except SpecError as error:
            return _refused(spec, by_rows, error)
    for _ in range(TRIES):
        written = step_by_step({k: v for k, v in spec.items() if k != "derive"})
        arrays = drawn_data(written, dict(module.SHAPES), rng, False, written.get("axes"))
        point = Meaning(written, arrays)
        v, w = ({n: rng.normal(size=s) for n, s in module.SHAPES.items()} for _ in range(2))
        ours, exact = _both(spec, module, point, v, w, rng)
        if (
            exact is None
            or not point.is_sound
            or not np.isfinite(exact).all()
            or np.abs(exact).max(initial=0) > LARGE
        ):
            continue
        near = NEARLY[spec.get("dtype", "float32")]
        for found in ours:
            if np.shape(found) != exact.shape:
                return Outcome("wrong shape", f"{np.shape(found)}, not {exact.shape}")
            if not (np.abs(found - exact) <= near * max(1e-2, np.abs(exact).max(initial=0))).all():
                return Outcome(f"wrong {spec['derive'][0].partition('(')[0]}", f"{found} not {exact}")
        return Outcome("right")
    return Outcome("unsound")


def _in_pieces(spec: Spec, by_rows: bool) -> Any:
    """The module, in pieces if the spec asks for that and may."""
    try:
        return module_of(spec, by_rows)
    except SpecError as error:
        if "micro" not in str(error):
            raise
    train = {k: v for k, v in spec["train"].items() if k != "micro_batch_size"}
    return module_of({**spec, "train": train}, by_rows)


def _refused(spec: Spec, by_rows: bool, error: SpecError) -> Outcome:
    """A refusal is right where the spec is refused without it too, or the reason is one that draws have."""
    told = (
        "coupled",
        "of its own",
        "no parameter",
        "there are none",
        "does not depend",
        "single numbers",
        "beside",
        "no place",
        "depends on the target",
        "integer labels",
        "are formed",
        "second derivatives",
        "derivatives of",
        "no rows",
    )
    if any(part in str(error) for part in told):
        return Outcome("unsound")
    try:
        module_of({k: v for k, v in spec.items() if k != "derive"}, by_rows)
    except SpecError:
        return Outcome("unsound")
    return Outcome(f"refused: {error.problem[:60]}", str(error))


def _both(
    spec: Spec, module: Any, point: Meaning, v: Any, w: Any, rng: Any
) -> tuple[list[Any], np.ndarray | None]:
    """What the module says in memory full of this and that, and what is right."""
    kind, _, inside = spec["derive"][0].rstrip(")").partition("(")
    dtype = np.dtype(module.DTYPE)
    arrays = point.arrays
    flat = np.concatenate([np.ravel(arrays[n]) for n in module.SHAPES] or [np.zeros(0)]).astype(dtype)
    data = [arrays[n] for n in (*module.INPUTS, *module.TARGETS)]
    along = np.concatenate([np.ravel(v[n]) for n in module.SHAPES] or [np.zeros(0)]).astype(dtype)
    ours = []
    exact = globals()[f"_{kind}"](point, module, inside, v, w, rng)
    if exact is None:
        return [], None
    right, contract = exact
    for garbage in GARBAGE:
        again = with_garbage(module, garbage)
        params = again.unflatten(flat)
        if kind in ("hvp", "gauss_newton"):
            ours.append(contract(getattr(again, kind)(params, again.unflatten(along), *data)))
        elif kind == "per_sample":
            ours.append(contract(again.per_sample_grad(params, *data)))
        else:
            names = (*module.INPUTS, *module.TARGETS) if kind == "hessian" else module.INPUTS
            ours.append(contract(getattr(again, kind)(params, *[arrays[n] for n in names])))
    return ours, np.asarray(right, float)


def _hvp(point: Meaning, module: Any, _: str, v: Any, w: Any, __: Any) -> Any:
    a, b = point.jets.direction(), point.jets.direction()
    loss = point.loss(point.at({n: [(a, v[n]), (b, w[n])] for n in v}))
    right = jet(loss.ravel()[0]).parts.get(a | b, 0.0)
    return right, lambda found: sum(np.sum(getattr(found, n) * w[n]) for n in module.SHAPES)


def _gauss_newton(point: Meaning, module: Any, _: str, v: Any, w: Any, __: Any) -> Any:
    """wᵀJᵀHJv: the loss moves with what it reads, which moves as its first slopes say."""
    a, b = point.jets.direction(), point.jets.direction()
    scope = point.at({n: [(a, v[n]), (b, w[n])] for n in v})
    names = set(re.findall(r"[A-Za-z_]\w*", str(point.spec["loss"])))
    for n, t in scope.tensors.items():
        if isinstance(t, np.ndarray) and n in names:
            straight = np.vectorize(
                lambda z: Jet({m: c for m, c in jet(z).parts.items() if m != a | b}), otypes=[object]
            )
            scope.tensors[n] = straight(t)
    right = jet(point.loss(scope).ravel()[0]).parts.get(a | b, 0.0)
    return right, lambda found: sum(np.sum(getattr(found, n) * w[n]) for n in module.SHAPES)


def _hessian(point: Meaning, module: Any, name: str, v: Any, w: Any, __: Any) -> Any:
    if name not in module.SHAPES:
        return None
    a, b = point.jets.direction(), point.jets.direction()
    loss = point.loss(point.at({name: [(a, v[name]), (b, w[name])]}))
    right = jet(loss.ravel()[0]).parts.get(a | b, 0.0)
    rank = np.ndim(v[name])
    return right, lambda found: np.sum(np.tensordot(np.asarray(found, float), w[name], rank) * v[name])


def _jacobian(point: Meaning, module: Any, inside: str, _: Any, __: Any, rng: Any) -> Any:
    of, by = (n.strip() for n in inside.split(","))
    direction = rng.normal(size=np.shape(point.arrays[by]))
    bit = point.jets.direction()
    right = values(slopes(point.at({by: [(bit, direction)]}).tensors[of], bit)[0])

    def contract(found: Any) -> np.ndarray:
        array = np.asarray(found, float)
        if array.ndim == right.ndim + direction.ndim:
            return np.tensordot(array, direction, direction.ndim)
        return np.stack([np.tensordot(row, d, d.ndim) for row, d in zip(array, direction, strict=True)])

    return right, contract


def _per_sample(point: Meaning, module: Any, _: str, v: Any, __: Any, ___: Any) -> Any:
    """The slope of the loss of each row, of which all rows of the data are made."""
    rows_of = {
        n: (a["axes"] if isinstance(a, dict) else a)[:1]
        for n, a in {**point.spec["inputs"], **point.spec.get("targets", {})}.items()
    }
    fixed = point.spec.get("axes", {})
    first = next(
        n for n, axes in rows_of.items() if axes and isinstance(axes[0], str) and axes[0] not in fixed
    )
    axis = rows_of[first][0]
    right = []
    for row in range(len(point.arrays[first])):
        one = {n: a[row : row + 1] if rows_of.get(n) == [axis] else a for n, a in point.arrays.items()}
        alone = Meaning(point.spec, one)
        alone.jets = point.jets
        bit = alone.jets.direction()
        right.append(values(slopes(alone.loss(alone.at({n: [(bit, v[n])] for n in v})), bit)).ravel()[0])
        alone.jets.close()
    return right, lambda found: np.array(
        [sum(np.sum(getattr(found, n)[r] * v[n]) for n in module.SHAPES) for r in range(len(right))]
    )
