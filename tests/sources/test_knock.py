from __future__ import annotations

import socket
import threading

import pytest
from live import RtspServer

from edge.sources.knock import answers


@pytest.mark.parametrize(
    ("scheme", "reply", "is_there"),
    [("rtsp", b"", False), ("rtsp", b"RTSP/1.0 401 Unauthorized\r\n", True), ("http", b"", True)],
)
def test_who_takes_connections_and_says_nothing_does_not_answer(scheme, reply, is_there):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(reply)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        assert answers(f"{scheme}://127.0.0.1:{server.getsockname()[1]}/1") is is_there
        thread.join(20)


@pytest.mark.rtsp
def test_a_server_that_hangs_answers_again_when_it_goes_on():
    with RtspServer(size=(384, 288), frames=100) as server:
        assert answers(server.url)
        server.stop()
        assert answers(server.url) is False
        server.cont()
        assert answers(server.url)
