"""The part of `edge eval masks` that opens a model and touches pictures."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track as progress

from edge.cli.eval_output import write
from edge.cli.terminal import teller
from edge.errors import SourceError
from edge.evaluate import coco
from edge.evaluate.masks import MIN_SCORE, MaskQuality
from edge.evaluate.overlays import comparison
from edge.masks import empty
from edge.types import U8, Instances, Masks

OVERLAYS = 8  # so many of the worst pictures, and of the best
MAX_INSTANCES = 100  # of a picture, as COCO's AP allows


def opened_segmenter(
    model: str | None, provider: str, threads: int | None, input_size: int | None
) -> Any:
    """The segmenter as AP wants it: nearly every instance, doubtful ones too."""
    from edge import build

    return build.segmenter(
        model=model,
        provider=provider,
        threads=threads,
        input_size=input_size,
        min_score=0.01,
        nms_iou=0.65,
        strict_provider=False,
        every_class=True,
        tell=teller(),
    )


def model_setting(segmenter: Any) -> dict[str, object]:
    """What was run, and how, for the record."""
    return {
        "model": segmenter.session.file.path.name,
        "provider": segmenter.session.provider,
        "input_size": segmenter.longest_px,
    }


def predict(segmenter: Any, image: U8) -> Instances:
    """What a segmenter finds in one BGR picture, best score first."""
    instances: Instances = segmenter.segment(image)
    return instances


def predicted(segmenter: Any, scope: coco.Truth, folder: Path, with_masks: bool) -> list[coco.Json]:
    """COCO results of a segmenter on all pictures of the truth.

    Raises:
        SourceError: a picture is missing, broken, or not of the size that the truth says.
    """
    ids = {name: class_id for class_id, name in scope.class_names.items()}
    category_ids = [ids.get(name, -1) for name in segmenter.class_names]
    found: list[coco.Json] = []
    for image_id, picture in _pictures(scope.images, folder, "segmenting"):
        instances = predict(segmenter, picture)
        results = coco.results_of(image_id, instances, category_ids, with_masks)
        found.extend(results[:MAX_INSTANCES])
    return found


def _pictures(images: Sequence[coco.Json], folder: Path, task: str) -> Iterator[tuple[int, U8]]:
    shown = progress(
        images, task, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
    )
    for image in shown:
        path = folder / image["file_name"]
        picture = cv2.imread(str(path)) if path.is_file() else None
        if picture is None:
            raise SourceError(f"{path}: expected a picture, got none; --images names their folder")
        if picture.shape[:2] != (image["height"], image["width"]):
            raise SourceError(
                f"{path}: expected {image['height']} x {image['width']} as in the truth, "
                f"got {picture.shape[0]} x {picture.shape[1]}"
            )
        yield image["id"], np.asarray(picture, np.uint8)


def write_overlays(
    target: Path, scope: coco.Truth, found: Sequence[coco.Json], quality: MaskQuality, folder: Path
) -> None:
    """Truth beside prediction for the worst and the best pictures, as JPEG files in `target`.

    Raises:
        SourceError: a picture of `folder` cannot be read.
        SinkError: `target` cannot be written.
    """
    ranked = sorted((s, k) for k, s in quality.pictures.items() if not math.isnan(s))
    names = {k: f"worst-{n:02d}" for n, (_, k) in enumerate(ranked[:OVERLAYS])}
    best = ranked[OVERLAYS:][::-1][:OVERLAYS]
    names |= {k: f"best-{n:02d}" for n, (_, k) in enumerate(best)}
    chosen = {i["id"]: i for i in scope.images if i["id"] in names}
    annotated = coco.by_picture(scope.annotations, list(chosen.values()))
    certain = [p for p in found if p["score"] > MIN_SCORE and p["category_id"] in scope.class_names]
    predicted = coco.by_picture(certain, list(chosen.values()))
    for k, picture in _pictures(list(chosen.values()), folder, "drawing"):
        page = comparison(
            picture,
            _captioned(annotated[k], chosen[k], scope),
            _captioned(predicted[k], chosen[k], scope),
            f"{chosen[k]['file_name']}  quality {quality.pictures[k]:.2f}",
        )
        jpeg = cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
        write(target / f"{names[k]}-{Path(chosen[k]['file_name']).stem}.jpg", jpeg)


def _captioned(
    items: Sequence[coco.Json], image: coco.Json, scope: coco.Truth
) -> tuple[Masks, list[str]]:
    captions = [
        scope.class_names[i["category_id"]]
        + (f" {i['score']:.2f}" if "score" in i else "")
        + (" crowd" if i.get("iscrowd") else "")
        for i in items
    ]
    return coco.masks(items, image) if items else empty(image["height"], image["width"]), captions
