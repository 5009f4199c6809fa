"""TensorRT's engines on disk: a folder for each, one builder at a time, and word while it lasts.

onnxruntime names an engine by the graph's name and its inputs, not by the weights: two models of
one export would take each other's engine (microsoft/onnxruntime#32254). So a folder here is named
for all that an engine depends on.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.segment.providers import Options, kept_in

log = logging.getLogger("edge.segment")

SAY_EVERY_S = 15.0
FIRST_WORD_S = 3.0  # an engine that is there loads sooner


@dataclass(frozen=True, slots=True)
class Engine:
    """All that an engine depends on."""

    model_sha256: str
    shape: str  # of the input, such as 1x3x640x640, or the three of a profile
    precision: str  # fp16 or fp32
    onnxruntime: str
    tensorrt: str
    gpu: str  # name and compute capability
    options: Mapping[str, str]  # of the provider, without paths

    @property
    def folder_name(self) -> str:
        """A name for its folder: for people to read, different for every other engine."""
        stated = ",".join(f"{key}={self.options[key]}" for key in sorted(self.options))
        parts = (
            self.model_sha256[:16],
            self.shape,
            self.precision,
            f"ort{self.onnxruntime}",
            f"trt{self.tensorrt}",
            self.gpu,
            hashlib.sha256(stated.encode()).hexdigest()[:8],
        )
        return "-".join(_plain(part) for part in parts)

    @property
    def timing_name(self) -> str:
        """A name for the folder of timings, that all models of this TensorRT and GPU share."""
        return _plain(f"timing-trt{self.tensorrt}-{self.gpu}")


def cache_folder(environment: Mapping[str, str], home: Path) -> Path:
    """Where engines lie by default: the service's folder, or the user's.

    >>> cache_folder({"CACHE_DIRECTORY": "/var/cache/edgecount"}, Path("/root")).as_posix()
    '/var/cache/edgecount'
    >>> cache_folder({}, Path("/home/me")).as_posix()
    '/home/me/.cache/edgecount'
    """
    if given := environment.get("CACHE_DIRECTORY"):
        return Path(given.partition(":")[0])
    base = environment.get("XDG_CACHE_HOME")
    return (Path(base) if base else home / ".cache") / "edgecount"


@contextlib.contextmanager
def one_builder(folder: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of an engine's folder, which is made; wait for another process that builds it.

    Args:
        folder: of the engine.
        say: told once if there is somebody to wait for.

    Raises:
        OSError: the folder cannot be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # The kernel gives the lock back when its owner dies, so none is ever stale.
    lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another process builds the same TensorRT engine; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


@contextlib.contextmanager
def told_while(
    say: Callable[[str], None], first_s: float = FIRST_WORD_S, every_s: float = SAY_EVERY_S
) -> Iterator[None]:
    """Say again and again that an engine is built, and how long it has taken, from another thread.

    Args:
        say: told a line each time.
        first_s: seconds before the first.
        every_s: seconds from one to the next.
    """
    done, began_s = threading.Event(), time.monotonic()

    def talk() -> None:
        wait_s = first_s
        while not done.wait(wait_s):
            spent_s = time.monotonic() - began_s
            say(
                "building the TensorRT engine, which takes minutes on a Jetson the first time; "
                f"{spent_s:.0f} s so far"
            )
            wait_s = every_s

    thread = threading.Thread(target=talk, name="edge-engine", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@contextlib.contextmanager
def kept(engine: Engine, root: Path, say: Callable[[str], None]) -> Iterator[Options]:
    """Options that keep an engine, while nobody else builds it.

    Args:
        engine: the engine.
        root: folder of all engines.
        say: told how it goes while one is built.
    """
    folder, timing = root / engine.folder_name, root / engine.timing_name
    with contextlib.ExitStack() as held:
        options = kept_in(str(folder), str(timing))
        try:
            held.enter_context(one_builder(folder, say))
            timing.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            trouble = f"TensorRT engines cannot be kept there ({error.strerror}) and are built"
            log.warning("%s: %s at every start; set model.tensorrt.cache", root, trouble)
            options = {}
        if not (options and has_engine(folder)):
            held.enter_context(told_while(say))
        yield options


def has_engine(folder: Path) -> bool:
    """Whether an engine lies in a folder."""
    return any(folder.glob("*.engine"))


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._]+", "_", text)
