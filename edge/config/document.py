"""A YAML text as plain data in which every key still knows its line. Imports PyYAML."""

from __future__ import annotations

from dataclasses import dataclass

import yaml

from edge.config.messages import Key, message
from edge.errors import ConfigError

Problem = tuple[int, str]  # line, message

_YAML = "tag:yaml.org,2002:"
_PLAIN_TAGS = (_YAML + "map", _YAML + "seq")
MOST_VALUES = 50_000  # aliases of aliases can mean more than any memory holds


@dataclass(frozen=True)
class Document:
    """The data of a YAML text, where each key stands, and keys that cannot be used."""

    data: object
    lines: dict[Key, int]  # from 1
    problems: list[Problem]

    def line_of(self, key: Key) -> int:
        """Line of a key, or of what is around it where the key itself is absent."""
        while key not in self.lines:
            key = key[:-1]
        return self.lines[key]


def parse(text: str, where: str) -> Document:
    """Read YAML without losing line numbers. All keys are text; only YAML's own tags are known.

    Args:
        text: One YAML document.
        where: Name of the file for messages.

    Raises:
        ConfigError: It is empty, not YAML, or several documents; with the line number.
    """
    loader: yaml.SafeLoader | None = None
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        if root is None:
            raise ConfigError(f"{where}:1: expected keys and values, got an empty file")
        reader = _Reader(loader, where)
        return Document(reader.value(root, ()), reader.lines, reader.problems)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ConfigError(f"{where}:{line}: {_words(error.problem or 'not YAML')}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(f"{where}:{line}: expected text, got U+{error.character:04X}") from error
    except (ValueError, OverflowError) as error:  # an escape such as "\UFFFFFFFF"
        line = loader.get_mark().line + 1 if loader is not None else 1
        raise ConfigError(
            f"{where}:{line}: expected text, got an escape that is no character"
        ) from error
    except RecursionError as error:
        raise ConfigError(f"{where}:1: expected less nesting, got too much to read") from error
    finally:
        if loader is not None:
            loader.dispose()


def _words(problem: str) -> str:
    if "'\\t'" in problem:
        return "expected spaces, got a tab"
    return f"expected YAML, got an error: {problem}"


class _Reader:
    """Turns YAML nodes into plain data and notes the line of each key on the way."""

    def __init__(self, loader: yaml.SafeLoader, where: str) -> None:
        self.lines: dict[Key, int] = {}
        self.problems: list[Problem] = []
        self._loader = loader
        self._where = where
        self._values = 0

    def value(self, node: yaml.Node, key: Key) -> object:
        line = self.lines.setdefault(key, node.start_mark.line + 1)
        self._values += 1
        if self._values > MOST_VALUES:
            raise ConfigError(
                f"{self._where}:{line}: expected at most {MOST_VALUES} values in all, got more"
            )
        if isinstance(node, yaml.CollectionNode) and node.tag not in _PLAIN_TAGS:
            tag = node.tag.removeprefix(_YAML)
            self.problems.append((line, message(key, f"expected plain YAML, got the tag {tag}")))
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*key, index)) for index, child in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, key)
        try:
            return self._loader.construct_object(node, deep=True)
        # Looks like a date or number but is none, such as 2026-13-01, or its tag says it is one.
        except (ValueError, OverflowError, LookupError, AttributeError, TypeError):
            return str(node.value)

    def _mapping(self, node: yaml.MappingNode, key: Key) -> dict[str, object]:
        data: dict[str, object] = {}
        for name_node, value_node in node.value:
            line = name_node.start_mark.line + 1
            if not isinstance(name_node, yaml.ScalarNode):
                self.problems.append(
                    (line, message(key, "expected a key that is text, got a list"))
                )
                continue
            name = name_node.value
            if name in data:
                first = self.lines[(*key, name)]
                text = f"expected the key '{name}' once, got it again (first on line {first})"
                self.problems.append((line, message(key, text)))
                continue
            self.lines[(*key, name)] = line
            data[name] = self.value(value_node, (*key, name))
        return data
