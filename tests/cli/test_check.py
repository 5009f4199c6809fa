import json
import re
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from edge.cli.against import Trial, Tryout
from edge.cli.check import check
from edge.cli.rule_lints import Scale, findings
from edge.cli.schema import schema
from edge.config import Config, message
from edge.count.line import Band, LineCounter
from edge.errors import ConfigError

PEOPLE = Path(__file__).parents[1] / "golden" / "people.jsonl.gz"

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
        f"{path}:9: warning: cameras.yard: no lines and no zones, so it will count nothing\n"
        f"{path}: OK, 2 cameras, 1 warning\n"
        "  gate: 2 lines (in, out), 1 zone (door)\n"
        "  yard: no rules\n"
    )


def test_a_bad_config_is_a_config_error(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text("camera: {}\n")
    with pytest.raises(ConfigError, match="unknown key 'camera', did you mean 'cameras'"):
        check(path)


def texts(config, *scale) -> list[str]:
    return [message(f.key, f.text) for f in findings(config, *scale)]


def of_gate(**rules) -> list[str]:
    return texts(Config.model_validate({"cameras": {"gate": {"source": "a", **rules}}}))


GUESS = "an object of 15% of the frame's height (a guess: --against measures it)"
# The band of an object of 162 px is 11.34 px: 23 px are needed beyond a line.


@pytest.mark.parametrize(
    ("points", "share"),
    [
        ([[0.1, 0.01], [0.9, 0.0]], 100),  # along the top
        ([[0.1, 0.99], [0.9, 1.0]], 100),  # along the bottom
        ([[0.0, 0.1], [0.01, 0.9]], 100),  # down the left side
        ([[1.0, 0.1], [0.99, 0.9]], 100),  # down the right side
        ([[0.3, 0.3], [0.1, 0.01], [0.9, 0.0]], 76),  # one piece of a bent line
        ([[0.0, 0.5], [1.0, 0.5]], None),  # from border to border
        ([[0.0, 0.0], [1.0, 1.0]], None),  # from corner to corner
        ([[0.1, 0.01], [0.9, 0.5]], None),  # only begins there
        ([[0.1, 0.025], [0.9, 0.025]], None),  # room enough
    ],
)
def test_lines_without_room_beyond(points, share):
    found = of_gate(lines={"l": {"points": points}})
    assert found == [
        f"cameras.gate.lines.l: the frame ends within 23 px of it along {share}% of its length: "
        f"{GUESS} must get that far on both sides to be counted"
    ] * (share is not None)


def test_measured_sizes_decide():
    line = {"a": [0.1, 0.93], "b": [0.9, 0.93]}
    config = Config.model_validate({"cameras": {"gate": {"source": "a", "lines": {"l": line}}}})
    assert texts(config) == []
    assert texts(config, lambda camera, rule: Scale(640, 480, 300.0, is_measured=True)) == [
        "cameras.gate.lines.l: the frame ends within 42 px of it along 100% of its length: "
        "an object 300 px high, as usual here must get that far on both sides to be counted"
    ]


def test_lines_that_meet():
    lines = {
        "l": {"a": [0.1, 0.5], "b": [0.9, 0.5]},
        "m": {"a": [0.5, 0.1], "b": [0.5, 0.9]},
        "n": {"a": [0.1, 0.95], "b": [0.9, 0.95]},
    }
    assert of_gate(lines=lines) == [
        "cameras.gate.lines.l: meets line 'm': one passage may count at both"
    ]


def test_lines_that_cross_themselves_or_are_no_longer_than_an_object():
    lines = {
        "loop": {"points": [[0.2, 0.2], [0.6, 0.6], [0.6, 0.2], [0.2, 0.6]]},
        "ring": {"points": [[0.7, 0.2], [0.9, 0.2], [0.9, 0.6], [0.7, 0.2]]},
        "short": {"a": [0.3, 0.8], "b": [0.32, 0.8]},
    }
    assert of_gate(lines=lines) == [
        "cameras.gate.lines.loop: crosses itself: near there its sides are mixed up",
        f"cameras.gate.lines.short: 38 px long, less than the width of {GUESS}",
    ]


def test_zones_smaller_than_an_object():
    zones = {
        "slit": {"polygon": [[0.2, 0.5], [0.8, 0.5], [0.8, 0.52], [0.2, 0.52]]},
        "small": {"polygon": [[0.5, 0.5], [0.54, 0.5], [0.54, 0.54], [0.5, 0.54]]},
        "large": {"polygon": [[0.5, 0.5], [0.6, 0.5], [0.6, 0.6], [0.5, 0.6]]},
    }
    slit, small = of_gate(zones=zones)
    assert slit == (
        "cameras.gate.zones.slit: no point of it is 11 px from its edge, where "
        f"{GUESS} is clearly inside: nothing can enter"
    )
    assert small == (
        "cameras.gate.zones.small: 43 px wide, less than the width of "
        f"{GUESS}: feet hardly fall inside"
    )


BOTH = """\
cameras:
  people:
    source: a.mp4
    lines:
      middle: {a: [0.5, 0.2], b: [0.5, 1]}
      sky:
        a: [0.1, 0.05]
        b: [0.9, 0.05]
    zones:
      corner: {polygon: [[0, 0.9], [0.05, 0.9], [0.05, 1], [0, 1]], classes: [person]}
"""


def test_a_config_is_tried_on_a_recording(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text(BOTH)
    result = run("check", path, "--against", PEOPLE)
    assert result.exit_code == 0, result.stderr
    lines = result.stderr.splitlines()
    warned = [line for line in lines if ": warning: " in line]
    assert warned[0].startswith(f"{path}:6: warning: cameras.people.lines.sky: no track of people")
    assert "the nearest passes at" in warned[0]
    assert all(":4: " not in line for line in warned)
    assert f"{path}: OK, 1 camera, {len(warned)} warning" in result.stderr
    recording = next(line for line in lines if line.startswith(str(PEOPLE)))
    assert re.search(r"camera people, \d+ frames in [\d.]+ s, \d+ tracks, usual height", recording)
    middle = next(line for line in lines if line.startswith("  line middle: "))
    near, ins, outs = map(int, re.findall(r"(\d+) (?:tracks|in|out)", middle))
    assert 0 < ins + outs <= near + 2
    assert "  line sky: 0 tracks near, 0 in, 0 out" in lines


def test_strict_makes_warnings_an_error(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text(GATE)
    assert run("check", path, "--strict").exit_code == 2
    path.write_text("\n".join(GATE.splitlines()[:-2]))
    assert run("check", path, "--strict").exit_code == 0


def test_a_recording_of_another_camera_is_refused(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text(GATE)
    with pytest.raises(
        ConfigError, match=r"of a camera of the config \(gate, yard\), got 'people'"
    ):
        check(path, PEOPLE)


def test_a_line_that_many_pass_by_and_none_crosses(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text(BOTH.replace("b: [0.5, 1]", "b: [0.5, 1], classes: [car]"))
    lines = run("check", path, "--against", PEOPLE).stderr.splitlines()
    assert any("lines.middle: no track of people.jsonl.gz comes near it" in line for line in lines)
    trial = Trial(LineCounter("l", np.array([[0.0, 0], [9, 9]]), None, Band()), None)
    trial.near = dict.fromkeys(range(5), 40.0)
    tryout = Tryout(PEOPLE, "people", 640, 480, {"l": trial})
    (found,) = tryout.findings()
    assert found.text == "5 tracks of people.jsonl.gz come near it, and none of them is counted"


def test_a_config_without_cameras():
    assert texts(Config()) == ["cameras: none, so there is nothing to count"]


@pytest.mark.parametrize("kind", ["events", "config"])
def test_schemas_are_valid_json_schema_on_standard_output(kind):
    result = run("schema", kind)
    assert result.exit_code == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(result.stdout))


def test_an_unknown_schema_is_a_usage_error():
    assert run("schema", "tracks").exit_code == 2
