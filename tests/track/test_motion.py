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


def filterpy_filter(box):
    """States x, y, w, h and their speeds."""
    z = centred(box[None])[0]
    kf = KalmanFilter(dim_x=8, dim_z=4)
    kf.x = np.concatenate([z, np.zeros(4)])[:, None]
    kf.H = np.eye(4, 8)
    kf.P = np.diag(
        [(motion.FIRST_POSITION * z[3]) ** 2] * 4 + [(motion.FIRST_SPEED * z[3]) ** 2] * 4
    )
    return kf


def predict(kf, dt_s, is_lost):
    if is_lost:
        kf.x[6:] = 0
    if dt_s > motion.LONG_GAP_S:
        kf.x[4:] = 0
        kf.P[:4, 4:] = kf.P[4:, :4] = 0
    density = (motion.ACCELERATION * kf.x[3, 0]) ** 2
    one = Q_continuous_white_noise(2, dt_s, density)
    kf.F = np.eye(8) + dt_s * np.eye(8, k=4)
    kf.Q = np.kron(one, np.eye(4))
    kf.predict()
    kf.x[SIZE] = np.maximum(kf.x[SIZE], 1.0)


def update(kf, box, doubt):
    z = centred(box[None])[0]
    deviation = motion.MEASURED * max(z[3], kf.x[3, 0]) * doubt
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


@given(places, st.lists(steps, min_size=1, max_size=12))
def test_motion_equals_filterpy(first, way):
    ours, theirs = Motion(), filterpy_filter(box_at(first))
    ours.add(box_at((900, 900, 40, 80))[None])  # a neighbour that is never seen again
    ours.add(box_at(first)[None])
    is_lost = False
    for dt_s, place, doubt, is_seen in way:
        ours.predict(dt_s, np.array([True, is_lost]))
        predict(theirs, dt_s, is_lost)
        if is_seen:
            ours.update(np.array([1]), box_at(place)[None], np.array([doubt]))
            update(theirs, box_at(place), np.array(doubt))
        is_lost = not is_seen
        mean, speed = theirs.x[:4, 0], theirs.x[4:, 0]
        np.testing.assert_allclose(ours.mean[1], mean, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(ours.speed[1], speed, rtol=1e-9, atol=1e-9)
        spread = theirs.P[:2, :2] + np.eye(2) * (motion.MEASURED * max(mean[3], 1)) ** 2
        error = centred(box_at(place)[None])[0, :2] - mean[:2]
        np.testing.assert_allclose(
            ours.distance(box_at(place)[None])[1, 0],
            error @ np.linalg.inv(spread) @ error,
            rtol=1e-6,
            atol=1e-9,
        )


@given(places, st.floats(0.01, 0.4), st.integers(2, 10))
def test_one_long_step_equals_many_short_ones(first, step_s, count):
    once, often = Motion(), Motion()
    for m in (once, often):
        m.add(box_at(first)[None])
        m.predict(0.1, np.array([False]))
        m.update(np.array([0]), box_at(first)[None] + np.float32(3), np.ones((1, 4)))
        m.speed[:, 2:] = 0  # the noise follows the height, which must stay the same
    step_s = min(step_s, 1 / count)
    once.predict(step_s * count, np.array([False]))
    for _ in range(count):
        often.predict(step_s, np.array([False]))
    np.testing.assert_allclose(once.mean, often.mean, rtol=1e-9)
    np.testing.assert_allclose(
        once.distance(box_at(first)[None]), often.distance(box_at(first)[None]), rtol=1e-9
    )


def test_filters_keep_their_order_when_one_goes():
    m = Motion()
    boxes = np.stack([box_at((k * 50, 10, 20, 40)) for k in range(4)])
    m.add(boxes[:2])
    m.add(boxes[2:])
    m.keep(np.array([True, False, True, True]))
    np.testing.assert_allclose(m.boxes(), boxes[[0, 2, 3]])
    m.update(np.array([1]), boxes[2:3] + np.float32(5), np.ones((1, 4)))
    np.testing.assert_allclose(m.boxes()[[0, 2]], boxes[[0, 3]])
    assert m.boxes()[1, 0] == pytest.approx(boxes[2, 0] + 5, abs=2)


def test_a_box_that_shrinks_away_keeps_a_pixel():
    m = Motion()
    m.add(box_at((10, 10, 5, 5))[None])
    m.speed[:] = -100
    m.predict(0.5, np.array([False]))
    assert (m.boxes()[:, 2:] - m.boxes()[:, :2] >= 1).all()


def test_no_boxes_are_fine():
    m = Motion()
    m.predict(0.1, np.zeros(0, bool))
    assert m.boxes().shape == (0, 4)
    assert m.distance(np.zeros((3, 4), np.float32)).shape == (0, 3)
