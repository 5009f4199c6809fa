"""The golden run: recorded detections must give the recorded events, byte for byte.

After an intended change: scripts/golden, then look at every line of the difference.
"""

from __future__ import annotations

import json
from pathlib import Path

from edge.events import Event

HERE = Path(__file__).parent
DETECTIONS = HERE / "people.jsonl.gz"
EVENTS = HERE / "people.events.jsonl"


def test_recorded_detections_give_the_recorded_events(edge, tmp_path):
    path = tmp_path / "events.jsonl"
    config = HERE / "people.yaml"
    result = edge("track", DETECTIONS, "--config", config, "--events", path, "--quiet")
    assert result == (0, "", "")
    found, expected = path.read_text().splitlines(), EVENTS.read_text().splitlines()
    assert found == expected
    assert path.read_bytes() == EVENTS.read_bytes()


def test_the_golden_events_follow_the_schema_and_add_up():
    lines = [json.loads(line) for line in EVENTS.read_text().splitlines()]
    for line in lines:
        Event.model_validate(line)
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert len({line["event_id"] for line in lines}) == len(lines)
    totals = {c["rule_id"]: c["count"] for c in lines[-1]["counts"]}
    assert set(totals) == {"left", "middle", "right", "path"}
    for rule, count in totals.items():
        for direction in ("in", "out"):
            deltas = [
                line["count"]["delta"]
                for line in lines
                if line.get("rule", {}).get("id") == rule
                and line["rule"].get("direction") == direction
            ]
            assert sum(deltas) == count[direction]
        assert count["net"] == count["in"] - count["out"]


def test_the_recording_is_small():
    assert DETECTIONS.stat().st_size < 300_000


def what_counts(path: Path) -> list[tuple[str, ...]]:
    """Of each event what no rounding of another version of the runtime may change."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    places = [(line.get("rule", {}), line.get("object", {})) for line in lines]
    return [
        (line["type"], rule.get("id"), rule.get("direction"), of.get("track_id"))
        for line, (rule, of) in zip(lines, places, strict=True)
    ]


def test_the_default_model_gives_them_on_any_version_of_its_runtime(edge, tmp_path, monkeypatch):
    monkeypatch.chdir(HERE.parents[1])
    path = tmp_path / "events.jsonl"
    config = HERE / "people.yaml"
    result = edge("run", "--config", config, "--max-frames", 200, "--events", path, "--quiet")
    assert result.code == 0, result
    assert what_counts(path) == what_counts(EVENTS)
