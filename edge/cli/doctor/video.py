"""What reads and writes video here: OpenCV, PyAV, and decoders of the hardware.

Libraries are imported where they are asked, so that one which is broken is a finding.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from edge.cli.doctor.finding import Finding, State, first_line
from edge.cli.doctor.packages import clash, numbers, owners
from edge.installing import ROOT, is_jetson

OLDEST_OPENCV = "4.10"
OPENCV_NAMES = r"opencv-(contrib-)?python(-headless)?(-rolling)?$"
DECODERS = ("h264", "hevc", "mjpeg", "mpeg4", "vp9", "av1")
ENCODERS = ("libx264", "libopenh264", "libvpx-vp9")  # in the order of `sinks/video.py`
JETPACK_OPENCV = (
    "GStreamer needs an OpenCV that was built with it: on a Jetson JetPack's own (make .venv with "
    "--system-site-packages, `pip uninstall opencv-python` in it), elsewhere one built from source"
)


def opencv(needs_gstreamer: bool) -> Iterator[Finding]:
    """OpenCV's version, backends and numpy, and whether several packages bring it."""
    brought = owners("cv2", OPENCV_NAMES)
    if len(brought) > 1:
        names = {str(each.metadata["Name"]).lower() for each in brought}
        contrib = any("contrib" in name for name in names)
        headless = any("headless" in name for name in names)
        keep = f"opencv-{'contrib-' if contrib else ''}python{'-headless' if headless else ''}"
        yield clash("OpenCV packages", brought, keep)
    try:
        import cv2
        import numpy
    except Exception as error:  # numpy's mistakes have several types
        yield import_failure("OpenCV", "opencv-python", error)
        return
    information = cv2.getBuildInformation()
    backends = {
        "FFmpeg": _has("FFMPEG", information),
        "GStreamer": _has("GStreamer", information),
        "V4L2": _has("v4l/v4l2", information),
    }
    listed = ", ".join(f"{name} {'yes' if there else 'no'}" for name, there in backends.items())
    origin = brought[0].metadata["Name"] if len(brought) == 1 else Path(cv2.__file__).parent
    text = f"{cv2.__version__} from {origin}: {listed}"
    if numbers(cv2.__version__) < numbers(OLDEST_OPENCV):
        remedy = f"edgecount is tested with OpenCV {OLDEST_OPENCV} and later"
        yield Finding("OpenCV", text, "note", remedy, needed=True)
    else:
        yield Finding("OpenCV", text, needed=True)
    yield numpy_for_opencv(numpy.__version__, information)
    if needs_gstreamer and not backends["GStreamer"]:
        found = "no, and the config has gst: sources"
        yield Finding("GStreamer", found, "problem", JETPACK_OPENCV, needed=True)
    elif is_jetson() and not backends["GStreamer"]:
        found = "no: gst: sources, and with them the hardware decoder, cannot be used"
        yield Finding("GStreamer", found, "note", JETPACK_OPENCV)


def numpy_for_opencv(version: str, information: str) -> Finding:
    """Whether numpy is one that OpenCV was built for.

    Args:
        version: of numpy.
        information: what OpenCV says of its build.
    """
    built = re.search(r"numpy:.*\(ver ([\d.]+)", information)
    text = f"{version}; OpenCV was built with {built[1]}" if built else version
    if built and numbers(version) >= (2,) > numbers(built[1]):
        return Finding("numpy", text, "problem", "pip install 'numpy<2'", needed=True)
    return Finding("numpy", text, needed=True)


def import_failure(what: str, package: str, error: Exception) -> Finding:
    """That a library which every run needs cannot be imported, and what helps.

    Args:
        what: name of the finding.
        package: that brings it.
        error: of the import.
    """
    text = f"{type(error).__name__}: {first_line(error)}"
    library = re.search(r"(lib[\w.+-]+\.so[\w.]*)", text)
    if isinstance(error, ModuleNotFoundError):
        remedy = f"pip install {package}"
    elif re.search(r"numpy|_ARRAY_API|multiarray", text):
        remedy = f"it was built for another numpy: `pip install 'numpy<2'`, or a newer {package}"
    elif library and library[1].startswith(("libGL", "libgthread", "libglib")):
        remedy = "`sudo apt-get install libgl1 libglib2.0-0` (Debian 13, Ubuntu 24.04: "
        remedy += "libglib2.0-0t64)"
    elif library:
        remedy = f"install the system package that has {library[1]}"
    else:
        remedy = f"pip install --force-reinstall {package}"
    return Finding(what, text, "problem", remedy, needed=True)


def pyav() -> Iterator[Finding]:
    """Codecs of PyAV, which reads recordings and cameras and writes video."""
    try:
        import av
    except Exception as error:
        yield import_failure("PyAV", "av", error)
        return
    there = av.codecs_available
    decoders = [name for name in DECODERS if name in there]
    encoder = next((name for name in ENCODERS if name in there), None)
    ffmpeg = getattr(av, "ffmpeg_version_info", "")
    text = f"{av.__version__} with FFmpeg {ffmpeg}: reads {', '.join(decoders)}"
    text += f", writes with {encoder}" if encoder else ""
    missing = [name for name in ("h264", "hevc") if name not in there]
    remedy = "pip install --force-reinstall av"
    if missing:
        state: State = "problem" if "h264" in missing else "note"
        yield Finding("PyAV", f"{text}; no {missing[0]}", state, remedy, needed=True)
    elif encoder is None:
        yield Finding("PyAV", f"{text}; --save-video cannot work", "note", remedy, needed=True)
    else:
        yield Finding("PyAV", text, needed=True)


def hardware_decoders(root: Path = ROOT) -> Iterator[Finding]:
    """What could decode video beside the CPU."""
    from edge.segment.libraries import load_error

    found = [
        f"{device.name} ({(device / 'name').read_text().strip()})"
        for device in sorted((root / "sys/class/video4linux").glob("video*"))
        if (device / "name").exists()
    ]
    listed = [f"V4L2 {', '.join(found)}"] if found else []
    renders = sorted((root / "dev/dri").glob("renderD*"))
    listed += [f"VA-API {', '.join(device.name for device in renders)}"] if renders else []
    if load_error("libnvcuvid.so.1") is None:
        listed.append("NVDEC (libnvcuvid.so.1)")
    has_nvidia = has_element("nvv4l2decoder")
    listed += ["nvv4l2decoder of GStreamer"] if has_nvidia else []
    if is_jetson(root) and has_nvidia is False:
        yield Finding(
            "hardware decoder",
            "no nvv4l2decoder in GStreamer",
            "note",
            "install nvidia-l4t-gstreamer; start a container with `--runtime nvidia`",
        )
    text = f"{'; '.join(listed)}; only gst: sources use them" if listed else "none: the CPU decodes"
    yield Finding("hardware video", text)


@cache
def has_element(name: str) -> bool | None:
    """Whether GStreamer has an element; None: it cannot be asked, or not in time."""
    try:
        done = subprocess.run(
            ["gst-inspect-1.0", "--exists", name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=2.0,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.returncode == 0


def _has(backend: str, information: str) -> bool:
    return re.search(rf"{re.escape(backend)}:\s+YES", information) is not None
