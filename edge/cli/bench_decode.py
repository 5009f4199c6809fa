"""`edge bench --stage decode`: what reading a model's outputs costs for a crowd of 100 at 1080p.

The outputs are synthetic: what a perfect model would give of one crowd, in the convention of each
family. So no model is needed, and families can be compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edge.cli.bench_stages import percentiles_ms
from edge.segment import Limits, Outputs
from edge.segment.families import recognised
from edge.segment.letterbox import Letterbox, cornered, letterbox, stretched
from edge.segment.model_file import ModelFile
from edge.segment.prototypes import masks_of
from edge.types import F32, Instances

CROWD = 100
FRAME_HW = (1080, 1920)
INPUT_HW = (384, 640)  # what a longest side of 640 pixels makes of it
SQUARE_HW = (640, 640)
SHORT_800_HW = (800, 1440)
SHORT_750_HW = (768, 1344)  # where the longer side is limited
CLASSES = 80
PROTOTYPES = 32
NAMES = tuple(f"class{k}" for k in range(CLASSES))
LIMITS = Limits(0.2, 0.65)
# What gives masks of prototypes; in others a mask is a plane of the query's own.
OF_PROTOTYPES = ("yolo", "yolo-end2end", "yolov5")


def crowd() -> F32:
    """Boxes (100, 4) in 0..1 of the picture: people 80 to 240 pixels high, rows behind rows.

    >>> crowd().shape
    (100, 4)
    """
    column, row = np.meshgrid(np.arange(20), np.arange(5))
    middle = (column.ravel() + 0.5) / 20
    low = (row.ravel() + 1.5) / 6.5
    high = (80 + 40 * row.ravel()) / FRAME_HW[0]
    half = high * 0.4 * FRAME_HW[0] / FRAME_HW[1] / 2
    boxes: F32 = np.stack([middle - half, low - high, middle + half, low], 1).astype(np.float32)
    return boxes


def outputs_of(family: str) -> tuple[Outputs, tuple[str, ...], tuple[int, int]]:
    """What a model of a family gives of the crowd, the outputs' names, and its input's size."""
    random = np.random.default_rng(0)
    if family in OF_PROTOTYPES:
        return _of_prototypes(family, random), ("output0", "output1"), INPUT_HW
    if family not in OF_QUERIES:
        return _of_pixels(family)
    h, w = (side // 4 for side in SQUARE_HW)
    planes = _planes(crowd(), h, w)
    if family == "rfdetr":
        logits = np.full((CROWD, CLASSES + 1), -6, np.float32)
        logits[np.arange(CROWD), np.arange(CROWD) % CLASSES] = 2
        dets = _centred(crowd())
        return _batch(dets, logits, planes), ("dets", "labels", "masks"), SQUARE_HW
    labels = np.arange(CROWD) % CLASSES
    scores = np.full(CROWD, 0.9, np.float32)
    shares: F32 = np.clip(planes / 8 + 0.5, 0, 1)
    found = _batch(labels, crowd() * np.float32(SQUARE_HW[0]), scores, shares)
    return found, ("labels", "boxes", "scores", "masks"), SQUARE_HW


def _of_pixels(family: str) -> tuple[Outputs, tuple[str, ...], tuple[int, int]]:
    """Masks as a model makes them ready: over the whole input, or squares, each over its box."""
    input_hw, place = PLACES[family]
    box = place(FRAME_HW, input_hw)
    boxes = crowd() * np.array(FRAME_HW[::-1] * 2, np.float32)
    boxes *= np.array([box.scale_x, box.scale_y] * 2, np.float32)
    boxes += np.array([box.left, box.top] * 2, np.float32)
    labels = np.arange(CROWD) % CLASSES
    scores = np.full(CROWD, 0.9, np.float32)
    dets = np.column_stack([boxes, scores]).astype(np.float32)
    if family in OF_SQUARES:
        whole = np.tile(np.array([0, 0, 28, 28], np.float32), (CROWD, 1))
        masks = _shares(whole, (28, 28))
    else:
        masks = _shares(boxes, input_hw)
    if family in ("rtmdet", "mmdet-maskrcnn"):
        return _batch(dets, labels, masks), ("dets", "labels", "masks"), input_hw
    if family == "generic":
        return [dets, labels, masks], ("dets", "labels", "masks"), input_hw
    if family == "detectron2":
        found: Outputs = [boxes, labels, masks[:, None], scores, np.array(input_hw)]
        return found, tuple(map(str, range(5))), input_hw
    names = ("boxes", "labels", "scores", "masks")
    return [boxes, labels + 1, scores, masks[:, None]], names, input_hw


OF_QUERIES = ("rfdetr", "dfine")
PLACES: dict[str, tuple[tuple[int, int], Callable[..., Letterbox]]] = {
    "rtmdet": (SQUARE_HW, cornered),
    "torchvision": (FRAME_HW, stretched),
    "mmdet-maskrcnn": (SHORT_750_HW, cornered),
    "maskrcnn-zoo": (SHORT_800_HW, cornered),
    "detectron2": (SHORT_750_HW, cornered),
    "generic": (INPUT_HW, letterbox),
}
OF_SQUARES = ("mmdet-maskrcnn", "maskrcnn-zoo", "detectron2")
FAMILIES = (*OF_PROTOTYPES, *OF_QUERIES, *PLACES)


def _of_prototypes(family: str, random: np.random.Generator) -> Outputs:
    """Everybody's mask is the sum of all prototypes, positive inside an ellipse in the box."""
    h, w = INPUT_HW
    box = letterbox(FRAME_HW, INPUT_HW)
    frame = np.array(FRAME_HW[::-1] * 2, np.float32)
    boxes: F32 = crowd() * frame * np.float32(box.scale_x)
    boxes += np.array([box.left, box.top] * 2, np.float32)
    planes = random.normal(size=(PROTOTYPES, h // 4, w // 4)).astype(np.float32)
    within: F32 = (boxes / np.array([w, h, w, h])).astype(np.float32)
    planes += _planes(within, h // 4, w // 4).max(0) / PROTOTYPES
    shares = np.ones((CROWD, PROTOTYPES), np.float32)
    kinds = np.arange(CROWD) % CLASSES
    if family == "yolo-end2end":
        scores = np.linspace(0.9, 0.5, CROWD, dtype=np.float32)[:, None]
        rows = np.zeros((300, 6 + PROTOTYPES), np.float32)
        rows[:CROWD] = np.hstack([boxes, scores, kinds[:, None], shares])
        return _batch(rows, planes)
    objectness = int(family == "yolov5")
    cells = (3 if objectness else 1) * sum((h // s) * (w // s) for s in (8, 16, 32))
    rows = np.zeros((cells, 4 + objectness + CLASSES + PROTOTYPES), np.float32)
    rows[:, 2:4] = 1
    # Each is found by three cells side by side, as a real model finds it: two are to go.
    at = np.arange(3 * CROWD) * (cells // (3 * CROWD))
    thrice = np.repeat(_centred(boxes), 3, 0)
    thrice[:, 0] += np.tile(np.array([0, 0.3, -0.3], np.float32), CROWD)
    rows[at, :4] = thrice
    rows[at, 4 : 4 + objectness] = 0.95
    rows[at, 4 + objectness + np.repeat(kinds, 3)] = np.tile([0.9, 0.7, 0.6], CROWD)
    rows[at, 4 + objectness + CLASSES :] = np.repeat(shares, 3, 0)
    if objectness:
        return _batch(rows, planes)
    return _batch(np.ascontiguousarray(rows.T), planes)


def _planes(within: F32, h: int, w: int) -> F32:
    """Logits (100, h, w): an ellipse in each box (100, 4) of 0..1, 4 in its middle."""
    boxes = within * np.array([w, h, w, h], np.float32)
    centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    x = (np.arange(w, dtype=np.float32) + 0.5 - centre[:, :1]) / half[:, :1]
    y = (np.arange(h, dtype=np.float32) + 0.5 - centre[:, 1:]) / half[:, 1:]
    planes: F32 = np.maximum(4 - 4 * (x[:, None, :] ** 2 + y[:, :, None] ** 2), -4)
    return planes.astype(np.float32)


def _shares(boxes: F32, hw: tuple[int, int]) -> F32:
    """Probabilities (100, h, w): an ellipse in each box (100, 4) of pixels, and 0 around the box.

    What is not written takes no memory: planes of a 1080p picture would take 830 MB.
    """
    planes: F32 = np.zeros((len(boxes), *hw), np.float32)
    for plane, (x1, y1, x2, y2) in zip(planes, boxes, strict=True):
        top, left = max(0, int(y1)), max(0, int(x1))
        part = plane[top : int(y2) + 1, left : int(x2) + 1]
        y, x = (np.arange(n, dtype=np.float32) + 0.5 for n in part.shape)
        down = (y + top - (y1 + y2) / 2) / ((y2 - y1) / 2)
        across = (x + left - (x1 + x2) / 2) / ((x2 - x1) / 2)
        part[:] = np.clip(1 - 0.5 * (down[:, None] ** 2 + across**2), 0, 1)
    return planes


def _centred(boxes: F32) -> F32:
    centred: F32 = np.hstack([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]])
    return centred


def _batch(*arrays: Any) -> Outputs:
    return [array[None] for array in arrays]


def seen(family: str) -> Instances:
    """The crowd as a family's reading makes it of the outputs.

    Raises:
        ModelError: the family does not take its own convention.
    """
    read, outputs, _ = _reading(family)
    return read(outputs)


def measured(family: str, rounds: int) -> dict[str, Any]:
    """Time for decoding the crowd: all of it, and the masks alone in families of prototypes.

    Raises:
        ModelError: the family does not take its own convention.
    """
    read, outputs, box = _reading(family)
    found = read(outputs)
    works: dict[str, Callable[[], object]] = {"decode": lambda: read(outputs)}
    if family in OF_PROTOTYPES:
        shares = np.ones((CROWD, PROTOTYPES), np.float32)
        works["masks"] = lambda: masks_of(shares, outputs[1][0], found.boxes, box)
    spent: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            began = time.perf_counter()
            work()
            spent[name].append(time.perf_counter() - began)
    return {"family": family, "instances": len(found), "stages": percentiles_ms(spent)}


def _reading(family: str) -> tuple[Callable[[Outputs], Instances], Outputs, Letterbox]:
    outputs, names, input_hw = outputs_of(family)
    sizes = tuple((name, output.shape) for name, output in zip(names, outputs, strict=True))
    file = ModelFile(Path(f"{family}.onnx"), "", {}, "images", (1, 3, *input_hw), sizes)
    reading = recognised(file, outputs, family, NAMES)
    box = reading.preparation.placed(FRAME_HW, input_hw, None)
    return lambda given: reading.decode(given, box, LIMITS)[0], outputs, box


def lines(result: dict[str, Any]) -> list[str]:
    """A result as text, a line a family."""
    return [
        f"{row['family']:14} {row['instances']} instances; "
        + "; ".join(
            f"{stage} p50 {ms['p50_ms']:.2f}, p95 {ms['p95_ms']:.2f} ms"
            for stage, ms in row["stages"].items()
        )
        for row in result["families"]
    ]
