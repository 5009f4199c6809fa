import json
import math
from dataclasses import replace

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import ShapeError
from edge.events import (
    DeviceInfo,
    Encoder,
    Event,
    Past,
    RuleInfo,
    SourceInfo,
    Tally,
    Window,
    dumps,
    json_schema,
)
from edge.events.books import Loss
from edge.types import CountEvent, Notice, Stamp, Totals, TrackFacts, TrackFlag, Wall

CLASSES = ("person", "car")
VALIDATOR = jsonschema.Draft202012Validator(json_schema())

DEVICE = DeviceInfo("jetson-07", "0.1.0", model_sha256="9c" * 32, provider="cpu")
SOURCE = SourceInfo("door-1", "file", 1, 1920, 1080, source_key="sha256:ab")
RULES = (
    RuleInfo("entrance", "line", "11e0", in_name="Inside", out_name="Outside"),
    RuleInfo("hall", "zone", "5b0d"),
)

TRACK = TrackFacts(
    track_id=8,
    class_id=0,
    class_share=0.93001,
    score=0.88,
    age_s=4.1,
    hits=98,
    box=(812.0, 310.456, 901.2, 640.0),
    foot=(857.1, 636.4),
    velocity_px_s=(12.0, -85.5),
    visible=0.81,
    flags=0,
    area_px=14210,
)
CROSSED = CountEvent(
    kind="line_crossed",
    rule_id="entrance",
    media_s=12.4333333333,
    frame=373,
    decided=Stamp(378, 12.6),
    direction="in",
    delta=1,
    totals=Totals(41, 37, {0: (40, 37), 1: (1, 0)}),
    track=TRACK,
)


def encoder(device=DEVICE, source=SOURCE, rules=RULES, config_rev="sha256:ab12") -> Encoder:
    return Encoder(device, source, rules, CLASSES, config_rev)


def zone_event(kind, direction="", delta=0, dwell_s=0.0, track=TRACK) -> CountEvent:
    return CountEvent(
        kind, "hall", 1.0, 30, Stamp(30, 1.0), direction, delta, Totals(2, 1, {0: (2, 1)}),
        track, dwell_s, occupancy=1, area_fraction=0.123456,
    )  # fmt: skip


def test_a_crossing_word_for_word():
    assert dumps(encoder().encode(CROSSED, fps=29.97003)) == (
        '{"schema":"count-event/1.0","event_id":"ef77d2abadfd01de378e3e6bfd08483d","seq":1,'
        '"type":"line_crossed","time":{"media_s":12.433333,"frame":373,"interpolated":true,'
        '"decided_media_s":12.6},"source":{"id":"door-1","kind":"file","session":1,'
        '"width":1920,"height":1080},"rule":{"id":"entrance","kind":"line","direction":"in",'
        '"direction_name":"Inside","config_rev":"sha256:ab12"},"object":{"track_id":8,'
        '"track_uid":"door-1:1:8","class":"person","class_id":0,"class_share":0.93,'
        '"confidence":0.88,"age_s":4.1,"hits":98,"bbox":[812.0,310.46,901.2,640.0],'
        '"anchor":{"x":857.1,"y":636.4,"kind":"mask_foot"},"velocity_px_s":[12.0,-85.5],'
        '"mask":{"area_px":14210,"visible_fraction":0.81,"touches_border":false}},'
        '"count":{"delta":1,"in":41,"out":37,"net":4,"by_class":{"person":{"in":40,"out":37},'
        '"car":{"in":1,"out":0}},"since_media_s":0.0},'
        '"quality":{"flags":[],"group_size":1,"fps":29.97},"device":{"id":"jetson-07",'
        '"app":"0.1.0","model_sha256":"' + "9c" * 32 + '","provider":"cpu"}}'
    )


EVENTS = {
    "line_crossed": CROSSED,
    "zone_entered": zone_event("zone_entered", "in", 1),
    "zone_exited": zone_event("zone_exited", "out", 1, dwell_s=3.25),
    "zone_dwell": zone_event("zone_dwell", dwell_s=10.0),
    "zone_occupancy": zone_event("zone_occupancy", track=None),
    "overcrowding_started": zone_event("overcrowding_started", track=None),
    "overcrowding_ended": zone_event("overcrowding_ended", track=None),
    "line_crossing_reverted": replace(CROSSED, kind="line_crossing_reverted", delta=-1),
}


