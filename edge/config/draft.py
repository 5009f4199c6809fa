"""Rules as somebody draws them: read strictly, put in a camera, turned into edits of its config."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from edge.config.edit import RuleEdit
from edge.config.messages import dotted, problems_of
from edge.config.rules import Camera, Line, Zone
from edge.config.section import Section
from edge.config.values import Point
from edge.errors import ConfigError

MOST_RULES = 100  # of a camera
MOST_POINTS = 64  # of a rule
ZONE_NUMBERS = {"dwell_s", "overcrowded"}
Kind = Literal["lines", "zones"]
_Text = Annotated[str, Field(max_length=200)]


class RuleDraft(Section):
    """One line or zone; `was` is its name in the config, None for a new one."""

    kind: Kind
    name: _Text
    was: _Text | None = None
    points: Annotated[tuple[Point, ...], Field(strict=False, max_length=MOST_POINTS)]
    classes: Annotated[tuple[_Text, ...], Field(strict=False, max_length=1000)] | None = None
    in_name: _Text | None = Field(default=None, alias="in")
    out_name: _Text | None = Field(default=None, alias="out")
    # Of zones; left out, they stay as they are.
    dwell_s: float | None = None
    overcrowded: float | None = None  # a whole number, which the camera is to find


class Draft(Section):
    """All rules of a camera, in order."""

    rules: Annotated[tuple[RuleDraft, ...], Field(strict=False, max_length=MOST_RULES)]


def read_draft(data: object) -> Draft:
    """The draft in what a browser sent.

    Raises:
        ConfigError: it is none.

    >>> line = {"kind": "lines", "name": "door", "points": [[0.1, 0.5], [0.9, 0.5]]}
    >>> read_draft({"rules": [line]}).rules[0].points
    ((0.1, 0.5), (0.9, 0.5))
    """
    try:
        draft = Draft.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = dotted(first["loc"]) or "draft"
        raise ConfigError(f"{where}: {first['msg'].lower()}") from error
    known = Counter((rule.kind, rule.was) for rule in draft.rules if rule.was is not None)
    for (kind, was), times in known.items():
        if times > 1:
            raise ConfigError(f"rules: expected the {kind[:-1]} '{was}' once, got it {times} times")
    return draft


def with_draft(camera: Camera, draft: Draft) -> tuple[Camera | None, list[tuple[int | None, str]]]:
    """A camera with these rules instead of its own, or what is wrong with them.

    Args:
        camera: its other keys are kept, and those of its rules that a draft does not know.
        draft: the rules.

    Returns:
        The camera, None if a rule is wrong; and the problems: number of the rule, None
        if it is of none, and a sentence.
    """
    at: dict[tuple[str, str], int] = {}
    found: dict[str, dict[str, Any]] = {"lines": {}, "zones": {}}
    problems: list[tuple[int | None, str]] = []
    for k, rule in enumerate(_matched(camera, draft)):
        if rule.name in found["lines"] or rule.name in found["zones"]:
            problems.append((k, f"expected a name that no other rule has, got '{rule.name}'"))
            continue
        at[rule.kind, rule.name] = k
        old = _old(camera, rule)
        kept = {} if old is None else old.model_dump(by_alias=True, exclude_none=True)
        found[rule.kind][rule.name] = _without_none(kept | _values(rule, old))
    data = camera.model_dump(by_alias=True, exclude={"lines", "zones"}) | found
    try:
        drawn = Camera.model_validate(data)
    except ValidationError as error:
        for key, text in problems_of(error, Camera):
            place = at.get((str(key[0]), str(key[1]))) if len(key) > 1 else None
            what = f"{key[-1]}: " if key[-1] in ZONE_NUMBERS else ""
            problems.append((place, what + text.removeprefix(f"{dotted(key)}: ")))
        return None, list(dict.fromkeys(problems))
    return (None if problems else drawn), problems


def edits_of(camera: Camera, draft: Draft) -> list[RuleEdit]:
    """What must change in the config for a camera to have these rules, in a possible order.

    >>> door = {"a": [0.1, 0.5], "b": [0.9, 0.5]}
    >>> camera = Camera.model_validate({"source": "a.mp4", "lines": {"door": door}})
    >>> line = {"kind": "lines", "name": "gate", "was": "door", "points": [[0.1, 0.5], [0.9, 0.6]]}
    >>> edits_of(camera, read_draft({"rules": [line]}))
    [RuleEdit(kind='lines', name='gate', values={'b': (0.9, 0.6)}, renamed_from='door')]
    """
    return [*_edits("lines", camera, draft), *_edits("zones", camera, draft)]


def _edits(kind: Kind, camera: Camera, draft: Draft) -> Iterator[RuleEdit]:
    drawn = [rule for rule in _matched(camera, draft) if rule.kind == kind]
    before = set(camera.lines if kind == "lines" else camera.zones)
    gone = before - {rule.was for rule in drawn}
    renamed = {rule.was: rule.name for rule in drawn if rule.was in before}
    renamed = {was: name for was, name in renamed.items() if was != name}
    in_the_way = gone & set(renamed.values())
    for name in sorted(in_the_way):
        yield RuleEdit(kind, name, None)
    places: dict[str | None, str] = {}  # where a rule is for a moment, by its name before
    if set(renamed.values()) & renamed.keys():  # names go round, or one takes another's
        for was in renamed:
            places[was] = f"{was} (renamed)"
            yield RuleEdit(kind, places[was], {}, was)
    # New ones come last: their names are free then.
    for rule in sorted(drawn, key=lambda rule: _old(camera, rule) is None):
        old = _old(camera, rule)
        values = _changed(rule, old)
        place = None if old is None else places.get(rule.was, rule.was)
        place = None if place == rule.name else place
        if old is None or values or place is not None:
            yield RuleEdit(kind, rule.name, values, place)
    for name in sorted(gone - in_the_way):  # last: a section that is empty in between would go
        yield RuleEdit(kind, name, None)


def _matched(camera: Camera, draft: Draft) -> list[RuleDraft]:
    """The rules; one that was deleted and drawn anew under its name is the same one, moved."""
    kept = {(rule.kind, rule.was) for rule in draft.rules}
    return [
        rule
        if _old(camera, rule) is not None or (rule.kind, rule.name) in kept
        else rule.model_copy(update={"was": rule.name})
        for rule in draft.rules
    ]


def _old(camera: Camera, rule: RuleDraft) -> Line | Zone | None:
    rules: Mapping[str, Line | Zone] = camera.lines if rule.kind == "lines" else camera.zones
    return None if rule.was is None else rules.get(rule.was)


def _values(rule: RuleDraft, old: Line | Zone | None) -> dict[str, Any]:
    """Keys of the config; None: it has none. A line that is written as `points` stays so."""
    if rule.kind == "zones":
        given = {key: getattr(rule, key) for key in ZONE_NUMBERS & rule.model_fields_set}
        return {"polygon": rule.points, "classes": rule.classes or None} | {
            key: int(value) if value is not None and value.is_integer() else value
            for key, value in sorted(given.items())
        }
    is_bent = len(rule.points) != 2 or (isinstance(old, Line) and old.points is not None)
    a, b = (None, None) if is_bent else rule.points
    return {
        "a": a,
        "b": b,
        "points": rule.points if is_bent else None,
        "in": rule.in_name or None,
        "out": rule.out_name or None,
        "classes": rule.classes or None,
    }


def _changed(rule: RuleDraft, old: Line | Zone | None) -> dict[str, Any]:
    values = _values(rule, old)
    if old is None:
        return _without_none(values)
    had = old.model_dump(by_alias=True)
    return {key: value for key, value in values.items() if had[key] != value}


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
