import json

import jsonschema
import pytest
import typer
from typer.testing import CliRunner

from edge.cli.check import check, warnings
from edge.cli.schema import schema
from edge.config import Config
from edge.errors import ConfigError

app = typer.Typer()
app.command("check")(check)
app.command("schema")(schema)


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


GATE = """\
cameras:
  gate:
    source: no-such-file.mp4
    lines:
      in: {a: [0.1, 0.5], b: [0.9, 0.5]}
      out: {a: [0.1, 0.6], b: [0.9, 0.6]}
    zones:
      door: {polygon: [[0.1, 0.1], [0.5, 0.1], [0.5, 0.5]]}
  yard:
    source: "0"
"""


def test_a_good_config_is_summed_up_on_standard_error(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text(GATE)
    result = run("check", path)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert result.stderr == (
        f"{path}: warning: cameras.yard: no lines and no zones, so it will count nothing\n"
        f"{path}: OK, 2 cameras\n"
        "  gate: 2 lines (in, out), 1 zone (door)\n"
        "  yard: no rules\n"
    )


def test_a_bad_config_is_a_config_error(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text("camera: {}\n")
    with pytest.raises(ConfigError, match="unknown key 'camera', did you mean 'cameras'"):
        check(path)


def of_gate(**rules) -> list[str]:
    return warnings(Config.model_validate({"cameras": {"gate": {"source": "a", **rules}}}))


BORDER = (
    "cameras.gate.lines.l: runs along the border of the frame, closer than 2%: "
    "objects may vanish before they have crossed it"
)


@pytest.mark.parametrize(
    ("points", "warned"),
    [
        ([[0.1, 0.01], [0.9, 0.0]], True),  # along the top
        ([[0.1, 0.99], [0.9, 1.0]], True),  # along the bottom
        ([[0.0, 0.1], [0.01, 0.9]], True),  # down the left side
        ([[1.0, 0.1], [0.99, 0.9]], True),  # down the right side
        ([[0.3, 0.3], [0.1, 0.01], [0.9, 0.0]], True),  # one piece of a bent line
        ([[0.0, 0.5], [1.0, 0.5]], False),  # from border to border
        ([[0.0, 0.0], [1.0, 1.0]], False),  # from corner to corner
        ([[0.1, 0.01], [0.9, 0.5]], False),  # only begins there
    ],
)
def test_lines_along_the_border(points, warned):
    assert of_gate(lines={"l": {"points": points}}) == [BORDER] * warned


def test_lines_that_meet():
    lines = {
        "l": {"a": [0.1, 0.5], "b": [0.9, 0.5]},
        "m": {"a": [0.5, 0.1], "b": [0.5, 0.9]},
        "n": {"a": [0.1, 0.95], "b": [0.9, 0.95]},
    }
    assert of_gate(lines=lines) == [
        "cameras.gate.lines.l: meets line 'm': one passage may count at both"
    ]


def test_tiny_zones():
    zones = {
        "small": {"polygon": [[0.5, 0.5], [0.54, 0.5], [0.54, 0.54], [0.5, 0.54]]},
        "large": {"polygon": [[0.5, 0.5], [0.6, 0.5], [0.6, 0.6], [0.5, 0.6]]},
    }
    assert of_gate(zones=zones) == [
        "cameras.gate.zones.small: covers 0.16% of the frame: feet will hardly fall inside"
    ]


def test_a_config_without_cameras():
    assert warnings(Config()) == ["cameras: none, so there is nothing to count"]


@pytest.mark.parametrize("kind", ["events", "config"])
def test_schemas_are_valid_json_schema_on_standard_output(kind):
    result = run("schema", kind)
    assert result.exit_code == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(result.stdout))


def test_an_unknown_schema_is_a_usage_error():
    assert run("schema", "tracks").exit_code == 2
