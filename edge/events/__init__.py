"""Count events as JSON, schema `count-event/1.0`: the only place that knows the wire format.

Imports pydantic and `edge.types`.
"""

from edge.events.encode import Encoder, dumps
from edge.events.info import DeviceInfo, RuleInfo, SourceInfo, Window
from edge.events.publish import json_schema
from edge.events.schema import Event
from edge.events.windows import Windows

__all__ = [
    "DeviceInfo",
    "Encoder",
    "Event",
    "RuleInfo",
    "SourceInfo",
    "Window",
    "Windows",
    "dumps",
    "json_schema",
]
