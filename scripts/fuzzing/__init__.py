"""What `scripts/fuzz` does to configs, recorded detections and streams, and what must hold then."""

from __future__ import annotations


class Broken(Exception):
    """A promise is not kept."""


def require(is_kept: bool, otherwise: str) -> None:
    """Raise Broken unless a promise is kept."""
    if not is_kept:
        raise Broken(otherwise)
