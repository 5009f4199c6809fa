from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from broker import Broker, Certificates, Cutter, Subscriber, free_port

from edge.delivery import Delivery, Pace
from edge.errors import SinkError
from edge.events.books import Entry
from edge.events.journal import Journal
from edge.sinks.failure import NotDelivered
from edge.sinks.homeassistant import discovery
from edge.sinks.mqtt import MqttSink
from edge.sinks.mqtt_address import BrokerAddress, Tls
from edge.sinks.topics import Topics

pytestmark = pytest.mark.mqtt
EVENTS, STATUS, COUNTS = (
    "edgecount/box/door/events",
    "edgecount/box/status",
    "edgecount/box/+/counts/#",
)


def event(k, rule="a", kind="line_crossed", source="door", **more):
    count = {"delta": 1, "in": k, "out": 0, "net": k, "by_class": {"person": {"in": k, "out": 0}}}
    return {
        "event_id": f"{k:032x}",
        "seq": k,
        "type": kind,
        "time": {"media_s": k / 10, "frame": k},
        "source": {"id": source, "kind": "rtsp", "session": 1},
        "rule": {"id": rule, "kind": "line"},
        "object": {"track_id": k, "velocity_px_s": [1.0, 2.0], "mask": {"area_px": 5}},
        "count": count | {"since": "2026-11-22T00:00:00Z"},
        **more,
    }


def happening(k, kind, **more):
    made = event(k, kind=kind, device={"id": "box", "app": "1.0"}, **more)
    return {key: value for key, value in made.items() if key not in ("rule", "object", "count")}


def started(k, *rules, kind="started"):
    named = [{"id": r, "kind": "zone" if r.startswith("zone") else "line"} for r in rules]
    return happening(k, kind, rules=named)


def lines(*events):
    return [json.dumps(e, separators=(",", ":")) for e in events]


@pytest.fixture
def broker(tmp_path):
    with Broker(tmp_path / "broker") as made:
        yield made


def address(broker, **more):
    return BrokerAddress(broker.host, broker.port, **{"timeout_s": 20.0, **more})


@pytest.fixture(params=["3.1.1", "5"])
def sink(request, broker):
    made = MqttSink(address(broker, version=request.param), "box")
    yield made
    made.close()


def refused(sink, *events):
    with pytest.raises(NotDelivered) as caught:
        sink.send(lines(*events))
    return caught.value


def test_events_totals_and_states(sink, broker):
    with Subscriber(broker) as seen:
        sink.send([])
        seen.wait(lambda: seen.last(STATUS) == "online")
        sink.send(lines(started(1, "a", "b"), *(event(k) for k in range(2, 60)), event(60, "b")))

        seen.wait(lambda: seen.last("edgecount/box/door/counts/b") is not None)
        assert [m.json["seq"] for m in seen.on(EVENTS)] == [*range(1, 61)]
        assert seen.on(EVENTS)[1].json["object"] == {"track_id": 2}
        [a] = seen.on("edgecount/box/door/counts/a")  # the newest only
        assert a.json == {
            "in": 59,
            "out": 0,
            "net": 59,
            "by_class": {"person": {"in": 59, "out": 0}},
            "since": "2026-11-22T00:00:00Z",
            "seq": 59,
            "media_s": 5.9,
        }
        assert seen.last("edgecount/box/door/status") == "online"
        sink.send(lines(happening(61, "source_lost", reason="x")))
        seen.wait(lambda: seen.last("edgecount/box/door/status") == "offline")
        sink.close()
        seen.wait(lambda: seen.last(STATUS) == "offline")
    with Subscriber(broker, client_id="late") as late:  # what is retained, and nothing else
        late.wait(lambda: len(late.messages) >= 4)
        assert {m.topic.removeprefix("edgecount/box/") for m in late.messages} == {
            "status",
            "door/status",
            "door/counts/a",
            "door/counts/b",
        }


def test_names_are_safe_in_topics(broker):
    sink = MqttSink(address(broker), "box/7", prefix="site/one", profile="full")
    with Subscriber(broker) as seen:
        sink.send(lines(event(1, rule="a+b#", source="Tür/1")))
        seen.wait(lambda: len(seen.messages) == 3)
        assert [m.topic for m in seen.messages] == [
            "site/one/box%2F7/status",
            "site/one/box%2F7/Tür%2F1/events",
            "site/one/box%2F7/Tür%2F1/counts/a%2Bb%23",
        ]
        assert seen.messages[1].json == event(1, rule="a+b#", source="Tür/1")
    sink.close()


