"""`edge doctor`: what really works on this machine."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import shutil
from pathlib import Path

import av
import cv2
import typer
from rich.console import Console
from rich.table import Table

import edge
from edge.errors import ModelError
from edge.segment import find_model
from edge.segment.catalog import entries, verified
from edge.segment.session import Session, runtime_version, usable_cpus, working_providers

PACKAGES = ("numpy", "opencv-python", "av", "lap", "filterpy", "pydantic", "typer")


def doctor() -> None:
    """Check versions, execution providers, decoders, the default model, disk and CPUs."""
    table = Table(title=f"edgecount {edge.__version__}", title_justify="left")
    for heading in ("what", "found", ""):
        table.add_column(heading, overflow="fold")
    broken = 0
    for what, found, fine in (*_machine(), *_packages(), *_providers(), *_video(), *_models()):
        table.add_row(what, found, "[green]ok" if fine else "[red]problem")
        broken += not fine
    Console().print(table)
    if broken:
        raise typer.Exit(1)


Finding = tuple[str, str, bool]


def _machine() -> list[Finding]:
    free = shutil.disk_usage(Path.cwd()).free
    release = Path("/etc/nv_tegra_release")
    jetson = [("jetson", release.read_text().splitlines()[0], True)] if release.exists() else []
    return [
        ("python", f"{platform.python_version()} on {platform.machine()}", True),
        ("cpus usable", str(usable_cpus()), True),
        ("disk free here", f"{free / 1e9:.1f} GB", free > 1e9),
        *jetson,
    ]


def _packages() -> list[Finding]:
    found = []
    for name in PACKAGES:
        try:
            found.append((name, importlib.metadata.version(name), True))
        except importlib.metadata.PackageNotFoundError:
            # opencv-python may come as headless or from the system: cv2 itself is what counts.
            there = name == "opencv-python"
            found.append((name, f"cv2 {cv2.__version__}" if there else "missing", there))
    names = {d.name.lower() for d in importlib.metadata.distributions() if d.name}
    both = {"onnxruntime", "onnxruntime-gpu"} <= names
    text = runtime_version() + (
        ": both onnxruntime and onnxruntime-gpu are installed and overwrite each other"
        if both
        else ""
    )
    return [*found, ("onnxruntime", text, not both)]


def _providers() -> list[Finding]:
    try:
        report = working_providers(find_model(None).path)
    except ModelError as error:
        return [("providers", str(error), False)]
    return [(f"provider {name}", text, text == "works") for name, text in report.items()]


def _video() -> list[Finding]:
    decoders = [name for name in ("h264", "hevc", "vp9", "av1") if name in av.codecs_available]
    encoders = [n for n in ("libx264", "libopenh264", "libvpx-vp9") if n in av.codecs_available]
    gstreamer = re.search(r"GStreamer:\s+(\S+)", cv2.getBuildInformation())
    return [
        ("decoders", ", ".join(decoders), "h264" in decoders),
        ("encoders", ", ".join(encoders) or "none: --save-video cannot work", bool(encoders)),
        ("OpenCV GStreamer", gstreamer.group(1) if gstreamer else "NO", True),
    ]


def _models() -> list[Finding]:
    """Models whose files are or should be there; what was never made is no finding."""
    try:
        catalogue = entries()
    except ModelError as error:
        return [("models", str(error), False)]
    found = []
    for entry in catalogue:
        fine, text = verified(entry)
        if entry.state == "there" and fine:
            try:
                Session(entry.path, "cpu", 1)
            except ModelError as error:
                fine, text = False, str(error)
        if entry.state in ("there", "missing"):
            found.append((f"model {entry.name}", text, fine))
    return found
