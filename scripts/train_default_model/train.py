"""Train the default model: two processes of one thread each, one stage a call. See README.md."""

from __future__ import annotations

import argparse
import copy
import json
import math
import os
import random
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from data import Crop, Instance, Picture, load, sample
from losses import corners, detection_loss, distillation_loss, iou_matrix, mask_loss
from model import STRIDES, Detector, Segmenter, decode
from torch import Tensor

PROCESSES = 2
BATCH = 4  # pictures a process and step


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of training; the learning rates are those after warm-up."""

    out: Path
    start: Path | None
    data: Path
    teacher: Path
    pictures: int
    lr: float
    lr_detector: float  # 0: the detector stays as it is
    final_lr: float  # the learning rates end at this share of themselves, along a cosine
    distillation: float
    detection: float  # weight of the box loss on warped crops
    warp: float
    upright: bool  # the box loss looks at upright crops too
    sizes: tuple[int, ...]
    seed: int


def teacher_labels(pictures: list[Picture], teacher: Detector) -> list[list[Instance]]:
    """What the original detector sees at 640 pixels, upright, beyond the labels: boxes only."""
    return [_seen_beside(p, teacher) for p in pictures]


@torch.no_grad()
def _seen_beside(picture: Picture, teacher: Detector) -> list[Instance]:
    image = cv2.imdecode(picture.jpeg, cv2.IMREAD_COLOR)
    h, w = image.shape[:2]
    padded = np.full((-(-h // 32) * 32, -(-w // 32) * 32, 3), 114, np.uint8)
    padded[:h, :w] = image
    x = torch.from_numpy(padded[:, :, ::-1].transpose(2, 0, 1).copy()).float()[None] / 255
    boxes, scores, _ = decode([raw for raw, _ in teacher(x)[2]])
    score, index = scores[0].max(0)
    order = score.argsort(descending=True)
    order = order[score[order] > 0.4]
    known = torch.tensor(np.array([i.box for i in picture.instances]))
    found: list[Instance] = []
    for k, box in zip(order.tolist(), corners(boxes[0].T[order]), strict=True):
        if iou_matrix(box[None], known).max() < 0.45:
            found.append(Instance([], int(index[k]), box.numpy()))
            known = torch.cat([known, box[None]])
    return found


def load_matching(model: Segmenter, state: dict[str, Tensor]) -> list[str]:
    """Take what has the right shape from another checkpoint; names of what stays as it was."""
    own = model.state_dict()
    fits = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
    model.load_state_dict(fits, strict=False)
    return sorted(set(own) - set(fits))


def cells(size: int) -> tuple[Tensor, Tensor]:
    """Centres (A, 2) and strides (A,) of all cells of a square input."""
    points, strides = [], []
    for stride in STRIDES:
        axis = (torch.arange(size // stride) + 0.5) * stride
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        points.append(torch.stack([x.flatten(), y.flatten()], 1))
        strides.append(torch.full((len(points[-1]),), float(stride)))
    return torch.cat(points), torch.cat(strides)


def losses(
    model: Segmenter, teacher: Detector | None, crops: list[Crop], stage: Stage
) -> tuple[Tensor, Tensor, dict[str, float]]:
    """Mask loss summed over positives, loss of the detector, and figures for the log."""
    x = torch.from_numpy(np.stack([c.image for c in crops]))
    x = x.contiguous(memory_format=torch.channels_last)
    o = model.outputs(x, frozen=teacher is None)
    masks = o.prototypes.new_zeros(())
    ious = []
    for i, crop in enumerate(crops):
        loss, iou = mask_loss(o, i, crop)
        masks = masks + loss
        ious.append(iou)
    seen = torch.cat(ious)
    log = {"n": float(len(seen)), "mask": float(masks.detach()), "iou": float(seen.sum())}
    detector = o.prototypes.new_zeros(())
    if teacher is not None:
        upright = [i for i, c in enumerate(crops) if not c.warped]
        if upright:
            with torch.no_grad():
                original = decode([raw for raw, _ in teacher(x[upright])[2]])[2]
            detector = distillation_loss(o.raw[upright], original) * len(upright) / len(crops)
            log["distillation"] = float(detector.detach())
            detector = detector * stage.distillation
        grid, stride = cells(x.shape[2])
        for i, crop in enumerate(crops):
            if crop.warped or stage.upright:
                boxes = detection_loss(o, i, crop, grid, stride) / len(crops)
                log["detection"] = log.get("detection", 0.0) + float(boxes.detach())
                detector = detector + stage.detection * boxes
    return masks, detector, log


def worker(rank: int, stage: Stage, sync: str) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    dist.init_process_group("gloo", init_method=sync, rank=rank, world_size=PROCESSES)
    torch.manual_seed(stage.seed)
    rng = np.random.default_rng([stage.seed, rank])
    model = Segmenter()
    model.detector.load_onnx(stage.teacher)
    if stage.start:
        fresh = load_matching(model, torch.load(stage.start))
        if rank == 0 and fresh:
            print(json.dumps({"fresh": fresh}), flush=True)
    model = model.to(memory_format=torch.channels_last)
    original = Detector().load_onnx(stage.teacher).eval().requires_grad_(False)
    pictures = load(stage.data, "train.json")
    extra = teacher_labels(pictures, original) if stage.lr_detector else [[] for _ in pictures]
    teacher = original.to(memory_format=torch.channels_last) if stage.lr_detector else None
    weight = np.array([p.weight for p in pictures])
    groups = _groups(model, stage)
    parameters = [p for g in groups for p in g["params"]]
    optimiser = torch.optim.AdamW(groups)
    averaged = copy.deepcopy(model)
    steps = stage.pictures // (BATCH * PROCESSES)
    log: list[dict[str, float]] = []
    began = time.time()
    for step in range(steps):
        share = stage.final_lr + (1 - stage.final_lr) * 0.5 * (1 + math.cos(math.pi * step / steps))
        for g in optimiser.param_groups:
            g["lr"] = g["base"] * min(1.0, (step + 1) / 100) * share
        size = random.Random(stage.seed * 1_000_003 + step).choice(stage.sizes)
        chosen = rng.choice(len(pictures), BATCH, p=weight / weight.sum())
        crops = [sample(pictures[k], extra[k], size, stage.warp, rng) for k in chosen]
        masks, detector, figures = losses(model, teacher, crops, stage)
        log.append(figures)
        count = torch.tensor(figures["n"])
        dist.all_reduce(count)
        optimiser.zero_grad(set_to_none=True)
        (masks * PROCESSES / count.clamp(min=1) + detector).backward()
        _share_gradients(parameters)
        optimiser.step()
        _average(averaged, model, min(0.9995, (step + 1) / (step + 10)))
        if rank == 0 and (step + 1) % 100 == 0:
            print(json.dumps(_summary(log, step + 1, began)), flush=True)
            log = []
        if rank == 0 and ((step + 1) % 500 == 0 or step + 1 == steps):
            _save(averaged, stage.out)
            _save(model, stage.out.with_suffix(".raw.pt"))


def _groups(model: Segmenter, stage: Stage) -> list[dict[str, object]]:
    weights = [p for p in model.mask.parameters() if p.dim() > 1]
    rest = [p for p in model.mask.parameters() if p.dim() <= 1]
    groups: list[dict[str, object]] = [
        {"params": weights, "weight_decay": 1e-4, "base": stage.lr},
        {"params": rest, "weight_decay": 0.0, "base": stage.lr},
    ]
    if stage.lr_detector:
        found = list(model.detector.parameters())
        groups.append({"params": found, "weight_decay": 0.0, "base": stage.lr_detector})
    return groups


def _share_gradients(parameters: list[torch.nn.Parameter], clip: float = 5.0) -> None:
    """Mean over the processes, clipped by its norm; also settles processes without a mask."""
    flat = torch.cat(
        [(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1) for p in parameters]
    )
    dist.all_reduce(flat)
    flat /= PROCESSES
    flat *= min(1.0, clip / (float(flat.norm()) + 1e-6))
    at = 0
    for p in parameters:
        p.grad = flat[at : at + p.numel()].view(p.shape)
        at += p.numel()


@torch.no_grad()
def _average(averaged: Segmenter, model: Segmenter, decay: float) -> None:
    torch._foreach_lerp_(list(averaged.parameters()), list(model.parameters()), 1 - decay)
    for a, b in zip(averaged.buffers(), model.buffers(), strict=True):
        a.copy_(b)


def _summary(log: list[dict[str, float]], step: int, began: float) -> dict[str, float]:
    n = max(1.0, sum(f["n"] for f in log))
    row = {
        "pictures": step * BATCH * PROCESSES,
        "seconds": round(time.time() - began),
        "mask_loss": round(sum(f["mask"] for f in log) / n, 4),
        "mask_iou": round(sum(f["iou"] for f in log) / n, 4),
    }
    for key in ("distillation", "detection"):
        values = [f[key] for f in log if key in f]
        if values:
            row[key] = round(sum(values) / len(values), 4)
    return row


def _save(model: Segmenter, path: Path) -> None:
    partial = path.with_suffix(".partial")
    torch.save(model.state_dict(), partial)
    os.replace(partial, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder with train.json and images/")
    add("--teacher", type=Path, required=True, help="yolox_nano_coco.onnx")
    add("--out", type=Path, required=True, help="averaged weights, written every 4,000 pictures")
    add("--start", type=Path, help="weights to go on from")
    add("--pictures", type=int, default=12_000)
    add("--lr", type=float, default=3e-3)
    add("--lr-detector", type=float, default=0.0)
    add("--final-lr", type=float, default=0.02)
    add("--distillation", type=float, default=4.0)
    add("--detection", type=float, default=0.1)
    add("--warp", type=float, default=0.0)
    add("--upright", action="store_true")
    add("--sizes", type=int, nargs="+", default=[256, 288, 320, 384])
    add("--seed", type=int, default=1)
    given = vars(parser.parse_args())
    stage = Stage(**{**given, "sizes": tuple(given["sizes"])})
    print(json.dumps(asdict(stage), default=str), flush=True)
    stage.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(worker, (stage, f"file://{folder}/sync"), nprocs=PROCESSES)


if __name__ == "__main__":
    main()
