import json
import re
from pathlib import Path
from typing import get_origin

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.config import (
    Camera,
    Config,
    Line,
    Section,
    Tracker,
    Zone,
    camera_from_options,
    check_classes,
    config_rev,
    geometry_hash,
    load,
    parse_line_option,
    parse_zone_option,
    people,
)
from edge.config.delivery import SINKS
from edge.config.shapes import is_simple, paths_cross, polygon_area
from edge.errors import ConfigError

CONFIGS = Path(__file__).parent.parent / "configs"

GATE = """\
cameras:
  gate:
    source: a.mp4
"""

# name, YAML, the exact message after "site.yaml"
ERRORS = [
    ("empty file", "", ":1: expected keys and values, got an empty file"),
    ("only a comment", "# later\n", ":1: expected keys and values, got an empty file"),
    ("a list", "- a\n- b\n", ":1: expected keys and values, got ['a', 'b']"),
    ("just text", "hello\n", ":1: expected keys and values, got 'hello'"),
    (
        "bad YAML",
        "device_id: a\ncameras: b: c\n",
        ":2: expected YAML, got an error: mapping values are not allowed here",
    ),
    ("tab", "cameras:\n\tgate:\n", ":2: expected spaces, got a tab"),
    (
        "unfinished",
        "model: {name: x\n",
        ":2: expected YAML, got an error: expected ',' or '}', but got '<stream end>'",
    ),
    ("control character", "device_id: a\nx: \x07\n", ":2: expected text, got U+0007"),
    (
        "two documents",
        "device_id: a\n---\ndevice_id: b\n",
        ":2: expected YAML, got an error: but found another document",
    ),
    ("endless alias", "cameras: &c {a: *c}\n", ":1: expected less nesting, got too much to read"),
    (
        "object tag",
        "device_id: !!python/object:os.system {}\n",
        ":1: device_id: expected plain YAML, got the tag python/object:os.system\n"
        "site.yaml:1: device_id: expected text, got keys and values",
    ),
    (
        "typo",
        "cameras:\n  gate:\n    sorce: a.mp4\n",
        ":2: cameras.gate: missing key 'source'\n"
        "site.yaml:3: cameras.gate: unknown key 'sorce', did you mean 'source'?",
    ),
    (
        "typo in a zone",
        GATE + "    zones:\n      hall:\n        polygon: [[0, 0], [1, 0], [1, 1]]\n"
        "        dwel_s: 3\n",
        ":7: cameras.gate.zones.hall: unknown key 'dwel_s', did you mean 'dwell_s'?",
    ),
    (
        "nothing like it",
        "colour: red\n",
        ":1: unknown key 'colour', expected device_id, blur_people, snapshot_every_s, "
        "cameras, model, tracker, counting, journal, sinks, evidence, web or log",
    ),
    *(
        (
            f"blur_people: {text}",
            f"blur_people: {text}\n",
            f":1: blur_people: expected true, false or a list of class names, got {got}",
        )
        for text, got in [
            ("person", "'person'"),
            ("[]", "[]"),
            ("[1]", "[1]"),
            ("['']", "['']"),
            ("1", "1"),
            ("", "nothing"),
        ]
    ),
    (
        "camera called like a section",
        "cameras:\n  zones:\n    source: a\n    zoness: {}\n",
        ":4: cameras.zones: unknown key 'zoness', did you mean 'zones'?",
    ),
    (
        "key twice",
        "tracker:\n  min_iou: 0.1\n  min_iou: 0.2\n",
        ":3: tracker: expected the key 'min_iou' once, got it again (first on line 2)",
    ),
    ("key is a list", "[a, b]: c\n", ":1: expected a key that is text, got a list"),
    ("number for text", "device_id: 7\n", ":1: device_id: expected text, got 7; put it in quotes"),
    (
        "text for number",
        "tracker:\n  min_iou: '0.1'\n",
        ":2: tracker.min_iou: expected a number, got '0.1' which is text; write 0.1 without quotes",
    ),
    (
        "exponent without a point is text in YAML",
        "tracker:\n  min_iou: 1e-1\n",
        ":2: tracker.min_iou: expected a number, got '1e-1' which is text; "
        "write 0.1 without quotes",
    ),
    (
        "word for number",
        "model:\n  threads: all\n",
        ":2: model.threads: expected a whole number, got 'all'",
    ),
    (
        "not a date",
        "model:\n  min_score: 2026-13-01\n",
        ":2: model.min_score: expected a number, got '2026-13-01'",
    ),
    (
        "number for switch",
        "model:\n  strict_provider: 1\n",
        ":2: model.strict_provider: expected true or false, got 1",
    ),
    (
        "not whole",
        "tracker:\n  confirm_hits: 1.5\n",
        ":2: tracker.confirm_hits: expected a whole number, got 1.5",
    ),
    ("too large", "model:\n  min_score: 1.5\n", ":2: model.min_score: expected at most 1, got 1.5"),
    (
        "too small",
        "tracker:\n  max_lost_s: 0\n",
        ":2: tracker.max_lost_s: expected more than 0, got 0",
    ),
    (
        "not a number",
        "tracker:\n  min_iou: .nan\n",
        ":2: tracker.min_iou: expected a finite number, got nan",
    ),
    ("empty section", "counting:\n", ":1: counting: expected keys and values, got nothing"),
    (
        "unknown choice",
        "model:\n  provider: gpu\n",
        ":2: model.provider: expected 'auto', 'tensorrt', 'cuda', 'openvino' or 'cpu', got 'gpu'",
    ),
    (
        "class names",
        "model:\n  class_names: []\n",
        ":2: model.class_names: expected a file of class names, or a list of them, got []",
    ),
    (
        "typo in a provider",
        "model:\n  cuda:\n    memory: 512\n",
        ":3: model.cuda: unknown key 'memory', did you mean 'memory_mb'?",
    ),
    (
        "input size",
        "model:\n  input_size: 600\n",
        ":2: model.input_size: expected a multiple of 32, got 600",
    ),
    (
        "scores in the wrong order",
        "tracker:\n  low_score: 0.6\n",
        ":2: tracker.low_score: expected at most tracker.high_score, 0.35, got 0.6",
    ),
    (
        "scores in the wrong order, by default",
        "tracker:\n  high_score: 0.05\n",
        ":1: tracker.low_score: expected at most tracker.high_score, 0.05, got 0.25",
    ),
    (
        "point outside",
        GATE + "    lines:\n      in:\n        a: [0.1, 0.2]\n        b: [1.3, 0.2]\n",
        ":7: cameras.gate.lines.in.b: expected two numbers in 0..1, got [1.3, 0.2]",
    ),
    (
        "line without end",
        GATE + "    lines:\n      in: {a: [0.1, 0.2]}\n",
        ":5: cameras.gate.lines.in: expected either 'a' and 'b' or 'points', got 'a'",
    ),
    (
        "line given twice over",
        GATE + "    lines:\n      in: {a: [0, 0], b: [1, 1], points: [[0, 0], [1, 1]]}\n",
        ":5: cameras.gate.lines.in: expected either 'a' and 'b' or 'points', "
        "got 'a' and 'b' and 'points'",
    ),
    (
        "line without length",
        GATE + "    lines:\n      in:\n        a: [0.1, 0.2]\n        b: [0.1, 0.2]\n",
        ":7: cameras.gate.lines.in.b: expected a point other than 'a', got the same",
    ),
    (
        "bend that stands still",
        GATE + "    lines:\n      in:\n        points:\n          - [0, 0]\n          - [1, 0]\n"
        "          - [1, 0]\n",
        ":9: cameras.gate.lines.in.points[2]: expected each point once, "
        "got [1.0, 0.0] twice in a row",
    ),
    (
        "too few corners",
        GATE + "    zones:\n      hall: {polygon: [[0, 0], [1, 1]]}\n",
        ":5: cameras.gate.zones.hall.polygon: expected at least 3 entries, got 2",
    ),
    (
        "polygon on one line",
        GATE + "    zones:\n      hall: {polygon: [[0, 0], [0.5, 0.5], [1, 1]]}\n",
        ":5: cameras.gate.zones.hall.polygon: expected a polygon that encloses an area, "
        "got all points on one line",
    ),
    (
        "bow tie",
        GATE + "    zones:\n      hall: {polygon: [[0, 0], [1, 1], [1, 0], [0, 0.9]]}\n",
        ":5: cameras.gate.zones.hall.polygon: expected a polygon whose border does not meet "
        "itself, got one that does",
    ),
    (
        "closed polygon",
        GATE + "    zones:\n      hall: {polygon: [[0, 0], [1, 0], [1, 1], [0, 0]]}\n",
        ":5: cameras.gate.zones.hall.polygon: expected a polygon that closes itself, "
        "got its first point again at the end",
    ),
    (
        "one name for two rules, beside another mistake",
        GATE + "    lines:\n      in: {a: [0, 0], b: [1, 1]}\n    zones:\n"
        "      in: {polygon: [[0, 0], [1, 0], [1, 1]]}\n    classes: person\n",
        ":7: cameras.gate.zones.in: expected a name that no line of this camera has, got 'in'\n"
        "site.yaml:8: cameras.gate.classes: expected a list, got 'person'",
    ),
    (
        "class that the camera does not track",
        GATE + "    classes: [person]\n    lines:\n"
        "      in: {a: [0, 0], b: [1, 1], classes: [car]}\n",
        ":6: cameras.gate.lines.in.classes: expected classes of this camera (person), got 'car'",
    ),
    (
        "name with a slash",
        "cameras:\n  a/b:\n    source: a.mp4\n",
        ":2: cameras.a/b: expected a name of letters, digits, '_', '-', '.' or space, "
        "at most 64 long, got 'a/b'",
    ),
    (
        "unknown variable",
        "cameras:\n  gate:\n    source: rtsp://me:${NO_SUCH_VARIABLE}@door\n",
        ":3: cameras.gate.source: expected the environment variable NO_SUCH_VARIABLE to be set, "
        "got nothing",
    ),
    (
        "a number that no text can hold",
        f"cameras:\n  gate:\n    source: a.mp4\n    zones: {{hall: {{polygon: [[0, 0], [1, 0], "
        f"[1, 1]], overcrowded: 0x{'f' * 5000}}}}}\n",
        ":4: cameras.gate.zones.hall.overcrowded: expected at most 1000000, got a number of "
        "thousands of digits",
    ),
    (
        "secret file that no file can be",
        'cameras:\n  gate:\n    source: "rtsp://me:${file:a\\0b}@h/1"\n',
        ":3: cameras.gate.source: expected a readable text file a\0b with the secret, got none",
    ),
    (
        "variable where none works",
        "device_id: ${HOME}\n",
        ":1: device_id: expected text, got '${HOME}'; only 'source' and keys of sinks and "
        "web that hold secrets know variables",
    ),
    (
        "password in a message",
        "cameras:\n  gate:\n    source: ['rtsp://me:s@cret@door']\n",
        ":3: cameras.gate.source: expected text, got ['rtsp://***@door']",
    ),
]


