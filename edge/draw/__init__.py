"""Pictures for people. Imports numpy, opencv, edge.types."""

from edge.draw.overlay import FLASH_S, LineOverlay, Overlay, ZoneOverlay
from edge.draw.scene import Trails, draw, draw_instances

__all__ = [
    "FLASH_S",
    "LineOverlay",
    "Overlay",
    "Trails",
    "ZoneOverlay",
    "draw",
    "draw_instances",
]
