"""How a live source is read, and how it is doing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """How a live source is read; None: do not look for that, or no limit."""

    transport: Literal["tcp", "udp"] = "tcp"  # of RTSP
    open_timeout_s: float = 10.0  # for the connection, and again for its first picture
    read_timeout_s: float = 5.0  # without a picture that decodes, the source is lost
    frozen_s: float | None = 30.0  # likewise, with the same picture over and over
    black_s: float | None = 10.0  # likewise, with nothing to see
    max_fps: float | None = None  # frames above this rate are left out
    reconnect: bool = True  # else the source ends when it is lost


@dataclass(frozen=True, slots=True)
class LiveStats:
    """How a live source is, since it was opened."""

    received: int = 0  # frames decoded; the sum of those taken, waiting, dropped and left out
    dropped: int = 0  # replaced by a newer one before they were taken
    left_out: int = 0  # above max_fps
    broken: int = 0  # not decoded, out of order, or not convertible
    reconnects: int = 0  # source_restored so far
    session: int = 1
    connected: bool = False  # good pictures are coming
    last_frame_s: float | None = None  # time.monotonic() of the last good picture
    reason: str = ""  # why it is lost; empty if it is not, or was not yet reached
