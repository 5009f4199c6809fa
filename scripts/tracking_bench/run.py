"""Every tracker on every stream: rows for the tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from edge.errors import ConfigError
from tracking_bench import ours, pets
from tracking_bench.judge import Answer, qualities
from tracking_bench.rivals import DEFAULT_FPS, NAMES, Rivals, note
from tracking_bench.streams import FPS, RECIPES, sequence
from tracking_bench.streams import Sequence as Stream
from tracking_bench.table import Row

HERE: dict[str, Callable[[Stream], Answer]] = {
    "ours": ours.ours,
    "ours-seen": ours.ours_seen,
    "oracle": ours.oracle,
    "mask-iou": ours.mask_iou,
}
OURS = ("ours", "ours-seen")
LOW_FPS = 10.0
ALL = (*HERE, *NAMES)


def chosen(option: str, text: str, known: Sequence[str]) -> list[str]:
    """The names that an option lists; empty: all.

    Raises:
        ConfigError: an unknown name.
    """
    names = [n.strip() for n in text.split(",") if n.strip()] or list(known)
    for name in names:
        if name not in known:
            raise ConfigError(f"{option}: expected some of {', '.join(known)}, got '{name}'")
    return names


def streams_rows(
    files: Sequence[Path], recipes: Sequence[str], trackers: Sequence[str], rivals: Rivals
) -> list[Row]:
    """The mask streams."""
    rows = []
    for name in recipes:
        note(f"{name}: making the stream of {len(files)} sequences")
        sequences = [sequence(path, RECIPES[name]) for path in files]
        frames = sum(len(s.frames) for s in sequences)
        for tracker in trackers:
            note(f"{name}: {tracker}")
            for fps, answers in _answers(tracker, FPS / RECIPES[name].step, sequences, rivals):
                ms = sum(a.ms for a in answers) / max(frames, 1)
                cache = None if tracker in OURS else rivals.cache
                for class_name, quality in qualities(sequences, answers, cache).items():
                    rows.append(Row(name, class_name, tracker, quality, ms, fps))
    return best_of_each(rows)


def pets_rows(given: pets.Clip, trackers: Sequence[str], rivals: Rivals) -> list[Row]:
    """The sample clip: box truth has no ids for detections, so there is no oracle."""
    rows = []
    truth = pets.true_counts(given)
    for tracker in trackers:
        if tracker == "oracle":
            continue
        note(f"pets: {tracker}")
        for fps, (answer,) in _answers(tracker, pets.FPS, [given.sequence], rivals):
            error = None
            if tracker in OURS:
                error = pets.count_error(truth, pets.our_counts(given))
            elif answer.line_counts:
                said = pets.best_orientation(truth, answer.line_counts)
                error = pets.count_error(truth, said)
            ms = answer.ms / len(given.sequence.frames)
            rows.append(Row("pets", "person", tracker, pets.quality(given, answer), ms, fps, error))
    return best_of_each(rows)


def _answers(
    tracker: str, fps: float, sequences: list[Stream], rivals: Rivals
) -> list[tuple[float | None, list[Answer]]]:
    """What a tracker says; rivals at low frame rates twice, the second time with their default."""
    if tracker in HERE:
        class_names = pets.CLASS_NAMES if sequences[0].lines else None
        if tracker in OURS and class_names:
            of_people = ours.ours if tracker == "ours" else ours.ours_seen
            return [(None, [of_people(s, class_names) for s in sequences])]
        return [(None, [HERE[tracker](s) for s in sequences])]
    rates = (fps, DEFAULT_FPS) if fps < LOW_FPS else (fps,)
    return [(rate, rivals.answers(tracker, rate, sequences)) for rate in rates]


def best_of_each(rows: Sequence[Row]) -> list[Row]:
    """Of each tracker on a stream and class the row with the best HOTA, in the order given."""
    best: dict[tuple[str, str, str], Row] = {}
    for row in rows:
        key = (row.stream, row.class_name, row.tracker)
        if key not in best or row.quality.hota > best[key].quality.hota:
            best[key] = row
    return list(best.values())
