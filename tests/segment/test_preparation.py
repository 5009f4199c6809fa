"""Sizes and values of the network's input, by the convention of a family."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.segment.letterbox import by_shortest, inner, stretched
from edge.segment.maskrcnn import AS_IS, SHORT_800
from edge.segment.preparation import Canvas, Preparation
from edge.segment.rfdetr import PREPARATION as RFDETR
from edge.segment.rtmdet import PREPARATION as RTMDET

HD = (1080, 1920)
PLAIN = Preparation()


@pytest.mark.parametrize(
    ("how", "fixed_hw", "longest_px", "input_hw", "inner_hw"),
    [
        (PLAIN, None, None, (384, 640), (360, 640)),
        (PLAIN, None, 320, (192, 320), (180, 320)),
        (RFDETR, (312, 312), 312, (312, 312), (312, 312)),
        (RFDETR, None, None, (640, 640), (640, 640)),
        (RTMDET, (640, 640), 640, (640, 640), (360, 640)),
        (AS_IS, None, None, HD, HD),
        (AS_IS, None, 961, (541, 961), (541, 961)),
        (AS_IS, (600, 800), 800, (600, 800), (450, 800)),
        (SHORT_800, None, None, (800, 1440), (800, 1422)),
        (SHORT_800, None, 640, (384, 640), (360, 640)),
    ],
)
def test_where_a_frame_lies(how, fixed_hw, longest_px, input_hw, inner_hw):
    box = how.placed(HD, fixed_hw, longest_px)
    assert (box.input_hw, inner(box)) == (input_hw, inner_hw)
    assert how is PLAIN or (box.left, box.top) == (0, 0)


@given(st.tuples(st.integers(16, 2200), st.integers(16, 2200)))
def test_a_short_side_and_its_way_back(frame_hw):
    box = by_shortest(frame_hw, 800, 32)
    h, w = inner(box)
    assert min(h, w) in (799, 800)
    assert 0 <= box.input_hw[0] - h < 32
    assert 0 <= box.input_hw[1] - w < 32
    corner = np.array([[0, 0, w, h]], np.float32)
    np.testing.assert_allclose(box.unclipped(corner), [[0, 0, *frame_hw[::-1]]], rtol=1e-5)


def test_the_zoo_subtracts_a_mean_from_bgr_and_pads_with_zeros():
    image = np.full((40, 50, 3), (110, 130, 140), np.uint8)
    canvas = Canvas(by_shortest((40, 50), 80, 32), SHORT_800)
    tensor = canvas.fill(image)
    assert tensor.shape == (1, 3, 96, 128)
    expected = np.array([110 - 102.9801, 130 - 115.9465, 140 - 122.7717])
    np.testing.assert_allclose(tensor[0, :, :80, :100].max((1, 2)), expected, atol=1e-4)
    np.testing.assert_allclose(tensor[0, :, :80, :100].min((1, 2)), expected, atol=1e-4)
    assert np.abs(tensor[0, :, 80:]).max() < 1e-5
    assert np.abs(tensor[0, :, :, 100:]).max() < 1e-5


def test_rtmdet_pads_with_grey():
    tensor = Canvas(RTMDET.placed((32, 64), (64, 64), 64), RTMDET).fill(
        np.full((32, 64, 3), (0, 0, 255), np.uint8)
    )
    blue, _, red = (tensor[0, k] * RTMDET.std[k] + RTMDET.mean[k] for k in range(3))
    np.testing.assert_allclose(red[:32], 255, atol=1e-3)
    np.testing.assert_allclose(blue[:32], 0, atol=1e-3)
    np.testing.assert_allclose(blue[32:], 114, atol=1e-3)


def test_a_native_picture_is_only_scaled_in_its_values():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    tensor = Canvas(AS_IS.placed((20, 30), None, None), AS_IS).fill(image)
    expected = image[..., ::-1].transpose(2, 0, 1) / np.float32(255)
    np.testing.assert_allclose(tensor[0], expected, atol=1e-6)


def test_some_families_skip_pixels_where_others_average():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::4] = 252
    averaged = Canvas(stretched((64, 64), (16, 16)), Preparation("stretch")).fill(stripes)
    np.testing.assert_allclose(averaged, 63 / 255, atol=1e-3)
    skipped = Canvas(stretched((64, 64), (16, 16)), Preparation("stretch", averages=False)).fill(
        stripes
    )
    assert skipped.max() == 0  # what lies between its samples is not seen
