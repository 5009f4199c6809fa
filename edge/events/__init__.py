"""Count events as JSON, schema `count-event/1.0`: the only place that knows the wire format.

Imports pydantic and `edge.types`.
"""

from edge.events.encode import DeviceInfo, Encoder, RuleInfo, SourceInfo, dumps
from edge.events.publish import json_schema
from edge.events.schema import Event

__all__ = ["DeviceInfo", "Encoder", "Event", "RuleInfo", "SourceInfo", "dumps", "json_schema"]
