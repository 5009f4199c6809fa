from __future__ import annotations

import json
import logging
import socket
import ssl
import threading
import time

import pytest
from broker import Certificates
from receiver import Answer, Receiver

from edge.errors import SinkError
from edge.sinks.failure import NotDelivered
from edge.sinks.webhook import Endpoint, WebhookSink

SECRET = "hush-7f3a"
LINES = [json.dumps({"event_id": f"{k:032x}", "seq": k}) for k in range(3)]


@pytest.fixture
def receiver():
    with Receiver(SECRET) as made:
        yield made


@pytest.fixture
def hook(receiver):
    made = WebhookSink(Endpoint(receiver.url, secret=SECRET, timeout_s=20))
    yield made
    made.close()


def refused(hook, lines=LINES):
    with pytest.raises(NotDelivered) as caught:
        hook.send(lines)
    return caught.value


def test_a_batch_is_posted_and_signed(receiver):
    endpoint = Endpoint(
        receiver.url, secret=SECRET, token="bearer-1", headers={"X-Site": "north"}, timeout_s=20
    )
    hook = WebhookSink(endpoint)
    hook.send(LINES)
    hook.send([])
    [got] = receiver.requests  # the receiver has checked the signature
    assert got.status == 200
    assert got.events == [json.loads(line) for line in LINES]
    assert got.headers["content-type"] == "application/json"
    assert got.headers["authorization"] == "Bearer bearer-1"
    assert got.headers["x-site"] == "north"
    assert got.headers["user-agent"].startswith("edgecount/")
    hook.close()


def test_a_wrong_secret_is_told(receiver):
    error = refused(WebhookSink(Endpoint(receiver.url, secret="other")))
    assert str(error).endswith(
        "expected an answer 2xx, got 401 a wrong token or signature: wrong signature"
    )
    assert error.cause == "refused"


def test_the_key_names_the_events(receiver, hook):
    receiver.fail(1, 500)
    refused(hook)
    hook.send(LINES)
    hook.send(LINES[:2])
    one, other, fewer = [r.headers["idempotency-key"] for r in receiver.requests]
    assert one == other != fewer
    assert receiver.requests[0].body == receiver.requests[1].body


def test_the_compact_profile(receiver):
    line = json.dumps({"event_id": "0", "object": {"track_id": 1, "mask": {}}})
    hook = WebhookSink(Endpoint(receiver.url, secret=SECRET, timeout_s=20), profile="compact")
    hook.send([line])
    assert receiver.accepted() == [{"event_id": "0", "object": {"track_id": 1}}]
    hook.close()


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (301, "refused"),
        (400, "content"),
        (401, "refused"),
        (403, "refused"),
        (404, "refused"),
        (408, "away"),
        (409, "refused"),
        (413, "content"),
        (422, "content"),
        (429, "away"),
        (500, "away"),
        (503, "away"),
    ],
)
def test_what_an_answer_means(status, cause, receiver, hook):
    receiver.fail(1, status, {"Retry-After": "7", "Location": "http://elsewhere/"})
    error = refused(hook)
    assert error.cause == cause
    assert error.is_final == (status in (400, 413, 422))
    assert error.retry_after_s == (7.0 if status in (429, 503) else 0.0)
    assert f"got {status} " in str(error)
    assert len(receiver.requests) == 1
    hook.send(LINES)


def test_a_long_answer_is_cut_and_no_secret_is_repeated(receiver, hook):
    body = f"bad\n\tsignature with {SECRET} at {receiver.url}\x1b[31m".encode() + b" no" * 50_000
    receiver.answer(Answer(500, body=body))
    text = str(refused(hook))
    assert "bad signature with *** at ***" in text
    assert SECRET not in text
    assert "\x1b" not in text
    assert len(text.partition("Error: ")[2]) == 200


def test_nobody_there_and_a_closed_connection(receiver, hook):
    receiver.fail(1, 0)
    error = refused(hook)
    assert error.cause == "away"
    hook.send(LINES)
    receiver.stop()
    error = refused(hook)
    error = refused(hook)  # the first one may have met the old connection
    assert str(error).endswith("expected an answer 2xx, got connection refused")
    receiver.start()
    hook.send(LINES)
    assert [r.status for r in receiver.requests] == [0, 200, 200]


def test_a_late_answer_counts_and_one_too_late_does_not(receiver, hook):
    receiver.answer(Answer(late_s=0.2))
    hook.send(LINES)
    hasty = WebhookSink(Endpoint(receiver.url, secret=SECRET, timeout_s=0.2))
    receiver.answer(Answer(hangs=True))
    error = refused(hasty)
    assert (str(error).partition("got ")[2], error.cause) == ("none in 0.2 s", "away")
    hasty.close()


def test_a_receiver_that_drips_its_answer_is_cut_off():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip():
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                try:
                    while True:
                        connection.sendall(b"H")
                        time.sleep(0.02)
                except OSError:
                    pass

        threading.Thread(target=drip, daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        hook = WebhookSink(Endpoint(url, timeout_s=0.2))
        error = refused(hook)
        assert error.cause == "away"
        assert not hook._client.is_closed  # it can go on
        hook.close()


def test_nothing_secret_is_in_a_message_or_log(receiver, caplog):
    address = receiver.url.replace("http://", "http://me:pass-word@") + "/hook-key?token=query-key"
    endpoint = Endpoint(address, SECRET, "bearer-1", {"X-Key": "header-key"}, timeout_s=20)
    with caplog.at_level(logging.DEBUG):
        hook = WebhookSink(endpoint)
        hook.send(LINES)
        receiver.answer(Answer(500, body=address.encode() + b" hook-key?token=query-key"))
        texts = [str(refused(hook)), repr(endpoint), caplog.text]
        receiver.stop()
        texts.append(str(refused(hook)))
    for secret in ("pass-word", "query-key", SECRET, "bearer-1", "header-key"):
        assert all(secret not in text for text in texts)
    assert f"127.0.0.1:{receiver._port}" in texts[0]


@pytest.mark.parametrize(
    ("endpoint", "message"),
    [
        (Endpoint("ftp://me:pw@host/"), "begins with http:// or https://"),
        (Endpoint("http://me:pw@host:port/"), "one that cannot be read"),
        (Endpoint("http://host", token="a\nb"), "expected header 'token' in printable ASCII"),
        (Endpoint("http://host", headers={"X-A": "pwé"}), "expected header 'X-A' in printable"),
        (Endpoint("https://host", ca_file="/none.pem"), r"\(PEM\) in /none.pem, got: no such file"),
    ],
)
def test_what_cannot_be_used_is_refused_at_once(endpoint, message):
    with pytest.raises(SinkError, match=message) as caught:
        WebhookSink(endpoint)
    assert "pw" not in str(caught.value)


def test_tls(tmp_path, receiver):
    made = Certificates.made(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.server, made.server_key)
    server = receiver._server
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = receiver.url.replace("http:", "https:")
    wrong = WebhookSink(Endpoint(url, SECRET, ca_file=str(made.other_ca), timeout_s=20))
    error = refused(wrong)
    assert error.cause == "refused"
    assert "got a certificate we do not trust: unable to get local issuer" in str(error)
    right = WebhookSink(Endpoint(url, SECRET, ca_file=str(made.ca), timeout_s=20))
    right.send(LINES)
    assert len(receiver.accepted()) == 3
    right.close()
    wrong.close()
