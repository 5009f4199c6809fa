"""The vectorised filters against filterpy's KalmanFilter of eight states."""

from __future__ import annotations

import numpy as np
import pytest
from filterpy.common import Q_continuous_white_noise
from filterpy.kalman import KalmanFilter
from hypothesis import given
from hypothesis import strategies as st
from strategies import numbers

from edge.track import motion
from edge.track.motion import Motion, centred

SIZE = [2, 3]
PERSON, VEHICLE = False, True
MEASURED = {PERSON: motion.MEASURED, VEHICLE: motion.RIGID_MEASURED}
ACCELERATION = {PERSON: motion.ACCELERATION, VEHICLE: motion.RIGID_ACCELERATION}


def begun(boxes, speed=(0, 0), rigid=PERSON):
    """Filters for boxes (N, 4)."""
    m = Motion()
    add(m, boxes, speed, rigid)
    return m


def add(m, boxes, speed=(0, 0), rigid=PERSON):
    n = len(boxes)
    m.add(boxes, np.tile(np.array(speed, np.float64), (n, 1)), np.full(n, rigid))


def filterpy_filter(box, speed):
    """States x, y, w, h and their speeds."""
    z = centred(box[None])[0]
    longer = max(z[2:])
    kf = KalmanFilter(dim_x=8, dim_z=4)
    kf.x = np.concatenate([z, speed, np.zeros(2)])[:, None]
    kf.H = np.eye(4, 8)
    kf.P = np.diag(
        [(motion.FIRST_POSITION * longer) ** 2] * 4 + [(motion.FIRST_SPEED * longer) ** 2] * 4
    )
    return kf


def predict(kf, dt_s, is_lost, rigid):
    if is_lost:
        kf.x[6:] = 0
    if dt_s > motion.LONG_GAP_S:
        kf.x[4:] = 0
        kf.P[:4, 4:] = kf.P[4:, :4] = 0
    density = (ACCELERATION[rigid] * kf.x[SIZE].max()) ** 2
    fade = np.exp(-dt_s / motion.SIZE_MEMORY_S)
    reach_s = motion.SIZE_MEMORY_S * (1 - fade)  # the integral of a speed that fades
    kf.F = np.eye(8) + np.diag([dt_s, dt_s, reach_s, reach_s], k=4)
    kf.F[6, 6] = kf.F[7, 7] = fade
    one = Q_continuous_white_noise(2, dt_s, spectral_density=density)
    kf.Q = np.kron(one, np.eye(4))
    kf.predict()
    kf.x[SIZE] = np.maximum(kf.x[SIZE], 1.0)


def update(kf, box, doubt, rigid):
    z = centred(box[None])[0]
    deviation = MEASURED[rigid] * max(z[2], z[3], kf.x[SIZE].max()) * doubt
    kf.update(z[:, None], R=np.diag(deviation**2))


places = st.tuples(numbers(0, 500), numbers(0, 500), numbers(5, 100), numbers(5, 200))
steps = st.tuples(
    st.floats(0.001, 1.5),  # seconds since the last frame
    places,
    st.lists(st.sampled_from([1.0, 3.0, 6.0]), min_size=4, max_size=4),
    st.booleans(),  # seen
)


def box_at(place):
    x, y, w, h = place
    return np.array([x, y, x + w, y + h], np.float32)


speeds = st.tuples(numbers(-100, 100), numbers(-100, 100))


