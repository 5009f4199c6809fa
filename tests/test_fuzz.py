"""A few hundred cases of `scripts/fuzz`, and what it does with a promise that is broken."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parents[1] / "scripts" / "fuzz.py"
sys.path.insert(0, str(FUZZ.parent))


@pytest.mark.parametrize(("kind", "count"), [("config", 500), ("detections", 500), ("rtsp", 200)])
def test_no_damage_does_harm(kind, count):
    # A process of its own: what hangs or crashes there does not here.
    arguments = ["--kind", kind, "--count", str(count), "--limit", "60"]
    done = subprocess.run(
        [sys.executable, str(FUZZ), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [said] = done.stdout.splitlines()
    assert said.startswith(f"{kind}: {count} cases from 0, seed 0, ")
    assert " 0 failures; " in said


def test_the_same_seed_gives_the_same_damage():
    from fuzzing.mutations import byte_mutations, mutated, text_mutations

    data = b'{"frame": 12, "name": "gate"}\n' * 5
    for mutations in (text_mutations([b"odd"]), byte_mutations()):
        once, again = (
            [mutated(data, random.Random(f"0 {k}"), mutations) for k in range(300)]
            for _ in range(2)
        )
        assert once == again
        assert len(set(once)) > 250
        assert mutated(b"", random.Random(1), mutations) == b""


def test_a_broken_promise_is_found(monkeypatch, capsys):
    import fuzz

    def case(chance):
        if chance.random() < 0.5:
            raise KeyError("x")
        return "fine"

    monkeypatch.setattr(fuzz, "case_of", lambda kind, folder: case)
    assert fuzz.tried("config", 0, 0, 40, 60.0) is False
    said = capsys.readouterr().out
    assert said.count("Traceback") == 1  # of one place, once
    assert "config: failed" in said
    assert "KeyError at " in said


def test_totals_that_are_no_sums_are_found():
    from fuzzing import Broken
    from fuzzing.recordings import GOLDEN, check

    lines = (GOLDEN.parent / "people.events.jsonl").read_text().splitlines()
    check(lines)
    [first] = [k for k, line in enumerate(lines) if '"line_crossed"' in line][:1]
    with pytest.raises(Broken, match="a number is missing"):
        check(lines[:first] + lines[first + 1 :])
    wrong = [line.replace('"delta":1,"in":', '"delta":1,"in":1') for line in lines]
    with pytest.raises(Broken, match="a total is no sum"):
        check(wrong)
