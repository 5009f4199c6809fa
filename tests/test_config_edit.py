"""Rules are changed in the text of a config, and nothing else is."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest
import yaml

from edge.config.document import parse
from edge.config.edit import RuleEdit, edited
from edge.errors import ConfigError

CONFIGS = Path(__file__).parents[1] / "configs"
GATE = "cameras:\n  gate:\n    source: a.mp4\n    lines:\n"
DOOR_FLOW = "      door: {a: [0.1, 0.5], b: [0.9, 0.5]}\n"
DOOR_BLOCK = "      door:\n        a: [0.1, 0.5]\n        b: [0.9, 0.5]\n"
SITE = (CONFIGS / "site.yaml").read_text()


def change(text: str, camera: str, *edits: RuleEdit) -> tuple[list[str], list[str]]:
    """Lines that go, and lines that come."""
    lines = list(
        difflib.ndiff(text.splitlines(), edited(text, "c.yaml", camera, edits).splitlines())
    )
    return [x[2:] for x in lines if x[0] == "-"], [x[2:] for x in lines if x[0] == "+"]


def loaded(text: str, camera: str = "gate") -> dict:
    return parse(text, "c.yaml").data["cameras"][camera]


@pytest.mark.parametrize("name", ["file", "jetson", "site"])
def test_without_edits_each_byte_stays(name):
    text = (CONFIGS / f"{name}.yaml").read_text()
    camera = next(iter(yaml.safe_load(text)["cameras"]))
    assert edited(text, name, camera, []) == text


def test_a_line_is_moved_and_its_comment_stays():
    moved = RuleEdit("lines", "door", {"a": (0.123456, 0.7), "b": [0.9, 0.75]})
    gone, new = change(SITE, "entrance", moved)
    assert gone == ["        a: [0.10, 0.70]", "        b: [0.90, 0.70]"]
    assert new == ["        a: [0.1235, 0.70]", "        b: [0.90, 0.75]"]


def test_a_rule_in_one_line_stays_in_one_line():
    gone, new = change(SITE, "yard", RuleEdit("lines", "ramp", {"b": [0.5, 1.0], "in": "Down"}))
    assert gone == ["      ramp: {a: [0.50, 0.20], b: [0.50, 0.90]}"]
    assert new == ["      ramp: {a: [0.50, 0.20], b: [0.50, 1.0], in: Down}"]


def test_a_zone_where_there_was_none():
    zone = RuleEdit("zones", "hall", {"polygon": [[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]]})
    gone, new = change(SITE, "entrance", zone)
    assert gone == []
    assert new == [
        "    zones:",
        "      hall:",
        "        polygon: [[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]]",
    ]


def test_a_key_is_taken_away():
    gone, new = change(SITE, "entrance", RuleEdit("lines", "door", {"in": None, "missing": None}))
    assert (gone, new) == (["        in: Into the shop"], [])


def test_a_rule_gets_another_name_at_its_place():
    rules = "      # first\n      a: {a: 1}\n      # second\n      b: {b: 2}\n"
    text = f"cameras:\n  c:\n    lines:\n{rules}"
    changed = edited(text, "c.yaml", "c", [RuleEdit("lines", "new", {"a": 3}, renamed_from="a")])
    assert changed == text.replace("a: {a: 1}", "new: {a: 3}")


def test_the_last_rule_takes_its_section_with_it():
    gone, new = change(SITE, "yard", RuleEdit("lines", "ramp", None))
    assert gone == ["    lines:", "      ramp: {a: [0.50, 0.20], b: [0.50, 0.90]}"]
    assert new == []


@pytest.mark.parametrize(
    ("camera", "edit", "message"),
    [
        ("door", RuleEdit("lines", "x", {}), "expected a camera 'door', got none of that name"),
        ("yard", RuleEdit("lines", "x", None), "expected a rule 'x' in lines, got none"),
        ("yard", RuleEdit("zones", "y", {}, "x"), "expected a rule 'x' to call 'y', got none"),
        (
            "yard",
            RuleEdit("lines", "ramp", {}, "other"),
            "expected a rule 'other' to call 'ramp', got 'ramp' twice",
        ),
    ],
)
def test_what_is_not_there_is_told(camera, edit, message):
    with pytest.raises(ConfigError, match=message):
        edited(SITE, "c.yaml", camera, [edit])


@pytest.mark.parametrize("text", ["", "- a\n", "cameras: [a]\n", "cameras: {a: 3}\n"])
def test_what_is_no_config_is_told(text):
    with pytest.raises(ConfigError, match=r"^c.yaml:?.*: expected "):
        edited(text, "c.yaml", "a", [])


def test_rules_that_are_tied_together_are_left_alone():
    text = (
        "cameras:\n  a: {source: a, lines: &both {l: {a: [0, 0], b: [1, 1]}}}\n"
        "  b: {source: b, lines: *both}\n"
    )
    with pytest.raises(ConfigError, match="change it in an editor"):
        edited(text, "c.yaml", "a", [RuleEdit("lines", "l", {"a": [0.5, 0.5]})])


def test_broken_yaml_is_told():
    with pytest.raises(ConfigError, match=r"c\.yaml:1: expected YAML, got "):
        edited("a: [", "c.yaml", "a", [])


@pytest.mark.parametrize(
    "text",
    [
        *(
            "On",
            "no",
            "Yes",
            "OFF",
            "y",
            "~",
            "null",
            "12:30",
            "1e3",
            "0x1F",
            "0o17",
            "1_000",
            "=",
            "<<",
        ),
        *(
            "2026-01-01",
            "a: b",
            "a # b",
            "- a",
            "{a}",
            "[a]",
            "*a",
            "&a",
            "!a",
            "%a",
            "'",
            '"',
            "\\",
        ),
        *(
            "",
            " a ",
            "a\nb",
            "a\n",
            "a\r\nb",
            "a\tb",
            "\u2028x",
            "y\x85z",
            "\ufeff",
            "\x07",
            "🚪 ä",
        ),
    ],
)
def test_a_text_stays_a_text(text):
    for given in (f"{GATE}{DOOR_FLOW}", f"{GATE}{DOOR_BLOCK}"):
        edit = RuleEdit("lines", "door", {"in": text, "classes": ["car", text]})
        rule = loaded(edited(given, "c.yaml", "gate", [edit]))["lines"]["door"]
        assert (rule["in"], rule["classes"]) == (text, ["car", text])


@pytest.mark.parametrize("name", ["On", "no", "null", "1", "1e3", "0x1F", "12"])
def test_a_name_that_looks_like_another_type_is_quoted(name):
    renamed = edited(f"{GATE}{DOOR_FLOW}", "c.yaml", "gate", [RuleEdit("lines", name, {}, "door")])
    assert list(yaml.safe_load(renamed)["cameras"]["gate"]["lines"]) == [name]
    new = RuleEdit("zones", name, {"polygon": [[0, 0], [1, 0], [1, 1]]})
    added = edited(f"{GATE}{DOOR_FLOW}", "c.yaml", "gate", [new])
    assert list(yaml.safe_load(added)["cameras"]["gate"]["zones"]) == [name]


def test_keys_that_are_written_as_numbers_or_truth_values_are_found():
    text = "cameras:\n  1:\n    source: a.mp4\n    lines: {1: {a: [0, 0], b: [1, 1]}, on: {c: 1}}\n"
    edits = [RuleEdit("lines", "1", {"b": [1, 0.5]}), RuleEdit("lines", "off", {}, "on")]
    assert edited(text, "c.yaml", "1", edits) == text.replace("[1, 1]", "[1, 0.5]").replace(
        "on:", "'off':"
    )
    gone = edited(text, "c.yaml", "1", [RuleEdit("lines", "1", None)])
    assert gone == text.replace("1: {a: [0, 0], b: [1, 1]}, ", "")


BENT = RuleEdit("lines", "door", {"a": None, "b": None, "points": [(0.1, 0.5), (0.5, 0.6), (1, 0)]})


def test_a_line_that_gets_a_bend_keeps_its_comments_and_its_place():
    text = (
        f"{GATE}      door:\n        # from the post\n        a: [0.1, 0.5]   # west\n"
        "        # to the wall\n        b: [1.0, 0.0] # east\n        in: Into  # the shop\n"
    )
    assert edited(text, "c.yaml", "gate", [BENT]) == (
        f"{GATE}      door:\n        # from the post\n"
        "        points: [[0.1, 0.5], [0.5, 0.6], [1, 0]]   # west\n"
        "        # to the wall\n        # east\n        in: Into  # the shop\n"
    )
    assert edited(f"{GATE}{DOOR_FLOW}", "c.yaml", "gate", [BENT]) == (
        f"{GATE}      door: {{points: [[0.1, 0.5], [0.5, 0.6], [1, 0]]}}\n"
    )


def test_a_block_of_numbers_that_is_written_anew_leaves_its_comments():
    ends = "".join(
        f"        {key}:\n          # x\n          - 0.1  # {key} x\n          - 0.5\n"
        for key in "ab"
    )
    assert edited(f"{GATE}      door:\n{ends}", "c.yaml", "gate", [BENT]) == (
        f"{GATE}      door:\n        # x\n        # a x\n"
        "        points: [[0.1, 0.5], [0.5, 0.6], [1, 0]]\n        # x\n        # b x\n"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("    lines:   # none yet\n    # more\n", "    lines:   # none yet\n{rule}    # more\n"),
        ("    lines: {}  # none\n", "    lines:  # none\n{rule}"),
        ("    lines: ~\n    moves: yes\n", "    lines:\n{rule}    moves: yes\n"),
        ("    moves: no\n", "    moves: no\n    lines:\n{rule}"),
        ("    classes:\n    - car  # one\n", "    classes:\n    - car  # one\n    lines:\n{rule}"),
        ("    lines: {door: {a: 1}}\n", "    lines: {door: {a: 1}, new: {a: [0, 1]}}\n"),
        (
            "    lines: {door: {a: 1},\n      gate: {a: 2},  # two\n    }\n",
            "    lines: {door: {a: 1},\n      gate: {a: 2}, new: {a: [0, 1]},  # two\n    }\n",
        ),
    ],
)
def test_the_first_rule_of_a_section_however_that_is_written(before, after):
    head = "cameras:\n  gate:\n    source: a.mp4\n"
    changed = edited(head + before, "c.yaml", "gate", [RuleEdit("lines", "new", {"a": [0, 1]})])
    rule = "      new:\n        a: [0, 1]\n"
    assert changed == head + after.replace("{rule}", rule)


def test_what_is_new_is_indented_as_the_file_is():
    text = "cameras:\n    gate:\n        source: a.mp4\n        classes:\n        - car\n"
    zone = RuleEdit("zones", "new", {"polygon": [[0, 0], [1, 0], [1, 1]], "dwell_s": 5})
    assert edited(text, "c.yaml", "gate", [zone]) == text + (
        "        zones:\n            new:\n                polygon: [[0, 0], [1, 0], [1, 1]]\n"
        "                dwell_s: 5\n"
    )


def test_a_key_without_a_value_gets_one():
    text = f"{GATE}      door:\n        in:   # later\n        a: [0.1, 0.5]\n"
    changed = edited(text, "c.yaml", "gate", [RuleEdit("lines", "door", {"in": "On"})])
    assert changed == text.replace("in:   # later", "in: 'On'   # later")


def test_a_rule_that_stands_for_another_is_written_out():
    text = f"{GATE}      door: &one {{a: 1, b: 2}}\n      other: *one  # the same\n"
    changed = edited(text, "c.yaml", "gate", [RuleEdit("lines", "other", {"b": 3})])
    assert changed == text.replace(
        " *one  # the same\n", "  # the same\n        a: 1\n        b: 3\n"
    )
    with pytest.raises(ConfigError, match="change it in an editor"):
        edited(text, "c.yaml", "gate", [RuleEdit("lines", "door", {"b": 3})])


COMMENTED = """\
cameras:
  gate:
    source: a.mp4
    lines:
      # one
      door:  # at the front
        a: [0.1, 0.5]
        b: [0.9, 0.5]  # right
        in: Into  # the shop

      # two
      back: {a: [0.2, 0.1], b: [0.2, 0.9]}
      # three
      yard:
        points:
          - [0.1, 0.2]
          - [0.2, 0.3]
        # end of yard
    # zones come here
    zones:
      hall:
        polygon:
          - [0.1, 0.1]
          - [0.9, 0.1]
          - [0.5, 0.9]
  # another one
  side: {source: b.mp4}
