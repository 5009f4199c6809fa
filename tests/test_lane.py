"""One camera's sessions: what is told of its interruptions, and that totals and zones go on."""

from __future__ import annotations

import jsonschema
import pytest
from feeds import NAMES, UTC_S, Script, play, seen, wall

from edge import build
from edge.config import Config
from edge.events import Event, Past, Tally, json_schema
from edge.lane import Lane, Session, longest_waiting
from edge.outputs import EventsOutput
from edge.testing import PERSON, Actor
from edge.types import Notice, Stamp

CONFIG = Config.model_validate(
    {
        "cameras": {
            "gate": {
                "source": "rtsp://10.0.0.1/1",
                "lines": {"middle": {"a": [0.5, 0.0], "b": [0.5, 1.0]}},
                "zones": {"hall": {"polygon": [[0, 0], [0.45, 0], [0.45, 1], [0, 1]]}},
            }
        },
    }
)
VALIDATOR = jsonschema.Draft202012Validator(json_schema())


def lane_of(feed, sent, past=None, config=CONFIG) -> Lane:
    provenance = {
        "kind": "rtsp", "source_key": "j", "width": 0, "height": 0, "class_names": NAMES,
    }  # fmt: skip
    encoder = build.encoder(config, "gate", provenance, past)

    def begin(number: int, width: int, height: int) -> Session:
        return Session(
            build.tracker(config, "gate", NAMES),
            build.counters(config, "gate", NAMES, width, height),
            (width, height),
        )

    return Lane("gate", feed, 1, begin, EventsOutput(encoder, sent.append))


def lost(media_s: float, frame: int, reason="stalled: no picture for 5 s") -> Notice:
    return Notice("source_lost", Stamp(frame, media_s, wall(media_s)), 1, reason=reason)


def restored(media_s: float, frame: int, session=2, gap_s=5.0) -> Notice:
    stamp = Stamp(frame, media_s, wall(media_s))
    return Notice("source_restored", stamp, session, gap_s=gap_s)


def checked(sent):
    for event in sent:
        VALIDATOR.validate(event)
        Event.model_validate(event)
    assert [e["seq"] for e in sent] == list(range(sent[0]["seq"], sent[0]["seq"] + len(sent)))
    assert len({e["event_id"] for e in sent}) == len(sent)
    return [e["type"] for e in sent]


def test_an_outage_ends_stays_and_totals_go_on_at_another_size():
    sent = []
    feed = Script()
    lane = lane_of(feed, sent)
    play(lane, seen(0.0, 1.0))  # inside the zone when the pictures end
    feed.items = [lost(1.0, 10), restored(6.0, 10)]
    assert lane.poll() is None
    play(lane, seen(0.0, 4.0, larger_walker(), (480, 640), first=60))
    lane.close()
    assert checked(sent)[:5] == [
        "started",
        "zone_entered",
        "zone_exited",
        "source_lost",
        "source_restored",
    ]
    left = sent[2]
    assert left["end_reason"] == "source_lost"
    assert left["zone"]["occupancy"] == 0
    assert [e["source"]["session"] for e in sent] == [1] * 4 + [2] * (len(sent) - 4)
    assert [e["source"]["width"] for e in sent] == [320] * 4 + [640] * (len(sent) - 4)
    assert sent[4]["gap_s"] == 5.0
    last = {c["rule_id"]: c["count"] for c in sent[-1]["counts"]}
    assert (last["hall"]["in"], last["hall"]["out"]) == (2, 2)
    assert last["middle"]["in"] + last["middle"]["out"] == 1
    assert feed.closed


def larger_walker() -> Actor:
    return Actor(PERSON, 40, 120, ((0.0, 40.0, 400.0), (4.0, 600.0, 400.0)))


def test_what_comes_after_a_frame_waits_until_that_is_counted():
    sent = []
    [(first, instances), (second, _)] = seen(0.0, 0.2)
    lane = lane_of(Script(first, lost(0.1, 1), restored(6.0, 1), second), sent)
    assert lane.poll() is first
    assert lane.poll() is None  # the model is still at work on the first
    lane.take(first, instances)
    assert lane.poll() is second
    lane.take(second, instances)
    assert checked(sent) == ["started", "source_lost", "source_restored"]


