"""`scripts/soak` with a tiny model: rows, sessions, counts and what is refused."""

from __future__ import annotations

import importlib

import pytest


@pytest.fixture
def soak():
    return importlib.import_module("soak")


def usage(soak, frames, rss_mb, threads=5, open_files=17):
    return soak.Usage(frames, 1.0, rss_mb, threads, open_files, 0.1, 10, 1)


def test_a_short_run(soak, scene, square_model, capsys):
    # 60 frames a round; the memory of a test run says nothing
    arguments = ["--frames", "400", "--model", str(square_model), "--clip", str(scene())]
    assert soak.main([*arguments, "--most-growth", "9"]) == 0
    said = capsys.readouterr()
    head, *rows, last = said.out.splitlines()
    assert head.split()[:3] == ["frames", "elapsed_s", "rss_mb"]
    found = [row.split() for row in rows]
    assert [int(row[0]) for row in found] == list(range(20, 401, 20))
    assert int(found[-1][7]) == 400 // 60 + 1  # sessions
    assert int(found[-1][6]) > 2 * (400 // 60)  # events: the square passes twice a round
    assert last.startswith("memory after 400 frames against 40: ")
    assert [line for line in said.err.splitlines() if "wrong" in line] == []


def test_what_has_grown_is_said(soak):
    rows = [usage(soak, 1, 90.0), usage(soak, 2, 100.0)]
    assert soak.verdict([*rows, usage(soak, 20, 103.0)], 0.03) == []
    assert soak.verdict([*rows, usage(soak, 20, 103.1)], 0.03) == [
        "memory: expected at most 103.0 MB, got 103.1 MB"
    ]
    assert soak.verdict([*rows, usage(soak, 20, 100.0, 6, 18)], 0.03) == [
        "threads: expected at most 5, got 6",
        "open_files: expected at most 17, got 18",
    ]


def test_wrong_arguments(soak, capsys, tmp_path):
    with pytest.raises(SystemExit) as ended:
        soak.main(["--frames", "3"])
    assert ended.value.code == 2
    assert "--frames: expected at least 20, got 3" in capsys.readouterr().err
    assert soak.main(["--clip", str(tmp_path / "none.mp4"), "--frames", "20"]) == 3
    assert "none.mp4: expected a video file, got no such file" in capsys.readouterr().err
