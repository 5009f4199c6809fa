"""The default model: YOLOX-Nano, six classes, and a prototype mask branch beside it.

Architecture of the detector: Ge et al., YOLOX (2021, arXiv:2107.08430). Masks as a sum of
prototypes: Bolya et al., YOLACT (2019, arXiv:1904.02689). What is ours: six of the prototypes
are fixed polynomials of the position, so that each instance starts from an ellipse in its box,
and eight learned ones come multiplied by the position as well, so that a coefficient head can say
"this one in the upper half, that one on the left" in coordinates of the box.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import Tensor, nn

CLASS_NAMES = ("person", "bicycle", "car", "motorcycle", "bus", "truck")
COCO_ROWS = (0, 1, 2, 3, 5, 7)  # rows of the 80 COCO class probabilities that we keep
STRIDES = (8, 16, 32)
MASK_STRIDE = 4
PROTOTYPES = 32
FIXED = 6  # the last prototypes: 1, X, Y, X^2, Y^2, XY with X = input pixel / 100
POSITIONAL = 8  # learned prototypes that are there three times: as they are, times X, times Y
LEARNED = PROTOTYPES - FIXED - 2 * POSITIONAL


class Conv(nn.Module):
    """Convolution with bias and SiLU: a layer of the detector, its BatchNorm already folded."""

    def __init__(self, i: int, o: int, k: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        pad = 2 if k == 6 else k // 2  # 6x6 stride 2 is YOLOX's Focus + 3x3, rewritten
        self.conv = nn.Conv2d(i, o, k, stride, pad, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(self.conv(x))


def depthwise(i: int, o: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(Conv(i, i, 3, stride, groups=i), Conv(i, o))


class Bottleneck(nn.Module):
    def __init__(self, c: int, shortcut: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(Conv(c, c), depthwise(c, c))
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x) if self.shortcut else self.body(x)


class Csp(nn.Module):
    def __init__(self, i: int, o: int, n: int = 1, shortcut: bool = True) -> None:
        super().__init__()
        h = o // 2
        # Declared in the order of the ONNX graph: `load_onnx` walks modules in this order.
        self.a, self.b = Conv(i, h), Conv(i, h)
        self.blocks = nn.Sequential(*(Bottleneck(h, shortcut) for _ in range(n)))
        self.out = Conv(2 * h, o)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.cat([self.blocks(self.a(x)), self.b(x)], 1))


class Spp(nn.Module):
    def __init__(self, c: int) -> None:
        super().__init__()
        self.a, self.out = Conv(c, c // 2), Conv(2 * c, c)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        pools = [F.max_pool2d(x, k, 1, k // 2) for k in (5, 9, 13)]
        return self.out(torch.cat([x, *pools], 1))


class Head(nn.Module):
    """One level's decoupled head; the order of attributes is that of the ONNX graph."""

    def __init__(self, i: int) -> None:
        super().__init__()
        self.stem = Conv(i, 64)
        self.cls = nn.Sequential(depthwise(64, 64), depthwise(64, 64))
        self.cls_out = nn.Conv2d(64, len(CLASS_NAMES), 1)
        self.reg = nn.Sequential(depthwise(64, 64), depthwise(64, 64))
        self.reg_out = nn.Conv2d(64, 4, 1)
        self.obj_out = nn.Conv2d(64, 1, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Raw outputs (B, 5 + classes, h, w): box, objectness, classes; features (B, 192, h, w)."""
        x = self.stem(x)
        c, r = self.cls(x), self.reg(x)
        raw = torch.cat([self.reg_out(r), self.obj_out(r), self.cls_out(c)], 1)
        return raw, torch.cat([x, c, r], 1)


def up(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def up_smooth(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


class Detector(nn.Module):
    """YOLOX-Nano; input (B, 3, H, W) RGB 0..1, H and W multiples of 32."""

    def __init__(self) -> None:
        super().__init__()
        self.c1 = Conv(3, 16, 6, 2)
        self.c2 = nn.Sequential(depthwise(16, 32, 2), Csp(32, 32))
        self.c3 = nn.Sequential(depthwise(32, 64, 2), Csp(64, 64, 3))
        self.c4 = nn.Sequential(depthwise(64, 128, 2), Csp(128, 128, 3))
        self.c5 = nn.Sequential(depthwise(128, 256, 2), Spp(256), Csp(256, 256, 1, False))
        self.lateral, self.p4 = Conv(256, 128), Csp(256, 128, 1, False)
        self.reduce, self.p3 = Conv(128, 64), Csp(128, 64, 1, False)
        self.down3, self.n4 = depthwise(64, 64, 2), Csp(128, 128, 1, False)
        self.down4, self.n5 = depthwise(128, 128, 2), Csp(256, 256, 1, False)
        self.heads = nn.ModuleList(Head(c) for c in (64, 128, 256))

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor], list[tuple[Tensor, Tensor]]]:
        """Stride-4 features, the neck's three levels, and per level (raw outputs, features)."""
        c2 = self.c2(self.c1(x))
        c3 = self.c3(c2)
        c4 = self.c4(c3)
        lateral = self.lateral(self.c5(c4))
        reduced = self.reduce(self.p4(torch.cat([up(lateral), c4], 1)))
        p3 = self.p3(torch.cat([up(reduced), c3], 1))
        n4 = self.n4(torch.cat([self.down3(p3), reduced], 1))
        n5 = self.n5(torch.cat([self.down4(n4), lateral], 1))
        levels = [p3, n4, n5]
        return c2, levels, [head(p) for head, p in zip(self.heads, levels, strict=True)]

    def load_onnx(self, path: Path) -> Detector:
        """Take the weights of the exported YOLOX-Nano (input BGR 0..255, 80 classes), in order."""
        graph = onnx.load(path).graph
        arrays = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        convs = [
            tuple(torch.tensor(arrays[n].copy()) for n in node.input[1:3])
            for node in graph.node
            if node.op_type == "Conv"
        ]
        ours = list(self._convs())
        if len(ours) != len(convs):
            raise ValueError(f"{path}: expected {len(ours)} convolutions, got {len(convs)}")
        for i, (conv, (weight, bias)) in enumerate(zip(ours, convs, strict=True)):
            if i == 0:
                weight = _focus_as_6x6(weight) * 255.0
            elif weight.shape[0] == 80:
                weight, bias = weight[list(COCO_ROWS)], bias[list(COCO_ROWS)]
            if conv.weight.shape != weight.shape:
                raise ValueError(f"{path}: convolution {i}: {conv.weight.shape}, {weight.shape}")
            conv.weight.data.copy_(weight)
            conv.bias.data.copy_(bias)
        return self

    def _convs(self) -> Iterator[nn.Conv2d]:
        return (m for m in self.modules() if isinstance(m, nn.Conv2d))


def _focus_as_6x6(weight: Tensor) -> Tensor:
    """(16, 12, 3, 3) on the four pixel phases, BGR -> (16, 3, 6, 6) on the picture, RGB."""
    full = torch.zeros(weight.shape[0], 3, 6, 6)
    for phase, (dy, dx) in enumerate([(0, 0), (1, 0), (0, 1), (1, 1)]):
        full[:, :, dy::2, dx::2] = weight[:, phase * 3 : phase * 3 + 3]
    return full.flip(1)


class ConvBn(nn.Module):
    """Convolution and BatchNorm; ReLU because onnxruntime fuses it (and a sum) on the CPU."""

    def __init__(self, i: int, o: int, k: int = 1, groups: int = 1, relu: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(i, o, k, 1, k // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(o, eps=1e-3, momentum=0.03)
        self.relu = relu
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(self.conv(x))
        return F.relu(x) if self.relu else x


class Residual(nn.Module):
    def __init__(self, c: int, k: int) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvBn(c, c, k, groups=c), ConvBn(c, c, relu=False))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.body(x))


class MaskBranch(nn.Module):
    """Prototypes at stride 4 from the neck and the stride-4 features; coefficients per cell."""

    def __init__(self, trunk: int = 96, fine: int = 48) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(ConvBn(c, trunk, relu=False) for c in (64, 128, 256))
        self.trunk = nn.Sequential(*(Residual(trunk, 7) for _ in range(3)))
        self.reduce = ConvBn(trunk, fine, relu=False)
        self.detail = ConvBn(32, fine, relu=False)
        self.fine = nn.Sequential(Residual(fine, 5), Residual(fine, 5))
        self.out = ConvBn(fine, LEARNED)
        self.coefficients = nn.ModuleList(self._head() for _ in STRIDES)

    @staticmethod
    def _head() -> nn.Sequential:
        last = nn.Conv2d(64, PROTOTYPES, 1)
        nn.init.normal_(last.weight, std=0.02)
        nn.init.zeros_(last.bias)
        ellipse = torch.tensor([1.2, 0.0, 0.0, -1.2, -1.2, 0.0])  # 1.2 (1 - u^2 - v^2)
        last.bias.data[-FIXED:] = ellipse
        return nn.Sequential(ConvBn(192, 64), ConvBn(64, 64, 5, groups=64), ConvBn(64, 64), last)

    def forward(
        self, c2: Tensor, levels: list[Tensor], features: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        p3, n4, n5 = (lateral(x) for lateral, x in zip(self.lateral, levels, strict=True))
        x = self.trunk(F.relu(p3 + up_smooth(n4 + up_smooth(n5))))
        x = self.fine(F.relu(self.detail(c2) + up_smooth(self.reduce(x))))
        heads = zip(self.coefficients, features, strict=True)
        return self.out(x), [head(f) for head, f in heads]


class Outputs(nn.Module):
    """Not a layer: a record that travels through the training loop."""

    boxes: Tensor  # (B, 4, A) centre and size, input pixels
    scores: Tensor  # (B, classes, A) objectness x class, 0..1
    coefficients: Tensor  # (B, 32, A)
    prototypes: Tensor  # (B, 32, H/4, W/4)
    raw: Tensor  # (B, 5 + classes, A) before any activation


class Segmenter(nn.Module):
    """Detector and mask branch; `forward` gives the two tensors of the YOLO-seg raw convention."""

    def __init__(self) -> None:
        super().__init__()
        self.detector = Detector()
        self.mask = MaskBranch()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        o = self.outputs(x)
        return torch.cat([o.boxes, o.scores, o.coefficients], 1), o.prototypes

    def outputs(self, x: Tensor, frozen: bool = False) -> Outputs:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not frozen):
            c2, levels, heads = self.detector(x)
        learned, coefficients = self.mask(c2, levels, [f for _, f in heads])
        o = Outputs()
        o.boxes, o.scores, o.raw = decode([raw for raw, _ in heads])
        o.coefficients, o.prototypes = add_fixed_prototypes(
            o.boxes, torch.cat([c.flatten(2) for c in coefficients], 2), learned
        )
        return o


def decode(raw: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes (B, 4, A) and scores (B, classes, A) of the three levels' raw outputs, and those."""
    boxes = []
    for r, stride in zip(raw, STRIDES, strict=True):
        h, w = r.shape[2:]
        gy = torch.arange(h, dtype=r.dtype, device=r.device).view(1, h, 1).expand(1, h, w)
        gx = torch.arange(w, dtype=r.dtype, device=r.device).view(1, 1, w).expand(1, h, w)
        centre = (r[:, :2] + torch.cat([gx, gy], 0)[None]) * stride
        boxes.append(torch.cat([centre, torch.exp(r[:, 2:4].clamp(max=8)) * stride], 1).flatten(2))
    flat = torch.cat([r.flatten(2) for r in raw], 2)
    return torch.cat(boxes, 2), flat[:, 4:5].sigmoid() * flat[:, 5:].sigmoid(), flat


def add_fixed_prototypes(boxes: Tensor, c: Tensor, learned: Tensor) -> tuple[Tensor, Tensor]:
    """Complete the prototypes and rewrite the coefficients from the box's coordinates for them.

    Let u and v run over -1..1 in the instance's box. The head predicts, in this order, factors
    of the LEARNED maps, of u times the first POSITIONAL of them, of v times those, and of 1, u,
    v, u^2, v^2, uv. With u = pX - q and v = rY - t all of it is linear in the maps, in X and Y
    times maps, and in 1, X, Y, X^2, Y^2, XY: the prototypes.
    """
    b, _, h, w = learned.shape
    step = MASK_STRIDE * 0.01
    kind = {"dtype": learned.dtype, "device": learned.device}
    x = ((torch.arange(w, **kind) + 0.5) * step).view(1, 1, 1, w).expand(b, 1, h, w)
    y = ((torch.arange(h, **kind) + 0.5) * step).view(1, 1, h, 1).expand(b, 1, h, w)
    mobile = learned[:, :POSITIONAL]
    polynomial = [torch.ones_like(x), x, y, x * x, y * y, x * y]
    prototypes = torch.cat([learned, mobile * x, mobile * y, *polynomial], 1)
    cx, cy, bw, bh = (boxes.detach() * 0.01).split(1, 1)
    p, r = 2 / bw.clamp(min=0.04), 2 / bh.clamp(min=0.04)
    q, t = p * cx, r * cy
    parts = [POSITIONAL, LEARNED - POSITIONAL, POSITIONAL, POSITIONAL, FIXED]
    even, plain, along_u, along_v, ellipse = c.split(parts, 1)
    q0, q1, q2, q3, q4, q5 = ellipse.split(1, 1)
    fixed = [
        q0 - q1 * q - q2 * t + q3 * q * q + q4 * t * t + q5 * q * t,
        q1 * p - 2 * q3 * p * q - q5 * p * t,
        q2 * r - 2 * q4 * r * t - q5 * r * q,
        q3 * p * p,
        q4 * r * r,
        q5 * p * r,
    ]
    moved = [even - along_u * q - along_v * t, plain, along_u * p, along_v * r]
    return torch.cat([*moved, *fixed], 1), prototypes
