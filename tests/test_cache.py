"""The cache of generated modules: private, never stale, never rewritten without need."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

import symgrad as sg
from symgrad.compiler.cache import cache_folder

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


def test_a_module_is_written_once_and_mended_when_changed(home: Path) -> None:
    spec = sg.read(SPEC)
    file = Path(sg.build(spec).__file__ or "")
    assert file.parent == home / "symgrad"
    assert file.name.startswith(f"tiny_{spec.sha256[:12]}_")
    text, written = file.read_bytes(), file.stat().st_mtime_ns
    sg.build(spec)
    assert file.stat().st_mtime_ns == written
    file.write_text("raise SystemExit")
    sg.build(spec)
    assert file.read_bytes() == text
    assert [f.name for f in file.parent.glob("*.part")] == []


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
