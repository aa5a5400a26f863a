"""Where workers on other machines keep modules and compiled code: on a disk of their own.

A home folder there is often on a network disk, on which several machines would write compiled code for
different processors, and whose locks may not hold.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

NAME = "XDG_CACHE_HOME"


def use_node_cache() -> None:
    """Keep modules in this machine's folder of temporary files, unless XDG_CACHE_HOME names another."""
    if not os.environ.get(NAME):
        os.environ[NAME] = str(_own_folder())


def _own_folder() -> Path:
    """One for all processes of this user. Another user's, made under that name before, is left alone."""
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    folder = Path(tempfile.gettempdir()) / f"symgrad-{user}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        is_own = not hasattr(os, "getuid") or (found.st_uid == os.getuid() and not found.st_mode & 0o022)
        if is_own and folder.is_dir() and not folder.is_symlink():
            return folder
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="symgrad-"))
