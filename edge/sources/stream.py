"""Pictures of RTSP, HTTP and video devices. Imports av, numpy, edge.types and edge.sources."""

from __future__ import annotations

import contextlib
import struct
import time
import zlib
from collections.abc import Generator, Iterator
from typing import Any, cast

import av
import numpy as np
from av.codec.context import Flags
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from edge.errors import SourceError
from edge.sources.address import kind_of
from edge.sources.orientation import display_matrix, oriented, swaps_sides
from edge.sources.picture import GREY_WH, Picture
from edge.sources.settings import LiveSettings
from edge.types import U8

HELD_S = 0.005  # a packet that came quicker had been waiting for us: it is from before
CATCH_UP_S = 1.0  # so long at most are pictures from before left out
DAMAGE_S = 2.0  # so long at most, after what did not decode, is a key frame waited for
TIMELESS_FORMATS = {"mpjpeg", "mjpeg"}  # FFmpeg invents their times, 25 pictures a second
PRODUCER_TIME = struct.Struct("<q")  # AVProducerReferenceTime: microseconds since 1970, flags


@contextlib.contextmanager
def opened(address: str, settings: LiveSettings) -> Generator[Iterator[Picture | None], None, None]:
    """Open a stream; gives its pictures from a key frame on, and None for each broken one.

    What came while it was opened is decoded, because what follows builds on it, but not given:
    the first picture is a present one.

    Raises:
        SourceError: it cannot be opened or, while iterating, breaks off or stalls. No message,
            and no exception behind it, holds the address.
    """
    container = _container(address, settings)
    try:
        yield _pictures(container, _video(container), settings)
    finally:
        container.close()


def device_path(address: str) -> str:
    """The file of a device, which may be given by its number.

    >>> device_path("2"), device_path("/dev/video7")
    ('/dev/video2', '/dev/video7')
    """
    return f"/dev/video{address}" if address.isdigit() else address


def _container(address: str, settings: LiveSettings) -> InputContainer:
    kind = kind_of(address)
    # Not `fflags nobuffer`: it throws away the key frame that was read to know the format, and
    # a camera sends the next one seconds later. A rate is nothing to wait for either.
    options = {"fpsprobesize": "0"}
    if kind == "rtsp":
        options |= {"rtsp_transport": settings.transport, "allowed_media_types": "video"}
        options |= {"buffer_size": "2097152"}  # a key frame comes in one burst over UDP
    elif kind == "http":
        options |= {"protocol_whitelist": "http,https,tcp,tls,crypto,httpproxy"}
    began_s = time.monotonic()
    try:
        return av.open(
            device_path(address) if kind == "device" else address,
            format="v4l2" if kind == "device" else None,
            metadata_errors="ignore",
            options=options,
            timeout=(settings.open_timeout_s, settings.read_timeout_s),
        )
    except (FFmpegError, OSError, ValueError) as error:
        reason = _said(error)
    if time.monotonic() - began_s >= settings.open_timeout_s:
        reason = f"no answer for {settings.open_timeout_s:g} s"
    # Outside the except block: the original names the address, password and all.
    raise SourceError(f"cannot connect: {reason}")


def _video(container: InputContainer) -> VideoStream:
    for stream in container.streams.video:
        if stream.codec_context is not None:
            stream.thread_type = "SLICE"  # frame threads would hold pictures back
            stream.codec_context.thread_count = 1
            if not stream.codec_context.has_b_frames:
                stream.codec_context.flags |= Flags.low_delay
            return stream
    raise SourceError("cannot connect: expected video, got a stream without any that we decode")


def _pictures(
    container: InputContainer, stream: VideoStream, settings: LiveSettings
) -> Iterator[Picture | None]:
    now_s = time.monotonic()
    tables = VideoReformatter(), VideoReformatter()
    is_timeless = container.format.name in TIMELESS_FORMATS
    utc: dict[int, float] = {}  # by timestamp
    caught_up_s = now_s + CATCH_UP_S
    key_until_s = now_s + settings.open_timeout_s  # until then only a key frame will do
    lost_s = key_until_s + settings.read_timeout_s  # by then there must be a good picture
    packets = container.demux()
    while True:
        asked_s = now_s
        packet = _next(packets, settings)
        now_s = time.monotonic()
        if packet is None:
            raise SourceError("the stream ended")
        if now_s > lost_s:
            raise SourceError(f"stalled: no picture for {settings.read_timeout_s:g} s")
        if packet.stream.index != stream.index:
            continue
        if now_s - asked_s > HELD_S:
            caught_up_s = 0.0
        _note_utc(packet, utc)
        for frame in _frames(stream, packet):
            if frame is None or frame.is_corrupt:
                # From the first damage: on a bad line there would be no end of waiting.
                key_until_s = key_until_s or now_s + min(DAMAGE_S, settings.read_timeout_s / 2)
                yield None
                continue
            if not frame.key_frame and now_s < key_until_s:
                continue
            key_until_s, lost_s = 0.0, now_s + settings.read_timeout_s
            if now_s > caught_up_s:
                utc_s = None if frame.pts is None else utc.pop(frame.pts, None)
                yield AvPicture(frame, tables, now_s, None if is_timeless else _pts_s(frame), utc_s)
        now_s = time.monotonic()


