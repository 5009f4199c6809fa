"""The shared libraries that an execution provider links: which load here, and what to do if not."""

from __future__ import annotations

import ctypes
import mmap
import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.installing import is_jetson

_LOAD, _DYNAMIC = 1, 2  # kinds of segments
_NEEDED, _STRINGS = 1, 5  # entries of the dynamic section
# Where the wheels of CUDA, cuDNN and TensorRT put theirs, which the loader does not know.
_WHEEL_FOLDERS = ("nvidia/*/lib", "tensorrt_libs")
_MAJORS = range(7, 15)  # of CUDA, cuDNN and TensorRT in use

_TENSORRT, _DRIVER = "libnv(infer|onnxparser)", r"libcuda\.so"
_CUDA = "libcu|libnvrtc|libnvJitLink"
# What to do, by the beginning of a library's name; {0} is the major version after its own.
_DLA = (
    "libnvdla_compiler",  # which only JetPack's TensorRT needs
    "start the container with `--runtime nvidia`, and have the package nvidia-l4t-dla-compiler on "
    "the host",
)
_ON_PC = (
    _DLA,
    (
        _TENSORRT,
        "install this TensorRT: `pip install 'tensorrt-cu13<{0}'` (-cu12 with CUDA 12)",
    ),
    (_DRIVER, "install NVIDIA's driver; start a container with `--gpus all`"),
    (
        _CUDA,
        "install these versions of CUDA and cuDNN: `pip install 'onnxruntime-gpu[cuda,cudnn]'` "
        "(before 1.27 it is for CUDA 12)",
    ),
)
_OTHER_JETPACK = (
    "if JetPack has it in another version, install an onnxruntime-gpu wheel that was built for "
    "this JetPack (see docs/jetson.md)"
)
_ON_JETSON = (
    _DLA,
    (
        _TENSORRT,
        "install JetPack's TensorRT: `sudo apt install tensorrt`, or all of JetPack: "
        f"`sudo apt install nvidia-jetpack`; {_OTHER_JETPACK}",
    ),
    (
        _DRIVER,
        "start the container with `--runtime nvidia`; outside of one the driver is L4T's own: "
        "flash JetPack anew",
    ),
    (
        _CUDA,
        "install JetPack's CUDA and cuDNN: `sudo apt install nvidia-jetpack`; " + _OTHER_JETPACK,
    ),
)


@dataclass(frozen=True, slots=True)
class Missing:
    """A library that does not load."""

    name: str
    reason: str
    remedy: str


