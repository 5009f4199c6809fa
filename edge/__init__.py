"""edgecount: counts people and vehicles in video, on the device next to the camera.

docs/api.md shows how to use it from Python. Names are imported when they are first used, so that
`import edge` alone is quick.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.api import (
        CountEvent,
        EdgeError,
        Frame,
        Instances,
        InstanceSegmenter,
        Masks,
        Stamp,
        Step,
        Totals,
        Tracks,
        count_video,
        instances_of,
        open_segmenter,
        open_source,
        read_events,
    )

__version__ = "0.1.0"

__all__ = [
    "CountEvent",
    "EdgeError",
    "Frame",
    "InstanceSegmenter",
    "Instances",
    "Masks",
    "Stamp",
    "Step",
    "Totals",
    "Tracks",
    "count_video",
    "instances_of",
    "open_segmenter",
    "open_source",
    "read_events",
]

if not TYPE_CHECKING:  # or a type checker would take every name for one of ours

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module 'edge' has no attribute {name!r}")
        from edge import api

        return getattr(api, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
