"""What generate, inspect and verify do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symgrad import api
from symgrad.cli.endings import FAILED, GOOD, warnings_shown
from symgrad.cli.output import produce, produce_json, produce_report, say, spare, spare_foreign, write_result
from symgrad.errors import ModuleError, SpecError, SpecWarning, warn
from symgrad.report.formats import FORMATS, format_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from symgrad.spec.model import Spec


def generate_module(
    spec_file: Path, output: Path | None, derive: Sequence[str], identity: bool, as_json: bool
) -> int:
    """Write the module and say where, how long it is and how many parameters it has."""
    spec = api.read(spec_file, derive=derive)
    target = output or _default_target(spec)
    written = write_module(spec, spec_file, target, identity)
    lines, parameters = _lines(written), _parameter_count(spec)
    if as_json:
        facts: dict[str, object] = {"spec": spec.name, "spec_sha256": spec.sha256, "dtype": spec.dtype}
        facts |= {"path": str(written), "lines": lines, "parameters": parameters}
        produce_json(facts | {"warnings": warnings_shown()})
    else:
        noun = "parameter" if parameters == 1 else "parameters"
        say(f"wrote {written} ({lines} lines, {parameters} {noun})")
    return GOOD


def write_module(spec: Spec, spec_file: Path, target: Path, identity: bool) -> Path:
    """Generate the module into `target`, sparing the spec and files that are not symgrad's."""
    demand_target(target, spec_file)
    return api.generate(spec, target, identity=identity)


def demand_target(target: Path, spec_file: Path) -> None:
    """Raise ModuleError where no module may be written."""
    if target.is_dir():
        raise ModuleError("this is a directory", at=str(target), remedy="name a file in it")
    if target.suffix != ".py":
        raise ModuleError("a module's name ends in .py", at=str(target), remedy="name it so")
    spare_foreign(target, spec_file)


def _default_target(spec: Spec) -> Path:
    folder = Path("generated")
    return (folder if folder.is_dir() else Path()) / f"{spec.name}.py"


def _lines(file: Path) -> int:
    return file.read_text(encoding="utf-8").count("\n")


def _parameter_count(spec: Spec) -> int:
    from symgrad.pipeline import stages_of
    from symgrad.report.tensor_table import parameter_count

    return parameter_count(stages_of(spec).formulas)


def inspect_spec(
    spec_file: Path,
    style: str | None,
    notation: str,
    symbols: Iterable[str],
    output: Path | None,
    **shown: Any,
) -> int:
    """Write the derivation to stdout or to a file, whose ending chooses the style where none is given."""
    style = style or format_of(output.suffix if output else "")
    own = _symbols(symbols)
    derivation = api.derive(api.read(spec_file)).in_notation(notation, own).showing(**shown)
    for found in derivation.products_in_loops():
        warn(SpecWarning(found.problem, at=derivation.name, remedy=found.remedy))
    return _shown(derivation.written(style), style, spec_file, output)


def inspect_stages(spec_file: Path, style: str | None, output: Path | None) -> int:
    """Write every stage from the spec to its module to stdout or to a file."""
    style = style or format_of(output.suffix if output else "")
    if style not in ("text", "json"):
        raise SpecError(
            "stages are shown as text or JSON", at=str(output), remedy="name a .txt or .json file"
        )
    stages = api.stages(spec_file)
    text = json.dumps(stages.as_dict(), indent=2) if style == "json" else str(stages)
    return _shown(text, style, spec_file, output)


def _shown(text: str, style: str, spec_file: Path, output: Path | None) -> int:
    if output is None:
        produce(text.rstrip("\n"), html=FORMATS[style].markup)
        return GOOD
    spare(output, spec_file)
    write_result(output, text.rstrip("\n") + "\n")
    say(f"wrote {output}")
    return GOOD


def show_summary(spec_file: Path, sizes: Iterable[str], as_json: bool) -> int:
    """Show a network at a glance."""
    found = api.summary(spec_file, dict(map(_size, sizes)))
    if as_json:
        produce_json(found.as_dict() | {"warnings": warnings_shown()})
    else:
        produce_report(found.table())
    return GOOD


def _size(pair: str) -> tuple[str, int]:
    """`batch=64` as name and number.

    Raises:
        SpecError: it is not written so.
    """
    name, _, number = pair.partition("=")
    if not (number.strip().isdecimal() and int(number) > 0):
        raise SpecError("expected AXIS=NUMBER", at=f"--size {pair}", remedy="write batch=64, for example")
    return name.strip(), int(number)


def _symbols(pairs: Iterable[str]) -> dict[str, str]:
    """`W1=Ω¹` as name and symbol.

    Raises:
        SpecError: no sign of equality, or a name that has a symbol already.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, symbol = pair.partition("=")
        if not equals:
            raise SpecError("expected NAME=SYMBOL", at=f"--symbol {pair}", remedy="write W1=Ω¹, for example")
        if name.strip() in found:
            raise SpecError(f"'{name.strip()}' has a symbol already", at=f"--symbol {pair}")
        found[name.strip()] = symbol
    return found


def certify_module(
    spec_file: Path, module_file: Path | None, output: Path, seed: int, time_limit: float
) -> int:
    """Write a certificate, and say how far the module is from the exact gradient."""
    spare(output, spec_file)
    found = api.certify(spec_file, module_file, seed=seed, time_limit=time_limit)
    write_result(output, json.dumps(found, indent=1) + "\n")
    for name, block in found["gradients"].items():
        say(f"{name}: within {block['worst_ulps']:.3g} units in the last place of the exact gradient")
    say(f"wrote {output}")
    return GOOD


def check_certificate(spec_file: Path, module_file: Path | None, certificate: Path, time_limit: float) -> int:
    """Compute a certificate again and say what in it is not true."""
    untrue = api.check_certificate(spec_file, certificate, module_file, time_limit=time_limit)
    say(*(untrue or [f"{certificate}: true in every entry"]))
    return FAILED if untrue else GOOD
