"""What the definitions of a module are for, and which rows of a report name a fault in them rightly."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from module_use import compiled_functions

from symgrad.compiler.targets.numba.runtime import runtime_part
from symgrad.spec.model import FURTHER_FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COMPILED_ALONE = "intrinsics"
"""What only compiled code calls: where a module is run by Python, other functions stand in for it."""

COMPUTING = {
    *("_forward", "_predict", "_loss", "_gradient", "_backward", "accumulate", "_array", "_gemm_by_numpy"),
    *("_copied", "_bits", "_from_bits", "_step_gradient", "accumulate_rows", "clear_rows"),
    *(f"_{name}" for name in FURTHER_FUNCTIONS.values()),
    *("_one_step", "_one_step_results"),
}
OPTIMISER = {
    *("euclidean_norm", "_update", "_look_ahead", "_shares", "_end_of_step", "_step", "_first_states"),
    *("averaged", "_averaged", "_advance", "_update_looked_up"),
}
EPOCH = {"_gather", "_gathered", "_epoch", "_gradient_in_pieces", "train_epoch", "_train_epoch"}
CHECKS = {
    *(
        "_show",
        "_as_numbers",
        "_fitting",
        "_checked",
        "_expected",
        "_given",
        "_arguments",
        "_checked_but_rows",
        "_checked_at_step",
        "_as_compiled",
        "_own_numbers",
        "_check_digits",
        "_which",
    ),
    *("_check_params", "_check_array", "_writable_vector", "_check_state", "_generator", "_whole"),
    *("_checked_order", "_is_full", "_setting", "_hyper_vector", "_hyper_number", "_lies_in", "_shuffling"),
}
SAMPLING = {
    *(
        "sample",
        "_sampled",
        "_sequence",
        "_label",
        "_given_labels",
        "_are_labels",
        "_is_temperature",
        "_predicted_of",
        "_check_looks_back",
    ),
    *("_chances_of_next", "_drawn", "_as_chances", "_chances_in_turn"),
}
FUNCTIONS = {
    *("exp", "expm1", "log", "log1p", "erfc", "erf", "sigmoid", "softplus", "tanh", "logcosh"),
    *("_reduced", "_exp_of_sum", "_log_of_bits", "_polynomial"),
}
NUMBERS = runtime_part("numba/float64_numbers").names - {"REAL", "INTEGER"}
"""What these compute with."""
PUBLIC = {
    *("_empty", "_from_a_line", "_train_step_of_sets", "_train_epoch_of_sets", "_is_one_piece"),
    *("_work_size", "_kept", "_with_constants", "_in_memory", "_address", "_owner", "unflatten", "flatten"),
    *("_lie_in_one_vector", "_copy_of_state", "init_params", "forward", "predict", "init_state", "loss"),
    *("loss_and_grad", "input_gradients", "_input_gradients", "gradient_point", "update", "train_step"),
    *(
        "fit",
        "_fit",
        "_outputs",
        "_predictions",
        "_evaluated",
        "_loss_of",
        "_loss_and_gradient",
        "_by_pieces",
    ),
    *("_gradients_in_work", "_updated", "_train_step", "Gradients", "_truncated_normal", "_orthogonal"),
    *("step", "_stepped", "_at_step", "_given_at_step", "_nothing", "Carry", "_one_step_work_size"),
    *FURTHER_FUNCTIONS.values(),
    *(f"_{name}{part}" for name in FURTHER_FUNCTIONS.values() for part in ("_work_size", "_results")),
}
FILES = {
    *("save", "load", "_is_own", "_restored", "_restored_state", "_fill", "_prepared"),
    *("write_archive", "read_archive", "arrays_of", "_digest"),
}
RANKS = {
    *("_share_of_step", "_share_work_size", "_told_sums", "_rest_of_step", "_norm_of_stretch"),
    *("_ahead_of_stretch", "_are_told"),
}
"""What ranks that share batches compile; the rest is of the runtime's file."""
ROWS = runtime_part("given_rows").names
"""What makes numbers of rows as they stand in people's data."""
OF_FILES = {
    "training/fit_epochs": "public",
    "training/broken_steps": "public",
    "parameter_vectors": "public",
    "optional/further_derivatives": "public",
    "optional/own_workspaces": "public",
    "given_arrays": "checks",
    "checkpoints": "files",
    "array_archives": "files",
    "whole_files": "files",
    "smallest_model": "public",
    "training/shared_epochs": "ranks",
    "training/stretches": "ranks",
    "numba/gradients/weighted_gradients": "ranks",
    "training/unshared_epochs": "ranks",
    "training/row_epochs": "epoch",
}
"""What else stands in files of the runtime, by these."""
UNPLANTED = frozenset({"accurately", "driver_section"}).union(
    *(runtime_part(f"numba/{name}").names for name in ("brief_code", "compiling", "gathered_rows")),
    *(runtime_part(f"numba/{name}").names for name in ("elementary_functions", "kept_code")),
    *(runtime_part(f"numba/{name}").names for name in ("llvm_functions", "meanings")),
    *(runtime_part(f"numba/products/{name}").names for name in ("blas", "in_blocks")),
    *(runtime_part(f"numba/sharing/{name}").names for name in ("shared_work", "tasks", "passes_in_parts")),
)
"""What compiles, keeps compiled code, looks for libraries, or stands for what only compiled code does."""
INTRINSICS = {"_in_llvm", "_recast", "_typed_polynomial"}
OWN_VERIFY = {
    *(
        "_sample",
        "_normal",
        "_between",
        "_random_parameters",
        "_differences",
        "_gradients_of",
        "_check",
        "_told",
        "_worst_of_each",
        "_new_work",
    ),
    "verify",
}
DECLARATIONS = {
    *("SPEC_NAME", "SPEC_SHA256", "DTYPE", "TASK", "EPOCHS", "MICRO_BATCH_SIZE", "INPUTS", "TARGETS"),
    *("FREE_AXES", "AXES", "CLASSES", "IGNORED", "SCORED", "CONSTANTS", "SIZE", "SHAPES"),
    *("HYPER", "RANGES", "NEVER_ZERO", "LEFT_OUT", "FROZEN", "TRAINED_SIZE", "AVERAGE", "TRAINED"),
    *("BATCH_AXIS", "BY_COLUMNS", "FULL_BATCH", "STEP_MEMORY", "GRADIENTS"),
}

