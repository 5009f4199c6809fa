"""Receivers that are away, slow or flapping: they get everything, once by id, in order."""

from __future__ import annotations

import signal

import pytest
from broker import Broker, Subscriber
from live import RtspServer
from receiver import Receiver
from running import LINE, Running

ZONE = {"all": {"polygon": [[0.05, 0.05], [0.95, 0.05], [0.95, 0.95], [0.05, 0.95]]}}


def busy(url: str) -> dict:
    lines = {f"at-{x}": {"a": [x / 10, 0.0], "b": [x / 10, 1.0]} for x in range(1, 10)}
    return {"gate": {"source": url, "lines": {**LINE, **lines}, "zones": ZONE}}


@pytest.mark.rtsp
@pytest.mark.mqtt
@pytest.mark.timeout(300)
def test_broker_and_webhook_away_for_the_whole_run_and_back_for_the_next(tmp_path):
    with (
        RtspServer() as server,
        Receiver(secret="s3cret") as receiver,
        Broker(tmp_path / "b", user="box", password="pa ss") as broker,
    ):
        receiver.stop()
        broker.kill()
        sinks = {
            "hook": {"type": "webhook", "url": receiver.url, "secret": "${HOOK_SECRET}"},
            "broker": {
                "type": "mqtt",
                "host": broker.host,
                "port": broker.port,
                "user": "box",
                "password": "${MQTT_PASSWORD}",
                "profile": "full",
            },
        }
        secrets = {"HOOK_SECRET": "s3cret", "MQTT_PASSWORD": "pa ss"}
        with Running(tmp_path, busy(server.url), sinks=sinks) as run:
            run.start(**secrets)
            run.wait_for_frames("gate", 60)
            assert run.stop() == 130
            first = run.events()
            assert len(first) > 5
            receiver.start()
            broker.start()
            with Subscriber(broker) as seen:
                run.start(**secrets)
                run.wait_for_frames("gate", 30)
                assert run.stop() == 130
                wanted = [e["event_id"] for e in run.events()]
                assert len(wanted) > len(first)
                run.start(**secrets)  # what waited is delivered in any case
                seen.wait(lambda: set(seen.first_ids()) >= set(wanted), 30)
                receiver.wait(lambda: set(receiver.first_ids()) >= set(wanted), 30)
                run.stop()
                heard = [m.json for m in seen.on("+/+/+/events")]
            posted = receiver.accepted()
    for got in (heard, posted):
        ids = list(dict.fromkeys(e["event_id"] for e in got))
        assert ids[: len(wanted)] == wanted  # in the order of the journal
        last = {}
        for event in got:
            if event["type"] == "line_crossed":
                total = event["count"]["in"] + event["count"]["out"]
                assert total >= last.get(event["rule"]["id"], 0)
                last[event["rule"]["id"]] = total
    assert "pa ss" not in run.log.read_text()
    assert "s3cret" not in run.log.read_text()


@pytest.mark.rtsp
@pytest.mark.mqtt
@pytest.mark.timeout(300)
def test_a_broker_that_flaps_every_second(tmp_path):
    with (
        RtspServer() as server,
        Broker(tmp_path / "b", persistence=True) as broker,
        Subscriber(broker) as seen,
    ):
        sinks = {"broker": {"type": "mqtt", "host": broker.host, "port": broker.port}}
        with Running(tmp_path, busy(server.url), sinks=sinks) as run:
            run.start()
            with broker.flapping():
                run.wait_for_frames("gate", 100)
            assert run.stop() == 130
            run.start()
            wanted = [e["event_id"] for e in run.events()]
            seen.wait(lambda: set(seen.first_ids()) >= set(wanted), 60)
            run.stop()
    assert seen.first_ids()[: len(wanted)] == wanted


@pytest.mark.rtsp
@pytest.mark.timeout(300)
def test_a_webhook_that_hangs_slows_nobody_down(tmp_path):
    with RtspServer() as server, Receiver() as receiver:
        receiver.hang()
        file = {"type": "file", "path": str(tmp_path / "events.jsonl")}
        hook = {"type": "webhook", "url": receiver.url, "timeout_s": 30.0}
        with Running(tmp_path, busy(server.url), sinks={"file": file, "hook": hook}) as run:
            run.start()
            run.wait_for_frames("gate", 80)
            numbers = run.numbers()
            # A webhook waited for would cost 30 s of frames; a busy machine may cost some.
            assert numbers['edgecount_frames_dropped_total{camera="gate"}'] <= 20
            assert numbers['edgecount_sink_lag_events{sink="file"}'] == 0
            assert numbers['edgecount_sink_lag_events{sink="hook"}'] > 3
            assert run.stop(signal.SIGINT) == 130
    assert {e["event_id"] for e in run.received()} == {e["event_id"] for e in run.events()}