@pytest.mark.parametrize(
    "text",
    [
        "sinks: {a: {type: webhook, url: '${HIDDEN}'}}",
        "sinks: {a: {type: webhook, url: 'https://x', headers: [hunter2]}}",
        "sinks: {a: {type: mqtt, host: x, password: [hunter2]}}",
        "sinks: {a: {type: webhook, url: 'https://x', headers: {Authorization: Bearer hunter2}}}",
        "sinks: {a: {type: webhook, url: 'https://x', headers: {X-Api-Key: hunter2}}}",
        "web: {token: [hunter2]}",
        "cameras: {a: {source: 'gst:rtspsrc location=rtsp://x user-id=me user-pw=hunter2 ! sink'}}",
        "cameras: {a: {source: 'rtsp://me:554/hunter2x@10.0.0.1/1', lines: 3}}",
    ],
)
def test_a_secret_is_in_no_message(text, tmp_path, monkeypatch):
    monkeypatch.setenv("HIDDEN", "hooks.example/hunter2")
    path = tmp_path / "site.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "cameras: {a: {source: 'rtsp://10.0.0.5:554/user@home'}}",
        "cameras: {a: {source: 'gst:rtspsrc location=rtsp://x user-pw=${HELD} ! sink'}}",
        "sinks: {a: {type: webhook, url: 'https://x', headers: {Authorization: 'Bearer ${HELD}'}}}",
        "sinks: {a: {type: webhook, url: 'https://x', headers: {X-Site: north}}}",
    ],
)
def test_what_is_no_password_is_not_taken_for_one(text, tmp_path, monkeypatch):
    monkeypatch.setenv("HELD", "hunter2")
    path = tmp_path / "site.yaml"
    path.write_text(text)
    load(path)


