from __future__ import annotations

import threading
import time

import pytest

from edge.errors import SourceError
from edge.sources import PacedFeed, RecordedFeed, VideoFile


class Clock:
    """Time that passes when it is told to."""

    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s


def taken(feed):
    found = []
    deadline = time.monotonic() + 30
    while not feed.ended:
        assert time.monotonic() < deadline
        if (frame := feed.poll()) is not None:
            found.append((frame.stamp, frame.image.tobytes()))
    return found


def test_a_recording_gives_every_frame_and_polling_never_waits(scene):
    path = scene(frames=50)
    feed = RecordedFeed(VideoFile(path, reads_ahead=False))
    with VideoFile(path) as plain:
        assert taken(feed) == [(frame.stamp, frame.image.tobytes()) for frame in plain]
    assert feed.poll() is None
    feed.close()


def test_a_recording_that_hangs_is_not_waited_for():
    hold = threading.Event()

    class Hanging:
        is_closed = False

        def __iter__(self):
            hold.wait(20)
            yield from ()

        def close(self):
            self.is_closed = True

    source = Hanging()
    feed = RecordedFeed(source)
    assert feed.poll() is None
    assert not feed.ended
    feed.close(0.01)
    assert not source.is_closed  # its thread is still in it
    assert feed.poll() is None
    hold.set()
    feed.close(20.0)
    assert source.is_closed


def test_an_unreadable_rest_ends_a_recording(caplog):
    class Torn:
        def __iter__(self):
            raise SourceError("clip.mp4: expected more video after 3.0 s, got an error")
            yield

        def close(self):
            pass

    feed = RecordedFeed(Torn())
    assert taken(feed) == []
    assert "expected more video after 3.0 s" in caplog.text


def test_a_paced_recording_that_is_closed_gives_nothing_more(paced):
    feed, clock = paced()
    feed.poll()
    feed.close()
    clock.now_s += 10.0
    assert feed.poll() is None


@pytest.fixture
def paced(scene):
    """A feed of ten frames, 0.1 s apart, and its clock."""
    clock = Clock()
    path = scene(frames=10)
    feeds = []

    def make(fps=None):
        feeds.append(PacedFeed(lambda: VideoFile(path), fps, clock))
        return feeds[-1], clock

    yield make
    for feed in feeds:
        feed.close()


def test_the_newest_frame_that_is_due_and_the_others_are_dropped(paced):
    feed, clock = paced()
    assert feed.fps == 10.0
    first = feed.poll()
    assert (first.stamp.frame, first.stamp.media_s, first.arrived_s) == (0, 0.0, 100.0)
    assert feed.poll() is None
    assert feed.due_s == pytest.approx(100.1)
    clock.now_s = 100.35
    newest = feed.poll()
    assert (newest.stamp.frame, feed.dropped) == (3, 2)
    assert newest.arrived_s == pytest.approx(100.3)


def test_it_begins_again_and_time_goes_on(paced):
    feed, clock = paced()
    feed.start(100.0)
    seen = []
    for k in range(25):
        clock.now_s = 100.0 + k / 10 + 1e-6
        seen.append(feed.poll().stamp)
    assert [stamp.frame for stamp in seen] == list(range(25))
    assert [stamp.media_s for stamp in seen] == pytest.approx([k / 10 for k in range(25)])
    assert (feed.dropped, feed.ended) == (0, False)


def test_another_rate(paced):
    feed, clock = paced(fps=20.0)
    feed.start(101.0)
    clock.now_s = 100.99
    assert feed.poll() is None
    clock.now_s = 102.001
    assert feed.poll().stamp.media_s == pytest.approx(1.0)
    assert feed.dropped == 20


def test_frames_say_when_they_were_due_by_the_clock_of_the_main_loop(scene):
    path = scene(frames=2)
    before_s = time.monotonic()
    feed = PacedFeed(lambda: VideoFile(path))
    frame = feed.poll()
    feed.close()
    assert before_s <= frame.arrived_s <= time.monotonic()
