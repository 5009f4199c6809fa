"""`edge bench`: time for each stage, and bare inference beside the pipeline."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

import cv2
import numpy as np
import typer

import edge
from edge import build, pipeline
from edge.cli import bench_decode, bench_sources, bench_stages
from edge.cli.options import (
    ClassNamesOption,
    FamilyOption,
    InputSizeOption,
    LineOption,
    ModelOption,
    ProviderOption,
    ThreadsOption,
    combined,
)
from edge.cli.terminal import console, teller
from edge.config import Config, with_model
from edge.errors import ConfigError
from edge.segment import Prepared, Segmenter, Session
from edge.segment.runtime import runtime_version
from edge.sources import open_source
from edge.types import Step

EXAMPLE = "Example: edge bench street.mp4 --threads 2 --json"
MIDDLE = "middle=0.5,0,0.5,1"
ROUNDS = 5  # the pipeline and bare inference take turns, so that both meet the same machine
CPU_INFO = Path("/proc/cpuinfo")


def bench(  # noqa: PLR0913
    source: Annotated[
        str | None, typer.Argument(help="Video file or image folder; none with --stage.")
    ] = None,
    model: ModelOption = None,
    family: FamilyOption = None,
    class_names: ClassNamesOption = None,
    provider: ProviderOption = None,
    threads: ThreadsOption = None,
    input_size: InputSizeOption = None,
    line: LineOption = None,
    frames: Annotated[int, typer.Option(min=10, help="Frames to time.")] = 300,
    stage: Annotated[
        Literal["decode"] | None,
        typer.Option(
            help="This stage alone: reading the outputs of each family of models for 100 "
            "synthetic instances at 1080p."
        ),
    ] = None,
    draw: Annotated[
        bool,
        typer.Option("--draw", help="Also time drawing, as for --save-video, as a stage."),
    ] = False,
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
    Bare inference is the model alone on the same prepared input, one after the other on all
    threads. The pipeline may be faster: on a CPU a small model sees several frames at once, which
    share the threads. Stages are timed one after the other, with nothing beside them,
    so `infer` is then on such a share alone.

    With --sources, cameras share the model as in `edge run --config`, and are dropped evenly
    where it is too slow. The time from capture to event is to stay below two frame intervals and
    one inference for 95 of 100 frames.
    """
    if stage is not None:
        found = [bench_decode.measured(family, frames) for family in bench_decode.FAMILIES]
        result: dict[str, Any] = _machine() | {"frame_hw": bench_decode.FRAME_HW, "families": found}
        said = [*_lines({k: v for k, v in result.items() if k != "families"})]
        _say(result, [*said, *bench_decode.lines(result)], json_output)
        return
    if source is None:
        raise ConfigError("edge bench: expected a SOURCE or --stage, got neither")
    config = combined(None, [source] * (sources or 1), line or [MIDDLE], None, None)
    changes = {
        "name": model,
        "family": family,
        "class_names": str(class_names) if class_names else None,
        "provider": provider,
        "threads": threads,
        "input_size": input_size,
    }
    config = with_model(config, {k: v for k, v in changes.items() if v is not None})
    segmenter = build.configured_segmenter(config, teller())
    about = {
        "source": Path(source).name,
        "model": segmenter.session.file.path.name,
        "provider": segmenter.session.provider,
        "threads": segmenter.session.threads,
        **_machine(),
    }
    if sources:
        result = about | bench_sources.measured(config, segmenter, duration, fps)
        said = bench_sources.lines(result)
    else:
        result = about | _compared(config, segmenter, source, line, frames, draw)
        said = _lines(result)
    _say(result, said, json_output)


def _say(result: dict[str, Any], lines: list[str], json_output: bool) -> None:
    for text in [] if json_output else lines:
        console.print(text, highlight=False, soft_wrap=True)
    typer.echo(json.dumps(result))


def _lines(result: dict[str, Any]) -> list[str]:
    """A line each; stages one below the other."""
    lines = []
    for key, value in result.items():
        if key == "stages":
            lines += [
                f"stage {stage:22} p50 {ms['p50_ms']:8.3f}   p95 {ms['p95_ms']:8.3f} ms"
                for stage, ms in value.items()
            ]
        else:
            shown = value
            if isinstance(value, dict):
                shown = ", ".join(f"{k} {v}" for k, v in value.items())
            lines.append(f"{key:28} {shown}")
    return lines


