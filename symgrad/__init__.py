"""symgrad: a symbolic-to-code gradient compiler. Mathematics in, a verified training module out."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from symgrad.api import (
        bench,
        build,
        certify,
        check_certificate,
        compare,
        derive,
        doctor,
        evaluate,
        export,
        generate,
        graph,
        import_onnx,
        load,
        load_checkpoint,
        open_run,
        read,
        stages,
        summary,
        train,
        verify,
    )
    from symgrad.errors import (
        CallbackError,
        DataError,
        DataWarning,
        DivergenceError,
        ModuleError,
        ModuleWarning,
        NotIdenticalError,
        ShapeError,
        SpecError,
        SpecWarning,
        StopTraining,
        SymgradError,
        SymgradWarning,
    )

    __version__: str

__all__ = [
    "CallbackError",
    "DataError",
    "DataWarning",
    "DivergenceError",
    "ModuleError",
    "ModuleWarning",
    "NotIdenticalError",
    "ShapeError",
    "SpecError",
    "SpecWarning",
    "StopTraining",
    "SymgradError",
    "SymgradWarning",
    "__version__",
    "bench",
    "build",
    "certify",
    "check_certificate",
    "compare",
    "derive",
    "doctor",
    "evaluate",
    "export",
    "generate",
    "graph",
    "import_onnx",
    "load",
    "load_checkpoint",
    "open_run",
    "read",
    "stages",
    "summary",
    "train",
    "verify",
]


def __dir__() -> list[str]:  # so that help() lists them
    return sorted(__all__)


def __getattr__(name: str) -> Any:  # the names above, imported when first used
    if name == "__version__":
        return import_module("symgrad.version").VERSION
    if name in __all__:
        return getattr(import_module("symgrad.errors" if name[0].isupper() else "symgrad.api"), name)
    raise AttributeError(f"module 'symgrad' has no attribute '{name}'")
