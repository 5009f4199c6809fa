"""Masks in, counts out: tracker and counters as `edge.build` makes them, in the main loop."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from strategies import chosen

from edge import build, pipeline
from edge import masks as mask_ops
from edge.config import Config
from edge.testing import PERSON, Actor, Noise, frames, line_counts, zone_counts
from edge.types import CountEvent, Instances, Stamp, Step

NAMES = ("person", "car", "truck")  # as the class ids of edge.testing
SIZE = (240, 320)
MIDDLE = ((0.5, 0.1), (0.5, 1.0))  # its left-hand side is where x is larger
ACROSS = ((0.0, 0.6), (1.0, 0.6))  # its left-hand side is up
YARD = ((0.3, 0.3), (0.7, 0.3), (0.7, 0.95), (0.3, 0.95))
# Frames a second, and which way round the scene is: 1, or -1 for seen in a mirror.
RATES = pytest.mark.parametrize(("fps", "way"), [(2, 1), (5, -1), (10, 1), (25, -1)])
FASTER = pytest.mark.parametrize(("fps", "way"), [(5, 1), (10, -1), (25, 1)])
TWO_RATES = pytest.mark.parametrize(("fps", "way"), [(2, 1), (10, -1)])
EVERY_RATE = pytest.mark.parametrize(
    ("fps", "way"), [(2, 1), (2, -1), (5, 1), (10, -1), (25, 1), (60, -1)]
)

Points = Sequence[tuple[float, float]]
Film = Iterable[tuple[Stamp, Instances]]


@dataclass
class Outcome:
    """What came of a film; an output of the pipeline."""

    dropped: Counter[str]
    events: list[CountEvent] = field(default_factory=list)
    confirmed: set[int] = field(default_factory=set)  # ids of tracks that a counter could see

    def write(self, step: Step) -> None:
        self.events += step.events
        self.confirmed.update(step.tracks.ids[step.tracks.states > 0].tolist())

    def close(self) -> None:
        pass

    def counts(self, rule: str = "gate") -> tuple[int, int]:
        """In and out; checks that the last totals are the sum of all deltas."""
        mine = [e for e in self.events if e.rule_id == rule and e.delta]
        ins, outs = (sum(e.delta for e in mine if e.direction == way) for way in ("in", "out"))
        if mine:
            assert (mine[-1].totals.count_in, mine[-1].totals.count_out) == (ins, outs)
        return ins, outs


def config(
    lines: dict[str, Points] | None, zones: dict[str, Points] | None, keys: dict[str, object]
) -> Config:
    """One camera with these rules, 0..1 of the frame, `keys` in each; defaults for all else."""
    camera = {
        "source": "-",
        "lines": {name: {"points": points, **keys} for name, points in (lines or {}).items()},
        "zones": {name: {"polygon": points, **keys} for name, points in (zones or {}).items()},
    }
    return Config.model_validate({"cameras": {"camera": camera}})


def played(
    film: Film,
    lines: dict[str, Points] | None = None,
    zones: dict[str, Points] | None = None,
    size_hw: tuple[int, int] = SIZE,
    **keys: object,
) -> Outcome:
    """Run a film through everything that decides a count; `keys` are those of each rule."""
    rules = config({"gate": MIDDLE} if lines is None and zones is None else lines, zones, keys)
    tracker = build.tracker(rules, "camera", NAMES)
    counters = build.counters(rules, "camera", NAMES, size_hw[1], size_hw[0])
    outcome = Outcome(tracker.dropped)
    pipeline.run(pipeline.replayed(film), tracker, counters, [outcome])
    return outcome


def film(
    actors: Sequence[Actor],
    times_s: Sequence[float],
    size_hw: tuple[int, int] = SIZE,
    noise: Noise | None = None,
    seed: int = 0,
) -> Film:
    """What a segmenter would see, without the truth."""
    for stamp, instances, _ in frames(actors, times_s, size_hw, noise, seed):
        yield stamp, instances


def pixels(points: Points, size_hw: tuple[int, int] = SIZE) -> np.ndarray:
    """0..1 of the frame -> frame pixels."""
    return np.array(points, np.float64) * (size_hw[1], size_hw[0])


def true_counts(
    actors: Sequence[Actor], line: Points = MIDDLE, size_hw: tuple[int, int] = SIZE
) -> tuple[int, int]:
    """True passages in and out."""
    return line_counts(actors, pixels(line, size_hw))


def once(way: int, times: int = 1) -> tuple[int, int]:
    """Counts of passages over MIDDLE to the right, which is out, or to the left."""
    return (0, times) if way > 0 else (times, 0)


def true_visits(
    actors: Sequence[Actor], zone: Points = YARD, size_hw: tuple[int, int] = SIZE
) -> tuple[int, int]:
    """True entries and exits: whoever enters leaves, at the latest when the film ends."""
    visits = zone_counts(actors, pixels(zone, size_hw))
    return visits, visits


def person(*path: tuple[float, float, float], tall: float = 60.0) -> Actor:
    """Somebody who walks through these (media seconds, x, y)."""
    return Actor(PERSON, 0.4 * tall, tall, path)


def flipped(actors: Sequence[Actor], way: int, width: int = SIZE[1]) -> list[Actor]:
    """The actors, seen in a mirror if `way` is -1."""
    return [
        dataclasses.replace(
            a, path=tuple((t, x if way > 0 else width - x, y) for t, x, y in a.path)
        )
        for a in actors
    ]


def changed(
    film: Film, change: Callable[[Stamp, Instances], Instances]
) -> Iterable[tuple[Stamp, Instances]]:
    """The film with something done to each frame."""
    for stamp, instances in film:
        yield stamp, change(stamp, instances)


def kept(instances: Instances, which: np.ndarray) -> Instances:
    """Those instances where `which`, bool (N,), is True."""
    return chosen(instances, np.flatnonzero(which))


def joined(a: Instances, b: Instances) -> Instances:
    """The instances of both, best score first."""
    order = np.argsort(-np.concatenate([a.scores, b.scores]), kind="stable")
    return Instances(
        np.concatenate([a.boxes, b.boxes])[order],
        np.concatenate([a.scores, b.scores])[order],
        np.concatenate([a.class_ids, b.class_ids])[order],
        mask_ops.chosen(mask_ops.joined(a.masks, b.masks), order),
    )