@pytest.mark.parametrize("kind", EVENTS)
def test_every_kind_follows_the_schema(kind):
    event = encoder().encode(EVENTS[kind])
    VALIDATOR.validate(event)
    assert Event.model_validate(event).type == kind


def test_zone_facts_say_what_is_known():
    zones = {kind: encoder().encode(event).get("zone") for kind, event in EVENTS.items()}
    inside = {"occupancy": 1, "area_fraction": 0.1235}
    assert zones == {
        "line_crossed": None,
        "zone_entered": inside,
        "zone_exited": {**inside, "dwell_s": 3.25},
        "zone_dwell": {**inside, "dwell_s": 10.0},
        "zone_occupancy": inside,
        "overcrowding_started": inside,
        "overcrowding_ended": inside,
        "line_crossing_reverted": None,
    }


def test_a_correction_names_the_event_that_was_wrong():
    run = encoder()
    other = replace(CROSSED, track=replace(TRACK, track_id=9))
    undone = replace(CROSSED, kind="line_crossing_reverted", delta=-1)
    first, _, second = (run.encode(e) for e in (CROSSED, other, CROSSED))
    wrong = run.encode(undone)
    assert wrong["corrects"] == second["event_id"] != first["event_id"]
    assert (wrong["count"]["delta"], wrong["rule"]["direction"]) == (-1, "in")
    assert wrong["time"] == second["time"]
    anew = run.encode(CROSSED)
    again = run.encode(undone)
    assert again["corrects"] == anew["event_id"]
    assert len({e["event_id"] for e in (first, second, wrong, anew, again)}) == 5


def test_a_snapshot_says_of_which_window():
    run = encoder()
    window = Window(0.0, 60.0, 0.987654)
    run.encode(CROSSED)
    event = run.snapshot("entrance", window, Stamp(1801, 60.0333))
    VALIDATOR.validate(event)
    Event.model_validate(event)
    assert list(event)[4:] == ["time", "source", "rule", "count", "window", "coverage", "device"]
    assert event["window"] == {"start": 0.0, "end": 60.0}
    assert event["coverage"] == 0.9877
    assert event["time"] == {"media_s": 60.0, "frame": 1801}
    assert (event["count"]["delta"], event["count"]["in"], event["count"]["out"]) == (0, 41, 37)
    ids = {
        event["event_id"],
        run.snapshot("hall", window, Stamp(1801, 60.0333))["event_id"],
        run.snapshot("entrance", Window(60, 120, 1), Stamp(1, 120.0))["event_id"],
    }
    assert len(ids) == 3
    again = encoder().snapshot("entrance", window, Stamp(1801, 60.0333))
    assert again["event_id"] == event["event_id"]
    ended = run.snapshot("entrance", Window(60, 120, 0.5), Stamp(2700, 90.0))
    assert ended["time"] == {"media_s": 90.0, "frame": 2700}


def test_who_stands_in_front_and_how_many_share_an_instance():
    track = replace(TRACK, group_size=3, in_front=12, flags=TrackFlag.MERGED)
    event = encoder().encode(replace(CROSSED, track=track))
    Event.model_validate(event)
    assert event["quality"]["group_size"] == 3
    assert event["object"]["mask"]["occluded_by"] == ["door-1:1:12"]


def test_the_first_and_the_last_event():
    run = encoder()
    started = run.started(Stamp(0, 0.0))
    stopped = run.stopped(Stamp(99, 3.3), {"hall": Totals(0, 0), "entrance": CROSSED.totals})
    for event in (started, stopped):
        VALIDATOR.validate(event)
        Event.model_validate(event)
    assert started["rules"] == [
        {
            "id": "entrance",
            "kind": "line",
            "in_name": "Inside",
            "out_name": "Outside",
            "config_rev": "sha256:ab12",
        },
        {"id": "hall", "kind": "zone", "config_rev": "sha256:ab12"},
    ]
    assert [count["rule_id"] for count in stopped["counts"]] == ["entrance", "hall"]
    assert stopped["counts"][0]["count"]["net"] == 4
    assert (started["seq"], stopped["seq"]) == (1, 2)
    assert started["event_id"] != stopped["event_id"]


