import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.segment import libraries
from edge.segment.libraries import Missing, linked, load_error, missing, remedy, some_major, told

ABSENT = "libsurely-absent.so.7"
BASE = 0x10000  # where the file is loaded


def elf(*needed: str) -> bytes:
    """The least 64-bit ELF file that links some libraries."""
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in needed)
    offsets, at = [], 1
    for name in needed:
        offsets.append(at)
        at += len(name) + 1
    header, table = 64, 2 * 56
    dynamic_at = header + table
    entries = [(1, offset) for offset in offsets]
    entries += [(5, BASE + dynamic_at + 16 * (len(needed) + 2)), (0, 0)]
    dynamic = b"".join(struct.pack("<QQ", *entry) for entry in entries)
    whole = dynamic_at + len(dynamic) + len(strings)
    programs = [(1, 0, BASE, whole), (2, dynamic_at, BASE + dynamic_at, len(dynamic))]
    rows = b"".join(
        struct.pack("<IIQQQQQQ", kind, 4, at, address, address, size, size, 8)
        for kind, at, address, size in programs
    )
    start = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    start += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, header, 0, 0, 64, 56, 2, 0, 0, 0)
    return start + rows + dynamic + strings


def test_what_a_file_links(tmp_path):
    path = tmp_path / "lib.so"
    path.write_bytes(elf("libcudart.so.12", "libm.so.6"))
    assert linked(path) == ("libcudart.so.12", "libm.so.6")
    path.write_bytes(elf())
    assert linked(path) == ()


@pytest.mark.parametrize("content", [b"", b"text", b"\x7fELF\x01\x01" + bytes(90)])
def test_what_is_no_such_file_links_nothing(content, tmp_path):
    path = tmp_path / "lib.so"
    path.write_bytes(content)
    assert linked(path) == ()
    assert linked(tmp_path / "none.so") == ()


@given(st.data())
def test_a_broken_file_is_no_error(tmp_path_factory, data):
    content = bytearray(elf("liba.so.1", "libb.so.2"))
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=8)):
        content[at] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("elf") / "lib.so"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    assert all(isinstance(name, str) for name in linked(path))


def test_libraries_that_do_not_load():
    assert load_error("libc.so.6") is None
    [found] = missing(["libc.so.6", ABSENT])
    assert found == Missing(ABSENT, f"{ABSENT} is missing", "")
    assert told([found]) == f"{ABSENT} missing"


def test_libraries_of_wheels_are_found(tmp_path, monkeypatch):
    folder = tmp_path / "nvidia" / "cudnn" / "lib"
    folder.mkdir(parents=True)
    (folder / ABSENT).write_text("not an ELF file")
    asked = []

    def load(name):
        asked.append(name)
        if "/" not in name:
            raise OSError(f"{name}: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(libraries.ctypes, "CDLL", load)
    assert load_error(ABSENT, tmp_path) is None
    assert asked == [ABSENT, str(folder / ABSENT)]


def test_a_library_of_a_wheel_that_is_broken_says_so(tmp_path):
    folder = tmp_path / "tensorrt_libs"
    folder.mkdir()
    (folder / "libnvinfer.so.10").write_text("not an ELF file")
    [found] = missing(["libnvinfer.so.10"], tmp_path)
    assert found.reason.startswith(f"libnvinfer.so.10 does not load ({folder}/libnvinfer.so.10: ")
    assert "tensorrt-cu13<11" in found.remedy


def only(monkeypatch, *names):
    """Let only these libraries load."""

    def load(name):
        if name not in names:
            raise OSError(f"{name}: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(libraries.ctypes, "CDLL", load)


def test_another_version_is_named(monkeypatch):
    only(monkeypatch, "libnvinfer.so.8")
    assert some_major("libnvinfer") == "libnvinfer.so.8"
    assert some_major("libcudnn") is None
    [found] = missing(["libnvinfer.so.10"])
    assert found.reason == "libnvinfer.so.10 is missing; libnvinfer.so.8 is there"
    assert told([found, *missing(["libcublas.so.12", "libcudnn.so.9"])]).startswith(
        "libcublas.so.12, libcudnn.so.9 missing; libnvinfer.so.10 is missing; libnvinfer.so.8 is "
        "there; install this TensorRT"
    )


def test_the_library_that_another_one_needs_is_named(monkeypatch):
    def load(name):
        raise OSError("libnvdla_compiler.so: cannot open shared object file: No such file")

    monkeypatch.setattr(libraries.ctypes, "CDLL", load)
    [found] = missing(["libnvinfer.so.10"])
    assert found.reason == "libnvinfer.so.10 needs libnvdla_compiler.so, which is missing"
    assert "nvidia-l4t-dla-compiler" in found.remedy


@pytest.mark.parametrize(
    "name",
    ["libnvinfer.so.10", "libnvonnxparser.so.10", "libcudart.so.12", "libcudnn.so.9"],
)
def test_a_jetson_is_told_of_jetpack_and_a_pc_of_wheels(name, monkeypatch):
    only(monkeypatch)
    monkeypatch.setattr(libraries, "is_jetson", lambda: True)
    [found] = missing([name])
    assert "`sudo apt install nvidia-jetpack`" in found.remedy
    assert ("`sudo apt install tensorrt`" in found.remedy) == name.startswith("libnv")
    assert "pip install" not in found.remedy
    monkeypatch.setattr(libraries, "is_jetson", lambda: False)
    [found] = missing([name])
    assert "pip install" in found.remedy
    assert "JetPack" not in found.remedy


def test_a_jetson_without_a_driver_is_told_of_its_container():
    assert "--runtime nvidia" in remedy("libcuda.so.1", on_jetson=True)
    assert "--gpus all" in remedy("libcuda.so.1", on_jetson=False)
