"""A YAML text changed so that it says something else: what stays the same keeps its bytes.

Imports PyYAML only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from edge.config.nodes import Node, tree

Path = tuple[str, ...]
BOM = "\ufeff"
_COMMENT = re.compile(r"(?:^|(?<=\s))#[^\r\n]*", re.MULTILINE)
_WIDE = 1 << 20  # never fold a line


def patched(text: str, before: Any, after: Any, renamed: Mapping[Path, str | None]) -> str:
    r"""A text that says `after` instead of `before`.

    Only what differs is written anew: a number of a list, a value, a key. What is taken away goes
    with its lines; comments of values other than mappings stay, in lines of their own. What comes
    new stands at the end of its mapping, or in the place of what goes.

    The result should be read again: texts that anchors tie together may say something else.

    Args:
        text: one document.
        before: what it says, as `edge.config.document` reads it.
        after: what it is to say; of mappings, lists and plain values.
        renamed: by the path of a key in `before`, its name in `after`; None: it goes, even if
            `after` has its name, which is a new one then.

    >>> text = "# Site\na:   {x: [.5, 1.0],  # west\n      y: no}\n"
    >>> after = {"a": {"x": [0.5, 0.25], "y": "no", "z": "On"}}
    >>> print(patched(text, {"a": {"x": [0.5, 1.0], "y": False}}, after, {}))
    # Site
    a:   {x: [.5, 0.25],  # west
          y: 'no', z: 'On'}
    <BLANKLINE>
    """
    if text.startswith(BOM):
        return BOM + patched(text.removeprefix(BOM), before, after, renamed)
    newline = "\r\n" if "\r\n" in text else "\n"
    is_ended = text.endswith("\n")
    patch = _Patch(text if is_ended else text + newline, newline, renamed)
    patch.value(patch.root, before, after)
    changed = patch.spliced()
    return changed if is_ended else changed.removesuffix(newline)


def written(value: Any) -> str:
    """A value in one line, as it is read back: a text that looks like another type is quoted.

    >>> written({"in": "Off", "at": [0.5, 1], "12:30": "a: b"})
    "{in: 'Off', at: [0.5, 1], '12:30': 'a: b'}"
    """
    dumped = yaml.dump(
        [value],
        Dumper=_Dumper,
        default_flow_style=True,
        sort_keys=False,
        allow_unicode=True,
        width=_WIDE,
    )
    return str(dumped).strip()[1:-1]


class _Dumper(yaml.SafeDumper):
    """Writes every value out, and in one line."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def text(self, text: str) -> yaml.ScalarNode:
        style = None if text.splitlines() == [text] else '"'  # or it goes over several lines
        return self.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _Dumper.text)


