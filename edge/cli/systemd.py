"""Tells systemd how the service is, in its own protocol; silent where systemd did not start it.

See sd_notify(3) and systemd.service(5): `NOTIFY_SOCKET` names a datagram socket.
"""

from __future__ import annotations

import os
import socket

_SEND_S = 1.0


def notify(state: str) -> bool:
    r"""Send a state to systemd.

    Args:
        state: `READY=1`, `WATCHDOG=1`, `STOPPING=1`, `STATUS=two cameras, one of them lost`;
            several of them with newlines between.

    Returns:
        Whether systemd has it; False where nobody asked to be told. Never raises: a counter
        counts on though its supervisor does not listen.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):  # the abstract namespace of Linux
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sending:
            sending.settimeout(_SEND_S)  # with a full queue it would wait for ever
            sending.connect(address)
            sending.send(state.encode("utf-8", "replace"))
    except OSError:
        return False
    return True


def watchdog_interval_s() -> float | None:
    """Seconds from one `WATCHDOG=1` to the next; None if systemd expects none from this process.

    It is half of the time after which systemd gives the service up, as it recommends.
    """
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        limit_us = int(os.environ.get("WATCHDOG_USEC", "0"))
    except ValueError:
        return None
    return limit_us / 2e6 if limit_us > 0 else None
