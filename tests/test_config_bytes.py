"""Of a config whose rules are changed, every byte outside these rules stays: tried at random."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.document import parse
from edge.config.edit import RuleEdit, edited

# Each is a section of the file, in all the ways that YAML has and ruamel or PyYAML would unify.
SECTIONS = (
    "device_id: 012   # not ten\n",
    "web:   {listen: '127.0.0.1:8080'   ,   token: \"${T}\"}\n",
    "x: .5\ny: ~\nz: null\nempty:\nhex: 0x1F\noctal: 0o17\nminutes: 12:30\nday: 2026-01-01\n",
    "text: >\n  folded\n  more\n\n\nliteral: |2-\n    # no comment\n  lines\n\n",
    "list:\n- one   # first\n# between\n- two\n\n",
    "wide: [person, car,\n  truck,  # last\n]\n",
    "sinks:\n    f: {type: file,\n        path: x.jsonl}   # four\n",
    "quoted: 'it''s' # yes\n\"a: b\": \"\\u00e4\" \n",
    "# only a comment\n\n\n   # and another\n",
    "twice: &one {a: 1}\nagain: *one\n",
)
NAMES = ("door", "north gate", "1", "on", "null", "Tür", "a.b")
TEXTS = ("Into the shop", "On", "12:30", "a: b, c", "x\ny", "ä", "")
COMMENTS = ("", "  # left", "   #: {['\"")
number = st.sampled_from(["0", "1", ".5", "0.10", "5e-1", "0.123456789", "0.25", "1.0"])
share = st.floats(0, 1).map(lambda x: round(x, 4))
point = st.lists(share, min_size=2, max_size=2)


@st.composite
def point_text(draw) -> str:
    x, y = draw(number), draw(number)
    return draw(st.sampled_from([f"[{x}, {y}]", f"[ {x},{y} ]", f"[{x},  {y},]"]))


@st.composite
def points_text(draw, column: int) -> str:
    """A list of points after its key: in one line, over several, or as a block."""
    points = draw(st.lists(point_text(), min_size=2, max_size=5))
    style, pad = draw(st.integers(0, 3)), " " * column
    end = draw(st.sampled_from(COMMENTS))
    if style == 0:
        return f" [{', '.join(points)}]{end}\n"
    if style == 1:
        inner = "".join(f"{pad}  {p},{draw(st.sampled_from(COMMENTS))}\n" for p in points)
        return f" [\n{inner}{pad}]{end}\n"
    dashed = pad + (style == 2) * "  "
    text = f"{end}\n"
    for p in points:
        text += draw(st.sampled_from(["", f"{dashed}# above\n"]))
        text += f"{dashed}- {p}{draw(st.sampled_from(COMMENTS))}\n"
    return text + draw(st.sampled_from(["", f"{dashed} # below\n"]))


@st.composite
def rule_text(draw, name: str, column: int) -> str:
    """A line with `points`, as an entry of `lines`."""
    pad, eol = " " * column, draw(st.sampled_from(COMMENTS))
    key = draw(st.sampled_from([name, f"'{name}'", f'"{name}"']))
    if draw(st.booleans()):
        points = ", ".join(draw(st.lists(point_text(), min_size=2, max_size=4)))
        more = draw(st.sampled_from(["", ", in: a b", f",\n{pad}  out: 'x'", ", classes: [car]"]))
        return f"{pad}{key}: {{points: [{points}]{more}}}{eol}\n"
    step = " " * draw(st.integers(1, 4))
    inner = pad + step
    entries = [f"{inner}points:{draw(points_text(len(inner)))}"]
    entries += [
        f"{inner}{text}{draw(st.sampled_from(COMMENTS))}\n"
        for text in ("in: Into", f"note: a\n{inner}  b", "classes: [car, 'on']")
        if draw(st.booleans())
    ]
    entries += [f"{inner}out: |-\n{inner}  Out\n"] * draw(st.booleans())
    above = draw(st.sampled_from(["", f"{inner}# inside\n"]))
    return f"{pad}{key}:{eol}\n{above}{''.join(draw(st.permutations(entries)))}"


@st.composite
def config_text(draw) -> tuple[str, dict[str, str], str]:
    """What stands before the lines of the camera `gate`, each of them by name, and what after."""
    step = draw(st.sampled_from([2, 3, 4]))
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    before, after = (
        draw(st.lists(st.sampled_from(part), unique=True, max_size=3))
        for part in (SECTIONS[:5], SECTIONS[5:])
    )
    pad = [" " * step * k for k in range(4)]
    head = "".join(before) + f"cameras: # all\n{pad[1]}gate:\n{pad[2]}source:   a.mp4  # it\n"
    head += f"{pad[2]}lines:{draw(st.sampled_from(COMMENTS))}\n"
    rules = {}
    for name in names:
        above = draw(st.sampled_from(["", f"{pad[3]}# about it\n", "\n\n"]))
        rules[name] = above + draw(rule_text(name, len(pad[3])))
    tail = draw(st.sampled_from(["", "\n", f"{pad[2]}# zones: none\n{pad[2]}zones: {{}} # yet\n"]))
    tail += f"{pad[1]}yard: {{source: b.mp4}}\n" + "".join(after)
    return head, rules, tail


@st.composite
def texts(draw) -> dict:
    """What becomes of the names of the ways and the classes of a rule."""
    kinds = {"in": st.sampled_from(TEXTS), "out": st.none(), "classes": st.just(["car", "On"])}
    return {key: draw(kind) for key, kind in kinds.items() if draw(st.booleans())}


def split(text: str, head: str, tail: str) -> str:
    assert text.startswith(head)
    assert text.endswith(tail)
    return text[len(head) : len(text) - len(tail)]


def rules_of(text: str) -> dict:
    return parse(text, "c.yaml").data["cameras"]["gate"].get("lines", {})


def comments(text: str) -> list[str]:
    return sorted(re.findall(r"#[^\r\n]*", text))


def around(parts, name: str, newline: str) -> tuple[str, str, str]:
    """The text before a rule, the rule, and the text after it."""
    head, rules, tail = parts
    names = list(rules)
    at = names.index(name)
    texts = (
        head + "".join(rules[each] for each in names[:at]),
        rules[name],
        "".join(rules[each] for each in names[at + 1 :]) + tail,
    )
    before, its, after = (text.replace("\n", newline) for text in texts)
    return before, its, after


newlines = st.sampled_from(["\n", "\n", "\r\n"])


@given(st.data(), config_text(), newlines)
def test_points_are_moved_and_all_else_stays(data, parts, newline):
    name = data.draw(st.sampled_from(list(parts[1])))
    before, its, after = around(parts, name, newline)
    rules = rules_of(before + its + after)
    points = list(rules[name]["points"])
    for k in data.draw(st.sets(st.integers(0, len(points) - 1), min_size=1)):
        points[k] = data.draw(point)
    edit = RuleEdit("lines", name, {"points": tuple(map(tuple, points))})
    text = edited(before + its + after, "c.yaml", "gate", [edit])
    changed = split(text, before, after)
    assert rules_of(text) == {**rules, name: {**rules[name], "points": points}}
    assert comments(changed) == comments(its)
    assert re.sub(r"[\d.e-]+", "", changed) == re.sub(r"[\d.e-]+", "", its), "numbers alone change"


@given(st.data(), config_text(), newlines)
def test_a_rule_is_changed_and_the_others_stay(data, parts, newline):
    name = data.draw(st.sampled_from(list(parts[1])))
    before, its, after = around(parts, name, newline)
    rules = rules_of(before + its + after)
    values = data.draw(texts())
    points = list(rules[name]["points"])
    at = data.draw(st.integers(0, len(points)))
    is_shorter = at < len(points) and data.draw(st.booleans())
    points[at : at + is_shorter] = [] if is_shorter else data.draw(st.lists(point, max_size=2))
    free = [each for each in (*NAMES, "new") if each not in rules]
    called = data.draw(st.sampled_from([name, *free]))
    if points:
        values["points"] = points
    edit = RuleEdit("lines", called, values, name if called != name else None)
    text = edited(before + its + after, "c.yaml", "gate", [edit])
    changed = split(text, before, after)
    if not is_shorter:
        assert comments(changed) == comments(its)
    wanted = {key: value for key, value in (rules[name] | values).items() if value is not None}
    assert rules_of(text)[called] == wanted
    assert edited(text, "c.yaml", "gate", []) == text


@given(st.data(), config_text(), newlines)
def test_a_rule_goes_and_the_others_stay(data, parts, newline):
    name = data.draw(st.sampled_from(list(parts[1])))
    before, its, after = around(parts, name, newline)
    text = edited(before + its + after, "c.yaml", "gate", [RuleEdit("lines", name, None)])
    assert name not in rules_of(text)
    if len(parts[1]) > 1:
        assert split(text, before, after).strip() in ("", "# about it"), "a comment above it stays"
    assert text.endswith(after)


@given(st.data(), config_text(), newlines, st.booleans())
def test_a_new_rule_stands_below_the_others(data, parts, newline, is_zone):
    head, rules, tail = parts
    kind = "zones" if is_zone else "lines"
    key = "polygon" if is_zone else "points"
    points = data.draw(st.lists(point, min_size=3, max_size=4))
    values = {key: points} | data.draw(texts())
    before = (head + "".join(rules.values())).replace("\n", newline)
    after = tail.replace("\n", newline)
    text = edited(before + after, "c.yaml", "gate", [RuleEdit(kind, "new", values)])
    assert text.startswith(before)
    camera = parse(text, "c.yaml").data["cameras"]["gate"]
    assert camera[kind]["new"] == {k: v for k, v in values.items() if v is not None}
    if not is_zone or "zones" not in tail:
        added = split(text, before, after)
        assert comments(added) == []


@given(st.data(), config_text())
def test_names_go_round(data, parts):
    head, rules, tail = parts
    text = head + "".join(rules.values()) + tail
    names = list(rules)
    others = data.draw(st.permutations(names))
    edits = [RuleEdit("lines", f"{name} (renamed)", {}, name) for name in names]
    edits += [
        RuleEdit("lines", other, {}, f"{name} (renamed)")
        for name, other in zip(names, others, strict=True)
    ]
    changed = edited(text, "c.yaml", "gate", edits)
    was = rules_of(text)
    assert rules_of(changed) == {o: was[n] for n, o in zip(names, others, strict=True)}
    split(changed, head, tail)
    back = [RuleEdit(e.kind, e.renamed_from, {}, e.name) for e in reversed(edits)]
    assert rules_of(edited(changed, "c.yaml", "gate", back)) == was


@pytest.mark.parametrize("end", ["", "\n", "\n...\n", "\n\n# end"])
@pytest.mark.parametrize("begin", ["", "\ufeff", "---\n", "%YAML 1.1\n---\n", "# top\n\n"])
def test_begin_and_end_of_the_file_stay(begin, end):
    text = (
        begin
        + "cameras:\n  gate:\n    source: a.mp4\n    lines:\n      door: {points: [[0, 0], [1, 1]]}"
    )
    for edit in (
        RuleEdit("lines", "door", {"points": [[0, 0], [1, 0.5]]}),
        RuleEdit("lines", "new", {"points": [[0, 0], [1, 0.5]]}),
        RuleEdit("zones", "new", {"polygon": [[0, 0], [1, 0.5], [1, 1]]}),
        RuleEdit("lines", "door", None),
    ):
        changed = edited(text + end, "c.yaml", "gate", [edit])
        assert changed.startswith(begin + "cameras:\n  gate:\n")
        assert changed.endswith(end)
        assert changed != text + end
