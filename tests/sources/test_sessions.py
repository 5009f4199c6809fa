"""What a live source tells, without cameras and without waiting."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livefakes import Scene


def kinds(scene):
    return [notice.kind for notice in scene.notices]


def test_the_first_session_begins_without_a_word():
    scene = Scene(session=7)
    scene.sessions.connected()
    scene.show(3)
    assert scene.notices == []
    assert [stamp.frame for stamp in scene.stamps] == [0, 1, 2]
    assert scene.stamps[0].media_s == pytest.approx(0.1)
    assert scene.sessions.stats.connected
    assert scene.sessions.stats.session == 7


def test_a_camera_away_at_the_start_is_told_once_and_keeps_its_session():
    scene = Scene(session=7)
    for _ in range(3):
        scene.wait(2.0)
        scene.sessions.lose("cannot connect: connection refused")
    scene.sessions.connected()
    scene.show()
    lost, restored = scene.notices
    assert (lost.kind, lost.session, lost.stamp.frame) == ("source_lost", 7, 0)
    assert lost.reason == "cannot connect: connection refused"
    assert (restored.kind, restored.session) == ("source_restored", 7)
    assert restored.gap_s == pytest.approx(6.1)
    assert scene.taken.index(restored) < scene.taken.index(scene.stamps[0])
    scene.sessions.lose("the stream ended")
    scene.sessions.connected()
    scene.show()
    assert scene.notices[-1].session == 8


def test_each_recovery_is_a_session_with_its_gap():
    scene = Scene()
    for k in range(3):
        scene.sessions.connected()
        scene.show(5, pts_s=None)
        scene.wait(1.5)
        assert scene.sessions.lose("the stream ended") is False
        scene.wait(k)
        assert scene.sessions.lose("the stream ended") is False
        assert scene.sessions.lose("cannot connect: no route") is True
    assert kinds(scene) == ["source_lost", "source_restored"] * 2 + ["source_lost"]
    assert [n.session for n in scene.notices] == [1, 2, 2, 3, 3]
    gaps = [n.gap_s for n in scene.notices if n.kind == "source_restored"]
    assert gaps == pytest.approx([1.6, 2.6])
    assert scene.sessions.stats.reconnects == 2
    assert [stamp.frame for stamp in scene.stamps] == list(range(15))
    times = [item.stamp.media_s if hasattr(item, "stamp") else item.media_s for item in scene.taken]
    assert times == sorted(times)


def test_another_size_in_mid_stream_is_another_session():
    scene = Scene()
    scene.sessions.connected()
    scene.show(2, size=(768, 576))
    scene.show(2, size=(384, 288))
    lost, restored = scene.notices
    assert lost.reason == "the picture changed from 768x576 to 384x288"
    assert (lost.session, restored.session) == (1, 2)
    assert restored.gap_s == pytest.approx(0.1)
    assert [s.frame for s in scene.stamps] == [0, 1, 2, 3]
    assert scene.taken[2:4] == [lost, restored]


def test_a_camera_that_returns_with_another_size_says_so_by_its_session_alone():
    scene = Scene()
    scene.sessions.connected()
    scene.show(2, size=(768, 576))
    scene.sessions.lose("the stream ended")
    scene.sessions.connected()
    scene.show(2, size=(384, 288))
    assert kinds(scene) == ["source_lost", "source_restored"]


def test_a_frozen_picture_is_connected_again_and_lost_until_it_moves():
    scene = Scene(frozen_s=5.0)
    scene.sessions.connected()
    scene.show(3)
    scene.show(45, content=1)
    assert kinds(scene) == []
    scene.show(20, content=1)
    (lost,) = scene.notices
    assert lost.reason == "frozen: the same picture for 5 s"
    assert scene.sessions.frozen() == lost.reason
    assert not scene.sessions.stats.connected
    scene.sessions.connected()  # again
    assert scene.sessions.frozen() is None
    scene.show(20, content=1)
    assert scene.sessions.frozen() is None
    scene.show(40, content=1)
    assert scene.sessions.frozen() is not None  # this connection did not help either
    assert len(scene.notices) == 1
    shown = scene.sessions.stats.received
    scene.show(1)
    assert kinds(scene) == ["source_lost", "source_restored"]
    assert lost.unseen_s == pytest.approx(5.0, abs=1.1)
    assert scene.notices[-1].gap_s == pytest.approx(12.5, abs=1.1)  # all 125 equal pictures
    assert scene.stamps[-1].frame == shown
    assert scene.sessions.frozen() is None


def test_a_black_picture_is_lost_until_it_returns_without_connecting_again():
    scene = Scene(frozen_s=3.0, black_s=2.0)
    scene.sessions.connected()
    scene.show(5)
    scene.show(60, level=5, content=1)
    (lost,) = scene.notices
    assert lost.reason == "black: nothing to see for 2 s"
    assert scene.sessions.frozen() is None
    scene.show(1)
    assert kinds(scene) == ["source_lost", "source_restored"]
    assert scene.notices[-1].gap_s == pytest.approx(6.0, abs=1.1)
    scene.show(30)
    assert len(scene.notices) == 2


def test_a_black_picture_has_been_lost_since_it_is_black():
    scene = Scene(black_s=10.0)
    scene.sessions.connected()
    scene.show(20)
    seen_s = scene.sessions.stats.last_frame_s
    scene.show(120, level=5)
    assert scene.notices[0].unseen_s == pytest.approx(10.0, abs=1.1)
    assert scene.sessions.stats.last_frame_s == pytest.approx(seen_s, abs=1.1)
    scene.show(10)
    assert scene.notices[-1].gap_s == pytest.approx(12.0, abs=1.1)


def test_a_connection_that_breaks_was_seen_until_then():
    scene = Scene()
    scene.sessions.connected()
    scene.show(10, content=1)
    scene.wait(2.0)
    scene.sessions.lose("the stream ended")
    assert scene.notices[0].unseen_s == 0.0


def test_nothing_is_looked_for_that_was_not_asked_for():
    scene = Scene(frozen_s=None, black_s=None)
    scene.sessions.connected()
    scene.show(1000, level=0, content=1)
    assert scene.notices == []


def test_the_newest_frame_wins_and_drops_are_told_every_ten_seconds():
    scene = Scene()
    scene.sessions.connected()
    scene.show(250, is_taken=False)
    assert scene.sessions.stats.dropped == 249
    told, newest = scene.take()
    assert newest.frame == 249
    assert told.kind == "frames_dropped"
    assert 190 <= told.frames <= 249
    assert scene.take() == []
    scene.show(130, is_taken=False)
    more, _ = scene.take()
    scene.show(2, is_taken=False)
    scene.sessions.lose("the stream ended")
    rest = scene.take()
    assert [getattr(item, "kind", "frame") for item in rest] == [
        "frames_dropped",
        "frame",
        "source_lost",
    ]
    assert told.frames + more.frames + rest[0].frames == scene.sessions.stats.dropped


def test_the_end_tells_of_frames_that_were_dropped():
    scene = Scene()
    scene.sessions.connected()
    scene.show(5, is_taken=False)
    scene.sessions.close()
    assert [(n.kind, n.frames) for n in scene.take()] == [("frames_dropped", 4)]
    scene.sessions.close()
    assert scene.take() == []


@given(st.lists(st.sampled_from(["show", "take", "lose", "connect", "wait"]), max_size=60))
def test_frames_are_newer_and_sessions_are_bracketed_whatever_happens(acts):
    scene = Scene(session=3)
    for act in acts:
        if act == "show":
            scene.show(is_taken=False)
        elif act == "take":
            scene.take()
        elif act == "lose":
            scene.sessions.lose("gone")
        elif act == "connect":
            scene.sessions.connected()
        else:
            scene.wait(4.0)
    frames = [stamp.frame for stamp in scene.stamps]
    assert frames == sorted(set(frames))
    media = [stamp.media_s for stamp in scene.stamps]
    assert all(a < b for a, b in pairwise(media))
    changes = [n for n in scene.notices if n.kind in ("source_lost", "source_restored")]
    assert all(n.kind == ("source_lost", "source_restored")[k % 2] for k, n in enumerate(changes))
    sessions = [n.session for n in changes]
    assert sessions == sorted(sessions)
    dropped = sum(n.frames for n in scene.notices)
    stats = scene.sessions.stats
    assert dropped <= stats.dropped
    assert stats.received == len(scene.stamps) + stats.dropped + stats.left_out


@pytest.mark.parametrize(("max_fps", "expected"), [(5.0, 100), (4.0, 80), (10.0, 200), (3.0, 60)])
def test_the_rate_is_capped_on_average(max_fps, expected):
    scene = Scene(max_fps=max_fps)
    scene.sessions.connected()
    scene.show(200)
    assert len(scene.stamps) == pytest.approx(expected, abs=2)
    stats = scene.sessions.stats
    assert stats.left_out == 200 - len(scene.stamps)
    assert stats.dropped == 0


def test_a_step_of_this_machines_clock_is_told_before_its_frame():
    scene = Scene()
    scene.sessions.connected()
    scene.show(3)
    scene.utc_offset_s -= 3600.0
    scene.show(3)
    (step,) = scene.notices
    assert step.kind == "clock_step"
    assert step.step_s == pytest.approx(-3600.0)
    assert scene.taken[3] is step
    walls = [stamp.wall.utc_s for stamp in scene.stamps]
    assert walls[3] - walls[2] == pytest.approx(-3599.9)
    for _ in range(100):  # as NTP does it
        scene.utc_offset_s += 0.01
        scene.show()
    assert len(scene.notices) == 1


def test_a_picture_out_of_order_is_left_out():
    scene = Scene()
    scene.sessions.connected()
    for pts_s in (5.0, 5.1, 5.1, 5.05, 5.2):
        scene.show(pts_s=pts_s)
    assert len(scene.stamps) == 3
    assert scene.sessions.stats.broken == 2
