"""Damaged RTSP: pictures that are counted in, broken frames or a sentence.

A camera here says what it was told to say.

What is damaged is what FFmpeg sent as RTSP, in H.264 and H.265: `scripts/fuzz --record` records it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import re
import socket
import threading
from dataclasses import dataclass
from fractions import Fraction
from itertools import takewhile
from pathlib import Path
from random import Random

import av

from edge.errors import SourceError
from edge.sources import stream
from edge.sources.sessions import Sessions
from edge.sources.settings import LiveSettings
from edge.types import Frame, Notice
from fuzzing import require
from fuzzing.counting import Counting
from fuzzing.mutations import byte_mutations, mutated, text_mutations

DATA = Path(__file__).resolve().parents[2] / "tests" / "data"
CLIP = DATA / "people.mp4"
RECORDINGS = {"libx264": DATA / "people.h264.rtsp", "libx265": DATA / "people.h265.rtsp"}
QUICK = {"preset": "ultrafast", "x265-params": "log-level=none", "g": "6"}
FRAMES, WIDTH, HEIGHT = 12, 160, 120
SETTINGS = LiveSettings(open_timeout_s=3.0, read_timeout_s=3.0, frozen_s=0.2, reconnect=False)
WORDS = (b"RTSP/1.0", b"200", b"401", b"454", b"a=fmtp:96", b"a=control:", b"m=video 0 RTP/AVP 96")


@dataclass(frozen=True)
class Spoken:
    """What a camera says: its description, and what follows PLAY."""

    sdp: bytes
    media: bytes  # `$`, channel, length and RTP or RTCP packet, again and again

    @classmethod
    def read(cls, path: Path) -> Spoken:
        """What `save` wrote."""
        size, _, rest = path.read_bytes().partition(b"\n")
        return cls(rest[: int(size)], rest[int(size) :])

    def save(self, path: Path) -> None:
        """Write the length of the description, a newline, the description, and the rest."""
        path.write_bytes(b"%d\n" % len(self.sdp) + self.sdp + self.media)


class Camera:
    """A server for one client at a time, which says what `spoken` holds and hangs up."""

    def __init__(self, spoken: Spoken | None = None) -> None:
        """Listen. Without something to say it records what a client sends, into `spoken`."""
        self.spoken = spoken
        self.heads: dict[bytes, bytes] = {}  # answers by method, in place of the usual ones
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"rtsp://127.0.0.1:{self._listening.getsockname()[1]}/gate"
        threading.Thread(target=self._serve, name="fuzz-camera", daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:  # closed
                return
            with client, contextlib.suppress(OSError):
                client.settimeout(2 * SETTINGS.read_timeout_s)
                self._talk(client)

    def _talk(self, client: socket.socket) -> None:
        read = client.makefile("rb")
        sdp = b""
        while line := read.readline():
            if not line.strip():
                continue
            method = line.split(b" ")[0]
            head = b"".join(takewhile(bytes.strip, iter(read.readline, b"")))
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            body = read.read(int(length[1])) if length else b""
            number = re.search(rb"(?i)cseq: *(\d+)", head)
            self._answer(client, method, number[1] if number else b"0")
            if method == b"ANNOUNCE":
                sdp = body
            elif method == b"RECORD":
                self.spoken = Spoken(sdp, _interleaved(read))
                return
            elif method == b"PLAY" and self.spoken is not None:
                client.sendall(self.spoken.media)
                return

    def _answer(self, client: socket.socket, method: bytes, number: bytes) -> None:
        head = self.heads.get(method, usual(method))
        body = self.spoken.sdp if method == b"DESCRIBE" and self.spoken is not None else b""
        sized = b"Content-Length: %d\r\n" % len(body) if body else b""
        client.sendall(head + b"CSeq: " + number + b"\r\n" + sized + b"\r\n" + body)


def usual(method: bytes) -> bytes:
    """First lines of a camera's answer."""
    lines = [b"RTSP/1.0 200 OK"]
    if method == b"OPTIONS":
        lines.append(b"Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")
    elif method == b"DESCRIBE":
        lines.append(b"Content-Type: application/sdp")
    elif method == b"SETUP":
        lines.append(b"Transport: RTP/AVP/TCP;unicast;interleaved=0-1;mode=play")
    if method != b"OPTIONS":
        lines.append(b"Session: 12345678;timeout=60")
    return b"".join(line + b"\r\n" for line in lines)


