"""What a tracker said of a stream, against the truth, by trackeval."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from edge import masks as mask_ops
from edge.evaluate import tracks
from edge.evaluate.trackfiles import BoxRows, MaskRows
from edge.evaluate.tracks import FrameOverlap, TrackQuality, mask_overlaps, track_quality
from edge.types import I64
from tracking_bench.streams import CLASS_NAMES, Run, Sequence, Shown, exclusive_runs

NOBODY = 0  # the id of a detection that no track owns


@dataclass(frozen=True, slots=True)
class Answer:
    """A tracker's ids for one sequence and the time they took."""

    ids: tuple[I64, ...]  # one array a frame, as long as its instances; NOBODY: not tracked
    ms: float  # in all
    written: MaskRows | BoxRows | None = None  # its own file of tracks, which then is judged
    line_counts: tuple[tuple[int, int], ...] = ()  # in, out on each line of the sequence


def qualities(
    sequences: list[Sequence], answers: list[Answer], cache: Path | None = None
) -> dict[str, TrackQuality]:
    """The numbers of each class that the truth has, over all sequences together.

    What is asked again is read from the folder `cache`; the name of its file covers all input.
    """
    kept = cache / f"quality-{_key(sequences, answers)}.json" if cache else None
    if kept and kept.exists():
        return {name: TrackQuality(**q) for name, q in json.loads(kept.read_text()).items()}
    said = [rows(s, a) for s, a in zip(sequences, answers, strict=True)]
    found = {}
    for number, name in enumerate(CLASS_NAMES, 1):
        parts: list[list[FrameOverlap]] = [
            mask_overlaps(s.truth, its, number) for s, its in zip(sequences, said, strict=True)
        ]
        quality = track_quality(parts)
        if quality.truth_boxes:
            found[name] = quality
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps({name: asdict(q) for name, q in found.items()}))
    return found


def _key(sequences: list[Sequence], answers: list[Answer]) -> str:
    digest = hashlib.sha256()
    for code in (__file__, tracks.__file__):  # another way to judge asks again
        digest.update(Path(code).read_bytes())
    for sequence, answer in zip(sequences, answers, strict=True):
        digest.update(repr((sequence.name, sequence.truth.ids.tolist())).encode())
        for run in sequence.truth.runs:
            digest.update(bytes(run["counts"]))  # type: ignore[call-overload]
        for shown, ids in zip(sequence.frames, answer.ids, strict=True):
            digest.update(repr((shown.stamp.frame, ids.tolist())).encode())
            digest.update(shown.instances.masks.windows.tobytes())
            digest.update(shown.instances.masks.pixels.tobytes())
    return digest.hexdigest()[:16]


def rows(sequence: Sequence, answer: Answer) -> MaskRows:
    """An answer as a MOTS file would hold it: a contested pixel goes to the higher score."""
    if isinstance(answer.written, MaskRows):
        return answer.written
    frames, ids, classes = [], [], []
    runs: list[Run] = []
    for shown, its in zip(sequence.frames, answer.ids, strict=True):
        kept = np.flatnonzero(its != NOBODY)
        for k, run in zip(kept.tolist(), _exclusive(shown, kept), strict=True):
            if run is None:
                continue
            frames.append(shown.stamp.frame)
            ids.append(int(its[k]))
            classes.append(int(shown.instances.class_ids[k]) + 1)
            runs.append(run)
    table = [np.array(column, np.int64) for column in (frames, ids, classes)]
    return MaskRows(table[0], table[1], table[2], tuple(runs))


def _exclusive(shown: Shown, kept: I64) -> list[Run | None]:
    """The masks of `kept` without overlap; None: nothing is left of it."""
    if not shown.is_contested or len(kept) == len(shown.instances):
        return [shown.runs[k] for k in kept.tolist()]
    return exclusive_runs(mask_ops.chosen(shown.instances.masks, kept))
