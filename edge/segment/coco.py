"""Names of the classes of COCO (Lin et al., 2014, arXiv:1405.0312), as models number them."""

from __future__ import annotations

# The 80 classes, in the order of their numbers.
COCO_80: tuple[str, ...] = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog",
    "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella",
    "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite",
    "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange",
    "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant",
    "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone",
    "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors",
    "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip
UNUSED = frozenset({12, 26, 29, 30, 45, 66, 68, 69, 71, 83})  # of the annotations' 1 to 90
BACKGROUND = "background"


def _numbered() -> tuple[str, ...]:
    names = iter(COCO_80)
    return (BACKGROUND, *(f"unused{k}" if k in UNUSED else next(names) for k in range(1, 91)))


# By the annotations' own numbers, 1 to 90, ten of which no class has; 0 is the background.
COCO_91: tuple[str, ...] = _numbered()
