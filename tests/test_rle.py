from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pycocotools import mask as coco
from strategies import dense_masks, padded

from edge import masks as mask_ops
from edge import rle
from edge.errors import ConfigError


def coco_counts(mask):
    return coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode("ascii")


@given(dense_masks())
@example(np.zeros((1, 1, 1), bool))
@example(np.ones((1, 1, 1), bool))
@example(np.ones((1, 9, 1), bool))
@example(np.eye(9, dtype=bool)[None])
def test_what_is_written_is_what_pycocotools_writes(dense):
    runs = rle.encoded(mask_ops.packed(dense))
    assert [r["counts"] for r in runs] == [coco_counts(m) for m in dense]
    assert all(r["size"] == list(dense.shape[1:]) for r in runs)


@given(st.data(), dense_masks(st.just(1), st.integers(1, 200), st.integers(1, 200)))
def test_large_masks_and_loose_windows_too(data, dense):
    assert rle.encoded(data.draw(padded(dense)))[0]["counts"] == coco_counts(dense[0])


@given(dense_masks())
def test_reading_undoes_writing(dense):
    height, width = dense.shape[1:]
    masks = rle.decoded(rle.encoded(mask_ops.packed(dense)), height, width)
    np.testing.assert_array_equal(mask_ops.unpacked(masks), dense)
    np.testing.assert_array_equal(masks.windows, mask_ops.extents(masks))


def test_runs_of_a_whole_frame_are_long_numbers():
    dense = np.zeros((1, 1080, 1920), bool)
    dense[0, 1000:, 1900:] = True
    (run,) = rle.encoded(mask_ops.packed(dense))
    assert run["counts"] == coco_counts(dense[0])
    np.testing.assert_array_equal(mask_ops.unpacked(rle.decoded([run], 1080, 1920)), dense)


@pytest.mark.parametrize(
    "counts",
    ["", "4", "6", "o", "1o", "é", "~", "111", " ", "13 ", None, 7, [2, 2], "oooooooooooooooooo0",
     "K5", "1" * 5000],
)  # fmt: skip
def test_malformed_counts_are_refused(counts):
    with pytest.raises(ConfigError, match=r"^rle"):
        rle.decoded([{"size": [1, 5], "counts": counts}], 1, 5)


@given(st.text(st.characters(min_codepoint=40, max_codepoint=120), max_size=30))
def test_any_text_gives_a_mask_or_a_config_error(text):
    try:
        masks = rle.decoded([{"size": [3, 4], "counts": text}], 3, 4)
    except ConfigError:
        return
    assert mask_ops.unpacked(masks).shape == (1, 3, 4)


@pytest.mark.parametrize("size", [[5, 4], [4], None, "4 x 5"])
def test_another_size_is_refused(size):
    with pytest.raises(ConfigError, match=r"^rle 0: expected size \[4, 5\], got"):
        rle.decoded([{"size": size, "counts": "d0"}], 4, 5)


def test_counts_that_only_fit_by_overflow_are_refused():
    quarter = "P" * 12 + "4"  # 13 groups of five bits: 2^62
    with pytest.raises(ConfigError, match=r"^rle"):
        rle.decoded([{"size": [1, 5], "counts": quarter * 3 + "5"}], 1, 5)