def test_flags_are_words():
    flags = TrackFlag.MERGED | TrackFlag.BORDER | TrackFlag.FOOT_INFERRED
    track = replace(TRACK, flags=flags, group_size=2)
    event = encoder().encode(replace(CROSSED, track=track), frames_dropped_last_s=0)
    assert event["quality"] == {
        "flags": ["merged", "border", "foot_inferred"],
        "group_size": 2,
        "frames_dropped_last_s": 0,
    }
    assert event["object"]["mask"]["touches_border"] is True
    assert event["object"]["anchor"]["kind"] == "inferred_foot"


def test_unknown_is_absent():
    event = encoder(device=DeviceInfo("edge", "0.1.0")).encode(CROSSED)
    assert set(event["device"]) == {"id", "app"}
    assert not {"utc", "since"} & (set(event["time"]) | set(event["count"]))
    assert "null" not in dumps(event)
    named = encoder(rules=[RuleInfo("entrance", "line", "11e0")]).encode(CROSSED)
    assert "direction_name" not in named["rule"]


def ids(run: Encoder, *events: CountEvent) -> list[str]:
    return [run.encode(event)["event_id"] for event in events]


def test_ids_follow_from_what_happened_where():
    back = replace(CROSSED, direction="out")
    once = ids(encoder(), CROSSED, back, zone_event("zone_entered"))
    assert len(set(once)) == 3
    assert ids(encoder(), CROSSED, back, zone_event("zone_entered")) == once
    # Neither the number of the event, nor when it was, nor the version have a part in it.
    later = replace(CROSSED, media_s=13.0, frame=390)
    run = encoder(device=replace(DEVICE, app="9.9", provider="cuda"))
    run.started(Stamp(0, 0.0))
    assert ids(run, zone_event("zone_entered"), later) == [once[2], once[0]]


@pytest.mark.parametrize(
    "changed",
    [
        {"device": replace(DEVICE, id="other")},
        {"source": replace(SOURCE, source_key="sha256:cd")},
        {"source": replace(SOURCE, session=2)},
        {"source": replace(SOURCE, id="door-2")},
        {"rules": (replace(RULES[0], geometry_hash="0000"), RULES[1])},
    ],
)
def test_ids_change_with_device_source_and_geometry(changed):
    assert ids(encoder(**changed), CROSSED) != ids(encoder(), CROSSED)


def test_what_is_remembered_for_ids_is_bounded_and_what_is_in_use_stays(monkeypatch):
    monkeypatch.setattr("edge.events.identity.MAX_ORDINALS", 10)
    run = encoder()
    occupied = {run.encode(EVENTS["zone_occupancy"])["event_id"]}
    for track_id in range(1, 50):
        run.encode(replace(CROSSED, track=replace(TRACK, track_id=track_id)))
        occupied.add(run.encode(EVENTS["zone_occupancy"])["event_id"])
    assert len(run._ids._ordinals) == 10
    assert len(occupied) == 50


@pytest.mark.parametrize("kind", ["zone_occupancy", "overcrowding_started", "line_crossed"])
def test_what_happens_again_after_much_else_has_an_id_of_its_own(monkeypatch, kind):
    monkeypatch.setattr("edge.events.identity.MAX_ORDINALS", 10)
    run, found = encoder(), []
    for round_ in range(4):
        for _ in range(round_ + 1):
            found.append(run.encode(EVENTS[kind])["event_id"])
        for track_id in range(100 * round_ + 100, 100 * round_ + 130):
            event = replace(CROSSED, track=replace(TRACK, track_id=track_id))
            found.append(run.encode(event)["event_id"])
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_json_does_not_know_is_refused(bad):
    event = encoder().encode(replace(CROSSED, track=replace(TRACK, score=bad)))
    with pytest.raises(ShapeError, match="expected finite numbers"):
        dumps(event)


def test_one_event_is_one_line_of_ascii_whatever_the_names_are():
    rules = [RuleInfo("entrance", "line", "11e0", in_name="Tür\u2028\n", out_name="\udcff")]
    for direction in ("in", "out"):
        line = dumps(encoder(rules=rules).encode(replace(CROSSED, direction=direction)))
        assert line.isascii()
        assert len(line.splitlines()) == 1