def test_totals_of_a_journal_go_on_and_say_since_when():
    sent = []
    past = Past({"middle": Tally(7, 3, {"person": (7, 3)}, UTC_S - 3600.0), "hall": Tally()}, 41)
    lane = lane_of(Script(), sent, past)
    play(lane, seen(0.0, 4.0))
    lane.close()
    [crossed] = [e for e in sent if e["type"] == "line_crossed"]
    assert crossed["count"]["in"] + crossed["count"]["out"] == 11
    assert crossed["count"]["since"] == "2026-09-24T07:15:00.000Z"
    assert crossed["time"]["utc_source"] == "arrival"
    assert crossed["time"]["utc"] < sent[-1]["time"]["utc"]
    assert sent[0]["seq"] == 42
    checked(sent)


def test_a_camera_that_is_lost_before_its_first_picture_has_no_size_yet():
    sent = []
    lane = lane_of(Script(lost(0.0, 0, "cannot connect: refused")), sent)
    assert lane.poll() is None
    lane.close()
    assert checked(sent) == ["started", "source_lost", "stopped"]
    assert "width" not in sent[1]["source"]
    assert sent[1]["reason"] == "cannot connect: refused"


def test_who_waited_longest_is_next_and_the_lost_hold_up_nobody():
    sent = []
    shown = [frame for frame, _ in seen(0.0, 1.0)]
    lanes = [lane_of(Script(*shown[:4]), sent), lane_of(Script(*shown[:2]), sent)]
    lanes.append(lane_of(Script(lost(0.0, 0)), sent))
    served = []
    while (found := longest_waiting(lanes)) is not None:
        served.append(lanes.index(found[0]))
    assert served == [0, 1, 0, 1, 0, 0]


@pytest.mark.parametrize("kind", ["frames_dropped", "clock_step"])
def test_drops_and_clock_steps_are_told_and_change_nothing(kind):
    sent, again = [], []
    notice = Notice(kind, Stamp(20, 1.95, wall(1.95)), 1, frames=12, step_s=-3600.0)
    for target, extra in ((sent, [notice]), (again, [])):
        feed = Script()
        lane = lane_of(feed, target)
        play(lane, seen(0.0, 2.0))
        feed.items = list(extra)
        assert lane.poll() is None
        play(lane, seen(2.0, 4.0))
        lane.close()
    assert kind in checked(sent)
    plain = [e["type"] for e in sent if e["type"] != kind]
    assert plain == checked(again)


def test_the_end_tells_what_nobody_had_polled_yet():
    sent = []
    feed = Script()
    lane = lane_of(feed, sent)
    play(lane, seen(0.0, 1.0))
    [(late, _)] = seen(1.0, 1.1)
    dropped = Notice("frames_dropped", Stamp(11, 1.1, wall(1.1)), 1, frames=3)
    feed.items = [late, dropped, lost(1.2, 12)]
    lane.close()
    assert checked(sent)[-3:] == ["zone_exited", "source_lost", "stopped"]
    assert [e["frames"] for e in sent if e["type"] == "frames_dropped"] == [3]


def test_frames_that_are_missing_are_said_with_the_next_event():
    sent = []
    lane = lane_of(Script(), sent)
    play(lane, [(f, i) for f, i in seen(0.0, 4.0) if f.stamp.frame % 2 == 0])
    [crossed] = [e for e in sent if e["type"] == "line_crossed"]
    assert crossed["quality"]["frames_dropped_last_s"] == 5


def test_a_rule_that_is_added_counts_and_the_others_go_on():
    sent = []
    lane = lane_of(Script(), sent)
    play(lane, seen(0.0, 1.0))
    rules = CONFIG.cameras["gate"].model_dump(by_alias=True, exclude_none=True)
    rules["lines"]["late"] = {"a": [0.8, 0.0], "b": [0.8, 1.0]}
    config = Config.model_validate({"cameras": {"gate": rules}})
    build.reconfigure(lane, CONFIG, config, NAMES, {"late": Tally(since_utc_s=UTC_S)})
    lane.events.changed(Stamp(10, 1.0, wall(1.0)))
    play(lane, seen(1.0, 4.0))
    lane.close()
    kinds = checked(sent)
    assert kinds.count("config_changed") == 1
    crossed = [e["rule"]["id"] for e in sent if e["type"] == "line_crossed"]
    assert crossed == ["middle", "late"]
    assert kinds.count("zone_entered") == kinds.count("zone_exited") == 1