def test_a_broker_that_forgot_everything_is_told_again(broker):
    sink = MqttSink(address(broker), "box", home_assistant=True)
    sink.send(lines(started(1, "a"), event(2)))
    broker.kill()
    refused(sink, event(3))
    broker.start()
    sink.send([])
    with Subscriber(broker) as seen:
        seen.wait(lambda: len(seen.messages) == 7)
        assert json.loads(seen.last("edgecount/box/door/counts/a"))["in"] == 2
        assert seen.last(STATUS) == "online"
        assert all(m.was_retained for m in seen.messages)
    sink.close()


def test_home_assistant_learns_rules_and_forgets_them(broker):
    sink = MqttSink(address(broker), "box 1", home_assistant=True)
    with Subscriber(broker, "homeassistant/#") as seen:
        sink.send(lines(started(1, "a", "zone b")))
        seen.wait(lambda: len(seen.messages) == 7)
        config = {m.json["name"]: m.json for m in seen.messages}
        assert [*config] == [
            "Connection",
            *("a: in", "a: out", "a: net", "zone b: in", "zone b: out", "zone b: occupancy"),
        ]
        for made in config.values():
            assert made["availability_topic"] == "edgecount/box 1/status"
            assert made["device"]["name"] == "door"
        assert config["a: in"]["state_topic"] == "edgecount/box 1/door/counts/a"
        assert config["a: in"]["value_template"] == "{{ value_json['in'] }}"
        assert config["Connection"]["state_topic"] == "edgecount/box 1/door/status"
        assert len({made["unique_id"] for made in config.values()}) == 7
        sink.send(lines(started(2, "a", kind="config_changed")))
        seen.wait(lambda: len(seen.messages) == 7 + 3 + 4)
    with Subscriber(broker, "homeassistant/#", "late") as late:
        late.wait(lambda: len(late.messages) == 4)
        assert all(m.was_retained and m.topic.startswith("homeassistant/") for m in late.messages)
    sink.close()


def kept_by(broker, name="late"):
    """Retained topics, all of them."""
    with Subscriber(broker, "#", name) as late:
        late.wait(lambda: late.last("edgecount/box/status"))
        time.sleep(0.5)
        return {m.topic for m in late.messages if m.was_retained}


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_a_rule_that_went_while_we_were_away_leaves_the_broker(broker, version):
    def counted(source, *rules):
        return [event(9 + k, rule, source=source) for k, rule in enumerate(rules)]

    first = MqttSink(address(broker, version=version), "box", home_assistant=True)
    first.send(lines(started(1, "a", "b/c"), *counted("door", "a", "b/c")))
    yard = started(1, "a") | {"source": {"id": "yard", "kind": "rtsp", "session": 1}}
    first.send(lines(yard, *counted("yard", "a")))
    first.close()
    other = MqttSink(address(broker, version=version), "box 2", home_assistant=True)
    other.send(lines(started(1, "b/c"), *counted("door", "b/c")))
    other.close()
    before = kept_by(broker)
    second = MqttSink(address(broker, version=version), "box", home_assistant=True)
    second.send(lines(started(20, "a")))
    second.close()
    gone = before - kept_by(broker, "later")
    assert "edgecount/box/door/counts/b%2Fc" in gone
    assert len(gone) == 4  # and three entities; those of the yard and of the other box stay
    assert all("door_b_c" in topic for topic in gone if topic.startswith("homeassistant/"))


def test_totals_of_a_rule_that_goes_while_we_run_leave_the_broker(broker):
    sink = MqttSink(address(broker), "box")
    sink.send(lines(started(1, "a", "b"), event(2, "a"), event(3, "b")))
    sink.send(lines(started(4, "a", kind="config_changed")))
    assert {t for t in kept_by(broker) if "/counts/" in t} == {"edgecount/box/door/counts/a"}
    sink.close()


def test_a_broker_that_does_not_let_us_ask_is_no_trouble(tmp_path):
    rules = tmp_path / "acl"
    rules.write_text("topic write edgecount/#\n")
    with Broker(tmp_path / "broker", options=f"acl_file {rules}") as broker:
        sink = MqttSink(address(broker), "box")
        sink.send(lines(started(1, "a"), event(2)))
        sink.close()


def test_names_that_look_alike_differ_for_home_assistant():
    topics = Topics("edgecount", "box")
    one = discovery(started(1, "b c", "b_c"), topics)
    assert len(one) == 7
    assert all(set(topic) <= set(map(chr, range(128))) for topic in one)


