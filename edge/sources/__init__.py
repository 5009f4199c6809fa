"""Where frames come from: recorded video, folders of pictures, recorded detections.

Each source gives frames of one size, that of its first: what is larger or smaller it scales and
counts in `warnings`, or refuses. Rules, which are shares of the frame, and tracks rely on it.
"""

from __future__ import annotations

import re
from pathlib import Path

from edge.errors import SourceError
from edge.sources.faults import Faults
from edge.sources.feed import PacedFeed, RecordedFeed
from edge.sources.file import VideoFile
from edge.sources.folder import ImageFolder

__all__ = ["Faults", "ImageFolder", "PacedFeed", "RecordedFeed", "VideoFile", "masked", "open_source"]


def open_source(text: str) -> VideoFile | ImageFolder:
    """The source that a command line or config names.

    Raises:
        SourceError: It does not exist, cannot be read, or is a live camera.
    """
    path = Path(text)
    if path.is_dir():
        return ImageFolder(path)
    if path.exists():
        return VideoFile(path)
    if re.match(r"gst:|[a-z][a-z0-9+.-]*://|[0-9]+$", text, re.IGNORECASE):
        raise SourceError(
            f"{masked(text)}: live cameras are not supported yet; "
            f"give a file or a folder of pictures"
        )
    return VideoFile(path)


def masked(source: str) -> str:
    """A source without its secrets, for messages and logs.

    User, password and the values of a query are replaced, wherever they stand in `source`.

    >>> masked("rtsp://admin:p@ss@10.0.0.5:554/ch1?token=abc&sub=1")
    'rtsp://***@10.0.0.5:554/ch1?token=***&sub=***'
    >>> masked("clips/door.mp4")
    'clips/door.mp4'
    """
    if "://" not in source:
        return source
    # Greedy: a password may hold / and @ itself.
    without_user = re.sub(r"://[^\s\"']*@", "://***@", source)
    return re.sub(r"([?&][^=&\s]+=)[^&\s\"']+", r"\1***", without_user)