class _Patch:
    """Collects what is to be cut out of a text and put in."""

    def __init__(self, text: str, newline: str, renamed: Mapping[Path, str | None]) -> None:
        self.root = tree(text)
        self._text = text
        self._newline = newline
        self._renamed = renamed
        self._splices: list[tuple[int, int, str]] = []
        inner = (each.keys[0] for each in self.root.values if each.keys and not each.is_flow)
        deep = next(inner, None)
        self._step = 2 if deep is None else self._column(deep) - self._column(self.root.keys[0])

    def spliced(self) -> str:
        """The text with all changes; of those at one place, inner ones were told first."""
        parts, at = [], 0
        for start, end, new in sorted(self._splices, key=lambda splice: splice[:2]):
            parts += [self._text[at:start], new]
            at = end
        return "".join(parts) + self._text[at:]

    def value(
        self,
        node: Node,
        before: Any,
        after: Any,
        path: Path = (),
        key: Node | None = None,  # whose value it is, if that is an entry of a block
    ) -> None:
        """Have a value say something else."""
        if before == after:
            return
        if node.keys and isinstance(after, Mapping) and after:
            self._mapping(node, before, after, path)
        elif node.values and not node.keys and isinstance(after, (list, tuple)) and after:
            self._list(node, before, after)
        elif key is not None and isinstance(after, Mapping) and after:
            self._cut(self._colon(key), node.end)
            column = self._column(key)
            self._put(self._below(node, column), self._block(after, column + self._step))
        else:
            self._rewrite(node, after, key)

    def _rewrite(self, node: Node, after: Any, key: Node | None) -> None:
        """Write a value anew, in one line; comments in it stay, above it."""
        start = node.start
        if key is not None:
            start = node.start if node.is_flow else self._colon(key)
            comments = self._comments(node, start, node.end)
            self._put(self._line(key.start), self._lines(comments, self._column(key)))
        is_glued = self._text[start - 1] == ":"  # there was none, or it began in the next line
        self._splices.append((start, node.end, " " * is_glued + written(after)))

    def _mapping(
        self, node: Node, before: Mapping[str, Any], after: Mapping[str, Any], path: Path
    ) -> None:
        gone: list[int] = []
        kept: set[str] = set()
        for k, (key, value) in enumerate(zip(node.keys, node.values, strict=True)):
            name = self._renamed.get((*path, key.text), key.text)
            if name is None or name not in after:
                gone += [k] if key.text in before else []
            elif name not in kept:
                kept.add(name)
                if name != key.text:
                    self._splices.append((key.start, key.end, written(name)))
                its = (*path, key.text)
                self.value(value, before[key.text], after[name], its, None if node.is_flow else key)
        fresh = [name for name in after if name not in kept]
        if node.is_flow:
            while gone and fresh:
                self._exchange(node, gone.pop(0), fresh[0], after[fresh.pop(0)])
            self._drop(node, gone)
            self._append(node, [f"{written(name)}: {written(after[name])}" for name in fresh])
            return
        column = self._column(node.keys[0])
        flat = [k for k in gone if not isinstance(before[node.keys[k].text], Mapping)]
        for name in [name for name in fresh if not isinstance(after[name], Mapping)][: len(flat)]:
            gone.remove(flat[0])
            fresh.remove(name)
            self._exchange(node, flat.pop(0), name, after[name])
        for k in gone:
            self._remove(node.keys[k], node.values[k], before[node.keys[k].text])
        added = self._block({name: after[name] for name in fresh}, column)
        self._put(self._below(node.values[-1], column), added)

    def _list(self, node: Node, before: Sequence[Any], after: Sequence[Any]) -> None:
        """Change what differs; what is more or less is so between the same begin and end."""
        least = min(len(before), len(after))
        begin = next((k for k in range(least) if before[k] != after[k]), least)
        end = next(
            (k for k in range(least - begin) if before[-1 - k] != after[-1 - k]), least - begin
        )
        pairs = least - end
        for k in range(begin, pairs):
            self.value(node.values[k], before[k], after[k])
        gone = list(range(pairs, len(before) - end))
        fresh = [written(each) for each in after[pairs : len(after) - end]]
        if node.is_flow:
            self._drop(node, gone)
            self._append(node, fresh, pairs)
            return
        dashes = [self._text.rfind("-", 0, each.start) for each in node.values]
        column = self._column_at(dashes[0])
        for k in gone:
            self._cut(self._line(dashes[k]), self._below(node.values[k], column))
        at = self._below(node.values[pairs - 1], column) if pairs else self._line(dashes[0])
        self._put(at, self._lines([f"- {each}" for each in fresh], column))

    def _remove(self, key: Node, value: Node, before: Any) -> None:
        """Take an entry of a block away, with the comments that stand deeper below it."""
        column, start = self._column(key), self._line(key.start)
        end = self._below(value, column)
        if not isinstance(before, Mapping):
            comments = self._comments(value, key.end, end)
            self._splices.append((start, end, self._lines(comments, column)))
        elif value.is_flow or not any(isinstance(each, Mapping) for each in before.values()):
            self._cut(start, end)
        else:  # what stands between its parts stays
            self._cut(start, self._line(key.end, is_after=True))
            for inner, its in zip(value.keys, value.values, strict=True):
                self._remove(inner, its, before[inner.text])

    def _exchange(self, node: Node, k: int, name: str, value: Any) -> None:
        """Put another entry, in one line, in the place of one."""
        key = node.keys[k]
        self._splices.append((key.start, key.end, written(name)))
        self._rewrite(node.values[k], value, None if node.is_flow else key)

    def _drop(self, node: Node, gone: Sequence[int]) -> None:
        """Take entries out of brackets or braces."""
        spans = node.spans
        for k in gone:
            if k - 1 in gone:
                continue
            last = k
            while last + 1 in gone:
                last += 1
            start, end = spans[k][0], spans[last][1]
            if last + 1 < len(spans):
                self._cut(start, spans[last + 1][0])
            elif k and "\n" not in self._text[spans[k - 1][1] : start]:
                self._cut(spans[k - 1][1], end)
            else:
                comma = re.compile(r"\s*,").match(self._text, end)
                self._cut(start, comma.end() if comma else end)

    def _append(self, node: Node, fresh: Sequence[str], k: int | None = None) -> None:
        """Put entries into brackets or braces: before entry `k`, or at the end."""
        spans = node.spans
        text = ", ".join(fresh)
        if not fresh:
            return
        if not spans:
            self._put(node.end - 1, text)
        elif k == 0:
            self._put(spans[0][0], f"{text}, ")
        else:
            self._put(spans[-1 if k is None else k - 1][1], f", {text}")

    def _block(self, entries: Mapping[str, Any], column: int) -> str:
        """Entries, a line each; mappings over several lines."""
        lines = []
        for name, value in entries.items():
            is_deep = isinstance(value, Mapping) and bool(value)
            lines.append(" " * column + written(name) + (":" if is_deep else f": {written(value)}"))
            if is_deep:
                lines.append(self._block(value, column + self._step).removesuffix(self._newline))
        return "".join(line + self._newline for line in lines)

    def _lines(self, texts: Sequence[str], column: int) -> str:
        return "".join(" " * column + text + self._newline for text in texts)

    def _comments(self, node: Node, start: int, end: int) -> list[str]:
        """Comments of a part of the text, all scalars of which are in a node."""
        masked = list(self._text[start:end])
        for leaf in node.leaves():
            masked[leaf.start - start : leaf.end - start] = "x" * (leaf.end - leaf.start)
        return _COMMENT.findall("".join(masked))

    def _below(self, node: Node, column: int) -> int:
        """Where the line after a value begins, and after comments below it that stand deeper."""
        at = self._line(node.end, is_after=True)
        while (line := re.compile(r"( *)#.*\n").match(self._text, at)) and len(line[1]) > column:
            at = line.end()
        return at

    def _line(self, at: int, is_after: bool = False) -> int:
        """Where the line of a place begins, or the one after it."""
        if is_after:
            return self._text.index("\n", at) + 1
        return self._text.rfind("\n", 0, at) + 1

    def _colon(self, key: Node) -> int:
        """Where the colon after a key ends."""
        return self._text.index(":", key.end) + 1

    def _column(self, node: Node) -> int:
        return self._column_at(node.start)

    def _column_at(self, at: int) -> int:
        return at - self._line(at)

    def _cut(self, start: int, end: int) -> None:
        self._splices.append((start, end, ""))

    def _put(self, at: int, text: str) -> None:
        self._splices.append((at, at, text))
