"""`scripts/bench_tracking` as a program: tables, targets, ratchet, rivals and speed."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from tracking_bench import figures, pets, rivals, run, speed, table
from tracking_bench.streams import RECIPES, Shown, sequence
from tracking_bench.table import Row, Target

from edge.errors import ConfigError, EdgeError
from edge.evaluate.tracks import FrameOverlap, track_quality

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("EDGECOUNT_SHARED", ROOT.parent / "shared"))


def quality(share):
    """The numbers of a track that is found in this share of ten frames."""
    one, none = np.array([1]), np.zeros(0, np.int64)
    return track_quality(
        [
            [
                FrameOverlap(one, one, np.ones((1, 1)))
                if k < 10 * share
                else FrameOverlap(one, none, np.ones((1, 0)))
                for k in range(10)
            ]
        ]
    )


def row(tracker, share, **more):
    return Row("clean", "car", tracker, quality(share), 1.0, **more)


def test_a_run_from_arguments_to_tables_and_json(bench_tracking, kitti, capsys, tmp_path):
    numbers = tmp_path / "numbers.json"
    arguments = [
        "--data",
        str(kitti),
        "--without-rivals",
        "--pets",
        "none",
        "--streams",
        "clean,third",
    ]
    arguments += ["--cache", str(tmp_path / "cache")]
    assert bench_tracking.main([*arguments, "--json", str(numbers)]) == 0
    said = capsys.readouterr()
    assert "clean, car: 1 objects, 24 times seen" in said.out
    assert "third, person: 2 objects, 16 times seen" in said.out
    assert "best rival" in said.out
    assert "clean: ours" in said.err
    kept = json.loads(numbers.read_text())
    assert {r["tracker"] for r in kept["rows"]} == {
        "ours",
        "ours-seen",
        "oracle",
        "mask-iou",
    }
    assert {(t["stream"], t["class_name"]) for t in kept["targets"]} == {
        (s, c) for s in ("clean", "third") for c in ("car", "person")
    }
    oracle = [r for r in kept["rows"] if r["tracker"] == "oracle" and r["stream"] == "clean"]
    assert [r["quality"]["hota"] for r in oracle] == pytest.approx([1.0, 1.0])


def test_the_ratchet_lets_nothing_fall(bench_tracking, kitti, capsys, tmp_path):
    kept = tmp_path / "figures.json"
    arguments = ["--data", str(kitti), "--trackers", "ours", "--pets", "none", "--streams", "clean"]
    assert bench_tracking.main([*arguments, "--record", str(kept)]) == 0
    assert bench_tracking.main([*arguments, "--check", str(kept)]) == 0
    recorded = json.loads(kept.read_text())
    recorded["all"]["clean"]["car"]["hota"] += 0.2
    kept.write_text(json.dumps(recorded))
    capsys.readouterr()
    assert bench_tracking.main([*arguments, "--check", str(kept)]) == 1
    [line] = [t for t in capsys.readouterr().out.splitlines() if t.startswith("worse")]
    assert line.startswith("worse: all: clean, car: hota: expected ")
    assert bench_tracking.main([*arguments, "--sequences", "0003", "--check", str(kept)]) == 2
    assert "expected 0003: clean, car: hota, got none; --record adds it" in capsys.readouterr().err


def test_wrong_arguments_are_named(bench_tracking, kitti, tmp_path, capsys):
    for arguments, message in (
        (["--streams", "dirty"], "--streams: expected some of clean, noisy, third, third-clean"),
        (
            ["--trackers", "me"],
            "--trackers: expected some of ours, ours-seen, oracle, mask-iou, sort",
        ),
        (["--sequences", "9"], "--sequences: expected some of 0003, got '9'"),
        (["--data", str(tmp_path / "no")], "expected kitti-mots/*.txt, got none"),
    ):
        assert bench_tracking.main(["--data", str(kitti), "--pets", "none", *arguments]) == 2
        assert message in capsys.readouterr().err


def test_figures_rounds_compares_and_keeps_other_scopes(tmp_path):
    rows = [row("ours", 0.9, count_error=0.0471), row("sort", 0.2)]
    found = figures.figures(rows)
    points = found["clean"]["car"]
    assert points["count_error"] == 4.7
    assert points["hota"] == round(100 * rows[0].quality.hota, 1)
    path = tmp_path / "f.json"
    figures.record(path, "a", found)
    figures.record(path, "b", found)
    better = {"clean": {"car": points | {"count_error": 4.0, "hota": points["hota"] - 0.1}}}
    assert figures.falls(path, "a", better) == []
    worse = {"clean": {"car": points | {"count_error": 4.9}}}
    assert figures.falls(path, "b", worse) == ["b: clean, car: count_error: expected 4.7, got 4.9"]
    path.write_text("{")
    with pytest.raises(ConfigError, match=r"f\.json: expected figures as JSON"):
        figures.falls(path, "a", found)


def test_half_way_from_the_best_rival_to_the_oracle():
    rows = [row("ours", 0.8), row("oracle", 1.0), row("sort", 0.5), row("cbiou", 0.6)]
    [target] = table.targets(rows)
    assert (target.best_rival, target.oracle) == ("cbiou", 100.0)
    assert target.half_way == pytest.approx((100 * rows[3].quality.hota + 100) / 2)
    assert not Target("s", "c", "r", 80.0, 90.0, 84.9).is_reached
    assert Target("s", "c", "r", 80.0, 90.0, 84.96).is_reached  # 85.0 as printed
    assert table.targets(rows[:1]) == []


def test_tables_are_sorted_and_show_what_there_is():
    [text] = table.tables([row("sort", 0.5, fps=10.0), row("ours", 0.8, count_error=0.05)])
    lines = text.splitlines()
    assert lines[2].split()[0] == "ours"
    assert lines[2].endswith("5.0 %")
    assert lines[3].split()[:2] == ["sort", "10"]
    assert "count error" in lines[1]


def test_the_better_of_two_ways_to_call_a_rival_is_shown():
    rows = [row("sort", 0.5, fps=10.0), row("sort", 0.7, fps=30.0), row("ours", 0.6)]
    assert [(r.tracker, r.fps) for r in run.best_of_each(rows)] == [("sort", 30.0), ("ours", None)]


def fake_python(folder, body):
    """An environment whose interpreter runs `body` instead of the runner."""
    (folder / "bin").mkdir(parents=True)
    python = folder / "bin" / "python"
    python.write_text(f"#!{sys.executable}\nimport sys\nimport numpy as np\n{body}\n")
    python.chmod(0o755)
    (folder / f"{rivals.PACKAGE}.made").touch()
    return folder


def test_rivals_get_boxes_and_are_asked_once(kitti, tmp_path):
    body = (
        "assert sys.argv[2:4] == ['sort', '10.0']\n"
        "given = np.load(sys.argv[4])\n"
        "assert given['counts'].tolist() == [3] * 24 and given['boxes'].shape == (72, 4)\n"
        f"open({str(tmp_path / 'asked')!r}, 'a').write('x')\n"
        "np.savez(sys.argv[5], ids=np.arange(72), spent_ms=np.ones(24), "
        "line_counts=np.zeros((0, 2), int))"
    )
    given = rivals.Rivals(fake_python(tmp_path / "env", body), tmp_path / "cache")
    stream = sequence(kitti / "kitti-mots" / "0003.txt", RECIPES["clean"])
    for _ in range(2):
        [answer] = given.answers("sort", 10.0, [stream])
        assert [len(ids) for ids in answer.ids] == [3] * 24
        assert answer.ids[1].tolist() == [3, 4, 5]
        assert answer.ms == 24
    assert (tmp_path / "asked").read_text() == "x"


def test_a_rival_that_fails_is_an_error_with_a_way_out(kitti, tmp_path):
    given = rivals.Rivals(fake_python(tmp_path / "env", "raise ValueError('no')"), tmp_path / "c")
    stream = sequence(kitti / "kitti-mots" / "0003.txt", RECIPES["clean"])
    with pytest.raises(EdgeError, match="ValueError: no; --without-rivals leaves"):
        given.answers("sort", 10.0, [stream])


def test_errors_of_counts_are_summed_over_directions():
    truth = ((2, 0), (3, 3), (0, 2))
    assert pets.count_error(truth, truth) == 0
    assert pets.count_error(truth, ((1, 1), (3, 3), (0, 2))) == pytest.approx(0.2)
    swapped = tuple((b, a) for a, b in truth)
    assert pets.best_orientation(truth, swapped) == truth


def test_speed_counts_what_it_times():
    seen, wall_ms, cpu_ms = speed.measured(12, frame_count=6)
    assert 8 <= seen <= 12
    assert len(wall_ms) == len(cpu_ms) == 3
    assert min(wall_ms) > 0


def test_a_recording_of_people_is_judged_by_boxes(tmp_path):
    """Two frames of the golden recording as truth for themselves."""
    source = ROOT / "tests/golden/people.jsonl.gz"
    truth = tmp_path / "gt.txt"
    truth.write_text("")
    given = pets.clip(source, truth)
    lines = []
    answers = []
    for shown in given.sequence.frames:
        assert isinstance(shown, Shown)
        ids = np.arange(1, len(shown.instances) + 1)
        answers.append(ids)
        for k, (x1, y1, x2, y2) in zip(ids, shown.instances.boxes.tolist(), strict=True):
            lines.append(f"{shown.stamp.frame + 1},{k},{x1},{y1},{x2 - x1},{y2 - y1},1\n")
    truth.write_text("".join(lines))
    given = pets.clip(source, truth)
    found = pets.quality(given, pets.Answer(tuple(answers), 0.0))
    assert (found.idf1, found.mota) == pytest.approx((1.0, 1.0), abs=0.02)
    counts = pets.our_counts(given)
    assert len(counts) == len(pets.LINES)
    assert pets.count_error(counts, counts) == 0


@pytest.mark.shared
def test_the_committed_figures_hold_on_two_short_sequences(bench_tracking, capsys):
    kept = ROOT / "scripts/tracking_bench/figures.json"
    arguments = ["--sequences", "0012,0017", "--trackers", "ours", "--pets", "none"]
    data = ["--data", str(SHARED / "data/tracking")]
    assert bench_tracking.main([*arguments, *data, "--check", str(kept)]) == 0, capsys.readouterr()
