"""edgecount itself and the packages that it needs: their versions, and those that clash."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path

import edge
from edge.cli.doctor.finding import Finding
from edge.installing import JETSON_WHEEL, is_jetson

# Packages whose module the row of its own tells of.
ELSEWHERE = ("opencv-python",)


def edgecount() -> Iterator[Finding]:
    """Our version, and whether the packages that it asks for are there."""
    folder = Path(edge.__file__).resolve().parents[1]
    text = f"{edge.__version__} in {folder}"
    try:
        requirements = importlib.metadata.requires("edgecount") or []
    except PackageNotFoundError:
        remedy = "install it, so that the versions of packages can be checked: scripts/install"
        yield Finding("edgecount", f"{text}, not installed", "note", remedy)
        return
    yield Finding("edgecount", text, needed=True)
    yield packages(requirements)


def packages(requirements: Iterable[str]) -> Finding:
    """Whether packages are there and new enough.

    Args:
        requirements: as a package's metadata has them; those of extras are none of every run, but
            the onnxruntime that is there, whichever, must be new enough.
    """
    wrong: dict[str, str] = {}  # what is to be installed, by what was found
    fine: dict[str, None] = {}
    for requirement in requirements:
        name, least = minimum(requirement)
        wanted, _, extra = requirement.partition(";")
        if name in ELSEWHERE or (extra and not name.startswith("onnxruntime")):
            continue
        try:
            version = importlib.metadata.version(name)
        except PackageNotFoundError:
            if not extra:
                wrong[f"{name} missing"] = wanted
            continue
        if numbers(version) < numbers(least):
            wrong[f"{name} {version}, needs {least}"] = wanted.strip()
        fine[f"{name} {version}"] = None
    if wrong:
        wheel = JETSON_WHEEL if is_jetson() else ""  # pip has none for it
        by_pip = [w for w in wrong.values() if not (wheel and w.startswith("onnxruntime"))]
        advice = ["pip install " + " ".join(f"'{w}'" for w in by_pip)] if by_pip else []
        advice += [wheel] if len(by_pip) < len(wrong) else []
        return Finding("packages", "; ".join(wrong), "problem", "; ".join(advice), needed=True)
    return Finding("packages", ", ".join(fine), needed=True)


def minimum(requirement: str) -> tuple[str, str]:
    """Name and least version of a requirement.

    >>> minimum("lap>=0.5.12"), minimum('pytest>=8; extra == "dev"'), minimum("rich")
    (('lap', '0.5.12'), ('pytest', '8'), ('rich', '0'))
    """
    name = re.match(r"[\w.-]+", requirement)
    least = re.search(r">=\s*([\d.]+)", requirement)
    return name[0] if name else requirement, least[1] if least else "0"


def numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version's beginning, so that 3.10 is after 3.9.

    >>> numbers("5.0.0.93"), numbers("2.1rc1"), numbers("2.1.0") > numbers("2.1")
    ((5, 0, 0, 93), (2, 1), True)
    """
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def owners(module: str, names: str) -> list[Distribution]:
    """Installed packages that bring a module; they overwrite each other if there are several.

    Args:
        module: such as cv2.
        names: what the names of such packages look like, a pattern.
    """
    found = {}
    for each in importlib.metadata.distributions():
        name = str(each.metadata["Name"] or "").lower()
        if re.match(names, name) and name not in found:
            files = each.files
            # Without a list of files, which Debian's packages lack, its name has to do.
            if files is None or any(str(file) == f"{module}/__init__.py" for file in files):
                found[name] = each
    return [found[name] for name in sorted(found)]


def clash(what: str, found: list[Distribution], keep: str) -> Finding:
    """That several packages bring one module.

    Args:
        what: name of the finding.
        found: two packages or more.
        keep: the one to have, as pip takes it.
    """
    names = [str(each.metadata["Name"]) for each in found]
    listed = ", ".join(f"{name} {each.version}" for name, each in zip(names, found, strict=True))
    return Finding(
        what,
        f"{listed}: they overwrite each other's files",
        "problem",
        f"keep one: `pip uninstall -y {' '.join(names)}`, then `pip install {keep}`",
    )
