from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import numbers

from edge.segment.letterbox import fitted, letterbox
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
