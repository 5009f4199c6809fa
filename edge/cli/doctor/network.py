"""Whether somebody answers at addresses: a TCP connection to each, all at the same time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping

Address = tuple[str, int]  # host, port
PATIENCE_S = 1.0


def asked(
    addresses: Mapping[str, Address], patience_s: float = PATIENCE_S
) -> Callable[[], dict[str, str]]:
    """Begin to connect, and go on meanwhile; call the result to wait for the answers.

    Args:
        addresses: by name.
        patience_s: from now on, for all together. A name server that is away may take longer, and
            is left alone.

    Returns:
        Gives why nobody answers, by name; nothing where somebody does.
    """
    found: dict[str, str] = {}
    late = f"no answer within {patience_s:g} s"

    def knock(name: str, address: Address) -> None:
        try:
            socket.create_connection(address, patience_s).close()
            found[name] = ""
        except TimeoutError:
            found[name] = late
        except (OSError, ValueError, OverflowError) as error:
            found[name] = (getattr(error, "strerror", None) or str(error)).lower()

    threads = [
        threading.Thread(target=knock, args=item, name="edge-doctor", daemon=True)
        for item in addresses.items()
    ]
    deadline_s = time.monotonic() + patience_s
    for thread in threads:
        thread.start()

    def answers() -> dict[str, str]:
        for thread in threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))
        return {name: found.get(name, late) for name in addresses}

    return answers


def is_free(host: str, port: int) -> str:
    """Why nothing can listen at an address of this machine; nothing if it can."""
    kind = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(kind, socket.SOCK_STREAM) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
        except OSError as error:
            return (error.strerror or str(error)).lower()
    return ""