def linked(path: Path) -> tuple[str, ...]:
    """Names of the libraries that a 64-bit ELF file links (its DT_NEEDED), in its order.

    Reading them has no effect, other than loading the file, and tells all at once. Empty if it is
    no such file.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as elf:
            return tuple(_needed(elf)) if elf[:6] == b"\x7fELF\x02\x01" else ()
    except (OSError, ValueError, struct.error):
        return ()


def _needed(elf: mmap.mmap) -> Iterator[str]:
    (table,) = struct.unpack_from("<Q", elf, 32)
    size, count = struct.unpack_from("<HH", elf, 54)
    # Each: kind, offset in the file, address, size in the file.
    rows = [struct.unpack_from("<I4xQQ8xQ", elf, table + k * size) for k in range(count)]
    dynamic = next(((row[1], row[3]) for row in rows if row[0] == _DYNAMIC), (0, 0))
    entries = [struct.unpack_from("<QQ", elf, dynamic[0] + k) for k in range(0, dynamic[1], 16)]
    address = next((value for tag, value in entries if tag == _STRINGS), 0)
    strings = next(
        (
            row[1] + address - row[2]
            for row in rows
            if row[0] == _LOAD and 0 <= address - row[2] < row[3]
        ),
        0,
    )
    for tag, value in entries:
        if tag == _NEEDED:
            begin = strings + value
            yield elf[begin : elf.find(b"\0", begin)].decode(errors="replace")


def missing(names: Iterable[str], packages: Path | None = None) -> list[Missing]:
    """Those of some libraries that do not load. The others are in the process from then on.

    Args:
        names: as `linked` gives them.
        packages: folder of installed wheels, whose libraries are taken where the loader knows none.
    """
    found = []
    for name in names:
        if (reason := load_error(name, packages)) is not None:
            found.append(_explained(name, reason))
    return found


def load_error(name: str, packages: Path | None = None) -> str | None:
    """Why a library does not load; None if it does, or already has."""
    try:
        ctypes.CDLL(name)
    except OSError as error:
        first = str(error)
    else:
        return None
    for folder in _WHEEL_FOLDERS if packages else ():
        for path in sorted(packages.glob(f"{folder}/{name}")) if packages else ():
            try:
                ctypes.CDLL(str(path))
            except OSError as error:
                first = str(error)
            else:
                return None
    return first


def _explained(name: str, reason: str) -> Missing:
    culprit = Path(reason.partition(": ")[0]).name
    if "cannot open shared object file" not in reason:
        return Missing(name, f"{name} does not load ({reason})", remedy(name))
    if culprit != name:
        return Missing(name, f"{name} needs {culprit}, which is missing", remedy(culprit))
    other = _other_major(name)
    had = f"; {other} is there" if other else ""
    return Missing(name, f"{name} is missing{had}", remedy(name))


def _other_major(name: str) -> str | None:
    """The same library in another version, if one loads."""
    stem, _, major = name.rpartition(".so.")
    return some_major(stem, (int(major),) if major.isdigit() else ()) if stem else None


def some_major(stem: str, but: Sequence[int] = (), packages: Path | None = None) -> str | None:
    """A library in whichever major version loads, the newest first; None: in none.

    Args:
        stem: its name before `.so`.
        but: versions that are not tried.
        packages: as `missing` takes it.
    """
    versions = [f"{stem}.so.{k}" for k in reversed(_MAJORS) if k not in but]
    return next((name for name in versions if load_error(name, packages) is None), None)


def remedy(name: str, on_jetson: bool | None = None) -> str:
    """What to do where a library is missing; empty if there is no advice.

    Args:
        name: of the library.
        on_jetson: whether JetPack's packages are advised; None: if this is a Jetson.

    >>> remedy("libnvinfer.so.10", on_jetson=False)
    "install this TensorRT: `pip install 'tensorrt-cu13<11'` (-cu12 with CUDA 12)"
    >>> remedy("libnvinfer.so.10", on_jetson=True)[:60]
    "install JetPack's TensorRT: `sudo apt install tensorrt`, or "
    >>> remedy("libm.so.6")
    ''
    """
    if on_jetson is None:
        on_jetson = is_jetson()
    major = re.search(r"\.so\.(\d+)", name)
    number = int(major.group(1)) if major else 0
    for beginning, text in _ON_JETSON if on_jetson else _ON_PC:
        if re.match(beginning, name):
            return text.format(number + 1)
    return ""


def told(found: Sequence[Missing]) -> str:
    """What is missing and what to do, in one sentence.

    >>> told([Missing("a", "a is missing", "install A"), Missing("b", "b is missing", "install A")])
    'a, b missing; install A'
    """
    advice = remedies(found)
    return f"{reasons(found)}; {advice}" if advice else reasons(found)


def reasons(found: Sequence[Missing]) -> str:
    """What is missing, the first half of `told`."""
    plain = [one.name for one in found if one.reason == f"{one.name} is missing"]
    others = [one.reason for one in found if one.name not in plain]
    return "; ".join([*([f"{', '.join(plain)} missing"] if plain else []), *others])


def remedies(found: Sequence[Missing]) -> str:
    """What to do, the second half of `told`; empty if there is no advice."""
    return "; ".join(dict.fromkeys(one.remedy for one in found if one.remedy))