"""
KEPT = ("# two", "# three", "# zones come here", "# another one")


@pytest.mark.parametrize(
    ("edit", "kept"),
    [
        (RuleEdit("lines", "door", {"in": None}), KEPT),
        (RuleEdit("lines", "door", {"a": None, "b": None, "points": [[0, 0], [1, 1]]}), KEPT),
        (RuleEdit("lines", "door", None), KEPT),
        (RuleEdit("lines", "back", None), KEPT[1:]),
        (RuleEdit("lines", "yard", None), (KEPT[0], *KEPT[2:])),
        (RuleEdit("lines", "yard", {"points": [[0.1, 0.2], [0.4, 0.3]]}), (*KEPT, "# end of yard")),
        (RuleEdit("zones", "hall", {"polygon": [[0, 0], [1, 0], [0, 1]]}), KEPT),
        (RuleEdit("zones", "hall", None), KEPT[:2] + KEPT[3:]),
    ],
)
def test_comments_of_what_follows_stay(edit, kept):
    changed = edited(COMMENTED, "c.yaml", "gate", [edit])
    assert [text for text in kept if text not in changed] == []
    order = [changed.index(text) for text in (*kept, "side:")]
    if "# end of yard" not in kept:
        assert order == sorted(order), changed
    assert edited(changed, "c.yaml", "gate", []) == changed
