"""Rules as they are drawn become edits of a config that mean just them."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from edge.config import Camera, Config
from edge.config.draft import MOST_POINTS, MOST_RULES, edits_of, read_draft, with_draft
from edge.config.edit import edited
from edge.errors import ConfigError

TEXT = """\
cameras:
  gate:
    source: a.mp4  # the old clip
    classes: [person, car]
    lines:
      door:  # at the front
        a: [0.1, 0.5]
        b: [0.9, 0.5]
        in: Into the shop
      # behind the house
      back: {points: [[0.2, 0.1], [0.2, 0.9]]}
    zones:
      hall:
        polygon: [[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]]
        dwell_s: 8.0
"""
SQUARE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


def camera_in(text: str) -> Camera:
    return Config.model_validate(yaml.safe_load(text)).cameras["gate"]


CAMERA = camera_in(TEXT)


def as_is(camera: Camera = CAMERA) -> list[dict]:
    """Its rules as a browser gets them."""
    lines = [
        {"kind": "lines", "name": name, "was": name, "points": rule.path, "classes": rule.classes}
        | {"in": rule.in_name, "out": rule.out_name}
        for name, rule in camera.lines.items()
    ]
    zones = [
        {"kind": "zones", "name": name, "was": name, "points": rule.polygon}
        for name, rule in camera.zones.items()
    ]
    return lines + zones


def saved(rules: list[dict], text: str = TEXT) -> str:
    """The text with these rules; what it means is what was drawn."""
    before = camera_in(text)
    draft = read_draft({"rules": rules})
    changed = edited(text, "c.yaml", "gate", edits_of(before, draft))
    after = camera_in(changed)
    drawn, problems = with_draft(before, draft)
    assert problems == []
    assert (after.lines, after.zones) == (drawn.lines, drawn.zones)
    return changed


def test_what_was_not_changed_stays_byte_for_byte():
    assert edits_of(CAMERA, read_draft({"rules": as_is()})) == []


def test_points_move_names_change_and_comments_stay():
    door, back, hall = as_is()
    door |= {"points": [[0.1, 0.5], [0.5, 0.6], [0.9, 0.5]], "in": None, "out": "Out"}
    hall |= {"name": "lobby", "points": SQUARE}
    text = saved([door, back, hall])
    for kept in (
        "# the old clip",
        "# at the front",
        "# behind the house",
        "dwell_s: 8.0",
        "lobby:",
    ):
        assert kept in text
    assert "points: [[0.1, 0.5], [0.5, 0.6], [0.9, 0.5]]" in text
    assert "Into the shop" not in text


def test_a_line_of_two_points_stays_as_it_is_written():
    door, back, hall = as_is()
    back |= {"points": [[0.3, 0.1], [0.2, 0.9]]}
    assert "back: {points: [[0.3, 0.1], [0.2, 0.9]]}" in saved([door, back, hall])


def test_a_zone_gets_its_numbers_and_loses_them():
    *lines, hall = as_is()
    text = saved([*lines, hall | {"dwell_s": 2.5, "overcrowded": 12}])
    zone = camera_in(text).zones["hall"]
    assert (zone.dwell_s, zone.overcrowded) == (2.5, 12)
    text = saved([*lines, hall | {"dwell_s": None, "overcrowded": 3.0}], text)
    zone = camera_in(text).zones["hall"]
    assert (zone.dwell_s, zone.overcrowded) == (None, 3)
    assert camera_in(saved([*lines, hall], text)).zones["hall"] == zone


@pytest.mark.parametrize(
    ("key", "value"), [("dwell_s", 0), ("dwell_s", -1.5), ("overcrowded", 2.5), ("overcrowded", 0)]
)
def test_a_number_that_no_zone_can_have_is_told(key, value):
    *lines, hall = as_is()
    drawn, problems = with_draft(CAMERA, read_draft({"rules": [*lines, hall | {key: value}]}))
    [(place, said)] = problems
    assert (drawn, place) == (None, 2)
    assert key in said
    assert "expected" in said


def test_names_may_go_round():
    door, back, hall = as_is()
    text = saved([door | {"name": "back"}, back | {"name": "door"}, hall])
    assert camera_in(text).lines["back"].in_name == "Into the shop"
    text = saved([door | {"name": "back"}, back | {"name": "rear"}, hall])
    assert list(camera_in(text).lines) == ["back", "rear"]
    assert "# at the front" in text


def test_a_rule_may_take_the_name_of_one_that_goes():
    door, back, hall = as_is()
    assert camera_in(saved([door | {"name": "back"}, hall])).lines["back"].in_name
    anew = {"kind": "lines", "name": "door", "points": [[0.0, 0.5], [1.0, 0.5]]}
    assert "# at the front" in saved([anew, back, hall])
    swapped = {"kind": "zones", "name": "door", "points": SQUARE}
    assert camera_in(saved([back, swapped, hall])).zones["door"].polygon == SQUARE


def test_all_rules_may_go_and_others_come():
    assert camera_in(saved([])).rules == {}
    new = [{"kind": "lines", "name": "n", "points": [[0, 0.5], [1, 0.5]], "classes": ["car"]}]
    assert camera_in(saved(new)).lines["n"].classes == ("car",)
    assert camera_in(saved(new, "cameras: {gate: {source: a.mp4}}\n")).lines["n"].path[0] == (
        0,
        0.5,
    )


numbers = st.integers(0, 10_000).map(lambda n: n / 10_000)
names = st.sampled_from(["door", "back", "hall", "a", "b", "c", "d"])


@st.composite
def drafts(draw):
    """Any rules, some of them the camera's own under other names, changed or not."""
    rules = []
    wanted = draw(st.lists(names, unique=True, max_size=6))
    own = draw(st.permutations([None, None, None, *as_is()]))
    for name, old in zip(wanted, own, strict=False):
        if old is None:
            x, y = draw(numbers), draw(numbers)
            old = {"kind": "lines", "points": [(x, y), (round(1 - x, 4), 0.7 if y < 0.5 else 0.2)]}
        elif draw(st.booleans()):
            old |= {"points": [(round(draw(numbers) / 2 + 0.01, 4), 0.3), *old["points"][1:]]}
        rules.append(old | {"name": name})
    return rules


