import json
import re
from pathlib import Path
from typing import get_args, get_origin

import jsonschema
import pytest
from pydantic import ValidationError

from edge.events import Event, json_schema
from edge.events.schema import EventType, Part

DOCS = (Path(__file__).parents[2] / "docs" / "events.md").read_text()


def example() -> dict:
    return json.loads(re.search(r"```json\n(.*?)```", DOCS, re.S)[1])


def fields(part=Event, where=""):
    """Path and description of every field, in the order of the schema."""
    for name, field in part.model_fields.items():
        path = where + (field.alias or name)
        inner = [field.annotation, *get_args(field.annotation)]
        inner += [deep for one in inner for deep in get_args(one)]
        # Python 3.10 takes tuple[float] for a type, but not as a class.
        types = [one for one in inner if isinstance(one, type) and get_origin(one) is None]
        parts = [one for one in types if issubclass(one, Part)]
        if field.description:
            yield path, field.description
        if parts and path not in (
            "counts[].count",
            "count.by_class",
            "before",
            "lost.rules[].count",
        ):
            is_list = str(field.annotation).startswith(("list", "typing.Optional[list"))
            yield from fields(parts[0], f"{path}[]." if is_list else f"{path}.")


def test_the_json_schema_is_valid_and_the_documented_example_follows_it():
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(example(), schema)
    assert Event.model_validate(example()).type == "line_crossed"


def test_the_documentation_has_every_field_with_its_meaning():
    rows = [f"| `{path}` | {text} |" for path, text in fields()]
    table = DOCS[DOCS.index("## Fields") : DOCS.index("## Types")]
    assert re.findall(r"(?m)^\| `.*$", table) == rows


def test_the_documentation_has_every_type():
    table = DOCS[DOCS.index("## Types") :]
    assert re.findall(r"(?m)^\| `(\w+)`", table) == list(get_args(EventType))


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"schema": "count-event/2.0"}, None),
        ({"event_id": "1"}, None),
        ({"seq": 0}, None),
        ({}, "rule"),
        ({}, "object"),
        ({}, "count"),
        ({}, "device"),
        ({"object": None}, None),
        ({"type": "zone_exited"}, None),  # has no zone
        ({"type": "started"}, None),  # has no rules
    ],
)
def test_what_breaks_the_schema_is_refused_by_both(change, missing):
    event = {**example(), **change}
    event.pop(missing, None)
    with pytest.raises(ValidationError):
        Event.model_validate(event)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(event, json_schema())


def test_totals_need_to_say_since_when():
    event = example()
    del event["count"]["since_media_s"]
    with pytest.raises(ValidationError, match="expected since or since_media_s"):
        Event.model_validate(event)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(event, json_schema())


def test_receivers_accept_later_versions_and_we_do_not_invent_any():
    for later in ({"weather": "rain"}, {"type": "waved"}, {"schema": "count-event/1.1"}):
        event = {**example(), **later}
        jsonschema.validate(event, json_schema())
        with pytest.raises(ValidationError, match=next(iter(later))):
            Event.model_validate(event)


def test_every_type_that_needs_no_section_is_complete_as_a_bare_event():
    event = {
        key: example()[key] for key in ("schema", "event_id", "seq", "time", "source", "device")
    }
    for name in ("track_started", "tracks_merged", "track_ended"):
        jsonschema.validate({**event, "type": name}, json_schema())
        Event.model_validate({**event, "type": name})
