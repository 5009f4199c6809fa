"""`edge bench`: time for each stage, and bare inference beside the pipeline."""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Annotated, Any

import typer

from edge import build, pipeline
from edge.cli import bench_sources
from edge.cli.options import (
    InputSizeOption,
    LineOption,
    ModelOption,
    ProviderOption,
    ThreadsOption,
    combined,
)
from edge.cli.report import console
from edge.config import Config, with_model
from edge.errors import ConfigError
from edge.outputs import EventsOutput, lines_to
from edge.segment import Segmenter
from edge.sinks.jsonl import JsonLinesSink
from edge.sources import open_source
from edge.types import Frame

EXAMPLE = "Example: edge bench street.mp4 --threads 2 --json"
MIDDLE = "middle=0.5,0,0.5,1"
ROUNDS = 5  # the pipeline and bare inference take turns, so that both meet the same machine


def bench(  # noqa: PLR0913
    source: Annotated[str, typer.Argument(help="Video file or image folder.")],
    model: ModelOption = None,
    provider: ProviderOption = None,
    threads: ThreadsOption = None,
    input_size: InputSizeOption = None,
    line: LineOption = None,
    frames: Annotated[int, typer.Option(min=10, help="Frames to time.")] = 300,
    sources: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=64,
            help="So many cameras instead, each sending the recording in real time, again and "
            "again: what is dropped, and the time from capture to event.",
        ),
    ] = None,
    duration: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="How long, with --sources.")
    ] = 60.0,
    fps: Annotated[
        float | None,
        typer.Option(
            min=0.1, max=1000, help="Frames a second of each, with --sources; else as recorded."
        ),
    ] = None,
    json_output: Annotated[
        bool, typer.Option("--json", help="Only one line of JSON, on standard output.")
    ] = False,
) -> None:
    """Time the pipeline against bare inference on the same frames, in turns.

    The pipeline reads, decodes, segments, tracks, counts and writes events, as `edge run` does.
    Bare inference is the model alone on the same prepared input.

    With --sources, cameras share the model as in `edge run --config`, and are dropped evenly
    where it is too slow. The time from capture to event is to stay below two frame intervals and
    one inference for 95 of 100 frames.
    """
    config = combined(None, [source] * (sources or 1), line or [MIDDLE], None, None)
    changes = {"name": model, "provider": provider, "threads": threads, "input_size": input_size}
    config = with_model(config, {k: v for k, v in changes.items() if v is not None})
    segmenter = build.configured_segmenter(config)
    about = {
        "source": Path(source).name,
        "model": segmenter.session.file.path.name,
        "provider": segmenter.session.provider,
        "threads": config.model.threads,
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, "
        f"Python {platform.python_version()}",
    }
    if sources:
        result = about | bench_sources.measured(config, segmenter, duration, fps)
        said = bench_sources.lines(result)
    else:
        result = about | _compared(config, segmenter, source, line, frames)
        said = [f"{key:28} {value}" for key, value in result.items()]
    for text in [] if json_output else said:
        console.print(text, highlight=False, soft_wrap=True)
    typer.echo(json.dumps(result))


