"""How long to wait before trying again."""

from __future__ import annotations


class Backoff:
    """1 s, 2 s, 4 s and so on up to 60 s, from the beginning again after a success.

    A camera that is off for a night is not asked every second, and one that returns is found
    within a minute.

    >>> backoff = Backoff()
    >>> [backoff.next_s() for _ in range(8)]
    [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    >>> backoff.reset()
    >>> backoff.next_s()
    1.0
    """

    def __init__(self, first_s: float = 1.0, most_s: float = 60.0) -> None:
        """Begin with `first_s`, double up to `most_s`."""
        self._first_s, self._most_s = first_s, most_s
        self._next_s = first_s

    def next_s(self) -> float:
        """Seconds to wait now."""
        wait_s = self._next_s
        self._next_s = min(2 * wait_s, self._most_s)
        return wait_s

    def reset(self) -> None:
        """It worked."""
        self._next_s = self._first_s
