from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge.segment.letterbox import stretched
from edge.segment.rows import sound_rows

BOX = [1.0, 2.0, 5.0, 6.0]
NAN, INF = float("nan"), float("inf")


def rows(*given, classes=3, min_score=0.2):
    boxes, scores, labels = (np.array(column) for column in zip(*given, strict=True))
    return sound_rows(boxes.reshape(-1, 4), scores, labels, classes, min_score)


def test_the_best_come_first_and_equals_keep_their_order():
    kept, broken = rows((BOX, 0.3, 0), (BOX, 0.9, 1), (BOX, 0.1, 2), (BOX, 0.3, 2))
    assert kept.index.tolist() == [1, 0, 3]
    assert kept.class_ids.tolist() == [1, 0, 2]
    assert kept.scores.dtype == kept.boxes.dtype == np.float32
    assert broken == 0


@pytest.mark.parametrize(
    "bad",
    [
        (BOX, NAN, 0),
        (BOX, INF, 0),
        (BOX, 1.5, 0),
        (BOX, 0.9, 3),
        (BOX, 0.9, -1),
        (BOX, 0.9, 0.5),
        (BOX, 0.9, NAN),
        ([1, 2, NAN, 6], 0.9, 0),
        ([1, 2, 1e7, 6], 0.9, 0),
        ([5, 2, 1, 6], 0.9, 0),
        ([1, 2, 5, 2], 0.9, 0),
    ],
)
def test_values_that_cannot_be_are_dropped_and_counted(bad):
    kept, broken = rows(bad, (BOX, 0.7, 2))
    assert kept.index.tolist() == [1]
    assert broken == 1


def test_weak_rows_may_be_anything():
    kept, broken = rows(([5, 2, 1, 6], 0.1, 99), (BOX, -1.0, 0))
    assert (len(kept), broken) == (0, 0)


def test_no_rows():
    kept, broken = sound_rows(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64), 3, 0.0)
    assert (len(kept), broken) == (0, 0)


def test_what_lies_beside_the_frame_is_left_out():
    kept, _ = rows(([-9, 0, -1, 6], 0.9, 0), (BOX, 0.8, 0), ([0, 40, 5, 50], 0.7, 0))
    assert kept.inside(stretched((20, 20), (40, 40))).index.tolist() == [1]


@given(
    hnp.arrays(np.float32, (6, 6), elements=st.floats(-2, 4, width=32) | st.just(NAN)),
    st.floats(0, 1),
)
def test_any_rows_are_kept_dropped_or_weak(values, min_score):
    kept, broken = sound_rows(values[:, :4], values[:, 4], values[:, 5], 2, min_score)
    weak = np.count_nonzero(values[:, 4] < min_score)
    assert len(kept) + broken + weak == 6
    assert (np.diff(kept.scores) <= 0).all()
    assert (kept.boxes[:, 2:] > kept.boxes[:, :2]).all()
    assert np.isin(kept.class_ids, (0, 1)).all()
