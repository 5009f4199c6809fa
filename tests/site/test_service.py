"""A service that is told to stop, to read its config again, or is killed; and keeps secrets."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from live import RtspServer
from running import LINE, Running

from edge.events.journal import Journal

pytestmark = pytest.mark.rtsp
WHERE = {"all": {"polygon": [[0.05, 0.05], [0.95, 0.05], [0.95, 0.95], [0.05, 0.95]]}}


@pytest.mark.timeout(300)
def test_the_password_of_a_camera_is_nowhere(tmp_path):
    """Everything that a run writes or shows is searched."""
    secret = "Pa%ss/w@rd-7c1"
    with RtspServer(user="counter", password=secret) as server:
        address = f"rtsp://counter:${{CAMERA_PASSWORD}}@127.0.0.1:{server.port}/clip"
        wrong = f"rtsp://counter:${{file:{tmp_path / 'wrong'}}}@127.0.0.1:{server.port}/clip"
        (tmp_path / "wrong").write_text("n0t-the-one-9d\n")
        cameras = {
            "gate": {"source": address, "lines": LINE, "zones": WHERE},
            "shut": {"source": wrong},
        }
        evidence = {"folder": str(tmp_path / "evidence")}
        with Running(tmp_path, cameras, evidence=evidence, log={"level": "debug"}) as run:
            run.start(CAMERA_PASSWORD=secret)
            run.wait_for_frames("gate", 60)
            server.kill()
            time.sleep(3)
            assert run.process is not None
            title = Path(f"/proc/{run.process.pid}/cmdline").read_bytes()
            threads = b"".join(
                p.read_bytes() for p in Path(f"/proc/{run.process.pid}/task").glob("*/comm")
            )
            pages = [title, threads]
            for path in ("metrics", "readyz", "healthz"):
                command = ["curl", "-s", f"http://127.0.0.1:{run.port}/{path}"]
                pages.append(subprocess.run(command, capture_output=True, check=True).stdout)
            assert run.stop() == 130
        reasons = [e["reason"] for e in run.events("source_lost") if e["source"]["id"] == "shut"]
    assert "401" in reasons[0]
    (tmp_path / "wrong").unlink()
    written = {str(p): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert any(name.endswith(".jpg") for name in written)
    for spelled in (secret, "Pa%25ss%2Fw%40rd-7c1", "n0t-the-one-9d"):
        for name, data in [*written.items(), *((f"page {k}", p) for k, p in enumerate(pages))]:
            assert spelled.encode() not in data, name


@pytest.mark.timeout(300)
def test_rules_and_cameras_change_while_it_runs(tmp_path):
    cameras = {"gate": {"source": "", "lines": LINE}}
    with (
        RtspServer(fps=5) as server,
        RtspServer(fps=5) as second,
        Running(tmp_path, cameras) as run,
    ):
        cameras["gate"]["source"] = server.url
        run.start("--watch")
        run.wait_for_frames("gate", 40)
        gate = run.config["cameras"]["gate"]
        gate["lines"] = {**LINE, "right": {"a": [0.7, 0.0], "b": [0.7, 1.0]}}
        run.config["cameras"]["yard"] = {"source": second.url, "zones": WHERE}
        run.write()  # --watch sees it
        run.wait(lambda: run.frames("yard") > 5, "the new camera")
        run.wait_for_frames("gate", 60)
        run.path.write_text("cameras: [oops\n")
        run.send(signal.SIGHUP)
        run.wait(lambda: "config not taken" in run.log.read_text(), "a refusal")
        gate["lines"]["middle"] = {"a": [0.4, 0.0], "b": [0.4, 1.0]}
        del run.config["cameras"]["yard"]
        run.write()
        run.send(signal.SIGHUP)
        run.wait(lambda: len(run.events("counter_reset")) == 1, "a reset")
        run.wait_for_frames("gate", 40)
        assert run.stop() == 130
    events = run.events()
    assert [e["type"] for e in events if e["source"]["id"] == "gate"].count("started") == 1
    assert len(run.events("config_changed")) == 2
    assert not run.events("source_lost")
    [reset] = run.events("counter_reset")
    crossed = [e for e in run.events("line_crossed") if e["rule"]["id"] == "middle"]
    before = [e for e in crossed if e["seq"] < reset["seq"]]
    assert before
    assert reset["before"]["in"] + reset["before"]["out"] == len(before)
    [first_after, *_] = [e for e in crossed if e["seq"] > reset["seq"]]
    assert first_after["count"]["in"] + first_after["count"]["out"] == 1
    assert first_after["count"]["since"] == reset["count"]["since"]
    right = [e["count"] for e in run.events("line_crossed") if e["rule"]["id"] == "right"]
    assert [c["in"] + c["out"] for c in right] == list(range(1, len(right) + 1))
    with Journal.reading(run.journal) as journal:
        assert journal.audit().is_balanced
    assert [e["type"] for e in events if e["source"]["id"] == "yard"][-1] == "stopped"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_totals_go_on_after_kill_9(kills, tmp_path):
    with RtspServer() as server:
        places = {f"at-{x}": {"a": [x / 10, 0.0], "b": [x / 10, 1.0]} for x in range(2, 9)}
        cameras = {"gate": {"source": server.url, "lines": places, "zones": WHERE}}
        with Running(tmp_path, cameras) as run:
            for _ in range(kills):
                run.start()
                run.wait_for_frames("gate", 40)
                run.stop(signal.SIGKILL)
            run.start()
            run.wait_for_frames("gate", 10)
            assert run.stop() == 130
            events = run.events()
    received = run.received()
    assert [e["event_id"] for e in received] == [e["event_id"] for e in events]
    crossings = 0
    for rule in (*places, "all"):
        counts = [e for e in events if e.get("rule", {}).get("id") == rule and e["count"]["delta"]]
        total = {"in": 0, "out": 0}
        for event in counts:
            total[event["rule"]["direction"]] += event["count"]["delta"]
            assert (event["count"]["in"], event["count"]["out"]) == (total["in"], total["out"])
        crossings += (total["in"] + total["out"]) * (rule != "all")
        last = {c["rule_id"]: c["count"] for c in events[-1]["counts"]}[rule]
        assert (last["in"], last["out"]) == (total["in"], total["out"])
        if rule == "all":  # whoever was inside when it was killed has left
            assert total["in"] == total["out"]
    assert crossings > 0
    assert len({e["count"]["since"] for e in events if "count" in e}) == 1
    uids = [e["object"]["track_uid"] for e in events if e["type"] == "zone_entered"]
    assert len(uids) >= len(set(uids)) > 0
    assert [e["seq"] for e in events] == sorted(e["seq"] for e in events)
    interrupted = [e for e in events if e.get("end_reason") == "interrupted"]
    assert interrupted
    with Journal.reading(run.journal) as journal:
        assert journal.audit().is_balanced


@pytest.mark.timeout(120)
def test_systemd_is_told(tmp_path):
    inbox = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener, RtspServer() as server:
        listener.bind(str(inbox))
        listener.settimeout(60)
        with Running(tmp_path, {"gate": {"source": server.url}}) as run:
            run.start(NOTIFY_SOCKET=str(inbox), WATCHDOG_USEC="1000000")
            heard = [listener.recv(100).decode() for _ in range(4)]
            run.stop()
            deadline = time.monotonic() + 20
            while "STOPPING=1" not in heard and time.monotonic() < deadline:
                heard.append(listener.recv(100).decode())
    assert heard[0] == "READY=1"
    assert "WATCHDOG=1" in heard
    assert "STOPPING=1" in heard


@pytest.mark.timeout(120)
def test_logs_are_json_where_asked(tmp_path):
    with Running(
        tmp_path, {"gate": {"source": "rtsp://127.0.0.1:9/x"}}, log={"format": "json"}
    ) as run:
        run.start()
        run.wait(lambda: bool(run.events("source_lost")), "an outage")
        run.stop()
    rows = [json.loads(line) for line in run.log.read_text().splitlines()]
    assert any(row.get("camera") == "gate" for row in rows)
