from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.segment.letterbox import fitted
from edge.segment.sizing import LEAST_FIRST_PX, first_shapes, longest_px, profile, stride_px

FREE = (None, 3, None, None)


@pytest.mark.parametrize(
    ("metadata", "asked", "expected"),
    [
        ({"imgsz": "[640, 480]"}, None, 640),
        ({"imgsz": "(320, 256)"}, None, 320),
        ({"img_size": "64x96"}, None, 96),
        ({"imgsz": "320", "img_size": "640"}, None, 320),
        ({"imgsz": "many"}, None, 7),
        ({"imgsz": "0"}, None, 7),
        ({}, None, 7),
        ({"imgsz": "320"}, 128, 128),
    ],
)
def test_the_longest_side(metadata, asked, expected):
    assert longest_px(metadata, asked, 7) == expected


def test_the_stride():
    assert stride_px({"stride": "[8, 16, 32]"}) == 32
    assert stride_px({"stride": "wide"}) is None


@pytest.mark.parametrize(
    ("shape", "metadata", "options", "expected"),
    [
        ((1, 3, 64, 96), {}, {"asked": 640}, "1x3x64x96"),
        ((3, 64, 96), {}, {}, "3x64x96"),
        # What no frame tells is 640, as for the pictures themselves.
        ((1, 3, None, None), {}, {}, "1x3x32x32_1x3x384x640_1x3x640x640"),
        ((1, 3, None, None), {"img_size": "320"}, {}, "1x3x32x32_1x3x192x320_1x3x320x320"),
        (
            (1, 3, None, None),
            {"imgsz": "[416, 416]", "stride": "64"},
            {},
            "1x3x64x64_1x3x256x448_1x3x448x448",
        ),
        # Pictures as they are: nothing tells how large.
        ((3, None, None), {}, {}, None),
        ((3, None, None), {}, {"asked": 640}, "3x32x32_3x384x640_3x640x640"),
        ((None, 3, 64, 96), {}, {"batch": 4}, "1x3x64x96_4x3x64x96_4x3x64x96"),
        ((1, 3, None, None), {}, {"asked": 160}, "1x3x32x32_1x3x96x160_1x3x256x256"),
        (
            (1, 3, None, None),
            {},
            {"given": ((256, 256), (384, 640), (640, 640))},
            "1x3x256x256_1x3x384x640_1x3x640x640",
        ),
        (
            (3, None, None),
            {},
            {"given": ((256, 256), (384, 640), (640, 640))},
            "3x256x256_3x384x640_3x640x640",
        ),
    ],
)
def test_the_shapes_an_engine_is_built_for(shape, metadata, options, expected):
    found = profile(shape, metadata, **options)
    assert (found.text if found else None) == expected


@given(
    st.integers(1, 128).map(lambda k: 32 * k),
    st.integers(1, 8),
    st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
)
def test_every_letterboxed_frame_fits_the_profile(asked, batch, frame_hw):
    """However long it is: a strip of a panorama, too."""
    found = profile(FREE, {}, asked, batch)
    assert found is not None
    for low, usual, high in zip(found.least, found.best, found.most, strict=True):
        assert low <= usual <= high
    assert found.most[0] == batch
    for low, side, high in zip(
        found.least[2:], fitted(frame_hw, asked, 32), found.most[2:], strict=True
    ):
        assert low <= side <= high


@given(
    st.none() | st.integers(1, 128).map(lambda k: 32 * k), st.sampled_from([{}, {"imgsz": "96"}])
)
def test_what_is_tried_first_fits_the_profile(asked, metadata):
    found = profile(FREE, metadata, asked)
    assert found is not None
    first, *others = first_shapes(FREE, metadata, asked)
    for shape in (first, *others):
        for low, side, high in zip(found.least, shape, found.most, strict=True):
            assert low <= side <= high
    assert max(first) >= LEAST_FIRST_PX


@pytest.mark.parametrize(
    ("shape", "metadata", "options", "expected"),
    [
        ((1, 3, 64, 96), {}, {"asked": 640}, [(1, 3, 64, 96)]),
        ((3, 64, 96), {}, {}, [(3, 64, 96)]),
        ((4, 3, None, None), {}, {}, [(4, 3, 384, 640), (4, 3, 640, 640)]),
        ((3, None, None), {}, {}, [(3, 384, 640), (3, 640, 640)]),
        (FREE, {"imgsz": "1280"}, {}, [(1, 3, 736, 1280), (1, 3, 1280, 1280)]),
        # A square is tried as it is: transformers are made for 312, no multiple of 32.
        (FREE, {"imgsz": "312"}, {}, [(1, 3, 192, 320), (1, 3, 312, 312)]),
        (FREE, {}, {"asked": 160}, [(1, 3, 256, 256), (1, 3, 160, 160)]),
        (FREE, {}, {"asked": 320, "best": (320, 320)}, [(1, 3, 320, 320)]),
        (FREE, {}, {"best": (256, 640)}, [(1, 3, 256, 640), (1, 3, 640, 640)]),
    ],
)
def test_the_first_picture_is_of_the_size_that_will_come(shape, metadata, options, expected):
    assert first_shapes(shape, metadata, **options) == expected
