"""Track metrics against sequences small enough to reckon by hand, and the file formats."""

import math
import os
from pathlib import Path

import numpy as np
import pytest

from edge import rle
from edge.errors import ConfigError
from edge.evaluate.trackfiles import (
    BoxRows,
    MaskRows,
    read_boxes,
    read_masks,
    refuse_shared_pixels,
    track_format,
)
from edge.evaluate.tracks import (
    FrameOverlap,
    box_overlaps,
    mask_overlaps,
    track_qualities,
    track_quality,
)
from edge.masks import packed

SHARED = Path(os.environ.get("EDGECOUNT_SHARED", Path(__file__).parents[2].parent / "shared"))


def sequence(*pairs, iou=1.0):
    """Frames in which true object k lies exactly on the track that stands at its place."""
    frames = []
    for truth_ids, track_ids in pairs:
        matrix = np.zeros((len(truth_ids), len(track_ids)))
        for k in range(min(matrix.shape)):
            matrix[k, k] = iou
        frames.append(
            FrameOverlap(np.array(truth_ids, np.int64), np.array(track_ids, np.int64), matrix)
        )
    return frames


def rows(*lines):
    table = np.array(lines, np.float64).reshape(-1, 7)
    boxes = table[:, 2:6].astype(np.float32)
    return BoxRows(
        table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), boxes, table[:, 6] != 0
    )


def test_perfect_tracks_score_one_whatever_their_ids():
    q = track_quality([sequence(*[([1, 2], [70, 9])] * 5)])
    assert [q.hota, q.det_a, q.ass_a, q.loc_a, q.idf1, q.mota, q.smota] == pytest.approx([1.0] * 7)
    assert (q.id_switches, q.truth_ids, q.truth_boxes, q.tracked_boxes) == (0, 2, 10, 10)


def test_a_track_broken_in_half():
    q = track_quality([sequence(*[([1], [1])] * 2, *[([1], [2])] * 2)])
    assert (q.idf1, q.det_a, q.ass_a) == pytest.approx((0.5, 1.0, 0.5))
    assert q.hota == pytest.approx(math.sqrt(0.5))
    assert (q.id_switches, q.mota, q.smota) == (1, 0.75, 0.75)


def test_two_ids_that_swap():
    q = track_quality([sequence(*[([1, 2], [1, 2])] * 2, *[([1, 2], [2, 1])] * 2)])
    assert q.idf1 == pytest.approx(0.5)
    assert q.ass_a == pytest.approx(1 / 3)  # together 2, apart 2 + 2
    assert q.hota == pytest.approx(math.sqrt(1 / 3))
    assert (q.id_switches, q.mota) == (2, 0.75)


def test_overlap_decides_at_how_many_thresholds_hota_sees_a_match():
    q = track_quality([sequence(*[([1], [1])] * 3, iou=0.62)])
    assert q.hota == pytest.approx(12 / 19)  # .05 ... .60 of .05 ... .95
    assert (q.idf1, q.mota, q.smota) == pytest.approx((1.0, 1.0, 0.62))


def test_misses_and_ghosts():
    q = track_quality([sequence(([1], [1]), ([1], []), ([], [5]), ([1], [1]))])
    assert (q.recall, q.precision) == pytest.approx((2 / 3, 2 / 3))
    assert q.mota == pytest.approx(1 - 2 / 3)
    assert q.det_a == pytest.approx(2 / 4)


def test_nothing_tracked_and_nothing_true():
    assert track_quality([sequence(([1], []))]).hota == 0.0
    assert track_quality([sequence(([], [1]))]).idf1 == 0.0
    assert track_quality([[]]).truth_boxes == 0


def test_sequences_are_summed_not_averaged(capsys):
    good, bad = sequence(*[([1], [1])] * 9), sequence(([1], []))
    q = track_quality([good, bad])
    assert (q.mota, q.recall, q.idf1) == pytest.approx((0.9, 0.9, 18 / 19))
    assert capsys.readouterr().out == ""


TRUTH = rows((1, 1, 0, 0, 10, 10, 1), (2, 1, 0, 0, 10, 10, 1), (2, 2, 50, 50, 60, 60, 0))


