"""Ends reads of video devices that do not return. Linux, Video4Linux2."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import struct
from pathlib import Path

STREAMOFF = 0x40045613  # VIDIOC_STREAMOFF of linux/videodev2.h
VIDEO_CAPTURE = struct.pack("i", 1)  # V4L2_BUF_TYPE_VIDEO_CAPTURE


def end_reads(path: str) -> None:
    """Let every read of a device that this process has under way fail.

    FFmpeg waits in the kernel for a picture, without a time-out and without asking whether to
    give up. Stopping the stream, which any thread may do, ends that wait with an error, as the
    kernel's documentation of VIDIOC_STREAMOFF has it. Nothing happens without such a device.
    """
    with contextlib.suppress(OSError):
        device = os.stat(path)
        for entry in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile, or not streaming
                about = os.fstat(int(entry.name))
                if stat.S_ISCHR(about.st_mode) and about.st_rdev == device.st_rdev:
                    fcntl.ioctl(int(entry.name), STREAMOFF, VIDEO_CAPTURE)