def test_minus_zero_is_written_as_zero():
    event = encoder().encode(replace(CROSSED, track=replace(TRACK, velocity_px_s=(-0.0, -0.001))))
    assert '"velocity_px_s":[0.0,0.0]' in dumps(event)


px = st.floats(-1e4, 1e4, width=32)
share = st.floats(0, 1, width=32)
tracks = st.builds(
    TrackFacts,
    track_id=st.integers(1, 5),
    class_id=st.integers(0, 1),
    class_share=share,
    score=share,
    age_s=st.floats(0, 1e5),
    hits=st.integers(1, 10**6),
    box=st.tuples(px, px, px, px),
    foot=st.tuples(px, px),
    velocity_px_s=st.tuples(px, px),
    visible=share,
    flags=st.integers(0, 15),
    area_px=st.integers(0, 10**7),
    group_size=st.integers(1, 9),
    in_front=st.integers(0, 5),
)


@st.composite
def histories(draw) -> list[CountEvent]:
    """A run as the counters would report it: every total is the sum of the deltas so far."""
    counts: dict[str, dict[int, tuple[int, int]]] = {"entrance": {}, "hall": {}}
    events = []
    for frame in range(draw(st.integers(0, 8))):
        kind = draw(st.sampled_from(sorted(EVENTS)))
        rule_id = "entrance" if kind.startswith("line") else "hall"
        track = draw(tracks)
        direction = {
            "line_crossed": draw(st.sampled_from(["in", "out"])),
            "line_crossing_reverted": draw(st.sampled_from(["in", "out"])),
            "zone_entered": "in",
            "zone_exited": "out",
        }.get(kind, "")
        ins, outs = counts[rule_id].get(track.class_id, (0, 0))
        delta = int(bool(direction))
        if kind == "line_crossing_reverted":
            if not (ins if direction == "in" else outs):
                continue
            delta = -1
        if direction:
            added = (ins + delta * (direction == "in"), outs + delta * (direction == "out"))
            counts[rule_id][track.class_id] = added
        by_class = dict(counts[rule_id])
        totals = Totals(
            sum(i for i, _ in by_class.values()), sum(o for _, o in by_class.values()), by_class
        )
        events.append(
            CountEvent(
                kind,
                rule_id,
                draw(st.floats(0, 1e6)),
                frame,
                Stamp(frame, draw(st.floats(0, 1e6))),
                direction,
                delta,
                totals,
                None if kind.startswith(("zone_occ", "over")) else track,
                draw(st.floats(0, 1e5)),
                draw(st.integers(0, 100)),
                draw(share),
            )
        )
    return events


@settings(max_examples=25, deadline=None)
@given(histories(), st.none() | st.floats(0, 240))
def test_json_and_back(history, fps):
    run = encoder()
    for number, event in enumerate(history, start=1):
        line = dumps(run.encode(event, fps))
        read = json.loads(line)
        VALIDATOR.validate(read)
        again = Event.model_validate(read).model_dump(
            mode="json", by_alias=True, exclude_unset=True
        )
        assert dumps(again) == line  # same values and same order
        assert read["seq"] == number


@settings(max_examples=25, deadline=None)
@given(histories())
def test_the_sum_of_the_deltas_is_the_total(history):
    run = encoder()
    sums: dict[tuple[str, str], int] = {}
    ids = set()
    for event in history:
        read = json.loads(dumps(run.encode(event)))
        ids.add(read["event_id"])
        rule, count = read["rule"], read["count"]
        if "direction" in rule:
            key = (rule["id"], rule["direction"])
            sums[key] = sums.get(key, 0) + count["delta"]
        for direction in ("in", "out"):
            assert count[direction] == sums.get((rule["id"], direction), 0)
            assert count[direction] == sum(c[direction] for c in count["by_class"].values())
        assert count["net"] == count["in"] - count["out"]
    assert len(ids) == len(history)


WALL = Wall(1_790_237_702.4334, "rtcp_sr", 101.234)
LIVE = SourceInfo("door-1", "rtsp", 3, 0, 0, source_key="ab12")


