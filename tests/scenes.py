"""Fixtures: a tiny model that really sees, scenes for it, steps, and the command line."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from strategies import rectangles, tracks_of

from edge.cli.app import main
from edge.types import CountEvent, Stamp, Step, TrackState

CLIP = Path(__file__).parent / "data" / "people.mp4"
WIDTH, HEIGHT, SIDE = 64, 48, 16  # pixels: of the scenes, and of the square in them
MIDDLE = "middle=.5,0,.5,1"  # a line that the square crosses twice in 48 frames


class Result(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


class _Text(io.TextIOWrapper):
    """Text in memory that behaves like standard output, as far as `print` goes."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", newline="\n")

    def value(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode()  # type: ignore[attr-defined]


@pytest.fixture
def edge(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    """`edge ARGUMENTS` in this process, with everything that the real entry point does."""
    before = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}

    def run(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["edge", *map(str, arguments)])
        out, err = _Text(), _Text()
        with redirect_stdout(out), redirect_stderr(err):
            try:
                main()
                code: object = 0
            except SystemExit as end:
                code = end.code or 0
        assert isinstance(code, int), code
        return Result(code, out.value(), err.value())

    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def edge_process() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """`edge ARGUMENTS` as a process of its own, without a display."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
        bare = {k: v for k, v in os.environ.items() if "DISPLAY" not in k}
        process = subprocess.Popen(
            [sys.executable, "-m", "edge", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=bare | environment,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def square_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model in the YOLO-seg raw convention that finds bright squares of 16 pixels."""
    path = tmp_path_factory.mktemp("model") / "square.onnx"
    onnx.save(square_finder(), path)
    return path


def square_finder() -> onnx.ModelProto:
    """Input (1, 3, 48, 64). A cell every 2 pixels scores how bright its 16 x 16 pixels are."""
    ys, xs = np.meshgrid(
        np.arange(0, HEIGHT - SIDE + 1, 2), np.arange(0, WIDTH - SIDE + 1, 2), indexing="ij"
    )
    places = np.stack([xs.ravel() + SIDE / 2, ys.ravel() + SIDE / 2])
    cells = places.shape[1]
    constants = {
        "boxes": np.concatenate([places, np.full_like(places, SIDE)])[None].astype(np.float32),
        "coefficients": np.ones((1, 1, cells), np.float32),
        "flat": np.array([1, 1, cells], np.int64),
        "dark": np.float32(0.8),  # a square 4 pixels off is none: cells next to it stay silent
        "gain": np.float32(4.5),
        "half": np.float32(0.5),
    }
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["grey"], axes=[1], keepdims=1),
        helper.make_node(
            "AveragePool", ["grey"], ["bright"], kernel_shape=[SIDE, SIDE], strides=[2, 2]
        ),
        helper.make_node("Reshape", ["bright", "flat"], ["row"]),
        helper.make_node("Sub", ["row", "dark"], ["over"]),
        helper.make_node("Mul", ["over", "gain"], ["steep"]),
        helper.make_node("Relu", ["steep"], ["scores"]),
        helper.make_node("Concat", ["boxes", "scores", "coefficients"], ["output0"], axis=1),
        helper.make_node("AveragePool", ["grey"], ["cell"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Sub", ["cell", "half"], ["output1"]),
    ]
    shapes = {"output0": [1, 6, cells], "output1": [1, 1, HEIGHT // 4, WIDTH // 4]}
    picture = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, HEIGHT, WIDTH])
    graph = helper.make_graph(
        nodes,
        "square",
        [picture],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"names": "{0: 'person'}", "stride": "16"})
    onnx.checker.check_model(model)
    return model


def walk(frames: int, way: int, step_px: int) -> list[int]:
    """Left edge of a square that walks `way` pixels to and fro, for each frame."""
    there = list(range(0, way, step_px)) + list(range(way, 0, -step_px))
    return [there[k % len(there)] for k in range(frames)]


@pytest.fixture
def scene(tmp_path: Path) -> Callable[..., Path]:
    """Makes a video of a bright square that walks to and fro, at the given times."""

    def make(
        name: str = "scene.mp4",
        frames: int = 60,
        pts: Iterable[int] | None = None,
        size: tuple[int, int] = (WIDTH, HEIGHT),
        codec: str = "libx264",
        pix_fmt: str = "yuv420p",
        step_px: int = 2,
        side: int = SIDE,
    ) -> Path:
        path, (width, height), tick = tmp_path / name, size, Fraction(1, 10)
        options = {"movflags": "+faststart"} if path.suffix == ".mp4" else {}
        times = range(frames) if pts is None else pts
        with av.open(str(path), "w", options=options) as container:
            stream = container.add_stream(codec, rate=10)
            stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
            stream.codec_context.time_base = tick
            stream.codec_context.thread_count = 1
            stream.options = {"preset": "ultrafast", "g": "10"} if codec == "libx264" else {}
            lefts = walk(frames, max(step_px, width - side), step_px)
            for left, time in zip(lefts, times, strict=True):
                image = np.zeros((height, width, 3), np.uint8)
                image[16 : 16 + side, left : left + side] = 255
                frame = av.VideoFrame.from_ndarray(image, format="bgr24")
                frame.pts, frame.time_base = time, tick
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return make


@pytest.fixture
def make_step() -> Callable[..., Step]:
    """Makes a step of full boxes, each with a track of the same number."""

    def make(
        frame: int = 0,
        boxes: Iterable[tuple[int, int, int, int]] = (),
        class_ids: Iterable[int] | None = None,
        states: Iterable[int] | None = None,
        size: tuple[int, int] = (WIDTH, HEIGHT),
        events: tuple[CountEvent, ...] = (),
        with_image: bool = False,
    ) -> Step:
        (width, height), windows = size, list(boxes)
        n = len(windows)
        classes = np.array(list(class_ids or [0] * n), np.int32)
        scores = (0.9 - 0.1 * np.arange(n)).astype(np.float32)
        instances = rectangles(windows, scores, classes, (height, width))
        tracks = tracks_of(
            instances.boxes,
            states=np.array(list(states or [TrackState.CONFIRMED] * n), np.uint8),
            class_ids=classes,
            scores=scores,
        )
        image = np.full((height, width, 3), 90, np.uint8) if with_image else None
        return Step(Stamp(frame, frame / 10), image, instances, tracks, events)

    return make
