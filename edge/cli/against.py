"""A config tried on recorded detections: what comes near each rule, and what it counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edge import build
from edge.cli.rule_lints import Finding, Scale
from edge.config import Config
from edge.count.line import LineCounter
from edge.errors import ConfigError
from edge.geometry import path_distance, polygon_distance
from edge.outputs import Counter
from edge.sources.detections import DetectionsFile
from edge.types import F64, I32, Tracks, TrackState

_NEAR = 0.5  # of its height: a track whose foot comes so close comes near
_MANY = 5  # so many tracks near a line should give a crossing


@dataclass(slots=True)
class Trial:
    """How one rule did."""

    counter: Counter
    class_ids: I32 | None  # that it counts; None: all
    nearest_px: float = float("inf")
    near: dict[int, float] = field(default_factory=dict)  # track id -> height, pixels

    @property
    def object_px(self) -> float | None:
        """Usual height of the tracks that came near; None without any."""
        return float(np.median(list(self.near.values()))) if self.near else None

    def watch(self, tracks: Tracks) -> None:
        """Note who is near in this frame."""
        is_meant = (tracks.instance >= 0) & (tracks.states == TrackState.CONFIRMED)
        if self.class_ids is not None:
            is_meant &= np.isin(tracks.class_ids, self.class_ids)
        rows = np.flatnonzero(is_meant)
        if not len(rows):
            return
        distances = self._distance(tracks.feet[rows].astype(np.float64))
        self.nearest_px = min(self.nearest_px, float(distances.min()))
        for row in rows[distances <= _NEAR * tracks.heights[rows]].tolist():
            self.near[int(tracks.ids[row])] = float(tracks.heights[row])

    def _distance(self, feet: F64) -> F64:
        if isinstance(self.counter, LineCounter):
            return path_distance(feet, self.counter.line)
        outside: F64 = np.maximum(0.0, -polygon_distance(feet, self.counter.polygon))
        return outside


@dataclass(slots=True)
class Tryout:
    """A recording after it went through tracker and counters."""

    path: Path
    camera: str
    width_px: int
    height_px: int
    trials: dict[str, Trial]  # by rule
    frames: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    heights: dict[int, float] = field(default_factory=dict)  # of every track, pixels

    def scale_of(self, camera: str, rule: str) -> Scale:
        """Measured sizes for the recording's camera, guesses for others and without tracks."""
        if camera != self.camera or not self.heights:
            return Scale()
        usual_px = self.trials[rule].object_px or float(np.median(list(self.heights.values())))
        return Scale(self.width_px, self.height_px, usual_px, is_measured=True)

    def findings(self) -> Iterator[Finding]:
        """Rules that this recording does not reach."""
        for rule, trial in self.trials.items():
            kind = "lines" if isinstance(trial.counter, LineCounter) else "zones"
            key, totals = ("cameras", self.camera, kind, rule), trial.counter.totals
            if not trial.near:
                nearest = f", the nearest passes at {trial.nearest_px:.0f} px" * bool(self.heights)
                yield Finding(key, f"no track of {self.path.name} comes near it{nearest}")
            elif len(trial.near) >= _MANY and not totals.count_in + totals.count_out:
                many = f"{len(trial.near)} tracks of {self.path.name} come near it"
                yield Finding(key, f"{many}, and none of them is counted")

    def report(self) -> list[str]:
        """The recording and each rule, a line each."""
        usual = (
            f", usual height {np.median(list(self.heights.values())):.0f} px"
            if self.heights
            else ""
        )
        lines = [
            f"{self.path}: camera {self.camera}, {self.frames} frames in "
            f"{self.last_s - self.first_s:.1f} s, {_number(len(self.heights), 'track')}{usual}"
        ]
        for rule, trial in self.trials.items():
            totals = trial.counter.totals
            kind = "line" if isinstance(trial.counter, LineCounter) else "zone"
            size = f", usual height {trial.object_px:.0f} px" if trial.object_px else ""
            lines.append(
                f"  {kind} {rule}: {_number(len(trial.near), 'track')} near, "
                f"{totals.count_in} in, {totals.count_out} out{size}"
            )
        return lines


def tried(config: Config, path: Path) -> Tryout:
    """Run tracker and counters over a recording.

    Raises:
        ConfigError: it belongs to no camera of the config, or classes are unknown.
        SourceError: it cannot be read.
    """
    recorded = DetectionsFile(path)
    camera = _camera_of(config, recorded)
    names = list(recorded.class_names)
    tracker = build.tracker(config, camera, names)
    counters = build.counters(config, camera, names, recorded.width, recorded.height)
    rules = config.cameras[camera].rules
    trials = {}
    for counter in counters:
        wanted = rules[counter.rule_id].classes
        ids = None if wanted is None else np.array([names.index(n) for n in wanted], np.int32)
        trials[counter.rule_id] = Trial(counter, ids)
    tryout = Tryout(path, camera, recorded.width, recorded.height, trials)
    for stamp, instances in recorded:
        tracks = tracker.update(stamp, instances)
        if tryout.frames == 0:
            tryout.first_s = stamp.media_s
        tryout.frames, tryout.last_s = tryout.frames + 1, stamp.media_s
        for row in np.flatnonzero(tracks.states == TrackState.CONFIRMED).tolist():
            tryout.heights[int(tracks.ids[row])] = float(tracks.heights[row])
        for trial in trials.values():
            trial.counter.update(stamp, tracks, instances)
            trial.watch(tracks)
    return tryout


def _camera_of(config: Config, recorded: DetectionsFile) -> str:
    """The camera that the recording names, or the only one."""
    named = str(recorded.provenance.get("source_id", ""))
    if named in config.cameras:
        return named
    if len(config.cameras) == 1:
        return next(iter(config.cameras))
    known = ", ".join(config.cameras) or "none"
    raise ConfigError(
        f"{recorded.path}: expected a recording of a camera of the config ({known}), "
        f"got '{named or 'one without a name'}'"
    )


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
