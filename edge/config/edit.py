"""Change rules in the text of a config; comments, order and all else stay as they were."""

from __future__ import annotations

import io
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import CommentMark, YAMLError
from ruamel.yaml.tokens import CommentToken

from edge.config.document import parse
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
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1 << 20  # never fold a line
    yaml.indent(mapping=2, sequence=4, offset=2)
    try:
        document = yaml.load(text)
    except (YAMLError, ValueError) as error:
        raise ConfigError(f"{where}: expected YAML, got {' '.join(str(error).split())}") from error
    wanted = parse(text, where).data
    for data in (document, wanted):
        found = data.get("cameras", {}) if isinstance(data, dict) else {}
        section = found.get(camera) if isinstance(found, dict) else None
        if not isinstance(section, dict):
            raise ConfigError(f"{where}: expected a camera '{camera}', got none of that name")
        for edit in edits:
            _apply(section, edit, where)
    stream = io.StringIO()
    yaml.dump(document, stream)
    changed = stream.getvalue()
    if parse(changed, where).data != wanted:
        raise ConfigError(
            f"{where}: expected a config whose rules can be changed here, got one that anchors or "
            "other means tie together; change it in an editor"
        )
    return changed


def _apply(section: MutableMapping[str, Any], edit: RuleEdit, where: str) -> None:
    """Change one rule of a camera; plain dicts stay plain, those with comments keep them."""
    like = type(section)
    rules = section.get(edit.kind)
    if rules is None:
        rules = section[edit.kind] = like()
    before = edit.renamed_from or edit.name
    if edit.values is None:
        if before not in rules:
            raise ConfigError(f"{where}: expected a rule '{before}' in {edit.kind}, got none")
        if len(rules) > 1:
            _remove(rules, before)
        else:
            _remove(section, edit.kind)
        return
    if before != edit.name:
        _rename(rules, before, edit.name, where)
    rule = rules.get(edit.name)
    if rule is None:
        rule = rules[edit.name] = like()
    _change(rule, edit.values)


def _change(rule: MutableMapping[str, Any], values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if value is not None:
            below = _below(rule.get(key))
            rule[key] = _written(value, commented=isinstance(rule, CommentedMap))
            _append(rule, key, below)
    for key, value in values.items():  # now, or a rule might be without keys for a moment
        if value is None and key in rule:
            _remove(rule, key)


def _remove(mapping: MutableMapping[str, Any], key: str) -> None:
    """Take a key away; whole lines of comment below its value belong to what follows, and stay."""
    keys = list(mapping)
    at, below = keys.index(key), _below(mapping[key])
    if isinstance(mapping, CommentedMap):
        below += _lines_after(mapping.ca.items.pop(key, None), 2)
    del mapping[key]
    lines = [line.strip() for line in below.splitlines() if line.strip()]
    if not lines or not isinstance(mapping, CommentedMap):
        return
    if at + 1 < len(keys):
        following = keys[at + 1]
        places = mapping.lc.data or {}
        column = CommentMark(places.get(following, next(iter(places.values()), (0, 0)))[1])
        comments = mapping.ca.items.setdefault(following, [None, None, None, None])
        tokens = [CommentToken(f"{line}\n", column) for line in lines]
        comments[1] = tokens + (comments[1] or [])
    elif at > 0:
        _append(mapping, keys[at - 1], below)


def _below(value: Any) -> str:
    """Whole lines of comment that ruamel keeps with the last entry of a list or mapping."""
    if not isinstance(value, (CommentedMap, CommentedSeq)) or not value:
        return ""
    is_map = isinstance(value, CommentedMap)
    last = list(value)[-1] if is_map else len(value) - 1
    inner = _below(value[last]) + _lines_after(value.ca.items.get(last), 2 if is_map else 0)
    ends = (token for token in value.ca.end if isinstance(token, CommentToken))
    return inner + "".join(" " * token.start_mark.column + token.value for token in ends)


def _lines_after(comments: Any, at: int) -> str:
    token = comments[at] if comments else None
    return token.value.partition("\n")[2] if isinstance(token, CommentToken) else ""


def _append(mapping: Any, key: Any, below: str) -> None:
    """Put lines of comment below the value of a key."""
    if not below.strip() or not isinstance(mapping, CommentedMap):
        return
    value = mapping[key]
    if isinstance(value, CommentedMap) and value and not value.fa.flow_style():
        _append(value, list(value)[-1], below)
        return
    comments = mapping.ca.items.setdefault(key, [None, None, None, None])
    before = comments[2].value if isinstance(comments[2], CommentToken) else "\n"
    comments[2] = CommentToken(before.rstrip("\n") + "\n" + below, CommentMark(0))


def _rename(rules: MutableMapping[str, Any], before: str, name: str, where: str) -> None:
    """Give a rule another name, at its place."""
    if before not in rules or name in rules:
        got = f"'{name}' twice" if name in rules else "none"
        raise ConfigError(f"{where}: expected a rule '{before}' to call '{name}', got {got}")
    rule = rules[before]
    if isinstance(rules, CommentedMap):
        comments = rules.ca.items.pop(before, None)
        rules.insert(list(rules).index(before), name, rule)
        if comments is not None:
            rules.ca.items[name] = comments
        del rules[before]
    else:
        del rules[before]
        rules[name] = rule


def _written(value: Any, commented: bool) -> Any:
    """A value as it is written: points in one line, shares of the frame with few digits."""
    if isinstance(value, float):
        return round(value, DIGITS)
    if not isinstance(value, (list, tuple)):
        return value
    items = [_written(each, commented) for each in value]
    if not commented:
        return items
    sequence = CommentedSeq(items)
    sequence.fa.set_flow_style()
    return sequence
