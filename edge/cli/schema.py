"""`edge schema events|config`: the JSON Schemas."""

from __future__ import annotations

import json
from enum import Enum
from typing import Annotated

import typer

from edge.config import Config
from edge.events import json_schema


class SchemaKind(str, Enum):
    """Which schema."""

    EVENTS = "events"
    CONFIG = "config"


def schema(
    kind: Annotated[
        SchemaKind, typer.Argument(metavar="KIND", help="Of the events, or of the config file.")
    ],
) -> None:
    """Print the JSON Schema (draft 2020-12) of events or config files, for other programs."""
    found = json_schema() if kind is SchemaKind.EVENTS else Config.model_json_schema()
    typer.echo(json.dumps(found, indent=2))
