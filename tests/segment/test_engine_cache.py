from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import fields, replace
from pathlib import Path

import pytest

from edge.segment.engine_cache import Engine, cache_folder, has_engine, one_builder, told_while

ENGINE = Engine(
    model_sha256="a" * 64,
    shape="1x3x384x640",
    precision="fp16",
    onnxruntime="1.32.0",
    tensorrt="101300",
    gpu="NVIDIA H100 80GB HBM3-sm9.0",
    options={"trt_max_workspace_size": "1"},
)
HOLDER = """
import sys
from pathlib import Path
from edge.segment.engine_cache import one_builder
with one_builder(Path(sys.argv[1]), print):
    print("has it", flush=True)
    sys.stdin.readline()
"""


def test_a_folder_is_named_for_all_that_an_engine_depends_on():
    name = ENGINE.folder_name
    assert name.startswith("aaaaaaaaaaaaaaaa-1x3x384x640-fp16-ort1.32.0-trt101300-NVIDIA_H100")
    assert "/" not in name
    assert " " not in name
    for field in fields(Engine):
        other = {"trt_max_workspace_size": "2"} if field.name == "options" else "other"
        assert replace(ENGINE, **{field.name: other}).folder_name != name
    assert ENGINE.timing_name == replace(ENGINE, model_sha256="b" * 64).timing_name


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"CACHE_DIRECTORY": "/var/cache/edgecount:/other"}, "/var/cache/edgecount"),
        ({"XDG_CACHE_HOME": "/c"}, "/c/edgecount"),
        ({}, "/home/me/.cache/edgecount"),
    ],
)
def test_where_engines_lie(environment, expected):
    assert cache_folder(environment, Path("/home/me")).as_posix() == expected


def test_a_second_process_waits_for_the_first(tmp_path):
    """And a builder that is killed leaves no stale lock."""
    folder = tmp_path / "engine"
    command = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "has it\n"
        said, got, waits = [], threading.Event(), threading.Event()

        def say(text: str) -> None:
            said.append(text)
            waits.set()

        def build() -> None:
            with one_builder(folder, say):
                got.set()

        builder = threading.Thread(target=build)
        builder.start()
        assert waits.wait(30)
        assert said == ["another process builds the same TensorRT engine; waiting for it"]
        assert not got.is_set()
        other.kill()
        assert got.wait(30)
        builder.join()


def test_who_is_alone_does_not_wait(tmp_path):
    said: list[str] = []
    for _ in range(2):
        with one_builder(tmp_path / "engine", said.append):
            pass
    assert said == []


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="directory"), one_builder(tmp_path / "file/engine", print):
        pass


def test_word_while_it_lasts():
    said: list[str] = []
    twice = threading.Event()

    def say(text: str) -> None:
        said.append(text)
        if len(said) == 2:
            twice.set()

    with told_while(say, first_s=0.001, every_s=0.001):
        assert twice.wait(30)
    assert all(text.startswith("building the TensorRT engine") for text in said)
    assert not any(t.name == "edge-engine" for t in threading.enumerate())
    with told_while(said.clear, first_s=60):  # would fail if it were called
        pass
    assert len(said) >= 2


def test_an_engine_that_is_there(tmp_path):
    assert not has_engine(tmp_path)
    (tmp_path / "x.engine").write_bytes(b"")
    assert has_engine(tmp_path)
