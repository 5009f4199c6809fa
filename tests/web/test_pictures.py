from __future__ import annotations

import asyncio
import logging
import threading
import time

import pytest
from live import wait_for

from edge.web.pictures import Pictures


class Drawn:
    """What was drawn; a picture is the text of its scene."""

    def __init__(self) -> None:
        self.scenes: list[tuple[str, object]] = []
        self.threads: set[str] = set()

    def __call__(self, camera: str, scene: object) -> bytes:
        self.scenes.append((camera, scene))
        self.threads.add(threading.current_thread().name)
        if scene == "broken":
            raise ValueError("cannot draw that")
        return str(scene).encode()


@pytest.fixture
def drawn() -> Drawn:
    return Drawn()


@pytest.fixture
def pictures(drawn):
    made = Pictures(drawn, most_fps=200.0)
    yield made
    made.close(5.0)
    assert not [t for t in threading.enumerate() if t.name == "edge-pictures"]


def test_nothing_is_drawn_for_nobody(pictures, drawn):
    for k in range(100):
        pictures.offer("gate", k)
    time.sleep(0.1)
    assert drawn.scenes == []
    assert pictures.viewers == 0
    assert pictures.fps("gate") > 100
    assert pictures.fps("yard") == 0.0


def test_who_comes_late_sees_the_last_scene(pictures):
    pictures.offer("gate", "last")
    assert asyncio.run(pictures.still("gate")) == b"last"
    assert asyncio.run(pictures.still("gate")) == b"last"  # again: it is drawn anew
    assert pictures.viewers == 0


def test_without_a_scene_there_is_no_picture(pictures):
    assert asyncio.run(pictures.still("gate", 0.05)) is None
    assert pictures.viewers == 0


def test_one_drawing_serves_all_viewers(pictures, drawn):
    async def watch(count: int) -> list[bytes]:
        seen = []
        async for jpeg in pictures.newest("gate"):
            seen.append(jpeg)
            if len(seen) == count:
                break
        return seen

    async def look() -> list[list[bytes]]:
        viewers = [asyncio.create_task(watch(5)) for _ in range(8)]
        k = 0
        while not all(viewer.done() for viewer in viewers):
            pictures.offer("gate", k)
            k += 1
            await asyncio.sleep(0.02)
        return [viewer.result() for viewer in viewers]

    for seen in asyncio.run(look()):
        order = [int(jpeg) for jpeg in seen]
        assert order == sorted(set(order))
    scenes = [scene for _, scene in drawn.scenes]
    assert len(scenes) == len(set(scenes)), "each was drawn once"
    assert drawn.threads == {"edge-pictures"}


def test_a_slow_viewer_skips_pictures_and_holds_up_nobody(pictures):
    async def look() -> list[int]:
        seen = []
        async for jpeg in pictures.newest("gate"):
            seen.append(int(jpeg))
            if len(seen) == 3:
                return seen
            for k in range(50):  # they come while this viewer is busy
                began_s = time.perf_counter()
                pictures.offer("gate", len(seen) * 100 + k)
                assert time.perf_counter() - began_s < 5.0
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.05)
        return seen

    pictures.offer("gate", 0)
    assert asyncio.run(look()) == [0, 149, 249]


def test_pictures_come_no_faster_than_asked_for(drawn):
    pictures = Pictures(drawn, most_fps=20.0)

    async def look() -> None:
        viewer = pictures.newest("gate")
        for k in range(100):
            pictures.offer("gate", k)
            if k == 0:
                await anext(viewer)
            await asyncio.sleep(0.005)
        await viewer.aclose()

    began_s = time.perf_counter()
    asyncio.run(look())
    elapsed_s = time.perf_counter() - began_s
    pictures.close(5.0)
    assert 2 <= len(drawn.scenes) <= 20.0 * elapsed_s + 2


def test_a_scene_that_cannot_be_drawn_is_said_and_the_next_one_comes(pictures, caplog):
    async def look() -> bytes:
        viewer = pictures.newest("gate")
        pictures.offer("gate", "broken")
        waiting = asyncio.ensure_future(anext(viewer))
        await asyncio.sleep(0.1)
        pictures.offer("gate", "good")
        try:
            return await asyncio.wait_for(waiting, 10.0)
        finally:
            await viewer.aclose()

    with caplog.at_level(logging.ERROR):
        assert asyncio.run(look()) == b"good"
    assert "cannot draw that" in caplog.text


def test_closing_lets_viewers_go(pictures):
    pictures.offer("gate", 1)

    async def look() -> int:
        seen = 0
        async for _ in pictures.newest("gate"):
            seen += 1
            threading.Thread(target=pictures.close, args=(5.0,)).start()
        return seen

    assert asyncio.run(look()) == 1


def test_a_forgotten_camera_keeps_no_frame(pictures):
    pictures.offer("gate", 1)
    pictures.forget("gate")
    pictures.forget("gate")
    assert asyncio.run(pictures.still("gate", 0.05)) is None
    wait_for(lambda: pictures.viewers == 0)


def test_viewers_of_a_forgotten_camera_are_let_go(pictures):
    async def look() -> list[bytes]:
        viewer = pictures.newest("gate")
        pictures.offer("gate", "old")
        seen = [await anext(viewer)]
        pictures.forget("gate")
        pictures.offer("gate", "of another camera with that name")
        seen += [jpeg async for jpeg in viewer]
        return seen

    assert asyncio.run(asyncio.wait_for(look(), 20.0)) == [b"old"]
