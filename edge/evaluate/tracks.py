"""HOTA, IDF1 and MOTA of tracks, by the metric classes of trackeval (extra `eval`).

Pictures are not needed: truth and tracks meet as matrices of box or mask IoU, one a frame.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lap
import numpy as np

from edge import boxes
from edge.errors import ConfigError, EdgeError
from edge.evaluate.coco import require_pycocotools
from edge.evaluate.trackfiles import IGNORE_CLASS, BoxRows, MaskRows
from edge.types import F32, F64, I64, Bool

MIN_IOU = 0.5  # for a match in MOTA and IDF1; HOTA runs over .05 ... .95
Region = tuple[float, float, float, float]  # x1, y1, x2, y2 pixels


@dataclass(frozen=True, slots=True)
class FrameOverlap:
    """One frame: who is there, and how much each true object overlaps each track."""

    truth_ids: I64  # (G,)
    track_ids: I64  # (T,)
    iou: F64  # (G, T)


@dataclass(frozen=True, slots=True)
class TrackQuality:
    """Numbers of one class. Shares are 0..1 except `mota` and `smota`, which may be negative.

    `smota` is called sMOTSA where the overlap is of masks.
    """

    hota: float
    det_a: float
    ass_a: float
    loc_a: float
    idf1: float
    id_precision: float
    id_recall: float
    mota: float
    smota: float
    precision: float
    recall: float
    id_switches: int
    fragmentations: int
    mostly_tracked: int
    mostly_lost: int
    truth_ids: int
    truth_boxes: int
    tracked_boxes: int


def box_overlaps(
    truth: BoxRows,
    tracks: BoxRows,
    frame_offset: int = 0,
    ignore_regions: Sequence[Region] = (),
    drop_flagged: bool = True,
) -> list[FrameOverlap]:
    """Truth and tracks of one sequence, frame by frame.

    Rows of the truth with flag 0 are left out, and so is a track on such an object, as it is
    neither right nor wrong. TrackEval counts it as wrong: `drop_flagged=False`.

    Args:
        truth: ground truth.
        tracks: what a tracker said.
        frame_offset: added to the tracks' frame numbers.
        ignore_regions: x1, y1, x2, y2 in pixels. Boxes whose foot (bottom centre) lies inside
            and which match no true object at IoU .5 are dropped.
        drop_flagged: drop boxes that match no true object but one with flag 0.
    """
    frames = []
    track_frames = tracks.frames + frame_offset
    for frame in np.union1d(truth.frames, track_frames).tolist():
        there = truth.frames == frame
        flagged = truth.boxes[there & ~truth.considered]
        there = there & truth.considered
        said = track_frames == frame
        found: F32 = tracks.boxes[said]
        iou = boxes.iou_matrix(truth.boxes[there], found).astype(np.float64)
        excused = _feet_inside(found, ignore_regions)
        if drop_flagged:
            excused |= boxes.iou_matrix(flagged, found).max(0, initial=0.0) >= MIN_IOU
        overlap = FrameOverlap(truth.ids[there], tracks.ids[said], iou)
        frames.append(_without_excused(overlap, excused))
    return frames


def mask_overlaps(
    truth: MaskRows,
    tracks: MaskRows,
    class_id: int,
    frame_offset: int = 0,
    ignore_regions: Sequence[Region] = (),
) -> list[FrameOverlap]:
    """Truth and tracks of one class in one sequence, frame by frame.

    As in MOTS (Voigtlaender et al., 2019, arXiv:1902.03604), masks that match no true object
    and lie by more than half in an ignore region are dropped.

    Args:
        truth: ground truth, with ignore regions as class 10.
        tracks: what a tracker said.
        class_id: the class, 1 car or 2 person.
        frame_offset: added to the tracks' frame numbers.
        ignore_regions: rectangles that are ignored as well.

    Raises:
        ConfigError: truth and tracks are of frames of different size.
        EdgeError: pycocotools is not installed.
    """
    mask = require_pycocotools("mask")
    size = _common_size(truth, tracks)
    everywhere = _rectangles(mask, ignore_regions, size)
    frames = []
    track_frames = tracks.frames + frame_offset
    for frame in np.union1d(truth.frames, track_frames).tolist():
        there = np.flatnonzero((truth.frames == frame) & (truth.class_ids == class_id))
        ignored = np.flatnonzero((truth.frames == frame) & (truth.class_ids == IGNORE_CLASS))
        said = np.flatnonzero((track_frames == frame) & (tracks.class_ids == class_id))
        found = [tracks.runs[k] for k in said]
        iou = _run_overlap(mask, [truth.runs[k] for k in there], found, of_track=False)
        regions = everywhere + [truth.runs[k] for k in ignored]
        if len(regions) > 1:  # a mask may lie across several
            regions = [mask.merge(regions)]
        inside = _run_overlap(mask, regions, found, of_track=True)
        overlap = FrameOverlap(truth.ids[there], tracks.ids[said], iou)
        frames.append(_without_excused(overlap, inside.max(0, initial=0.0) > 0.5))
    return frames


def track_quality(sequences: Sequence[Sequence[FrameOverlap]]) -> TrackQuality:
    """The numbers over all sequences together; see `track_qualities`."""
    return track_qualities({str(k): s for k, s in enumerate(sequences)})[0]


def track_qualities(
    sequences: Mapping[str, Sequence[FrameOverlap]],
) -> tuple[TrackQuality, dict[str, TrackQuality]]:
    """The numbers over all sequences together, and of each of them.

    Together means sums of their counts, not means of their shares, as TrackEval combines them.

    HOTA: Luiten et al., 2021, arXiv:2009.07736. IDF1: Ristani et al., 2016, arXiv:1609.01775.
    MOTA: Bernardin and Stiefelhagen, 2008.

    Raises:
        EdgeError: trackeval is not installed.
    """
    metrics = _metrics()
    whole: dict[str, Any] = {}
    each: dict[str, dict[str, Any]] = {name: {} for name in sequences}
    relabelled = {name: _relabelled(frames) for name, frames in sequences.items()}
    with contextlib.redirect_stdout(io.StringIO()):
        for metric in (metrics.HOTA(), metrics.Identity(_quiet()), metrics.CLEAR(_quiet())):
            parts = {name: metric.eval_sequence(data) for name, data in relabelled.items()}
            whole |= metric.combine_sequences(parts)
            for name, part in parts.items():
                each[name] |= part
    return _quality(whole), {name: _quality(part) for name, part in each.items()}


def _quality(results: dict[str, Any]) -> TrackQuality:
    return TrackQuality(
        hota=float(np.mean(results["HOTA"])),
        det_a=float(np.mean(results["DetA"])),
        ass_a=float(np.mean(results["AssA"])),
        loc_a=float(np.mean(results["LocA"])),
        idf1=float(results["IDF1"]),
        id_precision=float(results["IDP"]),
        id_recall=float(results["IDR"]),
        mota=float(results["MOTA"]),
        smota=float(results["sMOTA"]),
        precision=float(results["CLR_Pr"]),
        recall=float(results["CLR_Re"]),
        id_switches=int(results["IDSW"]),
        fragmentations=int(results["Frag"]),
        mostly_tracked=int(results["MT"]),
        mostly_lost=int(results["ML"]),
        truth_ids=int(results["MT"] + results["PT"] + results["ML"]),
        truth_boxes=int(results["CLR_TP"] + results["CLR_FN"]),
        tracked_boxes=int(results["CLR_TP"] + results["CLR_FP"]),
    )


def _metrics() -> Any:
    try:
        import trackeval.metrics
    except ImportError as error:
        raise EdgeError(
            f"trackeval: expected to be installed, got {error}; "
            "install it: `scripts/install eval`, or pip install trackeval"
        ) from error
    return trackeval.metrics


def _quiet() -> dict[str, Any]:
    return {"THRESHOLD": MIN_IOU, "PRINT_CONFIG": False}


def _relabelled(frames: Sequence[FrameOverlap]) -> dict[str, Any]:
    """The dictionary that trackeval's metrics read: ids become 0, 1, 2 ... over the sequence."""
    nobody = np.zeros(0, np.int64)
    truth_ids = np.unique(np.concatenate([nobody, *(f.truth_ids for f in frames)]))
    track_ids = np.unique(np.concatenate([nobody, *(f.track_ids for f in frames)]))
    return {
        "num_timesteps": len(frames),
        "num_gt_ids": len(truth_ids),
        "num_tracker_ids": len(track_ids),
        "num_gt_dets": sum(len(f.truth_ids) for f in frames),
        "num_tracker_dets": sum(len(f.track_ids) for f in frames),
        "gt_ids": [np.searchsorted(truth_ids, f.truth_ids) for f in frames],
        "tracker_ids": [np.searchsorted(track_ids, f.track_ids) for f in frames],
        "similarity_scores": [f.iou for f in frames],
    }


