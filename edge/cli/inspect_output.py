"""What `edge inspect` leaves behind: JSON, a table, pictures and the evidence card."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Group
from rich.table import Table
from rich.text import Text

from edge import rle
from edge.cli.eval_output import plain, write
from edge.draw import draw_instances
from edge.evaluate.agreement import Agreement
from edge.evaluate.card import Card, html_page, neighbours_text, share, verdict
from edge.evaluate.closeups import closeups
from edge.evaluate.failures import Finding
from edge.evaluate.instances import InstanceFacts
from edge.evaluate.sheet import sheet
from edge.evaluate.truthfiles import PictureTruth
from edge.masks import instance_map
from edge.types import U8, Instances

FULL_CAPTIONS = 8  # more instances have only their ids beside them


@dataclass(frozen=True, slots=True)
class Inspected:
    """One picture and all that was found out about it."""

    name: str  # of its files
    source: str
    image: U8
    frame: int | None  # of a video
    time_s: float | None
    setting: dict[str, object]
    instances: Instances
    facts: Sequence[InstanceFacts]
    compared: tuple[PictureTruth, Agreement] | None
    checks: Sequence[Finding]


def facts_json(inspected: Inspected, files: dict[str, str], with_pixels: bool) -> dict[str, Any]:
    """The facts as one JSON object; `mask` is COCO run lengths, if wanted."""
    matched = {m.id: m for m in inspected.compared[1].matches} if inspected.compared else {}
    runs = rle.encoded(inspected.instances.masks) if with_pixels else []
    instances = []
    for k, f in enumerate(inspected.facts):
        entry = asdict(f)
        entry["class"] = entry.pop("class_name")
        if f.id in matched:
            m = matched[f.id]
            entry["truth"] = {"id": m.truth_id, "class": m.truth_class or None}
            entry["truth"] |= {"iou": m.iou, "dice": m.dice, "boundary_iou": m.boundary_iou}
        instances.append(entry | ({"mask": runs[k]} if with_pixels else {}))
    data = {
        "source": inspected.source,
        "frame": inspected.frame,
        "time_s": inspected.time_s,
        "size": list(inspected.image.shape[:2]),
        "setting": inspected.setting,
        "instances": instances,
        "truth": _truth_json(inspected),
        "checks": [asdict(c) for c in inspected.checks],
        "files": files,
    }
    found: dict[str, Any] = plain(data)
    return found


def _truth_json(inspected: Inspected) -> dict[str, Any] | None:
    if inspected.compared is None:
        return None
    truth, agreed = inspected.compared
    classes = {c.class_name: asdict(c) for c in agreed.classes}
    return {
        "objects": int(np.count_nonzero(~truth.crowd)),
        "per_class": {
            n: {k: v for k, v in c.items() if k != "class_name"} for n, c in classes.items()
        },
        "missed": agreed.missed,
        "false": agreed.false,
        "merged": agreed.merged,
        "split": agreed.split,
        "is_complete": truth.is_complete,
        "notes": truth.notes,
    }


def facts_table(inspected: Inspected) -> Group:
    """The instances of a picture, and the failure check, for a terminal."""
    matched = {m.id: m for m in inspected.compared[1].matches} if inspected.compared else {}
    table = Table(title=_title(inspected), title_justify="left")
    heads = ("id", "class", "score", "box", "area px", "border", "visible", "solid", "thin")
    for head in (*heads, *(("IoU",) if inspected.compared else ()), "overlaps or touches"):
        right = head not in ("class", "border", "overlaps or touches")
        table.add_column(head, justify="right" if right else "left")
    for f in inspected.facts:
        border = "touches" if f.touches_border else "near" if f.near_border else ""
        box = " ".join(f"{v:.0f}" for v in f.box)
        row = [str(f.id), f.class_name, share(f.score), box, str(f.area_px), border]
        row += map(share, (f.visible, f.solidity, f.thin_share))
        if inspected.compared:
            row.append(share(matched[f.id].iou) if f.id in matched else "–")
        table.add_row(*row, neighbours_text(f))
    lines = [f"{verdict(c):>3}  {c.question} {c.sentence}".rstrip() for c in inspected.checks]
    return Group(table, *map(Text, lines))


def write_files(folder: Path, inspected: Inspected, with_pixels: bool) -> dict[str, Any]:
    """Write everything about one picture; returns the facts.

    Raises:
        SinkError: the folder cannot be written.
    """
    name, masks = inspected.name, inspected.instances.masks
    files = {
        "facts": f"{name}.json",
        "instances": f"{name}-instances.png",
        "overlay": f"{name}-overlay.png",
        "card": f"{name}-card.html",
        "card_picture": f"{name}-card.png",
    }
    is_crowded = len(inspected.facts) > FULL_CAPTIONS  # labels would hide what they name
    captions = [
        f"#{f.id}" if is_crowded else f"#{f.id} {f.class_name} {f.score:.2f}"
        for f in inspected.facts
    ]
    overlay = draw_instances(inspected.image, inspected.instances, captions)
    card = _card(inspected, overlay)
    data = facts_json(inspected, files, with_pixels)
    write(folder / files["instances"], _png(instance_map(masks).astype(np.uint16)))
    write(folder / files["overlay"], _png(overlay))
    write(folder / files["card"], html_page(card))
    write(folder / files["card_picture"], _png(sheet(card)))
    write(folder / files["facts"], json.dumps(data, indent=2) + "\n")
    return data


def _card(inspected: Inspected, overlay: U8) -> Card:
    height, width = inspected.image.shape[:2]
    when = []
    if inspected.time_s is not None:
        when = [("time", f"{inspected.time_s:.3f} s"), ("frame", str(inspected.frame))]
    setting = [(key.replace("_", " "), str(value)) for key, value in inspected.setting.items()]
    compared = inspected.compared
    return Card(
        title=inspected.source,
        about=(
            *when,
            ("picture", f"{width} x {height}"),
            *setting,
            ("instances", str(len(inspected.facts))),
        ),
        image=inspected.image,
        overlay=overlay,
        facts=inspected.facts,
        checks=inspected.checks,
        agreement=compared[1] if compared else None,
        closeups=closeups(
            inspected.image, inspected.instances.masks, inspected.facts, inspected.checks, compared
        ),
        notes=compared[0].notes if compared else (),
    )


def _title(inspected: Inspected) -> str:
    when = "" if inspected.time_s is None else f" at {inspected.time_s:.3f} s"
    return f"{inspected.source}{when}: {len(inspected.facts)} instances"


def _png(picture: Any) -> bytes:
    return bytes(cv2.imencode(".png", picture)[1].tobytes())
