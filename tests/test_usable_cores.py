"""How many cores a process has, by files as Linux and containers have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from symgrad import usable_cores

if TYPE_CHECKING:
    from pathlib import Path

VERSION_2 = "0::/user/job\n"
VERSION_1 = "9:name=systemd:/job\n5:cpuset:/job\n4:cpu,cpuacct:/user/job\n0::/\n"


def old(group: str, quota: int, period: int) -> dict[str, str]:
    """The files of version 1."""
    return {f"{group}/cpu.cfs_quota_us": f"{quota}\n", f"{group}/cpu.cfs_period_us": f"{period}\n"}


def cores(root: Path, groups: str, files: dict[str, str]) -> int:
    """What is found on a machine with 8 cores where these files are."""
    for name, text in (
        {"proc/self/cgroup": groups} | {f"sys/fs/cgroup/{n}": t for n, t in files.items()}
    ).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(usable_cores, "ROOT", root)
        patch.setattr(usable_cores, "allowed_cores", lambda: 8)
        return usable_cores.usable_cores()


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("", {"cpu.max": "100000 100000"}, 8),
        (VERSION_2, {}, 8),
        (VERSION_2, {"user/job/cpu.max": "max 100000\n"}, 8),
        (VERSION_2, {"user/job/cpu.max": "200000 100000\n"}, 2),
        (VERSION_2, {"user/job/cpu.max": "150000 100000\n"}, 2),
        (VERSION_2, {"user/job/cpu.max": "10000 100000\n"}, 1),
        (VERSION_2, {"user/job/cpu.max": "9900000 100000\n"}, 8),
        (VERSION_2, {"user/job/cpu.max": "max 100000\n", "user/cpu.max": "300000 100000\n"}, 3),
        (VERSION_2, {"user/job/cpu.max": "400000 100000\n", "user/cpu.max": "300000 100000\n"}, 3),
        (VERSION_2, {"cpu.max": "500000 100000\n"}, 5),
        (VERSION_2, {"unified/user/job/cpu.max": "600000 100000\n"}, 6),
        (VERSION_2, {"user/other/cpu.max": "100000 100000\n"}, 8),
        (VERSION_2, {"user/job/cpu.max": "nonsense\n"}, 8),
        (VERSION_2, {"user/job/cpu.max": "1 0\n"}, 8),
        (VERSION_1, old("cpu/user/job", -1, 100000), 8),
        (VERSION_1, old("cpu/user/job", 250000, 100000), 3),
        (VERSION_1, old("cpu,cpuacct", 50000, 50000), 1),
        (VERSION_1, {"cpu/user/job/cpu.cfs_quota_us": "250000\n"}, 8),
        ("nonsense\n", old("cpu", 100000, 100000), 8),
    ],
)
def test_a_container_grants_the_time_of_so_many_cores(
    groups: str, files: dict[str, str], expected: int, tmp_path: Path
) -> None:
    assert cores(tmp_path, groups, files) == expected


def test_where_nothing_is_told_all_allowed_cores_are_usable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usable_cores, "ROOT", tmp_path)
    assert usable_cores.granted_cores() is None
    assert usable_cores.usable_cores() == usable_cores.allowed_cores() >= 1
