"""What is found of a machine, on machines that are made up."""

import ctypes
import os
import socket
import threading
from types import SimpleNamespace

import pytest

from edge.cli.doctor import machine, network, packages, video
from edge.cli.doctor.finding import Finding

ORIN = {
    "etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 1, BOARD: generic\n",
    "proc/device-tree/model": "NVIDIA Jetson Orin Nano\0",
    "etc/nvpmodel.conf": "< POWER_MODEL ID=0 NAME=15W >\n< POWER_MODEL ID=1 NAME=25W >\n"
    "< POWER_MODEL ID=2 NAME=MAXN_SUPER >\n< PM_CONFIG DEFAULT=1 >\n",
    "var/lib/nvpmodel/status": "pmode:0002 fmode:quiet\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_min_freq": "1728000\n",
    "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "1728000\n",
}


def rooted(folder, **changes):
    """A root folder with the files of an Orin, some of them changed or absent (None)."""
    for name, text in {**ORIN, **{k.replace("__", "/"): v for k, v in changes.items()}}.items():
        if text is not None:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return folder


@pytest.fixture(autouse=True)
def no_programs(monkeypatch):
    """A machine without dpkg-query and nvpmodel, whatever this one has."""
    monkeypatch.setattr(machine, "said", lambda *command: None)


def test_a_jetson(tmp_path):
    assert list(machine.jetson(rooted(tmp_path))) == [
        Finding("Jetson", "NVIDIA Jetson Orin Nano, L4T 36.4.3 (JetPack 6.2)"),
        Finding("power mode", "MAXN_SUPER, clocks fixed by jetson_clocks"),
    ]


def test_a_machine_that_is_none(tmp_path):
    assert list(machine.jetson(tmp_path)) == []


def test_a_jetson_that_saves_power(tmp_path):
    slow = {
        "var__lib__nvpmodel__status": "pmode:0001",
        "sys__devices__system__cpu__cpu0__cpufreq__scaling_min_freq": "115200",
    }
    _, power = machine.jetson(rooted(tmp_path, **slow))
    assert power == Finding(
        "power mode",
        "25W, clocks follow the load",
        "note",
        "MAXN_SUPER is faster, if supply and cooling allow: `sudo nvpmodel -m 2`",
    )


def test_nvpmodel_itself_is_believed_first(tmp_path, monkeypatch):
    monkeypatch.setattr(
        machine, "said", lambda *c: "NV Power Mode: 15W\n0\n" if c[0] == "nvpmodel" else None
    )
    _, power = machine.jetson(rooted(tmp_path))
    assert power.found.startswith("15W, ")


@pytest.mark.parametrize(
    ("release", "found", "state"),
    [
        ("# R39 (release), REVISION: 2.0, GCID: 1", "L4T 39.2.0 (JetPack 7.2)", "ok"),
        ("# R36 (release), REVISION: 9.1, GCID: 1", "L4T 36.9.1", "ok"),
        ("# R35 (release), REVISION: 4.1, GCID: 1", "L4T 35.4.1: older than JetPack 6", "note"),
        ("something else", "L4T unknown", "note"),
    ],
)
def test_releases(release, found, state, tmp_path):
    jetson, _ = machine.jetson(rooted(tmp_path, etc__nv_tegra_release=release))
    assert (jetson.found, jetson.state) == (f"NVIDIA Jetson Orin Nano, {found}", state)


def test_a_jetson_in_a_container_that_shows_little(tmp_path, monkeypatch):
    path = tmp_path / "proc/device-tree/compatible"
    path.parent.mkdir(parents=True)
    path.write_text("nvidia,p3768-0000\0nvidia,tegra234\0")
    jetson, power = machine.jetson(tmp_path)
    assert (jetson.found, power.found) == ("a Jetson, L4T unknown", "unknown")
    assert "--runtime nvidia" in jetson.remedy
    monkeypatch.setattr(machine, "said", lambda *command: "36.4.4-20250616085344")
    assert next(machine.jetson(tmp_path)).found == "a Jetson, L4T 36.4.4 (JetPack 6.2.1)"