def test_boxes_meet_frame_by_frame():
    tracks = rows((0, 4, 0, 0, 10, 5, 1), (1, 4, 0, 0, 10, 10, 1))
    first, second = box_overlaps(TRUTH, tracks, frame_offset=1)
    assert (first.iou.tolist(), second.iou.tolist()) == ([[0.5]], [[1.0]])
    assert second.truth_ids.tolist() == [1]  # the row with flag 0 is left out
    assert box_overlaps(TRUTH, rows())[0].iou.shape == (1, 0)


def test_boxes_on_flagged_truth_are_dropped_or_as_in_trackeval_wrong():
    tracks = rows((1, 4, 0, 0, 10, 10, 1), (2, 4, 0, 0, 10, 10, 1), (2, 8, 50, 50, 60, 60, 1))
    assert track_quality([box_overlaps(TRUTH, tracks)]).precision == 1.0
    strict = box_overlaps(TRUTH, tracks, drop_flagged=False)
    assert track_quality([strict]).precision == pytest.approx(2 / 3)


def test_ignore_region_drops_only_what_matches_no_truth():
    tracks = rows((1, 4, 0, 0, 10, 10, 1), (1, 5, 3, 0, 13, 10, 1), (1, 6, 90, 0, 99, 9, 1))
    first, _ = box_overlaps(TRUTH, tracks, ignore_regions=[(0, 0, 30, 30)])
    assert first.track_ids.tolist() == [4, 6]
    assert first.iou.shape == (1, 2)


def mask_rows(*items):
    """(frame, id, class, columns from, to) of masks over the full height of a 10 x 10 frame."""
    runs = []
    for *_, x1, x2 in items:
        dense = np.zeros((1, 10, 10), np.uint8)
        dense[0, :, x1:x2] = 1
        run = rle.encoded(packed(dense))[0]
        runs.append({"size": run["size"], "counts": str(run["counts"]).encode()})
    numbers = np.array([i[:3] for i in items], np.int64).reshape(-1, 3)
    return MaskRows(numbers[:, 0], numbers[:, 1], numbers[:, 2], tuple(runs))


def test_masks_meet_within_their_class_and_ignore_regions_excuse():
    truth = mask_rows((0, 2001, 2, 0, 4), (0, 1001, 1, 4, 6), (0, 10000, 10, 6, 10))
    tracks = mask_rows((0, 1, 2, 0, 3), (0, 2, 2, 5, 9), (0, 3, 1, 4, 6))
    (people,) = mask_overlaps(truth, tracks, 2)
    assert people.iou.tolist() == [[0.75]]  # the other lies by 3 of 4 columns in the region
    (cars,) = mask_overlaps(truth, tracks, 1)
    assert cars.iou.tolist() == [[1.0]]
    assert track_quality([[people]]).smota == pytest.approx(0.75)
    assert [f.iou.shape for f in mask_overlaps(truth, mask_rows(), 2)] == [(1, 0)]


def test_masks_in_regions_that_the_caller_ignores():
    truth = mask_rows((0, 2001, 2, 0, 2), (0, 10000, 10, 8, 10))
    tracks = mask_rows((0, 1, 2, 0, 2), (0, 2, 2, 6, 10))  # half of it in the truth's own region
    (frame,) = mask_overlaps(truth, tracks, 2)
    assert frame.track_ids.tolist() == [1, 2]
    (frame,) = mask_overlaps(truth, tracks, 2, ignore_regions=[(6.0, 0.0, 8.0, 4.0)])
    assert frame.track_ids.tolist() == [1]  # both regions together hold 7 of 10 pixels
    assert frame.iou.tolist() == [[1.0]]


def test_masks_of_other_frames_are_refused():
    run = {"size": [5, 10], "counts": b"0b1"}
    other = MaskRows(*(np.array([v], np.int64) for v in (0, 1, 2)), (run,))
    with pytest.raises(ConfigError, match=r"on frames of one size, got \[10, 10\] and \[5, 10\]"):
        mask_overlaps(mask_rows((0, 2001, 2, 0, 2)), other, 2)