@given(places, speeds, st.booleans(), st.lists(steps, min_size=1, max_size=12))
def test_motion_equals_filterpy(first, speed, rigid, way):
    ours, theirs = Motion(), filterpy_filter(box_at(first), speed)
    # A neighbour of the other kind that is never seen again.
    add(ours, box_at((900, 900, 40, 80))[None], rigid=not rigid)
    add(ours, box_at(first)[None], speed, rigid)
    one = np.array([1])
    is_lost = False
    for dt_s, place, doubt, is_seen in way:
        box = box_at(place)[None]
        ours.predict(dt_s, np.array([True, is_lost]))
        predict(theirs, dt_s, is_lost, rigid)
        if is_seen:
            ours.update(one, box, np.array([doubt]))
            update(theirs, box[0], np.array(doubt), rigid)
        is_lost = not is_seen
        mean, now = theirs.x[:4, 0], theirs.x[4:, 0]
        np.testing.assert_allclose(ours.mean[1], mean, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(ours.speed[1], now, rtol=1e-9, atol=1e-9)
        spread = theirs.P[:2, :2] + np.eye(2) * (MEASURED[rigid] * max(mean[2:])) ** 2
        error = centred(box)[0, :2] - mean[:2]
        np.testing.assert_allclose(
            ours.distance(one, box)[0],
            error @ np.linalg.inv(spread) @ error,
            rtol=1e-9,
            atol=1e-9,
        )


@given(places, st.booleans(), st.floats(0.01, 0.4), st.integers(2, 10))
def test_one_long_step_equals_many_short_ones(first, rigid, step_s, count):
    box = box_at(first)[None]
    once, often = begun(box, rigid=rigid), begun(box, rigid=rigid)
    for m in (once, often):
        m.predict(0.1, np.array([False]))
        m.update(np.array([0]), box + np.float32(3), np.ones((1, 4)))
        m.speed[:, 2:] = 0  # the noise follows the size, which must stay the same
    step_s = min(step_s, 1 / count)
    once.predict(step_s * count, np.array([False]))
    for _ in range(count):
        often.predict(step_s, np.array([False]))
    np.testing.assert_allclose(once.mean, often.mean, rtol=1e-9)
    one = np.array([0])
    np.testing.assert_allclose(once.distance(one, box), often.distance(one, box), rtol=1e-9)


def test_nothing_grows_for_long():
    m = begun(box_at((100, 100, 40, 80))[None])
    m.speed[:, 2:] = 20.0
    for _ in range(40):
        m.predict(0.25, np.array([False]))
    assert m.mean[0, 2:] == pytest.approx([60, 100], abs=0.01)  # 20 px/s for a second in all
    assert m.mean[0, :2] == pytest.approx([120, 140])


def test_distance_is_for_pairs():
    boxes = np.stack([box_at((k * 50, 10, 20, 40)) for k in range(3)])
    m = begun(boxes)
    apart = m.distance(np.array([2, 0, 0]), boxes[[2, 0, 1]])
    assert apart[:2].tolist() == [0, 0]
    assert apart[2] > 50


def test_who_follows_a_mask_goes_as_far_as_it_does():
    m = begun(np.stack([box_at((100, 100, 20, 60))] * 2))
    m.predict(0.1, np.zeros(2, bool))
    m.follow(np.array([1]), np.array([[8.0, 0.0]]), 0.1)
    assert m.mean[0].tolist() == [110, 130, 20, 60]
    assert 112 < m.mean[1, 0] <= 118
    assert m.speed[1, 0] > 0
    assert m.mean[1, 1:] == pytest.approx([130, 20, 60])


def test_filters_keep_their_order_when_one_goes():
    boxes = np.stack([box_at((k * 50, 10, 20, 40)) for k in range(4)])
    m = begun(boxes[:2])
    add(m, boxes[2:], rigid=VEHICLE)
    m.keep(np.array([True, False, True, True]))
    np.testing.assert_allclose(m.boxes(), boxes[[0, 2, 3]])
    m.update(np.array([1]), boxes[2:3] + np.float32(5), np.ones((1, 4)))
    np.testing.assert_allclose(m.boxes()[[0, 2]], boxes[[0, 3]])
    assert m.boxes()[1, 0] == pytest.approx(boxes[2, 0] + 5, abs=2)


def test_a_box_that_shrinks_away_keeps_a_pixel():
    m = begun(box_at((10, 10, 5, 5))[None])
    m.speed[:] = -100
    m.predict(0.5, np.array([False]))
    assert (m.boxes()[:, 2:] - m.boxes()[:, :2] >= 1).all()


def test_no_boxes_are_fine():
    m = Motion()
    m.predict(0.1, np.zeros(0, bool))
    assert m.boxes().shape == (0, 4)
    assert m.distance(np.zeros(0, np.int64), np.zeros((0, 4), np.float32)).shape == (0,)


def walkers(count=6):
    x = np.arange(count) * 100.0
    return np.stack([x, np.zeros(count), x + 40, np.full(count, 120.0)], 1).astype(np.float32)


def watched(places_px, count=6, rigid=PERSON, fps=10):
    """Filters of walkers whom each frame shows moved by (count,) or one number of pixels."""
    m = begun(walkers(count), rigid=rigid)
    for place in places_px:
        m.predict(1 / fps, np.zeros(count, bool))
        boxes = walkers(count)
        boxes[:, [0, 2]] += np.broadcast_to(np.float32(place), count)[:, None]
        m.update(np.arange(count), boxes, np.ones((count, 4)))
    return m


def test_people_who_sway_leave_the_filter_calm():
    sway = [4 * np.sin(k + np.arange(6)) for k in range(20)]
    assert watched(sway).unrest < motion.CALM


def test_a_camera_that_turns_is_noticed_and_forgotten():
    turning = [0.0] * 10 + [25.0 * k for k in range(1, 6)]
    turned = watched(turning)
    assert turned.unrest > motion.CALM
    assert watched([*turning, *[125.0] * 60]).unrest < motion.CALM


def test_a_camera_that_turns_lets_speeds_change_faster(monkeypatch):
    turning = [0.0] * 10 + [25.0 * k for k in range(1, 6)]
    faster = watched(turning).speed[:, 0].mean()
    monkeypatch.setattr(motion, "LIVELIEST", 1.0)
    assert 270 > faster > watched(turning).speed[:, 0].mean() + 10


def test_one_who_runs_says_nothing_about_the_others():
    run = [np.array([30.0 * k, 0, 0, 0, 0, 0]) for k in range(8)]
    assert watched(run).unrest < motion.CALM


@pytest.mark.parametrize(("count", "rigid"), [(1, PERSON), (6, VEHICLE)])
def test_one_walker_and_vehicles_tell_nothing(count, rigid):
    assert watched([25.0 * k for k in range(6)], count, rigid).unrest == 0