def _next(packets: Iterator[Packet[Any]], settings: LiveSettings) -> Packet[Any] | None:
    """The next packet; None: there are no more."""
    began_s = time.monotonic()
    try:
        packet = next(packets, None)
        is_end = packet is None or (packet.size == 0 and packet.dts is None)
        return None if is_end else packet
    except FFmpegError as error:
        reason = f"broken off: {_said(error)}"
    if time.monotonic() - began_s >= settings.read_timeout_s:
        reason = f"stalled: no picture for {settings.read_timeout_s:g} s"
    raise SourceError(reason)


def _frames(stream: VideoStream, packet: Packet[Any]) -> list[VideoFrame | None]:
    """What a packet decodes to; None for something that is none."""
    try:
        return list(stream.decode(packet))
    except FFmpegError:
        return [None]


def _note_utc(packet: Packet[Any], utc: dict[int, float]) -> None:
    """Remember a packet's world time, which FFmpeg knows once the camera has sent a report."""
    if packet.pts is None or not packet.has_sidedata("prft"):
        return
    data = bytes(packet.get_sidedata("prft"))
    if len(data) >= PRODUCER_TIME.size:
        utc[packet.pts] = PRODUCER_TIME.unpack_from(data)[0] / 1e6
        if len(utc) > 64:  # of pictures that did not decode
            del utc[next(iter(utc))]


def _pts_s(frame: VideoFrame) -> float | None:
    if frame.pts is None or frame.time_base is None:
        return None
    return float(frame.pts * frame.time_base)


def _said(error: Exception) -> str:
    """What an error says, without the address that FFmpeg puts behind it."""
    text = getattr(error, "strerror", None) or type(error).__name__
    return f"{text[0].lower()}{text[1:]}"


class AvPicture:
    """A decoded frame of PyAV."""

    def __init__(
        self,
        frame: VideoFrame,
        tables: tuple[VideoReformatter, VideoReformatter],
        arrived_s: float,
        pts_s: float | None,
        utc_s: float | None,
    ) -> None:
        """Keep the frame. `tables` are for BGR and for grey, which differ in their threads."""
        self.arrived_s, self.pts_s, self.utc_s = arrived_s, pts_s, utc_s
        self._frame = frame
        self._bgr, self._grey = tables
        self._matrix = display_matrix(frame)
        size = frame.width, frame.height
        self.size = size[::-1] if swaps_sides(self._matrix) else size

    def image(self) -> U8:
        """BGR uint8 (H, W, 3), upright.

        Raises:
            SourceError: of a kind that does not convert.
        """
        try:
            plain = self._bgr.reformat(self._frame, format="bgr24", threads=1)
        except (FFmpegError, ValueError):
            name = self._frame.format.name
            raise SourceError(f"expected pictures that convert to BGR, got {name}") from None
        return oriented(plain.to_ndarray().astype(np.uint8, copy=False), self._matrix)

    def fingerprint(self) -> int:
        """Checksum of the luma plane, or of the only one."""
        plane = self._frame.planes[0]
        rows = np.frombuffer(cast(Any, plane), np.uint8)[: plane.height * plane.line_size]
        # What pads a row may differ between equal pictures.
        width = min(plane.line_size, plane.width * self._frame.format.components[0].bits // 8)
        return zlib.crc32(rows.reshape(plane.height, -1)[:, :width].tobytes())

    def grey(self) -> U8:
        """A small grey version, uint8 (72, 96)."""
        try:
            small = self._grey.reformat(self._frame, *GREY_WH, format="gray", threads=1)
        except (FFmpegError, ValueError):  # told when it is to be converted
            return np.full(GREY_WH[::-1], 255, np.uint8)
        return small.to_ndarray().astype(np.uint8, copy=False)
