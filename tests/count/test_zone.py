from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import rectangles, stamps, standing

from edge.count.crowd import Crowd, Overcrowding
from edge.count.line import Band
from edge.count.zone import ZoneCounter, ZoneTimes
from edge.testing import (
    CAR,
    CLASS_GROUPS,
    PERSON,
    TRUCK,
    Actor,
    Noise,
    frames,
    times,
    zone_counts,
)
from edge.track.settings import TrackerSettings
from edge.track.tracker import Tracker
from edge.types import Stamp, TrackState

RIGID = (False, True, True)  # of CLASS_GROUPS
BAND = Band(height_share=0.0, min_px=4.0)
SQUARE = np.array([[100.0, 100.0], [200.0, 100.0], [200.0, 200.0], [100.0, 200.0]])


def counter(polygon=SQUARE, class_ids=None, dwell_s=None) -> ZoneCounter:
    return ZoneCounter("yard", polygon, class_ids, BAND, ZoneTimes(0.3, 0.5, dwell_s))


def watched(xs, times_s, c=None, track_id=1, y=150.0):
    """Events of one track that stands at (x, y) at each time."""
    c = c or counter()
    events = []
    for stamp, x in zip(stamps(times_s), xs, strict=True):
        events += c.update(stamp, *standing({track_id: (x, y)}))
    return events


def every(step_s, count):
    return (step_s * np.arange(count)).tolist()


def kinds(events):
    return [e.kind.removeprefix("zone_") for e in events]


def test_a_visit_gives_an_entry_and_an_exit_with_its_length():
    xs = [50.0] * 10 + [150.0] * 30 + [250.0] * 10
    c = counter()
    entry, leave = watched(xs, every(0.1, 50), c)
    assert (entry.kind, entry.direction, entry.delta) == ("zone_entered", "in", 1)
    assert (leave.kind, leave.direction, leave.delta) == ("zone_exited", "out", 1)
    assert entry.media_s == pytest.approx(1.0)
    assert entry.frame == 10
    assert entry.decided.media_s == pytest.approx(1.3)
    assert leave.media_s == pytest.approx(4.0)
    assert leave.decided.media_s == pytest.approx(4.5)
    assert leave.dwell_s == pytest.approx(3.0)
    assert (entry.occupancy, leave.occupancy) == (1, 0)
    assert (c.totals.count_in, c.totals.count_out) == (1, 1)
    assert c.totals.by_class == {0: (1, 1)}


@pytest.mark.parametrize("fps", [5, 10, 30])
def test_times_do_not_depend_on_the_frame_rate(fps):
    when = times(6, fps)
    xs = [50.0 + 50 * t for t in when]  # inside from 1.08 s to 3.08 s, with the band
    entry, leave = watched(xs, when)
    assert entry.media_s == pytest.approx(1.08, abs=1 / fps)
    assert leave.media_s == pytest.approx(3.08, abs=1 / fps)
    assert leave.dwell_s == pytest.approx(2.0, abs=1 / fps)


def test_who_begins_inside_has_entered():
    events = watched([150.0] * 10, every(0.1, 10))
    assert kinds(events) == ["entered"]
    assert events[0].media_s == 0.0


@given(st.lists(st.floats(96.1, 103.9), min_size=3, max_size=40))
def test_lingering_on_the_edge_changes_nothing(jitter):
    when = every(0.2, len(jitter) + 20)
    assert watched([50.0] * 10 + jitter + [50.0] * 10, when) == []
    assert kinds(watched([150.0] * 10 + jitter + [150.0] * 10, when)) == ["entered"]


def test_a_short_look_inside_or_outside_changes_nothing():
    assert watched([50.0] * 5 + [150.0] * 2 + [50.0] * 5, every(0.1, 12)) == []
    events = watched([150.0] * 5 + [50.0] * 4 + [150.0] * 5, every(0.1, 14))
    assert kinds(events) == ["entered"]


