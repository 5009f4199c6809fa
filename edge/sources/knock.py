"""Whether somebody answers at an address, without asking for pictures. Imports edge.sources."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
PATIENCE_S = 0.5


def answers(address: str) -> bool | None:
    """Whether a TCP connection to the address's host is taken; None: it has no host.

    >>> answers("rtsp://127.0.0.1:1/stream"), answers("gst:videotestsrc")
    (False, None)
    """
    try:
        parts = urlsplit(address)
        port = parts.port or PORTS.get(parts.scheme.lower())
        if parts.hostname is None or port is None:
            return None
        socket.create_connection((parts.hostname, port), PATIENCE_S).close()
    except (OSError, ValueError):
        return False
    return True
