"""Make the sample clip tests/data/people.mp4 from OpenCV's vtest.avi.

The source is the pedestrian clip that OpenCV ships with its samples (795 pictures, 768 x 576,
10 a second). Debian and Ubuntu have it in the package opencv-doc:

    apt-get install -y opencv-doc
    nice -n 5 scripts/make_sample

The clip is encoded again as H.264, because vtest.avi is three times as large and browsers do not
play it. Every picture is kept and picture k is at exactly k / 10 s. One encoder thread, so that
the same PyAV wheel makes the same bytes. Needs PyAV with libx264, as its wheels have.
"""

from __future__ import annotations

import argparse
import gzip
import shutil
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

RATE = 10  # pictures a second
FRAMES = 795
WIDTH, HEIGHT = 768, 576
SOURCE = Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi")
OUTPUT = Path(__file__).resolve().parent.parent / "tests" / "data" / "people.mp4"


def pictures(source: Path) -> Iterator[av.VideoFrame]:
    """Every picture of `source` (Debian may have gzipped it), in order, as yuv420p."""
    with tempfile.TemporaryDirectory() as folder:
        if source.suffix == ".gz":
            unpacked = Path(folder) / "vtest.avi"
            with gzip.open(source) as packed, unpacked.open("wb") as plain:
                shutil.copyfileobj(packed, plain)
            source = unpacked
        with av.open(str(source)) as container:
            for frame in container.decode(video=0):
                yield frame.reformat(format="yuv420p")


def encode(source: Path, output: Path, crf: int) -> int:
    """Write `output` and return the number of pictures."""
    count = 0
    with av.open(str(output), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.time_base = Fraction(1, RATE)
        stream.codec_context.thread_count = 1
        stream.options = {"crf": str(crf), "preset": "slow", "g": str(5 * RATE)}
        for count, frame in enumerate(pictures(source), start=1):
            frame.pts, frame.time_base = count - 1, Fraction(1, RATE)
            frame.pict_type = 0  # the encoder chooses, not the source's key frames
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return count


def times(path: Path) -> list[Fraction]:
    """The exact time of every picture in `path`, in seconds."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        start = stream.start_time or 0
        return [(f.pts - start) * stream.time_base for f in container.decode(stream)]


def main() -> None:
    parser = argparse.ArgumentParser("scripts/make_sample", description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, default=SOURCE)
    parser.add_argument("--out", type=Path, default=OUTPUT)
    parser.add_argument("--crf", type=int, default=28, help="quality, lower is better")
    args = parser.parse_args()
    source = args.source
    if not source.exists() and source.with_name(source.name + ".gz").exists():
        source = source.with_name(source.name + ".gz")
    if not source.exists():
        parser.exit(2, f"{source}: expected OpenCV's vtest.avi; apt-get install -y opencv-doc\n")
    count = encode(source, args.out, args.crf)
    if count != FRAMES or times(args.out) != [Fraction(k, RATE) for k in range(FRAMES)]:
        parser.exit(1, f"{args.out}: expected {FRAMES} pictures, {RATE} a second, got {count}\n")
    print(f"{args.out}: {count} pictures, {args.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
