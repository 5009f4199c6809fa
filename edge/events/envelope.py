"""What every event begins and ends with, and how numbers and times are written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from edge.errors import ShapeError
from edge.events.info import DeviceInfo, SourceInfo
from edge.events.schema import SCHEMA
from edge.types import Stamp

PX, SHARE, S, MEDIA_S = 2, 4, 3, 6  # decimals


class Envelope:
    """Numbers the events of one source and wraps them."""

    def __init__(self, device: DeviceInfo, source: SourceInfo, seq: int = 0) -> None:
        """Begin after event number `seq`."""
        self.device = device
        self.source = source
        self.seq = seq  # of the last event

    def begin(self, session: int, width: int, height: int) -> None:
        """Another session of the source, perhaps with pictures of another size."""
        self.source = replace(self.source, session=session, width=width, height=height)

    def opened(self, kind: str, event_id: str, time: dict[str, Any]) -> dict[str, Any]:
        """The head of the next event."""
        self.seq += 1
        return self.head(kind, event_id, time, self.seq)

    def head(self, kind: str, event_id: str, time: dict[str, Any], seq: int) -> dict[str, Any]:
        """The head of an event of that number."""
        source = self.source
        return {
            "schema": SCHEMA,
            "event_id": event_id,
            "seq": seq,
            "type": kind,
            "time": time,
            "source": without_none(
                id=source.id,
                name=source.name,
                kind=source.kind,
                session=int(source.session),
                width=int(source.width) or None,
                height=int(source.height) or None,
            ),
        }

    def closed(self, event: dict[str, Any]) -> dict[str, Any]:
        """The event with what made it."""
        device = self.device
        event["device"] = without_none(
            id=device.id,
            app=device.app,
            model_sha256=device.model_sha256,
            provider=device.provider,
        )
        return event

    def track_uid(self, track_id: int) -> str:
        """Name of a track, unique on the device."""
        return f"{self.source.id}:{self.source.session}:{track_id}"


def time_of(stamp: Stamp, media_s: float | None = None, frame: int | None = None) -> dict[str, Any]:
    """`time` of something at `media_s`, known by a frame at `stamp`."""
    at_s = stamp.media_s if media_s is None else media_s
    wall = stamp.wall
    return without_none(
        media_s=rounded(at_s, MEDIA_S),
        frame=int(stamp.frame if frame is None else frame),
        utc=None if wall is None else utc_text(wall.utc_s + at_s - stamp.media_s),
        utc_source=None if wall is None else wall.source,
        utc_uncertainty_ms=None if wall is None else rounded(wall.uncertainty_ms, 1),
    )


def utc_text(utc_s: float) -> str:
    """World time as events have it, to the millisecond.

    >>> utc_text(1790237702.4334)
    '2026-09-24T08:15:02.433Z'
    """
    at = datetime.fromtimestamp(round(utc_s, 3), timezone.utc)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc_s_of(text: str) -> float:
    """Unix seconds of a world time as events have it.

    Raises:
        ValueError: it is none.

    >>> utc_s_of("2026-09-24T08:15:02.433Z")
    1790237702.433
    """
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def rounded(value: float, digits: int) -> float:
    """A float with so many decimals; -0.0 becomes plain."""
    return round(float(value), digits) + 0.0


def without_none(**values: Any) -> dict[str, Any]:
    """Unknown is absent."""
    return {key: value for key, value in values.items() if value is not None}


def hash_of(what: list[Any]) -> str:
    """32 hexadecimal digits of a list of plain values."""
    text = json.dumps(what, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def dumps(event: Mapping[str, Any]) -> str:
    r"""An encoded event as one line of JSON without its newline: compact, ASCII, keys as given.

    Raises:
        ShapeError: It holds a NaN or an infinity, which JSON does not know.

    Example:
        >>> dumps({"schema": "count-event/1.0", "name": "Tür", "share": 0.5})
        '{"schema":"count-event/1.0","name":"T\\u00fcr","share":0.5}'
    """
    try:
        # ASCII: no reader can take a character inside a name for the end of the line.
        return json.dumps(event, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise ShapeError(f"event: expected finite numbers, got {dict(event)}") from error
