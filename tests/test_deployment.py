"""Modules where nothing can be written, with what was compiled elsewhere, and beside what others wrote."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from building import interpreted, written
from module_use import LINE

import symgrad as sg
from symgrad.compiler.loading.user_cache import _passing_folder, lasting_folder
from symgrad.runtime.numba import kept_code

ROOT = Path(__file__).parent.parent
PLACES = ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "HOME", "LOCALAPPDATA")
TINY: dict[str, Any] = {"name": "tiny", "inputs": {"x": ["n"]}, "equations": {"y": "2 * x + 1"}}
posix = pytest.mark.skipif(os.name == "nt", reason="files of Windows have no owners that could be compared")

USE = """
import numpy as np
import module
print(module.predict(module.init_params(0), np.ones((2, 3))).shape)
print("hits", sum(module._predict.stats.cache_hits.values()), module._predict.stats.cache_path)
"""


def used(folder: Path, **variables: str) -> list[str]:
    """What another process prints that uses the module in a folder, warnings being errors."""
    environment = {**os.environ, **variables}
    command = [sys.executable, "-W", "error", "-B", "-c", USE]
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, ""), run.stderr
    return run.stdout.splitlines()


def nowhere(folder: Path) -> str:
    """A place that nobody can make: below a file, which refuses even root."""
    (folder / "file").write_text("")
    return str(folder / "file" / "below")


@posix
def test_a_module_is_shipped_with_its_compiled_code_to_where_nothing_can_be_written(tmp_path: Path) -> None:
    for name in ("made", "app", "chosen"):
        (tmp_path / name).mkdir()
    written(LINE, tmp_path / "made")
    refused = dict.fromkeys(PLACES, nowhere(tmp_path))
    first = used(tmp_path / "made", **{**refused, "NUMBA_CACHE_DIR": ""})
    assert first == ["(2, 2)", f"hits 0 {tmp_path / 'made' / '__pycache__'}"]
    shipped = shutil.copytree(tmp_path / "made", tmp_path / "app" / "lib")
    for place in (shipped, shipped / "__pycache__"):
        place.chmod(0o555)
    assert used(shipped, **refused) == ["(2, 2)", f"hits 1 {shipped / '__pycache__'}"]

    chosen = shutil.move(shipped / "__pycache__", tmp_path / "chosen" / "compiled")
    place = {**refused, "NUMBA_CACHE_DIR": str(chosen)}
    assert used(shipped, **place) == ["(2, 2)", f"hits 1 {chosen}"]
    assert not (shipped / "__pycache__").exists()


@pytest.mark.parametrize(
    ("owner", "mode", "group", "module", "is_trusted"),
    [
        ("me", 0o644, 5, (8, 5, 0o644), True),
        ("root", 0o644, 0, (8, 5, 0o644), True),
        ("module's", 0o644, 5, (8, 5, 0o644), True),
        ("other", 0o644, 5, (8, 5, 0o644), False),
        ("other", 0o444, 5, None, False),
        ("me", 0o664, 5, (8, 5, 0o644), False),
        ("me", 0o664, 5, (8, 5, 0o664), True),
        ("me", 0o664, 6, (8, 5, 0o664), False),
        ("me", 0o646, 5, (8, 5, 0o644), False),
        ("me", 0o600, 5, None, True),
        ("me", 0o620, 5, None, False),
    ],
)
def test_compiled_code_is_trusted_as_far_as_the_module_is(
    owner: str, mode: int, group: int, module: Any, is_trusted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading it runs code: who may write it must be able to write the module, or be this user or root."""
    monkeypatch.setattr(os, "geteuid", lambda: 7, raising=False)
    found = SimpleNamespace(
        st_uid={"me": 7, "root": 0, "module's": 8, "other": 9}[owner], st_mode=mode, st_gid=group
    )
    file = SimpleNamespace(is_file=lambda: module is not None)
    if module is not None:
        file.stat = lambda: SimpleNamespace(st_uid=module[0], st_gid=module[1], st_mode=module[2])
    assert kept_code._is_trusted(found, file) is is_trusted


@posix
def test_a_file_that_anyone_can_write_is_not_read(tmp_path: Path) -> None:
    module, file = interpreted(written(TINY, tmp_path)), tmp_path / "code.nbc"
    module._write_beside(file, b"code")
    assert module._trusted_content(file, Path(module.__file__)) == b"code"
    assert file.stat().st_mode & 0o022 == 0
    file.chmod(0o666)
    assert module._trusted_content(file, Path(module.__file__)) == b""
    assert module._trusted_content(tmp_path / "none", Path(module.__file__)) == b""


def test_without_a_folder_for_modules_they_live_as_long_as_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read-only home: one warning, and all works."""
    monkeypatch.setenv("XDG_CACHE_HOME", nowhere(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    _passing_folder.cache_clear()
    with pytest.raises(sg.ModuleError, match="cannot be made"):
        lasting_folder()
    with pytest.warns(
        sg.ModuleWarning, match=r"cannot be made: .*; modules are .* anew in every process; set XDG"
    ):
        module = sg.build(TINY)
    assert Path(module.__file__ or "").is_relative_to(tmp_path)
    assert sg.build(TINY).predict(module.init_params(0), np.ones(2)).tolist() == [3.0, 3.0]
    _passing_folder.cache_clear()


def test_a_folder_that_can_only_be_read_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    lasting_folder()
    monkeypatch.setattr(os, "access", lambda place, how: how == os.R_OK)
    with pytest.raises(sg.ModuleError, match="the cache folder is read-only; set XDG_CACHE_HOME"):
        lasting_folder()
