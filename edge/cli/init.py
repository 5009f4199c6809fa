"""`edge init`: a commented config to begin with, after three questions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from edge.cli.options import camera_name
from edge.config import written_out
from edge.errors import ConfigError, SinkError
from edge.sources import is_live

EXAMPLE = "Example: edge init shop.yaml"
SOURCE, CLASSES, RECEIVER = "video.mp4", "person", "file"
RECEIVERS = {
    "file": """  file:
    type: file
    path: camera-events.jsonl
    # A new file each day, and how many are kept.
    daily: true
    keep: 30
""",
    "mqtt": """  broker:
    type: mqtt
    host: 127.0.0.1
    # Of a broker that wants them; the password stands in the environment.
    # user: counter
    # password: ${MQTT_PASSWORD}
    # Counts appear in Home Assistant by themselves.
    home_assistant: true
""",
    "webhook": """  webhook:
    type: webhook
    # Gets a POST of {"events": [...]}, again until it says 2xx.
    url: https://example.com/counts
    # Signs each request, so that the receiver knows who sent it.
    # secret: ${WEBHOOK_SECRET}
""",
    "none": "",
}


def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The config to write.")] = Path(
        "edgecount.yaml"
    ),
    given_source: Annotated[
        str | None,
        typer.Option(
            "--source",
            metavar="SOURCE",
            help="The camera or video, instead of the first question: as for edge run.",
        ),
    ] = None,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes",
            "-y",
            help=f"Ask nothing: {SOURCE} unless --source says another, {CLASSES}, {RECEIVER}.",
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the file if it is there.")
    ] = False,
) -> None:
    """Write a commented config to begin with, after three questions.

    Asks for the camera or video, what to count, and where events go. Nothing is written before all
    are answered. What to do next is said at the end.
    """
    if file.exists() and not force:
        raise ConfigError(f"{file}: expected a new file, got one; --force replaces it")
    if not file.parent.is_dir():
        raise ConfigError(f"{file}: expected a folder that exists, got {file.parent}")
    if given_source is not None and (trouble := _source_trouble(given_source)):
        raise ConfigError(f"--source: {trouble}")
    source, classes, receiver = given_source or SOURCE, [CLASSES], RECEIVER
    if not yes:
        source, classes, receiver = _answers(given_source)
    text = starter(source, classes, receiver)
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SinkError(f"{file}: expected to write a config, got {error.strerror}") from error
    typer.echo(f"wrote {file}; next:")
    for step in _next_steps(file, text, source):
        typer.echo(f"  {step}")


def starter(source: str, classes: list[str], receiver: str) -> str:
    """The text of a config: one camera with a line across the middle, and one receiver.

    >>> starter("rtsp://10.0.0.7/s", ["person", "car"], "none").splitlines()[4]
    '  "s":'
    """
    name = camera_name(source, set())
    quoted = json.dumps(source, ensure_ascii=False)
    sinks = RECEIVERS[receiver]
    sinks = f"\n{sinks}" if sinks else " {}\n"
    return f"""\
# What is counted, and where. All keys: configs/reference.yaml, or `edge schema config`.

cameras:
  # Its name stands in every event.
  {json.dumps(name)}:
    # A file, a folder of pictures, rtsp://USER:${{CAMERA_PASSWORD}}@ADDRESS/PATH, the number of a
    # camera in quotes, or a gst: pipeline. Passwords stand in the environment, not here.
    source: {quoted}
    # What is counted; left out: all that the model knows.
    classes: {json.dumps(classes, ensure_ascii=False)}
    lines:
      # Move it with `edge draw`. Someone who stands at a and looks towards b has the side that
      # `in` comes from at the left hand.
      middle:
        a: [0.05, 0.6]
        b: [0.95, 0.6]
        # What the two directions are called in reports and on the page.
        in: in
        out: out
    # zones:
    #   front: {{polygon: [[0.25, 0.65], [0.75, 0.65], [0.9, 0.97], [0.1, 0.97]], dwell_s: 10.0}}

# Every event is kept in this file before it goes anywhere, so that totals go on after a restart.
journal:
  path: journal.db

# Where events go from there: file, stdout, mqtt or webhook, as many as you like.
sinks:{sinks}
# The live page. Any other address than this machine's own needs `token: ${{PAGE_TOKEN}}`.
web:
  listen: "127.0.0.1:8080"
"""


def secrets_of(text: str) -> list[str]:
    r"""Names of the environment variables that a config takes, outside comments.

    >>> secrets_of("a: ${ONE}\n# b: ${TWO}\nc: ${ONE}${THREE}")
    ['ONE', 'THREE']
    """
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return list(dict.fromkeys(re.findall(r"\$\{(\w+)\}", "\n".join(lines))))


def _next_steps(file: Path, text: str, source: str) -> Iterator[str]:
    if not is_live(source) and not Path(source).exists():
        line = 1 + [line.strip().startswith("source:") for line in text.splitlines()].index(True)
        place = "" if Path(source).is_absolute() else " here"
        yield f"put your camera or video into line {line}: there is no {source}{place}"
    if names := secrets_of(text):
        yield f"set in the environment: {', '.join(names)}"
    yield f"edge draw --config {file}    lines and zones, in the browser"
    yield f"edge doctor {file}           whether this machine has what it needs"
    yield f"edge run --config {file}     count"


def _answers(source: str | None) -> tuple[str, list[str], str]:
    try:
        return source or _asked_source(), _asked_classes(), _asked_receiver()
    except typer.Abort as error:
        typer.echo()  # after the question
        if isinstance(error.__context__, KeyboardInterrupt):
            raise typer.Exit(130) from error
        raise ConfigError(
            "expected answers to three questions, got the end of the input; --yes asks nothing"
        ) from error


def _asked_source() -> str:
    while True:
        source: str = typer.prompt(
            "Camera or video (rtsp://USER:${CAMERA_PASSWORD}@ADDRESS/PATH, file, number)", SOURCE
        ).strip()
        if trouble := _source_trouble(source):
            typer.echo(trouble, err=True)
        else:
            return source


def _source_trouble(source: str) -> str | None:
    if trouble := written_out(source):
        return f"{trouble}: write ${{CAMERA_PASSWORD}} in its place"
    return None if source.strip() else "expected a camera or video, got nothing"


def _asked_classes() -> list[str]:
    while True:
        text: str = typer.prompt("What to count (person, bicycle, car, ...)", CLASSES)
        if names := [name.strip() for name in text.split(",") if name.strip()]:
            return names


def _asked_receiver() -> str:
    while True:
        name: str = typer.prompt(f"Where events go ({', '.join(RECEIVERS)})", RECEIVER).strip()
        if name in RECEIVERS:
            return name
        typer.echo(f"expected {', '.join(RECEIVERS)}, got {name}", err=True)
