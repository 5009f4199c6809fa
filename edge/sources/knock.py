"""Whether somebody answers at an address, without asking for pictures. Standard library only."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
PATIENCE_S = 0.5
GREETING = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: edgecount\r\n\r\n"


def answers(address: str) -> bool | None:
    """Whether somebody takes a TCP connection, and at rtsp:// says a word; None: it has no host.

    A camera that hangs takes connections and says nothing: the kernel does that for it.

    >>> answers("rtsp://127.0.0.1:1/stream"), answers("gst:videotestsrc")
    (False, None)
    """
    try:
        parts = urlsplit(address)
        port = parts.port or PORTS.get(parts.scheme.lower())
        if parts.hostname is None or port is None:
            return None
        with socket.create_connection((parts.hostname, port), PATIENCE_S) as connection:
            if parts.scheme.lower() == "rtsp":
                connection.sendall(GREETING)
                return connection.recv(1) != b""
    except (OSError, ValueError):
        return False
    return True
