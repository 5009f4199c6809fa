"""`edge inspect`: what the model sees in a picture, instance by instance, as evidence."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from edge import build
from edge.cli.eval_pictures import model_setting
from edge.cli.inspect_output import Inspected, facts_table, write_files
from edge.cli.options import InputSizeOption, ModelOption, ProviderOption, ThreadsOption
from edge.cli.terminal import console, teller
from edge.errors import ConfigError, SourceError
from edge.evaluate import coco
from edge.evaluate.agreement import agreement
from edge.evaluate.failures import findings
from edge.evaluate.instances import instance_facts
from edge.evaluate.truthfiles import PictureTruth, of_coco, of_instance_map
from edge.segment import Segmenter
from edge.sources import ImageFolder, open_source
from edge.sources.folder import SUFFIXES, picture
from edge.types import U8

EXAMPLE = "Example: edge inspect street.mp4 --at 12.5 --out evidence"


def inspect(  # noqa: PLR0913
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="Picture, video, or folder of pictures.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the files go.")],
    at: Annotated[
        float | None,
        typer.Option(
            min=0, metavar="SECONDS", help="Which frame of a video: the first from here on."
        ),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(metavar="COCO.json|MAP.png", help="Ground truth to compare with."),
    ] = None,
    model: ModelOption = None,
    input_size: InputSizeOption = None,
    provider: ProviderOption = None,
    threads: ThreadsOption = None,
    min_score: Annotated[
        float,
        typer.Option(
            metavar="SCORE", min=0, max=1, help="Leave out what the model is less sure of."
        ),
    ] = 0.3,
    pixels: Annotated[
        bool, typer.Option("--pixels", help="Write masks into the JSON too, as COCO RLE.")
    ] = False,
    json_to: Annotated[
        str, typer.Option("--json", metavar="[-]", help="Print the facts as JSON too.")
    ] = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No tables.")] = False,
) -> None:
    """Show what the model sees: facts of each instance, an instance map, and an evidence card.

    Writes NAME.json, NAME-instances.png (ids, 16 bits), NAME-overlay.png, NAME-card.html and
    NAME-card.png for each picture.
    """
    if json_to not in ("", "-"):
        raise ConfigError(f"--json: expected - or nothing, got '{json_to}'; --out names the folder")
    true = _read_truth(source, truth)
    pictures = _pictures(source, at)
    segmenter = build.segmenter(
        model=model,
        provider=provider or "auto",
        threads=threads,
        input_size=input_size,
        min_score=min_score,
        tell=teller(quiet),
    )
    # A file or pipe has no width of its own: give the table the room that it needs.
    terminal = console if console.is_terminal else Console(stderr=True, width=160)
    for shown in pictures:
        inspected = _inspected(shown, segmenter, true, min_score)
        data = write_files(out, inspected, pixels)
        if json_to:
            typer.echo(json.dumps(data))
        if not quiet:
            terminal.print(facts_table(inspected))
            terminal.print(f"card: {out / data['files']['card']}", highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class _Picture:
    """A picture to look at, what it is called, and where in a video it was."""

    name: str  # of the files made for it
    path: Path
    image: U8
    frame: int | None
    time_s: float | None


def _pictures(source: str, at_s: float | None) -> Iterator[_Picture]:
    """The pictures of a source; opened at once, so that a bad source is told before the model."""
    path = Path(source)
    is_still = path.is_dir() or path.suffix.lower() in SUFFIXES
    if is_still and at_s is not None:
        raise ConfigError("--at: expected a video, got pictures, which have no time")
    if path.is_dir():
        files = ImageFolder(path).files
        stems = [f.stem for f in files]
        return (_still(f, f.name if stems.count(f.stem) > 1 else f.stem) for f in files)
    return iter([_still(path, path.stem) if is_still else _frame(source, at_s or 0.0)])


def _still(path: Path, name: str) -> _Picture:
    image = picture(path)
    if image is None:
        got = "a file that is none" if path.exists() else "no such file"
        raise SourceError(f"{path}: expected a picture, got {got}")
    return _Picture(name, path, image, None, None)


def _frame(source: str, at_s: float) -> _Picture:
    last_s = 0.0
    with open_source(source) as video:
        for frame in video:
            last_s = frame.stamp.media_s
            if last_s >= at_s:
                name = f"{video.path.stem}-{last_s:.3f}s"
                return _Picture(name, video.path, frame.image, frame.stamp.frame, last_s)
    raise ConfigError(f"--at: expected at most {last_s:.3f} s, where {source} ends, got {at_s:g}")


_Truth = Path | dict[str, Any] | None


def _read_truth(source: str, truth: Path | None) -> _Truth:
    """The data set, or the path of an instance map, which is of one picture only."""
    if truth is None:
        return None
    if truth.suffix.lower() == ".json":
        dataset: dict[str, Any] = coco.read_json(truth)
        coco.require_lists(dataset)
        return dataset
    if Path(source).is_dir():
        raise ConfigError(f"--truth: expected COCO JSON for a folder of pictures, got {truth}")
    return truth


def _truth_of(shown: _Picture, truth: _Truth, classes: Sequence[str]) -> PictureTruth | None:
    size_hw = (shown.image.shape[0], shown.image.shape[1])
    if truth is None:
        return None
    if isinstance(truth, Path):
        return of_instance_map(truth, size_hw)
    return of_coco(truth, str(shown.path), size_hw, classes)


def _inspected(shown: _Picture, segmenter: Segmenter, truth: _Truth, min_score: float) -> Inspected:
    names = segmenter.class_names
    true = _truth_of(shown, truth, names)
    instances = segmenter.segment(shown.image)
    facts = instance_facts(instances, names)
    agreed = agreement(instances, names, true) if true else None
    return Inspected(
        name=shown.name,
        source=shown.path.name,
        image=shown.image,
        frame=shown.frame,
        time_s=shown.time_s,
        setting=model_setting(segmenter) | {"min_score": min_score},
        instances=instances,
        facts=facts,
        compared=(true, agreed) if true and agreed else None,
        checks=findings(facts, agreed, true.is_complete if true else True),
    )
