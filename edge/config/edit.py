"""Change rules in the text of a config; every byte that is of no changed rule stays as it was."""

from __future__ import annotations

import copy
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edge.config.document import parse
from edge.config.patch import patched
from edge.errors import ConfigError

DIGITS = 4  # of a share of the frame: a tenth of a pixel at 1080p


@dataclass(frozen=True, slots=True)
class RuleEdit:
    """One rule as it is to be.

    Attributes:
        kind: the section that it stands in.
        name: its name.
        values: keys as the config has them; a value of None takes the key away, and keys that
            are not given stay. None: the rule goes.
        renamed_from: its name until now, if that changes.
    """

    kind: Literal["lines", "zones"]
    name: str
    values: Mapping[str, Any] | None
    renamed_from: str | None = None


def edited(text: str, where: str, camera: str, edits: Sequence[RuleEdit]) -> str:
    r"""The text of a config with some rules of one camera changed.

    Bytes that are of no changed rule stay, and of a changed one those of what does not change.
    What comes out is read again and compared with what was meant; the values themselves are not
    checked: `load` does that.

    Args:
        text: YAML.
        where: its path, for messages.
        camera: name of a camera that it has.
        edits: what is to change, in order.

    Raises:
        ConfigError: no such camera or rule, or a text that cannot be changed safely.

    >>> text = "cameras:\n  gate:  # the old one\n    source: a.mp4\n"
    >>> line = RuleEdit("lines", "door", {"a": [0.1, 0.5], "b": [0.9, 0.5]})
    >>> print(edited(text, "site.yaml", "gate", [line]))
    cameras:
      gate:  # the old one
        source: a.mp4
        lines:
          door:
            a: [0.1, 0.5]
            b: [0.9, 0.5]
    <BLANKLINE>
    """
    before = parse(text, where).data
    found = before.get("cameras", {}) if isinstance(before, dict) else {}
    section = found.get(camera) if isinstance(found, dict) else None
    if not isinstance(section, dict):
        raise ConfigError(f"{where}: expected a camera '{camera}', got none of that name")
    wanted: Any = copy.deepcopy(before)
    names = {(kind, name): name for kind in ("lines", "zones") for name in section.get(kind) or {}}
    now: dict[tuple[str, str], str | None] = dict(names)  # by kind and name until now
    for edit in edits:
        _apply(wanted["cameras"][camera], edit, where)
        _follow(now, edit)
    renamed: dict[tuple[str, ...], str | None] = {
        ("cameras", camera, *key): name for key, name in now.items() if name != names[key]
    }
    try:
        changed = patched(text, before, wanted, renamed)
        is_meant = parse(changed, where).data == wanted
    except (ConfigError, LookupError, ValueError):  # it cannot be read, or not be found in the text
        is_meant = False
    if not is_meant:
        raise ConfigError(
            f"{where}: expected a config whose rules can be changed here, got one that anchors or "
            "other means tie together; change it in an editor"
        )
    return changed


def _apply(section: MutableMapping[str, Any], edit: RuleEdit, where: str) -> None:
    """Change one rule of a camera."""
    rules = section.setdefault(edit.kind, {})
    if rules is None:
        rules = section[edit.kind] = {}
    before = edit.renamed_from or edit.name
    if edit.values is None:
        if before not in rules:
            raise ConfigError(f"{where}: expected a rule '{before}' in {edit.kind}, got none")
        del rules[before]
        if not rules:
            del section[edit.kind]
        return
    if before != edit.name:
        if before not in rules or edit.name in rules:
            got = f"'{edit.name}' twice" if edit.name in rules else "none"
            raise ConfigError(
                f"{where}: expected a rule '{before}' to call '{edit.name}', got {got}"
            )
        rules[edit.name] = rules.pop(before)
    rule = rules.setdefault(edit.name, {})
    for key, value in edit.values.items():
        if value is None:
            rule.pop(key, None)
        else:
            rule[key] = _rounded(value, rule.get(key))


def _follow(now: dict[tuple[str, str], str | None], edit: RuleEdit) -> None:
    """Note what becomes of the rule that an edit changes, if it was there before all of them."""
    for (kind, was), name in now.items():
        if kind == edit.kind and name == (edit.renamed_from or edit.name):
            now[kind, was] = None if edit.values is None else edit.name
            return


def _rounded(value: Any, before: Any) -> Any:
    """A value as it is written: shares of the frame with few digits, unless they were there."""
    if value == before:
        return before
    if isinstance(value, float):
        return round(value, DIGITS)
    if not isinstance(value, (list, tuple)):
        return value
    known = before if isinstance(before, list) else []
    listed = [list(each) if isinstance(each, tuple) else each for each in value]
    return [each if each in known else _rounded(each, None) for each in listed]
