"""The JSON Schema of events, for receivers."""

from __future__ import annotations

from typing import Any, get_args

from edge.events.schema import REQUIRED, Event, EventType


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of one event, for receivers; it also admits later 1.x events.

    Example:
        >>> sorted(json_schema()["required"])[:4]
        ['device', 'event_id', 'schema', 'seq']
    """
    schema = Event.model_json_schema(by_alias=True)
    for part in (schema, *schema["$defs"].values()):
        part.pop("additionalProperties", None)
    fields = schema["properties"]
    fields["schema"] = {"type": "string", "pattern": r"^count-event/1\.[0-9]+$"}
    known = {"enum": list(get_args(EventType))}
    fields["type"] = {"description": "What happened.", "anyOf": [known, {"type": "string"}]}
    present = {"not": {"type": "null"}}
    schema["allOf"] = [
        {
            "if": {"properties": {"type": {"const": name}}},
            "then": {"required": [*parts], "properties": dict.fromkeys(parts, present)},
        }
        for name, parts in REQUIRED.items()
    ]
    schema["$defs"]["Count"]["anyOf"] = [{"required": ["since"]}, {"required": ["since_media_s"]}]
    schema["title"] = "count-event/1"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
