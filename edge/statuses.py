"""How a camera is and what it has counted, for logs, health and the page."""

from __future__ import annotations

import time

from edge.count.zone import ZoneCounter
from edge.lane import Lane
from edge.web.status import CameraState, CameraStatus


def totals_of(lane: Lane) -> str:
    """What a camera's rules have counted, in a line: `door 12 in 9 out, hall 3 in 1 out 2 inside`.

    How many are inside a zone is said while pictures come.
    """
    session = lane.session
    inside = {
        counter.rule_id: f" {counter.occupancy} inside"
        for counter in (session.counters if session is not None else ())
        if isinstance(counter, ZoneCounter)
    }
    found = [
        f"{rule} {t.count_in} in {t.count_out} out{inside.get(rule, '')}"
        for rule, t in lane.events.encoder.tallies().items()
    ]
    return ", ".join(found) or "no rules"


def status_of(lane: Lane) -> CameraStatus:
    """How it is now."""
    stats = getattr(lane.feed, "stats", None)
    if stats is None:  # a recording
        state: CameraState = "connected"
        return CameraStatus(lane.name, state, lane.number, lane.frames, lane.frames, 0, 0, 0, None)
    age_s = None if stats.last_frame_s is None else time.monotonic() - stats.last_frame_s
    state = "connected" if stats.connected else "lost" if stats.reason else "opening"
    return CameraStatus(
        name=lane.name,
        state=state,
        session=stats.session,
        received=stats.received,
        processed=lane.frames,
        dropped=stats.dropped,
        left_out=stats.left_out,
        reconnects=stats.reconnects,
        last_frame_age_s=age_s,
        reason=stats.reason,
    )
