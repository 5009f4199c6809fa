"""Events in, numbers out: totals, intervals, corrections, gaps, zones, paths."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from happenings import DAY, Teller, summed
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ConfigError
from edge.events import Event
from edge.events.outages import Outages
from edge.report import Gathering
from edge.report.calendar import Calendar

GOLDEN = Path(__file__).parent.parent / "golden" / "people.events.jsonl"


def only(summary):
    [source] = summary.sources
    return source


def current(source, rule_id="gate"):
    [rule] = [rule for rule in source.rules if rule.id == rule_id and rule.is_current]
    return rule


def test_the_tellers_events_follow_the_schema():
    teller = Teller()
    teller.started(0.0, "gate")
    crossing = teller.crossed(1.0)
    teller.reverted(2.0, crossing)
    teller.entered(3.0, 1)
    teller.exited(4.0, 0, 1.0)
    teller.stopped(5.0)
    for event in teller.told:
        Event.model_validate(event)


def test_the_golden_events_give_the_totals_of_their_stopped_event():
    events = [json.loads(line) for line in GOLDEN.read_text().splitlines()]
    source = only(summed(events))
    for stated in events[-1]["counts"]:
        rule, count = current(source, stated["rule_id"]), stated["count"]
        assert (rule.count_in, rule.count_out, rule.net) == (
            count["in"],
            count["out"],
            count["net"],
        )
        assert {n: {"in": rule.of("in", n), "out": rule.of("out", n)} for n in rule.classes} == (
            count["by_class"]
        )
        assert (rule.carried, rule.missing, rule.restarts) == ((0, 0), (0, 0), 0)
    assert (source.first_s, source.last_s, source.observed) == (0.0, 19.9, 1.0)
    [zone] = source.zones
    assert len(zone.dwells_s) == 8
    assert zone.most == (5, 7.4)
    assert source.feet is not None
    assert source.feet.sum() == source.judged == 35


# A live day: when (s), where to, class, rule, and whether it is taken back later.
crossings = st.lists(
    st.tuples(
        st.floats(0, 90_000, allow_nan=False),
        st.sampled_from(["in", "out"]),
        st.sampled_from(["person", "car"]),
        st.sampled_from(["gate", "ramp"]),
        st.booleans(),
    ),
    max_size=30,
)


def told(crossings, kind) -> Teller:
    teller = Teller(kind=kind)
    teller.started(0.0, "gate", "ramp")
    for at_s, way, name, rule, is_wrong in sorted(crossings):
        event = teller.crossed(at_s, way, rule, name=name)
        if is_wrong:
            teller.reverted(at_s, event)
    teller.stopped(90_000.0)
    return teller


@given(
    crossings,
    st.sampled_from(["rtsp", "file"]),
    st.sampled_from([None, 900, 3600, 86_400]),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu"]),
)
def test_intervals_add_up_to_the_totals(crossings, kind, interval_s, zone):
    teller = told(crossings, kind)
    summary = summed(teller.told, interval_s=interval_s, zone=ZoneInfo(zone))
    source = only(summary)
    for rule_id, (ins, outs) in teller.totals.items():
        rule = current(source, rule_id)
        assert (rule.count_in, rule.count_out) == (ins, outs)
        assert set(rule.by_interval) <= set(source.starts)
        for way, total in (("in", ins), ("out", outs)):
            assert sum(rule.in_interval(start, way) for start in source.starts) == total
        sums: Counter = Counter()
        for counts in rule.by_interval.values():
            sums.update(counts)
        assert {kind: n for kind, n in sums.items() if n} == dict(rule.counts)


@given(crossings, st.integers(1, 7))
def test_how_often_events_come_changes_nothing(crossings, every):
    teller = told(crossings, "rtsp")
    repeated = [e for k, event in enumerate(teller.told) for e in [event] * (1 + (k % every == 0))]
    once, again = summed(teller.told), summed(repeated + teller.told)
    assert [r.counts for r in only(once).rules] == [r.counts for r in only(again).rules]
    assert again.repeats == len(repeated)
    assert "more than once" in again.notes[0]


def test_intervals_grow_with_the_span():
    teller = Teller()
    for hours, interval_s in ((0.001, 1), (1, 60), (30, 900), (24 * 40, 86_400)):
        teller.crossed(hours * 3600)
        summary = summed(teller.told)
        assert summary.interval_s == interval_s
        assert sum(current(only(summary)).by_interval[s]["in", "person"] for s in
                   current(only(summary)).by_interval) == teller.totals["gate"][0]  # fmt: skip


def test_days_are_local_days():
    teller = Teller(begin_s=DAY)
    teller.crossed(21.9 * 3600)  # 23:54 in Berlin
    teller.crossed(22.1 * 3600)  # the next day there
    summary = summed(teller.told, interval_s=86_400, zone=ZoneInfo("Europe/Berlin"))
    rule = current(only(summary))
    assert [rule.in_interval(start, "in") for start in only(summary).starts] == [1, 1]
    assert only(summary).calendar.label(only(summary).starts[1]) == "2026-09-25"


def test_a_day_on_which_clocks_change_has_another_length():
    calendar = Calendar(86_400, ZoneInfo("Europe/Berlin"), is_utc=True)
    october = calendar.starts(1_792_800_000.0, 1_793_232_000.0)  # 24 to 29 October 2026
    lengths = [(b - a) / 3600 for a, b in pairwise(october)]
    assert lengths == [24, 25, 24, 24, 24]


def test_recordings_of_one_name_stay_apart():
    teller = Teller(kind="file")
    for _ in range(2):
        teller.started(0.0, "gate")
        teller.crossed(3.0)
        teller.stopped(10.0)
    first, second = summed(teller.told).sources
    assert (first.label, second.label) == ("door (1)", "door (2)")
    assert [current(s).count_in for s in (first, second)] == [1, 1]


def test_a_moved_line_counts_from_its_move():
    teller = Teller()
    teller.started(0.0, "gate")
    teller.crossed(10.0)
    before = {"delta": 0, "in": 1, "out": 0, "net": 1, "by_class": {}, "since_media_s": 0.0}
    teller.totals["gate"] = [0, 0]
    teller.said(20.0, "counter_reset", "gate", before=before)
    teller.crossed(30.0, "out")
    old, new = only(summed(teller.told)).rules
    assert (old.is_current, old.part, old.count_in, old.count_out) == (False, 1, 1, 0)
    assert (new.is_current, new.part, new.count_in, new.count_out) == (True, 2, 0, 1)
    assert (old.missing, new.missing, new.carried) == ((0, 0), (0, 0), (0, 0))


def test_a_restart_without_a_journal_goes_on():
    teller = Teller()
    teller.started(0.0, "gate")
    teller.crossed(10.0)
    teller.session += 1
    teller.started(60.0, "gate")
    teller.crossed(70.0)
    rule = current(only(summed(teller.told)))
    assert (rule.count_in, rule.restarts, rule.missing) == (2, 1, (0, 0))


def test_events_that_are_not_there_are_told():
    teller = Teller()
    teller.crossed(1.0)
    for k in range(5):
        teller.crossed(2.0 + k)
    teller.crossed(9.0, "out")
    rule = current(only(summed([*teller.told[1:3], *teller.told[5:]])))
    assert (rule.count_in, rule.count_out) == (3, 1)
    assert (rule.carried, rule.missing, rule.stated) == ((1, 0), (2, 0), (6, 1))


def test_lost_events_count_without_a_class():
    teller = Teller()
    teller.crossed(1.0)
    teller.totals["gate"] = [4, 1]
    rules = [{"rule_id": "gate", "in": 3, "out": 1}]
    lost = {"events": 4, "first_seq": 2, "last_seq": 5, "rules": rules}
    teller.said(2.0, "events_lost", lost=lost)
    teller.crossed(3.0)
    source = only(summed(teller.told))
    rule = current(source)
    assert (rule.count_in, rule.count_out, rule.missing) == (5, 1, (0, 0))
    assert rule.classes == ["person", None]
    assert (rule.of("in", None), source.lost_events) == (3, 4)


def test_gaps_lower_what_was_seen():
    teller = Teller()
    teller.started(0.0, "gate")
    teller.crossed(600.0)
    teller.said(1200.0, "source_lost", reason="timed out")
    teller.session += 1
    teller.said(2100.0, "source_restored", gap_s=900.0)
    teller.said(2200.0, "frames_dropped", frames=7)
    teller.stopped(3600.0)
    source = only(summed(teller.told, interval_s=900))
    assert [round(source.coverage[start], 3) for start in source.starts[:4]] == [1, 0.333, 0.667, 1]
    assert source.observed == pytest.approx(0.75)
    [gap] = source.gaps
    assert (gap.reason, gap.gap_s) == ("timed out", 900.0)
    assert (source.frames_dropped, source.sessions) == (7, 2)


def test_snapshots_know_better_than_gaps_what_was_seen():
    teller = Teller(kind="file")
    teller.started(0.0, "gate", "ramp")
    for k, coverage in enumerate((1.0, 0.25)):
        for rule in ("gate", "ramp"):
            window = {"start": 60.0 * k, "end": 60.0 * (k + 1)}
            at_s = 60.0 * (k + 1)
            teller.said(at_s, "count_snapshot", rule, window=window, coverage=coverage)
    source = only(summed(teller.told, interval_s=60))
    assert [source.coverage[start] for start in source.starts] == pytest.approx([1.0, 0.25, 0.0])


def test_a_last_window_reaches_beyond_the_end():
    teller = Teller(kind="file")
    teller.started(0.0, "gate")
    window = {"start": 0.0, "end": 60.0}
    teller.said(15.0, "count_snapshot", "gate", window=window, coverage=0.25)
    source = only(summed(teller.told, interval_s=60))
    assert source.coverage[0] == pytest.approx(0.25)
    assert source.observed == pytest.approx(1.0)


def test_absurd_times_end_soon():
    teller = Teller()
    teller.started(0.0, "gate")
    teller.entered(1.0, 3)
    window = {"start": -1e11, "end": "8999-01-01T00:00:00Z"}
    teller.said(60.0, "count_snapshot", "gate", window=window, coverage=1.0)
    assert only(summed(teller.told)).observed == pytest.approx(1.0)
    teller.entered(120.0, 4)
    teller.told[-1]["time"] |= {"utc": "8999-01-01T00:00:00Z", "media_s": 1e10}
    with pytest.raises(ConfigError, match="at most 50000 intervals"):
        summed(teller.told)


def test_occupancy_and_dwell():
    teller = Teller(kind="file")
    teller.entered(0.0, 1)
    teller.entered(10.0, 2, track=2)
    teller.exited(20.0, 1, 10.0, track=2)
    teller.exited(60.0, 0, 60.0)
    teller.entered(70.0, 1, track=3)
    teller.exited(80.0, 0, 10.0, track=3, end_reason="source_lost")
    teller.stopped(120.0)
    [zone] = only(summed(teller.told, interval_s=60)).zones
    assert zone.dwells_s.tolist() == [10.0, 60.0]
    assert (zone.quantile_s(0.5), zone.cut_stays, zone.most) == (10.0, 1, (2, 10.0))
    assert zone.mean[0] == pytest.approx(70 / 60)
    assert zone.mean[60] == pytest.approx(10 / 60)
    assert (zone.peak[0], zone.peak[60]) == (2, 1)


def test_paths_are_of_one_track_and_without_what_was_taken_back():
    teller = Teller()
    teller.crossed(1.0, rule="door")
    teller.entered(2.0, 1, "shelf")
    wrong = teller.crossed(3.0, rule="till")
    teller.reverted(4.0, wrong)
    teller.exited(5.0, 0, 3.0, "shelf")
    teller.crossed(6.0, "out", rule="door")
    teller.crossed(7.0, rule="till", track=2)
    assert only(summed(teller.told)).flows == {
        (("door", "in"), ("shelf", "in")): 1,
        (("shelf", "in"), ("door", "out")): 1,
    }


def test_only_the_time_asked_for():
    teller = Teller()
    teller.started(0.0, "gate")
    for hour in range(24):
        teller.crossed(hour * 3600 + 1)
    teller.stopped(86_400.0)
    recording = Teller("clip", "file")
    recording.crossed(1.0)
    between = (DAY + 9 * 3600, DAY + 12 * 3600)
    summary = summed([*teller.told, *recording.told], between=between)
    source = only(summary)
    assert current(source).count_in == 3
    assert (source.first_s, source.observed, summary.interval_s) == (between[0], 1.0, 300)
    assert len(source.starts) == 36
    assert "1 events of recordings" in summary.notes[0]


def test_too_many_intervals_are_refused():
    teller = Teller()
    teller.crossed(0.0)
    teller.crossed(3e7)
    with pytest.raises(ConfigError, match="at most 50000 intervals, got 10 s each for 347 days"):
        summed(teller.told, interval_s=10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e.pop("schema"), "expected a count event with schema count-event/1.x, got {"),
        (
            lambda e: e.update(schema="count-event/2.0"),
            "schema count-event/1.x, got 'count-event/2",
        ),
        (lambda e: e["count"].pop("delta"), "expected a whole number for count.delta, got nothing"),
        (lambda e: e["count"].update(delta="1"), "a whole number for count.delta, got '1'"),
        (lambda e: e["time"].update(media_s=float("nan")), "a number for time.media_s, got nan"),
        (lambda e: e["time"].update(media_s=1e300), "a number for time.media_s, got 1e"),
        (lambda e: e["time"].update(utc="yesterday"), "expected a UTC time such as"),
        (lambda e: e["time"].update(utc="0001-01-01T00:00:00Z"), "expected a UTC time such as"),
        (lambda e: e.pop("rule"), "expected a text for rule.id, got nothing"),
        (lambda e: e["rule"].update(direction="up"), "in or out for rule.direction, got 'up'"),
        (lambda e: e["source"].update(id=7), "expected a text for source.id, got 7"),
        (lambda e: e.update(object=[]), "expected an object for object, got"),
    ],
)
def test_what_is_no_event_is_refused(change, message):
    event = Teller().crossed(1.0)
    change(event)
    with pytest.raises(ConfigError) as raised:
        Gathering(Outages).add(event)
    assert message in str(raised.value)


def test_types_and_fields_of_later_versions_are_ignored():
    teller = Teller()
    teller.crossed(1.0)
    teller.said(2.0, "robot_greeted", robot={"id": 7})
    teller.told[-1]["schema"] = "count-event/1.4"
    assert current(only(summed(teller.told))).count_in == 1
