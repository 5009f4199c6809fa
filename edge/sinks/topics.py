"""Names of MQTT topics, safe whatever cameras and rules are called. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edge.errors import SinkError

# What would be another level, a wildcard or no text; % keeps the result unique.
_UNSAFE = re.compile(r"[%+#/\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Topics:
    """Where one device publishes.

    >>> topics = Topics("site/edgecount", "box 7")
    >>> topics.status, topics.counts("door", "a/b")
    ('site/edgecount/box 7/status', 'site/edgecount/box 7/door/counts/a%2Fb')
    """

    prefix: str  # may have several levels
    device: str

    def __post_init__(self) -> None:
        is_safe = not re.search(r"[+#\x00-\x1f\x7f]", self.prefix)
        if not is_safe or not self.prefix.strip("/") or self.prefix.startswith("$"):
            raise SinkError(
                f"prefix of MQTT topics: expected text without + and #, not beginning with $, "
                f"got {self.prefix!r}"
            )

    @property
    def status(self) -> str:
        """`online` or `offline`, retained."""
        return f"{self._device}/status"

    def events(self, source: str) -> str:
        """Events of a source."""
        return f"{self._device}/{level(source)}/events"

    def source_status(self, source: str) -> str:
        """Whether pictures come from a source: `online` or `offline`, retained."""
        return f"{self._device}/{level(source)}/status"

    def counts(self, source: str, rule: str) -> str:
        """Totals of a rule, retained."""
        return f"{self._device}/{level(source)}/counts/{level(rule)}"

    @property
    def all_counts(self) -> str:
        """What to subscribe to for the totals of all rules."""
        return f"{self._device}/+/counts/+"

    @property
    def _device(self) -> str:
        return f"{self.prefix.strip('/')}/{level(self.device)}"


def level(name: str) -> str:
    """A name as one level of a topic.

    >>> level("Nord+Süd #1"), level("50%")
    ('Nord%2BSüd %231', '50%25')
    """
    return _UNSAFE.sub(lambda match: f"%{ord(match[0]):02X}", name)