def test_a_variable_that_none_can_be_is_named(tmp_path):
    (tmp_path / "site.yaml").write_text('cameras: {gate: {source: "rtsp://me:${\\ud800}@h/1"}}')
    with pytest.raises(ConfigError, match=r"expected the environment variable \ud800 to be set"):
        load(tmp_path / "site.yaml")


@pytest.mark.parametrize(
    ("text", "message"), [row[1:] for row in ERRORS], ids=[r[0] for r in ERRORS]
)
def test_mistakes_are_named_with_line_and_key(text, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("site.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(Path("site.yaml"))
    assert str(caught.value) == "site.yaml" + message


def test_every_mistake_is_listed_in_the_order_of_the_file(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text("cameras:\n  a: {source: 1}\n  b: {}\ntracker: {min_iou: 2, x: 1}\nlog: 3\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    lines = str(caught.value).splitlines()
    assert [line.removeprefix(f"{path}:")[0] for line in lines] == ["2", "3", "4", "4", "5"]


def test_a_folder_is_not_a_config(tmp_path):
    with pytest.raises(ConfigError, match=r"expected a config file, got: is a directory$"):
        load(tmp_path)


def test_a_missing_file(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: expected a config file, got: no such file"):
        load(tmp_path / "none.yaml")


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"device_id: \xff\xfe\n")
    with pytest.raises(ConfigError, match="expected a text file in UTF-8"):
        load(tmp_path / "a.yaml")


def test_variables_come_from_the_environment_and_may_hold_anything(tmp_path, monkeypatch):
    monkeypatch.setenv("PASSWORD", "a: 'b' #{}")
    path = tmp_path / "site.yaml"
    path.write_text("cameras: {gate: {source: 'rtsp://me:${PASSWORD}@door/${PASSWORD}'}}\n")
    camera = load(path).cameras["gate"]
    # In a login what would end it is percent-encoded, as the reader of the address expects.
    assert camera.source == "rtsp://me:a:%20%27b%27%20%23%7B%7D@door/a: 'b' #{}"
    assert "PASSWORD" not in repr(camera)
    assert "rtsp" not in repr(camera)


def test_windows_newlines_byte_order_mark_and_names_like_numbers(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_bytes("\ufeffcameras:\r\n  1:\r\n    source: ä.mp4\r\n".encode())
    assert load(path).cameras["1"].source == "ä.mp4"


def sections(section=Config):
    """Every section of the config, as the fields' descriptions and YAML names reach it."""
    yield section
    for name, field in section.model_fields.items():
        inner = (getattr(field.annotation, "__args__", None) or (field.annotation,))[-1]
        if name == "sinks":
            for sink in SINKS.values():
                yield from sections(sink)
        # In Python 3.10 `tuple[str, ...]` passes for a type.
        elif get_origin(inner) is None and isinstance(inner, type) and issubclass(inner, Section):
            yield from sections(inner)


def test_the_reference_file_equals_the_defaults():
    assert load(CONFIGS / "reference.yaml") == Config()


def test_the_reference_file_explains_every_key_and_its_example_loads(tmp_path, monkeypatch):
    text = (CONFIGS / "reference.yaml").read_text()
    example = re.sub(r"(?m)^#( *[a-z_]+:)", r"\1", text).replace(": {}\n", ":\n")
    comments = " ".join(re.findall(r"(?m)^ *# (.*)$", example))
    for section in sections():
        for name, field in section.model_fields.items():
            assert field.description in comments, (section, name)
            assert re.search(rf"(?m)^ *{field.alias or name}:", example), (section, name)
    for name in (
        "CAMERA_PASSWORD",
        "MQTT_PASSWORD",
        "WEBHOOK_SECRET",
        "WEBHOOK_TOKEN",
        "EDGE_TOKEN",
    ):
        monkeypatch.setenv(name, "x")
    (tmp_path / "example.yaml").write_text(example)
    camera = load(tmp_path / "example.yaml").cameras["gate"]
    assert camera.lines["entrance"].in_name == "Into the shop"
    assert camera.zones["hall"].dwell_s == 30.0
    sinks = load(tmp_path / "example.yaml").sinks
    assert [sink.type for sink in sinks.values()] == ["file", "stdout", "mqtt", "webhook"]


@pytest.mark.parametrize("name", ["reference.yaml", "file.yaml"])
def test_the_shipped_configs_follow_the_json_schema(name):
    load(CONFIGS / name)
    data = yaml.safe_load((CONFIGS / name).read_text())
    schema = Config.model_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(data, schema)


def test_all_sections_refuse_unknown_keys():
    assert len(set(sections())) == 19
    for section in sections():
        assert section.model_json_schema()["additionalProperties"] is False


def test_line_options():
    assert parse_line_option("door=0.1,0.5,0.9,0.5") == (
        "door",
        Line(a=(0.1, 0.5), b=(0.9, 0.5)),
    )
    bent = parse_line_option("bend=0.1,0.5,0.5,0.6,0.9,0.5")
    assert bent == ("bend", Line(points=((0.1, 0.5), (0.5, 0.6), (0.9, 0.5))))
    name, zone = parse_zone_option("hall = 0,0, 1,0, 1,1")
    assert (name, zone) == ("hall", Zone(polygon=((0, 0), (1, 0), (1, 1))))


LINE_FORM = "--line: expected NAME=x1,y1,x2,y2[,x3,y3,...] with numbers in 0..1 of the frame, got "
ZONE_FORM = "--zone: expected NAME=x1,y1,x2,y2,x3,y3,... with numbers in 0..1 of the frame, got "


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (parse_line_option, "door", LINE_FORM + "'door'"),
        (parse_line_option, "door=", LINE_FORM + "'door='"),
        (parse_line_option, "0,0,1,1", LINE_FORM + "'0,0,1,1'"),
        (parse_line_option, "door=0,0,1", LINE_FORM + "'door=0,0,1'"),
        (parse_line_option, "door=0,0", LINE_FORM + "'door=0,0'"),
        (parse_line_option, "door=0,0,1,1,1", LINE_FORM + "'door=0,0,1,1,1'"),
        (
            parse_line_option,
            "door=0,0,1,1,1,1",
            "--line: lines.door.points[2]: expected each point once, got [1.0, 1.0] twice in a row",
        ),
        (parse_line_option, "door=0,0,1,nan", LINE_FORM + "'door=0,0,1,nan'"),
        (
            parse_line_option,
            "door=0,0,640,480",
            "--line: lines.door.b: expected two numbers in 0..1, got [640.0, 480.0]",
        ),
        (
            parse_line_option,
            "door=0,0,0,0",
            "--line: lines.door.b: expected a point other than 'a', got the same",
        ),
        (
            parse_line_option,
            "=0,0,1,1",
            "--line: lines.: expected a name of letters, digits, '_', '-', '.' or space, "
            "at most 64 long, got ''",
        ),
        (parse_zone_option, "hall=0,0,1,1", ZONE_FORM + "'hall=0,0,1,1'"),
        (
            parse_zone_option,
            "hall=0,0,1,1,1,0,0,0.9",
            "--zone: zones.hall.polygon: expected a polygon whose border does not meet itself, "
            "got one that does",
        ),
    ],
)
def test_wrong_line_options_are_explained_in_one_sentence(parse, text, message):
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert str(caught.value) == message


def test_a_camera_from_options():
    camera = camera_from_options("a.mp4", ["l=0,0,1,1"], ["z=0,0,1,0,1,1"], [])
    assert list(camera.rules) == ["l", "z"]
    assert camera.classes is None
    for lines, zones in ((["l=0,0,1,1"] * 2, []), (["l=0,0,1,1"], ["l=0,0,1,0,1,1"])):
        with pytest.raises(ConfigError, match="expected a name for each, got 'l' twice"):
            camera_from_options("a.mp4", lines, zones, None)


def config(**camera) -> Config:
    return Config.model_validate({"cameras": {"gate": {"source": "a.mp4", **camera}}})


def test_classes_are_checked_against_the_model():
    given = config(
        classes=["persn", "car"],
        zones={"hall": {"polygon": [[0, 0], [1, 0], [1, 1]], "classes": ["persn"]}},
    )
    with pytest.raises(ConfigError) as caught:
        check_classes(given, ["person", "car"])
    assert str(caught.value) == (
        "cameras.gate.classes: expected a class of the model, got 'persn', "
        "did you mean 'person'?\n"
        "cameras.gate.zones.hall.classes: expected a class of the model, got 'persn', "
        "did you mean 'person'?"
    )
    check_classes(given, ["persn", "car"])


@pytest.mark.parametrize(
    ("blur", "names", "told"),
    [
        (False, ["car"], None),
        (True, ["car", "Person"], None),
        (True, ["people", "van"], None),
        (["car"], ["person", "car"], None),
        (
            True,
            ["car", "bus"],
            "blur_people: expected a class of people in the model, got car, bus; list the classes "
            "to hide, as in blur_people: [car], or leave it out",
        ),
        (
            ["drivr", "car", "x"],
            ["driver", "car"],
            "blur_people: expected a class of the model, got 'drivr', did you mean 'driver'?\n"
            "blur_people: expected a class of the model, got 'x', expected driver or car",
        ),
    ],
)
def test_people_who_shall_be_hidden_must_be_a_class_of_the_model(blur, names, told):
    given = Config.model_validate({"blur_people": blur})
    if told is None:
        check_classes(given, names)
        return
    with pytest.raises(ConfigError) as caught:
        check_classes(given, names)
    assert str(caught.value) == told


def test_classes_that_are_people_are_the_usual_ones_or_those_listed():
    names = ["car", "PERSON", "dog", "cyclist"]
    assert people(names) == people(names, False) == {1, 3}
    assert people(names, ["dog", "cyclist"]) == {2, 3}
    assert people(["car"]) == frozenset()


SCHEMA = Config.model_json_schema()


@given(st.booleans() | st.lists(st.text(min_size=1).filter(str.strip), min_size=1))
def test_whom_to_hide_is_read_as_it_is_written(blur):
    read = Config.model_validate({"blur_people": blur}).blur_people
    assert read == (blur if isinstance(blur, bool) else tuple(blur))
    jsonschema.validate({"blur_people": blur}, SCHEMA)


DOOR = {"a": [0, 0.5], "b": [1, 0.5]}


def test_the_config_revision_changes_with_what_decides_a_count_and_only_then():
    rev = config_rev(config(lines={"door": DOOR}), "gate")
    assert re.fullmatch("sha256:[0-9a-f]{16}", rev)
    same = [
        config(lines={"door": {**DOOR, "in": "Hall", "out": "Street"}}),
        config(lines={"door": {"points": [[0, 0.5], [1, 0.5]]}}),
        config(lines={"door": DOOR}, source="b.mp4"),
        config(lines={"door": DOOR}).model_copy(update={"device_id": "other"}),
    ]
    other = [
        config(),
        config(lines={"door": {**DOOR, "a": [0, 0.4]}}),
        config(lines={"gate": DOOR}),
        config(lines={"door": {**DOOR, "classes": ["car"]}}),
        config(lines={"door": DOOR}, classes=["car"]),
        config(lines={"door": DOOR}).model_copy(update={"tracker": Tracker(min_iou=0.2)}),
    ]
    assert [config_rev(c, "gate") for c in same] == [rev] * len(same)
    assert rev not in [config_rev(c, "gate") for c in other]


def test_the_revision_ignores_the_order_of_rules():
    one = config(lines={"a": DOOR, "b": {**DOOR, "a": [0, 0]}})
    other = config(lines={"b": {**DOOR, "a": [0, 0]}, "a": DOOR})
    assert config_rev(one, "gate") == config_rev(other, "gate")


def test_geometry_hashes_are_the_same_on_every_machine():
    line = Camera.model_validate({"source": "a", "lines": {"door": DOOR}}).lines["door"]
    assert geometry_hash(line) == "11e0a8ff0139b61d"
    assert geometry_hash(Zone(polygon=((0, 0), (1, 0), (0.1, 0.7)))) == "5b0d9af6f3c688f6"


def test_the_config_is_immutable():
    with pytest.raises(ValueError, match="frozen"):
        Config().device_id = "x"


coordinate = st.integers(0, 8).map(lambda k: k / 8)
point = st.tuples(coordinate, coordinate)


@given(st.lists(point, min_size=3, max_size=6), st.integers(0, 5))
def test_whether_a_polygon_is_simple_does_not_depend_on_start_or_direction(polygon, shift):
    shifted = polygon[shift % len(polygon) :] + polygon[: shift % len(polygon)]
    assert is_simple(polygon) == is_simple(shifted) == is_simple(polygon[::-1])
    assert polygon_area(polygon) == pytest.approx(polygon_area(shifted))
    assert polygon_area(polygon) == pytest.approx(polygon_area(polygon[::-1]))


@given(st.lists(point, min_size=3, max_size=3, unique=True))
def test_a_triangle_is_simple_when_it_has_an_area(triangle):
    assert is_simple(triangle) == (polygon_area(triangle) > 0)


@given(st.lists(point, min_size=2, max_size=4), st.lists(point, min_size=2, max_size=4))
def test_crossing_is_mutual(one, other):
    assert paths_cross(one, other) == paths_cross(other, one) == paths_cross(one[::-1], other)


@settings(max_examples=50, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["cameras", "model", "tracker", "gate", "lines", "zones", "a", "source"]
                ),
                inner,
                max_size=3,
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_gives_a_config_or_a_config_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(json.dumps(data))
    try:
        problems = [] if load(path) else None
    except ConfigError as error:
        problems = str(error).splitlines()
    assert all(line.startswith(f"{path}:") for line in problems)