def _compared(
    config: Config, segmenter: Segmenter, source: str, line: list[str] | None, frames: int
) -> dict[str, Any]:
    """Time for each stage, and the pipeline against bare inference."""
    input_hw = _input_hw(config, segmenter)
    startup_s, rss_mb = _measured_run(source, config, line)
    per_round = max(1, frames // ROUNDS)
    pipeline_ms, bare_ms = [], []
    for _ in range(ROUNDS):
        bare_ms.append(_bare_ms(config, segmenter, per_round))
        pipeline_ms.append(_pipeline_ms(config, segmenter, per_round))
    return {
        "frames": per_round * ROUNDS,
        "input_hw": input_hw,
        "pipeline_ms_per_frame": round(statistics.median(pipeline_ms), 3),
        "bare_inference_ms_per_frame": round(statistics.median(bare_ms), 3),
        "ratio": round(
            statistics.median(p / b for p, b in zip(pipeline_ms, bare_ms, strict=True)), 3
        ),
        "stages": _stages_ms(config, segmenter, per_round),
        "rss_mb": rss_mb,
        "startup_s": startup_s,
    }


def _first_frame(config: Config) -> Frame:
    with open_source(next(iter(config.cameras.values())).source) as source:
        for frame in source:
            return frame
    raise ConfigError("bench: expected a source with frames, got none")


def _input_hw(config: Config, segmenter: Segmenter) -> list[int]:
    return list(segmenter.prepare(_first_frame(config).image).box.input_hw)


def _bare_ms(config: Config, segmenter: Segmenter, frames: int) -> float:
    x = segmenter.prepare(_first_frame(config).image)
    segmenter.infer(x)
    times = []
    for _ in range(frames):
        began = time.perf_counter()
        segmenter.infer(x)
        times.append((time.perf_counter() - began) * 1e3)
    return statistics.fmean(times)


def _pipeline_ms(config: Config, segmenter: Segmenter, frames: int) -> float:
    """Wall time a frame, from the first frame's arrival on; opening is not in it."""
    [(camera, _)] = config.cameras.items()
    with (
        open_source(config.cameras[camera].source) as source,
        tempfile.TemporaryDirectory() as folder,
        JsonLinesSink(Path(folder) / "events.jsonl") as sink,
    ):
        names = segmenter.class_names
        tracker = build.tracker(config, camera, names)
        counters = build.counters(config, camera, names, source.width, source.height)
        provenance = build.provenance(camera, source, segmenter)
        events = EventsOutput(build.encoder(config, camera, provenance), lines_to(sink), counters)
        seen = pipeline.segmented(source, segmenter)
        began = time.perf_counter()
        done = pipeline.run(seen, tracker, counters, [events], None, frames)
        return (time.perf_counter() - began) * 1e3 / max(1, done)


def _stages_ms(config: Config, segmenter: Segmenter, frames: int) -> dict[str, float]:
    """Mean time of each stage on the main thread, one after the other."""
    [(camera, _)] = config.cameras.items()
    spent: dict[str, float] = defaultdict(float)
    done = 0
    with open_source(config.cameras[camera].source) as source:
        names = segmenter.class_names
        tracker = build.tracker(config, camera, names)
        counters = build.counters(config, camera, names, source.width, source.height)
        clock = time.perf_counter
        before = clock()
        for frame in source:
            marks = [("wait_for_frame", clock())]
            x = segmenter.prepare(frame.image)
            marks.append(("prepare", clock()))
            outputs = segmenter.infer(x)
            marks.append(("infer", clock()))
            instances = segmenter.decode(outputs, x)
            marks.append(("decode", clock()))
            tracks = tracker.update(frame.stamp, instances)
            marks.append(("track", clock()))
            for counter in counters:
                counter.update(frame.stamp, tracks, instances)
            marks.append(("count", clock()))
            for name, mark in marks:
                spent[name] += mark - before
                before = mark
            done += 1
            if done == frames:
                break
    return {name: round(total * 1e3 / max(1, done), 3) for name, total in spent.items()}


def _measured_run(source: str, config: Config, lines: list[str] | None) -> tuple[float, float]:
    """Seconds from starting `edge run` to its first event, and its peak memory in MB."""
    m = config.model
    options = ["--model", m.name, "--provider", m.provider, "--quiet", "--max-frames", "100"]
    options += ["--threads", str(m.threads)] if m.threads else []
    options += ["--input-size", str(m.input_size)] if m.input_size else []
    for rule in lines or [MIDDLE]:
        options += ["--line", rule]
    command = [sys.executable, "-m", "edge", "run", source, *options]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        startup_s = time.perf_counter() - began
        process.stdout.read()
    if not first or process.returncode:
        raise ConfigError(f"bench: expected events from `edge run {source}`, got none")
    peak_kb: Any = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return round(startup_s, 3), round(peak_kb / 1024, 1)
