#!/usr/bin/python3
"""A camera for tests: an RTSP server that sends a clip in real time, again and again.

Runs with the system's Python, which has GStreamer's bindings (Debian: python3-gi
gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good
gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav). It encodes once, keeps the
result in a folder, and then only sends. Prints `ready PORT` when clients may come, at
rtsp://127.0.0.1:PORT/clip. Each client gets a stream of its own, from the loop's start on.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import pickle
import tempfile
import threading
import time
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstApp, GstRtspServer  # noqa: E402, F401

ENCODERS = {
    "h264": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max={gop} bitrate={kbps} "
    "! video/x-h264,profile=baseline ! h264parse config-interval=-1 "
    "! video/x-h264,stream-format=byte-stream,alignment=au",
    "h265": "x265enc tune=zerolatency speed-preset=ultrafast key-int-max={gop} bitrate={kbps} "
    "option-string=repeat-headers=1:scenecut=0 "
    "! h265parse config-interval=-1 ! video/x-h265,stream-format=byte-stream,alignment=au",
}
LATE_S = 1.0  # a sender so far behind, as after SIGSTOP, goes on from now and catches up nothing


def source(given: argparse.Namespace) -> str:
    """The pipeline's part that makes pictures."""
    clip = f"filesrc location={given.clip} ! decodebin ! videoconvert"
    if given.picture == "black":
        return f"videotestsrc pattern=black num-buffers={given.frames}"
    if given.picture == "still":
        return f"{clip} ! imagefreeze num-buffers={given.frames}"
    return f"{clip} ! videorate"


def encoded(given: argparse.Namespace) -> tuple[str, list[tuple[bytes, bool]]]:
    """Caps of the stream, and its access units with whether they are key frames."""
    width, height = given.size
    pipeline = Gst.parse_launch(
        f"{source(given)} ! videoscale "
        f"! video/x-raw,format=I420,width={width},height={height},framerate={given.fps}/1,"
        f"pixel-aspect-ratio=1/1 "
        f"! {ENCODERS[given.codec].format(gop=given.gop, kbps=given.kbps)} "
        f"! appsink name=out sync=false"
    )
    out = pipeline.get_by_name("out")
    pipeline.set_state(Gst.State.PLAYING)
    caps, units = "", []
    while len(units) < given.frames:
        sample = out.emit("try-pull-sample", 20 * Gst.SECOND)
        if sample is None:
            break
        caps = sample.get_caps().to_string()
        buffer = sample.get_buffer()
        is_key = not buffer.has_flags(Gst.BufferFlags.DELTA_UNIT)
        units.append((buffer.extract_dup(0, buffer.get_size()), is_key))
    pipeline.set_state(Gst.State.NULL)
    if not units:
        raise SystemExit(f"{given.clip}: expected frames to encode as {given.codec}, got none")
    # A picture that stands still is one key frame again and again: the same to the last bit.
    return caps, units if given.picture == "clip" else units[:1]


def kept(given: argparse.Namespace) -> tuple[str, list[tuple[bytes, bool]]]:
    """`encoded`, from the folder if it was done before."""
    what = (given.clip, os.stat(given.clip).st_mtime_ns, given.picture, given.frames, given.codec)
    what += (given.size, given.fps, given.gop, given.kbps)
    path = Path(given.keep) / f"{hashlib.sha256(repr(what).encode()).hexdigest()[:16]}.units"
    if path.exists():
        return pickle.loads(path.read_bytes())
    done = encoded(given)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}")
    part.write_bytes(pickle.dumps(done))
    part.rename(path)
    return done


class Sender:
    """Pushes access units in real time into one client's stream, until the client is gone."""

    def __init__(self, media, appsrc, units: list[tuple[bytes, bool]], given) -> None:
        self.appsrc, self.units, self.fps = appsrc, units, given.fps
        self.next = 0
        self.pts_ns = 0
        self.thread: threading.Thread | None = None
        # The first unit lets the server describe the stream; the others wait for PLAY.
        self.push(0)
        media.connect("new-state", self.on_state)

    def on_state(self, _media, state: int) -> None:
        if state == Gst.State.PLAYING and self.thread is None:
            self.thread = threading.Thread(target=self.run, daemon=True)
            self.thread.start()

    def push(self, pts_ns: int) -> bool:
        data, is_key = self.units[self.next % len(self.units)]
        self.next += 1
        self.pts_ns = pts_ns
        buffer = Gst.Buffer.new_wrapped(data)
        buffer.pts = buffer.dts = pts_ns
        buffer.duration = Gst.SECOND // self.fps
        if not is_key:
            buffer.set_flags(Gst.BufferFlags.DELTA_UNIT)
        return self.appsrc.emit("push-buffer", buffer) == Gst.FlowReturn.OK

    def running_ns(self) -> int:
        """The time of the stream by its own clock."""
        clock = self.appsrc.get_clock()
        return 0 if clock is None else clock.get_time() - self.appsrc.get_base_time()

    def run(self) -> None:
        """Send; time stamps are as regular as a camera's, and true to the clock of the stream."""
        interval_ns = Gst.SECOND // self.fps
        due_ns = max(self.running_ns(), self.pts_ns + interval_ns)
        while True:
            behind_ns = self.running_ns() - due_ns
            if behind_ns > LATE_S * Gst.SECOND:
                due_ns += behind_ns
            elif behind_ns < 0:
                time.sleep(-behind_ns / Gst.SECOND)
            if not self.push(due_ns):
                return
            due_ns += interval_ns


def restricted(server, factory, user: str, password: str) -> None:
    """Let in those only who know the password."""
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "user")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    role = "user, media.factory.access=true, media.factory.construct=true"
    factory.add_role_from_structure(Gst.Structure.from_string(role)[0])


def main() -> None:
    """Serve until killed."""
    options = argparse.ArgumentParser()
    options.add_argument("clip")
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--codec", choices=sorted(ENCODERS), default="h264")
    options.add_argument("--size", type=int, nargs=2, default=(768, 576))
    options.add_argument("--fps", type=int, default=10)
    options.add_argument("--gop", type=int, default=20)
    options.add_argument("--kbps", type=int, default=1500)
    options.add_argument("--frames", type=int, default=200, help="of the clip, at most")
    options.add_argument("--picture", choices=("clip", "still", "black"), default="clip")
    options.add_argument("--user")
    options.add_argument("--password")
    options.add_argument("--keep", default=f"{tempfile.gettempdir()}/edgecount-rtsp-{os.getuid()}")
    given = options.parse_args()
    given.size = tuple(given.size)
    if given.picture != "clip":
        given.frames = 1
    Gst.init(None)
    caps, units = kept(given)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(given.port))
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        f"( appsrc name=src is-live=true format=time ! {given.codec}parse config-interval=-1 "
        f"! rtp{given.codec}pay name=pay0 pt=96 )"
    )
    senders = []  # PyGObject would otherwise collect them with their signal handlers

    def configure(_factory, media) -> None:
        appsrc = media.get_element().get_by_name_recurse_up("src")
        appsrc.set_property("caps", Gst.Caps.from_string(caps))
        senders.append(Sender(media, appsrc, units, given))

    factory.connect("media-configure", configure)
    if given.user:
        restricted(server, factory, given.user, given.password)
    server.get_mount_points().add_factory("/clip", factory)
    if server.attach(None) == 0:
        raise SystemExit(f"port {given.port}: expected a free one, got it taken")
    print("ready", server.get_bound_port(), flush=True)  # noqa: T201
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
