"""The table: one row for each interval, rule, direction and class; it adds up."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from happenings import Teller, summed

from edge.errors import SinkError
from edge.report import write_csv, write_parquet
from edge.report.table import COLUMNS, rows_of

GOLDEN = Path(__file__).parent.parent / "golden" / "people.events.jsonl"


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_golden_table_adds_up(tmp_path):
    events = [json.loads(line) for line in GOLDEN.read_text().splitlines()]
    summary = summed(events)
    number = write_csv(summary, tmp_path / "out.csv")
    rows = table(tmp_path / "out.csv")
    assert len(rows) == number == 4 * 2 * 20
    assert list(rows[0]) == list(COLUMNS)
    for stated in events[-1]["counts"]:
        for way in ("in", "out"):
            found = [r for r in rows if (r["rule"], r["direction"]) == (stated["rule_id"], way)]
            assert sum(int(row["count"]) for row in found) == stated["count"][way]
    assert {row["interval_length_s"] for row in rows} == {"1"}
    assert [row["interval_start_media_s"] for row in rows[:3]] == ["0.0", "0.0", "1.0"]
    assert rows[0]["interval_start_utc"] == ""


def test_world_time_is_given_in_both_ways(tmp_path):
    teller = Teller()
    teller.crossed(3700.0, name="car")
    write_csv(summed(teller.told, interval_s=3600, zone=ZoneInfo("Europe/Berlin")), tmp_path / "t")
    [ins, outs] = table(tmp_path / "t")
    assert ins["interval_start_utc"] == "2026-09-24T01:00:00Z"
    assert ins["interval_start_local"] == "2026-09-24T03:00:00+02:00"
    assert (ins["class"], ins["count"], outs["count"]) == ("car", "1", "0")
    assert ins["interval_start_media_s"] == ""


def test_a_text_is_no_formula(tmp_path):
    teller = Teller()
    teller.crossed(1.0, rule="=cmd|' /C calc'!A0", name="-person")
    write_csv(summed(teller.told), tmp_path / "t")
    row = table(tmp_path / "t")[0]
    assert (row["rule"], row["class"]) == ("'=cmd|' /C calc'!A0", "'-person")


def test_parquet_asks_for_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    teller = Teller()
    teller.crossed(1.0)
    with pytest.raises(SinkError, match=r"expected pyarrow .*`scripts/install parquet` or pip"):
        write_parquet(summed(teller.told), tmp_path / "t.parquet")


def test_a_table_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(SinkError, match="expected to write a table, got"):
        write_csv(summed([]), tmp_path / "no" / "t.csv")


def test_no_events_give_no_rows():
    assert list(rows_of(summed([]))) == []
