from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from told import event

from edge.web.board import Board, Rule, Totals, told
from edge.web.chart import KEPT, STAYS, STEPS_S, History, unix_s

NOON_S = unix_s("2026-11-23T12:00:00Z")


def test_totals_are_those_of_the_last_event_also_when_it_takes_one_back():
    board = Board()
    board.take("door", event(total=(4, 2)))
    assert board.totals("door", "gate") == Totals(4, 2, {"person": (4, 2)})
    assert board.crossed_s("door", "gate") == 1.1
    board.take("door", event("line_crossing_reverted", "in", -1, (3, 2), 2.0))
    assert board.totals("door", "gate").facts()["net"] == 1
    assert board.history.series("door", "gate", "minute", 0.0)["in"] == [0]
    assert board.totals("door", "other") == board.totals("yard", "gate") == Totals()


def test_a_zone_shows_who_is_inside_and_how_long_stays_were():
    board, zone = Board(), Rule("gate", "zone", ((0, 0), (1, 0), (1, 1)), None, dwell_s=30.0)
    board.take("door", event("zone_entered", zone={"occupancy": 2}))
    assert board.rule_facts("door", zone)["dwell"] is None
    for dwell_s in (4.0, 10.0, 6.0):
        stay = {"occupancy": 1, "dwell_s": dwell_s}
        board.take("door", event("zone_exited", "out", total=(2, 1), media_s=dwell_s, zone=stay))
    facts = board.rule_facts("door", zone)
    assert facts["occupancy"] == 1
    assert facts["dwell"] == {"stays": 3, "median_s": 6.0, "longest_s": 10.0, "last_s": 6.0}
    assert facts["dwell_s"] == 30.0


def test_what_is_told_says_nothing_of_the_device():
    full = event(evidence={"snapshot": "2026-11-23/ab.jpg"}, reason="rain")
    full["rule"]["config_rev"] = "sha256:1"
    text = json.dumps(told("door", full))
    assert json.loads(text)["picture"] == "/evidence/2026-11-23/ab.jpg"
    assert json.loads(text)["class"] == "person"
    for secret in ("box", "sha256", "bbox"):
        assert secret not in text


def test_events_that_are_only_numbers_are_not_told():
    board = Board()
    snapshot = event("count_snapshot", "", 0, (7, 7))
    board.take("door", snapshot)
    board.take("door", {"type": "frames_dropped", "event_id": "1", "time": {"media_s": 1.0}})
    assert board.bulletin.last == 0
    assert board.totals("door", "gate").count_in == 7


def test_a_camera_that_is_gone_is_forgotten():
    board = Board()
    board.take("door", event("zone_entered", zone={"occupancy": 2}))
    board.take("yard", event(total=(5, 0)))
    board.forget("door")
    assert board.totals("door", "gate") == Totals()
    assert board.inside("door", "gate") == 0
    assert board.totals("yard", "gate").count_in == 5


def test_only_pictures_of_late_are_promised():
    board = Board()
    for k in range(300):
        board.take("door", event(media_s=k, evidence={"snapshot": f"day/{k}.jpg"}))
    assert board.is_promised("day/299.jpg")
    assert not board.is_promised("day/1.jpg")
    assert not board.is_promised("../1.jpg")


@given(
    st.lists(
        st.tuples(
            st.floats(0, 5 * 86_400), st.sampled_from(["in", "out"]), st.sampled_from([1, 1, -1])
        ),
        max_size=60,
    )
)
def test_a_chart_shows_every_count_of_its_span_and_memory_stays_flat(passages):
    history = History()
    for media_s, way, delta in sorted(passages):
        history.take("door", event(way=way, delta=delta, media_s=media_s))
    end_s = max((p[0] for p in passages), default=0.0)
    for by, step_s in STEPS_S.items():
        shown = history.series("door", "gate", by, 0.0)
        first = int(end_s // step_s) - KEPT[by] + 1
        for way in ("in", "out"):
            expected = sum(d for t, w, d in passages if w == way and t // step_s >= first)
            assert sum(shown[way]) == expected
        if passages:
            assert shown["axis"] == "media"
            assert len(shown["in"]) <= KEPT[by]
            assert len(history._rules["door", "gate"].counts[by]) <= KEPT[by]


def test_world_time_ends_now_and_old_counts_fall_out():
    history = History()
    for text in ("2026-11-23T09:59:59Z", "2026-11-23T10:30:00.500Z", "2026-11-23T12:00:01Z"):
        passage = event()
        passage["time"]["utc"] = text
        history.take("door", passage)
    shown = history.series("door", "gate", "minute", NOON_S + 30)
    assert (shown["axis"], shown["start_s"], len(shown["in"])) == ("utc", NOON_S - 119 * 60, 120)
    assert (sum(shown["in"]), shown["in"][-1], shown["in"][-91]) == (2, 1, 1)
    hours = history.series("door", "gate", "hour", NOON_S + 30)
    assert hours["in"][-4:] == [1, 1, 0, 1]
    later = history.series("door", "gate", "minute", NOON_S + 7200)
    assert later["in"][:2] == [0, 0]


def test_what_the_journal_had_comes_before_what_has_come_since():
    past, now = History(), History()
    past.take("door", event(media_s=10))
    past.take("door", event("zone_exited", "out", media_s=20, zone={"dwell_s": 3.0}))
    moved = event(media_s=5)
    moved["rule"]["id"] = "moved"
    past.take("door", moved)
    now.take("door", moved | {"type": "counter_reset"})
    now.take("door", event(media_s=30))
    now.begin_with(past)
    assert now.series("door", "gate", "minute", 0.0)["in"] == [2]
    assert now.dwell("door", "gate")["last_s"] == 3.0
    assert now.series("door", "moved", "minute", 0.0)["in"] == [0]


def test_lengths_of_stays_are_bounded():
    history = History()
    for k in range(STAYS + 10):
        stay = event("zone_exited", "out", media_s=k, zone={"dwell_s": float(k)})
        history.take("door", stay)
    dwell = history.dwell("door", "gate")
    assert (dwell["stays"], dwell["longest_s"]) == (STAYS + 10, STAYS + 9.0)
    assert dwell["median_s"] == pytest.approx(9.5 + STAYS / 2)


def test_a_recording_without_counts_has_a_chart_as_long_as_it_is():
    history = History()
    history.note_media_s("door", 150.0)
    shown = history.series("door", "gate", "minute", NOON_S)
    assert (shown["axis"], shown["start_s"], shown["in"]) == ("media", 0, [0, 0, 0])