_TRAINING = {
    "update",
    "train_step",
    "train_epoch",
    "schedule",
    "float32 update",
    "float32 step",
    "float32 epoch",
    "rare updates",
    "average",
    "frozen",
    "epochs",
    "fit",
}
_VALUES = {
    *("forward", "predict", "loss", "float32 forward", "float32 gradients"),
    *FURTHER_FUNCTIONS.values(),
}
_BEHAVIOURS = {
    *("declarations", "number type", "container", "first values", "bad data", "good data"),
    *("labels for none", "arguments", "answers", "epochs", "fit", "parameters", "float32 parameters"),
    *("other sizes", "many epochs", "checkpoints"),
}
NAMED: Mapping[str, set[str]] = {
    "optimiser": _TRAINING | {"identity", "training step", "hyper"},
    "epoch": {
        "identity",
        "training step",
        "train_step",
        "train_epoch",
        "schedule",
        "frozen",
        "epochs",
        "fit",
        "bad data",
        "good data",
        "answers",
        "arguments",
    },
    "checks": _BEHAVIOURS | {"hyper", "steps of time"},
    "public": _BEHAVIOURS | _TRAINING | _VALUES | {"own verify", "identity", "training step"},
    "declarations": _BEHAVIOURS | _TRAINING | _VALUES | {"own verify"},
    "sampling": {"samples"},
    "ranks": {"ranks", "identity", "training step"},
    "own verify": {"own verify", "own verify at length", "own verify by seeds"},
    "files": {"checkpoints", "raw rows"},
    "rows": {"checkpoints", "raw rows"},
}
"""Rows that name a fault in a region; one in the computation or an elementary function may show anywhere."""


@dataclass(frozen=True)
class Region:
    """A definition of a module and what it is for."""

    kind: str
    name: str
    node: ast.stmt


def regions(tree: ast.Module) -> Iterator[Region]:
    """The definitions in which faults are planted: all but how compiled code is made and kept."""
    computing = compiled_functions(tree, ("KERNELS", "DRIVER_SECTIONS"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            kind = "computation" if node.name in computing else _kind(node)
            if kind:
                yield Region(kind, node.name, node)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in DECLARATIONS:
                yield Region("declarations", name, node)
            elif name in NUMBERS:
                yield Region("functions", name, node)
            elif name in ROWS:
                yield Region("rows", name, node)


def _kind(node: ast.FunctionDef | ast.ClassDef) -> str:
    named = {
        "optimiser": OPTIMISER,
        "epoch": EPOCH,
        "checks": CHECKS,
        "functions": FUNCTIONS,
        "public": PUBLIC,
        "sampling": SAMPLING,
        "own verify": OWN_VERIFY,
        "files": FILES,
        "rows": ROWS,
        "ranks": RANKS,
        COMPILED_ALONE: INTRINSICS,
        "computation": COMPUTING,
    }
    for kind, names in named.items():
        if node.name in names:
            return kind
    if node.name.startswith("_typed_"):
        return COMPILED_ALONE
    if node.name.startswith("_part_of_step_"):
        return "ranks"
    if node.name.endswith("_slope"):
        return "functions"
    return next((kind for file, kind in OF_FILES.items() if node.name in runtime_part(file).names), "")


def rightly_named(kind: str, failed: set[str]) -> bool:
    """Whether one of the failed rows is one that a fault in such a definition should fail."""
    return kind not in NAMED or bool(failed & NAMED[kind])