class Streams:
    """Each call is a case."""

    def __init__(self) -> None:
        stream.CATCH_UP_S = 0.0  # nothing of what is sent at once is too old
        self._spoken = [Spoken.read(path) for path in RECORDINGS.values()]
        self._camera = Camera(self._spoken[0])
        self._bytes, self._texts = byte_mutations(), text_mutations(WORDS)
        outcome = self._watched()
        require(outcome == "pictures, counted", f"the recording itself gives {outcome}")

    def __call__(self, chance: Random) -> str:
        spoken = chance.choice(self._spoken)
        camera, camera.heads = self._camera, {}
        what = chance.random()
        if what < 0.8:
            camera.spoken = Spoken(spoken.sdp, mutated(spoken.media, chance, self._bytes))
        elif what < 0.95:
            camera.spoken = Spoken(mutated(spoken.sdp, chance, self._texts), spoken.media)
        else:
            camera.spoken = spoken
            method = chance.choice((b"OPTIONS", b"DESCRIBE", b"SETUP", b"PLAY"))
            camera.heads = {method: mutated(usual(method), chance, self._texts)}
        return self._watched()

    def _watched(self) -> str:
        """What came of a connection, and of counting in it."""
        sessions, counting = Sessions(SETTINGS, 1), Counting()
        taken, last_s = 0, -1.0
        try:
            with stream.opened(self._camera.address, SETTINGS) as pictures:
                sessions.connected()
                for picture in pictures:
                    if picture is None:
                        sessions.broken()
                    else:
                        sessions.picture(picture)
                    while (item := sessions.take()) is not None:
                        if isinstance(item, Notice):
                            counting.take(item)
                            continue
                        stamp, shown = item
                        frame = Frame(stamp, shown.image(), shown.arrived_s)
                        require(frame.image.shape[:2] == shown.size[::-1], "another size")
                        require(stamp.media_s > last_s, "time goes back")
                        taken, last_s = taken + 1, stamp.media_s
                        counting.take(frame)
        except SourceError as error:
            require(self._camera.address not in str(error), f"an address is told: {error}")
        counted = counting.finish()
        if not taken:
            return "nothing"
        what = "pictures" if sessions.stats.broken == 0 else "pictures and broken frames"
        return f"{what}, counted" if counted else what


def record() -> None:
    """Write the recordings anew."""
    for codec, path in RECORDINGS.items():
        _recorded(codec).save(path)


def _recorded(codec: str) -> Spoken:
    """What FFmpeg sends of the first pictures of the clip."""
    camera = Camera()
    # Another process: PyAV lets no other thread work while it sends.
    sender = multiprocessing.get_context("spawn").Process(target=send, args=(camera.address, codec))
    sender.start()
    sender.join(60.0)
    sender.kill()
    camera.close()
    if camera.spoken is None:
        raise SourceError(f"{CLIP}: expected to be sent with {codec}, got nothing")
    return camera.spoken


def send(address: str, codec: str) -> None:
    """Send the first pictures of the clip as RTSP."""
    options = {"rtsp_transport": "tcp"}
    with (
        av.open(str(CLIP)) as clip,
        av.open(address, "w", format="rtsp", options=options) as sent,
    ):
        video = sent.add_stream(codec, rate=10, options=QUICK)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.codec_context.time_base = Fraction(1, 10)
        for number, frame in zip(range(FRAMES), clip.decode(video=0), strict=False):
            small = frame.reformat(WIDTH, HEIGHT, "yuv420p")
            small.pts, small.time_base, small.pict_type = number, Fraction(1, 10), 0
            sent.mux(video.encode(small))
        sent.mux(video.encode())


def _interleaved(read: socket.SocketIO) -> bytes:
    """Packets until the client says something else."""
    packets = []
    while (head := read.read(4)) and head[:1] == b"$":
        packets.append(head + read.read(int.from_bytes(head[2:], "big")))
    return b"".join(packets)
