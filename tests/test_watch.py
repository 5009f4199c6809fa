"""The loop over many cameras: the same counts as alone, in batches too; fair, and it ends."""

from __future__ import annotations

import json
import threading

import pytest

from edge import build
from edge.config import Config
from edge.events import dumps
from edge.lane import Lane, Session
from edge.outputs import EventsOutput
from edge.segment.providers import CpuSettings, ProviderSettings
from edge.sources import RecordedFeed, open_source
from edge.watch import watch

MANY = ProviderSettings(cpu=CpuSettings(at_once=None))  # runs


def lane_of(name, source, config, segmenter, sent, wake) -> Lane:
    recording = open_source(str(source), reads_ahead=False)
    provenance = build.provenance(name, recording, segmenter)
    encoder = build.encoder(config, name, provenance)

    def begin(number: int, width: int, height: int) -> Session:
        names = segmenter.class_names
        return Session(
            build.tracker(config, name, names),
            build.counters(config, name, names, width, height),
            (width, height),
        )

    events = EventsOutput(encoder, lambda event: sent.append(dumps(event)))
    return Lane(name, RecordedFeed(recording, wake.set), 1, begin, events)


@pytest.mark.parametrize(("batch", "threads"), [(1, 1), (2, 1), (3, 1), (1, 2), (1, 4), (2, 3)])
def test_many_recordings_at_once_give_what_each_gives_alone(
    batch, threads, edge, scene, square_model, tmp_path
):
    """The events of each are those of `edge run` on it alone, to the byte."""
    line = {"middle": {"a": [0.5, 0.0], "b": [0.5, 1.0]}}
    sources = {f"c{k}": scene(f"c{k}.mp4", frames=60 + 40 * k, step_px=2 + 2 * k) for k in range(3)}
    config = Config.model_validate(
        {"cameras": {name: {"source": str(s), "lines": line} for name, s in sources.items()}}
    )
    segmenter = build.segmenter(model=str(square_model), threads=threads, settings=MANY)
    assert segmenter.at_once == threads
    together = {name: [] for name in sources}
    wake = threading.Event()
    lanes = [
        lane_of(name, source, config, segmenter, together[name], wake)
        for name, source in sources.items()
    ]
    turns, stages = [], []
    watch(
        lanes,
        segmenter,
        threading.Event(),
        wake,
        lambda: turns.append([lane.frames for lane in lanes]),
        lambda camera, spent: stages.append((camera, set(spent))),
        batch,
    )
    for lane in lanes:
        lane.close()
    for name, source in sources.items():
        file = tmp_path / f"{name}.jsonl"
        arguments = ("--line", "middle=.5,0,.5,1", "--model", square_model, "--threads", 1)
        assert edge("run", source, *arguments, "--events", file, "--quiet").code == 0
        alone = file.read_text().splitlines()
        assert [json.loads(x) for x in together[name]] == [json.loads(x) for x in alone]
    assert [lane.frames for lane in lanes] == [60, 100, 140]
    assert len(stages) == 300
    # None is far behind; how far, the decoders decide.
    assert all(max(t) - min(t) <= 30 for t in turns if max(t) < 60)


def test_it_stops_with_what_the_model_has_seen(scene, square_model):
    config = Config.model_validate({"cameras": {"c": {"source": "c.mp4"}}})
    segmenter = build.segmenter(model=str(square_model), threads=1)
    sent: list[str] = []
    stop, wake = threading.Event(), threading.Event()
    lane = lane_of("c", scene("c.mp4", frames=60), config, segmenter, sent, wake)

    def each_turn() -> None:
        if lane.frames == 10:
            stop.set()

    watch([lane], segmenter, stop, wake, each_turn)
    assert 11 <= lane.frames <= 12
    lane.close()
    assert json.loads(sent[-1])["type"] == "stopped"


def test_a_camera_that_is_taken_away_is_not_counted_any_more(scene, square_model):
    config = Config.model_validate({"cameras": {"a": {"source": "a"}, "b": {"source": "b"}}})
    segmenter = build.segmenter(model=str(square_model), threads=1)
    wake = threading.Event()
    lanes = [
        lane_of(name, scene(f"{name}.mp4", frames=60), config, segmenter, [], wake)
        for name in ("a", "b")
    ]
    first = lanes[0]

    def each_turn() -> None:
        if first in lanes and first.frames == 20:
            lanes.remove(first)

    watch(lanes, segmenter, threading.Event(), wake, each_turn)
    assert (first.frames, lanes[0].frames) == (20, 60)
    first.close()