def test_a_zone_keeps_its_occupancy_when_an_event_does_not_tell(broker):
    sink = MqttSink(address(broker), "box")
    sink.send(lines(event(1, zone={"occupancy": 3}), event(2, kind="count_snapshot")))
    with Subscriber(broker, COUNTS) as seen:
        seen.wait(lambda: seen.messages)
        assert (seen.messages[0].json["occupancy"], seen.messages[0].json["in"]) == (3, 2)
    sink.close()


def test_a_broker_that_is_away_or_says_nothing(broker, sink):
    nobody = MqttSink(BrokerAddress("127.0.0.1", free_port()), "box")
    error = refused(nobody, event(1))
    assert error.cause == "away"
    assert str(error).endswith("expected a connection, got connection refused")
    nobody.close()
    hasty = MqttSink(address(broker, timeout_s=0.5), "hasty")
    hasty.send(lines(event(1)))
    broker.freeze()
    error = refused(hasty, event(2), event(3))
    assert (error.cause, error.sent) == ("content", 0)
    assert str(error).endswith("expected an acknowledgement, got none in 0.5 s")
    error = refused(hasty, event(2))
    assert (error.cause, str(error).partition("expected ")[2]) == (
        "away",
        "an answer, got none in 0.5 s",
    )
    broker.thaw()
    hasty.send(lines(event(2), event(3)))
    hasty.close()


def test_a_listener_that_is_no_broker():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        sink = MqttSink(BrokerAddress("127.0.0.1", server.getsockname()[1], timeout_s=5.0), "box")
        assert refused(sink).cause == "away"
        sink.close()


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_user_and_password(version, tmp_path):
    with Broker(tmp_path, user="box", password="right-word") as broker:
        wrong = MqttSink(address(broker, version=version, user="box", password="wrong-word"), "box")
        error = refused(wrong, event(1))
        assert error.cause == "refused"
        assert str(error).endswith("expected to be let in, got Not authorized")
        right = MqttSink(address(broker, version=version, user="box", password="right-word"), "b")
        with Subscriber(broker) as seen:
            right.send(lines(event(1)))
            seen.wait(lambda: len(seen.on("edgecount/b/door/events")) == 1)
        shown = f"{error!r} {wrong._link._address!r} {wrong._link._address}"
        assert "-word" not in shown
        wrong.close()
        right.close()


def test_mqtt_5_tells_of_a_topic_that_is_forbidden(tmp_path):
    (tmp_path / "acl").write_text("topic read #\ntopic write edgecount/box/status\n")
    with Broker(tmp_path, options=f"acl_file {tmp_path}/acl") as broker:
        sink = MqttSink(address(broker, version="5"), "box")
        error = refused(sink, event(1))
        assert (error.cause, error.sent) == ("content", 0)
        assert "reason code 135" in str(error)
        assert not error.is_final  # who may publish is mended for all events alike
        sink.close()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates.made(tmp_path_factory.mktemp("certificates"))


def test_tls_with_our_own_certificate(certificates, tmp_path):
    files = certificates
    with Broker(tmp_path, certificates=files, require_client_certificate=True) as broker:
        tls = Tls(str(files.ca), str(files.client), str(files.client_key))
        sink = MqttSink(address(broker, tls=tls), "box")
        with Subscriber(broker) as seen:
            sink.send(lines(event(1)))
            seen.wait(lambda: len(seen.on(EVENTS)) == 1)
        anonymous = MqttSink(address(broker, tls=Tls(str(files.ca)), timeout_s=5.0), "nobody")
        assert refused(anonymous, event(1)).cause == "away"
        sink.close()
        anonymous.close()


def test_tls_with_a_certificate_that_nobody_vouches_for(certificates, tmp_path):
    with Broker(tmp_path, certificates=certificates) as broker:
        other = str(certificates.other_ca)
        sink = MqttSink(address(broker, tls=Tls(other), password="pass-word", user="u"), "box")
        error = refused(sink, event(1))
        assert error.cause == "refused"
        where = f"MQTT broker 127.0.0.1:{broker.port}"
        wanted = f"{where}: expected a certificate that {other} vouches for, got self"
        assert str(error).startswith(wanted)
        assert str(error).endswith("signed certificate in certificate chain")
        careless = MqttSink(address(broker, tls=Tls(other, insecure=True)), "box")
        careless.send(lines(event(1)))
        careless.close()
        sink.close()


