"""Real cameras that fail in every way, watched by a real `edge run`."""

from __future__ import annotations

import signal
import time

import pytest
from live import Cable, RtspServer
from running import LINE, WHERE, Running

pytestmark = pytest.mark.rtsp


def camera(url: str, **more) -> dict:
    return {"source": url, "lines": LINE, "read_timeout_s": 2.0, "open_timeout_s": 4.0, **more}


def back(run: Running) -> float:
    """Seconds until frames are counted again; then somebody is, too."""
    entered = run.count("zone_entered")
    took_s = run.wait_for_frames("gate", 1)
    run.wait(lambda: run.count("zone_entered") > entered, "somebody who is counted")
    return took_s


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("kills", "stall_s", "within_s"),
    [(2, 5.0, 60.0), pytest.param(10, 20.0, 5.0, marks=pytest.mark.slow)],
)
def test_every_outage_is_told_and_counting_goes_on(
    kills, stall_s, within_s, tmp_path, record_property
):
    with RtspServer() as server, Cable(server.port, one_in=100) as cable:
        gate = camera(server.url_for(cable.port), zones=WHERE)
        with Running(tmp_path, {"gate": gate}) as run:
            run.start()
            run.wait_for_frames("gate", 20)
            before = run.used()
            back_s = []
            for _ in range(kills):
                server.kill()
                run.wait(lambda: lost(run), "an outage")
                server.start()
                back_s.append(back(run))
            server.stop()
            run.wait(lambda: lost(run), "an outage")
            time.sleep(stall_s)
            server.cont()
            back_s.append(back(run))
            cable.is_spoiling = True
            run.wait_for_frames("gate", 20)
            cable.is_spoiling = False
            assert cable.spoiled > 0
            run.wait_for_frames("gate")
            server.kill()
            run.wait(lambda: lost(run), "an outage")
            server.start(size=(384, 288), codec="h265")
            back_s.append(back(run))
            run.wait_for_frames("gate", 40)
            after = run.used()
            assert run.stop() == 130
        record_property("back_s", [round(s, 1) for s in back_s])
        record_property("threads_and_descriptors", (before, after))
    assert max(back_s) <= within_s, back_s
    told = [e["type"] for e in run.events("source_lost", "source_restored")]
    assert told == ["source_lost", "source_restored"] * (len(told) // 2)
    assert len(told) // 2 >= kills + 2
    assert all(e["gap_s"] > 0 for e in run.events("source_restored"))
    assert after[0] <= before[0], "threads"
    assert after[1] <= before[1] + 2, "descriptors"
    numbers = [e["source"]["session"] for e in run.events()]
    assert numbers == sorted(numbers)
    assert run.events()[-1]["source"]["width"] == 384
    assert "Traceback" not in run.log.read_text()
    assert {e["event_id"] for e in run.received()} == {e["event_id"] for e in run.events()}


def lost(run: Running) -> bool:
    return run.numbers().get('edgecount_camera_connected{camera="gate"}') == 0.0


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("frames", "more"), [(100, 0.05), pytest.param(600, 0.01, marks=pytest.mark.slow)]
)
def test_a_dead_and_a_frozen_camera_cost_the_others_nothing(
    frames, more, tmp_path, record_property, square_model
):
    """Two good cameras beside a dead and a frozen one lose no more frames than alone.

    With a model that keeps up with four cameras on any machine: what is lost, waiting has cost.
    """
    quick = {"name": str(square_model), "threads": 1}
    with RtspServer(fps=5) as one, RtspServer(fps=5) as other, RtspServer(fps=5) as third:
        good = {"one": camera(one.url), "other": camera(other.url)}
        with Running(tmp_path, good, model=quick) as run:
            run.start()
            run.wait_for_frames("one", 5)
            alone = lost_shares(run, frames)
            bad = {
                "dead": camera("rtsp://127.0.0.1:9/clip"),
                "frozen": camera(third.url),
            }
            run.config["cameras"] = {**bad, **good}
            run.write()
            run.send(signal.SIGHUP)
            run.wait_for_frames("frozen", 10)
            third.stop()
            together = lost_shares(run, frames)
            assert run.stop() == 130
    record_property("lost", {"alone": alone, "beside a dead and a frozen one": together})
    # Waited for, the dead one would cost half of the frames; a busy machine may cost some.
    assert max(together.values()) <= max(alone.values()) + more
    reasons = {e["source"]["id"]: e["reason"] for e in run.events("source_lost")}
    assert reasons["dead"].startswith("cannot connect")
    assert reasons["frozen"].startswith("stalled")
    # The good ones were not touched by the reload.
    started = [e["source"]["id"] for e in run.events("started")]
    assert sorted(started) == ["dead", "frozen", "one", "other"]


def lost_shares(run: Running, frames: int) -> dict[str, float]:
    """Of so many frames of the good cameras, the share that was dropped."""
    before = run.numbers()
    run.wait_for_frames("one", frames, timeout_s=400.0)
    after = run.numbers()

    def passed(what: str, name: str) -> float:
        key = f'edgecount_frames_{what}_total{{camera="{name}"}}'
        return after[key] - before[key]

    return {n: passed("dropped", n) / passed("received", n) for n in ("one", "other")}
