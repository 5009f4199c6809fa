"""Python, CPUs, clock, disk; on a Jetson its release and power mode. Standard library only."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from edge.cli.doctor.finding import Finding, said
from edge.installing import ROOT, is_jetson

OLDEST_PYTHON = (3, 10)
MB = 1_000_000
LEAST_MB, FEW_MB = 100, 1000  # free on a disk: too little, and little
# NVIDIA's archive of Jetson Linux names the JetPack of each release.
JETPACKS = {
    "36.3.0": "6.0",
    "36.4.0": "6.1",
    "36.4.3": "6.2",
    "36.4.4": "6.2.1",
    "36.4.7": "6.2.1",
    "36.5.0": "6.2.2",
    "38.2.0": "7.0",
    "38.4.0": "7.1",
    "39.2.0": "7.2",
}
OLDEST_L4T = 36  # JetPack 6
_SYNCHRONISED_US = 16_000_000  # the largest error with which systemd calls a clock synchronised


def python() -> Iterator[Finding]:
    """Version of Python, and which one it is."""
    here = f"{platform.python_version()} on {platform.machine()}, {sys.prefix}"
    if sys.version_info < OLDEST_PYTHON:
        remedy = f"use Python {'.'.join(map(str, OLDEST_PYTHON))} or later"
        yield Finding("Python", here, "problem", remedy, needed=True)
    else:
        yield Finding("Python", here, needed=True)


def cpus() -> Iterator[Finding]:
    """CPUs that this process may use."""
    from edge.segment.cpus import usable_cpus

    yield Finding("CPUs", f"{usable_cpus()} usable of {os.cpu_count()}")


class _Timex(ctypes.Structure):
    """The beginning of Linux's struct timex, and more room than the rest needs."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),  # microseconds
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 512),
    )


def clock() -> Iterator[Finding]:
    """Whether something keeps the clock right, as the kernel knows: in containers too.

    Asked like systemd does it: by the error that is possible, because chrony leaves the kernel's
    flag alone where it does not keep the battery's clock as well.
    """
    asked = _Timex()  # modes 0: changes nothing, which everybody may
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(asked)) < 0:
        why = os.strerror(ctypes.get_errno())
        yield Finding("clock", f"cannot be asked: {why}", "note", "see `timedatectl` on the host")
    elif asked.maxerror < _SYNCHRONISED_US:
        yield Finding("clock", f"synchronised, to {asked.maxerror / 1e3:.0f} ms or better")
    else:
        yield Finding(
            "clock",
            "not synchronised: the times of events from cameras may be wrong",
            "note",
            "`sudo timedatectl set-ntp true`, or install chrony; for a container, on its host",
        )


def disk(
    what: str, folder: Path, wanted_bytes: float = FEW_MB * MB, needed: bool = False
) -> Iterator[Finding]:
    """Whether a folder can be written, or made, and has room.

    Args:
        what: name of the finding.
        folder: need not be there.
        wanted_bytes: free, or it is a note.
        needed: whether a problem is one of the config.
    """
    folder = folder.absolute()
    there = _nearest(folder)
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        yield unwritable(what, folder, there, needed)
        return
    free = shutil.disk_usage(there).free
    text = f"{folder}: {_size(free)} free"
    if free < LEAST_MB * MB:
        yield Finding(what, text, "problem", "make room on this disk", needed)
    elif free < wanted_bytes:
        remedy = f"make room: it may need {_size(wanted_bytes)}"
        yield Finding(what, text, "note", remedy, needed)
    else:
        yield Finding(what, text, needed=needed)


def unwritable(what: str, path: Path, there: Path, needed: bool = False) -> Finding:
    """That a file or folder cannot be written.

    Args:
        what: name of the finding.
        path: of the file or folder.
        there: the part of it that exists.
        needed: whether it is a problem of the config.
    """
    remedy = (
        f"let {_user()} write to {there}, or choose another place; run `edge doctor` as the user "
        "who counts"
    )
    return Finding(what, f"{path}: cannot be written by {_user()}", "problem", remedy, needed)


def jetson(root: Path = ROOT) -> Iterator[Finding]:
    """L4T and JetPack, and how much power the board may use; nothing elsewhere."""
    if not is_jetson(root):
        return
    model = _text(root / "proc/device-tree/model").strip("\0\n ") or "a Jetson"
    release = (
        l4t(_text(root / "etc/nv_tegra_release"))
        or (said("dpkg-query", "-W", "-f=${Version}", "nvidia-l4t-core") or "").partition("-")[0]
    )
    if not release:
        found, remedy = f"{model}, L4T unknown", "start the container with `--runtime nvidia`"
        yield Finding("Jetson", found, "note", remedy)
    elif int(release.partition(".")[0]) < OLDEST_L4T:
        found = f"{model}, L4T {release}: older than JetPack 6"
        yield Finding("Jetson", found, "note", "flash JetPack 6 or 7")
    else:
        pack = f" (JetPack {JETPACKS[release]})" if release in JETPACKS else ""
        yield Finding("Jetson", f"{model}, L4T {release}{pack}")
    yield _power_mode(root)


def l4t(release: str) -> str:
    """The release that /etc/nv_tegra_release tells.

    >>> l4t("# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64")
    '36.4.3'
    """
    match = re.search(r"R(\d+) \(release\), REVISION: (\d+(?:\.\d+)*)", release)
    return f"{match[1]}.{match[2]}" if match else ""


def _power_mode(root: Path) -> Finding:
    modes = {
        name: number
        for number, name in re.findall(
            r"<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+?)\s*>", _text(root / "etc/nvpmodel.conf")
        )
    }
    told = re.search(r"NV Power Mode:\s*(\S+)", said("nvpmodel", "-q") or "")
    kept = re.search(r"pmode:0*(\d+)", _text(root / "var/lib/nvpmodel/status"))
    mode = told[1] if told else ""
    if not mode and kept:
        mode = next((name for name, number in modes.items() if number == kept[1]), "")
    if not mode:
        remedy = "ask `nvpmodel -q` on the device itself, outside of containers"
        return Finding("power mode", "unknown", "note", remedy)
    text = f"{mode}, {_clocks(root)}"
    fastest = max(modes, key=_power, default=mode)
    if _power(fastest) <= _power(mode):
        return Finding("power mode", text)
    remedy = (
        f"{fastest} is faster, if supply and cooling allow: `sudo nvpmodel -m {modes[fastest]}`"
    )
    return Finding("power mode", text, "note", remedy)


def _power(mode: str) -> tuple[bool, bool, int]:
    """Sorts power modes by what they allow: MAXN_SUPER, MAXN, then by watts."""
    watts = re.search(r"(\d+)W", mode)
    return "MAXN" in mode, "SUPER" in mode, int(watts[1]) if watts else 0


def _clocks(root: Path) -> str:
    folder = root / "sys/devices/system/cpu/cpu0/cpufreq"
    least, most = (
        _text(folder / name).strip() for name in ("scaling_min_freq", "cpuinfo_max_freq")
    )
    return "clocks fixed by jetson_clocks" if least and least == most else "clocks follow the load"


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _nearest(folder: Path) -> Path:
    """The folder, or of those above it the nearest that is there."""
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    return folder


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _user() -> str:
    try:
        import pwd

        return pwd.getpwuid(os.geteuid()).pw_name
    except (ImportError, KeyError):
        return f"user {os.geteuid()}"
