"""Count events as JSON, schema `count-event/1.0`: the only place that knows the wire format.

Imports pydantic and `edge.types`.
"""

from edge.events.encode import Encoder
from edge.events.envelope import dumps, utc_text
from edge.events.info import DeviceInfo, Past, RuleInfo, SourceInfo, Tally, Window
from edge.events.publish import json_schema
from edge.events.schema import Event
from edge.events.windows import Windows

__all__ = [
    "DeviceInfo",
    "Encoder",
    "Event",
    "Past",
    "RuleInfo",
    "SourceInfo",
    "Tally",
    "Window",
    "Windows",
    "dumps",
    "json_schema",
    "utc_text",
]