def test_numbers_of_each_sequence():
    good, bad = sequence(*[([1], [1])] * 3), sequence(([1], []))
    whole, each = track_qualities({"a": good, "b": bad})
    assert whole == track_quality([good, bad])
    assert each["a"] == track_quality([good])
    assert (each["b"].hota, each["b"].recall, whole.recall) == (0.0, 0.0, 0.75)


def test_results_that_share_a_pixel_are_refused():
    refuse_shared_pixels(
        Path("t.txt"), mask_rows((0, 1, 1, 0, 4), (0, 2, 2, 4, 6), (1, 1, 1, 0, 9))
    )
    refuse_shared_pixels(Path("t.txt"), mask_rows((0, 1, 1, 0, 4), (0, 10000, 10, 0, 10)))
    with pytest.raises(ConfigError, match=r"t\.txt: .* share no pixel, got 10 shared in frame 0"):
        refuse_shared_pixels(Path("t.txt"), mask_rows((0, 1, 1, 0, 4), (0, 2, 2, 3, 6)))


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("0 2001 2 375 1242 abc", "mots"),
        ("1,1,5,5,10,10,1,-1,-1,-1", "mot"),
        ("1 1 5 5 10 10 1", "mot"),
        ("", "mot"),
    ],
)
def test_the_format_of_a_file(tmp_path, text, form):
    (tmp_path / "x.txt").write_text(text)
    assert track_format(tmp_path / "x.txt") == form


def test_reading_boxes(tmp_path):
    path = tmp_path / "gt.txt"
    path.write_text("1,9,499,158,31.5,75,1,-4.1,-7.3,0\n\n2 9 500 158 31.5 75 0\n3,9,1,2,3,4\n")
    read = read_boxes(path)
    assert (read.frames.tolist(), read.ids.tolist()) == ([1, 2, 3], [9, 9, 9])
    assert read.boxes[0].tolist() == [499.0, 158.0, 530.5, 233.0]
    assert read.considered.tolist() == [True, False, True]
    path.write_text("")
    assert read_boxes(path).boxes.shape == (0, 4)


def test_reading_masks(tmp_path):
    path = tmp_path / "tracks.txt"
    path.write_text("0 2001 2 2 2 13\n0 10000 10 2 2 04\n0 10000 10 2 2 13\n")
    read = read_masks(path)
    assert (read.ids.tolist(), read.class_ids.tolist()) == ([2001, 10000, 10000], [2, 10, 10])
    assert read.runs[0] == {"size": [2, 2], "counts": b"13"}


@pytest.mark.parametrize(
    ("reader", "text", "message"),
    [
        (read_boxes, "1,2,3", "expected numbers frame,id,x,y,w,h,..., got '1,2,3'"),
        (read_boxes, "1,2,a,4,5,6", "expected numbers frame,id,x,y,w,h,..., got '1,2,a,4,5,6'"),
        (read_masks, "1 2 3", "expected 'frame id class height width rle', got '1 2 3'"),
        (read_masks, "0 1 1 0 9 04", "expected a height and a width, got '0 1 1 0 9 04'"),
    ],
)
def test_broken_lines_are_named(tmp_path, reader, text, message):
    path = tmp_path / "x.txt"
    path.write_text(f"\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        reader(path)
    assert str(caught.value) == f"{path}:2: {message}"


def test_an_id_twice_in_a_frame_and_a_missing_file(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("1,2,0,0,9,9\n1,2,5,5,9,9\n")
    with pytest.raises(ConfigError, match="expected each id once a frame, got 2 twice in 1"):
        read_boxes(path)
    with pytest.raises(ConfigError, match="expected a readable text file"):
        read_masks(tmp_path / "none.txt")


@pytest.mark.shared
def test_shared_truth_against_itself():
    boxes = read_boxes(SHARED / "data/tracking/pets09-s2l1/gt.txt")
    q = track_quality([box_overlaps(boxes, boxes, drop_flagged=True)])
    assert (q.hota, q.idf1, q.mota, q.truth_ids) == pytest.approx((1.0, 1.0, 1.0, 19))
    masks = read_masks(SHARED / "data/tracking/kitti-mots/0000.txt")
    q = track_quality([mask_overlaps(masks, masks, 1)])
    assert (q.hota, q.idf1, q.smota, q.truth_ids) == pytest.approx((1.0, 1.0, 1.0, 9))
