"""Counts against true totals, and reading events."""

import json
import math

import pytest

from edge.errors import ConfigError
from edge.evaluate.counts import LineCount, checked_totals, count_quality, read_events
from edge.evaluate.crossings import Crossing


def event(line="door", direction="in", media_s=1.5, delta=1, kind="line_crossed"):
    return {
        "schema": "count-event/1.0",
        "type": kind,
        "rule": {"id": line, "direction": direction},
        "time": {"media_s": media_s, "frame": 15},
        "object": {"class": "person", "track_id": 4},
        "count": {"delta": delta, "in": 1, "out": 0},
    }


def crossing(direction, line="door"):
    return Crossing(line, direction, 0.0, 1)


def test_errors_of_two_directions_do_not_cancel():
    truth = {"door": {"in": 6, "out": 4}}
    q = count_quality(truth, [*[crossing("in")] * 8, *[crossing("out")] * 2])
    assert q.lines == (LineCount("door", 8, 2, 6, 4),)
    assert (q.lines[0].wrong, q.directional_error, q.bias) == (4, 0.4, 0.0)


def test_bias_has_a_sign_and_silent_lines_count():
    q = count_quality({"door": {"in": 1}, "gate": {"in": 2, "out": 1}}, [crossing("in")])
    assert (q.directional_error, q.bias) == (0.75, -0.75)


def test_events_without_truth_are_noted_and_no_truth_is_undefined():
    q = count_quality({"door": {}}, [crossing("in", "gate")] * 2)
    assert math.isnan(q.directional_error)
    assert math.isnan(q.bias)
    assert q.notes == ("line 'gate' has 2 events and no truth: left out",)


def test_reading_events(tmp_path):
    path = tmp_path / "events.jsonl"
    events = [
        event(),
        event(kind="zone_entered"),
        {"type": "started"},
        event("gate", "out", 2.0, delta=2),
        event(delta=0),
        event() | {"object": None},
    ]
    path.write_text("\n".join(map(json.dumps, events)) + "\n\n")
    assert read_events(path) == [
        Crossing("door", "in", 1.5, 4),
        *[Crossing("gate", "out", 2.0, 4)] * 2,
        Crossing("door", "in", 1.5, 0),
    ]


def test_what_is_taken_back_does_not_count(tmp_path):
    path = tmp_path / "events.jsonl"
    undone = event(kind="line_crossing_reverted", delta=-1)
    events = [
        event(media_s=1.0) | {"event_id": "a"},
        event(media_s=2.0) | {"event_id": "b"},
        undone | {"event_id": "c", "corrects": "a"},
        event(media_s=3.0) | {"event_id": "d"},
    ]
    path.write_text("\n".join(map(json.dumps, events)))
    assert [c.time_s for c in read_events(path)] == [2.0, 3.0]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("{", "expected a count-event/1.0, got '{'"),
        ("[]", "expected a count-event/1.0, got '[]'"),
        ('{"type": "line_crossed"}', "expected a count-event/1.0"),
        (json.dumps(event(direction="up")), "expected rule.direction 'in' or 'out', got 'up'"),
    ],
)
def test_lines_that_are_no_events_are_named(tmp_path, line, text):
    path = tmp_path / "events.jsonl"
    path.write_text(json.dumps(event()) + "\n" + line + "\n")
    with pytest.raises(ConfigError) as caught:
        read_events(path)
    assert str(caught.value).startswith(f"{path}:2: {text}")


def test_missing_events_file(tmp_path):
    with pytest.raises(ConfigError, match="expected a readable events file"):
        read_events(tmp_path / "none")


@pytest.mark.parametrize("raw", [[], {}, {"a": 3}, {"a": {"in": -1}}, {"a": {"up": 1}}])
def test_totals_are_checked(raw):
    with pytest.raises(ConfigError, match=r'truth.json: expected \{"line"'):
        checked_totals("truth.json", raw)
    assert checked_totals("t", {"a": {"in": 1}}) == {"a": {"in": 1}}
