"""The truth of one picture: from a COCO file, by file name, or from an instance map.

Imports opencv, numpy and layers 0-2 besides its own folder.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from edge import masks as mask_ops
from edge.errors import ConfigError
from edge.evaluate import coco
from edge.evaluate.coco import Json
from edge.types import Bool, Masks


@dataclass(frozen=True, slots=True)
class PictureTruth:
    """What is really in one picture. Ids are annotation ids, or the values of an instance map."""

    masks: Masks
    ids: tuple[int, ...]
    class_names: tuple[str, ...]  # "" where the truth does not say
    crowd: Bool  # (N,) a region of many objects: neither found nor missed
    is_complete: bool  # False: there are objects that it does not name
    notes: tuple[str, ...]


def of_coco(
    dataset: Json, name: str, size_hw: tuple[int, int], classes: Collection[str]
) -> PictureTruth:
    """The truth of the picture `name` in a COCO data set.

    Args:
        dataset: COCO instances JSON.
        name: path of the picture. The entry is meant whose `file_name` it ends with, else the
            only one with the same last part.
        size_hw: of the picture.
        classes: names that the model can give; objects of others are left out, and noted.

    Raises:
        ConfigError: no COCO data set, no such picture in it, or one of another size.
        EdgeError: pycocotools is needed, for polygons, and not installed.
    """
    coco.require_lists(dataset)
    image = _entry(dataset["images"], name)
    if (image.get("height"), image.get("width")) != size_hw:
        raise ConfigError(
            f"truth: expected {name} to be {image.get('height')} x {image.get('width')} as its "
            f"entry says, got {size_hw[0]} x {size_hw[1]}"
        )
    is_complete = bool(image.get("exhaustive", True))
    one = {
        "images": [image | {"exhaustive": True}],
        "categories": dataset["categories"],
        "annotations": [a for a in dataset["annotations"] if a.get("image_id") == image["id"]],
    }
    scope = coco.truth_from(one, None)
    kept = [a for a in scope.annotations if scope.class_names[a["category_id"]] in classes]
    notes = []
    if len(kept) < len(scope.annotations):
        others = {scope.class_names[a["category_id"]] for a in scope.annotations} - set(classes)
        notes.append(
            f"{len(scope.annotations) - len(kept)} true objects of classes that the model does "
            f"not have are left out: {', '.join(sorted(others))}"
        )
    if not is_complete:
        notes.append("not all objects are labelled: what matches none may still be right")
    return PictureTruth(
        coco.masks(kept, image),
        tuple(int(a["id"]) for a in kept),
        tuple(scope.class_names[a["category_id"]] for a in kept),
        np.array([bool(a.get("iscrowd", 0)) for a in kept], bool),
        is_complete,
        tuple(notes),
    )


def of_instance_map(path: Path, size_hw: tuple[int, int]) -> PictureTruth:
    """The truth in a grey PNG of 8 or 16 bits: 0 background, any other value one object.

    Raises:
        ConfigError: no such picture, not grey, or of another size.
    """
    data = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if path.is_file() else None
    if data is None:
        raise ConfigError(f"{path}: expected an instance map as PNG, got no picture")
    canvas = np.asarray(data)
    if canvas.ndim != 2 or canvas.dtype not in (np.uint8, np.uint16):
        raise ConfigError(
            f"{path}: expected an instance map, grey, 8 or 16 bits, got {canvas.dtype} "
            f"{canvas.shape}"
        )
    if canvas.shape != size_hw:
        raise ConfigError(
            f"{path}: expected an instance map of {size_hw[0]} x {size_hw[1]} pixels as the "
            f"picture, got {canvas.shape[0]} x {canvas.shape[1]}"
        )
    ids = [int(v) for v in np.unique(canvas) if v]
    masks = mask_ops.empty(*size_hw)
    if ids:
        masks = mask_ops.packed(np.stack([canvas == v for v in ids]))
    return PictureTruth(masks, tuple(ids), ("",) * len(ids), np.zeros(len(ids), bool), True, ())


def _entry(images: list[Json], name: str) -> Json:
    """The entry of a picture, by the longest match of its path."""
    parts = PurePosixPath(Path(name).as_posix()).parts
    alike = []
    for image in images:
        entry = PurePosixPath(str(image.get("file_name", ""))).parts
        if entry and entry[-1] == parts[-1] and "id" in image:
            alike.append((entry == parts[-len(entry) :], image))
    exact = [image for fits, image in alike if fits]
    chosen = exact or [image for _, image in alike]
    if len(chosen) != 1:
        raise ConfigError(
            f"truth: expected one picture with the file_name {parts[-1]}, got {len(chosen)}"
        )
    return chosen[0]