def kernel(monkeypatch, maxerror_us=0, answer=5, errno=0):
    """A kernel that says this of its clock."""

    def adjtimex(asked):
        asked._obj.maxerror = maxerror_us
        ctypes.set_errno(errno)
        return answer

    monkeypatch.setattr(machine.ctypes, "CDLL", lambda *_, **__: SimpleNamespace(adjtimex=adjtimex))


@pytest.mark.parametrize(
    ("said", "found", "state"),
    [
        ({"maxerror_us": 2500, "answer": 0}, "synchronised, to 2 ms or better", "ok"),
        ({"maxerror_us": 400_000}, "synchronised, to 400 ms or better", "ok"),
        ({"maxerror_us": 16_000_000}, "not synchronised: the times of events from", "note"),
        ({"answer": -1, "errno": 1}, "cannot be asked: Operation not permitted", "note"),
    ],
)
def test_clocks(said, found, state, monkeypatch):
    kernel(monkeypatch, **said)
    [clock] = machine.clock()
    assert clock.found.startswith(found)
    assert (clock.state, bool(clock.remedy)) == (state, state != "ok")


def test_this_machines_clock_can_be_asked():
    [clock] = machine.clock()
    assert "synchronised" in clock.found or "cannot be asked" in clock.found


@pytest.fixture
def free(monkeypatch):
    """Set how many bytes each disk has free."""

    def write(count):
        usage = SimpleNamespace(free=count)
        monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: usage)

    return write


@pytest.mark.parametrize(
    ("count", "state", "found"),
    [(5e9, "ok", "5.0 GB"), (5e8, "note", "500 MB"), (5e7, "problem", "50 MB")],
)
def test_room_on_a_disk(count, state, found, tmp_path, free):
    free(count)
    [disk] = machine.disk("journal", tmp_path / "not" / "made", needed=True)
    assert (disk.state, disk.found) == (state, f"{tmp_path}/not/made: {found} free")
    assert disk.decides == (state == "problem")
    assert bool(disk.remedy) == (state != "ok")


def test_what_is_wanted_decides(tmp_path, free):
    free(5e9)
    [disk] = machine.disk("journal", tmp_path, 6e9)
    assert (disk.state, disk.remedy) == ("note", "make room: it may need 6.0 GB")


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr(machine.os, "access", lambda path, mode: False)
    [disk] = machine.disk("journal", tmp_path / "new", needed=True)
    assert disk.decides
    assert disk.found.startswith(f"{tmp_path}/new: cannot be written by ")
    assert f" write to {tmp_path}, or " in disk.remedy


def test_a_file_in_the_place_of_a_folder(tmp_path):
    (tmp_path / "file").write_text("")
    [disk] = machine.disk("journal", tmp_path / "file" / "folder")
    assert disk.state == "problem"


def test_an_old_python(monkeypatch):
    monkeypatch.setattr(machine.sys, "version_info", (3, 9))
    [python] = machine.python()
    assert (python.decides, python.remedy) == (True, "use Python 3.10 or later")


def test_packages_that_are_missing_or_old():
    found = packages.packages(
        ["numpy>=1.26", "no-such-package>=2", "rich>=999", 'pytest>=999; extra == "dev"']
    )
    assert found.decides
    assert found.found.startswith("no-such-package missing; rich ")
    assert found.found.endswith(", needs 999")
    assert found.remedy == "pip install 'no-such-package>=2' 'rich>=999'"
    assert packages.packages(["numpy>=1.26"]).found.startswith("numpy ")


EXTRAS = [
    'onnxruntime>=1.20; extra == "cpu"',
    'onnxruntime-gpu>=1.20; extra == "gpu"',
    'onnxruntime>=1.20; extra == "train"',
]


