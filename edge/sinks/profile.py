"""What of an event a receiver gets: all of it, or the compact profile. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

Profile = Literal["compact", "full"]


def compact(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event without the mask and the velocity of its object.

    >>> compact({"seq": 1, "object": {"track_id": 7, "velocity_px_s": [1.0, 2.0], "mask": {}}})
    {'seq': 1, 'object': {'track_id': 7}}
    >>> compact({"seq": 2, "type": "stopped"})
    {'seq': 2, 'type': 'stopped'}
    """
    slim = dict(event)
    if "object" in slim:
        left_out = ("mask", "velocity_px_s")
        slim["object"] = {k: v for k, v in slim["object"].items() if k not in left_out}
    return slim


def profiled(line: str, profile: Profile) -> str:
    """A line of JSON in a profile; `full` leaves it as it is.

    >>> profiled('{"seq":1,"object":{"track_id":7,"mask":{"area_px":9}}}', "compact")
    '{"seq":1,"object":{"track_id":7}}'
    """
    if profile == "full":
        return line
    return json.dumps(compact(json.loads(line)), separators=(",", ":"))
