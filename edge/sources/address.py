"""What a source's address says, and how to name it without its secrets."""

from __future__ import annotations

import os
import re
from typing import Literal

from edge.errors import SourceError

LiveKind = Literal["rtsp", "http", "device", "gst"]
_KINDS: dict[str, LiveKind] = {
    "rtsp": "rtsp",
    "rtsps": "rtsp",
    "http": "http",
    "https": "http",
    "gst": "gst",
}
# Of GStreamer elements; a value is quoted, with backslashes, or a word.
_PROPERTY = re.compile(
    r"""((?<![\w-])(?:(?:user|proxy)-(?:id|pw)|[\w-]*(?:password|passphrase|secret|token|cookies))
    \s*=\s*)(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(?:\\.|[^\s\\])+)""",
    re.IGNORECASE | re.VERBOSE,
)


def is_live(text: str) -> bool:
    """Whether a source is a camera, not a recording; what exists as a file or folder is none.

    >>> [is_live(text) for text in ("rtsp://10.0.0.5/1", "0", "gst:videotestsrc", "clip.mp4")]
    [True, True, True, False]
    """
    if os.path.isfile(text) or os.path.isdir(text):
        return False
    pattern = r"gst:|[a-z][a-z0-9+.-]*://|[0-9]+$|/dev/video"
    return re.match(pattern, text, re.IGNORECASE) is not None


def kind_of(address: str) -> LiveKind:
    """How a camera is read.

    Raises:
        SourceError: by none of our ways.

    >>> [kind_of(a) for a in ("rtsps://10.0.0.5/1", "http://10.0.0.5/mjpg", "0", "gst:fakesrc")]
    ['rtsp', 'http', 'device', 'gst']
    """
    if address.isdigit() or address.startswith("/dev/"):
        return "device"
    kind = _KINDS.get(address.partition(":")[0].lower())
    if kind is None:
        raise SourceError(
            f"{masked(address)}: expected rtsp://, rtsps://, http://, https://, gst:PIPELINE "
            f"or the number of a device, got another kind of address"
        )
    return kind


def masked(source: str) -> str:
    """A source without its secrets, for messages and logs.

    User, password and the values of a query are replaced, wherever they stand in `source`; in a
    pipeline, properties that hold them as well.

    >>> masked("rtsp://admin:p@ss@10.0.0.5:554/ch1?token=abc&sub=1")
    'rtsp://***@10.0.0.5:554/ch1?token=***&sub=***'
    >>> masked("gst:rtspsrc location=rtsp://a/b user-id=me user-pw='pa ss' ! appsink")
    'gst:rtspsrc location=rtsp://a/b user-id=*** user-pw=*** ! appsink'
    >>> masked("clips/door.mp4")
    'clips/door.mp4'
    """
    if source.lower().startswith("gst:"):
        source = _PROPERTY.sub(r"\1***", source)
    if "://" not in source:
        return source
    # Greedy: a password may hold / and @ itself.
    without_user = re.sub(r"://[^\s\"']*@", "://***@", source)
    return re.sub(r"([?&][^=&\s]+=)[^&\s\"']+", r"\1***", without_user)