@pytest.mark.parametrize("name", ["onnxruntime", "onnxruntime-gpu"])
def test_an_onnxruntime_that_is_too_old(monkeypatch, name):
    def version(asked):
        if asked != name:
            raise packages.PackageNotFoundError
        return given

    monkeypatch.setattr(packages.importlib.metadata, "version", version)
    given = "1.20.1"
    assert packages.packages(EXTRAS) == Finding("packages", f"{name} 1.20.1", needed=True)
    given = "1.18.0"
    found = packages.packages(EXTRAS)
    assert (found.found, found.decides) == (f"{name} 1.18.0, needs 1.20", True)
    assert found.remedy == f"pip install '{name}>=1.20'"
    monkeypatch.setattr(packages, "is_jetson", lambda: True)
    assert "wheel that was built for this JetPack" in packages.packages(EXTRAS).remedy
    assert "pip install" not in packages.packages(EXTRAS).remedy


def installed(folder, *wheels, module):
    """A folder in which these wheels were installed that bring one module."""
    for name, version in wheels:
        where = folder / f"{name.replace('-', '_')}-{version}.dist-info"
        where.mkdir()
        (where / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}")
        (where / "RECORD").write_text(f"{module}/__init__.py,,\n")


def test_packages_that_overwrite_each_other(tmp_path, monkeypatch):
    installed(
        tmp_path,
        ("opencv-python", "4.12.0"),
        ("opencv-contrib-python-headless", "5.0.0"),
        ("opencv-stubs", "1"),
        module="cv2",
    )
    monkeypatch.setattr(packages.importlib.metadata, "distributions", lambda: found(tmp_path))
    clash, opencv, *_ = video.opencv(needs_gstreamer=False)
    assert clash == Finding(
        "OpenCV packages",
        "opencv-contrib-python-headless 5.0.0, opencv-python 4.12.0: they overwrite each other's "
        "files",
        "problem",
        "keep one: `pip uninstall -y opencv-contrib-python-headless opencv-python`, then `pip "
        "install opencv-contrib-python-headless`",
    )
    assert not clash.decides
    assert opencv.state == "ok"


def found(folder):
    """Packages in a folder."""
    context = packages.importlib.metadata.DistributionFinder.Context(path=[str(folder)])
    return packages.importlib.metadata.MetadataPathFinder.find_distributions(context)


def test_gstreamer_where_it_is_asked_for(monkeypatch):
    built = "    FFMPEG:   YES\n    GStreamer:   {}\n    v4l/v4l2:  NO\n"
    monkeypatch.setattr("cv2.getBuildInformation", lambda: built.format("NO"))
    [gstreamer] = [f for f in video.opencv(needs_gstreamer=True) if f.what == "GStreamer"]
    assert gstreamer.decides
    assert [f.what for f in video.opencv(needs_gstreamer=False)] == ["OpenCV", "numpy"]
    monkeypatch.setattr(video, "is_jetson", lambda: True)
    [gstreamer] = [f for f in video.opencv(needs_gstreamer=False) if f.what == "GStreamer"]
    assert gstreamer.state == "note"
    monkeypatch.setattr("cv2.getBuildInformation", lambda: built.format("YES (1.20.3)"))
    assert "GStreamer yes, V4L2 no" in next(video.opencv(needs_gstreamer=True)).found