def test_a_long_stay_is_told_once():
    c = counter(dwell_s=2.0)
    events = watched([150.0] * 60 + [250.0] * 10, every(0.1, 70), c)
    assert kinds(events) == ["entered", "dwell", "exited"]
    dwell = events[1]
    assert (dwell.delta, dwell.direction) == (0, "")
    assert dwell.dwell_s == pytest.approx(2.0, abs=0.11)
    assert dwell.media_s == pytest.approx(2.0, abs=0.11)
    again = watched([150.0] * 30, [7.0 + 0.1 * k for k in range(30)], c)
    assert kinds(again) == ["entered", "dwell"]


def test_a_short_stay_is_no_dwell():
    events = watched([150.0] * 15 + [250.0] * 10, every(0.1, 25), counter(dwell_s=2.0))
    assert kinds(events) == ["entered", "exited"]


def test_vanishing_inside_is_an_exit_at_the_last_sighting():
    c = counter()
    watched([150.0] * 11, every(0.1, 11), c)
    for k in range(11, 20):
        lost = standing({1: (150, 150)}, state=TrackState.LOST, is_seen=False)
        assert c.update(Stamp(k, 0.1 * k), *lost) == []
        assert c.occupancy == 1
    (leave,) = c.update(Stamp(20, 2.0), *standing({}, ended=[1]))
    assert leave.kind == "zone_exited"
    assert leave.media_s == pytest.approx(1.0)
    assert leave.frame == 10
    assert leave.decided == Stamp(20, 2.0)
    assert leave.dwell_s == pytest.approx(1.0)
    assert leave.track.track_id == 1
    assert c.occupancy == 0
    assert not len(c._live)
    assert not c._vanished


def test_vanishing_outside_is_nothing():
    c = counter()
    watched([50.0] * 5, every(0.1, 5), c)
    assert c.update(Stamp(5, 0.5), *standing({}, ended=[1])) == []
    assert not len(c._live)


def test_predicted_and_tentative_tracks_neither_enter_nor_leave():
    c = counter()
    for k in range(20):
        lost = standing({1: (150, 150)}, state=TrackState.LOST, is_seen=False)
        assert c.update(Stamp(k, 0.1 * k), *lost) == []
        young = standing({2: (150, 150)}, state=TrackState.TENTATIVE)
        assert c.update(Stamp(k, 0.1 * k), *young) == []
    assert c.occupancy == 0


def test_only_the_classes_asked_for_enter():
    c = counter(class_ids={CAR})
    for k in range(10):
        assert c.update(Stamp(k, 0.1 * k), *standing({1: (150, 150)}, class_id=PERSON)) == []
    events = []
    for k in range(10, 20):
        events += c.update(Stamp(k, 0.1 * k), *standing({2: (150, 150)}, class_id=CAR))
    assert c.totals.by_class == {CAR: (1, 0)}
    assert kinds(events) == ["entered"]


def test_the_share_of_the_zone_under_masks():
    c = counter()
    tracks, _ = standing({1: (150, 150)})
    instances = rectangles([(100, 100, 150, 200)])
    events = []
    for k in range(10):
        events += c.update(Stamp(k, 0.1 * k), tracks, instances)
    assert events[0].area_fraction == pytest.approx(0.5, abs=0.02)


def test_the_share_is_of_the_classes_that_count():
    c = counter(class_ids={PERSON})
    tracks, _ = standing({1: (150, 150)})
    instances = rectangles([(0, 0, 20, 20), (100, 100, 150, 200)], class_ids=[PERSON, CAR])
    events = []
    for k in range(5):
        events += c.update(Stamp(k, 0.1 * k), tracks, instances)
    assert [e.area_fraction for e in events] == [0.0]


