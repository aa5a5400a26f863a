"""symgrad: a symbolic-to-code gradient compiler. Mathematics in, a verified training module out.

    import symgrad as sg

    spec = sg.read("net.yaml")              # or YAML text, or a dict, which all functions take too
    print(sg.derive(spec))                  # the gradients, as mathematics
    run = sg.train(spec, out="runs/net")    # run.predict(x), run.history
    print(sg.evaluate(run, "more.csv"))

To look at a network: `derive`, `summary`, `graph`, `stages`. To get its code: `generate` writes the module,
`load` loads it, `build` does both, and `import_onnx` makes a spec of a file. To know that it is right:
`verify`, `compare`, `certify` and `check_certificate`. To learn: `rates` for where to begin, `train`, `sweep`
for many settings, and `open_run` and `load_checkpoint` for what was learnt; then `evaluate` and `export`. How
fast it is says `bench`, how fast on more machines `plan`, what is installed `doctor`. What goes wrong is a
SymgradError that says where, why, and what to do; what is likely a mistake comes as a SymgradWarning.

As scikit-learn estimators: `symgrad.sklearn`. In the shell: `symgrad --help`.
"""

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
        plan,
        rates,
        read,
        stages,
        summary,
        sweep,
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
    "plan",
    "rates",
    "read",
    "stages",
    "summary",
    "sweep",
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
