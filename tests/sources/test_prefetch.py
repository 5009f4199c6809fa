from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from edge.sources import open_source
from edge.sources.prefetch import AHEAD, Prefetch
from edge.types import Frame, Stamp


def frames(count: int, made: list[int], error: BaseException | None = None) -> Iterator[Frame]:
    for k in range(count):
        made.append(k)
        yield Frame(Stamp(k, float(k)), np.zeros((1, 1, 3), np.uint8))
    if error is not None:
        raise error


def wait_for(condition) -> None:
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.002)
    assert condition()


def test_all_frames_in_order():
    with Prefetch(frames(50, [])) as ahead:
        assert [f.stamp.frame for f in ahead] == list(range(50))
        assert next(ahead, None) is None


def test_it_waits_when_nobody_takes():
    made: list[int] = []
    with Prefetch(frames(100, made)) as ahead:
        wait_for(lambda: len(made) == AHEAD + 1)  # one in hand, waiting for room
        time.sleep(0.02)
        assert len(made) == AHEAD + 1
        next(ahead)
        wait_for(lambda: len(made) == AHEAD + 2)


def test_polling_never_waits():
    hold, ready, waits = threading.Event(), threading.Event(), []

    def slow() -> Iterator[Frame]:
        yield from frames(2, [])
        waits.append(True)
        hold.wait(20)
        yield from frames(1, [])
        raise ValueError("bad")

    with Prefetch(slow(), on_ready=ready.set) as ahead:
        wait_for(lambda: waits)
        assert ready.is_set()
        assert [ahead.poll().stamp.frame, ahead.poll().stamp.frame] == [0, 1]
        ready.clear()
        assert ahead.poll() is None
        assert not ahead.ended
        hold.set()
        assert ready.wait(20)
        assert ahead.poll().stamp.frame == 0
        with pytest.raises(ValueError, match="bad"):
            wait_for(ahead.poll)
        assert ahead.ended
        assert ahead.poll() is None


@pytest.mark.parametrize("error", [ValueError("bad"), MemoryError(), KeyboardInterrupt()])
def test_an_exception_arrives_after_the_frames_before_it(error):
    with Prefetch(frames(2, [], error)) as ahead:
        assert [next(ahead).stamp.frame, next(ahead).stamp.frame] == [0, 1]
        with pytest.raises(type(error)):
            next(ahead)
        assert next(ahead, None) is None


@pytest.mark.parametrize("taken", [0, 1, 7])
def test_closing_early_ends_the_thread(taken):
    ahead = Prefetch(frames(10**9, []))
    for _ in range(taken):
        next(ahead)
    assert ahead.close()
    assert ahead.close()
    assert next(ahead, None) is None


def test_closing_wakes_a_waiting_consumer():
    hold = threading.Event()

    def slow() -> Iterator[Frame]:
        hold.wait(20)
        yield from frames(1, [])

    ahead = Prefetch(slow())
    got: list[object] = []
    consumer = threading.Thread(target=lambda: got.append(next(ahead, None)))
    consumer.start()
    assert not ahead.close(patience_s=0.01)  # the read hangs: it is left alone
    consumer.join(20)
    assert got == [None]
    hold.set()


def test_sources_give_the_same_frames_without_reading_ahead(scene, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    path = scene(frames=12)

    def readers() -> int:
        return [t.name for t in threading.enumerate()].count("edge-source")

    before = readers()  # of other tests
    with open_source(str(path)) as source:
        for frame in source:
            cv2.imwrite(str(folder / f"{frame.stamp.frame}.png"), frame.image)
    for each in (path, folder):
        found = []
        for reads_ahead in (True, False):
            with open_source(str(each), reads_ahead) as source:
                first = next(source)
                assert readers() - before == reads_ahead
                found.append([(f.stamp, f.image.tobytes()) for f in (first, *source)])
        assert found[0] == found[1]
        assert len(found[0]) == 12
