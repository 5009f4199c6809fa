"""What each design choice of the tracker gains: it is switched off, all else stays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from edge.track import associate, birth, group, memory, motion, occlusion, tracker
from edge.track.settings import TrackerSettings
from tracking_bench import ours, pets
from tracking_bench.judge import Answer, qualities
from tracking_bench.rivals import note
from tracking_bench.streams import RECIPES, sequence
from tracking_bench.streams import Sequence as Stream

NEVER = 1e9
STREAMS = ("clean", "noisy", "third")
Switch = tuple[ModuleType, str, float]
CHOICES: dict[str, tuple[Switch, ...]] = {
    "as it is": (),
    "no rescue by larger boxes": ((associate, "RESCUE_SIMILARITY", NEVER),),
    "no finding again after a leap": ((tracker, "NEW_HITS", 0),),
    "no finding again after a gap": (
        (tracker, "GAP_REACH", 0.0),
        (tracker, "GAP_REACH_S", 0.0),
    ),
    "no gate for people": ((tracker, "GATE", NEVER),),
    "the last place seen counts for walkers": ((tracker, "STAYED", NEVER),),
    "new tracks stand still": ((birth, "LEAST_KNOWN", int(NEVER)),),
    "no groups of merged neighbours": ((group, "GROWN", NEVER),),
    "vehicles move like people": (
        (motion, "RIGID_MEASURED", motion.MEASURED),
        (motion, "RIGID_ACCELERATION", motion.ACCELERATION),
    ),
    "a camera that moves is not noticed": ((motion, "LIVELIEST", 1.0),),
    "sizes keep growing": ((motion, "SIZE_MEMORY_S", NEVER),),
    "a narrow box is a whole one": ((memory, "NARROW", 0.0),),
    "heights follow at once": ((memory, "GROWTH", NEVER),),
    "duplicates stay": ((occlusion, "MAX_IOU", 2.0), (occlusion, "MAX_INSIDE", 2.0)),
    "who left the frame is kept": ((tracker, "GONE_S", NEVER),),
    "no tracks in frames that missed them": ((ours, "FILL_S", 0.0),),
}
SETTINGS: dict[str, dict[str, float]] = {
    "masks decide nothing": {"mask_weight": 0.0},
    "one pass for all scores": {"high_score": 0.25},
    "weak instances only within .35 s": {"recent_s": 0.35},
    "lost for 3 s": {"max_lost_s": 3.0},
    "lost for .4 s": {"max_lost_s": 0.4},
    "births inside tracks": {"veto_covered": NEVER},
}


def table(files: Sequence[Path], clip: pets.Clip | None) -> Iterator[str]:
    """Lines of a Markdown table: HOTA of cars and people on each stream, and the sample clip."""
    streams = {name: [sequence(path, RECIPES[name]) for path in files] for name in STREAMS}
    heads = [f"{stream} {kind}" for stream in STREAMS for kind in ("car", "person")]
    heads += [] if clip is None else ["clip HOTA", "clip IDF1", "clip errors"]
    yield f"| | {' | '.join(heads)} |"
    yield f"|---|{'---|' * len(heads)}"
    plain = TrackerSettings()
    for name, switches in CHOICES.items():
        with switched(switches):
            yield _row(name, plain, streams, clip)
    for name, changes in SETTINGS.items():
        yield _row(name, replace(plain, **changes), streams, clip)  # type: ignore[arg-type]


@contextmanager
def switched(switches: Sequence[Switch]) -> Iterator[None]:
    """Constants of modules at other values for a while."""
    before = [(module, name, getattr(module, name)) for module, name, _ in switches]
    for module, name, value in switches:
        setattr(module, name, value)
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)


def _row(
    name: str,
    settings: TrackerSettings,
    streams: dict[str, list[Stream]],
    clip: pets.Clip | None,
) -> str:
    note(f"ablation: {name}")
    cells = []
    for sequences in streams.values():
        found = qualities(sequences, [_answer(s, settings) for s in sequences], None)
        cells += [f"{100 * found[kind].hota:.1f}" for kind in ("car", "person")]
    if clip is not None:
        answer = ours.ours(clip.sequence, pets.CLASS_NAMES, settings, ours.FILL_S)
        quality = pets.quality(clip, answer)
        wrong = sum(
            abs(a - b)
            for true, said in zip(
                pets.true_counts(clip), pets.our_counts(clip, settings), strict=True
            )
            for a, b in zip(true, said, strict=True)
        )
        cells += [f"{100 * quality.hota:.1f}", f"{100 * quality.idf1:.1f}", str(wrong)]
    return f"| {name} | {' | '.join(cells)} |"


def _answer(stream: Stream, settings: TrackerSettings) -> Answer:
    return ours.ours(stream, settings=settings, fill_s=ours.FILL_S)