def test_numpy_2_and_an_opencv_for_numpy_1():
    built = "    numpy:   /usr/lib/python3/dist-packages/numpy/core/include (ver 1.21.5)"
    found = video.numpy_for_opencv("2.2.6", built)
    assert (found.decides, found.remedy) == (True, "pip install 'numpy<2'")
    assert video.numpy_for_opencv("1.26.4", built).state == "ok"
    assert video.numpy_for_opencv("2.4.6", built.replace("1.21.5", "2.0.2")).state == "ok"
    assert video.numpy_for_opencv("2.4.6", "").found == "2.4.6"


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (ModuleNotFoundError("No module named 'cv2'"), "pip install opencv-python"),
        (ImportError("numpy.core.multiarray failed to import"), "it was built for another numpy"),
        (AttributeError("_ARRAY_API not found"), "it was built for another numpy"),
        (ImportError("libGL.so.1: cannot open shared object file"), "`sudo apt-get install libgl1"),
        (
            ImportError("libfoo.so.2: cannot open"),
            "install the system package that has libfoo.so.2",
        ),
        (ImportError("undefined symbol: x"), "pip install --force-reinstall opencv-python"),
    ],
)
def test_what_helps_where_a_library_cannot_be_imported(error, remedy):
    found = video.import_failure("OpenCV", "opencv-python", error)
    assert found.decides
    assert found.remedy.startswith(remedy)


@pytest.mark.parametrize(
    ("codecs", "state", "decides"),
    [
        ({"h264", "hevc", "libx264"}, "ok", False),
        ({"h264", "libx264"}, "note", False),
        ({"h264", "hevc"}, "note", False),
        ({"hevc", "libx264"}, "problem", True),
    ],
)
def test_codecs(codecs, state, decides, monkeypatch):
    monkeypatch.setattr("av.codecs_available", codecs)
    [found] = video.pyav()
    assert (found.state, found.decides, bool(found.remedy)) == (state, decides, state != "ok")


def test_decoders_of_the_hardware(tmp_path, monkeypatch):
    device = tmp_path / "sys/class/video4linux/video10"
    device.mkdir(parents=True)
    (device / "name").write_text("bcm2835-codec-decode\n")
    (tmp_path / "dev/dri").mkdir(parents=True)
    (tmp_path / "dev/dri/renderD128").touch()
    monkeypatch.setattr(video, "has_element", lambda name: True)
    [found] = video.hardware_decoders(tmp_path)
    assert found.found == (
        "V4L2 video10 (bcm2835-codec-decode); VA-API renderD128; nvv4l2decoder of GStreamer; only "
        "gst: sources use them"
    )


def test_elements_of_gstreamer(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    video.has_element.cache_clear()
    assert video.has_element("there") is None
    program = tmp_path / "gst-inspect-1.0"
    program.write_text('#!/bin/sh\n[ "$1 $2" = "--exists there" ]\n')
    program.chmod(0o755)
    video.has_element.cache_clear()
    assert (video.has_element("there"), video.has_element("other")) == (True, False)
    video.has_element.cache_clear()


def test_a_jetson_without_its_decoder(tmp_path, monkeypatch):
    monkeypatch.setattr(video, "has_element", lambda name: False)
    missing, found = video.hardware_decoders(rooted(tmp_path))
    assert (missing.what, missing.state) == ("hardware decoder", "note")
    assert found.found == "none: the CPU decodes"


def test_who_answers():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert network.is_free("127.0.0.1", port) == "address already in use"
        answers = network.asked(
            {"up": ("127.0.0.1", port), "down": ("127.0.0.1", 1), "odd": ("a..b", 1)}
        )()
    assert answers["up"] == ""
    assert answers["down"] == "connection refused"
    assert answers["odd"] not in ("", "connection refused")
    assert network.is_free("127.0.0.1", 0) == ""


def test_who_does_not_answer_is_not_waited_for(monkeypatch):
    away = threading.Event()

    def connect(address, timeout_s):
        away.wait(30)
        raise TimeoutError("timed out")

    monkeypatch.setattr(network.socket, "create_connection", connect)
    assert network.asked({"slow": ("slow", 1)}, 0.01)() == {"slow": "no answer within 0.01 s"}
    away.set()


def test_a_user_without_a_name(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 123_456_789)
    monkeypatch.setattr(machine.os, "access", lambda path, mode: False)
    [disk] = machine.disk("journal", tmp_path)
    assert disk.found.endswith("cannot be written by user 123456789")
