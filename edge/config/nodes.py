"""The values of a YAML text, and where in it each stands. Imports PyYAML only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import yaml


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a text; one that stands for another (`*name`) has its text, and no parts.

    Attributes:
        start: where it begins, anchor and tag included.
        end: where it ends; a block ends with its last value.
        text: what it says, if it is a plain value.
        is_flow: whether it is no block: in brackets, in braces, or plain.
        keys: of a mapping.
        values: of a mapping or list.
    """

    start: int
    end: int
    text: str = ""
    is_flow: bool = True
    keys: tuple[Node, ...] = ()
    values: tuple[Node, ...] = ()

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Where each entry begins and ends."""
        firsts = self.keys or self.values
        return [(one.start, last.end) for one, last in zip(firsts, self.values, strict=True)]

    def leaves(self) -> Iterator[Node]:
        """All plain values in it."""
        if not self.values:
            yield self
        for each in (*self.keys, *self.values):
            yield from each.leaves()


def tree(text: str) -> Node:
    r"""The root of a text that is YAML.

    >>> root = tree("a:\n  b: [1, 2]  # two\n")
    >>> [key.text for key in root.keys], root.values[0].is_flow, root.end
    (['a'], False, 14)
    """
    events = yaml.parse(text, yaml.SafeLoader)
    anchors: dict[str, Node] = {}

    def node(event: yaml.NodeEvent) -> Node:
        found = made(event)
        if event.anchor is not None:
            anchors.setdefault(event.anchor, found)
        return found

    def made(event: yaml.NodeEvent) -> Node:
        start, end = _span(event)
        if isinstance(event, yaml.AliasEvent):
            return Node(start, end, anchors[str(event.anchor)].text)
        if isinstance(event, yaml.ScalarEvent):
            if event.style in ("|", ">"):  # up to the next value
                end = start + len(text[start:end].rstrip())
            return Node(start, end, event.value)
        assert isinstance(event, yaml.CollectionStartEvent)
        parts = []
        while isinstance(part := next(events), yaml.NodeEvent):
            parts.append(node(part))
        is_flow = bool(event.flow_style)
        end = _span(part)[1] if is_flow else parts[-1].end
        if isinstance(event, yaml.MappingStartEvent):
            return Node(start, end, "", is_flow, tuple(parts[::2]), tuple(parts[1::2]))
        return Node(start, end, "", is_flow, (), tuple(parts))

    return next(node(event) for event in events if isinstance(event, yaml.NodeEvent))


def _span(event: yaml.Event) -> tuple[int, int]:
    assert event.start_mark is not None
    assert event.end_mark is not None
    return event.start_mark.index, event.end_mark.index
