from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.segment.cpus import usable_cpus


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with so many CPUs and some files; gives how many may be used."""

    def usable(affinity: int, files: dict[str, str]) -> int:
        for name, text in files.items():
            path: Path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n")
        monkeypatch.setattr(
            os, "sched_getaffinity", lambda pid: set(range(affinity)), raising=False
        )
        return usable_cpus(tmp_path)

    return usable


@pytest.mark.parametrize(
    ("quota", "affinity", "expected"),
    [
        ("max 100000", 4, 4),
        ("200000 100000", 8, 2),
        ("150000 100000", 8, 2),
        ("10000 100000", 8, 1),
        ("800000 100000", 2, 2),
        ("100000 0", 3, 3),
        ("nonsense", 3, 3),
        (None, 3, 3),
    ],
)
def test_cpus_are_those_the_container_may_use(machine, quota, affinity, expected):
    files = {} if quota is None else {"sys/fs/cgroup/cpu.max": quota}
    assert machine(affinity, files) == expected
    # In a namespace of its own, a process is told that it is at the top.
    assert machine(affinity, files | {"proc/self/cgroup": "0::/"}) == expected


def test_the_least_quota_of_all_groups_around_a_service_counts(machine):
    files = {
        "proc/self/cgroup": "0::/system.slice/edgecount.service",
        "sys/fs/cgroup/system.slice/edgecount.service/cpu.max": "300000 100000",
    }
    assert machine(8, files) == 3
    files["sys/fs/cgroup/system.slice/cpu.max"] = "200000 100000"
    assert machine(8, files) == 2
    files["sys/fs/cgroup/system.slice/edgecount.service/cpu.max"] = "max 100000"
    assert machine(8, files) == 2


@pytest.mark.parametrize(("quota", "expected"), [("250000", 3), ("-1", 8), ("0", 8)])
@pytest.mark.parametrize("folder", ["docker/1a2b", "."])
def test_version_1_of_control_groups(machine, quota, expected, folder):
    """With the path that the host knows, the container's own group is mounted at the top."""
    files = {
        "proc/self/cgroup": "4:memory:/docker/1a2b\n1:cpu,cpuacct:/docker/1a2b\n0::/",
        f"sys/fs/cgroup/cpu/{folder}/cpu.cfs_quota_us": quota,
        f"sys/fs/cgroup/cpu/{folder}/cpu.cfs_period_us": "100000",
        "sys/fs/cgroup/memory/docker/1a2b/cpu.max": "100000 100000",  # not where CPUs are limited
    }
    assert machine(8, files) == expected


def test_a_group_outside_of_the_namespace(machine):
    files = {"proc/self/cgroup": "0::/../../other", "sys/fs/cgroup/cpu.max": "200000 100000"}
    assert machine(8, files) == 2


def test_this_machine():
    assert 1 <= usable_cpus() <= (os.cpu_count() or 1)