def test_a_flicker_neither_loses_nor_restarts_a_stay():
    c = counter(dwell_s=2.0)
    events = []
    for k in range(31):
        is_lost = k % 5 in (1, 2, 3)
        state = TrackState.LOST if is_lost else TrackState.CONFIRMED
        seen = standing({1: (150, 150)}, state=state, is_seen=not is_lost)
        events += c.update(Stamp(k, 0.1 * k), *seen)
    assert kinds(events) == ["entered", "dwell"]
    assert events[0].media_s == 0.0
    assert c.occupancy == 1


def test_who_changes_class_inside_leaves_in_the_class_in_which_it_entered():
    c = counter(class_ids={CAR})
    events = []
    for k in range(30):
        x, class_id = (150 if k < 20 else 250), (CAR if k < 10 else TRUCK)
        events += c.update(Stamp(k, 0.1 * k), *standing({1: (x, 150)}, class_id=class_id))
    assert kinds(events) == ["entered", "exited"]
    assert events[1].dwell_s == pytest.approx(2.0)
    assert c.totals.by_class == {CAR: (1, 1)}


def crowded(crowd, occupancies, step_s=0.1):
    """What is said while so many tracks stand inside."""
    c = ZoneCounter("yard", SQUARE, None, BAND, ZoneTimes(0.3, 0.5, None), crowd)
    events = []
    for k, n in enumerate(occupancies):
        ended = range(n + 1, occupancies[k - 1] + 1) if k else ()
        feet = {i + 1: (110 + 20 * i, 150) for i in range(n)}
        events += c.update(Stamp(k, step_s * k), *standing(feet, list(ended)))
    return [e for e in events if e.kind in ("zone_occupancy", *OVER)]


OVER = ("overcrowding_started", "overcrowding_ended")


def test_overcrowding_by_tracks_is_told_once_and_ended_once():
    events = crowded(Crowd(tracks=3), [2] * 10 + [3] * 20 + [2] * 20)
    assert [e.kind for e in events] == [*OVER]
    started, ended = events
    assert (started.track, started.delta, started.direction) == (None, 0, "")
    assert (started.occupancy, ended.occupancy) == (3, 2)
    assert started.media_s == pytest.approx(1.3)  # when the third had entered for good
    assert started.decided.media_s == pytest.approx(1.6)
    assert ended.decided.media_s == pytest.approx(3.5)


def test_a_short_crowd_is_none():
    assert crowded(Crowd(tracks=3), [2] * 10 + [3] * 5 + [2] * 20) == []


def test_overcrowding_by_area_has_slack():
    rule = Overcrowding(Crowd(area_share=0.5), 0.0, 0.0)
    shares = [0.4, 0.5, 0.46, 0.5, 0.44, 0.46]
    changes = [rule.update(Stamp(k, float(k)), 0, s) for k, s in enumerate(shares)]
    assert changes == [None, (True, Stamp(1, 1.0)), None, None, (False, Stamp(4, 4.0)), None]
    assert Crowd(area_share=0.5).is_limited
    assert not Crowd(every_s=3.0).is_limited


def test_a_crowd_that_nobody_sees_end_ends_with_the_pictures():
    c = ZoneCounter("yard", SQUARE, None, BAND, ZoneTimes(0.3, 0.5), Crowd(tracks=2))
    both = {1: (150.0, 150.0), 2: (160.0, 150.0)}
    for stamp in stamps(every(0.1, 10)):
        c.update(stamp, *standing(both))
    ended = c.finish()
    assert [e.kind for e in ended] == ["zone_exited", "zone_exited", "overcrowding_ended"]
    assert [e.occupancy for e in ended] == [1, 0, 0]
    assert ended[-1].media_s == pytest.approx(0.9)
    assert c.finish() == []


def test_occupancy_is_told_at_intervals():
    events = crowded(Crowd(every_s=1.0), [1] * 35)
    assert [e.media_s for e in events] == pytest.approx([0.0, 1.0, 2.0, 3.0])
    assert [e.occupancy for e in events] == [0, 1, 1, 1]
    assert {e.kind for e in events} == {"zone_occupancy"}
    after_a_gap = crowded(Crowd(every_s=1.0), [1] * 4, step_s=2.5)
    assert [e.media_s for e in after_a_gap] == [0.0, 2.5, 5.0, 7.5]