@given(drafts())
def test_any_drawing_means_what_was_drawn(rules):
    _, problems = with_draft(CAMERA, read_draft({"rules": rules}))
    if not problems:
        saved(rules)


@pytest.mark.parametrize(
    ("rules", "place", "text"),
    [
        ([{"name": "x/y"}], 0, "expected a name of letters"),
        ([{"name": ""}], 0, "expected a name of letters"),
        ([{}, {"name": "m"}, {"name": "m"}], 2, "expected a name that no other rule has, got 'm'"),
        ([{"points": [[0.5, 0.5]]}], 0, "expected at least 2 entries"),
        ([{"points": [[0.5, 0.5], [0.5, 0.5]]}], 0, "expected a point other than 'a'"),
        ([{"kind": "zones", "points": SQUARE[:2]}], 0, "expected at least 3 entries"),
        ([{"kind": "zones", "points": [(0, 0), (1, 1), (1, 0), (0, 0.8)]}], 0, "does not meet"),
        ([{}, {"name": "m", "classes": ["dog"]}], 1, "expected classes of this camera"),
    ],
)
def test_what_is_wrong_is_told_of_its_rule(rules, place, text):
    line = {"kind": "lines", "name": "n", "points": [[0.0, 0.5], [1.0, 0.5]]}
    camera, [(at, said)] = with_draft(CAMERA, read_draft({"rules": [line | r for r in rules]}))
    assert camera is None
    assert at == place
    assert text in said


GOOD = {"kind": "lines", "name": "n", "points": [[0.0, 0.5], [1.0, 0.5]]}


@pytest.mark.parametrize(
    "data",
    [
        *(None, 1, "x", [], {}, {"rules": None}, {"rules": {}}, {"rules": [1]}),
        {"rules": [GOOD], "path": "/etc/passwd"},
        {"rules": [GOOD | {"source": "x"}]},
        {"rules": [GOOD | {"kind": "sinks"}]},
        {"rules": [GOOD | {"name": 3}]},
        {"rules": [GOOD | {"name": "n" * 201}]},
        {"rules": [GOOD | {"name": "\ud800"}]},
        {"rules": [GOOD | {"was": ["a"]}]},
        {"rules": [GOOD | {"points": [[0, 2], [1, 1]]}]},
        {"rules": [GOOD | {"points": [[0, 1e400], [1, 1]]}]},
        {"rules": [GOOD | {"points": [[0, True], [1, 1]]}]},
        {"rules": [GOOD | {"points": [[0.5, 0.5]] * (MOST_POINTS + 1)}]},
        {"rules": [GOOD] * (MOST_RULES + 1)},
        {"rules": [GOOD | {"was": "door"}, GOOD | {"name": "m", "was": "door"}]},
    ],
)
def test_what_no_editor_sends_is_refused(data):
    with pytest.raises(ConfigError):
        read_draft(data)