def _machine() -> dict[str, Any]:
    """What the numbers depend on besides the command."""
    kind = platform.machine()
    try:
        named = [t for t in CPU_INFO.read_text().splitlines() if t.startswith("model name")]
        kind += "".join(f", {text.partition(':')[2].strip()}" for text in named[:1])
    except OSError:
        pass  # not Linux
    return {
        "machine": f"{kind}, {os.cpu_count()} CPUs",
        "versions": {
            "python": platform.python_version(),
            "onnxruntime": runtime_version(),
            "numpy": np.__version__,
            "opencv": cv2.__version__,
            "edgecount": edge.__version__,
        },
    }


def _compared(
    config: Config,
    segmenter: Segmenter,
    source: str,
    line: list[str] | None,
    frames: int,
    draws: bool,
) -> dict[str, Any]:
    """Time for each stage, and the pipeline against bare inference."""
    prepared = _first_input(config, segmenter)
    startup_s, rss_mb = _measured_run(source, config, line)
    bare = bench_stages.bare_session(segmenter)
    per_round = max(1, frames // ROUNDS)
    pipeline_ms, bare_ms = [], []
    for _ in range(ROUNDS):
        bare_ms.append(_bare_ms(bare, prepared, per_round))
        pipeline_ms.append(_pipeline_ms(config, segmenter, per_round))
    ratios = [p / b for p, b in zip(pipeline_ms, bare_ms, strict=True)]
    median_ms = statistics.median(pipeline_ms)
    if not median_ms:
        raise ConfigError("edge bench: expected a source with at least two frames, got one")
    return {
        "frames": per_round * ROUNDS,
        "input_hw": list(prepared.box.input_hw),
        "pipeline_ms_per_frame": round(median_ms, 3),
        "bare_inference_ms_per_frame": round(statistics.median(bare_ms), 3),
        "frames_at_once": segmenter.at_once,
        "fps": round(1e3 / median_ms, 2),
        "ratio": round(statistics.median(ratios), 3),
        "ratio_of_rounds": sorted(round(ratio, 3) for ratio in ratios),
        "stages": bench_stages.percentiles_ms(
            bench_stages.spent_s(config, segmenter, per_round, draws=draws)
        ),
        "rss_mb": rss_mb,
        "startup_s": startup_s,
    }


def _first_input(config: Config, segmenter: Segmenter) -> Prepared:
    [camera] = config.cameras.values()
    with open_source(camera.source, reads_ahead=False) as source:
        for frame in source:
            return segmenter.prepare(frame.image)
    raise ConfigError("edge bench: expected a source with frames, got none")


def _bare_ms(bare: Session, prepared: Prepared, frames: int) -> float:
    """The model alone, again and again."""
    bare.run(prepared.tensor)
    began = time.perf_counter()
    for _ in range(frames):
        bare.run(prepared.tensor)
    return (time.perf_counter() - began) * 1e3 / frames


class _Times:
    """An output that notes when each step is done."""

    def __init__(self) -> None:
        self.done_s: list[float] = []

    def write(self, step: Step) -> None:
        self.done_s.append(time.perf_counter())

    def close(self) -> None:
        pass


def _pipeline_ms(config: Config, segmenter: Segmenter, frames: int) -> float:
    """Wall time a frame, from the end of the first to the end of the last."""
    times = _Times()
    with bench_stages.parts_of(config, segmenter) as (source, tracker, counters, events):
        seen = pipeline.segmented(source, segmenter)
        pipeline.run(seen, tracker, counters, [events, times], None, frames)
    return (times.done_s[-1] - times.done_s[0]) * 1e3 / max(1, len(times.done_s) - 1)


def _measured_run(source: str, config: Config, lines: list[str] | None) -> tuple[float, float]:
    """Seconds from starting `edge run` to its first event, and its peak memory in MB."""
    m = config.model
    options = ["--provider", m.provider, "--quiet", "--max-frames", "100"]
    options += ["--model", m.name] if m.name else []
    options += ["--threads", str(m.threads)] if m.threads else []
    options += ["--input-size", str(m.input_size)] if m.input_size else []
    options += ["--family", m.family] if m.family else []
    options += ["--class-names", str(m.class_names)] if m.class_names else []
    for rule in lines or [MIDDLE]:
        options += ["--line", rule]
    with TemporaryDirectory(prefix="edge-bench-") as folder:
        peak = Path(folder) / "peak"
        command = [sys.executable, "-m", "edge.cli.peak", str(peak), "run", source, *options]
        began = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            startup_s = time.perf_counter() - began
            process.stdout.read()
        if not first or process.returncode:
            raise ConfigError(f"edge bench: expected events from `edge run {source}`, got none")
        return round(startup_s, 3), round(int(peak.read_text()) / 1024, 1)
