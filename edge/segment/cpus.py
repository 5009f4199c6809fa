"""How many CPUs this process may really use. Standard library only."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

from edge.installing import ROOT


def usable_cpus(root: Path = ROOT) -> int:
    """CPUs that this process may use: its affinity, and the least quota of its control groups.

    Args:
        root: folder in which `proc` and `sys` are.
    """
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([cpus, *map(math.ceil, _quotas(root))]))


def _quotas(root: Path) -> Iterator[float]:
    """CPUs that each control group around this process may use, where there is a limit."""
    for group in _groups(root):
        for read in (_quota_of_2, _quota_of_1):
            try:
                quota = read(group)
            except (OSError, ValueError, ZeroDivisionError):
                continue  # of the other version, or without a limit ("max")
            if quota > 0:  # -1: none
                yield quota


def _quota_of_2(group: Path) -> float:
    quota, period = (group / "cpu.max").read_text().split()
    return int(quota) / int(period)


def _quota_of_1(group: Path) -> float:
    quota, period = ((group / f"cpu.cfs_{its}_us").read_text() for its in ("quota", "period"))
    return int(quota) / int(period)


def _groups(root: Path) -> Iterator[Path]:
    """Folders of this process's control groups that may limit CPUs, and of those around them."""
    mount = root / "sys/fs/cgroup"
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        lines = []
    for line in [*lines, "0::/"]:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        # Version 2 has one tree; version 1 one a controller, here under its usual short name.
        tree = mount / "cpu" if controllers else mount
        # A container sees its own group as the top, but may be told the path that the host knows.
        group = Path(path.lstrip("/"))
        inside = [] if ".." in group.parts else [group, *group.parents]
        yield from (tree / each for each in [*inside, Path()])
