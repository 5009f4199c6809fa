"""What the model is trained on: masks, the original detector's outputs, boxes it cannot see."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from data import Crop
from model import MASK_STRIDE, Outputs
from torch import Tensor


def corners(boxes: Tensor) -> Tensor:
    """(N, 4) centre and size -> corners."""
    return torch.cat([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], 1)


def iou_matrix(a: Tensor, b: Tensor) -> Tensor:
    """IoU (N, M) of boxes given as corners."""
    top = torch.max(a[:, None, :2], b[None, :, :2])
    bottom = torch.min(a[:, None, 2:], b[None, :, 2:])
    inter = (bottom - top).clamp(0).prod(2)
    area_a, area_b = (a[:, 2:] - a[:, :2]).prod(1), (b[:, 2:] - b[:, :2]).prod(1)
    return inter / (area_a[:, None] + area_b[None] - inter + 1e-6)


def mask_loss(
    o: Outputs, i: int, crop: Crop, top: int = 4, most: int = 48
) -> tuple[Tensor, Tensor]:
    """Summed loss of the positives of picture `i`, and the IoU of each (detached).

    Positives are the cells with score > .02 whose predicted box has IoU > .5 with an instance's
    box: the best `top` of each by IoU x sqrt(score), at most `most` in all. Each adds
    2 x cross entropy + dice, inside the slightly enlarged true box.
    """
    empty = o.prototypes.new_zeros(())
    truth = torch.from_numpy(crop.boxes[crop.masked])
    with torch.no_grad():
        score = o.scores[i].amax(0)
        cells = (score > 0.02).nonzero()[:, 0]
        if len(cells) == 0 or len(truth) == 0:
            return empty, empty[None][:0]
        iou, which = iou_matrix(corners(o.boxes[i].T[cells]), truth).max(1)
        quality = torch.where(iou > 0.5, iou * score[cells].sqrt(), 0.0)
        chosen, target = [], []
        for j in range(len(truth)):
            best = quality.where(which == j, 0.0).topk(min(top, len(cells)))
            keep = best.indices[best.values > 0]
            chosen.append(cells[keep])
            target.append(torch.full_like(keep, j))
        cell, index = torch.cat(chosen), torch.cat(target)
        if len(cell) > most:
            pick = torch.randperm(len(cell))[:most]
            cell, index = cell[pick], index[pick]
        if len(cell) == 0:
            return empty, empty[None][:0]
        h, w = o.prototypes.shape[2:]
        inside = _inside(truth[index] / MASK_STRIDE, h, w).float()
        share = torch.from_numpy(crop.masks[crop.masked])[index]
        area = inside.sum((1, 2)).clamp(min=1)
    logits = (o.coefficients[i].T[cell] @ o.prototypes[i].flatten(1)).view(-1, h, w)
    entropy = F.binary_cross_entropy_with_logits(logits, share, reduction="none")
    p, t = logits.sigmoid() * inside, share * inside
    dice = 1 - (2 * (p * t).sum((1, 2)) + 1) / ((p * p).sum((1, 2)) + (t * t).sum((1, 2)) + 1)
    with torch.no_grad():
        a, b = (logits > 0) & (inside > 0), t > 0.5
        seen = (a & b).sum((1, 2)) / (a | b).sum((1, 2)).clamp(min=1)
    return (2 * (entropy * inside).sum((1, 2)) / area + dice).sum(), seen


def _inside(boxes: Tensor, h: int, w: int) -> Tensor:
    pad = (boxes[:, 2:] - boxes[:, :2]) * 0.08 + 0.75
    low, high = boxes[:, :2] - pad, boxes[:, 2:] + pad
    x, y = torch.arange(w) + 0.5, torch.arange(h) + 0.5
    columns = (x > low[:, :1]) & (x < high[:, :1])
    rows = (y > low[:, 1:]) & (y < high[:, 1:])
    return columns[:, None, :] & rows[:, :, None]


def distillation_loss(raw: Tensor, teacher: Tensor) -> Tensor:
    """How far the detector's raw outputs (B, 5 + classes, A) have moved from the original's."""
    obj, classes = teacher[:, 4:5].sigmoid(), teacher[:, 5:].sigmoid()
    found = obj * classes.amax(1, keepdim=True)
    obj_loss = _divergence(raw[:, 4:5], teacher[:, 4:5]).mean()
    by_object = obj + 0.01
    class_loss = (_divergence(raw[:, 5:], teacher[:, 5:]) * by_object).sum() / by_object.sum()
    near = found + 0.001
    box_loss = ((raw[:, :4] - teacher[:, :4]).abs() * near).sum() / near.sum()
    return 100 * obj_loss + class_loss + box_loss


def _divergence(student: Tensor, teacher: Tensor) -> Tensor:
    t = teacher.sigmoid()
    entropy = F.binary_cross_entropy_with_logits
    return entropy(student, t, reduction="none") - entropy(teacher, t, reduction="none")


def detection_loss(o: Outputs, i: int, crop: Crop, grid: Tensor, stride: Tensor) -> Tensor:
    """YOLOX's loss with SimOTA assignment (arXiv:2107.08430, section 2.1) on picture `i`.

    `grid` holds the cells' centres in pixels (A, 2), `stride` the stride of each (A,). Where labels
    are missing (an upright crop of a picture that is not exhaustive) only the boxes count.
    """
    boxes = corners(o.boxes[i].T)
    obj = o.raw[i, 4]
    truth = torch.from_numpy(crop.boxes)
    with torch.no_grad():
        counted = torch.ones_like(obj)
        for box in torch.from_numpy(crop.ignore):
            counted[((grid > box[:2]) & (grid < box[2:])).all(1)] = 0.0
        cell, index, iou = _assign(o, i, boxes, truth, crop, grid, stride)
        target = torch.zeros_like(obj)
        target[cell] = 1.0
        counted[cell] = 1.0
    entropy = F.binary_cross_entropy_with_logits(obj, target, reduction="none")
    loss = (entropy * counted).sum() if crop.warped or crop.exhaustive else entropy.new_zeros(())
    if len(cell):
        overlap = torch.diagonal(iou_matrix(boxes[cell], truth[index]))
        loss = loss + 5 * (1 - overlap**2).sum()
        named = torch.from_numpy(crop.class_index)[index]
        known = (named >= 0) & (crop.warped or crop.exhaustive)
        wanted = F.one_hot(named.clamp(min=0), o.scores.shape[1]) * iou[:, None]
        class_loss = F.binary_cross_entropy_with_logits(
            o.raw[i, 5:].T[cell], wanted.float(), reduction="none"
        )
        loss = loss + (class_loss * known[:, None]).sum()
    return loss / max(1, len(cell))


def _assign(
    o: Outputs, i: int, boxes: Tensor, truth: Tensor, crop: Crop, grid: Tensor, stride: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Positive cells, the instance each stands for, and the IoU it has with it."""
    none = torch.zeros(0, dtype=torch.long)
    if len(truth) == 0:
        return none, none, truth.new_zeros(0)
    centre = (truth[:, :2] + truth[:, 2:]) / 2
    close = ((grid[None] - centre[:, None]).abs() < 2.5 * stride[None, :, None]).all(2)
    within = ((grid[None] > truth[:, None, :2]) & (grid[None] < truth[:, None, 2:])).all(2)
    candidates = (close & within).any(0).nonzero()[:, 0]
    if len(candidates) == 0:
        return none, none, truth.new_zeros(0)
    iou = iou_matrix(truth, boxes[candidates])
    index = torch.from_numpy(crop.class_index)
    probability = o.scores[i][:, candidates].sqrt().clamp(1e-6, 1 - 1e-6)
    right = torch.where(
        index[:, None] >= 0, probability[index.clamp(min=0)], probability.amax(0)[None]
    )
    outside = ~(close & within)[:, candidates]
    cost = -right.log() - 3 * (iou + 1e-8).log() + 1e5 * outside
    matched = torch.zeros_like(iou, dtype=torch.bool)
    for j in range(len(truth)):
        k = int(iou[j].topk(min(10, len(candidates))).values.sum().clamp(min=1))
        matched[j, cost[j].topk(min(k, len(candidates)), largest=False).indices] = True
    matched &= cost < 1e5
    best = cost.where(matched, torch.inf).argmin(0)
    taken = matched.any(0).nonzero()[:, 0]
    return candidates[taken], best[taken], iou[best[taken], taken]
