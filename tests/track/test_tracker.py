"""What the tracker promises: properties on random input, identities on synthetic scenes."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import chosen, crowded, loosened, rectangles, stamps

from edge import masks as mask_ops
from edge.testing import CAR, CLASS_GROUPS, PERSON, TRUCK, Actor, Noise, crowd, frames, times
from edge.track.settings import TrackerSettings
from edge.track.tracker import Tracker
from edge.types import Instances, Stamp, TrackFlag, TrackState

HERE = (100, 60, 120, 120)
THERE = (220, 60, 240, 120)

RIGID = (False, True, True)  # of CLASS_GROUPS


def tracker(**settings) -> Tracker:
    return Tracker(TrackerSettings(**settings), CLASS_GROUPS, RIGID)


def at(x: float, y: float = 60) -> tuple[int, int, int, int]:
    return (round(x), round(y), round(x) + 20, round(y) + 60)


def columns(tracks):
    return {f.name: getattr(tracks, f.name) for f in dataclasses.fields(tracks)}


def assert_same(a, b, but=()):
    for name, column in columns(a).items():
        if name not in but:
            np.testing.assert_array_equal(column, getattr(b, name), err_msg=name)


# Random pictures: things appear anywhere, of any class, with any score.
places = st.tuples(st.integers(0, 280), st.integers(0, 200), st.integers(5, 40), st.integers(5, 40))
things = st.lists(
    st.tuples(places, st.integers(0, 100), st.integers(0, 2)), max_size=6, unique_by=lambda t: t[1]
)
films = st.lists(st.tuples(st.floats(0.02, 0.8), things), min_size=1, max_size=10)


def shown(film):
    now_s = 0.0
    for k, (dt_s, seen) in enumerate(film):
        now_s += dt_s
        yield (
            Stamp(k, now_s),
            rectangles(
                [(x, y, x + w, y + h) for (x, y, w, h), _, _ in seen],
                [score / 100 for _, score, _ in seen],
                [class_id for _, _, class_id in seen],
            ),
        )


@given(films)
def test_ids_start_at_1_are_unique_and_never_come_back(film):
    t = tracker()
    live: set[int] = set()
    gone: set[int] = set()
    for stamp, instances in shown(film):
        tracks = t.update(stamp, instances)
        ids, ended = tracks.ids.tolist(), tracks.ended.tolist()
        assert ids == sorted(set(ids))
        assert ids == [] or ids[0] >= 1
        assert len(set(ended)) == len(ended)
        assert set(ended) == live - set(ids)  # exactly those that disappear, once
        assert not set(ids) & (gone | set(ended))
        live, gone = set(ids), gone | set(ended)
    everyone = sorted(live | gone)
    assert everyone == list(range(1, len(everyone) + 1))


@given(films)
def test_every_track_that_is_seen_has_an_instance_of_its_own(film):
    t = tracker()
    for stamp, instances in shown(film):
        tracks = t.update(stamp, instances)
        seen = tracks.instance >= 0
        index = tracks.instance[seen]
        sizes = np.bincount(index, minlength=1)[index]
        np.testing.assert_array_equal(tracks.group_sizes[seen], sizes)
        assert (tracks.group_sizes[~seen] == 1).all()
        merged = (tracks.flags & TrackFlag.MERGED) > 0
        np.testing.assert_array_equal(merged, tracks.group_sizes > 1)
        merged = merged[seen]
        assert (index < len(instances)).all()
        seen[seen] = ~merged
        index = index[~merged]
        np.testing.assert_array_equal(tracks.boxes[seen], instances.boxes[index])
        np.testing.assert_array_equal(tracks.scores[seen], instances.scores[index])
        groups = np.array(CLASS_GROUPS)
        np.testing.assert_array_equal(
            groups[tracks.class_ids[seen]], groups[instances.class_ids[index]]
        )
        assert np.isfinite(tracks.boxes).all()
        assert np.isfinite(tracks.feet).all()
        assert np.isfinite(tracks.heights).all()
        assert ((tracks.visible >= 0) & (tracks.visible <= 1)).all()
        assert ((tracks.class_shares > 0) & (tracks.class_shares <= 1)).all()


@given(films, st.randoms(use_true_random=False))
def test_the_order_of_instances_does_not_matter(film, random):
    plain, mixed = tracker(), tracker()
    for stamp, instances in shown(film):
        order = list(range(len(instances)))
        random.shuffle(order)
        a = plain.update(stamp, instances)
        b = mixed.update(stamp, chosen(instances, order))
        assert_same(a, b, but={"instance"})
        back = [-1 if k < 0 else order[k] for k in b.instance.tolist()]
        assert a.instance.tolist() == back


@settings(max_examples=50)
@given(st.data(), st.lists(st.tuples(st.floats(0.02, 0.8), crowded()), min_size=1, max_size=6))
def test_how_tight_windows_of_masks_are_changes_nothing(data, film):
    tight, loose, now_s = tracker(), tracker(), 0.0
    for k, (dt_s, instances) in enumerate(film):
        now_s += dt_s
        padded = dataclasses.replace(instances, masks=data.draw(loosened(instances.masks)))
        assert_same(tight.update(Stamp(k, now_s), instances), loose.update(Stamp(k, now_s), padded))


@settings(max_examples=10)
@given(st.data(), st.integers(0, 99), st.sampled_from([4, 12]))
def test_how_tight_windows_are_changes_nothing_in_a_crowd(data, seed, fps):
    noise = Noise(misses=0.05, jitter_px=1, shape_jitter=0.05, duplicates=0.3, merge_overlap=0.3)
    walkers, size_hw = crowd(5, 3.0, seed=seed, size_hw=(400, 320)), (400, 320)
    tight, loose = tracker(), tracker()
    for stamp, instances, _ in frames(walkers, times(3.0, fps), size_hw, noise, seed):
        padded = dataclasses.replace(instances, masks=data.draw(loosened(instances.masks)))
        assert_same(tight.update(stamp, instances), loose.update(stamp, padded))


@given(films, films)
def test_two_trackers_never_influence_each_other(film, other):
    alone = tracker()
    expected = [alone.update(*seen) for seen in shown(film)]
    one, two = tracker(), tracker()
    second = shown(other)
    for seen, tracks in zip(shown(film), expected, strict=True):
        assert_same(one.update(*seen), tracks)
        if (beside := next(second, None)) is not None:
            two.update(*beside)


@given(films, st.lists(st.floats(0.02, 0.8), min_size=1, max_size=6))
def test_empty_frames_only_age_tracks(film, pauses):
    t = tracker()
    for stamp, instances in shown(film):
        before = t.update(stamp, instances)
    now_s = stamp.media_s
    for pause_s in pauses:
        now_s += pause_s
        after = t.update(Stamp(0, now_s), rectangles([]))
        kept = np.isin(before.ids, after.ids)
        assert_same_columns = ("class_ids", "scores", "heights", "hits", "visible")
        for name in assert_same_columns:
            np.testing.assert_array_equal(getattr(before, name)[kept], getattr(after, name))
        assert (after.instance == -1).all()
        assert (after.states != TrackState.CONFIRMED).all()
        assert (after.ages_s > before.ages_s[kept]).all()
        before = after
    last = t.update(Stamp(0, now_s + 60), rectangles([]))
    assert len(last) == 0
    np.testing.assert_array_equal(last.ended, before.ids)


@given(st.floats(0.02, 0.2), st.integers(0, 280), st.integers(0, 160))  # no leap goes so far
def test_what_is_far_apart_is_never_one_object(dt_s, x, y):
    if abs(x - 100) < 80 and abs(y - 60) < 180:
        x = (x + 150) % 280 if abs((x + 150) % 280 - 100) >= 80 else 220
    t = tracker()
    first = t.update(Stamp(0, 0.0), rectangles([HERE]))
    tracks = t.update(Stamp(1, dt_s), rectangles([at(x, y)]))
    assert first.ids.tolist() == [1]
    assert tracks.ids[tracks.instance >= 0].tolist() == [2]


@given(st.floats(0.02, 1.0), st.integers(55, 170))
def test_who_is_known_to_stand_does_not_leap(dt_s, far_px):
    t = tracker()
    for k in range(4):
        t.update(Stamp(k, k / 10), rectangles([HERE]))
    tracks = t.update(Stamp(4, 0.3 + dt_s), rectangles([at(100 + far_px)]))
    assert tracks.ids[tracks.instance >= 0].tolist() == [2]


def test_groups_never_mix():
    t = tracker()
    t.update(Stamp(0, 0.0), rectangles([HERE], class_ids=PERSON))
    tracks = t.update(Stamp(1, 0.1), rectangles([HERE], class_ids=CAR))
    assert tracks.ids[tracks.instance >= 0].tolist() == [2]


def test_a_class_that_is_not_tracked_begins_nothing_and_is_not_counted_as_broken():
    t = Tracker(TrackerSettings(), (0, -1, 1), RIGID)
    assert len(t.update(Stamp(0, 0.0), rectangles([HERE, THERE], class_ids=[1, 0]))) == 1
    assert not t.dropped


def test_life_of_a_track():
    t = tracker()
    states = []
    for k, seen in enumerate([[HERE], [HERE], [HERE], [], [], [HERE], *[[]] * 40]):
        tracks = t.update(Stamp(k, 0.1 * k), rectangles(seen))
        states.append(tracks.states.tolist())
    assert states[0] == [TrackState.TENTATIVE]
    assert states[2] == [TrackState.CONFIRMED]
    assert states[3] == states[4] == [TrackState.LOST]
    assert states[5] == [TrackState.CONFIRMED]
    assert states[-1] == []


def test_a_ghost_is_never_confirmed():
    t = tracker()
    states = []
    for k in range(20):
        states += t.update(Stamp(k, 0.1 * k), rectangles([HERE] if k == 3 else [])).states.tolist()
    assert set(states) == {TrackState.TENTATIVE}


# What cannot be used is dropped and counted, and the rest goes on.


def spoilt(**change) -> Instances:
    good = rectangles([HERE, THERE])
    fields = {f.name: getattr(good, f.name) for f in dataclasses.fields(good)}
    for name, value in change.items():
        fields[name] = fields[name].copy()
        fields[name][1] = value
    return Instances(**fields)


@pytest.mark.parametrize(
    "instances",
    [
        spoilt(boxes=np.nan),
        spoilt(boxes=(np.inf, 0, np.inf, 9)),
        spoilt(boxes=(220, 60, 220, 120)),
        spoilt(boxes=(240, 120, 220, 60)),
        spoilt(scores=np.nan),
        spoilt(scores=np.inf),
        spoilt(class_ids=-1),
        spoilt(class_ids=3),
        dataclasses.replace(
            rectangles([HERE, THERE]),
            masks=mask_ops.from_crops(
                240, 320, [HERE, THERE], [np.ones((60, 20), bool), np.zeros((60, 20), bool)]
            ),
        ),
        dataclasses.replace(
            rectangles([HERE, THERE]),
            masks=mask_ops.from_crops(
                240, 320, [HERE, (0, 0, 0, 0)], [np.ones((60, 20), bool), np.zeros((0, 0), bool)]
            ),
        ),
    ],
    ids=["nan box", "infinite box", "flat box", "box inside out", "nan score", "infinite score",
         "class -1", "class too large", "empty mask", "mask without window"],
)  # fmt: skip
def test_unusable_instances_are_dropped_and_counted(instances):
    t = tracker()
    for k in range(4):
        tracks = t.update(Stamp(k, 0.1 * k), instances)
        assert tracks.ids.tolist() == [1]
        assert tracks.instance.tolist() == [0]
    assert t.dropped == {"unusable instance": 4}


@pytest.mark.parametrize("time_s", [0.3, 0.2, 0.0, -5.0, float("nan")])
def test_frames_whose_time_does_not_advance_change_nothing(time_s):
    t, plain = tracker(), tracker()
    for stamp in stamps([0.1, 0.2, 0.3]):
        growing = rectangles([(100, 60 - 3 * stamp.frame, 120, 120)])
        before = t.update(stamp, growing)
        plain.update(stamp, growing)
    tracks = t.update(Stamp(3, time_s), rectangles([THERE]))
    assert_same(tracks, before, but={"instance"})
    assert tracks.instance.tolist() == [-1]
    assert t.dropped == {"frame out of order": 1}
    now = Stamp(4, 0.4)
    seen = rectangles([at(104)])
    assert_same(t.update(now, seen), plain.update(now, seen))


@given(films, films, st.lists(st.floats(0, 20), min_size=10, max_size=10))
def test_frames_out_of_order_in_between_change_nothing(film, strays, earlier_s):
    t, plain = tracker(), tracker()
    late = [instances for _, instances in shown(strays)]
    for k, (stamp, instances) in enumerate(shown(film)):
        tracks = t.update(stamp, instances)
        assert_same(tracks, plain.update(stamp, instances))
        stray = t.update(Stamp(k, stamp.media_s - earlier_s[k]), late[k % len(late)])
        assert_same(stray, tracks, but={"instance", "in_front", "ended"})
        assert (stray.instance == -1).all()
        assert len(stray.ended) == 0  # each end is told once
    assert t.dropped == {"frame out of order": len(film)}


def test_a_frame_out_of_order_keeps_who_stands_in_front():
    t = tracker()
    for k in range(3):
        tracks = t.update(Stamp(k, k / 10), rectangles([(100, 50, 130, 90), (90, 90, 150, 200)]))
    assert tracks.in_front.tolist() == [2, 0]
    again = t.update(Stamp(3, 0.2), rectangles([]))
    assert_same(again, tracks, but={"instance"})


@pytest.mark.parametrize("count", [0, 1, 500])
def test_any_number_of_instances(count):
    t = tracker()
    windows = [(x, y, x + 8, y + 8) for y in range(0, 230, 10) for x in range(0, 310, 10)][:count]
    for k in range(3):
        tracks = t.update(Stamp(k, 0.1 * k), rectangles(windows))
    assert len(windows) == count
    assert tracks.ids.tolist() == list(range(1, count + 1))
    assert sorted(tracks.instance.tolist()) == list(range(count))


def test_five_hundred_who_hide_each_other_come_and_go():
    rng = np.random.default_rng(0)
    t, ended = tracker(), []
    corners = rng.integers(0, (290, 190), (500, 2))
    sizes = rng.integers(5, (30, 50), (500, 2))
    for k in range(4):
        here = np.concatenate([corners + rng.integers(0, 2, (500, 2)), corners + sizes], 1)
        some = here[rng.random(500) < 0.9]
        instances = rectangles([tuple(w) for w in some.tolist()], rng.uniform(0.2, 1, len(some)))
        tracks = t.update(Stamp(k, k / 10), instances)
        ended += tracks.ended.tolist()
        assert len(tracks) > 100
        assert tracks.instance.max() < len(some)
    assert not set(ended) & set(tracks.ids.tolist())
    assert not t.dropped


def test_a_first_frame_without_a_time_is_dropped():
    t = tracker()
    assert len(t.update(Stamp(0, float("nan")), rectangles([HERE]))) == 0
    assert len(t.update(Stamp(1, 0.0), rectangles([HERE]))) == 1


def test_a_new_frame_size_in_mid_stream_is_no_crash():
    t = tracker()
    for k, size_hw in enumerate([(240, 320), (480, 640), (120, 160), (240, 320)] * 3):
        seen = rectangles(
            [(100, 60, 120, 110), (110, 62, 130, 112), (20, 5, 40, 50)], size_hw=size_hw
        )
        assert len(t.update(Stamp(k, 0.1 * k), seen)) >= 3


def test_a_pause_of_hours_ends_everything():
    t = tracker()
    t.update(Stamp(0, 0.0), rectangles([HERE]))
    tracks = t.update(Stamp(1, 7200.0), rectangles([HERE]))
    later = t.update(Stamp(2, 7200.1), rectangles([HERE]))
    assert later.ids.tolist() == tracks.ids[tracks.instance >= 0].tolist()


def test_the_class_is_voted():
    t = tracker()
    for k in range(20):
        class_id = TRUCK if k % 4 == 2 else CAR
        tracks = t.update(Stamp(k, 0.1 * k), rectangles([at(40 + 5 * k)], class_ids=class_id))
        assert tracks.ids.tolist() == [1]
    assert tracks.class_ids.tolist() == [CAR]
    assert 0.7 < tracks.class_shares[0] < 0.8


def test_a_first_mistake_about_the_class_is_outvoted():
    t = tracker()
    for k in range(12):
        seen = rectangles([HERE], class_ids=TRUCK if k < 2 else CAR)
        tracks = t.update(Stamp(k, 0.1 * k), seen)
    assert tracks.class_ids.tolist() == [CAR]


# Synthetic scenes.


def identities(actors, times_s, noise=None, seed=0):
    """For each actor the ids it was given, with how many frames, and all confirmed ids."""
    t = tracker()
    given: dict[int, Counter[int]] = defaultdict(Counter)
    for stamp, instances, true_ids in frames(actors, times_s, noise=noise, seed=seed):
        tracks = t.update(stamp, instances)
        for track_id, state, k in zip(tracks.ids, tracks.states, tracks.instance, strict=True):
            if k >= 0 and state == TrackState.CONFIRMED:
                given[int(true_ids[k])][int(track_id)] += 1
    assert not t.dropped
    return given


WALKERS = [
    Actor(PERSON, 24, 60, ((0, 30, 100), (6, 290, 110))),
    Actor(PERSON, 28, 70, ((0, 290, 200), (6, 30, 200))),
    Actor(CAR, 100, 50, ((1, 40, 160), (5, 280, 160))),
]
RATES = {
    "2 fps": times(6, 2),
    "5 fps": times(6, 5),
    "10 fps": times(6, 10),
    "25 fps": times(6, 25),
    "60 fps": times(6, 60),
    "irregular": times(6, 12, irregular=0.8, seed=3),
    "irregular and slow": times(6, 4, irregular=0.8, seed=4),
    "fast, then slow": [*times(3, 60), *(3 + t for t in times(3, 3))],
}


@pytest.mark.parametrize("rate", RATES)
def test_identities_do_not_depend_on_the_frame_rate(rate):
    given = identities(WALKERS, RATES[rate])
    assert sorted(given) == [1, 2, 3]
    assert all(len(ids) == 1 for ids in given.values()), given
    assert len({next(iter(ids)) for ids in given.values()}) == 3


@pytest.mark.parametrize("fps", [8, 15, 30])
def test_two_who_cross_keep_their_ids_through_the_occlusion(fps):
    front = Actor(PERSON, 28, 80, ((0, 30, 190), (5, 290, 190)))
    behind = Actor(PERSON, 26, 74, ((0, 290, 170), (5, 30, 170)))
    given = identities([front, behind], times(5, fps))
    assert all(len(ids) == 1 for ids in given.values()), given
    assert given[1].keys() != given[2].keys()


@pytest.mark.parametrize("seed", range(3))
def test_misses_jitter_and_low_scores_cost_no_identity(seed):
    noise = Noise(misses=0.1, jitter_px=1.0, low_scores=0.1)
    given = identities(WALKERS[:2], times(6, 15), noise, seed)
    assert all(len(ids) == 1 for ids in given.values()), given


def test_a_crowd_keeps_most_identities():
    actors = crowd(10, 20, seed=5)
    given = identities(actors, times(25, 12), Noise(misses=0.03, jitter_px=0.5))
    main = sum(max(ids.values()) for ids in given.values())
    assert main >= 0.8 * sum(sum(ids.values()) for ids in given.values())


@settings(max_examples=10)
@given(st.integers(0, 1000))
def test_the_same_input_gives_the_same_tracks(seed):
    actors, noise = crowd(5, 3, seed=seed), Noise(0.1, 1.0, 0.2)
    one, two = tracker(), tracker()
    for stamp, instances, _ in frames(actors, times(3, 8), noise=noise, seed=seed):
        assert_same(one.update(stamp, instances), two.update(stamp, instances))


def test_thousands_of_short_tracks_leave_nothing_behind():
    t = tracker()
    most = last = 0
    for k in range(400):
        x = 130 * k % 290  # never near the last ones
        seen = rectangles([(x, y, x + 20, y + 20) for y in range(0, 220, 40)])
        tracks = t.update(Stamp(k, 1.0 * k), seen)
        most, last = max(most, len(tracks)), int(tracks.ids.max())
    assert last > 1900
    assert most <= 20
    tracks = t.update(Stamp(400, 1e4), rectangles([]))
    assert len(tracks) == 0
    assert last in tracks.ended


def test_a_foot_hidden_by_the_border_is_inferred_within_the_frame():
    t = tracker()
    for k in range(10):  # walks down and out of the frame, 240 rows high
        y = 130 + 8 * k
        box = (100, y, 120, min(y + 60, 240))
        tracks = t.update(Stamp(k, k / 10), rectangles([box]))
    assert tracks.flags[0] & TrackFlag.FOOT_INFERRED
    assert tracks.feet[0, 1] == 240  # not below the border, where no line can be met
    assert tracks.heights[0] == pytest.approx(60, abs=2)


def test_a_second_view_continues_a_missed_track_but_never_begins_one():
    near = (104, 60, 124, 120)  # hides most of HERE, and counts as a second view of it
    t = tracker()
    t.update(Stamp(0, 0.0), rectangles([HERE, (112, 60, 132, 120)]))
    both = t.update(Stamp(1, 0.1), rectangles([HERE, (112, 60, 132, 120)]))
    assert both.ids.tolist() == [1, 2]
    close = t.update(Stamp(2, 0.2), rectangles([near, (106, 60, 126, 120)]))
    assert close.instance.tolist() == [0, 1]
    alone = tracker()
    for k in range(4):
        tracks = alone.update(Stamp(k, k / 10), rectangles([near, (106, 60, 126, 120)]))
    assert tracks.ids.tolist() == [1]
