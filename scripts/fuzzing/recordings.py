"""Damaged recordings of detections: refused by line, or counted with totals that are right."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from edge import build, pipeline, rle
from edge.config import Config
from edge.errors import ConfigError, SourceError
from edge.events import Event, dumps
from edge.masks import resized
from edge.outputs import EventsOutput
from edge.sources.detections import DetectionsFile
from fuzzing import require
from fuzzing.mutations import mutated, text_mutations

GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "golden" / "people.jsonl.gz"
FIRST, FRAMES, STEP = 13, 8, 2  # people cross lines and enter the zone in them
SMALLER = 4
CAMERA = "people"
WORDS = (
    *(b'"frame"', b'"time_s"', b'"size"', b'"rle"', b'"counts"', b'"instances"', b"[144,192]"),
    *(b"[1,1]", b"[100000000,100000000]", b'"0"', b'"oooooooo"', b'"PPPPPPPPPP0"', b'"\\u00e9"'),
    *(b"car", b'"truck"', b"[NaN,0,1,1]", b"[0,0,1e308,1e308]", b"[9,9,1,1]", b"[0,0,0,0]", b"{"),
)
ZONE = [[0.35, 0.3], [0.65, 0.3], [0.65, 0.9], [0.35, 0.9]]
LINES = {"left": 0.49, "middle": 0.58, "right": 0.63}


class Recordings:
    """Each call is a case."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mutations = text_mutations(WORDS)
        self._texts = [_text(rows) for rows in _variants(_cut())]
        self._config = config()

    def __call__(self, chance: Random) -> str:
        text = chance.choice(self._texts)
        path = self._folder / "people.jsonl"
        if chance.random() < 0.05:
            path = self._folder / "people.jsonl.gz"
            data = mutated(gzip.compress(text, 1), chance, self._mutations)
        else:
            data = mutated(text, chance, self._mutations)
        path.write_bytes(data)
        lines: list[str] = []
        try:
            recorded = DetectionsFile(path)
            refused = _counted(recorded, self._config, lines.append)
        except (SourceError, ConfigError) as error:
            require(str(error).startswith(f"{path}"), f"a refusal that names no file: {error}")
            return "refused"
        check(lines)
        return "refused on the way" if refused else "counted"


def check(lines: list[str]) -> None:
    """Every line is an event, and totals are the sums of deltas.

    Raises:
        Exception: they are not.
    """
    sums: dict[str, dict[str, int]] = {}
    ids = set()
    events = [json.loads(line, parse_constant=_refuse) for line in lines]
    for number, event in enumerate(events, 1):
        Event.model_validate(event)
        require(event["seq"] == number, "a number is missing")
        require(event["event_id"] not in ids, "an id is used twice")
        ids.add(event["event_id"])
        count, rule = event.get("count"), event.get("rule")
        if count is None:
            continue
        total = sums.setdefault(rule["id"], {"in": 0, "out": 0})
        if count["delta"]:
            total[rule["direction"]] += count["delta"]
        require((count["in"], count["out"]) == (total["in"], total["out"]), "a total is no sum")
        for way in ("in", "out"):
            require(sum(c[way] for c in count["by_class"].values()) == count[way], "a class lacks")
    if events:
        require(events[-1]["type"] == "stopped", "the end is not told")
        for entry in events[-1]["counts"]:
            count, total = entry["count"], sums.get(entry["rule_id"], {"in": 0, "out": 0})
            require(
                (count["in"], count["out"]) == (total["in"], total["out"]), "a last total lacks"
            )


def _counted(recorded: DetectionsFile, config: Config, send: Callable[[str], None]) -> bool:
    """Count as `edge track` does; whether the recording was refused on the way."""
    names = tuple(recorded.class_names)
    tracker = build.tracker(config, CAMERA, names)
    counters = build.counters(config, CAMERA, names, recorded.width, recorded.height)
    provenance = {
        "width": recorded.width,
        "height": recorded.height,
        "class_names": names,
        **recorded.provenance,
        "source_id": CAMERA,
    }
    encoder = build.encoder(config, CAMERA, provenance)
    events = EventsOutput(
        encoder, lambda event: send(dumps(event)), counters, config.snapshot_every_s
    )
    try:
        pipeline.run(pipeline.replayed(recorded), tracker, counters, [events])
    except SourceError as error:
        require(str(error).startswith(f"{recorded.path}:"), f"a refusal without a line: {error}")
        return True
    return False


def config() -> Config:
    return Config.model_validate(
        {
            "snapshot_every_s": 1.0,
            "cameras": {
                CAMERA: {
                    "source": "people.mp4",
                    "lines": {n: {"a": [x, 0.0], "b": [x, 1.0]} for n, x in LINES.items()},
                    "zones": {
                        "path": {
                            "polygon": ZONE,
                            "dwell_s": 0.5,
                            "occupancy_every_s": 1.0,
                            "overcrowded": 2,
                        }
                    },
                }
            },
        }
    )


def _cut() -> list[dict[str, Any]]:
    """A few frames, with the people around the zone."""
    with gzip.open(GOLDEN, "rt") as file:
        rows = [json.loads(line) for line in file][FIRST : FIRST + STEP * FRAMES : STEP]
    for row in rows:
        row["instances"] = [
            f for f in row["instances"] if f["class"] == "person" and 320 < f["box"][0] < 510
        ]
    return [_shrunk(row, SMALLER) for row in rows]


def _variants(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The same plain, with all that a recording may hold besides, and with an empty first frame."""
    yield rows
    provenance = {
        "source_id": "gate",
        "kind": "file",
        "source_key": "0" * 64,
        "class_names": ["person", "car"],
        "model_sha256": "1" * 64,
        "provider": "cpu",
        "session": 1,
        "width": 192,
        "height": 144,
    }
    camera = [[1.0, 0.0, 0.5], [0.0, 1.0, -0.5]]
    told = [{**row, "camera": camera} for row in rows]
    yield [{"provenance": provenance, **told[0]}, *told[1:]]
    yield [{**rows[0], "instances": []}, *(_shrunk(row, 2) for row in rows[1:])]


def _shrunk(row: dict[str, Any], by: int) -> dict[str, Any]:
    """A frame at a part of its size."""
    height, width = row["size"]
    size = [height // by, width // by]
    masks = resized(rle.decoded([f["rle"] for f in row["instances"]], height, width), *size)
    found = [
        {**f, "box": [round(v / by, 2) for v in f["box"]], "rle": run}
        for f, run in zip(row["instances"], rle.encoded(masks), strict=True)
    ]
    return {**row, "size": size, "instances": found}


def _text(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows).encode()


def _refuse(name: str) -> None:
    raise ValueError(f"expected JSON, got {name}")