# Anything may happen: the books must balance.

presences = st.lists(
    st.dictionaries(st.integers(1, 4), st.sampled_from([50.0, 98.0, 102.0, 150.0, 250.0])),
    min_size=1,
    max_size=60,
)


@given(presences, st.lists(st.integers(0, 4), min_size=60, max_size=60))
def test_the_books_balance(film, endings):
    c = counter(dwell_s=1.0)
    events = []
    gone: set[int] = set()
    for k, (xs, ending) in enumerate(zip(film, endings, strict=False)):
        ended = [ending] if ending and ending not in gone and k % 7 == 6 else []
        gone |= set(ended)
        feet = {i: (x, 150.0) for i, x in xs.items() if i not in gone}
        events += c.update(Stamp(k, 0.2 * k), *standing(feet, ended))
        assert c.occupancy >= 0
        assert c.occupancy == c.totals.count_in - c.totals.count_out
    assert c.totals.count_in == sum(e.delta for e in events if e.direction == "in")
    assert c.totals.count_out == sum(e.delta for e in events if e.direction == "out")
    assert all(e.occupancy >= 0 for e in events)
    assert all(e.dwell_s >= 0 for e in events)
    assert all(e.media_s <= e.decided.media_s for e in events)
    for track_id in range(1, 5):
        mine = [e.kind for e in events if e.track.track_id == track_id and e.kind != "zone_dwell"]
        assert mine[:1] in ([], ["zone_entered"])
        assert all(a != b for a, b in pairwise(mine))


def test_20000_short_tracks_leave_nothing_behind():
    c = counter()
    most = 0
    for k in range(2000):
        mine, gone = range(10 * k + 1, 10 * k + 11), range(10 * k - 9, 10 * k + 1) if k else []
        c.update(Stamp(k, float(k)), *standing({i: (150, 150) for i in mine}, list(gone)))
        most = max(most, len(c._live), len(c._vanished))
    assert most == 10
    c.update(Stamp(2000, 2000.0), *standing({}, list(mine)))
    assert not len(c._live)
    assert not c._vanished
    assert c.occupancy == 0


# Synthetic scene -> tracker -> counter.

YARD = np.array([[100.0, 120.0], [220.0, 110.0], [230.0, 235.0], [90.0, 230.0]])
VISITS = [
    Actor(PERSON, 24, 60, ((0.0, 30, 180), (6.0, 290, 180))),  # through
    Actor(PERSON, 24, 60, ((0.0, 150, 150), (2.0, 150, 160), (5.0, 300, 160))),  # begins inside
    Actor(PERSON, 24, 60, ((3.0, 20, 215), (6.0, 160, 215), (9.0, 20, 215))),  # in and back
    Actor(PERSON, 24, 60, ((7.0, 300, 140), (10.0, 160, 140))),  # vanishes inside
    Actor(CAR, 60, 40, ((1.0, 30, 80), (9.0, 290, 80))),  # passes by
]


@pytest.mark.parametrize("fps", [5, 10, 25])
@pytest.mark.parametrize("noise", [Noise(), Noise(misses=0.05, jitter_px=0.7)])
def test_the_true_counts_of_a_yard_at_any_frame_rate(fps, noise):
    assert zone_counts(VISITS, YARD) == 4
    t = Tracker(TrackerSettings(), CLASS_GROUPS, RIGID)
    c = ZoneCounter("yard", YARD, None, Band(), ZoneTimes())
    for stamp, instances, _ in frames(VISITS, times(13, fps), noise=noise):
        c.update(stamp, t.update(stamp, instances), instances)
    assert (c.totals.count_in, c.totals.count_out) == (4, 4)
    assert c.occupancy == 0
