"""The cache of generated modules: private, never stale, never rewritten without need."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import symgrad as sg
from symgrad.compiler.loading import cache
from symgrad.compiler.loading.sources import sources_digest
from symgrad.compiler.loading.user_cache import cache_folder
from symgrad.shipped import template_folder
from symgrad.turns import one_at_a_time

if TYPE_CHECKING:
    from symgrad.spec.model import Spec

SPEC = {
    "name": "tiny",
    "inputs": {"x": ["n"]},
    "equations": {"f": "x**2"},
    "loss": "mean(f)",
    "gradients": ["x"],
}
posix = pytest.mark.skipif(os.name == "nt", reason="folders of a Windows profile are private by themselves")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all caches."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def built(spec: Spec) -> Path:
    """The file of the module that `build` loads."""
    return Path(sg.build(spec).__file__ or "")


def test_a_module_is_written_once(home: Path) -> None:
    spec = sg.read(SPEC)
    file = built(spec)
    assert file.parent == home / "symgrad"
    assert file.name.startswith(f"tiny_{spec.sha256[:12]}_")
    written = file.stat().st_mtime_ns
    assert built(spec) == file
    assert file.stat().st_mtime_ns == written


def test_of_two_who_want_a_module_one_derives_it() -> None:
    spec, asked = sg.read(SPEC), []

    def derive(_: Spec) -> str:
        asked.append(True)
        time.sleep(0.2)
        return "text"

    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(lambda _: cache.cached_file(spec, derive), range(2))
    assert one == other
    assert len(asked) == 1


@posix
def test_what_a_killed_process_held_is_free(tmp_path: Path) -> None:
    program = "import sys, pathlib, symgrad.turns as t\n" + (
        "with t.one_at_a_time(pathlib.Path(sys.argv[1])): print(flush=True); sys.stdin.read()"
    )
    lock = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(_entered, lock)
            time.sleep(0.1)
            assert not waiting.done()
            holder.kill()
            assert waiting.result(timeout=20)


def _entered(lock: Path) -> bool:
    with one_at_a_time(lock):
        return True


@pytest.mark.parametrize("damage", [b"raise SystemExit", b"", b"\x00\xff"])
def test_an_edited_or_damaged_module_is_written_anew(damage: bytes) -> None:
    spec = sg.read(SPEC)
    file = built(spec)
    text = file.read_bytes()
    for content in (damage, text + damage + b"#", text[:-1]):
        file.write_bytes(content)
        assert built(spec) == file
        assert file.read_bytes() == text
    assert [f.name for f in file.parent.glob("*.part")] == []


def test_a_module_in_the_cache_is_loaded_without_sympy() -> None:
    file = built(sg.read(SPEC))
    program = (
        "import sys, symgrad as sg\n"
        f"module = sg.build(sg.read({SPEC!r}))\n"
        "print(module.__file__, [name for name in ('sympy', 'jinja2') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == f"{file} []\n"


def test_a_spec_changed_in_python_has_a_module_of_its_own() -> None:
    spec = sg.read(SPEC)
    modules = [sg.build(replace(spec, dtype=dtype)) for dtype in ("float32", "float64", "float32")]
    assert [np.dtype(module.DTYPE).name for module in modules] == ["float32", "float64", "float32"]
    assert modules[0].__file__ == modules[2].__file__


def test_a_spec_read_from_elsewhere_has_the_same_module(tmp_path: Path) -> None:
    text = "inputs: {x: [n]}\nequations: {f: x**2}\nname: tiny\n"
    copies = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    for copy in copies:
        copy.write_text(text)
    assert len({built(sg.read(source)) for source in (*copies, text)}) == 1


def test_changed_sources_make_another_module(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = sg.read(SPEC)
    file = built(spec)
    monkeypatch.setattr(cache, "sources_digest", lambda: "of other sources")
    assert built(spec) != file


def test_all_that_a_text_comes_from_counts_as_a_source(tmp_path: Path) -> None:
    """Every module that is imported to derive a text, and the template with all it includes."""
    package = Path(sg.__file__).parent
    copy = shutil.copytree(package, tmp_path / "symgrad", ignore=shutil.ignore_patterns("__pycache__"))
    templates = shutil.copytree(template_folder(), tmp_path / "templates", dirs_exist_ok=True)
    program = (
        "import sys, symgrad.pipeline\n"
        "print(*(m.__file__ for n, m in sys.modules.items() if n.startswith('symgrad.')), sep='\\n')"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    imported = {Path(line).relative_to(package) for line in run.stdout.splitlines()}
    files = [copy / file for file in imported - {Path("version.py")}]
    files += [file for file in templates.rglob("*") if file.suffixes == [".py", ".j2"]]
    assert len(files) > 80
    digest = sources_digest.__wrapped__
    before = digest(copy)
    assert before == digest(copy)
    for file in files:
        content = file.read_bytes()
        file.write_bytes(content + b"#")
        assert digest(copy) != before, file
        file.write_bytes(content)
    (copy / "calculus" / "one_more.py").write_text("")
    assert digest(copy) != before


@posix
def test_the_folder_is_the_users_alone(home: Path) -> None:
    folder = cache_folder()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.chmod(0o755)
    assert stat.S_IMODE(cache_folder().stat().st_mode) == 0o700


@posix
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_others_can_write_is_refused(mode: int, home: Path) -> None:
    cache_folder().chmod(mode)
    with pytest.raises(sg.ModuleError, match="other users can write"):
        sg.build(sg.read(SPEC))


@posix
def test_a_foreign_folder_a_link_and_a_file_are_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = cache_folder()
    owner = folder.stat().st_uid
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: owner + 1)
        with pytest.raises(sg.ModuleError, match="belongs to another user"):
            cache_folder()
    folder.rmdir()
    (home / "elsewhere").mkdir()
    folder.symlink_to(home / "elsewhere")
    with pytest.raises(sg.ModuleError, match="not a folder"):
        cache_folder()
    folder.unlink()
    folder.write_text("")
    with pytest.raises(sg.ModuleError, match="cannot be made"):
        cache_folder()


def test_a_relative_cache_home_is_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert cache_folder().is_relative_to(tmp_path)
