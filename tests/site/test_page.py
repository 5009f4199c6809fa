"""The page of a service while its config changes, without a browser."""

from __future__ import annotations

import json
import signal
import urllib.request

from running import LINE, Running

AWAY = "rtsp://127.0.0.1:9/clip"  # nobody listens there


def state(run: Running) -> dict:
    with urllib.request.urlopen(f"http://127.0.0.1:{run.port}/api/state", timeout=10) as answer:
        return json.load(answer)


def rules(run: Running) -> dict[str, list[str]]:
    return {c["name"]: [r["id"] for r in c["rules"]] for c in state(run)["cameras"]}


def test_a_reload_shows_other_rules_and_cameras(tmp_path):
    with Running(tmp_path, {"gate": {"source": AWAY, "lines": LINE}}) as run:
        run.start()
        assert rules(run) == {"gate": ["middle"]}
        run.wait(lambda: state(run)["cameras"][0]["state"] == "lost", "an outage")
        [camera] = state(run)["cameras"]
        assert camera["reason"].startswith("cannot connect")
        assert "source_lost" in [event["type"] for event in state(run)["events"]]
        hall = {"polygon": [[0, 0], [1, 0], [1, 1]]}
        run.config["cameras"]["gate"]["zones"] = {"hall": hall}
        run.config["cameras"]["yard"] = {"source": AWAY, "lines": LINE}
        run.write()
        run.send(signal.SIGHUP)
        run.wait(lambda: rules(run) == {"gate": ["middle", "hall"], "yard": ["middle"]}, "rules")
        del run.config["cameras"]["gate"]
        run.write()
        run.send(signal.SIGHUP)
        run.wait(lambda: rules(run) == {"yard": ["middle"]}, "one camera")
        assert run.stop() == 130