def live(past=None) -> Encoder:
    return Encoder(DEVICE, LIVE, RULES, CLASSES, "sha256:ab12", past)


@pytest.mark.parametrize(
    ("notice", "part"),
    [
        (Notice("source_lost", Stamp(9, 0.9, WALL), 3, reason="black"), {"reason": "black"}),
        (Notice("source_restored", Stamp(9, 6.0, WALL), 4, gap_s=5.12345), {"gap_s": 5.123}),
        (Notice("frames_dropped", Stamp(9, 6.0, WALL), 4, frames=12), {"frames": 12}),
        (Notice("clock_step", Stamp(9, 6.0, WALL), 4, step_s=-3600.0), {"step_s": -3600.0}),
    ],
)
def test_what_happens_to_a_source(notice, part):
    run = live()
    event, again = run.notice(notice), run.notice(notice)
    for one in (event, again):
        VALIDATOR.validate(one)
        Event.model_validate(one)
    assert event["type"] == notice.kind
    assert part.items() <= event.items()
    assert event["event_id"] != again["event_id"]  # it happened twice
    assert "width" not in event["source"]
    assert event["time"]["utc"] == "2026-09-24T08:15:02.433Z"
    assert event["time"]["utc_source"] == "rtcp_sr"
    assert event["time"]["utc_uncertainty_ms"] == 101.2


def test_world_time_is_that_of_the_passage_not_of_the_decision():
    event = live().encode(replace(CROSSED, decided=Stamp(378, 12.6, WALL)))
    assert event["time"]["utc"] == "2026-09-24T08:15:02.267Z"  # a sixth of a second before


def test_totals_go_on_over_sessions_from_what_a_journal_knows():
    past = Past({"entrance": Tally(5, 2, {"person": (4, 2), "car": (1, 0)}, 1_790_200_000.0)}, 77)
    run = live(past)
    one = replace(CROSSED, totals=Totals(1, 0, {0: (1, 0)}))
    first = run.encode(one)
    run.begin(4, 640, 480)
    second = run.encode(one)
    assert [e["seq"] for e in (first, second)] == [78, 79]
    assert [e["count"]["in"] for e in (first, second)] == [6, 7]
    assert second["count"]["by_class"] == {
        "person": {"in": 6, "out": 2},
        "car": {"in": 1, "out": 0},
    }
    assert second["count"]["since"] == "2026-09-23T21:46:40.000Z"
    assert "since_media_s" not in second["count"]
    assert first["event_id"] != second["event_id"]  # the same track number of another session
    assert (second["source"]["session"], second["source"]["width"]) == (4, 640)


def test_losses_resets_and_stays_that_nobody_saw_end():
    run = live(Past({"hall": Tally(3, 2, {"person": (3, 2)}, 1_790_200_000.0)}))
    at = zone_event("zone_entered", "in", 1)
    entered = run.encode(replace(at, decided=Stamp(9, at.media_s, WALL)))
    later = live(Past({"hall": Tally(3, 2, {"person": (3, 2)}, 1_790_200_000.0)}, 9))
    events = [
        later.interrupted(entered, Stamp(0, 0.0, WALL), 0, WALL.utc_s + 7.25),
        later.counter_reset("entrance", Tally(4, 1, {"car": (4, 1)}), Stamp(0, 0.0, WALL)),
        later.config_changed(Stamp(0, 0.0, WALL)),
        later.lost(Loss(4, 20, 23, {"hall": (3, 1)}, {"hall": (22, entered["count"])})),
        later.encode(CROSSED),
    ]
    for event in events:
        VALIDATOR.validate(event)
        Event.model_validate(event)
    left, reset, _, lost, crossed = events
    assert (left["end_reason"], left["count"]["out"], left["count"]["net"]) == ("interrupted", 3, 0)
    assert left["object"]["track_uid"] == entered["object"]["track_uid"]
    assert left["zone"] == {"occupancy": 0, "dwell_s": 7.25}
    assert (reset["before"]["in"], reset["count"]["in"]) == (4, 0)
    assert lost["seq"] == 23  # it stands for those that are missing
    after = {**entered["count"], "delta": 0}
    assert lost["lost"]["rules"] == [{"rule_id": "hall", "in": 3, "out": 1, "count": after}]
    assert crossed["seq"] == 13