def test_files_and_prefixes_that_cannot_be_used(certificates, tmp_path):
    (tmp_path / "empty.pem").write_text("")
    for tls, message in [
        (Tls("/none.pem"), r"expected certificates \(PEM\) in /none.pem, got: no such file"),
        (Tls(str(tmp_path / "empty.pem")), r"expected certificates \(PEM\) in .*empty.pem, got: "),
        (
            Tls(cert_file=str(certificates.client), key_file=str(certificates.server_key)),
            "its unenc",
        ),
    ]:
        with pytest.raises(SinkError, match=message):
            MqttSink(BrokerAddress("localhost", tls=tls), "box")
    for prefix in ("", "/", "a/#", "$SYS", "a\0"):
        with pytest.raises(SinkError, match=r"prefix of MQTT topics: expected text without \+"):
            MqttSink(BrokerAddress("localhost"), "box", prefix)


def test_the_last_will_is_spoken_when_the_process_is_killed(broker):
    code = (
        "import sys, time\nfrom edge.sinks.mqtt import MqttSink\n"
        "from edge.sinks.mqtt_address import BrokerAddress\n"
        f"MqttSink(BrokerAddress('127.0.0.1', {broker.port}), 'box').send([])\n"
        "time.sleep(60)\n"
    )
    with Subscriber(broker) as seen:
        process = subprocess.Popen([sys.executable, "-c", code])
        try:
            seen.wait(lambda: seen.last(STATUS) == "online")
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(20)
        seen.wait(lambda: seen.last(STATUS) == "offline")


def append(journal, first, last):
    made = [event(k, rule="ab"[k % 2]) for k in range(first, last + 1)]
    journal.append([Entry("door", None, e, *lines(e)) for e in made])


def by_rule(seen):
    firsts = {m.json["event_id"]: m.json for m in reversed(seen.on(EVENTS))}
    order = seen.first_ids()
    return {r: [x for x in order if firsts[x]["rule"]["id"] == r] for r in "ab"}


@pytest.fixture
def journal(tmp_path):
    with Journal(Path(tmp_path / "journal.db")) as made:
        made.stream("door", None, {"a": "1", "b": "1"}, time.time())
        yield made


def ids(first, last, step=1):
    return [f"{k:032x}" for k in range(first, last + 1, step)]


def test_a_broker_away_for_the_whole_run_gets_everything_once_in_order(journal, tmp_path):
    broker = Broker(tmp_path / "broker")
    delivery = Delivery("mqtt", MqttSink(address(broker), "box"), journal, pace=Pace(0.05, 0.2))
    append(journal, 1, 300)
    while delivery.failures < 3:
        time.sleep(0.01)
    with broker, Subscriber(broker) as seen:
        seen.wait(lambda: len(seen.first_ids()) == 300)
        seen.wait(lambda: journal.position("mqtt") == 300)
        assert seen.first_ids() == ids(1, 300)
        totals = [m.json["in"] for m in seen.on("edgecount/box/door/counts/a")]
        assert totals == sorted(totals)
        assert delivery.close()


def test_a_broker_that_flaps_every_second(journal, tmp_path):
    """Stopped and started 10 times; it keeps what it has acknowledged, so all must arrive."""
    with Broker(tmp_path / "broker", persistence=True) as broker, Subscriber(broker) as seen:
        delivery = Delivery(
            "mqtt", MqttSink(address(broker), "box"), journal, 20, pace=Pace(0.05, 0.4)
        )
        with broker.flapping(0.6, 0.4):
            for k in range(0, 500, 5):
                append(journal, k + 1, k + 5)
                delivery.wake()
                time.sleep(0.1)
        assert delivery.failures
        seen.wait(lambda: len(seen.first_ids()) == 500, timeout_s=40)
        assert by_rule(seen) == {"b": ids(1, 500, 2), "a": ids(2, 500, 2)}
        # What the receiver has may be acknowledged after the next attempt only.
        seen.wait(lambda: journal.position("mqtt") == 500, timeout_s=40)
        assert delivery.close()


def test_a_connection_that_breaks_in_the_middle_of_messages(journal, tmp_path):
    """The broker and what it acknowledged stay: at the receiver every event must arrive."""
    with Broker(tmp_path) as broker, Subscriber(broker) as seen, Cutter(broker.port) as cutter:
        to_cutter = BrokerAddress(cutter.host, cutter.port, timeout_s=20.0)
        append(journal, 1, 400)
        delivery = Delivery("mqtt", MqttSink(to_cutter, "box"), journal, 50, pace=Pace(0.01, 0.05))
        seen.wait(lambda: len(seen.first_ids()) == 400, timeout_s=40)
        seen.wait(lambda: journal.position("mqtt") == 400)
        assert cutter.cuts > 5
        assert seen.first_ids() == ids(1, 400)
        assert delivery.close() or delivery.failures
