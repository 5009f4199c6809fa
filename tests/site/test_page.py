"""The page of a service while its config changes, without a browser."""

from __future__ import annotations

import json
import signal
import urllib.request

from running import LINE, Running

from edge.config.revision import file_rev

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


def test_the_page_tells_which_config_counts_and_why_another_was_refused(tmp_path):
    with Running(tmp_path, {"gate": {"source": AWAY, "lines": LINE}}) as run:
        run.start(SECRET="hush-hush")
        began = file_rev(run.path)
        assert state(run)["config"] == {"revision": began, "refused": "", "why": ""}
        zone = {"polygon": [[0, 0], [1, 0], [1, 1]], "overcrowded": 3}
        run.config["cameras"]["gate"]["zones"] = {"hall": zone}
        run.write()
        run.send(signal.SIGHUP)
        good = file_rev(run.path)
        run.wait(lambda: state(run)["config"]["revision"] == good, "the new config")
        run.config["web"]["token"] = "${SECRET}"
        run.config["sinks"]["hush-hush"] = {"type": "nonsense"}
        run.write()
        run.send(signal.SIGHUP)
        bad = file_rev(run.path)
        run.wait(lambda: state(run)["config"]["refused"] == bad, "a refusal")
        told = state(run)["config"]
        assert told["revision"] == good
        assert "site.yaml:" in told["why"]
        assert str(tmp_path) not in told["why"]
        del run.config["sinks"]["hush-hush"]
        run.write()
        run.send(signal.SIGHUP)
        last = file_rev(run.path)
        run.wait(lambda: state(run)["config"]["revision"] == last, "it is taken again")
        assert state(run)["config"] == {"revision": last, "refused": "", "why": ""}
        assert run.stop() == 130