def _feet_inside(found: F32, regions: Sequence[Region]) -> Bool:
    x, y = (found[:, 0] + found[:, 2]) / 2, found[:, 3]
    inside: Bool = np.zeros(len(found), bool)
    for x1, y1, x2, y2 in regions:
        inside |= (x >= x1) & (x < x2) & (y >= y1) & (y < y2)
    return inside


def _without_excused(frame: FrameOverlap, excused: Bool) -> FrameOverlap:
    """The frame without excused tracks, except those that the best assignment matches."""
    if not excused.any():
        return frame
    keep = ~excused
    if frame.iou.size:
        allowed = np.where(frame.iou >= MIN_IOU, frame.iou, 0.0)
        _, track_of, _ = lap.lapjv(1.0 - allowed, extend_cost=True, cost_limit=1.0)
        rows = np.flatnonzero(track_of >= 0)
        columns = track_of[rows]
        keep[columns[allowed[rows, columns] > 0]] = True
    return FrameOverlap(frame.truth_ids, frame.track_ids[keep], frame.iou[:, keep])


def _common_size(truth: MaskRows, tracks: MaskRows) -> tuple[int, int]:
    """Height and width of the frames; pycocotools would compare other masks without a word."""
    sizes: list[Any] = [run["size"] for run in truth.runs + tracks.runs]
    different = [s for s in sizes if s != sizes[0]]
    if different:
        raise ConfigError(
            f"masks: expected truth and tracks on frames of one size, got {sizes[0]} "
            f"and {different[0]} (height, width)"
        )
    return (int(sizes[0][0]), int(sizes[0][1])) if sizes else (0, 0)


def _rectangles(mask: Any, regions: Sequence[Region], size_hw: tuple[int, int]) -> list[Any]:
    if not regions or not all(size_hw):
        return []
    corners = [[x1, y1, x2 - x1, y2 - y1] for x1, y1, x2, y2 in regions]
    return list(mask.frPyObjects(np.array(corners, np.float64), *size_hw))


def _run_overlap(mask: Any, truth: list[Any], found: list[Any], of_track: bool) -> F64:
    """IoU, or the share of each track's mask that lies in the true one, float64 (G, T)."""
    if not truth or not found:
        return np.zeros((len(truth), len(found)))
    # pycocotools gives rows of the first and columns of the second argument.
    share: F64 = np.asarray(mask.iou(found, truth, [int(of_track)] * len(truth))).T
    return share
