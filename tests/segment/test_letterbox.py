from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import numbers

from edge.segment.letterbox import fitted, inner, letterbox
from edge.segment.preparation import GREY, Canvas

sizes = st.tuples(st.integers(16, 2200), st.integers(16, 2200))
inputs = st.tuples(st.integers(1, 40), st.integers(1, 40)).map(lambda s: (s[0] * 32, s[1] * 32))


@given(sizes, inputs, st.lists(st.tuples(*[numbers(0, 1)] * 4), max_size=5))
def test_a_box_to_the_input_and_back(frame_hw, input_hw, shares):
    box = letterbox(frame_hw, input_hw)
    h, w = frame_hw
    corners = np.array([(min(a, b), min(c, d), max(a, b), max(c, d)) for a, b, c, d in shares])
    there = (corners[:, [0, 2, 1, 3]] if len(corners) else corners).reshape(-1, 4)
    there = there[:, [0, 2, 1, 3]] * (w, h, w, h)
    inside = there * ([box.scale_x, box.scale_y] * 2) + [box.left, box.top] * 2
    assert (inside >= -1e-6).all()
    assert (inside <= np.array([input_hw[1], input_hw[0]] * 2) + 1e-3).all()
    back = box.to_frame(inside.astype(np.float32))
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, there, atol=1e-3 * max(frame_hw))


@given(sizes, inputs)
def test_the_picture_is_as_large_as_fits_and_centred_as_yolo_exports_expect(frame_hw, input_hw):
    box = letterbox(frame_hw, input_hw)
    scale = min(input_hw[0] / frame_hw[0], input_hw[1] / frame_hw[1])
    inner_h, inner_w = max(1, round(frame_hw[0] * scale)), max(1, round(frame_hw[1] * scale))
    assert inner_h == input_hw[0] or inner_w == input_hw[1]
    assert box.left == max(0, round((input_hw[1] - inner_w) / 2 - 0.1))
    assert box.top == max(0, round((input_hw[0] - inner_h) / 2 - 0.1))


@given(sizes, st.integers(1, 40), st.sampled_from([16, 32, 64]))
def test_a_fitted_input_is_tight_and_divisible(frame_hw, count, stride):
    longest_px = count * stride
    h, w = fitted(frame_hw, longest_px, stride)
    assert h % stride == w % stride == 0
    assert max(h, w) == longest_px
    box = letterbox(frame_hw, (h, w))
    assert box.left < stride
    assert box.top < stride


def by_one_gain(points, frame_hw, input_hw, rounds):
    """Where older releases bring points: one factor for both sides, padding as computed from it."""
    gain = min(input_hw[0] / frame_hw[0], input_hw[1] / frame_hw[1])
    padding = [(input_hw[k] - frame_hw[k] * gain) / 2 for k in (1, 0)]
    if rounds:
        padding = [round(side - 0.1) for side in padding]
    return np.clip((points - padding * 2) / gain, 0, [*frame_hw[::-1]] * 2)


def across(box):
    """Points from one corner of the picture in the input to the other, as boxes without a size."""
    h, w = inner(box)
    share = np.linspace(0, 1, 201)
    return np.stack([box.left + share * w, box.top + share * h] * 2, 1).astype(np.float32)


@given(sizes, inputs)
def test_boxes_come_back_as_the_picture_went_in(frame_hw, input_hw):
    """As by Ultralytics 8.4.190; 8.4.0 and YOLOv5 are up to 1 and .75 input pixels beside it."""
    box = letterbox(frame_hw, input_hw)
    points = across(box)
    h, w = inner(box)
    scale = np.array([w / frame_hw[1], h / frame_hw[0]] * 2)
    expected = np.clip((points - [box.left, box.top] * 2) / scale, 0, [*frame_hw[::-1]] * 2)
    ours = box.to_frame(points)
    np.testing.assert_allclose(ours, expected, atol=1e-3)
    if min(h, w) > 1:  # else not even a pixel is left of a side
        pixel = 1 / min(input_hw[0] / frame_hw[0], input_hw[1] / frame_hw[1])
        for rounds, most in ((True, 1.01), (False, 0.751)):
            off = np.abs(ours - by_one_gain(points, frame_hw, input_hw, rounds)).max()
            assert off <= most * pixel + 1e-2


@pytest.mark.parametrize(
    ("frame_hw", "ultralytics_840_px", "yolov5_px"),
    [((1080, 1920), 0, 0), ((480, 640), 0, 0), ((427, 640), 0, 0.5), ((856, 1920), 1, 2),
     ((1520, 2592), 1.25, 2.65), ((2160, 4096), 3.2, 1.6)],
)  # fmt: skip
def test_how_far_older_releases_are(frame_hw, ultralytics_840_px, yolov5_px):
    box = letterbox(frame_hw, (640, 640))
    points = across(box)
    for rounds, expected in ((True, ultralytics_840_px), (False, yolov5_px)):
        off = np.abs(box.to_frame(points) - by_one_gain(points, frame_hw, (640, 640), rounds))
        assert off.max() == pytest.approx(expected, abs=0.02)


def test_boxes_are_clipped_to_the_frame():
    box = letterbox((72, 128), (64, 64))
    far = np.array([[-1e6, -1e6, 1e6, 1e6], [0, 0, 64, 14], [np.inf, 0, np.inf, 64]], np.float32)
    assert box.to_frame(far).tolist() == [[0, 0, 128, 72], [0, 0, 128, 0], [128, 0, 128, 72]]


@pytest.mark.parametrize(
    ("frame_hw", "rows", "columns"),
    [((36, 64), slice(14, 50), slice(0, 64)), ((64, 36), slice(0, 64), slice(14, 50)),
     ((1440, 2560), slice(14, 50), slice(0, 64)), ((9, 16), slice(14, 50), slice(0, 64))],
)  # fmt: skip
def test_the_tensor_is_rgb_within_grey(frame_hw, rows, columns):
    canvas = Canvas(letterbox(frame_hw, (64, 64)))
    image = np.empty((*frame_hw, 3), np.uint8)
    image[:] = (255, 51, 0)  # blue, green, red
    tensor = canvas.fill(image)
    assert tensor.shape == (1, 3, 64, 64)
    assert tensor.dtype == np.float32
    expected = np.full((3, 64, 64), GREY / 255, np.float32)
    expected[:, rows, columns] = np.array([0, 0.2, 1])[:, None, None]
    np.testing.assert_allclose(tensor[0], expected, atol=1e-6)


def test_the_next_picture_leaves_nothing_of_the_last():
    canvas = Canvas(letterbox((20, 40), (64, 64)))
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 256, (2, 20, 40, 3), dtype=np.uint8)
    canvas.fill(first)
    reused = canvas.fill(second).copy()
    np.testing.assert_array_equal(reused, Canvas(canvas.box).fill(second))


def test_a_part_of_a_larger_picture_can_be_filled_in():
    wide = np.random.default_rng(1).integers(0, 256, (40, 80, 3), dtype=np.uint8)
    canvas = Canvas(letterbox((20, 40), (64, 64)))
    view = canvas.fill(wide[::2, ::2]).copy()
    np.testing.assert_array_equal(view, canvas.fill(np.ascontiguousarray(wide[::2, ::2])))
