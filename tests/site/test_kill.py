"""Ended at random moments, by kill -9 or a signal: nothing is lost, doubled or counted wrongly."""

from __future__ import annotations

import copy
import json
import random
import signal
import time

import pytest
import yaml
from receiver import Receiver

from edge.events.journal import Journal

FRAMES = 1440
CROSSINGS = 2 * FRAMES // 48  # the square passes the middle twice in 48 frames


def config_of(tmp_path, source, model, **sinks):
    zone = [[0.0, 0.0], [0.4, 0.0], [0.4, 1.0], [0.0, 1.0]]
    return {
        "device_id": "box",
        "cameras": {
            "gate": {
                "source": str(source),
                "lines": {"middle": {"a": [0.5, 0.0], "b": [0.5, 1.0]}},
                "zones": {"left": {"polygon": zone}},
            }
        },
        "model": {"name": str(model), "threads": 1},
        "snapshot_every_s": 7.0,
        "sinks": sinks,
    }


# One that is asked to stop leaves what one leaves that is killed: the beginning of what all give.
HOW = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


def with_zone(config, **changes):
    cameras = copy.deepcopy(config["cameras"])
    cameras["gate"]["zones"]["left"] |= changes
    return cameras


def written(path, config):
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.mark.parametrize("kills", [8, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.timeout(1200)
def test_a_recording_that_is_killed_and_counted_again(
    kills, tmp_path, edge, edge_process, scene, square_model
):
    source = scene(frames=FRAMES)
    plain = written(tmp_path / "plain.yaml", config_of(tmp_path, source, square_model))
    result = edge("run", "--config", plain, "--events", tmp_path / "plain.jsonl", "--quiet")
    assert result.code == 0, result.err
    wanted = [json.loads(line) for line in (tmp_path / "plain.jsonl").read_text().splitlines()]
    totals = {c["rule_id"]: c["count"] for c in wanted[-1]["counts"]}
    assert totals["middle"]["in"] + totals["middle"]["out"] == CROSSINGS
    with Receiver() as receiver:
        hook = {"type": "webhook", "url": receiver.url, "batch": 7}
        file = {"type": "file", "path": str(tmp_path / "events.jsonl")}
        config = config_of(tmp_path, source, square_model, hook=hook, file=file)
        config["journal"] = {"path": str(tmp_path / "journal.db")}
        path = written(tmp_path / "site.yaml", config)
        began_s = time.monotonic()  # the moments are shares of what a whole run takes here
        whole = written(tmp_path / "whole.yaml", {**config, "sinks": {}})
        result = tmp_path / "whole.jsonl"
        arguments = ("--journal", tmp_path / "whole.db", "--events", result, "--quiet")
        assert edge_process("run", "--config", whole, *arguments).wait(120) == 0
        whole_s = time.monotonic() - began_s
        chance = random.Random(kills)
        journalled = []
        # From early to late: each run repeats what the ones before it had come to.
        for share in sorted(chance.uniform(0.2, 1.0) for _ in range(kills)):
            process = edge_process("run", "--config", path, "--quiet")
            time.sleep(share * whole_s)
            process.send_signal(chance.choice(HOW))
            process.wait()
            if (tmp_path / "journal.db").exists():
                with Journal(tmp_path / "journal.db") as journal:
                    journalled.append(journal.newest)
        assert len(set(journalled)) > 2, (
            "no kill hit a run at work: the machine is too slow or fast"
        )
        last = edge_process("run", "--config", path, "--quiet")
        assert last.wait(120) == 0, last.stderr.read()
        ids = receiver.first_ids()
    assert ids == [e["event_id"] for e in wanted]
    in_file = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [e["event_id"] for e in in_file] == ids  # a file is not given repeats
    assert in_file == wanted  # to the byte what an undisturbed run says
    with Journal(tmp_path / "journal.db") as journal:
        assert journal.audit().is_balanced
        known = {t.rule_id: (t.tally.count_in, t.tally.count_out) for t in journal.totals()}
    assert known == {name: (c["in"], c["out"]) for name, c in totals.items()}


def test_a_recording_is_not_counted_again_by_something_else(tmp_path, edge, scene, square_model):
    config = config_of(tmp_path, scene(), square_model)
    config["journal"] = {"path": str(tmp_path / "journal.db")}
    path = written(tmp_path / "site.yaml", config)
    for _ in range(2):
        assert edge("run", "--config", path, "--quiet").code == 0
    said = (
        "expected the settings with which 'gate' was counted into this journal before, got another"
    )
    for changes, what in (
        ({"tracker": {"max_lost_s": 2.0}}, "model and tracker"),
        ({"cameras": with_zone(config, dwell_s=3.0)}, "rule left"),
        ({"cameras": with_zone(config, classes=["person"])}, "rule left"),
    ):
        written(path, config | changes)
        result = edge("run", "--config", path, "--quiet")
        assert result.code == 5
        assert f"{said} {what}; use another journal" in result.err
    # A rule that is moved, and one that is new, have events of their own.
    moved = with_zone(config, polygon=[[0.0, 0.0], [0.3, 0.0], [0.3, 1.0], [0.0, 1.0]])
    moved["gate"]["lines"]["more"] = {"a": [0.7, 0.0], "b": [0.7, 1.0]}
    written(path, config | {"cameras": moved, "snapshot_every_s": 5.0})
    assert edge("run", "--config", path, "--quiet").code == 0
    with Journal(tmp_path / "journal.db") as journal:
        assert journal.audit().is_balanced
